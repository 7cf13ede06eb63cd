//! The log file: bounded in size, rotated by size, never blocking a request for long.
//!
//! Asked by `main` through `tracing`. What must stay true: at most [`KEPT`] + 1 files of about [`LIMIT`] bytes each;
//! files are 0600; a disk that is full, or a pipe in the log's place, loses log lines, never the daemon.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The newest file.
pub const NAME: &str = "tod.log";

/// Bytes after which a new file is begun.
const LIMIT: u64 = 4 << 20;

/// Older files that are kept: `tod.log.1` is the newest of them.
const KEPT: u32 = 4;

/// A file that begins anew when it has grown to its limit.
#[derive(Debug)]
pub struct Rotating {
    path: PathBuf,
    limit: u64,
    open: Mutex<Option<(File, u64)>>,
}

impl Rotating {
    /// The log in `folder`, which is made when it is missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn in_folder(folder: &Path) -> io::Result<Self> {
        Self::with_limit(folder, LIMIT)
    }

    fn with_limit(folder: &Path, limit: u64) -> io::Result<Self> {
        std::os::unix::fs::DirBuilderExt::mode(std::fs::DirBuilder::new().recursive(true), 0o700)
            .create(folder)?;
        Ok(Self {
            path: folder.join(NAME),
            limit,
            open: Mutex::new(None),
        })
    }

    fn append(&self, line: &[u8]) -> io::Result<()> {
        let mut open = self
            .open
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if open.as_ref().is_some_and(|(_, size)| *size >= self.limit) {
            *open = None;
            self.rotate();
        }
        if open.is_none() {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .custom_flags(super::unwaiting())
                .open(&self.path)?;
            let size = file.metadata()?.len();
            *open = Some((file, size));
        }
        if let Some((file, size)) = open.as_mut() {
            *size += line.len() as u64;
            file.write_all(line)?;
        }
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }

    /// A rename that fails leaves a longer file: better than none.
    fn rotate(&self) {
        for number in (1..KEPT).rev() {
            let _may_be_missing = std::fs::rename(self.numbered(number), self.numbered(number + 1));
        }
        let _may_be_missing = std::fs::rename(&self.path, self.numbered(1));
    }
}

/// A writer for one line.
#[derive(Debug)]
pub struct Line<'a>(&'a Rotating);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Rotating {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_never_grows_past_its_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = Rotating::with_limit(folder.path(), 100).expect("made");
        for _ in 0..100 {
            log.append(&[b'x'; 40]).expect("written");
        }
        let mut sizes: Vec<u64> = std::fs::read_dir(folder.path())
            .expect("listed")
            .map(|entry| entry.expect("entry").metadata().expect("there").len())
            .collect();
        sizes.sort_unstable();
        assert_eq!(sizes.len(), 5);
        assert!(sizes.iter().all(|size| *size <= 140), "{sizes:?}");
    }
}
