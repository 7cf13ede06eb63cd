//! The words of `tocli migrate`.

use clap::{Args, Subcommand};
use proto::{Request, migrate};

use super::Question;

/// The schema of the daemon's database
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Words {
    /// Rehearse all steps of this release on a copy
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// The verbs.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Verb {
    /// Which steps have been applied [default]
    Status,
    /// Rehearse all steps of this release on a copy: the same as `--check`
    Check,
}

impl Words {
    pub(crate) fn question(&self) -> Question {
        match (self.check, self.verb) {
            (false, Some(Verb::Status) | None) => Question::soon(Request::Migrate(migrate::Request::Status)),
            (true, _) | (_, Some(Verb::Check)) => {
                Question::patient(Request::Migrate(migrate::Request::Check))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::tests::{asked, wrong};

    #[test]
    fn words_of_the_schema_become_its_requests() {
        let check = Question::patient(Request::Migrate(migrate::Request::Check));
        assert_eq!(asked("migrate --check").as_ref(), Ok(&check));
        assert_eq!(asked("migrate check"), Ok(check));
        let status = Question::soon(Request::Migrate(migrate::Request::Status));
        assert_eq!(asked("migrate status").as_ref(), Ok(&status));
        assert_eq!(asked("migrate"), Ok(status));
        assert!(wrong("migrate --check status"));
    }
}
