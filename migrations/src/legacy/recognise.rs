//! Which release wrote a database. None of them says so: its tables and columns do.

use std::fmt;

use super::Trouble;
use super::sqlite::Database;

/// The last release with a form: 1.3 and 1.4 are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(non_camel_case_types, reason = "they are the names of releases")]
pub enum Version {
    /// Two tables.
    V1_2,
    /// And locks.
    V1_4,
    /// And decisions and file operations.
    V1_5,
    /// And a history of migrations.
    V1_6,
    /// And workspaces.
    V1_8,
    /// One table of tasks.
    V2_0,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_2 => "1.2",
            Self::V1_4 => "1.4",
            Self::V1_5 => "1.5",
            Self::V1_6 => "1.6",
            Self::V1_8 => "1.8",
            Self::V2_0 => "2.0",
        })
    }
}

/// What a table must have to be one of the program's.
const SUBTASKS: [&str; 4] = ["task_id", "parent_task_id", "title", "status"];
const TASKS: [&str; 4] = ["id", "type", "status", "metadata"];

pub(super) fn version(database: &Database) -> Result<Version, Trouble> {
    let all = |table: &str, columns: &[&str]| {
        database.has(table) && columns.iter().all(|column| database.has_column(table, column))
    };
    if all("subtasks", &SUBTASKS) && all("task_breakdowns", &["parent_task_id"]) {
        let workspaces = database.has("workspaces") || database.has_column("subtasks", "workspace_id");
        return Ok(if workspaces {
            Version::V1_8
        } else if database.has("migration_history") {
            Version::V1_6
        } else if database.has("architectural_decisions") || database.has("file_operations") {
            Version::V1_5
        } else if database.has("lock_tracking") {
            Version::V1_4
        } else {
            Version::V1_2
        });
    }
    if all("tasks", &TASKS) {
        return Ok(Version::V2_0);
    }
    const NAMED: usize = 8;
    let names: Vec<&str> = database.names().take(NAMED).collect();
    Err(Trouble::Unknown(match names.as_slice() {
        [] => "it has no table".to_owned(),
        names => format!("it has {}", names.join(", ")),
    }))
}
