//! One of every message about tasks.

use proto::task::{
    Answer, Call, Claim, Complexity, Detail, Edit, Entry, Filter, Finding, Force, Link, NewTask, NextAction,
    Note, Planned, Priority, Request, Stats, Status, Synthesis, Taken, Task, Template, TreeLine, Verb,
};
use proto::{detect, workspace};

fn call(what: Request) -> Call {
    Call {
        at: workspace::Which::At(detect::From::Caller),
        what,
    }
}

fn link() -> Link {
    Link {
        kind: "commit".into(),
        to: "abc".into(),
    }
}

fn new_task() -> NewTask {
    NewTask {
        id: Some("own".into()),
        title: "t".into(),
        description: "d".into(),
        context: "c".into(),
        specialist: Some("coder".into()),
        parent: Some("p".into()),
        after: vec!["a".into(), "b".into()],
        priority: Priority::High,
        complexity: Some(Complexity::Simple),
        effort: Some("2h".into()),
        labels: vec!["l".into()],
        links: vec![link()],
    }
}

fn edit() -> Edit {
    Edit {
        title: Some("t".into()),
        description: Some("d".into()),
        context: Some("c".into()),
        summary: Some("s".into()),
        specialist: Some("coder".into()),
        parent: Some(None),
        add_after: vec!["a".into()],
        remove_after: vec!["b".into()],
        priority: Some(Priority::Low),
        complexity: Some(None),
        effort: Some("e".into()),
        add_labels: vec!["m".into()],
        remove_labels: vec!["n".into()],
        add_links: vec![link()],
    }
}

fn verbs() -> Vec<(&'static str, Verb)> {
    let complete = |next_action| Verb::Complete {
        summary: "s".into(),
        next_action,
        force: Force::No,
    };
    vec![
        ("update", Verb::Update(Box::new(edit()))),
        ("start", Verb::Start(Force::Yes)),
        ("release", Verb::Release),
        ("complete-continue", complete(NextAction::Continue)),
        ("complete-needs-revision", complete(NextAction::NeedsRevision)),
        ("complete-blocked", complete(NextAction::Blocked)),
        ("complete-complete", complete(NextAction::Complete)),
        ("block", Verb::Block { reason: "r".into() }),
        (
            "fail",
            Verb::Fail {
                reason: "r".into(),
                force: Force::Yes,
            },
        ),
        ("cancel", Verb::Cancel { reason: "r".into() }),
        ("reopen", Verb::Reopen),
        ("delete", Verb::Delete),
        ("purge", Verb::Purge),
        ("undo", Verb::Undo),
    ]
}

fn filter() -> Filter {
    Filter {
        status: Status::ALL.to_vec(),
        all: true,
        ready: false,
        waiting: true,
        specialist: Some("coder".into()),
        parent: Some("p".into()),
        label: Some("l".into()),
        text: Some("words".into()),
        actor: Some("me".into()),
        changed_before: Some(-1),
        changed_since: Some(2),
    }
}

/// One of each, with its name.
pub fn task_requests() -> Vec<(String, Call)> {
    let id = || "task_0123abcd".to_owned();
    let mut all: Vec<(String, Request)> = [
        ("task::Request::Add", Request::Add(Box::new(new_task()))),
        (
            "task::Request::Plan",
            Request::Plan {
                text: "title: t".into(),
            },
        ),
        ("task::Request::Import", Request::Import { text: "[]".into() }),
        (
            "task::Request::List",
            Request::List {
                filter: Box::new(filter()),
                limit: 50,
                cursor: Some("n7".into()),
            },
        ),
        ("task::Request::Show", Request::Show { id: id() }),
        (
            "task::Request::Tree",
            Request::Tree {
                root: Some(id()),
                all: true,
            },
        ),
        (
            "task::Request::Note",
            Request::Note {
                id: id(),
                text: "n".into(),
                to: Some("you".into()),
            },
        ),
        (
            "task::Request::Move",
            Request::Move {
                id: id(),
                if_revision: Some(3),
                to: workspace::Which::Named("other".into()),
            },
        ),
        ("task::Request::History", Request::History { id: id(), limit: 9 }),
        ("task::Request::Stats", Request::Stats),
        ("task::Request::Synthesize", Request::Synthesize { id: id() }),
        (
            "task::Request::Execute",
            Request::Execute {
                id: id(),
                budget: 4096,
            },
        ),
        (
            "task::Request::Next",
            Request::Next {
                specialists: vec!["coder".into()],
                claim: true,
            },
        ),
        ("task::Request::Templates", Request::Templates),
        (
            "task::Request::Template",
            Request::Template {
                name: "feature".into(),
            },
        ),
        (
            "task::Request::Apply",
            Request::Apply {
                name: "feature".into(),
                title: "t".into(),
                values: vec![("k".into(), "v".into())],
            },
        ),
    ]
    .map(|(name, request)| (name.to_owned(), request))
    .to_vec();
    all.extend(verbs().into_iter().map(|(name, verb)| {
        let change = Request::Change {
            id: id(),
            if_revision: Some(5),
            verb,
        };
        (format!("task::Request::Change/{name}"), change)
    }));
    all.into_iter().map(|(name, what)| (name, call(what))).collect()
}

/// A task that stands so.
pub fn task(status: Status) -> Task {
    Task {
        id: "coder_0123ab".into(),
        title: "t".into(),
        specialist: "coder".into(),
        status,
        ready: true,
        waiting_for: vec!["w".into()],
        parent: Some("p".into()),
        after: vec!["a".into(), "w".into()],
        priority: Priority::Critical,
        complexity: Some(Complexity::VeryComplex),
        effort: Some("2h".into()),
        labels: vec!["l".into()],
        created_by: "me".into(),
        created: 1,
        updated: 2,
        started: Some(3),
        finished: Some(4),
        claim: Some(Claim {
            actor: "you".into(),
            since: 5,
            expires: 6,
        }),
        attempts: 7,
        revision: 8,
        reason: Some("r".into()),
        children: 9,
        open_children: 10,
    }
}

fn detail() -> Box<Detail> {
    Box::new(Detail {
        task: task(Status::Active),
        description: "d".into(),
        context: "c".into(),
        summary: "s".into(),
        links: vec![link()],
        tree: Some("/p".into()),
        notes: vec![Note {
            time: 1,
            actor: "me".into(),
            to: Some("you".into()),
            text: "n".into(),
        }],
        older_notes: 2,
        children: vec!["x".into()],
        blocks: vec!["y".into()],
    })
}

fn changed(status: Status) -> Answer {
    Answer::Task {
        task: Box::new(task(status)),
        unblocked: vec!["u".into()],
        along: vec!["v".into()],
        warnings: vec!["w".into()],
    }
}

fn planned() -> Planned {
    Planned {
        local: "a".into(),
        task_id: "coder_0123ab".into(),
    }
}

fn reports() -> Vec<(&'static str, Answer)> {
    let finding = |status| Finding {
        id: "f".into(),
        title: "t".into(),
        status,
        text: "x".into(),
    };
    let entry = Entry {
        revision: 2,
        time: 3,
        actor: "me".into(),
        op: "complete".into(),
        from: Some(Status::Active),
        to: Status::Completed,
        fields: vec!["status".into()],
    };
    let stats = Stats {
        total: 1,
        by_status: vec![("pending".into(), 2)],
        by_specialist: vec![("coder".into(), 3)],
        ready: 4,
        waiting: 5,
        claimed: 6,
        median_seconds: Some(7),
    };
    let synthesis = Synthesis {
        task: task(Status::Blocked),
        finished: false,
        done: vec![finding(Status::Completed)],
        open: vec![finding(Status::Failed)],
        left_out: 1,
    };
    let prompt = Answer::Prompt {
        task: Box::new(task(Status::Active)),
        prompt: "p".into(),
        shortened: vec!["s".into()],
    };
    vec![
        ("history", Answer::History(vec![entry])),
        ("stats", Answer::Stats(stats)),
        ("synthesis", Answer::Synthesis(Box::new(synthesis))),
        ("prompt", prompt),
    ]
}

fn lists() -> Vec<(&'static str, Answer)> {
    let line = TreeLine {
        depth: 1,
        id: "x".into(),
        title: "t".into(),
        specialist: "coder".into(),
        status: Status::Active,
        ready: false,
        actor: Some("me".into()),
    };
    let template = Template {
        name: "feature".into(),
        description: "d".into(),
        tasks: 7,
        variables: vec!["title".into()],
    };
    let tasks = Status::ALL.iter().map(|status| task(*status)).collect();
    vec![
        (
            "tasks",
            Answer::Tasks {
                tasks,
                next_cursor: Some("n9".into()),
            },
        ),
        ("detail", Answer::Detail(detail())),
        (
            "tree",
            Answer::Tree {
                lines: vec![line],
                left_out: 2,
            },
        ),
        (
            "next",
            Answer::Next {
                task: detail(),
                others: 3,
            },
        ),
        ("templates", Answer::Templates(vec![template])),
        (
            "template",
            Answer::Template {
                name: "feature".into(),
                text: "title: t".into(),
            },
        ),
    ]
}

/// One of each answer, with its name.
pub fn task_answers() -> Vec<(&'static str, Answer)> {
    let mut all = vec![
        ("task", changed(Status::Pending)),
        (
            "planned",
            Answer::Planned {
                task_id: "task_0123abcd".into(),
                tasks: vec![planned()],
                warnings: vec!["w".into()],
            },
        ),
        (
            "imported",
            Answer::Imported {
                made: vec![planned()],
                known: 1,
                skipped: vec!["s".into()],
            },
        ),
        (
            "noted",
            Answer::Noted {
                task_id: "x".into(),
                time: 1,
            },
        ),
        (
            "purged",
            Answer::Purged {
                tasks: vec!["x".into()],
            },
        ),
        (
            "moved",
            Answer::Moved {
                tasks: vec!["x".into()],
                workspace: "ws_0123456789ab".into(),
            },
        ),
        (
            "rehomed",
            Answer::Rehomed {
                tasks: vec!["x".into()],
                workspace: "ws_0123456789ab".into(),
                artifacts: vec![Taken {
                    artifact_id: "art_01234567".into(),
                    task_id: "x".into(),
                    name: "report.md".into(),
                }],
            },
        ),
    ];
    all.extend(reports());
    all.extend(lists());
    all
}
