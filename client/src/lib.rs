//! The client side of the protocol: reach the daemon, start it when it is not running, ask, and ask again after a
//! broken connection.
//!
//! Used by `tocli` and by every other program that talks to the daemon. Blocking and without a runtime, because a
//! command must start in about a millisecond. What must stay true: a request is sent a second time only when that
//! cannot change anything twice, and nothing on disk is touched unless the daemon has to be started.

mod actor;
mod agent;
#[cfg(target_os = "macos")]
mod apple;
mod ask;
mod caller;
mod connect;
mod guard;
mod link;
mod pipe;
mod reboot;
mod repeat;
mod sandbox;
mod spool;
mod start;
mod stop;
mod systemd;
pub mod time;
mod upgrade;

use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use proto::hello::{Control, Hello, Welcome};
use proto::places::Places;
use proto::{Answer, Error, Item, Kind, Request, error::Result};

pub use actor::{actor, this_process};
pub use ask::Ask;
pub use caller::{absolute, here};
pub use reboot::{hail, reboot, understands};
pub use repeat::{only_reads, request_id};
pub use sandbox::confinement;
pub use start::program;
pub use stop::stop;
pub use upgrade::upgrade;

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

/// A connection that held this long is not the sign of a daemon that cannot serve.
const WHILE: Duration = Duration::from_secs(10);

/// Connections that may break under one request, one after the other. Where a daemon is killed every 200 ms on a machine
/// with ten times more to do than it can, every other attempt breaks: a dozen was too few for three of 2,500 requests.
const MOST_BROKEN: u32 = 40;

/// The longest pause before a request is sent again: short beside the life of a daemon that is killed again and again.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

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
    ///
    /// # Errors
    /// As [`Listener::item`].
    fn waiting(&mut self, _so_far: Duration) -> Result<()> {
        Ok(())
    }

    /// The connection broke after parts of the answer had come: what to ask over the next one.
    fn broken(&mut self) -> GoOn {
        GoOn::GiveUp
    }
}

/// What to do about an answer that broke off in the middle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoOn {
    /// The call fails.
    GiveUp,
    /// The listener has forgotten the parts: the same request again.
    Repeat,
    /// The listener keeps the parts: this request asks for the rest.
    With(Box<Request>),
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
    /// By this the daemon knows us again on a second connection.
    number: u32,
    link: Option<Link>,
    last_id: u64,
    /// A daemon that we started is our child: it is reaped when it has ended, so that none stays behind as a zombie.
    child: Option<Child>,
    hindered: Option<Error>,
    /// Where large requests are put together.
    scratch: Vec<u8>,
}

impl Client {
    /// A client that connects with its first request.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            number: repeat::number(),
            link: None,
            last_id: 0,
            child: None,
            hindered: None,
            scratch: Vec::new(),
        }
    }

    /// Why the last answer came by way of files and not over the socket; none when it did not.
    #[must_use]
    pub fn hindered(&self) -> Option<&Error> {
        self.hindered.as_ref()
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
        let number = repeat::number();
        let hello = hello(number);
        let until = Instant::now() + options.patience;
        let link = connect::patiently(until, &mut || connect::reach(&options, &hello, &[]))?;
        Ok(link.map(|link| Self {
            link: Some(link),
            number,
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
    /// When the connection breaks, a request that carries a request id or only reads is sent again over a new one, with
    /// longer and longer pauses, until the patience of the client or the deadline of the request is over. A connection
    /// that had served for a while does not count as a failed attempt.
    ///
    /// # Errors
    /// The daemon's, the listener's, or what kept us from having the answer.
    pub fn call_streaming(&mut self, ask: &Ask, listener: &mut dyn Listener) -> Result<Answer> {
        let id = self.last_id + 1;
        self.last_id = id;
        let repeatable = ask.request_id.is_some() || only_reads(&ask.request);
        let began = Instant::now();
        let mut ask = std::borrow::Cow::Borrowed(ask);
        let mut bytes = ask.frame(id)?;
        let mut trouble: Option<Trouble> = None;
        loop {
            let asked = Instant::now();
            let (why, heard) = match self.exchange(&bytes, (id, ask.deadline), listener) {
                Ok(Err(error)) if error.kind == Kind::Sandbox => {
                    let answer = spool::ask(&ask, (id, &bytes), listener);
                    self.hindered = answer.is_some().then(|| error.clone());
                    return answer.unwrap_or(Err(error));
                }
                Ok(answer) => return answer,
                Err(broken) => broken,
            };
            if asked.elapsed() > WHILE {
                trouble = None;
            }
            let trouble = trouble.get_or_insert_with(Trouble::default);
            let left = ask
                .deadline
                .map(|deadline| deadline.saturating_sub(began.elapsed()));
            let patience = left.map_or(self.options.patience, |left| left.min(self.options.patience));
            if !repeatable || !trouble.goes_on(patience) {
                return Err(broken_off(&why));
            }
            match if heard { listener.broken() } else { GoOn::Repeat } {
                GoOn::GiveUp => return Err(broken_off(&why)),
                GoOn::Repeat => {}
                GoOn::With(request) => ask.to_mut().request = *request,
            }
            trouble.pause();
            bytes = match ask.deadline {
                None => ask.frame(id)?,
                Some(deadline) => Ask {
                    deadline: Some(deadline.saturating_sub(began.elapsed())),
                    ..ask.as_ref().clone()
                }
                .frame(id)?,
            };
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
        let hello = hello(self.number);
        let (link, child) = connect::open(&self.options, &hello, first)?;
        self.link = Some(link);
        if child.is_some() {
            self.child = child;
        }
        Ok(())
    }
}

/// Connections that broke one after the other.
struct Trouble {
    since: Instant,
    times: u32,
    pause: Duration,
}

impl Default for Trouble {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            times: 0,
            pause: Duration::from_millis(5),
        }
    }
}

impl Trouble {
    /// Whether it is worth another attempt: a daemon that ends with every one of them is left alone.
    fn goes_on(&mut self, patience: Duration) -> bool {
        self.times += 1;
        self.times <= MOST_BROKEN && self.since.elapsed() < patience
    }

    /// The first repetition comes at once.
    fn pause(&mut self) {
        if self.times > 1 {
            std::thread::sleep(self.pause);
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn hello(client: u32) -> Hello {
    Hello {
        client,
        ..Hello::of_this_build(Control::Talk)
    }
}

fn broken_off(why: &str) -> Error {
    Error::unavailable("the connection to the daemon broke before the answer came")
        .why(why)
        .next("ask again; `tocli daemon logs` says what happened")
}
