//! Completion scripts, and the live names they ask for.
//!
//! What must stay true: pressing Tab never starts a daemon, never waits long and never prints an error.

use std::time::Duration;

use clap::CommandFactory as _;
use client::{Client, Options, Start};
use proto::detect::From;
use proto::workspace::Which;
use proto::{Answer, Caller, Request, artifact, config, decision, role, task, workspace};
use serde::Serialize;

use crate::args::{Candidates, Cli, Question, Shell};
use crate::end::End;
use crate::out::{Form, Out};
use crate::quote::cell;
use crate::talk;

#[derive(Serialize)]
struct Script {
    shell: &'static str,
    script: String,
}

#[derive(Serialize)]
struct Names {
    candidates: Vec<String>,
}

/// Prints the script of a shell.
pub(crate) fn script(shell: Shell, out: &mut Out) -> Result<(), End> {
    let (name, script) = match shell {
        Shell::Bash => ("bash", bash()),
        Shell::Zsh => ("zsh", zsh()),
        Shell::Fish => ("fish", fish()),
    };
    if out.form() == Form::Json {
        out.json(&Script { shell: name, script })?;
    } else {
        out.raw(script.as_bytes())?;
    }
    Ok(())
}

fn generated(shell: clap_complete::Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tocli", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Verbs of `workspace` that take the name of one.
const BY_WORKSPACE: &str = "show|show-location|rename|relocate|forget";

/// Verbs of `task` that take the id of one.
const BY_TASK: &str = "show|tree|update|start|release|note|complete|block|fail|cancel|reopen|move|delete|history|undo|synthesize|execute";

/// Verbs of `decision` that take the number of one.
const BY_DECISION: &str = "show|supersede|refine|reverse|clarify|accept|reject|outcome";

/// Verbs of `artifact` that take the id of one.
const BY_ARTIFACT: &str = "show|get|verify|restore";

/// The generated function first; then live names where a word of ours stands and no option is begun.
fn bash() -> String {
    let live = format!(
        r#"
_tocli_live() {{
    _tocli "$@"
    local cur=${{COMP_WORDS[COMP_CWORD]}} verb=${{COMP_WORDS[COMP_CWORD-1]}} noun=${{COMP_WORDS[COMP_CWORD-2]:-}} of=
    case "$cur" in -*) return ;; esac
    case "$noun $verb" in
        *" --from-existing" | *" --workspace" | *" -w") of=workspaces ;;
        *" --specialist" | *" -s") of=roles ;;
        *" --after" | *" --parent" | *" --task") of=tasks ;;
        "config get" | "config set" | "config unset") of=keys ;;
        "role show" | "roles show") of=roles ;;
        *)
            case "$noun" in
                workspace | workspaces | ws)
                    case "$verb" in {BY_WORKSPACE}) of=workspaces ;; esac ;;
                task | tasks | t)
                    case "$verb" in {BY_TASK}) of=tasks ;; esac ;;
                decision | decisions | adr)
                    case "$verb" in {BY_DECISION}) of=decisions ;; esac ;;
                artifact | artifacts | a)
                    case "$verb" in {BY_ARTIFACT}) of=artifacts ;; store | stage) of=tasks ;; esac ;;
            esac ;;
    esac
    [[ -n $of ]] || return
    # Names come from outside: `compgen -W` would carry out what stands in them.
    local name
    COMPREPLY=()
    while IFS= read -r name; do
        [[ $name == "$cur"* ]] && COMPREPLY+=("$(printf %q "$name")")
    done < <(tocli --no-start complete "$of" 2>/dev/null)
}}
complete -F _tocli_live -o nosort -o bashdefault -o default tocli
"#
    );
    generated(clap_complete::Shell::Bash) + &live
}

/// The generated specifications name each argument by its help: those of ours call a function instead of `_default`.
fn zsh() -> String {
    let script = generated(clap_complete::Shell::Zsh);
    let mut text = String::with_capacity(script.len() + 600);
    for line in script.lines() {
        let argument = line
            .trim_start()
            .trim_start_matches('\'')
            .trim_start_matches([':', '*', ' ']);
        let live = match argument.split_whitespace().next() {
            Some("task-id" | "--parent=[The" | "--after=[What" | "--task=[The") => Some("_tocli_live_tasks"),
            Some("decision-number") => Some("_tocli_live_decisions"),
            Some("artifact-id") => Some("_tocli_live_artifacts"),
            Some("workspace" | "names") => Some("_tocli_live_workspaces"),
            Some("--from-existing=[Begin" | "--workspace=[The") => Some("_tocli_live_workspaces"),
            Some("key") => Some("_tocli_live_keys"),
            Some("name") => Some("_tocli_live_roles"),
            _ => None,
        };
        match live {
            Some(function) => text.push_str(&line.replace("_default'", &format!("{function}'"))),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    let mut functions = String::new();
    for what in ["workspaces", "keys", "roles", "tasks", "decisions", "artifacts"] {
        functions.push_str(&format!(
            "_tocli_live_{what}() {{\n    local -a names\n    \
             names=(${{(f)\"$(tocli --no-start complete {what} 2>/dev/null)\"}})\n    compadd -a names\n}}\n"
        ));
    }
    // Functions stand before the generated last lines, which call the completion when the file is autoloaded.
    match text.rfind("\nif [ \"$funcstack[1]\"") {
        Some(at) => text.insert_str(at + 1, &functions),
        None => text.push_str(&functions),
    }
    text
}

fn fish() -> String {
    let [verbs, of_tasks, of_decisions, of_artifacts] =
        [BY_WORKSPACE, BY_TASK, BY_DECISION, BY_ARTIFACT].map(|verbs| verbs.replace('|', " "));
    let live = format!(
        "\n\
         complete -c tocli -n '__fish_seen_subcommand_from workspace ws; and __fish_seen_subcommand_from {verbs}' \
         -f -a '(tocli --no-start complete workspaces 2>/dev/null)'\n\
         complete -c tocli -n '__fish_seen_subcommand_from config; and __fish_seen_subcommand_from get set unset' \
         -f -a '(tocli --no-start complete keys 2>/dev/null)'\n\
         complete -c tocli -n '__fish_seen_subcommand_from role; and __fish_seen_subcommand_from show' \
         -f -a '(tocli --no-start complete roles 2>/dev/null)'\n\
         complete -c tocli -n '__fish_seen_subcommand_from task t; and __fish_seen_subcommand_from {of_tasks}' \
         -f -a '(tocli --no-start complete tasks 2>/dev/null)'\n\
         complete -c tocli -n '__fish_seen_subcommand_from decision adr; and __fish_seen_subcommand_from {of_decisions}' \
         -f -a '(tocli --no-start complete decisions 2>/dev/null)'\n\
         complete -c tocli -n '__fish_seen_subcommand_from artifact a; and __fish_seen_subcommand_from {of_artifacts}' \
         -f -a '(tocli --no-start complete artifacts 2>/dev/null)'\n"
    );
    generated(clap_complete::Shell::Fish) + &live
}

/// A key press must not feel stuck.
const SOON: Duration = Duration::from_secs(1);

/// Prints live names; nothing where there is no daemon.
pub(crate) fn names(options: Options, caller: Caller, what: Candidates, out: &mut Out) -> Result<(), End> {
    let at = From::Caller;
    let request = match what {
        Candidates::Workspaces => Request::Workspace(workspace::Request::List { forgotten: false }),
        Candidates::Roles => Request::Role(role::Request::List { at }),
        Candidates::Keys => Request::Config(config::Request::List { at }),
        Candidates::Tasks => Request::Task(Box::new(task::Call {
            at: Which::At(at),
            what: task::Request::List {
                filter: Box::default(),
                limit: task::MAX_PAGE,
                cursor: None,
            },
        })),
        Candidates::Decisions => Request::Decision(Box::new(decision::Call {
            at: Which::At(at),
            what: decision::Request::List {
                filter: Box::default(),
                limit: decision::MAX_PAGE,
                cursor: None,
            },
        })),
        Candidates::Artifacts => Request::Artifact(Box::new(artifact::Call {
            at: Which::At(at),
            what: artifact::Request::List {
                filter: Box::default(),
                limit: artifact::MAX_PAGE,
                cursor: None,
            },
        })),
    };
    let question = Question {
        deadline: Some(SOON),
        ..Question::soon(request)
    };
    let options = Options {
        start: Start::Never,
        patience: SOON,
        ..options
    };
    let candidates = match Client::new(options).call(&talk::ask(question, caller)) {
        Ok(answer) => names_in(answer),
        Err(_) => Vec::new(),
    };
    if out.form() == Form::Json {
        out.json(&Names { candidates })?;
        return Ok(());
    }
    for name in candidates {
        out.cell_line(&cell(&name))?;
    }
    Ok(())
}

fn names_in(answer: Answer) -> Vec<String> {
    match answer {
        Answer::Workspace(workspace::Answer::Workspaces(workspaces)) => workspaces
            .into_iter()
            .flat_map(|workspace| [workspace.name, workspace.id])
            .collect(),
        Answer::Role(role::Answer::Roles { roles, .. }) => roles.into_iter().map(|role| role.name).collect(),
        Answer::Config(config::Answer::Settings { settings, .. }) => {
            settings.into_iter().map(|setting| setting.key).collect()
        }
        Answer::Artifact(artifact::Answer::Artifacts { artifacts, .. }) => {
            artifacts.into_iter().map(|one| one.id).collect()
        }
        Answer::Task(task::Answer::Tasks { tasks, .. }) => tasks.into_iter().map(|task| task.id).collect(),
        Answer::Decision(decision::Answer::Decisions { decisions, .. }) => {
            decisions.iter().map(|one| one.number.to_string()).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_knows_the_commands_and_asks_for_live_names() {
        for (script, asks) in [
            (bash(), "complete \"$of\""),
            (zsh(), "complete workspaces"),
            (fish(), "complete keys"),
        ] {
            assert!(script.contains("validate-isolation"), "{script}");
            assert!(script.contains(asks), "{script}");
        }
        let zsh = zsh();
        for function in [
            "_tocli_live_workspaces'",
            "_tocli_live_keys'",
            "_tocli_live_roles'",
            "_tocli_live_tasks'",
            "_tocli_live_decisions'",
        ] {
            assert!(
                zsh.contains(function),
                "{function} is called by no argument:\n{zsh}"
            );
        }
    }
}
