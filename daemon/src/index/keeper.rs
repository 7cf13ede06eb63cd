//! One tree as everybody sees it: queries from memory, subscriptions, barriers. Its thread is in `worker`.
//!
//! The thread is the only one that touches the tree's disk, so a disk that hangs stops this tree and no other. What must
//! stay true: an answer is of one clock, and says when that is of a saved index which has not been compared with the disk.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use proto::Error;
use proto::index::{Since, TreeState, TreeStatus};
use tokio::sync::{oneshot, watch};

use super::clock::{Clock, Face};
use super::engine::{Shared, View};
use super::files::{FileList, Wish, everything};
use super::glob::Glob;
use super::journal::Journal;
use super::mail::{Ending, Mails};
use super::saved::shelf::Shelf;
use super::subscribe::Posts;
use super::unwatched::UnwatchedDirs;
use super::verify::Begin;
use super::worker::Pace;
use super::{Changes, Manner, Progress};
use crate::detect::Standing;
use crate::watch::{Hub, TreeKey};
use crate::world::{MountTable, Stat, calls};

/// Why a clock of another incarnation says nothing.
const EARLIER: &str = "the clock is of an earlier index, which ended without saving itself";
/// Why a time says nothing.
const BEFORE: &str = "the index begins after that time";
/// So many records of a journal are read where the question is.
const FEW: usize = 256;
/// Why a tree is not followed.
const HANGS: &str = "its disk does not answer: look with `findmnt` for a mount whose server is gone, and unmount it with `umount -f`";

/// As well.
const BROKEN: &str =
    "a fault of ours ended it; the next question reads its files anew, and the log says more";

/// One watched root.
#[derive(Debug)]
pub struct Tree {
    pub(super) root: PathBuf,
    key: TreeKey,
    name: String,
    pub(super) incarnation: u64,
    face: Face,
    pub(super) shared: Shared,
    pub(super) mails: Arc<Mails>,
    pub(super) hub: Arc<Hub>,
    pub(super) shelf: Option<Shelf>,
    pub(super) ready: watch::Sender<bool>,
    /// How it is followed, and how long the last look at what cannot be watched took.
    manner: Mutex<(Manner, Duration)>,
    pub(super) ticks: watch::Sender<u32>,
    pub(super) posts: Posts,
    state: Mutex<State>,
    times: Mutex<Times>,
}

#[derive(Debug)]
struct Times {
    used: Instant,
    saved: Instant,
    /// None when it was not saved in this life.
    saved_tick: Option<u32>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) state: TreeState,
    pub(super) reason: Option<String>,
    pub(super) unwatched: UnwatchedDirs,
    /// Why the system's own watcher, which was asked for, tells nothing.
    pub(super) deaf: Option<String>,
}

impl Tree {
    pub(super) fn new(
        root: &Path,
        (hub, key): (Arc<Hub>, TreeKey),
        (incarnation, shared): (u64, Shared),
        (begin, manner, shelf): (Begin, Manner, Option<Shelf>),
    ) -> Arc<Self> {
        use std::os::unix::ffi::OsStrExt;
        let name = blake3::hash(root.as_os_str().as_bytes()).to_hex()[..12].to_owned();
        let tick = shared.read().journal.tick();
        let state = match begin {
            Begin::Crawl => TreeState::Crawling,
            Begin::Verify => TreeState::Unverified,
            Begin::GoOn => TreeState::Watching,
        };
        Arc::new(Self {
            root: root.to_path_buf(),
            key,
            face: Face::of(&name, incarnation),
            name,
            incarnation,
            ticks: watch::Sender::new(tick),
            posts: Posts::default(),
            shared,
            mails: Arc::default(),
            manner: Mutex::new((manner, Duration::ZERO)),
            hub,
            shelf,
            ready: watch::Sender::new(begin != Begin::Crawl),
            state: Mutex::new(State {
                state,
                reason: None,
                unwatched: UnwatchedDirs::default(),
                deaf: None,
            }),
            times: Mutex::new(Times {
                used: Instant::now(),
                saved: Instant::now(),
                saved_tick: None,
            }),
        })
    }

    pub(super) fn mailbox(&self) -> Arc<Mails> {
        self.mails.clone()
    }

    pub(super) fn key(&self) -> TreeKey {
        self.key
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How far the first crawl has come. From memory.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let view = self.shared.read();
        Progress {
            files: view.tree.files(),
            dirs: view.tree.dirs(),
            ready: *self.ready.borrow(),
        }
    }

    /// Whether the first crawl is over, or a saved index takes its place.
    pub(super) fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Returns when the first crawl is over; at once when it is, or when a saved index takes its place. Bound it by the request's deadline.
    pub async fn ready(&self) {
        // The sender lives as long as `self`.
        drop(self.ready.subscribe().wait_for(|ready| *ready).await);
    }

    /// Makes sure that what follows sees all that happened before this call. False when that took longer than `limit`
    /// (SPEC: one second; the answer then says `unsynced`).
    pub async fn sync(&self, limit: Duration) -> bool {
        // The kernel queues an event before the call that causes it returns: what is read here is all there was.
        if self
            .hub
            .drain()
            .is_some_and(|mounts| self.is_quiescent(&mounts, |_| None))
        {
            return true;
        }
        let (passed, barrier) = oneshot::channel();
        self.mails.lock().wait_for(passed);
        self.mails.news.notify_one();
        matches!(tokio::time::timeout(limit, barrier).await, Ok(Ok(())))
    }

    /// As [`Tree::sync`], where nothing has happened that the thread would have to look at; false says nothing but "ask
    /// it". From memory, the queue of events and a few stats of local files: for where blocking is forbidden. What is
    /// mounted was asked, and what detection goes by was looked at, since the question came.
    pub(super) fn sync_at_once(&self, mounts: &MountTable, standing: &Standing) -> bool {
        self.hub.drain_at(mounts) && self.is_quiescent(mounts, |path| standing.seen(path))
    }

    fn is_quiescent(&self, mounts: &MountTable, seen: impl Fn(&[u8]) -> Option<Stat>) -> bool {
        let quiescent = self.mails.lock().quiescent();
        quiescent.is_some_and(|quiescent| quiescent.holds(mounts, seen))
    }

    pub(super) fn clock_at(&self, tick: u32) -> String {
        self.face.at(tick)
    }

    /// Whether it may not be what is on the disk ([`TreeState::Unverified`]). From memory.
    #[must_use]
    pub fn is_unverified(&self) -> bool {
        self.state().state == TreeState::Unverified
    }

    /// `c:<tree>:<incarnation>:<tick>`. From memory.
    #[must_use]
    pub fn clock(&self) -> String {
        self.clock_at(self.shared.read().journal.tick())
    }

    /// The clock and all files, or those that match a gitignore-style glob. From memory.
    ///
    /// # Errors
    /// `usage` for a glob that is none.
    pub fn files(&self, glob: Option<&str>) -> Result<(String, FileList), Error> {
        self.page(glob, (None, usize::MAX))
    }

    /// As [`Tree::files`], but no more than so many that come after a path. From memory.
    ///
    /// # Errors
    /// As [`Tree::files`].
    pub fn page(
        &self,
        glob: Option<&str>,
        (after, limit): (Option<&[u8]>, usize),
    ) -> Result<(String, FileList), Error> {
        let glob = glob.map(Glob::parse).transpose()?;
        let wish = Wish {
            glob: glob.as_ref(),
            after,
            limit,
        };
        let view = self.shared.read();
        Ok((
            self.clock_at(view.journal.tick()),
            FileList::of(&view.tree, &wish),
        ))
    }

    /// What changed since, where that is known and soon said. From memory.
    pub(super) fn few_changes(&self, since: &Since) -> Option<Changes> {
        let view = self.shared.read();
        let tick = self.tick_of(since, &view.journal).ok()?.ok()?;
        if view.journal.records_since(tick) > FEW {
            return None;
        }
        Some(Changes {
            clock: self.clock_at(view.journal.tick()),
            fresh: None,
            changes: view.journal.since(&view.tree, tick),
        })
    }

    /// What changed since. From memory.
    ///
    /// # Errors
    /// `usage` for a clock that is none.
    pub fn changes(&self, since: &Since) -> Result<Changes, Error> {
        let view = self.shared.read();
        let tick = self.tick_of(since, &view.journal)?;
        Ok(self.changes_from(&view, tick))
    }

    /// What changed since a tick, or all there is and why what changed is not known.
    pub(super) fn changes_from(&self, view: &View, tick: Result<u32, &'static str>) -> Changes {
        let changes = match tick {
            Ok(tick) => view.journal.since(&view.tree, tick),
            Err(_) => everything(&view.tree),
        };
        Changes {
            clock: self.clock_at(view.journal.tick()),
            fresh: tick.err(),
            changes,
        }
    }

    /// The tick that is meant, or why what has happened since it is not known.
    pub(super) fn tick_of(
        &self,
        since: &Since,
        journal: &Journal,
    ) -> Result<Result<u32, &'static str>, Error> {
        let tick = match since {
            Since::Time(time) => journal.tick_at(*time).ok_or(BEFORE),
            Since::Clock(text) if let Some(tick) = self.face.tick(text) => Ok(tick),
            Since::Clock(text) => {
                let Some(clock) = Clock::parse(text) else {
                    return Err(Error::usage(format!("`{text}` is not a clock"))
                        .next("take one from `tocli clock` or from an earlier answer"));
                };
                match clock {
                    clock if clock.tree != self.name => Err("the clock is of another tree"),
                    clock if clock.incarnation != self.incarnation => Err(EARLIER),
                    clock => Ok(clock.tick),
                }
            }
        };
        Ok(tick.and_then(|tick| reached(journal, tick)))
    }

    /// As [`Tree::changes`], but returns only when something has changed.
    ///
    /// # Errors
    /// As [`Tree::changes`]; `unavailable` when the tree was forgotten meanwhile.
    pub async fn wait(&self, since: &Since) -> Result<Changes, Error> {
        let mut ticks = self.ticks.subscribe();
        self.look_now_and_then();
        loop {
            ticks.borrow_and_update();
            let changes = self.changes(since)?;
            if changes.fresh.is_some() || !changes.changes.is_empty() {
                return Ok(changes);
            }
            if self.has_ended() || ticks.changed().await.is_err() {
                return Err(Error::unavailable(format!(
                    "`{}` is not watched any more",
                    self.root.display()
                )));
            }
        }
    }

    /// Has the thread see that somebody listens.
    pub(super) fn look_now_and_then(&self) {
        drop(self.mails.lock());
        self.mails.news.notify_one();
    }

    /// Whether its thread is inside a call that does not return.
    pub(super) fn hangs(&self) -> bool {
        calls::hangs(u64::from(self.key.0))
    }

    /// How the tree stands. From memory.
    #[must_use]
    pub fn status(&self) -> TreeStatus {
        let (state, reason) = {
            let state = self.state();
            (state.state, state.reason.clone())
        };
        let (state, reason) = match self.hangs() {
            true => (TreeState::Unreachable, Some(HANGS.to_owned())),
            false => (state, reason),
        };
        let view = self.shared.read();
        TreeStatus {
            root: self.root.as_path().into(),
            state,
            reason,
            files: view.tree.files(),
            dirs: view.tree.dirs(),
            watches: self.hub.used_by(self.key),
            clock: self.clock_at(view.journal.tick()),
        }
    }

    /// Has the index saved when that is so long ago, and something has happened since.
    pub(super) fn save_after(&self, long: Duration) {
        let tick = self.shared.read().journal.tick();
        let mut times = self.times();
        let is_due = times.saved.elapsed() >= long && times.saved_tick != Some(tick);
        if !is_due || self.shelf.is_none() || !*self.ready.borrow() {
            return;
        }
        (times.saved, times.saved_tick) = (Instant::now(), Some(tick));
        drop(times);
        self.mails.lock().is_to_be_saved = true;
        self.mails.news.notify_one();
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody asks for it.
    pub(super) fn touch(&self) {
        self.times().used = Instant::now();
    }

    /// When somebody last asked for it.
    pub(super) fn last_used(&self) -> Instant {
        self.times().used
    }

    fn manner(&self) -> MutexGuard<'_, (Manner, Duration)> {
        self.manner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it is followed.
    pub(super) fn manner_of(&self) -> Manner {
        self.manner().0.clone()
    }

    /// What `watch.extra_ignores` says of it.
    pub(super) fn extra_ignores(&self) -> Vec<String> {
        self.manner().0.extra_ignores.clone()
    }

    pub(super) fn pace(&self) -> Pace {
        let manner = self.manner();
        Pace {
            settle: manner.0.settle,
            poll: manner.0.poll,
            looked: manner.1,
        }
    }

    pub(super) fn took(&self, looked: Duration) {
        self.manner().1 = looked;
    }

    /// Another manner from now on, when it is followed in the `old` one; else the same again, which looks whether there
    /// are more watches than there may be.
    pub(super) fn follow(&self, old: &Manner, new: &Manner) {
        let manner = self.manner_of();
        match manner == *old {
            true => self.change_manner(new),
            false => self.change_manner(&manner),
        }
    }

    /// Another manner from now on.
    pub(super) fn change_manner(&self, new: &Manner) {
        self.manner().0.clone_from(new);
        self.mails.lock().manner = Some(new.clone());
        self.mails.news.notify_one();
    }

    /// Whether it was ended, or its thread has ended in a panic.
    pub(super) fn has_ended(&self) -> bool {
        self.mails.lock().ending.is_some()
    }

    /// Its thread has ended in a panic: nothing is believed of it any more, and the next question reads its files anew.
    pub(super) fn give_up(&self) {
        tracing::error!(root = %self.root.display(), "a tree's thread ended in a panic (its message stands above)");
        self.hub.forget(self.key);
        if let Some(shelf) = &self.shelf {
            shelf.forget(&self.root);
        }
        let mut state = self.state();
        (state.state, state.reason) = (TreeState::Unreachable, Some(BROKEN.to_owned()));
        drop(state);
        self.end(Ending::Drop);
    }

    /// Ends the thread and every subscription.
    pub(super) fn end(&self, ending: Ending) {
        self.mails.lock().ending.get_or_insert(ending);
        self.mails.news.notify_one();
        self.posts.end();
        self.ready.send_replace(true);
        self.ticks.send_modify(|_| {});
    }
}

/// The tick, where what has changed since is known; else why not.
pub(super) fn reached(journal: &Journal, tick: u32) -> Result<u32, &'static str> {
    match journal.reaches(tick) {
        true => Ok(tick),
        false => Err("so much has happened since the clock that it is no longer remembered"),
    }
}
