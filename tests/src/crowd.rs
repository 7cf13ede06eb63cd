//! A workspace with as many records as a long project gathers, made over one connection with many requests on their way at once.
//!
//! Asked by the suite and the benches.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::Path;

use proto::artifact::{self, NewArtifact, Source};
use proto::decision::{self, Draft};
use proto::{Answer, Request, detect, task, workspace};

use crate::wire::{Peer, ask_frame};

/// In one plan.
const PLANNED: usize = 2_000;
/// Requests on their way.
const WINDOW: usize = 24;

/// How many of each.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// Tasks, besides the tops of their plans.
    pub tasks: usize,
    /// Artifacts, spread over some of them.
    pub artifacts: usize,
    /// Decisions, each about a folder of its own.
    pub decisions: usize,
}

fn at() -> workspace::Which {
    workspace::Which::At(detect::From::Caller)
}

/// The text of a plan: chains of tasks, fifty side by side.
#[must_use]
pub fn plan(number: usize, tasks: usize) -> String {
    let mut text = format!("title: Plan {number}\ntasks:\n");
    for task in 0..tasks {
        write!(
            text,
            "- {{name: t{task}, title: Task {task} of a plan, specialist: coder"
        )
        .expect("a text");
        if task >= 50 {
            write!(text, ", after: [t{}]", task - 50).expect("a text");
        }
        text.push_str("}\n");
    }
    text
}

impl Crowd {
    /// Makes all of them in the project of a folder; ids of tasks.
    ///
    /// # Panics
    /// When the daemon refuses one.
    pub fn fill(self, peer: &mut Peer, root: &Path) -> Vec<String> {
        let mut ids = Vec::new();
        let plans = (0..self.tasks)
            .step_by(PLANNED)
            .enumerate()
            .map(|(number, first)| {
                let what = task::Request::Plan {
                    text: plan(number, PLANNED.min(self.tasks - first)),
                };
                Request::Task(Box::new(task::Call { at: at(), what }))
            });
        several(peer, root, plans, |answer| match answer {
            Answer::Task(task::Answer::Planned { tasks, .. }) => {
                ids.extend(tasks.into_iter().map(|task| task.task_id));
            }
            other => panic!("not a plan: {other:?}"),
        });
        let artifacts = (0..self.artifacts).map(|number| {
            let new = NewArtifact {
                task: ids[number % ids.len().min(500)].clone(),
                name: format!("result-{number}.md"),
                kind: None,
                summary: format!("What came out of step {number}"),
            };
            let bytes = format!("the result of step {number}").into_bytes();
            let what = artifact::Request::Store(Box::new(Source::Here { new, bytes }));
            Request::Artifact(Box::new(artifact::Call { at: at(), what }))
        });
        several(peer, root, artifacts, |_| ());
        let decisions = (0..self.decisions).map(|number| {
            let draft = Draft {
                title: Some(format!("Part {number} is built in its own folder")),
                decision: Some("It stands apart, because it changes apart".to_owned()),
                rationale: Some("What changes together stands together".to_owned()),
                paths: vec![root.join(format!("part-{number}")).into()],
                ..Draft::default()
            };
            let what = decision::Request::Record {
                draft: Box::new(draft),
                document: None,
                link: None,
            };
            Request::Decision(Box::new(decision::Call { at: at(), what }))
        });
        several(peer, root, decisions, |_| ());
        ids
    }
}

/// Asks them all, a window of them at once.
fn several(
    peer: &mut Peer,
    root: &Path,
    requests: impl Iterator<Item = Request>,
    mut heard: impl FnMut(Answer),
) {
    let mut open = VecDeque::new();
    for request in requests {
        let id = peer.new_id();
        peer.send(&ask_frame(id, root, request));
        open.push_back(id);
        if open.len() == WINDOW {
            heard(next(peer, &mut open));
        }
    }
    while !open.is_empty() {
        heard(next(peer, &mut open));
    }
}

/// Any answer that comes next: they overtake each other.
fn next(peer: &mut Peer, open: &mut VecDeque<u64>) -> Answer {
    loop {
        match peer.frame().expect("the answer comes before the end") {
            proto::ServerFrame::Done { id, answer } => {
                open.retain(|other| *other != id);
                return answer;
            }
            proto::ServerFrame::Failed { error, .. } => panic!("refused: {error}"),
            _ => {}
        }
    }
}
