//! The lock that makes a daemon the only one of its state folder: an OS lock on a file, never a pid file.
//!
//! Asked by `lifecycle`. What must stay true: the kernel holds the lock, so it is gone with the process however that
//! ends; the file's text only says where the holder listens (`proto::places::LockFile`).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use proto::places::LockFile;

/// The lock, held for as long as this lives.
#[derive(Debug)]
pub struct Lock {
    file: File,
    ends: End,
}

/// What the end of a [`Lock`] means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The daemon has stopped.
    LetGo,
    /// Another image goes on.
    HandedOn,
}

/// How long a starter waits for a holder that may be about to end.
const PATIENCE: Duration = Duration::from_millis(500);

impl Lock {
    /// Takes the lock at `path`, or says that another process holds it.
    ///
    /// # Errors
    /// When the file cannot be made or opened.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(nofollow())
            .open(path)?;
        let until = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => {
                    return Ok(Some(Self {
                        file,
                        ends: End::LetGo,
                    }));
                }
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// The lock that an earlier image of this process holds, with its descriptor.
    #[must_use]
    pub fn adopt(descriptor: OwnedFd) -> Self {
        Self {
            file: descriptor.into(),
            ends: End::LetGo,
        }
    }

    /// The descriptor, to be handed on: the lock stays held for as long as any duplicate of it is open, and the file
    /// keeps its text.
    pub fn hand_on(self) -> io::Result<OwnedFd> {
        let mut lock = self;
        lock.ends = End::HandedOn;
        lock.file.try_clone().map(OwnedFd::from)
    }

    /// Writes what clients with another environment need to find the daemon.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn say(&mut self, text: &LockFile) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&text.to_text())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.ends == End::HandedOn {
            return;
        }
        // A file that says nothing is better than one that names a daemon that has ended.
        let _gone = self.file.set_len(0);
    }
}

fn nofollow() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default()
}
