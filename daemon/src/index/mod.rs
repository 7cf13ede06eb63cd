//! The index: which files a project has, what changed among them and since when.
//!
//! [`Trees`] is the door: one per daemon, one [`Tree`] per watched root. Requests come through `dispatch`; events come
//! from `watch`. What must stay true: after a sync, a tree's list equals what git would show (SPEC 6), and whatever was
//! reported as unchanged did not change.
//!
//! Read first `worker` (the thread of a tree), then `engine` and `settle` (from an event to a tick); the list of modules below
//! says where all else is.
//!
//! Which calls block: none that is `async` does, and none named *from memory* does more than take a short lock.
//! [`Trees::new`], [`Trees::ensure`] and [`Trees::stop`] touch the disk or wait for threads: call them on the blocking pool.

// The way in, and what several trees share.
pub mod door;
mod keeper;
mod mail;
pub mod own;
mod quiescent;
mod sleep;
mod subscribe;
mod trees;
mod worker;

// The engine of one tree: from an event to a tick.
mod crawl;
mod disk;
mod engine;
mod failed;
mod finish;
mod links;
mod look;
mod place;
mod rescan;
mod root;
mod settle;

// What it holds.
mod clock;
mod files;
mod glob;
mod journal;
mod names;
mod node;
mod tree;

// Git's rules: what it would show.
mod control;
mod doubt;
mod gitconfig;
mod gitindex;
mod gitkeys;
mod ignore;
mod reading;
mod repo;
mod splitindex;
mod store;
mod tracked;
mod wildmatch;
mod witness;

// A saved index, and how it is taken up again.
mod carry;
mod saved;
mod verify;

// What is said of it.
mod advice;
mod doctor;
mod unwatched;

// The simulation, and the faults that it must find.
#[cfg(test)]
mod bug;
#[cfg(test)]
mod sim;

use std::path::PathBuf;
use std::time::Duration;

use proto::index::Change;

pub use files::FileList;
pub use keeper::Tree;
pub use subscribe::Subscription;
pub use trees::Trees;

pub use crate::watch::Backend;

/// What the front needs to know of the configuration and of the daemon's own environment.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What counts for a tree of which nobody says otherwise.
    pub usual: Manner,
    /// The most watches the daemon takes (`watch.max_watches`); none for as many as the system gives.
    pub max_watches: Option<u64>,
    /// The folder of saved indexes; none to save none.
    pub folder: Option<PathBuf>,
    /// The daemon's home directory, for git's global files.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`, when set.
    pub xdg_config_home: Option<PathBuf>,
}

/// How one tree is followed: the settings of its workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manner {
    /// What tells of changes (`watch.backend`).
    pub backend: Backend,
    /// How many directories of it are watched at most (`watch.max_watches`), whatever the user allows for all.
    pub max_watches: u64,
    /// How long changes are collected after the first one has gone out (`watch.settle_ms`).
    pub settle: Duration,
    /// How often a tree is looked at of which something cannot be watched (`watch.poll_seconds`).
    pub poll: Duration,
    /// How many changes are remembered at least (`watch.remembered_changes`).
    pub remembered: usize,
    /// Patterns that take away from what is watched (`watch.extra_ignores`).
    pub extra_ignores: Vec<String>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            backend: Backend::default(),
            max_watches: u64::MAX,
            settle: Duration::from_millis(50),
            poll: Duration::from_secs(5),
            remembered: journal::KEPT,
            extra_ignores: Vec::new(),
        }
    }
}

/// How far a tree's first crawl has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files seen.
    pub files: u64,
    /// Directories seen.
    pub dirs: u64,
    /// Whether the crawl is over.
    pub ready: bool,
}

/// The daemon's watches, for `daemon status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watches {
    /// In use.
    pub used: u64,
    /// The lower of the system's limit and `watch.max_watches`.
    pub limit: u64,
    /// That of the user's settings: `inotify`, `notify` or `poll`.
    pub backend: &'static str,
}

/// What changed, and the clock to ask with next time.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The clock that the changes lead up to.
    pub clock: String,
    /// Why what changed since is not known, when it is not: the changes are all files there are.
    pub fresh: Option<&'static str>,
    /// By path.
    pub changes: Vec<Change>,
}
