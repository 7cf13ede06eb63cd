//! One connection: the header, then frames in, requests run, frames out, all on one task.
//!
//! Asked by `server`. One task does the reading and the writing, so an answer from memory goes straight from the
//! handler into the socket. What must stay true: the output waiting here is bounded (when the client does not read, we
//! stop taking more work from it and, after [`WRITE_LIMIT`], hang up); a header must come within [`HELLO_LIMIT`] and a
//! frame once begun must be whole within [`FRAME_LIMIT`]; every request that was read gets exactly one last frame, from
//! this image of the daemon or, when it hands over, from the next (`carry.rs`).

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proto::hello::{self, Control, Hello, Verdict};
use proto::{Answer, ClientFrame, Error, Kind, error::Result, frame};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::carry::{Carried, How, Stage, Unfinished};
use super::clients::Who;
use super::line::Line;
use super::outbox::Outbox;
use super::sink::{Outgoing, QUEUE, Sink, What, last_frame, told_frames};
use super::{Inside, Phase};
use crate::ctx::Ctx;
use crate::dispatch::{self, Ask, Route};
use crate::life::Wish;

/// Requests of one connection in work at once.
const MOST_REQUESTS: usize = 256;

/// Bytes of output waiting above which nothing more is taken from the client or from its requests.
const OUTBOX: usize = 1 << 20;

/// How long a client may take for its header.
pub(super) const HELLO_LIMIT: Duration = Duration::from_secs(10);

/// How long a frame may take from its first byte to its last.
pub(super) const FRAME_LIMIT: Duration = Duration::from_secs(30);

/// How long a client may leave its output unread.
pub(super) const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// What one read takes at the most.
const READ: usize = 64 << 10;

struct Connection {
    ctx: Arc<Ctx>,
    phase: Phase,
    stage: Stage,
    who: Option<Who>,
    inbox: Vec<u8>,
    incomplete_since: Option<Instant>,
    outbox: Outbox,
    stuck_since: Instant,
    queue: mpsc::Sender<Outgoing>,
    running: HashMap<u64, Running>,
    closing: bool,
}

/// A request in work.
struct Running {
    give_up: watch::Sender<Option<Error>>,
    task: JoinHandle<()>,
    /// What the next image of the daemon needs to go on with it, and how; none when this one has to finish it.
    unfinished: Option<(Unfinished, How)>,
    _inside: Inside,
}

/// Serves a connection until either side ends it. When the daemon hands over, the answer is what the next image needs
/// to go on.
pub(super) async fn run(
    line: &Line,
    ctx: Arc<Ctx>,
    mut phase: watch::Receiver<Phase>,
    carried: Carried,
) -> Option<Carried> {
    let (queue, mut outgoing) = mpsc::channel(QUEUE);
    let mut connection = Connection::new(ctx, *phase.borrow_and_update(), queue, carried);
    if connection.phase == Phase::Draining {
        connection.enter(Phase::Draining);
    }
    loop {
        if connection.over() {
            break;
        }
        if connection.phase == Phase::HandingOver && !connection.closing && connection.only_unfinished() {
            return Some(connection.carry(&mut outgoing).await);
        }
        let room = !connection.is_full() || connection.phase == Phase::HandingOver;
        let limit = connection.limit();
        let listening = room && connection.listening();
        // Of a large frame its rest, so that little of the next one has to be moved.
        let most = connection.missing().max(READ);
        tokio::select! {
            biased;
            written = line.write(&connection.outbox), if connection.outbox.waiting() > 0 => match written {
                Ok(count) if count > 0 => connection.wrote(count),
                _ => break,
            },
            message = outgoing.recv(), if room => {
                if let Some(message) = message { connection.take(message) }
                // What belongs together leaves in one write.
                while !connection.is_full() && let Ok(message) = outgoing.try_recv() {
                    connection.take(message);
                }
            }
            read = line.read(&mut connection.inbox, most), if listening => match read {
                Ok(count) if count > 0 => connection.read(),
                _ => break,
            },
            changed = phase.changed() => {
                if changed.is_err() { break }
                connection.enter(*phase.borrow_and_update());
            }
            () = sleep_until(limit) => if !connection.late() { break },
        }
    }
    connection.give_up_all(&Error::new(Kind::Cancelled, "the client has gone"));
    connection.ctx.life.clients.went(connection.who);
    None
}

async fn sleep_until(limit: Option<Instant>) {
    match limit {
        Some(limit) => tokio::time::sleep_until(limit).await,
        None => std::future::pending().await,
    }
}

impl Connection {
    fn new(ctx: Arc<Ctx>, phase: Phase, queue: mpsc::Sender<Outgoing>, carried: Carried) -> Self {
        let now = Instant::now();
        let mut connection = Self {
            ctx,
            phase,
            stage: carried.stage,
            who: carried.who,
            inbox: carried.inbox,
            incomplete_since: Some(now),
            outbox: carried.outbox.into(),
            stuck_since: now,
            queue,
            running: HashMap::new(),
            closing: false,
        };
        connection.ctx.life.clients.goes_on(connection.who);
        connection.inbox.reserve(READ);
        for unfinished in carried.unfinished {
            connection.ask(unfinished);
        }
        connection.read();
        connection
    }

    /// Whether all has been said.
    fn over(&self) -> bool {
        self.closing && self.running.is_empty() && self.outbox.waiting() == 0
    }

    /// Whether bytes of the client are taken.
    fn listening(&self) -> bool {
        !self.closing && self.phase == Phase::Serving
    }

    /// What the frame that has begun to come still lacks.
    fn missing(&self) -> usize {
        let length = self.inbox.first_chunk().map(|head| frame::length(*head));
        match length {
            Some(Ok(length)) if self.stage == Stage::Talking => {
                (frame::HEAD + length).saturating_sub(self.inbox.len())
            }
            _ => 0,
        }
    }

    /// The moment by which the client must have done something.
    fn limit(&self) -> Option<Instant> {
        let write = (self.outbox.waiting() > 0).then(|| self.stuck_since + WRITE_LIMIT);
        let read = match self.stage {
            Stage::Hello => HELLO_LIMIT,
            Stage::Talking => FRAME_LIMIT,
        };
        let read = self
            .incomplete_since
            .filter(|_| self.listening())
            .map(|since| since + read);
        write.into_iter().chain(read).min()
    }

    /// The limit has passed: say so if the client may still read; whether the connection goes on at all.
    fn late(&mut self) -> bool {
        if self.outbox.waiting() > 0 && self.stuck_since.elapsed() >= WRITE_LIMIT {
            tracing::warn!("a client did not read its answers; the connection was closed");
            return false;
        }
        match self.stage {
            Stage::Hello => self.greet(Verdict::NotAHello, 0),
            Stage::Talking => {
                let why = format!(
                    "a frame must be whole within {} s of its first byte",
                    FRAME_LIMIT.as_secs()
                );
                self.refuse_frame(&Error::usage("a frame was not complete in time").why(why));
            }
        }
        true
    }

    fn wrote(&mut self, count: usize) {
        let was_full = self.is_full();
        self.outbox.wrote(count);
        self.stuck_since = Instant::now();
        if was_full && !self.is_full() {
            // Questions that have come and were not read.
            self.read();
        }
    }

    /// Whether nothing more is taken until the client has taken something.
    fn is_full(&self) -> bool {
        self.outbox.waiting() >= OUTBOX
    }

    fn put(&mut self, bytes: Vec<u8>) {
        if self.outbox.waiting() == 0 {
            self.stuck_since = Instant::now();
        }
        self.outbox.put(bytes);
    }

    fn take(&mut self, message: Outgoing) {
        self.put(message.bytes);
        self.put(message.tail);
        if message.what == What::Last {
            self.running.remove(&message.id);
            self.slim();
            self.ctx.life.touch();
        } else if let Some(running) = self.running.get_mut(&message.id) {
            match (&mut running.unfinished, message.mark) {
                (Some((unfinished, How::GoOn)), Some(mark)) => unfinished.mark(mark),
                (Some((_, How::Repeat)), _) if message.what == What::Part => running.unfinished = None,
                _ => {}
            }
        }
    }

    /// Takes what has come: the header, then every whole frame.
    fn read(&mut self) {
        let mut at = 0;
        if self.stage == Stage::Hello {
            let Some(bytes) = self.inbox.first_chunk::<{ hello::LENGTH }>() else {
                return;
            };
            let hello = Hello::from_bytes(bytes);
            at = hello::LENGTH;
            self.judge(hello);
        }
        while self.listening() && !self.is_full() {
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
        self.incomplete_since = match (self.inbox.is_empty(), self.incomplete_since) {
            (true, _) => None,
            // It may all be there.
            _ if self.is_full() => None,
            (false, Some(since)) if at == 0 => Some(since),
            (false, _) => Some(Instant::now()),
        };
        self.slim();
    }

    /// Lets go of the room for a large frame, unless the next is on its way.
    fn slim(&mut self) {
        if self.inbox.is_empty() && self.running.is_empty() {
            self.inbox.shrink_to(READ);
        }
    }

    fn judge(&mut self, hello: Result<Hello>) {
        let Ok(hello) = hello else {
            return self.greet(Verdict::NotAHello, 0);
        };
        match hello.control {
            Control::Talk => match hello::choose(hello.offered(), (hello::LOWEST, hello::HIGHEST)) {
                Ok(chosen) => {
                    self.who = (hello.client != 0).then_some((hello.pid, hello.client));
                    self.ctx.life.clients.came(self.who);
                    self.greet(Verdict::Accepted, chosen);
                }
                Err(verdict) => self.greet(verdict, 0),
            },
            Control::Stop => self.grant(Wish::Stop),
            Control::Reboot => self.grant(Wish::Reboot),
            Control::Other(_) => self.greet(Verdict::CannotObey, 0),
        }
    }

    fn grant(&mut self, wish: Wish) {
        self.greet(Verdict::Obeyed, 0);
        self.ctx.life.wish(wish, "a client by its header");
    }

    fn greet(&mut self, verdict: Verdict, chosen: u16) {
        self.stage = Stage::Talking;
        // After `stop` the client sees the end of the stream when the daemon ends.
        self.closing = !matches!(verdict, Verdict::Accepted | Verdict::Obeyed);
        let welcome = self.ctx.life.welcome(verdict, chosen);
        self.put(welcome.to_bytes().to_vec());
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
            ClientFrame::Ask { id, .. } if id == 0 || self.running.contains_key(&id) => {
                let error = Error::usage(format!("the request id {id} cannot be used"));
                self.refuse_frame(&error.why("it is zero or still in use on this connection"));
            }
            ClientFrame::Ask {
                id,
                deadline_ms,
                request_id,
                caller,
                request,
            } => {
                self.ask(Unfinished {
                    id,
                    deadline_ms,
                    request_id,
                    caller,
                    request,
                });
            }
        }
    }

    fn ask(&mut self, asked: Unfinished) {
        let (id, deadline_ms) = (asked.id, asked.deadline_ms);
        let (ask, request) = asked.into_ask();
        let mut carried = None;
        let route = dispatch::at_once(&self.ctx, &ask, &request).unwrap_or_else(|| {
            carried = Unfinished::to_carry((id, deadline_ms), &ask, &request);
            dispatch::begin(&self.ctx, &ask, request)
        });
        match route {
            Route::Answered(answer) => self.finish_now(id, *answer),
            Route::Told(told) => self.put(told_frames(id, *told)),
            route if self.running.len() < MOST_REQUESTS => self.start((id, carried), ask, route),
            _ => self.finish_now(id, Err(too_many())),
        }
    }

    fn start(&mut self, (id, carried): (u64, Option<Unfinished>), ask: Ask, route: Route) {
        let (give_up, cancelled) = watch::channel(None);
        let sink = Sink {
            id,
            queue: self.queue.clone(),
            cancelled,
        };
        let unfinished = carried.and_then(|asked| asked.how(&route).map(|how| (asked, how)));
        let ctx = Arc::clone(&self.ctx);
        let task = tokio::spawn(async move {
            let result = dispatch::run(ctx, ask, route, &sink).await;
            let (bytes, tail) = last_frame(id, result);
            sink.finish(bytes, tail).await;
        });
        let inside = self.ctx.life.requests.enter();
        self.running.insert(
            id,
            Running {
                give_up,
                task,
                unfinished,
                _inside: inside,
            },
        );
    }

    fn finish_now(&mut self, id: u64, result: Result<Answer>) {
        let (bytes, tail) = last_frame(id, result);
        self.put(bytes);
        self.put(tail);
    }

    /// Bytes that are not a request: say so and take nothing more from this client.
    fn refuse_frame(&mut self, error: &Error) {
        tracing::info!(%error, "a connection sent a bad frame");
        self.inbox.clear();
        self.incomplete_since = None;
        self.closing = true;
        self.finish_now(0, Err(error.clone()));
        self.give_up_all(&Error::new(Kind::Cancelled, "the connection sent a bad frame"));
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        match phase {
            Phase::Serving => self.read(),
            // Requests that change something finish, those that only wait are ended.
            Phase::Draining => {
                self.closing = true;
                self.give_up_all(&Error::unavailable("the daemon is stopping").next("ask again"));
            }
            Phase::HandingOver => {}
        }
    }

    fn give_up_all(&self, why: &Error) {
        for running in self.running.values() {
            running.give_up.send_replace(Some(why.clone()));
        }
    }

    /// Whether the next image can go on with all that is in work.
    fn only_unfinished(&self) -> bool {
        self.running.values().all(|running| running.unfinished.is_some())
    }

    /// Ends the tasks of what is in work and gathers what they still had to say. Of an answer that is not at its end, and
    /// of which the client has nothing yet, nothing is said: it will be asked anew.
    async fn carry(&mut self, outgoing: &mut mpsc::Receiver<Outgoing>) -> Carried {
        for running in self.running.values_mut() {
            running.task.abort();
            let _aborted = (&mut running.task).await;
        }
        let said: Vec<Outgoing> = std::iter::from_fn(|| outgoing.try_recv().ok()).collect();
        let ended = |id| said.iter().any(|one| one.id == id && one.what == What::Last);
        let anew: Vec<u64> = self
            .running
            .iter()
            .filter(|(_, running)| matches!(running.unfinished, Some((_, How::Repeat))))
            .map(|(id, _)| *id)
            .filter(|id| !ended(*id))
            .collect();
        for message in said {
            if !anew.contains(&message.id) {
                self.take(message);
            }
        }
        Carried {
            stage: self.stage,
            who: self.who,
            inbox: std::mem::take(&mut self.inbox),
            outbox: std::mem::take(&mut self.outbox).rest(),
            unfinished: self
                .running
                .drain()
                .filter_map(|(_, running)| running.unfinished)
                .map(|(unfinished, _)| unfinished.for_next_image())
                .collect(),
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
