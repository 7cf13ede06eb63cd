//! A world for tests: files in a map, a clock that stands still, counted chance, and calls that fail or hang when told to.
//!
//! Unit tests of every room and the test bed use it. What must stay true: it stamps files as a kernel does (a directory
//! changes with its names, a file with its bytes and mode, a moved thing with its place), or tests of what depends on
//! stamps would prove nothing.

mod answers;
mod beneath;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::mounts::Mount;
use super::{FileKind, MountTable, Nanos, Stat};

/// One step of the fake's clock.
const STEP: Nanos = 4_000_000;

#[derive(Clone)]
struct Node {
    stat: Stat,
    bytes: Vec<u8>,
    target: PathBuf,
}

struct Inner {
    nodes: BTreeMap<PathBuf, Node>,
    now: Nanos,
    next_ino: u64,
    chance: u8,
    calls: u64,
    fail_at: Option<u64>,
    hung: Vec<PathBuf>,
    waiting: usize,
    table: Arc<MountTable>,
}

/// Files in a map. Made with the root directory alone, on one local file system.
pub struct FakeWorld {
    inner: Mutex<Inner>,
    released: Condvar,
}

impl Default for FakeWorld {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeWorld {
    /// An empty world: `/` on an `ext4`, a clock at one million seconds.
    #[must_use]
    pub fn new() -> Self {
        let local = Mount {
            id: 1,
            point: PathBuf::from("/"),
            kind: "ext4".into(),
            read_only: false,
        };
        let inner = Inner {
            nodes: BTreeMap::new(),
            now: 1_000_000_000_000_000,
            next_ino: 1,
            chance: 0,
            calls: 0,
            fail_at: None,
            hung: Vec::new(),
            waiting: 0,
            table: Arc::new(MountTable::new(1, vec![local])),
        };
        let world = Self {
            inner: Mutex::new(inner),
            released: Condvar::new(),
        };
        world
            .inner()
            .put(Path::new("/"), FileKind::Dir, &[], Path::new(""));
        world
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A directory, with those above it.
    pub fn dir(&self, path: impl AsRef<Path>) -> &Self {
        self.inner().dirs(path.as_ref());
        self
    }

    /// A file with these bytes, made or replaced in place, with the directories above it.
    pub fn file(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> &Self {
        let path = path.as_ref();
        let mut inner = self.inner();
        inner.dirs(path.parent().unwrap_or(Path::new("/")));
        inner.put(path, FileKind::File, bytes.as_ref(), Path::new(""));
        drop(inner);
        self
    }

    /// A link, with the directories above it.
    pub fn link(&self, path: impl AsRef<Path>, target: impl AsRef<Path>) -> &Self {
        let path = path.as_ref();
        let mut inner = self.inner();
        inner.dirs(path.parent().unwrap_or(Path::new("/")));
        inner.take(path);
        inner.put(path, FileKind::Link, &[], target.as_ref());
        drop(inner);
        self
    }

    /// Removes what a path names and all below it.
    pub fn delete(&self, path: impl AsRef<Path>) -> &Self {
        self.inner().take(path.as_ref());
        self
    }

    /// Changes the mode bits (the type stays). Nobody may write where the owner's write bit is off, nor list where the
    /// read bit is.
    pub fn chmod(&self, path: impl AsRef<Path>, mode: u32) -> &Self {
        let mut inner = self.inner();
        let now = inner.now;
        if let Some(node) = inner.nodes.get_mut(path.as_ref()) {
            node.stat.mode = (node.stat.mode & !0o7777) | mode;
            node.stat.ctime = now;
        }
        drop(inner);
        self
    }

    /// Gives a path and all below it to another user.
    pub fn chown(&self, path: impl AsRef<Path>, uid: u32) -> &Self {
        let mut inner = self.inner();
        let now = inner.now;
        for (_, node) in inner
            .nodes
            .iter_mut()
            .filter(|(at, _)| at.starts_with(path.as_ref()))
        {
            node.stat.uid = uid;
            node.stat.ctime = now;
        }
        drop(inner);
        self
    }

    /// Mounts a file system of a kind: what the directory holds stays, on another device.
    pub fn mount(&self, point: impl AsRef<Path>, kind: &str) -> &Self {
        let point = point.as_ref();
        let mut inner = self.inner();
        inner.dirs(point);
        let mut mounts = inner.table.mounts.clone();
        let id = mounts.len() as u64 + 1;
        mounts.push(Mount {
            id,
            point: point.to_path_buf(),
            kind: kind.into(),
            read_only: false,
        });
        inner.table = Arc::new(MountTable::new(inner.table.version + 1, mounts));
        for (_, node) in inner.nodes.iter_mut().filter(|(at, _)| at.starts_with(point)) {
            (node.stat.mount, node.stat.dev) = (id, id);
        }
        drop(inner);
        self
    }

    /// Moves the clock on by so many of its steps; within one step two changes get the same stamp.
    pub fn tick(&self, steps: i64) -> &Self {
        self.inner().now += steps * STEP;
        self
    }

    /// Makes the `n`-th call from now fail with an input/output error; 1 is the next.
    pub fn fail_at(&self, n: u64) -> &Self {
        let mut inner = self.inner();
        inner.fail_at = Some(inner.calls + n);
        drop(inner);
        self
    }

    /// How many calls have been made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.inner().calls
    }

    /// Every call on a path at or below `point` waits from now on, as on a FUSE mount whose server is stuck.
    pub fn hang(&self, point: impl AsRef<Path>) -> &Self {
        self.inner().hung.push(point.as_ref().to_path_buf());
        self
    }

    /// Lets all hung calls go on.
    pub fn release(&self) {
        self.inner().hung.clear();
        self.released.notify_all();
    }

    /// How many calls hang now.
    #[must_use]
    pub fn hanging(&self) -> usize {
        self.inner().waiting
    }

    fn enter(&self, path: &Path) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = self.inner();
        inner.calls += 1;
        if inner.fail_at == Some(inner.calls) {
            return Err(io::Error::from_raw_os_error(5));
        }
        if inner.hung.iter().any(|point| path.starts_with(point)) {
            inner.waiting += 1;
            inner = self
                .released
                .wait_while(inner, |inner| {
                    inner.hung.iter().any(|point| path.starts_with(point))
                })
                .unwrap_or_else(PoisonError::into_inner);
            inner.waiting -= 1;
        }
        Ok(inner)
    }
}

impl Inner {
    fn dirs(&mut self, path: &Path) {
        let missing: Vec<PathBuf> = path
            .ancestors()
            .take_while(|at| !self.nodes.contains_key(*at))
            .map(Path::to_path_buf)
            .collect();
        for dir in missing.iter().rev() {
            self.put(dir, FileKind::Dir, &[], Path::new(""));
        }
    }

    fn touch(&mut self, path: &Path) {
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(path) {
            (node.stat.mtime, node.stat.ctime) = (now, now);
        }
    }

    fn put(&mut self, path: &Path, kind: FileKind, bytes: &[u8], target: &Path) {
        let old = self
            .nodes
            .get(path)
            .filter(|node| node.stat.kind == kind)
            .map(|node| node.stat);
        let parent = path.parent().map(Path::to_path_buf);
        let (mount, dev) = parent
            .as_ref()
            .and_then(|parent| self.nodes.get(parent))
            .map_or((1, 1), |node| (node.stat.mount, node.stat.dev));
        let mode = match kind {
            FileKind::Dir => 0o040_755,
            FileKind::Link => 0o120_777,
            _ => 0o100_644,
        };
        let fresh = Stat {
            kind,
            mount,
            dev,
            ino: self.next_ino,
            size: 0,
            mode,
            uid: 0,
            mtime: 0,
            ctime: 0,
        };
        let stat = old.unwrap_or(fresh);
        let stat = Stat {
            size: bytes.len() as u64,
            mtime: self.now,
            ctime: self.now,
            ..stat
        };
        self.nodes.insert(
            path.to_path_buf(),
            Node {
                stat,
                bytes: bytes.to_vec(),
                target: target.to_path_buf(),
            },
        );
        if old.is_none() {
            self.next_ino += 1;
            if let Some(parent) = parent {
                self.touch(&parent);
            }
        }
    }

    fn take(&mut self, path: &Path) {
        let before = self.nodes.len();
        self.nodes.retain(|at, _| !at.starts_with(path));
        if let (true, Some(parent)) = (self.nodes.len() < before, path.parent()) {
            self.touch(parent);
        }
    }

    fn node(&self, path: &Path) -> io::Result<&Node> {
        for above in path.ancestors().skip(1) {
            match self.nodes.get(above).map(|node| node.stat.kind) {
                Some(FileKind::Dir) => break,
                Some(_) => return Err(io::ErrorKind::NotADirectory.into()),
                None => {}
            }
        }
        self.nodes.get(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::World;

    #[test]
    fn a_directory_changes_with_its_names_and_a_file_with_its_bytes() {
        let world = FakeWorld::new();
        world.file("/a/x", "1").tick(1);
        let (dir, file) = (
            world.stat(Path::new("/a")).unwrap(),
            world.stat(Path::new("/a/x")).unwrap(),
        );
        world.file("/a/x", "2");
        assert_eq!(world.stat(Path::new("/a")).unwrap(), dir);
        assert_ne!(world.stat(Path::new("/a/x")).unwrap(), file);
        world.delete("/a/x");
        assert_ne!(world.stat(Path::new("/a")).unwrap(), dir);
    }

    #[test]
    fn the_call_that_was_told_to_fails_and_the_next_does_not() {
        let world = FakeWorld::new();
        world.fail_at(2);
        assert!(world.stat(Path::new("/")).is_ok());
        assert!(world.stat(Path::new("/")).is_err());
        assert!(world.stat(Path::new("/")).is_ok());
    }
}
