//! One of every message about decisions.

use proto::decision::{
    Alternative, Answer, Call, Category, Decision, Detail, Draft, Event, Filter, Hit, Impact, Link, Mirror,
    MirrorState, Op, Relation, Request, Status, Verb,
};
use proto::{detect, workspace};

fn call(what: Request) -> Call {
    Call {
        at: workspace::Which::At(detect::From::Caller),
        what,
    }
}

fn alternative() -> Alternative {
    Alternative {
        name: "other".into(),
        pros: vec!["p".into()],
        cons: vec!["c".into()],
    }
}

fn draft(category: Category, impact: Impact) -> Draft {
    Draft {
        title: Some("t".into()),
        decision: Some("d".into()),
        rationale: Some("r".into()),
        context: Some("c".into()),
        category: Some(category),
        impact: Some(impact),
        alternatives: vec![alternative()],
        consequences: vec!["q".into()],
        risks: vec!["k".into()],
        paths: vec![b"src/\xff"[..].into()],
        components: vec!["m".into()],
        tags: vec!["g".into()],
        task: Some("task_0123abcd".into()),
        accepted: true,
    }
}

fn filter() -> Filter {
    Filter {
        category: Some(Category::Quality),
        impact: Some(Impact::Low),
        status: Status::ALL.to_vec(),
        in_force: true,
        path: Some("p".into()),
        tag: Some("g".into()),
        component: Some("m".into()),
        task: Some("t".into()),
    }
}

fn brief(category: Category) -> Decision {
    Decision {
        number: 7,
        id: "dec_0123abcd".into(),
        title: "t".into(),
        status: Status::Accepted,
        in_force: true,
        category,
        impact: Impact::High,
        gist: "d".into(),
        paths: vec!["p".into()],
        components: vec!["m".into()],
        tags: vec!["g".into()],
        task: None,
        actor: "me".into(),
        created: -1,
        updated: 2,
        revision: 3,
        links: Relation::ALL
            .iter()
            .zip(1..)
            .map(|(relation, number)| Link {
                relation: *relation,
                number,
            })
            .collect(),
    }
}

/// One of each, with its name.
pub fn decision_requests() -> Vec<(String, Call)> {
    let mut all: Vec<(String, Request)> = Vec::new();
    for (number, category) in Category::ALL.into_iter().enumerate() {
        let relation = Relation::ALL[number % Relation::ALL.len()];
        let record = Request::Record {
            draft: Box::new(draft(category, Impact::ALL[number % Impact::ALL.len()])),
            document: Some("title: t".into()),
            link: Some((relation, "3".into())),
        };
        all.push((format!("decision::Request::Record/{}", category.word()), record));
    }
    for (name, verb) in [
        ("accept", Verb::Accept),
        ("reject", Verb::Reject { reason: "r".into() }),
        ("outcome", Verb::Outcome { text: "o".into() }),
    ] {
        let change = Request::Change {
            which: "7".into(),
            if_revision: Some(2),
            verb,
        };
        all.push((format!("decision::Request::Change/{name}"), change));
    }
    let rest = [
        (
            "decision::Request::List",
            Request::List {
                filter: Box::new(filter()),
                limit: 50,
                cursor: Some(9),
            },
        ),
        ("decision::Request::Show", Request::Show { which: "7".into() }),
        (
            "decision::Request::Search",
            Request::Search {
                words: "w".into(),
                filter: Box::new(filter()),
                limit: 5,
            },
        ),
        (
            "decision::Request::For",
            Request::For {
                paths: vec!["/p/a".into(), b"b\xff"[..].into()],
            },
        ),
        ("decision::Request::Files", Request::Files { write: true }),
    ];
    all.extend(rest.map(|(name, what)| (name.to_owned(), what)));
    all.into_iter().map(|(name, what)| (name, call(what))).collect()
}

/// One of each answer, with its name.
pub fn decision_answers() -> Vec<(&'static str, Answer)> {
    let detail = Detail {
        brief: brief(Category::Design),
        context: "c".into(),
        decision: "d".into(),
        rationale: "r".into(),
        alternatives: vec![alternative()],
        consequences: vec!["q".into()],
        risks: vec!["k".into()],
        history: Op::ALL
            .iter()
            .zip(1..)
            .map(|(op, time)| Event {
                time,
                actor: "me".into(),
                op: *op,
                text: "x".into(),
            })
            .collect(),
        file: "/p/.task_orchestrator/decisions/0007-t.md".into(),
        file_state: MirrorState::Edited,
    };
    let files = MirrorState::ALL.iter().zip(1..).map(|(state, number)| Mirror {
        number: Some(number),
        name: "0007-t.md".into(),
        state: *state,
    });
    vec![
        (
            "decision",
            Answer::Decision {
                decision: Box::new(brief(Category::Process)),
                file: "/f".into(),
                warnings: vec!["w".into()],
            },
        ),
        ("detail", Answer::Detail(Box::new(detail))),
        (
            "decisions",
            Answer::Decisions {
                decisions: Category::ALL.map(brief).to_vec(),
                next_cursor: Some(4),
            },
        ),
        (
            "hits",
            Answer::Hits(vec![Hit {
                decision: brief(Category::Security),
                score: 1234,
                matched: vec!["w".into()],
            }]),
        ),
        (
            "files",
            Answer::Files {
                folder: "/p/d".into(),
                files: files.collect(),
                written: 2,
                warnings: vec!["w".into()],
            },
        ),
    ]
}
