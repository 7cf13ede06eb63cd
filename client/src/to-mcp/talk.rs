//! One call's conversation with the daemon: where it is asked from, how long it may take, who hears how far it has come.
//!
//! Made by the service for each call and used on a thread of the pool. What must stay true: every request of a call carries the
//! caller's place and name and a deadline, and ends within a tick when the client has given the call up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use client::{Ask, Client, GoOn, Listener};
use proto::detect::{Detection, From, Method};
use proto::error::Result;
use proto::workspace::Which;
use proto::{Answer, Caller, Error, Item, Kind, Request};
use tokio::sync::mpsc;

/// What the daemon may take for an answer from memory or from records.
const SOON: Duration = Duration::from_secs(60);

/// From where a call is asked.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Who asks.
    pub(crate) caller: Caller,
    /// Where to look from.
    pub(crate) from: From,
}

/// How far a call has come.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) done: f64,
    pub(crate) total: Option<f64>,
    pub(crate) text: String,
}

/// What a call is given up by, and what hears of its progress.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ends {
    pub(crate) given_up: Arc<AtomicBool>,
    pub(crate) progress: Option<mpsc::Sender<Step>>,
}

impl Ends {
    fn tell(&self, step: Step) {
        if let Some(progress) = &self.progress {
            // Who is slow to hear of progress hears less of it.
            let _full = progress.try_send(step);
        }
    }
}

/// A connection for one call.
pub(crate) struct Talk<'a> {
    client: &'a mut Client,
    place: Place,
    ends: Ends,
    begun: Instant,
}

impl<'a> Talk<'a> {
    pub(crate) fn new(client: &'a mut Client, place: Place, ends: Ends) -> Self {
        Self {
            client,
            place,
            ends,
            begun: Instant::now(),
        }
    }

    /// Where the call looks from.
    pub(crate) fn from(&self) -> From {
        self.place.from.clone()
    }

    /// The workspace of that place.
    pub(crate) fn which(&self) -> Which {
        Which::At(self.from())
    }

    /// The caller.
    pub(crate) fn caller(&self) -> &Caller {
        &self.place.caller
    }

    /// Which project the place belongs to. A place that was named and is in none is not replaced by the home directory.
    pub(crate) fn detect(&mut self) -> Result<Detection> {
        let found = match self.ask(Request::Detect(proto::detect::Request::Find(self.from())))? {
            Answer::Detect(found) => found,
            _ => return Err(foreign()),
        };
        match &self.place.from {
            From::Start(start) if found.method == Method::UserHome && found.root != *start => {
                Err(Error::refused(format!("`{}` is in no project", start.display()))
                    .why(found.warnings.join("; "))
                    .next("name the directory of a project in `cwd`"))
            }
            _ => Ok(found),
        }
    }

    /// Tells how far the call has come.
    #[cfg(feature = "conformance-fixtures")]
    pub(crate) fn tell(&self, step: Step) {
        self.ends.tell(step);
    }

    /// Asks what is answered in one piece.
    pub(crate) fn ask(&mut self, request: Request) -> Result<Answer> {
        self.ask_within(request, SOON)
    }

    /// The same with another limit of time.
    pub(crate) fn ask_within(&mut self, request: Request, limit: Duration) -> Result<Answer> {
        self.hear(request, limit, &mut |_| {
            Err(Error::bug("the daemon sent a part of an answer that has none"))
        })
    }

    /// Asks what is answered in parts; `part` may end the answer with an error of its own.
    pub(crate) fn hear(
        &mut self,
        request: Request,
        limit: Duration,
        part: &mut dyn FnMut(Item) -> Result<()>,
    ) -> Result<Answer> {
        let ask = Ask::new(self.place.caller.clone(), request).within(limit);
        let mut hearing = Hearing {
            ends: &self.ends,
            begun: self.begun,
            counted: false,
            part,
        };
        hearing.given_up()?;
        self.client.call_streaming(&ask, &mut hearing)
    }
}

/// An answer to another question.
pub(crate) fn foreign() -> Error {
    Error::bug("the daemon's answer is to another question")
}

struct Hearing<'a> {
    ends: &'a Ends,
    begun: Instant,
    counted: bool,
    part: &'a mut dyn FnMut(Item) -> Result<()>,
}

impl Hearing<'_> {
    fn given_up(&self) -> Result<()> {
        if self.ends.given_up.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Cancelled, "the client gave the call up"));
        }
        Ok(())
    }
}

impl Listener for Hearing<'_> {
    fn item(&mut self, item: Item) -> Result<()> {
        self.given_up()?;
        (self.part)(item)
    }

    #[expect(clippy::cast_precision_loss, reason = "a count for eyes")]
    fn progress(&mut self, what: &str, done: u64, total: Option<u64>) {
        self.counted = true;
        self.ends.tell(Step {
            done: done as f64,
            total: total.map(|total| total as f64),
            text: format!("{done} {what}"),
        });
    }

    fn waiting(&mut self, _so_far: Duration) -> Result<()> {
        self.given_up()?;
        if !self.counted {
            let seconds = self.begun.elapsed().as_secs_f64();
            self.ends.tell(Step {
                done: seconds,
                total: None,
                text: "seconds waited".to_owned(),
            });
        }
        Ok(())
    }

    fn broken(&mut self) -> GoOn {
        // The parts have been taken: what a tool keeps of them it could keep twice.
        GoOn::GiveUp
    }
}
