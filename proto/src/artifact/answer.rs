//! What is answered about artifacts.

use serde::{Deserialize, Serialize};

use super::Type;
use crate::{RawPath, task};

/// How the file in the project is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Copy {
    /// As it was stored.
    #[default]
    Good,
    /// Being put there.
    Placing,
    /// Changed by hand.
    Modified,
    /// Not there.
    Missing,
    /// Put away, so that it has none.
    None,
}

impl Copy {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Placing => "placing",
            Self::Modified => "modified",
            Self::Missing => "missing",
            Self::None => "none",
        }
    }
}

/// An artifact, as its newest version has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// `art_<8 hex>`, or the id it came with.
    #[serde(rename = "artifact_id")]
    pub id: String,
    /// The task it is a result of; none for one of the workspace itself.
    #[serde(rename = "task_id")]
    pub task: Option<String>,
    /// The name of its file.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Type,
    /// One paragraph about it.
    pub summary: String,
    /// The newest version, from 1.
    pub version: u32,
    /// Bytes.
    pub size: u64,
    /// BLAKE3, in hex.
    pub digest: String,
    /// Who stored it.
    pub actor: String,
    /// When its first version was stored, nanoseconds since 1970 UTC.
    pub created: i64,
    /// When its newest version was stored, nanoseconds since 1970 UTC.
    pub updated: i64,
    /// The file in the project, absolute.
    pub path: RawPath,
    /// How that file is.
    pub copy: Copy,
    /// The file of the project that it is a snapshot of, relative to the root.
    pub source: Option<RawPath>,
    /// When it was put away, nanoseconds since 1970 UTC.
    pub archived: Option<i64>,
}

/// One version of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// From 1.
    pub version: u32,
    /// Bytes.
    pub size: u64,
    /// BLAKE3, in hex.
    pub digest: String,
    /// Who stored it.
    pub actor: String,
    /// Nanoseconds since 1970 UTC.
    pub time: i64,
    /// One paragraph about it.
    pub summary: String,
    /// Bytes on the disk; fewer than its size when it is compressed, none when they are gone.
    pub kept: Option<u64>,
}

/// An artifact with its versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The newest.
    pub artifact: Artifact,
    /// The newest versions, newest first.
    pub versions: Vec<Version>,
    /// How many older versions there are.
    pub older: u32,
}

/// What was stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Its id.
    #[serde(rename = "artifact_id")]
    pub id: String,
    /// The version that holds these bytes.
    pub version: u32,
    /// The file in the project, absolute.
    pub path: RawPath,
    /// BLAKE3, in hex.
    pub digest: String,
    /// Bytes.
    pub size: u64,
    /// Whether the newest version had these very bytes already, so that no new one was made.
    pub already_there: bool,
    /// The task it is a result of; none for one of the workspace itself.
    #[serde(rename = "task_id")]
    pub task: Option<String>,
    /// The name of its file.
    pub name: String,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

/// An upload that has not come to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// Its id.
    pub draft: String,
    /// The task it is to be a result of.
    #[serde(rename = "task_id")]
    pub task: String,
    /// The name it is to have.
    pub name: String,
    /// Who began it.
    pub actor: String,
    /// Nanoseconds since 1970 UTC.
    pub created: i64,
    /// Where the next piece begins.
    pub received: u64,
    /// How much would survive a power cut.
    pub synced: u64,
    /// How much there will be, when that is known.
    pub size: Option<u64>,
}

/// One line that matches, with what stands around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The artifact.
    #[serde(rename = "artifact_id")]
    pub id: String,
    /// The version.
    pub version: u32,
    /// The name of its file.
    pub name: String,
    /// The number of the line, from 1.
    pub line: u64,
    /// The line, cut where it is very long.
    pub text: String,
    /// The lines before it.
    pub before: Vec<String>,
    /// The lines after it.
    pub after: Vec<String>,
}

/// What is wrong with an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The artifact; empty for a file that is of none.
    #[serde(rename = "artifact_id")]
    pub id: String,
    /// The version.
    pub version: u32,
    /// The name of its file.
    pub name: String,
    /// `damaged`, `lost`, `modified`, `missing`, or `added`: a file that somebody put there by hand.
    pub fault: String,
    /// In words, with what to do.
    pub detail: String,
}

/// What a clean-up puts away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// The artifact.
    #[serde(rename = "artifact_id")]
    pub id: String,
    /// The name of its file.
    pub name: String,
    /// Bytes of its newest version.
    pub size: u64,
    /// When it was last stored to, nanoseconds since 1970 UTC.
    pub updated: i64,
    /// Why it stays after all.
    pub kept_because: Option<String>,
}

/// What an optimization saves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Squeezed {
    /// Versions.
    pub versions: u64,
    /// Bytes of all versions, each counted.
    pub bytes: u64,
    /// Bytes that identical contents would take if each were kept.
    pub shared: u64,
    /// Contents that were, or would be, compressed now.
    pub compressed: u64,
    /// Bytes of those before.
    pub compressed_from: u64,
    /// Bytes of those after; an estimate of nothing when nothing was done.
    pub compressed_to: Option<u64>,
    /// Artifacts that were, or would be, put away.
    pub archived: Vec<Removed>,
}

/// A file that was put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The artifact.
    #[serde(rename = "artifact_id")]
    pub id: String,
    /// The version that is in the project now.
    pub version: u32,
    /// The file.
    pub path: RawPath,
    /// Why it was not put back.
    pub left_because: Option<String>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To `Store`.
    Stored(Box<Stored>),
    /// To `Stage`, `Append` and `Resume`.
    Upload {
        /// Its id.
        draft: String,
        /// Where the next piece begins.
        received: u64,
        /// How much would survive a power cut: the caller may forget as much.
        synced: u64,
    },
    /// To `Partials`.
    Partials {
        /// The oldest first.
        partials: Vec<Partial>,
    },
    /// To `Discard`.
    Discarded {
        /// Its id.
        draft: String,
    },
    /// To `Read`.
    Piece {
        /// The version it is of.
        version: u32,
        /// Bytes of all of it.
        size: u64,
        /// BLAKE3 of all of it, in hex.
        digest: String,
        /// The piece; empty behind the end.
        #[serde(with = "crate::piece")]
        bytes: Vec<u8>,
    },
    /// To `List`.
    Artifacts {
        /// The youngest first.
        artifacts: Vec<Artifact>,
        /// How many match in all.
        total: u64,
        /// For the next page.
        next_cursor: Option<String>,
    },
    /// To `Show`.
    Detail(Box<Detail>),
    /// To `Search`.
    Found {
        /// In the order of the artifacts, then of the lines.
        matches: Vec<Match>,
        /// Artifacts looked into.
        searched: u64,
        /// Names of artifacts that were not looked into whole: no text, too large, or lines too long.
        left_out: Vec<String>,
        /// To go on with: there may be more.
        next_cursor: Option<String>,
    },
    /// To `Verify`.
    Verified {
        /// Versions looked at.
        versions: u64,
        /// Bytes read.
        bytes: u64,
        /// What is wrong.
        faults: Vec<Fault>,
        /// To go on with: there is more.
        next_cursor: Option<String>,
    },
    /// To `Cleanup`.
    Cleaned {
        /// Whether it was done.
        done: bool,
        /// What was, or would be, put away.
        artifacts: Vec<Removed>,
        /// Bytes of those.
        bytes: u64,
        /// How many more there are: ask again.
        more: u64,
    },
    /// To `Optimize`.
    Optimized {
        /// Whether it was done.
        done: bool,
        /// What that saves.
        figures: Squeezed,
    },
    /// To `Restore`.
    Restored {
        /// The files.
        restored: Vec<Restored>,
        /// How many more there are: ask again.
        more: u64,
    },
    /// To `Complete`.
    Completed {
        /// As it is now.
        task: Box<task::Task>,
        /// Tasks that are ready now.
        unblocked: Vec<String>,
        /// Tasks that changed with it.
        along: Vec<String>,
        /// What the caller should know.
        warnings: Vec<String>,
        /// What was stored.
        artifacts: Vec<Stored>,
    },
}
