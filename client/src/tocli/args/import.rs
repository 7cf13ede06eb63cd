//! The words of `tocli import`.

use std::path::PathBuf;

use clap::Subcommand;
use proto::maintenance::{self, Call};
use proto::{Caller, error::Result};

use super::task::Common;
use super::{Question, absolute};

/// The programs whose records can be taken over.
#[derive(Debug, Subcommand)]
pub(crate) enum Words {
    /// Databases of the Python MCP Task Orchestrator, 1.2 to 2.0, which stay as they are
    Legacy {
        /// A database, or the project folder that holds its `.task_orchestrator/`
        #[arg(value_name = "PATH")]
        old: PathBuf,
        /// Only say what would be done
        #[arg(long, short = 'n')]
        dry_run: bool,
        #[command(flatten)]
        common: Common,
    },
}

impl Words {
    pub(crate) fn common(&self) -> &Common {
        let Self::Legacy { common, .. } = self;
        common
    }

    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        let Self::Legacy { old, dry_run, common } = self;
        let what = maintenance::Request::Legacy {
            path: absolute(old, caller)?,
            dry_run: *dry_run,
        };
        let call = Call {
            at: common.at(caller)?,
            what,
        };
        Ok(Question {
            request_id: common.request_id.clone(),
            ..Question::patient(proto::Request::Maintenance(Box::new(call)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::tests::{asked, wrong};

    #[test]
    fn an_import_names_an_absolute_path_and_has_all_the_time_it_takes() {
        let question = asked("import legacy ../old --dry-run --request-id r").expect("asked");
        assert_eq!(
            (question.deadline, question.request_id.as_deref()),
            (None, Some("r"))
        );
        let proto::Request::Maintenance(call) = question.request else {
            panic!("another room");
        };
        let maintenance::Request::Legacy { path, dry_run } = call.what else {
            panic!("another request");
        };
        assert!(path.as_path().is_absolute() && dry_run, "{path:?}");
        assert!(wrong("import legacy") && wrong("import"));
    }
}
