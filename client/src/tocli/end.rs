//! How a command ends when it does not end well.

use std::io;

use proto::Error;

/// Why nothing more is shown.
#[derive(Debug)]
pub(crate) enum End {
    /// It failed, and the user is told.
    Failed(Error),
    /// Standard output cannot be written. Closed by a reader that has seen enough, that is no failure.
    Output(io::Error),
    /// All has been said and shown; the exit code is that of this error.
    Told(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
