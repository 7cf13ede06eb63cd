//! A second name for a program file, in a folder of ours: where the system runs no program by its descriptor, that name
//! keeps what was checked, and what runs now, when the file is replaced or removed.
//!
//! Used by `image` alone. What must stay true: a name stands for the file whose device and inode it spells, or for a copy
//! of it where there can be no second name; nobody but the user can put anything there.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The folder of one file's name.
fn folder_of(folder: &Path, about: &Metadata) -> PathBuf {
    folder.join(format!("{:x}-{:x}", about.dev(), about.ino()))
}

/// The name by which a file is kept; it may not be there.
pub(super) fn name(folder: &Path, path: &Path, file: &impl AsFd) -> io::Result<PathBuf> {
    let last = path.file_name().unwrap_or(OsStr::new("tod"));
    let about = File::from(file.as_fd().try_clone_to_owned()?).metadata()?;
    Ok(folder_of(folder, &about).join(last))
}

/// Keeps the file that is open as `file` and was found at `path`.
pub(super) fn keep(folder: &Path, path: &Path, file: &File) -> io::Result<PathBuf> {
    let about = file.metadata()?;
    let name = name(folder, path, file)?;
    if name.exists() {
        return Ok(name);
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder_of(folder, &about))?;
    let linked = path
        .canonicalize()
        .and_then(|path| std::fs::hard_link(path, &name));
    let same = |found: &Metadata| (found.dev(), found.ino()) == (about.dev(), about.ino());
    if linked.is_ok() && std::fs::symlink_metadata(&name).is_ok_and(|found| same(&found)) {
        return Ok(name);
    }
    if linked.is_ok() {
        // The file at that path is another one by now.
        std::fs::remove_file(&name)?;
    }
    copy(file, &name)?;
    Ok(name)
}

/// There it is whole or not at all.
fn copy(file: &File, name: &Path) -> io::Result<()> {
    use std::io::Seek;
    let draft = name.with_extension("draft");
    let mut to = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o700)
        .open(&draft)?;
    // A handle may share its place with others; nobody else reads on there.
    let mut from = file.try_clone()?;
    from.rewind()?;
    io::copy(&mut from, &mut to)?;
    drop(to);
    std::fs::rename(draft, name)
}

/// Removes all names but those of `kept`.
pub(super) fn sweep(folder: &Path, kept: &[&Path]) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let is_kept = kept.iter().any(|kept| kept.parent() == Some(path.as_path()));
        if !is_kept && let Err(error) = std::fs::remove_dir_all(&path) {
            tracing::warn!(path = %path.display(), %error, "the second name of a program stays behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn what_was_kept_stays_when_its_file_is_replaced_removed_or_was_found_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, path) = (dir.path().join("images"), dir.path().join("tod"));
        std::fs::write(&path, "one").unwrap();
        std::os::unix::fs::symlink("tod", dir.path().join("link")).unwrap();
        let first = File::open(&path).unwrap();
        let kept = keep(&folder, &path, &first).unwrap();
        assert_eq!(keep(&folder, &path, &first).unwrap(), kept, "once");
        assert_eq!(name(&folder, &path, &first).unwrap(), kept);
        std::fs::write(dir.path().join("new"), "two").unwrap();
        std::fs::rename(dir.path().join("new"), &path).unwrap();
        let link = dir.path().join("link");
        let second = keep(&folder, &link, &File::open(&link).unwrap()).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((read(&kept), read(&second)), ("one".into(), "two".into()));
        sweep(&folder, &[&second]);
        assert!(!kept.exists() && second.exists());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_not_at_its_path_any_more_is_copied() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, path) = (dir.path().join("images"), dir.path().join("tod"));
        std::fs::write(&path, "one").unwrap();
        let file = File::open(&path).unwrap();
        std::fs::write(dir.path().join("new"), "two").unwrap();
        std::fs::rename(dir.path().join("new"), &path).unwrap();
        let kept = keep(&folder, &path, &file).unwrap();
        assert_eq!((read(&kept), read(&path)), ("one".into(), "two".into()));
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(read(&keep(&folder, &path, &file).unwrap()), "one");
    }
}
