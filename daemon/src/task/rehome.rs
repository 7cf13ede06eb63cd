//! Taking a task and all below it to another workspace.
//!
//! What must stay true: the records go in one batch, under both workspaces' locks, taken in the order of their ids;
//! nothing that stays behind depends on what goes or the other way round. What later rooms keep of the tasks goes with
//! them, by [`Along`].

use proto::error::{Error, Result};
use proto::task::{Answer, Request, Taken};

use super::board::Board;
use super::boards::Slot;
use super::card::Card;
use super::rules::shown;
use super::store::Tasks;
use super::who::Who;
use super::write;
use super::{Place, pen};
use crate::audit::Said;
use crate::db::Batch;
use crate::dispatch::Desk;

/// What goes, as it will stand on the other board.
///
/// # Errors
/// `Refused` when something depends on something across the border, or is held; `Conflict` when an id is taken there.
pub fn leave(from: &Board, to: &Board, who: &Who, id: &str) -> Result<Vec<Card>> {
    let tree = from.subtree(&from.card(id)?.id);
    let inside = |id: &str| tree.iter().any(|one| one.id == id);
    let mut found = Vec::with_capacity(tree.len());
    for (number, one) in (0_u64..).zip(&tree) {
        if let Some(outer) = one.after.iter().find(|id| !inside(id)) {
            return Err(across(&one.id, outer));
        }
        if let Some(outer) = from.dependents(&one.id).find(|other| !inside(&other.id)) {
            return Err(across(&outer.id, &one.id));
        }
        if let Some(held) = &one.hold {
            return Err(
                Error::refused(format!("`{}` is held by `{}`", one.id, held.actor))
                    .next("let it be completed or released first"),
            );
        }
        if to.find(&one.id).is_some() {
            return Err(Error::conflict(format!(
                "there is a task `{}` in the other workspace already",
                one.id
            ))
            .next("two tasks of one id cannot stand in one workspace: move the other one away first"));
        }
        let parent = if number == 0 { None } else { one.parent.clone() };
        let card = Card::clone(one);
        found.push(Card {
            parent,
            born: to.next_born() + number,
            change: to.changes + 1,
            ..card
        });
    }
    if let Some(top) = found.first_mut() {
        top.updated = who.now;
    }
    Ok(found)
}

fn across(outside: &str, inside: &str) -> Error {
    Error::refused(format!("`{outside}` depends on `{inside}`"))
        .why("only one of them would go to the other workspace")
        .next("take the dependency away first, or move their group")
}

/// What a later room takes along, in the same batch and under the same locks: it is told which tasks go, and tells what.
pub type Along<'a> = &'a dyn Fn(&mut Batch, &[String]) -> Result<Vec<Taken>>;

/// Moves a task. `to` is another workspace than `place`.
///
/// # Errors
/// What [`leave`], the store and `along` say.
pub fn answer(
    desk: &Desk<'_>,
    (place, to): (&Place<'_>, &str),
    whole: &proto::Request,
    along: Along<'_>,
) -> Result<proto::Answer> {
    let Request::Move { id, if_revision, .. } = &super::of(whole)?.what else {
        return Err(Error::bug("another request came to the door of moves"));
    };
    if place.workspace == to {
        return Err(
            Error::usage(format!("`{}` is in that workspace already", shown(id)))
                .next("name another workspace with `--to`; `tocli workspace list` shows them"),
        );
    }
    let who = write::asking(desk, place)?;
    let boards = &desk.ctx.boards;
    let (slot, other) = (boards.slot(place.workspace), boards.slot(to));
    pen::sweep(desk.ctx, place.workspace, &slot)?;
    let outcome = desk.change_in(&[place.workspace, to], whole, |batch| {
        let here = Side {
            tasks: Tasks::new(&desk.ctx.db, place.workspace),
            slot: &slot,
        };
        let there = Side {
            tasks: Tasks::new(&desk.ctx.db, to),
            slot: &other,
        };
        let tasks = moved(batch, &who, (&here, &there), (id, *if_revision))?;
        let artifacts = along(batch, &tasks)?;
        Ok(proto::Answer::Task(Answer::Rehomed {
            tasks,
            workspace: to.to_owned(),
            artifacts,
        }))
    });
    // Both are loaded anew: a move is rare, and a board is what the records say.
    slot.doubt();
    other.doubt();
    outcome
}

struct Side<'a> {
    tasks: Tasks<'a>,
    slot: &'a Slot,
}

fn moved(
    batch: &mut Batch,
    who: &Who,
    (here, there): (&Side<'_>, &Side<'_>),
    (id, if_revision): (&str, Option<u64>),
) -> Result<Vec<String>> {
    here.slot.load(here.tasks, who.deadline())?;
    there.slot.load(there.tasks, who.deadline())?;
    let (cards, left, arrived) = here.slot.with(|board| {
        write::unchanged(board.card(id)?, if_revision)?;
        there
            .slot
            .with(|to| Ok((leave(board, to, who, id)?, board.changes + 1, to.changes + 1)))
    })?;
    for card in &cards {
        here.tasks.rehome(batch, &there.tasks, card)?;
    }
    let said = |op| Said {
        time: who.now,
        actor: &who.actor,
        op,
        target: id,
        count: cards.len(),
    };
    here.tasks.rehomed(batch, left, said("task.move_away"))?;
    there.tasks.rehomed(batch, arrived, said("task.move_here"))?;
    Ok(cards.into_iter().map(|card| card.id).collect())
}
