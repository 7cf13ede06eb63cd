//! The words of `tocli role`.

use clap::Subcommand;
use proto::role;
use proto::{Caller, Request, error::Result};

use super::{Question, Where};

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Words {
    /// All roles in force
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        at: Where,
    },
    /// One role, with its text
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        at: Where,
    },
    /// Write a file of roles for a kind of project into the workspace
    Init {
        /// The kind of project, as `detect` names it [default: the detected one]
        #[arg(long = "for", value_name = "TYPE")]
        project_type: Option<String>,
        #[command(flatten)]
        at: Where,
    },
}

impl Words {
    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        let request = match self {
            Self::List { at } => role::Request::List { at: at.from(caller)? },
            Self::Show { name, at } => role::Request::Show {
                at: at.from(caller)?,
                name: name.clone(),
            },
            Self::Init { project_type, at } => role::Request::Init {
                at: at.from(caller)?,
                project_type: project_type.clone(),
            },
        };
        Ok(Question::soon(Request::Role(request)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::tests::asked;
    use proto::detect::From;

    #[test]
    fn words_of_roles_become_its_requests() {
        let is = |line: &str, request| {
            assert_eq!(asked(line), Ok(Question::soon(Request::Role(request))), "{line}")
        };
        is("role list", role::Request::List { at: From::Caller });
        is(
            "role show coder",
            role::Request::Show {
                at: From::Caller,
                name: "coder".into(),
            },
        );
        is(
            "role init --for rust --path /x",
            role::Request::Init {
                at: From::Start("/x".into()),
                project_type: Some("rust".into()),
            },
        );
    }
}
