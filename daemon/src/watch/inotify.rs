//! Linux: a thin layer over the inotify system calls.
//!
//! What must stay true: one descriptor for the daemon (the system allows 128 per user), and where there is none left a watch is
//! refused like one beyond the limit, until there is one; the registry is locked while a
//! watch is placed, so no event can be read before its watch is known; nobody waits for the disk under a lock.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::{self, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::queue::{Queue, nothing};
use super::registry::{Left, Registry, Tree};
use super::{Event, Hint, Mailbox, TreeKey, WatchError, Wd};
use crate::world::dir::Dir;
use crate::world::mounts::{self, MountTable, Mounts};

/// No open, access or close-without-write: our own reading makes no events. Close-after-write, because nothing else tells
/// of what was written through a mapping. `MASK_ADD` because two trees may watch one
/// directory. The handle's path in `/proc` is a link, so links are followed: to the open directory and nowhere else.
const MASK: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::EXCL_UNLINK)
    .union(WatchFlags::MASK_ADD);

const BUFFER: usize = 128 << 10;

/// The daemon's watcher.
pub struct Hub {
    queue: Queue,
    stop: OwnedFd,
    stopped: AtomicBool,
    reader: Mutex<Box<[MaybeUninit<u8>]>>,
    registry: Mutex<Registry>,
    max: AtomicU64,
    /// Events read from the queue so far.
    read: AtomicU64,
    /// How often the system's queue was full.
    overflows: AtomicU64,
    /// Nothing is read from the queue: it is being handed over, or has not been taken over yet.
    frozen: AtomicBool,
    mounts: Arc<Mounts>,
    /// The version of the mounts that the trees have been told of.
    mounted: AtomicU64,
    /// For the reading thread alone: whoever waits on it takes the news from others.
    mount_news: Option<File>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

impl AsFd for Hub {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves plain data behind, never a half-made step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// Opens the descriptor, or does without one where the user has as many as the system gives. `max` bounds the watches
    /// that are taken.
    ///
    /// # Errors
    /// The system's.
    pub fn new(max: Option<u64>) -> io::Result<Arc<Self>> {
        Self::of(Queue::open()?, max)
    }

    /// Takes over the descriptor of an earlier image. Nothing is read from it until [`Hub::thaw`].
    ///
    /// # Errors
    /// The system's.
    pub fn adopt(inotify: OwnedFd, max: Option<u64>) -> io::Result<Arc<Self>> {
        let hub = Self::of(inotify.into(), max)?;
        hub.frozen.store(true, Ordering::Release);
        Ok(hub)
    }

    fn of(queue: Queue, max: Option<u64>) -> io::Result<Arc<Self>> {
        let stop = nothing()?;
        let mounts = Mounts::here();
        let mounted = AtomicU64::new(mounts.current().version);
        Ok(Arc::new(Self {
            queue,
            stop,
            stopped: AtomicBool::new(false),
            reader: Mutex::new(vec![MaybeUninit::uninit(); BUFFER].into_boxed_slice()),
            registry: Mutex::default(),
            max: AtomicU64::new(max.unwrap_or(u64::MAX)),
            read: AtomicU64::new(0),
            overflows: AtomicU64::new(0),
            frozen: AtomicBool::new(false),
            mounts,
            mounted,
            mount_news: mounts::news(),
        }))
    }

    /// Reads all events that are there, and none after that.
    pub fn freeze(&self) {
        self.drain();
        self.frozen.store(true, Ordering::Release);
        // Whoever was reading has finished.
        drop(lock(&self.reader));
    }

    /// Reads events from here on.
    pub fn thaw(&self) {
        self.frozen.store(false, Ordering::Release);
    }

    /// Takes watches over that are in the descriptor already; to be called before the tree is registered.
    pub fn own(&self, key: TreeKey, watches: impl Iterator<Item = Wd>) {
        let mut registry = lock(&self.registry);
        for wd in watches {
            registry.add(wd, key);
        }
    }

    /// Says where the events of a tree go.
    pub fn register(&self, key: TreeKey, mailbox: Arc<dyn Mailbox>) {
        let mut registry = lock(&self.registry);
        let watches = registry.of(key).len() as u64;
        let most = u64::MAX;
        registry.trees.insert(
            key,
            Tree {
                mailbox,
                watches,
                most,
            },
        );
    }

    /// Ends all watches of a tree and forgets it.
    pub fn forget(&self, key: TreeKey) {
        let mut registry = lock(&self.registry);
        registry.trees.remove(&key);
        for wd in registry.of(key) {
            if let Left::Nobody = registry.remove(wd, key) {
                ended(inotify::remove_watch(&self.queue, wd));
            }
        }
    }

    /// The most watches that are taken.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// Changes the most watches that are taken. Those that are over it stay.
    pub fn set_max(&self, max: Option<u64>) {
        self.max.store(max.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How often the system's queue of events was full since this daemon's image began.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        self.overflows.load(Ordering::Relaxed)
    }

    /// What is mounted in a directory, by the kernel's numbers and at which paths.
    #[must_use]
    pub fn mounts_in(&self, path: &[u8]) -> Vec<(u64, Vec<u8>)> {
        self.mounts.current().within(path)
    }

    /// Events read from the queue so far, of all trees.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Watches used by all trees.
    #[must_use]
    pub fn used(&self) -> u64 {
        lock(&self.registry).watches.len() as u64
    }

    /// Watches of one tree.
    #[must_use]
    pub fn used_by(&self, key: TreeKey) -> u64 {
        lock(&self.registry)
            .trees
            .get(&key)
            .map_or(0, |tree| tree.watches)
    }

    /// How many watches a tree may have from now on. It keeps those it has, until it lets them go; whether there are more
    /// than there may be, of all trees together or of this one.
    pub(crate) fn bound(&self, key: TreeKey, most: u64) -> bool {
        let has_more = lock(&self.registry).bound(key, most);
        has_more || self.used() > self.max()
    }

    pub(crate) fn watch(&self, key: TreeKey, dir: &Dir) -> Result<Wd, WatchError> {
        let path = format!("/proc/self/fd/{}", dir.as_fd().as_raw_fd());
        let mut registry = lock(&self.registry);
        if !registry.trees.contains_key(&key) {
            // Forgotten while it was crawling.
            return Err(WatchError::Denied(io::ErrorKind::NotFound.into()));
        }
        let wd = self.queue.watch(&path, MASK)?;
        if let Some(refusal) = registry.refusal(wd, key, self.max()) {
            if !registry.watches.contains_key(&wd) {
                ended(inotify::remove_watch(&self.queue, wd));
            }
            return Err(refusal);
        }
        let is_new = registry.add(wd, key);
        if let Some(tree) = registry.trees.get_mut(&key)
            && is_new
        {
            tree.watches += 1;
        }
        Ok(wd)
    }

    pub(crate) fn unwatch(&self, key: TreeKey, wd: Wd) {
        let mut registry = lock(&self.registry);
        if !registry.owners(wd).any(|owner| owner == key) {
            return;
        }
        if let Left::Nobody = registry.remove(wd, key) {
            ended(inotify::remove_watch(&self.queue, wd));
        }
        if let Some(tree) = registry.trees.get_mut(&key) {
            tree.watches = tree.watches.saturating_sub(1);
        }
    }

    /// Reads all events that are there and hands them to their trees; the mounts of then. Nothing is read, and none is the
    /// answer, while the queue is frozen. Never waits for anything but another reader.
    pub fn drain(&self) -> Option<Arc<MountTable>> {
        let mounts = self.mounts.current();
        self.drain_at(&mounts).then_some(mounts)
    }

    /// The same for whoever has just asked what is mounted; false while the queue is frozen.
    pub fn drain_at(&self, mounts: &MountTable) -> bool {
        let mut buffer = lock(&self.reader);
        if self.frozen.load(Ordering::Acquire) {
            return false;
        }
        let mut woken = HashSet::new();
        let mut reader = inotify::Reader::new(&self.queue, &mut buffer);
        let mut batch = Vec::new();
        loop {
            match reader.next() {
                Ok(event) => batch.push((event.wd(), event.events(), read(&event))),
                Err(Errno::INTR) => continue,
                Err(_) => break,
            }
            if reader.is_buffer_empty() {
                self.deliver(&mut batch, &mut woken);
            }
        }
        self.deliver(&mut batch, &mut woken);
        // Somebody else may know of a later table by now.
        let is_other = self.mounted.fetch_max(mounts.version, Ordering::Relaxed) < mounts.version;
        if !is_other && woken.is_empty() {
            return true;
        }
        let registry = lock(&self.registry);
        if is_other {
            for (&key, tree) in &registry.trees {
                woken.insert(key);
                tree.mailbox.deliver(Event::Mounts);
            }
        }
        for key in woken {
            if let Some(tree) = registry.trees.get(&key) {
                tree.mailbox.wake();
            }
        }
        true
    }

    fn deliver(&self, batch: &mut Vec<(Wd, ReadFlags, Option<Event>)>, woken: &mut HashSet<TreeKey>) {
        self.read.fetch_add(batch.len() as u64, Ordering::Relaxed);
        let mut registry = lock(&self.registry);
        for (wd, flags, event) in batch.drain(..) {
            let Some(event) = event else { continue };
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                self.overflows.fetch_add(1, Ordering::Relaxed);
                for (&key, tree) in &registry.trees {
                    woken.insert(key);
                    tree.mailbox.deliver(Event::Overflow);
                }
                continue;
            }
            if !registry.watches.contains_key(&wd) {
                // Of a tree that nobody has taken over.
                if !flags.contains(ReadFlags::IGNORED) {
                    ended(inotify::remove_watch(&self.queue, wd));
                }
                continue;
            };
            for key in registry.owners(wd).collect::<Vec<_>>() {
                let Some(tree) = registry.trees.get_mut(&key) else {
                    continue;
                };
                woken.insert(key);
                tree.mailbox.deliver(event.clone());
                if flags.contains(ReadFlags::IGNORED) {
                    tree.watches = tree.watches.saturating_sub(1);
                }
            }
            if flags.contains(ReadFlags::IGNORED) {
                registry.watches.remove(&wd);
                registry.also.remove(&wd);
            }
        }
    }

    /// The reading thread: waits and drains until [`Hub::stop`].
    pub fn read_until_stopped(&self) {
        while !self.stopped.load(Ordering::Acquire) {
            let mut fds = vec![
                PollFd::new(&self.queue, PollFlags::IN),
                PollFd::new(&self.stop, PollFlags::IN),
            ];
            fds.extend(
                self.mount_news
                    .iter()
                    .map(|news| PollFd::new(news, PollFlags::PRI)),
            );
            match rustix::event::poll(&mut fds, None) {
                Ok(_) | Err(Errno::INTR) => drop(self.drain()),
                Err(error) => {
                    tracing::error!(%error, "the watcher cannot wait for events");
                    return;
                }
            }
        }
    }

    /// Ends the reading thread.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        if let Err(error) = rustix::io::write(&self.stop, &1u64.to_ne_bytes()) {
            tracing::error!(%error, "the watcher could not be told to stop");
        }
    }
}

/// A watch that the kernel has ended already cannot be removed: that is what was wanted.
fn ended(result: rustix::io::Result<()>) {
    if let Err(error) = result
        && error != Errno::INVAL
    {
        tracing::warn!(%error, "a watch could not be removed");
    }
}

fn read(event: &inotify::Event<'_>) -> Option<Event> {
    let (wd, flags) = (event.wd(), event.events());
    if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
        return Some(Event::Overflow);
    }
    if flags.contains(ReadFlags::IGNORED) {
        return Some(Event::Ended { wd });
    }
    if flags.contains(ReadFlags::MOVE_SELF) {
        return Some(Event::Moved { wd });
    }
    let Some(name) = event.file_name() else {
        return Some(Event::Own { wd });
    };
    let hint = if flags.contains(ReadFlags::MOVED_FROM) {
        Hint::MovedFrom(event.cookie())
    } else if flags.contains(ReadFlags::MOVED_TO) {
        Hint::MovedTo(event.cookie())
    } else if flags.contains(ReadFlags::CREATE) {
        Hint::Created
    } else {
        Hint::Changed
    };
    Some(Event::Name {
        wd,
        name: name.to_bytes().to_vec(),
        is_dir: flags.contains(ReadFlags::ISDIR),
        hint,
    })
}

/// The most watches the system gives to one user.
#[must_use]
pub fn system_limit() -> Option<u64> {
    let text = crate::world::dir::read_file(b"/proc/sys/fs/inotify/max_user_watches", 64).ok()?;
    std::str::from_utf8(&text).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<Event>>);

    impl Mailbox for Kept {
        fn deliver(&self, event: Event) {
            lock(&self.0).push(event);
        }

        fn wake(&self) {}
    }

    fn one_tree() -> (Arc<Hub>, Arc<Kept>, tempfile::TempDir, Wd) {
        let (hub, kept) = (Hub::new(None).unwrap(), Arc::new(Kept::default()));
        let folder = tempfile::tempdir().unwrap();
        hub.register(TreeKey(1), kept.clone());
        let path = folder.path().as_os_str().as_encoded_bytes();
        let wd = hub.watch(TreeKey(1), &Dir::open(path).unwrap()).unwrap();
        (hub, kept, folder, wd)
    }

    #[test]
    fn our_own_reading_makes_no_events() {
        let (hub, kept, folder, wd) = one_tree();
        std::fs::write(folder.path().join("f"), "1").unwrap();
        hub.drain();
        assert!(!std::mem::take(&mut *lock(&kept.0)).is_empty());
        let dir = Dir::open(folder.path().as_os_str().as_encoded_bytes()).unwrap();
        assert_eq!(
            hub.watch(TreeKey(1), &dir).unwrap(),
            wd,
            "one directory has one watch"
        );
        dir.list(&mut |name, _| assert_eq!(name, b"f")).unwrap();
        dir.stat(b"f").unwrap();
        assert_eq!(dir.read(b"f", 10).unwrap(), b"1");
        drop(dir);
        hub.drain();
        assert_eq!(*lock(&kept.0), []);
    }

    #[test]
    fn what_the_queue_cannot_hold_is_announced_as_lost() {
        let (hub, kept, folder, _) = one_tree();
        for n in 0..9000 {
            std::fs::write(folder.path().join(n.to_string()), "1").unwrap();
            std::fs::write(folder.path().join(format!("{n}.b")), "1").unwrap();
        }
        hub.drain();
        let events = std::mem::take(&mut *lock(&kept.0));
        assert_eq!(
            events.last(),
            Some(&Event::Overflow),
            "after {} events",
            events.len()
        );
    }

    #[test]
    fn a_directory_of_two_trees_keeps_its_watch_until_both_are_forgotten() {
        let (hub, _, folder, wd) = one_tree();
        let other = Arc::new(Kept::default());
        hub.register(TreeKey(2), other.clone());
        let dir = Dir::open(folder.path().as_os_str().as_encoded_bytes()).unwrap();
        assert_eq!(hub.watch(TreeKey(2), &dir).unwrap(), wd);
        hub.forget(TreeKey(1));
        assert_eq!((hub.used(), hub.used_by(TreeKey(2))), (1, 1));
        std::fs::write(folder.path().join("f"), "1").unwrap();
        hub.drain();
        assert!(!lock(&other.0).is_empty());
        hub.forget(TreeKey(2));
        assert_eq!(hub.used(), 0);
    }
}
