//! The way in: accept, check the peer, then one task per connection.
//!
//! Asked by `lifecycle`, which owns the listener. What must stay true: nothing that a client sends or fails to send
//! ends anything but its own request or connection; every wait on a client has a limit.

pub mod carry;
pub mod clients;
mod connection;
mod line;
mod outbox;
mod sink;
#[cfg(test)]
mod slow;
pub mod spool;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use interprocess::local_socket::tokio::{Listener, Stream};
use interprocess::local_socket::traits::StreamCommon as _;
use interprocess::local_socket::traits::tokio::Listener as _;
use proto::hello::Verdict;
use tokio::io::AsyncWriteExt;
use tokio::sync::{Notify, mpsc, watch};

use crate::ctx::Ctx;
use crate::world::process;
use carry::Carried;
use line::Line;
pub use sink::Sink;

/// Connections served at once, where the process may open twice as many files. More are told that the daemon is busy.
pub const MOST_CONNECTIONS: u32 = 1024;

/// How often the log says that no connection can be accepted.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// How many connections are served at once by a process that may open so many files: half of them is kept for the work
/// that the connections ask for.
fn most_connections(descriptors: u64) -> u32 {
    u32::try_from(descriptors / 2).map_or(MOST_CONNECTIONS, |half| half.clamp(1, MOST_CONNECTIONS))
}

/// How far the daemon has come with its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Requests are taken.
    Serving,
    /// Requests in work are finished, nothing new is taken, connections end.
    Draining,
    /// Requests in work are finished or carried, nothing new is taken, connections are carried.
    HandingOver,
}

/// What all connections share.
#[derive(Debug)]
pub struct Server {
    ctx: Arc<Ctx>,
    most_connections: u32,
    phase: watch::Receiver<Phase>,
    handed: mpsc::UnboundedSender<Handed>,
}

/// A connection on its way to the next image.
pub type Handed = (OwnedFd, Carried);

/// A count that goes down by itself.
#[derive(Debug, Default)]
pub struct Gauge {
    count: AtomicU32,
    zero: Notify,
}

impl Gauge {
    /// The count now.
    #[must_use]
    pub fn now(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    /// Waits until there is none. For one waiter at a time.
    pub async fn until_zero(&self) {
        while self.now() > 0 {
            self.zero.notified().await;
        }
    }

    /// One more, until the answer is dropped.
    #[must_use]
    pub fn enter(self: &Arc<Self>) -> Inside {
        self.count.fetch_add(1, Ordering::Relaxed);
        Inside(Arc::clone(self))
    }
}

/// One of a [`Gauge`]'s count.
#[derive(Debug)]
pub struct Inside(Arc<Gauge>);

impl Drop for Inside {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.zero.notify_one();
        }
    }
}

impl Server {
    /// A server of `ctx` that follows `phase`, and where the connections arrive that are to be handed over.
    #[must_use]
    pub fn new(ctx: Arc<Ctx>, phase: watch::Receiver<Phase>) -> (Self, mpsc::UnboundedReceiver<Handed>) {
        let (handed, arrived) = mpsc::unbounded_channel();
        let server = Self {
            ctx,
            most_connections: most_connections(process::descriptor_limit()),
            phase,
            handed,
        };
        (server, arrived)
    }

    /// Accepts until the task is dropped.
    pub async fn accept(&self, listener: &Listener) {
        let mut said: Option<Instant> = None;
        loop {
            match listener.accept().await {
                Ok(stream) => self.admit(stream),
                Err(error) => {
                    // Out of descriptors, most likely: the connection stays in the backlog until one is free.
                    if said.is_none_or(|said| said.elapsed() >= SAID_EVERY) {
                        tracing::warn!(%error, "a connection could not be accepted; trying again until it can");
                        said = Some(Instant::now());
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Serves a connection that has just been accepted, or tells it why not.
    fn admit(&self, stream: Stream) {
        // The kernel says who the peer is; nothing else is believed.
        let peer = stream.peer_creds().ok().and_then(|creds| creds.euid());
        if peer != Some(self.ctx.life.uid) {
            tracing::warn!(?peer, "a connection of another user was refused");
            self.turn_away(stream, Verdict::WrongUser);
        } else if self.ctx.life.connections.now() >= self.most_connections {
            self.turn_away(stream, Verdict::Busy);
        } else {
            match socket_of(stream) {
                Ok(socket) => self.serve(socket, Carried::default()),
                Err(error) => tracing::warn!(%error, "a connection could not be served"),
            }
        }
    }

    /// Serves a connection from where it stands, on a socket that does not block.
    fn serve(&self, socket: OwnedFd, carried: Carried) {
        let line = match Line::new(socket) {
            Ok(line) => line,
            Err(error) => return tracing::error!(%error, "a connection could not be served"),
        };
        let inside = self.ctx.life.connections.enter();
        let (ctx, phase, handed) = (Arc::clone(&self.ctx), self.phase.clone(), self.handed.clone());
        ctx.life.touch();
        tokio::spawn(async move {
            let carried = connection::run(&line, Arc::clone(&ctx), phase, carried).await;
            ctx.life.touch();
            if let Some(carried) = carried {
                match line.descriptor() {
                    Ok(descriptor) => drop(handed.send((descriptor, carried))),
                    Err(error) => tracing::error!(%error, "a connection could not be handed over"),
                }
            }
            // Only now: whoever waits for the last connection must find it handed over.
            drop(inside);
        });
    }

    /// Serves a connection that another image, or this one before, has handed over.
    pub fn serve_descriptor(&self, descriptor: OwnedFd, carried: Carried) {
        match rustix::io::ioctl_fionbio(&descriptor, true) {
            Ok(()) => self.serve(descriptor, carried),
            Err(error) => tracing::error!(%error, "a connection could not be taken over"),
        }
    }

    fn turn_away(&self, stream: Stream, verdict: Verdict) {
        let welcome = self.ctx.life.welcome(verdict, 0).to_bytes();
        tokio::spawn(async move {
            let limit = Duration::from_secs(1);
            let _gone = tokio::time::timeout(limit, (&stream).write_all(&welcome)).await;
        });
    }
}

/// Its socket, which nobody watches any more.
fn socket_of(stream: Stream) -> std::io::Result<OwnedFd> {
    let Stream::UdSocket(stream) = stream;
    let stream = tokio::net::UnixStream::from(stream).into_std()?;
    Ok(stream.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_descriptors_is_kept_for_the_work() {
        let cases = [(64, 32), (1024, 512), (4096, 1024), (u64::MAX, 1024), (0, 1)];
        for (descriptors, connections) in cases {
            assert_eq!(most_connections(descriptors), connections, "{descriptors}");
        }
    }
}
