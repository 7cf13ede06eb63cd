//! Which requests may be sent twice.
//!
//! What must stay true: a request that changes something is sent twice only with a request id, by which the daemon
//! knows it again.

use std::fmt::Write as _;

use proto::{Request, daemon, index, workspace};
use proto::{config, role};

/// Whether a request changes nothing, so that asking twice is asking once.
#[must_use]
pub fn only_reads(request: &Request) -> bool {
    match request {
        Request::Detect(_) | Request::Migrate(_) => true,
        Request::Workspace(request) => matches!(
            request,
            workspace::Request::List { .. }
                | workspace::Request::Show(_)
                | workspace::Request::ShowLocation(_)
                | workspace::Request::ValidateIsolation
        ),
        Request::Config(request) => {
            matches!(
                request,
                config::Request::Get { .. } | config::Request::List { .. }
            )
        }
        Request::Role(request) => matches!(request, role::Request::List { .. } | role::Request::Show { .. }),
        Request::Index(request) => match request {
            index::Request::Files { .. }
            | index::Request::FilesPage { .. }
            | index::Request::Watches
            | index::Request::Clock { .. }
            | index::Request::Changes { .. }
            | index::Request::Watch { .. } => true,
        },
        Request::Task(call) => !call.what.changes(),
        Request::Artifact(call) => !call.what.changes(),
        Request::Decision(call) => !call.what.changes(),
        Request::Context(call) => !call.what.changes(),
        Request::Maintenance(call) => !call.what.changes(),
        // A daemon that was started for the second asking must not be stopped by it.
        Request::Daemon(request) => matches!(
            request,
            daemon::Request::Status
                | daemon::Request::Reboots
                | daemon::Request::LastReboot
                | daemon::Request::Rehearse { .. }
        ),
    }
}

/// A request id that nobody else has: 128 random bits, hex. None where the system gives no chance.
#[must_use]
pub fn request_id() -> Option<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).ok()?;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").ok()?;
    }
    Some(text)
}

/// A number that tells a client from the others of its process; 0, which tells nothing, where the system gives no chance.
pub(crate) fn number() -> u32 {
    let mut bytes = [0_u8; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u32::from_le_bytes(bytes),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_request_ids_are_never_the_same() {
        let (one, other) = (request_id().expect("chance"), request_id().expect("chance"));
        assert_ne!(one, other);
        assert_eq!(one.len(), 32);
    }

    #[test]
    fn what_changes_something_is_not_taken_for_reading() {
        let forget = workspace::Request::Forget(workspace::Which::Named("ws_0".into()));
        assert!(!only_reads(&Request::Workspace(forget)));
        assert!(!only_reads(&Request::Daemon(daemon::Request::Stop)));
        assert!(only_reads(&Request::Daemon(daemon::Request::Status)));
        assert!(only_reads(&Request::Workspace(workspace::Request::List {
            forgotten: true
        })));
    }
}
