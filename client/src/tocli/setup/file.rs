//! The files of other programs: read within limits, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use proto::{Error, RawPath, error::Result};

/// More than any settings file has, in bytes (16 MiB).
const LARGEST: u64 = 16 << 20;

/// The text of a file; none where there is none.
///
/// # Errors
/// `refused` when it is no file of text of a bearable size, `unavailable` when it cannot be read.
pub(crate) fn read(path: &Path) -> Result<Option<String>> {
    let refused = |why: &str| {
        Error::refused(format!("`{}` is left as it is", path.display()))
            .why(why.to_owned())
            .next("put the entry in by hand")
    };
    // A named pipe would be waited for.
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags).unwrap_or_default())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(cannot(path, "read", error)),
    };
    let about = file.metadata().map_err(|error| cannot(path, "read", error))?;
    if !about.is_file() {
        return Err(refused("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| cannot(path, "read", error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(refused("it has more than 16 MiB"));
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| refused("it is not UTF-8"))
}

/// Gives a file a new text in one step, when it still has the one that was `read`. The folders that had to be made,
/// outermost first. A link is followed: what it names is written.
///
/// # Errors
/// `conflict` when the file changed meanwhile, `unavailable` when it cannot be written.
pub(crate) fn write(path: &Path, read: Option<&str>, text: &str) -> Result<Vec<RawPath>> {
    let failed = |error: std::io::Error| cannot(path, "written", error);
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(error) if error.kind() == ErrorKind::NotFound => path.to_path_buf(),
        Err(error) => return Err(failed(error)),
    };
    let folder = target.parent().unwrap_or(Path::new("/"));
    let made = make(folder).map_err(failed)?;
    let old = fs::metadata(&target).ok();
    let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    draft.write_all(text.as_bytes()).map_err(failed)?;
    if let Some(old) = &old {
        let mode = fs::Permissions::from_mode(old.mode() & 0o7777);
        draft.as_file().set_permissions(mode).map_err(failed)?;
        // Only a privileged user can, and only such a one needs to.
        drop(std::os::unix::fs::fchown(
            draft.as_file(),
            Some(old.uid()),
            Some(old.gid()),
        ));
    }
    draft.as_file().sync_all().map_err(failed)?;
    if self::read(&target)?.as_deref() != read {
        return Err(Error::conflict(format!("`{}` changed meanwhile", path.display()))
            .why("another program wrote it")
            .next("run the command again"));
    }
    draft.persist(&target).map_err(|error| failed(error.error))?;
    sync(folder).map_err(failed)?;
    Ok(made)
}

/// Takes away a file that we made, and the folders that we made for it and that nobody uses.
///
/// # Errors
/// `unavailable` when the file cannot be removed.
pub(crate) fn remove(path: &Path, folders: &[RawPath]) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(cannot(path, "removed", error)),
        _ => {}
    }
    for folder in folders.iter().rev() {
        // One that is not empty is somebody's.
        if fs::remove_dir(folder.as_path()).is_err() {
            break;
        }
    }
    Ok(())
}

fn make(folder: &Path) -> std::io::Result<Vec<RawPath>> {
    let mut missing: Vec<RawPath> = folder
        .ancestors()
        .take_while(|ancestor| !ancestor.exists())
        .map(RawPath::from)
        .collect();
    missing.reverse();
    for folder in &missing {
        fs::DirBuilder::new().mode(0o700).create(folder.as_path())?;
    }
    Ok(missing)
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

fn cannot(path: &Path, what: &str, error: std::io::Error) -> Error {
    Error::unavailable(format!("`{}` cannot be {what}", path.display())).why(error)
}
