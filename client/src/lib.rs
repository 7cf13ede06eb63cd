//! The client side of the protocol: reach the daemon, start it when it is not running, ask, and ask again after a
//! broken connection.
//!
//! Used by `tocli` and by every other program that talks to the daemon. Blocking and without a runtime, because a
//! command must start in about a millisecond. What must stay true: a request is sent a second time only when that
//! cannot change anything twice, and nothing on disk is touched unless the daemon has to be started.

mod ask;
mod caller;
mod connect;
mod guard;
mod link;
mod repeat;
mod sandbox;
mod start;
mod stop;

use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use proto::hello::{Control, Hello, Welcome};
use proto::places::Places;
use proto::{Answer, Error, Item, error::Result};

pub use ask::Ask;
pub use caller::{absolute, here};
pub use repeat::{only_reads, request_id};
pub use sandbox::confinement;
pub use start::program;
pub use stop::stop;

use link::{End, Link};

/// What to do when no daemon is running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Start it and wait until it serves.
    #[default]
    IfNeeded,
    /// Fail with `unavailable`.
    Never,
}

/// Where the daemon is and how hard to try.
#[derive(Clone, Debug)]
pub struct Options {
    /// The user's places.
    pub places: Places,
    /// What to do when no daemon is running.
    pub start: Start,
    /// The daemon's program; none for `tod` beside the running executable.
    pub program: Option<PathBuf>,
    /// How long to try to reach or start the daemon.
    pub patience: Duration,
}

/// Long enough for a daemon that drains (10 s at the most) to end and for the next one to begin.
const PATIENCE: Duration = Duration::from_secs(15);

impl Options {
    /// The places that this process's environment names.
    ///
    /// # Errors
    /// `usage` when the environment names no usable place (`proto::places`).
    pub fn from_env() -> Result<Self> {
        let home = match std::env::var_os("HOME") {
            Some(home) if !home.is_empty() => None,
            _ => guard::home_of(guard::uid()),
        };
        Ok(Self {
            places: Places::resolve(&|name| std::env::var_os(name), guard::uid(), home)?,
            start: Start::default(),
            program: None,
            patience: PATIENCE,
        })
    }
}

/// Hears what comes before the last frame of an answer.
pub trait Listener {
    /// One part of the answer.
    ///
    /// # Errors
    /// Whatever makes the rest unwanted: the request is given up and the call ends with this error.
    fn item(&mut self, item: Item) -> Result<()>;

    /// How far the request has come: what is counted, how many so far, how many in all.
    fn progress(&mut self, _what: &str, _done: u64, _total: Option<u64>) {}

    /// Nothing has come for a while; called about every [`TICK`], with the time since the question.
    fn waiting(&mut self, _so_far: Duration) {}

    /// The connection broke after parts of the answer had come. Whether to begin again from nothing.
    fn begin_again(&mut self) -> bool {
        false
    }
}

/// How often [`Listener::waiting`] is called.
pub const TICK: Duration = link::TICK;

/// For answers that come in one piece: a part that comes all the same is a fault of the daemon.
struct Whole;

impl Listener for Whole {
    fn item(&mut self, _item: Item) -> Result<()> {
        Err(Error::bug("the daemon sent a part of an answer that has none"))
    }
}

/// A way to ask the daemon.
#[derive(Debug)]
pub struct Client {
    options: Options,
    link: Option<Link>,
    last_id: u64,
    /// A daemon that we started is our child: it is reaped when it has ended, so that none stays behind as a zombie.
    child: Option<Child>,
}

impl Client {
    /// A client that connects with its first request.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            link: None,
            last_id: 0,
            child: None,
        }
    }

    /// A client that has reached the daemon, starting it where [`Options::start`] allows.
    ///
    /// # Errors
    /// `unavailable` when there is no daemon and none may be or can be started; `refused` where it is not safe;
    /// `sandbox` where this process may not reach or start one.
    pub fn connect(options: Options) -> Result<Self> {
        let mut client = Self::new(options);
        client.open(&[])?;
        Ok(client)
    }

    /// A client of the daemon that is running; none when none is.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn find(options: Options) -> Result<Option<Self>> {
        let hello = Hello::of_this_build(Control::Talk);
        let until = std::time::Instant::now() + options.patience;
        let link = connect::patiently(until, &mut || connect::reach(&options, &hello, &[]))?;
        Ok(link.map(|link| Self {
            link: Some(link),
            ..Self::new(options)
        }))
    }

    /// The daemon's header, once connected.
    #[must_use]
    pub fn welcome(&self) -> Option<&Welcome> {
        self.link.as_ref().map(Link::welcome)
    }

    /// Asks and waits for an answer in one piece.
    ///
    /// # Errors
    /// The daemon's, or what kept us from having its answer.
    pub fn call(&mut self, ask: &Ask) -> Result<Answer> {
        self.call_streaming(ask, &mut Whole)
    }

    /// Asks, hears the parts of the answer, and waits for its end.
    ///
    /// When the connection breaks, a request that carries a request id or only reads is sent once more over a new one.
    ///
    /// # Errors
    /// The daemon's, the listener's, or what kept us from having the answer.
    pub fn call_streaming(&mut self, ask: &Ask, listener: &mut dyn Listener) -> Result<Answer> {
        let id = self.last_id + 1;
        self.last_id = id;
        let bytes = ask.frame(id)?;
        let first = self.exchange(&bytes, (id, ask.deadline), listener);
        let (why, heard) = match first {
            Ok(answer) => return answer,
            Err(broken) => broken,
        };
        let repeatable = ask.request_id.is_some() || only_reads(&ask.request);
        if !repeatable || (heard && !listener.begin_again()) {
            return Err(broken_off(&why));
        }
        match self.exchange(&bytes, (id, ask.deadline), listener) {
            Ok(answer) => answer,
            Err((why, _)) => Err(broken_off(&why)),
        }
    }

    /// Sends a framed request and hears its answer; when the connection breaks instead, why, and whether parts of the
    /// answer had come.
    fn exchange(
        &mut self,
        bytes: &[u8],
        (id, deadline): (u64, Option<Duration>),
        listener: &mut dyn Listener,
    ) -> std::result::Result<Result<Answer>, (String, bool)> {
        let mut link = match self.link.take() {
            Some(mut link) => match link.send(bytes) {
                Ok(()) => link,
                Err(why) => return Err((why.to_string(), false)),
            },
            None => match self.open(bytes) {
                Ok(()) => match self.link.take() {
                    Some(link) => link,
                    None => return Err(("there is no connection".to_owned(), false)),
                },
                Err(error) => return Ok(Err(error)),
            },
        };
        match link.hear(id, deadline, listener) {
            End::Answered(answer) => {
                self.link = Some(link);
                Ok(answer)
            }
            End::GivenUp(error) => Ok(Err(error)),
            End::Broken { why, heard } => Err((why, heard)),
        }
    }

    /// Connects and sends the first bytes.
    fn open(&mut self, first: &[u8]) -> Result<()> {
        if let Some(child) = &mut self.child
            && !matches!(child.try_wait(), Ok(None))
        {
            self.child = None;
        }
        let hello = Hello::of_this_build(Control::Talk);
        let (link, child) = connect::open(&self.options, &hello, first)?;
        self.link = Some(link);
        if child.is_some() {
            self.child = child;
        }
        Ok(())
    }
}

fn broken_off(why: &str) -> Error {
    Error::unavailable("the connection to the daemon broke before the answer came")
        .why(why)
        .next("ask again; `tocli daemon logs` says what happened")
}
