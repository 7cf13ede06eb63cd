//! Every verb through the doors, with the real database.

use proto::Kind;
use proto::task::{Answer, Filter, Force, NextAction, Request, Status, Verb};

use super::bed::{Bed, PLAN, complete, list, named, plan};

#[test]
fn a_plan_becomes_a_breakdown_with_ids_of_the_right_forms() {
    let bed = Bed::new();
    let (top, tasks) = plan(&bed, PLAN);
    assert!(top.starts_with("task_") && top.len() == 13, "{top}");
    assert!(
        tasks[0].1.starts_with("coder_") && tasks[0].1.len() == 12,
        "{tasks:?}"
    );
    assert!(tasks[1].1.starts_with("generic_"), "{tasks:?}");
    let b = bed.show(&tasks[1].1).expect("shown");
    assert_eq!((b.task.after, b.task.ready), (vec![tasks[0].1.clone()], false));
    let top = bed.show(&top).expect("shown").task;
    assert_eq!((top.children, top.open_children, top.ready), (2, 2, false));
}

#[test]
fn a_plan_with_a_fault_makes_nothing() {
    let bed = Bed::new();
    for text in [
        "title: T\ntasks: [{name: a, title: A, after: [b]}, {name: b, title: B, after: [a]}]",
        "title: T\ntasks: [{name: a, title: A, after: [nowhere]}]",
        "title: T\ntasks: [{name: a, title: A}, {name: b, title: \"\"}]",
        "title: T\ntasks: [{name: a, id: '../x', title: A}]",
    ] {
        assert!(
            bed.ask(
                "planner",
                Request::Plan {
                    text: text.to_owned()
                }
            )
            .is_err(),
            "{text}"
        );
    }
    assert!(
        list(
            &bed,
            Filter {
                all: true,
                ..Filter::default()
            },
            10,
            None
        )
        .0
        .is_empty()
    );
}

#[test]
fn next_action_is_honoured() {
    let bed = Bed::new();
    let end = |id: &str, next_action| {
        bed.add(named(id, &[]));
        let verb = Verb::Complete {
            summary: "tried\nmore".to_owned(),
            next_action,
            force: Force::No,
        };
        bed.change("me", id, verb).expect("ended")
    };
    assert_eq!(end("a", NextAction::Continue).status, Status::Completed);
    assert_eq!(end("b", NextAction::Complete).status, Status::Completed);
    let returned = end("c", NextAction::NeedsRevision);
    assert_eq!((returned.status, returned.ready), (Status::NeedsRevision, true));
    let blocked = end("d", NextAction::Blocked);
    assert_eq!(
        (blocked.status, blocked.reason.as_deref()),
        (Status::Blocked, Some("tried"))
    );
    assert_eq!(
        bed.change("me", "d", complete("x")).expect_err("blocked").kind,
        Kind::Refused
    );
}

#[test]
fn what_is_not_ready_is_started_only_by_force() {
    let bed = Bed::new();
    bed.add(named("a", &[]));
    bed.add(named("b", &["a"]));
    let error = bed
        .change("me", "b", Verb::Start(Force::No))
        .expect_err("refused");
    assert_eq!(
        (error.what.as_str(), error.why.as_deref()),
        ("`b` is not ready", Some("it waits for `a`"))
    );
    let task = bed.change("me", "b", Verb::Start(Force::Yes)).expect("forced");
    assert_eq!(
        (task.status, task.claim.expect("held").actor.as_str()),
        (Status::Active, "me")
    );
}

#[test]
fn completing_a_task_names_what_became_ready() {
    let bed = Bed::new();
    bed.add(named("a", &[]));
    bed.add(named("b", &["a"]));
    let what = Request::Change {
        id: "a".to_owned(),
        if_revision: Some(1),
        verb: complete("done"),
    };
    match bed.ask("me", what).expect("completed") {
        Answer::Task { unblocked, .. } => assert_eq!(unblocked, ["b"]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stale_revision_is_a_conflict_that_tells_the_current_state() {
    let bed = Bed::new();
    bed.add(named("a", &[]));
    bed.change("me", "a", Verb::Start(Force::No)).expect("started");
    let what = Request::Change {
        id: "a".to_owned(),
        if_revision: Some(1),
        verb: complete("done"),
    };
    let error = bed.ask("me", what).expect_err("stale");
    assert_eq!(error.kind, Kind::Conflict);
    assert_eq!(error.what, "`a` is at revision 2, not 1");
    assert!(error.why.expect("why").contains("active"));
}
