//! What one change amounts to: the cards before and after, and the texts that changed with them. Pure data.
//!
//! Made by `change.rs` and `plan.rs`, checked as a whole, recorded by `store.rs`, taken over by the board.

use std::sync::Arc;

use proto::error::Result;

use super::board::{Board, Placed};
use super::card::{Card, Hold, Texts};
use super::view::View;
use super::who::Who;

/// Changed texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// As they were; none for a new task.
    pub before: Option<Texts>,
    /// As they will be.
    pub after: Texts,
}

impl Rewritten {
    /// Whether there is anything to keep: the texts of most new tasks are empty, and what is not kept is empty.
    #[must_use]
    pub fn says_anything(&self) -> bool {
        self.before.is_some() || self.after != Texts::default()
    }
}

/// One task of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The word for what happens to it.
    pub op: &'static str,
    /// In whose name.
    pub actor: String,
    /// As it was; none for a new one.
    pub before: Option<Arc<Card>>,
    /// As it will be; none when it goes for good.
    pub after: Option<Card>,
    /// The fields that change.
    pub fields: Vec<&'static str>,
    /// The texts, when they change.
    pub texts: Option<Rewritten>,
}

/// What happens in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// In the order in which they are recorded.
    pub moved: Vec<Moved>,
}

impl Step {
    /// Adds a task as it will be after a change by `who`: one revision on.
    pub fn put(
        &mut self,
        op: &'static str,
        who: &Who,
        before: Option<&Arc<Card>>,
        after: Card,
    ) -> &mut Moved {
        let fields = before.map_or_else(Vec::new, |before| changed(before, &after));
        let after = Card {
            revision: before.map_or(1, |before| before.revision + 1),
            updated: who.now,
            ..after
        };
        self.moved.push(Moved {
            op,
            actor: who.actor.clone(),
            before: before.cloned(),
            after: Some(after),
            fields,
            texts: None,
        });
        let last = self.moved.len() - 1;
        &mut self.moved[last]
    }

    /// Adds a task that goes for good.
    pub fn remove(&mut self, op: &'static str, who: &Who, before: &Arc<Card>) {
        self.moved.push(Moved {
            op,
            actor: who.actor.clone(),
            before: Some(Arc::clone(before)),
            after: None,
            fields: Vec::new(),
            texts: None,
        });
    }

    /// The step, if the board may become what it makes of it.
    ///
    /// # Errors
    /// What [`View::check`] says.
    pub fn checked(self, board: &Board) -> Result<Self> {
        let over: Vec<Card> = self
            .moved
            .iter()
            .filter_map(|moved| moved.after.clone())
            .collect();
        View::new(board, &over).check()?;
        Ok(self)
    }

    /// The ids of all its tasks.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.moved.iter().filter_map(|moved| {
            let before = moved.before.as_ref().map(|card| card.id.as_str());
            moved.after.as_ref().map(|card| card.id.as_str()).or(before)
        })
    }

    /// The id of its first task; empty when it has none.
    #[must_use]
    pub fn first(&self) -> String {
        self.ids().next().unwrap_or_default().to_owned()
    }

    /// Marks all its cards as changed by the workspace's change `number`.
    pub fn number(&mut self, number: u64) {
        for card in self.moved.iter_mut().filter_map(|moved| moved.after.as_mut()) {
            card.change = number;
        }
    }

    /// What the board takes over.
    #[must_use]
    pub fn placed(&self) -> Vec<Placed> {
        self.moved
            .iter()
            .filter_map(|moved| match (&moved.after, &moved.before) {
                (Some(card), _) => Some(Placed::Put(Arc::new(card.clone()))),
                (None, Some(card)) => Some(Placed::Gone(card.id.clone())),
                (None, None) => None,
            })
            .collect()
    }
}

/// The names of the fields in which two revisions of a task differ.
fn changed(before: &Card, after: &Card) -> Vec<&'static str> {
    let holder = |card: &Card| card.hold.as_ref().map(|hold: &Hold| hold.actor.clone());
    [
        ("title", before.title != after.title),
        ("specialist", before.specialist != after.specialist),
        ("status", before.status != after.status),
        ("parent", before.parent != after.parent),
        ("after", before.after != after.after),
        ("priority", before.priority != after.priority),
        ("complexity", before.complexity != after.complexity),
        ("effort", before.effort != after.effort),
        ("labels", before.labels != after.labels),
        ("claim", holder(before) != holder(after)),
        ("attempts", before.attempts != after.attempts),
        ("reason", before.reason != after.reason),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}
