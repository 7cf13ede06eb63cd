//! The address of a resource, as text and as what it means. Pure.
//!
//! What must stay true: an address that is written is read back as the same; a part that is no id is nobody's.

use std::fmt;

use proto::Error;

use super::unknown;

/// How every address begins.
pub(crate) const SCHEME: &str = "task-orchestrator://";

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// The id of its workspace.
    pub(crate) workspace: String,
    pub(crate) what: What,
}

/// What stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Tree,
    Task(String),
    Artifact(String),
    Decision(String),
}

impl Address {
    pub(crate) fn parse(uri: &str) -> Result<Self, Error> {
        let parts: Option<Vec<&str>> = uri.strip_prefix(SCHEME).map(|rest| rest.split('/').collect());
        let (workspace, what) = match parts.as_deref() {
            Some([workspace, "tasks"]) => (workspace, What::Tree),
            Some([workspace, "tasks", task]) if id(task) => (workspace, What::Task((*task).to_owned())),
            Some([workspace, "artifacts", one]) if id(one) => (workspace, What::Artifact((*one).to_owned())),
            Some([workspace, "decisions", one]) if id(one) => (workspace, What::Decision((*one).to_owned())),
            _ => return Err(unknown(uri)),
        };
        if !id(workspace) {
            return Err(unknown(uri));
        }
        Ok(Self {
            workspace: (*workspace).to_owned(),
            what,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workspace = &self.workspace;
        match &self.what {
            What::Tree => write!(f, "{SCHEME}{workspace}/tasks"),
            What::Task(task) => write!(f, "{SCHEME}{workspace}/tasks/{task}"),
            What::Artifact(one) => write!(f, "{SCHEME}{workspace}/artifacts/{one}"),
            What::Decision(one) => write!(f, "{SCHEME}{workspace}/decisions/{one}"),
        }
    }
}

/// The letters that ids are made of.
fn id(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    (1..=64).contains(&text.len()) && text.chars().all(plain) && !text.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_back_as_it_was_written() {
        for what in [
            What::Tree,
            What::Task("coder_0a1b2c".into()),
            What::Artifact("art_1".into()),
            What::Decision("7".into()),
        ] {
            let address = Address {
                workspace: "ws_0123456789ab".into(),
                what,
            };
            assert_eq!(Address::parse(&address.to_string()), Ok(address));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for uri in [
            "",
            "file:///etc/passwd",
            "task-orchestrator://",
            "task-orchestrator:///tasks",
            "task-orchestrator://ws_1/tasks/..",
            "task-orchestrator://ws_1/tasks/a/b",
            "task-orchestrator://ws_1/tasks/a%2fb",
            "task-orchestrator://../tasks",
        ] {
            assert!(Address::parse(uri).is_err(), "{uri}");
        }
    }
}
