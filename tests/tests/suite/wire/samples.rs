//! One sample of every message, with values that differ from each other so that exchanged fields show.

mod answers;
mod artifact;
mod context;
mod decision;
mod maintenance;
mod requests;
mod task;

use proto::message::{ClientFrame, Item, Request, ServerFrame};
use proto::{Caller, Error, Kind, detect, frame, index};

use answers::answers;
use requests::{
    config_requests, daemon_requests, detect_requests, index_requests, migrate_requests, role_requests,
    workspace_requests,
};

/// A message of either side.
#[derive(Debug, PartialEq)]
pub enum Message {
    /// From a client.
    Client(ClientFrame),
    /// From the daemon.
    Server(ServerFrame),
}

impl Message {
    /// The payload of its frame.
    pub fn bytes(&self) -> Vec<u8> {
        let framed = match self {
            Self::Client(message) => frame::encode(message),
            Self::Server(message) => frame::encode(message),
        };
        framed.expect("encodes").split_off(frame::HEAD)
    }

    /// Fails unless the payload is read as this very message.
    pub fn assert_reads(&self, payload: &[u8], name: &str) {
        match self {
            Self::Client(message) => assert_eq!(frame::decode(payload).as_ref(), Ok(message), "{name}"),
            Self::Server(message) => assert_eq!(frame::decode(payload).as_ref(), Ok(message), "{name}"),
        }
    }
}

/// A named message.
pub struct Sample {
    /// As recorded: no spaces.
    pub name: String,
    /// The message.
    pub message: Message,
}

/// All of them.
pub fn samples() -> Vec<Sample> {
    let mut all = Vec::new();
    all.extend(
        detect_requests()
            .into_iter()
            .map(|(name, request)| ask(name, Request::Detect(request))),
    );
    all.extend(
        workspace_requests()
            .into_iter()
            .map(|(name, request)| ask(name, Request::Workspace(request))),
    );
    all.extend(
        config_requests()
            .into_iter()
            .map(|(name, request)| ask(name, Request::Config(request))),
    );
    all.extend(
        role_requests()
            .into_iter()
            .map(|(name, request)| ask(name, Request::Role(request))),
    );
    all.extend(
        index_requests()
            .into_iter()
            .map(|(name, request)| ask(name, Request::Index(request))),
    );
    all.extend(
        migrate_requests()
            .into_iter()
            .map(|(name, request)| ask(name, Request::Migrate(request))),
    );
    all.extend(
        daemon_requests()
            .into_iter()
            .map(|(name, request)| ask(name, Request::Daemon(request))),
    );
    all.extend(
        task::task_requests()
            .into_iter()
            .map(|(name, call)| ask(&name, Request::Task(Box::new(call)))),
    );
    all.extend(
        context::context_requests()
            .into_iter()
            .map(|(name, call)| ask(name, Request::Context(Box::new(call)))),
    );
    all.extend(
        maintenance::maintenance_requests()
            .into_iter()
            .map(|(name, call)| ask(name, Request::Maintenance(Box::new(call)))),
    );
    all.extend(
        decision::decision_requests()
            .into_iter()
            .map(|(name, call)| ask(&name, Request::Decision(Box::new(call)))),
    );
    all.extend(
        artifact::artifact_requests()
            .into_iter()
            .map(|(name, call)| ask(&name, Request::Artifact(Box::new(call)))),
    );
    all.push(client("ask/with-request-id", whole_ask()));
    all.push(client("cancel", ClientFrame::Cancel { id: 300 }));
    all.extend(
        answers()
            .into_iter()
            .map(|(name, answer)| server(name, ServerFrame::Done { id: 7, answer })),
    );
    all.extend(task::task_answers().into_iter().map(|(name, answer)| {
        let answer = proto::Answer::Task(answer);
        server(
            &format!("task::Answer/{name}"),
            ServerFrame::Done { id: 7, answer },
        )
    }));
    all.extend(context::context_answers().into_iter().map(|(name, answer)| {
        let answer = proto::Answer::Context(answer);
        server(
            &format!("context::Answer/{name}"),
            ServerFrame::Done { id: 7, answer },
        )
    }));
    all.extend(decision::decision_answers().into_iter().map(|(name, answer)| {
        let answer = proto::Answer::Decision(answer);
        server(
            &format!("decision::Answer/{name}"),
            ServerFrame::Done { id: 7, answer },
        )
    }));
    let completed = task::task(proto::task::Status::Completed);
    all.extend(
        artifact::artifact_answers(completed)
            .into_iter()
            .map(|(name, answer)| {
                let answer = proto::Answer::Artifact(answer);
                server(
                    &format!("artifact::Answer/{name}"),
                    ServerFrame::Done { id: 7, answer },
                )
            }),
    );
    all.extend(
        maintenance::maintenance_answers()
            .into_iter()
            .map(|(name, answer)| {
                let answer = proto::Answer::Maintenance(answer);
                server(
                    &format!("maintenance::Answer/{name}"),
                    ServerFrame::Done { id: 7, answer },
                )
            }),
    );
    all.extend(
        items()
            .into_iter()
            .map(|(name, item)| server(name, ServerFrame::Item { id: 7, item })),
    );
    all.extend(failures());
    let progress = ServerFrame::Progress {
        id: 7,
        what: "files".into(),
        done: 1000,
        total: Some(70_000),
    };
    all.push(server("progress", progress));
    all
}

fn client(name: &str, frame: ClientFrame) -> Sample {
    Sample {
        name: name.to_owned(),
        message: Message::Client(frame),
    }
}

fn server(name: &str, frame: ServerFrame) -> Sample {
    Sample {
        name: name.to_owned(),
        message: Message::Server(frame),
    }
}

/// The shortest question around a request.
fn ask(name: &str, request: Request) -> Sample {
    let caller = Caller {
        cwd: "/p".into(),
        ..Caller::default()
    };
    client(
        name,
        ClientFrame::Ask {
            id: 1,
            deadline_ms: 2000,
            request_id: None,
            caller,
            request,
        },
    )
}

fn whole_ask() -> ClientFrame {
    ClientFrame::Ask {
        id: u64::MAX,
        deadline_ms: u32::MAX,
        request_id: Some("r1".into()),
        caller: Caller {
            cwd: b"/p/\xff"[..].into(),
            vars: vec![("HOME".into(), "/h".into())],
            actor: Some("a".into()),
        },
        request: Request::Detect(detect::Request::Find(detect::From::Caller)),
    }
}

fn items() -> Vec<(&'static str, Item)> {
    use index::ChangeKind::{Created, Deleted, Modified, Renamed};
    let change = |kind| index::Change {
        path: b"a/\xff"[..].into(),
        kind,
        from: Some("b".into()),
        size: Some(1),
        mtime: Some(-2),
        while_away: true,
    };
    let changes = || [Created, Modified, Deleted, Renamed].map(change).to_vec();
    let batch = index::Batch {
        clock: "c:1:2:3".into(),
        changes: changes(),
        lost_since: Some("c:1:2:1".into()),
        fresh_instance: true,
    };
    vec![
        ("Item::Files", Item::Files(vec!["a".into(), "b".into()])),
        ("Item::Changes", Item::Changes(changes())),
        ("Item::Batch", Item::Batch(batch)),
        ("Item::Lines", Item::Lines(b"{}\n".to_vec())),
    ]
}

fn failures() -> Vec<Sample> {
    let kinds = [
        ("usage", Kind::Usage),
        ("not-found", Kind::NotFound),
        ("refused", Kind::Refused),
        ("conflict", Kind::Conflict),
        ("unavailable", Kind::Unavailable),
        ("too-large", Kind::TooLarge),
        ("bug", Kind::Bug),
        ("sandbox", Kind::Sandbox),
        ("cancelled", Kind::Cancelled),
    ];
    let failed = |(name, kind): (&str, Kind)| {
        let error = Error::new(kind, "what").why("why").next("next");
        server(&format!("failed/{name}"), ServerFrame::Failed { id: 7, error })
    };
    kinds.into_iter().map(failed).collect()
}
