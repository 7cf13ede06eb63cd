//! Requests and answers of `context`: sessions and notes.

use proto::context::{Answer, Call, NewNote, Note, Request, Wanted};
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
    ]
}
