//! Maintenance as the older program named it, made of what the daemon's rooms can do.
//!
//! What must stay true: `scan_cleanup` and `validate_structure` change nothing; what an action does not look at is said.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proto::artifact::{Act, Answer as Artifact, Filter, Request as Keep};
use proto::context::{RECOVER_BUDGET, Request as Context};
use proto::decision::{Answer as Decision, Request as Decide};
use proto::error::Result;
use proto::maintenance::{self, Answer as Kept, MirrorState};
use proto::task::{Answer as Task, Force, Request as Work};
use proto::workspace::{self, Answer as Registry};
use proto::{Answer, Error, Request};
use serde_json::{Value, json};

use crate::declare::Form::Word;
use crate::declare::{Args, Hints, Needs, Param, Tool};
use crate::reply::Reply;
use crate::talk::{Talk, foreign};
use crate::tools::context::keep;
use crate::tools::{artifact, decision, task};

/// A scan names artifacts that nobody has stored to for so long: what settings have without a word.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 3600);
/// Pages of artifacts that are verified in one call.
const PAGES: usize = 64;

pub(super) static MAINTENANCE_COORDINATOR: Tool = Tool {
    name: "orchestrator_maintenance_coordinator",
    about: "Maintenance: scan_cleanup says what could be put away, validate_structure whether all records and files are whole, \
            update_documentation writes missing files again, prepare_handover keeps a handover",
    hints: Hints::Changes,
    needs: Needs::Project,
    params: &[
        Param::new(
            "action",
            Word(&[
                "scan_cleanup",
                "validate_structure",
                "update_documentation",
                "prepare_handover",
            ]),
            "What to do",
        )
        .required(),
        Param::new(
            "scope",
            Word(&["current_session", "full_project", "specific_subtask"]),
            "All but prepare_handover are about the full project",
        ),
        Param::new(
            "validation_level",
            Word(&["basic", "comprehensive", "full_audit"]),
            "Default basic: the audit trail and decisions; the others read every artifact, too",
        ),
        Param::text("target_task_id", "The task to hand over"),
    ],
    returns: &[],
    run: |talk, args| {
        let action = args.need("action")?;
        let done = match action {
            "prepare_handover" => hand_over(talk, args)?,
            _ if args.text("scope") == Some("specific_subtask") => {
                return Err(
                    Error::unavailable(format!("`{action}` is not offered for one subtask"))
                        .why("it looks at the whole project")
                        .next("leave out `scope`, or see the subtask with `orchestrator_execute_subtask`"),
                );
            }
            "scan_cleanup" => scan(talk)?.with("scope", "full_project"),
            "validate_structure" => validate(talk, args)?.with("scope", "full_project"),
            _ => update(talk)?.with("scope", "full_project"),
        };
        Ok(done.with("action", action))
    },
};

fn hand_over(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    let target = args.text("target_task_id");
    if args.text("scope") == Some("specific_subtask") && target.is_none() {
        args.need("target_task_id")?;
    }
    let what = Context::Handover {
        task: target.map(str::to_owned),
        budget: RECOVER_BUDGET,
    };
    keep(talk, target, what)
}

fn of_artifacts(talk: &mut Talk<'_>, what: Keep) -> Result<Artifact> {
    let at = talk.which();
    artifact::ask_of(talk, at, what)
}

fn of_decisions(talk: &mut Talk<'_>, write: bool) -> Result<Decision> {
    let at = talk.which();
    decision::ask_of(talk, at, Decide::Files { write })
}

/// What could be put away; nothing is.
fn scan(talk: &mut Talk<'_>) -> Result<Reply> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let before = i64::try_from(now.saturating_sub(UNUSED).as_nanos()).unwrap_or_default();
    let cleanup = Keep::Cleanup {
        before,
        filter: Box::<Filter>::default(),
        act: Act::Tell,
    };
    let unused = match of_artifacts(talk, cleanup)? {
        Artifact::Cleaned {
            artifacts,
            bytes,
            more,
            ..
        } => json!({ "artifacts": artifacts, "bytes": bytes, "more": more }),
        _ => return Err(foreign()),
    };
    let savings = match of_artifacts(talk, Keep::Optimize { act: Act::Tell })? {
        Artifact::Optimized { figures, .. } => json!(figures),
        _ => return Err(foreign()),
    };
    let uploads = match of_artifacts(talk, Keep::Partials)? {
        Artifact::Partials { partials } => json!(partials),
        _ => return Err(foreign()),
    };
    let tasks = match task::ask(talk, Work::Stats)? {
        Task::Stats(stats) => json!(stats),
        _ => return Err(foreign()),
    };
    let answer = json!({
        "dry_run": true,
        "artifacts_unused_30_days": unused,
        "optimize_would_save": savings,
        "unfinished_uploads": uploads,
        "tasks": tasks,
        "not_looked_at": ["stale tasks: the daemon has no limits of age for them yet"],
        "next_steps": [
            "`tocli artifact cleanup --older-than 30d --yes` puts them away (`artifact restore` brings them back)",
            "`tocli artifact optimize --yes` compresses",
        ],
    });
    Ok(Reply::of(&answer, ""))
}

/// Whether all records and files are whole.
fn validate(talk: &mut Talk<'_>, args: &Args) -> Result<Reply> {
    let at = talk.which();
    let what = maintenance::Request::AuditVerify;
    let call = Box::new(maintenance::Call { at, what });
    let (trail, mut valid) = match talk.ask(Request::Maintenance(call))? {
        Answer::Maintenance(
            ref told @ Kept::AuditVerified {
                broken_at,
                mirror_state,
                ..
            },
        ) => {
            // A mirror that is behind is written soon, one that is not there with the next change.
            let mirrored = !matches!(mirror_state, MirrorState::Differs | MirrorState::Unreadable);
            (json!(told), broken_at.is_none() && mirrored)
        }
        _ => return Err(foreign()),
    };
    let decisions = match of_decisions(talk, false)? {
        Decision::Files { files, warnings, .. } => json!({ "files": files, "warnings": warnings }),
        _ => return Err(foreign()),
    };
    let level = args.text("validation_level").unwrap_or("basic");
    let mut checks = json!({ "audit_trail": inner(trail), "decisions": decisions });
    if level != "basic" {
        let (artifacts, whole) = artifacts(talk)?;
        checks["artifacts"] = artifacts;
        valid &= whole;
        let request = Request::Workspace(workspace::Request::ValidateIsolation);
        let findings = match talk.ask(request)? {
            Answer::Workspace(Registry::Isolation(findings)) => findings,
            _ => return Err(foreign()),
        };
        valid &= findings.iter().all(|finding| finding.passed);
        // Its details may name other projects, which are not asked about.
        let told: Vec<Value> = findings
            .iter()
            .map(|finding| json!({ "check": finding.check, "passed": finding.passed }))
            .collect();
        checks["isolation"] = json!(told);
    }
    let answer = json!({ "valid": valid, "validation_level": level, "checks": checks });
    Ok(Reply::of(&answer, ""))
}

/// What a variant holds.
fn inner(value: Value) -> Value {
    match value {
        Value::Object(outer) if outer.len() == 1 => {
            outer.into_iter().next().map_or(Value::Null, |(_, inner)| inner)
        }
        other => other,
    }
}

/// Every content against its digest, and the files in the project.
fn artifacts(talk: &mut Talk<'_>) -> Result<(Value, bool)> {
    let (mut versions, mut bytes, mut faults, mut cursor) = (0, 0, Vec::new(), None);
    for _ in 0..PAGES {
        match of_artifacts(talk, Keep::Verify { id: None, cursor })? {
            Artifact::Verified {
                versions: some,
                bytes: read,
                faults: wrong,
                next_cursor,
            } => {
                versions += some;
                bytes += read;
                faults.extend(wrong);
                cursor = next_cursor;
            }
            _ => return Err(foreign()),
        }
        if cursor.is_none() {
            break;
        }
    }
    let whole = faults.is_empty();
    let told =
        json!({ "versions": versions, "bytes": bytes, "faults": faults, "complete": cursor.is_none() });
    Ok((told, whole))
}

/// Files of decisions and artifacts that are missing or behind are written again; what hands changed stays.
fn update(talk: &mut Talk<'_>) -> Result<Reply> {
    let (written, warnings) = match of_decisions(talk, true)? {
        Decision::Files {
            written, warnings, ..
        } => (written, warnings),
        _ => return Err(foreign()),
    };
    let restore = Keep::Restore {
        id: None,
        version: None,
        over: Force::No,
    };
    let (restored, more) = match of_artifacts(talk, restore)? {
        Artifact::Restored { restored, more } => (restored, more),
        _ => return Err(foreign()),
    };
    let answer = json!({
        "decision_files_written": written,
        "warnings": warnings,
        "artifact_files_restored": restored,
        "more": more,
    });
    Ok(Reply::of(&answer, ""))
}
