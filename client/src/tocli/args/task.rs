//! The words of `tocli task` and `tocli next`.

pub(crate) mod fields;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use proto::task::{self, Call, Force, MAX_PLAN, Verb};
use proto::workspace::Which;
use proto::{Caller, error::Result};

use super::{Question, Where};
pub(super) use fields::given;
use fields::{Changes, Narrow, New, Next, text_of};

/// What every verb takes.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Common {
    #[command(flatten)]
    at: Where,
    /// The workspace, by id or name, instead of that of the working directory
    #[arg(
        long,
        short = 'w',
        value_name = "WORKSPACE",
        conflicts_with = "path",
        help_heading = "Where and who"
    )]
    workspace: Option<String>,
    /// Your name [default: `$TO_ACTOR`, else the program that runs this]
    #[arg(long, value_name = "NAME", help_heading = "Where and who")]
    pub(crate) actor: Option<String>,
    /// Do it once however often it is asked with this id, of 1 to 64 bytes
    #[arg(long, value_name = "ID", help_heading = "Where and who")]
    pub(crate) request_id: Option<String>,
}

impl Common {
    pub(crate) fn at(&self, caller: &Caller) -> Result<Which> {
        match &self.workspace {
            Some(name) => Ok(Which::Named(name.clone())),
            None => self.at.from(caller).map(Which::At),
        }
    }
}

/// One task.
#[derive(Args, Debug)]
pub(crate) struct One {
    /// Its id
    #[arg(id = "task-id", value_name = "TASK")]
    id: String,
    #[command(flatten)]
    common: Common,
}

/// One task that is changed.
#[derive(Args, Debug)]
pub(crate) struct Changed {
    /// Its id
    #[arg(id = "task-id", value_name = "TASK")]
    id: String,
    /// Only if it is still at this revision
    #[arg(long, value_name = "N")]
    if_revision: Option<u64>,
    #[command(flatten)]
    common: Common,
}

/// Whether a refusal is overruled.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Forced {
    /// Although it is not ready, or another holds it
    #[arg(long)]
    force: bool,
}

impl From<Forced> for Force {
    fn from(forced: Forced) -> Self {
        if forced.force { Self::Yes } else { Self::No }
    }
}

/// A task that is completed with its results: the request as it is without them, and their files.
pub(crate) type WithResults<'a> = (proto::artifact::Request, &'a [PathBuf]);

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Words {
    /// Make a task
    #[command(alias = "create", alias = "new")]
    Add(Box<New>),
    /// Make a whole tree of tasks in one transaction, from JSON or YAML
    Plan {
        /// The plan; `-` for standard input
        #[arg(long, short = 'f', value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Make tasks from a tracker's issues, as JSON; known ones stay as they are
    Import {
        /// The issues; `-` for standard input
        file: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// Tasks in the order they were made, the open ones unless asked otherwise
    #[command(visible_alias = "ls")]
    List(Box<Narrow>),
    /// One task with its texts, notes and claim
    #[command(alias = "info", alias = "get")]
    Show(One),
    /// Tasks below each other
    Tree {
        /// The top [default: all trees with something open]
        #[arg(id = "task-id", value_name = "TASK")]
        root: Option<String>,
        /// Also what is closed
        #[arg(long, short)]
        all: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Change fields of a task
    #[command(alias = "edit", alias = "set")]
    Update(Box<Changes>),
    /// Begin a task and hold it
    #[command(alias = "claim")]
    Start {
        #[command(flatten)]
        task: Changed,
        #[command(flatten)]
        force: Forced,
    },
    /// Give a claim back
    #[command(alias = "unclaim")]
    Release(Changed),
    /// Leave a remark on a task
    #[command(alias = "comment")]
    Note {
        /// The task's id
        #[arg(id = "task-id", value_name = "TASK")]
        id: String,
        /// What it says; `-` for standard input
        text: String,
        /// Whom it is for
        #[arg(long, value_name = "ACTOR")]
        to: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// End a task with its result
    #[command(alias = "done", alias = "finish", alias = "close")]
    Complete {
        #[command(flatten)]
        task: Changed,
        /// What was done; `-` for standard input
        #[arg(long, short, default_value = "")]
        summary: String,
        /// What that leads to
        #[arg(long, value_enum, default_value = "continue")]
        next_action: Next,
        /// Keep this file as a result of it, in the same transaction; may be given several times
        #[arg(long = "artifact", value_name = "FILE")]
        artifacts: Vec<PathBuf>,
        #[command(flatten)]
        force: Forced,
    },
    /// Say that a task cannot go on
    Block {
        #[command(flatten)]
        task: Changed,
        /// Why
        #[arg(long, short)]
        reason: String,
    },
    /// Say that a task is impossible
    Fail {
        #[command(flatten)]
        task: Changed,
        /// Why
        #[arg(long, short, default_value = "")]
        reason: String,
        #[command(flatten)]
        force: Forced,
    },
    /// Say that a task, with what is open below it, is not wanted any more
    Cancel {
        #[command(flatten)]
        task: Changed,
        /// Why
        #[arg(long, short, default_value = "")]
        reason: String,
    },
    /// Make a closed, blocked or deleted task pending again
    #[command(alias = "restore", alias = "unblock")]
    Reopen(Changed),
    /// Take a task, all below it and their artifacts to another workspace
    #[command(visible_alias = "mv")]
    Move {
        #[command(flatten)]
        task: Changed,
        /// Where: a workspace's id or name
        #[arg(long, value_name = "WORKSPACE")]
        to: String,
    },
    /// Put a task and all below it away; `reopen` and `undo` bring it back
    #[command(alias = "rm", alias = "remove", alias = "archive")]
    Delete {
        #[command(flatten)]
        task: Changed,
        /// Remove for good what has been put away before
        #[arg(long)]
        purge: bool,
    },
    /// The changes of a task, the newest first
    #[command(alias = "log")]
    History {
        #[command(flatten)]
        task: One,
        /// At most so many
        #[arg(long, short = 'n', default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Take the last change of a task back; a second time brings it again, as an undo is a change too
    Undo(Changed),
    /// How many tasks there are, by status and specialist
    Stats {
        #[command(flatten)]
        common: Common,
    },
    /// What below a task is really done, and what is not
    #[command(alias = "report")]
    Synthesize(One),
    /// What a worker needs to do a task: its role, the task, the results of what it depends on
    #[command(alias = "prompt")]
    Execute {
        #[command(flatten)]
        task: One,
        /// At most so many bytes
        #[arg(long, default_value_t = 32 << 10, value_name = "BYTES")]
        budget: u32,
    },
    /// Plans that come with the program
    #[command(subcommand, alias = "templates")]
    Template(Template),
}

/// The verbs of `task template`.
#[derive(Debug, Subcommand)]
pub(crate) enum Template {
    /// All of them
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        common: Common,
    },
    /// The text of one, as `task plan` takes it
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        common: Common,
    },
    /// Make the tasks of one
    Apply {
        /// Its name
        name: String,
        /// What is being built, fixed or researched
        title: String,
        /// A value for a variable of the template
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = fields::pair)]
        values: Vec<(String, String)>,
        #[command(flatten)]
        common: Common,
    },
}

/// The best task that is ready
#[derive(Args, Debug)]
pub(crate) struct NextWords {
    /// Hold the task in the same step
    #[arg(long, short)]
    claim: bool,
    /// Only for this specialist; may be given several times
    #[arg(long, short = 's', value_name = "NAME")]
    specialist: Vec<String>,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl NextWords {
    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        let next = task::Request::Next {
            specialists: self.specialist.clone(),
            claim: self.claim,
        };
        asked(&self.common, caller, next)
    }
}

fn asked(common: &Common, caller: &Caller, what: task::Request) -> Result<Question> {
    let call = Call {
        at: common.at(caller)?,
        what,
    };
    let question = Question::soon(proto::Request::Task(Box::new(call)));
    Ok(Question {
        request_id: common.request_id.clone(),
        ..question
    })
}

impl Changed {
    fn asks(&self, verb: Verb) -> (&Common, task::Request) {
        let change = task::Request::Change {
            id: self.id.clone(),
            if_revision: self.if_revision,
            verb,
        };
        (&self.common, change)
    }
}

impl Words {
    /// Who asks, as the words say it.
    pub(crate) fn common(&self) -> &Common {
        match self {
            Self::Add(new) => &new.common,
            Self::List(narrow) => &narrow.common,
            Self::Update(changes) => &changes.task.common,
            Self::Plan { common, .. }
            | Self::Import { common, .. }
            | Self::Tree { common, .. }
            | Self::Note { common, .. }
            | Self::Stats { common } => common,
            Self::Show(task)
            | Self::Synthesize(task)
            | Self::History { task, .. }
            | Self::Execute { task, .. } => &task.common,
            Self::Start { task, .. }
            | Self::Release(task)
            | Self::Complete { task, .. }
            | Self::Block { task, .. }
            | Self::Fail { task, .. }
            | Self::Cancel { task, .. }
            | Self::Reopen(task)
            | Self::Move { task, .. }
            | Self::Delete { task, .. }
            | Self::Undo(task) => &task.common,
            Self::Template(
                Template::List { common } | Template::Show { common, .. } | Template::Apply { common, .. },
            ) => common,
        }
    }

    /// A task that is to be completed with its results.
    pub(crate) fn with_results(&self) -> Result<Option<WithResults<'_>>> {
        match self {
            Self::Complete {
                task,
                summary,
                next_action,
                artifacts,
                force,
            } if !artifacts.is_empty() => {
                let request = proto::artifact::Request::Complete {
                    id: task.id.clone(),
                    if_revision: task.if_revision,
                    summary: fields::given(summary)?,
                    next_action: (*next_action).into(),
                    force: (*force).into(),
                    drafts: Vec::new(),
                };
                Ok(Some((request, artifacts)))
            }
            _ => Ok(None),
        }
    }

    /// The fields that a list is to show.
    pub(crate) fn fields(&self) -> &[String] {
        match self {
            Self::List(narrow) => &narrow.fields,
            _ => &[],
        }
    }

    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        asked(self.common(), caller, self.request()?)
    }

    fn request(&self) -> Result<task::Request> {
        Ok(match self {
            Self::Add(new) => task::Request::Add(Box::new(new.task()?)),
            Self::Plan { file, .. } => task::Request::Plan {
                text: text_of(file, MAX_PLAN)?,
            },
            Self::Import { file, .. } => task::Request::Import {
                text: text_of(file, MAX_PLAN)?,
            },
            Self::List(narrow) => narrow.request(),
            Self::Show(task) => task::Request::Show { id: task.id.clone() },
            Self::Tree { root, all, .. } => task::Request::Tree {
                root: root.clone(),
                all: *all,
            },
            Self::Note { id, text, to, .. } => task::Request::Note {
                id: id.clone(),
                text: fields::given(text)?,
                to: to.clone(),
            },
            Self::Move { task, to } => task::Request::Move {
                id: task.id.clone(),
                if_revision: task.if_revision,
                to: Which::Named(to.clone()),
            },
            Self::History { task, limit } => task::Request::History {
                id: task.id.clone(),
                limit: *limit,
            },
            Self::Stats { .. } => task::Request::Stats,
            Self::Synthesize(task) => task::Request::Synthesize { id: task.id.clone() },
            Self::Execute { task, budget } => task::Request::Execute {
                id: task.id.clone(),
                budget: *budget,
            },
            Self::Template(Template::List { .. }) => task::Request::Templates,
            Self::Template(Template::Show { name, .. }) => task::Request::Template { name: name.clone() },
            Self::Template(Template::Apply {
                name, title, values, ..
            }) => task::Request::Apply {
                name: name.clone(),
                title: title.clone(),
                values: values.clone(),
            },
            verb => return verb.change(),
        })
    }

    /// The verbs that change one task: `task::Request::Change`.
    fn change(&self) -> Result<task::Request> {
        let (_, request) = match self {
            Self::Update(changes) => changes.task.asks(Verb::Update(Box::new(changes.edit()?))),
            Self::Start { task, force } => task.asks(Verb::Start((*force).into())),
            Self::Release(task) => task.asks(Verb::Release),
            Self::Complete {
                task,
                summary,
                next_action,
                force,
                ..
            } => task.asks(Verb::Complete {
                summary: fields::given(summary)?,
                next_action: (*next_action).into(),
                force: (*force).into(),
            }),
            Self::Block { task, reason } => task.asks(Verb::Block {
                reason: reason.clone(),
            }),
            Self::Fail { task, reason, force } => task.asks(Verb::Fail {
                reason: reason.clone(),
                force: (*force).into(),
            }),
            Self::Cancel { task, reason } => task.asks(Verb::Cancel {
                reason: reason.clone(),
            }),
            Self::Reopen(task) => task.asks(Verb::Reopen),
            Self::Delete { task, purge: false } => task.asks(Verb::Delete),
            Self::Delete { task, purge: true } => task.asks(Verb::Purge),
            Self::Undo(task) => task.asks(Verb::Undo),
            _ => return Err(proto::Error::bug("a verb that nobody turned into a request")),
        };
        Ok(request)
    }
}

#[cfg(test)]
mod tests;
