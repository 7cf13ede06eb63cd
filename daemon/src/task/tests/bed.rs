//! The room with the real database in a folder of its own.

use std::path::Path;
use std::time::Duration;

use proto::error::Result;
use proto::places::Places;
use proto::task::{Answer, Call, Detail, Edit, Filter, Force, NewTask, NextAction, Request, Task, Verb};
use proto::{Caller, workspace};

use crate::ctx::Ctx;
use crate::dispatch::{Ask, Desk};
use crate::task::lease::GAP;
use crate::task::{self, Place, Terms};

/// A workspace.
pub(super) const WS: &str = "ws_000000000001";
/// Another one.
pub(super) const OTHER: &str = "ws_000000000002";
/// How long a lease lasts here.
pub(super) const LEASE: Duration = Duration::from_secs(60);

pub(super) struct Bed {
    pub(super) ctx: Ctx,
    pub(super) folder: tempfile::TempDir,
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

impl Bed {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            ctx: open(folder.path()),
            folder,
        }
    }

    /// The same after a clean stop and a start.
    pub(super) fn again(self) -> Self {
        self.ctx.close().expect("closed");
        Self {
            ctx: open(self.folder.path()),
            folder: self.folder,
        }
    }

    pub(super) fn ask(&self, actor: &str, what: Request) -> Result<Answer> {
        self.ask_in(WS, actor, None, what)
    }

    pub(super) fn ask_in(
        &self,
        workspace: &str,
        actor: &str,
        id: Option<&str>,
        what: Request,
    ) -> Result<Answer> {
        let ask = asked(actor, id);
        let desk = Desk {
            ctx: &self.ctx,
            ask: &ask,
        };
        let request = Call {
            at: workspace::Which::Named(workspace.to_owned()),
            what,
        };
        let mut place = place(workspace);
        if let Request::Move {
            to: workspace::Which::Named(to),
            ..
        } = &request.what
        {
            place.to = Some(to);
        }
        let whole = proto::Request::Task(Box::new(request.clone()));
        match task::answer_in(&desk, &place, &whole)? {
            proto::Answer::Task(answer) => Ok(answer),
            other => panic!("another room answered: {other:?}"),
        }
    }

    /// Lets the daemon run for so long, as its ticks would have it.
    pub(super) fn run_for(&self, time: Duration) {
        let step = GAP / 2;
        let from = self.ctx.world.monotonic().max(self.ctx.boards.clock().last());
        let steps = u32::try_from(time.as_secs() / step.as_secs() + 1).expect("short");
        for number in 1..=steps {
            self.ctx.boards.running(from + step * number);
        }
    }

    pub(super) fn add(&self, new: NewTask) -> Task {
        task_of(self.ask("me", Request::Add(Box::new(new))).expect("added"))
    }

    pub(super) fn change(&self, actor: &str, id: &str, verb: Verb) -> Result<Task> {
        self.ask(
            actor,
            Request::Change {
                id: id.to_owned(),
                if_revision: None,
                verb,
            },
        )
        .map(task_of)
    }

    pub(super) fn claim(&self, actor: &str) -> Result<Detail> {
        match self.ask(
            actor,
            Request::Next {
                specialists: Vec::new(),
                claim: true,
            },
        )? {
            Answer::Next { task, .. } => Ok(*task),
            other => panic!("not a next task: {other:?}"),
        }
    }

    pub(super) fn show(&self, id: &str) -> Result<Detail> {
        match self.ask("reader", Request::Show { id: id.to_owned() })? {
            Answer::Detail(detail) => Ok(*detail),
            other => panic!("not a task: {other:?}"),
        }
    }
}

pub(super) fn asked(actor: &str, request_id: Option<&str>) -> Ask {
    let caller = Caller {
        actor: Some(actor.to_owned()),
        ..Caller::default()
    };
    Ask {
        caller,
        request_id: request_id.map(str::to_owned),
        deadline: None,
    }
}

pub(super) fn place(workspace: &str) -> Place<'_> {
    Place {
        workspace,
        to: None,
        tree: None,
        terms: Terms {
            lease: LEASE,
            max_attempts: 3,
            require_validation: false,
        },
        roles: &|_| None,
        enter: &|_| Ok(()),
        warnings: &[],
    }
}

pub(super) fn task_of(answer: Answer) -> Task {
    match answer {
        Answer::Task { task, .. } => *task,
        other => panic!("not one task: {other:?}"),
    }
}

pub(super) fn named(id: &str, after: &[&str]) -> NewTask {
    NewTask {
        id: Some(id.to_owned()),
        title: format!("Do {id}"),
        after: after.iter().map(|id| (*id).to_owned()).collect(),
        ..NewTask::default()
    }
}

pub(super) fn complete(summary: &str) -> Verb {
    Verb::Complete {
        summary: summary.to_owned(),
        next_action: NextAction::Continue,
        force: Force::No,
    }
}

pub(super) fn update(edit: Edit) -> Verb {
    Verb::Update(Box::new(edit))
}

pub(super) fn list(
    bed: &Bed,
    filter: Filter,
    limit: u32,
    cursor: Option<String>,
) -> (Vec<Task>, Option<String>) {
    let what = Request::List {
        filter: Box::new(filter),
        limit,
        cursor,
    };
    match bed.ask("reader", what).expect("listed") {
        Answer::Tasks { tasks, next_cursor } => (tasks, next_cursor),
        other => panic!("not a list: {other:?}"),
    }
}

pub(super) fn ids(tasks: &[Task]) -> Vec<&str> {
    tasks.iter().map(|task| task.id.as_str()).collect()
}

pub(super) fn plan(bed: &Bed, text: &str) -> (String, Vec<(String, String)>) {
    match bed
        .ask(
            "planner",
            Request::Plan {
                text: text.to_owned(),
            },
        )
        .expect("planned")
    {
        Answer::Planned { task_id, tasks, .. } => (
            task_id,
            tasks.into_iter().map(|one| (one.local, one.task_id)).collect(),
        ),
        other => panic!("not a plan: {other:?}"),
    }
}

pub(super) const PLAN: &str =
    "title: Top\ntasks:\n  - {name: a, title: A, specialist: coder}\n  - {name: b, title: B, after: [a]}\n";
