//! `maintenance`: the audit trail, export and import, and what keeps a workspace well.

use serde::{Deserialize, Serialize};

use crate::{RawPath, workspace};

/// The most events one page of the audit trail may ask for.
pub const MAX_EVENTS: u32 = 1000;

/// What can be asked, of one workspace.
pub type Call = workspace::Call<Request>;

/// Which events of the audit trail are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFilter {
    /// Only those at or after, nanoseconds since 1970 UTC.
    pub since: Option<i64>,
    /// Only those of this actor.
    pub actor: Option<String>,
    /// Only this operation, or those of a room: `task.complete`, `task`.
    pub op: Option<String>,
    /// Only those about what has this id.
    pub target: Option<String>,
}

/// One change, as the audit trail has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// From 1, without a gap within its workspace.
    pub seq: u64,
    /// Nanoseconds since 1970 UTC.
    pub time: i64,
    /// Who.
    pub actor: String,
    /// Room and word: `task.complete`.
    pub op: String,
    /// The id of what was changed.
    pub target: String,
    /// How many records were changed.
    pub count: u32,
}

/// How the mirror file stands to the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MirrorState {
    /// It says what the trail says.
    Whole,
    /// It will be written soon: the newest events are not in it yet.
    Behind,
    /// It is not there.
    Missing,
    /// It says something else, from some line on.
    Differs,
    /// It cannot be read.
    Unreadable,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// A page of the audit trail, the newest first.
    Audit {
        /// Which events.
        filter: EventFilter,
        /// At most so many, 1 to [`MAX_EVENTS`].
        limit: u32,
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    },
    /// Whether the trail and its mirror are whole.
    AuditVerify,
    /// Take over what a database of the Python MCP Task Orchestrator holds.
    Legacy {
        /// The database, or the project it belongs to, absolute.
        path: RawPath,
        /// Only say what would be done.
        dry_run: bool,
    },
    /// All of the workspace as JSON lines; they come as items.
    Export,
    /// Takes in what an export holds.
    Import {
        /// The file, absolute, links resolved.
        path: RawPath,
        /// Only say what would be done.
        dry_run: bool,
    },
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Breakdowns and subtasks.
    pub tasks: u64,
    /// That one task waits for another.
    pub dependencies: u64,
    /// Results that a record names.
    pub artifacts: u64,
    /// Decisions.
    pub decisions: u64,
    /// What was done to files.
    pub file_operations: u64,
    /// Tasks that were put away.
    pub archives: u64,
    /// Files of results that no record names.
    pub unlisted_files: u64,
}

/// What does not come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// What it is: `task`, `dependency`, `artifact`, `decision`, `file_operation`, `archive`, `unlisted_file`.
    pub what: String,
    /// Its id there.
    pub id: String,
    /// Why.
    pub why: String,
}

/// What has another id here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapped {
    /// What it is.
    pub what: String,
    /// Its id there.
    pub id: String,
    /// Its id here.
    pub to: String,
    /// Why.
    pub why: String,
}

/// A database that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegacyDatabase {
    /// Where it is.
    pub path: RawPath,
    /// The release that wrote it, as its tables tell.
    pub version: String,
}

/// What became of an old database. For every kind, what was found is what came in, was here already, or is skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Legacy {
    /// The newest release among the databases.
    pub version: String,
    /// All that were read.
    pub databases: Vec<LegacyDatabase>,
    /// Whether nothing was done.
    pub dry_run: bool,
    /// What there was.
    pub found: Counts,
    /// What came in, or would.
    pub imported: Counts,
    /// What had come in before.
    pub already_there: Counts,
    /// What did not, all of it counted.
    pub skipped_counts: Counts,
    /// The first of what did not, with the reason.
    pub skipped: Vec<Skipped>,
    /// What has another id here.
    pub mapped: Vec<Mapped>,
    /// What somebody should know, a sentence each.
    pub warnings: Vec<String>,
}

/// How many of each kind an export holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// Contents of artifacts and long rows.
    pub contents: u64,
    /// Settings and roles.
    pub files: u64,
    /// Tasks.
    pub tasks: u64,
    /// Texts, changes and notes of tasks.
    pub task_records: u64,
    /// Artifacts.
    pub artifacts: u64,
    /// Versions of artifacts.
    pub versions: u64,
    /// Decisions.
    pub decisions: u64,
    /// Notes about the project.
    pub notes: u64,
    /// Sessions that are over.
    pub sessions: u64,
    /// What came from old databases.
    pub legacy: u64,
    /// Events of the audit trail.
    pub events: u64,
}

/// What an export holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// The workspace.
    pub workspace: String,
    /// Lines of the file.
    pub lines: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// BLAKE3 of all lines but the last.
    pub digest: String,
    /// Of each kind.
    pub counts: Lines,
    /// What its owner should know.
    pub warnings: Vec<String>,
}

/// What became of an export that was to be taken in: of each kind, found is imported, already there and skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// The workspace it is in now.
    pub workspace: String,
    /// The workspace it was taken from.
    pub from: String,
    /// The name of that.
    pub from_name: String,
    /// When it was taken, nanoseconds since 1970 UTC.
    pub exported: i64,
    /// Whether nothing was done.
    pub dry_run: bool,
    /// What the file holds.
    pub found: Lines,
    /// What came in.
    pub imported: Lines,
    /// What was here before, and is the same.
    pub already_there: Lines,
    /// What was left out.
    pub skipped_counts: Lines,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
    /// What its owner should know.
    pub warnings: Vec<String>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Request::Audit`].
    Audit {
        /// The newest first.
        events: Vec<Event>,
        /// Asks for the page after this one; none at the beginning of the trail.
        next_cursor: Option<String>,
    },
    /// To [`Request::AuditVerify`].
    AuditVerified {
        /// How many events the trail has.
        events: u64,
        /// The number of the first event that is missing, changed, or not the one that was there; none for a whole
        /// trail.
        broken_at: Option<u64>,
        /// The digest of the newest event, hex; empty when there is none.
        head: String,
        /// The newest file of the mirror.
        mirror: RawPath,
        /// How it stands.
        mirror_state: MirrorState,
        /// The first line of it that says something else, from 1.
        mirror_line: Option<u64>,
    },
    /// To [`Request::Legacy`].
    Legacy(Box<Legacy>),
    /// What the lines of an export were.
    Exported(Box<Exported>),
    /// What became of the lines of an import.
    Imported(Box<Imported>),
}

impl Request {
    /// Whether it may take long, and says how far it is.
    #[must_use]
    pub fn is_long(&self) -> bool {
        matches!(self, Self::Legacy { .. } | Self::Export | Self::Import { .. })
    }

    /// Whether it changes something, so that asking twice is not asking once.
    #[must_use]
    pub fn changes(&self) -> bool {
        match self {
            Self::Audit { .. } | Self::AuditVerify | Self::Export => false,
            Self::Legacy { dry_run, .. } | Self::Import { dry_run, .. } => !dry_run,
        }
    }
}
