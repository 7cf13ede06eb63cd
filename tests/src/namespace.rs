//! Mount namespaces: a file system that is full, read-only or hung, for one daemon and nobody else.
//!
//! Asked by tests that need a mount. What must stay true: nothing is mounted outside the namespace, and everything goes
//! with its last process.

use std::process::Command;

use crate::daemon::{Bed, root};
use crate::{process, skip};

/// A program that begins with `setup` (a shell script with the mounts, which sees the environment of the bed) in a mount
/// namespace of its own. The caller adds the program and its arguments. None, with a word, where that is not possible.
#[must_use]
pub fn mounting(bed: &Bed, setup: &str) -> Option<Command> {
    let begin = |script: &str| {
        let mut command = bed.command("unshare");
        command.args(["--mount", "--propagation", "private"]);
        if !root() {
            command.arg("--map-root-user");
        }
        command.args(["sh", "-ec", script, "sh"]);
        command
    };
    let script = format!("{setup}\nexec \"$@\"");
    let probe = std::panic::catch_unwind(|| process::run(begin(&script).arg("true")));
    match probe {
        Ok(said) if said.code == 0 => Some(begin(&script)),
        Ok(said) => {
            let why = format!("the mounts cannot be made here: {}", said.err.trim());
            skip::skip("userns", &why);
            None
        }
        Err(_) => {
            skip::skip("userns", "no mount namespace can be made here");
            None
        }
    }
}

/// Whether there is a program that enters namespaces; says so when not.
#[must_use]
pub fn can_enter() -> bool {
    let works = Command::new("nsenter")
        .arg("--version")
        .output()
        .is_ok_and(|said| said.status.success());
    if !works {
        skip::skip("userns", "`nsenter` is not installed");
    }
    works
}

/// Runs a program in the mount namespace of a daemon that was started by [`mounting`]. Its paths are absolute: it begins at
/// the root.
///
/// # Panics
/// When `nsenter` cannot be run; see [`can_enter`].
#[must_use]
pub fn enter(daemon: u32, words: &[&str]) -> process::Said {
    let mut command = Command::new("nsenter");
    command.args(["--mount", "--target", &daemon.to_string()]);
    if !root() {
        command.args(["--user", "--preserve-credentials"]);
    }
    process::run(command.args(words))
}
