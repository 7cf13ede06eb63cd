//! Directory handles: opening beneath one another, listing, one stat a name. The index crawls and settles with these.
//!
//! What must stay true: nothing here follows a link (but [`Dir::open`], for places that are not a project's), nothing
//! is resolved above the handle it starts from, and names are bytes.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
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

/// A look at a folder that is mounted on demand must not mount it. Other systems do so only when it is gone into.
#[cfg(target_os = "linux")]
const NO_AUTOMOUNT: AtFlags = AtFlags::NO_AUTOMOUNT;
#[cfg(not(target_os = "linux"))]
const NO_AUTOMOUNT: AtFlags = AtFlags::empty();

/// Several names in one call of the kernel's, no link among them.
#[cfg(target_os = "linux")]
fn open_at_once(at: &OwnedFd, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    use rustix::fs::ResolveFlags;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(at, path, flags, Mode::empty(), resolve)
}

#[cfg(not(target_os = "linux"))]
fn open_at_once(_: &OwnedFd, _: &[u8], _: OFlags) -> rustix::io::Result<OwnedFd> {
    Err(Errno::NOSYS)
}

/// All names of a directory from the beginning, in large pieces and without copying one.
#[cfg(target_os = "linux")]
fn entries(folder: &OwnedFd, mut each: impl FnMut(&[u8], FileType)) -> io::Result<()> {
    rustix::fs::seek(folder, rustix::fs::SeekFrom::Start(0))?;
    let mut buffer = [std::mem::MaybeUninit::uninit(); 32 << 10];
    let mut entries = rustix::fs::RawDir::new(folder, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        each(entry.file_name().to_bytes(), entry.file_type());
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
use entries_by_library as entries;

/// The same by the C library, over a handle of its own.
#[cfg(any(test, not(target_os = "linux")))]
fn entries_by_library(folder: &OwnedFd, mut each: impl FnMut(&[u8], FileType)) -> io::Result<()> {
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        each(entry.file_name().to_bytes(), entry.file_type());
    }
    Ok(())
}

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
        match open_at_once(&self.0, path, flags) {
            // Some sandboxes, kernels and systems have no openat2: name by name is the same, only slower.
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
        entries(&self.0, |name, kind| {
            if name != b"." && name != b".." {
                let known = (kind != FileType::Unknown).then(|| file_kind(kind));
                each(name, known);
            }
        })
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
            AtFlags::SYMLINK_NOFOLLOW | NO_AUTOMOUNT,
        )?))
    }

    /// What this directory is.
    ///
    /// # Errors
    /// The system's.
    pub fn identity(&self) -> io::Result<Meta> {
        Ok(meta(&rustix::fs::fstat(&self.0)?))
    }

    /// The path that leads to this directory now.
    ///
    /// # Errors
    /// The system's; where there is no `/proc` it cannot be known.
    pub fn path(&self) -> io::Result<Vec<u8>> {
        let link = format!("/proc/self/fd/{}", self.0.as_raw_fd());
        Ok(rustix::fs::readlink(link, Vec::new())?.into_bytes())
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

/// What a disk says that fails to read or has damage, and a file system whose server does not serve it any more.
const FAILURES: [Errno; 11] = [
    Errno::IO,
    Errno::TIMEDOUT,
    Errno::BADMSG,
    Errno::STALE,
    Errno::NOTCONN,
    Errno::CONNABORTED,
    Errno::CONNREFUSED,
    Errno::CONNRESET,
    Errno::HOSTDOWN,
    Errno::HOSTUNREACH,
    Errno::NETUNREACH,
];

/// Whether an error says nothing of the files: the process or the machine had no descriptor or no memory left, or the disk
/// or its server failed. What was asked for may be there all the same.
#[must_use]
pub fn says_nothing(error: &io::Error) -> bool {
    is_shortage(error) || FAILURES.contains(&errno(error))
}

/// Whether an error says only that the process or the machine had no descriptor or no memory left.
#[must_use]
pub fn is_shortage(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE, Errno::NOMEM].contains(&errno(error))
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::INVAL)
}

/// What an absolute path is, links followed.
///
/// # Errors
/// The system's.
pub fn stat_file(path: &[u8]) -> io::Result<Meta> {
    Ok(meta(&rustix::fs::statat(CWD, path, NO_AUTOMOUNT)?))
}

/// Whether an absolute path, its last link not followed, is there and belongs to the daemon's user.
#[must_use]
pub fn is_ours(path: &[u8]) -> bool {
    let user = rustix::process::geteuid().as_raw();
    rustix::fs::statat(CWD, path, NO_AUTOMOUNT | AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|found| found.st_uid == user)
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
    clippy::unnecessary_cast,
    reason = "a mode has 16 bits, sizes are not negative, and the widths differ between systems"
)]
fn meta(stat: &rustix::fs::Stat) -> Meta {
    let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    let kind = file_kind(FileType::from_raw_mode(stat.st_mode));
    Meta {
        kind,
        mode: stat.st_mode as u16,
        size: stat.st_size as u64,
        mtime: nanos(stat.st_mtime, stat.st_mtime_nsec as i64),
        ctime: nanos(stat.st_ctime, stat.st_ctime_nsec as i64),
        ino: stat.st_ino,
        dev: stat.st_dev as u64,
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
    Ok(getrandom::u64()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_disk_or_a_server_fails_to_say_is_no_word_on_the_files() {
        for errno in [
            Errno::IO,
            Errno::STALE,
            Errno::NOTCONN,
            Errno::HOSTDOWN,
            Errno::MFILE,
        ] {
            assert!(says_nothing(&errno.into()), "{errno}");
        }
        for errno in [
            Errno::NOENT,
            Errno::NOTDIR,
            Errno::LOOP,
            Errno::ACCESS,
            Errno::NAMETOOLONG,
        ] {
            assert!(!says_nothing(&errno.into()), "{errno}");
        }
        assert!(!says_nothing(&io::ErrorKind::FileTooLarge.into()));
    }

    #[test]
    fn the_library_lists_what_the_kernel_lists_and_again_from_the_beginning() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..600 {
            std::fs::write(folder.path().join(format!("file-{number}")), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("dir")).unwrap();
        std::os::unix::fs::symlink("dir", folder.path().join("link")).unwrap();
        let dir = Dir::open(folder.path().as_os_str().as_encoded_bytes()).unwrap();
        let mut told = Vec::new();
        dir.list(&mut |name, kind| told.push((name.to_vec(), kind)))
            .unwrap();
        assert_eq!(told.len(), 602);
        for _ in 0..2 {
            let mut by_library = Vec::new();
            entries_by_library(&dir.0, |name, kind| {
                if name != b"." && name != b".." {
                    by_library.push((name.to_vec(), Some(file_kind(kind))));
                }
            })
            .unwrap();
            assert_eq!(by_library, told);
        }
    }

    #[test]
    fn name_by_name_opens_what_the_kernel_opens_at_once_and_refuses_the_same() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("root/a/b/c")).unwrap();
        std::fs::write(folder.path().join("root/a/f"), "").unwrap();
        for (to, name) in [
            ("a", "link"),
            ("../..", "a/out"),
            ("/", "absolute"),
            ("loop", "loop"),
        ] {
            std::os::unix::fs::symlink(to, folder.path().join("root").join(name)).unwrap();
        }
        let root = Dir::open(folder.path().join("root").as_os_str().as_encoded_bytes()).unwrap();
        let same = |path: &[u8]| {
            let (one, other) = (root.open_at(path), root.open_by_name(path));
            assert_eq!(one.is_ok(), other.is_ok(), "{}", path.escape_ascii());
            one.is_ok_and(|one| one.identity().unwrap().ino == other.unwrap().identity().unwrap().ino)
        };
        assert!(same(b"a/b") && same(b"a/b/c"));
        for path in [
            "link/b",
            "a/out/root",
            "absolute/etc",
            "loop/x",
            "a/f/x",
            "a/../..",
            "/etc",
            "a/none",
        ] {
            assert!(!same(path.as_bytes()), "{path}");
        }
        assert!(root.open_by_name(b"a/../a").is_err(), "that is no name");
    }
}
