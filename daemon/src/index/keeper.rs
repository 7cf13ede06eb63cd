//! One tree and the thread that keeps it: events in a mailbox, settled when it is time, queries from memory.
//!
//! The thread is the only one that touches the tree's disk, so a disk that hangs stops this tree and no other. What must
//! stay true: a barrier is passed only after all that lay in the mailbox before it is settled; the first event after
//! quiet is settled at once, what follows waits for `settle`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use proto::Error;
use proto::index::{Batch, Change, ChangeKind, Since, TreeState, TreeStatus};
use tokio::sync::{oneshot, watch};

use super::clock::Clock;
use super::disk::LocalDisk;
use super::engine::{Engine, Shared};
use super::files::{FileList, Glob};
use super::journal;
use super::mail::{Mail, Mails};
use super::subscribe::{Post, Subscription};
use super::tree::Tree as Nodes;
use super::{Changes, Progress};
use crate::watch::{Hub, TreeKey};

/// How often a barrier looks again at what moves while it is looked at.
const TURNS: usize = 16;
/// Nobody waits for what cannot come: woken now and then, it costs nothing.
const FOREVER: Duration = Duration::from_secs(3600);
/// Why a clock of another incarnation says nothing.
const EARLIER: &str = "the clock is of an earlier index, which ended without saving itself";
/// Why a time says nothing.
const BEFORE: &str = "the index begins after that time";
/// Changes in one part of a batch.
const PART: usize = 4096;

/// How often a tree's thread does what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long changes are collected after the first one.
    pub(super) settle: Duration,
    /// How often a tree is looked at of which something cannot be watched.
    pub(super) poll: Duration,
}

/// One watched root.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
    key: TreeKey,
    name: String,
    incarnation: u64,
    shared: Shared,
    mails: Arc<Mails>,
    hub: Arc<Hub>,
    ready: watch::Sender<bool>,
    ticks: watch::Sender<u32>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    state: TreeState,
    reason: Option<String>,
    posts: Vec<Arc<Post>>,
}

impl Tree {
    pub(super) fn new(
        root: &Path,
        (hub, key): (Arc<Hub>, TreeKey),
        incarnation: u64,
        shared: Shared,
    ) -> Arc<Self> {
        use std::os::unix::ffi::OsStrExt;
        let name = blake3::hash(root.as_os_str().as_bytes()).to_hex()[..12].to_owned();
        let tick = shared.read().journal.tick();
        Arc::new(Self {
            root: root.to_path_buf(),
            key,
            name,
            incarnation,
            ticks: watch::Sender::new(tick),
            shared,
            mails: Arc::default(),
            hub,
            ready: watch::Sender::new(false),
            state: Mutex::new(State {
                state: TreeState::Crawling,
                reason: None,
                posts: Vec::new(),
            }),
        })
    }

    pub(super) fn mailbox(&self) -> Arc<Mails> {
        self.mails.clone()
    }

    pub(super) fn key(&self) -> TreeKey {
        self.key
    }

    fn state(&self) -> MutexGuard<'_, State> {
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

    /// Returns when the first crawl is over; at once when it is. Bound it by the request's deadline.
    pub async fn ready(&self) {
        // The sender lives as long as `self`.
        drop(self.ready.subscribe().wait_for(|ready| *ready).await);
    }

    /// Makes sure that what follows sees all that happened before this call. False when that took longer than `limit`
    /// (SPEC: one second; the answer then says `unsynced`).
    pub async fn sync(&self, limit: Duration) -> bool {
        // The kernel queues an event before the call that causes it returns: what is read here is all there was.
        self.hub.drain();
        let (passed, barrier) = oneshot::channel();
        self.mails.lock().barriers.push(passed);
        self.mails.news.notify_one();
        matches!(tokio::time::timeout(limit, barrier).await, Ok(Ok(())))
    }

    fn clock_at(&self, tick: u32) -> String {
        Clock {
            tree: self.name.clone(),
            incarnation: self.incarnation,
            tick,
        }
        .to_string()
    }

    /// Whether it comes from a saved index that has not been compared with the disk yet. From memory.
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
        let glob = glob.map(Glob::parse).transpose()?;
        let view = self.shared.read();
        Ok((
            self.clock_at(view.journal.tick()),
            FileList::of(&view.tree, glob.as_ref()),
        ))
    }

    /// What changed since. From memory.
    ///
    /// # Errors
    /// `usage` for a clock that is none.
    pub fn changes(&self, since: &Since) -> Result<Changes, Error> {
        let view = self.shared.read();
        let clock = self.clock_at(view.journal.tick());
        let tick = match since {
            Since::Time(time) => view.journal.tick_at(*time).ok_or(BEFORE),
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
        let tick = tick.and_then(|tick| match view.journal.reaches(tick) {
            true => Ok(tick),
            false => Err("so much has happened since the clock that it is no longer remembered"),
        });
        let changes = match tick {
            Ok(tick) => view.journal.since(&view.tree, tick),
            Err(_) => everything(&view.tree),
        };
        Ok(Changes {
            clock,
            fresh: tick.err(),
            changes,
        })
    }

    /// As [`Tree::changes`], but returns only when something has changed.
    ///
    /// # Errors
    /// As [`Tree::changes`]; `unavailable` when the tree was forgotten meanwhile.
    pub async fn wait(&self, since: &Since) -> Result<Changes, Error> {
        let mut ticks = self.ticks.subscribe();
        loop {
            ticks.borrow_and_update();
            let changes = self.changes(since)?;
            if changes.fresh.is_some() || !changes.changes.is_empty() {
                return Ok(changes);
            }
            if self.mails.lock().is_over || ticks.changed().await.is_err() {
                return Err(Error::unavailable(format!(
                    "`{}` is not watched any more",
                    self.root.display()
                )));
            }
        }
    }

    /// Every settled batch from now on, or from `since`. From memory.
    ///
    /// # Errors
    /// As [`Tree::changes`].
    pub fn subscribe(&self, since: Option<&Since>) -> Result<Subscription, Error> {
        let post = Post::new();
        // With the posts locked no batch can pass between what was and what comes.
        let mut state = self.state();
        if let Some(since) = since {
            let Changes {
                clock,
                fresh,
                changes,
            } = self.changes(since)?;
            let fresh_instance = fresh.is_some();
            if fresh_instance || !changes.is_empty() {
                let before = match since {
                    Since::Clock(clock) => clock.clone(),
                    Since::Time(_) => clock.clone(),
                };
                deliver(
                    std::slice::from_ref(&post),
                    Batch {
                        clock,
                        changes,
                        lost_since: None,
                        fresh_instance,
                    },
                    &before,
                );
            }
        }
        state.posts.push(post.clone());
        Ok(Subscription::new(post))
    }

    /// How the tree stands. From memory.
    #[must_use]
    pub fn status(&self) -> TreeStatus {
        let (state, reason) = {
            let state = self.state();
            (state.state, state.reason.clone())
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

    /// Ends the thread and every subscription.
    pub(super) fn end(&self) {
        self.mails.lock().is_over = true;
        self.mails.news.notify_one();
        for post in std::mem::take(&mut self.state().posts) {
            post.end();
        }
        self.ready.send_replace(true);
        self.ticks.send_modify(|_| {});
    }

    /// The thread.
    pub(super) fn keep(&self, mut engine: Engine<LocalDisk>, pace: Pace) {
        engine.crawl();
        self.show_state(&engine);
        if engine.is_dirty() {
            // What moved while it was read.
            self.settle(&mut engine);
        }
        self.ready.send_replace(true);
        let mut last = Instant::now()
            .checked_sub(pace.settle)
            .unwrap_or_else(Instant::now);
        while let Some(barriers) = self.next_mail(&mut engine, (last + pace.settle, pace)) {
            // Without barriers and without events it was time to look.
            if !barriers.is_empty() || !engine.is_dirty() {
                engine.look_outside();
            }
            if engine.is_dirty() {
                self.settle(&mut engine);
                last = Instant::now();
            }
            if !barriers.is_empty() {
                self.settle_rest(&mut engine);
            }
            for barrier in barriers {
                // Who asked may have gone.
                let _gone = barrier.send(());
            }
        }
    }

    fn settle(&self, engine: &mut Engine<LocalDisk>) {
        let before = self.shared.read().journal.tick();
        if let Some(tick) = engine.settle() {
            self.publish(before, tick);
        }
        self.show_state(engine);
    }

    /// What could not be looked at because its directory has moved meanwhile: the event that tells where is there by
    /// now, or the directory is gone.
    fn settle_rest(&self, engine: &mut Engine<LocalDisk>) {
        for turn in 0..TURNS {
            if !engine.is_dirty() {
                return;
            }
            self.hub.drain();
            std::mem::take(&mut self.mails.lock().events)
                .into_iter()
                .for_each(|event| engine.note(event));
            if turn > 0 {
                engine.insist();
            }
            self.settle(engine);
        }
    }

    /// Waits for events, and with them until `due`; a barrier waits for nothing. None when it is over.
    fn next_mail(
        &self,
        engine: &mut Engine<LocalDisk>,
        (due, pace): (Instant, Pace),
    ) -> Option<Vec<oneshot::Sender<()>>> {
        let mut mail = self.mails.lock();
        loop {
            if mail.is_over {
                return None;
            }
            let wait = due.saturating_duration_since(Instant::now());
            let has_mail = !mail.events.is_empty();
            if !mail.barriers.is_empty() || (has_mail && wait.is_zero()) {
                let Mail { events, barriers, .. } = std::mem::take(&mut *mail);
                drop(mail);
                events.into_iter().for_each(|event| engine.note(event));
                return Some(barriers);
            }
            let wait = match (has_mail, engine.is_polled()) {
                (true, _) => wait,
                (false, true) => pace.poll,
                (false, false) => FOREVER,
            };
            let (next, waited) = self
                .mails
                .news
                .wait_timeout(mail, wait)
                .unwrap_or_else(PoisonError::into_inner);
            mail = next;
            if !has_mail && waited.timed_out() && engine.is_polled() {
                return Some(Vec::new());
            }
        }
    }

    fn publish(&self, before: u32, tick: u32) {
        let mut state = self.state();
        state.posts.retain(|post| Arc::strong_count(post) > 1);
        if !state.posts.is_empty() {
            let view = self.shared.read();
            let fresh_instance = !view.journal.reaches(before);
            let changes = if fresh_instance {
                everything(&view.tree)
            } else {
                view.journal.since(&view.tree, before)
            };
            drop(view);
            let batch = Batch {
                clock: self.clock_at(tick),
                changes,
                lost_since: None,
                fresh_instance,
            };
            deliver(&state.posts, batch, &self.clock_at(before));
        }
        drop(state);
        self.ticks.send_replace(tick);
    }

    fn show_state(&self, engine: &Engine<LocalDisk>) {
        let mut state = self.state();
        (state.state, state.reason) = match engine.unwatched() {
            _ if engine.is_lost() => (
                TreeState::Unreachable,
                Some("the root is gone or cannot be opened".to_owned()),
            ),
            0 if engine.is_polled() => (
                TreeState::Polling,
                Some("git's own folders have no watch".to_owned()),
            ),
            0 if engine.is_locked() => (TreeState::Checkout, Some("git holds `index.lock`".to_owned())),
            0 if engine.has_extra() => (
                TreeState::Watching,
                Some("`watch.extra_ignores` takes away from what git shows".to_owned()),
            ),
            0 => (TreeState::Watching, None),
            n => {
                let why = "the limit of watches is reached: raise `fs.inotify.max_user_watches` or `watch.max_watches`";
                (
                    TreeState::Polling,
                    Some(format!("{n} directories have no watch, {why}")),
                )
            }
        };
    }
}

/// All that a tree shows, as created.
fn everything(tree: &Nodes) -> Vec<Change> {
    let list = FileList::of(tree, None);
    let nodes = list
        .iter()
        .map(|path| (path, tree.find(path.strip_suffix(b"/").unwrap_or(path))));
    nodes
        .filter_map(|(path, id)| {
            id.map(|id| journal::change(tree, id, ChangeKind::Created, (path.to_vec(), None)))
        })
        .collect()
}

/// Delivers a batch in parts; only the last carries the new clock, so that who stops between asks for all again.
fn deliver(posts: &[Arc<Post>], mut batch: Batch, before: &str) {
    let mut rest = std::mem::take(&mut batch.changes);
    while rest.len() > PART {
        let after = rest.split_off(PART);
        let part = Batch {
            clock: before.to_owned(),
            changes: rest,
            ..batch.clone()
        };
        posts.iter().for_each(|post| post.deliver(&part, before));
        rest = after;
    }
    batch.changes = rest;
    posts.iter().for_each(|post| post.deliver(&batch, before));
}
