//! The way in: accept, check the peer, exchange headers, then one task per connection.
//!
//! Asked by `lifecycle`, which owns the listener. What must stay true: nothing that a client sends or fails to send
//! ends anything but its own request or connection; every wait on a client has a limit.

mod connection;
mod sink;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use interprocess::local_socket::tokio::{Listener, Stream};
use interprocess::local_socket::traits::StreamCommon as _;
use interprocess::local_socket::traits::tokio::Listener as _;
use proto::hello::{self, Control, Hello, Verdict, Welcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};

use crate::ctx::Ctx;
pub use sink::Sink;

/// Connections served at once. More are told that the daemon is busy.
pub const MOST_CONNECTIONS: u32 = 1024;

/// How long a client may take for its header.
const HELLO_LIMIT: Duration = Duration::from_secs(10);

/// Whether the daemon serves or is coming to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Requests are taken.
    Serving,
    /// Requests in work are finished, nothing new is taken.
    Draining,
}

/// What all connections share.
#[derive(Debug)]
pub struct Server {
    ctx: Arc<Ctx>,
    phase: watch::Receiver<Phase>,
    open: Arc<Gauge>,
    alive: mpsc::Sender<Infallible>,
}

/// A count that goes down by itself.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU32);

impl Gauge {
    /// The count now.
    #[must_use]
    pub fn now(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// One more, until the answer is dropped.
    #[must_use]
    pub fn enter(self: &Arc<Self>) -> Inside {
        self.0.fetch_add(1, Ordering::Relaxed);
        Inside(Arc::clone(self))
    }
}

/// One of a [`Gauge`]'s count.
#[derive(Debug)]
pub struct Inside(Arc<Gauge>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Server {
    /// A server of `ctx` that stops taking requests when `phase` says so, and what ends when the server and its last
    /// connection have ended.
    #[must_use]
    pub fn new(ctx: Arc<Ctx>, phase: watch::Receiver<Phase>) -> (Self, mpsc::Receiver<Infallible>) {
        let open = Arc::clone(&ctx.life.connections);
        let (alive, ended) = mpsc::channel(1);
        (
            Self {
                ctx,
                phase,
                open,
                alive,
            },
            ended,
        )
    }

    /// Accepts until the task is dropped.
    pub async fn accept(&self, listener: &Listener) {
        loop {
            match listener.accept().await {
                Ok(stream) => self.welcome(stream),
                Err(error) => {
                    // Out of descriptors, most likely: the connection stays in the backlog until one is free.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    fn welcome(&self, stream: Stream) {
        let (inside, alive) = (self.open.enter(), self.alive.clone());
        let (ctx, phase) = (Arc::clone(&self.ctx), self.phase.clone());
        let busy = self.open.now() > MOST_CONNECTIONS;
        tokio::spawn(async move {
            let _inside = inside;
            ctx.life.touch();
            let Some(hello) = read_hello(&stream).await else {
                return;
            };
            let verdict = if busy {
                Verdict::Busy
            } else {
                judge(&ctx, &stream, &hello, *phase.borrow())
            };
            if verdict == Verdict::Obeyed {
                ctx.life.wish(crate::life::Wish::Stop, "a client by its header");
            }
            let chosen = hello.as_ref().ok().and_then(|hello| common(hello).ok());
            let chosen = if verdict == Verdict::Accepted {
                chosen.unwrap_or_default()
            } else {
                0
            };
            let welcome = ctx.life.welcome(verdict, chosen);
            if send(&stream, &welcome).await.is_err() || verdict != Verdict::Accepted {
                // After `stop` the client sees the end of the stream when the process has ended.
                drop(alive);
                if verdict == Verdict::Obeyed {
                    let mut phase = phase;
                    let _ended = phase.wait_for(|_| false).await;
                }
                return;
            }
            connection::run(stream, ctx, phase).await;
            drop(alive);
        });
    }
}

/// The client's header, or what its bytes were instead; none when it went away or took too long.
async fn read_hello(stream: &Stream) -> Option<Result<Hello, proto::Error>> {
    let mut bytes = [0; hello::LENGTH];
    let mut stream = stream;
    match tokio::time::timeout(HELLO_LIMIT, stream.read_exact(&mut bytes)).await {
        Ok(Ok(_)) => Some(Hello::from_bytes(&bytes)),
        Ok(Err(_)) => None,
        Err(_) => Some(Err(proto::Error::usage("no header came"))),
    }
}

async fn send(mut stream: &Stream, welcome: &Welcome) -> std::io::Result<()> {
    let bytes = welcome.to_bytes();
    tokio::time::timeout(HELLO_LIMIT, stream.write_all(&bytes))
        .await
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

fn common(hello: &Hello) -> Result<u16, Verdict> {
    hello::choose((hello.lowest, hello.highest), (hello::LOWEST, hello::HIGHEST))
}

fn judge(ctx: &Ctx, stream: &Stream, hello: &Result<Hello, proto::Error>, phase: Phase) -> Verdict {
    // The kernel says who the peer is; nothing else is believed.
    let peer = stream.peer_creds().ok().and_then(|creds| creds.euid());
    if peer != Some(ctx.life.uid) {
        tracing::warn!(?peer, "a connection of another user was refused");
        return Verdict::WrongUser;
    }
    let Ok(hello) = hello else {
        return Verdict::NotAHello;
    };
    match hello.control {
        Control::Stop => Verdict::Obeyed,
        Control::Reboot | Control::Other(_) => Verdict::CannotObey,
        Control::Talk if phase == Phase::Draining => Verdict::Stopping,
        Control::Talk => common(hello).map_or_else(|verdict| verdict, |_| Verdict::Accepted),
    }
}
