//! The words of `tocli config`.

use clap::{Args, Subcommand};
use proto::config::{self, Layer};
use proto::{Caller, Request, error::Result};

use super::{Question, Where};

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Words {
    /// The value in force
    Get {
        /// `section.key`
        key: String,
        /// Also who set it
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        at: Where,
    },
    /// Write a value into a file
    Set {
        /// `section.key`
        key: String,
        /// As YAML: a number, `true`, a word, `[a, b]`
        #[arg(allow_hyphen_values = true)]
        value: String,
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        at: Where,
    },
    /// Take a value out of a file
    Unset {
        /// `section.key`
        key: String,
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        at: Where,
    },
    /// Take all values out of a file, which is kept under another name
    Reset {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        at: Where,
    },
    /// All values in force
    #[command(visible_alias = "ls")]
    List {
        /// Also who set each
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        at: Where,
    },
}

/// Which file is written.
#[derive(Args, Debug)]
pub(crate) struct File {
    /// The user's, for all projects
    #[arg(long, alias = "global", conflicts_with = "workspace")]
    user: bool,
    /// The workspace's own [default]
    #[arg(long, alias = "local")]
    workspace: bool,
}

impl File {
    fn layer(&self) -> Layer {
        if self.user { Layer::User } else { Layer::Workspace }
    }
}

impl Words {
    pub(crate) fn question(&self, caller: &Caller) -> Result<Question> {
        let request = match self {
            Self::Get { key, at, .. } => config::Request::Get {
                at: at.from(caller)?,
                key: key.clone(),
            },
            Self::List { at, .. } => config::Request::List { at: at.from(caller)? },
            Self::Set { key, value, file, at } => config::Request::Set {
                at: at.from(caller)?,
                layer: file.layer(),
                key: key.clone(),
                value: value.clone(),
            },
            Self::Unset { key, file, at } => config::Request::Unset {
                at: at.from(caller)?,
                layer: file.layer(),
                key: key.clone(),
            },
            Self::Reset { file, at } => config::Request::Reset {
                at: at.from(caller)?,
                layer: file.layer(),
            },
        };
        Ok(Question::soon(Request::Config(request)))
    }

    /// Whether origins are shown.
    pub(crate) fn origin(&self) -> bool {
        matches!(
            self,
            Self::Get { origin: true, .. } | Self::List { origin: true, .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::tests::{asked, wrong};
    use proto::detect::From;

    fn is(line: &str, request: config::Request) {
        assert_eq!(
            asked(line),
            Ok(Question::soon(Request::Config(request))),
            "{line}"
        );
    }

    #[test]
    fn words_of_settings_become_its_requests() {
        let (at, key) = (From::Caller, "a.b".to_owned());
        is(
            "config get a.b --origin",
            config::Request::Get {
                at: at.clone(),
                key: key.clone(),
            },
        );
        is("config list", config::Request::List { at: at.clone() });
        is(
            "config set a.b -1",
            config::Request::Set {
                at: at.clone(),
                layer: Layer::Workspace,
                key: key.clone(),
                value: "-1".into(),
            },
        );
        is(
            "config unset --user a.b",
            config::Request::Unset {
                at: at.clone(),
                layer: Layer::User,
                key,
            },
        );
        is(
            "config reset --path /x --workspace",
            config::Request::Reset {
                at: From::Start("/x".into()),
                layer: Layer::Workspace,
            },
        );
        assert!(wrong("config set a.b 1 --user --workspace"));
    }
}
