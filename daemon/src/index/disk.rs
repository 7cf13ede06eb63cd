//! What the engine asks of a disk: one trait, so that the same engine runs over the real one and over a simulated one.
//!
//! What must stay true: a watch is placed on the directory that the handle has open, whatever its path is by now, and
//! two handles of one directory get the same watch.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::watch::{Backend, Hub, TreeKey, WatchError, Wd};
use crate::world::dir::{self, Dir, Meta};
use crate::world::gitplaces;
use crate::world::gitstore::{self, GitStore};
use crate::world::{FileKind, calls, filesystem};

/// The most bytes of an ignore or configuration file that are read; git's own limit is 100 MB, no honest file has 4.
pub(super) const FILE_LIMIT: usize = 4 << 20;

/// What is in git's store.
type Object = (gitstore::Kind, Vec<u8>);

/// A disk with watches. Paths and names are bytes; no call follows a link unless it says so.
pub(super) trait Disk: Send + Sync {
    /// An open directory.
    type Dir: Send + Sync;

    /// Opens a directory by an absolute path, following links.
    fn open(&self, path: &[u8]) -> io::Result<Self::Dir>;
    /// Opens a directory beneath `dir` by a relative path; the empty path is `dir` itself.
    fn open_at(&self, dir: &Self::Dir, path: &[u8]) -> io::Result<Self::Dir>;
    /// Gives each name in `dir` with its kind, where the directory itself says it.
    fn list(&self, dir: &Self::Dir, each: &mut dyn FnMut(&[u8], Option<FileKind>)) -> io::Result<()>;
    /// What a name in `dir` is.
    fn stat(&self, dir: &Self::Dir, name: &[u8]) -> io::Result<Meta>;
    /// What `dir` is.
    fn identity(&self, dir: &Self::Dir) -> io::Result<Meta>;
    /// The bytes of a regular file in `dir`.
    fn read(&self, dir: &Self::Dir, name: &[u8], limit: usize) -> io::Result<Vec<u8>>;
    /// The bytes of a regular file by an absolute path, following links.
    fn read_file(&self, path: &[u8], limit: usize) -> io::Result<Vec<u8>>;
    /// What an absolute path is, following links.
    fn stat_file(&self, path: &[u8]) -> io::Result<Meta>;
    /// An absolute path with its links resolved.
    fn resolve(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        Ok(path.to_vec())
    }
    /// Whether an absolute path, its last link not followed, belongs to the user whose disk this is.
    fn is_ours(&self, _path: &[u8]) -> bool {
        true
    }
    /// Opens git's store of the repository in a folder.
    fn store(&self, _git_dir: &[u8]) -> io::Result<GitStore> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// An object of it.
    fn object(&self, store: &mut GitStore, id: &[u8], most: usize) -> io::Result<Option<Object>> {
        store.read(id, most)
    }
    /// What HEAD stands for where that is in git's store, too.
    fn head(&self, _git_dir: &[u8]) -> io::Result<Option<Vec<u8>>> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Where git has the system's configuration.
    fn git_system(&self) -> Vec<u8> {
        b"/etc/gitconfig".to_vec()
    }
    /// What `%(prefix)/` stands for in git's paths, where it is known.
    fn git_prefix(&self) -> Option<Vec<u8>> {
        None
    }
    /// Watches `dir`, which lies on the device `dev`; the same watch again when it is watched already.
    fn watch(&self, dir: &Self::Dir, dev: u64) -> Result<Wd, WatchError>;
    /// Ends a watch.
    fn unwatch(&self, wd: Wd);
    /// The first call since [`Disk::forget_failure`] that failed in a way that says nothing of the files: they may be
    /// there all the same.
    fn failure(&self) -> Option<String> {
        None
    }
    /// How many calls have failed so since then.
    fn failed_calls(&self) -> u64 {
        0
    }
    /// How many calls of this very thread have failed so, ever.
    fn failures_here(&self) -> u64 {
        0
    }
    /// Forgets them.
    fn forget_failure(&self) {}
    /// What tells of changes from now on. Watches that are there stay.
    fn choose(&self, _backend: Backend) {}
    /// How many watches there may be from now on. Those that are there stay; whether they are too many.
    fn bound(&self, _most: u64) -> bool {
        false
    }
    /// What is mounted in a directory, by the kernel's numbers and at which paths.
    fn mounts_in(&self, path: &[u8]) -> Vec<(u64, Vec<u8>)>;
    /// Wall-clock time in nanoseconds since 1970 UTC.
    fn now(&self) -> i64;
    /// How far behind [`Disk::now`] the clock may be from which files get their times, in nanoseconds.
    fn granularity(&self) -> i64 {
        20_000_000
    }
}

thread_local! {
    /// Calls of this thread that have failed and said nothing of the files.
    static FAILURES: Cell<u64> = const { Cell::new(0) };
}

/// The machine's own disk, watched through the daemon's one descriptor.
#[derive(Debug)]
pub(super) struct LocalDisk {
    hub: Arc<Hub>,
    key: TreeKey,
    backend: RwLock<Backend>,
    /// Devices that were met, and the name of the file system where that tells nothing.
    devices: RwLock<HashMap<u64, Option<Arc<str>>>>,
    /// The points of what is mounted in the root.
    points: RwLock<Vec<Vec<u8>>>,
    /// What the first call said that failed and told nothing of the files, and how many did.
    failure: Mutex<Option<(String, u64)>>,
}

impl LocalDisk {
    /// A disk whose events go to the tree of that key.
    #[must_use]
    pub(super) fn new(hub: Arc<Hub>, key: TreeKey) -> Self {
        Self {
            hub,
            key,
            backend: RwLock::default(),
            devices: RwLock::default(),
            points: RwLock::default(),
            failure: Mutex::default(),
        }
    }

    fn failed(&self) -> MutexGuard<'_, Option<(String, u64)>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call that may hang, so that others can see it hanging.
    fn call<T>(&self, call: impl FnOnce() -> T) -> T {
        calls::within(u64::from(self.key.0), call)
    }

    /// The same, where an error may be believed to say what is on the disk, or may not.
    fn ask<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.call(call).inspect_err(|error| {
            if dir::says_nothing(error) {
                let mut failure = self.failed();
                failure.get_or_insert_with(|| (error.to_string(), 0)).1 += 1;
                FAILURES.set(FAILURES.get() + 1);
            }
        })
    }

    /// The name of a file system that does not tell of every change. A number of a device may stand for another file
    /// system after an unmount, so what is known goes with every change of the mounts.
    fn silence(&self, dir: &Dir, dev: u64) -> Option<Arc<str>> {
        let known = self.devices.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&dev) {
            return known.clone();
        }
        drop(known);
        let found = match filesystem::of(dir) {
            Ok(found) => (!found.tells).then(|| found.name.into()),
            Err(_) => Some("unknown".into()),
        };
        let mut known = self.devices.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(dev, found.clone());
        found
    }
}

impl LocalDisk {
    /// Whether a directory lies in what is mounted within the root, or holds a file that something is mounted on. The
    /// same may then have a second path, and the kernel watches what it is, not a path: of one of them nobody hears.
    fn is_doubled(&self, dir: &Dir) -> bool {
        let points = self.points.read().unwrap_or_else(PoisonError::into_inner);
        if points.is_empty() {
            return false;
        }
        let Ok(path) = dir.path() else { return true };
        let is_within = |point: &Vec<u8>| {
            let rest = path.strip_prefix(point.as_slice());
            rest.is_some_and(|rest| rest.first().is_none_or(|&byte| byte == b'/'))
        };
        if points.iter().any(is_within) {
            return true;
        }
        let of_point =
            |point: &Vec<u8>| Some(point.strip_prefix(path.as_slice())?.strip_prefix(b"/")?.to_vec());
        let mut names: Vec<Vec<u8>> = points.iter().filter_map(of_point).collect();
        names.retain(|name| !name.contains(&b'/'));
        // What a directory itself says of its names is what they are beneath the mount, and nothing that hangs is asked.
        let mut is_on_file = false;
        let listed = names.is_empty()
            || dir
                .list(&mut |name, kind| {
                    is_on_file |= kind != Some(FileKind::Dir) && names.iter().any(|point| point == name);
                })
                .is_ok();
        is_on_file || !listed
    }
}

impl Disk for LocalDisk {
    type Dir = Dir;

    fn open(&self, path: &[u8]) -> io::Result<Dir> {
        self.ask(|| Dir::open(path))
    }

    fn open_at(&self, dir: &Dir, path: &[u8]) -> io::Result<Dir> {
        self.ask(|| dir.open_at(path))
    }

    fn list(&self, dir: &Dir, each: &mut dyn FnMut(&[u8], Option<FileKind>)) -> io::Result<()> {
        self.ask(|| dir.list(each))
    }

    fn stat(&self, dir: &Dir, name: &[u8]) -> io::Result<Meta> {
        self.ask(|| dir.stat(name))
    }

    fn identity(&self, dir: &Dir) -> io::Result<Meta> {
        self.ask(|| dir.identity())
    }

    fn read(&self, dir: &Dir, name: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        self.ask(|| dir.read(name, limit))
    }

    fn read_file(&self, path: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        self.ask(|| dir::read_file(path, limit))
    }

    fn stat_file(&self, path: &[u8]) -> io::Result<Meta> {
        self.ask(|| dir::stat_file(path))
    }

    fn resolve(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        self.ask(|| dir::resolve(path))
    }

    fn is_ours(&self, path: &[u8]) -> bool {
        self.call(|| dir::is_ours(path))
    }

    fn store(&self, git_dir: &[u8]) -> io::Result<GitStore> {
        self.ask(|| GitStore::open(git_dir))
    }

    fn object(&self, store: &mut GitStore, id: &[u8], most: usize) -> io::Result<Option<Object>> {
        self.call(|| store.read(id, most))
    }

    fn head(&self, git_dir: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.ask(|| gitstore::head(git_dir))
    }

    fn git_system(&self) -> Vec<u8> {
        gitplaces::system()
    }

    fn git_prefix(&self) -> Option<Vec<u8>> {
        gitplaces::prefix()
    }

    fn watch(&self, dir: &Dir, dev: u64) -> Result<Wd, WatchError> {
        let backend = *self.backend.read().unwrap_or_else(PoisonError::into_inner);
        if backend == Backend::Poll {
            return Err(WatchError::Chosen(backend));
        }
        match (self.call(|| self.silence(dir, dev)), backend) {
            (Some(name), _) => Err(WatchError::Silent(name)),
            (None, Backend::Inotify) if self.call(|| self.is_doubled(dir)) => Err(WatchError::Mounted),
            (None, Backend::Inotify) => self.call(|| self.hub.watch(self.key, dir)),
            (None, chosen) => Err(WatchError::Chosen(chosen)),
        }
    }

    fn unwatch(&self, wd: Wd) {
        self.hub.unwatch(self.key, wd);
    }

    fn failure(&self) -> Option<String> {
        self.failed().as_ref().map(|(why, _)| why.clone())
    }

    fn failed_calls(&self) -> u64 {
        self.failed().as_ref().map_or(0, |(_, calls)| *calls)
    }

    fn failures_here(&self) -> u64 {
        FAILURES.get()
    }

    fn forget_failure(&self) {
        *self.failed() = None;
    }

    fn choose(&self, backend: Backend) {
        *self.backend.write().unwrap_or_else(PoisonError::into_inner) = backend;
    }

    fn bound(&self, most: u64) -> bool {
        self.hub.bound(self.key, most)
    }

    fn mounts_in(&self, path: &[u8]) -> Vec<(u64, Vec<u8>)> {
        self.devices
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        let mounts = self.hub.mounts_in(path);
        let points = mounts.iter().map(|(_, point)| point.clone()).collect();
        *self.points.write().unwrap_or_else(PoisonError::into_inner) = points;
        mounts
    }

    fn now(&self) -> i64 {
        crate::world::dir::now()
    }
}
