//! Git's own folders: which are watched, what an event in one means, what is read of them; and what a tree is told from
//! outside: its settings, and that a repository elsewhere has its files here.
//!
//! Asked by `engine` for events of control watches, by `settle` when the repository itself has changed, and by `worker`
//! with orders and before each answer. What must stay true: nothing in these folders is a file of the project; a folder that
//! cannot be watched is looked at each time.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use super::Manner;
use super::disk::Disk;
use super::doubt::Doubt;
#[cfg(test)]
use super::engine::Bug;
use super::engine::{Control, Engine, INDEX_LIMIT};
use super::gitindex::{Entries, Problem};
use super::mail::Orders;
use super::repo::{self, Found, Repo};
use super::tracked::Tracked;
use super::tree::{Id, Kind, Tree};
use super::wildmatch::Case;
use super::witness::is_settled;
use crate::watch::Wd;

/// What may lie in all directories that a sparse index holds as one entry each and that are there.
const MOST: usize = 2_000_000;

impl<D: Disk> Engine<D> {
    pub(super) fn note_control(&mut self, wd: Wd, name: &[u8]) {
        for control in self.inner.controls.get(&wd).cloned().unwrap_or_default() {
            match (control, name) {
                #[cfg(test)]
                (Control::GitDir, b"index") if self.start.has(Bug::GitIndexNotFollowed) => {}
                (Control::GitDir, b"index.lock") => self.rescan.lock = true,
                (Control::GitDir, b"index") => self.rescan.index = true,
                (Control::GitDir, b"config.worktree" | b"HEAD" | b"commondir" | b"")
                | (Control::Common, b"config" | b"info" | b"objects" | b"refs" | b"")
                | (Control::Info, b"exclude" | b"") => self.rescan.repo = true,
                (Control::Nested(id), b"HEAD" | b"objects" | b"refs" | b"commondir" | b"") => {
                    self.rescan.index = true;
                    self.inner.mark(&self.shared.read().tree, id);
                }
                _ => {}
            }
        }
    }

    /// Something about a path relative to the root: what there is to look at because of it.
    pub(super) fn note_path(&mut self, path: &[u8], is_new: bool) {
        match path.strip_prefix(b".git") {
            _ if path.is_empty() => return self.rescan.root = true,
            Some(b"/index.lock") => return self.rescan.lock = true,
            Some(b"/index") => return self.rescan.index = true,
            Some(b"" | b"/HEAD" | b"/config" | b"/config.worktree" | b"/commondir" | b"/info/exclude") => {
                return self.rescan.repo = true;
            }
            // Objects and the like.
            Some([b'/', ..]) => return,
            _ => {}
        }
        let shared = self.shared.clone();
        let view = shared.read();
        let mut at = Tree::ROOT;
        let mut names = path.split(|&byte| byte == b'/').peekable();
        while let Some(name) = names.next() {
            let inner = view
                .tree
                .child(at, name)
                .filter(|&id| view.tree.kind(id) == Kind::Dir);
            if let (Some(inner), true) = (inner, names.peek().is_some()) {
                at = inner;
                continue;
            }
            self.rescan.index |= name == b".gitignore" || name == b".git";
            let said = self
                .inner
                .dirty
                .entry(at)
                .or_default()
                .entry(name.to_vec())
                .or_default();
            said.came |= is_new && names.peek().is_none();
            return;
        }
    }

    /// Another repository elsewhere says that its files are in the root.
    fn be_led(&mut self, from: Vec<u8>) {
        self.rescan.repo |= self.start.led_from.replace(from.clone()) != Some(from);
    }

    /// Is from now on what it is told to be.
    pub(super) fn obey(&mut self, orders: Orders) {
        orders
            .manner
            .into_iter()
            .for_each(|manner| self.set_manner(manner));
        orders.led_from.into_iter().for_each(|from| self.be_led(from));
    }

    /// Another manner from now on.
    fn set_manner(&mut self, manner: Manner) {
        if manner.extra_ignores != self.start.manner.extra_ignores {
            self.start.extra = super::trees::extra(&manner);
            self.rescan.rules = true;
        }
        self.disk.choose(manner.backend);
        let has_too_many = self.disk.bound(manner.max_watches);
        if has_too_many || manner.backend != self.start.manner.backend {
            self.begin_watching();
        }
        self.shared.write().journal.keep(manner.remembered);
        self.start.manner = manner;
    }

    /// Goes over to another way to hear of changes, or to fewer watches: those there were end, and everything is read
    /// again, watched as it is from now on.
    fn begin_watching(&mut self) {
        let of_git = self.inner.controls.drain().map(|(wd, _)| wd);
        for wd in self.inner.by_wd.drain().map(|(wd, _)| wd).chain(of_git) {
            self.disk.unwatch(wd);
        }
        self.inner.folders.values_mut().for_each(|watch| *watch = None);
        self.inner.git_wds.clear();
        (self.rescan.repo, self.rescan.rules) = (true, true);
    }

    /// To be called before a query is answered: notices what no watch can tell.
    pub(super) fn look_outside(&mut self) {
        self.rescan.root |= !self.has_same_root();
        self.look_again_at_failed();
        if !self.inner.unwatched.is_empty() || self.has_blind_control {
            // What cannot be watched is read again, and watched if that is possible by now.
            self.rescan.index = true;
            self.rescan.repo |= self.has_blind_control || self.inner.unwatched.contains_key(&Tree::ROOT);
            self.inner.reread.extend(self.inner.unwatched.keys());
            #[cfg(test)]
            self.pass_over_polled();
        }
        self.look_at_named_repositories();
        if self.outside.have_changed(&self.disk) {
            self.rescan.outside = true;
            let index = self.repo.as_ref().map(|repo| repo::join(&repo.git_dir, b"index"));
            // A link: of what is written to its target no event tells.
            self.rescan.index |= index.is_some_and(|index| self.outside.have(&index));
        }
    }

    /// Whether `watch.extra_ignores` takes something away.
    pub(super) fn has_extra(&self) -> bool {
        !self.start.extra.is_empty()
    }

    /// Why the list may not be what git would show.
    pub(super) fn doubt(&self) -> Option<Doubt> {
        let oversized = (!self.inner.oversized.is_empty()).then_some(Doubt::TooLarge);
        let of_store = self.store.has_failed().then_some(Doubt::IgnoreFile);
        let refused = self.refusal.map(Doubt::Refused);
        refused.or(self.doubt).or(oversized).or(of_store)
    }

    pub(super) fn look_at_lock(&mut self) {
        let git_dir = self.repo.as_ref().map(|repo| &repo.git_dir);
        self.is_locked =
            git_dir.is_some_and(|dir| self.disk.stat_file(&repo::join(dir, b"index.lock")).is_ok());
    }

    /// Whether there are some of which only their thread can tell what became of them.
    pub(super) fn has_named_repositories(&self) -> bool {
        let mut ids = self.inner.gits.keys();
        ids.any(|id| self.has_named_repository(id))
    }

    /// Whether the `.git` of a directory has no watch.
    fn has_named_repository(&self, id: &Id) -> bool {
        self.inner.folders.contains_key(id) && !self.inner.git_wds.contains_key(id)
    }

    /// What a `.git` that is no folder leads to lies beyond the watched folders.
    fn look_at_named_repositories(&mut self) {
        let shared = self.shared.clone();
        let view = shared.read();
        for (id, was_repository) in self.inner.gits.clone() {
            if !self.has_named_repository(&id) || !view.tree.is_attached(id) {
                continue;
            }
            let path = repo::join(&self.start.root, &view.tree.path(id));
            let is_repository = self
                .disk
                .open(&path)
                .is_ok_and(|dir| repo::is_repository(&self.disk, &dir, &path, self.repo.as_ref()));
            if is_repository != was_repository {
                self.inner.gits.insert(id, is_repository);
                self.inner.mark(&view.tree, id);
            }
        }
    }

    /// Finds the repository and watches its folders, watch first, then read.
    pub(super) fn open_repo(&mut self) {
        self.inner.controls.retain(|_, controls| {
            controls.retain(|control| matches!(control, Control::Nested(_)));
            !controls.is_empty()
        });
        self.has_blind_control = false;
        // Watched before it is judged: a `.git` that is being made becomes one while we look.
        let dot_git = repo::join(&self.start.root, b".git");
        self.watch_control(&dot_git, Control::GitDir);
        self.watch_control(&dot_git, Control::Common);
        let open = |engine: &Self| match &engine.root {
            Some(root) => Repo::open(&engine.disk, root, &engine.start),
            None => Found::default(),
        };
        let mut found = open(self);
        if let Some(found_repo) = &found.repo {
            let folders = [
                (found_repo.git_dir.clone(), Control::GitDir),
                (found_repo.common_dir.clone(), Control::Common),
                (repo::join(&found_repo.common_dir, b"info"), Control::Info),
            ];
            for (path, control) in folders {
                self.watch_control(&path, control);
            }
            found = open(self);
        }
        Found {
            repo: self.repo,
            refusal: self.refusal,
            outside: self.outside,
        } = found;
    }

    fn watch_control(&mut self, path: &[u8], control: Control) {
        let Ok(dir) = self.disk.open(path) else { return };
        let watch = self
            .disk
            .identity(&dir)
            .map(|meta| self.disk.watch(&dir, meta.dev));
        let Ok(Ok(wd)) = watch else {
            self.has_blind_control = true;
            return;
        };
        let controls = self.inner.controls.entry(wd).or_default();
        if !controls.contains(&control) {
            controls.push(control);
        }
    }

    /// Reads git's index whole. To be narrowed once the tree is right.
    pub(super) fn load_tracked(&mut self) {
        if let Some(path) = self.repo.as_ref().map(|repo| repo::join(&repo.git_dir, b"index"))
            && !self.outside.have(&path)
        {
            // It may have become a link since the repository was opened.
            self.outside.see_link(&self.disk, &path);
        }
        // Before it is read: what changes from here on makes another stamp, or this one is not believed.
        let at = self.disk.now();
        let is_settled = |ctime| is_settled(ctime, at, self.disk.granularity());
        let now = self.git_index_now();
        self.git_index = Some(now).filter(|now| now.is_none_or(|(.., ctime)| is_settled(ctime)));
        let read = self.read_tracked();
        let entries = match &read {
            Some(Err(problem)) => {
                tracing::warn!(?problem, "git's index could not be read");
                self.doubt = Some(Doubt::Unread(*problem));
                self.git_index = None;
                Entries::default()
            }
            _ => {
                self.doubt = None;
                read.and_then(Result::ok).unwrap_or_default()
            }
        };
        let entries = self.unfold(entries);
        let repo = self.repo.as_ref();
        let case = repo.map_or(Case::Exact, |repo| repo.settings.case());
        self.tracked = Tracked::whole(entries, case);
    }

    /// With what lies in directories that git's index holds as one entry each, where they are there all the same.
    fn unfold(&mut self, entries: Entries) -> Entries {
        let (Some(root), Some(repo)) = (&self.root, &self.repo) else {
            return entries;
        };
        let is_there = |dir: &[u8]| self.disk.open_at(root, dir).is_ok();
        let (mut inner, mut done) = (Vec::new(), BTreeSet::new());
        for (dir, id) in entries.sparse() {
            if !is_there(dir) {
                continue;
            }
            match self.store.entries(&self.disk, &repo.git_dir, (dir, id)) {
                Some(found) if inner.len() + found.len() <= MOST => inner.extend(found),
                _ => self.doubt = Some(Doubt::Sparse),
            }
            // What cannot be read is not asked for with each look.
            done.insert(dir.clone());
        }
        if done.is_empty() {
            return entries;
        }
        entries
            .unfold(inner, |dir| !done.contains(dir))
            .unwrap_or_else(|problem| {
                self.doubt = Some(Doubt::Unread(problem));
                Entries::default()
            })
    }

    fn read_tracked(&self) -> Option<Result<Entries, Problem>> {
        let repo = self.repo.as_ref()?;
        let read = |name: &[u8]| {
            let path = repo::join(&repo.git_dir, name);
            self.disk.read_file(&path, INDEX_LIMIT)
        };
        let file = match read(b"index") {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) if error.kind() == ErrorKind::FileTooLarge => return Some(Err(Problem::TooLarge)),
            Err(_) => return Some(Err(Problem::Damaged)),
        };
        let id_len = if repo.settings.format.sha256 { 32 } else { 20 };
        Some(Entries::read(&file, id_len, &mut |name| read(name).ok()))
    }
}
