//! One dirty name beside the disk: gone, a file, a directory that is new, was there or has moved here.
//!
//! Asked by `settle` for each name that events or a rescan have marked. What must stay true: the event's kind is a hint and
//! the disk is the truth; a directory that has moved keeps its nodes only when no rule can judge them differently.

use std::sync::atomic::Ordering;

use super::crawl::{Found, Job, LONG, Nested, PATH_MAX, Verdict};
use super::disk::Disk;
#[cfg(test)]
use super::engine::Bug;
use super::engine::{Engine, Said};
use super::place::{Seen, is_within};
use super::settle::OpenDir;
use super::tree::{Id, Kind, Tree};
use crate::world::FileKind;
use crate::world::dir::Meta;

/// Of every Linux file system, with the slash before it.
const NAME_MAX: usize = 256;

impl<D: Disk> Engine<D> {
    pub(super) fn look_at(&mut self, open: &OpenDir<D>, name: Vec<u8>, said: Said, jobs: &mut Vec<Job<D>>) {
        if name.is_empty() {
            jobs.extend(self.job_of(Tree::ROOT));
            return;
        }
        if name == b".git" {
            if open.id != Tree::ROOT {
                // Wherever it is by the time it is read.
                self.inner.reread.insert(open.id);
                jobs.extend(self.job_of(open.id));
            }
            return;
        }
        let mut path = open.path.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(&name);
        #[cfg(test)]
        if self.start.has(Bug::EventKindIsBelieved) && said.moved_from && !said.is_dir {
            self.drop_name(open.id, &name, said);
            return;
        }
        let Ok(meta) = self.disk.stat(&open.dir, &name) else {
            self.look_at_nothing(open, name, &path, said);
            return;
        };
        let verdict = self.look().judge(&path, meta.kind, &open.rules, open.excluded);
        match verdict {
            Verdict::Hidden => {
                // It may be another name of what is shown.
                self.inner.links.touched(meta.ino);
                self.drop_name(open.id, &name, said);
            }
            Verdict::Shown { forced } => {
                let found = Found {
                    name,
                    kind: Kind::plain(meta.kind),
                    meta,
                    forced,
                };
                self.inner.found(&mut self.shared.write(), open.id, &found, said);
            }
            Verdict::Submodule => {
                let found = Found {
                    name,
                    kind: Kind::Submodule,
                    meta,
                    forced: false,
                };
                self.inner.found(&mut self.shared.write(), open.id, &found, said);
            }
            Verdict::Descend { forced } => {
                let (parent, within, rules) = (open.id, Some(open.dir.clone()), open.rules.clone());
                let job = Job {
                    parent,
                    name,
                    path,
                    within,
                    rules,
                    excluded: forced,
                    trusted: false,
                };
                jobs.extend(self.look_at_dir(job));
            }
        }
    }

    fn drop_name(&mut self, dir: Id, name: &[u8], said: Said) {
        let mut view = self.shared.write();
        if let Some(child) = view.tree.child(dir, name) {
            self.inner.displace(&mut view, child, said);
        }
    }

    fn look_at_nothing(&mut self, open: &OpenDir<D>, name: Vec<u8>, path: &[u8], said: Said) {
        let has_node = self.shared.read().tree.child(open.id, &name).is_some();
        if has_node {
            self.drop_name(open.id, &name, said);
        } else if said.came && !said.is_dir {
            let verdict = self
                .look()
                .judge(path, FileKind::File, &open.rules, open.excluded);
            if let Verdict::Shown { .. } = verdict {
                self.inner.ghosts.push((open.id, name));
            }
        }
    }

    /// A directory at its name: nothing to do when it is the one that was there, one step when it has moved here and
    /// no rule can say otherwise of what lies in it, and else to be read.
    fn look_at_dir(&mut self, job: Job<D>) -> Option<Job<D>> {
        let Ok(dir) = self.look().open(&job) else {
            return Some(job);
        };
        // Of the directory that is open, not of the name: another may have the name by now.
        let meta = self.disk.identity(&dir).ok()?;
        let watch = self.disk.watch(&dir, meta.dev);
        let Some(wd) = self.inner.watched(&watch) else {
            return Some(job);
        };
        #[cfg(test)]
        if self.start.has(Bug::NewDirectoryNotRead) && !self.inner.by_wd.contains_key(&wd) {
            return None;
        }
        let Some(&known) = self.inner.by_wd.get(&wd) else {
            return Some(job);
        };
        // It is not listed here: no later life may believe that it was.
        let meta = Meta { ctime: 0, ..meta };
        let has_git = self.inner.gits.contains_key(&known);
        self.inner.needs_index |= has_git && !self.tracked.is_whole();
        let nested = match has_git {
            true => {
                let look = self.look();
                look.nested(&job.path, look.is_repository(&dir, &job.path))
            }
            false => Nested::No,
        };
        let is_veiled = self.inner.veiled.contains(&known);
        let shared = self.shared.clone();
        let mut view = shared.write();
        let tree = &view.tree;
        let kind = tree.kind(known);
        let is_as_was = !self.inner.reread.contains(&known)
            && !self.inner.closed.contains(&known)
            && tree.is_forced(known) == job.excluded
            && (nested == Nested::Shown) == (kind == Kind::Nested)
            && (nested == Nested::Veiled) == is_veiled;
        if !is_as_was {
            return Some(job);
        }
        let is_here = tree.child(job.parent, &job.name) == Some(known);
        if !is_here && !self.can_just_move(tree, known, &job) {
            return Some(job);
        }
        let (parent, name) = (job.parent, job.name.as_slice());
        self.inner.place(
            &mut view,
            &Seen {
                parent,
                name,
                kind,
                wd: Some(wd),
                meta,
            },
        );
        None
    }

    /// Whether no path was ever too long, and none becomes that by so many bytes more.
    fn fits(&self, tree: &Tree, more: usize) -> bool {
        if self.longest.load(Ordering::Relaxed) == usize::MAX {
            self.longest.store(self.longest_in(tree), Ordering::Relaxed);
        }
        self.longest.load(Ordering::Relaxed).max(LONG) + more < PATH_MAX
    }

    /// As long as a path beneath can be, by what is known of the directories.
    fn longest_in(&self, tree: &Tree) -> usize {
        let (mut longest, mut waiting) = (0, vec![(Tree::ROOT, self.start.root.len())]);
        while let Some((id, length)) = waiting.pop() {
            longest = longest.max(length + NAME_MAX);
            let dirs = tree.children(id).filter(|&child| tree.kind(child) == Kind::Dir);
            waiting.extend(dirs.map(|dir| (dir, length + 1 + tree.name(dir).len())));
        }
        longest
    }

    /// Whether a directory, or one in it, has an ignore file: what it hides may be tracked at another place.
    fn has_ignore_file_beneath(&self, tree: &Tree, id: Id) -> bool {
        let files = &self.inner.matchers;
        // From whichever side is the shorter way: no longer down than there are such files to go up from.
        let (mut waiting, mut left) = (vec![id], files.len());
        while let Some(dir) = waiting.pop() {
            if files.contains_key(&dir) {
                return true;
            }
            for child in tree.children(dir) {
                let Some(fewer) = left.checked_sub(1) else {
                    return files.keys().any(|&file| is_within(tree, file, id));
                };
                left = fewer;
                if tree.kind(child) == Kind::Dir {
                    waiting.push(child);
                }
            }
        }
        false
    }

    /// Whether nothing in a directory can be judged differently at its new place.
    fn can_just_move(&self, tree: &Tree, known: Id, job: &Job<D>) -> bool {
        let (old_rules, old_excluded) = self.rules_of(tree, tree.parent(known));
        let has_git = self.inner.gits.keys().any(|&git| is_within(tree, git, known));
        let old_path = tree.path(known);
        !old_excluded
            && !job.excluded
            && !self.tracked.is_folded()
            && self.fits(tree, job.path.len().saturating_sub(old_path.len()))
            && !has_git
            && !self.has_ignore_file_beneath(tree, known)
            && job.rules.says_the_same(&old_rules)
            && !self.tracked.has_beneath(&old_path)
            && !self.tracked.had_beneath(&old_path)
            && !self.tracked.has_beneath(&job.path)
    }
}
