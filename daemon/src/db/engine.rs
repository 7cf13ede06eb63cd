//! One open sled database, and how it is opened, flushed and let go.
//!
//! Asked by the ladder in `open` and by `Db`. What must stay true: sled's own flush is never enough (it asks the kernel
//! to write, not the disk to keep), so every flush here ends with a sync of our own handle on the same file.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use migrations::layout;

use super::disk::{self, Disk, Places};
use super::trouble::{Trouble, guarded, panic_text};

/// How long a lock may linger after its holder has dropped it (28 ms was the longest seen).
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// sled with a handle of our own on its file.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) sled: sled::Db,
    log: File,
    mark: File,
}

impl Engine {
    /// Opens the database within `limit`, waiting a little for a lock that is just being let go.
    pub(super) fn open(places: &Places, cache: u64, limit: Duration) -> Result<Self, Trouble> {
        let begun = Instant::now();
        let sled = loop {
            match open_within(&places.db, cache, limit) {
                Err(Trouble::Busy) if begun.elapsed() < LOCK_PATIENCE => std::thread::sleep(LOCK_PAUSE),
                other => break other?,
            }
        };
        let io = |error: std::io::Error| Trouble::from_io(&error);
        places.make_private().map_err(io)?;
        let sequence = guarded(|| layout::sequence(&sled))?;
        let promised = places.mark().map_err(io)?;
        if sequence < promised {
            let why = format!("commit {promised} was stored, and the newest one found is {sequence}");
            return Err(Trouble::Damaged(why));
        }
        let log = File::open(places.log()).map_err(io)?;
        let mark = places.open_mark(sequence).map_err(io)?;
        // sled makes files only while it opens; from here on their names stay.
        disk::sync_folder(&places.db).map_err(io)?;
        Ok(Self { sled, log, mark })
    }

    /// Makes everything applied so far survive a power cut; `sequence` is a commit that was applied before.
    pub(super) fn flush(&self, disk: &dyn Disk, sequence: u64) -> Result<(), Trouble> {
        guarded(|| self.sled.flush())?;
        disk.sync(&self.log).map_err(|error| Trouble::from_io(&error))?;
        disk::write_mark(&self.mark, sequence).map_err(|error| Trouble::from_io(&error))
    }

    /// Drops sled, which flushes and may panic when the disk refuses, and waits until its lock is free.
    pub(super) fn close(self, places: &Places) -> Result<(), Trouble> {
        let Self { sled, log, mark } = self;
        drop((log, mark));
        guarded(|| {
            drop(sled);
            Ok(())
        })?;
        wait_for_lock(&places.log())
    }
}

fn wait_for_lock(path: &Path) -> Result<(), Trouble> {
    let file = File::open(path).map_err(|error| Trouble::from_io(&error))?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(std::fs::TryLockError::WouldBlock) if begun.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(std::fs::TryLockError::WouldBlock) => return Err(Trouble::Busy),
            Err(std::fs::TryLockError::Error(error)) => return Err(Trouble::from_io(&error)),
        }
    }
}

/// Opens sled on a thread of its own, because on some damaged files it never returns. Such a thread cannot be ended: it
/// keeps the lock until the process is gone, and the next start examines the database from outside first.
fn open_within(folder: &Path, cache: u64, limit: Duration) -> Result<sled::Db, Trouble> {
    let (sender, receiver) = mpsc::channel();
    let config = config(folder, cache);
    let opening = std::thread::Builder::new()
        .name("db-open".to_owned())
        .spawn(move || {
            // The receiver may have given up by then.
            drop(sender.send(guarded(|| config.open())));
        });
    let opening = opening.map_err(|error| Trouble::Unavailable(error.to_string()))?;
    match receiver.recv_timeout(limit) {
        Ok(outcome) => outcome,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(Trouble::Unavailable(format!(
            "it did not open within {} s",
            limit.as_secs()
        ))),
        Err(mpsc::RecvTimeoutError::Disconnected) => match opening.join() {
            Ok(()) => Err(Trouble::damaged("opening it gave no answer")),
            Err(panic) => Err(Trouble::Damaged(panic_text(panic.as_ref()))),
        },
    }
}

/// How this project opens sled: a small cache (the default is 1 GB), no flushing thread (every commit is flushed by us).
pub(super) fn config(folder: &Path, cache: u64) -> sled::Config {
    sled::Config::new()
        .path(folder)
        .cache_capacity(cache)
        .flush_every_ms(None)
}
