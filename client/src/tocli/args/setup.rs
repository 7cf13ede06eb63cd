//! The words of `tocli setup`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// A program that starts `to-mcp` and shows its tools to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    /// Claude Code: server and session-start hook
    ClaudeCode,
    /// Claude Desktop
    ClaudeDesktop,
    /// Cursor
    Cursor,
    /// Visual Studio Code
    #[value(alias = "code", alias = "vs-code")]
    Vscode,
    /// Windsurf
    Windsurf,
    /// Codex
    Codex,
    /// Zed
    Zed,
}

impl Client {
    /// As it is written on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::ClaudeDesktop => "claude-desktop",
            Self::Cursor => "cursor",
            Self::Vscode => "vscode",
            Self::Windsurf => "windsurf",
            Self::Codex => "codex",
            Self::Zed => "zed",
        }
    }
}

/// Which tools the server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// At most ten tools
    Core,
    /// All of them
    Full,
    /// The names of the older Python server
    Compat,
}

/// Our MCP server in the settings of a coding agent or editor
#[derive(Args, Debug)]
pub(crate) struct Words {
    /// Whose settings [default: list all clients and how they stand]
    pub(crate) client: Option<Client>,
    /// Only say how it stands; exit code 3 when something is missing or differs
    #[arg(long, conflicts_with_all = ["remove", "dry_run", "force"], requires = "client")]
    pub(crate) check: bool,
    /// Take away what was put in, and bring back what was there
    #[arg(long, visible_alias = "undo", requires = "client")]
    pub(crate) remove: bool,
    /// Show what would change, and change nothing
    #[arg(long, requires = "client")]
    pub(crate) dry_run: bool,
    /// Replace an entry of this name that somebody else wrote; `--remove` brings it back
    #[arg(long, conflicts_with = "remove", requires = "client")]
    pub(crate) force: bool,
    /// Which tools the server shows [default: core]
    #[arg(long, value_name = "PROFILE", requires = "client")]
    pub(crate) profile: Option<Profile>,
    /// The server program [default: the `to-mcp` beside this `tocli`]
    #[arg(long, value_name = "PATH", requires = "client")]
    pub(crate) program: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use crate::args::tests::wrong;

    #[test]
    fn what_contradicts_itself_is_refused() {
        for line in [
            "setup --check",
            "setup nowhere",
            "setup zed --check --remove",
            "setup zed --remove --force",
            "setup zed --profile tiny",
        ] {
            assert!(wrong(line), "{line}");
        }
        for line in ["setup", "setup code --dry-run", "setup zed --undo --dry-run"] {
            assert!(!wrong(line), "{line}");
        }
    }
}
