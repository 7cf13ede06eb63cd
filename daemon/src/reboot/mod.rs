//! `reboot`: the daemon about itself, and its hand-over to another binary. The last room, because its status speaks of
//! all others.
//!
//! What must stay true: **Invariant**: a binary that has not rehearsed never gets anything but a copy; whoever asks for a
//! reboot is answered by the image that serves afterwards, or by this one with the reason why not.

mod care;
mod rehearse;
mod rules;
pub mod schema;
mod status;
mod store;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proto::daemon::{Answer, Outcome, Reboot, Rehearsed, Request};
use proto::{Error, RawPath, error::Result};
use tokio::sync::oneshot;

use crate::ctx::Ctx;
use crate::dispatch::{Desk, Memory, Route, compute, look, stream};
use crate::life::{Plan, Wish};
use crate::world::image::{Image, started_from};
use crate::world::process;

pub use care::care;
pub use rehearse::rehearse;

/// How long a rehearsal may take, and then requests in work to finish, and then the next image to serve, when the caller
/// does not say.
const LIMIT: Duration = Duration::from_secs(30);

/// The door.
#[must_use]
pub fn route(memory: Memory<'_>, request: Request) -> Route {
    match request {
        Request::Status => Route::answered(|| Ok(Answer::Status(Box::new(status::status(memory))))),
        Request::Reload => Route::answered(|| {
            memory.life().wish(Wish::Reload, "a request");
            Ok(Answer::Reloaded {
                warnings: memory.life().warnings(),
            })
        }),
        Request::Stop => Route::answered(|| {
            memory.life().wish(Wish::Stop, "a request");
            Ok(Answer::Stopping {
                pid: std::process::id(),
            })
        }),
        Request::LastReboot => Route::answered(|| last(memory.life().last_reboot())),
        Request::Reboots => look(reboots),
        Request::Rehearse { binary, limit_ms } => stream(move |ctx, _, _| async move {
            let rehearsed = try_out(&ctx, binary, limit(limit_ms)).await?.1;
            Ok(proto::Answer::Daemon(Answer::Rehearsed(rehearsed)))
        }),
        Request::Reboot {
            binary,
            limit_ms,
            reason,
        } => stream(move |ctx, _, _| async move { reboot(&ctx, binary, limit(limit_ms), reason).await }),
    }
}

fn limit(limit_ms: u32) -> Duration {
    if limit_ms == 0 {
        LIMIT
    } else {
        Duration::from_millis(limit_ms.into())
    }
}

fn last(reboot: Option<Reboot>) -> Result<Answer> {
    let reboot = reboot.ok_or_else(|| Error::not_found("this process has not been rebooted"))?;
    match reboot.outcome {
        Outcome::Done => Ok(Answer::Rebooted(Box::new(reboot))),
        _ => Err(rules::refusal(&reboot)),
    }
}

fn reboots(desk: &Desk<'_>) -> Result<proto::Answer> {
    let under_way = desk.ctx.life.under_way().map(str::to_owned);
    Ok(proto::Answer::Daemon(Answer::Reboots {
        under_way,
        history: store::history(&desk.ctx.db)?,
    }))
}

/// A reboot that no client asked for on a connection: by signal, or by a client's header.
pub async fn without_client(ctx: Arc<Ctx>) {
    if let Err(error) = reboot(&ctx, None, LIMIT, Some("a signal".to_owned())).await {
        tracing::warn!(%error, "no reboot");
    }
}

/// Rehearses, and asks for the hand-over. Returns only when there is none: whoever asked is carried to the next image.
async fn reboot(
    ctx: &Arc<Ctx>,
    binary: Option<RawPath>,
    limit: Duration,
    reason: Option<String>,
) -> Result<proto::Answer> {
    let asked = process::monotonic();
    let under_way = ctx.life.begin_reboot().map_err(|doing| {
        Error::conflict("another reboot is under way")
            .why(format!("it is {doing}"))
            .next("ask for `tocli daemon reboot --status`")
    })?;
    let mut record = Reboot {
        at: ctx.world.now(),
        outcome: Outcome::Done,
        why: None,
        reason,
        binary: binary.clone().unwrap_or_default(),
        from_version: process::version().to_owned(),
        to_version: String::new(),
        from_schema: ctx.life.schema,
        to_schema: ctx.life.schema,
        pid: std::process::id(),
        generation: ctx.life.generation() + 1,
        connections: 0,
        pause_us: 0,
        took_ms: 0,
    };
    if let Err(error) = Image::own() {
        refused(ctx, record, &error);
        return Err(error);
    }
    let (next, rehearsed) = match try_out(ctx, binary, limit).await {
        Ok(found) => found,
        Err(error) => {
            refused(ctx, record, &error);
            return Err(error);
        }
    };
    record.binary = rehearsed.binary;
    record.to_version = rehearsed.version;
    record.to_schema = rehearsed.schema;
    under_way.doing("handing over");
    let (refuse, refusal) = oneshot::channel();
    let plan = Plan {
        record,
        next,
        limit,
        asked,
        paused: 0,
        backup: None,
        refused: refuse,
    };
    ctx.life.wish(Wish::HandOver(Box::new(plan)), "a rehearsed image");
    match refusal.await {
        Ok(error) => Err(error),
        Err(_) => Err(Error::unavailable("the daemon is stopping")),
    }
}

/// Opens the image, lets it rehearse, judges what it says.
async fn try_out(ctx: &Arc<Ctx>, binary: Option<RawPath>, limit: Duration) -> Result<(Image, Rehearsed)> {
    let ctx = Arc::clone(ctx);
    // Gone with this future: whoever asked has gone, or has been carried to another image.
    let asked = Arc::new(());
    let wanted = Arc::downgrade(&asked);
    let rehearsing = ctx.life.rehearsals.enter();
    let tried = compute(move || {
        let _until_it_has_ended = rehearsing;
        let path = match binary {
            Some(binary) => binary.to_path_buf(),
            None => started_from()?,
        };
        let image = Image::open(&path)?;
        let unwanted = || ctx.life.ending() || wanted.strong_count() == 0;
        let rehearsed = rehearse::try_out(&ctx, &image, (limit, &unwanted))?;
        Ok((image, rehearsed))
    })
    .await;
    drop(asked);
    tried
}

fn refused(ctx: &Arc<Ctx>, mut record: Reboot, why: &Error) {
    record.outcome = Outcome::Refused;
    record.generation = ctx.life.generation();
    record.why = Some(why.to_string());
    // Whoever asked may be on a connection that had come to rest, and asks the last one instead.
    ctx.life.note_reboot(record.clone());
    remember(ctx, record);
}

/// A hand-over that was rehearsed does not come about, and everything is as it was.
pub fn refuse(ctx: &Arc<Ctx>, plan: Box<Plan>, why: Error) {
    refused(ctx, plan.record.clone(), &why);
    plan.refuse(why);
}

/// Notes in a record that the image did not serve, and who put things right.
pub fn failed(record: &mut Reboot, why: &Error, guardian: u32) {
    record.outcome = if guardian == std::process::id() {
        Outcome::Guarded
    } else {
        Outcome::RolledBack
    };
    record.why = Some(why.to_string());
    record.generation = record.generation.saturating_sub(1);
}

/// Puts a reboot into the history, in the background: nobody waits for that.
pub fn remember(ctx: &Arc<Ctx>, record: Reboot) {
    let ctx = Arc::clone(ctx);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = store::remember(&ctx.db, &record) {
            tracing::warn!(%error, "a reboot is missing in the history");
        }
    });
}

/// Where a rehearsal finds its database.
fn scratch(ctx: &Ctx) -> PathBuf {
    ctx.places
        .state_dir
        .join(format!("rehearsal-{}-{}", std::process::id(), ctx.world.now()))
}
