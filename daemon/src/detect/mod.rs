//! Which project a path belongs to (`tocli detect`).
//!
//! `dispatch` asks, and every room that needs the workspace of a caller. Derived by [`answer`] through `Look`, which
//! writes down what the answer came from; kept by `cache` and given again only when all of that is unchanged. What must
//! stay true: an answer reflects every change that had returned before the request came in; nothing is written and no
//! process is started; the daemon's own environment and working directory are never consulted.

mod answer;
mod cache;
#[cfg(test)]
mod cases;
mod git;
mod look;
mod markers;
#[cfg(test)]
mod remembered;
mod resolve;
mod rules;
mod scope;
mod stuck;
mod vcs;
mod vigil;
mod walk;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proto::Caller;
use proto::detect::{Detection, From};
use proto::error::Result;

pub use answer::has_older;
pub use cache::Standing;
pub use markers::CustomMarker;

/// The folder of a project's own things: ours, and the older program's.
const OLDER: &str = ".task_orchestrator";
/// The file in it that says that what the older program left there was imported.
pub const IMPORTED: &str = "legacy-imported.json";

use crate::world::World;
use crate::world::mounts::MountTable;
use cache::{Cache, Question, Seen};
use look::Look;
use stuck::Stuck;

/// What the configuration says about detection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// `detection.prefer_git_root`: a root of version control goes before a marker within it.
    pub prefer_git_root: bool,
    /// `detection.fallback_to_home`: the home directory is better than no workspace.
    pub fallback_to_home: bool,
    /// `detection.custom_markers`.
    pub custom_markers: Vec<CustomMarker>,
    /// Answers kept at most; one per start path, so several times `performance.max_cached_workspaces`.
    pub max_cached: usize,
    /// `performance.cache_ttl_minutes`: how long an unused answer takes up memory.
    pub cache_ttl: Duration,
    /// The configuration's generation: a new one leaves old answers behind.
    pub generation: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            prefer_git_root: true,
            fallback_to_home: true,
            custom_markers: Vec::new(),
            max_cached: 800,
            cache_ttl: Duration::from_secs(300),
            generation: 0,
        }
    }
}

/// Finds projects, and remembers what it found.
#[derive(Default)]
pub struct Detector {
    cache: Cache,
    stuck: Stuck,
    refreshed: AtomicU64,
}

/// Answers that are made anew at a time, so that a storm of changes costs a bounded part of each second.
const AHEAD: usize = 32;

impl Detector {
    /// One that has found nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that asks for no events, so that every remembered answer is checked stamp by stamp.
    #[must_use]
    pub fn by_stamps() -> Self {
        Self {
            cache: Cache::by_stamps(),
            ..Self::default()
        }
    }

    /// The answer, when it is remembered and still true. Touches local file systems only and never waits for long, so
    /// it may be asked where blocking is forbidden; none says nothing but "ask [`Detector::find`]". The mounts are those of
    /// the world since the request came in.
    #[must_use]
    pub fn remembered(
        &self,
        (world, mounts): (&dyn World, &MountTable),
        caller: &Caller,
        from: &From,
        settings: &Settings,
    ) -> Option<Detection> {
        let begun = world.monotonic();
        let question = Question {
            caller,
            from,
            settings,
        };
        let found = self.cache.get((world, mounts), question, begun)?;
        Some(told(world, begun, &found))
    }

    /// The same for whoever needs little of the answer, or what was looked at for it.
    #[must_use]
    pub fn standing(
        &self,
        (world, mounts): (&dyn World, &MountTable),
        caller: &Caller,
        from: &From,
        settings: &Settings,
    ) -> Option<Standing> {
        let question = Question {
            caller,
            from,
            settings,
        };
        self.cache.get((world, mounts), question, world.monotonic())
    }

    /// The answer. May hang where a mount hangs: ask on a thread that may block.
    ///
    /// # Errors
    /// `usage`, `not found` or `refused` for a path that cannot be used; `not found` when there is no workspace;
    /// `unavailable` for a disk that fails and for a mount on which calls hang already.
    pub fn find(
        &self,
        world: &dyn World,
        caller: &Caller,
        from: &From,
        settings: &Settings,
    ) -> Result<Detection> {
        let begun = world.monotonic();
        let question = Question {
            caller,
            from,
            settings,
        };
        if let Some(found) = self.cache.get((world, &world.mounts()), question, begun) {
            return Ok(told(world, begun, &found));
        }
        let mut look = Look::new(world, &self.stuck);
        let answer = answer::derive(&mut look, question)?;
        let seen = Seen {
            table: look.table_version(),
            made: begun,
        };
        if let Some(traces) = look.finish(world.granularity()) {
            self.cache.put(question, &answer, traces, seen);
        }
        Ok(Detection {
            micros: micros(world, begun),
            ..answer
        })
    }

    /// Makes anew, ahead of need, what was remembered and has been touched since: the next question finds it remembered,
    /// and under watch again. Looks at local file systems only. A question checks what it is given all the same.
    pub fn refresh(&self, world: &dyn World) {
        for (caller, from, settings, made) in self.cache.touched(world.monotonic(), AHEAD) {
            let question = Question {
                caller: &caller,
                from: &from,
                settings: &settings,
            };
            let mut look = Look::new(world, &self.stuck);
            let Ok(answer) = answer::derive(&mut look, question) else {
                // There is no project any more: a look at what is remembered lets it go.
                self.cache
                    .get((world, &world.mounts()), question, world.monotonic());
                continue;
            };
            let table = look.table_version();
            // Where a stamp is too young to be trusted, what is remembered stays touched for the next time.
            if let Some(traces) = look.finish(world.granularity()) {
                self.cache.put(question, &answer, traces, Seen { table, made });
                // The first check sets the watches.
                let now = world.monotonic();
                if self.cache.get((world, &world.mounts()), question, now).is_some() {
                    self.refreshed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// How many answers were made anew ahead of need.
    #[must_use]
    pub fn refreshed(&self) -> u64 {
        self.refreshed.load(Ordering::Relaxed)
    }

    /// How many of the user's inotify watches stand for the answers.
    #[must_use]
    pub fn watches(&self) -> usize {
        self.cache.watches()
    }

    /// How many answers are kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.cache.len()
    }
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detector")
            .field("kept", &self.kept())
            .finish_non_exhaustive()
    }
}

fn told(world: &dyn World, begun: Duration, found: &Standing) -> Detection {
    Detection {
        micros: micros(world, begun),
        ..found.answer().clone()
    }
}

fn micros(world: &dyn World, begun: Duration) -> u64 {
    u64::try_from(world.monotonic().saturating_sub(begun).as_micros()).unwrap_or(u64::MAX)
}
