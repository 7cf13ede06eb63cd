//! What each client wants to read, and where: a table, nothing else.
//!
//! Sources: the clients' own documentation of their configuration files, as of November 2026.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::args::setup::{Client, Profile};

/// The name of our entry, the same everywhere.
pub(crate) const NAME: &str = "task-orchestrator";

/// The seconds after which Claude Code stops waiting for the hook; it never takes as long.
const HOOK_SECONDS: u32 = 10;

/// The folders in which clients keep their settings.
#[derive(Clone, Debug)]
pub(crate) struct Homes {
    /// The user's home.
    pub(crate) home: PathBuf,
    /// `$XDG_CONFIG_HOME`, else `~/.config`.
    pub(crate) config: PathBuf,
    /// `$CLAUDE_CONFIG_DIR`.
    pub(crate) claude: Option<PathBuf>,
    /// `$CODEX_HOME`.
    pub(crate) codex: Option<PathBuf>,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// With comments and trailing commas where somebody wrote them.
    Json,
    Toml,
}

/// Where in a file our piece stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The value of a key: the way to it, the key last.
    Entry(Vec<&'static str>),
    /// One element of a list: the way to the list. It is known again by the command it runs.
    Element(Vec<&'static str>),
}

/// One piece of ours in one file.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// `server` or `session-start hook`.
    pub(crate) what: &'static str,
    pub(crate) file: PathBuf,
    pub(crate) format: Format,
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// All clients, in the order of their list.
pub(crate) fn all() -> [Client; 7] {
    [
        Client::ClaudeCode,
        Client::ClaudeDesktop,
        Client::Cursor,
        Client::Vscode,
        Client::Windsurf,
        Client::Codex,
        Client::Zed,
    ]
}

/// What a client has to find. `server` and `tocli` are the paths of our programs.
pub(crate) fn wanted(client: Client, homes: &Homes, programs: (&str, &str), profile: Profile) -> Vec<Wanted> {
    let (server, tocli) = programs;
    let args = match profile {
        Profile::Core => json!([]),
        Profile::Full => json!(["--profile", "full"]),
        Profile::Compat => json!(["--profile", "compat"]),
    };
    let plain = json!({ "command": server, "args": args });
    let typed = json!({ "type": "stdio", "command": server, "args": args });
    let entry = |file: PathBuf, format, key, value| Wanted {
        what: "server",
        file,
        format,
        place: Place::Entry(vec![key, NAME]),
        value,
    };
    match client {
        Client::ClaudeCode => {
            let file = match &homes.claude {
                Some(folder) => folder.join(".claude.json"),
                None => homes.home.join(".claude.json"),
            };
            let folder = homes.claude.clone().unwrap_or_else(|| homes.home.join(".claude"));
            let hook = Wanted {
                what: "session-start hook",
                file: folder.join("settings.json"),
                format: Format::Json,
                place: Place::Element(vec!["hooks", "SessionStart"]),
                value: json!({
                    "hooks": [{
                        "type": "command",
                        "command": format!("{} prime --hook", for_shell(tocli)),
                        "timeout": HOOK_SECONDS,
                    }]
                }),
            };
            vec![entry(file, Format::Json, "mcpServers", typed), hook]
        }
        Client::ClaudeDesktop => {
            let file = support(homes).join("Claude/claude_desktop_config.json");
            vec![entry(file, Format::Json, "mcpServers", plain)]
        }
        Client::Cursor => {
            let file = homes.home.join(".cursor/mcp.json");
            vec![entry(file, Format::Json, "mcpServers", plain)]
        }
        Client::Vscode => {
            let file = support(homes).join("Code/User/mcp.json");
            vec![entry(file, Format::Json, "servers", typed)]
        }
        Client::Windsurf => {
            let file = homes.home.join(".codeium/windsurf/mcp_config.json");
            vec![entry(file, Format::Json, "mcpServers", plain)]
        }
        Client::Codex => {
            let folder = homes.codex.clone().unwrap_or_else(|| homes.home.join(".codex"));
            vec![entry(
                folder.join("config.toml"),
                Format::Toml,
                "mcp_servers",
                plain,
            )]
        }
        Client::Zed => {
            // Zed keeps to `~/.config` on macOS, too.
            let folder = match cfg!(target_os = "macos") {
                true => homes.home.join(".config"),
                false => homes.config.clone(),
            };
            vec![entry(
                folder.join("zed/settings.json"),
                Format::Json,
                "context_servers",
                plain,
            )]
        }
    }
}

fn support(homes: &Homes) -> PathBuf {
    match cfg!(target_os = "macos") {
        true => homes.home.join("Library/Application Support"),
        false => homes.config.clone(),
    }
}

/// Whether a command is one that `setup` writes: our server, or the hook.
pub(crate) fn is_ours(value: &Value) -> bool {
    let named = |command: &str, name: &str| {
        let program = command.trim().trim_matches(['\'', '"']);
        Path::new(program).file_name().is_some_and(|last| last == name)
    };
    let runs_server = |command: &str| named(command, "to-mcp");
    let runs_hook = |command: &str| {
        command
            .strip_suffix(" prime --hook")
            .is_some_and(|program| named(program, "tocli"))
    };
    if let Some(command) = value.get("command").and_then(Value::as_str) {
        return runs_server(command) || runs_hook(command);
    }
    let hooks = value.get("hooks").and_then(Value::as_array);
    hooks.is_some_and(|hooks| !hooks.is_empty() && hooks.iter().all(is_ours))
}

/// Whether what stands there does what is wanted: clients add fields of their own, which are theirs.
pub(crate) fn agrees(there: &Value, wanted: &Value) -> bool {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => wanted.iter().all(|(key, value)| {
            let nothing = value.as_array().is_some_and(Vec::is_empty);
            match there.get(key) {
                Some(there) => agrees(there, value),
                None => nothing,
            }
        }),
        (Value::Array(there), Value::Array(wanted)) => {
            there.len() == wanted.len()
                && there
                    .iter()
                    .zip(wanted)
                    .all(|(there, wanted)| agrees(there, wanted))
        }
        _ => there == wanted,
    }
}

/// A path as one word of a shell.
fn for_shell(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%:,=".contains(c);
    match path.chars().all(plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_ours_are_known_again_and_those_of_others_are_not() {
        for ours in [
            json!({"command": "/usr/bin/to-mcp"}),
            json!({"command": "to-mcp", "args": ["--profile", "full"], "env": {}}),
            json!({"hooks": [{"type": "command", "command": "'/a b/tocli' prime --hook"}]}),
        ] {
            assert!(is_ours(&ours), "{ours}");
        }
        for other in [
            json!({"command": "npx", "args": ["to-mcp"]}),
            json!({"url": "http://localhost"}),
            json!({"hooks": []}),
            json!({"hooks": [{"command": "tocli prime --hook"}, {"command": "mine"}]}),
            json!({"hooks": [{"command": "tocli prime"}]}),
        ] {
            assert!(!is_ours(&other), "{other}");
        }
    }

    #[test]
    fn fields_that_a_client_added_do_no_harm() {
        let wanted = json!({"command": "/x/to-mcp", "args": []});
        assert!(agrees(&json!({"command": "/x/to-mcp"}), &wanted));
        assert!(agrees(
            &json!({"command": "/x/to-mcp", "args": [], "enabled": true}),
            &wanted
        ));
        assert!(!agrees(&json!({"command": "/y/to-mcp", "args": []}), &wanted));
        assert!(!agrees(
            &json!({"command": "/x/to-mcp", "args": ["--profile", "full"]}),
            &wanted
        ));
    }

    #[test]
    fn a_path_is_one_word_for_a_shell() {
        assert_eq!(for_shell("/usr/bin/tocli"), "/usr/bin/tocli");
        assert_eq!(for_shell("/a b/it's"), r"'/a b/it'\''s'");
    }
}
