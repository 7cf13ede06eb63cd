//! The table: every request, one line each, and how it runs.
//!
//! Asked by the connection that read the request. Each way to run has its own type of handler, so that a handler can
//! only do what its way allows:
//!
//! - *answered*, *told*: from memory, on the connection's own task; its [`Memory`] has no call that waits;
//! - *look*: on the blocking pool, reading the disk, within a limit;
//! - *write*: on the blocking pool, changing something; once begun it is finished;
//! - *stream*: an async task that sends parts through its [`Sink`].
//!
//! What must stay true: every request ends with exactly one answer.

mod desk;
mod run;
mod waits;

use std::pin::Pin;
use std::sync::Arc;

use proto::detect::{Detection, From};
use proto::{Answer, Caller, Item, Request, error::Result};
use tokio::time::Instant;

use crate::ctx::Ctx;
use crate::detect::{Detector, Settings, Standing};
use crate::server::Sink;
use crate::world::{MountTable, World};
use crate::{artifact, context, decision, index, maintenance, reboot, task, workspace};
pub use desk::{Desk, Locks, hold};
pub use run::{compute, on_pool, run};

/// Who asks, and how long they wait.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The caller's own situation.
    pub caller: Caller,
    /// For a mutation: the id under which it is done once.
    pub request_id: Option<String>,
    /// The moment after which nobody waits for the answer.
    pub deadline: Option<Instant>,
}

/// What an inline handler may touch.
#[derive(Clone, Copy)]
pub struct Memory<'a> {
    ctx: &'a Ctx,
    /// The request's circumstances.
    pub ask: &'a Ask,
}

/// A handler on the blocking pool.
pub type Work = Box<dyn FnOnce(&Desk<'_>) -> Result<Answer> + Send>;

/// What an async handler runs as.
pub type Running = Pin<Box<dyn Future<Output = Result<Answer>> + Send>>;

/// An async handler.
pub type Stream = Box<dyn FnOnce(Arc<Ctx>, Ask, Sink) -> Running + Send>;

/// How a request is going to be answered.
pub enum Route {
    /// It has been.
    Answered(Box<Result<Answer>>),
    /// It has been, by a part that comes before the answer.
    Told(Box<(Item, Answer)>),
    /// By looking at the disk.
    Look(Work),
    /// By changing something.
    Write(Work),
    /// By an async task.
    Stream(Stream),
}

/// The way of a request.
#[must_use]
pub fn route(ctx: &Ctx, ask: &Ask, request: Request) -> Route {
    at_once(ctx, ask, &request).unwrap_or_else(|| begin(ctx, ask, request))
}

/// The answer to a request that has one at hand, asked of each before [`begin`].
#[must_use]
pub fn at_once(ctx: &Ctx, ask: &Ask, request: &Request) -> Option<Route> {
    if let Some(actor) = ask.caller.name() {
        // Any call is a sign of life.
        ctx.boards.called(actor);
    }
    let Request::Index(request) = request else {
        return None;
    };
    // What panics here does so again, where it is told.
    let memory = Memory { ctx, ask };
    match run::guarded(|| index::door::at_once(memory, request), |_| None)? {
        (Some(part), answer) => Some(Route::Told(Box::new((part, answer)))),
        (None, answer) => Some(answered(|| Ok(answer))),
    }
}

/// The table.
#[must_use]
pub fn begin(ctx: &Ctx, ask: &Ask, request: Request) -> Route {
    let memory = Memory { ctx, ask };
    match request {
        Request::Detect(proto::detect::Request::Find(from)) => find(memory, from),
        Request::Daemon(request) => reboot::route(memory, request),
        Request::Index(request) => stream(|ctx, ask, sink| index::door::answer(ctx, ask, request, sink)),
        Request::Migrate(request) => look(move |desk| reboot::schema::answer(desk, &request)),
        request @ (Request::Workspace(_) | Request::Config(_) | Request::Role(_)) => {
            match workspace::only_looks(&request) {
                true => look(move |desk| workspace::answer(desk, &request)),
                false => write(move |desk| {
                    let answer = workspace::answer(desk, &request)?;
                    settings_written(desk, &request);
                    Ok(answer)
                }),
            }
        }
        // The last room that such a move touches.
        Request::Task(call) if matches!(call.what, proto::task::Request::Move { .. }) => {
            write(move |desk| artifact::moving::answer(desk, *call))
        }
        Request::Task(call) => match call.what.changes() {
            true => write(move |desk| task::answer(desk, *call)),
            false if matches!(call.what, proto::task::Request::Execute { .. }) => {
                look(move |desk| artifact::handed::answer(desk, *call))
            }
            false => look(move |desk| task::answer(desk, *call)),
        },
        Request::Artifact(call) => match call.what.takes_time() {
            true => write(move |desk| artifact::answer(desk, *call)),
            false => look(move |desk| artifact::answer(desk, *call)),
        },
        Request::Decision(call) => match call.what.changes() {
            true => write(move |desk| decision::answer(desk, *call)),
            false => look(move |desk| decision::answer(desk, *call)),
        },
        Request::Context(call) if context::is_told(&call.what) => {
            stream(|ctx, ask, sink| context::gather::answer(ctx, ask, *call, sink))
        }
        Request::Context(call) => match call.what.changes() {
            true => write(move |desk| context::answer(desk, *call)),
            false => look(move |desk| context::answer(desk, *call)),
        },
        Request::Maintenance(call) if call.what.is_long() => {
            stream(|ctx, ask, sink| maintenance::long(ctx, ask, *call, sink))
        }
        Request::Maintenance(call) => match call.what.changes() {
            true => write(move |desk| maintenance::answer(desk, *call)),
            false => look(move |desk| maintenance::answer(desk, *call)),
        },
    }
}

/// News for the index: the file of a workspace's settings is another one.
fn settings_written(desk: &Desk<'_>, request: &Request) {
    use proto::config::{Layer, Request as Config};
    if let Request::Config(
        Config::Set { at, layer, .. } | Config::Unset { at, layer, .. } | Config::Reset { at, layer },
    ) = request
        && *layer == Layer::Workspace
        && let Err(error) = index::door::follow_project(desk, at)
    {
        tracing::warn!(%error, "new settings count when the project is opened next");
    }
}

/// What the daemon does on its own, once a second, on the blocking pool.
pub fn tick(ctx: &Ctx) {
    ctx.detector.refresh(&*ctx.world);
    context::tick(ctx);
    task::tick(ctx);
    ctx.trees.tick(ctx.awake_trees());
    artifact::tick(ctx);
    // The last: it writes into projects, where a mount may hang.
    maintenance::tick(ctx);
}

/// What it does on its own once an hour, on the blocking pool.
pub fn hourly(ctx: &Ctx) {
    match workspace::erase_expired(ctx) {
        Ok(gone) => gone
            .iter()
            .for_each(|id| tracing::info!(%id, "a forgotten workspace was erased")),
        Err(error) => tracing::warn!(%error, "forgotten workspaces were not erased"),
    }
    if let Err(error) = context::hourly(ctx) {
        tracing::warn!(%error, "forgotten notes were not removed");
    }
    if let Err(error) = reboot::care(ctx) {
        tracing::warn!(%error, "the database was not backed up");
    }
    maintenance::hourly(ctx);
}

/// From the cache where that cannot hang, else on the blocking pool.
fn find(memory: Memory<'_>, from: From) -> Route {
    match remembered(memory, &from) {
        Ok(Some(found)) => answered(|| Ok(Answer::Detect(found))),
        Ok(None) => look(move |desk| desk.locate(&from).map(Answer::Detect)),
        Err(error) => answered(|| Err(error)),
    }
}

fn remembered(memory: Memory<'_>, from: &From) -> Result<Option<Detection>> {
    from_memory(memory, &memory.mounts(), |detector, disk, settings| {
        detector.remembered(disk, &memory.ask.caller, from, settings)
    })
}

/// Asks detection, where that cannot hang.
fn from_memory<T>(
    Memory { ctx, ask }: Memory<'_>,
    mounts: &MountTable,
    found: impl FnOnce(&Detector, (&dyn World, &MountTable), &Settings) -> Option<T>,
) -> Result<Option<T>> {
    let ask = || {
        if !ctx.config.at_hand(mounts) {
            return Ok(None);
        }
        let settings = ctx.detection(&ask.caller);
        Ok(found(&ctx.detector, (&*ctx.world, mounts), &settings))
    };
    run::guarded(ask, Err)
}

impl Route {
    /// Answered from memory by the last room.
    pub(crate) fn answered(handler: impl FnOnce() -> Result<proto::daemon::Answer>) -> Self {
        answered(|| handler().map(Answer::Daemon))
    }
}

fn answered(handler: impl FnOnce() -> Result<Answer>) -> Route {
    Route::Answered(Box::new(run::guarded(handler, Err)))
}

/// By looking at the disk.
pub(crate) fn look(handler: impl FnOnce(&Desk<'_>) -> Result<Answer> + Send + 'static) -> Route {
    Route::Look(Box::new(handler))
}

/// By changing something.
fn write(handler: impl FnOnce(&Desk<'_>) -> Result<Answer> + Send + 'static) -> Route {
    Route::Write(Box::new(handler))
}

/// By an async task.
pub(crate) fn stream<F>(handler: impl FnOnce(Arc<Ctx>, Ask, Sink) -> F + Send + 'static) -> Route
where
    F: Future<Output = Result<Answer>> + Send + 'static,
{
    Route::Stream(Box::new(|ctx, ask, sink| Box::pin(handler(ctx, ask, sink))))
}

impl<'a> Memory<'a> {
    /// The project of the request, when it is remembered and still there.
    ///
    /// # Errors
    /// `bug` after a panic.
    pub fn located(self, from: &From, mounts: &MountTable) -> Result<Option<Standing>> {
        from_memory(self, mounts, |detector, disk, settings| {
            detector.standing(disk, &self.ask.caller, from, settings)
        })
    }

    /// What is mounted, asked of the kernel now: once for each request, before it looks at anything.
    #[must_use]
    pub fn mounts(&self) -> Arc<MountTable> {
        self.ctx.world.mounts()
    }

    /// Takes over what the user's file says of the watcher, as of the last look that anybody took at it.
    pub fn follow_settings(&self) {
        self.ctx.follow_settings();
    }

    /// Somebody with a name has asked about a tree.
    pub fn visited(&self, root: &std::path::Path) {
        self.ctx.visited(&self.ask.caller, root);
    }

    /// The daemon's own life.
    #[must_use]
    pub fn life(&self) -> &'a crate::life::Life {
        &self.ctx.life
    }

    /// Where things are.
    #[must_use]
    pub fn places(&self) -> &'a proto::places::Places {
        &self.ctx.places
    }

    /// Which workspace each tree in use belongs to.
    #[must_use]
    pub fn entered(&self) -> &'a workspace::Entered {
        &self.ctx.entered
    }

    /// Answers of detection, and the watches under them.
    #[must_use]
    pub fn detector(&self) -> &'a crate::detect::Detector {
        &self.ctx.detector
    }

    /// The records.
    #[must_use]
    pub fn db(&self) -> &'a crate::db::Db {
        &self.ctx.db
    }

    /// The watched trees.
    #[must_use]
    pub fn trees(&self) -> &'a index::Trees {
        &self.ctx.trees
    }
}

/// Finds the project of a request: from the cache where that cannot hang, else on the blocking pool.
///
/// # Errors
/// What detection says.
pub async fn locate(ctx: &Arc<Ctx>, ask: &Ask, from: From) -> Result<Detection> {
    match remembered(Memory { ctx, ask }, &from)? {
        Some(found) => Ok(found),
        None => on_pool(ctx, ask, move |desk| desk.locate(&from)).await,
    }
}
