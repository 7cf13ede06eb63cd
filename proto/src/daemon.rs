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
