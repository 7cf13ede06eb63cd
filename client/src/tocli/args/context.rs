//! The words of `tocli remember`, `recall`, `forget` and `session`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use proto::context::{self, Call, NewNote, Wanted};
use proto::detect::From;
use proto::workspace::Which;
use proto::{Caller, RawPath, error::Result};

use super::task::{Common, given};
use super::{Question, absolute, from_here};
use crate::time;

/// Whose notes, and who asks. `--path` is what a note is about, so the project is that of the working directory.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Whose {
    /// The workspace, by id or name, instead of that of the working directory
    #[arg(long, short = 'w', value_name = "WORKSPACE", help_heading = "Where and who")]
    workspace: Option<String>,
    /// Your name [default: `$TO_ACTOR`, else the program that runs this]
    #[arg(long, value_name = "NAME", help_heading = "Where and who")]
    pub(crate) actor: Option<String>,
    /// Do it once however often it is asked with this id, of 1 to 64 bytes
    #[arg(long, value_name = "ID", help_heading = "Where and who")]
    request_id: Option<String>,
}

impl Whose {
    fn asks(&self, caller: &Caller, what: context::Request) -> Result<Question> {
        let at = match &self.workspace {
            Some(name) => Which::Named(name.clone()),
            None => Which::At(from_here(caller)?),
        };
        let call = Call { at, what };
        Ok(Question {
            request_id: self.request_id.clone(),
            ..Question::soon(proto::Request::Context(Box::new(call)))
        })
    }
}

/// Keep a short note about this project
#[derive(Args, Debug)]
pub(crate) struct Remember {
    /// What; `-` for standard input
    text: String,
    /// The task it belongs to
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// A word to find it by; may be given several times
    #[arg(long, short = 't', value_name = "WORD")]
    tag: Vec<String>,
    /// A file or folder it is about; may be given several times
    #[arg(long, value_name = "PATH")]
    path: Vec<PathBuf>,
    /// Show it no longer than this, as `30d` or `12h`
    #[arg(long, value_name = "DURATION", value_parser = time::duration)]
    expires: Option<Duration>,
    #[command(flatten)]
    pub(crate) whose: Whose,
}

impl Remember {
    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        let note = NewNote {
            text: given(&self.text)?,
            task: self.task.clone(),
            tags: self.tag.clone(),
            paths: paths(&self.path, caller)?,
            expires_in: self.expires.map(|expires| expires.as_secs().max(1)),
        };
        self.whose
            .asks(caller, context::Request::Remember(Box::new(note)))
    }
}

fn paths(given: &[PathBuf], caller: &Caller) -> Result<Vec<RawPath>> {
    given.iter().map(|path| absolute(path, caller)).collect()
}

/// The notes about this project: those that speak of some words, the best first, or all, the newest first
#[derive(Args, Debug)]
pub(crate) struct Recall {
    /// Words to look for
    words: Vec<String>,
    /// Only with this tag
    #[arg(long, short = 't', value_name = "WORD")]
    tag: Option<String>,
    /// Only of this task
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Only about this file, or about what is in this folder
    #[arg(long, value_name = "PATH")]
    path: Option<PathBuf>,
    /// Those that were forgotten or have expired and can still be brought back
    #[arg(long, alias = "forgotten")]
    gone: bool,
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where the page before ended: its `next_cursor`
    #[arg(long)]
    cursor: Option<String>,
    #[command(flatten)]
    pub(crate) whose: Whose,
}

impl Recall {
    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        let wanted = Wanted {
            words: self.words.join(" "),
            tag: self.tag.clone(),
            task: self.task.clone(),
            path: self
                .path
                .as_ref()
                .map(|path| absolute(path, caller))
                .transpose()?,
            gone: self.gone,
        };
        let recall = context::Request::Recall {
            wanted: Box::new(wanted),
            limit: self.limit,
            cursor: self.cursor.clone(),
        };
        self.whose.asks(caller, recall)
    }
}

/// Show a note no more; it can be brought back for 30 days
#[derive(Args, Debug)]
pub(crate) struct Forget {
    /// Its id
    #[arg(value_name = "NOTE")]
    id: String,
    /// Bring it back instead
    #[arg(long, alias = "restore")]
    undo: bool,
    #[command(flatten)]
    pub(crate) whose: Whose,
}

impl Forget {
    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        let id = self.id.clone();
        let what = match self.undo {
            true => context::Request::Restore { id },
            false => context::Request::Forget { id },
        };
        self.whose.asks(caller, what)
    }
}

/// The verbs of sessions.
#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// Begin a session, or give the one that began by itself a name and specialists
    #[command(alias = "begin")]
    Start {
        /// What you take tasks for: `next` prefers those; may be given several times
        #[arg(long, short = 's', value_name = "NAME")]
        specialist: Vec<String>,
        /// What to call it
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// End your session, or another
    #[command(alias = "stop")]
    End {
        /// Its id [default: your own]
        #[arg(value_name = "SESSION")]
        id: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Sessions, the newest first
    #[command(visible_alias = "ls")]
    List {
        /// Only those that last
        #[arg(long)]
        open: bool,
        /// At most so many
        #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Go on where the page before ended: its `next_cursor`
        #[arg(long)]
        cursor: Option<String>,
        #[command(flatten)]
        common: Common,
    },
}

impl Session {
    /// Who asks, as the words say it.
    pub(crate) fn common(&self) -> &Common {
        match self {
            Self::Start { common, .. } | Self::End { common, .. } | Self::List { common, .. } => common,
        }
    }

    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        let what = match self {
            Self::Start { specialist, name, .. } => context::Request::SessionStart {
                name: name.clone(),
                specialists: specialist.clone(),
            },
            Self::End { id, .. } => context::Request::SessionEnd { id: id.clone() },
            Self::List {
                open, limit, cursor, ..
            } => context::Request::SessionList {
                open: *open,
                limit: *limit,
                cursor: cursor.clone(),
            },
        };
        asks(self.common(), caller, what)
    }
}

/// What an agent needs at its start, or after its context was compacted
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "It always ends with exit code 0 and within its deadline: without a project, a daemon or an answer in time it \
prints nothing. Tokens are counted by an upper bound; prose takes about 40 % of it."
)]
pub(crate) struct Prime {
    /// At most so many tokens
    #[arg(long, value_name = "TOKENS", default_value_t = context::PRIME_BUDGET, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    budget: u32,
    /// Print nothing rather than take longer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    deadline: u64,
    /// As a session-start hook: never a word on standard error; with `--json` in the hook's own form
    #[arg(long)]
    pub(crate) hook: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Prime {
    pub(crate) fn limit(&self) -> Duration {
        Duration::from_millis(self.deadline)
    }

    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        let what = context::Request::Prime { budget: self.budget };
        Ok(Question {
            deadline: Some(self.limit()),
            ..asks(&self.common, caller, what)?
        })
    }
}

/// What one needs to go on with a task: role, notes, last attempt, results, state of the checkout, decisions
#[derive(Args, Debug)]
pub(crate) struct Recover {
    /// The task
    #[arg(long, value_name = "TASK")]
    task: String,
    /// At most so many tokens
    #[arg(long, value_name = "TOKENS", default_value_t = context::RECOVER_BUDGET, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    budget: u32,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Recover {
    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        let what = context::Request::Recover {
            task: self.task.clone(),
            budget: self.budget,
        };
        asks(&self.common, caller, what)
    }
}

/// The same for a person or for another vendor's agent; without a task, all that is open in the project
#[derive(Args, Debug)]
pub(crate) struct Handover {
    /// The task
    #[arg(long, value_name = "TASK")]
    pub(crate) task: Option<String>,
    /// Keep it as the artifact `handover.md` of the task (of the project, without one) and say which
    #[arg(long)]
    pub(crate) store: bool,
    /// At most so many tokens
    #[arg(long, value_name = "TOKENS", default_value_t = context::RECOVER_BUDGET, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    budget: u32,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Handover {
    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        let what = context::Request::Handover {
            task: self.task.clone(),
            budget: self.budget,
        };
        asks(&self.common, caller, what)
    }
}

/// A question about the workspace that the words name.
fn asks(common: &Common, caller: &Caller, what: context::Request) -> Result<Question> {
    let call = Call {
        at: common.at(caller)?,
        what,
    };
    Ok(Question {
        request_id: common.request_id.clone(),
        ..Question::soon(proto::Request::Context(Box::new(call)))
    })
}

/// When a session or a task of the project of a place began.
pub(crate) fn moment(at: From, of: &str) -> Question {
    let call = Call {
        at: Which::At(at),
        what: context::Request::Moment { of: of.to_owned() },
    };
    Question::soon(proto::Request::Context(Box::new(call)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::tests::{asked, wrong};

    fn here(what: context::Request) -> Result<Question> {
        let call = Call {
            at: Which::At(From::Caller),
            what,
        };
        Ok(Question::soon(proto::Request::Context(Box::new(call))))
    }

    #[test]
    fn words_of_notes_become_requests() {
        let note = NewNote {
            text: "Mind".into(),
            task: Some("t".into()),
            tags: vec!["a".into(), "b".into()],
            paths: vec!["/home/a/src".into()],
            expires_in: Some(30 * 24 * 3600),
        };
        assert_eq!(
            asked("remember Mind --task t -t a --tag b --path src --expires 30d"),
            here(context::Request::Remember(Box::new(note)))
        );
        let wanted = Wanted {
            words: "two words".into(),
            tag: Some("a".into()),
            ..Wanted::default()
        };
        assert_eq!(
            asked("recall two words --tag a -n 3"),
            here(context::Request::Recall {
                wanted: Box::new(wanted),
                limit: 3,
                cursor: None,
            })
        );
        let id = "note_1".to_owned();
        assert_eq!(
            asked("forget note_1"),
            here(context::Request::Forget { id: id.clone() })
        );
        assert_eq!(
            asked("forget note_1 --undo"),
            here(context::Request::Restore { id })
        );
        assert!(wrong("remember") && wrong("forget") && wrong("recall -n 0"));
    }
}
