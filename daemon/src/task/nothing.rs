//! What is said where no task is ready: why that is, and what the caller can do about it. Pure.
//!
//! Asked by `next`, with and without a claim.

use proto::Error;
use proto::task::Status;

use super::board::Board;
use super::rules::shown;
use crate::workspace::tree::nearest;

/// How many ids are named.
const NAMED: usize = 5;

/// No task is ready for `specialists`, or for anybody where that is empty.
#[must_use]
pub fn is_ready(board: &Board, specialists: &[String], actor: &str) -> Error {
    let what = match specialists {
        [] => "no task is ready".to_owned(),
        names => format!(
            "no task is ready for {}",
            quoted(names.iter().map(String::as_str))
        ),
    };
    let error = Error::not_found(what);
    let others = board.ready_by_specialist();
    if !others.is_empty() {
        let named: Vec<String> = others
            .iter()
            .map(|(name, count)| format!("{count} for `{name}`"))
            .collect();
        let near = specialists
            .iter()
            .find_map(|name| nearest(name, others.iter().map(|(known, _)| *known)));
        return error.why(format!("there are {}", some(&named))).next(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`tocli next` without `--specialist` takes the best of them".to_owned(),
        });
    }
    let count = Count::of(board, actor);
    let error = error.why(count.said());
    match (count.own.first(), count.finished.first()) {
        (Some(own), _) => error.next(format!("`tocli task complete {own}` when it is done")),
        (None, Some(group)) => error.next(closing(group)),
        (None, None) if count.open == 0 => error.next("`tocli task add` and `tocli task plan` make some"),
        (None, None) => error.next("`tocli task list` shows what they wait for"),
    }
}

/// What to do with a group below which nothing is open.
#[must_use]
pub fn closing(group: &str) -> String {
    format!(
        "`tocli task synthesize {group}` tells what was done in it, `tocli task complete {group}` closes it"
    )
}

/// What is open, and why none of it is ready.
#[derive(Default)]
struct Count {
    open: usize,
    held: usize,
    blocked: usize,
    /// Groups with something open below them: what is below is the work.
    groups: usize,
    /// What the caller holds.
    own: Vec<String>,
    /// Groups with nothing open below them.
    finished: Vec<String>,
}

impl Count {
    fn of(board: &Board, actor: &str) -> Self {
        let mut count = Self::default();
        for card in board.all(0).filter(|card| card.status.is_open()) {
            count.open += 1;
            match &card.hold {
                Some(hold) => {
                    count.held += 1;
                    if hold.actor == actor {
                        count.own.push(card.id.clone());
                    }
                }
                None if card.status == Status::Blocked => count.blocked += 1,
                None if board.is_finished_group(card) => count.finished.push(card.id.clone()),
                None => count.groups += usize::from(board.children_of(&card.id).1 > 0),
            }
        }
        count
    }

    fn said(&self) -> String {
        if self.open == 0 {
            return "no task is open".to_owned();
        }
        let counted = self.held + self.blocked + self.groups + self.finished.len();
        let mut parts = Vec::new();
        let mut add = |count: usize, what: &str| {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        };
        add(self.groups, "above others");
        add(self.held, "held");
        add(self.open.saturating_sub(counted), "waiting");
        add(self.blocked, "blocked");
        add(self.finished.len(), "with nothing open below");
        let mut said = format!("of {} open: {}", self.open, parts.join(", "));
        let ids = |ids: &[String]| quoted(ids.iter().map(String::as_str));
        if !self.own.is_empty() {
            said.push_str(&format!("; you hold {}", ids(&self.own)));
        }
        if !self.finished.is_empty() {
            said.push_str(&format!("; all is closed below {}", ids(&self.finished)));
        }
        said
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    some(
        &names
            .map(|name| format!("`{}`", shown(name)))
            .collect::<Vec<String>>(),
    )
}

/// The first of some texts, and how many more there are.
fn some(texts: &[String]) -> String {
    let more = texts.len().saturating_sub(NAMED);
    let named = texts[..texts.len() - more].join(", ");
    match more {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
