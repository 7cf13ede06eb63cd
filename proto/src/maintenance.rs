//! `maintenance`: the audit trail, export and import, and what keeps a workspace well.

use serde::{Deserialize, Serialize};

use crate::{RawPath, workspace};

/// The most events one page of the audit trail may ask for.
pub const MAX_EVENTS: u32 = 1000;

/// What can be asked, of one workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Which workspace.
    pub at: workspace::Which,
    /// What.
    pub what: Request,
}

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
}

impl Request {
    /// Whether it changes something, so that asking twice is not asking once.
    #[must_use]
    pub fn changes(&self) -> bool {
        match self {
            Self::Audit { .. } | Self::AuditVerify => false,
        }
    }
}
