//! Linux: the queue of events, or none for now.
//!
//! Asked by `inotify`. What must stay true: where the user has as many queues as the system gives, a watch is refused like
//! one beyond the limit, and the first one that is asked for when there is room again has its queue; who waits for events
//! is told.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use rustix::event::EventfdFlags;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::{WatchError, Wd};

/// The daemon's queue.
#[derive(Debug)]
pub(super) struct Queue {
    /// It, or a descriptor of which nothing comes.
    first: OwnedFd,
    /// The one that was to be had later.
    later: OnceLock<OwnedFd>,
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.later.get().unwrap_or(&self.first).as_fd()
    }
}

impl From<OwnedFd> for Queue {
    fn from(first: OwnedFd) -> Self {
        let later = OnceLock::new();
        Self { first, later }
    }
}

impl Queue {
    /// A new one, or none for now.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open() -> io::Result<Self> {
        match queue() {
            Ok(queue) => Ok(queue.into()),
            Err(Errno::MFILE) => {
                tracing::warn!("this user has no watcher left: everything is looked at until there is one");
                Ok(nothing()?.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A watch on a path.
    pub(super) fn watch(&self, path: &str, mask: WatchFlags) -> Result<Wd, WatchError> {
        let refused = |error| match error {
            Errno::NOSPC | Errno::NOMEM => WatchError::Limit,
            error => WatchError::Denied(error.into()),
        };
        match inotify::add_watch(self, path, mask) {
            // What we ask for is right, so the descriptor is no queue.
            Err(Errno::INVAL) => {}
            placed => return placed.map_err(refused),
        }
        let queue = queue().map_err(|_| WatchError::NoQueue)?;
        let placed = inotify::add_watch(&queue, path, mask).map_err(refused)?;
        if self.later.set(queue).is_ok()
            && let Err(error) = rustix::io::write(&self.first, &1u64.to_ne_bytes())
        {
            tracing::error!(%error, "who waits for events could not be told that there are some now");
        }
        Ok(placed)
    }
}

fn queue() -> rustix::io::Result<OwnedFd> {
    inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
}

/// A descriptor of which nothing comes until somebody writes to it.
pub(super) fn nothing() -> rustix::io::Result<OwnedFd> {
    rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
}
