//! Making a task, and changing its fields. Pure.

use std::sync::Arc;

use proto::task::{Edit, NewTask, Status};
use proto::{Error, RawPath, error::Result};

use super::board::Board;
use super::card::{Card, Texts};
use super::rules;
use super::step::{Rewritten, Step};
use super::who::Who;

/// Chance for ids: each call gives other bytes.
pub trait Chance {
    /// Four bytes from the system's generator.
    fn four(&mut self) -> [u8; 4];
}

impl<F: FnMut() -> [u8; 4]> Chance for F {
    fn four(&mut self) -> [u8; 4] {
        self()
    }
}

/// How often a generated id may be taken already before chance itself is at fault.
const DRAWS: usize = 64;

/// An id that nobody has: the caller's own, or a generated one.
///
/// # Errors
/// `Usage` for one that is no id, `Conflict` for one that is taken.
pub fn fresh(
    own: Option<&str>,
    specialist: Option<&str>,
    taken: impl Fn(&str) -> bool,
    chance: &mut dyn Chance,
) -> Result<String> {
    if let Some(own) = own {
        rules::id(own)?;
        if taken(own) {
            return Err(Error::conflict(format!("there is a task `{own}` already"))
                .next("choose another id, or leave it out"));
        }
        return Ok(own.to_owned());
    }
    (0..DRAWS)
        .map(|_| rules::generated(specialist, chance.four()))
        .find(|id| !taken(id))
        .ok_or_else(|| Error::unavailable("no free task id was found").next("repeat it"))
}

/// The card and texts of a new task, its fields checked. Its id is `id`.
///
/// # Errors
/// `Usage` or `TooLarge` for a field.
pub fn new_card(new: &NewTask, id: String, born: u64, who: &Who) -> Result<(Card, Texts)> {
    rules::title(&new.title)?;
    rules::description(&new.description)?;
    rules::text("context", &new.context)?;
    rules::links(&new.links)?;
    let specialist = new.specialist.as_deref().unwrap_or(rules::GENERIC);
    rules::specialist(specialist)?;
    let card = Card {
        id,
        born,
        title: new.title.trim().to_owned(),
        specialist: specialist.to_owned(),
        status: Status::Pending,
        archived_from: None,
        parent: new.parent.clone(),
        after: dependencies(&new.after)?,
        priority: new.priority,
        complexity: new.complexity,
        effort: effort(new.effort.as_deref())?,
        labels: rules::labels(&new.labels)?,
        created_by: who.actor.clone(),
        created: who.now,
        updated: who.now,
        started: None,
        finished: None,
        hold: None,
        attempts: 0,
        revision: 1,
        change: 0,
        reason: None,
    };
    let texts = Texts {
        description: new.description.clone(),
        context: new.context.clone(),
        summary: String::new(),
        links: new.links.clone(),
        tree: None,
    };
    Ok((card, texts))
}

fn effort(text: Option<&str>) -> Result<Option<String>> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    rules::line("effort", text, rules::MAX_EFFORT)?;
    Ok(Some(text.to_owned()))
}

/// Dependencies as they are kept: in the order given, each once.
fn dependencies(ids: &[String]) -> Result<Vec<String>> {
    let mut kept: Vec<String> = Vec::with_capacity(ids.len());
    for id in ids {
        if !kept.contains(id) {
            kept.push(id.clone());
        }
    }
    rules::after(&kept)?;
    Ok(kept)
}

/// Makes a task.
///
/// # Errors
/// What the fields, the id and [`Step::checked`] say; `Refused` for a dependency that was put away.
pub fn add(
    board: &Board,
    who: &Who,
    new: &NewTask,
    tree: Option<RawPath>,
    chance: &mut dyn Chance,
) -> Result<Step> {
    let specialist = new.specialist.as_deref().unwrap_or(rules::GENERIC);
    rules::specialist(specialist)?;
    let taken = |id: &str| board.find(id).is_some();
    let id = fresh(new.id.as_deref(), Some(specialist), taken, chance)?;
    let (card, mut texts) = new_card(new, id, board.next_born(), who)?;
    texts.tree = tree;
    reachable(board, &card.after)?;
    let mut step = Step::default();
    step.put("add", who, None, card).texts = Some(Rewritten {
        before: None,
        after: texts,
    });
    step.checked(board)
}

/// A new dependency must be able to be completed.
fn reachable(board: &Board, after: &[String]) -> Result<()> {
    for id in after {
        let card = board.card(id)?;
        if card.status == Status::Archived && !card.satisfies() {
            return Err(Error::refused(format!("`{id}` was put away unfinished"))
                .next(format!("`tocli task reopen {id}` first, or leave it out")));
        }
    }
    Ok(())
}

/// Changes fields. What changes nothing is no step.
///
/// # Errors
/// What the fields and [`Step::checked`] say; `Refused` for a task that was put away.
pub fn update(board: &Board, who: &Who, card: &Arc<Card>, texts: &Texts, edit: &Edit) -> Result<Step> {
    if card.status == Status::Archived {
        return Err(Error::refused(format!("`{}` was put away", card.id))
            .next(format!("`tocli task reopen {}` first", card.id)));
    }
    let after = edited(board, card, edit)?;
    let rewritten = rewritten(texts, edit)?;
    let mut step = Step::default();
    if after == **card && rewritten == *texts {
        return Ok(step);
    }
    let entry = step.put("update", who, Some(card), after);
    if rewritten != *texts {
        entry.fields.extend(text_fields(texts, &rewritten));
        entry.texts = Some(Rewritten {
            before: Some(texts.clone()),
            after: rewritten,
        });
    }
    step.checked(board)
}

fn edited(board: &Board, card: &Card, edit: &Edit) -> Result<Card> {
    let mut after = card.clone();
    if let Some(title) = &edit.title {
        rules::title(title)?;
        title.trim().clone_into(&mut after.title);
    }
    if let Some(specialist) = &edit.specialist {
        rules::specialist(specialist)?;
        after.specialist.clone_from(specialist);
    }
    if let Some(parent) = &edit.parent {
        after.parent.clone_from(parent);
    }
    reachable(board, &edit.add_after)?;
    after.after.retain(|id| !edit.remove_after.contains(id));
    after.after.extend(edit.add_after.iter().cloned());
    after.after = dependencies(&after.after)?;
    after.priority = edit.priority.unwrap_or(card.priority);
    after.complexity = edit.complexity.unwrap_or(card.complexity);
    if edit.effort.is_some() {
        after.effort = effort(edit.effort.as_deref())?;
    }
    after.labels.retain(|label| !edit.remove_labels.contains(label));
    after.labels.extend(edit.add_labels.iter().cloned());
    after.labels = rules::labels(&after.labels)?;
    Ok(after)
}

fn rewritten(texts: &Texts, edit: &Edit) -> Result<Texts> {
    let mut after = texts.clone();
    if let Some(description) = &edit.description {
        rules::description(description)?;
        after.description.clone_from(description);
    }
    if let Some(context) = &edit.context {
        rules::text("context", context)?;
        after.context.clone_from(context);
    }
    if let Some(summary) = &edit.summary {
        rules::text("summary", summary)?;
        after.summary.clone_from(summary);
    }
    for link in &edit.add_links {
        if !after.links.contains(link) {
            after.links.push(link.clone());
        }
    }
    rules::links(&after.links)?;
    Ok(after)
}

fn text_fields(before: &Texts, after: &Texts) -> impl Iterator<Item = &'static str> {
    [
        ("description", before.description != after.description),
        ("context", before.context != after.context),
        ("summary", before.summary != after.summary),
        ("links", before.links != after.links),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
}
