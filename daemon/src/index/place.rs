//! From what was read to the tree: where a directory belongs, and what of its content is new, other or gone.
//!
//! Asked by the crawl's `absorb` and by `settle`. What must stay true: a watch that is known tells a directory that has
//! moved from one that is new, whatever the order in which both places are seen; nothing dies here, it only leaves its
//! place (`finish` decides what has died and what was renamed).

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::sync::Arc;

#[cfg(test)]
use super::bug::Bug;
use super::crawl::{Found, Job, Listing, Nested};
use super::disk::Disk;
use super::engine::{Control, Inner, Said, View};
use super::ignore::Matcher;
use super::tree::{Id, Kind, Tree};
use crate::watch::Wd;
use crate::world::FileKind;
use crate::world::dir::Meta;

/// A directory as it was found at a place.
pub(super) struct Seen<'a> {
    pub(super) parent: Id,
    pub(super) name: &'a [u8],
    pub(super) kind: Kind,
    pub(super) wd: Option<Wd>,
    pub(super) meta: Meta,
}

impl Inner {
    /// Takes a listing over; returns what is to be read next.
    pub(super) fn absorb<D: Disk>(
        &mut self,
        view: &mut View,
        job: Job<D>,
        listing: io::Result<Listing<D>>,
    ) -> Vec<Job<D>> {
        if !self.moves.is_empty() && !is_at_its_path(&view.tree, &job) {
            // A directory above has moved since this was asked for: it was judged by the rules of another place.
            self.dirty
                .entry(job.parent)
                .or_default()
                .entry(job.name)
                .or_default()
                .is_dir = true;
            return Vec::new();
        }
        let listing = match listing {
            Ok(listing) => listing,
            Err(error) => {
                self.unreadable(view, &job, &error);
                return Vec::new();
            }
        };
        let wd = self.watched(&listing.watch);
        let kind = match listing.nested {
            Nested::Shown => Kind::Nested,
            Nested::No | Nested::Veiled => Kind::Dir,
        };
        let seen = Seen {
            parent: job.parent,
            name: &job.name,
            kind,
            wd,
            meta: listing.meta,
        };
        let Some(id) = self.place(view, &seen) else {
            return Vec::new();
        };
        self.reread.remove(&id);
        self.closed.remove(&id);
        view.tree.set_forced(id, job.excluded);
        self.keep_folder(&view.tree, (id, wd), &listing);
        if listing.is_as_saved {
            for found in &listing.files {
                self.found(view, id, found, Said::default());
            }
            // As after any listing: what moves away before it is read is read where it is then.
            let is_dir = |&child: &Id| view.tree.kind(child) == Kind::Dir;
            self.reread.extend(view.tree.children(id).filter(is_dir));
        } else {
            self.reconcile(view, id, &listing);
        }
        let mut next = listing.dirs;
        for job in &mut next {
            job.parent = id;
        }
        next
    }

    /// Whether a directory, or one above it, has come to another place in this batch.
    fn has_moved(&self, tree: &Tree, id: Id) -> bool {
        self.moves.keys().any(|&moved| is_within(tree, id, moved))
    }

    fn keep_folder<D: Disk>(&mut self, tree: &Tree, (id, wd): (Id, Option<Wd>), listing: &Listing<D>) {
        match listing.has_git {
            true => self.gits.insert(id, listing.is_repository),
            false => self.gits.remove(&id),
        };
        match listing.nested {
            Nested::Veiled => self.veiled.insert(id),
            Nested::No | Nested::Shown => self.veiled.remove(&id),
        };
        let has_moved = listing.matcher.is_some() && self.has_moved(tree, id);
        self.folders.insert(id, wd);
        match &listing.unwatched {
            None => self.unwatched.remove(&id),
            Some(why) => self.unwatched.insert(id, why.clone()),
        };
        let is_same_file = !self.set_matcher(id, listing.matcher.clone());
        // What it hides where it has come to may be tracked there.
        let is_decided = !listing.has_git && !has_moved && is_same_file;
        self.needs_index |= (!is_decided && !self.has_whole_index) || listing.is_sparse;
        let old = match listing.git_watch {
            Some(git_wd) => self.git_wds.insert(id, git_wd),
            None => self.git_wds.remove(&id),
        };
        if let Some(old) = old.filter(|&old| Some(old) != listing.git_watch) {
            self.end_control(old, Control::Nested(id));
        }
        if let Some(git_wd) = listing.git_watch {
            let controls = self.controls.entry(git_wd).or_default();
            if !controls.contains(&Control::Nested(id)) {
                controls.push(Control::Nested(id));
            }
        }
    }

    /// Takes the ignore file over that a directory has now; whether it says something else.
    pub(super) fn set_matcher(&mut self, id: Id, new: Option<Arc<Matcher>>) -> bool {
        set_oversized(&mut self.oversized, id, new.as_deref());
        let old = match new.clone() {
            Some(new) => self.matchers.insert(id, new),
            None => self.matchers.remove(&id),
        };
        old.as_ref().map(|old| old.source()) != new.as_ref().map(|new| new.source())
    }

    pub(super) fn end_control(&mut self, wd: Wd, control: Control) {
        if let Some(controls) = self.controls.get_mut(&wd) {
            controls.retain(|&other| other != control);
            if controls.is_empty() {
                self.controls.remove(&wd);
                self.to_end.push(wd);
            }
        }
    }

    /// The node of a directory seen at a place: the one that is there, one that has moved here, or a new one. None when
    /// the place itself is out of date.
    pub(super) fn place(&mut self, view: &mut View, seen: &Seen<'_>) -> Option<Id> {
        let tree = &mut view.tree;
        if seen.name.is_empty() {
            self.rooted = self.rooted.max(self.watch_as_root(seen.wd));
            tree.set_meta(Tree::ROOT, &seen.meta);
            return Some(Tree::ROOT);
        }
        let there = tree.child(seen.parent, seen.name);
        let known = seen.wd.and_then(|wd| self.by_wd.get(&wd).copied());
        let same = match known {
            Some(known) => Some(known),
            None => there
                .filter(|&id| (self.is_unwatched(id) || seen.wd.is_none()) && tree.ino(id) == seen.meta.ino),
        };
        let id = match same.filter(|&id| tree.kind(id) == seen.kind) {
            Some(id) if there == Some(id) => id,
            Some(id) => {
                if is_within(tree, seen.parent, id) {
                    // It cannot lie in itself: the way to this place has moved meanwhile.
                    self.mark(tree, id);
                    return None;
                }
                let from = tree.place(id);
                // It may have been seen here through a handle of where it was: the place that it leaves has the last word.
                self.mark(tree, id);
                tree.detach(id);
                if let Some(other) = there {
                    self.displace(view, other, Said::default());
                }
                view.tree.attach(id, seen.parent, seen.name);
                // Only where it was when the batch began counts.
                self.moves.entry(id).or_insert(from);
                id
            }
            None => {
                if let Some(old) = same {
                    // Of another kind from now on: the old node dies, its watch lives.
                    if there != Some(old) {
                        // As above.
                        self.mark(&view.tree, old);
                    }
                    self.folders.remove(&old);
                    self.matchers.remove(&old);
                    if let Some(wd) = self.git_wds.remove(&old) {
                        self.end_control(wd, Control::Nested(old));
                    }
                    self.displace(view, old, Said::default());
                }
                if let Some(other) = view.tree.child(seen.parent, seen.name) {
                    self.displace(view, other, Said::default());
                }
                let id = view.tree.insert(
                    seen.parent,
                    seen.name,
                    seen.kind,
                    &entry_meta(seen.kind, seen.meta),
                );
                if seen.kind == Kind::Nested && self.first.is_none() {
                    self.arrived.push((id, Said::default()));
                }
                id
            }
        };
        view.tree.set_meta(id, &entry_meta(seen.kind, seen.meta));
        if let Some(wd) = seen.wd {
            self.by_wd.insert(wd, id);
        }
        if let Some(Some(old)) = self.folders.insert(id, seen.wd)
            && seen.wd.is_none()
            && self.by_wd.get(&old) == Some(&id)
        {
            // It cannot be watched any more.
            self.by_wd.remove(&old);
            self.to_end.push(old);
        }
        Some(id)
    }

    /// Wants a directory and all that lies in it now read again: what moves out of it before it has been read is still
    /// judged by the rules that are gone.
    pub(super) fn read_again_beneath(&mut self, tree: &Tree, id: Id) {
        let mut waiting = vec![id];
        while let Some(id) = waiting.pop() {
            self.reread.insert(id);
            waiting.extend(tree.children(id).filter(|&child| tree.kind(child) == Kind::Dir));
        }
    }

    fn is_unwatched(&self, id: Id) -> bool {
        self.folders.get(&id).is_some_and(Option::is_none)
    }

    fn reconcile<D: Disk>(&mut self, view: &mut View, id: Id, listing: &Listing<D>) {
        let is_empty = view.tree.children(id).next().is_none();
        let mut seen = HashSet::new();
        for found in &listing.files {
            let child = self.found(view, id, found, Said::default());
            if !is_empty {
                seen.insert(child);
            }
        }
        if is_empty {
            return;
        }
        seen.extend(
            listing
                .dirs
                .iter()
                .filter_map(|job| view.tree.child(id, &job.name)),
        );
        // Whoever reads a directory again wants all of it read again, also what moves away meanwhile.
        let is_dir = |&child: &Id| view.tree.kind(child) == Kind::Dir;
        self.reread.extend(view.tree.children(id).filter(is_dir));
        let gone: Vec<Id> = view
            .tree
            .children(id)
            .filter(|child| !seen.contains(child))
            .collect();
        for child in gone {
            self.displace(view, child, Said::default());
        }
    }

    /// A file, link or submodule at its place.
    pub(super) fn found(&mut self, view: &mut View, parent: Id, found: &Found, said: Said) -> Id {
        let meta = entry_meta(found.kind, found.meta);
        let mut there = view.tree.child(parent, &found.name);
        if let Some(other) = there.filter(|&id| matches!(view.tree.kind(id), Kind::Dir | Kind::Nested)) {
            self.displace(view, other, said);
            there = None;
        }
        if meta.is_linked {
            self.links.seen(meta.ino);
        }
        let Some(id) = there else {
            let id = view.tree.insert(parent, &found.name, found.kind, &meta);
            view.tree.set_forced(id, found.forced);
            // What happened by this name before it was read is news for names that were read earlier.
            if self.first.is_none_or(|began| meta.ctime >= began) {
                self.links.touched(meta.ino);
            }
            #[cfg(test)]
            if self.bug == Some(Bug::NewNamesTellNothing) {
                self.links.hush(meta.ino);
            }
            if self.first.is_none() {
                self.arrived.push((id, said));
            }
            return id;
        };
        view.tree.set_forced(id, found.forced);
        if view.tree.differs(id, found.kind, &meta) {
            let before = self.changed.insert(id, (found.kind, meta, said));
            if before.is_none_or(|(kind, before, _)| (kind, before) != (found.kind, meta)) {
                self.links.touched(view.tree.ino(id));
                self.links.touched(meta.ino);
            }
        } else {
            self.changed.remove(&id);
        }
        id
    }

    /// Takes a node out of its place.
    pub(super) fn displace(&mut self, view: &mut View, id: Id, said: Said) {
        if !view.tree.is_attached(id) || id == Tree::ROOT {
            return;
        }
        view.tree.detach(id);
        match view.tree.kind(id) {
            Kind::Dir | Kind::Nested => drop(self.limbo.insert(id)),
            _ => {
                self.links.touched(view.tree.ino(id));
                #[cfg(test)]
                if self.bug == Some(Bug::GoneNamesTellNothing) {
                    self.links.hush(view.tree.ino(id));
                }
                self.changed.remove(&id);
                self.removed.push((id, said));
            }
        }
    }

    /// A directory that cannot be read has no content, as for git; one that is gone makes an event.
    fn unreadable<D: Disk>(&mut self, view: &mut View, job: &Job<D>, error: &io::Error) {
        if error.kind() != io::ErrorKind::PermissionDenied {
            return;
        }
        let there = view
            .tree
            .child(job.parent, &job.name)
            .filter(|&id| view.tree.kind(id) == Kind::Dir);
        let Some(id) = there else {
            let meta = Meta::unseen(FileKind::Dir);
            self.place(
                view,
                &Seen {
                    parent: job.parent,
                    name: &job.name,
                    kind: Kind::Dir,
                    wd: None,
                    meta,
                },
            );
            return;
        };
        let children: Vec<Id> = view.tree.children(id).collect();
        for child in children {
            self.displace(view, child, Said::default());
        }
        self.reread.remove(&id);
        self.closed.insert(id);
    }
}

/// Whether the tree has the directory that a job reads in where the job's path says.
fn is_at_its_path<D: Disk>(tree: &Tree, job: &Job<D>) -> bool {
    let above = job.path.strip_suffix(job.name.as_slice());
    above.is_some_and(|above| above.strip_suffix(b"/").unwrap_or(above) == tree.path(job.parent))
}

/// Whether `id` is `of` or lies in it.
pub(super) fn is_within(tree: &Tree, mut id: Id, of: Id) -> bool {
    loop {
        if id == of {
            return true;
        }
        if id == Tree::ROOT {
            return false;
        }
        id = tree.parent(id);
    }
}

/// Keeps in mind whether the ignore file of a directory is too large to be read.
fn set_oversized(oversized: &mut BTreeSet<Id>, id: Id, matcher: Option<&Matcher>) {
    match matcher.is_some_and(Matcher::is_too_large) {
        true => oversized.insert(id),
        false => oversized.remove(&id),
    };
}

/// What is kept of a stat. Of a repository within, only that it is there: what happens in it makes no event here.
pub(super) fn entry_meta(kind: Kind, meta: Meta) -> Meta {
    match kind {
        Kind::Nested | Kind::Submodule => Meta {
            mode: 0,
            size: 0,
            mtime: 0,
            ctime: 0,
            ..meta
        },
        _ => meta,
    }
}
