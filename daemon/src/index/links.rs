//! Files with several names: what is written by one of them changes all, and only that one's folder hears of it.
//!
//! Asked by `place`, `look` and `settle`. What must stay true: whenever a name of such a file is new, gone or not as it
//! was, every other name of it in the tree is looked at in the same batch; names outside the tree tell nothing (SPEC 6).

use std::collections::HashSet;

use super::disk::Disk;
use super::engine::{Engine, Inner};
use super::tree::{Id, Kind, Tree};

/// Inodes with several names.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    /// Those that files in the tree have, as far as was seen.
    pub(super) known: HashSet<u64>,
    /// Those of which something has changed.
    waiting: HashSet<u64>,
}

impl Links {
    /// Those that a saved index knew.
    pub(super) fn of(known: HashSet<u64>) -> Self {
        let waiting = HashSet::new();
        Self { known, waiting }
    }

    /// A file with other names was seen.
    pub(super) fn seen(&mut self, ino: u64) {
        self.known.insert(ino);
    }

    /// One of its names has changed or gone.
    pub(super) fn touched(&mut self, ino: u64) {
        if self.known.contains(&ino) {
            self.waiting.insert(ino);
        }
    }

    /// The fault: nobody hears of it.
    #[cfg(test)]
    pub(super) fn hush(&mut self, ino: u64) {
        self.waiting.remove(&ino);
    }

    /// There are no names any more.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether other names are still to be looked at.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

impl<D: Disk> Engine<D> {
    /// Marks every name of the files of which a name has changed.
    pub(super) fn mark_links(&mut self) {
        #[cfg(test)]
        if self.start.has(super::bug::Bug::OtherNamesAreForgotten) {
            self.inner.links.waiting.clear();
        }
        let view = self.shared.read();
        self.inner.mark_links(&view.tree);
    }
}

impl Inner {
    fn mark_links(&mut self, tree: &Tree) {
        if !self.links.is_waiting() {
            return;
        }
        let mut waiting = std::mem::take(&mut self.links.waiting);
        let mut found = HashSet::new();
        for id in (0..tree.ids()).map(Id).filter(|&id| tree.is_attached(id)) {
            // What was seen in this batch and is not in the tree yet counts.
            let (kind, ino) = match self.changed.get(&id) {
                Some((kind, meta, _)) => (*kind, meta.ino),
                None => (tree.kind(id), tree.ino(id)),
            };
            let is_one = matches!(kind, Kind::File | Kind::Link | Kind::Other) && waiting.contains(&ino);
            if is_one && tree.is_live(id) {
                found.insert(ino);
                let names = self.dirty.entry(tree.parent(id)).or_default();
                names.entry(tree.name(id).to_vec()).or_default();
            }
        }
        waiting.retain(|ino| !found.contains(ino));
        self.links.known.retain(|ino| !waiting.contains(ino));
    }
}
