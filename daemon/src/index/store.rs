//! What git's own store has to say: ignore files and folders that git's index holds and the checkout does not.
//!
//! Asked by `crawl` for the ignore file of a folder, by `control` for what a sparse index leaves out. What must stay true:
//! git's process runs within one pass at most; what could not be read is said (`doubt`), and asked for again with the next
//! reading of git's index.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Disk, FILE_LIMIT};
use super::splitindex::Raw;
use crate::world::gitstore::{GitStore, Kind};

/// Bytes of ignore files that are kept for the next time.
const KEPT: usize = 16 << 20;
/// Bytes of one directory's object.
const TREE: usize = 64 << 20;
/// What lies in all directories together that a sparse index holds as one each and that are there.
const ENTRIES: usize = 2_000_000;
/// No path has more.
const DEPTH: usize = 2048;

/// The store of a repository.
#[derive(Debug, Default)]
pub(super) struct Store(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    git: Option<GitStore>,
    /// It was asked in vain: not again in this pass.
    is_dead: bool,
    known: HashMap<Box<[u8]>, Arc<[u8]>>,
    bytes: usize,
    /// Folders whose ignore file could not be read.
    failed: BTreeSet<Vec<u8>>,
}

impl Held {
    fn read<D: Disk>(
        &mut self,
        disk: &D,
        git_dir: &[u8],
        (id, kind): (&[u8], Kind),
        most: usize,
    ) -> Option<Vec<u8>> {
        if self.is_dead {
            return None;
        }
        let read = match &mut self.git {
            Some(git) => disk.object(git, id, most),
            none => disk
                .store(git_dir)
                .and_then(|git| disk.object(none.insert(git), id, most)),
        };
        match read {
            Ok(found) => found.filter(|(found, _)| *found == kind).map(|(_, bytes)| bytes),
            Err(error) => {
                tracing::debug!(%error, "git's store could not be read");
                (self.git, self.is_dead) = (None, true);
                None
            }
        }
    }
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ignore file of a folder by its id.
    pub(super) fn ignore_file<D: Disk>(
        &self,
        disk: &D,
        git_dir: &[u8],
        (folder, id): (&[u8], &[u8]),
    ) -> Option<Vec<u8>> {
        let mut held = self.lock();
        if let Some(known) = held.known.get(id) {
            return Some(known.to_vec());
        }
        let text = held.read(disk, git_dir, (id, Kind::Blob), FILE_LIMIT);
        let Some(text) = text else {
            held.failed.insert(folder.to_vec());
            return None;
        };
        if held.bytes + text.len() > KEPT {
            held.known.clear();
            held.bytes = 0;
        }
        held.bytes += text.len();
        held.known.insert(id.into(), text.as_slice().into());
        Some(text)
    }

    /// All that lies in a directory, by its path and id; none when not all of it can be read.
    pub(super) fn entries<D: Disk>(
        &self,
        disk: &D,
        git_dir: &[u8],
        (path, id): (&[u8], &[u8]),
    ) -> Option<Vec<Raw>> {
        let mut held = self.lock();
        let (mut all, mut waiting) = (Vec::new(), vec![(path.to_vec(), Box::<[u8]>::from(id), 0)]);
        while let Some((path, id, depth)) = waiting.pop() {
            let tree = held.read(disk, git_dir, (&id, Kind::Tree), TREE)?;
            for entry in Tree::new(&tree, id.len()) {
                let (mode, name, id) = entry?;
                let path = [path.as_slice(), b"/", name].concat();
                if depth > DEPTH || all.len() + waiting.len() > ENTRIES {
                    return None;
                }
                match mode & 0o170_000 {
                    0o040_000 => waiting.push((path, id.into(), depth + 1)),
                    _ => all.push((path, mode, id.into())),
                }
            }
        }
        Some(all)
    }

    /// Whether something that was asked for could not be read.
    pub(super) fn has_failed(&self) -> bool {
        !self.lock().failed.is_empty()
    }

    /// Folders whose ignore file could not be read, which is to be asked for again.
    pub(super) fn take_failed(&self) -> BTreeSet<Vec<u8>> {
        std::mem::take(&mut self.lock().failed)
    }

    /// The end of a pass: nothing runs on.
    pub(super) fn close(&self) {
        let mut held = self.lock();
        (held.git, held.is_dead) = (None, false);
    }
}

/// What a directory's object says, entry by entry: mode, name and id; none for what is no directory.
struct Tree<'a> {
    rest: &'a [u8],
    id_len: usize,
}

impl<'a> Tree<'a> {
    fn new(rest: &'a [u8], id_len: usize) -> Self {
        Self { rest, id_len }
    }

    fn entry(&mut self) -> Option<(u32, &'a [u8], &'a [u8])> {
        let space = self.rest.iter().position(|&byte| byte == b' ')?;
        let mode = u32::from_str_radix(std::str::from_utf8(&self.rest[..space]).ok()?, 8).ok()?;
        let rest = &self.rest[space + 1..];
        let end = rest.iter().position(|&byte| byte == 0)?;
        let id = rest.get(end + 1..end + 1 + self.id_len)?;
        self.rest = &rest[end + 1 + self.id_len..];
        let name = &rest[..end];
        let is_name = !name.is_empty() && !name.contains(&b'/');
        is_name.then_some((mode & 0o170_777, name, id))
    }
}

impl<'a> Iterator for Tree<'a> {
    type Item = Option<(u32, &'a [u8], &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_none() {
            self.rest = &[];
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_cut_or_changed_is_refused_as_a_whole() {
        let object = [b"100644 a\0".as_slice(), &[1; 20], b"40000 b\0", &[2; 20]].concat();
        let read = |bytes: &[u8]| {
            Tree::new(bytes, 20)
                .collect::<Option<Vec<_>>>()
                .map(|all| all.len())
        };
        assert_eq!(read(&object), Some(2));
        assert_eq!(read(b""), Some(0));
        for length in 1..object.len() {
            assert_eq!(read(&object[..length]).is_some(), length == 29, "{length} bytes");
        }
        for bad in ["100644 \0", "100644 a/b\0", "x a\0", "9 a\0", " a\0"] {
            assert_eq!(read(&[bad.as_bytes(), &[1; 20]].concat()), None, "{bad}");
        }
    }
}
