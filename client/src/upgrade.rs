//! A client that is newer than the daemon it has met asks it to hand over to the `tod` beside the client.
//!
//! Asked by programs after the request that they were started for: never in its way. Once for each pair of versions, which
//! the daemon's own history of reboots tells; `daemon.auto_upgrade` (or `TO_DAEMON_AUTO_UPGRADE=false`) turns it off.
//! What must stay true: the daemon decides (its rehearsal, its limits), and a client that may not start a daemon does not
//! replace one either.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use proto::daemon::{Answer as Told, Outcome, Request as Of};
use proto::hello::{VERSION, Welcome};
use proto::{Answer, Caller, Error, Kind, RawPath, Request, config, daemon, detect};

use crate::{Ask, Client, Options, program, sandbox};

/// The setting.
const KEY: &str = "daemon.auto_upgrade";

/// Its variable, which every client believes, also where the daemon does not know the setting.
const VARIABLE: &str = "TO_DAEMON_AUTO_UPGRADE";

/// The version of an older daemon that this process has met.
static MET: OnceLock<String> = OnceLock::new();

/// Set with the first attempt of this process.
static TRIED: AtomicBool = AtomicBool::new(false);

/// Remembers whom we have met.
pub(crate) fn met(welcome: &Welcome) {
    if newer(VERSION, &welcome.version) {
        MET.get_or_init(|| welcome.version.clone());
    }
}

/// Has the older daemon that this process has met hand over to the program beside this one, if there is such a daemon and
/// nothing speaks against it. The answer is what a person should know: silence when all is well.
#[must_use]
pub fn upgrade(options: &Options, caller: &Caller) -> Option<Error> {
    let theirs = MET.get()?;
    if TRIED.swap(true, Ordering::Relaxed) {
        return None;
    }
    if std::env::var(VARIABLE).is_ok_and(|value| value == "false") || sandbox::confinement().is_some() {
        return None;
    }
    let binary = program(options).ok()?;
    if !version_of(&binary).is_some_and(|version| newer(&version, theirs)) {
        return None;
    }
    let mut client = Client::find(options.clone()).ok()??;
    // Somebody else may have been faster.
    if client.welcome()?.version != *theirs {
        return None;
    }
    let mut ask = |request| client.call(&Ask::new(caller.clone(), request));
    let key = config::Request::Get {
        at: detect::From::Caller,
        key: KEY.to_owned(),
    };
    // A daemon that does not know the setting has nothing against it.
    if let Ok(Answer::Config(config::Answer::Setting { setting, .. })) = ask(Request::Config(key))
        && setting.value == "false"
    {
        return None;
    }
    let reason = format!("upgrade to {VERSION}");
    let Ok(Answer::Daemon(Told::Reboots { history, .. })) = ask(Request::Daemon(Of::Reboots)) else {
        return None;
    };
    let tried = |past: &daemon::Reboot| {
        past.outcome != Outcome::Done && past.from_version == *theirs && past.reason.as_ref() == Some(&reason)
    };
    if history.iter().any(tried) {
        return None;
    }
    let request = Of::Reboot {
        binary: Some(RawPath::from(binary.as_path())),
        limit_ms: 0,
        reason: Some(reason),
    };
    match ask(Request::Daemon(request)) {
        Ok(_) => None,
        // Another one is under way: it will be as good.
        Err(error) if error.kind == Kind::Conflict => None,
        Err(error) => Some(
            Error::new(
                error.kind,
                format!("the running daemon ({theirs}) is older than this program ({VERSION}) and stays"),
            )
            .why(&error)
            .next(format!(
                "see `tocli daemon reboot --check`; `{KEY}: false` in your settings ends these attempts"
            )),
        ),
    }
}

/// What a `tod` says of itself.
fn version_of(binary: &Path) -> Option<String> {
    let said = Command::new(binary)
        .arg("--version")
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(said.stdout).ok()?;
    text.strip_prefix("tod ").map(|version| version.trim().to_owned())
}

/// Whether a version comes after another (semver.org, 11): by its three numbers, and a release after its pre-releases. Two
/// pre-releases of one release are never newer than each other.
fn newer(one: &str, other: &str) -> bool {
    match (parts(one), parts(other)) {
        (Some(one), Some(other)) => one > other,
        _ => false,
    }
}

fn parts(version: &str) -> Option<([u64; 3], bool)> {
    let version = version.split('+').next()?;
    let (numbers, is_release) = match version.split_once('-') {
        Some((numbers, _)) => (numbers, false),
        None => (version, true),
    };
    let numbers: Vec<u64> = numbers
        .split('.')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    Some((numbers.try_into().ok()?, is_release))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (one, other) in [
            ("0.2.0", "0.1.9"),
            ("0.10.0", "0.9.0"),
            ("1.0.0", "0.99.99"),
            ("0.2.0", "0.2.0-rc.1"),
            ("0.3.0-rc.1", "0.2.0"),
        ] {
            assert!(newer(one, other), "{one} {other}");
            assert!(!newer(other, one), "{other} {one}");
        }
        assert!(!newer("0.1.0", "0.1.0") && !newer("0.1.0+b", "0.1.0+a"));
    }

    #[test]
    fn what_is_no_version_is_neither_older_nor_newer() {
        for odd in ["", "1", "1.2", "a.b.c", "1.2.3.4"] {
            assert!(!newer(odd, "0.1.0") && !newer("0.1.0", odd), "{odd}");
        }
    }
}
