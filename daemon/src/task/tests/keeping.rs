//! What is kept: request ids, restarts, undo, deletion, moves, the border between workspaces, hostile fields.

use proto::Kind;
use proto::task::{Answer, Edit, Filter, Force, Link, NewTask, Request, Status, Verb};

use super::bed::{Bed, OTHER, PLAN, WS, complete, list, named, plan, task_of, update};
use crate::audit::{self, Chain};

#[test]
fn the_same_request_id_twice_changes_nothing_and_gives_the_first_answer() {
    let bed = Bed::new();
    let add = |title: &str| {
        let new = NewTask {
            title: title.to_owned(),
            ..NewTask::default()
        };
        bed.ask_in(WS, "me", Some("r1"), Request::Add(Box::new(new)))
    };
    let first = add("A").expect("added");
    assert_eq!(add("A"), Ok(first.clone()));
    assert_eq!(add("B").expect_err("another body").kind, Kind::Conflict);
    let bed = bed.again();
    let new = NewTask {
        title: "A".to_owned(),
        ..NewTask::default()
    };
    assert_eq!(
        bed.ask_in(WS, "me", Some("r1"), Request::Add(Box::new(new))),
        Ok(first)
    );
    assert_eq!(list(&bed, Filter::default(), 10, None).0.len(), 1);
}

#[test]
fn a_claim_repeated_with_its_request_id_claims_no_second_task() {
    let bed = Bed::new();
    bed.add(named("a", &[]));
    bed.add(named("b", &[]));
    let next = || {
        let what = Request::Next {
            specialists: Vec::new(),
            claim: true,
        };
        match bed.ask_in(WS, "me", Some("n1"), what).expect("claimed") {
            Answer::Next { task, .. } => task.task.id,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((next(), next()), ("a".to_owned(), "a".to_owned()));
}

#[test]
fn everything_is_there_after_a_restart() {
    let bed = Bed::new();
    let (top, tasks) = plan(&bed, PLAN);
    let long = "words ".repeat(20_000);
    let edit = Edit {
        description: Some(long.clone()),
        add_labels: vec!["l".to_owned()],
        ..Edit::default()
    };
    bed.change("me", &tasks[0].1, update(edit)).expect("updated");
    bed.claim("worker").expect("claimed");
    let before: Vec<_> = [&top, &tasks[0].1, &tasks[1].1]
        .map(|id| bed.show(id).expect("shown"))
        .to_vec();
    let bed = bed.again();
    for detail in before {
        let mut now = bed.show(&detail.task.id).expect("shown");
        let expires = |detail: &mut proto::task::Detail| {
            let claim = detail.task.claim.as_mut();
            claim.map(|claim| std::mem::take(&mut claim.expires)).is_some()
        };
        let mut then = detail;
        assert_eq!(expires(&mut now), expires(&mut then));
        assert_eq!(now, then);
    }
    assert_eq!(bed.show(&tasks[0].1).expect("shown").description, long);
}

#[test]
fn undo_takes_the_last_change_back_with_its_texts_and_what_went_along() {
    let bed = Bed::new();
    bed.add(NewTask {
        description: "first".to_owned(),
        ..named("a", &[])
    });
    let edit = Edit {
        description: Some("second".to_owned()),
        title: Some("New".to_owned()),
        ..Edit::default()
    };
    bed.change("me", "a", update(edit)).expect("updated");
    bed.change("me", "a", Verb::Undo).expect("undone");
    let detail = bed.show("a").expect("shown");
    assert_eq!(
        (detail.description.as_str(), detail.task.title.as_str()),
        ("first", "Do a")
    );
    assert_eq!(detail.task.revision, 3);
    bed.change("me", "a", Verb::Undo).expect("undo is undone");
    assert_eq!(bed.show("a").expect("shown").description, "second");

    bed.add(NewTask {
        parent: Some("a".to_owned()),
        ..named("b", &[])
    });
    bed.change(
        "me",
        "a",
        Verb::Cancel {
            reason: String::new(),
        },
    )
    .expect("cancelled");
    assert_eq!(bed.show("b").expect("shown").task.status, Status::Cancelled);
    bed.change("me", "a", Verb::Undo).expect("undone");
    assert_eq!(bed.show("b").expect("shown").task.status, Status::Pending);
}

#[test]
fn undo_of_a_completion_that_others_built_on_still_leaves_no_open_child_in_a_closed_group() {
    let bed = Bed::new();
    bed.add(named("g", &[]));
    bed.add(NewTask {
        parent: Some("g".to_owned()),
        ..named("c", &[])
    });
    bed.change("me", "c", complete("done")).expect("completed");
    bed.change("me", "g", complete("done")).expect("completed");
    let error = bed
        .change("me", "c", Verb::Undo)
        .expect_err("its group is closed");
    assert_eq!(error.kind, Kind::Refused);
    assert!(bed.change("me", "c", Verb::Reopen).is_err());
    bed.change("me", "g", Verb::Reopen).expect("reopened");
    bed.change("me", "c", Verb::Reopen).expect("reopened");
}

#[test]
fn what_is_deleted_is_put_away_first_and_goes_only_when_nothing_needs_it() {
    let bed = Bed::new();
    bed.add(named("a", &[]));
    bed.add(named("b", &["a"]));
    let error = bed
        .change("me", "a", Verb::Delete)
        .expect_err("something waits for it");
    assert_eq!(error.what, "`b` depends on `a`");
    bed.change("me", "b", Verb::Delete).expect("put away");
    assert_eq!(
        bed.change("me", "a", Verb::Purge).expect_err("not put away").kind,
        Kind::Refused
    );
    let purge = |id: &str| {
        bed.ask(
            "me",
            Request::Change {
                id: id.to_owned(),
                if_revision: None,
                verb: Verb::Purge,
            },
        )
    };
    assert_eq!(
        purge("b"),
        Ok(Answer::Purged {
            tasks: vec!["b".to_owned()]
        })
    );
    assert_eq!(bed.show("b").expect_err("gone").kind, Kind::NotFound);
    let bed = bed.again();
    assert_eq!(bed.show("b").expect_err("gone").kind, Kind::NotFound);
    bed.add(named("b", &[]));
    assert_eq!(bed.show("b").expect("a new one").task.revision, 1);
}

#[test]
fn a_task_and_all_below_it_move_to_another_workspace_with_their_history() {
    let bed = Bed::new();
    bed.add(named("g", &[]));
    bed.add(NewTask {
        parent: Some("g".to_owned()),
        description: "d".repeat(20_000),
        ..named("c", &[])
    });
    bed.ask(
        "me",
        Request::Note {
            id: "c".to_owned(),
            text: "n".to_owned(),
            to: None,
        },
    )
    .expect("noted");
    bed.add(named("outside", &["g"]));
    let to = |id: &str, name: &str| Request::Move {
        id: id.to_owned(),
        if_revision: None,
        to: proto::workspace::Which::Named(name.to_owned()),
    };
    assert_eq!(
        bed.ask("me", to("g", OTHER)).expect_err("outside waits").kind,
        Kind::Refused
    );
    bed.change(
        "me",
        "outside",
        update(Edit {
            remove_after: vec!["g".to_owned()],
            ..Edit::default()
        }),
    )
    .expect("ok");
    bed.ask("me", to("g", OTHER)).expect("moved");
    assert_eq!(bed.show("c").expect_err("gone from here").kind, Kind::NotFound);
    let bed = bed.again();
    let there = |what| bed.ask_in(OTHER, "me", None, what).expect("answered");
    let Answer::Detail(detail) = there(Request::Show { id: "c".to_owned() }) else {
        panic!("no detail")
    };
    assert_eq!((detail.description.len(), detail.notes.len()), (20_000, 1));
    let Answer::History(entries) = there(Request::History {
        id: "c".to_owned(),
        limit: 5,
    }) else {
        panic!("none")
    };
    assert_eq!(entries.len(), 1);
    for workspace in [WS, OTHER] {
        let chain = audit::verify(&bed.ctx.db, workspace).expect("read");
        assert!(matches!(chain, Chain::Whole(1..)), "{workspace}: {chain:?}");
    }
}

#[test]
fn one_workspace_never_sees_the_tasks_of_another() {
    let bed = Bed::new();
    bed.add(named("secret", &[]));
    let all = |id: &str| {
        let id = || id.to_owned();
        let change = |verb| Request::Change {
            id: id(),
            if_revision: None,
            verb,
        };
        vec![
            Request::Show { id: id() },
            Request::Tree {
                root: Some(id()),
                all: true,
            },
            Request::History { id: id(), limit: 5 },
            Request::Synthesize { id: id() },
            Request::Execute {
                id: id(),
                budget: 4096,
            },
            Request::Note {
                id: id(),
                text: "n".to_owned(),
                to: None,
            },
            change(Verb::Start(Force::Yes)),
            change(Verb::Undo),
            change(Verb::Purge),
            Request::Add(Box::new(named("mine", &[id().as_str()]))),
            Request::Add(Box::new(NewTask {
                parent: Some(id()),
                ..named("mine", &[])
            })),
            Request::Next {
                specialists: Vec::new(),
                claim: true,
            },
        ]
    };
    for id in [
        "secret",
        "ws_000000000001\0secret",
        "../ws_000000000001/secret",
        "%2e%2e/secret",
    ] {
        for what in all(id) {
            assert!(
                bed.ask_in(OTHER, "thief", None, what.clone()).is_err(),
                "{what:?}"
            );
        }
    }
    let Answer::Tasks { tasks, .. } = bed
        .ask_in(
            OTHER,
            "thief",
            None,
            Request::List {
                filter: Box::default(),
                limit: 10,
                cursor: None,
            },
        )
        .expect("listed")
    else {
        panic!("no list")
    };
    assert!(tasks.is_empty());
    assert_eq!(bed.show("secret").expect("untouched").task.revision, 1);
}

#[test]
fn every_change_stands_in_the_audit_chain() {
    let bed = Bed::new();
    bed.add(named("a", &[]));
    bed.change("you", "a", complete("done")).expect("completed");
    bed.ask(
        "me",
        Request::Note {
            id: "a".to_owned(),
            text: "n".to_owned(),
            to: None,
        },
    )
    .expect("noted");
    assert!(
        bed.change("me", "a", complete("again")).is_err(),
        "what is refused is no change"
    );
    let events = audit::events(&bed.ctx.db, WS, 0, 10).expect("read");
    let told: Vec<(&str, &str, &str)> = events
        .iter()
        .map(|event| (event.actor.as_str(), event.op.as_str(), event.target.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("me", "task.add", "a"),
            ("you", "task.complete", "a"),
            ("me", "task.note", "a")
        ]
    );
    assert_eq!(audit::verify(&bed.ctx.db, WS), Ok(Chain::Whole(3)));
}

#[test]
fn hostile_fields_are_refused_by_name() {
    let bed = Bed::new();
    let link = |kind: &str| {
        vec![Link {
            kind: kind.to_owned(),
            to: "x".to_owned(),
        }]
    };
    for new in [
        NewTask {
            title: "a\u{7}b".to_owned(),
            ..NewTask::default()
        },
        NewTask {
            title: "x".repeat(501),
            ..NewTask::default()
        },
        NewTask {
            description: "x".repeat(proto::task::MAX_DESCRIPTION + 1),
            ..named("a", &[])
        },
        NewTask {
            specialist: Some("../x".to_owned()),
            ..named("a", &[])
        },
        NewTask {
            labels: vec!["x".repeat(65)],
            ..named("a", &[])
        },
        NewTask {
            links: link("virus"),
            ..named("a", &[])
        },
        NewTask {
            parent: Some("nobody".to_owned()),
            ..named("a", &[])
        },
        named("a/b", &[]),
        named("a", &["a"]),
    ] {
        assert!(
            bed.ask("me", Request::Add(Box::new(new.clone()))).is_err(),
            "{:?}",
            new.id
        );
    }
    let whole = NewTask {
        description: "x".repeat(proto::task::MAX_DESCRIPTION),
        context: "x".repeat(proto::task::MAX_TEXT),
        ..named("a", &[])
    };
    let answer = bed
        .ask("me", Request::Add(Box::new(whole)))
        .expect("within the limits");
    assert_eq!(task_of(answer).id, "a");
    bed.change("me", "a", complete(&"x".repeat(proto::task::MAX_TEXT)))
        .expect("completed");
    for number in 0..3 {
        let text = format!("{number}{}", "x".repeat(proto::task::MAX_TEXT - 1));
        bed.ask(
            "me",
            Request::Note {
                id: "a".to_owned(),
                text,
                to: None,
            },
        )
        .expect("noted");
    }
    let shown = proto::Answer::Task(Answer::Detail(Box::new(bed.show("a").expect("shown"))));
    let frame = proto::ServerFrame::Done { id: 1, answer: shown };
    assert!(
        proto::frame::encode(&frame).is_ok(),
        "the largest task fits into a frame"
    );
}
