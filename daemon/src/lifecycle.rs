//! The life of the daemon, in numbered steps.
//!
//! 1. Close what was inherited by accident; adopt what the service manager passes.
//! 2. Make the state folder, or refuse one that is not ours.
//! 3. Take the lock: from here on this process is the only daemon of its state.
//! 4. Begin the log.
//! 5. Open the database: recover, migrate.
//! 6. Bind the socket, or take over the one that was passed.
//! 7. Say in the lock file where we listen.
//! 8. Serve; say that we are ready.
//! 9. Until somebody says stop: obey signals, feed the watchdog, look after the socket, notice idleness.
//! 10. Drain: finish what changes something, end what only waits.
//! 11. Close the database, remove the socket if it is still ours, let go of the lock.
//!
//! Asked by `main`. What must stay true: an error before step 8 is told on standard error, where whoever started us
//! reads it, and leaves nothing behind; after step 8 standard error is nobody's.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use interprocess::local_socket::tokio::Listener;
use proto::places::{LockFile, Places};
use proto::{Error, error::Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR2};
use tokio::sync::{mpsc, watch};

use crate::ctx::Ctx;
use crate::life::Wish;
use crate::server::{Handed, Phase, Server};
use crate::world::lock::Lock;
use crate::world::socket::{self, Bound};
use crate::world::{fd, folder, process};

/// How the daemon was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// By a person or a service manager, who keeps standard error.
    Foreground,
    /// By a client that waits until we serve.
    OnDemand,
}

/// What `main` knows.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the daemon was started.
    pub start: Start,
    /// Exit after this time without clients; none for never.
    pub idle_exit: Option<Duration>,
    /// Descriptors passed by the service manager.
    pub passed: usize,
}

/// How long requests in work may take to finish when the daemon stops.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// How often the daemon looks whether its socket is still in place: the longest time for which a removed runtime folder
/// keeps clients away.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// Runs the daemon to its end.
///
/// # Errors
/// What kept it from serving.
pub fn run(options: &Options, places: Places) -> Result<()> {
    let passed = inherit(options)?;
    let uid = process::uid();
    folder::make(&places.state_dir, uid)?;
    let mut lock = take_lock(&places)?;
    crate::log::begin(&places.logs(), options.start)?;
    tracing::info!(
        version = proto::hello::VERSION,
        pid = std::process::id(),
        ?options,
        "starting"
    );

    // One thread for all connections: an answer from memory then costs no hand-over between threads (measured: 1.4 times
    // a raw echo, against 1.7 times with two workers). Whatever may wait runs on the blocking pool.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .thread_name("tod")
        .enable_all()
        .build()
        .map_err(|error| Error::unavailable("the daemon's threads cannot be started").why(error))?;
    let ended = runtime.block_on(async {
        let (listener, bound) = listen(passed, &places, uid)?;
        lock.say(&lock_file(&bound))
            .map_err(|error| cannot_lock(&places, &error))?;
        let places = Places {
            socket: bound.path().to_path_buf(),
            ..places
        };
        let ctx = Arc::new(Ctx::open(places)?);
        serve(options, ctx, listener, bound, &mut lock).await
    });
    // A thread that hangs in a dead mount must not keep the daemon from ending.
    runtime.shutdown_timeout(Duration::from_millis(100));
    tracing::info!("stopped");
    ended
}

fn inherit(options: &Options) -> Result<Vec<OwnedFd>> {
    if options.start == Start::OnDemand {
        fd::close_inherited(options.passed);
        // Out of the session of whoever started us: neither its end nor a key pressed in it is meant for us. It fails
        // where this process leads a group already, and then it is apart as it is.
        let _already_apart = rustix::process::setsid();
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    }
    fd::adopt(options.passed).map_err(|error| {
        Error::usage("a descriptor named by `LISTEN_FDS` is not open")
            .why(error)
            .next("unset `LISTEN_FDS`")
    })
}

fn take_lock(places: &Places) -> Result<Lock> {
    let path = places.lock();
    match Lock::take(&path).map_err(|error| cannot_lock(places, &error))? {
        Some(lock) => Ok(lock),
        None => Err(Error::conflict("another daemon is running")
            .why(format!("it holds the lock `{}`", path.display()))
            .next("use it, or end it with `tocli daemon stop`")),
    }
}

fn cannot_lock(places: &Places, error: &std::io::Error) -> Error {
    Error::unavailable(format!(
        "the lock `{}` cannot be written",
        places.lock().display()
    ))
    .why(error)
    .next("check the folder's rights and its free space, or set `TOD_STATE_DIR` to another folder")
}

fn lock_file(bound: &Bound) -> LockFile {
    LockFile {
        boot: process::boot_id(),
        pid: std::process::id(),
        socket: bound.path().to_path_buf(),
        version: proto::hello::VERSION.to_owned(),
    }
}

fn listen(passed: Vec<OwnedFd>, places: &Places, uid: u32) -> Result<(Listener, Bound)> {
    if let Some(descriptor) = passed.into_iter().next() {
        return socket::adopt(descriptor, &places.socket);
    }
    socket::make_folder(&places.runtime_dir(), uid)?;
    socket::bind(&places.socket)
}

/// Steps 8 to 11.
async fn serve(
    options: &Options,
    ctx: Arc<Ctx>,
    listener: Listener,
    mut bound: Bound,
    lock: &mut Lock,
) -> Result<()> {
    let signals = listen_to_signals(&ctx)?;
    let (phase, phases) = watch::channel(Phase::Serving);
    let (server, ended) = Server::new(Arc::clone(&ctx), phases);
    let server = Arc::new(server);
    let mut accepting = accept(&server, listener);
    ready(options);
    let watchdog = tokio::spawn(feed_watchdog());
    let idle = tokio::spawn(exit_when_idle(Arc::clone(&ctx), options.idle_exit));
    let mut look_after = tokio::time::interval(LOOK_AFTER);
    loop {
        tokio::select! {
            wish = ctx.life.wished() => match wish {
                Wish::Stop => break,
                Wish::Reload => ctx.reload(),
            },
            _ = look_after.tick() => {
                if let Some((listener, again)) = bind_again(&ctx, &bound, lock) {
                    accepting.abort();
                    accepting = accept(&server, listener);
                    bound = again;
                }
            }
        }
    }
    notify(&[sd_notify::NotifyState::Stopping]);
    accepting.abort();
    // Whoever connects from here on must find no socket rather than one that nobody serves.
    bound.remove();
    drop(server);
    phase.send_replace(Phase::Draining);
    drain(ended).await;
    idle.abort();
    watchdog.abort();
    signals.close();
    ctx.close()
}

fn accept(server: &Arc<Server>, listener: Listener) -> tokio::task::JoinHandle<()> {
    let server = Arc::clone(server);
    tokio::spawn(async move { server.accept(&listener).await })
}

async fn drain(mut ended: mpsc::Receiver<Handed>) {
    if tokio::time::timeout(DRAIN_LIMIT, ended.recv()).await.is_err() {
        tracing::warn!(
            seconds = DRAIN_LIMIT.as_secs(),
            "some requests did not finish; stopping without them"
        );
    }
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
            if let Err(error) = lock.say(&lock_file(&again)) {
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

fn listen_to_signals(ctx: &Arc<Ctx>) -> Result<signal_hook::iterator::Handle> {
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR2])
        .map_err(|error| Error::unavailable("signals cannot be listened to").why(error))?;
    let handle = signals.handle();
    let ctx = Arc::clone(ctx);
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                match signal {
                    SIGHUP => ctx.life.wish(Wish::Reload, "SIGHUP"),
                    SIGUSR2 => tracing::warn!("SIGUSR2: this build cannot hand over to a new binary"),
                    _ => ctx.life.wish(Wish::Stop, "a signal"),
                }
            }
        })
        .map_err(|error| Error::unavailable("the thread for signals cannot be started").why(error))?;
    Ok(handle)
}

/// Tells whoever started us that requests are taken.
fn ready(options: &Options) {
    notify(&[sd_notify::NotifyState::Ready]);
    if options.start == Start::OnDemand {
        fd::silence_stderr();
    }
    tracing::info!("serving");
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

/// Runs on the same threads as the requests: when those hang, the watchdog starves.
async fn feed_watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut beat = tokio::time::interval(limit / 3);
    loop {
        beat.tick().await;
        notify(&[sd_notify::NotifyState::Watchdog]);
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
