//! One connection: frames in, requests run, frames out, all on one task.
//!
//! Asked by `server`. One task does the reading and the writing, so an answer from memory goes straight from the
//! handler into the socket. What must stay true: the output waiting here is bounded (when the client does not read, we
//! stop taking more work from it and, after [`WRITE_LIMIT`], hang up); a frame once begun must be whole within
//! [`FRAME_LIMIT`]; every request that was read gets exactly one last frame.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use interprocess::local_socket::tokio::Stream;
use proto::{Answer, ClientFrame, Error, Kind, ServerFrame, error::Result, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::sink::{Outgoing, QUEUE, Sink};
use super::{Inside, Phase};
use crate::ctx::Ctx;
use crate::dispatch::{self, Ask, Route};

/// Requests of one connection in work at once.
const MOST_REQUESTS: usize = 256;

/// Bytes of output waiting above which nothing more is taken from the client or from its requests.
const OUTBOX: usize = 1 << 20;

/// How long a frame may take from its first byte to its last.
const FRAME_LIMIT: Duration = Duration::from_secs(30);

/// How long a client may leave its output unread.
const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// What one read takes at the most.
const READ: usize = 64 << 10;

struct Connection {
    ctx: Arc<Ctx>,
    inbox: Vec<u8>,
    frame_since: Option<Instant>,
    outbox: Vec<u8>,
    sent: usize,
    stuck_since: Instant,
    queue: mpsc::Sender<Outgoing>,
    running: HashMap<u64, Running>,
    closing: bool,
}

struct Running {
    give_up: watch::Sender<Option<Error>>,
    _inside: Inside,
}

/// Serves a connection until either side ends it.
pub(super) async fn run(stream: Stream, ctx: Arc<Ctx>, mut phase: watch::Receiver<Phase>) {
    let (queue, mut outgoing) = mpsc::channel(QUEUE);
    let mut connection = Connection {
        ctx,
        inbox: Vec::with_capacity(READ),
        frame_since: None,
        outbox: Vec::new(),
        sent: 0,
        stuck_since: Instant::now(),
        queue,
        running: HashMap::new(),
        closing: false,
    };
    let (mut reader, mut writer) = (&stream, &stream);
    while !connection.over() {
        let room = connection.waiting() < OUTBOX;
        let limit = connection.limit();
        tokio::select! {
            biased;
            written = writer.write(&connection.outbox[connection.sent..]), if connection.waiting() > 0 => {
                match written {
                    Ok(count) if count > 0 => connection.wrote(count),
                    _ => break,
                }
            }
            message = outgoing.recv(), if room => {
                if let Some(message) = message { connection.take(message) }
            }
            read = reader.read_buf(&mut connection.inbox), if room && !connection.closing => match read {
                Ok(count) if count > 0 => connection.read(),
                _ => break,
            },
            _ = phase.wait_for(|phase| *phase == Phase::Draining), if !connection.closing => connection.drain(),
            () = sleep_until(limit) => if !connection.late() { break },
        }
    }
    connection.give_up_all(&Error::new(Kind::Cancelled, "the client has gone"));
}

async fn sleep_until(limit: Option<Instant>) {
    match limit {
        Some(limit) => tokio::time::sleep_until(limit).await,
        None => std::future::pending().await,
    }
}

impl Connection {
    /// Whether all has been said.
    fn over(&self) -> bool {
        self.closing && self.running.is_empty() && self.waiting() == 0
    }

    fn waiting(&self) -> usize {
        self.outbox.len() - self.sent
    }

    /// The moment by which the client must have done something.
    fn limit(&self) -> Option<Instant> {
        let write = (self.waiting() > 0).then(|| self.stuck_since + WRITE_LIMIT);
        let frame = self.frame_since.map(|since| since + FRAME_LIMIT);
        write.into_iter().chain(frame).min()
    }

    /// The limit has passed: say so if the client may still read; whether the connection goes on at all.
    fn late(&mut self) -> bool {
        if self.waiting() > 0 && self.stuck_since.elapsed() >= WRITE_LIMIT {
            tracing::warn!("a client did not read its answers; the connection was closed");
            return false;
        }
        let why = format!(
            "a frame must be whole within {} s of its first byte",
            FRAME_LIMIT.as_secs()
        );
        self.refuse_frame(&Error::usage("a frame did not come to its end").why(why));
        true
    }

    fn wrote(&mut self, count: usize) {
        self.sent += count;
        self.stuck_since = Instant::now();
        if self.sent == self.outbox.len() {
            self.outbox.clear();
            self.outbox.shrink_to(READ);
            self.sent = 0;
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.waiting() == 0 {
            self.stuck_since = Instant::now();
        }
        self.outbox.extend_from_slice(bytes);
    }

    fn take(&mut self, message: Outgoing) {
        self.put(&message.bytes);
        if message.last {
            self.running.remove(&message.id);
            self.ctx.life.touch();
        }
    }

    /// Runs every whole frame in the inbox.
    fn read(&mut self) {
        let mut at = 0;
        while !self.closing {
            let rest = &self.inbox[at..];
            let Some(head) = rest.first_chunk::<{ frame::HEAD }>() else {
                break;
            };
            let length = match frame::length(*head) {
                Ok(length) => length,
                Err(error) => return self.refuse_frame(&error),
            };
            let Some(payload) = rest.get(frame::HEAD..frame::HEAD + length) else {
                break;
            };
            let message = frame::decode::<ClientFrame>(payload);
            let id = if message.is_err() { id_of(payload) } else { None };
            at += frame::HEAD + length;
            match (message, id) {
                (Ok(message), _) => self.obey(message),
                (Err(error), Some(id)) => self.finish_now(id, Err(error)),
                (Err(error), None) => return self.refuse_frame(&error),
            }
        }
        if self.closing {
            return;
        }
        self.inbox.drain(..at);
        self.frame_since = match (self.inbox.is_empty(), self.frame_since) {
            (true, _) => None,
            (false, Some(since)) if at == 0 => Some(since),
            (false, _) => Some(Instant::now()),
        };
        if self.inbox.is_empty() {
            self.inbox.shrink_to(READ);
        }
    }

    fn obey(&mut self, message: ClientFrame) {
        match message {
            ClientFrame::Cancel { id } => {
                if let Some(running) = self.running.get(&id) {
                    running
                        .give_up
                        .send_replace(Some(Error::new(Kind::Cancelled, "the request was cancelled")));
                }
            }
            ClientFrame::Ask {
                id,
                deadline_ms,
                request_id,
                caller,
                request,
            } => {
                if id == 0 || self.running.contains_key(&id) {
                    return self.refuse_frame(
                        &Error::usage(format!("the request id {id} cannot be used"))
                            .why("it is zero or still in use on this connection"),
                    );
                }
                let deadline =
                    (deadline_ms > 0).then(|| Instant::now() + Duration::from_millis(deadline_ms.into()));
                let ask = Ask {
                    caller,
                    request_id,
                    deadline,
                };
                match dispatch::route(&self.ctx, &ask, request) {
                    Ok(Route::Answered(answer)) => self.finish_now(id, answer),
                    Ok(route) if self.running.len() < MOST_REQUESTS => self.start(id, ask, route),
                    Ok(_) => self.finish_now(id, Err(too_many())),
                    Err(error) => self.finish_now(id, Err(error)),
                }
            }
        }
    }

    fn start(&mut self, id: u64, ask: Ask, route: Route) {
        let (give_up, cancelled) = watch::channel(None);
        let sink = Sink {
            id,
            queue: self.queue.clone(),
            cancelled,
        };
        self.running.insert(
            id,
            Running {
                give_up,
                _inside: self.ctx.life.requests.enter(),
            },
        );
        let ctx = Arc::clone(&self.ctx);
        tokio::spawn(async move {
            let result = dispatch::run(ctx, ask, route, &sink).await;
            sink.finish(last_frame(id, result)).await;
        });
    }

    fn finish_now(&mut self, id: u64, result: Result<Answer>) {
        let bytes = last_frame(id, result);
        self.put(&bytes);
    }

    /// Bytes that are not a request: say so and take nothing more from this client.
    fn refuse_frame(&mut self, error: &Error) {
        tracing::info!(%error, "a connection sent a bad frame");
        self.inbox.clear();
        self.frame_since = None;
        self.closing = true;
        self.finish_now(0, Err(error.clone()));
        self.give_up_all(&Error::new(Kind::Cancelled, "the connection sent a bad frame"));
    }

    /// The daemon stops: requests that change something finish, those that only wait are ended.
    fn drain(&mut self) {
        self.closing = true;
        self.give_up_all(&Error::unavailable("the daemon is stopping").next("ask again"));
    }

    fn give_up_all(&self, why: &Error) {
        for running in self.running.values() {
            running.give_up.send_replace(Some(why.clone()));
        }
    }
}

fn too_many() -> Error {
    Error::unavailable(format!(
        "more than {MOST_REQUESTS} requests at once on one connection"
    ))
    .next("wait for an answer before asking more")
}

/// The id in a payload whose request could not be read: a request of a later version, most likely.
fn id_of(payload: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    enum Head {
        Ask { id: u64 },
    }
    let (Head::Ask { id }, _) = postcard::take_from_bytes(payload).ok()?;
    (id != 0).then_some(id)
}

fn last_frame(id: u64, result: Result<Answer>) -> Vec<u8> {
    let message = match result {
        Ok(answer) => ServerFrame::Done { id, answer },
        Err(error) => ServerFrame::Failed { id, error },
    };
    frame::encode(&message)
        .unwrap_or_else(|error| frame::encode(&ServerFrame::Failed { id, error }).unwrap_or_default())
}
