//! Running what the table chose, to its one answer: the blocking pool, limits, giving up, panics.
//!
//! Asked by the connection and by async handlers that need the pool for a part of their work. What must stay true: work
//! that has begun to change something is never cut off by a daemon that stops; a panic becomes `bug` for its request
//! only, with an id that is in the log.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use proto::{Answer, Error, Kind, error::Result};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::{Ask, Desk, Route, Stream};
use crate::ctx::Ctx;
use crate::server::Sink;

/// How long a request that only looks at the file system may take: longer means a file system that hangs.
pub(super) const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// Runs a request to its one answer.
///
/// # Errors
/// What the handler says; `cancelled` when the caller gave it up or its deadline passed; `bug` after a panic.
pub async fn run(ctx: Arc<Ctx>, ask: Ask, route: Route, sink: &Sink) -> Result<Answer> {
    let deadline = ask.deadline;
    match route {
        Route::Answered(answer) => *answer,
        Route::Told(told) => {
            let (part, answer) = *told;
            sink.item(part).await?;
            Ok(answer)
        }
        Route::Look(work) => {
            let task = pool(&ctx, &ask, work);
            tokio::select! {
                answer = within(LOOK_LIMIT, task) => answer,
                why = given_up(sink, deadline) => Err(why),
            }
        }
        Route::Write(work) => {
            let mut task = pool(&ctx, &ask, work);
            tokio::select! {
                joined = &mut task => ended(joined),
                why = given_up(sink, deadline) => match why.kind {
                    // The daemon stops: what has begun to change something finishes.
                    Kind::Unavailable => ended(task.await),
                    _ => Err(why),
                }
            }
        }
        // On this very task: a stream has nothing to finish, so it ends where it stands when nobody waits for it.
        Route::Stream(stream) => tokio::select! {
            biased;
            answer = caught(ctx, ask, stream, sink.clone()) => answer,
            why = given_up(sink, deadline) => Err(why),
        },
    }
}

/// Does a part of a request's work on the blocking pool, with the disk and the database, within the limit for looking.
///
/// # Errors
/// What the work says; `unavailable` when a file system hangs; `bug` after a panic.
pub async fn on_pool<T: Send + 'static>(
    ctx: &Arc<Ctx>,
    ask: &Ask,
    work: impl FnOnce(&Desk<'_>) -> Result<T> + Send + 'static,
) -> Result<T> {
    within(LOOK_LIMIT, pool(ctx, ask, work)).await
}

/// Computes something that takes too long for the thread of the connections.
///
/// # Errors
/// What the work says; `bug` after a panic.
pub async fn compute<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    ended(tokio::task::spawn_blocking(work).await)
}

/// Runs an inline handler; a panic ends its request only.
pub(super) fn guarded<T>(handler: impl FnOnce() -> T, broken_as: impl FnOnce(Error) -> T) -> T {
    catch_unwind(AssertUnwindSafe(handler)).unwrap_or_else(|_| broken_as(panicked()))
}

fn pool<T: Send + 'static>(
    ctx: &Arc<Ctx>,
    ask: &Ask,
    work: impl FnOnce(&Desk<'_>) -> Result<T> + Send + 'static,
) -> JoinHandle<Result<T>> {
    let (ctx, ask) = (Arc::clone(ctx), ask.clone());
    let inside = ctx.life.calls.enter();
    tokio::task::spawn_blocking(move || {
        let _inside = inside;
        work(&Desk { ctx: &ctx, ask: &ask })
    })
}

async fn within<T>(limit: Duration, task: JoinHandle<Result<T>>) -> Result<T> {
    match tokio::time::timeout(limit, task).await {
        Ok(joined) => ended(joined),
        Err(_) => Err(Error::unavailable(format!(
            "the file system did not answer within {} s",
            limit.as_secs()
        ))
        .why("a mount on the way may hang")
        .next("look for it with `findmnt`, and ask again")),
    }
}

/// Ends when nobody waits for the answer any more, with the reason.
async fn given_up(sink: &Sink, deadline: Option<Instant>) -> Error {
    tokio::select! {
        why = sink.until_given_up() => why,
        () = until(deadline) => Error::new(Kind::Cancelled, "the deadline of the request passed")
            .next("ask again with more time; repeat a change with the same request id to learn whether it was made"),
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn ended<T>(joined: std::result::Result<Result<T>, JoinError>) -> Result<T> {
    joined.unwrap_or_else(|error| {
        Err(if error.is_panic() {
            panicked()
        } else {
            Error::unavailable("the daemon is stopping").next("ask again")
        })
    })
}

static PANICS: AtomicU64 = AtomicU64::new(0);

fn panicked() -> Error {
    let id = PANICS.fetch_add(1, Ordering::Relaxed) + 1;
    tracing::error!(id, "a request ended in a panic (its message stands above)");
    Error::bug(format!("the request failed inside the daemon (panic {id})"))
        .next("see `tocli daemon logs` and report it with that part of the log")
}

/// Runs a stream; a panic ends its request only.
async fn caught(ctx: Arc<Ctx>, ask: Ask, stream: Stream, sink: Sink) -> Result<Answer> {
    let begun = catch_unwind(AssertUnwindSafe(|| stream(ctx, ask, sink)));
    let Ok(mut running) = begun else {
        return Err(panicked());
    };
    poll_fn(move |context| {
        let polled = catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context)));
        polled.unwrap_or_else(|_| Poll::Ready(Err(panicked())))
    })
    .await
}
