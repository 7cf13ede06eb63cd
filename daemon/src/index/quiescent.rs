//! A tree at rest: what a query may know without asking the tree's thread.
//!
//! Its thread lays it into the mailbox before it sleeps and takes it out when it wakes; a query that finds it there, and
//! nothing that waits, looks at what no event tells of itself. Two changes of threads fall away with that.
//! What must stay true: it lies there only while all that was taken from the mailbox is settled; a query compares the very
//! things that [`Engine::look_outside`] does, and touches no path on which a call may hang.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::disk::Disk;
use super::engine::Engine;
use super::root::Identity;
use super::witness::{self, Stamp};
use crate::world::mounts::MountTable;
use crate::world::{Stat, dir};

/// What a settled tree rests on beside the events of its watches.
#[derive(Debug)]
pub(super) struct Quiescent {
    root: Vec<u8>,
    identity: Identity,
    /// What lies beyond the watched folders, and how it was.
    outside: Vec<(Vec<u8>, Stamp)>,
    /// All of these, and where those with links on the way really are.
    places: Vec<PathBuf>,
    /// Of what is not there the beginnings of the paths that are missing: while one is, so is all that begins with it.
    missing: Vec<Vec<u8>>,
    /// Something was found not to be as it was.
    is_over: AtomicBool,
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
        let is_same = |last: &&Arc<Quiescent>| {
            last.identity == self.identity && last.outside == outside && !last.is_over.load(Ordering::Relaxed)
        };
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
        let absent = outside.iter().filter(|(_, stamp)| stamp.is_none());
        let missing: BTreeSet<Vec<u8>> = absent.map(|(path, _)| missing_part(path).to_vec()).collect();
        Self {
            root: root.to_vec(),
            identity,
            outside: outside.to_vec(),
            missing: missing.into_iter().collect(),
            is_over: AtomicBool::new(false),
            places: places.map(|path| path_of(&path).to_path_buf()).collect(),
            local: AtomicU64::new(0),
        }
    }

    /// Whether everything is as it was. False also where that cannot be seen without a call that may hang. What the same
    /// question has seen of a regular file is not looked at twice.
    pub(super) fn holds(&self, mounts: &MountTable, seen: impl Fn(&[u8]) -> Option<Stat>) -> bool {
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
        let is_as_was = |(path, stamp): &(Vec<u8>, Stamp)| match seen(path) {
            Some(stat) => witness::stamp_of_file(&stat) == *stamp,
            None => witness::stamp(dir::stat_file(path)) == *stamp,
        };
        let holds = dir::stat_file(&self.root).is_ok_and(|meta| Identity::from(meta) == self.identity)
            && self
                .outside
                .iter()
                .filter(|(_, stamp)| stamp.is_some())
                .all(is_as_was)
            && self.missing.iter().all(|path| dir::stat_file(path).is_err());
        self.is_over.fetch_or(!holds, Ordering::Relaxed);
        holds
    }
}

/// The shortest beginning of a path at which nothing is to be found; the path itself when there is something by now.
fn missing_part(path: &[u8]) -> &[u8] {
    let mut missing = path;
    while let Some(slash) = missing.iter().rposition(|&byte| byte == b'/')
        && slash > 0
        && dir::stat_file(&missing[..slash]).is_err()
    {
        missing = &missing[..slash];
    }
    missing
}

fn path_of(bytes: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn bytes(path: &Path) -> Vec<u8> {
        path.as_os_str().as_bytes().to_vec()
    }

    /// Where `there` is a file and `away` is not there.
    fn quiescent(root: &Path, there: &Path, away: [&Path; 2]) -> Quiescent {
        let identity = Identity::from(dir::stat_file(&bytes(root)).unwrap());
        let stamps = [there, away[0], away[1]].map(|path| {
            let path = bytes(path);
            let stamp = witness::stamp(dir::stat_file(&path));
            (path, stamp)
        });
        Quiescent::of(&bytes(root), identity, &stamps)
    }

    #[test]
    fn it_is_over_once_anything_comes_that_was_missing_or_goes_that_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let (there, away) = (at("there"), [at("a/b/config"), at("a/b/ignore")]);
        let mounts = MountTable::new(1, vec![]);
        let held = |quiescent: &Quiescent| {
            // Of what is mounted where nothing is to be said here.
            quiescent.local.store(mounts.version, Ordering::Relaxed);
            let holds = quiescent.holds(&mounts, |_| None);
            assert_eq!(quiescent.is_over.load(Ordering::Relaxed), !holds);
            holds
        };
        fs::write(&there, "1").unwrap();
        let new = || quiescent(folder.path(), &there, [&away[0], &away[1]]);
        let first = new();
        assert_eq!(first.missing, [bytes(&at("a"))], "one look for both");
        assert!(held(&first));
        for path in [at("a"), at("a/b"), away[0].clone(), away[1].clone()] {
            let quiescent = new();
            assert!(held(&quiescent));
            fs::create_dir(&path).unwrap();
            assert!(!held(&quiescent), "{}", path.display());
        }
        let last = new();
        assert_eq!((last.missing.len(), held(&last)), (0, true));
        fs::remove_dir(&away[1]).unwrap();
        assert!(!held(&last));
        let quiescent = new();
        fs::remove_file(&there).unwrap();
        assert!(!held(&quiescent));
    }

    #[test]
    fn what_the_question_has_seen_of_a_file_is_believed_in_place_of_a_look_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (there, away) = (folder.path().join("there"), folder.path().join("away"));
        fs::write(&there, "1").unwrap();
        let quiescent = quiescent(folder.path(), &there, [&away, &away]);
        let world = crate::world::OsWorld::new();
        let seen = crate::world::World::stat(&world, &there).unwrap();
        let mounts = MountTable::new(1, vec![]);
        quiescent.local.store(mounts.version, Ordering::Relaxed);
        let as_seen = |stat: Stat| quiescent.holds(&mounts, |path| (*path == *bytes(&there)).then_some(stat));
        assert!(as_seen(seen));
        for other in [
            Stat { size: 2, ..seen },
            Stat { ctime: 1, ..seen },
            Stat { mtime: 1, ..seen },
            Stat { ino: 1, ..seen },
        ] {
            assert!(!as_seen(other), "{other:?}");
        }
    }
}
