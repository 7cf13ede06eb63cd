//! A question and its answer: parts are shown as they come or kept for one JSON object.
//!
//! Asked by `main`. What must stay true: memory does not grow with the answer where its parts can be shown at once, and
//! a standard output that was closed ends the request.

use std::io;
use std::time::Duration;

use client::{Ask, Client, GoOn, Listener, Options};
use proto::index::Change;
use proto::{Answer, Caller, Error, Item, Kind, RawPath, error::Result};

use crate::args::Question;
use crate::end::End;
use crate::out::{Form, Out};
use crate::progress::Progress;
use crate::render::index::{self, Separator};
use crate::render::{self, Wishes};
use crate::voice::Voice;

/// How an answer is to be shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    pub(crate) separator: Separator,
    pub(crate) wishes: Wishes,
}

/// Shows parts or keeps them.
struct Hearing<'a> {
    out: &'a mut Out,
    manner: Manner,
    progress: Progress,
    files: Vec<RawPath>,
    changes: Vec<Change>,
    shown: bool,
    broken: Option<io::Error>,
}

impl Hearing<'_> {
    fn show(&mut self, item: &Item) -> io::Result<()> {
        self.shown = true;
        match item {
            Item::Files(files) => index::files(self.out, files, self.manner.separator),
            Item::Changes(changes) => index::changes(self.out, changes),
            Item::Batch(_) | Item::Lines(_) => Ok(()),
        }
    }
}

impl Listener for Hearing<'_> {
    fn item(&mut self, item: Item) -> Result<()> {
        self.progress.clear();
        match item {
            Item::Files(files) if self.out.form() == Form::Json => self.files.extend(files),
            Item::Changes(changes) if self.out.form() == Form::Json => self.changes.extend(changes),
            item => {
                if let Err(error) = self.show(&item) {
                    self.broken = Some(error);
                    return Err(closed());
                }
            }
        }
        Ok(())
    }

    fn progress(&mut self, what: &str, done: u64, total: Option<u64>) {
        self.progress.count(what, done, total);
    }

    fn waiting(&mut self, _so_far: Duration) -> Result<()> {
        self.progress.tick();
        if self.out.reader_gone() {
            self.broken = Some(io::ErrorKind::BrokenPipe.into());
            return Err(closed());
        }
        Ok(())
    }

    fn broken(&mut self) -> GoOn {
        self.files.clear();
        self.changes.clear();
        if self.shown { GoOn::GiveUp } else { GoOn::Repeat }
    }
}

/// Tells the daemon that nobody listens any more; the user, who closed it, is told nothing.
pub(crate) fn closed() -> Error {
    Error::new(Kind::Cancelled, "standard output was closed")
}

/// Asks for an answer in one piece.
pub(crate) fn whole(options: Options, ask: &Ask, voice: &Voice) -> Result<Answer> {
    let mut client = Client::new(options);
    let answer = client.call(ask);
    hindered(&client, voice);
    answer
}

/// Says what stood in the way of an answer that came all the same.
pub(crate) fn hindered(client: &Client, voice: &Voice) {
    if let Some(error) = client.hindered() {
        let next = error.next.as_deref().unwrap_or_default();
        voice.warn(&format!(
            "asked through files, which is slower: {}; {next}",
            error.what
        ));
    }
}

/// Asks and shows.
pub(crate) fn answer(
    client: &mut Client,
    (question, caller): (Question, Caller),
    (out, voice): (&mut Out, &Voice),
    manner: Manner,
) -> std::result::Result<Answer, End> {
    let ask = ask(question, caller);
    let mut hearing = Hearing {
        out,
        manner,
        progress: Progress::new(voice),
        files: Vec::new(),
        changes: Vec::new(),
        shown: false,
        broken: None,
    };
    let answer = client.call_streaming(&ask, &mut hearing);
    hearing.progress.clear();
    hindered(client, voice);
    if let Some(error) = hearing.broken {
        return Err(End::Output(error));
    }
    let answer = answer?;
    let (files, changes) = (hearing.files, hearing.changes);
    match &answer {
        Answer::Index(last) => index::whole(out, voice, last, (&files, &changes))?,
        other => render::answer(out, voice, other, manner.wishes)?,
    }
    Ok(answer)
}

/// What the wire carries for a question.
pub(crate) fn ask(question: Question, caller: Caller) -> Ask {
    let own = Ask::new(caller, question.request);
    Ask {
        deadline: question.deadline,
        request_id: question.request_id.or_else(|| own.request_id.clone()),
        ..own
    }
}
