//! Exactly once: every change there is, repeated with its request id over the same connection, over a new one, and after
//! the daemon was killed, changes nothing and gives the first answer.

use std::path::{Path, PathBuf};

use proto::artifact::{self, Act, NewArtifact, Source};
use proto::config::Layer;
use proto::context::{self, NewNote};
use proto::decision::{self, Draft, Relation};
use proto::detect::From;
use proto::maintenance;
use proto::task::{self, Edit, Force, NewTask, NextAction, Verb};
use proto::workspace::{self, Seed, Which};
use proto::{Answer, Caller, ClientFrame, Error, Request, config, frame, role};
use rusqlite::Connection;
use rustix::process::Signal;
use tests::ask::raw;
use tests::daemon::Bed;
use tests::wire::Peer;
use tests::{git, process};

fn here() -> Which {
    Which::At(From::Caller)
}

fn new(id: &str) -> NewTask {
    NewTask {
        id: Some(id.to_owned()),
        title: format!("T {id}"),
        ..NewTask::default()
    }
}

fn task(what: task::Request) -> Request {
    Request::Task(Box::new(task::Call { at: here(), what }))
}

fn change(id: &str, verb: Verb) -> Request {
    task(task::Request::Change {
        id: id.to_owned(),
        if_revision: None,
        verb,
    })
}

fn complete(id: &str, next_action: NextAction) -> Request {
    let summary = "done".to_owned();
    change(
        id,
        Verb::Complete {
            summary,
            next_action,
            force: Force::No,
        },
    )
}

fn tasks(other: &Path) -> Vec<(&'static str, Request)> {
    let add = |id: &str| task(task::Request::Add(Box::new(new(id))));
    let plan = "title: Top\ntasks:\n  - {name: a, title: A}\n  - {name: b, title: B, after: [a]}\n";
    let edit = Edit {
        title: Some("Changed".into()),
        add_labels: vec!["l".into()],
        ..Edit::default()
    };
    let generated = NewTask { id: None, ..new("x") };
    vec![
        ("task.add", add("a")),
        (
            "task.add.generated",
            task(task::Request::Add(Box::new(generated))),
        ),
        ("task.add.b", add("b")),
        ("task.add.c", add("c")),
        ("task.add.d", add("d")),
        ("task.add.e", add("e")),
        ("task.plan", task(task::Request::Plan { text: plan.into() })),
        (
            "task.import",
            task(task::Request::Import {
                text: r#"[{"number":7,"title":"I"}]"#.into(),
            }),
        ),
        ("task.update", change("a", Verb::Update(Box::new(edit)))),
        (
            "task.note",
            task(task::Request::Note {
                id: "a".into(),
                text: "n".into(),
                to: None,
            }),
        ),
        ("task.start", change("a", Verb::Start(Force::No))),
        ("task.release", change("a", Verb::Release)),
        ("task.start.again", change("a", Verb::Start(Force::No))),
        ("task.complete", complete("a", NextAction::Continue)),
        ("task.block", change("b", Verb::Block { reason: "r".into() })),
        ("task.reopen", change("b", Verb::Reopen)),
        (
            "task.fail",
            change(
                "b",
                Verb::Fail {
                    reason: "r".into(),
                    force: Force::No,
                },
            ),
        ),
        ("task.cancel", change("c", Verb::Cancel { reason: "r".into() })),
        ("task.undo", change("c", Verb::Undo)),
        ("task.delete", change("c", Verb::Delete)),
        ("task.purge", change("c", Verb::Purge)),
        (
            "task.move",
            task(task::Request::Move {
                id: "d".into(),
                if_revision: None,
                to: Which::At(From::Start(raw(other))),
            }),
        ),
        (
            "next.claim",
            task(task::Request::Next {
                specialists: Vec::new(),
                claim: true,
            }),
        ),
        (
            "task.template.apply",
            task(task::Request::Apply {
                name: "bugfix".into(),
                title: "It".into(),
                values: Vec::new(),
            }),
        ),
    ]
}

fn notes() -> Vec<(&'static str, Request)> {
    let call = |what| Request::Context(Box::new(context::Call { at: here(), what }));
    let note = NewNote {
        text: "The build needs zlib".into(),
        ..NewNote::default()
    };
    let start = context::Request::SessionStart {
        name: Some("s".into()),
        specialists: vec!["coder".into()],
    };
    vec![
        ("remember", call(context::Request::Remember(Box::new(note)))),
        ("session.start", call(start)),
        ("session.end", call(context::Request::SessionEnd { id: None })),
    ]
}

fn decisions() -> Vec<(&'static str, Request)> {
    let call = |what| Request::Decision(Box::new(decision::Call { at: here(), what }));
    let draft = |title: &str| Draft {
        title: Some(title.into()),
        decision: Some("d".into()),
        rationale: Some("r".into()),
        ..Draft::default()
    };
    let record = |title: &str, link| {
        call(decision::Request::Record {
            draft: Box::new(draft(title)),
            document: None,
            link,
        })
    };
    let verb = |verb| {
        call(decision::Request::Change {
            which: "1".into(),
            if_revision: None,
            verb,
        })
    };
    vec![
        ("decision.record", record("One", None)),
        ("decision.accept", verb(decision::Verb::Accept)),
        (
            "decision.outcome",
            verb(decision::Verb::Outcome { text: "good".into() }),
        ),
        (
            "decision.supersede",
            record("Two", Some((Relation::Supersedes, "1".into()))),
        ),
        ("decision.files", call(decision::Request::Files { write: true })),
    ]
}

fn artifacts() -> Vec<(&'static str, Request)> {
    let call = |what| Request::Artifact(Box::new(artifact::Call { at: here(), what }));
    let store = |bytes: &[u8]| {
        let new = NewArtifact {
            task: "e".into(),
            name: "result.md".into(),
            ..NewArtifact::default()
        };
        let bytes = bytes.to_vec();
        call(artifact::Request::Store(Box::new(Source::Here { new, bytes })))
    };
    vec![
        ("artifact.store", store(b"one")),
        ("artifact.store.again", store(b"two")),
        (
            "artifact.optimize",
            call(artifact::Request::Optimize { act: Act::Do }),
        ),
    ]
}

fn projects(fresh: &Path) -> Vec<(&'static str, Request)> {
    let rename = |name: &str| {
        Request::Workspace(workspace::Request::Rename {
            which: here(),
            name: name.into(),
        })
    };
    let create = workspace::Request::Create {
        at: From::Explicit(raw(fresh)),
        name: Some("fresh".into()),
        seed: Seed::Empty,
    };
    let set = config::Request::Set {
        at: From::Caller,
        layer: Layer::Workspace,
        key: "tasks.max_attempts".into(),
        value: "2".into(),
    };
    let unset = config::Request::Unset {
        at: From::Caller,
        layer: Layer::Workspace,
        key: "tasks.max_attempts".into(),
    };
    let init = role::Request::Init {
        at: From::Caller,
        project_type: Some("rust".into()),
    };
    vec![
        ("workspace.create", Request::Workspace(create)),
        ("workspace.rename", rename("two")),
        ("config.set", Request::Config(set)),
        ("config.unset", Request::Config(unset)),
        ("role.init", Request::Role(init)),
    ]
}

fn imports(old: &Path) -> Vec<(&'static str, Request)> {
    let what = maintenance::Request::Legacy {
        path: raw(old),
        dry_run: false,
    };
    let call = maintenance::Call { at: here(), what };
    vec![("import.legacy", Request::Maintenance(Box::new(call)))]
}

/// What can be asked only with an id that an earlier answer gave.
fn follow_ups(first: &[(&'static str, Answer)]) -> Vec<(&'static str, Request)> {
    let of = |name: &str| {
        first
            .iter()
            .find(|(id, _)| *id == name)
            .map(|(_, answer)| answer)
            .expect(name)
    };
    let note = match of("remember") {
        Answer::Context(context::Answer::Note { note, .. }) => note.id.clone(),
        other => panic!("no note: {other:?}"),
    };
    let stored = match of("artifact.store") {
        Answer::Artifact(artifact::Answer::Stored(stored)) => stored.id.clone(),
        other => panic!("no artifact: {other:?}"),
    };
    let project = match of("workspace.create") {
        Answer::Workspace(workspace::Answer::Workspace(made)) => made.id.clone(),
        other => panic!("no workspace: {other:?}"),
    };
    let context = |what| Request::Context(Box::new(context::Call { at: here(), what }));
    let artifact = |what| Request::Artifact(Box::new(artifact::Call { at: here(), what }));
    let new = NewArtifact {
        task: "e".into(),
        name: "large.bin".into(),
        ..NewArtifact::default()
    };
    let stage = artifact::Request::Stage {
        new: Box::new(new),
        size: None,
        digest: None,
    };
    let restore = artifact::Request::Restore {
        id: Some(stored),
        version: None,
        over: Force::No,
    };
    vec![
        (
            "note.forget",
            context(context::Request::Forget { id: note.clone() }),
        ),
        ("note.restore", context(context::Request::Restore { id: note })),
        ("artifact.restore", artifact(restore)),
        ("artifact.stage", artifact(stage)),
        (
            "workspace.forget",
            Request::Workspace(workspace::Request::Forget(Which::Named(project.clone()))),
        ),
        (
            "workspace.restore",
            Request::Workspace(workspace::Request::Restore { id: project }),
        ),
    ]
}

fn old_database(path: &Path) {
    let sql = "CREATE TABLE task_breakdowns (parent_task_id TEXT, description TEXT, complexity TEXT, context TEXT, created_at TEXT);
        CREATE TABLE subtasks (task_id TEXT, parent_task_id TEXT, title TEXT, description TEXT, specialist_type TEXT, dependencies TEXT,
        estimated_effort TEXT, status TEXT, results TEXT, artifacts TEXT, created_at TEXT, completed_at TEXT);
        INSERT INTO subtasks VALUES ('old','p','T','D','coder','[]','2h','pending',NULL,'[]','2026-01-02 03:04:05',NULL);";
    Connection::open(path)
        .and_then(|old| old.execute_batch(sql))
        .expect("written");
}

struct Scene {
    bed: Bed,
    repo: PathBuf,
}

impl Scene {
    fn ask(&self, peer: &mut Peer, id: &str, request: &Request) -> Result<Answer, Error> {
        let number = peer.new_id();
        let ask = ClientFrame::Ask {
            id: number,
            deadline_ms: 0,
            request_id: Some(id.to_owned()),
            caller: Caller {
                cwd: raw(&self.repo),
                vars: Vec::new(),
                actor: Some("me".to_owned()),
            },
            request: request.clone(),
        };
        peer.send(&frame::encode(&ask).expect("it fits"));
        peer.answer(number).1
    }

    /// All that the audit trail, the tasks and the notes say.
    fn state(&self) -> String {
        let lines = [
            "audit list --limit 1000",
            "task list --all --limit 1000",
            "recall",
            "decision list",
            "artifact list",
            "config list",
        ];
        let said = lines.map(|line| {
            let words = line.split(' ').chain(["--json"]);
            let mut said = process::run(self.bed.tocli(words).current_dir(&self.repo))
                .ok()
                .json();
            if let Some(claims) = said["tasks"].as_array_mut() {
                // When a lease ends is an estimate of the moment.
                claims
                    .iter_mut()
                    .for_each(|task| task["claim"] = task["claim"]["actor"].take());
            }
            said.to_string()
        });
        said.join("\n")
    }
}

#[test]
fn every_change_repeated_with_its_request_id_changes_nothing_and_gives_the_first_answer() {
    let bed = Bed::new();
    let (repo, other, fresh) = (bed.project("repo"), bed.project("other"), bed.project("fresh"));
    git::init(&repo);
    git::init(&other);
    let old = bed.work().join("old.db");
    old_database(&old);
    let scene = Scene { bed, repo };
    let mut all = [
        tasks(&other),
        notes(),
        decisions(),
        artifacts(),
        projects(&fresh),
        imports(&old),
    ]
    .concat();
    let daemon = scene.bed.start();
    let mut peer = scene.bed.peer();
    let mut first = Vec::new();
    let mut asked_twice = |(id, request): &(&'static str, Request)| {
        let answer = scene
            .ask(&mut peer, id, request)
            .unwrap_or_else(|error| panic!("{id}: {error}"));
        let again = scene.ask(&mut peer, id, request);
        assert_eq!(again.as_ref(), Ok(&answer), "{id}, over the same connection");
        (*id, answer)
    };
    first.extend(all.iter().map(&mut asked_twice));
    let more = follow_ups(&first);
    first.extend(more.iter().map(&mut asked_twice));
    all.extend(more);
    let state = scene.state();
    for ((id, request), (_, answer)) in all.iter().zip(&first) {
        let again = scene.ask(&mut scene.bed.peer(), id, request);
        assert_eq!(again.as_ref(), Ok(answer), "{id}, over another connection");
    }
    assert_eq!(scene.state(), state, "nothing has changed");
    process::signal(daemon.pid(), Some(Signal::KILL));
    drop(daemon);
    let _daemon = scene.bed.start();
    let mut peer = scene.bed.peer();
    for ((id, request), (_, answer)) in all.iter().zip(&first) {
        let again = scene.ask(&mut peer, id, request);
        assert_eq!(again.as_ref(), Ok(answer), "{id}, after the daemon was killed");
    }
    assert_eq!(
        scene.state(),
        state,
        "nothing has changed since the daemon was killed"
    );
    for (id, _) in &all {
        let another = task(task::Request::Add(Box::new(new("another"))));
        if *id != "task.move" && id.starts_with("task") {
            let error = scene.ask(&mut peer, id, &another).expect_err(id);
            assert_eq!(
                error.kind,
                proto::Kind::Conflict,
                "{id} stands for another request"
            );
        }
    }
}
