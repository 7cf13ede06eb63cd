//! `context`: sessions, notes, and what an agent needs to get back into its work.

use serde::{Deserialize, Serialize};

use crate::{RawPath, workspace};

/// The most bytes of a note's text: what is longer is an artifact.
pub const MAX_NOTE: usize = 4 << 10;
/// The most tags of a note.
pub const MAX_TAGS: usize = 16;
/// The most bytes of a tag.
pub const MAX_TAG: usize = 64;
/// The most paths of a note.
pub const MAX_PATHS: usize = 16;
/// The most characters of what `prime` prints: readers of hooks cut what is longer than 10,000.
pub const MAX_PRIME: usize = 9_500;
/// The tokens that `prime` may take unless it is told otherwise.
pub const PRIME_BUDGET: u32 = 2_500;
/// The tokens that `context` and `handover` may take unless they are told otherwise.
pub const RECOVER_BUDGET: u32 = 12_000;
/// The most notes or sessions that one page may ask for.
pub const MAX_PAGE: u32 = 1000;

/// Something to remember.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewNote {
    /// What.
    pub text: String,
    /// The task it belongs to.
    pub task: Option<String>,
    /// Free words.
    pub tags: Vec<String>,
    /// The files or folders it is about, absolute.
    pub paths: Vec<RawPath>,
    /// It is not shown any more after so many seconds.
    pub expires_in: Option<u64>,
}

/// Something that was remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// `note_<number>`, counted within its workspace.
    #[serde(rename = "note_id")]
    pub id: String,
    /// What.
    pub text: String,
    /// Who said so.
    pub actor: String,
    /// When, nanoseconds since 1970 UTC.
    pub time: i64,
    /// The task it belongs to.
    pub task: Option<String>,
    /// Free words, sorted.
    pub tags: Vec<String>,
    /// The files or folders it is about, relative to the root of the checkout.
    pub paths: Vec<RawPath>,
    /// When it is not shown any more, nanoseconds since 1970 UTC.
    pub expires: Option<i64>,
    /// When it was forgotten, nanoseconds since 1970 UTC.
    pub forgotten: Option<i64>,
}

/// Which notes are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Those that speak of these words, the best match first; without words the newest first.
    pub words: String,
    /// Only with this tag.
    pub tag: Option<String>,
    /// Only of this task.
    pub task: Option<String>,
    /// Only about this file, or about what is in this folder; absolute.
    pub path: Option<RawPath>,
    /// Those that were forgotten or have expired, in place of those in force.
    pub gone: bool,
}

/// How a session began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begun {
    /// With the actor's first call.
    Itself,
    /// By `session start`.
    Said,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// By `session end`, or by the start of another.
    Said,
    /// Nobody called for half an hour.
    Silence,
}

/// One stretch of an actor's work in a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// `session_<8 hex>`.
    #[serde(rename = "session_id")]
    pub id: String,
    /// Whose.
    pub actor: String,
    /// What it was called.
    pub name: Option<String>,
    /// What `next` takes tasks for first.
    pub specialists: Vec<String>,
    /// How it began.
    pub begun: Begun,
    /// Nanoseconds since 1970 UTC.
    pub started: i64,
    /// Of the last call, nanoseconds since 1970 UTC.
    pub seen: i64,
    /// When it ended, nanoseconds since 1970 UTC; none while it lasts.
    pub ended: Option<i64>,
    /// How it ended.
    pub by: Option<Ended>,
    /// The checkout of its first call.
    pub tree: Option<RawPath>,
}

/// What has a beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// A session.
    Session,
    /// A task.
    Task,
}

/// What can be asked, of one workspace.
pub type Call = workspace::Call<Request>;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Keep a short note.
    Remember(Box<NewNote>),
    /// A page of notes.
    Recall {
        /// Which.
        wanted: Box<Wanted>,
        /// At most so many, 1 to [`MAX_PAGE`].
        limit: u32,
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    },
    /// Show a note no more; it can be brought back for a while.
    Forget {
        /// Its id.
        id: String,
    },
    /// Bring a forgotten note back.
    Restore {
        /// Its id.
        id: String,
    },
    /// Begin a session, or give the one that began by itself a name and specialists.
    SessionStart {
        /// What to call it.
        name: Option<String>,
        /// What `next` is to take tasks for first.
        specialists: Vec<String>,
    },
    /// End one.
    SessionEnd {
        /// Its id; none for the caller's own.
        id: Option<String>,
    },
    /// A page of sessions, the newest first.
    SessionList {
        /// Only those that last.
        open: bool,
        /// At most so many, 1 to [`MAX_PAGE`].
        limit: u32,
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    },
    /// When a session or a task began.
    Moment {
        /// Its id.
        of: String,
    },
    /// What an agent needs at its start or after a compaction.
    Prime {
        /// At most so many tokens.
        budget: u32,
    },
    /// What one needs to go on with a task.
    Recover {
        /// The task.
        task: String,
        /// At most so many tokens.
        budget: u32,
    },
    /// The same for a person or another agent; without a task for the whole project.
    Handover {
        /// The task; none for all that is open.
        task: Option<String>,
        /// At most so many tokens.
        budget: u32,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To every request about one note.
    Note {
        /// As it is now.
        note: Box<Note>,
        /// Until when a forgotten note can be brought back, nanoseconds since 1970 UTC.
        restorable_until: Option<i64>,
        /// What its owner should know of the workspace, a sentence each.
        warnings: Vec<String>,
    },
    /// To [`Request::Recall`].
    Notes {
        /// A page.
        notes: Vec<Note>,
        /// Asks for the next page; none after the last.
        next_cursor: Option<String>,
    },
    /// To every request about one session.
    Session {
        /// As it is now.
        session: Box<Session>,
        /// What its owner should know of the workspace, a sentence each.
        warnings: Vec<String>,
    },
    /// To [`Request::SessionList`].
    Sessions {
        /// A page.
        sessions: Vec<Session>,
        /// Asks for the next page; none after the last.
        next_cursor: Option<String>,
    },
    /// To [`Request::Moment`].
    Moment {
        /// What was found under that id.
        of: Of,
        /// Nanoseconds since 1970 UTC.
        time: i64,
    },
    /// To [`Request::Prime`], [`Request::Recover`] and [`Request::Handover`].
    Text {
        /// The text; empty outside of a project.
        text: String,
        /// At most so many tokens are in it.
        tokens_at_most: u32,
        /// What did not fit: section and lines.
        left_out: Vec<(String, u32)>,
        /// The root of the checkout; none outside of a project.
        root: Option<RawPath>,
    },
}

impl Request {
    /// Whether it changes something, so that asking twice is not asking once.
    #[must_use]
    pub fn changes(&self) -> bool {
        match self {
            Self::Remember(_)
            | Self::Forget { .. }
            | Self::Restore { .. }
            | Self::SessionStart { .. }
            | Self::SessionEnd { .. } => true,
            Self::Recall { .. }
            | Self::SessionList { .. }
            | Self::Moment { .. }
            | Self::Prime { .. }
            | Self::Recover { .. }
            | Self::Handover { .. } => false,
        }
    }
}
