//! Why a database cannot be read, in words for the person who named it.

use std::fmt;

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is no SQLite database.
    NotSqlite,
    /// It is one, and none of the Task Orchestrator.
    Unknown(String),
    /// It is over a limit.
    TooLarge(String),
    /// It took too long.
    TooSlow,
    /// It is damaged.
    Damaged(String),
    /// A file cannot be read or written.
    Io(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSqlite => f.write_str("it is no SQLite database"),
            Self::Unknown(why) => write!(f, "it holds no tables of the Task Orchestrator: {why}"),
            Self::TooLarge(why) => write!(f, "it is too large: {why}"),
            Self::TooSlow => f.write_str("reading it takes too long"),
            Self::Damaged(why) => write!(f, "it is damaged: {why}"),
            Self::Io(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Trouble {}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotSqlite,
            Some(ErrorCode::OperationInterrupted) => Self::TooSlow,
            Some(ErrorCode::TooBig) => Self::TooLarge("a value is over the limit".to_owned()),
            Some(ErrorCode::OutOfMemory) => Self::TooLarge("it takes more memory than is allowed".to_owned()),
            _ => Self::Damaged(error.to_string()),
        }
    }
}
