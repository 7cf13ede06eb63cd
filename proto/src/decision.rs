//! `decision`: architectural decision records, numbered per workspace.
//!
//! What a decision says is never changed: it is accepted or rejected, gets outcomes, and later decisions are linked to it.

mod words;

use serde::{Deserialize, Serialize};

pub use words::{Category, Impact, MirrorState, Op, Relation, Status};

use crate::{RawPath, workspace};

/// The most bytes of a title.
pub const MAX_TITLE: usize = 200;
/// The most bytes of one text of a decision.
pub const MAX_TEXT: usize = 64 << 10;
/// The most bytes of a whole decision: it is shown in one frame.
pub const MAX_DECISION: usize = 512 << 10;
/// The most entries of one list in a decision.
pub const MAX_LIST: usize = 200;
/// The most decisions one page may ask for.
pub const MAX_PAGE: u32 = 1000;
/// The most paths one question may ask for.
pub const MAX_PATHS: usize = 1000;

/// What else could have been decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alternative {
    /// In one line.
    pub name: String,
    /// What speaks for it.
    pub pros: Vec<String>,
    /// What speaks against it.
    pub cons: Vec<String>,
}

/// What a new decision says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// One line.
    pub title: Option<String>,
    /// What is decided.
    pub decision: Option<String>,
    /// Why.
    pub rationale: Option<String>,
    /// What made a decision necessary.
    pub context: Option<String>,
    /// What it is about; none for architecture.
    pub category: Option<Category>,
    /// How far it reaches; none for medium.
    pub impact: Option<Impact>,
    /// What else could have been decided.
    pub alternatives: Vec<Alternative>,
    /// What follows.
    pub consequences: Vec<String>,
    /// What may go wrong.
    pub risks: Vec<String>,
    /// Files, folders and globs it is about: absolute, or from the root of the project.
    pub paths: Vec<RawPath>,
    /// Parts of the system it is about.
    pub components: Vec<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The task it was made for.
    pub task: Option<String>,
    /// Whether it holds at once, without being accepted later.
    pub accepted: bool,
}

/// A decision in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// From 1, without a gap within its workspace.
    pub number: u64,
    /// `dec_<8 hex>`, or what an imported one had.
    pub id: String,
    /// One line.
    pub title: String,
    /// Where it stands.
    pub status: Status,
    /// Whether it is to be followed: neither rejected nor replaced nor taken back.
    pub in_force: bool,
    /// What it is about.
    pub category: Category,
    /// How far it reaches.
    pub impact: Impact,
    /// The beginning of what is decided, in one line.
    pub gist: String,
    /// Files, folders and globs from the root of the project.
    pub paths: Vec<String>,
    /// Parts of the system.
    pub components: Vec<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The task it was made for.
    pub task: Option<String>,
    /// Who recorded it.
    pub actor: String,
    /// When it was recorded, nanoseconds since 1970 UTC.
    pub created: i64,
    /// Of the last thing added, nanoseconds since 1970 UTC.
    pub updated: i64,
    /// Grows by one with everything added.
    pub revision: u64,
    /// Other decisions it has to do with.
    pub links: Vec<Link>,
}

/// What a decision has to do with another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What this one does to the other, or the other to this one.
    pub relation: Relation,
    /// The other.
    pub number: u64,
}

/// Something that happened to a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Nanoseconds since 1970 UTC.
    pub time: i64,
    /// Who.
    pub actor: String,
    /// What.
    pub op: Op,
    /// The outcome, or the reason.
    pub text: String,
}

/// A decision with its texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The rest of it.
    pub brief: Decision,
    /// What made a decision necessary.
    pub context: String,
    /// What is decided.
    pub decision: String,
    /// Why.
    pub rationale: String,
    /// What else could have been decided.
    pub alternatives: Vec<Alternative>,
    /// What follows.
    pub consequences: Vec<String>,
    /// What may go wrong.
    pub risks: Vec<String>,
    /// What happened to it, oldest first.
    pub history: Vec<Event>,
    /// Its file in the project, absolute.
    pub file: RawPath,
    /// How that file is.
    pub file_state: MirrorState,
}

/// A decision that a search found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// The decision.
    pub decision: Decision,
    /// How well it fits, in thousandths: comparable within one answer only.
    pub score: u64,
    /// The words of the search that it holds.
    pub matched: Vec<String>,
}

/// A decision's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirror {
    /// The decision; none for a file that is nobody's.
    pub number: Option<u64>,
    /// The file's name.
    pub name: RawPath,
    /// How it is.
    pub state: MirrorState,
}

/// Which decisions a list or a search shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Only about this.
    pub category: Option<Category>,
    /// Only of this reach.
    pub impact: Option<Impact>,
    /// Only these; none for all.
    pub status: Vec<Status>,
    /// Only what is to be followed.
    pub in_force: bool,
    /// Only what is about this path.
    pub path: Option<RawPath>,
    /// Only with this word.
    pub tag: Option<String>,
    /// Only about this part of the system.
    pub component: Option<String>,
    /// Only made for this task.
    pub task: Option<String>,
}

/// What is added to a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// It holds.
    Accept,
    /// It does not.
    Reject {
        /// Why.
        reason: String,
    },
    /// What came of it.
    Outcome {
        /// In words.
        text: String,
    },
}

/// What can be asked, of one workspace.
pub type Call = workspace::Call<Request>;

/// What can be asked. A decision is named by its number (`7`, `0007`) or its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Record a new one.
    Record {
        /// What it says.
        draft: Box<Draft>,
        /// The same as JSON or YAML, for the fields that the draft leaves open.
        document: Option<String>,
        /// What it does to an older one.
        link: Option<(Relation, String)>,
    },
    /// Add something to one.
    Change {
        /// Which.
        which: String,
        /// The revision the caller has seen: another one is a conflict.
        if_revision: Option<u64>,
        /// What.
        verb: Verb,
    },
    /// A page, newest first.
    List {
        /// Which.
        filter: Box<Filter>,
        /// At most so many, 1 to [`MAX_PAGE`].
        limit: u32,
        /// The `next_cursor` of the page before.
        cursor: Option<u64>,
    },
    /// One with its texts.
    Show {
        /// Which.
        which: String,
    },
    /// Those that fit words best, the best first.
    Search {
        /// The words.
        words: String,
        /// Of which.
        filter: Box<Filter>,
        /// At most so many, 1 to [`MAX_PAGE`].
        limit: u32,
    },
    /// Those to be followed for some paths, newest first.
    For {
        /// Files or folders: absolute, or from the root of the project.
        paths: Vec<RawPath>,
    },
    /// How the files of the decisions are.
    Files {
        /// Write those that are missing or behind; what was changed by hand stays as it is.
        write: bool,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To what records or changes one.
    Decision {
        /// As it is now.
        decision: Box<Decision>,
        /// Its file, absolute.
        file: RawPath,
        /// What the caller should know, a sentence each.
        warnings: Vec<String>,
    },
    /// To [`Request::Show`].
    Detail(Box<Detail>),
    /// To [`Request::List`] and [`Request::For`].
    Decisions {
        /// A page of them.
        decisions: Vec<Decision>,
        /// Where the next page begins.
        next_cursor: Option<u64>,
    },
    /// To [`Request::Search`].
    Hits(Vec<Hit>),
    /// To [`Request::Files`].
    Files {
        /// The folder, absolute.
        folder: RawPath,
        /// One for each decision, then what else lies there.
        files: Vec<Mirror>,
        /// How many were written.
        written: u64,
        /// What could not be written, a sentence each.
        warnings: Vec<String>,
    },
}

impl Request {
    /// Whether it changes something, so that asking twice is not asking once.
    #[must_use]
    pub fn changes(&self) -> bool {
        match self {
            Self::Record { .. } | Self::Change { .. } => true,
            Self::Files { write } => *write,
            Self::List { .. } | Self::Show { .. } | Self::Search { .. } | Self::For { .. } => false,
        }
    }
}
