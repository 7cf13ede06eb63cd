//! The boards of all workspaces in use, and the clock of their leases.
//!
//! One per daemon, in `Ctx`. What must stay true: only a writer that holds the workspace's lock changes a board, and
//! only a board that has seen what the records have seen is decided upon: before each change the two are compared, and a
//! board that is behind or ahead (a batch that was applied here and not there) is loaded anew.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use proto::error::{Error, Result};

use super::board::Board;
use super::lease::Clock;
use super::store::Tasks;
use super::who::Process;

/// How long a lease lasts, how many may expire, and what a completion needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Of one lease.
    pub lease: Duration,
    /// After so many expired ones a task is blocked.
    pub max_attempts: u32,
    /// Whether a task is completed only after a check.
    pub require_validation: bool,
}

impl Default for Terms {
    /// `tasks.lease_minutes`, `tasks.max_attempts` and `tasks.require_validation` as they are built in.
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15 * 60),
            max_attempts: 3,
            require_validation: false,
        }
    }
}

/// Says whether a process is still there.
pub type Alive = fn(Process) -> bool;

/// All boards.
pub struct Boards {
    boards: Mutex<HashMap<String, Arc<Slot>>>,
    clock: Mutex<Clock>,
    alive: Alive,
    /// Actors that have called and whose leases have not been prolonged yet.
    called: Mutex<BTreeSet<String>>,
    /// What actors take tasks for first, by workspace and name.
    preferred: Mutex<HashMap<(String, String), Vec<String>>>,
}

/// The place of one board; empty until it is needed.
#[derive(Debug, Default)]
pub struct Slot {
    board: RwLock<Option<Board>>,
    doubtful: AtomicBool,
    terms: Mutex<Terms>,
}

impl std::fmt::Debug for Boards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Boards").finish_non_exhaustive()
    }
}

impl Boards {
    /// No board yet. `alive` is asked before the lease of an actor that is named after a process expires.
    #[must_use]
    pub fn new(alive: Alive) -> Self {
        Self {
            boards: Mutex::default(),
            clock: Mutex::default(),
            alive,
            called: Mutex::default(),
            preferred: Mutex::default(),
        }
    }

    /// Reads the lease clock.
    pub fn running(&self, monotonic: Duration) -> Duration {
        self.clock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .read(monotonic)
    }

    /// The lease clock as of its last reading.
    #[must_use]
    pub fn clock(&self) -> Clock {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a process is still there.
    #[must_use]
    pub fn alive(&self, process: Process) -> bool {
        (self.alive)(process)
    }

    /// The place of a workspace's board.
    #[must_use]
    pub fn slot(&self, workspace: &str) -> Arc<Slot> {
        let mut boards = self.boards.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(boards.entry(workspace.to_owned()).or_default())
    }

    /// All places with the ids of their workspaces.
    #[must_use]
    pub fn slots(&self) -> Vec<(String, Arc<Slot>)> {
        let boards = self.boards.lock().unwrap_or_else(PoisonError::into_inner);
        boards
            .iter()
            .map(|(id, slot)| (id.clone(), Arc::clone(slot)))
            .collect()
    }

    /// Prolongs every lease of `actor`, in whatever workspace: any call of theirs is a sign of life.
    pub fn heard(&self, actor: &str, monotonic: Duration) {
        let running = self.running(monotonic);
        for (_, slot) in self.slots() {
            if slot.read().as_ref().is_some_and(|board| board.holds(actor)) {
                let deadline = running + slot.terms().lease;
                if let Some(board) = slot.write().as_mut() {
                    board.renew(actor, deadline);
                }
            }
        }
    }

    /// An actor has called, for whatever: never waits, so that any request may say it. [`Boards::hear_all`] follows.
    pub fn called(&self, actor: &str) {
        let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        if !called.contains(actor) {
            called.insert(actor.to_owned());
        }
    }

    /// Prolongs the leases of all who have called since it was last done: before any lease is judged.
    pub fn hear_all(&self, monotonic: Duration) {
        let called = std::mem::take(&mut *self.called.lock().unwrap_or_else(PoisonError::into_inner));
        for actor in called {
            self.heard(&actor, monotonic);
        }
    }

    /// An actor takes tasks for these specialists first, where it names none; nothing for no preference.
    pub fn prefer(&self, workspace: &str, actor: &str, specialists: Vec<String>) {
        let key = (workspace.to_owned(), actor.to_owned());
        let mut preferred = self.preferred.lock().unwrap_or_else(PoisonError::into_inner);
        match specialists.is_empty() {
            true => preferred.remove(&key),
            false => preferred.insert(key, specialists),
        };
    }

    /// What an actor takes tasks for first.
    #[must_use]
    pub fn preferred(&self, workspace: &str, actor: &str) -> Vec<String> {
        let key = (workspace.to_owned(), actor.to_owned());
        let preferred = self.preferred.lock().unwrap_or_else(PoisonError::into_inner);
        preferred.get(&key).cloned().unwrap_or_default()
    }

    /// How many tasks are held, in all boards in memory.
    #[must_use]
    pub fn held(&self) -> usize {
        self.slots()
            .iter()
            .map(|(_, slot)| slot.read().as_ref().map_or(0, Board::held))
            .sum()
    }
}

impl Slot {
    /// How long leases last here, as the last request had it.
    #[must_use]
    pub fn terms(&self) -> Terms {
        *self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the terms of a request over.
    pub fn set_terms(&self, terms: Terms) {
        *self.terms.lock().unwrap_or_else(PoisonError::into_inner) = terms;
    }

    /// The board for reading, if it is loaded.
    pub fn read(&self) -> RwLockReadGuard<'_, Option<Board>> {
        self.board.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The board for changing, if it is loaded.
    pub fn write(&self) -> RwLockWriteGuard<'_, Option<Board>> {
        self.board.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the board may not be what the records say: it is loaded anew before it is used again.
    pub fn doubt(&self) {
        self.doubtful.store(true, Ordering::SeqCst);
    }

    /// Whether the board is loaded and not in doubt.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.doubtful.load(Ordering::SeqCst) && self.read().is_some()
    }

    /// Loads the board when it is not there or is not what the records say. Under the workspace's lock only, so that no
    /// board is exchanged under the hands of a writer.
    ///
    /// # Errors
    /// `Unavailable` when the records cannot be read.
    pub fn load(&self, tasks: Tasks<'_>, deadline: Duration) -> Result<()> {
        let changes = tasks.changes()?;
        let doubtful = self.doubtful.load(Ordering::SeqCst);
        if !doubtful && self.read().as_ref().is_some_and(|board| board.changes == changes) {
            return Ok(());
        }
        let board = Board::load(tasks.cards()?, changes, deadline);
        *self.write() = Some(board);
        self.doubtful.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Asks something of the loaded board.
    ///
    /// # Errors
    /// `Bug` when it is not loaded, and what `ask` says.
    pub fn with<T>(&self, ask: impl FnOnce(&Board) -> Result<T>) -> Result<T> {
        match self.read().as_ref() {
            Some(board) => ask(board),
            None => Err(Error::unavailable("the tasks are being loaded anew").next("repeat it")),
        }
    }
}
