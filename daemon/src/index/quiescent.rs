//! A tree at rest: what a query may know without asking the tree's thread.
//!
//! Its thread lays it into the mailbox before it sleeps and takes it out when it wakes; a query that finds it there, and
//! nothing that waits, looks at what no event tells of itself. Two changes of threads fall away with that.
//! What must stay true: it lies there only while all that was taken from the mailbox is settled; a query compares the very
//! things that [`Engine::look_outside`] does, and touches no path on which a call may hang.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk::Disk;
use super::engine::Engine;
use super::root::Identity;
use super::witness::{self, Stamp};
use crate::world::dir;
use crate::world::mounts::MountTable;

/// What a settled tree rests on beside the events of its watches.
#[derive(Debug)]
pub(super) struct Quiescent {
    root: Vec<u8>,
    identity: Identity,
    /// Files beyond the watched folders, and how they were.
    outside: Vec<(Vec<u8>, Stamp)>,
    /// All of these, and where those with links on the way really are.
    places: Vec<PathBuf>,
    /// The version of the mounts by which every place is on a local file system.
    local: AtomicU64,
}

impl<D: Disk> Engine<D> {
    /// What the tree rests on, or none when only its thread can tell whether it is up to date. Touches the disk when
    /// that is not what it was.
    pub(super) fn quiescent(&self, last: Option<&Arc<Quiescent>>) -> Option<Arc<Quiescent>> {
        if self.is_dirty() || self.is_polled() || self.has_named_repositories() {
            return None;
        }
        let outside = self.outside.stamps()?;
        let is_same = |last: &&Arc<Quiescent>| last.identity == self.identity && last.outside == outside;
        match last.filter(is_same) {
            Some(last) => Some(Arc::clone(last)),
            None => Some(Arc::new(Quiescent::of(&self.start.root, self.identity, &outside))),
        }
    }
}

impl Quiescent {
    fn of(root: &[u8], identity: Identity, outside: &[(Vec<u8>, Stamp)]) -> Self {
        let given = outside.iter().map(|(path, _)| path.as_slice());
        let places = std::iter::once(root).chain(given).flat_map(|path| {
            let resolved = dir::resolve(path).ok().filter(|resolved| resolved != path);
            std::iter::once(path.to_vec()).chain(resolved)
        });
        Self {
            root: root.to_vec(),
            identity,
            outside: outside.to_vec(),
            places: places.map(|path| path_of(&path).to_path_buf()).collect(),
            local: AtomicU64::new(0),
        }
    }

    /// Whether everything is as it was. False also where that cannot be seen without a call that may hang.
    pub(super) fn holds(&self, mounts: &MountTable) -> bool {
        if self.local.load(Ordering::Relaxed) != mounts.version {
            if self
                .places
                .iter()
                .any(|place| mounts.remote_on_the_way(place).is_some())
            {
                return false;
            }
            self.local.store(mounts.version, Ordering::Relaxed);
        }
        dir::stat_file(&self.root).is_ok_and(|meta| Identity::from(meta) == self.identity)
            && self
                .outside
                .iter()
                .all(|(path, stamp)| witness::stamp(dir::stat_file(path)) == *stamp)
    }
}

fn path_of(bytes: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}
