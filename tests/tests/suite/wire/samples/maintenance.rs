//! One of every message about the audit trail, export and import.

use proto::maintenance::{Answer, Call, Event, EventFilter, MirrorState, Request};
use proto::{detect, workspace};

fn call(what: Request) -> Call {
    Call {
        at: workspace::Which::At(detect::From::Caller),
        what,
    }
}

/// One of each request: the names hold the requests' own, `maintenance::Request::Audit` and
/// `maintenance::Request::AuditVerify`.
pub fn maintenance_requests() -> Vec<(&'static str, Call)> {
    let filter = EventFilter {
        since: Some(-1),
        actor: Some("me".into()),
        op: Some("task".into()),
        target: Some("x".into()),
    };
    let audit = Request::Audit {
        filter,
        limit: 50,
        cursor: Some("7".into()),
    };
    vec![
        ("maintenance::Request::Audit", call(audit)),
        ("maintenance::Request::AuditVerify", call(Request::AuditVerify)),
    ]
}

fn verified(mirror_state: MirrorState) -> Answer {
    Answer::AuditVerified {
        events: 3,
        broken_at: Some(2),
        head: "ab".into(),
        mirror: "/p/.task_orchestrator/logs/audit.jsonl".into(),
        mirror_state,
        mirror_line: Some(1),
    }
}

/// One of each answer, with its name.
pub fn maintenance_answers() -> Vec<(&'static str, Answer)> {
    let event = Event {
        seq: 1,
        time: 2,
        actor: "me".into(),
        op: "task.add".into(),
        target: "x".into(),
        count: 3,
    };
    let audit = Answer::Audit {
        events: vec![event],
        next_cursor: Some("1".into()),
    };
    vec![
        ("audit", audit),
        ("verified/whole", verified(MirrorState::Whole)),
        ("verified/behind", verified(MirrorState::Behind)),
        ("verified/missing", verified(MirrorState::Missing)),
        ("verified/differs", verified(MirrorState::Differs)),
        ("verified/unreadable", verified(MirrorState::Unreadable)),
    ]
}
