//! The table: every request, one line each, and how it runs.
//!
//! Asked by the connection that read the request. Four ways to run, each with its own type of handler, so that a
//! handler can only do what its way allows:
//!
//! - *inline*: from memory, on the connection's own task; its [`Memory`] has no call that waits;
//! - *work*: on the blocking pool, with the disk and the database;
//! - *stream*: an async task that sends parts through its [`Sink`].
//!
//! What must stay true: every request ends with exactly one answer; a panic becomes `bug` for that request, with an id
//! that is in the log.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proto::{Answer, Caller, Error, Kind, Request, error::Result};
use tokio::time::Instant;

use crate::ctx::Ctx;
use crate::reboot;
use crate::server::Sink;

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

/// What a handler on the blocking pool may touch: everything.
pub struct Desk<'a> {
    /// The daemon's belongings.
    pub ctx: &'a Ctx,
    /// The request's circumstances.
    pub ask: &'a Ask,
    /// The way back, for progress.
    pub sink: &'a Sink,
}

type Work = Box<dyn FnOnce(&Desk<'_>) -> Result<Answer> + Send>;
type Stream =
    Box<dyn FnOnce(Arc<Ctx>, Ask, Sink) -> Pin<Box<dyn Future<Output = Result<Answer>> + Send>> + Send>;

/// How a request is going to be answered.
pub enum Route {
    /// It has been.
    Answered(Result<Answer>),
    /// On the blocking pool, within a limit.
    Work(Work, Option<Duration>),
    /// By an async task.
    Stream(Stream),
}

/// How long a request that only looks at the file system may take: longer means a file system that hangs.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// The table.
///
/// # Errors
/// When the request cannot be run at all.
pub fn route(ctx: &Ctx, ask: &Ask, request: Request) -> Result<Route> {
    let memory = Memory { ctx, ask };
    Ok(match request {
        Request::Daemon(request) => Route::Answered(
            guarded(|| Some(reboot::answer(&memory, &request)))
                .unwrap_or_else(|| Err(Error::bug("no answer"))),
        ),
        other => Route::Answered(Err(Error::unavailable(format!("{other:?} is not served yet")))),
    })
}

fn look(work: impl FnOnce(&Desk<'_>) -> Result<Answer> + Send + 'static) -> Route {
    Route::Work(Box::new(work), Some(LOOK_LIMIT))
}

/// Runs what [`route`] chose, to its one answer.
///
/// # Errors
/// What the handler says; `cancelled` when the caller gave it up or its deadline passed; `bug` after a panic.
pub async fn run(ctx: Arc<Ctx>, ask: Ask, route: Route, sink: &Sink) -> Result<Answer> {
    let deadline = ask.deadline;
    let (limit, task) = match route {
        Route::Answered(answer) => return answer,
        Route::Work(work, limit) => {
            let sink = sink.clone();
            let task = tokio::task::spawn_blocking(move || {
                work(&Desk {
                    ctx: &ctx,
                    ask: &ask,
                    sink: &sink,
                })
            });
            (limit.map(|limit| Instant::now() + limit), task)
        }
        Route::Stream(stream) => (None, tokio::spawn(stream(ctx, ask, sink.clone()))),
    };
    let task = AbortOnDrop(task);
    ended(task, sink, limit, deadline).await
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn ended(
    mut task: AbortOnDrop<Result<Answer>>,
    sink: &Sink,
    limit: Option<Instant>,
    deadline: Option<Instant>,
) -> Result<Answer> {
    let soonest = limit.into_iter().chain(deadline).min();
    let mut stopping = false;
    loop {
        tokio::select! {
            joined = &mut task.0 => return joined.unwrap_or_else(|error| Err(broken(error.is_panic()))),
            why = sink.until_given_up(), if !stopping => {
                if why.kind == Kind::Cancelled {
                    return Err(why);
                }
                // The daemon stops: whoever changes something finishes, whoever waits has seen the reason too.
                stopping = true;
            }
            () = until(soonest) => return Err(out_of_time(limit, deadline)),
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn out_of_time(limit: Option<Instant>, deadline: Option<Instant>) -> Error {
    match (limit, deadline) {
        (Some(limit), deadline) if deadline.is_none_or(|deadline| limit <= deadline) => Error::unavailable(
            format!("the file system did not answer within {} s", LOOK_LIMIT.as_secs()),
        )
        .why("a mount on the way may hang")
        .next("look for it with `findmnt`, and ask again"),
        _ => Error::new(Kind::Cancelled, "the deadline of the request passed")
            .next("repeat a change with the same request id to learn whether it was made"),
    }
}

static PANICS: AtomicU64 = AtomicU64::new(0);

fn broken(panicked: bool) -> Error {
    if !panicked {
        return Error::new(Kind::Cancelled, "the request was given up");
    }
    let id = PANICS.fetch_add(1, Ordering::Relaxed) + 1;
    tracing::error!(id, "a request ended in a panic (its message stands above)");
    Error::bug(format!("the request failed inside the daemon (panic {id})"))
        .next("see `tocli daemon logs` and report it with that part of the log")
}

/// Runs an inline handler; a panic ends its request only.
fn guarded(handler: impl FnOnce() -> Option<Result<Answer>>) -> Option<Result<Answer>> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(handler))
        .unwrap_or_else(|_| Some(Err(broken(true))))
}

impl<'a> Memory<'a> {
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
}
