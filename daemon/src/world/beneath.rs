//! Reading and writing beneath a root, never through a link that leaves it.
//!
//! The calls of the real world that take a root and a path within end here. What must stay true: a writer meets no
//! link at all on its way and a reader none that leads outside, however the names change meanwhile, because each name
//! is opened relative to the one before; a reader of a written file sees the old bytes or the new ones, never half.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::resolve;

/// What happens, in order, when a file is written: the places where a machine can stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Draft,
    Bytes,
    Sync,
    Rename,
    Folder,
}

/// Writes a whole file: draft, sync, rename, sync of the folder. Missing folders between are made (0700).
pub(super) fn write(root: &Path, relative: &Path, bytes: &[u8]) -> io::Result<()> {
    write_by_steps(root, relative, bytes, |_| Ok(()))
}

fn write_by_steps(
    root: &Path,
    relative: &Path,
    bytes: &[u8],
    mut before: impl FnMut(Step) -> io::Result<()>,
) -> io::Result<()> {
    let (folder, name) = folder(root, relative, Missing::Make)?;
    let draft = format!(".draft-{}-{:?}", std::process::id(), std::thread::current().id());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    gone(unlinkat(&folder, &draft, AtFlags::empty()))?;
    before(Step::Draft)?;
    let mut file = std::fs::File::from(openat(&folder, &draft, flags, Mode::from_raw_mode(0o600))?);
    let done = before(Step::Bytes)
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| before(Step::Sync))
        .and_then(|()| file.sync_all())
        .and_then(|()| before(Step::Rename))
        .and_then(|()| Ok(renameat(&folder, &draft, &folder, name)?));
    if done.is_err() {
        gone(unlinkat(&folder, &draft, AtFlags::empty()))?;
    }
    done?;
    before(Step::Folder)?;
    sync(&folder)
}

pub(super) fn gone(removed: rustix::io::Result<()>) -> io::Result<()> {
    match removed {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Adds bytes to the end of a file of a known length; it is not synced.
pub(super) fn append(root: &Path, relative: &Path, length: u64, bytes: &[u8]) -> io::Result<()> {
    let (folder, name) = folder(root, relative, Missing::Refuse)?;
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = std::fs::File::from(openat(&folder, name, flags, Mode::empty())?);
    let found = file.metadata()?;
    if !found.is_file() || found.len() != length {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the file is not what it was",
        ));
    }
    file.write_all(bytes)
}

/// Removes a file.
pub(super) fn remove(root: &Path, relative: &Path) -> io::Result<()> {
    let (folder, name) = folder(root, relative, Missing::Refuse)?;
    unlinkat(&folder, name, AtFlags::empty())?;
    sync(&folder)
}

/// Gives a file or folder another name in the same folder; a name that is taken is an error.
pub(super) fn set_aside(root: &Path, relative: &Path, new_name: &Path) -> io::Result<()> {
    let (folder, name) = folder(root, relative, Missing::Refuse)?;
    let new_name = single(new_name)?;
    rustix::fs::renameat_with(
        &folder,
        name,
        &folder,
        new_name,
        rustix::fs::RenameFlags::NOREPLACE,
    )?;
    sync(&folder)
}

/// Makes a folder (0700) and those above it that are missing; one that is there is left as it is.
pub(super) fn make_dir(root: &Path, relative: &Path) -> io::Result<()> {
    let (at, last) = folder(root, relative, Missing::Make)?;
    step_into(&at, last, Missing::Make).map(drop)
}

/// Opens what is beneath a root to be read. Links are followed as long as they stay beneath it.
pub(super) fn open(root: &Path, relative: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let base = openat(CWD, root, FOLDER, Mode::empty())?;
    open_at(&base, relative, flags | OFlags::CLOEXEC)
}

#[cfg(target_os = "linux")]
fn open_at(base: &OwnedFd, relative: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    use rustix::fs::{ResolveFlags, openat2};
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match openat2(base, relative, flags, Mode::empty(), beneath) {
        // The kernel's word for a path that leaves.
        Err(Errno::XDEV) => Err(resolve::leaves(relative)),
        // Too old a kernel, or a sandbox that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => resolve::open(base, relative, flags),
        other => Ok(other?),
    }
}

#[cfg(not(target_os = "linux"))]
fn open_at(base: &OwnedFd, relative: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    resolve::open(base, relative, flags)
}

/// The folder in which a path beneath a root ends, and the last name in it, which is no link.
#[cfg(not(target_os = "linux"))]
pub(super) fn find(root: &Path, relative: &Path) -> io::Result<(OwnedFd, std::ffi::OsString)> {
    resolve::find(&openat(CWD, root, FOLDER, Mode::empty())?, relative)
}

/// Makes what was done in a folder survive a power cut.
#[cfg(not(target_os = "macos"))]
fn sync(folder: &OwnedFd) -> io::Result<()> {
    Ok(rustix::fs::fsync(folder)?)
}

/// Makes what was done in a folder survive a power cut: there `fsync` leaves it in the disk's own memory.
#[cfg(target_os = "macos")]
fn sync(folder: &OwnedFd) -> io::Result<()> {
    Ok(rustix::fs::fcntl_fullfsync(folder)?)
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// What becomes of a folder on the way that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Make,
    Refuse,
}

fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a plain path beneath its root")
}

fn single(name: &Path) -> io::Result<&std::ffi::OsStr> {
    match names(name)? {
        (above, last) if above.is_empty() => Ok(last),
        _ => Err(outside()),
    }
}

fn names(relative: &Path) -> io::Result<(Vec<&std::ffi::OsStr>, &std::ffi::OsStr)> {
    let mut names = Vec::new();
    for part in relative.components() {
        let Component::Normal(name) = part else {
            return Err(outside());
        };
        names.push(name);
    }
    let last = names.pop().ok_or_else(outside)?;
    Ok((names, last))
}

/// Opens the folder that holds the last name, one component at a time and each without following a link.
pub(super) fn folder<'p>(
    root: &Path,
    relative: &'p Path,
    missing: Missing,
) -> io::Result<(OwnedFd, &'p std::ffi::OsStr)> {
    let (names, last) = names(relative)?;
    let mut at = openat(CWD, root, FOLDER, Mode::empty())?;
    for name in names {
        at = step_into(&at, name, missing)?;
    }
    Ok((at, last))
}

fn step_into(at: &OwnedFd, name: &std::ffi::OsStr, missing: Missing) -> io::Result<OwnedFd> {
    if missing == Missing::Make {
        match mkdirat(at, name, Mode::from_raw_mode(0o700)) {
            Ok(()) => sync(at)?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    openat(at, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()).map_err(|error| plainly(at, name, error))
}

/// The kernel says only "not a directory" of a link; whoever must act needs to know which one it is.
fn plainly(at: &OwnedFd, name: &std::ffi::OsStr, error: Errno) -> io::Error {
    let link = statat(at, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_symlink());
    if !link {
        return error.into();
    }
    let what = format!(
        "`{}` is a symbolic link, and nothing is written through one",
        name.display()
    );
    io::Error::new(io::ErrorKind::InvalidInput, what)
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
    fn folders_and_files_are_for_the_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), Path::new("a/b"), b"one").unwrap();
        make_dir(dir.path(), Path::new("c/d")).unwrap();
        make_dir(dir.path(), Path::new("c/d")).unwrap();
        let mode = |path: &str| {
            std::fs::metadata(dir.path().join(path))
                .unwrap()
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(
            (mode("a"), mode("a/b"), mode("c"), mode("c/d")),
            (0o700, 0o600, 0o700, 0o700)
        );
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
            assert!(
                make_dir(&root, &Path::new(path).join("y")).is_err() || path.is_empty() || path == ".",
                "{path}"
            );
        }
        let error = write(&root, Path::new("link/x"), b"x").unwrap_err();
        assert!(error.to_string().contains("`link` is a symbolic link"), "{error}");
        assert!(remove(&root, Path::new("link/x")).is_err());
        assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
    }

    #[test]
    fn only_a_file_of_the_known_length_grows_and_no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = Path::new("f");
        assert!(append(dir.path(), path, 0, b"x").is_err(), "it is not there");
        write(dir.path(), path, b"one").unwrap();
        append(dir.path(), path, 3, b"two").unwrap();
        let error = append(dir.path(), path, 3, b"again").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(std::fs::read(dir.path().join("f")).unwrap(), b"onetwo");
        std::os::unix::fs::symlink("f", dir.path().join("link")).unwrap();
        assert!(append(dir.path(), Path::new("link"), 6, b"x").is_err());
    }

    #[test]
    fn a_link_in_the_last_place_is_replaced_and_what_it_pointed_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(dir.path().join("victim"), b"old").unwrap();
        std::os::unix::fs::symlink("../victim", root.join("file")).unwrap();
        write(&root, Path::new("file"), b"new").unwrap();
        assert_eq!(std::fs::read(dir.path().join("victim")).unwrap(), b"old");
        assert!(std::fs::symlink_metadata(root.join("file")).unwrap().is_file());
    }

    #[test]
    fn a_write_that_fails_at_any_step_leaves_the_old_bytes_or_the_new_ones_and_no_draft() {
        for at in [Step::Draft, Step::Bytes, Step::Sync, Step::Rename, Step::Folder] {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), Path::new("f"), b"old").unwrap();
            let full = |step| {
                if step == at {
                    Err(io::ErrorKind::StorageFull.into())
                } else {
                    Ok(())
                }
            };
            let error = write_by_steps(dir.path(), Path::new("f"), b"new", full).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            let wanted: &[u8] = if at == Step::Folder { b"new" } else { b"old" };
            assert_eq!(std::fs::read(dir.path().join("f")).unwrap(), wanted, "{at:?}");
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "{at:?}");
        }
    }

    #[test]
    fn a_reader_follows_links_within_the_root_and_none_that_leave() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("in")).unwrap();
        std::fs::write(root.join("in/f"), b"x").unwrap();
        std::fs::write(dir.path().join("secret"), b"x").unwrap();
        for (target, name) in [
            ("in", "within"),
            ("..", "out"),
            ("/etc", "absolute"),
            ("loop", "loop"),
        ] {
            std::os::unix::fs::symlink(target, root.join(name)).unwrap();
        }
        let opened = |path: &str| open(&root, Path::new(path), OFlags::RDONLY);
        opened("in/f").unwrap();
        opened("within/f").unwrap();
        for path in [
            "out/secret",
            "absolute/passwd",
            "loop",
            "../secret",
            "/etc/passwd",
            "in/../../secret",
        ] {
            assert!(opened(path).is_err(), "{path}");
        }
    }

    #[test]
    fn setting_aside_never_replaces() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            write(dir.path(), Path::new(name), name.as_bytes()).unwrap();
        }
        assert!(set_aside(dir.path(), Path::new("a"), Path::new("b")).is_err());
        assert!(set_aside(dir.path(), Path::new("a"), Path::new("../c")).is_err());
        set_aside(dir.path(), Path::new("a"), Path::new("c")).unwrap();
        assert_eq!(std::fs::read(dir.path().join("c")).unwrap(), b"a");
    }
}
