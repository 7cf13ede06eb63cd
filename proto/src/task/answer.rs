//! What the daemon answers about tasks: reports, lists, and the one enum that holds them all.

use serde::{Deserialize, Serialize};

use super::{Detail, Status, Task};

/// A line of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeLine {
    /// How deep it stands, 0 at the top.
    pub depth: u32,
    /// Its id.
    #[serde(rename = "task_id")]
    pub id: String,
    /// One line.
    pub title: String,
    /// The kind of worker.
    pub specialist: String,
    /// Where it stands.
    pub status: Status,
    /// Whether it can be begun now.
    pub ready: bool,
    /// Who holds it.
    pub actor: Option<String>,
}

/// One change of one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The revision it led to.
    pub revision: u64,
    /// Nanoseconds since 1970 UTC.
    pub time: i64,
    /// Who.
    pub actor: String,
    /// `add`, `plan`, `claim`, `complete`, …
    pub op: String,
    /// The status before it; none for a new task.
    pub from: Option<Status>,
    /// The status after it.
    pub to: Status,
    /// The fields that were changed.
    pub fields: Vec<String>,
}

/// Figures of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// All, archived ones included.
    pub total: u64,
    /// By status, only those that are not zero.
    #[serde(with = "crate::pairs")]
    pub by_status: Vec<(String, u64)>,
    /// Open ones by specialist.
    #[serde(with = "crate::pairs")]
    pub by_specialist: Vec<(String, u64)>,
    /// Ready now.
    pub ready: u64,
    /// Open and waiting for something.
    pub waiting: u64,
    /// Held by somebody.
    pub claimed: u64,
    /// Seconds from begun to completed, at the median; none when none was.
    pub median_seconds: Option<u64>,
}

/// One task of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its id.
    #[serde(rename = "task_id")]
    pub id: String,
    /// One line.
    pub title: String,
    /// Where it stands.
    pub status: Status,
    /// For a done one its summary (shortened where the report would not fit), else why it is not.
    pub text: String,
}

/// What is really done and what is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synthesis {
    /// The task reported on.
    pub task: Task,
    /// Whether everything below it is completed.
    pub finished: bool,
    /// What is completed.
    pub done: Vec<Finding>,
    /// What is not.
    pub open: Vec<Finding>,
    /// How many findings did not fit.
    pub left_out: u32,
}

/// A template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How many tasks it makes.
    pub tasks: u32,
    /// The variables in it, `{{name}}`.
    pub variables: Vec<String>,
}

/// A local name and the id it became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The name in the plan.
    pub local: String,
    /// The task's id.
    pub task_id: String,
}

/// The answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To what makes or changes one task: how it is now.
    Task {
        /// The task.
        task: Box<Task>,
        /// What became ready by it.
        unblocked: Vec<String>,
        /// What was changed along with it: children cancelled or put away.
        along: Vec<String>,
        /// What the caller should know.
        warnings: Vec<String>,
    },
    /// To [`Request::Plan`](super::Request::Plan) and [`Request::Apply`](super::Request::Apply).
    Planned {
        /// The top of the tree.
        task_id: String,
        /// In the order of the plan.
        tasks: Vec<Planned>,
        /// What the caller should know.
        warnings: Vec<String>,
    },
    /// To [`Request::Import`](super::Request::Import).
    Imported {
        /// Made now: the issue's own id and the task's.
        made: Vec<Planned>,
        /// Already there.
        known: u32,
        /// Left out: which and why.
        skipped: Vec<String>,
    },
    /// To [`Request::List`](super::Request::List).
    Tasks {
        /// In the order they were made.
        tasks: Vec<Task>,
        /// Where the next page begins; none after the last.
        next_cursor: Option<String>,
    },
    /// To [`Request::Show`](super::Request::Show).
    Detail(Box<Detail>),
    /// To [`Request::Tree`](super::Request::Tree).
    Tree {
        /// Parents before their children.
        lines: Vec<TreeLine>,
        /// How many did not fit.
        left_out: u32,
    },
    /// To [`Request::Note`](super::Request::Note).
    Noted {
        /// The task.
        task_id: String,
        /// Nanoseconds since 1970 UTC.
        time: i64,
    },
    /// To a purge: what is gone.
    Purged {
        /// Their ids.
        tasks: Vec<String>,
    },
    /// To [`Request::Move`](super::Request::Move).
    Moved {
        /// What went along, the named task first.
        tasks: Vec<String>,
        /// The workspace they are in now.
        workspace: String,
    },
    /// To [`Request::History`](super::Request::History).
    History(Vec<Entry>),
    /// To [`Request::Stats`](super::Request::Stats).
    Stats(Stats),
    /// To [`Request::Synthesize`](super::Request::Synthesize).
    Synthesis(Box<Synthesis>),
    /// To [`Request::Execute`](super::Request::Execute).
    Prompt {
        /// The task.
        task: Box<Task>,
        /// The text.
        prompt: String,
        /// What was shortened to fit, each a sentence.
        shortened: Vec<String>,
    },
    /// To [`Request::Next`](super::Request::Next).
    Next {
        /// The task, held when that was asked.
        task: Box<Detail>,
        /// How many others are ready.
        others: u64,
    },
    /// To [`Request::Templates`](super::Request::Templates).
    Templates(Vec<Template>),
    /// To [`Request::Template`](super::Request::Template).
    Template {
        /// Its name.
        name: String,
        /// The text, as `task plan` takes it.
        text: String,
    },
    /// To [`Request::Move`](super::Request::Move), from a daemon that tells which artifacts went along.
    Rehomed {
        /// What went, the named task first.
        tasks: Vec<String>,
        /// The workspace they are in now.
        workspace: String,
        /// The artifacts that went with them.
        artifacts: Vec<Taken>,
    },
}

/// An artifact that went along with its task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Its id, the same as before.
    pub artifact_id: String,
    /// The task it is a result of.
    pub task_id: String,
    /// Its name; another than before where that was taken.
    pub name: String,
}
