//! Who asks and from where: sent with every request, because one connection (an MCP shim) may speak for many folders.

use serde::{Deserialize, Serialize};

use crate::RawPath;

/// The client directories, in the order in which they are believed (SPEC 4).
pub const CLIENT_DIRECTORIES: [&str; 11] = [
    "TO_PROJECT_DIR",
    "CLAUDE_PROJECT_DIR",
    "MCP_TASK_ORCHESTRATOR_WORKING_DIR",
    "MCP_CLIENT_PWD",
    "CLAUDE_WORKING_DIR",
    "CURSOR_WORKING_DIR",
    "WINDSURF_WORKING_DIR",
    "VSCODE_WORKING_DIR",
    "VSCODE_CWD",
    "CURSOR_CWD",
    "WINDSURF_CWD",
];

/// Variables beside [`CLIENT_DIRECTORIES`] and `TO_*` that change an answer.
pub const LISTED: [&str; 3] = [
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "HOME",
];

/// The caller's own situation. The daemon never consults its own environment in place of this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Caller {
    /// The absolute working directory of the calling process.
    pub cwd: RawPath,
    /// The listed variables that are set and not empty, in the order of the lists: name and value.
    pub vars: Vec<(String, RawPath)>,
    /// The caller's name, when it has given one.
    pub actor: Option<String>,
}

impl Caller {
    /// The value of a listed variable.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&RawPath> {
        self.vars
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// The caller's name: as given, else as `TO_ACTOR` has it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let named = || std::str::from_utf8(self.var("TO_ACTOR")?.as_bytes()).ok();
        self.actor.as_deref().or_else(named)
    }

    /// Whether a variable may travel with a request: the listed ones and configuration by `TO_<SECTION>_<KEY>`.
    #[must_use]
    pub fn carries(name: &str) -> bool {
        CLIENT_DIRECTORIES.contains(&name) || LISTED.contains(&name) || name.starts_with("TO_")
    }
}
