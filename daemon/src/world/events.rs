//! Asking the kernel whether anything happened to a few chosen places, without waiting and without a thread.
//!
//! `detect` alone asks, at the moment of a question: the kernel queues an event before the call that caused it returns,
//! so an empty queue proves that nothing has happened. What must stay true: only file systems known to tell of every
//! change are trusted with that; the queue here is never read by anybody else (the index has a descriptor of its own,
//! whose reader may not have got to an event yet).

use std::io;
use std::path::Path;

use super::FileKind;

/// File systems whose every change by a system call is told on the inode it happens to. An overlay may be changed from
/// below, and zfs rolled back, without a word.
const TELLING: [&str; 8] = ["btrfs", "ext2", "ext3", "ext4", "f2fs", "ramfs", "tmpfs", "xfs"];

/// Whether a mount of this type tells of every change.
#[must_use]
pub fn tells_all(kind: &str) -> bool {
    TELLING.binary_search(&kind).is_ok()
}

/// A watched place; the same inode has the same number.
pub type Watch = i32;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What<'e> {
    /// A name came into or went out of the directory.
    Name(&'e [u8]),
    /// The place itself changed: its bytes, mode or owner.
    Itself,
    /// It was moved or removed.
    Moved,
    /// It is watched no longer.
    Gone,
}

/// Places under watch.
pub trait Events: Send {
    /// Watches what a path names, links not followed.
    ///
    /// # Errors
    /// When the user's limit of watches is reached, the place may not be read, or is not there.
    fn watch(&mut self, path: &Path, kind: FileKind) -> io::Result<Watch>;
    /// Ends a watch.
    fn unwatch(&mut self, watch: Watch);
    /// Tells all that has happened up to this call. False when that is not all, because the kernel dropped some or
    /// there is too much.
    fn drain(&mut self, tell: &mut dyn FnMut(Watch, What<'_>)) -> bool;
}

#[cfg(target_os = "linux")]
pub(super) use linux::open;

/// Other systems have no queue that is filled before the change returns.
#[cfg(not(target_os = "linux"))]
pub(super) fn open() -> Option<Box<dyn Events>> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;

    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

    use super::{Events, FileKind, Path, Watch, What, io};

    /// Whoever finds more than this many events goes by the stamps this time.
    const MOST_EVENTS: usize = 4096;

    struct Queue(OwnedFd);

    pub(in crate::world) fn open() -> Option<Box<dyn Events>> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
        Some(Box::new(Queue(fd)))
    }

    impl Events for Queue {
        fn watch(&mut self, path: &Path, kind: FileKind) -> io::Result<Watch> {
            let own = WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
            let more = match kind {
                FileKind::Dir => {
                    let names = WatchFlags::CREATE
                        | WatchFlags::DELETE
                        | WatchFlags::MOVED_FROM
                        | WatchFlags::MOVED_TO;
                    names | WatchFlags::ONLYDIR
                }
                FileKind::File => WatchFlags::MODIFY,
                FileKind::Link | FileKind::Other => WatchFlags::empty(),
            };
            // `MASK_ADD`: two paths may name one inode.
            let flags = own | more | WatchFlags::DONT_FOLLOW | WatchFlags::MASK_ADD;
            Ok(inotify::add_watch(&self.0, path, flags)?)
        }

        fn unwatch(&mut self, watch: Watch) {
            // It may have ended by itself.
            let _ended = inotify::remove_watch(&self.0, watch);
        }

        fn drain(&mut self, tell: &mut dyn FnMut(Watch, What<'_>)) -> bool {
            let mut buffer = [MaybeUninit::uninit(); 8192];
            let mut reader = Reader::new(&self.0, &mut buffer);
            let mut all = true;
            let mut count = 0;
            loop {
                if count >= MOST_EVENTS && reader.is_buffer_empty() {
                    return false;
                }
                count += 1;
                match reader.next() {
                    Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => all = false,
                    Ok(event) => {
                        if let Some(what) = what(event.events(), event.file_name()) {
                            tell(event.wd(), what);
                        }
                    }
                    Err(rustix::io::Errno::AGAIN) => return all,
                    Err(rustix::io::Errno::INTR) => {}
                    Err(_) => return false,
                }
            }
        }
    }

    fn what(flags: ReadFlags, name: Option<&std::ffi::CStr>) -> Option<What<'_>> {
        if flags.contains(ReadFlags::IGNORED) {
            return Some(What::Gone);
        }
        let names = ReadFlags::CREATE | ReadFlags::DELETE | ReadFlags::MOVED_FROM | ReadFlags::MOVED_TO;
        match name {
            Some(name) if flags.intersects(names) => Some(What::Name(name.to_bytes())),
            // The mode of something in the directory, which is no change of the directory.
            Some(_) => None,
            None if flags.intersects(ReadFlags::MODIFY | ReadFlags::ATTRIB) => Some(What::Itself),
            None => Some(What::Moved),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_change_is_in_the_queue_when_the_call_that_made_it_returns() {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("file");
            std::fs::write(&file, "1").unwrap();
            let mut events = open().unwrap();
            let folder = events.watch(dir.path(), FileKind::Dir).unwrap();
            let own = events.watch(&file, FileKind::File).unwrap();
            let mut told = Vec::new();
            let mut drain = |events: &mut Box<dyn Events>| {
                told.clear();
                assert!(events.drain(&mut |watch, what| told.push((watch, format!("{what:?}")))));
                told.clone()
            };
            for n in 0..200 {
                assert_eq!(drain(&mut events), []);
                std::fs::write(&file, n.to_string()).unwrap();
                assert!(drain(&mut events).contains(&(own, "Itself".to_owned())));
                std::fs::write(dir.path().join(n.to_string()), "").unwrap();
                assert_eq!(
                    drain(&mut events),
                    [(folder, format!("{:?}", What::Name(n.to_string().as_bytes())))]
                );
            }
        }

        #[test]
        fn what_was_removed_is_watched_no_longer() {
            let dir = tempfile::tempdir().unwrap();
            let inner = dir.path().join("inner");
            std::fs::create_dir(&inner).unwrap();
            let mut events = open().unwrap();
            let watch = events.watch(&inner, FileKind::Dir).unwrap();
            std::fs::remove_dir(&inner).unwrap();
            let mut gone = false;
            events.drain(&mut |at, what| gone |= at == watch && what == What::Gone);
            assert!(gone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_telling_kinds_is_sorted_for_the_search() {
        assert!(TELLING.is_sorted());
        assert!(tells_all("ext4") && !tells_all("overlay") && !tells_all("fuse"));
    }
}
