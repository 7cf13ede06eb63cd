//! How a command ends when it does not end well.

use std::io;
use std::process::ExitCode;

use proto::Error;

use crate::voice::Voice;

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

/// Tells why, and with which code to end.
pub(crate) fn exit_code(end: End, voice: &Voice) -> ExitCode {
    let error = match end {
        End::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
        End::Output(error) => Error::unavailable("standard output cannot be written")
            .why(error)
            .next("if a change was asked for, look before asking for it again: it may have been made"),
        End::Told(error) => return ExitCode::from(error.kind.exit_code()),
        End::Failed(error) => error,
    };
    voice.fail(&error);
    ExitCode::from(error.kind.exit_code())
}
