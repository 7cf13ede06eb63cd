//! Folders of our own, watched beside the trees through the same descriptor: they are in no index.
//!
//! Later rooms ask for one [`OwnFolders`] for each workspace whose files they keep an eye on. What must stay true: an event
//! says only that something happened in a folder; whoever was told looks at the disk.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Trees;
use crate::watch::{Event, Hub, Mailbox, TreeKey, WatchError, Wd};
use crate::world::dir::Dir;

/// What happened since it was asked last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Happened {
    /// Events were lost: anything may have happened.
    pub anything: bool,
    /// Watches in whose folders something happened.
    pub touched: BTreeSet<Wd>,
    /// Watches that have ended or whose folder was moved: they say nothing any more.
    pub ended: BTreeSet<Wd>,
}

#[derive(Debug, Default)]
struct Mail(Mutex<Happened>);

impl Mail {
    fn held(&self) -> MutexGuard<'_, Happened> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailbox for Mail {
    fn deliver(&self, event: Event) {
        let mut happened = self.held();
        match event {
            Event::Name { wd, .. } => drop(happened.touched.insert(wd)),
            Event::Own { wd } | Event::Moved { wd } | Event::Ended { wd } => {
                happened.touched.insert(wd);
                happened.ended.insert(wd);
            }
            Event::Overflow | Event::Mounts | Event::Path { .. } | Event::Lost => happened.anything = true,
        }
    }

    fn wake(&self) {}
}

/// The watches of one workspace's own folders; they end with it.
#[derive(Debug)]
pub struct OwnFolders {
    hub: Arc<Hub>,
    key: TreeKey,
    mail: Arc<Mail>,
}

impl Trees {
    /// Watches for folders of our own.
    #[must_use]
    pub fn own_folders(&self) -> OwnFolders {
        let key = TreeKey(self.keys.fetch_add(1, Ordering::Relaxed));
        let mail = Arc::new(Mail::default());
        self.hub.register(key, mail.clone());
        OwnFolders {
            hub: self.hub.clone(),
            key,
            mail,
        }
    }
}

impl OwnFolders {
    /// Watches the folder that `names` leads to beneath `base`, never through a link.
    ///
    /// # Errors
    /// When it is not there, or no watch is left.
    pub fn watch(&self, base: &Path, names: &Path) -> io::Result<Wd> {
        let folder = Dir::open(base.as_os_str().as_bytes())?.open_at(names.as_os_str().as_bytes())?;
        self.hub.watch(self.key, &folder).map_err(|error| match error {
            WatchError::Denied(error) => error,
            WatchError::Limit | WatchError::Budget | WatchError::NoQueue => {
                io::ErrorKind::QuotaExceeded.into()
            }
            WatchError::Silent(_) | WatchError::Mounted | WatchError::Chosen(_) => {
                io::ErrorKind::Unsupported.into()
            }
        })
    }

    /// Ends a watch.
    pub fn unwatch(&self, wd: Wd) {
        self.hub.unwatch(self.key, wd);
    }

    /// What happened since it was asked last.
    #[must_use]
    pub fn happened(&self) -> Happened {
        self.hub.drain();
        std::mem::take(&mut *self.mail.held())
    }
}

impl Drop for OwnFolders {
    fn drop(&mut self) {
        self.hub.forget(self.key);
    }
}
