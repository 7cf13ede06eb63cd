//! The board as it would be with some changes laid over it, and what must hold of it. Pure.
//!
//! Asked by `change.rs` and `plan.rs` before anything is recorded. What must stay true, of every board that was ever
//! recorded: every dependency and every group exists, no work waits for itself, nothing stands deeper than
//! [`MAX_DEPTH`], a completed group has no open child.

use std::collections::HashMap;

use proto::task::Status;
use proto::{Error, error::Result};

use super::board::Board;
use super::card::Card;
use super::graph;
use super::rules::MAX_DEPTH;

/// A board with changed and new cards over it.
pub struct View<'a> {
    board: &'a Board,
    over: HashMap<&'a str, &'a Card>,
    below: HashMap<&'a str, Vec<&'a Card>>,
}

impl<'a> View<'a> {
    /// `board` with `over` laid over it.
    #[must_use]
    pub fn new(board: &'a Board, over: &'a [Card]) -> Self {
        let mut below: HashMap<&str, Vec<&Card>> = HashMap::new();
        for card in over {
            if let Some(parent) = card.parent.as_deref() {
                below.entry(parent).or_default().push(card);
            }
        }
        Self {
            board,
            over: over.iter().map(|card| (card.id.as_str(), card)).collect(),
            below,
        }
    }

    fn card(&self, id: &str) -> Option<&'a Card> {
        self.over
            .get(id)
            .copied()
            .or_else(|| self.board.find(id).map(AsRef::as_ref))
    }

    fn children(&self, id: &str) -> impl Iterator<Item = &'a Card> {
        let kept = self
            .board
            .children(id)
            .map(AsRef::as_ref)
            .filter(|card: &&Card| !self.over.contains_key(card.id.as_str()));
        let laid: Vec<&'a Card> = self.below.get(id).cloned().unwrap_or_default();
        kept.chain(laid)
    }

    fn ancestors(&self, card: &'a Card) -> impl Iterator<Item = &'a Card> {
        let up = |card: &'a Card| self.card(card.parent.as_deref()?);
        std::iter::successors(up(card), move |card| up(card)).take(MAX_DEPTH + 1)
    }

    /// Whether all that must hold of a board holds of what was laid over it.
    ///
    /// # Errors
    /// `NotFound` for a group or dependency that does not exist; `Refused`, with the path, for a cycle; `Refused` for
    /// an open child of a closed group; `TooLarge` for what stands too deep.
    pub fn check(&self) -> Result<()> {
        let mut over: Vec<&'a Card> = self.over.values().copied().collect();
        over.sort_by_key(|card| card.born);
        for card in &over {
            self.exists(card)?;
        }
        self.acyclic(&over)?;
        for card in &over {
            self.depth(card)?;
            self.closed(card)?;
        }
        Ok(())
    }

    fn exists(&self, card: &Card) -> Result<()> {
        for id in card.after.iter().chain(&card.parent) {
            if self.card(id).is_none() {
                // The board words it, with the nearest id.
                self.board.card(id)?;
            }
        }
        Ok(())
    }

    fn acyclic(&self, over: &[&'a Card]) -> Result<()> {
        let placed = |card: &&&Card| match self.board.find(&card.id) {
            None => true,
            Some(old) => old.after != card.after || old.parent != card.parent,
        };
        let starts = over.iter().filter(placed).map(|card| card.id.as_str());
        let found = graph::cycle(starts, |id| {
            let Some(card) = self.card(id) else {
                return Vec::new();
            };
            let groups = self.ancestors(card).map(|group| &group.after);
            let mut leads: Vec<&'a str> = std::iter::once(&card.after)
                .chain(groups)
                .flatten()
                .map(String::as_str)
                .collect();
            leads.extend(self.children(id).map(|child| child.id.as_str()));
            leads
        });
        match found {
            None => Ok(()),
            Some(path) => Err(Error::refused(format!("a cycle: {}", graph::shown(&path)))
                .why("each of these can be completed only after the next one")
                .next("leave one of these dependencies out")),
        }
    }

    fn depth(&self, card: &'a Card) -> Result<()> {
        let above = self.ancestors(card).count();
        let mut level: Vec<&Card> = vec![card];
        let mut height = 0;
        while !level.is_empty() && above + height <= MAX_DEPTH {
            height += 1;
            level = level.iter().flat_map(|card| self.children(&card.id)).collect();
        }
        if above + height <= MAX_DEPTH {
            return Ok(());
        }
        Err(Error::too_large(format!("`{}` stands too deep", card.id))
            .why(format!("tasks stand at most {MAX_DEPTH} deep in tasks"))
            .next("put it nearer to the top"))
    }

    fn closed(&self, card: &Card) -> Result<()> {
        if card.status == Status::Completed {
            self.no_open_children(card)?;
        }
        let Some(parent) = card.parent.as_deref().and_then(|id| self.card(id)) else {
            return Ok(());
        };
        if !card.status.is_open() || parent.status.is_open() {
            return Ok(());
        }
        Err(Error::refused(format!(
            "`{}` cannot be open in `{}`: that is {}",
            card.id,
            parent.id,
            parent.status.word()
        ))
        .next(format!("`tocli task reopen {}` first", parent.id)))
    }

    /// Whether nothing below `card` is open.
    ///
    /// # Errors
    /// `Refused`, naming the open children.
    pub fn no_open_children(&self, card: &Card) -> Result<()> {
        const NAMED: usize = 5;
        let open: Vec<&str> = self
            .children(&card.id)
            .filter(|child| child.status.is_open())
            .map(|child| child.id.as_str())
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        let named: Vec<String> = open.iter().take(NAMED).map(|id| format!("`{id}`")).collect();
        let more = match open.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Err(
            Error::refused(format!("`{}` has {} open below it", card.id, tasks(open.len())))
                .why(format!("{}{more}", named.join(", ")))
                .next("complete or cancel what is open there first"),
        )
    }
}

fn tasks(count: usize) -> String {
    match count {
        1 => "1 task".to_owned(),
        many => format!("{many} tasks"),
    }
}
