//! `tocli watch`: batches as they come, for as long as somebody reads them.
//!
//! What must stay true: a daemon that crashes and comes back loses nothing: the subscription has a clock from its first
//! moment and goes on from the last one shown. A daemon that was stopped is not started again by a watcher.

use std::io;
use std::time::Duration;

use client::{Client, GoOn, Listener};
use proto::index::{self, Since};
use proto::{Answer, Caller, Error, Item, Request, error::Result};

use crate::args::Question;
use crate::end::End;
use crate::out::Out;
use crate::progress::Progress;
use crate::render::index::batch;
use crate::talk::{self, closed};
use crate::voice::Voice;

struct Batches<'a> {
    out: &'a mut Out,
    voice: &'a Voice,
    progress: Progress,
    /// The subscription as it must be asked for to go on.
    rest: Request,
    broken: Option<io::Error>,
}

impl Batches<'_> {
    /// Nothing before this clock is wanted any more.
    fn reached(&mut self, clock: String) {
        if let Request::Index(index::Request::Watch { since, .. }) = &mut self.rest {
            *since = Some(Since::Clock(clock));
        }
    }
}

impl Listener for Batches<'_> {
    fn item(&mut self, item: Item) -> Result<()> {
        self.progress.clear();
        let Item::Batch(item) = item else {
            return Err(Error::bug("the daemon sent something else than a batch"));
        };
        let shown = batch(self.out, self.voice, &item).and_then(|()| self.out.flush());
        if let Err(error) = shown {
            self.broken = Some(error);
            return Err(closed());
        }
        self.reached(item.clock);
        Ok(())
    }

    fn progress(&mut self, what: &str, done: u64, total: Option<u64>) {
        self.progress.count(what, done, total);
    }

    fn waiting(&mut self, _so_far: Duration) -> Result<()> {
        self.progress.clear();
        if self.out.reader_gone() {
            self.broken = Some(io::ErrorKind::BrokenPipe.into());
            return Err(closed());
        }
        Ok(())
    }

    fn broken(&mut self) -> GoOn {
        GoOn::With(Box::new(self.rest.clone()))
    }
}

/// Shows batches until the reader or the user has had enough.
pub(crate) fn watch(
    client: &mut Client,
    (question, caller): (Question, Caller),
    (out, voice): (&mut Out, &Voice),
) -> std::result::Result<(), End> {
    let mut batches = Batches {
        out,
        voice,
        progress: Progress::new(voice),
        rest: question.request,
        broken: None,
    };
    if let Request::Index(index::Request::Watch { at, since: None }) = &batches.rest {
        let at = at.clone();
        let clock = clock(client, (at, caller.clone()), &mut batches)?;
        batches.reached(clock);
    }
    let asked = Question::patient(batches.rest.clone());
    let ended = client.call_streaming(&talk::ask(asked, caller), &mut batches);
    batches.progress.clear();
    if let Some(error) = batches.broken.take() {
        return Err(End::Output(error));
    }
    Err(End::Failed(match ended {
        Ok(_) => Error::unavailable("the daemon ended the subscription").next("watch again"),
        Err(error) => error,
    }))
}

/// The clock to begin with.
fn clock(
    client: &mut Client,
    (at, caller): (proto::detect::From, Caller),
    batches: &mut Batches<'_>,
) -> std::result::Result<String, End> {
    let sync = index::Sync::default();
    let question = Question::patient(Request::Index(index::Request::Clock { at, sync }));
    match client.call_streaming(&talk::ask(question, caller), batches) {
        Ok(Answer::Index(index::Answer::Clock { clock, .. })) => Ok(clock),
        Ok(_) => Err(End::Failed(Error::bug(
            "the daemon answered something else than the clock",
        ))),
        Err(error) => Err(match batches.broken.take() {
            Some(error) => End::Output(error),
            None => End::Failed(error),
        }),
    }
}
