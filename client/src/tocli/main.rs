//! `tocli`: words in, a request out, an answer shown.
//!
//! 1. Parse the words (`args`).
//! 2. Do what needs no daemon (`verbs`), or reach it, starting it where that is allowed (`client`).
//! 3. Ask and show the answer (`talk`, `watch`, `render`).
//! 4. End with the exit code of what happened.
//!
//! What must stay true: data goes to standard output and all else to standard error; a reader that has seen enough ends
//! the command quietly.

mod args;
mod closed;
mod draft;
mod end;
mod fit;
mod out;
mod piped;
mod progress;
mod quote;
mod render;
mod setup;
mod talk;
mod verbs;
mod voice;
mod watch;
mod wrong;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use client::{Client, Options, Start, time};
use proto::{Answer, Caller, Error, Kind, workspace};

use args::{Cli, Command, Global, Question};
use end::End;
use out::{Colour, Out};
use render::index::Separator;
use render::{Wishes, workspace::Isolation};
use talk::Manner;
use voice::Voice;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let cli = match args::fast::plain(&words).map_or_else(|| Cli::try_parse_from(&words), Ok) {
        Ok(cli) => cli,
        // A hook says nothing that nobody asked for, whatever its words are.
        Err(error) if error.use_stderr() && verbs::prime::is_hook(&words) => return ExitCode::SUCCESS,
        Err(error) => return wrong::words(&error, &words),
    };
    let colour = colour(&cli.global);
    let voice = Voice::new(cli.global.quiet, cli.global.json, colour);
    let mut out = Out::stdout(cli.global.json, colour);
    let upgrades = upgrades(&cli);
    let ended = run(cli, &mut out, &voice).and_then(|()| out.flush().map_err(End::Output));
    if let (Ok(()), Some(options)) = (&ended, upgrades)
        && let Some(warning) = client::upgrade(&options, &client::here())
    {
        voice.warn(&warning.to_string());
    }
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(end) => {
            // What was shown before the failure is still shown; the failure is the news.
            drop(out.flush());
            end::exit_code(end, &voice)
        }
    }
}

/// Whether a daemon that turns out to be older may be asked to hand over afterwards: not by a command that is about the
/// daemon itself, nor by one that starts none.
fn upgrades(cli: &Cli) -> Option<Options> {
    match cli.command {
        Command::Daemon(_) | Command::Status | Command::Complete { .. } => None,
        _ if cli.global.no_start => None,
        _ => options(&cli.global).ok(),
    }
}

/// `NO_COLOR` counts when it is set to anything (no-color.org).
fn colour(global: &Global) -> Colour {
    let unwanted = global.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if unwanted { Colour::No } else { Colour::Yes }
}

/// Who does not want a daemon started does not want to wait for one that comes or goes either.
const NO_START_PATIENCE: Duration = Duration::from_secs(3);

fn options(global: &Global) -> Result<Options, End> {
    let options = Options {
        // The daemon is started from another directory.
        program: global.tod.as_deref().map(std::path::absolute).transpose()?,
        ..Options::from_env()?
    };
    if !global.no_start {
        return Ok(options);
    }
    Ok(Options {
        start: Start::Never,
        patience: NO_START_PATIENCE,
        ..options
    })
}

fn run(cli: Cli, out: &mut Out, voice: &Voice) -> Result<(), End> {
    let Cli { global, command } = cli;
    let caller = client::here();
    let mut manner = Manner::default();
    let mut again = None;
    let question = match &command {
        Command::Detect(words) => words.question(&caller)?,
        Command::Files(words) => {
            if words.null {
                manner.separator = Separator::Nul;
            }
            words.question(&caller)?
        }
        Command::Clock(words) => words.question(&caller)?,
        Command::Changes(words) => {
            let since = match words.since() {
                Ok(since) => since,
                Err(id) => {
                    verbs::context::begun(options(&global)?, &caller, (words.at(&caller)?, id), voice)?
                }
            };
            again = words.after_timeout(&caller, &since)?;
            words.question(&caller, &since)?
        }
        Command::Watch(words) => {
            let question = words.question(&caller)?;
            let mut client = Client::new(options(&global)?);
            return watch::watch(&mut client, (question, caller), (out, voice));
        }
        Command::Workspace(words) if words.is_exchange() => {
            return verbs::exchange::run(options(&global)?, caller, words, (out, voice));
        }
        Command::Workspace(words) => words.question(&caller)?,
        Command::Config(words) => {
            manner.wishes = Wishes {
                origin: words.origin(),
                ..Wishes::default()
            };
            words.question(&caller)?
        }
        Command::Role(words) => words.question(&caller)?,
        Command::Migrate(words) => words.question(),
        Command::Doctor(words) => words.question(),
        Command::Task(words) => {
            if let Some(results) = words.with_results()? {
                let asked = (words.common(), results);
                return verbs::artifact::complete(options(&global)?, caller, asked, (out, voice));
            }
            let (question, actor) = (words.question(&caller)?, words.common().actor.as_deref());
            return verbs::task::run(
                options(&global)?,
                (caller, actor),
                question,
                words.fields(),
                (out, voice),
            );
        }
        Command::Artifact(words) => {
            return verbs::artifact::run(options(&global)?, caller, words, (out, voice));
        }
        Command::Next(words) => {
            let (question, actor) = (words.question(&caller)?, words.common.actor.as_deref());
            return verbs::task::run(options(&global)?, (caller, actor), question, &[], (out, voice));
        }
        Command::Prime(words) => {
            return verbs::prime::run(options(&global), caller, words, (out, voice));
        }
        Command::Context(_)
        | Command::Handover(_)
        | Command::Session(_)
        | Command::Remember(_)
        | Command::Recall(_)
        | Command::Forget(_) => {
            return verbs::context::run(options(&global)?, caller, &command, (out, voice));
        }
        Command::Audit(words) => {
            let question = words.question(&caller)?;
            return verbs::maintenance::run(options(&global)?, (question, caller), None, (out, voice));
        }
        Command::Import(words) => {
            let (question, actor) = (words.question(&caller)?, words.common().actor.as_deref());
            return verbs::maintenance::run(options(&global)?, (question, caller), actor, (out, voice));
        }
        Command::Decision(words) => {
            let (question, actor) = (words.question(&caller)?, words.common().actor.as_deref());
            return verbs::actor::run(options(&global)?, (caller, actor), question, (out, voice));
        }
        _ => return itself(command, &global, caller, (out, voice)),
    };
    let again = again.map(|question| (question, caller.clone()));
    let answer = match (ask(&global, (question, caller), (out, voice), manner), again) {
        (Err(End::Failed(error)), Some(again)) if error.kind == Kind::Cancelled => {
            ask(&global, again, (out, voice), manner)?
        }
        (answer, _) => answer?,
    };
    match (&command, &answer) {
        (
            Command::Workspace(args::workspace::Words::ValidateIsolation { report }),
            Answer::Workspace(workspace::Answer::Isolation(findings)),
        ) => isolation(report.as_deref(), &Isolation::new(findings), voice),
        (Command::Doctor(_), Answer::Index(proto::index::Answer::Watches(watches))) => {
            render::doctor::verdict(watches).map_err(End::Failed)
        }
        _ => Ok(()),
    }
}

fn ask(
    global: &Global,
    asked: (Question, Caller),
    shown: (&mut Out, &Voice),
    manner: Manner,
) -> Result<Answer, End> {
    talk::answer(&mut Client::new(options(global)?), asked, shown, manner)
}

/// Commands that ask the daemon nothing, or not in the usual way.
fn itself(
    command: Command,
    global: &Global,
    caller: Caller,
    (out, voice): (&mut Out, &Voice),
) -> Result<(), End> {
    match command {
        Command::Daemon(words) => verbs::daemon::run(options(global)?, caller, words, (out, voice)),
        Command::Status => verbs::daemon::status(options(global)?, caller, out, voice),
        Command::Completions { shell } => verbs::complete::script(shell, out),
        Command::Complete { what } => verbs::complete::names(options(global)?, caller, what, out),
        Command::Setup(words) => verbs::setup::run(&options(global)?, &words, out, voice),
        Command::Man { dir } => verbs::pages::pages(dir.as_deref(), out, voice),
        _ => Err(End::Failed(Error::bug("a command that nobody carries out"))),
    }
}

/// Writes the report where it was asked for; a check that did not hold is a failure of the command.
fn isolation(report: Option<&Path>, isolation: &Isolation<'_>, voice: &Voice) -> Result<(), End> {
    if let Some(path) = report {
        let cannot = |error: String| {
            Error::unavailable(format!("the report `{}` cannot be written", path.display())).why(error)
        };
        let text = isolation.report().map_err(|error| cannot(error.to_string()))?;
        std::fs::write(path, text).map_err(|error| cannot(error.to_string()))?;
        voice.note(&format!("report written: {}", path.display()));
    }
    if isolation.passed() {
        return Ok(());
    }
    Err(End::Failed(
        Error::conflict("workspaces are not isolated from each other")
            .why("the findings that did not pass say where")
            .next("see the report; nothing was changed"),
    ))
}
