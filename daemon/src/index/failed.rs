//! Calls that failed and said nothing of the files (no descriptor left, a disk that fails to read): at which names, so that
//! only what lies there is looked at again.
//!
//! Filled by `settle` and by what reads directories, asked before each pass. What must stay true: a call that failed anywhere
//! else may have decided of anything, and all is read again.

use std::collections::BTreeSet;

use super::disk::Disk;
use super::engine::Engine;
use super::tree::{Id, Kind, Tree};

/// Since the last pass began.
#[derive(Debug, Default)]
pub(super) struct Failed {
    /// Each directory and the name in it.
    at: BTreeSet<(Id, Vec<u8>)>,
    calls: u64,
}

impl Failed {
    /// So many calls for a name; that is looked at again with all that lies beneath.
    pub(super) fn add(&mut self, (dir, name): (Id, &[u8]), calls: u64) {
        if calls > 0 {
            self.at.insert((dir, name.to_vec()));
            self.calls += calls;
        }
    }

    /// So many calls for what waits to be looked at anyway.
    pub(super) fn add_waiting(&mut self, calls: u64) {
        self.calls += calls;
    }
}

impl<D: Disk> Engine<D> {
    /// Wants everything looked at again at which a call has failed.
    pub(super) fn look_again_at_failed(&mut self) {
        let calls = self.disk.failed_calls();
        if calls == 0 {
            return;
        }
        let view = self.shared.read();
        let tree = &view.tree;
        let Failed { at, calls: known } = &self.inner.failed;
        let is_known = |(dir, name): &(Id, Vec<u8>)| !name.is_empty() && tree.is_live(*dir);
        // What git's store had to say is asked for folder by folder, by those that the index names.
        if calls != *known || self.store.has_failed() || !at.iter().all(is_known) {
            return self.rescan.read_all();
        }
        // What was not read again was not judged again, so that what is kept of git's index may lack it.
        self.rescan.index = true;
        for (dir, name) in at {
            let there = tree.child(*dir, name);
            let is_dir = |id: &Id| matches!(tree.kind(*id), Kind::Dir | Kind::Nested);
            self.inner.reread.extend(there.filter(is_dir));
            self.inner
                .dirty
                .entry(*dir)
                .or_default()
                .entry(name.clone())
                .or_default();
        }
    }

    /// Looks at something for a name, and keeps in mind where a call has failed.
    pub(super) fn at<T>(&mut self, place: (Id, &[u8]), look: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.disk.failures_here();
        let found = look(self);
        let calls = self.disk.failures_here() - before;
        self.inner.failed.add(place, calls);
        found
    }

    /// Where a directory is.
    pub(super) fn place_of(&self, id: Id) -> (Id, Vec<u8>) {
        let view = self.shared.read();
        match id == Tree::ROOT {
            true => (id, Vec::new()),
            false => (view.tree.parent(id), view.tree.name(id).to_vec()),
        }
    }
}
