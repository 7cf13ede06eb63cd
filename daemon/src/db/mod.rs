//! The store: every record of every room, in one sled database that keeps what it acknowledged.
//!
//! Asked by each room's `store.rs`, and by `main` to open and close it. Knows no room; nobody above it knows sled's
//! types. What must stay true:
//!
//! - **Invariant**: `commit` returns `Ok` only after its batch would survive a power cut.
//! - **Invariant**: a batch becomes visible, and survives, whole or not at all, whatever rooms it spans.
//! - **Invariant**: after a failed flush or apply nothing is written until the database was opened anew; writers whose
//!   batch was under way are told that its fate is unknown.
//! - **Invariant**: a database of a newer schema is refused before a byte of it changes.

// This is the one room of sled's folder: see `disk.rs`.
#![allow(
    clippy::disallowed_methods,
    reason = "sled is opened by path and synced through our own handle"
)]

mod batch;
mod disk;
mod engine;
mod envelope;
mod flush;
mod open;
mod probe;
mod rehearse;
mod replay;
mod schema;
#[cfg(test)]
mod tests;
mod trouble;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use migrations::{Report, Step, export, layout};
use proto::error::{Error, Result};

pub use batch::{Batch, MAX_BATCH, MAX_KEY, MAX_VALUE, Space};
pub use disk::{Disk, RealDisk};
pub use envelope::Record;
pub use open::{Recovery, Source};
pub use probe::examine;
pub use rehearse::Rehearsal;
pub use replay::{KEPT, Replay, RequestKey};

use disk::Places;
use engine::Engine;
use flush::{Group, Ticket};
use trouble::{Trouble, guarded, unknown};

/// sled's cache for a database that is only looked at.
const SMALL_CACHE: u64 = 16 * 1024 * 1024;
/// How long to wait between attempts to open a database that could not be used.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How many records a scan holds at a time.
const PAGE: usize = 256;

/// How to open the store.
#[derive(Clone, Debug)]
pub struct Options {
    /// The time now, nanoseconds since 1970 UTC: for the names of what is set aside and the dates of steps.
    pub now: i64,
    /// sled's cache in bytes. Not a bound: sled holds two to four times as much.
    pub cache: u64,
    /// Bytes that must stay free on the disk: below that, writes are refused and reads served.
    pub min_free: u64,
    /// How long opening may take before the database counts as damaged.
    pub limit: Duration,
    /// The command (program and arguments) that examines the state folder given to it as last argument, by calling
    /// [`examine`]; without one a damaged file that hangs sled hangs nothing, but is not repaired either.
    pub probe: Option<Vec<OsString>>,
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// The steps of the schema.
    pub steps: &'static [Step],
}

impl Options {
    /// The usual ones.
    #[must_use]
    pub fn new(now: i64) -> Self {
        Self {
            now,
            cache: SMALL_CACHE,
            min_free: 32 * 1024 * 1024,
            limit: Duration::from_secs(60),
            probe: None,
            disk: Arc::new(RealDisk),
            steps: migrations::STEPS,
        }
    }
}

/// An open store and how it came to be open.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub db: Db,
    /// What had to be done to open it.
    pub recovery: Recovery,
    /// Which steps of the schema were applied.
    pub migrated: Report,
    /// The backup taken before they were applied, if there was anything to back up.
    pub backup: Option<PathBuf>,
}

/// How the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Reads and writes.
    Good,
    /// Reads are served; writes are refused until the database could be opened anew.
    ReadOnly(Error),
    /// Neither, until the database could be opened anew.
    Down(Error),
    /// It was closed.
    Closed,
}

/// The store. Clones are the same store.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    places: Places,
    options: Options,
    state: RwLock<State>,
    /// Held while a batch is numbered and applied, and while an export reads.
    commit: Mutex<()>,
    /// The number of the newest batch applied.
    sequence: AtomicU64,
    group: Group,
    recovery: Mutex<Recovery>,
}

enum State {
    Good(Engine),
    ReadOnly {
        engine: Engine,
        why: Error,
        retry: Instant,
    },
    Down {
        why: Error,
        retry: Instant,
    },
    Closed,
}

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

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db")
            .field("folder", &self.inner.places.db)
            .finish_non_exhaustive()
    }
}

impl Db {
    /// Opens the store in the state folder `state`, repairing, restoring and migrating as needed.
    ///
    /// # Errors
    /// `Refused` when the database is of a newer schema or on a network file system; `Unavailable` when another process
    /// has it open or the system does not allow it. Nothing has changed then.
    pub fn open(state: &Path, options: Options) -> Result<Opened> {
        let places = Places::new(state);
        schema::refuse_newer(&places, &options)?;
        let unusable = |error: std::io::Error| {
            Error::unavailable(format!("the state folder `{}` cannot be used", state.display())).why(error)
        };
        places.make().map_err(unusable)?;
        if let Some(name) = disk::on_network(&places.db).map_err(unusable)? {
            return Err(Error::refused(format!(
                "`{}` is on a network file system ({name})",
                state.display()
            ))
            .next("set `TOD_STATE_DIR` to a folder on a local disk"));
        }
        let (engine, recovery) = open::open(&places, &options).map_err(Trouble::into_error)?;
        let (engine, recovery, migration) = schema::migrate(&places, &options, engine, recovery)?;
        let sequence = guarded(|| layout::sequence(&engine.sled)).map_err(Trouble::into_error)?;
        let inner = Inner {
            places,
            options,
            state: RwLock::new(State::Good(engine)),
            commit: Mutex::new(()),
            sequence: AtomicU64::new(sequence),
            group: Group::default(),
            recovery: Mutex::new(recovery.clone()),
        };
        let db = Self {
            inner: Arc::new(inner),
        };
        Ok(Opened {
            db,
            recovery,
            migrated: migration.report,
            backup: migration.backup,
        })
    }

    /// The value at `key`.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.read(|sled| Ok(sled.get(space.key(key))?.map(|value| value.to_vec())))
    }

    /// The record at `key`.
    ///
    /// # Errors
    /// As [`Db::get`], and what [`Record::decode`] says.
    pub fn record<R: Record>(&self, key: &[u8]) -> Result<Option<R>> {
        self.get(R::SPACE, key)?
            .map(|bytes| R::decode(key, &bytes))
            .transpose()
    }

    /// At most `limit` records whose keys begin with `prefix`, in key order, beginning after the key `after`. Keys are
    /// within the space. Pages read one after another may see commits made between them.
    ///
    /// # Errors
    /// As [`Db::get`].
    pub fn page(&self, space: Space, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Pair>> {
        let (from, skip) = (space.key(prefix), space.key(&[]).len());
        let after = after.map(|key| space.key(key)).filter(|key| *key >= from);
        self.read(|sled| {
            let range = match &after {
                Some(after) => sled.range((
                    std::ops::Bound::Excluded(after.clone()),
                    std::ops::Bound::Unbounded,
                )),
                None => sled.range(from.clone()..),
            };
            let within =
                range.take_while(|item| item.as_ref().map_or(true, |(key, _)| key.starts_with(&from)));
            within
                .take(limit)
                .map(|item| item.map(|(key, value)| (key[skip..].to_vec(), value.to_vec())))
                .collect()
        })
    }

    /// Every record whose key begins with `prefix`, in key order, a page at a time.
    pub fn scan(&self, space: Space, prefix: &[u8]) -> Scan {
        Scan {
            db: self.clone(),
            space,
            prefix: prefix.to_vec(),
            page: Vec::new().into_iter(),
            after: None,
            over: false,
        }
    }

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
        let engine = writable(&state)?;
        self.guard_space()?;
        let applying = lock(&self.inner.commit);
        let sequence = self.inner.sequence.load(Ordering::Relaxed) + 1;
        let mut writes = sled::Batch::default();
        for (key, value) in batch.writes {
            match value {
                Some(value) => writes.insert(key, value),
                None => writes.remove(key),
            }
        }
        writes.insert(
            layout::full_key(layout::META, layout::SEQUENCE_KEY),
            sequence.to_be_bytes().to_vec(),
        );
        let applied = guarded(|| engine.sled.apply_batch(writes));
        if applied.is_ok() {
            self.inner.sequence.store(sequence, Ordering::Relaxed);
        } else {
            self.inner.group.fail();
        }
        let ticket = self.inner.group.applied();
        drop(applying);
        drop(state);
        match (applied, ticket) {
            (Ok(()), Ok(ticket)) => Ok(ticket),
            (Err(trouble), _) => Err(self.degrade(trouble)),
            (Ok(()), Err(flush::Lost)) => Err(unknown("a flush failed while it was being stored")),
        }
    }

    fn wait(&self, ticket: Ticket) -> Result<()> {
        let outcome = self.inner.group.wait(ticket, || {
            let sequence = self.inner.sequence.load(Ordering::Relaxed);
            match &*self.state() {
                State::Good(engine) => engine.flush(self.inner.options.disk.as_ref(), sequence),
                _ => Err(Trouble::Unavailable(
                    "the database is being opened anew".to_owned(),
                )),
            }
        });
        match outcome {
            Ok(()) => Ok(()),
            Err((flush::Lost, Some(trouble))) => Err(self.degrade(trouble)),
            Err((flush::Lost, None)) => Err(unknown("the flush that it shared failed")),
        }
    }

    /// Writes a copy of the whole database to `path` while writers wait; readers do not. `now` is its date.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read or the file not written.
    pub fn export(&self, path: &Path, now: i64) -> Result<export::Summary> {
        let writers = lock(&self.inner.commit);
        let summary = self.with_engine(|engine| schema::export_to(engine, path, now));
        drop(writers);
        summary
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
            State::Good(_) => Health::Good,
            State::ReadOnly { why, .. } => Health::ReadOnly(why.clone()),
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
        self.with_engine(|engine| probe::read_all(engine).map_err(Trouble::into_error))
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
        let mut state = self.state_mut();
        let State::Good(engine) = std::mem::replace(&mut *state, State::Closed) else {
            return Ok(());
        };
        let sequence = self.inner.sequence.load(Ordering::Relaxed);
        engine
            .flush(self.inner.options.disk.as_ref(), sequence)
            .map_err(Trouble::into_error)?;
        engine.close(&self.inner.places).map_err(Trouble::into_error)?;
        self.inner
            .places
            .write_clean()
            .map_err(|error| Trouble::from_io(&error).into_error())
    }

    /// Refuses a write that would bring the disk too near to full: sled does not recover from a write that failed.
    fn guard_space(&self) -> Result<()> {
        let Inner { options, places, .. } = &*self.inner;
        match options.disk.free(&places.db) {
            Ok(free) if free < options.min_free => Err(no_room(free, options.min_free)),
            // A file system that does not say is no reason to refuse.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// After a failed write: reads go on, writes wait for [`Db::heal`]. Returns what the writer is told.
    fn degrade(&self, trouble: Trouble) -> Error {
        let why = match &trouble {
            Trouble::Damaged(why) | Trouble::Unavailable(why) => why.clone(),
            Trouble::Busy => "the database is locked".to_owned(),
        };
        let mut state = self.state_mut();
        let before = std::mem::replace(&mut *state, State::Closed);
        *state = match before {
            State::Good(engine) => {
                tracing::error!(%why, "a write failed: the database will be opened anew");
                State::ReadOnly {
                    engine,
                    why: trouble.into_error(),
                    retry: Instant::now(),
                }
            }
            other => other,
        };
        unknown(&why)
    }

    /// Opens the database anew when a write has failed before, there is room, and it was not just tried.
    fn heal(&self) -> Result<()> {
        match &*self.state() {
            State::Good(_) => return Ok(()),
            State::Closed => return Err(closed()),
            State::ReadOnly { why, retry, .. } | State::Down { why, retry } if Instant::now() < *retry => {
                return Err(why.clone());
            }
            State::ReadOnly { .. } | State::Down { .. } => {}
        }
        self.guard_space()?;
        let mut state = self.state_mut();
        let Inner { places, options, .. } = &*self.inner;
        match std::mem::replace(&mut *state, State::Closed) {
            State::ReadOnly { engine, .. } => {
                // It is already known to have failed; what counts is whether it opens again.
                drop(engine.close(places));
            }
            State::Down { .. } => {}
            other => {
                *state = other;
                return Ok(());
            }
        }
        match open::open(places, options) {
            Ok((engine, recovery)) => {
                let sequence = guarded(|| layout::sequence(&engine.sled)).map_err(Trouble::into_error)?;
                tracing::warn!(?recovery, "the database was opened anew");
                self.inner.sequence.store(sequence, Ordering::Relaxed);
                *lock(&self.inner.recovery) = recovery;
                self.inner.group.revive();
                *state = State::Good(engine);
                Ok(())
            }
            Err(trouble) => {
                let why = trouble.into_error();
                *state = State::Down {
                    why: why.clone(),
                    retry: Instant::now() + RETRY_PAUSE,
                };
                Err(why)
            }
        }
    }

    fn read<T>(&self, work: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T> {
        self.with_engine(|engine| guarded(|| work(&engine.sled)).map_err(Trouble::into_error))
    }

    fn with_engine<T>(&self, work: impl FnOnce(&Engine) -> Result<T>) -> Result<T> {
        match &*self.state() {
            State::Good(engine) | State::ReadOnly { engine, .. } => work(engine),
            State::Down { why, .. } => Err(why.clone()),
            State::Closed => Err(closed()),
        }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.inner.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.inner.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key within its space, and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The records of a prefix, a page at a time; see [`Db::scan`].
pub struct Scan {
    db: Db,
    space: Space,
    prefix: Vec<u8>,
    page: std::vec::IntoIter<Pair>,
    after: Option<Vec<u8>>,
    over: bool,
}

impl Iterator for Scan {
    type Item = Result<Pair>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.len() == 0 && !self.over {
            match self
                .db
                .page(self.space, &self.prefix, self.after.as_deref(), PAGE)
            {
                Ok(page) => {
                    self.over = page.len() < PAGE;
                    self.after = page.last().map(|(key, _)| key.clone());
                    self.page = page.into_iter();
                }
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            }
        }
        self.page.next().map(Ok)
    }
}

fn writable(state: &State) -> Result<&Engine> {
    match state {
        State::Good(engine) => Ok(engine),
        State::ReadOnly { why, .. } | State::Down { why, .. } => Err(why.clone()),
        State::Closed => Err(closed()),
    }
}

fn closed() -> Error {
    Error::unavailable("the database is closed").next("repeat it with the same request id")
}

fn no_room(free: u64, least: u64) -> Error {
    Error::unavailable(format!(
        "the disk is full: {} MiB are free, and {} must stay so",
        free >> 20,
        least >> 20
    ))
    .next("make room and repeat it")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
