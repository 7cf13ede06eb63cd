//! Leaving for the next image: coming to rest, and putting together what it needs.
//!
//! Used by `lifecycle` alone. What must stay true: whatever fails or comes in between, each connection is served on, by the
//! next image or by this one; somebody who wants the daemon to stop is heard at every moment.

use std::sync::Arc;
use std::thread;

use interprocess::local_socket::tokio::Listener;
use proto::daemon::Reboot;
use proto::{Error, RawPath, error::Result};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGUSR2};
use signal_hook::iterator::{Handle, Signals};
use tokio::sync::{mpsc, watch};

use super::turn::Turn;
use super::{Bound, notify};
use crate::ctx::Ctx;
use crate::dispatch;
use crate::handover::state::State;
use crate::handover::{self, Packed};
use crate::life::{Life, Plan, Wish};
use crate::reboot;
use crate::server::{Handed, Phase, Server};
use crate::world::{process, signals, socket};

/// How coming to rest ended.
pub(super) enum Rest {
    /// All connections are handed over.
    Quiet(Box<Plan>),
    /// It took too long, or there is no room for a backup: all goes on as before.
    Refused,
    /// The daemon is to stop.
    Stop,
}

/// Lets requests in work finish and connections come to rest, and backs the database up where its schema will change.
pub(super) async fn rest(ctx: &Arc<Ctx>, mut plan: Box<Plan>, phase: &watch::Sender<Phase>) -> Rest {
    notify(&[
        NotifyState::Reloading,
        NotifyState::MonotonicUsec(i128::from(process::monotonic() / 1000)),
    ]);
    plan.paused = process::monotonic();
    phase.send_replace(Phase::HandingOver);
    let until = tokio::time::Instant::now() + plan.limit;
    loop {
        tokio::select! {
            biased;
            wish = ctx.life.wished() => match wish {
                Wish::Stop => {
                    reboot::refuse(ctx, plan, Error::unavailable("the daemon is stopping"));
                    return Rest::Stop;
                }
                Wish::Reload => ctx.reload(),
                wish @ (Wish::Reboot | Wish::HandOver(_)) => tracing::info!(?wish, "one reboot at a time"),
            },
            () = all_quiet(ctx) => break,
            () = tokio::time::sleep_until(until) => {
                let why = not_quiet(ctx, plan.limit.as_millis());
                reboot::refuse(ctx, plan, why);
                return Rest::Refused;
            }
        }
    }
    handover::step("came to rest", plan.paused);
    if plan.record.to_schema != plan.record.from_schema {
        let copied = Arc::clone(ctx);
        match dispatch::compute(move || copied.backup("before-reboot")).await {
            Ok(backup) => plan.backup = Some(backup),
            Err(error) => {
                let why = Error::refused("the reboot was refused")
                    .why(format!("the database cannot be backed up: {error}"))
                    .next("make room on the disk of the state folder, and ask again");
                reboot::refuse(ctx, plan, why);
                return Rest::Refused;
            }
        }
        handover::step("backed the database up", plan.paused);
    }
    Rest::Quiet(plan)
}

/// `exec` waits until every other thread has left the kernel, and nothing ends one that hangs in a dead mount: so what was
/// called must have come back, also where nobody waits for the answer any more.
async fn all_quiet(ctx: &Ctx) {
    ctx.life.connections.until_zero().await;
    ctx.life.calls.until_zero().await;
    ctx.trees.calls_return().await;
}

fn not_quiet(ctx: &Ctx, limit: u128) -> Error {
    let refused = Error::refused("the reboot was refused");
    if ctx.life.connections.now() > 0 {
        refused
            .why(format!("requests in work did not finish within {limit} ms"))
            .next("ask again later, or with a larger `--timeout`")
    } else {
        refused
            .why(format!(
                "a call to a file system did not come back within {limit} ms{}",
                ctx.trees
                    .inside()
                    .first()
                    .map(|root| format!("; one was for `{}`", root.display()))
                    .unwrap_or_default()
            ))
            .next("look with `findmnt` for a mount that does not answer, unmount it with `umount -f`, and ask again")
    }
}

/// All goes on as before.
pub(super) fn take_back(
    server: &Arc<Server>,
    phase: &watch::Sender<Phase>,
    handed: &mut mpsc::UnboundedReceiver<Handed>,
) {
    phase.send_replace(Phase::Serving);
    for (descriptor, carried) in gathered(handed) {
        server.serve_descriptor(descriptor, carried);
    }
    notify(&[NotifyState::Ready]);
}

pub(super) fn gathered(handed: &mut mpsc::UnboundedReceiver<Handed>) -> Vec<Handed> {
    std::iter::from_fn(|| handed.try_recv().ok()).collect()
}

/// Closes what the next image opens, and puts together what it needs. What cannot be closed is for this image to open
/// again.
pub(super) fn pack(
    turn: Turn,
    ctx: &Ctx,
    (plan, handed): (Box<Plan>, Vec<Handed>),
    (listener, bound): (&Listener, &Bound),
) -> Result<Packed> {
    let broken = |error: std::io::Error| Error::unavailable("the hand-over could not be prepared").why(error);
    let (descriptors, connections): (Vec<_>, Vec<_>) = handed.into_iter().unzip();
    let Plan {
        record,
        next,
        limit,
        paused,
        asked,
        backup,
        ..
    } = *plan;
    let state = State {
        reboot: Reboot {
            connections: u32::try_from(connections.len()).unwrap_or(u32::MAX),
            ..record
        },
        started: ctx.life.started(),
        paused,
        asked,
        socket: bound.path().into(),
        socket_owner: bound.owner(),
        old_image: RawPath::default(),
        guardian: 0,
        stop: false,
        backup: backup.map(RawPath::from),
        idle_exit_ms: turn
            .idle_exit
            .map_or(0, |idle| u64::try_from(idle.as_millis()).unwrap_or(u64::MAX)),
        trees: ctx.trees.awake(),
        workspaces: ctx
            .entered
            .all()
            .into_iter()
            .map(|(tree, id, root)| (tree.into(), id, root.into()))
            .collect(),
        connections,
        clients: ctx.life.clients.hand_over(),
        state_dir: ctx.places.state_dir.as_path().into(),
        warnings: ctx.life.told(),
    };
    handover::step("gathered", paused);
    // The one waits for the disk, the other for the processor.
    let (carried, failed) = thread::scope(|scope| {
        let carried = scope.spawn(|| {
            let carried = ctx.trees.carry();
            handover::step("put the indexes together", paused);
            carried
        });
        let failed = ctx.hand_over().err();
        handover::step("closed the database", paused);
        (carried.join(), failed)
    });
    let gone = || std::io::Error::other("putting the indexes together ended in a panic");
    let (watcher, indexes) = carried.unwrap_or_else(|_| Err(gone())).map_err(broken)?;
    let listener = socket::descriptor(listener).map_err(broken)?;
    let lock = turn.lock.hand_on().map_err(broken)?;
    Ok(Packed {
        state,
        listener,
        lock,
        watcher,
        indexes,
        connections: descriptors,
        next,
        limit,
        failed,
    })
}

/// Who listens to signals.
pub(super) struct Ears {
    handle: Handle,
    thread: thread::JoinHandle<()>,
    life: Arc<Life>,
}

impl Ears {
    /// Listens on a thread of its own. From here on signals come through, also those that have waited since the image
    /// before.
    pub(super) fn open(mut signals: Signals, ctx: &Ctx) -> Result<Self> {
        let handle = signals.handle();
        let (life, told) = (Arc::clone(&ctx.life), Arc::clone(&ctx.life));
        let thread = thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for signal in signals.forever() {
                    match signal {
                        SIGHUP => told.wish(Wish::Reload, "SIGHUP"),
                        SIGUSR2 => told.wish(Wish::Reboot, "SIGUSR2"),
                        _ => told.wish(Wish::Stop, "a signal"),
                    }
                }
            })
            .map_err(|error| Error::unavailable("the thread for signals cannot be started").why(error))?;
        Ok(Self { handle, thread, life })
    }

    /// The life they tell.
    pub(super) fn life(&self) -> &Life {
        &self.life
    }

    /// Signals that come from here on wait for whoever listens next. Whether one of those before asked for an end.
    pub(super) fn close(self) -> bool {
        signals::block();
        self.handle.close();
        if self.thread.join().is_err() {
            tracing::error!("the thread for signals ended in a panic");
        }
        self.life.asked_to_stop()
    }
}
