//! Which workspace each tree in use belongs to, and who has called for it, in memory.
//!
//! Asked by `daemon status`, which must not wait for anything. What must stay true: only the registry fills it, so what
//! stands here was recognised in this run of the daemon.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use proto::RawPath;

use super::registry::WorkspaceScope;

/// Trees by their root: id and root of the workspace.
#[derive(Debug, Default)]
pub struct Entered {
    trees: Mutex<BTreeMap<PathBuf, (String, PathBuf)>>,
    visits: Mutex<BTreeMap<(String, String), Visit>>,
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
