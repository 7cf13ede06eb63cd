//! Running what the table chose, to its one answer: the blocking pool, limits, giving up, panics.
//!
//! Asked by the connection and by async handlers that need the pool for a part of their work. What must stay true: work
//! that has begun to change something is never cut off by a daemon that stops; a panic becomes `bug` for its request
//! only, with an id that is in the log.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use proto::{Answer, Error, Kind, error::Result};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::waits::Waits;
use super::{Ask, Desk, Route, Stream};
use crate::ctx::Ctx;
use crate::server::Sink;

/// How long a request that only looks at the file system may take: longer means a file system that hangs, or another
/// request that does not let go of the workspace.
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
            let work = pool(&ctx, &ask, work);
            tokio::select! {
                answer = within(tokio::time::sleep(LOOK_LIMIT), work) => answer,
                why = given_up(sink, deadline) => Err(why),
            }
        }
        Route::Write(work) => {
            let (mut task, _) = pool(&ctx, &ask, work);
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
/// What the work says; `unavailable` when a file system hangs or a lock is held; `bug` after a panic.
pub async fn on_pool<T: Send + 'static>(
    ctx: &Arc<Ctx>,
    ask: &Ask,
    work: impl FnOnce(&Desk<'_>) -> Result<T> + Send + 'static,
) -> Result<T> {
    within(tokio::time::sleep(LOOK_LIMIT), pool(ctx, ask, work)).await
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
) -> (JoinHandle<Result<T>>, Waits) {
    let (ctx, ask) = (Arc::clone(ctx), ask.clone());
    let inside = ctx.life.calls.enter();
    let waits = Waits::default();
    let ours = waits.clone();
    let task = tokio::task::spawn_blocking(move || {
        let _inside = inside;
        let _works = ours.works();
        work(&Desk { ctx: &ctx, ask: &ask })
    });
    (task, waits)
}

/// Until `limit` is over.
async fn within<T>(
    limit: impl Future<Output = ()>,
    (task, waits): (JoinHandle<Result<T>>, Waits),
) -> Result<T> {
    tokio::select! {
        joined = task => ended(joined),
        () = limit => Err(too_long(&waits)),
    }
}

/// Why a request has taken longer than [`LOOK_LIMIT`].
fn too_long(waits: &Waits) -> Error {
    let limit = LOOK_LIMIT.as_secs();
    if waits.now() {
        return Error::unavailable(format!(
            "another request has not let go of this workspace within {limit} s"
        ))
        .why("it changes much at once, or a disk does not let it go on")
        .next("ask again in a moment; `tocli audit` shows the change when it is made");
    }
    Error::unavailable(format!("the file system did not answer within {limit} s"))
        .why("a mount on the way may hang")
        .next("look for it with `findmnt`, and ask again")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::hold;
    use std::sync::Mutex;

    /// What is said of work that goes on for too long.
    fn said(work: impl FnOnce() + Send + 'static, over: impl AsyncFnOnce(&Waits)) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let told = runtime.block_on(async {
            let waits = Waits::default();
            let ours = waits.clone();
            let task = tokio::task::spawn_blocking(move || {
                let _works = ours.works();
                work();
                Ok(())
            });
            let limit = over(&waits);
            within(limit, (task, waits.clone()))
                .await
                .expect_err("it goes on")
                .to_string()
        });
        // The work that is not over is nobody's any more.
        runtime.shutdown_background();
        told
    }

    #[test]
    fn who_waits_for_a_lock_is_told_so_and_who_waits_for_a_disk_of_the_disk() {
        let lock = Arc::new(Mutex::new(()));
        let theirs = Arc::clone(&lock);
        let held = hold(&lock);
        let told = said(
            move || drop(hold(&theirs)),
            async |waits| {
                while !waits.now() {
                    tokio::task::yield_now().await;
                }
            },
        );
        drop(held);
        assert!(told.contains("another request has not let go"), "{told}");
        let (go_on, until) = std::sync::mpsc::channel::<()>();
        let told = said(
            move || {
                let lock = Mutex::new(());
                drop(hold(&lock));
                until.recv().expect_err("the test is over");
            },
            async |_| (),
        );
        drop(go_on);
        assert!(told.contains("the file system did not answer"), "{told}");
    }

    #[test]
    fn who_has_its_lock_waits_no_more() {
        let waits = Waits::default();
        let works = waits.works();
        let seen = crate::dispatch::waits::during(|| waits.now());
        assert_eq!((seen, waits.now()), (true, false));
        drop(works);
        assert!(
            !crate::dispatch::waits::during(|| waits.now()),
            "of another request"
        );
    }
}
