//! Tasks over an open connection, with twenty thousand of them in the workspace.

use std::path::Path;
use std::time::Duration;

use proto::task::{Answer, Call, Filter, NewTask, Request};
use proto::{detect, workspace};
use tests::bench::{Row, Samples, Target, in_turn};
use tests::crowd::plan;
use tests::daemon::Bed;
use tests::wire::Peer;

use crate::detect::project;
use crate::store::{insert, sqlite};

/// In the workspace.
const TASKS: usize = 20_000;
/// In one plan.
const PLANNED: usize = 2_000;

/// All rows of this group.
pub fn rows() -> Vec<Row> {
    let bed = Bed::within(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let daemon = bed.start();
    let start = project(&bed, "tasks");
    let mut peer = bed.peer();
    for number in 0..TASKS / PLANNED {
        ask(
            &mut peer,
            &start,
            Request::Plan {
                text: plan(number, PLANNED),
            },
        );
    }
    let mut rows = reads(&mut peer, &start);
    rows.push(adds(&mut peer, &bed, &start));
    drop(daemon);
    rows
}

fn ask(peer: &mut Peer, start: &Path, what: Request) -> Answer {
    let at = workspace::Which::At(detect::From::Caller);
    let request = proto::Request::Task(Box::new(Call { at, what }));
    match peer.call_from(start, &[], request) {
        Ok((_, proto::Answer::Task(answer))) => answer,
        other => panic!("not about tasks: {other:?}"),
    }
}

fn reads(peer: &mut Peer, start: &Path) -> Vec<Row> {
    let mut row = |what: &str, limit: Duration, request: &dyn Fn() -> Request| {
        let ours = samples(|| {
            ask(peer, start, request());
        });
        Row::times(what, ours.median(), ("limit", limit), Target::AtMost(1.0))
    };
    let next = || Request::Next {
        specialists: vec!["coder".into()],
        claim: false,
    };
    let list = || Request::List {
        filter: Box::default(),
        limit: 100,
        cursor: None,
    };
    let last = || {
        let filter = Filter {
            label: Some("nowhere".into()),
            ..Filter::default()
        };
        Request::List {
            filter: Box::new(filter),
            limit: 100,
            cursor: None,
        }
    };
    vec![
        row("next at 20,000 tasks", Duration::from_millis(1), &next),
        row("a page of 100 of 20,000 tasks", Duration::from_millis(5), &list),
        row(
            "a list that looks at all 20,000 tasks",
            Duration::from_millis(5),
            &last,
        ),
    ]
}

fn samples(mut ours: impl FnMut()) -> Samples {
    in_turn(300, &mut ours, || ()).0
}

/// A durable task, its texts, history, audit event and counters, beside one row and its index entry.
fn adds(peer: &mut Peer, bed: &Bed, start: &Path) -> Row {
    let connection = sqlite(&bed.path().join("tasks.sqlite"));
    let mut number = 0;
    let (ours, theirs) = in_turn(
        1_000,
        || {
            let new = NewTask {
                title: "A task like many others".into(),
                description: "x".repeat(200),
                ..NewTask::default()
            };
            ask(peer, start, Request::Add(Box::new(new)));
        },
        || {
            number += 1;
            insert(&connection, number);
        },
    );
    Row::times(
        "task add, durable, one client",
        ours.median(),
        ("SQLite FULL", theirs.median()),
        Target::AtMost(2.5),
    )
}
