//! The words of `tocli files`, `clock`, `changes` and `watch`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use clap::Args;
use proto::detect::From;
use proto::index::{self, Since, Sync};
use proto::{Caller, Request, error::Result};

use super::{Question, Where};
use crate::time;

/// Whether to wait for what the file system has still to tell.
#[derive(Args, Debug)]
pub(crate) struct Synced {
    /// Answer from what is known now, without making sure that all earlier changes have been seen
    #[arg(long)]
    no_sync: bool,
}

impl Synced {
    fn sync(&self) -> Sync {
        if self.no_sync { Sync::No } else { Sync::Cookie }
    }
}

/// The most files of a page.
const MOST: u32 = 100_000;

/// The files of a project, as git would show them
#[derive(Args, Debug)]
pub(crate) struct Files {
    /// Only these: a pattern as in `.gitignore`, relative to the project's root
    glob: Option<String>,
    #[command(flatten)]
    at: Where,
    /// End each name with a NUL byte and quote nothing
    #[arg(short = '0', long, conflicts_with = "json")]
    pub(crate) null: bool,
    /// No more than so many, in the order of their bytes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST)))]
    limit: Option<u32>,
    /// Only those that come after this one, relative to the project's root: the last of the page before
    #[arg(long, value_name = "FILE")]
    after: Option<OsString>,
    #[command(flatten)]
    sync: Synced,
}

impl Files {
    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        if self.limit.is_some() || self.after.is_some() {
            return Ok(Question::patient(Request::Index(index::Request::FilesPage {
                at: self.at.from(caller)?,
                glob: self.glob.clone(),
                after: self.after.as_ref().map(|after| after.as_bytes().into()),
                limit: self.limit.unwrap_or(MOST),
                sync: self.sync.sync(),
            })));
        }
        Ok(Question::patient(Request::Index(index::Request::Files {
            at: self.at.from(caller)?,
            glob: self.glob.clone(),
            sync: self.sync.sync(),
        })))
    }
}

/// The current clock of a project, to ask `changes --since` with later
#[derive(Args, Debug)]
pub(crate) struct Clock {
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    sync: Synced,
}

impl Clock {
    pub(crate) fn at(at: Where) -> Self {
        let sync = Synced { no_sync: false };
        Self { at, sync }
    }

    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        Ok(Question::patient(Request::Index(index::Request::Clock {
            at: self.at.from(caller)?,
            sync: self.sync.sync(),
        })))
    }
}

/// Since when, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// A clock or a time.
    At(Since),
    /// Since what has this id began.
    Of(String),
}

fn beginning(text: &str) -> std::result::Result<Beginning, String> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let id = text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.chars().all(legal);
    match time::since(text) {
        Ok(since) => Ok(Beginning::At(since)),
        Err(_) if id => Ok(Beginning::Of(text.to_owned())),
        Err(error) => Err(error),
    }
}

/// What changed in a project since a clock or a time
#[derive(Args, Debug)]
pub(crate) struct Changes {
    /// A clock (`c:…`), a time ago (`10m`, `2h 30m`), a time (`2026-11-21T08:00`, `08:00`, `today`), or the id of a
    /// session or a task: since it began
    #[arg(long, value_name = "CLOCK|DURATION|TIME|ID", value_parser = beginning)]
    since: Beginning,
    /// Wait until something changes
    #[arg(long)]
    wait: bool,
    /// Wait no longer than this (`30s`, `5m`); when nothing has changed by then, that is the answer
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = time::duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    sync: Synced,
}

impl Changes {
    /// Where to look from.
    pub(crate) fn at(&self, caller: &Caller) -> Result<From> {
        self.at.from(caller)
    }

    /// Since when; an id where that is when what it names began.
    pub(crate) fn since(&self) -> std::result::Result<Since, &str> {
        match &self.since {
            Beginning::At(since) => Ok(since.clone()),
            Beginning::Of(id) => Err(id),
        }
    }

    pub(crate) fn question(&self, caller: &Caller, since: &Since) -> Result<Question> {
        Ok(Question {
            request: self.request(caller, since, self.wait)?,
            deadline: self.timeout,
            request_id: None,
        })
    }

    /// What to ask when the time to wait is over: the answer as it stands then.
    pub(crate) fn after_timeout(&self, caller: &Caller, since: &Since) -> Result<Option<Question>> {
        let request = self.request(caller, since, false)?;
        Ok(self.timeout.map(|_| Question::soon(request)))
    }

    fn request(&self, caller: &Caller, since: &Since, wait: bool) -> Result<Request> {
        Ok(Request::Index(index::Request::Changes {
            at: self.at.from(caller)?,
            since: since.clone(),
            wait,
            sync: self.sync.sync(),
        }))
    }
}

/// What changes in a project, as it happens
#[derive(Args, Debug)]
pub(crate) struct Watch {
    /// Begin with what changed since: a clock, a time ago or a time
    #[arg(long, value_name = "CLOCK|DURATION|TIME", value_parser = time::since)]
    since: Option<Since>,
    #[command(flatten)]
    at: Where,
}

impl Watch {
    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        Ok(Question::patient(Request::Index(index::Request::Watch {
            at: self.at.from(caller)?,
            since: self.since.clone(),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::tests::{asked, wrong};

    fn index(request: index::Request) -> Result<Question> {
        Ok(Question::patient(Request::Index(request)))
    }

    #[test]
    fn words_of_the_index_become_its_requests() {
        assert_eq!(
            asked("files *.rs --path b -0"),
            index(index::Request::Files {
                at: From::Start("/home/a/b".into()),
                glob: Some("*.rs".into()),
                sync: Sync::Cookie,
            })
        );
        assert_eq!(
            asked("files --limit 10 --after src/a.rs"),
            index(index::Request::FilesPage {
                at: From::Caller,
                glob: None,
                after: Some("src/a.rs".into()),
                limit: 10,
                sync: Sync::Cookie,
            })
        );
        assert!(wrong("files --limit 0"));
        assert_eq!(
            asked("clock --no-sync"),
            index(index::Request::Clock {
                at: From::Caller,
                sync: Sync::No,
            })
        );
        let since = Since::Clock("c:1:2:3".into());
        assert_eq!(
            asked("watch --since c:1:2:3"),
            index(index::Request::Watch {
                at: From::Caller,
                since: Some(since.clone()),
            })
        );
        let changes = index::Request::Changes {
            at: From::Caller,
            since,
            wait: true,
            sync: Sync::Cookie,
        };
        assert_eq!(
            asked("changes --since c:1:2:3 --wait --timeout 30s"),
            Ok(Question {
                request: Request::Index(changes),
                deadline: Some(Duration::from_secs(30)),
                request_id: None,
            })
        );
    }

    #[test]
    fn changes_need_a_beginning_and_a_timeout_needs_a_wait() {
        assert!(wrong("changes"));
        assert!(wrong("changes --since c:1:2:3 --timeout 3s"));
        assert!(wrong("changes --since 10"));
        assert!(wrong("changes --since ../x"));
        assert!(wrong("changes --since=-5s"));
        assert!(wrong("watch --since=-PT5M"));
        let of = Beginning::Of("session_0123abcd".into());
        assert_eq!(beginning("session_0123abcd"), Ok(of));
        assert!(wrong("files -0 --json"));
    }
}
