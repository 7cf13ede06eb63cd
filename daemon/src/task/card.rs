//! The stored shapes of a task, version 1: frozen once released, a change is a migration.
//!
//! A task is two records: the *card*, which the board holds in memory, and the *texts*, which only `show` and `execute`
//! read. What must stay true: a card within its limits (`rules.rs`) encodes to less than a store value may have.

use proto::RawPath;
use proto::task::{Complexity, Link, Priority, Status};
use serde::{Deserialize, Serialize};

/// Who holds a task. When the lease ends is known to the board alone: it is counted in time in which the daemon ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Their name.
    pub actor: String,
    /// Nanoseconds since 1970 UTC.
    pub since: i64,
    /// What the task goes back to when it is given up.
    pub back: Status,
}

/// A task without its long texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Unique in the workspace.
    pub id: String,
    /// The order in which tasks were made, from 1.
    pub born: u64,
    /// One line.
    pub title: String,
    /// The kind of worker.
    pub specialist: String,
    /// Where it stands.
    pub status: Status,
    /// What it was before it was put away.
    pub archived_from: Option<Status>,
    /// The group it belongs to.
    pub parent: Option<String>,
    /// What must be completed first.
    pub after: Vec<String>,
    /// What comes first.
    pub priority: Priority,
    /// How involved it is.
    pub complexity: Option<Complexity>,
    /// What it takes, in words.
    pub effort: Option<String>,
    /// Sorted, each once.
    pub labels: Vec<String>,
    /// The name of its creator.
    pub created_by: String,
    /// Nanoseconds since 1970 UTC.
    pub created: i64,
    /// Nanoseconds since 1970 UTC.
    pub updated: i64,
    /// Nanoseconds since 1970 UTC.
    pub started: Option<i64>,
    /// Nanoseconds since 1970 UTC.
    pub finished: Option<i64>,
    /// Who holds it.
    pub hold: Option<Hold>,
    /// How many leases on it have expired.
    pub attempts: u32,
    /// Grows by one with every change.
    pub revision: u64,
    /// The number of the workspace's change that made this revision: what was changed together is undone together.
    pub change: u64,
    /// Why it is blocked, failed, cancelled or returned.
    pub reason: Option<String>,
}

impl Card {
    /// Whether those who depend on it may begin.
    #[must_use]
    pub fn satisfies(&self) -> bool {
        self.status == Status::Completed || self.archived_from == Some(Status::Completed)
    }
}

/// The long texts of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Texts {
    /// What is to be done.
    pub description: String,
    /// What one needs to know for it.
    pub context: String,
    /// What was done.
    pub summary: String,
    /// Where it came from and what it led to.
    pub links: Vec<Link>,
    /// The checkout it was made in, when the workspace has several.
    pub tree: Option<RawPath>,
}

/// One change of one task, with what it was before. That it was made has no record of its own: the card says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Nanoseconds since 1970 UTC.
    pub time: i64,
    /// Who.
    pub actor: String,
    /// The word of the change.
    pub op: String,
    /// The status it led to.
    pub to: Status,
    /// The fields that were changed.
    pub fields: Vec<String>,
    /// The card before it.
    pub before: Card,
    /// Whether the texts before it are kept too (they were changed).
    pub texts: bool,
}

/// A remark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Nanoseconds since 1970 UTC.
    pub time: i64,
    /// Who wrote it.
    pub actor: String,
    /// Whom it is for.
    pub to: Option<String>,
    /// What it says.
    pub text: String,
}
