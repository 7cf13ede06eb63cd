//! Directory handles: opening beneath one another, listing, one stat a name. The index crawls and settles with these.
//!
//! What must stay true: nothing here follows a link (but [`Dir::open`], for places that are not a project's), nothing
//! is resolved above the handle it starts from, and names are bytes.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags};
use rustix::io::Errno;

use super::FileKind;

/// What one stat says, as the index keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// File, directory, link or other.
    pub kind: FileKind,
    /// Mode bits, type included.
    pub mode: u16,
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970 UTC.
    pub mtime: i64,
    /// Nanoseconds since 1970 UTC.
    pub ctime: i64,
    /// Inode.
    pub ino: u64,
    /// Device.
    pub dev: u64,
    /// No directory, and it has other names.
    pub is_linked: bool,
}

impl Meta {
    /// What has a kind and was not looked at: no stat of a file equals it.
    #[must_use]
    pub const fn unseen(kind: FileKind) -> Self {
        Self {
            kind,
            mode: 0,
            size: 0,
            mtime: 0,
            ctime: 0,
            ino: 0,
            dev: 0,
            is_linked: false,
        }
    }
}

/// An open directory.
#[derive(Debug)]
pub struct Dir(OwnedFd);

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

impl Dir {
    /// Opens a directory by an absolute path, following links: a root, or a folder of git's.
    ///
    /// # Errors
    /// The system's.
    pub fn open(path: &[u8]) -> io::Result<Self> {
        let fd = rustix::fs::open(path, DIRECTORY, Mode::empty())?;
        Ok(Self(fd))
    }

    /// Opens a directory beneath this one by a relative path of one or more names; the empty path is the directory
    /// itself. A link anywhere in it is an error.
    ///
    /// # Errors
    /// The system's; `ELOOP` or `ENOTDIR` for a link.
    pub fn open_at(&self, path: &[u8]) -> io::Result<Self> {
        let path = if path.is_empty() { b"." } else { path };
        let flags = DIRECTORY | OFlags::NOFOLLOW;
        if !path.contains(&b'/') {
            return Ok(Self(rustix::fs::openat(&self.0, path, flags, Mode::empty())?));
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.0, path, flags, Mode::empty(), resolve) {
            // Some sandboxes and kernels have no openat2: name by name is the same, only slower.
            Err(Errno::NOSYS | Errno::PERM) => self.open_by_name(path),
            opened => Ok(Self(opened?)),
        }
    }

    fn open_by_name(&self, path: &[u8]) -> io::Result<Self> {
        let mut at = Self(rustix::fs::openat(&self.0, ".", DIRECTORY, Mode::empty())?);
        for name in path.split(|&byte| byte == b'/') {
            if name.is_empty() || name == b".." {
                return Err(Errno::INVAL.into());
            }
            at = Self(rustix::fs::openat(
                &at.0,
                name,
                DIRECTORY | OFlags::NOFOLLOW,
                Mode::empty(),
            )?);
        }
        Ok(at)
    }

    /// Gives each name but `.` and `..` to `each`, with its kind where the directory itself says it.
    ///
    /// # Errors
    /// The system's; what came before has been given already.
    pub fn list(&self, each: &mut dyn FnMut(&[u8], Option<FileKind>)) -> io::Result<()> {
        rustix::fs::seek(&self.0, rustix::fs::SeekFrom::Start(0))?;
        let mut buffer = [MaybeUninit::uninit(); 32 << 10];
        let mut entries = RawDir::new(&self.0, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => None,
                kind => Some(file_kind(kind)),
            };
            each(name, kind);
        }
        Ok(())
    }

    /// What a name in this directory is; links not followed.
    ///
    /// # Errors
    /// The system's.
    pub fn stat(&self, name: &[u8]) -> io::Result<Meta> {
        // A name fits on the stack with its final zero; rustix does that for anything under 256 bytes.
        Ok(meta(&rustix::fs::statat(
            &self.0,
            name,
            AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT,
        )?))
    }

    /// What this directory is.
    ///
    /// # Errors
    /// The system's.
    pub fn identity(&self) -> io::Result<Meta> {
        Ok(meta(&rustix::fs::fstat(&self.0)?))
    }

    /// The bytes of a regular file in this directory, links not followed, at most `limit`.
    ///
    /// # Errors
    /// The system's; `FileTooLarge` beyond the limit; `InvalidInput` for anything but a regular file.
    pub fn read(&self, name: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = rustix::fs::openat(&self.0, name, flags, Mode::empty())?;
        read_regular(&file, limit)
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The bytes of a regular file by its absolute path, links followed, at most `limit`; with what it was.
///
/// # Errors
/// As [`Dir::read`].
pub fn read_file(path: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    read_regular(&rustix::fs::open(path, flags, Mode::empty())?, limit)
}

/// What an absolute path is, links followed.
///
/// # Errors
/// The system's.
pub fn stat_file(path: &[u8]) -> io::Result<Meta> {
    Ok(meta(&rustix::fs::statat(CWD, path, AtFlags::NO_AUTOMOUNT)?))
}

/// An absolute path with all its links resolved.
///
/// # Errors
/// The system's.
pub fn resolve(path: &[u8]) -> io::Result<Vec<u8>> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let path = std::path::Path::new(std::ffi::OsStr::from_bytes(path)).canonicalize()?;
    Ok(path.into_os_string().into_vec())
}

fn read_regular(file: &OwnedFd, limit: usize) -> io::Result<Vec<u8>> {
    let stat = rustix::fs::fstat(file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
    if size > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::with_capacity(size + 1);
    loop {
        if bytes.len() > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        bytes.reserve(4096);
        match rustix::io::read(file, rustix::buffer::spare_capacity(&mut bytes)) {
            Ok(0) => return Ok(bytes),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn file_kind(kind: FileType) -> FileKind {
    match kind {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Dir,
        FileType::Symlink => FileKind::Link,
        _ => FileKind::Other,
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a mode has 16 bits, sizes are not negative"
)]
fn meta(stat: &rustix::fs::Stat) -> Meta {
    let nanos = |seconds: i64, nanos: u64| {
        seconds
            .saturating_mul(1_000_000_000)
            .saturating_add_unsigned(nanos)
    };
    let kind = file_kind(FileType::from_raw_mode(stat.st_mode));
    Meta {
        kind,
        mode: stat.st_mode as u16,
        size: stat.st_size as u64,
        mtime: nanos(stat.st_mtime, stat.st_mtime_nsec),
        ctime: nanos(stat.st_ctime, stat.st_ctime_nsec),
        ino: stat.st_ino,
        dev: stat.st_dev,
        is_linked: stat.st_nlink > 1 && kind != FileKind::Dir,
    }
}

/// Wall-clock time in nanoseconds since 1970 UTC.
#[must_use]
pub fn now() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    now.tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(now.tv_nsec)
}

/// A number from the system's generator.
///
/// # Errors
/// The system's.
pub fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(u64::from_ne_bytes(bytes))
}
