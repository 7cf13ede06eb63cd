//! What is checked of the disk before it is believed: the socket's folder, the lock file, whose home this is.
//!
//! Asked by `connect` and `start`. What must stay true: nothing that another user could have put there is followed, and
//! nothing is made in a folder of another user.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use proto::places::{self, LockFile};
use proto::{Error, error::Result};

/// The effective user of this process.
pub(crate) fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The user's home by the system's user table.
pub(crate) fn home_of(uid: u32) -> Option<PathBuf> {
    let table = std::fs::read_to_string("/etc/passwd").ok()?;
    let home = table.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.nth(2)?.parse() == Ok(uid)).then(|| fields.nth(2))?
    })?;
    Some(PathBuf::from(home)).filter(|home| home.is_absolute())
}

/// Whether the folder of a socket is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folder {
    /// It is not, so no daemon listens in it.
    Missing,
    /// It is the user's, closed to others, and no link.
    Safe,
}

/// Looks at the folder of a socket.
///
/// # Errors
/// `refused` when somebody else could have put the socket there.
pub(crate) fn socket_folder(folder: &Path, uid: u32) -> Result<Folder> {
    let found = match std::fs::symlink_metadata(folder) {
        Ok(found) => found,
        Err(error) if nothing_there(&error) => return Ok(Folder::Missing),
        Err(error) => {
            return Err(Error::unavailable(format!(
                "the socket's folder `{}` cannot be looked at",
                folder.display()
            ))
            .why(error)
            .next("check the rights of the folders above it, or set `TOD_SOCKET`"));
        }
    };
    places::safe_folder(folder, &found, uid).map(|()| Folder::Safe)
}

/// Whether an error says that a path leads nowhere.
fn nothing_there(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
    )
}

/// The most bytes of a lock file that are read: its socket path is at most 108 bytes.
const LOCK_FILE: u64 = 4096;

/// What the lock file of a state folder says, and the file; none when there is none, when it is not ours, or when it is
/// of an earlier boot.
pub(crate) fn lock_file(path: &Path, uid: u32) -> Option<(LockFile, File)> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(nofollow())
        .open(path)
        .ok()?;
    let found = file.metadata().ok()?;
    if !found.is_file() || found.uid() != uid {
        return None;
    }
    let mut text = Vec::new();
    (&file).take(LOCK_FILE).read_to_end(&mut text).ok()?;
    let lock = LockFile::from_text(&text);
    let known = lock.socket.is_absolute() && lock.boot == boot_id();
    known.then_some((lock, file))
}

/// Whether another process holds the lock on a file. Asked with a shared lock, which two askers can have at once.
pub(crate) fn is_held(file: &File) -> bool {
    matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock))
}

/// Neither a link nor a queue that nobody writes to holds us up.
fn nofollow() -> i32 {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    i32::try_from(flags.bits()).unwrap_or_default()
}

#[cfg(target_os = "macos")]
use crate::apple::boot_id;

/// The machine's boot id; empty where the system has none, as the daemon writes it.
#[cfg(not(target_os = "macos"))]
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// Refuses to make anything in a folder of another user, as `sudo` with a kept `HOME` would.
///
/// # Errors
/// `refused` when the nearest existing folder at or above the state folder is another user's.
pub(crate) fn own_state(state_dir: &Path, uid: u32) -> Result<()> {
    let nearest = state_dir
        .ancestors()
        .find_map(|path| Some((path, std::fs::metadata(path).ok()?)));
    let Some((path, found)) = nearest else {
        return Ok(());
    };
    let foreign = found.uid() != uid && (found.uid() != 0 || path == state_dir);
    if !foreign {
        return Ok(());
    }
    let sudo = uid == 0 && std::env::var_os("SUDO_UID").is_some();
    let next = if sudo {
        "run it without `sudo`, or with `sudo -H` for a daemon of root's own"
    } else {
        "run it as the owner, or set `HOME` or `TOD_STATE_DIR` to a folder of yours"
    };
    Err(
        Error::refused(format!("no daemon is started for `{}`", path.display()))
            .why(format!(
                "it belongs to user {}, and the daemon would run as {uid}",
                found.uid()
            ))
            .next(next),
    )
}

/// Makes the state folder and opens the file by whose lock starters take turns.
///
/// # Errors
/// `unavailable` when it cannot be made.
pub(crate) fn starters(state_dir: &Path) -> Result<File> {
    let cannot = |error: std::io::Error| {
        Error::unavailable(format!(
            "the daemon cannot keep its state in `{}`",
            state_dir.display()
        ))
        .why(error)
        .next("set `TOD_STATE_DIR` to a folder where you may write")
    };
    std::os::unix::fs::DirBuilderExt::mode(std::fs::DirBuilder::new().recursive(true), 0o700)
        .create(state_dir)
        .map_err(cannot)?;
    std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(nofollow())
        .open(state_dir.join("start.lock"))
        .map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .expect("the rights are changed");
    }

    #[test]
    fn a_folder_that_is_open_a_link_a_file_or_foreign_is_refused() {
        let base = tempfile::tempdir().expect("a folder");
        let folder = base.path().join("run");
        assert_eq!(socket_folder(&folder, uid()), Ok(Folder::Missing));
        std::fs::create_dir(&folder).expect("made");
        mode(&folder, 0o700);
        assert_eq!(socket_folder(&folder, uid()), Ok(Folder::Safe));
        assert!(socket_folder(&folder, uid() + 1).is_err());
        mode(&folder, 0o710);
        assert!(socket_folder(&folder, uid()).is_err());
        mode(&folder, 0o700);
        symlink(&folder, base.path().join("link")).expect("linked");
        assert!(socket_folder(&base.path().join("link"), uid()).is_err());
        std::fs::write(base.path().join("file"), "").expect("written");
        assert!(socket_folder(&base.path().join("file"), uid()).is_err());
        assert_eq!(
            socket_folder(&base.path().join("file/run"), uid()),
            Ok(Folder::Missing)
        );
    }

    #[test]
    fn a_lock_file_of_another_boot_or_another_owner_or_behind_a_link_says_nothing() {
        let base = tempfile::tempdir().expect("a folder");
        let path = base.path().join("lock");
        let mut lock = LockFile {
            boot: boot_id(),
            pid: 1,
            socket: "/run/x/tod.sock".into(),
            version: "1".into(),
        };
        std::fs::write(&path, lock.to_text()).expect("written");
        let said = |path: &Path, uid| lock_file(path, uid).map(|(lock, _)| lock);
        assert_eq!(said(&path, uid()), Some(lock.clone()));
        assert_eq!(said(&path, uid() + 1), None);
        symlink(&path, base.path().join("link")).expect("linked");
        assert_eq!(said(&base.path().join("link"), uid()), None);
        lock.boot = "another".into();
        std::fs::write(&path, lock.to_text()).expect("written");
        assert_eq!(said(&path, uid()), None);
    }

    #[test]
    fn nothing_is_made_below_a_folder_of_another_user() {
        let base = tempfile::tempdir().expect("a folder");
        let state = base.path().join("home/.local/state");
        assert_eq!(own_state(&state, uid()), Ok(()));
        let other = uid() + 1;
        if uid() != 0 {
            assert!(own_state(&state, other).is_err());
        }
        std::fs::create_dir_all(&state).expect("made");
        assert!(own_state(&state, other).is_err());
    }
}
