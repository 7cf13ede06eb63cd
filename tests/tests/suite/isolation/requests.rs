//! Every request there is, with a name and a path wherever one can be given.

mod others;

use proto::detect::From;
use proto::workspace::Which;
use proto::{RawPath, Request, artifact, context, decision, maintenance, task};

pub use others::is_tried;
use others::{files, settings};

/// All of them with this name and path; `secret` is what a search would look for.
pub fn with(name: &str, path: &RawPath, secret: &str) -> Vec<Request> {
    let at = here;
    let mut all = Vec::new();
    let of_tasks = tasks(name).into_iter();
    all.extend(of_tasks.map(|what| Request::Task(Box::new(task::Call { at: at(), what }))));
    let of_artifacts = artifacts(name, path, secret).into_iter();
    all.extend(of_artifacts.map(|what| Request::Artifact(Box::new(artifact::Call { at: at(), what }))));
    let of_decisions = decisions(name, path, secret).into_iter();
    all.extend(of_decisions.map(|what| Request::Decision(Box::new(decision::Call { at: at(), what }))));
    let of_contexts = contexts(name, path, secret).into_iter();
    all.extend(of_contexts.map(|what| Request::Context(Box::new(context::Call { at: at(), what }))));
    let of_care = maintenances(name, path).into_iter();
    all.extend(of_care.map(|what| Request::Maintenance(Box::new(maintenance::Call { at: at(), what }))));
    all.extend(settings(name, secret));
    all.extend(files(&path.display()));
    all
}

/// The workspace of whoever asks: nobody names another one.
fn here() -> Which {
    Which::At(From::Caller)
}

/// Every request about tasks, with this name wherever one can be given.
fn tasks(name: &str) -> Vec<task::Request> {
    use task::{Force, NextAction, Request, Verb};
    let id = || name.to_owned();
    let edit = task::Edit {
        parent: Some(Some(id())),
        add_after: vec![id()],
        ..task::Edit::default()
    };
    let new = task::NewTask {
        title: "t".into(),
        parent: Some(id()),
        after: vec![id()],
        ..task::NewTask::default()
    };
    let complete = Verb::Complete {
        summary: "s".into(),
        next_action: NextAction::Continue,
        force: Force::Yes,
    };
    let reason = || "r".to_owned();
    let verbs = vec![
        Verb::Update(Box::default()),
        Verb::Start(Force::Yes),
        Verb::Release,
        complete,
        Verb::Block { reason: reason() },
        Verb::Fail {
            reason: reason(),
            force: Force::Yes,
        },
        Verb::Cancel { reason: reason() },
        Verb::Reopen,
        Verb::Delete,
        Verb::Purge,
        Verb::Undo,
    ];
    let change = |id: &str, verb| Request::Change {
        id: id.to_owned(),
        if_revision: None,
        verb,
    };
    let filter = task::Filter {
        all: true,
        parent: Some(id()),
        ..task::Filter::default()
    };
    let mut all = vec![
        Request::Add(Box::new(new)),
        change("mine", Verb::Update(Box::new(edit))),
        Request::Plan {
            text: format!("{{title: t, tasks: [{{name: a, title: a, after: [{name:?}]}}]}}"),
        },
        Request::Import {
            text: format!("[{{\"number\": {name:?}, \"title\": \"t\"}}]"),
        },
        Request::List {
            filter: Box::new(filter),
            limit: 1000,
            cursor: None,
        },
        Request::List {
            filter: Box::default(),
            limit: 1000,
            cursor: Some(id()),
        },
        Request::Show { id: id() },
        Request::Tree {
            root: Some(id()),
            all: true,
        },
        Request::Tree {
            root: None,
            all: true,
        },
        Request::Note {
            id: id(),
            text: "n".into(),
            to: None,
        },
        // Moving takes what is one's own away; what is another's is not found.
        Request::Move {
            id: id(),
            if_revision: None,
            to: here(),
        },
        Request::History { id: id(), limit: 100 },
        Request::Stats,
        Request::Synthesize { id: id() },
        Request::Execute {
            id: id(),
            budget: 65_536,
        },
        Request::Next {
            specialists: Vec::new(),
            claim: false,
        },
        Request::Templates,
        Request::Template { name: id() },
        Request::Apply {
            name: id(),
            title: "t".into(),
            values: Vec::new(),
        },
    ];
    all.extend(verbs.into_iter().map(|verb| change(name, verb)));
    all.iter().for_each(|request| match request {
        Request::Add(_)
        | Request::Plan { .. }
        | Request::Import { .. }
        | Request::List { .. }
        | Request::Show { .. }
        | Request::Tree { .. }
        | Request::Change { .. }
        | Request::Note { .. }
        | Request::Move { .. }
        | Request::History { .. }
        | Request::Stats
        | Request::Synthesize { .. }
        | Request::Execute { .. }
        | Request::Next { .. }
        | Request::Templates
        | Request::Template { .. }
        | Request::Apply { .. } => {}
    });
    all
}

/// Every request about artifacts.
fn artifacts(name: &str, path: &RawPath, secret: &str) -> Vec<artifact::Request> {
    use artifact::{Act, Filter, NewArtifact, Request, Search, Source};
    let id = || name.to_owned();
    let new = |task: &str, name: &str| NewArtifact {
        task: task.to_owned(),
        name: name.to_owned(),
        ..NewArtifact::default()
    };
    let filter = || Filter {
        task: Some(id()),
        archived: true,
        ..Filter::default()
    };
    let search = Search {
        pattern: secret.to_owned(),
        limit: 100,
        filter: Filter {
            archived: true,
            ..Filter::default()
        },
        ..Search::default()
    };
    let here = |task: &str, name: &str| Source::Here {
        new: new(task, name),
        bytes: b"mine".to_vec(),
    };
    let force = task::Force::Yes;
    let all = vec![
        Request::Store(Box::new(here(name, "x"))),
        Request::Store(Box::new(here("mine", name))),
        Request::Store(Box::new(here("mine", &path.display()))),
        Request::Store(Box::new(Source::Draft { draft: id() })),
        Request::Store(Box::new(Source::Project {
            new: new("mine", "copy"),
            path: path.clone(),
        })),
        Request::Stage {
            new: Box::new(new(name, "x")),
            size: None,
            digest: None,
        },
        Request::Append {
            draft: id(),
            offset: 0,
            bytes: b"x".to_vec(),
        },
        Request::Resume { draft: id() },
        Request::Partials,
        Request::Discard { draft: id() },
        Request::Read {
            id: id(),
            version: None,
            offset: 0,
            length: 1000,
        },
        Request::List {
            filter: Box::default(),
            limit: 100,
            cursor: None,
        },
        Request::List {
            filter: Box::new(filter()),
            limit: 100,
            cursor: Some(id()),
        },
        Request::Show { id: id() },
        Request::Search {
            what: Box::new(search),
            cursor: None,
        },
        Request::Verify {
            id: Some(id()),
            cursor: None,
        },
        Request::Verify {
            id: None,
            cursor: Some(id()),
        },
        Request::Cleanup {
            before: i64::MAX,
            filter: Box::new(filter()),
            act: Act::Do,
        },
        Request::Optimize { act: Act::Do },
        Request::Restore {
            id: Some(id()),
            version: None,
            over: force,
        },
        Request::Complete {
            id: id(),
            if_revision: None,
            summary: "s".into(),
            next_action: task::NextAction::Continue,
            force,
            drafts: vec![id()],
        },
    ];
    all.iter().for_each(|request| match request {
        Request::Store(_)
        | Request::Stage { .. }
        | Request::Append { .. }
        | Request::Resume { .. }
        | Request::Partials
        | Request::Discard { .. }
        | Request::Read { .. }
        | Request::List { .. }
        | Request::Show { .. }
        | Request::Search { .. }
        | Request::Verify { .. }
        | Request::Cleanup { .. }
        | Request::Optimize { .. }
        | Request::Restore { .. }
        | Request::Complete { .. } => {}
    });
    all
}

/// Every request about decisions, with this name and path wherever one can be given.
fn decisions(name: &str, path: &RawPath, secret: &str) -> Vec<decision::Request> {
    use decision::{Relation, Request, Verb};
    let which = || name.to_owned();
    let draft = |task: Option<String>| decision::Draft {
        title: Some("t".into()),
        decision: Some("d".into()),
        paths: vec![path.clone()],
        task,
        ..decision::Draft::default()
    };
    let filter = || {
        Box::new(decision::Filter {
            path: Some(path.clone()),
            ..decision::Filter::default()
        })
    };
    let change = |verb| Request::Change {
        which: which(),
        if_revision: Some(77),
        verb,
    };
    let all = vec![
        Request::Record {
            draft: Box::new(draft(Some(which()))),
            document: None,
            link: None,
        },
        Request::Record {
            draft: Box::new(draft(None)),
            document: Some(format!("task: {name:?}")),
            link: Some((Relation::Supersedes, which())),
        },
        change(Verb::Accept),
        change(Verb::Reject { reason: "r".into() }),
        change(Verb::Outcome { text: "o".into() }),
        Request::List {
            filter: filter(),
            limit: 1000,
            cursor: None,
        },
        Request::Show { which: which() },
        Request::Search {
            words: secret.into(),
            filter: Box::default(),
            limit: 1000,
        },
        Request::Search {
            words: secret.into(),
            filter: filter(),
            limit: 1000,
        },
        Request::For {
            paths: vec![path.clone()],
        },
        Request::Files { write: false },
        Request::Files { write: true },
    ];
    all.iter().for_each(|request| match request {
        Request::Record { .. }
        | Request::Change { .. }
        | Request::List { .. }
        | Request::Show { .. }
        | Request::Search { .. }
        | Request::For { .. }
        | Request::Files { .. } => {}
    });
    all
}

/// Every request about notes and sessions.
fn contexts(name: &str, path: &RawPath, secret: &str) -> Vec<context::Request> {
    use context::Request;
    let id = || name.to_owned();
    let note = context::NewNote {
        text: "n".into(),
        task: Some(id()),
        paths: vec![path.clone()],
        ..context::NewNote::default()
    };
    let wanted = |words: &str, path: Option<RawPath>| {
        Box::new(context::Wanted {
            words: words.into(),
            path,
            gone: true,
            ..context::Wanted::default()
        })
    };
    let recall = |wanted, cursor| Request::Recall {
        wanted,
        limit: 100,
        cursor,
    };
    let all = vec![
        Request::Remember(Box::new(note)),
        recall(wanted(secret, None), None),
        recall(wanted("", Some(path.clone())), None),
        recall(wanted("", None), Some(id())),
        Request::Forget { id: id() },
        Request::Restore { id: id() },
        Request::SessionStart {
            name: Some(id()),
            specialists: Vec::new(),
        },
        Request::SessionList {
            open: false,
            limit: 100,
            cursor: None,
        },
        Request::SessionList {
            open: true,
            limit: 100,
            cursor: Some(id()),
        },
        Request::SessionEnd { id: Some(id()) },
        Request::Moment { of: id() },
        Request::Prime { budget: 9000 },
        Request::Recover {
            task: id(),
            budget: 9000,
        },
        Request::Handover {
            task: Some(id()),
            budget: 9000,
        },
        Request::Handover {
            task: None,
            budget: 9000,
        },
    ];
    all.iter().for_each(|request| match request {
        Request::Remember(_)
        | Request::Recall { .. }
        | Request::Forget { .. }
        | Request::Restore { .. }
        | Request::SessionStart { .. }
        | Request::SessionEnd { .. }
        | Request::SessionList { .. }
        | Request::Moment { .. }
        | Request::Prime { .. }
        | Request::Recover { .. }
        | Request::Handover { .. } => {}
    });
    all
}

/// Every request about the trail and the care of a workspace.
fn maintenances(name: &str, path: &RawPath) -> Vec<maintenance::Request> {
    use maintenance::{EventFilter, Request};
    let filter = |target: Option<String>| EventFilter {
        target,
        ..EventFilter::default()
    };
    let audit = |filter, cursor| Request::Audit {
        filter,
        limit: 1000,
        cursor,
    };
    let all = vec![
        audit(filter(None), None),
        audit(filter(Some(name.to_owned())), None),
        audit(filter(None), Some(name.to_owned())),
        Request::AuditVerify,
        Request::Legacy {
            path: path.clone(),
            dry_run: false,
        },
        Request::Export,
        Request::Import {
            path: path.clone(),
            dry_run: false,
        },
    ];
    all.iter().for_each(|request| match request {
        Request::Audit { .. }
        | Request::AuditVerify
        | Request::Legacy { .. }
        | Request::Export
        | Request::Import { .. } => {}
    });
    all
}
