//! Words about tasks and what they ask.

use proto::task::NextAction;

use super::*;
use crate::args::tests::{asked, wrong};
use proto::detect::From;
use proto::task::{Edit, NewTask, Priority, Status, Task};

fn is(line: &str, what: task::Request) {
    let call = Call {
        at: Which::At(From::Caller),
        what,
    };
    let question = Question::soon(proto::Request::Task(Box::new(call)));
    assert_eq!(asked(line), Ok(question), "{line}");
}

fn change(verb: Verb) -> task::Request {
    task::Request::Change {
        id: "t".to_owned(),
        if_revision: None,
        verb,
    }
}

#[test]
fn words_about_tasks_become_their_requests() {
    let add = NewTask {
        title: "T".to_owned(),
        specialist: Some("coder".to_owned()),
        after: vec!["a".to_owned(), "b".to_owned()],
        ..NewTask::default()
    };
    is(
        "task add T --specialist coder --after a --after b",
        task::Request::Add(Box::new(add)),
    );
    is("task show t", task::Request::Show { id: "t".to_owned() });
    is(
        "task tree",
        task::Request::Tree {
            root: None,
            all: false,
        },
    );
    is("task undo t", change(Verb::Undo));
    is("task start t --force", change(Verb::Start(Force::Yes)));
    is("task delete t --purge", change(Verb::Purge));
    is(
        "next --claim --actor me",
        task::Request::Next {
            specialists: Vec::new(),
            claim: true,
        },
    );
    let complete = Verb::Complete {
        summary: "s".to_owned(),
        next_action: NextAction::NeedsRevision,
        force: Force::No,
    };
    is(
        "task complete t --summary s --next-action needs_revision",
        change(complete),
    );
    let edit = Edit {
        parent: Some(None),
        add_labels: vec!["l".to_owned()],
        ..Edit::default()
    };
    is(
        "task update t --no-parent --add-label l",
        change(Verb::Update(Box::new(edit))),
    );
}

#[test]
fn a_workspace_and_a_request_id_are_taken_along() {
    let question = asked("task show t -w ws_0 --request-id r1").expect("a question");
    assert_eq!(question.request_id.as_deref(), Some("r1"));
    let proto::Request::Task(call) = question.request else {
        panic!("another room")
    };
    assert_eq!(call.at, Which::Named("ws_0".to_owned()));
}

#[test]
fn wrong_words_are_refused() {
    for line in [
        "task add",
        "task list --status nothing",
        "task list --fields task_id,nothing",
        "task update t --parent p --no-parent",
        "task complete t --next-action never",
        "task history t --limit 0",
        "task template apply feature T --set x",
        "task show t --path /x -w y",
    ] {
        assert!(wrong(line), "{line}");
    }
}

#[test]
fn a_list_shows_every_field_that_a_task_has_and_no_other() {
    let task = Task {
        id: "t".to_owned(),
        title: "T".to_owned(),
        specialist: "generic".to_owned(),
        status: Status::Pending,
        ready: true,
        waiting_for: Vec::new(),
        parent: None,
        after: Vec::new(),
        priority: Priority::Medium,
        complexity: None,
        effort: None,
        labels: Vec::new(),
        created_by: "me".to_owned(),
        created: 1,
        updated: 1,
        started: None,
        finished: None,
        claim: None,
        attempts: 0,
        revision: 1,
        reason: None,
        children: 0,
        open_children: 0,
    };
    let task = serde_json::to_value(task).expect("JSON");
    let mut names: Vec<&str> = task
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    let mut known = fields::FIELDS.to_vec();
    names.sort_unstable();
    known.sort_unstable();
    assert_eq!(names, known);
}

#[test]
fn what_other_systems_call_a_status_is_understood() {
    for (word, status) in [
        ("done", Status::Completed),
        ("in-progress", Status::Active),
        ("Canceled", Status::Cancelled),
    ] {
        let filter = proto::task::Filter {
            status: vec![status],
            ..proto::task::Filter::default()
        };
        is(
            &format!("task list --status {word}"),
            task::Request::List {
                filter: Box::new(filter),
                limit: 100,
                cursor: None,
            },
        );
    }
}

#[test]
fn a_change_of_nothing_is_refused() {
    let error = asked("task update t").expect_err("nothing to change");
    assert_eq!(error.what, "nothing to change");
}
