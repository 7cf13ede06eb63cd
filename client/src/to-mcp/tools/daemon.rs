//! The daemon itself.

use std::time::Duration;

use proto::daemon::{Answer, Request};
use proto::error::Result;
use proto::{RawPath, Request as Room};

use crate::declare::Form::{Number, Word};
use crate::declare::{Args, Hints, Needs, Param, Tool};
use crate::reply::Reply;
use crate::talk::{Talk, foreign};

/// A rehearsal reads the whole database.
const REHEARSAL: Duration = Duration::from_secs(300);

/// Asks the daemon about itself.
pub(crate) fn ask(talk: &mut Talk<'_>, request: Request) -> Result<Answer> {
    let limit = match request {
        Request::Reboot { .. } | Request::Rehearse { .. } => REHEARSAL,
        _ => Duration::from_secs(60),
    };
    match talk.ask_within(Room::Daemon(request), limit)? {
        proto::Answer::Daemon(answer) => Ok(answer),
        _ => Err(foreign()),
    }
}

/// How it stands.
pub(super) fn status(talk: &mut Talk<'_>) -> Result<Reply> {
    Ok(Reply::of_variant(&ask(talk, Request::Status)?, ""))
}

pub(super) static DAEMON: Tool = Tool {
    name: "orchestrator_daemon",
    about: "The daemon: `status`, `reload` its configuration, `reboot` into a new binary without losing anybody, `rehearse` \
            that only, `reboots` so far.",
    hints: Hints::Changes,
    needs: Needs::Nothing,
    params: &[
        Param::new(
            "action",
            Word(&["status", "reload", "reboot", "rehearse", "reboots"]),
            "Default status",
        ),
        Param::text("binary", "Absolute path; default: the installed one"),
        Param::new("timeout_s", Number, ""),
        Param::text("reason", "For the history"),
    ],
    returns: &[],
    run: |talk, args| {
        let binary = args.text("binary").map(RawPath::from);
        let limit_ms = limit(args);
        let request = match args.text("action").unwrap_or("status") {
            "reload" => Request::Reload,
            "reboot" => Request::Reboot {
                binary,
                limit_ms,
                reason: args.owned("reason"),
            },
            "rehearse" => Request::Rehearse { binary, limit_ms },
            "reboots" => Request::Reboots,
            _ => Request::Status,
        };
        Ok(Reply::of_variant(&ask(talk, request)?, ""))
    },
};

/// Milliseconds for a rehearsal, 0 for the usual ones.
pub(crate) fn limit(args: &Args) -> u32 {
    let seconds = args.number("timeout_s").unwrap_or_default();
    u32::try_from(seconds.saturating_mul(1000)).unwrap_or(u32::MAX)
}
