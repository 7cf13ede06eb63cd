//! Where the system has no queue that is filled before a change returns: the same door as on Linux, and no watch behind it.
//!
//! Every tree is told to look for itself, with `notify` to say where; what is mounted and unmounted is noticed at the next
//! question. What must stay true: nothing is called watched here.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags};

use super::{Backend, Event, Mailbox, TreeKey, WatchError, Wd};
use crate::world::dir::Dir;
use crate::world::mounts::{MountTable, Mounts};

/// The daemon's watcher, which watches nothing.
pub struct Hub {
    /// Whoever waits here waits until [`Hub::stop`].
    ending: OwnedFd,
    stop: Mutex<Option<OwnedFd>>,
    frozen: AtomicBool,
    max: AtomicU64,
    trees: Mutex<HashMap<TreeKey, Arc<dyn Mailbox>>>,
    mounts: Arc<Mounts>,
    /// The version of the mounts that the trees have been told of.
    mounted: AtomicU64,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl AsFd for Hub {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ending.as_fd()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves plain data behind, never a half-made step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// Nothing is opened but a pipe. `max` is kept for whoever asks.
    ///
    /// # Errors
    /// The system's.
    pub fn new(max: Option<u64>) -> io::Result<Arc<Self>> {
        let (ending, stop) = io::pipe()?;
        let mounts = Mounts::here();
        let mounted = AtomicU64::new(mounts.current().version);
        Ok(Arc::new(Self {
            ending: ending.into(),
            stop: Mutex::new(Some(stop.into())),
            frozen: AtomicBool::new(false),
            max: AtomicU64::new(max.unwrap_or(u64::MAX)),
            trees: Mutex::default(),
            mounts,
            mounted,
        }))
    }

    /// There is nothing in the descriptor of an earlier image. Nobody is told anything until [`Hub::thaw`].
    ///
    /// # Errors
    /// The system's.
    pub fn adopt(_: OwnedFd, max: Option<u64>) -> io::Result<Arc<Self>> {
        let hub = Self::new(max)?;
        hub.frozen.store(true, Ordering::Release);
        Ok(hub)
    }

    /// Nobody is told anything from here on.
    pub fn freeze(&self) {
        self.frozen.store(true, Ordering::Release);
    }

    /// Trees are told again.
    pub fn thaw(&self) {
        self.frozen.store(false, Ordering::Release);
    }

    /// Watches of an earlier image: there were none.
    pub fn own(&self, _: TreeKey, _: impl Iterator<Item = Wd>) {}

    /// Says where the events of a tree go.
    pub fn register(&self, key: TreeKey, mailbox: Arc<dyn Mailbox>) {
        lock(&self.trees).insert(key, mailbox);
    }

    /// Forgets a tree.
    pub fn forget(&self, key: TreeKey) {
        lock(&self.trees).remove(&key);
    }

    /// The most watches that would be taken.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max.load(Ordering::Relaxed)
    }

    /// Changes the most watches that would be taken.
    pub fn set_max(&self, max: Option<u64>) {
        self.max.store(max.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// No queue, so none was ever full.
    #[must_use]
    pub fn overflows(&self) -> u64 {
        0
    }

    /// What is mounted in a directory, by the kernel's numbers and at which paths.
    #[must_use]
    pub fn mounts_in(&self, path: &[u8]) -> Vec<(u64, Vec<u8>)> {
        self.mounts.current().within(path)
    }

    /// No queue, so nothing was read from it.
    #[must_use]
    pub fn events(&self) -> u64 {
        0
    }

    /// No watch is used.
    #[must_use]
    pub fn used(&self) -> u64 {
        0
    }

    /// No watch is used.
    #[must_use]
    pub fn used_by(&self, _: TreeKey) -> u64 {
        0
    }

    /// No watch is used.
    pub(crate) fn bound(&self, _: TreeKey, _: u64) -> bool {
        false
    }

    pub(crate) fn watch(&self, _: TreeKey, _: &Dir) -> Result<Wd, WatchError> {
        Err(WatchError::Chosen(Backend::Notify))
    }

    pub(crate) fn unwatch(&self, _: TreeKey, _: Wd) {}

    /// Tells the trees of new and vanished mounts. Always none: that nothing was told proves nothing here, so every tree looks.
    pub fn drain(&self) -> Option<Arc<MountTable>> {
        if self.frozen.load(Ordering::Acquire) {
            return None;
        }
        let version = self.mounts.current().version;
        if self.mounted.swap(version, Ordering::Relaxed) != version {
            for mailbox in lock(&self.trees).values() {
                mailbox.deliver(Event::Mounts);
                mailbox.wake();
            }
        }
        None
    }

    /// The same, for whoever has just asked what is mounted. Always false.
    pub fn drain_at(&self, _: &MountTable) -> bool {
        self.drain().is_some()
    }

    /// The reading thread, which has nothing to read: it waits until [`Hub::stop`].
    pub fn read_until_stopped(&self) {
        while lock(&self.stop).is_some() {
            let mut fds = [PollFd::new(&self.ending, PollFlags::IN)];
            match rustix::event::poll(&mut fds, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "the watcher cannot wait for its end");
                    return;
                }
            }
        }
    }

    /// Ends the reading thread.
    pub fn stop(&self) {
        // The pipe's other end is ready when this one is closed.
        drop(lock(&self.stop).take());
    }
}

/// The most watches the system gives to one user: it has none to give, and no limit of them.
#[must_use]
pub fn system_limit() -> Option<u64> {
    None
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

    #[test]
    fn nothing_is_called_watched_and_the_reading_thread_ends_when_it_is_told() {
        let hub = Hub::new(Some(7)).unwrap();
        let kept = Arc::new(Kept::default());
        hub.register(TreeKey(1), kept.clone());
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open(folder.path().as_os_str().as_encoded_bytes()).unwrap();
        assert!(matches!(
            hub.watch(TreeKey(1), &dir),
            Err(WatchError::Chosen(Backend::Notify))
        ));
        std::fs::write(folder.path().join("f"), "1").unwrap();
        assert!(hub.drain().is_none());
        hub.unwatch(TreeKey(1), 1);
        assert_eq!(*lock(&kept.0), []);
        assert_eq!((hub.used(), hub.used_by(TreeKey(1)), hub.events()), (0, 0, 0));
        assert_eq!((hub.max(), hub.overflows(), system_limit()), (7, 0, None));
        hub.set_max(None);
        assert_eq!(hub.max(), u64::MAX);
        let reading = hub.clone();
        let reader = std::thread::spawn(move || reading.read_until_stopped());
        hub.stop();
        hub.stop();
        reader.join().unwrap();
        hub.forget(TreeKey(1));
    }

    #[test]
    fn a_changed_table_of_mounts_is_told_once_and_not_while_an_image_leaves() {
        let (first, kept) = (Hub::new(None).unwrap(), Arc::new(Kept::default()));
        let hub = Hub::adopt(first.as_fd().try_clone_to_owned().unwrap(), None).unwrap();
        hub.own(TreeKey(1), std::iter::empty());
        hub.register(TreeKey(1), kept.clone());
        hub.mounted.store(u64::MAX, Ordering::Relaxed);
        assert!(hub.drain().is_none());
        assert_eq!(*lock(&kept.0), []);
        hub.thaw();
        assert!(hub.drain().is_none());
        assert!(hub.drain().is_none());
        assert_eq!(*lock(&kept.0), [Event::Mounts]);
        hub.freeze();
        hub.mounted.store(u64::MAX, Ordering::Relaxed);
        assert!(hub.drain().is_none());
        assert_eq!(lock(&kept.0).len(), 1);
        assert_eq!(
            hub.mounts_in(b"/").is_empty(),
            Mounts::open().current().within(b"/").is_empty()
        );
    }

    /// Both have to say the same, or one of the two does not compile.
    #[cfg(target_os = "linux")]
    macro_rules! door {
        ($hub:ty) => {{
            let _: fn(Option<u64>) -> io::Result<Arc<$hub>> = <$hub>::new;
            let _: fn(OwnedFd, Option<u64>) -> io::Result<Arc<$hub>> = <$hub>::adopt;
            let _: [fn(&$hub); 4] = [
                <$hub>::freeze,
                <$hub>::thaw,
                <$hub>::read_until_stopped,
                <$hub>::stop,
            ];
            let _: fn(&$hub, TreeKey, std::vec::IntoIter<Wd>) = <$hub>::own;
            let _: fn(&$hub, TreeKey, Arc<dyn Mailbox>) = <$hub>::register;
            let _: fn(&$hub, TreeKey) = <$hub>::forget;
            let _: [fn(&$hub) -> u64; 4] = [<$hub>::max, <$hub>::overflows, <$hub>::events, <$hub>::used];
            let _: fn(&$hub, Option<u64>) = <$hub>::set_max;
            let _: fn(&$hub, &[u8]) -> Vec<(u64, Vec<u8>)> = <$hub>::mounts_in;
            let _: fn(&$hub, TreeKey) -> u64 = <$hub>::used_by;
            let _: fn(&$hub, TreeKey, &Dir) -> Result<Wd, WatchError> = <$hub>::watch;
            let _: fn(&$hub, TreeKey, Wd) = <$hub>::unwatch;
            let _: fn(&$hub) -> Option<Arc<MountTable>> = <$hub>::drain;
            let _: fn(&$hub, &MountTable) -> bool = <$hub>::drain_at;
            <$hub>::new(None).is_ok()
        }};
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn it_has_the_same_door_as_the_watcher_of_linux() {
        assert!(door!(Hub) && door!(crate::watch::Hub));
    }
}
