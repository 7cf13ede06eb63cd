//! One of every message about the audit trail, export and import.

use proto::maintenance::{
    Answer, Call, Counts, Event, EventFilter, Exported, Imported, Legacy, LegacyDatabase, Lines, Mapped,
    MirrorState, Request, Skipped,
};
use proto::{detect, workspace};

fn call(what: Request) -> Call {
    Call {
        at: workspace::Which::At(detect::From::Caller),
        what,
    }
}

/// One of each request: the names hold the requests' own, `maintenance::Request::Audit`,
/// `maintenance::Request::AuditVerify`, `maintenance::Request::Legacy`, `maintenance::Request::Export` and
/// `maintenance::Request::Import`.
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
    let legacy = Request::Legacy {
        path: "/old".into(),
        dry_run: true,
    };
    let import = Request::Import {
        path: "/file".into(),
        dry_run: true,
    };
    vec![
        ("maintenance::Request::Audit", call(audit)),
        ("maintenance::Request::AuditVerify", call(Request::AuditVerify)),
        ("maintenance::Request::Legacy", call(legacy)),
        ("maintenance::Request::Export", call(Request::Export)),
        ("maintenance::Request::Import", call(import)),
    ]
}

fn lines() -> Lines {
    Lines {
        contents: 1,
        files: 2,
        tasks: 3,
        task_records: 4,
        artifacts: 5,
        versions: 6,
        decisions: 7,
        notes: 8,
        sessions: 9,
        legacy: 10,
        events: 11,
    }
}

fn exported() -> Exported {
    Exported {
        workspace: "ws_1".into(),
        lines: 60,
        bytes: 7000,
        digest: "d".into(),
        counts: lines(),
        warnings: vec!["w".into()],
    }
}

fn imported() -> Imported {
    Imported {
        workspace: "ws_1".into(),
        from: "ws_2".into(),
        from_name: "a".into(),
        exported: 8,
        dry_run: true,
        found: lines(),
        imported: lines(),
        already_there: Lines::default(),
        skipped_counts: Lines::default(),
        skipped: vec![Skipped {
            what: "file".into(),
            id: "config.yaml".into(),
            why: "w".into(),
        }],
        warnings: vec!["w".into()],
    }
}

fn legacy() -> Legacy {
    let counts = |first| Counts {
        tasks: first,
        dependencies: first + 1,
        artifacts: first + 2,
        decisions: first + 3,
        file_operations: first + 4,
        archives: first + 5,
        unlisted_files: first + 6,
    };
    Legacy {
        version: "2.0".into(),
        databases: vec![LegacyDatabase {
            path: "/old/tasks.sqlite".into(),
            version: "1.8".into(),
        }],
        dry_run: true,
        found: counts(1),
        imported: counts(11),
        already_there: counts(21),
        skipped_counts: counts(31),
        skipped: vec![Skipped {
            what: "task".into(),
            id: "x".into(),
            why: "y".into(),
        }],
        mapped: vec![Mapped {
            what: "task".into(),
            id: "a b".into(),
            to: "a-b".into(),
            why: "y".into(),
        }],
        warnings: vec!["w".into()],
    }
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
        ("legacy", Answer::Legacy(Box::new(legacy()))),
        ("exported", Answer::Exported(Box::new(exported()))),
        ("imported", Answer::Imported(Box::new(imported()))),
        ("verified/whole", verified(MirrorState::Whole)),
        ("verified/behind", verified(MirrorState::Behind)),
        ("verified/missing", verified(MirrorState::Missing)),
        ("verified/differs", verified(MirrorState::Differs)),
        ("verified/unreadable", verified(MirrorState::Unreadable)),
    ]
}
