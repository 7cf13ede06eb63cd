//! The life of the daemon, in numbered steps.
//!
//! 1. Close what was inherited by accident; adopt what the service manager passes.
//! 2. Make the state folder, or refuse one that is not ours.
//! 3. Take the lock: from here on this process is the only daemon of its state.
//! 4. Begin the log.
//! 5. Bind the socket, or take over the one that was passed; say in the lock file where we listen.
//! 6. Open the database: recover, migrate.
//! 7. Serve; say that we are ready.
//! 8. Until somebody says stop: obey signals, feed the watchdog, look after the socket, notice idleness.
//! 9. Drain: finish what changes something, end what only waits.
//! 10. Close the database, remove the socket if it is still ours, let go of the lock.
//!
//! A hand-over replaces steps 9 and 10 by: carry what only waits, close the database, and become the next image
//! (`handover`), which begins with the socket, the lock and the connections at step 4. When that is not possible, this
//! image takes over from itself.
//!
//! Asked by `main`. What must stay true: an error before step 7 is told on standard error, where whoever started us
//! reads it, and leaves nothing behind; after step 7 standard error is nobody's.

mod leave;
mod ticker;
mod turn;

use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;

use interprocess::local_socket::tokio::Listener;
use proto::places::Places;
use proto::{Error, error::Result};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR2};
use signal_hook::iterator::Signals;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::ctx::Ctx;
use crate::dispatch;
use crate::handover::{self, Packed};
use crate::life::Wish;
use crate::reboot;
use crate::server::{Phase, Server};
use crate::world::lock::Lock;
use crate::world::socket::{self, Bound};
use crate::world::{fd, process, signals};
use leave::{Ears, Rest};
use ticker::Ticker;
use turn::Turn;

/// How the daemon was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// By a person or a service manager, who keeps standard error.
    Foreground,
    /// By a client that waits until we serve.
    OnDemand,
}

/// With what the daemon begins.
#[derive(Clone, Debug)]
pub enum Begin {
    /// With nothing but the sockets that the service manager passes.
    Fresh {
        /// Their numbers.
        passed: Vec<RawFd>,
    },
    /// With all that an earlier image has passed.
    HandedOver {
        /// The numbers of its descriptors.
        numbers: Vec<RawFd>,
        /// Why the image between them failed, when this is the old one again.
        back: Option<Error>,
    },
}

/// What `main` knows.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the daemon was started.
    pub start: Start,
    /// Exit after this time without clients; none for never.
    pub idle_exit: Option<Duration>,
    /// With what it begins.
    pub begin: Begin,
}

/// How a life ended.
enum End {
    /// For good.
    Stopped,
    /// The next image goes on.
    HandOver(Box<Packed>, Ears),
}

/// How long requests in work may take to finish when the daemon stops.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Time between two ticks of the timer; the first comes when the daemon has served for a [`FIRST_TICK`].
const TICK: Duration = Duration::from_secs(3600);

/// Long enough that a daemon which is started for one question does nothing else.
const FIRST_TICK: Duration = Duration::from_secs(60);

/// Runs the daemon to its end.
///
/// # Errors
/// What kept it from serving.
pub fn run(options: &Options, places: Places) -> Result<()> {
    process::raise_descriptor_limit();
    let mut turn = Turn::first(options, places)?;
    loop {
        let places = turn.places.clone();
        let (packed, ears) = match live(turn)? {
            End::Stopped => return Ok(()),
            End::HandOver(packed, ears) => (packed, ears),
        };
        handover::step("let go of everything", packed.state.paused);
        let (inherited, state, error) = handover::pass(*packed, || ears.close())?;
        tracing::error!(%error, "the hand-over failed; going on as before");
        turn = Turn::again(places, inherited, state, error)?;
    }
}

fn no_room(what: &str, error: std::io::Error) -> Error {
    Error::unavailable(what)
        .why(error)
        .next("raise the limits of open files (`ulimit -n`) and of processes (`ulimit -u`)")
}

fn live(mut turn: Turn) -> Result<End> {
    // One thread for all connections: an answer from memory then costs no hand-over between threads (measured: 1.4 times
    // a raw echo, against 1.7 times with two workers). Whatever may wait runs on the blocking pool.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .thread_name("tod")
        .enable_all()
        .build()
        .map_err(|error| no_room("the daemon's threads cannot be started", error))?;
    // Before the socket is there: a signal that comes while the database opens is obeyed when it has.
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR2])
        .map_err(|error| no_room("signals cannot be listened to", error))?;
    signals::unblock();
    let ended = runtime.block_on(async {
        match begin(&mut turn) {
            Ok((ctx, listener, bound)) => serve((turn, signals), ctx, listener, bound).await,
            Err(error) => Err(turn.failed(error)),
        }
    });
    match &ended {
        // Clients wait, and `exec` ends every thread: there is nothing to wait for but a child that is being ended.
        Ok(End::HandOver(_, ears)) if ears.life().rehearsals.now() == 0 => runtime.shutdown_background(),
        // A thread that hangs in a dead mount must not keep the daemon from ending.
        _ => runtime.shutdown_timeout(Duration::from_millis(100)),
    }
    tracing::info!("stopped");
    ended
}

/// Steps 5 and 6.
fn begin(turn: &mut Turn) -> Result<(Arc<Ctx>, Listener, Bound)> {
    let (listener, bound) = turn.listen()?;
    turn.places.socket = bound.path().to_path_buf();
    turn.say_where(&bound)?;
    let ctx = Arc::new(Ctx::open_with(turn.places.clone(), turn.before()?)?);
    turn.step("opened the database");
    turn.resume(&ctx);
    Ok((ctx, listener, bound))
}

/// Steps 7 to 10.
async fn serve(
    (mut turn, signals): (Turn, Signals),
    ctx: Arc<Ctx>,
    listener: Listener,
    mut bound: Bound,
) -> Result<End> {
    let ears = Ears::open(signals, &ctx)?;
    let (phase, phases) = watch::channel(Phase::Serving);
    let (server, mut handed) = Server::new(Arc::clone(&ctx), phases);
    let (server, mut listener) = (Arc::new(server), Arc::new(listener));
    turn.go_on(&ctx, &server);
    let mut accepting = accept(&server, &listener);
    ready(turn.start);
    turn.commit(&ctx);
    let watchdog = tokio::spawn(feed_watchdog());
    let idle = tokio::spawn(exit_when_idle(Arc::clone(&ctx), turn.idle_exit));
    let ticking = tokio::spawn(hourly(Arc::clone(&ctx)));
    let ticker = Ticker::start(&ctx, phase.subscribe(), &bound);
    let mut guard = tokio::time::interval(ticker::GUARD);
    let plan = loop {
        tokio::select! {
            wish = ctx.life.wished() => match wish {
                Wish::Stop => break None,
                Wish::Reload => ctx.reload(),
                Wish::Reboot => drop(tokio::spawn(reboot::without_client(Arc::clone(&ctx)))),
                Wish::HandOver(plan) => {
                    accepting.abort();
                    // What comes to rest does nothing on its own.
                    ticker.stop();
                    match leave::rest(&ctx, plan, &phase).await {
                        Rest::Quiet(plan) => break Some(plan),
                        Rest::Refused => leave::take_back(&server, &phase, &mut handed),
                        Rest::Stop => {
                            leave::take_back(&server, &phase, &mut handed);
                            break None;
                        }
                    }
                    accepting = accept(&server, &listener);
                    ticker.go_on();
                }
            },
            () = ticker.lost() => {
                if let Some((again, at)) = bind_again(&ctx, &bound, &mut turn.lock) {
                    accepting.abort();
                    listener = Arc::new(again);
                    accepting = accept(&server, &listener);
                    ticker.follow(&at);
                    bound = at;
                }
            }
            _ = guard.tick() => if ticker.guard() {
                // The next one may hang as well.
                guard.reset_after(ticker::AGAIN);
            },
        }
    };
    drop(ticker);
    for task in [idle, watchdog, ticking, accepting] {
        task.abort();
    }
    match plan {
        Some(plan) => {
            let handed = leave::gathered(&mut handed);
            let packed = leave::pack(turn, &ctx, (plan, handed), (&listener, &bound))?;
            // To free what a large index holds takes time, and `exec` does it for nothing.
            std::mem::forget(Arc::clone(&ctx));
            Ok(End::HandOver(Box::new(packed), ears))
        }
        None => {
            notify(&[NotifyState::Stopping]);
            // Whoever connects from here on must find no socket rather than one that nobody serves.
            bound.remove();
            ctx.life.end();
            phase.send_replace(Phase::Draining);
            if tokio::time::timeout(DRAIN_LIMIT, ctx.life.connections.until_zero())
                .await
                .is_err()
            {
                tracing::warn!(
                    seconds = DRAIN_LIMIT.as_secs(),
                    "some requests did not finish; stopping without them"
                );
            }
            ctx.close()?;
            ears.close();
            Ok(End::Stopped)
        }
    }
}

fn accept(server: &Arc<Server>, listener: &Arc<Listener>) -> JoinHandle<()> {
    let (server, listener) = (Arc::clone(server), Arc::clone(listener));
    tokio::spawn(async move { server.accept(&listener).await })
}

/// A socket that was removed or replaced (a cleaned runtime folder) is bound again.
fn bind_again(ctx: &Ctx, bound: &Bound, lock: &mut Lock) -> Option<(Listener, Bound)> {
    if bound.in_place() {
        return None;
    }
    let again = socket::make_folder(&ctx.places.runtime_dir(), ctx.life.uid)
        .and_then(|()| socket::bind(bound.path()));
    match again {
        Ok((listener, again)) => {
            tracing::warn!(socket = %again.path().display(), "the socket was gone; bound again");
            if let Err(error) = lock.say(&turn::lock_file(&again)) {
                tracing::warn!(%error, "the lock file could not be written");
            }
            Some((listener, again))
        }
        Err(error) => {
            tracing::warn!(%error, "the socket is gone and cannot be bound again yet");
            None
        }
    }
}

/// Tells whoever started us that requests are taken.
fn ready(start: Start) {
    // During a hand-over the guardian was the one to look at.
    notify(&[NotifyState::MainPid(std::process::id()), NotifyState::Ready]);
    if start == Start::OnDemand {
        fd::silence_stderr();
    }
    tracing::info!("serving");
}

/// Tells the service manager, if there is one.
pub(crate) fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

/// Runs on the same thread as the connections: when that hangs, the watchdog starves.
async fn feed_watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut beat = tokio::time::interval(limit / 3);
    loop {
        beat.tick().await;
        notify(&[NotifyState::Watchdog]);
    }
}

async fn hourly(ctx: Arc<Ctx>) {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + FIRST_TICK, TICK);
    loop {
        ticks.tick().await;
        let ctx = Arc::clone(&ctx);
        // A tick that fails has said so; one that panics is in the log.
        drop(tokio::task::spawn_blocking(move || dispatch::hourly(&ctx)).await);
    }
}

async fn exit_when_idle(ctx: Arc<Ctx>, limit: Option<Duration>) {
    let Some(limit) = limit else { return };
    loop {
        let left = limit.saturating_sub(ctx.life.idle());
        if left.is_zero() && ctx.unused() {
            return ctx.life.wish(Wish::Stop, "idleness");
        }
        tokio::time::sleep(left.max(limit / 10).max(Duration::from_millis(20))).await;
    }
}
