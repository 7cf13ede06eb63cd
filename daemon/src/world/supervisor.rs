//! The small process that stands over a command for as long as it runs, so that neither a reboot nor a crash of the daemon
//! loses it: its output and how it ended are in files.
//!
//! Started by [`start`] as `tod supervise`, which detaches and becomes nobody's child; asked about by [`look`]. In the
//! folder of a run: `output`, all that the command says; `run`, who runs, once it does; `end`, how it ended, written last.
//! What must stay true: a run without `end` runs, or its supervisor was killed, and then that is what [`look`] says; `run` and
//! `end` are there whole or not at all.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use proto::{Error, error::Result};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{fd, process};

/// How long a command may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// What belongs to the daemon alone and not to what runs below it.
const OURS: [&str; 8] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "TOD_HANDED_OVER",
    super::image::FOUND,
];

/// A process that is told from a later one with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub started: u64,
}

impl Known {
    fn of(pid: u32) -> Self {
        Self {
            pid,
            started: process::started(pid).unwrap_or_default(),
        }
    }

    fn lives(self) -> bool {
        process::started(self.pid) == Some(self.started)
    }
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is about to begin.
    Begins,
    /// It runs.
    Runs {
        /// Who stands over it.
        supervisor: Known,
        /// The command.
        command: Known,
    },
    /// It has ended by itself.
    Exited(i32),
    /// A signal ended it.
    Killed(i32),
    /// It could not be started.
    NotStarted(String),
    /// Its supervisor was killed: nobody knows how it ended, or whether.
    Lost,
}

/// Starts a supervisor over `command` in the empty folder of a run. `tod` is the program to start it with. Returns when it
/// stands by itself.
///
/// # Errors
/// When it cannot be started.
pub fn start(tod: &OsStr, folder: &Path, limit: Option<Duration>, command: &[OsString]) -> Result<()> {
    let failed = |why: String| Error::unavailable("the command's supervisor cannot be started").why(why);
    let status = supervisor(tod, "supervise", (folder, limit), command)
        .status()
        .map_err(|error| failed(error.to_string()))?;
    if status.success() {
        Ok(())
    } else {
        Err(failed(format!("it ended with {status}")))
    }
}

fn supervisor(
    tod: &OsStr,
    word: &str,
    (folder, limit): (&Path, Option<Duration>),
    run: &[OsString],
) -> Command {
    let mut command = Command::new(tod);
    command
        .arg0("tod")
        .arg(word)
        .arg(folder)
        .arg(limit.map_or(0, |limit| limit.as_millis()).to_string())
        .args(run)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// `tod supervise`: starts the supervisor as nobody's child, so that it leaves no entry behind whoever the daemon is when it
/// ends.
///
/// # Errors
/// When it cannot be started.
pub fn detach(folder: &Path, limit: Option<Duration>, command: &[OsString]) -> Result<()> {
    fd::close_inherited(&[]);
    let own = process::own_image();
    let spawned = supervisor(&own, "supervise-on", (folder, limit), command).spawn();
    spawned
        .map(drop)
        .map_err(|error| Error::unavailable("the supervisor cannot be started").why(error))
}

enum Heard {
    Ended(io::Result<ExitStatus>),
    Stop,
}

/// `tod supervise-on`: the whole life of a supervisor.
///
/// # Errors
/// When the folder cannot be written.
pub fn supervise(folder: &Path, limit: Option<Duration>, command: &[OsString]) -> Result<()> {
    let unwritable = |error: io::Error| {
        Error::unavailable(format!("the run in `{}` cannot be written", folder.display())).why(error)
    };
    // Out of the session and the group of whoever started the daemon. It fails only where this process leads one already.
    let _already_apart = rustix::process::setsid();
    process::call_itself(c"tod-run");
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(unwritable)?;
    let output = OpenOptions::new()
        .create_new(true)
        .append(true)
        .mode(0o600)
        .open(folder.join("output"))
        .map_err(unwritable)?;
    let Some((program, words)) = command.split_first() else {
        return Err(Error::usage("no command to supervise"));
    };
    let mut child = Command::new(program);
    child
        .args(words)
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(unwritable)?)
        .stderr(output)
        .process_group(0);
    for name in OURS {
        child.env_remove(name);
    }
    let mut child = match child.spawn() {
        Ok(child) => child,
        Err(error) => return write(folder, "end", &format!("not-started {error}\n")).map_err(unwritable),
    };
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (own, of_child) = (Known::of(std::process::id()), Known::of(child.id()));
    let run = format!(
        "supervisor {} {}\ncommand {} {}\n",
        own.pid, own.started, of_child.pid, of_child.started
    );
    if let Err(error) = write(folder, "run", &run) {
        // What nobody can find again must not go on.
        let _gone = group.map(|group| kill_process_group(group, Signal::KILL));
        let _status = child.wait();
        let _full = write(folder, "end", &format!("not-started {error}\n"));
        return Err(unwritable(error));
    }
    let heard = hear(signals, move || child.wait());
    let mut until = limit.map(|limit| Instant::now() + limit);
    let mut with = Signal::TERM;
    let ended = loop {
        let next = match until {
            None => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(until) => heard.recv_timeout(until.saturating_duration_since(Instant::now())),
        };
        match next {
            Ok(Heard::Ended(ended)) => break ended,
            Ok(Heard::Stop) | Err(RecvTimeoutError::Timeout) => {
                // A group that has gone meanwhile is about to be heard of.
                let _gone = group.map(|group| kill_process_group(group, with));
                with = Signal::KILL;
                until = Some(Instant::now() + GRACE);
            }
            Err(RecvTimeoutError::Disconnected) => break Err(io::Error::other("nobody waits for it")),
        }
    };
    let end = match ended.map(|status| (status.code(), status.signal())) {
        Ok((Some(code), _)) => format!("exited {code}\n"),
        Ok((None, signal)) => format!("killed {}\n", signal.unwrap_or_default()),
        Err(error) => format!("not-started {error}\n"),
    };
    write(folder, "end", &end).map_err(unwritable)
}

fn hear(
    mut signals: Signals,
    wait: impl FnOnce() -> io::Result<ExitStatus> + Send + 'static,
) -> mpsc::Receiver<Heard> {
    let (tell, heard) = mpsc::channel();
    let told = tell.clone();
    std::thread::spawn(move || drop(tell.send(Heard::Ended(wait()))));
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if told.send(Heard::Stop).is_err() {
                return;
            }
        }
    });
    heard
}

/// A file that is there whole or not at all, also after a power cut.
fn write(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let draft = folder.join(format!(".{name}"));
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, folder.join(name))?;
    File::open(folder)?.sync_all()
}

/// How the run in a folder stands.
///
/// # Errors
/// When the folder cannot be read.
pub fn look(folder: &Path) -> io::Result<Standing> {
    // In this order: a supervisor writes `end` before it goes.
    let run = read(folder, "run")?;
    let known = run
        .as_deref()
        .and_then(|run| Some((line(run, "supervisor")?, line(run, "command")?)));
    let lives = known.is_some_and(|(supervisor, _)| supervisor.lives());
    if let Some(end) = read(folder, "end")? {
        let number = |text: &str| text.trim().parse().unwrap_or_default();
        return Ok(match end.split_once(' ') {
            Some(("exited", code)) => Standing::Exited(number(code)),
            Some(("killed", signal)) => Standing::Killed(number(signal)),
            Some((_, why)) => Standing::NotStarted(why.trim().to_owned()),
            None => Standing::Lost,
        });
    }
    Ok(match known {
        None => Standing::Begins,
        Some((supervisor, command)) if lives => Standing::Runs { supervisor, command },
        Some(_) => Standing::Lost,
    })
}

fn read(folder: &Path, name: &str) -> io::Result<Option<String>> {
    match std::fs::read_to_string(folder.join(name)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn line(run: &str, name: &str) -> Option<Known> {
    let rest = run.lines().find_map(|line| line.strip_prefix(name))?;
    let (pid, started) = rest.trim().split_once(' ')?;
    Some(Known {
        pid: pid.parse().ok()?,
        started: started.parse().ok()?,
    })
}
