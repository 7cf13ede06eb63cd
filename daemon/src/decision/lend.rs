//! What later rooms may ask of decisions, for a workspace they have been given.
//!
//! `context` asks for those in force and the newest; `maintenance` takes decisions in and out. What must stay true: who
//! asks holds a [`crate::workspace::WorkspaceScope`] for the id it names.

use std::collections::BTreeMap;

use proto::decision::{Decision, Link, Relation};
use proto::error::Result;

use super::card::Card;
use super::mirror::{self, Files};
use super::store::Decisions;
use super::{Place, rules};
use crate::ctx::Ctx;
use crate::db::{Batch, Db};

/// The decisions to be followed for at least one of `paths`, newest first. Paths are names from the root of the project
/// (`src/a.rs`), as the index has them.
///
/// # Errors
/// `Unavailable` when the records cannot be read.
pub fn in_force_for(ctx: &Ctx, workspace: &str, paths: &[String]) -> Result<Vec<Decision>> {
    let book = ctx.decisions.book(&ctx.db, workspace)?;
    Ok(book.in_force_for(paths).cloned().collect())
}

/// The newest decisions to be followed, at most `limit`.
///
/// # Errors
/// `Unavailable` when the records cannot be read.
pub fn newest(ctx: &Ctx, workspace: &str, limit: usize) -> Result<Vec<Decision>> {
    let book = ctx.decisions.book(&ctx.db, workspace)?;
    let in_force = proto::decision::Filter {
        in_force: true,
        ..Default::default()
    };
    let found = book.newest(&in_force, None, None).take(limit).cloned().collect();
    Ok(found)
}

/// All decisions of a workspace, oldest first, whole, a page at a time.
pub fn each(db: &Db, workspace: &str) -> impl Iterator<Item = Result<Card>> + use<> {
    Decisions::new(db, workspace).all()
}

/// What became of a decision that was to be taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It has this number now.
    In(u64),
    /// One of this id was there already, under this number; it stays as it is.
    AlreadyThere(u64),
    /// It is not taken in; one sentence says why.
    Refused(String),
}

/// Adds decisions from elsewhere to `batch`: what became of each, in their order. Ids are kept; a number of 0 becomes the
/// next free one, another is kept or refused. `relations` are put between decisions by id (what is not there is left
/// out) and change no status. The caller holds the workspace's lock, calls this at most once for a batch, adds the audit
/// event, has made the folder, and calls [`write_files`] after its commit.
///
/// # Errors
/// `Unavailable` when the records cannot be read or a text cannot be kept.
pub fn take_in(
    ctx: &Ctx,
    batch: &mut Batch,
    workspace: &str,
    cards: Vec<Card>,
    relations: &[(String, Relation, String)],
) -> Result<Vec<Taken>> {
    let decisions = Decisions::new(&ctx.db, workspace);
    let book = ctx.decisions.book(&ctx.db, workspace)?;
    let mut next = book.last() + 1;
    let mut new: BTreeMap<String, Card> = BTreeMap::new();
    let mut taken = Vec::with_capacity(cards.len());
    for mut card in cards {
        let there = book
            .taken(&card.id)
            .or_else(|| new.get(&card.id).map(|card| card.number));
        if let Some(number) = there {
            taken.push(Taken::AlreadyThere(number));
            continue;
        }
        if card.number == 0 {
            card.number = next;
        }
        // Without a gap: a number of its own is the next one or none.
        if card.number != next {
            taken.push(Taken::Refused(format!(
                "it has the number {}, and the next one here is {next}",
                card.number
            )));
            continue;
        }
        if let Err(error) = rules::check(&card) {
            taken.push(Taken::Refused(error.to_string()));
            continue;
        }
        next += 1;
        taken.push(Taken::In(card.number));
        new.insert(card.id.clone(), card);
    }
    for (from, relation, to) in relations {
        relate(&mut new, (from, *relation, to), |id| book.taken(id));
    }
    let cards: Vec<Card> = new.into_values().collect();
    if !cards.is_empty() {
        decisions.put(batch, &cards, |card| mirror::text(decisions, card, &cards))?;
    }
    Ok(taken)
}

/// Links two decisions, each as far as it is new here.
fn relate(
    new: &mut BTreeMap<String, Card>,
    (from, relation, to): (&str, Relation, &str),
    there: impl Fn(&str) -> Option<u64>,
) {
    let number =
        |new: &BTreeMap<String, Card>, id: &str| new.get(id).map(|card| card.number).or_else(|| there(id));
    let (Some(one), Some(other)) = (number(new, from), number(new, to)) else {
        return;
    };
    let mut add = |id: &str, relation, number| {
        let link = Link { relation, number };
        if let Some(card) = new.get_mut(id)
            && !card.links.contains(&link)
        {
            card.links.push(link);
        }
    };
    add(from, relation, other);
    add(to, relation.seen_from_there(), one);
}

/// Writes the files of decisions that were taken in; what could not be written, a sentence each.
#[must_use]
pub fn write_files(ctx: &Ctx, place: &Place<'_>) -> Vec<String> {
    Files::new(ctx, place).settle()
}
