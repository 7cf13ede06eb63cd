//! The private copy: a database with its `-wal` or its rollback journal, as bytes.
//!
//! What must stay true: the originals are only read; what their writer had committed is in the copy, also when it stands
//! in the `-wal` alone. The `-shm` is left behind: it is an index of the `-wal` that SQLite makes anew, and a stale one
//! could hide rows.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Limits, Trouble};

/// What a database's name is followed by in the names of the files that belong to it.
pub const SUFFIXES: [&str; 2] = ["-wal", "-journal"];

/// The last bytes of a journal that belongs to a change over several databases: it names another file, which SQLite
/// would look for and could remove.
const NAMES_ANOTHER: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// How often a database that is being written is copied anew.
const TRIES: usize = 5;

/// The files as they were opened to be read.
#[derive(Debug)]
pub struct Originals {
    /// The database.
    pub database: File,
    /// Those of [`SUFFIXES`] that are there.
    pub beside: [Option<File>; 2],
}

/// A folder for copies, empty at first and gone with this.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes it; what an import that was cut off left there goes.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(folder: &Path) -> Result<Self, Trouble> {
        use std::os::unix::fs::DirBuilderExt;
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        std::fs::DirBuilder::new().mode(0o700).create(folder)?;
        Ok(Self(folder.to_path_buf()))
    }

    /// A new folder within.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder(&self, number: usize) -> Result<PathBuf, Trouble> {
        let folder = self.0.join(number.to_string());
        std::fs::create_dir(&folder)?;
        Ok(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The next import takes away what this one cannot.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A copy.
#[derive(Debug)]
pub struct Copied {
    /// Where it is.
    pub path: PathBuf,
    /// What somebody should know, a sentence each.
    pub warnings: Vec<String>,
}

/// Copies into an empty folder of the asker's, which also removes it.
///
/// # Errors
/// [`Trouble`] for one that is too large, is written all the time, or cannot be read.
pub fn copy(originals: &mut Originals, folder: &Path, limits: &Limits) -> Result<Copied, Trouble> {
    let path = folder.join("copy.db");
    for _ in 0..TRIES {
        let before = stamps(originals)?;
        let size: u64 = before.iter().flatten().map(|stamp| stamp.0).sum();
        if size > limits.bytes {
            return Err(Trouble::TooLarge(format!(
                "{size} bytes, and the limit is {}",
                limits.bytes
            )));
        }
        let mut warnings = Vec::new();
        written(&mut originals.database, &path, limits)?;
        for (file, suffix) in originals.beside.iter_mut().zip(SUFFIXES) {
            let target = beside(&path, suffix);
            let Some(file) = file else { continue };
            if suffix == "-journal" && names_another(file)? {
                warnings.push(
                    "its journal belongs to a change over several databases and was left out".to_owned(),
                );
                continue;
            }
            written(file, &target, limits)?;
        }
        if stamps(originals)? == before {
            return Ok(Copied { path, warnings });
        }
    }
    Err(Trouble::Io(
        "it is being written all the time: stop the program that uses it".to_owned(),
    ))
}

/// The name of a file that belongs to a database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

type Stamp = (u64, i64, i64);

fn stamps(originals: &Originals) -> io::Result<Vec<Option<Stamp>>> {
    let of = |file: &File| {
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is no regular file",
            ));
        }
        Ok((found.len(), found.mtime(), found.mtime_nsec()))
    };
    let mut all = vec![Some(of(&originals.database)?)];
    for file in &originals.beside {
        all.push(file.as_ref().map(of).transpose()?);
    }
    Ok(all)
}

fn written(from: &mut File, to: &Path, limits: &Limits) -> io::Result<()> {
    from.seek(SeekFrom::Start(0))?;
    let mut target = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(to)?;
    let mut from = from.take(limits.bytes);
    io::copy(&mut from, &mut target)?;
    target.flush()
}

fn names_another(journal: &mut File) -> io::Result<bool> {
    let length = journal.seek(SeekFrom::End(0))?;
    if length < NAMES_ANOTHER.len() as u64 {
        return Ok(false);
    }
    journal.seek(SeekFrom::End(-8))?;
    let mut last = [0; 8];
    journal.read_exact(&mut last)?;
    Ok(last == NAMES_ANOTHER)
}
