//! The state folder: made safe for one user, on a disk that keeps what it is given.
//!
//! Asked by `lifecycle`. What must stay true: nothing is made for a user in a folder that belongs to another one, so
//! that `sudo` leaves nothing behind in somebody's home.

use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use proto::{Error, error::Result};

/// Makes the folder, or checks the one that is there.
///
/// # Errors
/// `refused` when it is not the user's or lies on a network file system; `unavailable` when it cannot be made.
pub fn make(folder: &Path, uid: u32) -> Result<()> {
    let existing = folder
        .ancestors()
        .find_map(|path| Some((path, std::fs::metadata(path).ok()?)));
    if let Some((path, found)) = &existing {
        let foreign = found.uid() != uid && (found.uid() != 0 || *path == folder);
        if foreign {
            return Err(Error::refused(format!("`{}` belongs to another user", path.display()))
                .why(format!("its owner is {}, and the daemon would run as {uid}", found.uid()))
                .next("run it as the owner, without `sudo`, or set `HOME` or `TOD_STATE_DIR` to a folder of yours"));
        }
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| {
            Error::unavailable(format!("the state folder `{}` cannot be made", folder.display()))
                .why(error)
                .next("set `TOD_STATE_DIR` to a folder where you may write")
        })?;
    let found = std::fs::metadata(folder).map_err(|error| {
        Error::unavailable(format!("the state folder `{}` cannot be read", folder.display())).why(error)
    })?;
    if found.permissions().mode() & 0o077 != 0 {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).map_err(|error| {
            Error::refused(format!(
                "others may enter the state folder `{}`",
                folder.display()
            ))
            .why(error)
        })?;
    }
    refuse_network(folder)
}

fn refuse_network(folder: &Path) -> Result<()> {
    let Ok(Some(name)) = super::filesystem::elsewhere(folder) else {
        return Ok(());
    };
    Err(Error::refused(format!(
        "the state folder `{}` is on a network file system",
        folder.display()
    ))
    .why(format!(
        "its type is `{name}`, where locks and syncs cannot be relied on"
    ))
    .next("set `TOD_STATE_DIR` to a folder on a local disk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_below_another_users_is_refused_and_not_made() {
        let base = tempfile::tempdir().expect("a folder");
        let uid = rustix::process::geteuid().as_raw();
        let folder = base.path().join("a/b");
        if uid != 0 {
            assert!(make(&folder, uid + 1).is_err());
            assert!(!folder.exists());
        }
        make(&folder, uid).expect("made");
        assert!(make(&folder, uid + 1).is_err());
    }
}
