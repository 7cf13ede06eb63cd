//! The words of `tocli doctor`: one subject each, and each a request of the room that knows it.

use clap::{Args, Subcommand};
use proto::{Request, index};

use super::Question;

/// What is the matter and what to do about it; ends with 5 when something is in trouble
#[derive(Args, Debug)]
pub(crate) struct Words {
    #[command(subcommand)]
    subject: Option<Subject>,
}

/// What can be looked at.
#[derive(Clone, Copy, Debug, Default, Subcommand)]
pub(crate) enum Subject {
    /// Watches of directories: who uses how many, what limits them, which directories take most [default]
    #[default]
    #[command(alias = "watches")]
    Watch,
}

impl Words {
    pub(crate) fn question(&self) -> Question {
        match self.subject.unwrap_or_default() {
            Subject::Watch => Question::soon(Request::Index(index::Request::Watches)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::tests::{asked, wrong};

    #[test]
    fn the_doctor_is_asked_about_a_subject() {
        let watches = Question::soon(Request::Index(index::Request::Watches));
        assert_eq!(asked("doctor watch").as_ref(), Ok(&watches));
        assert_eq!(asked("doctor"), Ok(watches));
        assert!(wrong("doctor nothing"));
    }
}
