//! An engine that begins with a saved index: what it takes over, and the comparison with the disk.
//!
//! A directory whose times and rules are as they were is not listed again: its files are only statted, which is most of
//! what a comparison costs. What must stay true: a directory is believed unlisted only when its modification and change
//! times are those of its last listing, that listing was not made while the clock stood still, and no rule above it has
//! changed; everything else takes the way of a first crawl.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, RwLock};

#[cfg(test)]
use super::bug::Bug;
use super::crawl::{Found, Job, Listing, Look, Nested};
use super::disk::Disk;
use super::engine::{Engine, Shared, Start};
use super::ignore::Matcher;
use super::place::entry_meta;
use super::repo;
use super::root::{Identity, Rooted};
use super::saved::{self, Head, Saved, Watches};
use super::tree::{Id, Kind, Tree};
use super::unwatched::Unwatched;
use super::witness::{Stamp, is_settled, stamp_of};
use crate::watch::{WatchError, Wd};
use crate::world::FileKind;
use crate::world::dir::Meta;

/// What was known when the index was saved.
#[derive(Debug)]
pub(super) struct Trusted {
    shared: Shared,
    matchers: HashMap<Id, Arc<Matcher>>,
    /// Directories with a `.git`: always read.
    gits: BTreeMap<Id, bool>,
}

/// How an engine begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// Everything is read for the first time.
    Crawl,
    /// It was loaded, and is compared with the disk.
    Verify,
    /// It goes on with the watches it had.
    GoOn,
}

impl<D: Disk> Engine<D> {
    /// An engine that goes on with a saved index. None when the root is not the one that was saved.
    ///
    /// # Errors
    /// When the root cannot be opened as a directory.
    pub(super) fn resume(
        disk: D,
        start: Start,
        mut saved: Saved,
        watches: Watches,
    ) -> io::Result<Option<Self>> {
        let identity: Identity = disk.identity(&disk.open(&start.root)?)?.into();
        if saved.head.root != start.root || saved.head.identity != (identity.0, identity.1) {
            return Ok(None);
        }
        let inner = saved.take_inner(watches);
        let shared = Shared::new(saved.view);
        let mut start = start;
        if !saved.head.led_from.is_empty() {
            start.led_from = Some(saved.head.led_from);
        }
        let mut engine = Self::of(disk, start, identity, shared);
        engine.inner = inner;
        engine.longest = AtomicUsize::new(usize::MAX);
        engine.tracked = saved.tracked;
        engine.git_index = saved.head.git_index;
        engine.saved_rules = saved.head.rules;
        engine.rescan.verify = watches == Watches::Gone || !saved.head.is_at_rest;
        #[cfg(test)]
        engine.believe_saved(watches);
        Ok(Some(engine))
    }

    /// The index as bytes. None while it is not what is there: before the first crawl is over, or without its root.
    pub(super) fn save(&self, incarnation: u64) -> Option<Vec<u8>> {
        let is_known = self.inner.first.is_none() && !self.rescan.verify && self.disk.failure().is_none();
        if !is_known || self.is_lost {
            return None;
        }
        let head = Head {
            incarnation,
            root: self.start.root.clone(),
            led_from: self.start.led_from.clone().unwrap_or_default(),
            identity: (self.identity.0, self.identity.1),
            rules: self.rules_digest(),
            // What is kept of the index without being saved is read again.
            git_index: self.git_index.filter(|_| !self.tracked.has_more()),
            manner: self.start.manner.clone(),
            is_at_rest: !self.is_dirty() && !self.tracked.is_whole(),
        };
        let view = self.shared.read();
        Some(saved::write(&head, &view, (&self.inner, &self.tracked)))
    }

    /// Goes on where the index was saved: what is to be compared is marked, for the next settling.
    pub(super) fn go_on(&mut self) {
        self.pass(Self::compare);
    }

    fn compare(&mut self) {
        self.mounts = self.disk.mounts_in(&self.start.root);
        if !self.mounts.is_empty() {
            // Whether that was so before is not known.
            self.rescan.read_all();
        }
        if self.watch_root() == Rooted::Other {
            // Its end is told by the old watch, of which nobody knows any more.
            self.rescan.lose();
        }
        // What is asked by the path of a root that is away is asked again when it is back.
        self.rescan.repo |= self.root.is_none();
        self.open_repo();
        let is_same_index = self.git_index.is_some() && self.git_index == Some(self.git_index_now());
        let has_same_rules = self.rules_digest() == self.saved_rules;
        self.rescan.verify |= !has_same_rules;
        // What is not told apart by case is not saved.
        let is_folded = self.repo.as_ref().is_some_and(|repo| repo.settings.ignore_case);
        // Nor what kept it from being read, or was kept of it beyond what is saved.
        self.rescan.index |= is_folded || self.git_index.is_none();
        if !self.rescan.verify {
            return;
        }
        self.rescan.lock = true;
        self.rescan.index |= !has_same_rules || !is_same_index;
        self.trusted = (has_same_rules && (is_same_index || !is_folded)).then(|| Trusted {
            shared: self.shared.clone(),
            matchers: self.inner.matchers.clone(),
            gits: self.inner.gits.clone(),
        });
        self.shared.write().journal.begin_away();
    }

    /// Whether a comparison with the disk is still to come.
    pub(super) fn is_unverified(&self) -> bool {
        self.rescan.verify
    }

    /// What decides of every path beyond the ignore files in the tree.
    fn rules_digest(&self) -> [u8; blake3::OUT_LEN] {
        let mut hasher = blake3::Hasher::new();
        let repo = self.repo.as_ref();
        hasher.update(&[u8::from(repo.is_some())]);
        for source in repo.into_iter().flat_map(repo::Repo::sources) {
            hasher.update(&(source.len() as u64).to_le_bytes());
            hasher.update(source);
        }
        if let Some(repo) = repo {
            hasher.update(format!("{:?}", repo.settings).as_bytes());
        }
        self.start.extra.each_source(&mut |source| {
            hasher.update(&(source.len() as u64).to_le_bytes());
            hasher.update(source);
        });
        *hasher.finalize().as_bytes()
    }

    /// Git's index as it is now.
    pub(super) fn git_index_now(&self) -> Stamp {
        let repo = self.repo.as_ref()?;
        stamp_of(&self.disk, &repo::join(&repo.git_dir, b"index"))
    }
}

impl Shared {
    pub(super) fn new(view: super::engine::View) -> Self {
        Self(Arc::new(RwLock::new(view)))
    }
}

/// A directory that is open and watched, and has to be listed.
type Unlisted<D> = (<D as Disk>::Dir, Result<Wd, WatchError>);

/// A file as it was saved.
struct Was {
    name: std::ops::Range<usize>,
    kind: Kind,
    forced: bool,
    meta: Meta,
}

/// A directory as it was saved.
#[derive(Default)]
struct Known {
    names: Vec<u8>,
    files: Vec<Was>,
    dirs: Vec<(std::ops::Range<usize>, bool)>,
    has_ignore: bool,
}

impl<D: Disk> Look<'_, D> {
    /// Whether what lies in a directory can be believed when its own times can.
    pub(super) fn believes(&self, job: &Job<D>, matcher: Option<&Arc<Matcher>>) -> bool {
        let (Some(trusted), true) = (self.trusted, job.trusted) else {
            return false;
        };
        let known = trusted.node(&trusted.shared.read().tree, job);
        let was = known.and_then(|id| trusted.matchers.get(&id));
        known.is_some() && was.map(|was| was.source()) == matcher.map(|now| now.source())
    }

    /// The listing of a directory that is as it was saved, with those of its files that differ; the directory back when
    /// it has to be listed.
    pub(super) fn as_saved(
        &self,
        job: &Job<D>,
        (dir, meta): (D::Dir, Meta),
        watch: Result<Wd, WatchError>,
    ) -> Result<Listing<D>, Unlisted<D>> {
        let Some((known, matcher)) = self.known(job, &dir, &meta) else {
            return Err((dir, watch));
        };
        let mut files = Vec::new();
        for was in &known.files {
            let name = &known.names[was.name.clone()];
            let Ok(now) = self.disk.stat(&dir, name) else {
                return Err((dir, watch));
            };
            if now.kind != was.meta.kind {
                return Err((dir, watch));
            }
            let (dev, is_linked) = (0, false);
            let as_saved = entry_meta(
                was.kind,
                Meta {
                    dev,
                    is_linked,
                    ..now
                },
            );
            if now.is_linked || as_saved != was.meta {
                files.push(Found {
                    name: name.to_vec(),
                    kind: was.kind,
                    meta: now,
                    forced: was.forced,
                });
            }
        }
        let rules = match &matcher {
            Some(matcher) => job.rules.with(matcher.clone(), job.inner_start()),
            None => job.rules.clone(),
        };
        let dir = job.keeps_handles().then(|| Arc::new(dir));
        let dirs = known.dirs.iter().map(|(name, forced)| {
            let name = known.names[name.clone()].to_vec();
            Job {
                parent: job.parent,
                path: job.path_of(&name),
                name,
                within: dir.clone(),
                rules: rules.clone(),
                excluded: *forced,
                trusted: true,
            }
        });
        Ok(Listing {
            unwatched: watch.as_ref().err().map(Unwatched::from),
            watch,
            git_watch: None,
            meta,
            matcher,
            has_git: false,
            is_sparse: self.tracked.is_sparse(&job.path),
            nested: Nested::No,
            is_repository: false,
            is_as_saved: true,
            dirs: dirs.collect(),
            files,
        })
    }

    fn known(&self, job: &Job<D>, dir: &D::Dir, meta: &Meta) -> Option<(Known, Option<Arc<Matcher>>)> {
        let trusted = self.trusted.filter(|_| job.trusted)?;
        let (id, known) = {
            let view = trusted.shared.read();
            let id = trusted.node(&view.tree, job)?;
            let was = view.tree.meta(id);
            #[cfg(test)]
            let (was, meta) = match self.bug == Bug::DirectoryIsBelievedUnlisted {
                true => (was, &Meta { dev: meta.dev, ..was }),
                false => (was, meta),
            };
            let is_same = view.tree.kind(id) == Kind::Dir
                && !trusted.gits.contains_key(&id)
                && (was.ino, was.mtime, was.ctime) == (meta.ino, meta.mtime, meta.ctime);
            (id, is_same.then(|| Known::of(&view.tree, id))?)
        };
        let was = trusted.matchers.get(&id);
        let now = match self.is_git()
            && (was.is_some() || known.has_ignore || self.tracked.stored(&job.path).is_some())
        {
            true => self.matcher(dir, &job.path),
            false => None,
        };
        let is_same = was.map(|was| was.source()) == now.as_ref().map(|now| now.source());
        is_same.then(|| (known, was.cloned()))
    }
}

impl Trusted {
    fn node<D: Disk>(&self, tree: &Tree, job: &Job<D>) -> Option<Id> {
        match job.name.is_empty() {
            true => Some(Tree::ROOT),
            false => tree.child(job.parent, &job.name),
        }
    }
}

impl Known {
    fn of(tree: &Tree, id: Id) -> Self {
        let mut known = Self::default();
        for child in tree.children(id) {
            let start = known.names.len();
            let name = tree.name(child);
            known.has_ignore |= name == b".gitignore";
            known.names.extend_from_slice(name);
            let name = start..known.names.len();
            let (kind, forced) = (tree.kind(child), tree.is_forced(child));
            match kind {
                Kind::Dir | Kind::Nested => known.dirs.push((name, forced)),
                _ => known.files.push(Was {
                    name,
                    kind,
                    forced,
                    meta: tree.meta(child),
                }),
            }
        }
        known
    }
}

/// The times of a directory that has been listed, as they may be believed later: none where another change could have
/// been made within the same tick of the clock.
pub(super) fn believable(meta: Meta, now: i64, granularity: i64) -> Meta {
    if meta.kind == FileKind::Dir && !is_settled(meta.ctime, now, granularity) {
        return Meta { ctime: 0, ..meta };
    }
    meta
}
