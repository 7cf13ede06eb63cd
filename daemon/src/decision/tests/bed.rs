//! The room with the real database and a project in folders of its own.

use std::path::{Path, PathBuf};

use proto::decision::{Answer, Call, Category, Decision, Detail, Draft, Event, Impact, Op, Request, Status};
use proto::error::Result;
use proto::places::Places;
use proto::{Caller, workspace};

use crate::ctx::Ctx;
use crate::decision::{self, Card, Place};
use crate::dispatch::{Ask, Desk};
use crate::workspace::Folder;

/// A workspace.
pub(super) const WS: &str = "ws_000000000001";
/// Another one.
pub(super) const OTHER: &str = "ws_000000000002";

pub(crate) struct Bed {
    pub(super) ctx: Ctx,
    pub(super) folder: tempfile::TempDir,
}

/// A decision that says little.
pub(crate) fn card(number: u64, title: &str, decision: &str) -> Card {
    let recorded = Event {
        time: 0,
        actor: "me".to_owned(),
        op: Op::Record,
        text: String::new(),
    };
    Card {
        number,
        id: format!("dec_{number:08x}"),
        title: title.to_owned(),
        status: Status::Proposed,
        category: Category::Architecture,
        impact: Impact::Medium,
        context: String::new(),
        decision: decision.to_owned(),
        rationale: String::new(),
        alternatives: Vec::new(),
        consequences: Vec::new(),
        risks: Vec::new(),
        paths: Vec::new(),
        components: Vec::new(),
        tags: Vec::new(),
        task: None,
        actor: "me".to_owned(),
        created: 0,
        updated: 0,
        revision: 1,
        links: Vec::new(),
        history: vec![recorded],
    }
}

pub(super) fn draft(title: &str, paths: &[&str]) -> Draft {
    Draft {
        title: Some(title.to_owned()),
        decision: Some(format!("We decide: {title}")),
        paths: paths.iter().map(|path| (*path).into()).collect(),
        ..Draft::default()
    }
}

pub(super) fn record(draft: Draft) -> Request {
    Request::Record {
        draft: Box::new(draft),
        document: None,
        link: None,
    }
}

impl Bed {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("project")).expect("a project");
        Self {
            ctx: open(folder.path()),
            folder,
        }
    }

    /// The same after a stop and a start.
    pub(super) fn again(self) -> Self {
        self.ctx.close().expect("closed");
        Self {
            ctx: open(self.folder.path()),
            folder: self.folder,
        }
    }

    pub(super) fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    pub(super) fn files(&self) -> PathBuf {
        self.project().join(".task_orchestrator/decisions")
    }

    pub(super) fn ask(&self, what: Request) -> Result<Answer> {
        self.ask_as(WS, None, what)
    }

    pub(super) fn ask_as(&self, workspace: &str, id: Option<&str>, what: Request) -> Result<Answer> {
        let ask = Ask {
            caller: Caller {
                actor: Some("me".to_owned()),
                ..Caller::default()
            },
            request_id: id.map(str::to_owned),
            deadline: None,
        };
        let desk = Desk {
            ctx: &self.ctx,
            ask: &ask,
        };
        let project = self.project();
        let folder = Folder {
            base: project.clone(),
            relative: ".task_orchestrator".into(),
        };
        let place = Place {
            workspace,
            tree: &project,
            folder: &folder,
            enter: &|_| Ok(()),
            warnings: &[],
        };
        let call = Call {
            at: workspace::Which::Named(workspace.to_owned()),
            what,
        };
        match decision::answer_in(&desk, &place, &proto::Request::Decision(Box::new(call)))? {
            proto::Answer::Decision(answer) => Ok(answer),
            other => panic!("another room answered: {other:?}"),
        }
    }

    pub(super) fn record(&self, draft: Draft) -> Decision {
        one(self.ask(record(draft)).expect("recorded")).0
    }

    pub(super) fn show(&self, which: &str) -> Result<Detail> {
        match self.ask(Request::Show {
            which: which.to_owned(),
        })? {
            Answer::Detail(detail) => Ok(*detail),
            other => panic!("not one decision: {other:?}"),
        }
    }
}

pub(super) fn open(folder: &Path) -> Ctx {
    let places = Places {
        socket: folder.join("s"),
        state_dir: folder.join("state"),
        config_dir: None,
        home: None,
    };
    Ctx::open(places).expect("opened")
}

pub(super) fn one(answer: Answer) -> (Decision, Vec<String>) {
    match answer {
        Answer::Decision {
            decision, warnings, ..
        } => (*decision, warnings),
        other => panic!("not one decision: {other:?}"),
    }
}

pub(super) fn numbers(answer: Answer) -> Vec<u64> {
    match answer {
        Answer::Decisions { decisions, .. } => decisions.iter().map(|one| one.number).collect(),
        Answer::Hits(hits) => hits.iter().map(|hit| hit.decision.number).collect(),
        other => panic!("no list: {other:?}"),
    }
}
