//! A folder of files that are written whole and renamed into place: saved indexes.
//!
//! What must stay true: a name stands for a whole file or for none; a file and its folder are the user's alone; a rename
//! is on disk when the folder was synced after it. A file's bytes need not be: whoever reads them has a digest to compare.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Writes a file whole (0600), and makes the folder (0700) for it.
///
/// # Errors
/// The system's; the file is then as it was.
pub fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = folder.join(format!("{name}.draft"));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(&draft)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| std::fs::rename(&draft, folder.join(name)));
    if written.is_err() {
        // A draft that cannot be removed is written over by the next one.
        let _left = std::fs::remove_file(&draft);
    }
    written
}

/// Gives a file another name, in the place of a file that has it. On disk when [`sync`] has returned after it.
///
/// # Errors
/// The system's; `NotFound` when there is no such file.
pub fn rename(folder: &Path, from: &str, to: &str) -> io::Result<()> {
    std::fs::rename(folder.join(from), folder.join(to))
}

/// Puts the names of a folder on disk.
///
/// # Errors
/// The system's.
pub fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The bytes of a file, at most `limit`.
///
/// # Errors
/// The system's; `FileTooLarge` beyond the limit; `InvalidInput` for what is no regular file.
pub fn read(folder: &Path, name: &str, limit: usize) -> io::Result<Vec<u8>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(folder.join(name))?;
    let about = file.metadata()?;
    let size = usize::try_from(about.len()).unwrap_or(usize::MAX);
    if !about.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    if size > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::with_capacity(size);
    file.take(size as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Removes a file.
///
/// # Errors
/// The system's.
pub fn remove(folder: &Path, name: &str) -> io::Result<()> {
    std::fs::remove_file(folder.join(name))
}

/// Removes the oldest files until no more than `count` are left.
///
/// # Errors
/// The system's.
pub fn keep_newest(folder: &Path, count: usize) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.metadata()?.modified()?, entry.path()));
    }
    files.sort();
    let surplus = files.len().saturating_sub(count);
    files
        .into_iter()
        .take(surplus)
        .try_for_each(|(_, path)| std::fs::remove_file(path))
}
