//! The records of the registry: one for each workspace, one for each linked worktree of it.
//!
//! Asked by `registry` and the doors. Keys: `row/<id>`, `tree/<id>/<digest of the path>` and `used/<id>`, which stands
//! apart from the row because it is written under the workspace's own lock. What must stay true: an id
//! is never given twice, so records of other rooms that begin with it belong to one workspace for ever.

use std::collections::BTreeSet;

use proto::detect::Method;
use proto::{Error, RawPath, error::Result};
use serde::{Deserialize, Serialize};

use super::rules::{Identity, Known};
use crate::db::{Batch, Db, Record, Space};

/// Where the registry is kept.
pub const SPACE: Space = Space::new("workspace");

/// Spaces of later rooms whose keys begin with the workspace's id and a `/`, and what their records are called.
pub const BY_WORKSPACE: [(Space, &str); 24] = [
    (Space::new("task"), "tasks"),
    (Space::new("task_text"), "texts of tasks"),
    (Space::new("task_past"), "changes of tasks"),
    (Space::new("task_past_text"), "old texts of tasks"),
    (Space::new("task_note"), "notes on tasks"),
    (Space::new("task_head"), "counters of tasks"),
    (Space::new("task_mail"), "addresses of notes on tasks"),
    (Space::new("audit"), "audit events"),
    (Space::new("artifact"), "artifacts"),
    (Space::new("artifact_version"), "versions of artifacts"),
    (Space::new("artifact_draft"), "uploads"),
    (Space::new("artifact_head"), "counters of artifacts"),
    (Space::new("artifact_due"), "notes on files of artifacts"),
    (Space::new("decision"), "decisions"),
    (Space::new("context_note"), "notes"),
    (Space::new("context_head"), "counters of notes"),
    (Space::new("context_open"), "open sessions"),
    (Space::new("context_over"), "ended sessions"),
    (Space::new("decision_head"), "counters of decisions"),
    (Space::new("decision_file"), "files of decisions"),
    (Space::new("decision_due"), "notes on files of decisions"),
    (Space::new("legacy"), "records of imports"),
    (Space::new("exchange"), "imports under way"),
    (Space::new("exchange_file"), "files of imports"),
];

/// One workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// `ws_<12 hex>`.
    pub id: String,
    /// Absolute, links resolved.
    pub root: RawPath,
    /// Display name.
    pub name: String,
    /// How it was found.
    pub method: Method,
    /// Out of 10.
    pub confidence: u8,
    /// The strongest project type.
    pub project_type: Option<String>,
    /// Nanoseconds since 1970 UTC.
    pub created: i64,
    /// Nanoseconds since 1970 UTC, at most an hour behind.
    pub last_access: i64,
    /// Which directory the root is.
    pub identity: Identity,
    /// When it was forgotten, nanoseconds since 1970 UTC.
    pub forgotten: Option<i64>,
}

impl Record for Row {
    const SPACE: Space = SPACE;
    const VERSION: u8 = 1;
}

impl Row {
    /// What recognising needs of it; `used` says whether something was ever written to it.
    #[must_use]
    pub fn known(&self, used: &BTreeSet<String>) -> Known<'_> {
        Known {
            id: &self.id,
            root: self.root.as_path(),
            identity: self.identity,
            used: used.contains(&self.id),
            forgotten: self.forgotten.is_some(),
        }
    }

    /// Puts it.
    ///
    /// # Errors
    /// When it cannot be written as a record.
    pub fn put(&self, batch: &mut Batch) -> Result<()> {
        batch.put(SPACE, &row_key(&self.id), self.encode()?);
        Ok(())
    }
}

/// One linked worktree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// Absolute, links resolved.
    pub root: RawPath,
    /// When it was first seen, nanoseconds since 1970 UTC.
    pub since: i64,
}

impl Record for Tree {
    const SPACE: Space = SPACE;
    const VERSION: u8 = 1;
}

fn row_key(id: &str) -> Vec<u8> {
    format!("row/{id}").into_bytes()
}

fn tree_prefix(id: &str) -> Vec<u8> {
    format!("tree/{id}/").into_bytes()
}

fn tree_key(id: &str, root: &RawPath) -> Vec<u8> {
    let digest = blake3::hash(root.as_bytes()).to_hex();
    let mut key = tree_prefix(id);
    key.extend_from_slice(&digest.as_bytes()[..32]);
    key
}

/// All workspaces, forgotten ones included.
///
/// # Errors
/// When the database cannot be read.
pub fn rows(db: &Db) -> Result<Vec<Row>> {
    db.scan(SPACE, b"row/")
        .map(|pair| pair.and_then(|(key, bytes)| Row::decode(&key, &bytes)))
        .collect()
}

/// The workspace with an id.
///
/// # Errors
/// `not found`, or when the database cannot be read.
pub fn row(db: &Db, id: &str) -> Result<Row> {
    db.record(&row_key(id))?.ok_or_else(|| {
        Error::not_found(format!("there is no workspace `{id}`"))
            .next("see `tocli workspace list --forgotten`")
    })
}

/// The ids of the workspaces to which something was ever written.
///
/// # Errors
/// When the database cannot be read.
pub fn used(db: &Db) -> Result<BTreeSet<String>> {
    let id = |key: &[u8]| String::from_utf8_lossy(key.get(5..).unwrap_or_default()).into_owned();
    db.scan(SPACE, b"used/")
        .map(|pair| pair.map(|(key, _)| id(&key)))
        .collect()
}

/// Whether something was ever written to a workspace.
///
/// # Errors
/// When the database cannot be read.
pub fn is_used(db: &Db, id: &str) -> Result<bool> {
    Ok(db.get(SPACE, &used_key(id))?.is_some())
}

/// Notes that something is written to a workspace.
pub fn put_used(batch: &mut Batch, id: &str) {
    batch.put(SPACE, &used_key(id), vec![1]);
}

fn used_key(id: &str) -> Vec<u8> {
    format!("used/{id}").into_bytes()
}

/// The linked worktrees of a workspace, by path.
///
/// # Errors
/// When the database cannot be read.
pub fn trees(db: &Db, id: &str) -> Result<Vec<RawPath>> {
    let pairs = db.scan(SPACE, &tree_prefix(id));
    let trees = pairs.map(|pair| pair.and_then(|(key, bytes)| Tree::decode(&key, &bytes)));
    let mut roots: Vec<RawPath> = trees
        .map(|tree| tree.map(|tree| tree.root))
        .collect::<Result<_>>()?;
    roots.sort();
    Ok(roots)
}

/// Whether a tree is on record.
///
/// # Errors
/// When the database cannot be read.
pub fn has_tree(db: &Db, id: &str, root: &RawPath) -> Result<bool> {
    Ok(db.get(SPACE, &tree_key(id, root))?.is_some())
}

/// Puts a tree.
///
/// # Errors
/// When it cannot be written as a record.
pub fn put_tree(batch: &mut Batch, id: &str, tree: &Tree) -> Result<()> {
    batch.put(SPACE, &tree_key(id, &tree.root), tree.encode()?);
    Ok(())
}

/// Removes the registry's records of a workspace.
///
/// # Errors
/// When the database cannot be read.
pub fn erase(db: &Db, batch: &mut Batch, id: &str) -> Result<()> {
    for pair in db.scan(SPACE, &tree_prefix(id)) {
        batch.delete(SPACE, &pair?.0);
    }
    super::spool::erase(batch, id);
    batch.delete(SPACE, &used_key(id));
    batch.delete(SPACE, &row_key(id));
    Ok(())
}

/// How many records of a space belong to a workspace.
///
/// # Errors
/// When the database cannot be read.
pub fn count(db: &Db, space: Space, id: &str) -> Result<u64> {
    let mut count = 0;
    for pair in db.scan(space, format!("{id}/").as_bytes()) {
        pair?;
        count += 1;
    }
    Ok(count)
}
