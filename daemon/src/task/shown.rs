//! A card as the wire shows it. Pure.

use std::time::Duration;

use proto::task::{Claim, Entry, Note, Status, Task, TreeLine};

use super::board::Board;
use super::card::{Card, Past, Remark};

/// A moment: wall clock and running time together.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Nanoseconds since 1970 UTC.
    pub now: i64,
    /// The daemon's running time.
    pub running: Duration,
}

/// `card` with what the board derives.
#[must_use]
pub fn task(board: &Board, card: &Card, at: Moment) -> Task {
    let (children, open_children) = board.children_of(&card.id);
    let expires = |hold_left: Duration| {
        at.now
            .saturating_add(i64::try_from(hold_left.as_nanos()).unwrap_or(i64::MAX))
    };
    Task {
        id: card.id.clone(),
        title: card.title.clone(),
        specialist: card.specialist.clone(),
        status: card.status,
        ready: board.is_ready(&card.id),
        waiting_for: if card.status.is_open() {
            board.waiting_for(card)
        } else {
            Vec::new()
        },
        parent: card.parent.clone(),
        after: card.after.clone(),
        priority: card.priority,
        complexity: card.complexity,
        effort: card.effort.clone(),
        labels: card.labels.clone(),
        created_by: card.created_by.clone(),
        created: card.created,
        updated: card.updated,
        started: card.started,
        finished: card.finished,
        claim: card.hold.as_ref().map(|hold| Claim {
            actor: hold.actor.clone(),
            since: hold.since,
            expires: expires(board.lease_left(card, at.running).unwrap_or_default()),
        }),
        attempts: card.attempts,
        revision: card.revision,
        reason: card.reason.clone(),
        children,
        open_children,
    }
}

/// A line of a tree.
#[must_use]
pub fn line(board: &Board, card: &Card, depth: u32) -> TreeLine {
    TreeLine {
        depth,
        id: card.id.clone(),
        title: card.title.clone(),
        specialist: card.specialist.clone(),
        status: card.status,
        ready: board.is_ready(&card.id),
        actor: card.hold.as_ref().map(|hold| hold.actor.clone()),
    }
}

/// A remark.
#[must_use]
pub fn note(remark: Remark) -> Note {
    Note {
        time: remark.time,
        actor: remark.actor,
        to: remark.to,
        text: remark.text,
    }
}

/// A line of a history.
#[must_use]
pub fn entry(past: Past, revision: u64) -> Entry {
    Entry {
        revision,
        time: past.time,
        actor: past.actor,
        op: past.op,
        from: Some(past.before.status),
        to: past.to,
        fields: past.fields,
    }
}

/// The first line of a history: a task was made.
#[must_use]
pub fn made(card: &Card) -> Entry {
    Entry {
        revision: 1,
        time: card.created,
        actor: card.created_by.clone(),
        op: "add".to_owned(),
        from: None,
        to: Status::Pending,
        fields: Vec::new(),
    }
}
