//! `task move` to another workspace: the results of the tasks go with them.
//!
//! Asked by `dispatch`. What must stay true: tasks and artifacts go in one batch under both workspaces' locks, with their
//! ids, their versions and their times, or none of them; the files are in the project that has the records, whatever stops
//! in between; a file that somebody changed by hand is not left behind without a record: such a move is refused.

use std::cell::RefCell;
use std::collections::HashSet;

use proto::error::{Error, Result};
use proto::task;

use super::pen::{Pen, Whole};
use super::store::Artifacts;
use super::{Home, home_of, stray};
use crate::db::Batch;
use crate::dispatch::Desk;
use crate::workspace;

/// The door: finds both workspaces.
///
/// # Errors
/// What detection, the registry, the rules and the store say.
pub fn answer(desk: &Desk<'_>, call: task::Call) -> Result<proto::Answer> {
    let whole = proto::Request::Task(Box::new(call));
    workspace::with_registry(desk, &whole, |registry| {
        let proto::Request::Task(call) = &whole else {
            return Err(stray());
        };
        let task::Request::Move { to, .. } = &call.what else {
            return Err(stray());
        };
        let scope = workspace::scope(registry, &call.at)?;
        let other = workspace::scope(registry, to)?;
        crate::task::placed(desk, (registry, &scope), |tasks| {
            let place = crate::task::Place {
                to: Some(other.id()),
                ..*tasks
            };
            let ways = Ways {
                from: home_of(registry, &scope),
                to: home_of(registry, &other),
                enter: &|batch: &mut Batch| registry.claim(batch, &other).map(drop),
            };
            answer_in(desk, &place, &ways, &whole)
        })
    })
}

/// Where the files go.
pub(super) struct Ways<'a> {
    /// From there.
    pub(super) from: Home,
    /// To here.
    pub(super) to: Home,
    /// Makes the other workspace ready for a write.
    pub(super) enter: &'a dyn Fn(&mut Batch) -> Result<()>,
}

/// The same, for workspaces that have been found.
pub(super) fn answer_in(
    desk: &Desk<'_>,
    place: &crate::task::Place<'_>,
    ways: &Ways<'_>,
    whole: &proto::Request,
) -> Result<proto::Answer> {
    let Some(to) = place.to else { return Err(stray()) };
    let pens: RefCell<Option<(Pen<'_>, Pen<'_>)>> = RefCell::default();
    let along = |batch: &mut Batch, tasks: &[String]| -> Result<Vec<task::Taken>> {
        let of: HashSet<&str> = tasks.iter().map(String::as_str).collect();
        let ours = Artifacts::new(&desk.ctx.db, &ways.from.workspace);
        if let Some(upload) = ours.uploads()?.iter().find(|one| of.contains(one.task.as_str())) {
            return Err(Error::refused(format!(
                "the upload `{}` for `{}` is not complete yet",
                upload.id, upload.task
            ))
            .next(format!(
                "let it end, or give it up with `tocli artifact partials --discard {}`",
                upload.id
            )));
        }
        let from = Pen::open(desk.ctx, &ways.from, None)?;
        let going = from.slot().with(|catalog| {
            let goes = |task: &Option<String>| task.as_deref().is_some_and(|task| of.contains(task));
            let all = catalog.all().filter(|entry| goes(&entry.card.task));
            Ok(all.cloned().collect::<Vec<_>>())
        })?;
        let mut taken = Vec::with_capacity(going.len());
        if going.is_empty() {
            return Ok(taken);
        }
        (ways.enter)(batch)?;
        let there = Pen::open(desk.ctx, &ways.to, None)?;
        let mut kept = pens.borrow_mut();
        let (from, there) = &*kept.insert((from, there));
        for entry in &going {
            let whole = Whole {
                card: entry.card.clone(),
                editions: ours.editions(&entry.card.id)?,
            };
            let card = there.take_over(batch, whole)?;
            taken.push(task::Taken {
                artifact_id: card.id,
                task_id: card.task.unwrap_or_default(),
                name: card.name,
            });
        }
        for entry in &going {
            from.let_go(batch, entry)?;
        }
        Ok(taken)
    };
    let outcome = crate::task::rehome::answer(desk, (place, to), whole, &along);
    let Some((from, there)) = pens.into_inner() else {
        return outcome;
    };
    match &outcome {
        Ok(_) => {
            from.let_gone();
            for warning in there.committed() {
                tracing::warn!("{warning}");
            }
        }
        Err(error) => {
            from.kept_after(error);
            there.gave_up_for(error);
        }
    }
    outcome
}
