//! What can be read: lists and their pages, history, reports, prompts, templates.

use proto::Kind;
use proto::task::{Answer, Filter, Force, NewTask, Request, Status, Verb};

use super::bed::{Bed, PLAN, complete, ids, list, named, plan};

#[test]
fn pages_show_every_task_once_in_the_order_they_were_made() {
    let bed = Bed::new();
    for number in 0..25 {
        bed.add(named(&format!("t{number}"), &[]));
    }
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let (tasks, next) = list(&bed, Filter::default(), 10, cursor);
        seen.extend(ids(&tasks).iter().map(|id| (*id).to_owned()));
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    let made: Vec<String> = (0..25).map(|number| format!("t{number}")).collect();
    assert_eq!(seen, made);
    let what = Request::List {
        filter: Box::default(),
        limit: 0,
        cursor: None,
    };
    assert_eq!(bed.ask("me", what).expect_err("no page").kind, Kind::Usage);
    let what = Request::List {
        filter: Box::default(),
        limit: 5,
        cursor: Some("x".to_owned()),
    };
    assert_eq!(bed.ask("me", what).expect_err("no cursor").kind, Kind::Usage);
}

#[test]
fn filters_show_what_they_say() {
    let bed = Bed::new();
    bed.add(NewTask {
        labels: vec!["red".to_owned()],
        description: "about Whales".to_owned(),
        ..named("a", &[])
    });
    bed.add(NewTask {
        specialist: Some("tester".to_owned()),
        ..named("b", &["a"])
    });
    bed.add(NewTask {
        parent: Some("b".to_owned()),
        ..named("c", &[])
    });
    bed.add(named("d", &[]));
    bed.change(
        "me",
        "d",
        Verb::Cancel {
            reason: "no".to_owned(),
        },
    )
    .expect("cancelled");
    let shows = |filter: Filter| ids(&list(&bed, filter, 10, None).0).join(" ");
    let none = Filter::default;
    assert_eq!(shows(none()), "a b c");
    assert_eq!(shows(Filter { all: true, ..none() }), "a b c d");
    assert_eq!(
        shows(Filter {
            status: vec![Status::Cancelled],
            ..none()
        }),
        "d"
    );
    assert_eq!(
        shows(Filter {
            ready: true,
            ..none()
        }),
        "a"
    );
    assert_eq!(
        shows(Filter {
            waiting: true,
            ..none()
        }),
        "b c"
    );
    assert_eq!(
        shows(Filter {
            specialist: Some("tester".to_owned()),
            ..none()
        }),
        "b"
    );
    assert_eq!(
        shows(Filter {
            parent: Some("b".to_owned()),
            ..none()
        }),
        "c"
    );
    assert_eq!(
        shows(Filter {
            label: Some("red".to_owned()),
            ..none()
        }),
        "a"
    );
    assert_eq!(
        shows(Filter {
            text: Some("WHALES about".to_owned()),
            ..none()
        }),
        "a"
    );
    assert_eq!(
        shows(Filter {
            actor: Some("me".to_owned()),
            ..none()
        }),
        "a b c"
    );
    assert_eq!(
        shows(Filter {
            changed_before: Some(1),
            ..none()
        }),
        ""
    );
}

#[test]
fn history_tells_every_change_newest_first() {
    let bed = Bed::new();
    bed.add(named("a", &[]));
    bed.change("you", "a", Verb::Start(Force::No)).expect("started");
    bed.change("you", "a", complete("done")).expect("completed");
    let what = Request::History {
        id: "a".to_owned(),
        limit: 10,
    };
    let Answer::History(entries) = bed.ask("me", what).expect("told") else {
        panic!("no history")
    };
    let told: Vec<(u64, &str, &str)> = entries
        .iter()
        .map(|entry| (entry.revision, entry.actor.as_str(), entry.op.as_str()))
        .collect();
    assert_eq!(
        told,
        [(3, "you", "complete"), (2, "you", "start"), (1, "me", "add")]
    );
    assert!(entries[0].fields.contains(&"summary".to_owned()));
}

#[test]
fn a_worker_gets_the_results_of_what_its_task_depends_on() {
    let bed = Bed::new();
    bed.add(named("a", &[]));
    bed.add(NewTask {
        description: "Use what A found".to_owned(),
        ..named("b", &["a"])
    });
    bed.change("me", "a", complete("The answer is 42"))
        .expect("completed");
    let what = Request::Execute {
        id: "b".to_owned(),
        budget: 8192,
    };
    let Answer::Prompt {
        prompt, shortened, ..
    } = bed.ask("me", what).expect("written")
    else {
        panic!("none")
    };
    assert!(
        prompt.contains("The answer is 42") && prompt.contains("Use what A found"),
        "{prompt}"
    );
    assert!(shortened.is_empty());
}

#[test]
fn a_synthesis_says_what_is_done_and_why_the_rest_is_not() {
    let bed = Bed::new();
    let (top, tasks) = plan(&bed, PLAN);
    let report = |bed: &Bed| match bed
        .ask("me", Request::Synthesize { id: top.clone() })
        .expect("reported")
    {
        Answer::Synthesis(report) => report,
        other => panic!("{other:?}"),
    };
    bed.change("me", &tasks[0].1, complete("A is done"))
        .expect("completed");
    let half = report(&bed);
    assert_eq!((half.finished, half.done[0].text.as_str()), (false, "A is done"));
    assert_eq!(half.open[0].text, "ready, and nobody has taken it");
    bed.change("me", &tasks[1].1, complete("B is done"))
        .expect("completed");
    assert!(report(&bed).finished);
}

#[test]
fn every_template_can_be_applied_and_an_import_is_made_once() {
    let bed = Bed::new();
    let Answer::Templates(templates) = bed.ask("me", Request::Templates).expect("listed") else {
        panic!("none")
    };
    let names: Vec<&str> = templates.iter().map(|template| template.name.as_str()).collect();
    assert_eq!(names, ["feature", "bugfix", "refactoring", "research", "release"]);
    for name in names {
        let what = Request::Apply {
            name: name.to_owned(),
            title: "It".to_owned(),
            values: Vec::new(),
        };
        assert!(
            matches!(bed.ask("me", what), Ok(Answer::Planned { .. })),
            "{name}"
        );
    }
    let import = || Request::Import {
        text: "[{\"number\":1,\"title\":\"One\"}]".to_owned(),
    };
    for (made, known) in [(1, 0), (0, 1)] {
        let Answer::Imported {
            made: ids,
            known: seen,
            ..
        } = bed.ask("me", import()).expect("imported")
        else {
            panic!("none")
        };
        assert_eq!((ids.len(), seen), (made, known));
    }
}
