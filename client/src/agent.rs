//! Which coding agent runs this command, and which setting of its sandbox is in the way.
//!
//! Asked where a sandbox keeps us from the daemon. Sources: the agents' own documentation of their sandboxes and of the
//! variables that they set for the commands they run, as of November 2026. What must stay true: nothing is claimed of an
//! agent that is not known to be the one that runs us.

use std::ffi::OsString;
use std::path::Path;

/// An agent, the variables by which its commands know it, and the way out of its sandbox.
struct Agent {
    name: &'static str,
    marks: &'static [&'static str],
    setting: fn(&Path) -> String,
}

const AGENTS: [Agent; 3] = [
    Agent {
        name: "Claude Code",
        marks: &["CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT"],
        setting: claude,
    },
    Agent {
        name: "Codex",
        marks: &["CODEX_SANDBOX", "CODEX_SANDBOX_NETWORK_DISABLED"],
        setting: |_| {
            "set `network_access = true` under `[sandbox_workspace_write]` in `~/.codex/config.toml`"
                .to_owned()
        },
    },
    Agent {
        name: "Cursor",
        marks: &["CURSOR_AGENT"],
        setting: |_| {
            "add `tocli` to the allowlist under Settings > Agents > Approvals & Execution".to_owned()
        },
    },
];

/// On Linux its filter cannot tell sockets apart by their paths.
fn claude(socket: &Path) -> String {
    let file = "`~/.claude/settings.json`";
    match cfg!(target_os = "linux") {
        true => format!(
            "set `sandbox.network.allowAllUnixSockets` to true in {file}, or add `tocli` to `sandbox.excludedCommands`"
        ),
        false => format!(
            "add `{}` to `sandbox.network.allowUnixSockets` in {file}",
            socket.display()
        ),
    }
}

/// What somebody can do so that this process may talk to the daemon.
pub(crate) fn way_out(var: &dyn Fn(&str) -> Option<OsString>, socket: &Path) -> String {
    let set = |mark: &&str| var(mark).is_some_and(|value| !value.is_empty());
    let running = AGENTS.iter().find(|agent| agent.marks.iter().any(set));
    match running {
        Some(agent) => format!(
            "in {}: {}; or run the command outside of its sandbox",
            agent.name,
            (agent.setting)(socket)
        ),
        None => format!(
            "allow Unix sockets, or `{}`, in the sandbox's settings, or run the command outside of it",
            socket.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(set: &'static str) -> String {
        let var = move |name: &str| (name == set).then(|| OsString::from("1"));
        way_out(&var, Path::new("/run/tod.sock"))
    }

    #[test]
    fn the_setting_of_the_agent_that_runs_us_is_named() {
        assert!(said("CLAUDECODE").contains("sandbox.network.allow"));
        assert!(said("CODEX_SANDBOX").contains("sandbox_workspace_write"));
        assert!(said("CURSOR_AGENT").contains("allowlist"));
    }

    #[test]
    fn nothing_is_claimed_of_an_agent_that_is_not_known() {
        let text = said("SOMETHING");
        assert!(text.contains("/run/tod.sock"), "{text}");
        for agent in AGENTS {
            assert!(!text.contains(agent.name), "{text}");
        }
    }
}
