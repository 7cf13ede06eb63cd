//! Recording a step: into the batch, onto the board, into the answer; and the sweep of leases that have ended.
//!
//! Asked by the writing door and by the daemon's tick. What must stay true: the board takes a step over only after the
//! step is in the batch, and is in doubt when that batch fails.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use proto::error::Result;
use proto::task::{Answer, Planned};

use super::board::Board;
use super::boards::Slot;
use super::card::Card;
use super::lease::Clock;
use super::shown::{self, Moment};
use super::step::Step;
use super::store::Tasks;
use super::who::{self, Who};
use super::{change, import, nothing, read};
use crate::ctx::Ctx;
use crate::db::Batch;
use crate::dispatch::hold;

/// What a request leads to, before it is recorded.
pub(super) struct Decided {
    pub(super) step: Step,
    /// What was asked for, for the audit trail.
    pub(super) target: String,
    pub(super) kind: Kind,
}

/// What the answer speaks of.
pub(super) enum Kind {
    Task,
    Plan(String, Vec<Planned>),
    Import(import::Outcome),
    Next(Vec<String>),
    Purge,
}

/// What records a step.
pub(super) struct Pen<'a> {
    pub(super) slot: &'a Slot,
    pub(super) tasks: Tasks<'a>,
    pub(super) who: &'a Who,
    applied: Cell<bool>,
}

impl<'a> Pen<'a> {
    pub(super) fn new(slot: &'a Slot, tasks: Tasks<'a>, who: &'a Who) -> Self {
        Self {
            slot,
            tasks,
            who,
            applied: Cell::new(false),
        }
    }

    /// Puts a step into the batch, lets the board take it over, and says how things are then.
    pub(super) fn record(&self, batch: &mut Batch, decided: Decided) -> Result<Answer> {
        let Decided {
            mut step,
            target,
            kind,
        } = decided;
        let mut unblocked = Vec::new();
        if !step.moved.is_empty() {
            let number = self.slot.with(|board| Ok(board.changes + 1))?;
            step.number(number);
            self.tasks.record(batch, self.who, (&target, &step), number)?;
            self.applied.set(true);
            if let Some(board) = self.slot.write().as_mut() {
                unblocked = board.apply(&step.placed(), self.who.deadline());
                board.changes = number;
            }
        }
        unblocked.retain(|id| *id != target);
        let decided = Decided { step, target, kind };
        self.slot.with(|board| self.answered(board, decided, unblocked))
    }

    /// Says that the batch failed.
    pub(super) fn regret(&self) {
        if self.applied.get() {
            self.slot.doubt();
        }
    }

    fn answered(&self, board: &Board, decided: Decided, unblocked: Vec<String>) -> Result<Answer> {
        let Decided { step, target, kind } = decided;
        let at = Moment {
            now: self.who.now,
            running: self.who.running,
        };
        Ok(match kind {
            Kind::Task => Answer::Task {
                task: Box::new(shown::task(board, board.card(&target)?, at)),
                unblocked,
                along: step.ids().filter(|id| *id != target).map(str::to_owned).collect(),
                warnings: finished_group(board, board.card(&target)?).into_iter().collect(),
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
                task: Box::new(read::detail(board, self.tasks, board.card(&target)?, at)?),
                others: board.ready_count(&specialists) as u64,
            },
            Kind::Purge => Answer::Purged {
                tasks: step.ids().map(str::to_owned).collect(),
            },
        })
    }
}

/// What is said of the group of a task that was the last open one there.
fn finished_group(board: &Board, card: &Card) -> Option<String> {
    let group = board.find(card.parent.as_deref()?)?;
    let finished = !card.status.is_open() && board.is_finished_group(group);
    finished.then(|| {
        format!(
            "nothing below `{}` is open any more: {}",
            group.id,
            nothing::closing(&group.id)
        )
    })
}

/// Gives back what is held by leases that have ended, in one commit of its own. What a process holds that is still
/// there is held on.
///
/// # Errors
/// What the store says.
pub(super) fn sweep(ctx: &Ctx, workspace: &str, slot: &Slot) -> Result<()> {
    ctx.boards.hear_all(ctx.world.monotonic());
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
    let decided = Decided {
        target: step.first(),
        step,
        kind: Kind::Purge,
    };
    let pen = Pen::new(slot, tasks, &who);
    let mut batch = Batch::new();
    let outcome = pen.record(&mut batch, decided).and_then(|_| ctx.db.stage(batch));
    if outcome.is_err() {
        pen.regret();
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
fn busy(ctx: &Ctx, card: &Card) -> bool {
    let process = card.hold.as_ref().and_then(|hold| who::process(&hold.actor));
    process.is_some_and(|process| ctx.boards.alive(process))
}

/// Whether a lease has ended; prolongs those whose process is still there.
fn any_overdue(ctx: &Ctx, slot: &Slot, running: Duration) -> bool {
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
