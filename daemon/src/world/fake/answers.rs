//! The fake's side of [`World`]: every call is counted, may fail, and may hang.
//!
//! Asked through the trait by whatever is under test. What must stay true: the errors are of the kinds that the real
//! world gives.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{FakeWorld, STEP};
use crate::world::{Entry, FileKind, MountTable, Nanos, Pieces, Stat, World};

impl World for FakeWorld {
    fn now(&self) -> Nanos {
        self.inner().now
    }

    fn coarse_now(&self) -> Nanos {
        self.inner().now
    }

    fn granularity(&self) -> Nanos {
        STEP
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.inner().now.unsigned_abs())
    }

    fn random(&self, bytes: &mut [u8]) {
        let mut inner = self.inner();
        for byte in bytes {
            inner.chance = inner.chance.wrapping_add(1);
            *byte = inner.chance;
        }
    }

    fn uid(&self) -> u32 {
        0
    }

    fn mounts(&self) -> Arc<MountTable> {
        Arc::clone(&self.inner().table)
    }

    fn events(&self) -> Option<Box<dyn crate::world::events::Events>> {
        None
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        Ok(self.enter(path)?.node(path)?.stat)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        let inner = self.enter(path)?;
        let node = inner.node(path)?;
        if node.stat.kind == FileKind::Link {
            Ok(node.target.clone())
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }

    fn list(&self, path: &Path, limit: usize) -> io::Result<Vec<Entry>> {
        let inner = self.enter(path)?;
        let stat = inner.node(path)?.stat;
        match stat.kind {
            FileKind::Dir if stat.mode & 0o400 == 0 => return Err(io::ErrorKind::PermissionDenied.into()),
            FileKind::Dir => {}
            _ => return Err(io::ErrorKind::NotADirectory.into()),
        }
        let children = inner.nodes.iter().filter(|(at, _)| at.parent() == Some(path));
        let entries: Vec<Entry> = children
            .filter_map(|(at, node)| {
                Some(Entry {
                    name: at.file_name()?.to_os_string(),
                    kind: Some(node.stat.kind),
                })
            })
            .collect();
        if entries.len() > limit {
            Err(io::ErrorKind::FileTooLarge.into())
        } else {
            Ok(entries)
        }
    }

    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let inner = self.enter(path)?;
        let node = inner.node(path)?;
        match node.stat.kind {
            FileKind::File if node.bytes.len() > limit => Err(io::ErrorKind::FileTooLarge.into()),
            FileKind::File => Ok(node.bytes.clone()),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn may_write(&self, path: &Path) -> bool {
        let inner = self.inner();
        inner
            .nodes
            .get(path)
            .is_some_and(|node| node.stat.mode & 0o200 != 0)
    }

    fn born(&self, path: &Path) -> io::Result<Option<Nanos>> {
        // Numbers of inodes are never given twice here, so they tell when a thing was made.
        let ino = self.enter(path)?.node(path)?.stat.ino;
        Ok(Some(Nanos::try_from(ino).unwrap_or_default()))
    }

    fn stat_beneath(&self, root: &Path, relative: &Path) -> io::Result<Stat> {
        self.no_links(root, relative)?;
        self.stat(&root.join(relative))
    }

    fn list_beneath(&self, root: &Path, relative: &Path, limit: usize) -> io::Result<Vec<Entry>> {
        self.no_links(root, relative)?;
        self.list(&root.join(relative), limit)
    }

    fn read_beneath(&self, root: &Path, relative: &Path, limit: usize) -> io::Result<Vec<u8>> {
        self.no_links(root, relative)?;
        self.read(&root.join(relative), limit)
    }

    fn open_file(&self, _root: &Path, _relative: &Path) -> io::Result<std::fs::File> {
        // Its files are in no file system.
        Err(io::ErrorKind::Unsupported.into())
    }

    fn open_held(&self, _pid: u32, _descriptor: u32) -> io::Result<std::fs::File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn make_dir(&self, root: &Path, relative: &Path) -> io::Result<()> {
        let path = root.join(relative);
        drop(self.enter(&path)?);
        self.no_links(root, relative)?;
        self.dir(&path);
        Ok(())
    }

    fn set_aside(&self, root: &Path, relative: &Path, new_name: &Path) -> io::Result<()> {
        self.renamed(&root.join(relative), new_name)
    }

    fn write(&self, root: &Path, relative: &Path, bytes: &[u8]) -> io::Result<()> {
        let path = root.join(relative);
        drop(self.enter(&path)?);
        self.no_links(root, relative)?;
        self.file(&path, bytes);
        Ok(())
    }

    fn append(&self, root: &Path, relative: &Path, length: u64, bytes: &[u8]) -> io::Result<()> {
        let path = root.join(relative);
        let mut whole = self.enter(&path)?.node(&path)?.bytes.clone();
        self.no_links(root, relative)?;
        if whole.len() as u64 != length {
            return Err(io::ErrorKind::InvalidData.into());
        }
        whole.extend_from_slice(bytes);
        self.file(&path, whole);
        Ok(())
    }

    fn remove(&self, root: &Path, relative: &Path) -> io::Result<()> {
        let path = root.join(relative);
        let mut inner = self.enter(&path)?;
        inner.node(&path)?;
        inner.take(&path);
        Ok(())
    }

    fn open_beneath(&self, root: &Path, relative: &Path) -> io::Result<Box<dyn Pieces>> {
        self.no_links(root, relative)?;
        let path = root.join(relative);
        let bytes = self.read(&path, usize::MAX)?;
        let stat = self.inner().node(&path)?.stat;
        Ok(Box::new(Opened(io::Cursor::new(bytes), stat)))
    }

    fn copy_in(&self, from: &File, root: &Path, relative: &Path) -> io::Result<Stat> {
        use std::os::unix::fs::FileExt as _;
        let length = from.metadata()?.len();
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        from.read_exact_at(&mut bytes, 0)?;
        self.write(root, relative, &bytes)?;
        Ok(self.inner().node(&root.join(relative))?.stat)
    }

    fn put_in_place(&self, root: &Path, from: &Path, to: &Path) -> io::Result<()> {
        self.no_links(root, from)?;
        if let Some(above) = to.parent().filter(|above| !above.as_os_str().is_empty()) {
            self.no_links(root, above)?;
        }
        let (from, target) = (root.join(from), root.join(to));
        let mut inner = self.enter(&target)?;
        let node = inner.node(&from)?.clone();
        if inner
            .nodes
            .get(&target)
            .is_some_and(|node| node.stat.kind == FileKind::Dir)
        {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        inner.take(&from);
        inner.take(&target);
        inner.dirs(target.parent().unwrap_or(Path::new("/")));
        inner.put(&target, FileKind::File, &node.bytes, Path::new(""));
        if let Some(put) = inner.nodes.get_mut(&target) {
            (put.stat.ino, put.stat.mtime) = (node.stat.ino, node.stat.mtime);
        }
        Ok(())
    }
}

/// A file as it was when it was opened.
struct Opened(io::Cursor<Vec<u8>>, Stat);

impl io::Read for Opened {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Pieces for Opened {
    fn stat(&self) -> io::Result<Stat> {
        Ok(self.1)
    }
}
