//! One open sled database, and how it is opened, flushed and let go.
//!
//! Asked by the ladder in `open` and by `Db`. What must stay true: sled's own flush is never enough (it asks the kernel
//! to write, not the disk to keep), so every flush here ends with a sync of our own handle on the same file.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use migrations::layout::Tally;

use super::Options;
use super::disk::{self, Disk, Places};
use super::trouble::{Trouble, guarded, panic_text};
use crate::world::process;

/// How long a lock may linger after its holder has dropped it (28 ms was the longest seen).
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// sled keeps seven threads for work that may come, each of which wakes once a second to see that it has not. They are
/// woken when it comes, so how late they wake without any changes nothing but what an idle daemon costs.
const IDLE: Duration = Duration::from_secs(20);

/// sled with a handle of our own on its file.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) sled: sled::Db,
    log: File,
    mark: File,
    /// Whether what was found could be made to stay; if not, it may be read and nothing may be added.
    pub(super) synced: Result<(), Trouble>,
}

impl Engine {
    /// Opens the database, waiting a little for a lock that is just being let go. What it holds is on the disk then,
    /// also what a crash had left to the kernel: it may be read, so it must not be lost any more.
    pub(super) fn open(places: &Places, options: &Options) -> Result<Self, Trouble> {
        let begun = Instant::now();
        let sled = loop {
            match open_within(&places.db, options) {
                Err(Trouble::Busy) if begun.elapsed() < LOCK_PATIENCE => disk::pause(),
                other => break other?,
            }
        };
        let io = |error: std::io::Error| Trouble::from_io(&error);
        places.make_private().map_err(io)?;
        let tally = guarded(|| Tally::stored(&sled))?;
        let promised = places.mark().map_err(io)?;
        if tally.sequence < promised {
            let why = format!(
                "commit {promised} was stored, and the newest one found is {}",
                tally.sequence
            );
            return Err(Trouble::Damaged(why));
        }
        let log = disk::open_file(&places.log()).map_err(io)?;
        let is_durable = options.handed_over && tally.sequence == promised;
        let synced = match is_durable {
            true => Ok(()),
            false => options.disk.sync(&log).map_err(|error| Trouble::from_io(&error)),
        };
        let mark = match is_durable {
            true => places.open_last_mark(),
            false => places.open_mark(tally.sequence),
        };
        let mark = mark.map_err(io)?;
        // sled makes files only while it opens; from here on their names stay.
        disk::sync_folder(&places.db).map_err(io)?;
        if synced.is_ok() {
            start_threads(&sled);
        }
        Ok(Self {
            sled,
            log,
            mark,
            synced,
        })
    }

    /// What the database says it holds.
    pub(super) fn tally(&self) -> Result<Tally, Trouble> {
        guarded(|| Tally::stored(&self.sled))
    }

    /// Reads every record, and says how many there are when they are those that were stored: a damaged or missing one is
    /// found now, not in the middle of a request.
    pub(super) fn verify(&self) -> Result<u64, Trouble> {
        let (stored, counted) = guarded(|| Ok((Tally::stored(&self.sled)?, Tally::counted(&self.sled)?)))?;
        match stored.agrees(&counted) {
            true => Ok(counted.records),
            false => Err(Trouble::Damaged(format!(
                "{} records were stored, and {} are there or some are altered",
                stored.records, counted.records
            ))),
        }
    }

    /// Makes everything applied so far survive a power cut; `sequence` is a commit that was applied before.
    pub(super) fn flush(&self, disk: &dyn Disk, sequence: u64) -> Result<(), Trouble> {
        guarded(|| self.sled.flush())?;
        disk.sync(&self.log).map_err(|error| Trouble::from_io(&error))?;
        disk::write_mark(&self.mark, sequence).map_err(|error| Trouble::from_io(&error))
    }

    /// Drops sled, which flushes and may panic when the disk refuses, and waits until its lock is free.
    pub(super) fn close(self, places: &Places) -> Result<(), Trouble> {
        let Self { sled, log, mark, .. } = self;
        drop((log, mark));
        guarded(|| {
            drop(sled);
            Ok(())
        })?;
        wait_for_lock(&places.log())
    }
}

/// Has sled start its threads, which it does with its first work, by one whose patience they inherit. The work is a flush
/// with nothing to write.
fn start_threads(sled: &sled::Db) {
    let work = sled.clone();
    let first = std::thread::Builder::new().name("db-first".to_owned());
    let begun = first.spawn(move || {
        process::let_timers_wait(IDLE);
        let mut flush = std::pin::pin!(work.flush_async());
        // Once is enough to hand it over; nobody needs its end.
        let _begun = flush.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    });
    // Without it they wake as often as sled wants.
    drop(begun.map(std::thread::JoinHandle::join));
}

fn wait_for_lock(path: &Path) -> Result<(), Trouble> {
    let file = disk::open_file(path).map_err(|error| Trouble::from_io(&error))?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(std::fs::TryLockError::WouldBlock) if begun.elapsed() < LOCK_PATIENCE => {
                disk::pause();
            }
            Err(std::fs::TryLockError::WouldBlock) => return Err(Trouble::Busy),
            Err(std::fs::TryLockError::Error(error)) => return Err(Trouble::from_io(&error)),
        }
    }
}

/// Opens sled on a thread of its own, because on some damaged files it never returns. Such a thread cannot be ended: it
/// keeps the lock until the process is gone, and the next start examines the database from outside first.
fn open_within(folder: &Path, options: &Options) -> Result<sled::Db, Trouble> {
    let (sender, receiver) = mpsc::channel();
    let limit = options.limit;
    let config = migrations::config(folder).cache_capacity(options.cache);
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
