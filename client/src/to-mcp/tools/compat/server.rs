//! The tools about the server itself: here that is the daemon, behind all clients.

use proto::daemon::{Answer, Request, Status};
use proto::error::Result;
use proto::task::Answer as Task;
use proto::{Error, Kind};
use serde_json::{Value, json};

use crate::declare::Form::{Flag, Number, Word};
use crate::declare::{Args, Hints, Needs, Param, Tool};
use crate::reply::Reply;
use crate::talk::{Talk, foreign};
use crate::tools::daemon::ask;
use crate::tools::task;

/// What the original takes for a restart without a word.
const TIMEOUT_S: u64 = 30;

fn status(talk: &mut Talk<'_>) -> Result<Box<Status>> {
    match ask(talk, Request::Status)? {
        Answer::Status(status) => Ok(status),
        _ => Err(foreign()),
    }
}

/// A flag that is set unless it was taken away.
fn wanted(args: &Args, name: &str) -> bool {
    args.value(name).is_none() || args.flag(name)
}

pub(super) static RESTART_SERVER: Tool = Tool {
    name: "orchestrator_restart_server",
    about: "Restart the daemon in place: it hands itself over to its installed binary, and no client loses its connection",
    hints: Hints::Changes,
    needs: Needs::Nothing,
    params: &[
        Param::new("graceful", Flag, "Default true; anything else is not offered"),
        Param::new(
            "preserve_state",
            Flag,
            "Default true; anything else is not offered",
        ),
        Param::new("timeout", Number, "Seconds for what is under way, default 30"),
        Param::new(
            "reason",
            Word(&[
                "configuration_update",
                "schema_migration",
                "error_recovery",
                "manual_request",
                "emergency_shutdown",
            ]),
            "Default manual_request",
        ),
    ],
    returns: &[("outcome", crate::declare::Form::Text)],
    run: |talk, args| {
        if !wanted(args, "graceful") || !wanted(args, "preserve_state") {
            return Err(Error::refused("a restart without drain or state is not offered")
                .why("the hand-over always finishes what is under way and keeps everything")
                .next("leave out `graceful` and `preserve_state`"));
        }
        let seconds = args.number("timeout").unwrap_or(TIMEOUT_S);
        let request = Request::Reboot {
            binary: None,
            limit_ms: u32::try_from(seconds.saturating_mul(1000)).unwrap_or(u32::MAX),
            reason: Some(args.text("reason").unwrap_or("manual_request").to_owned()),
        };
        Ok(Reply::of_variant(&ask(talk, request)?, ""))
    },
};

pub(super) static HEALTH_CHECK: Tool = Tool {
    name: "orchestrator_health_check",
    about: "Whether the daemon is well: itself, its database, its connections, and whether it could restart",
    hints: Hints::Reads,
    needs: Needs::Nothing,
    params: &[
        Param::new("include_reboot_readiness", Flag, "Default true"),
        Param::new("include_connection_status", Flag, "Default true"),
        Param::new("include_database_status", Flag, "Default true"),
    ],
    returns: &[("healthy", Flag)],
    run: health,
};

fn health(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    let status = status(talk)?;
    let mut checks = json!({});
    let mut healthy = status.warnings.is_empty();
    if wanted(args, "include_database_status") {
        healthy &= status.database.writable;
        checks["database"] = json!(status.database);
    }
    if wanted(args, "include_connection_status") {
        checks["connections"] = json!({ "open": status.connections, "requests": status.requests });
    }
    if wanted(args, "include_reboot_readiness") {
        let ready = rehearsed(talk)?;
        healthy &= ready["ready"] == true;
        checks["reboot_readiness"] = ready;
    }
    let answer = json!({
        "healthy": healthy,
        "version": status.version,
        "pid": status.pid,
        "uptime_s": status.uptime_s,
        "warnings": status.warnings,
        "checks": checks,
    });
    Ok(Reply::of(&answer, ""))
}

/// Whether the installed binary could take over, found out by letting it try.
fn rehearsed(talk: &mut Talk<'_>) -> Result<Value> {
    let request = Request::Rehearse {
        binary: None,
        limit_ms: 0,
    };
    match ask(talk, request) {
        Ok(Answer::Rehearsed(rehearsed)) => Ok(json!({ "ready": true, "rehearsal": rehearsed })),
        Ok(_) => Err(foreign()),
        Err(error) if error.kind == Kind::Bug => Err(error),
        Err(error) => Ok(json!({ "ready": false, "issues": [error.to_string()] })),
    }
}

pub(super) static SHUTDOWN_PREPARE: Tool = Tool {
    name: "orchestrator_shutdown_prepare",
    about: "Whether the daemon could be stopped now, and what that would interrupt. Stops nothing",
    hints: Hints::Reads,
    needs: Needs::Project,
    params: &[
        Param::new("check_active_tasks", Flag, "Default true"),
        Param::new("check_database_state", Flag, "Default true"),
        Param::new("check_client_connections", Flag, "Default true"),
    ],
    returns: &[("ready_for_shutdown", Flag)],
    run: |talk, args| {
        let status = status(talk)?;
        let mut checks = json!({});
        let mut blocking: Vec<String> = Vec::new();
        if wanted(args, "check_active_tasks") {
            let stats = match task::ask(talk, proto::task::Request::Stats)? {
                Task::Stats(stats) => stats,
                _ => return Err(foreign()),
            };
            // A claim outlives the daemon, so that it is told and does not stand in the way.
            checks["active_tasks"] =
                json!({ "claimed": stats.claimed, "ready": stats.ready, "waiting": stats.waiting });
        }
        if wanted(args, "check_database_state") {
            if !status.database.writable {
                blocking.push("the database takes no writes".to_owned());
            }
            checks["database"] = json!(status.database);
        }
        if wanted(args, "check_client_connections") {
            checks["client_connections"] = json!({ "open": status.connections, "requests": status.requests });
        }
        let answer = json!({
            "ready_for_shutdown": blocking.is_empty(),
            "blocking_issues": blocking,
            "checks": checks,
        });
        Ok(Reply::of(&answer, ""))
    },
};

pub(super) static RECONNECT_TEST: Tool = Tool {
    name: "orchestrator_reconnect_test",
    about: "Whether this connection reaches the daemon now, and how many clients had to connect anew",
    hints: Hints::Reads,
    needs: Needs::Nothing,
    params: &[
        Param::text("session_id", "Not kept: every connection is this one's"),
        Param::new("include_buffer_status", Flag, "Default true"),
        Param::new("include_reconnection_stats", Flag, "Default true"),
    ],
    returns: &[("overall_status", crate::declare::Form::Text)],
    run: |talk, args| {
        if args.text("session_id").is_some() {
            return Err(Error::unavailable("one connection cannot test another")
                .why("connections have no ids that a client could name")
                .next("leave out `session_id`"));
        }
        let status = status(talk)?;
        let mut results =
            json!({ "connection": { "reached": true, "pid": status.pid, "generation": status.generation } });
        if wanted(args, "include_buffer_status") {
            results["buffer_status"] =
                json!({ "total_buffered_requests": 0, "requests_under_way": status.requests });
        }
        if wanted(args, "include_reconnection_stats") {
            results["reconnection_stats"] =
                json!({ "reconnected": status.reconnected, "open": status.connections });
        }
        Ok(Reply::of(
            &json!({ "overall_status": "pass", "results": results }),
            "",
        ))
    },
};

pub(super) static RESTART_STATUS: Tool = Tool {
    name: "orchestrator_restart_status",
    about: "Whether a restart is under way, and how the past ones went",
    hints: Hints::Reads,
    needs: Needs::Nothing,
    params: &[
        Param::new("include_history", Flag, "Default false"),
        Param::new("include_error_details", Flag, "Default true"),
    ],
    returns: &[],
    run: |talk, args| {
        let Answer::Reboots {
            under_way,
            mut history,
        } = ask(talk, Request::Reboots)?
        else {
            return Err(foreign());
        };
        if !wanted(args, "include_error_details") {
            history.iter_mut().for_each(|reboot| reboot.why = None);
        }
        let mut answer = json!({ "under_way": under_way, "last": history.first() });
        if args.flag("include_history") {
            answer["history"] = json!(history);
        }
        Ok(Reply::of(&answer, ""))
    },
};
