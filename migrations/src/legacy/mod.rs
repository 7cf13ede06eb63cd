//! Databases of the Python MCP Task Orchestrator, 1.2 to 2.0: what they hold, read and nothing else.
//!
//! Asked by the daemon's import. They carry no version, so they are told apart by their tables and columns. Whoever asks
//! opens the files and names a folder for a private copy ([`copy`]); only that copy is opened as a database, because
//! opening one may change it. What must stay true: nothing in a database decides how long or how much is read; no
//! trigger, view or function of it is run; a damaged one gives what can be read of it and says what cannot.

mod copy;
mod first;
mod recognise;
mod second;
mod sqlite;
mod times;
mod trouble;

pub use copy::{Copied, Originals, SUFFIXES, Scratch, copy};
pub use recognise::Version;
pub use trouble::Trouble;

use jiff::tz::TimeZone;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

use sqlite::Database;

/// How much is read at most.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one database, its `-wal` counted.
    pub bytes: u64,
    /// Rows of one table.
    pub rows: usize,
    /// Bytes of all that is held in memory at a time.
    pub memory: usize,
    /// Bytes of one text. A longer one is left out, and said to be.
    pub text: usize,
    /// How long the reading may take in all.
    pub time: Duration,
    /// The time zone in which the program ran.
    pub zone: TimeZone,
}

impl Limits {
    /// Far more than any real database has.
    #[must_use]
    pub fn usual(zone: TimeZone) -> Self {
        Self {
            bytes: 2 << 30,
            rows: 100_000,
            memory: 256 << 20,
            text: 4 << 20,
            time: Duration::from_secs(120),
            zone,
        }
    }
}

/// A task or a breakdown without its long texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OldTask {
    /// Where its texts are: the table and the row.
    pub place: Place,
    /// Its id, whatever it looks like.
    pub id: String,
    /// The breakdown or task it belongs to.
    pub parent: Option<String>,
    /// One line, if it had one.
    pub title: String,
    /// The kind of worker.
    pub specialist: String,
    /// As it was written.
    pub effort: String,
    /// As it was written.
    pub complexity: String,
    /// As it was written; none for a breakdown of 1.x, which has none.
    pub status: Option<String>,
    /// The ids that must be done first, as they were written.
    pub after: Vec<String>,
    /// The artifacts it names: paths.
    pub artifacts: Vec<String>,
    /// Nanoseconds since 1970 UTC.
    pub created: Option<i64>,
    /// Nanoseconds since 1970 UTC.
    pub updated: Option<i64>,
    /// Nanoseconds since 1970 UTC.
    pub completed: Option<i64>,
}

/// Where a row is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// A row of `task_breakdowns`.
    Breakdown(i64),
    /// A row of `subtasks`.
    Subtask(i64),
    /// A row of `tasks`.
    Task(i64),
    /// Nowhere: it has no texts.
    #[default]
    Nowhere,
}

/// The long texts of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OldTexts {
    /// What is to be done.
    pub description: String,
    /// What one needs to know.
    pub context: String,
    /// What was done.
    pub results: String,
}

/// An artifact that has a row of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldArtifact {
    /// Its id.
    pub id: String,
    /// The task.
    pub task: String,
    /// Its name or its path.
    pub name: String,
    /// As it was written.
    pub kind: String,
    /// What it says, where that stands in the database.
    pub content: Option<String>,
    /// Where the file was, where it has one.
    pub path: Option<String>,
    /// Nanoseconds since 1970 UTC.
    pub created: Option<i64>,
}

/// A row that is kept whole.
#[derive(Clone, Debug, PartialEq)]
pub struct OldRow {
    /// Its id.
    pub id: String,
    /// All its columns; lists that were JSON as text are lists.
    pub columns: serde_json::Map<String, Value>,
    /// Nanoseconds since 1970 UTC.
    pub created: Option<i64>,
}

/// A row that cannot be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// What it is: `task`, `artifact`, `decision`, `file_operation`, `archive`.
    pub what: &'static str,
    /// Its id, or where it stands.
    pub id: String,
    /// Why.
    pub why: String,
}

/// What a database holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// Breakdowns first, each list in the order of the rows.
    pub tasks: Vec<OldTask>,
    /// Those with rows of their own.
    pub artifacts: Vec<OldArtifact>,
    /// `architectural_decisions`.
    pub decisions: Vec<OldRow>,
    /// `file_operations`.
    pub file_operations: Vec<OldRow>,
    /// `task_archives`.
    pub archives: Vec<OldRow>,
    /// Rows of these that are left out.
    pub left: Vec<Left>,
    /// What somebody should know, a sentence each.
    pub warnings: Vec<String>,
}

/// An open copy.
pub struct Legacy {
    database: Database,
    version: Version,
    limits: Limits,
}

impl Legacy {
    /// Opens a private copy.
    ///
    /// # Errors
    /// [`Trouble`] when it is no SQLite database, cannot be read, or holds no tables of the program.
    pub fn open(copy: &Path, limits: Limits) -> Result<Self, Trouble> {
        let database = Database::open(copy, &limits)?;
        let version = recognise::version(&database)?;
        Ok(Self {
            database,
            version,
            limits,
        })
    }

    /// Which release wrote it.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// All it holds but the long texts.
    ///
    /// # Errors
    /// [`Trouble`] when nothing of its tasks can be read, or there is too much.
    pub fn contents(&self) -> Result<Contents, Trouble> {
        match self.version {
            Version::V2_0 => second::contents(&self.database, &self.limits),
            _ => first::contents(&self.database, &self.limits),
        }
    }

    /// The long texts of a task, and what was left out of them.
    ///
    /// # Errors
    /// [`Trouble`] when the row cannot be read.
    pub fn texts(&self, place: Place) -> Result<(OldTexts, Vec<String>), Trouble> {
        match place {
            Place::Task(row) => second::texts(&self.database, row),
            Place::Nowhere => Ok((OldTexts::default(), Vec::new())),
            place => first::texts(&self.database, place),
        }
    }
}

/// A list that is JSON as text, also when it was encoded twice; what is not text in it becomes text.
pub(crate) fn list(text: &str) -> Option<Vec<String>> {
    let items = match serde_json::from_str(text).ok()? {
        Value::Array(items) => items,
        Value::String(inner) => return list(&inner),
        Value::Null => Vec::new(),
        _ => return None,
    };
    let word = |item: Value| match item {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Some(items.into_iter().map(word).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written_once_or_twice() {
        let two = Some(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(list(r#"["a","b"]"#), two);
        assert_eq!(list(r#""[\"a\",\"b\"]""#), two);
        assert_eq!(list("null"), Some(Vec::new()));
        assert_eq!(list("[1]"), Some(vec!["1".to_owned()]));
        for no in ["", "a", "{}", "[", "7"] {
            assert_eq!(list(no), None, "{no}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(list(&deep), None);
    }
}
