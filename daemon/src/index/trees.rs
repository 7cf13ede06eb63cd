//! All trees of the daemon: the watcher they share, and one thread each.
//!
//! What must stay true: a root has one tree, whoever asks first; one tree's trouble is not another's: whoever opens a
//! root that hangs keeps only those waiting who want the same root, and a thread that ends in a panic ends its own tree.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use proto::Error;
use proto::index::TreeStatus;

use super::disk::LocalDisk;
use super::engine::{Engine, Start};
use super::ignore::{Matcher, Rules};
use super::keeper::Tree;
use super::mail::Ending;
use super::repo::GitEnv;
use super::saved::shelf::{Ended, Shelf};
use super::saved::{Saved, Watches as Kept};
use super::verify::Begin;
use super::{Manner, Settings, Watches};
use crate::watch::{Hub, TreeKey};

/// More threads than this do not make a crawl faster.
const THREADS: usize = 8;
/// How long the daemon waits for all its trees to be saved when it ends.
const SAVING: Duration = Duration::from_secs(2);

/// All trees of the daemon.
#[derive(Debug)]
pub struct Trees {
    settings: Mutex<Settings>,
    /// Of the settings.
    generation: AtomicU64,
    pub(super) hub: Arc<Hub>,
    shelf: Option<Shelf>,
    pub(super) keys: AtomicU32,
    slots: Mutex<Slots>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Slots {
    by_root: BTreeMap<PathBuf, Arc<Slot>>,
    is_over: bool,
}

/// The place of one root. Locked while its tree is opened or put to sleep.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<Held>);

/// What is at a root's place.
#[derive(Debug, Default)]
pub(super) enum Held {
    #[default]
    Nobody,
    Awake(Awake),
    /// As it stood when it was put to sleep, and since when it sleeps.
    Asleep(TreeStatus, Instant),
}

/// A tree and the end of its thread.
#[derive(Debug)]
pub(super) struct Awake {
    pub(super) tree: Arc<Tree>,
    pub(super) ended: Receiver<Option<Vec<u8>>>,
}

impl Slot {
    pub(super) fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None while it is being opened or put to sleep.
    pub(super) fn look(&self) -> Option<MutexGuard<'_, Held>> {
        match self.0.try_lock() {
            Ok(held) => Some(held),
            Err(std::sync::TryLockError::Poisoned(held)) => Some(held.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }

    fn tree(&self) -> Option<Arc<Tree>> {
        let held = self.look()?;
        let tree = held.tree()?;
        tree.touch();
        Some(tree.clone())
    }
}

impl Held {
    /// The tree, when it is awake and its thread has not ended in a panic.
    fn tree(&self) -> Option<&Arc<Tree>> {
        match self {
            Self::Awake(Awake { tree, .. }) if !tree.has_ended() => Some(tree),
            _ => None,
        }
    }
}

fn refuse(root: &Path) -> impl Fn(std::io::Error) -> Error {
    move |error| {
        Error::unavailable(format!("`{}` cannot be indexed", root.display()))
            .why(error)
            .next("check its rights and its disk, then ask again; `tocli daemon status` says how the daemon stands")
    }
}

pub(super) fn extra(manner: &Manner) -> Rules {
    if manner.extra_ignores.is_empty() {
        return Rules::default();
    }
    let lines = manner.extra_ignores.join("\n");
    Rules::default().with(Arc::new(Matcher::parse(lines.into_bytes())), 0)
}

impl Trees {
    /// Opens the watcher and starts its reading thread. Blocks briefly.
    ///
    /// # Errors
    /// When the system gives no watcher.
    pub fn new(settings: Settings) -> Result<Arc<Self>, Error> {
        let refuse = |error| {
            Error::unavailable("the watcher could not be started")
                .why(error)
                .next("raise the limit of open files (`ulimit -n`), or of watchers of one user (`fs.inotify.max_user_instances`)")
        };
        let hub = Hub::new(settings.max_watches).map_err(refuse)?;
        let trees = Self::with(settings, hub);
        trees.read_events()?;
        Ok(trees)
    }

    pub(super) fn with(settings: Settings, hub: Arc<Hub>) -> Arc<Self> {
        Arc::new(Self {
            shelf: settings.folder.clone().map(Shelf::new),
            settings: Mutex::new(settings),
            generation: AtomicU64::new(0),
            hub,
            keys: AtomicU32::new(1),
            slots: Mutex::default(),
            reader: Mutex::default(),
        })
    }

    pub(super) fn read_events(&self) -> Result<(), Error> {
        let refuse = |error| Error::unavailable("the watcher could not be started").why(error);
        let reading = self.hub.clone();
        let reader = std::thread::Builder::new()
            .name("watch".into())
            .spawn(move || reading.read_until_stopped())
            .map_err(refuse)?;
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn all(&self) -> Vec<(PathBuf, Arc<Slot>)> {
        let slots = self.lock();
        let each = slots.by_root.iter();
        each.map(|(root, slot)| (root.clone(), slot.clone())).collect()
    }

    fn slot(&self, root: &Path) -> Result<Arc<Slot>, Error> {
        let mut slots = self.lock();
        if slots.is_over {
            return Err(Error::unavailable("the daemon is stopping"));
        }
        Ok(slots.by_root.entry(root.to_path_buf()).or_default().clone())
    }

    fn has(&self, root: &Path, slot: &Arc<Slot>) -> bool {
        let slots = self.lock();
        slots
            .by_root
            .get(root)
            .is_some_and(|there| Arc::ptr_eq(there, slot))
    }

    /// The tree of `root` (absolute, links resolved), started when it is new or asleep: what it knows from before is
    /// loaded, and its thread then reads or compares. Blocks for a few system calls and the loading.
    ///
    /// # Errors
    /// When `root` cannot be opened as a directory, or the daemon stops.
    pub fn ensure(&self, root: &Path) -> Result<Arc<Tree>, Error> {
        self.ensure_with(root, &self.settings().usual)
    }

    /// As [`Trees::ensure`], in the manner of its workspace. A tree that is awake already goes on in its own.
    ///
    /// # Errors
    /// As [`Trees::ensure`].
    pub fn ensure_with(&self, root: &Path, manner: &Manner) -> Result<Arc<Tree>, Error> {
        loop {
            let slot = self.slot(root)?;
            let mut held = slot.lock();
            if !self.has(root, &slot) {
                continue;
            }
            if let Some(tree) = held.tree() {
                tree.touch();
                return Ok(tree.clone());
            }
            let opened = self.open(root, manner);
            if opened.is_err() && matches!(*held, Held::Nobody) {
                self.lock().by_root.remove(root);
            }
            let awake = opened?;
            let tree = awake.tree.clone();
            *held = Held::Awake(awake);
            return Ok(tree);
        }
    }

    pub(super) fn start_of(&self, root: &Path, manner: &Manner) -> Start {
        use std::os::unix::ffi::OsStrExt;
        let settings = self.settings();
        let bytes = |path: &Option<PathBuf>| path.as_ref().map(|path| path.as_os_str().as_bytes().to_vec());
        Start {
            root: root.as_os_str().as_bytes().to_vec(),
            led_from: None,
            env: GitEnv {
                home: bytes(&settings.home),
                xdg_config_home: bytes(&settings.xdg_config_home),
            },
            extra: extra(manner),
            manner: manner.clone(),
            threads: std::thread::available_parallelism().map_or(1, |n| n.get().min(THREADS)),
            #[cfg(test)]
            bug: super::engine::Bug::None,
        }
    }

    pub(super) fn new_key(&self) -> TreeKey {
        TreeKey(self.keys.fetch_add(1, Ordering::Relaxed))
    }

    fn open(&self, root: &Path, manner: &Manner) -> Result<Awake, Error> {
        let key = self.new_key();
        let disk = || LocalDisk::new(self.hub.clone(), key);
        let new = || crate::world::dir::random().map_err(refuse(root));
        if let Some((mut saved, ended)) = self.load(root) {
            let incarnation = match ended {
                Ended::Closed => saved.head.incarnation,
                Ended::Open => {
                    saved
                        .view
                        .journal
                        .restart(&mut saved.view.tree, crate::world::dir::now());
                    new()?
                }
            };
            let resumed = Engine::resume(disk(), self.start_of(root, manner), saved, Kept::Gone);
            if let Some(engine) = resumed.map_err(refuse(root))? {
                return self.start((root, key), engine, (Begin::Verify, incarnation));
            }
        }
        let engine = Engine::new(disk(), self.start_of(root, manner)).map_err(refuse(root))?;
        self.start((root, key), engine, (Begin::Crawl, new()?))
    }

    fn load(&self, root: &Path) -> Option<(Saved, Ended)> {
        let shelf = self.shelf.as_ref()?;
        let (saved, ended) = shelf.open(root, Saved::read)?;
        if saved.is_none() {
            tracing::warn!(root = %root.display(), "a saved index is damaged or of another version; the files are read anew");
            shelf.forget(root);
        }
        Some((saved?, ended))
    }

    pub(super) fn start(
        &self,
        (root, key): (&Path, TreeKey),
        engine: Engine<LocalDisk>,
        (begin, incarnation): (Begin, u64),
    ) -> Result<Awake, Error> {
        let shared = (incarnation, engine.shared());
        let tree = Tree::new(
            root,
            (self.hub.clone(), key),
            shared,
            (begin, engine.start.manner.clone(), self.shelf.clone()),
        );
        self.hub.register(key, tree.mailbox());
        let manner = tree.manner_of();
        if self.hub.bound(key, manner.max_watches) {
            // Taken over from an image that might have more.
            tree.change_manner(&manner);
        }
        let (keeping, (end, ended)) = (tree.clone(), mpsc::channel());
        let thread = std::thread::Builder::new().name("tree".into()).spawn(move || {
            let kept = catch_unwind(AssertUnwindSafe(|| keeping.keep(engine, begin)));
            let left = kept.unwrap_or_else(|_| {
                keeping.give_up();
                None
            });
            drop(keeping);
            // Nobody waits when the daemon does not end.
            let _nobody = end.send(left);
        });
        match thread {
            Ok(_runs_until_told) => Ok(Awake { tree, ended }),
            Err(error) => {
                self.hub.forget(key);
                Err(refuse(root)(error))
            }
        }
    }

    fn settings(&self) -> Settings {
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        settings.clone()
    }

    /// Whether the settings are those of this generation of the configuration.
    #[must_use]
    pub fn follows(&self, generation: u64) -> bool {
        self.generation.load(Ordering::Acquire) == generation
    }

    /// Other settings from now on. Trees that were over the limit of watches heal with the next look at them, and let go
    /// of theirs where there are more than a lower one allows. A tree in the manner of its own workspace goes on in that.
    pub fn follow(&self, settings: Settings, generation: u64) {
        let old = {
            let mut held = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
            self.generation.store(generation, Ordering::Release);
            std::mem::replace(&mut *held, settings.clone())
        };
        self.hub.set_max(settings.max_watches);
        for (_, slot) in self.all() {
            if let Some(tree) = slot.tree() {
                tree.follow(&old.usual, &settings.usual);
            }
        }
    }

    pub(super) fn put(&self, root: PathBuf, held: Held) {
        *self.lock().by_root.entry(root).or_default().lock() = held;
    }

    /// A tree that sleeps is no longer remembered.
    pub(super) fn forget_asleep(&self, root: &Path) {
        let mut slots = self.lock();
        let slot = slots.by_root.get(root);
        if slot.is_some_and(|slot| matches!(slot.look().as_deref(), Some(Held::Asleep(..)))) {
            // Whoever has found the place, and waits for it, sees that it is no longer there.
            slots.by_root.remove(root);
        }
    }

    /// The tree of `root` when it is awake. From memory.
    #[must_use]
    pub fn get(&self, root: &Path) -> Option<Arc<Tree>> {
        let slot = self.lock().by_root.get(root).cloned();
        slot?.tree()
    }

    /// The same for whoever only looks: it is no use of the tree. From memory.
    pub(super) fn awake_at(&self, root: &Path) -> Option<Arc<Tree>> {
        let slot = self.lock().by_root.get(root).cloned()?;
        slot.look()?.tree().cloned()
    }

    /// Ends a tree: its watches are dropped, what is saved of it is removed, and its subscribers see the end. Its thread
    /// ends by itself.
    pub fn forget(&self, root: &Path) {
        let slot = self.lock().by_root.remove(root);
        if let Some(slot) = slot
            && let Held::Awake(awake) = std::mem::take(&mut *slot.lock())
        {
            awake.tree.end(Ending::Drop);
            self.hub.forget(awake.tree.key());
        }
        if let Some(shelf) = &self.shelf {
            shelf.forget(root);
        }
    }

    /// How each tree stands, by root. From memory.
    #[must_use]
    pub fn status(&self) -> Vec<TreeStatus> {
        let status = |slot: Arc<Slot>| match &*slot.look()? {
            Held::Nobody => None,
            Held::Awake(awake) => Some(awake.tree.status()),
            Held::Asleep(status, _) => Some(status.clone()),
        };
        self.all()
            .into_iter()
            .filter_map(|(_, slot)| status(slot))
            .collect()
    }

    /// Watches used and allowed. From memory.
    #[must_use]
    pub fn watches(&self) -> Watches {
        let system = crate::watch::system_limit().unwrap_or(u64::MAX);
        let limit = self.hub.max().min(system);
        Watches {
            used: self.hub.used(),
            limit,
            backend: self.settings().usual.backend.word(),
        }
    }

    /// No tree is opened from here on; those that were awake.
    pub(super) fn take_all(&self) -> Vec<Awake> {
        let slots = {
            let mut slots = self.lock();
            slots.is_over = true;
            std::mem::take(&mut slots.by_root)
        };
        let awake = |slot: Arc<Slot>| match std::mem::take(&mut *slot.look()?) {
            Held::Awake(awake) => Some(awake),
            _ => None,
        };
        slots.into_values().filter_map(awake).collect()
    }

    pub(super) fn stop_reading(&self) {
        self.hub.stop();
        if let Some(reader) = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take()
            && reader.join().is_err()
        {
            tracing::error!("the watcher's thread ended in a panic");
        }
    }

    /// Saves and ends all trees and the reading thread, and waits for them. A tree whose disk hangs, or that is still
    /// being read, is not waited for: its thread ends with the process.
    pub fn stop(&self) {
        let all: Vec<(Awake, bool)> = self
            .take_all()
            .into_iter()
            .map(|awake| {
                let is_ready = awake.tree.progress().ready;
                awake.tree.end(Ending::Keep);
                (awake, is_ready)
            })
            .collect();
        let until = Instant::now() + SAVING;
        for (Awake { tree, ended }, is_ready) in all {
            if is_ready
                && ended
                    .recv_timeout(until.saturating_duration_since(Instant::now()))
                    .is_err()
            {
                tracing::warn!(root = %tree.root().display(), "an index could not be saved in time");
            }
            self.hub.forget(tree.key());
        }
        self.stop_reading();
    }
}

impl Drop for Trees {
    fn drop(&mut self) {
        self.stop();
    }
}
