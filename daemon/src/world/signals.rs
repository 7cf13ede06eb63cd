//! Signals that must not get lost while one image becomes the next: what is blocked waits in the kernel, also across
//! `exec`.
//!
//! Asked by `handover` and `lifecycle`. What must stay true: whoever blocks them is the last thread of the process, or one
//! of the others takes them; they are let through again only when somebody listens.

use nix::sys::signal::{SigSet, Signal};

fn ours() -> SigSet {
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR2]
        .into_iter()
        .collect()
}

/// From here on they wait.
pub fn block() {
    if let Err(error) = ours().thread_block() {
        tracing::warn!(%error, "signals could not be blocked");
    }
}

/// Lets them through again, those that have waited first.
pub fn unblock() {
    if let Err(error) = ours().thread_unblock() {
        tracing::warn!(%error, "signals could not be let through");
    }
}
