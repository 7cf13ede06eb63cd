//! Looking after the database: how it is, copies of it, its end.
//!
//! Asked by `daemon status`, `migrate`, maintenance and the daemon's own end.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use migrations::export;
use proto::error::Result;

use super::open::Recovery;
use super::trouble::Trouble;
use super::{Db, Health, State, lock, open, schema};

impl Db {
    /// Writes a copy of the whole database to `path` while writers wait; readers do not. `now` is its date.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read or the file not written.
    pub fn export(&self, path: &Path, now: i64) -> Result<export::Summary> {
        self.with_engine(|engine| {
            // After the state, as writers take the two: else one who opens the database anew could stand between.
            let _writers_wait = lock(&self.inner.commit);
            schema::export_to(engine, path, now)
        })
    }

    /// Takes a regular backup and removes the oldest ones over `keep`. The ladder restores the newest when the database
    /// is damaged, so what was written since is what may be lost then.
    ///
    /// # Errors
    /// As [`Db::export`].
    pub fn back_up(&self, now: i64, keep: usize) -> Result<PathBuf> {
        let places = &self.inner.places;
        let path = places.backup_of(now);
        self.export(&path, now)?;
        places
            .prune_backups(keep.max(1))
            .map_err(|error| Trouble::from_io(&error).into_error())?;
        Ok(path)
    }

    /// The schema, and what every step of this build has to say.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn steps_applied(&self) -> Result<Vec<migrations::Applied>> {
        self.with_engine(|engine| {
            migrations::recorded(&engine.sled).map_err(|error| open::from_migrations(&error).into_error())
        })
    }

    /// How the store is.
    #[must_use]
    pub fn health(&self) -> Health {
        match &*self.state() {
            State::Open(_) => self.may_write().map_or_else(Health::ReadOnly, |()| Health::Good),
            State::Down { why, .. } => Health::Down(why.clone()),
            State::Closed => Health::Closed,
        }
    }

    /// How it last came to be open.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        lock(&self.inner.recovery).clone()
    }

    /// Bytes on the disk.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn size(&self) -> Result<u64> {
        self.read(|sled| sled.size_on_disk())
    }

    /// Reads every record and says how many there are: finds pages that are damaged.
    ///
    /// # Errors
    /// `Unavailable` with what is damaged.
    pub fn check(&self) -> Result<u64> {
        self.with_engine(|engine| {
            let _writers_wait = lock(&self.inner.commit);
            engine.verify().map_err(Trouble::into_error)
        })
    }

    /// How many flushes have reached the disk since it was opened.
    #[must_use]
    pub fn flushes(&self) -> u64 {
        self.inner.group.flushes()
    }

    /// Closes the database: everything is on the disk and its lock is free when this returns `Ok`. Whoever still holds a
    /// clone is refused from now on.
    ///
    /// # Errors
    /// `Unavailable` when the last flush failed or the lock is not let go.
    pub fn close(&self) -> Result<()> {
        if !self.let_go()? {
            return Ok(());
        }
        self.inner
            .places
            .write_clean()
            .map_err(|error| Trouble::from_io(&error).into_error())
    }

    /// As [`Db::close`], for the next image of this process: it is told that the close was clean, so no note of that is
    /// left behind for everybody.
    ///
    /// # Errors
    /// As [`Db::close`].
    pub fn hand_over(&self) -> Result<()> {
        self.let_go().map(drop)
    }

    /// Whether it was open.
    fn let_go(&self) -> Result<bool> {
        // Whoever waits for a flush gets it.
        let flushed = self.wait(self.inner.group.so_far());
        let mut state = self.state_mut();
        let State::Open(engine) = std::mem::replace(&mut *state, State::Closed) else {
            return Ok(false);
        };
        let sequence = self.inner.sequence.load(Ordering::Relaxed);
        let disk = self.inner.options.disk.as_ref();
        let flushed = flushed.and_then(|()| engine.flush(disk, sequence).map_err(Trouble::into_error));
        engine.close(&self.inner.places).map_err(Trouble::into_error)?;
        flushed.map(|()| true)
    }
}
