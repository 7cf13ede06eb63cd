//! The words of `tocli detect`.

use std::path::PathBuf;

use clap::Args;
use proto::detect::{self, From};
use proto::{Caller, Request, error::Result};

use super::{Question, absolute, from_here};

/// Which project a path belongs to
#[derive(Args, Debug)]
pub(crate) struct Words {
    /// Where to begin to look [default: the working directory and the client's environment]
    path: Option<PathBuf>,
    /// This directory is the project, whatever is found in it
    #[arg(long, value_name = "DIR", conflicts_with = "path")]
    explicit: Option<PathBuf>,
}

impl Words {
    pub(crate) fn at(path: Option<PathBuf>) -> Self {
        Self { path, explicit: None }
    }

    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        let from = match (&self.path, &self.explicit) {
            (_, Some(path)) => From::Explicit(absolute(path, caller)?),
            (Some(path), None) => From::Start(absolute(path, caller)?),
            (None, None) => from_here(caller)?,
        };
        Ok(Question::soon(Request::Detect(detect::Request::Find(from))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::tests::{asked, wrong};

    #[test]
    fn a_bare_path_is_a_start_and_explicit_is_the_override() {
        let find = |from| Ok(Question::soon(Request::Detect(detect::Request::Find(from))));
        assert_eq!(asked("detect"), find(From::Caller));
        assert_eq!(asked("detect ."), find(From::Start("/home/a".into())));
        assert_eq!(asked("detect ../b"), find(From::Start("/home/a/../b".into())));
        assert_eq!(asked("detect --explicit /x"), find(From::Explicit("/x".into())));
        assert!(wrong("detect . --explicit /x"));
    }
}
