//! The watcher: file-system events of all trees, through one descriptor.
//!
//! [`Hub`] owns the inotify descriptor and knows which trees a watch belongs to; a reading thread waits for events,
//! and whoever needs to be sure ([`Hub::drain`]) reads what is there at once. The kernel queues an event before the
//! system call that causes it returns, so what a drain has read is all that happened before it began.
//! What must stay true: events of a tree arrive in the kernel's order; a watch is known here before its first event is
//! looked at; whoever reads only appends.

use std::sync::Arc;

#[cfg(any(test, not(target_os = "linux")))]
#[cfg_attr(
    target_os = "linux",
    allow(dead_code, unreachable_pub, reason = "built there for its tests alone")
)]
mod deaf;
#[cfg(target_os = "linux")]
mod inotify;
mod notifier;
#[cfg(target_os = "linux")]
mod queue;
#[cfg(target_os = "linux")]
mod registry;

#[cfg(not(target_os = "linux"))]
pub use deaf::{Hub, system_limit};
#[cfg(target_os = "linux")]
pub use inotify::{Hub, system_limit};
pub use notifier::Notifier;

/// What tells a tree of changes (`watch.backend`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// A watch on each directory: the kernel tells of everything.
    Inotify,
    /// The system's own watcher through `notify`: what it tells says where to look, and every question looks anyway.
    Notify,
    /// Nothing: looking alone.
    Poll,
}

impl Backend {
    /// As the setting names it; `auto` is what this system does best.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "poll" => Self::Poll,
            "notify" => Self::Notify,
            _ if cfg!(target_os = "linux") => Self::Inotify,
            _ => Self::Notify,
        }
    }

    /// The setting's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Inotify => "inotify",
            Self::Notify => "notify",
            Self::Poll => "poll",
        }
    }
}

impl Default for Backend {
    fn default() -> Self {
        Self::of("auto")
    }
}

/// A watch: it belongs to a directory, whatever the directory is called by now.
pub type Wd = i32;

/// A watched tree, for as long as the daemon runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreeKey(pub u32);

/// What kind of event it was. A hint: the disk is the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Something about the name changed, or it went.
    Changed,
    /// The name is new.
    Created,
    /// The name went elsewhere; the number pairs it with its [`Hint::MovedTo`].
    MovedFrom(u32),
    /// The name came from elsewhere.
    MovedTo(u32),
}

/// One event of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A name in a watched directory.
    Name {
        /// The directory's watch.
        wd: Wd,
        /// The name in it.
        name: Vec<u8>,
        /// Whether the name is, or was, a directory.
        is_dir: bool,
        /// What happened.
        hint: Hint,
    },
    /// The watched directory itself: its mode or owner, or it was removed.
    Own {
        /// The directory's watch.
        wd: Wd,
    },
    /// The watched directory has moved.
    Moved {
        /// The directory's watch.
        wd: Wd,
    },
    /// The watch has ended by itself: the directory is gone, or its file system is.
    Ended {
        /// The watch.
        wd: Wd,
    },
    /// Something about a path, relative to the root, of a watcher that knows no directories of ours.
    Path {
        /// The path; empty for the root.
        path: Vec<u8>,
        /// Whether it may be new.
        is_new: bool,
    },
    /// Such a watcher has lost events, or cannot say where something happened.
    Lost,
    /// Events were lost.
    Overflow,
    /// Something was mounted or unmounted somewhere.
    Mounts,
}

/// Why a directory could not be watched.
#[derive(Debug)]
pub enum WatchError {
    /// The system's limit or the user's `watch.max_watches` is reached.
    Limit,
    /// The tree has as many as its own `watch.max_watches` gives it.
    Budget,
    /// The user has as many queues of events as the system gives, and none of them is ours.
    NoQueue,
    /// A file system of this name tells nothing, or not all.
    Silent(Arc<str>),
    /// What happens in it may be told of another directory alone, because something is mounted there.
    Mounted,
    /// `watch.backend` says that it is not to be watched.
    Chosen(Backend),
    /// The directory cannot be read, or is gone.
    Denied(std::io::Error),
}

/// Where the events of a tree go. Called with the watcher's lock held: it must only append.
pub trait Mailbox: Send + Sync {
    /// Takes over one event.
    fn deliver(&self, event: Event);
    /// What was delivered is all there is for now.
    fn wake(&self);
}
