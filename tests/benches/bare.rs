//! The limit of a first index: what no index can do without, and nothing else. Every folder is opened, watched and read,
//! every name in it is stat-ed, by as many threads as the machine has; nothing is kept.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, StatxFlags, openat, statx};

/// What an index watches for: open and close say nothing about contents.
const WATCHED: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

struct Walk {
    watches: OwnedFd,
    folders: Mutex<VecDeque<PathBuf>>,
    more: Condvar,
    /// Folders that are waiting or being read: at zero the walk is over.
    open: AtomicUsize,
    files: AtomicU64,
}

/// Walks a tree; the number of files in it. The watches are gone when it returns.
pub fn walk(root: &Path) -> u64 {
    let walk = Walk {
        watches: inotify::init(CreateFlags::CLOEXEC).expect("an inotify descriptor"),
        folders: Mutex::new([root.to_path_buf()].into()),
        more: Condvar::new(),
        open: AtomicUsize::new(1),
        files: AtomicU64::new(0),
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| walk.work());
        }
    });
    walk.files.into_inner()
}

impl Walk {
    fn work(&self) {
        let mut buffer = Vec::with_capacity(64 * 1024);
        while let Some(folder) = self.next() {
            let below = self.read(&folder, buffer.spare_capacity_mut());
            self.open.fetch_add(below.len(), Ordering::SeqCst);
            let left = self.open.fetch_sub(1, Ordering::SeqCst) - 1;
            if !below.is_empty() || left == 0 {
                self.folders.lock().expect("no panic").extend(below);
                self.more.notify_all();
            }
        }
    }

    fn next(&self) -> Option<PathBuf> {
        let mut folders = self.folders.lock().expect("no panic");
        loop {
            if let Some(folder) = folders.pop_back() {
                return Some(folder);
            }
            if self.open.load(Ordering::SeqCst) == 0 {
                return None;
            }
            folders = self.more.wait(folders).expect("no panic");
        }
    }

    fn read(&self, folder: &Path, buffer: &mut [MaybeUninit<u8>]) -> Vec<PathBuf> {
        inotify::add_watch(&self.watches, folder, WATCHED).expect("a watch");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let opened = openat(CWD, folder, flags, Mode::empty()).expect("a folder");
        let mut below = Vec::new();
        let mut names = RawDir::new(&opened, buffer);
        while let Some(entry) = names.next() {
            let entry = entry.expect("a name");
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b".." | b".git") {
                continue;
            }
            let found =
                statx(&opened, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS).expect("a stat");
            if FileType::from_raw_mode(found.stx_mode.into()).is_dir() {
                use std::os::unix::ffi::OsStrExt;
                below.push(folder.join(std::ffi::OsStr::from_bytes(name.to_bytes())));
            } else {
                self.files.fetch_add(1, Ordering::Relaxed);
            }
        }
        below
    }
}
