//! A plan's tasks laid onto the board as one step. Pure.
//!
//! Local names become ids, so that a plan can be written before any of its tasks exists. What must stay true: all of a
//! plan or nothing of it; a name that is neither in the plan nor on the board is refused.

use std::collections::HashMap;

use proto::task::{NewTask, Planned};
use proto::{Error, RawPath, error::Result};

use super::board::Board;
use super::document::Item;
use super::edit::{Chance, fresh, new_card};
use super::rules::{self, shown};
use super::step::{Rewritten, Step};
use super::who::Who;
use crate::workspace::tree::nearest;

/// What a plan becomes.
#[derive(Debug)]
pub struct Laid {
    /// The id of its top.
    pub top: String,
    /// Local names and ids, without the top, in the order of the plan.
    pub tasks: Vec<Planned>,
    /// All its tasks.
    pub step: Step,
}

/// Lays `items` onto `board`.
///
/// # Errors
/// What the fields, the ids and [`Step::checked`] say; `NotFound` for a dependency that is neither in the plan nor on
/// the board.
pub fn lay(
    board: &Board,
    who: &Who,
    items: &[Item],
    tree: Option<&RawPath>,
    chance: &mut dyn Chance,
) -> Result<Laid> {
    let ids = named(board, items, chance)?;
    let locals: HashMap<&str, &str> = items
        .iter()
        .zip(&ids)
        .filter(|(item, _)| !item.local.is_empty())
        .map(|(item, id)| (item.local.as_str(), id.as_str()))
        .collect();
    let mut step = Step::default();
    for (number, (item, id)) in (0_u64..).zip(items.iter().zip(&ids)) {
        let after = item
            .task
            .after
            .iter()
            .map(|name| resolved(board, &locals, item, name))
            .collect::<Result<Vec<String>>>()?;
        let task = NewTask {
            parent: item.parent.and_then(|at| ids.get(at).cloned()),
            after,
            ..item.task.clone()
        };
        let (card, mut texts) = new_card(&task, id.clone(), board.next_born() + number, who)
            .map_err(|error| named_in(error, item))?;
        texts.tree = tree.cloned();
        step.put("plan", who, None, card).texts = Some(Rewritten {
            before: None,
            after: texts,
        });
    }
    let tasks = items
        .iter()
        .zip(&ids)
        .skip(1)
        .map(|(item, id)| Planned {
            local: item.local.clone(),
            task_id: id.clone(),
        })
        .collect();
    let known = ids.clone();
    Ok(Laid {
        top: ids.into_iter().next().unwrap_or_default(),
        tasks,
        step: step
            .checked(board)
            .map_err(|error| by_name(error, items, &known))?,
    })
}

/// An error about tasks that do not exist yet, with their names in the plan in the place of the ids they would have got.
fn by_name(error: Error, items: &[Item], ids: &[String]) -> Error {
    let spoken = |text: String| {
        let made = items.iter().zip(ids).filter(|(item, _)| item.task.id.is_none());
        made.fold(text, |text, (item, id)| {
            text.replace(id.as_str(), &shown(called(item)))
        })
    };
    Error {
        kind: error.kind,
        what: spoken(error.what),
        why: error.why.map(spoken),
        next: error.next.map(spoken),
    }
}

/// What the plan calls a task.
fn called(item: &Item) -> &str {
    match item.local.as_str() {
        "" => &item.task.title,
        local => local,
    }
}

/// The ids of all items, none of them taken by the board or by another.
fn named(board: &Board, items: &[Item], chance: &mut dyn Chance) -> Result<Vec<String>> {
    let mut ids: Vec<String> = Vec::with_capacity(items.len());
    let mut taken: std::collections::HashSet<String> = std::collections::HashSet::new();
    for item in items {
        let specialist = item.task.specialist.as_deref().unwrap_or(rules::GENERIC);
        rules::specialist(specialist).map_err(|error| named_in(error, item))?;
        let form = item.parent.map(|_| specialist);
        let known = |id: &str| taken.contains(id) || board.find(id).is_some();
        let id =
            fresh(item.task.id.as_deref(), form, known, chance).map_err(|error| named_in(error, item))?;
        taken.insert(id.clone());
        ids.push(id);
    }
    Ok(ids)
}

fn named_in(error: Error, item: &Item) -> Error {
    Error {
        what: format!("task `{}` of the plan: {}", shown(called(item)), error.what),
        ..error
    }
}

fn resolved(board: &Board, locals: &HashMap<&str, &str>, item: &Item, name: &str) -> Result<String> {
    if let Some(id) = locals.get(name) {
        return Ok((*id).to_owned());
    }
    if board.find(name).is_some() {
        return Ok(name.to_owned());
    }
    let error = Error::not_found(format!(
        "task `{}` of the plan comes after `{}`, which is neither in the plan nor in the workspace",
        shown(&item.local),
        shown(name)
    ));
    Err(match nearest(name, locals.keys().copied()) {
        Some(near) => error.next(format!("did you mean `{near}`?")),
        None => error.next("name a task of the plan by its `name`, or one of the workspace by its id"),
    })
}
