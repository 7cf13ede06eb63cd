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

mod batch;
mod care;
mod disk;
mod engine;
mod envelope;
#[cfg(test)]
pub mod failing;
mod flush;
mod long;
mod open;
mod probe;
mod read;
mod rehearse;
mod replay;
mod schema;
#[cfg(test)]
mod tests;
mod trouble;
mod write;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use migrations::layout::Tally;
use migrations::{Report, Step};
use proto::error::{Error, Result};

pub use batch::{Batch, MAX_BATCH, MAX_KEY, MAX_VALUE, Space};
pub use disk::{Disk, RealDisk};
pub use envelope::Record;
pub use long::LongRecord;
pub use open::{Recovery, Source};
pub use probe::examine;
pub use read::{Pair, Scan};
pub use rehearse::{Rehearsal, put_back};
pub use replay::{KEPT, Replay, RequestKey};
pub use write::Staged;

use disk::Places;
use engine::Engine;
use flush::Group;
use schema::Migration;
use trouble::{Trouble, guarded};
use write::Ailment;

/// sled's cache for a database that is only looked at.
const SMALL_CACHE: u64 = 16 * 1024 * 1024;

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
    /// The image before this one has let go of the database a moment ago, cleanly, by [`Db::hand_over`] and in the same
    /// process: nothing of that is doubted, read through or made durable once more before it is served.
    pub handed_over: bool,
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
            handed_over: false,
            disk: Arc::new(RealDisk),
            steps: migrations::steps(),
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
    /// Held while a batch is counted and applied, and while an export or a check reads.
    commit: Mutex<Tally>,
    /// The number of the newest batch applied: the tally's, for who must not wait for it.
    sequence: AtomicU64,
    /// Why writes are refused, since the last one failed.
    ailing: Mutex<Option<Ailment>>,
    group: Group,
    recovery: Mutex<Recovery>,
    /// What was put beside the records of late.
    pins: Arc<crate::objects::Pins>,
}

enum State {
    Open(Engine),
    /// It could not be opened anew.
    Down {
        why: Error,
        retry: Instant,
    },
    Closed,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db")
            .field("folder", &self.inner.places.db)
            .finish_non_exhaustive()
    }
}

/// Gives back what was kept for a full disk where next to nothing is free: nobody could begin otherwise, not even to read.
/// For who holds the lock of the state folder, before anything is written there.
pub fn make_room(state: &Path) {
    let (places, least) = (Places::new(state), disk::BALLAST / 4);
    if disk::Disk::free(&disk::RealDisk, &places.db).is_ok_and(|free| free < least) {
        places.drop_ballast();
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
            Error::unavailable(format!("the state folder `{}` cannot be used", state.display()))
                .why(error)
                .next("move away what is no folder in it (`db`, `backups`), or set `TOD_STATE_DIR` to another one")
        };
        places.make().map_err(unusable)?;
        if let Some(name) = disk::on_network(&places.db).map_err(unusable)? {
            return Err(Error::refused(format!(
                "`{}` is on a network file system ({name})",
                state.display()
            ))
            .next("set `TOD_STATE_DIR` to a folder on a local disk"));
        }
        let Loaded {
            engine,
            tally,
            recovery,
            migration,
        } = load(&places, &options)?;
        engine.synced.clone().map_err(Trouble::into_error)?;
        let inner = Inner {
            places,
            options,
            state: RwLock::new(State::Open(engine)),
            commit: Mutex::new(tally),
            sequence: AtomicU64::new(tally.sequence),
            ailing: Mutex::new(None),
            group: Group::default(),
            recovery: Mutex::new(recovery.clone()),
            pins: Arc::default(),
        };
        let db = Self {
            inner: Arc::new(inner),
        };
        db.take_ballast();
        Ok(Opened {
            db,
            recovery,
            migrated: migration.report,
            backup: migration.backup,
        })
    }

    fn read<T>(&self, work: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T> {
        self.with_engine(|engine| guarded(|| work(&engine.sled)).map_err(Trouble::into_error))
    }

    fn with_engine<T>(&self, work: impl FnOnce(&Engine) -> Result<T>) -> Result<T> {
        if matches!(&*self.state(), State::Down { .. }) {
            self.heal()?;
        }
        match &*self.state() {
            State::Open(engine) => work(engine),
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

/// A database that has just been opened.
struct Loaded {
    engine: Engine,
    tally: Tally,
    recovery: Recovery,
    migration: Migration,
}

/// The whole way from a folder to a database of this build's schema.
fn load(places: &Places, options: &Options) -> Result<Loaded> {
    let (engine, recovery) = open::open(places, options).map_err(Trouble::into_error)?;
    let (engine, recovery, migration) = schema::migrate(places, options, engine, recovery)?;
    let tally = engine.tally().map_err(Trouble::into_error)?;
    Ok(Loaded {
        engine,
        tally,
        recovery,
        migration,
    })
}

fn closed() -> Error {
    Error::unavailable("the database is closed").next("repeat it with the same request id")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
