//! `tocli daemon`: start, stop, status, reload, reboot, run.
//!
//! What must stay true: `status`, `stop`, `reload` and `reboot` never start a daemon.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use client::{Client, Options};
use proto::{Caller, Error, Request, daemon};
use serde::Serialize;

use super::logs;
use crate::args::daemon::Words;
use crate::args::{Question, absolute};
use crate::end::End;
use crate::out::{Form, Out};
use crate::render::Wishes;
use crate::talk::{self, Manner};
use crate::voice::Voice;

#[derive(Serialize)]
struct Started {
    pid: u32,
    started: bool,
}

#[derive(Serialize)]
struct Stopped {
    stopped: bool,
    pid: Option<u32>,
}

#[derive(Serialize)]
struct Handed<'a> {
    pid: u32,
    from_version: &'a str,
    to_version: &'a str,
    generation: u32,
}

#[derive(Serialize)]
struct Standing {
    running: bool,
}

pub(crate) fn run(
    options: Options,
    caller: Caller,
    words: Words,
    (out, voice): (&mut Out, &Voice),
) -> Result<(), End> {
    match words {
        Words::Start => start(options, out, voice),
        Words::Stop => stop(&options, out, voice),
        Words::Status => status(options, caller, out, voice),
        Words::Reload => ask(options, caller, daemon::Request::Reload, (out, voice)),
        Words::Reboot {
            what,
            binary,
            timeout,
            reason,
        } => {
            let plain = binary.is_none();
            let binary = binary.map(|path| absolute(&path, &caller)).transpose()?;
            let wishes = Wishes {
                most: Some(what.shown()),
                ..Wishes::default()
            };
            let manner = Manner {
                wishes,
                ..Manner::default()
            };
            let question = Question::patient(Request::Daemon(what.request(binary, timeout, reason)));
            // A daemon that shares no protocol with us is asked by the header, which all versions understand.
            if plain
                && what.is_plain()
                && let Some(welcome) = client::hail(&options)?
                && !client::understands(&welcome)
            {
                return by_header(&options, &welcome, (out, voice));
            }
            let mut client = running(&options, voice)?;
            talk::answer(&mut client, (question, caller), (out, voice), manner)?;
            Ok(())
        }
        Words::Logs { follow, lines } => logs::show(&options.places.logs(), (follow, lines), out),
        Words::Run { words } => Err(foreground(&options, &words)),
    }
}

/// `daemon status`.
pub(crate) fn status(options: Options, caller: Caller, out: &mut Out, voice: &Voice) -> Result<(), End> {
    ask(options, caller, daemon::Request::Status, (out, voice))
}

/// Asks a daemon that must be running.
fn ask(
    options: Options,
    caller: Caller,
    request: daemon::Request,
    (out, voice): (&mut Out, &Voice),
) -> Result<(), End> {
    let mut client = match running(&options, voice) {
        Err(End::Told(error)) if out.form() == Form::Json && request == daemon::Request::Status => {
            out.json(&Standing { running: false })?;
            return Err(End::Told(error));
        }
        found => found?,
    };
    let question = Question::soon(Request::Daemon(request));
    talk::answer(&mut client, (question, caller), (out, voice), Manner::default())?;
    Ok(())
}

fn running(options: &Options, voice: &Voice) -> Result<Client, End> {
    if let Some(client) = Client::find(options.clone())? {
        return Ok(client);
    }
    let error = Error::unavailable("no daemon is running")
        .why(format!("nobody listens on `{}`", options.places.socket.display()))
        .next("any other command starts it, and so does `tocli daemon start`");
    voice.fail(&error);
    Err(End::Told(error))
}

fn start(options: Options, out: &mut Out, voice: &Voice) -> Result<(), End> {
    if let Some(client) = Client::find(options.clone())? {
        let pid = client.welcome().map(|welcome| welcome.pid).unwrap_or_default();
        voice.note(&format!("the daemon ({pid}) was running"));
        return say(out, pid, false);
    }
    let client = Client::connect(options)?;
    let pid = client.welcome().map(|welcome| welcome.pid).unwrap_or_default();
    voice.note(&format!("the daemon ({pid}) is running"));
    say(out, pid, true)
}

fn by_header(
    options: &Options,
    before: &proto::hello::Welcome,
    (out, voice): (&mut Out, &Voice),
) -> Result<(), End> {
    let now = client::reboot(options, before)?;
    voice.note(&format!(
        "version {} serves as process {} in place of {}",
        now.version, now.pid, before.version
    ));
    if out.form() == Form::Json {
        out.json(&Handed {
            pid: now.pid,
            from_version: &before.version,
            to_version: &now.version,
            generation: now.generation,
        })?;
    }
    Ok(())
}

fn say(out: &mut Out, pid: u32, started: bool) -> Result<(), End> {
    if out.form() == Form::Json {
        out.json(&Started { pid, started })?;
    }
    Ok(())
}

fn stop(options: &Options, out: &mut Out, voice: &Voice) -> Result<(), End> {
    let pid = client::stop(options)?;
    match pid {
        Some(pid) => voice.note(&format!("the daemon ({pid}) has stopped")),
        None => voice.note("no daemon was running"),
    }
    if out.form() == Form::Json {
        out.json(&Stopped {
            stopped: pid.is_some(),
            pid,
        })?;
    }
    Ok(())
}

/// Becomes `tod run`, which keeps this process's standard error and its place in the terminal.
fn foreground(options: &Options, words: &[std::ffi::OsString]) -> End {
    let program = match client::program(options) {
        Ok(program) => program,
        Err(error) => return End::Failed(error),
    };
    let error = Command::new(&program).arg("run").args(words).exec();
    End::Failed(Error::unavailable(format!("`{}` cannot be started", program.display())).why(error))
}
