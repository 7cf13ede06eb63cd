//! The engine of one tree: events in, settled ticks out. The disk is the truth; an event only says where to look.
//!
//! Its thread alone changes the tree; queries read the [`View`]. Files of this engine: `settle` (from dirty names to
//! what is there), `place` (where a directory that was read belongs), `finish` (renames, deaths, the journal).
//! What must stay true: a name is only judged through a directory handle that was checked to be the node's own; a watch
//! belongs to a node, so renaming a directory moves one node; what cannot be looked at yet stays dirty.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::Manner;
#[cfg(test)]
pub(super) use super::bug::Bug;
use super::crawl::Look;
use super::disk::Disk;
use super::doubt::{Doubt, Refusal};
use super::failed::Failed;
use super::ignore::{Matcher, Rules};
use super::journal::Journal;
use super::links::Links;
use super::repo::{GitEnv, Repo};
use super::rescan::Rescan;
use super::root::{Identity, Rooted};
use super::store::Store;
use super::tracked::Tracked;
use super::tree::{Id, Kind, Tree};
use super::unwatched::{Unwatched, UnwatchedDirs};
use super::verify::Trusted;
use super::witness::{self, Stamp, Witnesses};
use crate::watch::{Event, Hint, WatchError, Wd};
use crate::world::dir::Meta;

/// The most bytes of a git index that are read: some ten million files.
pub(super) const INDEX_LIMIT: usize = 1 << 30;

/// What queries see.
#[derive(Debug)]
pub(super) struct View {
    /// What is there.
    pub(super) tree: Tree,
    /// What changed.
    pub(super) journal: Journal,
}

/// The view, shared with queries.
#[derive(Clone, Debug)]
pub(super) struct Shared(pub(super) Arc<RwLock<View>>);

impl Shared {
    /// To look at.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, View> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, View> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an engine is made with.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// Absolute, links resolved.
    pub(super) root: Vec<u8>,
    /// A repository elsewhere that says that its files are in the root.
    pub(super) led_from: Option<Vec<u8>>,
    /// Where git's global files are.
    pub(super) env: GitEnv,
    /// What `watch.extra_ignores` takes away.
    pub(super) extra: Rules,
    /// The settings of its workspace.
    pub(super) manner: Manner,
    /// Threads for a crawl, this one included.
    pub(super) threads: usize,
    /// What is wrong on purpose.
    #[cfg(test)]
    pub(super) bug: Bug,
}

/// A watch that is not of a project's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    /// The folder of HEAD and index.
    GitDir,
    /// The folder of the configuration.
    Common,
    /// The folder of `exclude`.
    Info,
    /// The `.git` of a directory that is, or may become, a nested repository.
    Nested(Id),
}

/// What events said of a name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    pub(super) is_dir: bool,
    pub(super) came: bool,
    pub(super) moved_from: bool,
    pub(super) moved_to: bool,
}

/// The state that reading directories changes.
#[derive(Default)]
pub(super) struct Inner {
    /// Every directory that was found, and its watch where it has one.
    pub(super) folders: HashMap<Id, Option<Wd>>,
    /// The watches on the `.git` of those that have one.
    pub(super) git_wds: HashMap<Id, Wd>,
    /// The ignore files of those that have one.
    pub(super) matchers: HashMap<Id, Arc<Matcher>>,
    pub(super) by_wd: HashMap<Wd, Id>,
    pub(super) controls: HashMap<Wd, Vec<Control>>,
    /// Directories with a `.git`, and whether that made them repositories when it was last looked at.
    pub(super) gits: BTreeMap<Id, bool>,
    /// Those of them that are repositories and hidden by a file of git's index.
    pub(super) veiled: BTreeSet<Id>,
    pub(super) dirty: BTreeMap<Id, BTreeMap<Vec<u8>, Said>>,
    /// Directories taken out of their place: found elsewhere, or dead when the batch is over.
    pub(super) limbo: BTreeSet<Id>,
    /// Files that have gone from their place in this batch.
    pub(super) removed: Vec<(Id, Said)>,
    /// Files that are new in this batch.
    pub(super) arrived: Vec<(Id, Said)>,
    /// Files whose stat has changed in this batch.
    pub(super) changed: BTreeMap<Id, (Kind, Meta, Said)>,
    /// Names that came and went.
    pub(super) ghosts: Vec<(Id, Vec<u8>)>,
    /// Directories that moved, and from where.
    pub(super) moves: BTreeMap<Id, (Id, super::names::Name)>,
    /// The first crawl, which makes no changes, by the time before which nothing happened during it.
    pub(super) first: Option<i64>,
    /// Directories without a watch, of which only looking tells.
    pub(super) unwatched: BTreeMap<Id, Unwatched>,
    /// Directories of the tree that are to be read again, wherever they are by then.
    pub(super) reread: BTreeSet<Id>,
    /// Directories that may not be read: to be read when they may.
    pub(super) closed: BTreeSet<Id>,
    /// Directories whose ignore file is too large to be read.
    pub(super) oversized: BTreeSet<Id>,
    /// Whether git's whole index is at hand.
    pub(super) has_whole_index: bool,
    /// Something was decided without it that needs it.
    pub(super) needs_index: bool,
    /// Where calls have failed that say nothing of the files.
    pub(super) failed: Failed,
    /// What came into the root's place during the pass.
    pub(super) rooted: Rooted,
    /// Files with several names.
    pub(super) links: Links,
    /// Watches that may be of no more use.
    pub(super) to_end: Vec<Wd>,
    #[cfg(test)]
    pub(super) bug: Option<Bug>,
}

/// The engine.
pub(super) struct Engine<D: Disk> {
    pub(super) disk: D,
    pub(super) start: Start,
    /// The root's directory, while a pass runs.
    pub(super) root: Option<D::Dir>,
    pub(super) identity: Identity,
    pub(super) shared: Shared,
    pub(super) repo: Option<Repo>,
    /// Why git gives no answer, when it gives none.
    pub(super) refusal: Option<Refusal>,
    /// What had a say beyond the watched folders.
    pub(super) outside: Witnesses,
    pub(super) tracked: Tracked,
    pub(super) store: Store,
    pub(super) inner: Inner,
    pub(super) rescan: Rescan,
    /// The root is gone or cannot be opened: there are no files until it is back.
    pub(super) is_lost: bool,
    /// Git held the index at the last look.
    pub(super) is_locked: bool,
    /// One of git's folders has no watch.
    pub(super) has_blind_control: bool,
    /// Why the list may not be what git would show.
    pub(super) doubt: Option<Doubt>,
    /// Git's index as it was when it was last read; none when that is not known.
    pub(super) git_index: Option<Stamp>,
    /// What the rules were made of when the index was saved.
    pub(super) saved_rules: [u8; 32],
    /// What may be believed while a saved index is compared with the disk.
    pub(super) trusted: Option<Trusted>,
    /// What is mounted in the root.
    pub(super) mounts: Vec<(u64, Vec<u8>)>,
    /// Bytes of the longest path that was met, with the root's; the most there are when that is not known.
    pub(super) longest: AtomicUsize,
    /// For the fault of taking a watch for a path.
    #[cfg(test)]
    pub(super) paths: HashMap<Wd, Vec<u8>>,
}

impl<D: Disk> Engine<D> {
    /// An engine of a root that has not been read yet.
    ///
    /// # Errors
    /// When the root cannot be opened as a directory.
    pub(super) fn new(disk: D, start: Start) -> io::Result<Self> {
        let meta = disk.identity(&disk.open(&start.root)?)?;
        let tree = Tree::new(&meta);
        let journal = Journal::new(disk.now());
        let mut engine = Self::of(disk, start, meta.into(), Shared::new(View { tree, journal }));
        engine.inner.first = Some(witness::settled_by(&engine.disk));
        Ok(engine)
    }

    pub(super) fn of(disk: D, start: Start, identity: Identity, shared: Shared) -> Self {
        disk.choose(start.manner.backend);
        shared.write().journal.keep(start.manner.remembered);
        Self {
            disk,
            start,
            root: None,
            identity,
            shared,
            repo: None,
            refusal: None,
            outside: Witnesses::default(),
            tracked: Tracked::default(),
            store: Store::default(),
            inner: Inner::default(),
            rescan: Rescan::default(),
            is_lost: false,
            is_locked: false,
            has_blind_control: false,
            doubt: None,
            git_index: None,
            saved_rules: [0; 32],
            trusted: None,
            mounts: Vec::new(),
            longest: AtomicUsize::new(0),
            #[cfg(test)]
            paths: HashMap::new(),
        }
    }

    /// What queries read.
    #[must_use]
    pub(super) fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// What events do not tell of.
    #[must_use]
    pub(super) fn unwatched(&self) -> UnwatchedDirs {
        UnwatchedDirs::of(&self.inner.unwatched, self.has_blind_control)
    }

    /// Whether the root is gone or cannot be opened.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether git holds the index: a checkout may be under way.
    pub(super) fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// Whether something has no watch, so that only looking tells what happened to it.
    pub(super) fn is_polled(&self) -> bool {
        let failed = self.disk.failure().is_some();
        !self.inner.unwatched.is_empty() || self.has_blind_control || self.is_lost || failed
    }

    /// Reads everything for the first time.
    pub(super) fn crawl(&mut self) {
        self.pass(Self::crawl_all);
        self.inner.first = None;
    }

    fn crawl_all(&mut self) {
        if self.root.is_none() {
            // Another has its place since it was opened: to be read as that.
            return self.rescan.lose();
        }
        self.mounts = self.disk.mounts_in(&self.start.root);
        self.watch_root();
        self.open_repo();
        self.load_tracked();
        self.read_all();
        self.mind_other_root();
        if self.inner.has_batch() {
            // Something moved while it was read: its traces are buried without being told.
            self.finish(true);
        }
        self.inner.forget_batch();
        let view = self.shared.read();
        self.tracked.narrow(&view.tree);
    }

    /// Whether something waits to be settled.
    #[must_use]
    pub(super) fn is_dirty(&self) -> bool {
        !self.inner.dirty.is_empty()
            || !self.inner.reread.is_empty()
            || self.inner.links.is_waiting()
            || self.rescan.is_wanted()
    }

    /// Whether the end of a batch has left something that no event will tell of.
    pub(super) fn owes(&self) -> bool {
        self.inner.links.is_waiting()
    }

    /// What waits, for a failure's message.
    #[cfg(test)]
    pub(super) fn describe(&self) -> String {
        let Inner { dirty, reread, .. } = &self.inner;
        format!("{:?} {dirty:?} {reread:?}", self.rescan)
    }

    /// Takes an event in. Touches neither disk nor tree.
    pub(super) fn note(&mut self, event: Event) {
        match event {
            #[cfg(test)]
            Event::Overflow if self.mistakes_overflow() => {}
            Event::Overflow => self.rescan.lose(),
            Event::Path { path, is_new } => self.note_path(&path, is_new),
            // The mailbox keeps it.
            Event::Lost => {}
            Event::Mounts => (self.rescan.root, self.rescan.mounts) = (true, true),
            Event::Name {
                wd,
                name,
                is_dir,
                hint,
            } => {
                self.note_control(wd, &name);
                let Some(&id) = self.inner.by_wd.get(&wd) else {
                    return;
                };
                #[cfg(test)]
                let Some(id) = self.by_path(wd, id) else { return };
                // Either can decide about paths that are tracked: the index must be at hand.
                self.rescan.index |= name == b".gitignore" || name == b".git";
                self.rescan.repo |= name == b".git" && id == Tree::ROOT;
                let said = self.inner.dirty.entry(id).or_default().entry(name).or_default();
                said.is_dir |= is_dir;
                said.came |= matches!(hint, Hint::Created | Hint::MovedTo(_));
                said.moved_from |= matches!(hint, Hint::MovedFrom(_));
                said.moved_to |= matches!(hint, Hint::MovedTo(_));
            }
            Event::Own { wd } | Event::Moved { wd } => {
                self.note_control(wd, b"");
                if let Some(&id) = self.inner.by_wd.get(&wd) {
                    if id == Tree::ROOT && matches!(event, Event::Moved { .. }) {
                        // Another may have had its place meanwhile, and what was read may be that one's.
                        self.rescan.lose();
                    }
                    self.rescan.root |= id == Tree::ROOT;
                    // Whose it is may be another by now.
                    self.rescan.repo |= id == Tree::ROOT;
                    self.inner.mark(&self.shared.read().tree, id);
                }
            }
            Event::Ended { wd } => {
                self.note_control(wd, b"");
                self.inner.controls.remove(&wd);
                let Some(id) = self.inner.by_wd.remove(&wd) else {
                    return;
                };
                if id == Tree::ROOT {
                    // Gone or unmounted, and what has its place by now may have its number too.
                    self.rescan.lose();
                }
                let watch = self.inner.folders.get_mut(&id);
                if let Some(watch) = watch.filter(|watch| **watch == Some(wd)) {
                    *watch = None;
                    self.inner.mark(&self.shared.read().tree, id);
                }
            }
        }
    }

    pub(super) fn look(&self) -> Look<'_, D> {
        Look {
            disk: &self.disk,
            root: self.root.as_ref(),
            root_path: &self.start.root,
            tracked: &self.tracked,
            store: &self.store,
            repo: self.repo.as_ref(),
            extra: &self.start.extra,
            longest: &self.longest,
            trusted: self.trusted.as_ref(),
            #[cfg(test)]
            bug: self.start.bug,
        }
    }

    /// The rules that count for the names in a directory, and whether it is hidden by them.
    pub(super) fn rules_of(&self, tree: &Tree, id: Id) -> (Rules, bool) {
        let mut chain = vec![id];
        let mut at = id;
        while at != Tree::ROOT {
            at = tree.parent(at);
            chain.push(at);
        }
        let mut rules = Rules::outermost(self.repo.as_ref());
        let (mut skip, mut excluded) = (0, false);
        for &id in chain.iter().rev() {
            if id != Tree::ROOT {
                skip += tree.name(id).len() + 1;
            }
            excluded |= tree.is_forced(id);
            if let Some(matcher) = self.inner.matchers.get(&id) {
                rules = rules.with(matcher.clone(), skip);
            }
        }
        (rules, excluded)
    }
}

impl Inner {
    /// Says that a directory is to be looked at by its name in its parent; the root has none and is read again.
    pub(super) fn mark(&mut self, tree: &Tree, id: Id) {
        debug_assert!(
            id == Tree::ROOT || !tree.name(id).is_empty(),
            "a node that is gone was kept"
        );
        let (parent, name) = if id == Tree::ROOT {
            (id, Vec::new())
        } else {
            (tree.parent(id), tree.name(id).to_vec())
        };
        self.dirty
            .entry(parent)
            .or_default()
            .entry(name)
            .or_default()
            .is_dir = true;
    }

    pub(super) fn watched(&mut self, watch: &Result<Wd, WatchError>) -> Option<Wd> {
        match watch {
            Ok(wd) => Some(*wd),
            Err(
                WatchError::Limit
                | WatchError::Budget
                | WatchError::NoQueue
                | WatchError::Silent(_)
                | WatchError::Mounted
                | WatchError::Chosen(_),
            ) => None,
            Err(WatchError::Denied(error)) => {
                tracing::debug!(%error, "a directory could not be watched");
                None
            }
        }
    }

    fn has_batch(&self) -> bool {
        !(self.limbo.is_empty() && self.removed.is_empty() && self.moves.is_empty() && self.to_end.is_empty())
    }

    pub(super) fn forget_batch(&mut self) {
        self.limbo.clear();
        self.removed.clear();
        self.arrived.clear();
        self.changed.clear();
        self.ghosts.clear();
        self.moves.clear();
    }

    /// Whether a watch is of any use to this tree.
    pub(super) fn uses(&self, wd: Wd) -> bool {
        self.by_wd.contains_key(&wd) || self.controls.contains_key(&wd)
    }
}
