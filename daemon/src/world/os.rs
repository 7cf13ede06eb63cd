//! The real world: what stands behind [`World`] when the daemon runs.
//!
//! Every call names its path once and follows no link in the last component; nothing here decides anything. What must
//! stay true: reading never blocks on a pipe or device (`O_NONBLOCK`, regular files only), and never takes more memory
//! than its limit.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Access, AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::time::{ClockId, clock_getres, clock_gettime};

use super::mounts::Mounts;
use super::{Entry, FileKind, MountTable, Nanos, Pieces, Stat, World, beneath, place};

const SECOND: Nanos = 1_000_000_000;

/// This machine.
pub struct OsWorld {
    mounts: Arc<Mounts>,
    granularity: Nanos,
    uid: u32,
}

impl OsWorld {
    /// This machine, with its mount table open.
    #[must_use]
    pub fn new() -> Self {
        // Twice the step, so that the step itself never falls on the boundary.
        let granularity = 2 * nanos(clock_getres(COARSE)).max(1);
        Self {
            mounts: Mounts::here(),
            granularity,
            uid: rustix::process::geteuid().as_raw(),
        }
    }
}

impl Default for OsWorld {
    fn default() -> Self {
        Self::new()
    }
}

/// The clock of the file systems' stamps.
#[cfg(target_os = "linux")]
const COARSE: ClockId = ClockId::RealtimeCoarse;
#[cfg(not(target_os = "linux"))]
const COARSE: ClockId = ClockId::Realtime;

fn nanos(time: rustix::time::Timespec) -> Nanos {
    time.tv_sec.saturating_mul(SECOND).saturating_add(time.tv_nsec)
}

impl World for OsWorld {
    fn now(&self) -> Nanos {
        nanos(clock_gettime(ClockId::Realtime))
    }

    fn coarse_now(&self) -> Nanos {
        nanos(clock_gettime(COARSE))
    }

    fn granularity(&self) -> Nanos {
        self.granularity
    }

    fn monotonic(&self) -> Duration {
        super::process::paced()
    }

    fn random(&self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            // Ids made without chance would collide with what is stored: no daemon is better than that one.
            std::process::abort();
        }
    }

    fn uid(&self) -> u32 {
        self.uid
    }

    fn mounts(&self) -> Arc<MountTable> {
        self.mounts.current()
    }

    fn events(&self) -> Option<Box<dyn super::events::Events>> {
        super::events::open()
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        stat(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        let target = rustix::fs::readlinkat(CWD, path, Vec::with_capacity(256))?;
        Ok(PathBuf::from(std::ffi::OsStr::from_bytes(target.as_bytes())))
    }

    fn list(&self, path: &Path, limit: usize) -> io::Result<Vec<Entry>> {
        list(
            rustix::fs::openat(CWD, path, LISTED | OFlags::NOFOLLOW, Mode::empty())?,
            limit,
        )
    }

    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        read(
            rustix::fs::openat(CWD, path, READ | OFlags::NOFOLLOW, Mode::empty())?,
            limit,
        )
    }

    fn born(&self, path: &Path) -> io::Result<Option<Nanos>> {
        born(path)
    }

    fn stat_beneath(&self, root: &Path, relative: &Path) -> io::Result<Stat> {
        stat_opened(root, relative)
    }

    fn list_beneath(&self, root: &Path, relative: &Path, limit: usize) -> io::Result<Vec<Entry>> {
        list(beneath::open(root, relative, LISTED)?, limit)
    }

    fn read_beneath(&self, root: &Path, relative: &Path, limit: usize) -> io::Result<Vec<u8>> {
        read(beneath::open(root, relative, READ)?, limit)
    }

    fn open_file(&self, root: &Path, relative: &Path) -> io::Result<File> {
        let file = File::from(beneath::open(root, relative, READ)?);
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        }
    }

    fn open_held(&self, pid: u32, descriptor: u32) -> io::Result<File> {
        let link = format!("/proc/{pid}/fd/{descriptor}");
        let is_file = |found: std::fs::Metadata| match found.is_file() {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        };
        // A device or a pipe may do something when it is opened.
        is_file(std::fs::metadata(&link)?)?;
        let file = File::from(rustix::fs::openat(CWD, link, READ, Mode::empty())?);
        is_file(file.metadata()?)?;
        Ok(file)
    }

    fn make_dir(&self, root: &Path, relative: &Path) -> io::Result<()> {
        beneath::make_dir(root, relative)
    }

    fn set_aside(&self, root: &Path, relative: &Path, new_name: &Path) -> io::Result<()> {
        beneath::set_aside(root, relative, new_name)
    }

    fn may_write(&self, path: &Path) -> bool {
        rustix::fs::accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
    }

    fn write(&self, root: &Path, relative: &Path, bytes: &[u8]) -> io::Result<()> {
        beneath::write(root, relative, bytes)
    }

    fn append(&self, root: &Path, relative: &Path, length: u64, bytes: &[u8]) -> io::Result<()> {
        beneath::append(root, relative, length, bytes)
    }

    fn remove(&self, root: &Path, relative: &Path) -> io::Result<()> {
        beneath::remove(root, relative)
    }

    fn open_beneath(&self, root: &Path, relative: &Path) -> io::Result<Box<dyn Pieces>> {
        let file = File::from(beneath::open(root, relative, READ)?);
        match stat_of(&file)?.kind {
            FileKind::File => Ok(Box::new(Opened(file))),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        }
    }

    fn copy_in(&self, from: &File, root: &Path, relative: &Path) -> io::Result<Stat> {
        stat_of(&place::copy_in(from, root, relative)?)
    }

    fn put_in_place(&self, root: &Path, from: &Path, to: &Path) -> io::Result<()> {
        place::put_in_place(root, from, to)
    }
}

/// A regular file, open for reading.
struct Opened(File);

impl Read for Opened {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Pieces for Opened {
    fn stat(&self) -> io::Result<Stat> {
        stat_of(&self.0)
    }
}

#[cfg(target_os = "linux")]
fn stat_of(file: &File) -> io::Result<Stat> {
    stat_at(file.as_fd(), Path::new(""), AtFlags::EMPTY_PATH)
}

#[cfg(not(target_os = "linux"))]
fn stat_of(file: &File) -> io::Result<Stat> {
    Ok(from_stat(&rustix::fs::fstat(file)?))
}

/// How a folder is opened to be listed.
const LISTED: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

/// How a file is opened to be read: without waiting for the other end of a pipe.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

fn list(folder: OwnedFd, limit: usize) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in Dir::new(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        if entries.len() == limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let kind = match entry.file_type() {
            FileType::Unknown => None,
            known => Some(kind(known)),
        };
        entries.push(Entry {
            name: std::ffi::OsStr::from_bytes(name).to_os_string(),
            kind,
        });
    }
    Ok(entries)
}

fn read(file: OwnedFd, limit: usize) -> io::Result<Vec<u8>> {
    let file = File::from(file);
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
    if size > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::with_capacity(size + 1);
    // A file may grow between the two calls: one byte more than allowed tells.
    file.take((limit as u64).saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

#[cfg(target_os = "linux")]
fn stat(path: &Path) -> io::Result<Stat> {
    stat_at(CWD, path, AtFlags::SYMLINK_NOFOLLOW)
}

#[cfg(target_os = "linux")]
fn stat_opened(root: &Path, relative: &Path) -> io::Result<Stat> {
    let found = beneath::open(root, relative, OFlags::PATH)?;
    stat_at(found.as_fd(), Path::new(""), AtFlags::EMPTY_PATH)
}

#[cfg(target_os = "linux")]
fn time(at: rustix::fs::StatxTimestamp) -> Nanos {
    at.tv_sec
        .saturating_mul(SECOND)
        .saturating_add(i64::from(at.tv_nsec))
}

#[cfg(target_os = "linux")]
fn stat_at(at: BorrowedFd<'_>, path: &Path, flags: AtFlags) -> io::Result<Stat> {
    use rustix::fs::{StatxFlags, makedev, statx};
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let stat = statx(at, path, flags | AtFlags::NO_AUTOMOUNT, wanted)?;
    let mode = u32::from(stat.stx_mode);
    Ok(Stat {
        kind: kind(FileType::from_raw_mode(mode)),
        mount: stat.stx_mnt_id,
        dev: makedev(stat.stx_dev_major, stat.stx_dev_minor),
        ino: stat.stx_ino,
        size: stat.stx_size,
        mode,
        uid: stat.stx_uid,
        mtime: time(stat.stx_mtime),
        ctime: time(stat.stx_ctime),
    })
}

#[cfg(target_os = "linux")]
fn born(path: &Path) -> io::Result<Option<Nanos>> {
    use rustix::fs::{StatxFlags, statx};
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let stat = statx(CWD, path, flags, StatxFlags::BTIME)?;
    let kept = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
    Ok(kept.then(|| time(stat.stx_btime)))
}

#[cfg(not(target_os = "linux"))]
fn born(path: &Path) -> io::Result<Option<Nanos>> {
    let since = std::fs::symlink_metadata(path)?.created().ok();
    let since = since.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    Ok(since.and_then(|since| Nanos::try_from(since.as_nanos()).ok()))
}

#[cfg(not(target_os = "linux"))]
fn stat(path: &Path) -> io::Result<Stat> {
    let found = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(from_stat(&found))
}

#[cfg(not(target_os = "linux"))]
fn stat_opened(root: &Path, relative: &Path) -> io::Result<Stat> {
    let (folder, name) = beneath::find(root, relative)?;
    let found = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(from_stat(&found))
}

/// Where the system numbers no mounts, the device stands for the mount.
#[cfg(not(target_os = "linux"))]
#[allow(
    clippy::cast_sign_loss,
    clippy::unnecessary_cast,
    reason = "sizes are not negative, and the widths differ between systems"
)]
fn from_stat(stat: &rustix::fs::Stat) -> Stat {
    let time = |seconds: i64, nanos: i64| seconds.saturating_mul(SECOND).saturating_add(nanos);
    Stat {
        kind: kind(FileType::from_raw_mode(stat.st_mode)),
        mount: stat.st_dev as u64,
        dev: stat.st_dev as u64,
        ino: stat.st_ino,
        size: stat.st_size as u64,
        mode: u32::from(stat.st_mode),
        uid: stat.st_uid,
        mtime: time(stat.st_mtime, stat.st_mtime_nsec),
        ctime: time(stat.st_ctime, stat.st_ctime_nsec),
    }
}

fn kind(file_type: FileType) -> FileKind {
    match file_type {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Dir,
        FileType::Symlink => FileKind::Link,
        _ => FileKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_in_the_place_of_a_file_stops_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("HEAD");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let error = OsWorld::new().read(&pipe, 10).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_link_is_named_and_never_read_through() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, b"text").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        let world = OsWorld::new();
        assert_eq!(world.stat(&link).unwrap().kind, FileKind::Link);
        assert_eq!(world.read_link(&link).unwrap(), Path::new("file"));
        assert!(world.read(&link, 10).is_err());
        assert_eq!(world.read(&file, 4).unwrap(), b"text");
    }

    #[test]
    fn limits_hold_for_files_and_for_directories() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            std::fs::write(dir.path().join(name), b"12345").unwrap();
        }
        let world = OsWorld::new();
        assert_eq!(
            world.read(&dir.path().join("a"), 4).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
        assert_eq!(
            world.list(dir.path(), 2).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
        assert_eq!(world.list(dir.path(), 3).unwrap().len(), 3);
    }

    #[test]
    fn a_stamp_carries_a_mount_that_the_table_knows() {
        let world = OsWorld::new();
        let stat = world.stat(Path::new("/")).unwrap();
        assert_eq!(stat.kind, FileKind::Dir);
        assert!(world.mounts().by_id(stat.mount).is_some());
    }

    #[test]
    fn the_coarse_clock_is_never_ahead_of_the_fine_one() {
        let world = OsWorld::new();
        let coarse = world.coarse_now();
        assert!(coarse <= world.now());
        assert!(world.granularity() >= 2);
    }
}
