//! From dirty names to what is there: each name is judged and statted once, in rounds, until nothing waits that can be
//! looked at.
//!
//! What must stay true: directories are put in their places before anything is believed of what lies in them; a name
//! whose directory is not at its place (it moved again meanwhile) stays dirty for the event that tells where it is.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::crawl::{self, Job, Verdict};
use super::disk::Disk;
use super::doubt::Refusal;
#[cfg(test)]
use super::engine::Bug;
use super::engine::{Engine, Said};
use super::ignore::Rules;
use super::repo;
use super::rescan::Rescan;
use super::tree::{Id, Kind, Tree};
use crate::world::FileKind;

/// Rounds in one batch. Each round needs a directory that came into place in the one before.
const ROUNDS: usize = 64;

/// A directory whose names are being looked at.
pub(super) struct OpenDir<D: Disk> {
    pub(super) id: Id,
    pub(super) path: Vec<u8>,
    pub(super) dir: Arc<D::Dir>,
    pub(super) rules: Rules,
    pub(super) excluded: bool,
}

impl<D: Disk> Engine<D> {
    /// Settles all that was noted. The new tick, when something has changed.
    pub(super) fn settle(&mut self) -> Option<u32> {
        self.pass(Self::settle_all)
    }

    fn settle_all(&mut self) -> Option<u32> {
        let mut rescan = std::mem::take(&mut self.rescan);
        if rescan.root && !self.check_root(&mut rescan) {
            let tick = self.finish(false);
            // No name of anything is left that could be looked at.
            self.inner.links.forget();
            return tick;
        }
        if rescan.mounts {
            let there = self.disk.mounts_in(&self.start.root);
            if std::mem::replace(&mut self.mounts, there) != self.mounts {
                rescan = Rescan::ALL;
            }
        }
        let was_lost = rescan.everything;
        let has_other_rules = (rescan.repo || rescan.outside) && self.reload_repo();
        rescan.everything |= rescan.rules || has_other_rules;
        if rescan.everything || rescan.verify {
            if rescan.everything {
                self.trusted = None;
            }
            if rescan.everything || rescan.index || rescan.repo {
                self.begin_whole();
            }
            self.read_all();
            self.trusted = None;
        }
        let mut needs_whole = rescan.everything || rescan.index || rescan.repo;
        for _ in 0..ROUNDS {
            if needs_whole {
                if self.begin_whole() {
                    self.read_all();
                }
                self.mark_nested();
            }
            let waiting = self.mark_reread();
            self.mark_links();
            self.settle_names();
            self.narrow();
            self.mark_links();
            needs_whole = std::mem::take(&mut self.inner.needs_index);
            let goes_on = needs_whole || self.inner.reread.len() < waiting;
            if !goes_on && (self.inner.dirty.is_empty() || !self.can_go_on()) {
                break;
            }
        }
        if rescan.lock || rescan.repo {
            self.look_at_lock();
        }
        self.mind_other_root();
        self.finish(was_lost)
    }

    /// Whether the repository says something else now.
    fn reload_repo(&mut self) -> bool {
        let (old, refused) = (self.repo.take(), self.refusal);
        self.open_repo();
        let is_away = |refusal| refusal == Some(Refusal::NoRepository);
        if is_away(self.refusal) && old.is_some() {
            // What it said last counts until it is back.
            self.repo = old;
            return false;
        }
        if is_away(refused) {
            return true;
        }
        match (&old, &self.repo) {
            (None, None) => false,
            (Some(old), Some(new)) => !old.has_same_rules(new),
            _ => true,
        }
    }

    /// Marks what is to be read again; how many that are.
    fn mark_reread(&mut self) -> usize {
        let view = self.shared.read();
        for id in self.inner.reread.clone() {
            if view.tree.is_live(id) {
                self.inner.mark(&view.tree, id);
            }
        }
        self.inner.reread.len()
    }

    fn mark_nested(&mut self) {
        let ids: Vec<Id> = self.inner.gits.keys().copied().collect();
        let view = self.shared.read();
        for id in ids {
            self.inner.mark(&view.tree, id);
        }
    }

    /// Has git's index whole from here to [`Engine::narrow`]. Whether names that differ in case alone may be judged
    /// otherwise from now on.
    fn begin_whole(&mut self) -> bool {
        if self.tracked.is_whole() || self.refusal == Some(Refusal::NoRepository) {
            return false;
        }
        let old = std::mem::take(&mut self.tracked);
        let failed = self.store.take_failed();
        self.load_tracked();
        let is_other = !self.tracked.folds_as(&old);
        self.tracked.remember(old);
        let shared = self.shared.clone();
        for dir in failed.into_iter().chain(self.tracked.stored_anew()) {
            self.mark_path(&shared.read().tree, &repo::join_within(&dir, b".gitignore"));
        }
        is_other
    }

    /// Brings what is tracked down to what the rules hide, and marks what that makes different.
    fn narrow(&mut self) {
        let shared = self.shared.clone();
        let view = shared.read();
        for path in self.tracked.narrow(&view.tree) {
            self.mark_path(&view.tree, &path);
        }
    }

    /// Marks the first name on a path that is not a directory in the tree, every directory on it that is only there
    /// because of git's index, and the last one, which may be a submodule now.
    fn mark_path(&mut self, tree: &Tree, path: &[u8]) {
        let mut at = Tree::ROOT;
        let last = path.split(|&byte| byte == b'/').count() - 1;
        for (level, name) in path.split(|&byte| byte == b'/').enumerate() {
            let child = tree.child(at, name);
            let inner = child.filter(|&child| tree.kind(child) == Kind::Dir);
            if level == last || inner.is_none_or(|child| tree.is_forced(child)) {
                self.inner
                    .dirty
                    .entry(at)
                    .or_default()
                    .entry(name.to_vec())
                    .or_default();
            }
            let Some(child) = inner else { return };
            at = child;
        }
    }

    /// Reads the whole tree from the root.
    pub(super) fn read_all(&mut self) {
        let rules = Rules::outermost(self.repo.as_ref());
        let (name, path) = (Vec::new(), Vec::new());
        self.run(vec![Job {
            parent: Tree::ROOT,
            name,
            path,
            within: None,
            rules,
            excluded: false,
            trusted: self.trusted.is_some(),
        }]);
    }

    fn run(&mut self, jobs: Vec<Job<D>>) {
        let threads = self.start.threads;
        let shared = self.shared.clone();
        let mut inner = std::mem::take(&mut self.inner);
        inner.has_whole_index = self.tracked.is_whole();
        let look = self.look();
        crawl::run(&look, jobs, threads, |job, listing, failures| {
            inner.failed.add((job.parent, &job.name), failures);
            inner.absorb(&mut shared.write(), job, listing)
        });
        self.inner = inner;
    }

    /// For what stays dirty although no event waits: looks at the directories themselves by their names. What is not
    /// there any more dies, and is found again by the event that tells where it went.
    pub(super) fn insist(&mut self) {
        let view = self.shared.read();
        for id in self.inner.dirty.keys().copied().collect::<Vec<_>>() {
            if id != Tree::ROOT && view.tree.is_attached(id) {
                self.inner.mark(&view.tree, id);
            }
        }
    }

    fn can_go_on(&mut self) -> bool {
        let before = self.disk.failures_here();
        let view = self.shared.read();
        let can_go_on = self
            .inner
            .dirty
            .keys()
            .any(|&id| view.tree.is_live(id) && self.open_dir(&view.tree, id).is_some());
        drop(view);
        self.inner.failed.add_waiting(self.disk.failures_here() - before);
        can_go_on
    }

    fn settle_names(&mut self) {
        for _ in 0..ROUNDS {
            let dirty = std::mem::take(&mut self.inner.dirty);
            if dirty.is_empty() {
                return;
            }
            let (jobs, deferred, progressed) = self.round(dirty);
            if !jobs.is_empty() {
                self.run(jobs);
            }
            for (id, names) in deferred {
                let kept = self.inner.dirty.entry(id).or_default();
                for (name, said) in names {
                    kept.entry(name).or_insert(said).merge(said);
                }
            }
            if !progressed {
                return;
            }
        }
    }

    /// Looks at all names whose directories are in place.
    #[allow(clippy::type_complexity, reason = "three results of one pass")]
    fn round(
        &mut self,
        dirty: BTreeMap<Id, BTreeMap<Vec<u8>, Said>>,
    ) -> (Vec<Job<D>>, BTreeMap<Id, BTreeMap<Vec<u8>, Said>>, bool) {
        let (mut jobs, mut deferred, mut progressed) = (Vec::new(), BTreeMap::new(), false);
        let mut order: Vec<_> = dirty.into_iter().collect();
        {
            let view = self.shared.read();
            order.sort_by_cached_key(|(id, _)| depth(&view.tree, *id));
        }
        for (id, names) in order {
            let (above, own_name) = self.place_of(id);
            let place = (above, own_name.as_slice());
            let open = self.at(place, |engine| {
                let view = engine.shared.read();
                if view.tree.is_live(id) {
                    engine.open_dir(&view.tree, id)
                } else {
                    None
                }
            });
            let Some(mut open) = open else {
                #[cfg(test)]
                if self.start.has(Bug::WhatCannotBeSeenIsForgotten) {
                    continue;
                }
                if !self.at(place, |engine| engine.is_unreadable(id)) {
                    deferred.insert(id, names);
                }
                continue;
            };
            progressed = true;
            if names.contains_key(b".gitignore".as_slice())
                && self.at(place, |engine| engine.reload_matcher(&open))
            {
                jobs.extend(self.job_of(id));
                let view = self.shared.read();
                self.inner.read_again_beneath(&view.tree, id);
                (open.rules, open.excluded) = self.rules_of(&view.tree, id);
            }
            let is_nested =
                self.shared.read().tree.kind(id) == Kind::Nested || self.inner.veiled.contains(&id);
            for (name, said) in names {
                // What else happens in a nested repository is its own.
                if is_nested && name != b".git" {
                    continue;
                }
                let what = name.clone();
                self.at((id, &what), |engine| engine.look_at(&open, name, said, &mut jobs));
            }
        }
        (jobs, deferred, progressed)
    }

    /// Opens a directory by where the tree has it; none when something else is there.
    fn open_dir(&self, tree: &Tree, id: Id) -> Option<OpenDir<D>> {
        let path = tree.path(id);
        let dir = self.disk.open_at(self.root.as_ref()?, &path).ok()?;
        if self.disk.identity(&dir).ok()?.ino != tree.ino(id) {
            return None;
        }
        let (rules, excluded) = self.rules_of(tree, id);
        Some(OpenDir {
            id,
            path,
            dir: Arc::new(dir),
            rules,
            excluded,
        })
    }

    /// A directory that is there and may not be opened has no content: its names are looked at when its mode changes.
    fn is_unreadable(&self, id: Id) -> bool {
        let path = self.shared.read().tree.path(id);
        let opened = self.root.as_ref().map(|root| self.disk.open_at(root, &path));
        matches!(opened, Some(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied)
    }

    fn reload_matcher(&mut self, open: &OpenDir<D>) -> bool {
        if self.repo.is_none() {
            return false;
        }
        #[cfg(test)]
        if self.start.has(Bug::IgnoreFileNotFollowed) {
            return false;
        }
        let new = self.look().matcher(&open.dir, &open.path);
        let has_whole_index = self.tracked.is_whole();
        if !self.inner.folders.contains_key(&open.id) {
            return false;
        }
        let is_other = self.inner.set_matcher(open.id, new);
        // The name may have waited since the batch that had the index at hand for it.
        self.inner.needs_index |= is_other && !has_whole_index;
        is_other
    }

    /// A directory of the tree, to be read again with all beneath.
    pub(super) fn job_of(&self, id: Id) -> Option<Job<D>> {
        let view = self.shared.read();
        let tree = &view.tree;
        let (parent, name) = (tree.parent(id), tree.name(id).to_vec());
        let (rules, above) = if id == Tree::ROOT {
            (Rules::outermost(self.repo.as_ref()), false)
        } else {
            self.rules_of(tree, parent)
        };
        let path = tree.path(id);
        match self.look().judge(&path, FileKind::Dir, &rules, above) {
            Verdict::Descend { forced } => Some(Job {
                parent,
                name,
                path,
                within: None,
                rules,
                excluded: forced,
                trusted: false,
            }),
            _ if id == Tree::ROOT => Some(Job {
                parent,
                name,
                path,
                within: None,
                rules,
                excluded: false,
                trusted: false,
            }),
            _ => None,
        }
    }
}

impl Said {
    fn merge(&mut self, other: Self) {
        self.is_dir |= other.is_dir;
        self.came |= other.came;
        self.moved_from |= other.moved_from;
        self.moved_to |= other.moved_to;
    }
}

fn depth(tree: &Tree, mut id: Id) -> usize {
    let mut depth = 0;
    while id != Tree::ROOT {
        id = tree.parent(id);
        depth += 1;
    }
    depth
}
