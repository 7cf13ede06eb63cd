//! `index`: the files of a project and what changed among them.

use serde::{Deserialize, Serialize};

use crate::{RawPath, detect};

/// Whether a query first makes sure that it sees all that happened before it was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sync {
    /// Pass a cookie through the watcher (limit one second, then the answer says `unsynced`).
    #[default]
    Cookie,
    /// Answer from what is known now.
    No,
}

/// The start of a range of changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Since {
    /// `c:<tree>:<incarnation>:<tick>`, as an earlier answer gave it.
    Clock(String),
    /// Wall-clock time, in nanoseconds since 1970 UTC.
    Time(i64),
}

/// What can be asked of this room. Every request names the tree by the path it is asked from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// All files, or those that match a glob; streamed as [`crate::Item::Files`], then [`Answer::Files`].
    Files {
        /// Where to look from.
        at: detect::From,
        /// A gitignore-style glob, relative to the root.
        glob: Option<String>,
        /// Whether to pass a cookie first.
        sync: Sync,
    },
    /// The current clock.
    Clock {
        /// Where to look from.
        at: detect::From,
        /// Whether to pass a cookie first.
        sync: Sync,
    },
    /// What changed since; streamed as [`crate::Item::Changes`], then [`Answer::Changes`].
    Changes {
        /// Where to look from.
        at: detect::From,
        /// The start of the range.
        since: Since,
        /// Wait until something changes. The request's deadline bounds it.
        wait: bool,
        /// Whether to pass a cookie first.
        sync: Sync,
    },
    /// Every settled batch from now on, or from a clock: [`crate::Item::Batch`] until cancelled.
    Watch {
        /// Where to look from.
        at: detect::From,
        /// Start with what changed since.
        since: Option<Since>,
    },
    /// A page of the files; streamed as [`crate::Item::Files`], then [`Answer::FilesPage`].
    FilesPage {
        /// Where to look from.
        at: detect::From,
        /// A gitignore-style glob, relative to the root.
        glob: Option<String>,
        /// Only files that come after this one, in the order of their bytes.
        after: Option<RawPath>,
        /// No more than so many, at least one.
        limit: u32,
        /// Whether to pass a cookie first.
        sync: Sync,
    },
    /// Who uses how many watches, what limits them, and what can be done: [`Answer::Watches`]. Of no tree alone.
    Watches,
}

/// What happened to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Was not there, is there now.
    Created,
    /// Was there and is there, and differs in kind, size, mtime, ctime, mode or inode.
    Modified,
    /// Was there, or came and went in between, and is not there now.
    Deleted,
    /// Is there now and was elsewhere before.
    Renamed,
}

/// One path that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Relative to the root.
    pub path: RawPath,
    /// What happened to it.
    pub kind: ChangeKind,
    /// For a rename, where it was.
    pub from: Option<RawPath>,
    /// Bytes; none when it is gone.
    pub size: Option<u64>,
    /// Nanoseconds since 1970 UTC; none when it is gone.
    pub mtime: Option<i64>,
    /// Whether some of it happened while no daemon was watching.
    pub while_away: bool,
}

/// One settled batch, or what a subscriber was too slow for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The clock after this batch.
    pub clock: String,
    /// What changed, by path.
    pub changes: Vec<Change>,
    /// Set when batches were dropped: ask `changes --since` this clock.
    pub lost_since: Option<String>,
    /// The index was built anew, so that `changes` may not be all that happened.
    pub fresh_instance: bool,
}

/// How a tree stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TreeState {
    /// The first crawl is under way.
    Crawling,
    /// Not known to be what is on the disk: loaded from a saved index and not compared yet, or not all of it could be read.
    Unverified,
    /// Equal to the disk, and kept so by events.
    Watching,
    /// Equal to the disk at each poll.
    Polling,
    /// Events were lost; a rescan is under way.
    Rescanning,
    /// A checkout holds the repository's index lock.
    Checkout,
    /// Put to sleep; wakes on use.
    Asleep,
    /// The root is gone, unmounted or unreadable.
    Unreachable,
}

/// One tree in `daemon status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeStatus {
    /// Absolute.
    pub root: RawPath,
    /// How it stands.
    pub state: TreeState,
    /// Why, where the state alone does not say.
    pub reason: Option<String>,
    /// Files in the index.
    pub files: u64,
    /// Directories in the index.
    pub dirs: u64,
    /// Watches in use.
    pub watches: u64,
    /// The current clock.
    pub clock: String,
}

/// The last frame of each request of this room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// After the last chunk of paths.
    Files {
        /// The tree's root.
        root: RawPath,
        /// The clock the list stands for.
        clock: String,
        /// The list was given without the cookie having come through.
        unsynced: bool,
        /// It comes from a tree that is [`TreeState::Unverified`].
        unverified: bool,
    },
    /// The clock asked for.
    Clock {
        /// The tree's root.
        root: RawPath,
        /// Now.
        clock: String,
        /// The cookie did not come through in time.
        unsynced: bool,
        /// It is that of a tree that is [`TreeState::Unverified`].
        unverified: bool,
    },
    /// After the last chunk of changes.
    Changes {
        /// The tree's root.
        root: RawPath,
        /// The clock to ask with next time.
        clock: String,
        /// What changed since is not known: the changes are all files there are.
        fresh_instance: bool,
        /// Why that is not known; a sentence's part without a full stop.
        fresh_why: Option<String>,
        /// The cookie did not come through in time.
        unsynced: bool,
        /// They come from a tree that is [`TreeState::Unverified`].
        unverified: bool,
    },
    /// After the last chunk of a page.
    FilesPage {
        /// The tree's root.
        root: RawPath,
        /// The clock the page stands for.
        clock: String,
        /// How many more there are.
        left: u64,
        /// The page was given without the cookie having come through.
        unsynced: bool,
        /// It comes from a tree that is [`TreeState::Unverified`].
        unverified: bool,
    },
    /// To [`Request::Watches`].
    Watches(Box<Watches>),
}

/// Watches: used, allowed, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watches {
    /// By the trees of this daemon.
    pub used: u64,
    /// By its detection of projects.
    pub detection: u64,
    /// Answers of detection that are remembered.
    pub remembered: u64,
    /// Those that were made anew ahead of need, because something they came from was touched.
    pub refreshed: u64,
    /// The most that its trees take: `watch.max_watches`.
    pub max_watches: u64,
    /// What the system allows.
    pub limits: Limits,
    /// How often the system's queue of events was full since the daemon began.
    pub overflows: u64,
    /// Other programs of the user, as far as they may be looked at.
    pub others: Others,
    /// Each tree, by root.
    pub trees: Vec<TreeWatches>,
    /// What could be done, the most pressing first.
    pub advice: Vec<Advice>,
}

/// What the system allows one user; none where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// `fs.inotify.max_user_watches`
    pub max_user_watches: Option<u64>,
    /// `fs.inotify.max_user_instances`
    pub max_user_instances: Option<u64>,
    /// `fs.inotify.max_queued_events`
    pub max_queued_events: Option<u64>,
    /// `user.max_inotify_watches`, of the user namespace that the daemon is in.
    pub namespace_watches: Option<u64>,
}

/// Watches of the user's other programs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    /// All their watches.
    pub watches: u64,
    /// All their descriptors for watches.
    pub instances: u64,
    /// Programs of the user that could not be looked at.
    pub unreadable: u64,
    /// Not all were looked at: it took too long.
    pub is_partial: bool,
    /// Those with the most watches.
    pub most: Vec<Holder>,
}

/// A program with watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Its descriptors for watches.
    pub instances: u64,
    /// Its watches.
    pub watches: u64,
}

/// The watches of one tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeWatches {
    /// Its workspace; none when that is not on record.
    pub workspace: Option<String>,
    /// Absolute.
    pub root: RawPath,
    /// How it stands.
    pub state: TreeState,
    /// What tells of changes: `inotify`, `polling`, both, or `none`.
    pub backend: String,
    /// Why that.
    pub why: String,
    /// Directories, each of which takes a watch.
    pub directories: u64,
    /// Watches in use, those of git's own folders included.
    pub watches: u64,
    /// Directories without a watch.
    pub unwatched: u64,
    /// Where most of the directories are, the largest first; none of them in another.
    pub largest: Vec<Subtree>,
}

/// A directory with all beneath it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subtree {
    /// Relative to the root.
    pub path: RawPath,
    /// Directories, itself included.
    pub directories: u64,
    /// Files.
    pub files: u64,
}

/// How pressing an advice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// Something is not followed as it should be.
    Trouble,
    /// It may come to that, or costs more than it need.
    Hint,
}

/// Something that could be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// How pressing it is.
    pub urgency: Urgency,
    /// What is the matter: a sentence's part without a full stop.
    pub what: String,
    /// What follows from it, and what the commands do.
    pub why: String,
    /// For a shell, one after the other.
    pub commands: Vec<String>,
}
