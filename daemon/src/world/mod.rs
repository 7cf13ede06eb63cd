//! The one hand that touches the world: files, the clock, chance.
//!
//! Rooms ask through [`World`]; `os.rs` is the real one, and the tests have one with files in a map, a stopped clock
//! and a call that fails when told to. What must stay true: nothing outside this folder calls `std::fs`,
//! `std::process::Command`, `SystemTime::now` or `env::var`.

#![allow(
    clippy::disallowed_methods,
    reason = "this is the hand that the bans in `daemon/clippy.toml` point to"
)]

#[cfg(target_os = "macos")]
mod apple;
mod beneath;
pub mod calls;
pub mod dir;
pub mod events;
pub mod fake;
pub mod fd;
pub mod filesystem;
pub mod folder;
pub mod gitplaces;
pub mod gitstore;
pub mod image;
pub mod lock;
pub mod log;
pub mod memory;
pub mod mounts;
pub mod os;
pub mod parent;
mod place;
pub mod process;
mod resolve;
pub mod shelf;
pub mod signals;
pub mod socket;
pub mod stand_ins;
pub mod supervisor;
pub mod watches;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use fake::FakeWorld;
pub use mounts::MountTable;
pub use os::OsWorld;

/// The flag for opening a file that may be a pipe which nobody reads or writes: without it the opening never returns.
pub(crate) fn unwaiting() -> i32 {
    i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default()
}

/// Wall-clock time in nanoseconds since 1970 UTC.
pub type Nanos = i64;

/// What kind of thing a path names; links are not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Link,
    /// A socket, pipe or device.
    Other,
}

/// What one `statx` says of a path, links not followed. Two equal stamps whose `ctime` is older than the clock's
/// granularity mean that nothing happened in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stat {
    /// File, directory, link or other.
    pub kind: FileKind,
    /// Mount id; 0 where the system has none.
    pub mount: u64,
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Bytes.
    pub size: u64,
    /// Mode bits, type included.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Modification time.
    pub mtime: Nanos,
    /// Change time: what tools cannot restore.
    pub ctime: Nanos,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The bytes of the name.
    pub name: std::ffi::OsString,
    /// The kind, where the directory itself says it.
    pub kind: Option<FileKind>,
}

/// An open file.
pub trait Pieces: io::Read + Send {
    /// What it is now.
    fn stat(&self) -> io::Result<Stat>;
}

/// All that a room may ask of the outside. Every call is bounded by its arguments; none follows a link in the last
/// component unless it says so.
pub trait World: Send + Sync {
    /// Wall-clock time.
    fn now(&self) -> Nanos;
    /// The clock from which the kernel stamps files: behind [`World::now`] by up to [`World::granularity`].
    fn coarse_now(&self) -> Nanos;
    /// How far apart two changes must be to be sure of different stamps on a file system that keeps nanoseconds.
    fn granularity(&self) -> Nanos;
    /// Time since some fixed moment, which never goes back and stands still while the machine is suspended.
    fn monotonic(&self) -> Duration;
    /// Fills `bytes` from the system's generator.
    fn random(&self, bytes: &mut [u8]);

    /// The user the daemon runs as.
    fn uid(&self) -> u32;
    /// What is mounted where, as of this call: one question to the kernel, and the table is read again only when it
    /// has changed.
    fn mounts(&self) -> Arc<MountTable>;
    /// A queue of events that is filled before a change returns; none where the system has no such thing.
    fn events(&self) -> Option<Box<dyn events::Events>>;

    /// What a path names; links not followed.
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// Where a link points, as written.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;
    /// The names in a directory, at most `limit` of them (an error of kind `FileTooLarge` beyond).
    fn list(&self, path: &Path, limit: usize) -> io::Result<Vec<Entry>>;
    /// The bytes of a regular file, at most `limit` of them (an error of kind `FileTooLarge` beyond). Opened without
    /// blocking, so that a pipe in the place of a file stops nobody.
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>>;
    /// Whether the daemon's user may write in a directory, now: mode, owner, lists and read-only mounts considered.
    fn may_write(&self, path: &Path) -> bool;

    /// When a directory was made, where the file system keeps that: with device and inode it tells a directory from
    /// another one that got the same inode later.
    fn born(&self, path: &Path) -> io::Result<Option<Nanos>>;

    /// As [`World::stat`] of what `relative` names beneath `root`, links within the root followed; one that leads
    /// outside is an error.
    fn stat_beneath(&self, root: &Path, relative: &Path) -> io::Result<Stat>;
    /// As [`World::list`], beneath a root.
    fn list_beneath(&self, root: &Path, relative: &Path, limit: usize) -> io::Result<Vec<Entry>>;
    /// As [`World::read`], beneath a root.
    fn read_beneath(&self, root: &Path, relative: &Path, limit: usize) -> io::Result<Vec<u8>>;
    /// Opens a regular file beneath `root` to be read by whoever needs the file itself; links as in
    /// [`World::read_beneath`].
    fn open_file(&self, root: &Path, relative: &Path) -> io::Result<std::fs::File>;
    /// Opens a regular file that another process of this user holds open, under that number: it may have no name.
    fn open_held(&self, pid: u32, descriptor: u32) -> io::Result<std::fs::File>;
    /// Makes a folder (0700) beneath `root` with those above it that are missing, never through a link.
    fn make_dir(&self, root: &Path, relative: &Path) -> io::Result<()>;
    /// Gives what `relative` names beneath `root` another name in the same folder; a name that is taken is an error.
    fn set_aside(&self, root: &Path, relative: &Path, new_name: &Path) -> io::Result<()>;

    /// Writes a whole file beneath `root`, never through a link: draft, sync, rename, sync of the folder. Missing
    /// folders between are made (0700); the file is 0600.
    fn write(&self, root: &Path, relative: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Adds bytes to the end of a file of `length` bytes beneath `root`, never through a link, and does not sync it; a
    /// file of another length is an error of kind `InvalidData`, and nothing is written.
    fn append(&self, root: &Path, relative: &Path, length: u64, bytes: &[u8]) -> io::Result<()>;
    /// Removes a file beneath `root`, never through a link.
    fn remove(&self, root: &Path, relative: &Path) -> io::Result<()>;

    /// Opens a regular file beneath `root` to be read a piece at a time, never through a link that leaves it.
    fn open_beneath(&self, root: &Path, relative: &Path) -> io::Result<Box<dyn Pieces>>;
    /// Makes a file (0600) beneath `root` with the bytes of an open one, never through a link: shared where the file
    /// system can, copied otherwise; not synced. What had the name is replaced. Missing folders between are made.
    fn copy_in(&self, from: &File, root: &Path, relative: &Path) -> io::Result<Stat>;
    /// Gives a file beneath `root` another place beneath it, never through a link; what was there is replaced.
    fn put_in_place(&self, root: &Path, from: &Path, to: &Path) -> io::Result<()>;
}
