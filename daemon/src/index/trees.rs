//! All trees of the daemon: the watcher they share, and one thread each.
//!
//! What must stay true: a root has one tree, whoever asks first; one tree's trouble is not another's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use proto::Error;
use proto::index::TreeStatus;

use super::disk::LocalDisk;
use super::engine::{Engine, Start};
use super::ignore::{Matcher, Rules};
use super::keeper::{Pace, Tree};
use super::repo::GitEnv;
use super::{Settings, Watches};
use crate::watch::{Hub, TreeKey};

/// More threads than this do not make a crawl faster.
const THREADS: usize = 8;

type Kept = BTreeMap<PathBuf, (Arc<Tree>, JoinHandle<()>)>;

/// All trees of the daemon.
#[derive(Debug)]
pub struct Trees {
    settings: Settings,
    hub: Arc<Hub>,
    keys: AtomicU64,
    trees: Mutex<Kept>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

impl Trees {
    /// Opens the watcher and starts its reading thread. Blocks briefly.
    ///
    /// # Errors
    /// When the system gives no watcher.
    pub fn new(settings: Settings) -> Result<Arc<Self>, Error> {
        let refuse = |error| Error::unavailable("the watcher could not be started").why(error);
        let hub = Hub::new(settings.max_watches).map_err(refuse)?;
        let reading = hub.clone();
        let reader = std::thread::Builder::new()
            .name("watch".into())
            .spawn(move || reading.read_until_stopped())
            .map_err(refuse)?;
        let (keys, trees) = (AtomicU64::new(1), Mutex::default());
        Ok(Arc::new(Self {
            settings,
            hub,
            keys,
            trees,
            reader: Mutex::new(Some(reader)),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.trees.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tree of `root` (absolute, links resolved), started when it is new: its crawl then runs on a thread of its
    /// own. Blocks for a few system calls.
    ///
    /// # Errors
    /// When `root` cannot be opened as a directory.
    pub fn ensure(&self, root: &Path) -> Result<Arc<Tree>, Error> {
        use std::os::unix::ffi::OsStrExt;
        let refuse = |error| Error::unavailable(format!("`{}` cannot be indexed", root.display())).why(error);
        let mut trees = self.lock();
        if let Some((tree, _)) = trees.get(root) {
            return Ok(tree.clone());
        }
        let key = TreeKey(self.keys.fetch_add(1, Ordering::Relaxed));
        let bytes = |path: &Option<PathBuf>| path.as_ref().map(|path| path.as_os_str().as_bytes().to_vec());
        let env = GitEnv {
            home: bytes(&self.settings.home),
            xdg_config_home: bytes(&self.settings.xdg_config_home),
        };
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(THREADS));
        let start = Start {
            root: root.as_os_str().as_bytes().to_vec(),
            env,
            extra: self.extra(),
            threads,
            #[cfg(test)]
            bug: super::engine::Bug::None,
        };
        let engine = Engine::new(LocalDisk::new(self.hub.clone(), key), start).map_err(refuse)?;
        let incarnation = crate::world::dir::random().map_err(refuse)?;
        let tree = Tree::new(root, (self.hub.clone(), key), incarnation, engine.shared());
        self.hub.register(key, tree.mailbox());
        let pace = Pace {
            settle: self.settings.settle,
            poll: self.settings.poll,
        };
        let keeping = tree.clone();
        let thread = std::thread::Builder::new()
            .name("tree".into())
            .spawn(move || keeping.keep(engine, pace))
            .map_err(refuse)?;
        trees.insert(root.to_path_buf(), (tree.clone(), thread));
        Ok(tree)
    }

    fn extra(&self) -> Rules {
        if self.settings.extra_ignores.is_empty() {
            return Rules::default();
        }
        let lines = self.settings.extra_ignores.join("\n");
        Rules::default().with(Arc::new(Matcher::parse(lines.into_bytes())), 0)
    }

    /// The tree of `root` when it is watched already. From memory.
    #[must_use]
    pub fn get(&self, root: &Path) -> Option<Arc<Tree>> {
        self.lock().get(root).map(|(tree, _)| tree.clone())
    }

    /// Ends a tree: its watches are dropped and its subscribers see the end. Its thread ends by itself.
    pub fn forget(&self, root: &Path) {
        let Some((tree, _)) = self.lock().remove(root) else {
            return;
        };
        tree.end();
        self.hub.forget(tree.key());
    }

    /// How each tree stands, by root. From memory.
    #[must_use]
    pub fn status(&self) -> Vec<TreeStatus> {
        let trees: Vec<_> = self.lock().values().map(|(tree, _)| tree.clone()).collect();
        trees.iter().map(|tree| tree.status()).collect()
    }

    /// Watches used and allowed. From memory.
    #[must_use]
    pub fn watches(&self) -> Watches {
        let system = crate::watch::system_limit().unwrap_or(u64::MAX);
        let limit = self.hub.max().min(system);
        Watches {
            used: self.hub.used(),
            limit,
            backend: "inotify",
        }
    }

    /// Another limit of watches from now on (`watch.max_watches`): trees that were over the old one heal with the next
    /// look at them.
    pub fn set_max_watches(&self, max: Option<u64>) {
        self.hub.set_max(max);
    }

    /// Ends all trees and the reading thread, and waits for them. A tree whose disk hangs is not waited for: its thread
    /// ends with the process.
    pub fn stop(&self) {
        let trees = std::mem::take(&mut *self.lock());
        for (tree, _) in trees.values() {
            tree.end();
            self.hub.forget(tree.key());
        }
        self.hub.stop();
        if let Some(reader) = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take()
            && reader.join().is_err()
        {
            tracing::error!("the watcher's thread ended in a panic");
        }
    }
}

impl Drop for Trees {
    fn drop(&mut self) {
        self.stop();
    }
}
