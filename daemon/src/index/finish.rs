//! The end of a batch: which of the removed and the arrived are renames, what has died, and the journal's tick.
//!
//! What must stay true: children die before their directories, moves are written before deaths, so that the journal can
//! release nodes in the order of its records; an inode alone proves no rename, because file systems reuse them at once.

use std::collections::{HashMap, HashSet};

#[cfg(test)]
use super::bug::Bug;
use super::disk::Disk;
use super::engine::{Control, Engine, Inner, Said, View};
use super::tree::{Id, Kind};

/// A file that has left its place.
struct Gone {
    id: Id,
    said: Said,
    is_taken: bool,
}

impl<D: Disk> Engine<D> {
    /// Ends the batch. The new tick, when something has changed or everything was read again after a loss.
    pub(super) fn finish(&mut self, was_lost: bool) -> Option<u32> {
        let now = self.disk.now();
        let shared = self.shared.clone();
        let mut view = shared.write();
        #[cfg(test)]
        (self.inner.bug = Some(self.start.bug));
        self.inner.bury(&mut view);
        // What is not in its place by now is dead, and nothing can be asked of it.
        self.inner.dirty.retain(|&id, _| view.tree.is_live(id));
        for wd in std::mem::take(&mut self.inner.to_end) {
            if !self.inner.uses(wd) {
                self.disk.unwatch(wd);
            }
        }
        let View { tree, journal } = &mut *view;
        if was_lost {
            return Some(journal.restart(tree, now));
        }
        journal.settle(tree, now)
    }
}

impl Inner {
    fn bury(&mut self, view: &mut View) {
        let new: HashSet<Id> = self.arrived.iter().map(|&(id, _)| id).collect();
        for (id, from) in std::mem::take(&mut self.moves) {
            // What became a nested repository in this batch is new wherever it went afterwards.
            if new.contains(&id) {
                view.tree.release_name(from.1);
            } else if view.tree.place(id) != from {
                view.journal.moved(id, from);
            }
        }
        let mut dead_dirs = Vec::new();
        // All are chosen before any is taken apart: one that was found again may lie in another that was not.
        let mut lost = std::mem::take(&mut self.limbo);
        lost.retain(|&id| !view.tree.is_attached(id));
        for id in lost {
            self.take_apart(view, id, &mut dead_dirs);
        }
        let removed = std::mem::take(&mut self.removed);
        let mut gone: Vec<Gone> = removed
            .into_iter()
            .map(|(id, said)| Gone {
                id,
                said,
                is_taken: false,
            })
            .collect();
        let mut by_ino: HashMap<u64, usize> = HashMap::new();
        // What only came in this batch was nowhere before it, so nothing is a rename of it.
        for (at, gone) in gone
            .iter()
            .enumerate()
            .filter(|(_, gone)| !new.contains(&gone.id))
        {
            by_ino.insert(view.tree.ino(gone.id), at);
        }
        self.name_arrivals(view, &mut gone, &by_ino);
        self.name_changes(view, &mut gone, &by_ino);
        for gone in gone.iter().filter(|gone| !gone.is_taken) {
            view.journal.deleted(gone.id);
        }
        for (parent, name) in std::mem::take(&mut self.ghosts) {
            let id = view.tree.ghost(parent, &name, Kind::File);
            view.journal.created(id);
            view.journal.deleted(id);
        }
        for id in dead_dirs {
            view.journal.deleted(id);
        }
    }

    /// New files: each is a rename of a gone one, or created.
    fn name_arrivals(&mut self, view: &mut View, gone: &mut [Gone], by_ino: &HashMap<u64, usize>) {
        for (id, mut said) in std::mem::take(&mut self.arrived) {
            // Looked at again after it came: that look counts, also where it is the new place of one that was there.
            if let Some((kind, meta, later)) = self.changed.remove(&id)
                && view.tree.is_live(id)
            {
                view.tree.set_kind(id, kind);
                view.tree.set_meta(id, &meta);
                said = later;
            }
            let old = by_ino.get(&view.tree.ino(id)).map(|&at| &mut gone[at]);
            if !view.tree.is_live(id) {
                view.journal.created(id);
                continue;
            }
            let Some(old) = old.filter(|old| is_rename(view, old, id, said)) else {
                view.journal.created(id);
                continue;
            };
            old.is_taken = true;
            let (parent, name, forced) = (
                view.tree.parent(id),
                view.tree.name(id).to_vec(),
                view.tree.is_forced(id),
            );
            let meta = view.tree.meta(id);
            let is_modified = view.tree.differs(old.id, view.tree.kind(id), &meta);
            view.tree.detach(id);
            view.tree.release(id);
            view.journal.moved(old.id, view.tree.place(old.id));
            #[cfg(test)]
            if self.bug == Some(Bug::OldPathIsLost) {
                view.journal.mistake_last_for_new();
            }
            view.tree.attach(old.id, parent, &name);
            view.tree.set_meta(old.id, &meta);
            view.tree.set_forced(old.id, forced);
            if is_modified {
                view.journal.modified(old.id);
            }
        }
    }

    /// Files that differ: each was overwritten by a rename, or modified.
    fn name_changes(&mut self, view: &mut View, gone: &mut [Gone], by_ino: &HashMap<u64, usize>) {
        for (id, (kind, meta, said)) in std::mem::take(&mut self.changed) {
            if !view.tree.is_live(id) {
                continue;
            }
            let is_other = view.tree.ino(id) != meta.ino;
            let old = by_ino
                .get(&meta.ino)
                .map(|&at| &mut gone[at])
                .filter(|_| is_other);
            let same = |old: &Gone| view.tree.size_and_mtime(old.id) == (meta.size, meta.mtime);
            let old = old.filter(|old| {
                !old.is_taken
                    && view.tree.kind(old.id) == kind
                    && (same(old) || (old.said.moved_from && said.moved_to))
            });
            let Some(old) = old else {
                view.tree.set_kind(id, kind);
                view.tree.set_meta(id, &meta);
                view.journal.modified(id);
                continue;
            };
            old.is_taken = true;
            let is_modified = view.tree.differs(old.id, kind, &meta);
            let (parent, name, forced) = (
                view.tree.parent(id),
                view.tree.name(id).to_vec(),
                view.tree.is_forced(id),
            );
            view.tree.detach(id);
            view.journal.moved(old.id, view.tree.place(old.id));
            view.tree.attach(old.id, parent, &name);
            view.tree.set_meta(old.id, &meta);
            view.tree.set_forced(old.id, forced);
            if is_modified {
                view.journal.modified(old.id);
            }
            view.journal.deleted(id);
        }
    }

    /// Ends a directory and all beneath: files go among the removed, directories to `dead`, children first.
    fn take_apart(&mut self, view: &mut View, id: Id, dead: &mut Vec<Id>) {
        let mut order = vec![id];
        let mut at = 0;
        while at < order.len() {
            let children: Vec<Id> = view.tree.children(order[at]).collect();
            order.extend(children);
            at += 1;
        }
        for &id in order.iter().rev() {
            view.tree.detach(id);
            match view.tree.kind(id) {
                Kind::Dir | Kind::Nested => {
                    self.end_folder(id);
                    dead.push(id);
                }
                #[cfg(test)]
                _ if self.bug == Some(Bug::FilesDieUntold) => {}
                _ => {
                    self.links.touched(view.tree.ino(id));
                    self.changed.remove(&id);
                    self.removed.push((id, Said::default()));
                }
            }
        }
    }

    fn end_folder(&mut self, id: Id) {
        self.gits.remove(&id);
        self.veiled.remove(&id);
        self.reread.remove(&id);
        self.closed.remove(&id);
        self.oversized.remove(&id);
        self.unwatched.remove(&id);
        self.matchers.remove(&id);
        let watch = self.folders.remove(&id).flatten();
        if let Some(wd) = watch.filter(|wd| self.by_wd.get(wd) == Some(&id)) {
            self.by_wd.remove(&wd);
            self.to_end.push(wd);
        }
        if let Some(wd) = self.git_wds.remove(&id) {
            self.end_control(wd, Control::Nested(id));
        }
    }
}

/// Whether a new file is a gone one under another name: the same inode, and either unchanged or seen moving.
fn is_rename(view: &View, old: &Gone, new: Id, said: Said) -> bool {
    !old.is_taken
        && view.tree.kind(old.id) == view.tree.kind(new)
        && (view.tree.size_and_mtime(old.id) == view.tree.size_and_mtime(new)
            || (old.said.moved_from && said.moved_to))
}
