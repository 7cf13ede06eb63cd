//! The words of the command line, and what they ask for.
//!
//! Asked by `main`. One file per room turns its words into a request. What must stay true: a path becomes absolute
//! here, with the caller's own working directory, and links are left as they are.

pub(crate) mod artifact;
pub(crate) mod audit;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod daemon;
pub(crate) mod decision;
pub(crate) mod detect;
pub(crate) mod doctor;
pub(crate) mod fast;
pub(crate) mod import;
pub(crate) mod index;
pub(crate) mod migrate;
pub(crate) mod role;
pub(crate) mod setup;
pub(crate) mod task;
pub(crate) mod workspace;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use proto::detect::From;
use proto::{Caller, Error, RawPath, Request, error::Result};

/// One daemon that knows every project on the machine and what changed in it.
#[derive(Debug, Parser)]
#[command(name = "tocli", version, disable_help_subcommand = true, max_term_width = 100)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Data goes to standard output, all else to standard error. On a terminal tables are aligned; into a pipe a row is a line \
with tabs between its fields and no heading, and names that hold control characters are quoted as git quotes them.

Exit codes: 0 done, 2 wrong usage, 3 not found, 4 refused, 5 conflict, 6 daemon not reachable, 7 sandbox, 70 bug.";

/// What every command takes.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Global {
    /// Print one JSON object, `schema_version` first
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,
    /// Print data and errors only
    #[arg(long, short, global = true, help_heading = "Everywhere")]
    pub(crate) quiet: bool,
    /// Use no colours, as with `NO_COLOR`
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) no_color: bool,
    /// Fail with exit code 6 instead of starting a daemon
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) no_start: bool,
    /// The daemon's program, in place of `tod` beside this one
    #[arg(long, global = true, hide = true, value_name = "PROGRAM")]
    pub(crate) tod: Option<PathBuf>,
}

/// The nouns, and the verbs that stand alone.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Command {
    /// Which project a path belongs to
    #[command(alias = "which")]
    Detect(detect::Words),
    /// The files of a project, as git would show them
    #[command(visible_alias = "ls")]
    Files(index::Files),
    /// The current clock of a project, to ask `changes --since` with later
    Clock(index::Clock),
    /// What changed in a project since a clock or a time
    #[command(alias = "diff")]
    Changes(index::Changes),
    /// What changes in a project, as it happens
    Watch(index::Watch),
    /// The registry of projects
    #[command(subcommand, visible_alias = "ws", alias = "workspaces")]
    Workspace(workspace::Words),
    /// Settings and where they come from
    #[command(subcommand)]
    Config(config::Words),
    /// The kinds of workers and their texts
    #[command(subcommand, alias = "roles")]
    Role(role::Words),
    /// Units of work: who holds them, what is ready
    #[command(subcommand, visible_alias = "t", alias = "tasks")]
    Task(task::Words),
    /// The best task that is ready
    Next(task::NextWords),
    /// What an agent needs at its start, or after its context was compacted
    Prime(context::Prime),
    /// What one needs to go on with a task: role, notes, last attempt, results, state of the checkout, decisions
    #[command(alias = "recover")]
    Context(context::Recover),
    /// The same for a person or for another vendor's agent; without a task, all that is open in the project
    Handover(context::Handover),
    /// Stretches of an actor's work: they begin with its first call
    #[command(subcommand, alias = "sessions")]
    Session(context::Session),
    /// Keep a short note about this project
    #[command(visible_alias = "rem")]
    Remember(context::Remember),
    /// The notes about this project: those that speak of some words, the best first, or all, the newest first
    #[command(alias = "notes")]
    Recall(context::Recall),
    /// Show a note no more; it can be brought back for 30 days
    Forget(context::Forget),
    /// Results of tasks: named files with versions, kept outside any context window
    #[command(subcommand, visible_alias = "a", alias = "artifacts")]
    Artifact(artifact::Words),
    /// What was changed, by whom and when
    Audit(Box<audit::Words>),
    /// What was decided, why, and what it is about
    #[command(subcommand, visible_alias = "adr", alias = "decisions")]
    Decision(decision::Words),
    /// Take over what another program has kept
    #[command(subcommand)]
    Import(import::Words),
    /// What is the matter and what to do about it; ends with 5 when something is in trouble
    Doctor(doctor::Words),
    /// The daemon itself
    #[command(subcommand)]
    Daemon(daemon::Words),
    /// The schema of the daemon's database
    Migrate(migrate::Words),
    /// Our MCP server in the settings of a coding agent or editor
    Setup(setup::Words),
    /// The completion script of a shell, for its folder of completions
    Completions {
        /// For which shell
        shell: Shell,
    },
    /// The manual page, or all pages into a folder
    Man {
        /// Write `tocli.1` and a page for each command into this folder
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// How the daemon stands: short for `daemon status`
    #[command(hide = true)]
    Status,
    /// For completion scripts: one candidate a line
    #[command(hide = true)]
    Complete {
        /// Of what
        what: Candidates,
    },
}

/// A shell with completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// GNU Bash
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
}

/// What the daemon can complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Candidates {
    /// Ids and names
    Workspaces,
    /// Names
    Roles,
    /// `section.key`
    Keys,
    /// Ids of tasks that are open
    Tasks,
    /// Numbers of decisions
    Decisions,
    /// Ids of artifacts
    Artifacts,
}

/// A question for the daemon, as the words ask it.
#[derive(Debug, PartialEq)]
pub(crate) struct Question {
    pub(crate) request: Request,
    /// How long the daemon may take; none for as long as it takes.
    pub(crate) deadline: Option<Duration>,
    /// Under which it is done once; none for one of its own.
    pub(crate) request_id: Option<String>,
}

/// What is asked from memory or from a few records is answered in milliseconds: after a minute something is wrong.
const SOON: Duration = Duration::from_secs(60);

impl Question {
    pub(crate) fn soon(request: Request) -> Self {
        Self {
            request,
            deadline: Some(SOON),
            request_id: None,
        }
    }

    pub(crate) fn patient(request: Request) -> Self {
        Self {
            request,
            deadline: None,
            request_id: None,
        }
    }
}

/// Where to look from.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Where {
    /// Look from this directory instead of the working directory
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

impl Where {
    pub(crate) fn at(path: Option<PathBuf>) -> Self {
        Self { path }
    }

    pub(crate) fn from(&self, caller: &Caller) -> Result<From> {
        match &self.path {
            Some(path) => absolute(path, caller).map(From::Start),
            None => from_here(caller),
        }
    }
}

/// The caller's own directory, which must exist.
pub(crate) fn from_here(caller: &Caller) -> Result<From> {
    if caller.cwd.as_bytes().is_empty() {
        return Err(no_cwd());
    }
    Ok(From::Caller)
}

/// A path as the caller means it.
pub(crate) fn absolute(path: &Path, caller: &Caller) -> Result<RawPath> {
    if path.as_os_str().is_empty() {
        return Err(Error::usage("the path is empty").next("give `.` for the working directory"));
    }
    client::absolute(caller.cwd.as_path(), path)
        .map(RawPath::from)
        .ok_or_else(no_cwd)
}

fn no_cwd() -> Error {
    Error::not_found("the working directory does not exist any more")
        .next("change into one that does, or give an absolute path")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn a_command_says_of_itself_what_the_list_says_of_it() {
        fn abouts(command: &clap::Command) -> Vec<(String, Option<String>)> {
            let about = |sub: &clap::Command| sub.get_about().map(ToString::to_string);
            let each = command.get_subcommands();
            each.map(|sub| (sub.get_name().to_owned(), about(sub))).collect()
        }
        let listed = abouts(&Command::augment_subcommands(clap::Command::new("tocli")));
        let mut built = Cli::command();
        built.build();
        let own = abouts(&built);
        assert!(listed.len() > 10, "{listed:?}");
        for line in listed {
            assert!(own.contains(&line), "{line:?}");
        }
    }

    /// What a command line asks, from `/home/a`.
    pub(crate) fn asked(line: &str) -> Result<Question> {
        let caller = Caller {
            cwd: "/home/a".into(),
            ..Caller::default()
        };
        let words = std::iter::once("tocli").chain(line.split_whitespace());
        let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("`{line}`: {error}"));
        match cli.command {
            Command::Detect(words) => words.question(&caller),
            Command::Files(words) => words.question(&caller),
            Command::Clock(words) => words.question(&caller),
            Command::Changes(words) => words.question(&caller, &words.since().expect("no id")),
            Command::Watch(words) => words.question(&caller),
            Command::Workspace(words) => words.question(&caller),
            Command::Config(words) => words.question(&caller),
            Command::Role(words) => words.question(&caller),
            Command::Migrate(words) => Ok(words.question()),
            Command::Task(words) => words.question(&caller),
            Command::Next(words) => words.question(&caller),
            Command::Prime(words) => words.question(&caller),
            Command::Context(words) => words.question(&caller),
            Command::Handover(words) => words.question(&caller),
            Command::Session(words) => words.question(&caller),
            Command::Remember(words) => words.question(&caller),
            Command::Recall(words) => words.question(&caller),
            Command::Forget(words) => words.question(&caller),
            Command::Audit(words) => words.question(&caller),
            Command::Decision(words) => words.question(&caller),
            Command::Import(words) => words.question(&caller),
            Command::Doctor(words) => Ok(words.question()),
            other => panic!("`{line}` asks the daemon nothing: {other:?}"),
        }
    }

    /// Whether a command line is refused for its form.
    pub(crate) fn wrong(line: &str) -> bool {
        Cli::try_parse_from(std::iter::once("tocli").chain(line.split_whitespace())).is_err()
    }

    #[test]
    fn the_whole_tree_of_commands_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_takes_the_global_words_before_and_after() {
        for line in [
            "--json detect",
            "detect --json",
            "workspace list --json --quiet",
            "daemon status --no-start",
        ] {
            assert!(!wrong(line), "{line}");
        }
    }

    #[test]
    fn a_lost_working_directory_is_told_and_not_guessed() {
        let nowhere = Caller::default();
        assert!(Where::default().from(&nowhere).is_err());
        let absolute = Where {
            path: Some("/x".into()),
        };
        assert_eq!(absolute.from(&nowhere), Ok(From::Start("/x".into())));
    }
}
