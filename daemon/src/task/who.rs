//! Who asks, as the rules see them. Pure.
//!
//! An actor without a name is known by its process, the nearest ancestor of the client that is not a shell. Such a name
//! has the form `claude[4242.8812345]`: program, process id, start time in clock ticks. A lease of such an actor lasts
//! as long as that process does, because a session that is busy with a long command calls nobody.

use std::time::Duration;

use proto::error::Result;

use super::rules;

/// The actor of requests that name none and come from no process that could be found.
pub const UNKNOWN: &str = "unknown";

/// The circumstances of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Their name.
    pub actor: String,
    /// Nanoseconds since 1970 UTC.
    pub now: i64,
    /// The daemon's running time.
    pub running: Duration,
    /// How long a lease lasts.
    pub lease: Duration,
    /// How many leases may expire before a task is blocked.
    pub max_attempts: u32,
}

impl Who {
    /// When a lease given or renewed now ends.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.running + self.lease
    }
}

/// The name of the caller.
///
/// # Errors
/// `Usage` when it is not one line of moderate length.
pub fn actor(given: Option<&str>) -> Result<String> {
    let name = given.map_or(UNKNOWN, str::trim);
    rules::actor(name)?;
    Ok(name.to_owned())
}

/// A process that an actor is named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// When it started, in clock ticks since boot: ids are used again, moments are not.
    pub start: u64,
}

/// The process in an actor's name, when it was named after one.
#[must_use]
pub fn process(actor: &str) -> Option<Process> {
    let (_, inner) = actor.strip_suffix(']')?.rsplit_once('[')?;
    let (pid, start) = inner.split_once('.')?;
    Some(Process {
        pid: pid.parse().ok()?,
        start: start.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_named_after_a_process_is_recognised_and_others_are_not() {
        let found = Process { pid: 42, start: 8812 };
        assert_eq!(process("claude[42.8812]"), Some(found));
        assert_eq!(process("a[b][42.8812]"), Some(found));
        for other in [
            "claude",
            "claude[42]",
            "claude[42.x]",
            "[42.8812",
            "42.8812",
            "a[-1.2]",
        ] {
            assert_eq!(process(other), None, "{other}");
        }
    }

    #[test]
    fn a_caller_without_a_name_is_unknown_and_a_bad_name_is_refused() {
        assert_eq!(actor(None), Ok("unknown".to_owned()));
        assert_eq!(actor(Some(" me ")), Ok("me".to_owned()));
        assert!(actor(Some("")).is_err());
        assert!(actor(Some("a\nb")).is_err());
    }
}
