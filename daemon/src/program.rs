//! The program `tod`: reads its flags and the environment, then lives (`lifecycle`).
//!
//! Asked by `main`, and by the test beds' programs that stand for another build of it: those say so before anything else
//! (`world::process::call_version`, `migrations::build_with`).

#![allow(
    clippy::disallowed_methods,
    reason = "the daemon's own environment is read here, once"
)]

use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use proto::places::Places;
use proto::{Error, error::Result};

use crate::handover;
use crate::handover::guard::{Charge, guard, numbers};
use crate::lifecycle::{self, Begin, Options, Start};
use crate::world::fd::FIRST;
use crate::world::{process, supervisor};

const HELP: &str = "\
tod, the per-user daemon of Task Orchestrator. `tocli` starts it when it is needed.

Usage: tod run [--on-demand] [--idle-exit SECONDS]
       tod --version | --help

  --on-demand           close what was inherited; standard error is let go when the daemon serves
  --idle-exit SECONDS   exit after this time without clients (0: never)
                        [on demand or by socket activation: 900; else never]

Environment: TOD_SOCKET, TOD_STATE_DIR, TOD_LOG, TOD_IDLE_EXIT, HOME, XDG_RUNTIME_DIR, XDG_STATE_HOME, XDG_CONFIG_HOME
";

/// Seconds without clients after which a daemon that was started by demand ends.
const IDLE_EXIT: u64 = 900;

/// The whole life of the process.
#[must_use]
pub fn main() -> ExitCode {
    process::call_itself(c"tod");
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    match words.first().map(String::as_str) {
        Some("--version" | "-V") => say(&format!("tod {}\n", process::version())),
        Some("--help" | "-h") => say(HELP),
        // A process of its own for a database that may hang or end whoever opens it (`db`).
        Some("probe") => match std::env::args_os().nth(2) {
            Some(state) => crate::db::examine(std::path::Path::new(&state)),
            None => say(HELP),
        },
        Some(word @ ("supervise" | "supervise-on")) => end(supervised(word)),
        _ => end(run(&words)),
    }
}

fn end(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            ExitCode::from(error.kind.exit_code())
        }
    }
}

/// The small process over a command (`world::supervisor`): folder, limit in milliseconds (0 for none), the command.
fn supervised(word: &str) -> Result<()> {
    let arguments: Vec<_> = std::env::args_os().skip(2).collect();
    let [folder, limit, command @ ..] = &arguments[..] else {
        return Err(Error::usage(format!("`tod {word}` is started by `tod` alone")));
    };
    let limit = limit
        .to_str()
        .and_then(|limit| limit.parse::<u64>().ok())
        .unwrap_or_default();
    let limit = (limit > 0).then(|| Duration::from_millis(limit));
    match word {
        "supervise" => supervisor::detach(Path::new(folder), limit, command),
        _ => supervisor::supervise(Path::new(folder), limit, command),
    }
}

fn run(words: &[String]) -> Result<()> {
    let text = |name: &str| std::env::var(name).ok();
    match words {
        [first, scratch] if first == "rehearse" => return rehearse(Path::new(scratch)),
        [first, limit, watched] if first == "guard" => {
            let charge = Charge::read((limit, watched), &text)
                .ok_or_else(|| Error::usage("`tod guard` is started by `tod` alone"))?;
            return guard(&charge);
        }
        _ => {}
    }
    let options = options(words)?;
    let uid = process::uid();
    let places = Places::resolve(&|name| std::env::var_os(name), uid, process::home_of(uid))?;
    lifecycle::run(&options, places)
}

#[allow(clippy::print_stdout)] // Standard output is how a rehearsal answers.
fn rehearse(scratch: &Path) -> Result<()> {
    let mut state = Vec::new();
    let limit = 1 << 30;
    std::io::stdin()
        .take(limit)
        .read_to_end(&mut state)
        .map_err(|error| Error::usage("no state on standard input").why(error))?;
    print!("{}", crate::reboot::rehearse(scratch, &state)?);
    Ok(())
}

fn options(words: &[String]) -> Result<Options> {
    let wrong = |word: &str| Error::usage(format!("`{word}` is not understood")).next("see `tod --help`");
    let Some((first, rest)) = words.split_first() else {
        return Err(Error::usage("what `tod` is to do was not said")
            .next("`tod run` starts the daemon here; see `tod --help`"));
    };
    if first != "run" {
        return Err(wrong(first));
    }
    let (mut start, mut idle) = (Start::Foreground, None);
    let (mut handed_over, mut back) = (false, None);
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--on-demand" => start = Start::OnDemand,
            "--idle-exit" => idle = Some(seconds(rest.next().ok_or_else(|| wrong(word))?)?),
            "--handed-over" => handed_over = true,
            "--handed-back" => {
                back = Some(Error::unavailable(
                    rest.next().ok_or_else(|| wrong(word))?.clone(),
                ))
            }
            _ => return Err(wrong(word)),
        }
    }
    if handed_over || back.is_some() {
        let numbers = std::env::var(handover::VARIABLE)
            .ok()
            .and_then(|text| numbers(&text));
        let numbers = numbers.ok_or_else(|| Error::usage("nothing was handed over to this process"))?;
        let begin = Begin::HandedOver { numbers, back };
        return Ok(Options {
            start: Start::OnDemand,
            idle_exit: None,
            begin,
        });
    }
    let passed = passed();
    let by_demand = start == Start::OnDemand || !passed.is_empty();
    let idle = match (idle, std::env::var("TOD_IDLE_EXIT")) {
        (Some(idle), _) => idle,
        (None, Ok(text)) => seconds(&text)?,
        (None, Err(_)) if by_demand => IDLE_EXIT,
        (None, Err(_)) => 0,
    };
    let idle_exit = (idle > 0).then(|| Duration::from_secs(idle));
    Ok(Options {
        start,
        idle_exit,
        begin: Begin::Fresh { passed },
    })
}

fn seconds(text: &str) -> Result<u64> {
    text.parse().map_err(|error| {
        Error::usage(format!("`{text}` is not a number of seconds"))
            .why(error)
            .next("give a whole number, 0 for never")
    })
}

/// Descriptors passed by `LISTEN_FDS` to this very process (`sd_listen_fds(3)`).
fn passed() -> Vec<i32> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    let ours = number("LISTEN_PID") == Some(std::process::id());
    let count = number("LISTEN_FDS").filter(|_| ours).unwrap_or_default().min(64);
    (FIRST..).take(count as usize).collect()
}

/// Says what the user asked for.
fn say(text: &str) -> ExitCode {
    let mut out = std::io::stdout().lock();
    end(out
        .write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Error::unavailable("standard output cannot be written").why(error)))
}

/// The reason, where whoever started us reads it: kind, what, why and next, a line each.
#[allow(clippy::print_stderr)] // There is no log yet, and nobody else to tell.
fn tell(error: &Error) {
    eprintln!("tod: {}", error.what);
    if let Some(why) = &error.why {
        eprintln!("  why: {why}");
    }
    if let Some(next) = &error.next {
        eprintln!("  next: {next}");
    }
}
