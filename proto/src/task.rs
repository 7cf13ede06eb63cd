//! `task` and `next`: units of work, who holds them, and what is ready.
//!
//! Nothing here is recursive: a plan travels as its text, a tree as a flat list with depths.

mod answer;
mod words;

use serde::{Deserialize, Serialize};

pub use answer::{Answer, Entry, Finding, Planned, Stats, Synthesis, Taken, Template, TreeLine};
pub use words::{Complexity, Force, NextAction, Priority, Status};

use crate::{RawPath, workspace};

/// The most bytes of a title.
pub const MAX_TITLE: usize = 500;
/// The most bytes of a description: a task with all its texts is shown in one frame.
pub const MAX_DESCRIPTION: usize = 512 << 10;
/// The most bytes of a context, a summary or a note.
pub const MAX_TEXT: usize = 128 << 10;
/// The most bytes of a plan's text: it travels in one frame.
pub const MAX_PLAN: usize = 1000 << 10;
/// The most tasks one page of a list may ask for.
pub const MAX_PAGE: u32 = 1000;

/// Where a task came from or what it led to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Link {
    /// `commit`, `branch`, `issue` or `discovered-from`.
    pub kind: String,
    /// The sha, name, address or id.
    pub to: String,
}

/// Who holds a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Their name.
    pub actor: String,
    /// Since when, nanoseconds since 1970 UTC.
    pub since: i64,
    /// When it ends unless renewed, nanoseconds since 1970 UTC: an estimate, because time in which the machine or the
    /// daemon stood still does not count.
    pub expires: i64,
}

/// A task without its long texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// `task_<8 hex>`, `<specialist>_<6 hex>` or the creator's own.
    #[serde(rename = "task_id")]
    pub id: String,
    /// One line.
    pub title: String,
    /// The kind of worker it is for.
    pub specialist: String,
    /// Where it stands.
    pub status: Status,
    /// Whether it can be begun now: open, held by nobody, waiting for nothing, and not a group of others.
    pub ready: bool,
    /// The dependencies, its own and those of the groups it is in, that are not completed.
    pub waiting_for: Vec<String>,
    /// The group it belongs to.
    pub parent: Option<String>,
    /// What must be completed first.
    pub after: Vec<String>,
    /// What comes first.
    pub priority: Priority,
    /// How involved it is.
    pub complexity: Option<Complexity>,
    /// What its creator thinks it takes, in their words.
    pub effort: Option<String>,
    /// Free words, sorted.
    pub labels: Vec<String>,
    /// The name of its creator.
    pub created_by: String,
    /// Nanoseconds since 1970 UTC.
    pub created: i64,
    /// Of the last change, nanoseconds since 1970 UTC.
    pub updated: i64,
    /// When it was first begun, nanoseconds since 1970 UTC.
    pub started: Option<i64>,
    /// When it was completed, failed or cancelled, nanoseconds since 1970 UTC.
    pub finished: Option<i64>,
    /// Who holds it.
    pub claim: Option<Claim>,
    /// How many leases on it have expired.
    pub attempts: u32,
    /// Grows by one with every change.
    pub revision: u64,
    /// Why it is blocked, failed, cancelled or returned.
    pub reason: Option<String>,
    /// Its children.
    pub children: u32,
    /// Those of them that are open.
    pub open_children: u32,
}

/// A remark on a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Nanoseconds since 1970 UTC.
    pub time: i64,
    /// Who wrote it.
    pub actor: String,
    /// Whom it is for.
    pub to: Option<String>,
    /// What it says.
    pub text: String,
}

/// A task with its texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The rest of it.
    pub task: Task,
    /// What is to be done.
    pub description: String,
    /// What one needs to know for it.
    pub context: String,
    /// What was done.
    pub summary: String,
    /// Where it came from and what it led to.
    pub links: Vec<Link>,
    /// The checkout it was made in, when the workspace has several.
    pub tree: Option<RawPath>,
    /// The newest notes, oldest of them first.
    pub notes: Vec<Note>,
    /// How many older notes there are.
    pub older_notes: u32,
    /// Its children, in the order they were made.
    pub children: Vec<String>,
    /// The tasks that wait for it.
    pub blocks: Vec<String>,
}

/// What a new task is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTask {
    /// The creator's own id; none for a generated one.
    pub id: Option<String>,
    /// One line.
    pub title: String,
    /// What is to be done.
    pub description: String,
    /// What one needs to know for it.
    pub context: String,
    /// The kind of worker; none for `generic`.
    pub specialist: Option<String>,
    /// The group.
    pub parent: Option<String>,
    /// What must be completed first.
    pub after: Vec<String>,
    /// What comes first.
    pub priority: Priority,
    /// How involved it is.
    pub complexity: Option<Complexity>,
    /// What it takes, in words.
    pub effort: Option<String>,
    /// Free words.
    pub labels: Vec<String>,
    /// Where it comes from.
    pub links: Vec<Link>,
}

/// Changed fields of a task; what is none stays. An empty text clears the field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// One line.
    pub title: Option<String>,
    /// What is to be done.
    pub description: Option<String>,
    /// What one needs to know for it.
    pub context: Option<String>,
    /// What was done.
    pub summary: Option<String>,
    /// The kind of worker.
    pub specialist: Option<String>,
    /// The group; the inner none takes it out of one.
    pub parent: Option<Option<String>>,
    /// Dependencies to add.
    pub add_after: Vec<String>,
    /// Dependencies to take away.
    pub remove_after: Vec<String>,
    /// What comes first.
    pub priority: Option<Priority>,
    /// How involved it is; the inner none clears it.
    pub complexity: Option<Option<Complexity>>,
    /// What it takes, in words.
    pub effort: Option<String>,
    /// Labels to add.
    pub add_labels: Vec<String>,
    /// Labels to take away.
    pub remove_labels: Vec<String>,
    /// Links to add.
    pub add_links: Vec<Link>,
}

/// What is done to one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Change fields.
    Update(Box<Edit>),
    /// Begin it and hold it.
    Start(Force),
    /// Give a claim back without a result.
    Release,
    /// End it with a result.
    Complete {
        /// What was done.
        summary: String,
        /// What that leads to.
        next_action: NextAction,
        /// Although another holds it, or it waits for something.
        force: Force,
    },
    /// It cannot go on.
    Block {
        /// Why.
        reason: String,
    },
    /// It is impossible.
    Fail {
        /// Why.
        reason: String,
        /// Although another holds it.
        force: Force,
    },
    /// It is not wanted any more. Its open children are cancelled with it.
    Cancel {
        /// Why.
        reason: String,
    },
    /// Back to pending, also from the archive.
    Reopen,
    /// Put it and its children away.
    Delete,
    /// Remove what has been put away, with its history, for good.
    Purge,
    /// Take back its last change.
    Undo,
}

/// Which tasks a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Only these; none for the open ones.
    pub status: Vec<Status>,
    /// Also what is closed and put away.
    pub all: bool,
    /// Only what is ready.
    pub ready: bool,
    /// Only what is open and waits for something.
    pub waiting: bool,
    /// Only for this specialist.
    pub specialist: Option<String>,
    /// Only the children of this task.
    pub parent: Option<String>,
    /// Only with this label.
    pub label: Option<String>,
    /// Only where title, description, id or labels hold these words, in any case.
    pub text: Option<String>,
    /// Only what this actor holds or made.
    pub actor: Option<String>,
    /// Only what was last changed before, nanoseconds since 1970 UTC.
    pub changed_before: Option<i64>,
    /// Only what was last changed at or after, nanoseconds since 1970 UTC.
    pub changed_since: Option<i64>,
}

/// What can be asked, of one workspace.
pub type Call = workspace::Call<Request>;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Make one.
    Add(Box<NewTask>),
    /// Make a whole tree in one transaction.
    Plan {
        /// JSON or YAML.
        text: String,
    },
    /// Make tasks from issues of a tracker, known ones left as they are.
    Import {
        /// JSON: a list, or one object a line.
        text: String,
    },
    /// A page of tasks in the order they were made.
    List {
        /// Which.
        filter: Box<Filter>,
        /// At most so many, 1 to [`MAX_PAGE`].
        limit: u32,
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    },
    /// One task with its texts.
    Show {
        /// Its id.
        id: String,
    },
    /// A task and all below it, or all trees.
    Tree {
        /// The top; none for all trees.
        root: Option<String>,
        /// Also what is closed.
        all: bool,
    },
    /// Do something to one task.
    Change {
        /// Its id.
        id: String,
        /// The revision the caller has seen: another one is a conflict.
        if_revision: Option<u64>,
        /// What.
        verb: Verb,
    },
    /// Leave a remark.
    Note {
        /// The task.
        id: String,
        /// What it says.
        text: String,
        /// Whom it is for.
        to: Option<String>,
    },
    /// Take a task and all below it to another workspace.
    Move {
        /// Its id.
        id: String,
        /// The revision the caller has seen: another one is a conflict.
        if_revision: Option<u64>,
        /// Where.
        to: workspace::Which,
    },
    /// The changes of one task, newest first.
    History {
        /// Its id.
        id: String,
        /// At most so many, 1 to [`MAX_PAGE`].
        limit: u32,
    },
    /// Figures.
    Stats,
    /// What below a task is really done and what is not.
    Synthesize {
        /// Its id.
        id: String,
    },
    /// What a worker needs to do a task: role, task, results of what it depends on.
    Execute {
        /// Its id.
        id: String,
        /// At most so many bytes of text.
        budget: u32,
    },
    /// The best ready task.
    Next {
        /// Only for one of these specialists; none for any.
        specialists: Vec<String>,
        /// Hold it in the same step.
        claim: bool,
    },
    /// The plans that come with the program.
    Templates,
    /// The text of one of them.
    Template {
        /// Its name.
        name: String,
    },
    /// Make the tasks of one of them.
    Apply {
        /// Its name.
        name: String,
        /// What is being built, fixed or researched: the title of the tree.
        title: String,
        /// Values for the template's variables.
        values: Vec<(String, String)>,
    },
}

impl Request {
    /// Whether it changes something.
    #[must_use]
    pub fn changes(&self) -> bool {
        match self {
            Self::Add(_)
            | Self::Plan { .. }
            | Self::Import { .. }
            | Self::Change { .. }
            | Self::Note { .. }
            | Self::Move { .. }
            | Self::Apply { .. } => true,
            Self::Next { claim, .. } => *claim,
            Self::List { .. }
            | Self::Show { .. }
            | Self::Tree { .. }
            | Self::History { .. }
            | Self::Stats
            | Self::Synthesize { .. }
            | Self::Execute { .. }
            | Self::Templates
            | Self::Template { .. } => false,
        }
    }
}
