//! The index: which files a project has, what changed among them and since when.
//!
//! [`Trees`] is the door: one per daemon, one [`Tree`] per watched root. Requests come through `dispatch`; events come
//! from `watch`. What must stay true: after a sync, a tree's list equals what git would show (SPEC 6), and whatever was
//! reported as unchanged did not change.
//!
//! Which calls block: none that is `async` does, and none named *from memory* does more than take a short lock.
//! [`Trees::new`], [`Trees::ensure`] and [`Trees::stop`] touch the disk or wait for threads: call them on the blocking pool.

pub mod door;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proto::index::{Batch, Change, Since, TreeStatus};
use proto::{Error, RawPath};

/// What the front needs to know of the configuration and of the daemon's own environment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long changes are collected after the first one has gone out (`watch.settle_ms`).
    pub settle: Duration,
    /// The most watches the daemon takes (`watch.max_watches`); none for as many as the system gives.
    pub max_watches: Option<u64>,
    /// Patterns that take away from what is watched (`watch.extra_ignores`).
    pub extra_ignores: Vec<String>,
    /// The daemon's home directory, for git's global files.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`, when set.
    pub xdg_config_home: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(50),
            max_watches: None,
            extra_ignores: Vec::new(),
            home: None,
            xdg_config_home: None,
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
    /// `inotify`.
    pub backend: &'static str,
}

/// Paths as of one clock, in git's order, held compactly.
#[derive(Clone, Debug, Default)]
pub struct FileList {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

/// What changed, and the clock to ask with next time.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The clock that the changes lead up to.
    pub clock: String,
    /// The clock asked with is not of this index: the changes are all files there are.
    pub fresh_instance: bool,
    /// By path.
    pub changes: Vec<Change>,
}

/// All trees of the daemon.
#[derive(Debug)]
pub struct Trees {}

/// One watched root.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
}

/// A subscriber's end: [`Subscription::next`] until it is dropped.
#[derive(Debug)]
pub struct Subscription {}

impl Trees {
    /// Opens the watcher and starts its reading thread. Blocks briefly.
    ///
    /// # Errors
    /// When the system gives no watcher.
    pub fn new(_settings: Settings) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {}))
    }

    /// The tree of `root` (absolute, links resolved), started when it is new: its crawl then runs on a thread of its
    /// own. Blocks for a few system calls.
    ///
    /// # Errors
    /// When `root` cannot be opened as a directory.
    pub fn ensure(&self, _root: &Path) -> Result<Arc<Tree>, Error> {
        Err(Error::unavailable("the index is not built yet"))
    }

    /// The tree of `root` when it is watched already. From memory.
    #[must_use]
    pub fn get(&self, _root: &Path) -> Option<Arc<Tree>> {
        None
    }

    /// Ends a tree: its watches are dropped and its subscribers see the end. From memory.
    pub fn forget(&self, _root: &Path) {}

    /// How each tree stands, by root. From memory.
    #[must_use]
    pub fn status(&self) -> Vec<TreeStatus> {
        Vec::new()
    }

    /// Watches used and allowed. From memory.
    #[must_use]
    pub fn watches(&self) -> Watches {
        Watches {
            used: 0,
            limit: 0,
            backend: "inotify",
        }
    }

    /// Ends all trees and the reading thread, and waits for them.
    pub fn stop(&self) {}
}

impl Tree {
    /// Absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How far the first crawl has come. From memory.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress::default()
    }

    /// Returns when the first crawl is over; at once when it is. Bound it by the request's deadline.
    pub async fn ready(&self) {}

    /// Makes sure that what follows sees all that happened before this call. False when that took longer than `limit`
    /// (SPEC: one second; the answer then says `unsynced`).
    pub async fn sync(&self, _limit: Duration) -> bool {
        false
    }

    /// `c:<tree>:<incarnation>:<tick>`. From memory.
    #[must_use]
    pub fn clock(&self) -> String {
        String::new()
    }

    /// All files, or those that match a gitignore-style glob. From memory, some 0.2 µs a file.
    ///
    /// # Errors
    /// `usage` for a glob that is none.
    pub fn files(&self, _glob: Option<&str>) -> Result<(String, FileList), Error> {
        Err(Error::unavailable("the index is not built yet"))
    }

    /// What changed since. From memory.
    ///
    /// # Errors
    /// `usage` for a clock that is none.
    pub fn changes(&self, _since: &Since) -> Result<Changes, Error> {
        Err(Error::unavailable("the index is not built yet"))
    }

    /// As [`Tree::changes`], but returns only when something has changed.
    ///
    /// # Errors
    /// As [`Tree::changes`]; `unavailable` when the tree was forgotten meanwhile.
    pub async fn wait(&self, _since: &Since) -> Result<Changes, Error> {
        Err(Error::unavailable("the index is not built yet"))
    }

    /// Every settled batch from now on, or from `since`. From memory.
    ///
    /// # Errors
    /// As [`Tree::changes`].
    pub fn subscribe(&self, _since: Option<&Since>) -> Result<Subscription, Error> {
        Err(Error::unavailable("the index is not built yet"))
    }

    /// How the tree stands. From memory.
    #[must_use]
    pub fn status(&self) -> Option<TreeStatus> {
        None
    }
}

impl Subscription {
    /// The next batch; none when the tree was forgotten or the daemon stops. Cancel-safe. A batch holds at most
    /// some thousands of changes: a larger one comes in parts, of which only the last carries the new clock.
    pub async fn next(&mut self) -> Option<Batch> {
        None
    }
}

impl FileList {
    /// Number of paths.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Each path, relative to the root.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.bytes[start as usize..end as usize])
    }

    /// The paths in parts of about `bytes` bytes, as they go over the wire.
    pub fn chunks(&self, bytes: usize) -> impl Iterator<Item = Vec<RawPath>> {
        let mut paths = self.iter().peekable();
        std::iter::from_fn(move || {
            paths.peek()?;
            let mut part = Vec::new();
            let mut size = 0;
            while size < bytes {
                let Some(path) = paths.next() else { break };
                size += path.len() + 2;
                part.push(RawPath::from(path));
            }
            Some(part)
        })
    }
}
