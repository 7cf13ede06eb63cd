//! Claims: no task held by two, none lost, none done twice; leases that end, and those that must not.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use proto::Kind;
use proto::task::{Edit, Force, Request, Status, Verb};

use super::bed::{Bed, LEASE, complete, named};
use crate::task;

/// A plan of `count` tasks in a few levels, each after two of the level before.
fn plan(count: usize) -> String {
    let mut text = "title: Many\ntasks:\n".to_owned();
    for number in 0..count {
        writeln!(text, "  - name: t{number}\n    title: Task {number}").expect("a text");
        if number >= 100 {
            writeln!(text, "    after: [t{}, t{}]", number - 100, number - 97).expect("a text");
        }
    }
    text
}

#[test]
fn thirty_two_actors_share_two_thousand_tasks_and_each_is_done_once() {
    let bed = Bed::new();
    bed.ask("planner", Request::Plan { text: plan(2000) })
        .expect("planned");
    let holders: Mutex<HashMap<String, String>> = Mutex::default();
    let done: Mutex<HashMap<String, u32>> = Mutex::default();
    std::thread::scope(|scope| {
        for number in 0..32 {
            let (bed, holders, done) = (&bed, &holders, &done);
            scope.spawn(move || {
                let actor = format!("actor-{number}");
                loop {
                    let id = match bed.claim(&actor) {
                        Ok(detail) => detail.task.id,
                        Err(error) if error.kind == Kind::NotFound => {
                            if done.lock().expect("whole").len() == 2000 {
                                return;
                            }
                            std::thread::yield_now();
                            continue;
                        }
                        Err(error) => panic!("{error}"),
                    };
                    let before = holders.lock().expect("whole").insert(id.clone(), actor.clone());
                    assert_eq!(before, None, "{id} is held by two");
                    bed.change(&actor, &id, complete("done")).expect("completed");
                    *done.lock().expect("whole").entry(id.clone()).or_insert(0) += 1;
                }
            });
        }
    });
    let done = done.into_inner().expect("whole");
    assert_eq!(done.len(), 2000);
    assert!(done.values().all(|times| *times == 1));
    let bed = bed.again();
    assert_eq!(
        bed.claim("late").expect_err("nothing is left").kind,
        Kind::NotFound
    );
}

#[test]
fn thirty_two_writers_with_revisions_lose_no_update() {
    let bed = Bed::new();
    bed.add(named("t", &[]));
    std::thread::scope(|scope| {
        for number in 0..32 {
            let bed = &bed;
            scope.spawn(move || {
                loop {
                    let seen = bed.show("t").expect("shown").task;
                    let edit = Edit {
                        add_labels: vec![format!("label-{number:02}")],
                        ..Edit::default()
                    };
                    let verb = Verb::Update(Box::new(edit));
                    let what = Request::Change {
                        id: "t".to_owned(),
                        if_revision: Some(seen.revision),
                        verb,
                    };
                    match bed.ask("writer", what) {
                        Ok(_) => return,
                        Err(error) => assert_eq!(error.kind, Kind::Conflict, "{error}"),
                    }
                }
            });
        }
    });
    let task = bed.show("t").expect("shown").task;
    assert_eq!(task.labels.len(), 32);
    assert_eq!(task.revision, 33);
}

#[test]
fn an_expired_lease_gives_the_task_back_with_one_attempt_more_and_the_last_note() {
    let bed = Bed::new();
    bed.add(named("t", &[]));
    bed.claim("one").expect("claimed");
    let note = Request::Note {
        id: "t".to_owned(),
        text: "half way".to_owned(),
        to: None,
    };
    bed.ask("one", note).expect("noted");
    assert!(bed.claim("two").is_err(), "it is held");
    bed.run_for(LEASE + Duration::from_secs(5));
    let detail = bed.claim("two").expect("it is free again");
    assert_eq!(
        (detail.task.attempts, detail.notes[0].text.as_str()),
        (1, "half way")
    );
    let error = bed
        .change("one", "t", complete("late"))
        .expect_err("another holds it now");
    assert_eq!(error.kind, Kind::Conflict);
}

#[test]
fn any_call_of_its_holder_renews_a_lease() {
    let bed = Bed::new();
    bed.add(named("t", &[]));
    bed.claim("one").expect("claimed");
    for _ in 0..4 {
        bed.run_for(LEASE - Duration::from_secs(10));
        bed.ask("one", Request::Stats).expect("answered");
    }
    task::tick(&bed.ctx);
    assert_eq!(
        bed.show("t").expect("shown").task.claim.expect("held").actor,
        "one"
    );
}

#[test]
fn a_tick_gives_back_what_nobody_asks_for() {
    let bed = Bed::new();
    bed.add(named("t", &[]));
    bed.claim("one").expect("claimed");
    bed.run_for(LEASE * 2);
    task::tick(&bed.ctx);
    let task = bed.show("t").expect("shown").task;
    assert_eq!(
        (task.status, task.attempts, task.claim),
        (Status::Pending, 1, None)
    );
}

#[test]
fn a_daemon_that_stood_still_robs_nobody() {
    let bed = Bed::new();
    bed.add(named("t", &[]));
    bed.claim("one").expect("claimed");
    // Stopped for a day: one reading, far ahead, then a rival and the ticks of less than the grace.
    let far = bed.ctx.world.monotonic() + Duration::from_secs(86_400);
    bed.ctx.boards.running(far);
    for second in [2, 4, 6] {
        bed.ctx.boards.running(far + Duration::from_secs(second));
    }
    assert!(
        bed.claim("rival").is_err(),
        "the holder could not speak meanwhile"
    );
    assert_eq!(
        bed.change("one", "t", complete("done"))
            .expect("completed")
            .status,
        Status::Completed
    );
}

#[test]
fn a_restart_begins_every_lease_anew() {
    let bed = Bed::new();
    bed.add(named("t", &[]));
    bed.claim("one").expect("claimed");
    bed.run_for(LEASE - Duration::from_secs(10));
    let bed = bed.again();
    bed.show("t").expect("loaded");
    bed.run_for(LEASE - Duration::from_secs(10));
    assert!(bed.claim("rival").is_err(), "the lease is not over");
    bed.run_for(Duration::from_secs(30));
    assert!(bed.claim("rival").is_ok());
}

#[test]
fn a_holder_whose_process_is_still_there_is_not_robbed_and_one_that_is_gone_is() {
    let bed = Bed::new();
    bed.add(named("t", &[]));
    let pid = std::process::id();
    let start = crate::world::process::started(pid).expect("this one runs");
    let (busy, gone) = (
        format!("claude[{pid}.{start}]"),
        format!("claude[{pid}.{}]", start + 1),
    );
    bed.claim(&busy).expect("claimed");
    bed.run_for(LEASE * 3);
    assert!(bed.claim("rival").is_err(), "its process runs a long command");
    bed.change(&busy, "t", Verb::Release).expect("released");
    bed.claim(&gone).expect("claimed");
    bed.run_for(LEASE * 3);
    assert!(bed.claim("rival").is_ok());
}

#[test]
fn nobody_holds_a_task_without_a_name() {
    let bed = Bed::new();
    bed.add(named("t", &[]));
    assert_eq!(bed.claim("unknown").expect_err("refused").kind, Kind::Usage);
    assert_eq!(
        bed.change("unknown", "t", Verb::Start(Force::Yes))
            .expect_err("refused")
            .kind,
        Kind::Usage
    );
}

#[test]
fn a_specialist_gets_only_its_own_tasks() {
    let bed = Bed::new();
    let tester = proto::task::NewTask {
        specialist: Some("tester".to_owned()),
        ..named("t", &[])
    };
    bed.add(tester);
    let next = |specialist: &str| {
        let what = Request::Next {
            specialists: vec![specialist.to_owned()],
            claim: true,
        };
        bed.ask("me", what)
    };
    assert_eq!(
        next("coder").expect_err("none").what,
        "no task is ready for `coder`"
    );
    assert!(next("tester").is_ok());
    let list = bed.change("me", "t", Verb::Release);
    assert!(list.is_ok_and(|task| task.ready), "it is ready again");
}
