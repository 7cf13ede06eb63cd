//! Writing: a batch is applied, then made to survive, and what happens when the disk refuses.
//!
//! Asked by rooms' `store.rs` files. What must stay true: a writer is told `Ok` only after its flush; after a failure
//! nobody writes before the database was opened anew, and whoever was under way hears that the outcome is unknown.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use migrations::layout::Tally;
use proto::error::{Error, Result};

use super::batch::Batch;
use super::engine::Engine;
use super::flush::{Lost, Ticket};
use super::trouble::{Trouble, guarded, unknown};
use super::{Db, Inner, State, closed, disk, load, lock, open};

/// How long to wait between attempts to open a database that could not be used.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Bytes that must be free before a full disk is written again: the room kept aside, twice.
const FULL_ROOM: u64 = 2 * disk::BALLAST;

/// A batch that is applied and visible, and not yet certain to be kept.
#[must_use = "until `durable` returns, nothing has been promised"]
pub struct Staged {
    db: Db,
    ticket: Ticket,
}

impl Staged {
    /// Waits until the batch survives a power cut. Blocks for one flush at least.
    ///
    /// # Errors
    /// `Unavailable` when the flush failed: the batch may be stored or not.
    pub fn durable(self) -> Result<()> {
        self.db.wait(self.ticket)
    }
}

impl Db {
    /// Keeps `batch` and returns when it would survive a power cut. Blocks for one flush, shared with whoever commits
    /// at the same time.
    ///
    /// # Errors
    /// `TooLarge` or `Bug` when something in it is over a limit; `Unavailable` when nothing may be written now (nothing
    /// happened) or when the flush failed (it may be stored or not; `next` says which).
    pub fn commit(&self, batch: Batch) -> Result<()> {
        self.stage(batch)?.durable()
    }

    /// The first half of [`Db::commit`]: `batch` is applied and every reader sees it. Let go of a lock that others need
    /// for their commits before waiting for [`Staged::durable`], and they share the flush.
    ///
    /// # Errors
    /// As [`Db::commit`].
    pub fn stage(&self, batch: Batch) -> Result<Staged> {
        let batch = batch.checked()?;
        self.heal()?;
        let ticket = if batch.is_empty() {
            self.inner.group.so_far()
        } else {
            self.apply(batch)?
        };
        Ok(Staged {
            db: self.clone(),
            ticket,
        })
    }

    fn apply(&self, batch: Batch) -> Result<Ticket> {
        let state = self.state();
        let engine = match &*state {
            State::Open(engine) => engine,
            State::Down { why, .. } => return Err(why.clone()),
            State::Closed => return Err(closed()),
        };
        self.may_write()?;
        let mut tally = lock(&self.inner.commit);
        let applied = put(&engine.sled, *tally, batch);
        if let Ok(now) = applied {
            *tally = now;
            self.inner.sequence.store(now.sequence, Ordering::Relaxed);
        } else {
            self.inner.group.fail();
        }
        let ticket = self.inner.group.applied();
        drop(tally);
        drop(state);
        match (applied, ticket) {
            (Ok(_), Ok(ticket)) => Ok(ticket),
            (Err(trouble), _) => Err(self.reopen_after(&trouble, Found::Trusted)),
            (Ok(_), Err(Lost)) => Err(unknown("a flush failed while it was being stored")),
        }
    }

    pub(super) fn wait(&self, ticket: Ticket) -> Result<()> {
        let outcome = self.inner.group.wait(ticket, || {
            let sequence = self.inner.sequence.load(Ordering::Relaxed);
            match &*self.state() {
                State::Open(engine) => engine.flush(self.inner.options.disk.as_ref(), sequence),
                State::Down { .. } | State::Closed => Err(Trouble::Unavailable("it is not open".to_owned())),
            }
        });
        match outcome {
            Ok(()) => {
                self.recovered();
                Ok(())
            }
            Err((Lost, Some(trouble))) => Err(self.reopen_after(&trouble, Found::Doubtful)),
            Err((Lost, None)) => Err(unknown("the flush that it shared failed")),
        }
    }

    /// Whether a write may be tried now: there is room, and the last one that failed is long enough ago.
    pub(super) fn may_write(&self) -> Result<()> {
        let Inner {
            options,
            places,
            ailing,
            ..
        } = &*self.inner;
        let mut least = options.min_free;
        if let Some(ailment) = &*lock(ailing) {
            if ailment.rewrite || Instant::now() < ailment.until {
                return Err(ailment.why.clone());
            }
            least = least.max(ailment.room);
        }
        match options.disk.free(&places.db) {
            Ok(free) if free < least => Err(no_room(free, least)),
            // A file system that does not say is no reason to refuse.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// A flush has reached the disk: nothing ails.
    fn recovered(&self) {
        if lock(&self.inner.ailing).take().is_some() {
            self.take_ballast();
        }
    }

    /// Keeps some room for the day there is none.
    pub(super) fn take_ballast(&self) {
        let Inner { options, places, .. } = &*self.inner;
        let taken = options
            .disk
            .free(&places.db)
            .and_then(|free| places.take_ballast(free));
        if let Err(error) = taken {
            tracing::warn!(%error, "no room could be kept for a full disk");
        }
    }

    /// After a failed write the database is opened anew at once, because sled refuses all writes and some reads from
    /// then on. Returns what the writer is told.
    fn reopen_after(&self, trouble: &Trouble, found: Found) -> Error {
        tracing::error!(why = trouble.why(), "a write failed: the database is opened anew");
        let mut state = self.state_mut();
        match std::mem::replace(&mut *state, State::Closed) {
            // Unless another writer who failed was faster.
            State::Open(engine) if self.inner.group.is_broken() => {
                let full = matches!(trouble, Trouble::Full(_));
                if full {
                    self.inner.places.drop_ballast();
                }
                // It is known to have failed; what counts is whether it opens again.
                drop(engine.close(&self.inner.places));
                let mut ailing = lock(&self.inner.ailing);
                let pause = if ailing.is_some() {
                    RETRY_PAUSE
                } else {
                    Duration::ZERO
                };
                *ailing = Some(Ailment {
                    why: trouble.clone().into_error(),
                    until: Instant::now() + pause,
                    room: if full { FULL_ROOM } else { 0 },
                    rewrite: !full && found == Found::Doubtful,
                });
                drop(ailing);
                *state = self.opened_anew();
            }
            other => *state = other,
        }
        unknown(trouble.why())
    }

    /// Makes the store usable again where that is due: opens a database that would not open, and writes anew one that
    /// could not be synced (the kernel forgets what it failed to write: a second sync of the same file proves nothing).
    pub(super) fn heal(&self) -> Result<()> {
        match &*self.state() {
            State::Open(_) if !self.must_rewrite() => return Ok(()),
            State::Open(_) => {}
            State::Closed => return Err(closed()),
            State::Down { why, retry } if Instant::now() < *retry => return Err(why.clone()),
            State::Down { .. } => {}
        }
        let mut state = self.state_mut();
        let before = std::mem::replace(&mut *state, State::Closed);
        *state = match before {
            State::Open(engine) if self.must_rewrite() => self.rewritten(engine),
            State::Down { .. } => self.opened_anew(),
            // Somebody else was here meanwhile.
            other => other,
        };
        Ok(())
    }

    fn must_rewrite(&self) -> bool {
        let ailing = lock(&self.inner.ailing);
        ailing
            .as_ref()
            .is_some_and(|ailment| ailment.rewrite && Instant::now() >= ailment.until)
    }

    /// Whether what is read may not be on the disk: it may be shown, and nothing may be promised because of it.
    pub(super) fn is_doubtful(&self) -> bool {
        lock(&self.inner.ailing)
            .as_ref()
            .is_some_and(|ailment| ailment.rewrite)
    }

    fn opened_anew(&self) -> State {
        match load(&self.inner.places, &self.inner.options) {
            Ok(loaded) => {
                if loaded.recovery.is_loud() {
                    tracing::error!(recovery = ?loaded.recovery, "the database was opened anew");
                }
                if let (Err(_), Some(ailment)) = (&loaded.engine.synced, &mut *lock(&self.inner.ailing)) {
                    ailment.rewrite = true;
                }
                *lock(&self.inner.commit) = loaded.tally;
                self.inner
                    .sequence
                    .store(loaded.tally.sequence, Ordering::Relaxed);
                *lock(&self.inner.recovery) = loaded.recovery;
                self.inner.group.revive();
                State::Open(loaded.engine)
            }
            Err(why) => State::Down {
                why,
                retry: Instant::now() + RETRY_PAUSE,
            },
        }
    }

    /// Moves every record to files that were never in doubt.
    fn rewritten(&self, engine: Engine) -> State {
        let Inner { places, options, .. } = &*self.inner;
        match open::rewrite(places, options, engine) {
            Ok(()) => {
                if let Some(ailment) = &mut *lock(&self.inner.ailing) {
                    ailment.rewrite = false;
                }
            }
            Err(trouble) => self.ail_on(&trouble),
        }
        self.opened_anew()
    }

    fn ail_on(&self, trouble: &Trouble) {
        tracing::error!(why = trouble.why(), "the disk does not keep what is written");
        *lock(&self.inner.ailing) = Some(Ailment {
            why: trouble.clone().into_error(),
            until: Instant::now() + RETRY_PAUSE,
            room: 0,
            rewrite: true,
        });
    }
}

/// Why writes are refused after one has failed.
pub(super) struct Ailment {
    why: Error,
    /// Before this, nothing is tried.
    until: Instant,
    /// Bytes that must be free before a write is tried.
    room: u64,
    /// Whether all files must be written anew first.
    rewrite: bool,
}

/// Whether the files that a failure leaves behind are what they seem.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Nothing was synced since the last time that went well.
    Trusted,
    /// A sync failed: what the kernel shows may not be on the disk.
    Doubtful,
}

/// Applies `batch` with the tally that follows `tally`, and returns that.
fn put(sled: &sled::Db, mut tally: Tally, batch: Batch) -> std::result::Result<Tally, Trouble> {
    guarded(|| {
        let mut writes = sled::Batch::default();
        tally.sequence += 1;
        for (key, value) in batch.writes {
            tally.replace(&key, sled.get(&key)?.as_deref(), value.as_deref());
            match value {
                Some(value) => writes.insert(key, value),
                None => writes.remove(key),
            }
        }
        tally.put(&mut writes);
        sled.apply_batch(writes)?;
        Ok(tally)
    })
}

fn no_room(free: u64, least: u64) -> Error {
    Error::unavailable(format!(
        "the disk is full: {} MiB are free, and {} must stay so",
        free >> 20,
        least >> 20
    ))
    .next("make room and repeat it")
}
