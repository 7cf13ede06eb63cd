//! One connection: header out, header in, frames out, frames in.
//!
//! Asked by `connect` and by the client. What must stay true: every wait has a limit or tells the listener that it goes
//! on; nothing is allocated for a length before it has been checked.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use interprocess::local_socket::Stream;
use interprocess::local_socket::traits::Stream as _;
use proto::hello::{self, Hello, Welcome};
use proto::{Answer, ClientFrame, Error, Kind, ServerFrame, error::Result, frame};

use rustix::buffer::spare_capacity;

use crate::Listener;

/// How long one read waits before the listener hears that we are still waiting.
pub(crate) const TICK: Duration = Duration::from_millis(500);

/// How long the daemon may leave what we send unread, and how long its header may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the daemon has beyond a deadline to say itself that it has passed.
const GRACE: Duration = Duration::from_secs(1);

/// What one read takes at the most.
const READ: usize = 64 << 10;

/// What may be on its way to the daemon when large pieces are sent.
const WIDE: usize = 1 << 20;

/// A connection on which the headers have been exchanged, and on which a read waits for a [`TICK`].
#[derive(Debug)]
pub(crate) struct Link {
    stream: Stream,
    welcome: Welcome,
    /// Bytes received; those before `taken` have been used.
    inbox: Vec<u8>,
    taken: usize,
    /// Whether large pieces were sent.
    wide: bool,
}

/// How a request ended.
#[derive(Debug)]
pub(crate) enum End {
    /// With its last frame; the connection serves on.
    Answered(Result<Answer>),
    /// By us; the connection must not be used again, because frames of the request may still come.
    GivenUp(Error),
    /// The connection broke. `heard` tells whether parts of the answer had come.
    Broken {
        /// What broke.
        why: String,
        /// Whether the listener has heard a part.
        heard: bool,
    },
}

/// Says hello, sends the first bytes in the same breath, and reads the daemon's header.
///
/// One breath is safe because the header says in which protocol the first bytes are: a daemon that does not speak it takes
/// none of them, whatever else the two have in common.
pub(crate) fn greet(stream: Stream, hello: &Hello, first: &[u8]) -> io::Result<Link> {
    stream.set_recv_timeout(Some(TICK))?;
    stream.set_send_timeout(Some(PATIENCE))?;
    let begun = Instant::now();
    let hello = Hello {
        first: if first.is_empty() { 0 } else { hello::HIGHEST },
        ..hello.clone()
    };
    let mut bytes = Vec::with_capacity(hello::LENGTH + first.len());
    bytes.extend_from_slice(&hello.to_bytes());
    bytes.extend_from_slice(first);
    // A daemon that refuses closes at once: what it said can still be read after a failed write.
    let written = (&stream).write_all(&bytes);
    let mut inbox = vec![0; 8 << 10];
    let mut count = 0;
    while count < hello::LENGTH {
        match (&stream).read(&mut inbox[count..]) {
            Ok(0) => {
                written?;
                return Err(ErrorKind::UnexpectedEof.into());
            }
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if timed_out(&error) && begun.elapsed() < PATIENCE => {}
            Err(error) => {
                written?;
                return Err(error);
            }
        }
    }
    inbox.truncate(count);
    let mut header = [0; hello::LENGTH];
    header.copy_from_slice(&inbox[..hello::LENGTH]);
    let welcome = Welcome::from_bytes(&header).map_err(io::Error::other)?;
    Ok(Link {
        stream,
        welcome,
        inbox,
        taken: hello::LENGTH,
        wide: false,
    })
}

/// What came for requests that were sent one after another.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The last frame of one of them.
    Answer {
        /// Which.
        id: u64,
        /// Its answer.
        answer: Box<Result<Answer>>,
    },
    /// The connection broke.
    Broken(String),
}

impl Link {
    pub(crate) fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > READ && !self.wide {
            // So that a piece goes at once. The system takes what it likes of the wish.
            let Stream::UdSocket(stream) = &self.stream;
            let _as_it_likes = rustix::net::sockopt::set_socket_send_buffer_size(stream, WIDE);
            self.wide = true;
        }
        (&self.stream).write_all(bytes)
    }

    /// Waits until the daemon closes the connection, by which nothing more is asked; false when it has not after the limit.
    pub(crate) fn until_closed(self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.set_recv_timeout(Some(left)).is_err() {
                return false;
            }
            match (&self.stream).read(&mut [0; 256]) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if timed_out(&error) || error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
    }

    /// Hears the answer to request `id` to its end.
    pub(crate) fn hear(&mut self, id: u64, deadline: Option<Duration>, listener: &mut dyn Listener) -> End {
        let asked = Instant::now();
        let mut heard = false;
        loop {
            let message = match self.next() {
                Ok(Some(message)) => message,
                Ok(None) => {
                    let passed = asked.elapsed();
                    if deadline.is_some_and(|deadline| passed > deadline + GRACE) {
                        return End::GivenUp(late(passed));
                    }
                    if let Err(error) = listener.waiting(passed) {
                        self.give_up(id);
                        return End::GivenUp(error);
                    }
                    continue;
                }
                Err(Wrong::Broken(why)) => return End::Broken { why, heard },
                Err(Wrong::Nonsense(error)) => return End::GivenUp(error),
            };
            match message {
                ServerFrame::Done { id: of, answer } if of == id => return End::Answered(Ok(answer)),
                ServerFrame::Failed { id: of, error } if of == id => return End::Answered(Err(error)),
                ServerFrame::Failed { id: 0, error } => return End::GivenUp(error),
                ServerFrame::Item { id: of, item } if of == id => {
                    heard = true;
                    if let Err(error) = listener.item(item) {
                        self.give_up(id);
                        return End::GivenUp(error);
                    }
                }
                ServerFrame::Progress {
                    id: of,
                    what,
                    done,
                    total,
                } if of == id => listener.progress(&what, done, total),
                // The last words of a request that was given up before.
                _ => {}
            }
        }
    }

    /// Hears the next last frame of any request.
    pub(crate) fn any(&mut self, patience: Duration) -> Heard {
        let asked = Instant::now();
        loop {
            match self.next() {
                Ok(Some(ServerFrame::Done { id, answer })) => {
                    return Heard::Answer {
                        id,
                        answer: Box::new(Ok(answer)),
                    };
                }
                Ok(Some(ServerFrame::Failed { id, error })) if id != 0 => {
                    return Heard::Answer {
                        id,
                        answer: Box::new(Err(error)),
                    };
                }
                Ok(Some(ServerFrame::Failed { error, .. })) => return Heard::Broken(error.to_string()),
                Ok(Some(_)) => {}
                Ok(None) if asked.elapsed() < patience => {}
                Ok(None) => return Heard::Broken("no answer came".to_owned()),
                Err(Wrong::Broken(why)) => return Heard::Broken(why),
                Err(Wrong::Nonsense(error)) => return Heard::Broken(error.to_string()),
            }
        }
    }

    /// The daemon learns by the closed connection, too: this only spares it work until then.
    fn give_up(&mut self, id: u64) {
        if let Ok(bytes) = frame::encode(&ClientFrame::Cancel { id }) {
            let _may_have_gone = self.send(&bytes);
        }
    }

    /// The next frame; none when nothing has come for a [`TICK`].
    fn next(&mut self) -> std::result::Result<Option<ServerFrame>, Wrong> {
        loop {
            let rest = &self.inbox[self.taken..];
            if let Some(head) = rest.first_chunk::<{ frame::HEAD }>() {
                let length = frame::length(*head).map_err(Wrong::nonsense)?;
                if let Some(payload) = rest.get(frame::HEAD..frame::HEAD + length) {
                    let message = frame::decode(payload).map_err(Wrong::nonsense)?;
                    self.taken += frame::HEAD + length;
                    return Ok(Some(message));
                }
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads more bytes; false when none came in time.
    fn fill(&mut self) -> std::result::Result<bool, Wrong> {
        self.inbox.drain(..self.taken);
        self.taken = 0;
        let head = self.inbox.first_chunk().map(|head| frame::length(*head));
        let missing = match head {
            Some(Ok(length)) => (frame::HEAD + length).saturating_sub(self.inbox.len()),
            _ => 0,
        };
        // Of a large frame its rest at once.
        self.inbox.reserve_exact(missing.max(READ));
        let Stream::UdSocket(stream) = &self.stream;
        match rustix::io::read(stream, spare_capacity(&mut self.inbox)).map_err(io::Error::from) {
            Ok(0) => Err(Wrong::Broken("the daemon closed it".to_owned())),
            Ok(_) => Ok(true),
            Err(error) if timed_out(&error) => Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(Wrong::Broken(error.to_string())),
        }
    }
}

enum Wrong {
    Broken(String),
    Nonsense(Error),
}

impl Wrong {
    /// What the daemon sent is not of this protocol. That is nothing the caller has done.
    fn nonsense(error: Error) -> Self {
        Self::Nonsense(Error {
            kind: Kind::Bug,
            what: format!("the daemon sent {}", error.what),
            ..error
        })
    }
}

fn late(passed: Duration) -> Error {
    Error::unavailable(format!("no answer came within {} s", passed.as_secs()))
        .why("the daemon did not keep the deadline of the request")
        .next("see `tocli daemon status` and `tocli daemon logs`")
}

/// A read or write whose limit has passed.
pub(crate) fn timed_out(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
