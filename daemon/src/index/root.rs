//! The root's directory: open while a pass runs, known by its identity between them.
//!
//! Asked by `engine`, `settle` and `verify`. What must stay true: nothing is open between passes, so that a disk with an
//! indexed project can be unmounted; a pass sees one directory from its beginning to its end, whatever takes the root's
//! place meanwhile; one that is not the remembered one is read as a whole.

use std::io;

#[cfg(test)]
use super::bug::Bug;
use super::disk::Disk;
use super::engine::{Engine, Inner, Said};
use super::failed::Failed;
use super::rescan::Rescan;
use super::tree::Tree;
use crate::watch::Wd;
use crate::world::dir::{self, Meta};

/// What a directory is known by while nobody has it open: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(pub(super) u64, pub(super) u64);

/// What a look at the root's watch tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rooted {
    /// It is the directory that was watched before, or nothing tells otherwise.
    #[default]
    AsBefore,
    /// It is watched from now on, and was not before: what was asked by its path until now may be another one's, or
    /// may have found none.
    Heard,
    /// Another directory was watched until now: one may have been given the number of the other.
    Other,
}

impl From<Meta> for Identity {
    fn from(meta: Meta) -> Self {
        Self(meta.dev, meta.ino)
    }
}

impl<D: Disk> Engine<D> {
    /// Runs a pass over the disk. Where the root is not the directory that it was, the pass has none, and the root is to
    /// be looked at.
    pub(super) fn pass<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> T {
        // What failed at the last look is looked at again: it may be there all the same.
        self.look_again_at_failed();
        self.disk.forget_failure();
        self.inner.failed = Failed::default();
        let opened = open(&self.disk, &self.start.root);
        self.root = opened
            .ok()
            .filter(|(_, identity)| self.is_root(*identity))
            .map(|(dir, _)| dir);
        self.rescan.root |= self.root.is_none();
        let done = run(self);
        self.store.close();
        #[cfg(test)]
        if self.start.has(Bug::RootIsHeld) {
            return done;
        }
        self.root = None;
        done
    }

    /// Whether the root's path names the directory that it did. Opens nothing.
    pub(super) fn has_same_root(&self) -> bool {
        let there = self.disk.stat_file(&self.start.root);
        there.is_ok_and(|meta| self.is_root(meta.into()))
    }

    /// Watches the root before anything in it is read by its path: whatever takes its place meanwhile makes an event.
    pub(super) fn watch_root(&mut self) -> Rooted {
        let meta = self.root.as_ref().map(|root| (root, self.disk.identity(root)));
        let Some((root, Ok(meta))) = meta else {
            return Rooted::AsBefore;
        };
        match self.disk.watch(root, meta.dev) {
            Ok(wd) => self.inner.watch_as_root(Some(wd)),
            Err(_) => Rooted::AsBefore,
        }
    }

    /// Where another directory has come into the root's place while it was read, all is read again: of what was asked of
    /// the first one by its path, such as its repository, nobody hears any more. Where nobody heard of the root before,
    /// its repository is looked for again.
    pub(super) fn mind_other_root(&mut self) {
        match std::mem::take(&mut self.inner.rooted) {
            Rooted::AsBefore => {}
            Rooted::Heard => self.rescan.repo = true,
            Rooted::Other => self.rescan.lose(),
        }
    }

    fn is_root(&self, there: Identity) -> bool {
        #[cfg(test)]
        let there = match self.start.has(Bug::RootIsAPath) {
            true => self.identity,
            false => there,
        };
        !self.is_lost && there == self.identity
    }

    /// Whether the pass has a root. Where another directory is in its place, all is read again; without one, all files
    /// are gone until it is back.
    pub(super) fn check_root(&mut self, rescan: &mut Rescan) -> bool {
        if self.root.is_some() {
            // One that came by the number of another is not watched yet, and what lies in it is looked for by its path.
            match self.watch_root() {
                Rooted::AsBefore => {}
                Rooted::Heard => rescan.repo = true,
                Rooted::Other => {
                    *rescan = Rescan {
                        root: false,
                        ..Rescan::ALL
                    }
                }
            }
            return true;
        }
        match open(&self.disk, &self.start.root) {
            Ok((dir, identity)) => {
                (self.root, self.identity) = (Some(dir), identity);
                self.is_lost = false;
                self.watch_root();
                *rescan = Rescan {
                    root: false,
                    ..Rescan::ALL
                };
                true
            }
            // It may be there: what is known of it stays, and is looked at again with the next question.
            Err(error) if dir::is_shortage(&error) => false,
            Err(error) => {
                if !std::mem::replace(&mut self.is_lost, true) {
                    tracing::warn!(%error, root = %String::from_utf8_lossy(&self.start.root), "a root is gone");
                }
                self.inner.dirty.clear();
                self.inner.reread.clear();
                let shared = self.shared.clone();
                let mut view = shared.write();
                for child in view.tree.children(Tree::ROOT).collect::<Vec<_>>() {
                    self.inner.displace(&mut view, child, Said::default());
                }
                false
            }
        }
    }
}

impl Inner {
    /// Takes the watch of what is the root now.
    pub(super) fn watch_as_root(&mut self, wd: Option<Wd>) -> Rooted {
        let old = self.folders.insert(Tree::ROOT, wd).flatten();
        if old == wd {
            return Rooted::AsBefore;
        }
        if let Some(wd) = wd {
            self.by_wd.insert(wd, Tree::ROOT);
        }
        let Some(old) = old else { return Rooted::Heard };
        self.by_wd.remove(&old);
        // Of the old one's end nobody would hear any more.
        self.to_end.push(old);
        Rooted::Other
    }
}

/// Opens a root, and says which directory that is.
pub(super) fn open<D: Disk>(disk: &D, path: &[u8]) -> io::Result<(D::Dir, Identity)> {
    let dir = disk.open(path)?;
    let identity = disk.identity(&dir)?.into();
    Ok((dir, identity))
}
