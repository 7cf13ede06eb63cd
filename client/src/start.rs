//! Starting the daemon, once, however many clients want it.
//!
//! 1. Refuse to make anything in a folder of another user.
//! 2. In a sandbox: ask the service manager where the daemon is one of its units, else refuse.
//! 3. Take the starters' lock, trying the socket in between: most of a hundred clients find the daemon that way.
//! 4. Ask the service manager where the daemon is one of its units.
//! 5. Start `tod` with nothing of ours but a pipe for its errors, and read that to its end: the daemon lets go of it when
//!    it serves, or when it has said why it does not.
//! 6. Connect.
//!
//! What must stay true: the daemon inherits nothing by which it could keep somebody waiting (`x=$(tocli …)`) and no
//! setting of a single project; a daemon that could not start says why in the client's error.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use proto::{Error, Kind, error::Result};

use crate::connect::{self, PAUSE, Reach};
use crate::link::Link;
use crate::{Options, guard, sandbox, systemd};

/// The most bytes of the daemon's complaint that are read.
const COMPLAINT: usize = 16 << 10;

/// The signal of `kill -9` and of a system that is out of memory.
const KILL: i32 = rustix::process::Signal::KILL.as_raw();

/// How many daemons that were killed are followed by another one.
const MOST_KILLED: u32 = 5;

type Attempt<'a> = &'a mut dyn FnMut() -> Result<Reach>;

/// Starts the daemon and connects.
pub(crate) fn start(options: &Options, until: Instant, reach: Attempt<'_>) -> Result<(Link, Option<Child>)> {
    guard::own_state(&options.places.state_dir, guard::uid())?;
    if let Some(why) = sandbox::confinement() {
        let asked = systemd::start(options);
        return match asked
            .then(|| connect::patiently(until, reach))
            .transpose()?
            .flatten()
        {
            Some(link) => Ok((link, None)),
            None => Err(confined(&why)),
        };
    }
    let starters = guard::starters(&options.places.state_dir)?;
    while starters.try_lock().is_err() {
        if let Some(link) = connect::patiently(until, reach)? {
            return Ok((link, None));
        }
        if Instant::now() >= until {
            return Err(connect::in_vain(
                "another client has been starting it for too long",
            ));
        }
        std::thread::sleep(PAUSE);
    }
    if let Some(link) = connect::patiently(until, reach)? {
        return Ok((link, None));
    }
    if systemd::start(options)
        && let Some(link) = connect::patiently(until, reach)?
    {
        return Ok((link, None));
    }
    start_ourselves(options, until, reach)
}

fn start_ourselves(options: &Options, until: Instant, reach: Attempt<'_>) -> Result<(Link, Option<Child>)> {
    let mut killed = 0;
    loop {
        let mut child = spawn(&program(options)?)?;
        let complaint = complaint(&mut child, until);
        let ended = loop {
            if let Some(link) = connect::patiently(until, reach)? {
                return Ok((link, Some(child)));
            }
            if let Ok(Some(status)) = child.try_wait() {
                break status;
            }
            if Instant::now() >= until {
                return Err(slow(options));
            }
            std::thread::sleep(PAUSE);
        };
        // Ended by somebody else and not by a fault of its own: the next one may live.
        if ended.signal() == Some(KILL) && killed < MOST_KILLED {
            killed += 1;
            continue;
        }
        let error = told(&complaint, ended);
        // Somebody else holds the lock: a daemon that is about to serve, or one that is about to end.
        if error.kind != Kind::Conflict || Instant::now() >= until {
            return Err(error);
        }
        std::thread::sleep(PAUSE);
    }
}

fn confined(why: &str) -> Error {
    Error::new(
        Kind::Sandbox,
        "no daemon is running, and this process must not start one",
    )
    .why(format!(
        "{why}: the daemon would be shut in the same sandbox, for every other client too"
    ))
    .next("run `tocli daemon start` once outside of the sandbox")
}

fn slow(options: &Options) -> Error {
    Error::unavailable("the daemon was started and does not serve yet")
        .why("it may be migrating or recovering its database")
        .next(format!(
            "try again in a moment; see `{}`",
            options.places.logs().display()
        ))
}

/// The daemon's program: named, or beside our own executable.
///
/// # Errors
/// `unavailable` when it is not there.
pub fn program(options: &Options) -> Result<PathBuf> {
    if let Some(program) = &options.program {
        return Ok(program.clone());
    }
    let own = std::env::current_exe().map_err(|error| {
        Error::unavailable("where this program is cannot be found out, so `tod` beside it cannot be started")
            .why(error)
    })?;
    let program = own.parent().unwrap_or(Path::new("/")).join("tod");
    if program.is_file() {
        return Ok(program);
    }
    Err(Error::unavailable("the daemon's program was not found")
        .why(format!("`{}` is not there", program.display()))
        .next("install `tod` beside `tocli`, or name it with `--tod PATH`"))
}

/// The variables that a daemon of this user needs, whoever starts it: what it answers must not depend on that.
fn environment() -> impl Iterator<Item = (OsString, OsString)> {
    const NAMES: [&str; 8] = [
        "HOME",
        "PATH",
        "LANG",
        "TZ",
        "TMPDIR",
        "USER",
        "LOGNAME",
        "RUST_BACKTRACE",
    ];
    const HEADS: [&str; 2] = ["TOD_", "LC_"];
    const DIRECTORIES: [&str; 5] = [
        "XDG_RUNTIME_DIR",
        "XDG_STATE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_CACHE_HOME",
    ];
    std::env::vars_os().filter(|(name, _)| {
        name.to_str().is_some_and(|name| {
            NAMES.contains(&name)
                || DIRECTORIES.contains(&name)
                || HEADS.iter().any(|head| name.starts_with(head))
        })
    })
}

/// Starts the program. It leaves our session itself, first thing.
fn spawn(program: &Path) -> Result<Child> {
    Command::new(program)
        .args(["run", "--on-demand"])
        .current_dir("/")
        .env_clear()
        .envs(environment())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            Error::unavailable(format!("`{}` cannot be started", program.display()))
                .why(error)
                .next("check that it is a program of this machine and may be run")
        })
}

/// What the daemon says before it lets go of its standard error or the time is over.
fn complaint(child: &mut Child, until: Instant) -> String {
    let mut said = Vec::new();
    let Some(mut pipe) = child.stderr.take() else {
        return String::new();
    };
    let mut bytes = [0; 4096];
    while said.len() < COMPLAINT && readable(&pipe, until) {
        match pipe.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => said.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Waits until there is something to read or the other side has let go; false when the time is over.
fn readable(pipe: &std::process::ChildStderr, until: Instant) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let Ok(left) = Timespec::try_from(left) else {
            return false;
        };
        match poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&left)) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(count) => return count > 0,
            Err(_) => return false,
        }
    }
}

/// The daemon's own error from its last words, as its `main` writes them.
fn told(complaint: &str, ended: ExitStatus) -> Error {
    let line = |head: &str| {
        complaint
            .lines()
            .find_map(|line| line.strip_prefix(head))
            .map(str::to_owned)
    };
    let kind = match ended.code() {
        Some(2) => Kind::Usage,
        Some(3) => Kind::NotFound,
        Some(4) => Kind::Refused,
        Some(5) => Kind::Conflict,
        Some(70) => Kind::Bug,
        _ => Kind::Unavailable,
    };
    let Some(what) = line("tod: ") else {
        let last = complaint.trim().lines().next_back().unwrap_or("it said nothing");
        return Error::unavailable(format!("the daemon could not start: it ended with {ended}"))
            .why(last)
            .next("see `tocli daemon logs`");
    };
    Error {
        kind,
        what: format!("the daemon could not start: {what}"),
        why: line("  why: "),
        next: line("  next: "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn the_daemons_own_words_become_the_clients_error() {
        let said = "tod: the database is newer than this program\n  why: it has schema 9\n  next: update\n";
        let error = told(said, ExitStatus::from_raw(4 << 8));
        assert_eq!(error.kind, Kind::Refused);
        assert_eq!(
            error.what,
            "the daemon could not start: the database is newer than this program"
        );
        assert_eq!(error.why.as_deref(), Some("it has schema 9"));
        assert_eq!(error.next.as_deref(), Some("update"));
    }

    #[test]
    fn a_daemon_that_crashed_is_reported_with_its_last_line() {
        let error = told("thread main\nout of memory\n", ExitStatus::from_raw(9));
        assert_eq!(error.kind, Kind::Unavailable);
        assert_eq!(error.why.as_deref(), Some("out of memory"));
    }
}
