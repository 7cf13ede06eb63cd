//! What can go wrong with a schema or an export, in words for the person who must act.

use std::fmt;

/// A failure of this crate.
#[derive(Debug)]
pub enum Error {
    /// The database belongs to a newer build: nothing was touched.
    Newer {
        /// The schema found.
        found: u32,
        /// The newest schema this build knows.
        known: u32,
    },
    /// The database was made with another version of a step that this build also has.
    Altered {
        /// The step's number.
        number: u32,
    },
    /// A step could not be applied or did not validate: nothing of it was kept.
    Step {
        /// The step's number.
        number: u32,
        /// The step's name.
        name: &'static str,
        /// Why.
        why: String,
    },
    /// A record cannot be read in the shape it should have.
    Record {
        /// Space and key.
        key: String,
        /// Why.
        why: String,
    },
    /// An export that is not whole: cut, altered, or no export at all.
    Export(String),
    /// The database itself.
    Db(sled::Error),
    /// The file system.
    Io(std::io::Error),
}

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer { found, known } => {
                write!(
                    f,
                    "the database has schema {found}, and this build knows {known} at most"
                )
            }
            Self::Altered { number } => {
                write!(
                    f,
                    "the database was made with another step {number} than this build's"
                )
            }
            Self::Step { number, name, why } => write!(f, "step {number} `{name}` failed: {why}"),
            Self::Record { key, why } => write!(f, "the record `{key}` cannot be read: {why}"),
            Self::Export(why) => write!(f, "the export is not whole: {why}"),
            Self::Db(error) => write!(f, "the database: {error}"),
            Self::Io(error) => write!(f, "the file system: {error}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<sled::Error> for Error {
    fn from(error: sled::Error) -> Self {
        Self::Db(error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}
