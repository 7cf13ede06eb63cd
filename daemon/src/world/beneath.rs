//! Writing beneath a root, never through a link.
//!
//! The real world's `write` and `remove` end here. What must stay true: a name on the way that is a link, or a `..`, is
//! an error, so nothing is ever written outside the root; a reader sees the old file or the new one, never half.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, fsync, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;

/// Writes a whole file: draft, sync, rename, sync of the folder. Missing folders between are made (0700).
pub(super) fn write(root: &Path, relative: &Path, bytes: &[u8]) -> io::Result<()> {
    let (folder, name) = folder(root, relative, true)?;
    let draft = format!(".draft-{}-{:?}", std::process::id(), std::thread::current().id());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let _ = unlinkat(&folder, &draft, AtFlags::empty());
    let mut file = std::fs::File::from(openat(&folder, &draft, flags, Mode::from_raw_mode(0o600))?);
    let done = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| Ok(renameat(&folder, &draft, &folder, name)?));
    if done.is_err() {
        let _ = unlinkat(&folder, &draft, AtFlags::empty());
    }
    done?;
    Ok(fsync(&folder)?)
}

/// Removes a file.
pub(super) fn remove(root: &Path, relative: &Path) -> io::Result<()> {
    let (folder, name) = folder(root, relative, false)?;
    unlinkat(&folder, name, AtFlags::empty())?;
    Ok(fsync(&folder)?)
}

/// Opens the folder that holds the last name, one component at a time and each without following a link.
fn folder<'p>(root: &Path, relative: &'p Path, make: bool) -> io::Result<(OwnedFd, &'p std::ffi::OsStr)> {
    let outside = || io::Error::new(io::ErrorKind::InvalidInput, "not a plain path beneath its root");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut names = Vec::new();
    for part in relative.components() {
        let Component::Normal(name) = part else {
            return Err(outside());
        };
        names.push(name);
    }
    let last = names.pop().ok_or_else(outside)?;
    let mut at = openat(CWD, root, flags, Mode::empty())?;
    for name in names {
        if make {
            match mkdirat(&at, name, Mode::from_raw_mode(0o700)) {
                Ok(()) => fsync(&at)?,
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        at = openat(&at, name, flags | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok((at, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_and_no_draft_stays_behind() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), Path::new("a/b/c"), b"one").unwrap();
        write(dir.path(), Path::new("a/b/c"), b"two").unwrap();
        assert_eq!(std::fs::read(dir.path().join("a/b/c")).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path().join("a/b")).unwrap().count(), 1);
        remove(dir.path(), Path::new("a/b/c")).unwrap();
        assert_eq!(std::fs::read_dir(dir.path().join("a/b")).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_written_through_a_link_or_above_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let (root, other) = (dir.path().join("root"), dir.path().join("other"));
        std::fs::create_dir(&root).unwrap();
        std::fs::create_dir(&other).unwrap();
        std::os::unix::fs::symlink("../other", root.join("link")).unwrap();
        for path in ["link/x", "../other/x", "/etc/x", "", "."] {
            assert!(write(&root, Path::new(path), b"x").is_err(), "{path}");
        }
        assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
    }
}
