//! Which workspace each tree in use belongs to, in memory.
//!
//! Asked by `daemon status`, which must not wait for anything. What must stay true: only the registry fills it, so what
//! stands here was recognised in this run of the daemon.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::registry::WorkspaceScope;

/// Trees by their root: id and root of the workspace.
#[derive(Debug, Default)]
pub struct Entered(Mutex<BTreeMap<PathBuf, (String, PathBuf)>>);

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

    pub(super) fn note(&self, scope: &WorkspaceScope) {
        let workspace = (scope.id().to_owned(), scope.root().to_path_buf());
        self.held().insert(scope.tree().to_path_buf(), workspace);
    }

    /// A workspace was forgotten or is elsewhere now: its trees are recognised again at their next use.
    pub(super) fn drop_all_of(&self, id: &str) {
        self.held().retain(|_, (of, _)| of != id);
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<PathBuf, (String, PathBuf)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
