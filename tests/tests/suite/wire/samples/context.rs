//! Requests and answers of `context`: sessions and notes.

use proto::context::{Answer, Begun, Call, Ended, NewNote, Note, Of, Request, Session, Wanted};
use proto::detect::From;
use proto::workspace::Which;

fn note() -> Note {
    Note {
        id: "note_7".into(),
        text: "t".into(),
        actor: "me".into(),
        time: 2,
        task: Some("x".into()),
        tags: vec!["a".into()],
        paths: vec!["src".into()],
        expires: Some(3),
        forgotten: Some(4),
    }
}

fn session(begun: Begun, by: Ended) -> Session {
    Session {
        id: "session_0123abcd".into(),
        actor: "me".into(),
        name: Some("n".into()),
        specialists: vec!["coder".into()],
        begun,
        started: 1,
        seen: 2,
        ended: Some(3),
        by: Some(by),
        tree: Some("/p".into()),
    }
}

/// One of each request, with its name.
pub fn context_requests() -> Vec<(&'static str, Call)> {
    let new = NewNote {
        text: "t".into(),
        task: Some("x".into()),
        tags: vec!["a".into()],
        paths: vec!["/p/src".into()],
        expires_in: Some(60),
    };
    let wanted = Wanted {
        words: "w".into(),
        tag: Some("a".into()),
        task: Some("x".into()),
        path: Some("/p".into()),
        gone: true,
    };
    let id = || "note_7".to_owned();
    let all = vec![
        ("context::Request::Remember", Request::Remember(Box::new(new))),
        (
            "context::Request::Recall",
            Request::Recall {
                wanted: Box::new(wanted),
                limit: 5,
                cursor: Some("n7.5".into()),
            },
        ),
        ("context::Request::Forget", Request::Forget { id: id() }),
        ("context::Request::Restore", Request::Restore { id: id() }),
        (
            "context::Request::SessionStart",
            Request::SessionStart {
                name: Some("n".into()),
                specialists: vec!["coder".into()],
            },
        ),
        (
            "context::Request::SessionEnd",
            Request::SessionEnd {
                id: Some("session_0123abcd".into()),
            },
        ),
        (
            "context::Request::SessionList",
            Request::SessionList {
                open: true,
                limit: 5,
                cursor: Some("n7.5".into()),
            },
        ),
        ("context::Request::Moment", Request::Moment { of: "x".into() }),
        ("context::Request::Prime", Request::Prime { budget: 2500 }),
        (
            "context::Request::Recover",
            Request::Recover {
                task: "x".into(),
                budget: 3,
            },
        ),
        (
            "context::Request::Handover",
            Request::Handover {
                task: Some("x".into()),
                budget: 3,
            },
        ),
    ];
    let call = |what| Call {
        at: Which::At(From::Caller),
        what,
    };
    all.into_iter().map(|(name, what)| (name, call(what))).collect()
}

/// One of each answer, with its name.
pub fn context_answers() -> Vec<(&'static str, Answer)> {
    vec![
        (
            "note",
            Answer::Note {
                note: Box::new(note()),
                restorable_until: Some(5),
                warnings: vec!["w".into()],
            },
        ),
        (
            "notes",
            Answer::Notes {
                notes: vec![note()],
                next_cursor: Some("n7.1".into()),
            },
        ),
        (
            "session",
            Answer::Session {
                session: Box::new(session(Begun::Itself, Ended::Said)),
                warnings: vec!["w".into()],
            },
        ),
        (
            "sessions",
            Answer::Sessions {
                sessions: vec![
                    session(Begun::Said, Ended::Silence),
                    session(Begun::Said, Ended::Said),
                ],
                next_cursor: Some("n7.1".into()),
            },
        ),
        (
            "moment",
            Answer::Moment {
                of: Of::Session,
                time: 9,
            },
        ),
        (
            "moment-of-a-task",
            Answer::Moment {
                of: Of::Task,
                time: 9,
            },
        ),
        (
            "text",
            Answer::Text {
                text: "t".into(),
                tokens_at_most: 2,
                left_out: vec![("Notes".into(), 3)],
                root: Some("/p".into()),
            },
        ),
    ]
}
