//! The writing door: gather under the workspace's lock, decide on the board, record in one batch, answer.
//!
//! Asked by `dispatch` through `mod.rs`. What must stay true: nothing is decided on a board that the records do not
//! agree with; the board takes a step over only after the step is in the batch, and is in doubt when that batch fails.

use std::cell::Cell;
use std::sync::Arc;

use proto::error::{Error, Result};
use proto::task::{Answer, Request, Verb};

use super::board::Board;
use super::card::{Card, Remark};
use super::change::{self, Before, Ending};
use super::lease::Clock;
use super::plan::{self, Laid};
use super::shelf::Slot;
use super::shown::{self, Moment};
use super::step::Step;
use super::store::Tasks;
use super::who::{self, Who};
use super::{Place, document, edit, import, rules, template};
use crate::db::Batch;
use crate::dispatch::{Desk, hold};

/// What a request leads to, before it is recorded.
struct Decided {
    step: Step,
    /// What was asked for, for the audit trail.
    target: String,
    kind: Kind,
}

/// What the answer speaks of.
enum Kind {
    Task,
    Plan(String, Vec<proto::task::Planned>),
    Import(import::Outcome),
    Next(Vec<String>),
    Purge,
}

/// Answers a request that changes something.
///
/// # Errors
/// What the rules and the store say.
pub fn answer(
    desk: &Desk<'_>,
    place: &Place<'_>,
    (whole, what): (&proto::Request, &Request),
) -> Result<proto::Answer> {
    let shelf = &desk.ctx.boards;
    let slot = shelf.slot(place.workspace);
    slot.set_terms(place.terms);
    let who = asking(desk, place)?;
    shelf.heard(&who.actor, desk.ctx.world.monotonic());
    sweep(desk.ctx, place.workspace, &slot)?;
    let tasks = Tasks::new(&desk.ctx.db, place.workspace);
    let applied = Cell::new(false);
    let outcome = desk.change(place.workspace, whole, |batch| {
        slot.load(tasks, who.deadline())?;
        if let Request::Note { id, text, to } = what {
            let noted = noted(&slot, tasks, batch, &who, (id, text, to.as_deref()))?;
            (place.enter)(batch)?;
            return Ok(proto::Answer::Task(noted));
        }
        let decided = slot.with(|board| decide(desk, board, tasks, &who, place, what))?;
        // What is refused leaves a project untouched.
        (place.enter)(batch)?;
        record(&slot, tasks, batch, &who, decided, &applied)
            .map(|answer| proto::Answer::Task(warned(answer, place.warnings)))
    });
    if outcome.is_err() && applied.get() {
        slot.doubt();
    }
    outcome
}

/// Who asks, and the moment.
///
/// # Errors
/// `Usage` for an actor's name that is none.
pub fn asking(desk: &Desk<'_>, place: &Place<'_>) -> Result<Who> {
    let world = &desk.ctx.world;
    Ok(Who {
        actor: who::actor(desk.ask.caller.actor.as_deref())?,
        now: world.now(),
        running: desk.ctx.boards.running(world.monotonic()),
        lease: place.terms.lease,
        max_attempts: place.terms.max_attempts,
    })
}

/// Puts a step into the batch, lets the board take it over, and says how things are then.
fn record(
    slot: &Arc<Slot>,
    tasks: Tasks<'_>,
    batch: &mut Batch,
    who: &Who,
    decided: Decided,
    applied: &Cell<bool>,
) -> Result<Answer> {
    let Decided {
        mut step,
        target,
        kind,
    } = decided;
    let mut unblocked = Vec::new();
    if !step.moved.is_empty() {
        let number = slot.with(|board| Ok(board.changes + 1))?;
        step.number(number);
        tasks.record(batch, who, &target, &step, number)?;
        applied.set(true);
        if let Some(board) = slot.write().as_mut() {
            unblocked = board.apply(&step.placed(), who.deadline());
            board.changes = number;
        }
    }
    let at = Moment {
        now: who.now,
        running: who.running,
    };
    slot.with(|board| answered(board, tasks, &step, &target, kind, unblocked, at))
}

/// The answer with what the caller should know of the workspace.
fn warned(mut answer: Answer, of_the_workspace: &[String]) -> Answer {
    if let Answer::Task { warnings, .. } | Answer::Planned { warnings, .. } = &mut answer {
        warnings.extend_from_slice(of_the_workspace);
    }
    answer
}

fn answered(
    board: &Board,
    tasks: Tasks<'_>,
    step: &Step,
    target: &str,
    kind: Kind,
    mut unblocked: Vec<String>,
    at: Moment,
) -> Result<Answer> {
    unblocked.retain(|id| id != target);
    let along = |step: &Step| -> Vec<String> {
        let ids = step.moved.iter().filter_map(|moved| moved.after.as_ref());
        ids.map(|card| card.id.clone())
            .filter(|id| id != target)
            .collect()
    };
    Ok(match kind {
        Kind::Task => Answer::Task {
            task: Box::new(shown::task(board, board.card(target)?, at)),
            unblocked,
            along: along(step),
            warnings: Vec::new(),
        },
        Kind::Plan(task_id, tasks) => Answer::Planned {
            task_id,
            tasks,
            warnings: Vec::new(),
        },
        Kind::Import(outcome) => Answer::Imported {
            made: outcome.made,
            known: outcome.known,
            skipped: outcome.skipped,
        },
        Kind::Next(specialists) => Answer::Next {
            task: Box::new(super::read::detail(board, tasks, board.card(target)?, at)?),
            others: board.ready_count(&specialists) as u64,
        },
        Kind::Purge => Answer::Purged {
            tasks: step
                .moved
                .iter()
                .filter_map(|moved| moved.before.as_ref().map(|card| card.id.clone()))
                .collect(),
        },
    })
}

fn decide(
    desk: &Desk<'_>,
    board: &Board,
    tasks: Tasks<'_>,
    who: &Who,
    place: &Place<'_>,
    what: &Request,
) -> Result<Decided> {
    let mut chance = || {
        let mut four = [0; 4];
        desk.ctx.world.random(&mut four);
        four
    };
    let tree = place.tree.cloned();
    match what {
        Request::Add(new) => {
            let step = edit::add(board, who, new, tree, &mut chance)?;
            let target = first(&step);
            Ok(Decided {
                step,
                target,
                kind: Kind::Task,
            })
        }
        Request::Plan { text } => {
            let items = document::read(text)?;
            Ok(planned(plan::lay(
                board,
                who,
                &items,
                tree.as_ref(),
                &mut chance,
            )?))
        }
        Request::Apply { name, title, values } => {
            let items = template::items(name, title, values)?;
            Ok(planned(plan::lay(
                board,
                who,
                &items,
                tree.as_ref(),
                &mut chance,
            )?))
        }
        Request::Import { text } => {
            let (step, outcome) = import::lay(board, who, text, tree.as_ref(), &mut chance)?;
            let target = first(&step);
            Ok(Decided {
                step,
                target,
                kind: Kind::Import(outcome),
            })
        }
        Request::Next { specialists, .. } => {
            let step = change::claim(board, who, specialists)?;
            let target = first(&step);
            Ok(Decided {
                step,
                target,
                kind: Kind::Next(specialists.clone()),
            })
        }
        Request::Change {
            id,
            if_revision,
            verb,
        } => {
            let card = Arc::clone(board.card(id)?);
            unchanged(&card, *if_revision)?;
            let step = done(board, tasks, who, &card, verb)?;
            let kind = if matches!(verb, Verb::Purge) {
                Kind::Purge
            } else {
                Kind::Task
            };
            Ok(Decided {
                step,
                target: card.id.clone(),
                kind,
            })
        }
        _ => Err(Error::bug("a reading request came to the writing door")),
    }
}

fn first(step: &Step) -> String {
    let first = step.moved.first().and_then(|moved| moved.after.as_ref());
    first.map(|card| card.id.clone()).unwrap_or_default()
}

fn planned(laid: Laid) -> Decided {
    Decided {
        target: laid.top.clone(),
        kind: Kind::Plan(laid.top, laid.tasks),
        step: laid.step,
    }
}

/// Whether a task is still what the caller has seen.
///
/// # Errors
/// `Conflict`, with the current state.
pub fn unchanged(card: &Card, seen: Option<u64>) -> Result<()> {
    match seen {
        Some(seen) if seen != card.revision => Err(Error::conflict(format!(
            "`{}` is at revision {}, not {seen}",
            card.id, card.revision
        ))
        .why(format!(
            "it is {} now, last changed by somebody else",
            card.status.word()
        ))
        .next(format!(
            "read it with `tocli task show {}` and decide again",
            card.id
        ))),
        _ => Ok(()),
    }
}

fn done(board: &Board, tasks: Tasks<'_>, who: &Who, card: &Arc<Card>, verb: &Verb) -> Result<Step> {
    match verb {
        Verb::Update(changes) => edit::update(board, who, card, &tasks.texts(&card.id)?, changes),
        Verb::Start(force) => change::start(board, who, card, *force),
        Verb::Release => change::release(board, who, card),
        Verb::Complete {
            summary,
            next_action,
            force,
        } => {
            let ending = Ending {
                summary,
                next_action: *next_action,
                force: *force,
            };
            change::complete(board, who, card, &tasks.texts(&card.id)?, &ending)
        }
        Verb::Block { reason } => change::block(board, who, card, reason),
        Verb::Fail { reason, force } => change::fail(board, who, card, reason, *force),
        Verb::Cancel { reason } => change::cancel(board, who, card, reason),
        Verb::Reopen => change::reopen(board, who, card),
        Verb::Delete => change::archive(board, who, card),
        Verb::Purge => change::purge(board, who, card),
        Verb::Undo => change::undo(board, who, before(board, tasks, card)?),
    }
}

/// What the last change of a task was, and of all below it that was changed in the same transaction.
fn before(board: &Board, tasks: Tasks<'_>, card: &Arc<Card>) -> Result<Vec<Before>> {
    let mut found = Vec::new();
    for now in board
        .subtree(&card.id)
        .into_iter()
        .filter(|one| one.change == card.change)
    {
        let past = tasks.past(&now.id, now.revision)?.ok_or_else(|| {
            Error::refused(format!("what `{}` was before is not known", now.id))
                .why("its history does not reach there")
        })?;
        let texts = match past.texts {
            true => Some((tasks.texts(&now.id)?, tasks.past_texts(&now.id, now.revision)?)),
            false => None,
        };
        found.push(Before {
            now,
            card: past.before,
            texts,
        });
    }
    Ok(found)
}

fn noted(
    slot: &Arc<Slot>,
    tasks: Tasks<'_>,
    batch: &mut Batch,
    who: &Who,
    (id, text, to): (&str, &str, Option<&str>),
) -> Result<Answer> {
    rules::text("note", text)?;
    if text.trim().is_empty() {
        return Err(Error::usage("an empty note"));
    }
    if let Some(to) = to {
        rules::actor(to)?;
    }
    let id = slot.with(|board| Ok(board.card(id)?.id.clone()))?;
    let remark = Remark {
        time: who.now,
        actor: who.actor.clone(),
        to: to.map(str::to_owned),
        text: text.to_owned(),
    };
    tasks.remark(batch, &id, &remark)?;
    Ok(Answer::Noted {
        task_id: id,
        time: who.now,
    })
}

/// Gives back what is held by leases that have ended, in one commit of its own. What a process holds that is still
/// there is held on.
///
/// # Errors
/// What the store says.
pub fn sweep(ctx: &crate::ctx::Ctx, workspace: &str, slot: &Arc<Slot>) -> Result<()> {
    let clock = ctx.boards.running(ctx.world.monotonic());
    if !any_overdue(ctx, slot, clock) {
        return Ok(());
    }
    let lock = ctx.locks.of(workspace);
    let held = hold(&lock);
    let tasks = Tasks::new(&ctx.db, workspace);
    let terms = slot.terms();
    let who = Who {
        actor: who::UNKNOWN.to_owned(),
        now: ctx.world.now(),
        running: clock,
        lease: terms.lease,
        max_attempts: terms.max_attempts,
    };
    slot.load(tasks, who.deadline())?;
    let mut step = Step::default();
    for card in overdue(slot, ctx.boards.clock()) {
        if !busy(ctx, &card) {
            change::expire(&card, &who, &mut step)?;
        }
    }
    let mut batch = Batch::new();
    let applied = Cell::new(false);
    let target = first(&step);
    let decided = Decided {
        step,
        target,
        kind: Kind::Purge,
    };
    let outcome = record(slot, tasks, &mut batch, &who, decided, &applied).and_then(|_| ctx.db.stage(batch));
    if outcome.is_err() && applied.get() {
        slot.doubt();
    }
    let staged = outcome?;
    drop(held);
    staged.durable().inspect_err(|_| slot.doubt())
}

fn overdue(slot: &Slot, clock: Clock) -> Vec<Arc<Card>> {
    let board = slot.read();
    board.as_ref().map_or_else(Vec::new, |board| {
        board.overdue(|deadline| clock.expired(deadline))
    })
}

/// Whether the process that a holder is named after is still there.
fn busy(ctx: &crate::ctx::Ctx, card: &Card) -> bool {
    let process = card.hold.as_ref().and_then(|hold| who::process(&hold.actor));
    process.is_some_and(|process| ctx.boards.alive(process))
}

/// Whether a lease has ended; prolongs those whose process is still there.
fn any_overdue(ctx: &crate::ctx::Ctx, slot: &Slot, running: std::time::Duration) -> bool {
    let (kept, gone): (Vec<_>, Vec<_>) = overdue(slot, ctx.boards.clock())
        .into_iter()
        .partition(|card| busy(ctx, card));
    if !kept.is_empty()
        && let Some(board) = slot.write().as_mut()
    {
        let deadline = running + slot.terms().lease;
        for hold in kept.iter().filter_map(|card| card.hold.as_ref()) {
            board.renew(&hold.actor, deadline);
        }
    }
    !gone.is_empty()
}
