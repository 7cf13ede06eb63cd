//! `tocli watch`: batches as they come, for as long as somebody reads them.
//!
//! What must stay true: a daemon that ends and comes back loses nothing: the subscription goes on from the last clock
//! shown.

use std::io;
use std::time::Duration;

use client::{Client, Listener};
use proto::index::{self, Since};
use proto::{Caller, Error, Item, Kind, Request, error::Result};

use crate::args::Question;
use crate::end::End;
use crate::out::Out;
use crate::progress::Progress;
use crate::render::index::batch;
use crate::talk;
use crate::voice::Voice;

struct Batches<'a> {
    out: &'a mut Out,
    voice: &'a Voice,
    progress: Progress,
    clock: Option<String>,
    broken: Option<io::Error>,
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
            return Err(Error::new(Kind::Cancelled, "standard output was closed"));
        }
        self.clock = Some(item.clock);
        Ok(())
    }

    fn progress(&mut self, what: &str, done: u64, total: Option<u64>) {
        self.progress.count(what, done, total);
    }

    fn waiting(&mut self, _so_far: Duration) {
        if self.broken.is_none() && reader_gone() {
            // Found out at the next write only otherwise, which may be hours away.
            std::process::exit(0);
        }
    }
}

/// Whether nobody reads standard output any more.
fn reader_gone() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    let mut asked = [PollFd::new(&stdout, PollFlags::empty())];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut asked, Some(&now)).is_ok_and(|count| count > 0)
        && asked[0].revents().intersects(PollFlags::ERR | PollFlags::NVAL)
}

/// Shows batches until the reader or the user has had enough.
pub(crate) fn watch(
    client: &mut Client,
    (mut question, caller): (Question, Caller),
    (out, voice): (&mut Out, &Voice),
) -> std::result::Result<(), End> {
    let mut batches = Batches {
        out,
        voice,
        progress: Progress::new(voice),
        clock: None,
        broken: None,
    };
    loop {
        let asked = Question {
            request: question.request.clone(),
            deadline: None,
        };
        let ended = client.call_streaming(&talk::ask(asked, caller.clone()), &mut batches);
        batches.progress.clear();
        if let Some(error) = batches.broken.take() {
            return Err(End::Output(error));
        }
        let error = match ended {
            Ok(_) => Error::unavailable("the daemon ended the subscription").next("watch again"),
            Err(error) => error,
        };
        // Only a connection that had worked is taken up again, and from where it broke.
        match (error.kind, batches.clock.take()) {
            (Kind::Unavailable, Some(clock)) => go_on(&mut question.request, clock),
            _ => return Err(End::Failed(error)),
        }
    }
}

fn go_on(request: &mut Request, clock: String) {
    if let Request::Index(index::Request::Watch { since, .. }) = request {
        *since = Some(Since::Clock(clock));
    }
}
