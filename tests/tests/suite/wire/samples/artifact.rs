//! One of every message about artifacts.

use proto::artifact::{
    Act, Answer, Artifact, Call, Copy, Detail, Fault, Filter, Match, NewArtifact, Partial, Removed, Request,
    Restored, Search, Source, Squeezed, Stored, Type, Version,
};
use proto::task::{Force, NextAction, Task};
use proto::{detect, workspace};

fn call(what: Request) -> Call {
    Call {
        at: workspace::Which::At(detect::From::Caller),
        what,
    }
}

fn new() -> NewArtifact {
    NewArtifact {
        task: "t".into(),
        name: "n".into(),
        kind: Some(Type::Code),
        summary: "s".into(),
    }
}

fn filter() -> Filter {
    Filter {
        task: Some("t".into()),
        kind: Some(Type::Documentation),
        name: Some("*.md".into()),
        text: Some("words".into()),
        before: Some(1),
        since: Some(-2),
        archived: true,
        altered: false,
    }
}

/// One of each, with its name.
pub fn artifact_requests() -> Vec<(String, Call)> {
    let id = || "art_0123abcd".to_owned();
    let draft = || "up_0123456789ab".to_owned();
    let search = Search {
        pattern: "p".into(),
        ignore_case: true,
        filter: filter(),
        before: 1,
        after: 2,
        limit: 3,
    };
    let store = |source| Request::Store(Box::new(source));
    let all: Vec<(&str, Request)> = vec![
        (
            "artifact::Request::Store/here",
            store(Source::Here {
                new: new(),
                bytes: vec![1, 2],
            }),
        ),
        (
            "artifact::Request::Store/draft",
            store(Source::Draft { draft: draft() }),
        ),
        (
            "artifact::Request::Store/project",
            store(Source::Project {
                new: new(),
                path: "/p/f".into(),
            }),
        ),
        (
            "artifact::Request::Stage",
            Request::Stage {
                new: Box::new(new()),
                size: Some(5),
                digest: Some("d".into()),
            },
        ),
        (
            "artifact::Request::Append",
            Request::Append {
                draft: draft(),
                offset: 300,
                bytes: vec![7, 8, 9],
            },
        ),
        ("artifact::Request::Resume", Request::Resume { draft: draft() }),
        ("artifact::Request::Partials", Request::Partials),
        ("artifact::Request::Discard", Request::Discard { draft: draft() }),
        (
            "artifact::Request::Read",
            Request::Read {
                id: id(),
                version: Some(2),
                offset: 300,
                length: 400,
            },
        ),
        (
            "artifact::Request::List",
            Request::List {
                filter: Box::new(filter()),
                limit: 7,
                cursor: Some("a3".into()),
            },
        ),
        ("artifact::Request::Show", Request::Show { id: id() }),
        (
            "artifact::Request::Search",
            Request::Search {
                what: Box::new(search),
                cursor: None,
            },
        ),
        (
            "artifact::Request::Verify",
            Request::Verify {
                id: Some(id()),
                cursor: Some("a3".into()),
            },
        ),
        (
            "artifact::Request::Cleanup",
            Request::Cleanup {
                before: 9,
                filter: Box::new(filter()),
                act: Act::Do,
            },
        ),
        (
            "artifact::Request::Optimize",
            Request::Optimize { act: Act::Tell },
        ),
        (
            "artifact::Request::Restore",
            Request::Restore {
                id: Some(id()),
                version: Some(1),
                over: Force::Yes,
            },
        ),
        (
            "artifact::Request::Complete",
            Request::Complete {
                id: "t".into(),
                if_revision: Some(4),
                summary: "s".into(),
                next_action: NextAction::Continue,
                force: Force::No,
                drafts: vec![draft()],
            },
        ),
    ];
    all.into_iter()
        .map(|(name, what)| (name.to_owned(), call(what)))
        .collect()
}

fn artifact(kind: Type, copy: Copy) -> Artifact {
    Artifact {
        id: "art_1".into(),
        task: Some("t".into()),
        name: "n".into(),
        kind,
        summary: "s".into(),
        version: 2,
        size: 300,
        digest: "d".into(),
        actor: "a".into(),
        created: 1,
        updated: 2,
        path: "/p/n".into(),
        copy,
        source: Some("f".into()),
        archived: Some(3),
    }
}

fn stored() -> Stored {
    Stored {
        id: "art_1".into(),
        version: 2,
        path: "/p/n".into(),
        digest: "d".into(),
        size: 300,
        already_there: true,
        task: None,
        name: "n".into(),
        warnings: vec!["w".into()],
    }
}

fn removed() -> Removed {
    Removed {
        id: "art_1".into(),
        name: "n".into(),
        size: 300,
        updated: 2,
        kept_because: Some("k".into()),
    }
}

/// One of each answer, with its name.
pub fn artifact_answers(task: Task) -> Vec<(&'static str, Answer)> {
    let copies = [
        Copy::Good,
        Copy::Placing,
        Copy::Modified,
        Copy::Missing,
        Copy::None,
    ];
    let artifacts = Type::ALL
        .iter()
        .zip(copies.iter().cycle())
        .map(|(kind, copy)| artifact(*kind, *copy))
        .collect();
    let version = Version {
        version: 1,
        size: 2,
        digest: "d".into(),
        actor: "a".into(),
        time: 3,
        summary: "s".into(),
        kept: Some(4),
    };
    let partial = Partial {
        draft: "up_1".into(),
        task: "t".into(),
        name: "n".into(),
        actor: "a".into(),
        created: 1,
        received: 2,
        synced: 3,
        size: Some(4),
    };
    let one = Match {
        id: "art_1".into(),
        version: 2,
        name: "n".into(),
        line: 3,
        text: "x".into(),
        before: vec!["b".into()],
        after: vec!["a".into()],
    };
    let fault = Fault {
        id: "art_1".into(),
        version: 2,
        name: "n".into(),
        fault: "damaged".into(),
        detail: "d".into(),
    };
    let figures = Squeezed {
        versions: 1,
        bytes: 2,
        shared: 3,
        compressed: 4,
        compressed_from: 5,
        compressed_to: Some(6),
        archived: vec![removed()],
    };
    let back = Restored {
        id: "art_1".into(),
        version: 2,
        path: "/p/n".into(),
        left_because: Some("l".into()),
    };
    vec![
        ("stored", Answer::Stored(Box::new(stored()))),
        (
            "upload",
            Answer::Upload {
                draft: "up_1".into(),
                received: 300,
                synced: 200,
            },
        ),
        (
            "partials",
            Answer::Partials {
                partials: vec![partial],
            },
        ),
        ("discarded", Answer::Discarded { draft: "up_1".into() }),
        (
            "piece",
            Answer::Piece {
                version: 1,
                size: 300,
                digest: "d".into(),
                bytes: vec![1, 2, 3],
            },
        ),
        (
            "artifacts",
            Answer::Artifacts {
                artifacts,
                total: 9,
                next_cursor: Some("a1".into()),
            },
        ),
        (
            "detail",
            Answer::Detail(Box::new(Detail {
                artifact: artifact(Type::General, Copy::Good),
                versions: vec![version],
                older: 1,
            })),
        ),
        (
            "found",
            Answer::Found {
                matches: vec![one],
                searched: 2,
                left_out: vec!["o".into()],
                next_cursor: None,
            },
        ),
        (
            "verified",
            Answer::Verified {
                versions: 1,
                bytes: 2,
                faults: vec![fault],
                next_cursor: Some("a1".into()),
            },
        ),
        (
            "cleaned",
            Answer::Cleaned {
                done: true,
                artifacts: vec![removed()],
                bytes: 3,
                more: 4,
            },
        ),
        ("optimized", Answer::Optimized { done: false, figures }),
        (
            "restored",
            Answer::Restored {
                restored: vec![back],
                more: 1,
            },
        ),
        (
            "completed",
            Answer::Completed {
                task: Box::new(task),
                unblocked: vec!["u".into()],
                along: vec!["l".into()],
                warnings: vec!["w".into()],
                artifacts: vec![stored()],
            },
        ),
    ]
}
