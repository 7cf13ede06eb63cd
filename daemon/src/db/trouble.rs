//! What can stand in the way of a database, sorted by what to do about it.
//!
//! Asked by the ladder in `open` and by `Db` after a failed write. sled tells a held lock only by its text, panics where
//! others return errors, and calls a full disk an I/O error like any other: it is sorted out here, once.

use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

use proto::Error;

/// Why a database could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Its contents are not what was stored: climb the ladder.
    Damaged(String),
    /// Another process, or a handle that is still being dropped, holds the lock.
    Busy,
    /// There is no room: sled refuses everything from then on, until it is opened anew.
    Full(String),
    /// The system does not allow it now: nothing to repair, try again later.
    Unavailable(String),
}

impl Trouble {
    pub(super) fn damaged(why: impl ToString) -> Self {
        Self::Damaged(why.to_string())
    }

    pub(super) fn from_io(error: &io::Error) -> Self {
        match error.kind() {
            // A file that the log speaks of is missing, or shorter than it says.
            ErrorKind::NotFound
            | ErrorKind::UnexpectedEof
            | ErrorKind::InvalidData
            | ErrorKind::InvalidInput => Self::Damaged(error.to_string()),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full(error.to_string()),
            ErrorKind::Other if error.to_string().contains("could not acquire lock") => Self::Busy,
            // sled reports a snapshot it cannot read as an error without a system's number.
            ErrorKind::Other if error.raw_os_error().is_none() => Self::Damaged(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }

    pub(super) fn from_sled(error: &sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => Self::from_io(error),
            other => Self::Damaged(other.to_string()),
        }
    }

    /// The reason alone.
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Damaged(why) | Self::Full(why) | Self::Unavailable(why) => why,
            Self::Busy => "the database is locked",
        }
    }

    /// The error for whoever wanted to use the database.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Damaged(why) => Error::unavailable("the database is damaged")
                .why(why)
                .next("run `tocli doctor`"),
            Self::Busy => Error::unavailable("another process has the database open")
                .next("stop it, or give this one another `TOD_STATE_DIR`"),
            Self::Full(why) => Error::unavailable("the disk is full")
                .why(why)
                .next("make room on the disk of the state folder (`TOD_STATE_DIR`, else `~/.local/state/task-orchestrator`) and repeat it"),
            Self::Unavailable(why) => Error::unavailable("the database cannot be used now")
                .why(why)
                .next("check the state folder, its disk and the limit of open files (`ulimit -n`), then try again"),
        }
    }
}

/// Runs `work` in sled: a panic of its becomes damage.
pub(super) fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, Trouble> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Trouble::from_sled(&error)),
        Err(panic) => Err(Trouble::Damaged(panic_text(panic.as_ref()))),
    }
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panic: {}", text.unwrap_or_else(|| "without a word".to_owned()))
}

/// The answer to a writer whose batch may or may not be on the disk.
pub(super) fn unknown(why: &str) -> Error {
    Error::unavailable("it is not known whether the change was stored")
        .why(why)
        .next("repeat it with the same request id")
}
