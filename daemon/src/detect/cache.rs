//! Answers kept with what they were derived from.
//!
//! The door asks before it derives and tells after. What must stay true: an answer is given only after each thing it
//! came from was found unchanged *by this request*, by the kernel's own queue of events or by a stamp each; a check never
//! touches a path that may hang; entries are bounded in number and age, which bounds memory only, never freshness.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::RawPath;
use proto::caller::{CLIENT_DIRECTORIES, Caller, LISTED};
use proto::detect::{Detection, From};

use super::Settings;
use super::look::Trace;
use super::vigil::{Post, Vigil};
use crate::world::mounts::MountTable;
use crate::world::{Stat, World};

/// All that an answer depends on beside the disk, borrowed from a request.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    /// Who asks.
    pub(super) caller: &'a Caller,
    /// From where.
    pub(super) from: &'a From,
    /// Under which settings.
    pub(super) settings: &'a Settings,
}

/// The same, kept.
#[derive(Debug)]
struct Kept {
    from: From,
    cwd: Option<RawPath>,
    vars: Vec<(String, RawPath)>,
    settings: Settings,
}

#[derive(Debug)]
struct Entry {
    question: Kept,
    answer: Detection,
    root: PathBuf,
    traces: Box<[Trace]>,
    /// The mount table by which every trace was last known to lie on a local file system.
    table: AtomicU64,
    made: Duration,
    used: AtomicU64,
    post: Post,
    /// When it was last asked whether one may write, in milliseconds of the monotonic clock.
    asked: AtomicU64,
}

/// An answer from memory, all of whose grounds were found as they were by the request that asked.
#[derive(Clone, Debug)]
pub struct Standing(Arc<Entry>);

impl Standing {
    /// The answer, as it was when it was derived.
    #[must_use]
    pub fn answer(&self) -> &Detection {
        &self.0.answer
    }

    /// How a regular file was found by the request, where it has looked at that for the answer.
    #[must_use]
    pub fn seen(&self, path: &[u8]) -> Option<Stat> {
        let mut files = self.0.traces.iter().filter(|trace| trace.is_content());
        files
            .find(|trace| trace.path().as_os_str().as_bytes() == path)?
            .stat()
    }
}

/// For so long a root stays as writable as it was while no event tells otherwise: what no event tells is a file system
/// that turned itself read-only after an error.
const WRITABLE_MILLIS: u64 = 250;

/// The circumstances of an answer.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    /// The version of the mount table before anything was looked at.
    pub(super) table: u64,
    /// When the request came in.
    pub(super) made: Duration,
}

/// The answers.
#[derive(Default)]
pub(super) struct Cache {
    hasher: RandomState,
    entries: Mutex<HashMap<u64, Arc<Entry>>>,
    uses: AtomicU64,
    vigil: Vigil,
}

impl<'a> Question<'a> {
    /// The working directory, where the answer depends on it.
    fn cwd(&self) -> Option<&'a RawPath> {
        match self.from {
            From::Caller => Some(&self.caller.cwd),
            From::Start(path) | From::Explicit(path) => {
                (path.as_bytes().first() != Some(&b'/')).then_some(&self.caller.cwd)
            }
        }
    }

    fn vars(&self) -> impl Iterator<Item = &'a (String, RawPath)> + use<'a> {
        let counts = |name: &str| CLIENT_DIRECTORIES.contains(&name) || LISTED.contains(&name);
        self.caller.vars.iter().filter(move |(name, _)| counts(name))
    }

    fn hash(&self, hasher: &RandomState) -> u64 {
        struct Borrowed<'q, 'a>(&'q Question<'a>);
        impl Hash for Borrowed<'_, '_> {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.from.hash(state);
                self.0.cwd().hash(state);
                self.0.vars().for_each(|pair| pair.hash(state));
                self.0.settings.hash(state);
            }
        }
        hasher.hash_one(Borrowed(self))
    }

    fn is(&self, kept: &Kept) -> bool {
        *self.from == kept.from
            && self.cwd() == kept.cwd.as_ref()
            && self.vars().eq(kept.vars.iter())
            && *self.settings == kept.settings
    }

    fn keep(&self) -> Kept {
        Kept {
            from: self.from.clone(),
            cwd: self.cwd().cloned(),
            vars: self.vars().cloned().collect(),
            settings: self.settings.clone(),
        }
    }
}

impl Cache {
    /// One that goes by the stamps alone.
    pub(super) fn by_stamps() -> Self {
        Self {
            vigil: Vigil::none(),
            ..Self::default()
        }
    }

    /// How many watches stand for the answers.
    pub(super) fn watches(&self) -> usize {
        self.vigil.watches()
    }

    /// The answer, if there is one and the disk still says so; what is mounted was asked for this very request.
    pub(super) fn get(
        &self,
        (world, mounts): (&dyn World, &MountTable),
        question: Question<'_>,
        now: Duration,
    ) -> Option<Standing> {
        let hash = question.hash(&self.hasher);
        let entry = self.lock().get(&hash).cloned()?;
        if !question.is(&entry.question) {
            return None;
        }
        let fresh = now.saturating_sub(entry.made) <= question.settings.cache_ttl;
        if fresh && entry.holds((world, mounts), &self.vigil, millis(now)) {
            entry
                .used
                .store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
            return Some(Standing(entry));
        }
        let mut entries = self.lock();
        if entries.get(&hash).is_some_and(|now| Arc::ptr_eq(now, &entry)) {
            entries.remove(&hash);
            self.vigil.dismiss(entry.post);
        }
        None
    }

    /// Keeps an answer with what it came from, and under which circumstances.
    pub(super) fn put(&self, question: Question<'_>, answer: &Detection, traces: Box<[Trace]>, seen: Seen) {
        let Seen { table, made } = seen;
        let entry = Entry {
            question: question.keep(),
            answer: Detection {
                cached: true,
                ..answer.clone()
            },
            root: answer.root.to_path_buf(),
            traces,
            table: AtomicU64::new(table),
            made,
            used: AtomicU64::new(self.uses.fetch_add(1, Ordering::Relaxed)),
            post: self.vigil.post(),
            asked: AtomicU64::new(0),
        };
        let limit = question.settings.max_cached;
        let mut entries = self.lock();
        if let Some(old) = entries.insert(question.hash(&self.hasher), Arc::new(entry)) {
            self.vigil.dismiss(old.post);
        }
        if entries.len() > limit {
            entries.retain(|_, entry| {
                let fresh = made.saturating_sub(entry.made) <= question.settings.cache_ttl;
                if !fresh {
                    self.vigil.dismiss(entry.post);
                }
                fresh
            });
        }
        while entries.len() > limit {
            let oldest = entries
                .iter()
                .min_by_key(|(_, entry)| entry.used.load(Ordering::Relaxed))
                .map(|(hash, _)| *hash);
            if let Some(old) = oldest.and_then(|hash| entries.remove(&hash)) {
                self.vigil.dismiss(old.post);
            }
        }
    }

    /// Whether something that an answer came from has been touched since it was given last; each such question, no more
    /// than `most`, as it was asked and with the moment at which its memory began. From memory and the queue of events.
    pub(super) fn touched(&self, now: Duration, most: usize) -> Vec<(Caller, From, Settings, Duration)> {
        let all: Vec<Arc<Entry>> = self.lock().values().cloned().collect();
        // One that nobody has asked for since is let go when its time has come.
        let is_young =
            |entry: &&Arc<Entry>| now.saturating_sub(entry.made) <= entry.question.settings.cache_ttl;
        let posts = self
            .vigil
            .touched(all.iter().filter(is_young).map(|entry| entry.post).collect());
        let touched = all.iter().filter(|entry| posts.contains(&entry.post)).take(most);
        touched
            .map(|entry| {
                let Kept {
                    from,
                    cwd,
                    vars,
                    settings,
                } = &entry.question;
                let caller = Caller {
                    cwd: cwd.clone().unwrap_or_default(),
                    vars: vars.clone(),
                    ..Caller::default()
                };
                (caller, from.clone(), settings.clone(), entry.made)
            })
            .collect()
    }

    /// How many answers are kept.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn holds(&self, (world, table): (&dyn World, &MountTable), vigil: &Vigil, now: u64) -> bool {
        if table.version == self.table.load(Ordering::Relaxed) {
            if vigil.is_quiet(self.post) {
                return self
                    .traces
                    .iter()
                    .all(|trace| !trace.is_content() || trace.holds(world))
                    && self.may_still_write(world, now);
            }
        } else if self
            .traces
            .iter()
            .any(|trace| table.remote_on_the_way(trace.path()).is_some())
        {
            return false;
        }
        let round = vigil.stand(self.post, world, &self.traces);
        // Root first: what lies beyond a changed link is never touched.
        let holds = self.traces.iter().all(|trace| trace.holds(world)) && self.may_write(world, now);
        if holds {
            self.table.store(table.version, Ordering::Relaxed);
            round
                .into_iter()
                .for_each(|round| vigil.checked(self.post, round));
        }
        holds
    }

    fn may_still_write(&self, world: &dyn World, now: u64) -> bool {
        now.saturating_sub(self.asked.load(Ordering::Relaxed)) <= WRITABLE_MILLIS
            || self.may_write(world, now)
    }

    fn may_write(&self, world: &dyn World, now: u64) -> bool {
        let holds = world.may_write(&self.root) == self.answer.writable;
        if holds {
            self.asked.store(now, Ordering::Relaxed);
        }
        holds
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
