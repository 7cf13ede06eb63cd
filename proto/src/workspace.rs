//! `workspace`: the registry of projects.

use serde::{Deserialize, Serialize};

use crate::{RawPath, detect};

/// Which workspace is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Which {
    /// The one that a path belongs to.
    At(detect::From),
    /// By id (`ws_<12 hex>`) or, where it is unambiguous, by name.
    Named(String),
}

/// What is asked of one workspace, whatever the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call<R> {
    /// Which workspace.
    pub at: Which,
    /// What.
    pub what: R,
}

/// How a new workspace begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seed {
    /// With nothing.
    Empty,
    /// With the configuration and roles of a built-in template.
    Template(String),
    /// With the configuration and roles of another workspace, by id or name.
    Existing(String),
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// All workspaces.
    List {
        /// Also the forgotten ones that can still be restored.
        forgotten: bool,
    },
    /// One workspace with its totals.
    Show(Which),
    /// Where one keeps its things.
    ShowLocation(Which),
    /// Register the project of a path and make its folder.
    Create {
        /// The project.
        at: detect::From,
        /// Its display name; none for the directory's.
        name: Option<String>,
        /// What it begins with.
        seed: Seed,
    },
    /// Give another display name.
    Rename {
        /// Which.
        which: Which,
        /// The new name.
        name: String,
    },
    /// The project was moved: its records belong to another directory now.
    Relocate {
        /// Which.
        which: Which,
        /// The directory where it is now.
        to: RawPath,
        /// Take the id over although device and inode are not those on record.
        confirmed: bool,
    },
    /// Take it off the list; its records are kept for 30 days.
    Forget(Which),
    /// Put a forgotten one back.
    Restore {
        /// Its id.
        id: String,
    },
    /// Check that no record and no file of one workspace is reachable from another.
    ValidateIsolation,
}

/// Totals of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Tasks by status: name and count, only those that are not zero.
    #[serde(with = "crate::pairs")]
    pub tasks: Vec<(String, u64)>,
    /// Artifacts.
    pub artifacts: u64,
    /// Decisions.
    pub decisions: u64,
    /// Bytes in the project folder.
    pub bytes: u64,
    /// Whether there are more bytes than that: the count stops after 20,000 files.
    pub bytes_at_least: bool,
}

/// One workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// `ws_<12 hex>`.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Absolute.
    pub root: RawPath,
    /// How it was found.
    pub method: detect::Method,
    /// Out of 10.
    pub confidence: u8,
    /// The strongest project type.
    pub project_type: Option<String>,
    /// Nanoseconds since 1970 UTC.
    pub created: i64,
    /// Nanoseconds since 1970 UTC.
    pub last_access: i64,
    /// Linked worktrees that share this workspace, absolute; the root itself is not among them.
    pub trees: Vec<RawPath>,
    /// When it was forgotten, nanoseconds since 1970 UTC.
    pub forgotten: Option<i64>,
    /// Whether the root is there.
    pub present: bool,
    /// What it holds.
    pub totals: Totals,
    /// What its owner should know, a sentence each.
    pub warnings: Vec<String>,
}

/// One finding of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was checked.
    pub check: String,
    /// Whether it held.
    pub passed: bool,
    /// What was found, one sentence each.
    pub details: Vec<String>,
}

/// The answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Request::List`], by last access.
    Workspaces(Vec<Workspace>),
    /// To every request about one workspace.
    Workspace(Box<Workspace>),
    /// To [`Request::ShowLocation`].
    Location {
        /// `ws_<12 hex>`.
        id: String,
        /// The project.
        root: RawPath,
        /// Where artifacts, decisions, roles and settings of the project are or will be.
        folder: RawPath,
        /// Whether that folder has been made.
        made: bool,
        /// The daemon's state folder.
        state_dir: RawPath,
    },
    /// To [`Request::ValidateIsolation`].
    Isolation(Vec<Finding>),
}
