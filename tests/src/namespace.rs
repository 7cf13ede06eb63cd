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
    let probe = std::panic::catch_unwind(|| process::run(&mut begin("mount -t tmpfs none \"$HOME\"")));
    if !probe.is_ok_and(|said| said.code == 0) {
        skip::skip("userns", "no mount namespace can be made here");
        return None;
    }
    Some(begin(&format!("{setup}\nexec \"$@\"")))
}
