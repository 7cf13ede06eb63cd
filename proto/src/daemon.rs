//! `daemon`: the daemon's own life.

use serde::{Deserialize, Serialize};

use crate::{RawPath, index};

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// How it stands.
    Status,
    /// Read the configuration again.
    Reload,
    /// Drain and stop. The answer comes before the daemon ends; the connection closes when it has.
    Stop,
    /// Hand over to another binary in place. The answer comes from the new image.
    Reboot {
        /// The binary; none for the file that the running daemon was started from.
        binary: Option<RawPath>,
        /// Milliseconds for the rehearsal and, again, for requests in work to finish; 0 for the usual ones.
        limit_ms: u32,
        /// For the history.
        reason: Option<String>,
    },
    /// Rehearse only: would that binary be able to take over?
    Rehearse {
        /// The binary; none for the file that the running daemon was started from.
        binary: Option<RawPath>,
        /// Milliseconds for the rehearsal; 0 for the usual ones.
        limit_ms: u32,
    },
    /// Whether a reboot is under way, and how the past ones went.
    Reboots,
    /// How the last reboot went: an answer or, when it did not succeed, its error.
    LastReboot,
}

/// The answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Reload`]: what could not be taken and is still as it was, each a sentence.
    Reloaded {
        /// Problems found in configuration files.
        warnings: Vec<String>,
    },
    /// To [`Request::Stop`].
    Stopping {
        /// The process that will end.
        pid: u32,
    },
    /// To [`Request::Reboot`] and [`Request::LastReboot`].
    Rebooted(Box<Reboot>),
    /// To [`Request::Rehearse`].
    Rehearsed(Rehearsed),
    /// To [`Request::Reboots`].
    Reboots {
        /// What it is doing, while one is under way.
        under_way: Option<String>,
        /// The newest first.
        history: Vec<Reboot>,
    },
}

/// What a binary has shown that it can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsed {
    /// The file.
    pub binary: RawPath,
    /// Its version.
    pub version: String,
    /// The schema number it brings the database to.
    pub schema: u32,
    /// The schema number now.
    pub schema_now: u32,
    /// What it has done, each a sentence.
    pub passed: Vec<String>,
    /// Time taken, in milliseconds.
    pub took_ms: u64,
}

/// How a reboot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The new image serves.
    Done,
    /// It was refused before anything changed.
    Refused,
    /// The new image gave back to the old one by itself.
    RolledBack,
    /// The guardian ended the new image and started the old one again, under a new process id.
    Guarded,
}

/// One reboot in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reboot {
    /// When it was asked for, nanoseconds since 1970 UTC.
    pub at: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not succeed.
    pub why: Option<String>,
    /// Why it was asked for.
    pub reason: Option<String>,
    /// The binary that was to take over.
    pub binary: RawPath,
    /// The version before.
    pub from_version: String,
    /// The version after.
    pub to_version: String,
    /// The schema number before.
    pub from_schema: u32,
    /// The schema number after.
    pub to_schema: u32,
    /// The process that serves now.
    pub pid: u32,
    /// How often this process has handed itself over.
    pub generation: u32,
    /// Connections carried.
    pub connections: u32,
    /// From the last byte read before to the first moment bytes are read again, in microseconds.
    pub pause_us: u64,
    /// From the request to the answer, in milliseconds.
    pub took_ms: u64,
}

/// How the daemon stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Process id.
    pub pid: u32,
    /// Version of the running binary.
    pub version: String,
    /// How often this process has handed itself over to a new binary.
    pub generation: u32,
    /// Protocol spoken on this connection.
    pub protocol: u16,
    /// Schema number of the database.
    pub schema: u32,
    /// Seconds since the process began to serve.
    pub uptime_s: u64,
    /// The listening socket.
    pub socket: RawPath,
    /// Where the records are.
    pub state_dir: RawPath,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// Open connections, this one included.
    pub connections: u32,
    /// Connections on which requests could follow, since the process began to serve.
    pub accepted: u64,
    /// Those of them by a client that had been connected before.
    pub reconnected: u64,
    /// Requests being worked on, this one included.
    pub requests: u32,
    /// The budget of file-system watches.
    pub watches: Watches,
    /// The database.
    pub database: Database,
    /// Workspaces with at least one tree in memory.
    pub workspaces: Vec<Workspace>,
    /// What somebody should know: a recovered database, a broken configuration file.
    pub warnings: Vec<String>,
}

/// The budget of file-system watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watches {
    /// Watches this daemon holds.
    pub used: u64,
    /// The most it may hold: the smaller of the system's limit and `watch.max_watches`.
    pub limit: u64,
    /// `inotify`, `polling` or the name of the system's own.
    pub backend: String,
}

/// The database as seen from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Bytes on disk.
    pub bytes: u64,
    /// Whether writes are taken.
    pub writable: bool,
    /// Why not, or what was done to open it.
    pub note: Option<String>,
}

/// One workspace in [`Status`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// `ws_<12 hex>`.
    pub id: String,
    /// Absolute.
    pub root: RawPath,
    /// Its trees: the root itself and linked worktrees.
    pub trees: Vec<index::TreeStatus>,
}
