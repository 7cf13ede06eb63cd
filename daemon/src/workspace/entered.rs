//! Which workspace each tree in use belongs to, and who has called for it, in memory.
//!
//! Asked by `daemon status`, which must not wait for anything. What must stay true: only the registry fills it, so what
//! stands here was recognised in this run of the daemon.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::RawPath;
use proto::error::{Error, Result};

use super::registry::WorkspaceScope;

/// Trees by their root: id and root of the workspace.
#[derive(Debug, Default)]
pub struct Entered {
    trees: Mutex<BTreeMap<PathBuf, (String, PathBuf)>>,
    visits: Mutex<BTreeMap<(String, String), Visit>>,
    /// How often each is closed.
    closed: Mutex<BTreeMap<String, usize>>,
    opened: Condvar,
}

/// How long a request waits for a workspace that is closed: less than a request that only looks may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// A workspace into which nobody looks until this is dropped.
#[derive(Debug)]
pub struct Closed<'a> {
    entered: &'a Entered,
    workspace: String,
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        let mut closed = self.entered.closed_ones();
        if let Some(times) = closed.get_mut(&self.workspace) {
            *times -= 1;
        }
        closed.retain(|_, times| *times > 0);
        drop(closed);
        self.entered.opened.notify_all();
    }
}

/// The calls of an actor for a workspace since somebody last took note of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Nanoseconds since 1970 UTC.
    pub first: i64,
    /// Nanoseconds since 1970 UTC.
    pub last: i64,
    /// The checkout that the first was from.
    pub tree: Option<RawPath>,
}

impl Entered {
    /// The workspace of a tree: id and root.
    #[must_use]
    pub fn of(&self, tree: &Path) -> Option<(String, PathBuf)> {
        self.held().get(tree).cloned()
    }

    /// All of them, for the next image of the daemon: tree, id, root.
    #[must_use]
    pub fn all(&self) -> Vec<(PathBuf, String, PathBuf)> {
        let all =
            |(tree, (id, root)): (&PathBuf, &(String, PathBuf))| (tree.clone(), id.clone(), root.clone());
        self.held().iter().map(all).collect()
    }

    /// Goes on with what the image before had recognised.
    pub fn go_on_with(&self, all: impl IntoIterator<Item = (PathBuf, String, PathBuf)>) {
        self.held()
            .extend(all.into_iter().map(|(tree, id, root)| (tree, (id, root))));
    }

    /// An actor calls for a workspace, from a checkout of it where that is known.
    pub fn visited(&self, (workspace, actor): (&str, &str), tree: Option<&Path>, now: i64) {
        let mut visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        let visit = visits.entry((workspace.to_owned(), actor.to_owned()));
        let visit = visit.or_insert_with(|| Visit {
            first: now,
            last: now,
            tree: tree.map(RawPath::from),
        });
        visit.last = visit.last.max(now);
    }

    /// The calls since the last time this was asked: workspace, actor, when.
    pub fn take_visits(&self) -> Vec<(String, String, Visit)> {
        let taken = std::mem::take(&mut *self.visits.lock().unwrap_or_else(PoisonError::into_inner));
        taken
            .into_iter()
            .map(|((workspace, actor), visit)| (workspace, actor, visit))
            .collect()
    }

    /// Closes a workspace: who asks for it from now on waits until what comes in several batches is there as a whole.
    #[must_use]
    pub fn close(&self, workspace: &str) -> Closed<'_> {
        *self.closed_ones().entry(workspace.to_owned()).or_default() += 1;
        Closed {
            entered: self,
            workspace: workspace.to_owned(),
        }
    }

    /// Waits while a workspace is closed.
    ///
    /// # Errors
    /// `Unavailable` when it stays so for too long.
    pub(super) fn until_open(&self, workspace: &str) -> Result<()> {
        let closed = self.closed_ones();
        let closed = self
            .opened
            .wait_timeout_while(closed, PATIENCE, |closed| closed.contains_key(workspace));
        let (closed, _) = closed.unwrap_or_else(PoisonError::into_inner);
        match closed.contains_key(workspace) {
            false => Ok(()),
            true => Err(Error::unavailable("an import into this workspace is under way")
                .why("its records are shown when all of them are there")
                .next("ask again in a moment")),
        }
    }

    fn closed_ones(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, scope: &WorkspaceScope) {
        let workspace = (scope.id().to_owned(), scope.root().to_path_buf());
        self.held().insert(scope.tree().to_path_buf(), workspace);
    }

    /// A workspace was forgotten or is elsewhere now: its trees are recognised again at their next use.
    pub(super) fn drop_all_of(&self, id: &str) {
        self.held().retain(|_, (of, _)| of != id);
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<PathBuf, (String, PathBuf)>> {
        self.trees.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
