//! Tasks that were made elsewhere and come with their own ids, times and states.
//!
//! Asked by `maintenance`, which imports. The asker holds the workspace's lock, and calls [`regret`] when its batch came to
//! nothing. What must stay true: what comes in obeys the rules of every board ([`Step::checked`]); nothing that is
//! there is changed.

use proto::error::Result;

use super::board::Board;
use super::card::{Card, Texts};
use super::rules;
use super::step::{Moved, Rewritten, Step};
use super::store::Tasks;
use super::who::Who;
use crate::ctx::Ctx;
use crate::db::Batch;

/// Asks something of the board of a workspace, which is loaded for it.
///
/// # Errors
/// When the records cannot be read, and what `ask` says.
pub fn ask<T>(ctx: &Ctx, workspace: &str, ask: impl FnOnce(&Board) -> Result<T>) -> Result<T> {
    let slot = ctx.boards.slot(workspace);
    let deadline = ctx.boards.running(ctx.world.monotonic()) + slot.terms().lease;
    slot.load(Tasks::new(&ctx.db, workspace), deadline)?;
    slot.with(ask)
}

/// Puts tasks into `batch` as they are, parents and what comes first before the others: one step, one audit event. Their
/// `born`, `change` and `revision` are set here.
///
/// # Errors
/// What the rules of a board and of fields say: then nothing of it is in the batch.
pub fn bring(
    ctx: &Ctx,
    batch: &mut Batch,
    (workspace, actor): (&str, &str),
    tasks: Vec<(Card, Texts)>,
) -> Result<()> {
    let slot = ctx.boards.slot(workspace);
    let terms = slot.terms();
    let who = Who {
        actor: actor.to_owned(),
        now: ctx.world.now(),
        running: ctx.boards.running(ctx.world.monotonic()),
        lease: terms.lease,
        max_attempts: terms.max_attempts,
    };
    let records = Tasks::new(&ctx.db, workspace);
    slot.load(records, who.deadline())?;
    let (step, number) = slot.with(|board| {
        let mut step = Step::default();
        for (born, (card, texts)) in (board.next_born()..).zip(tasks) {
            step.moved.push(new(&who, card, born, texts)?);
        }
        let number = board.changes + 1;
        let mut step = step.checked(board)?;
        step.number(number);
        Ok((step, number))
    })?;
    records.record(batch, &who, (&step.first(), &step), number)?;
    if let Some(board) = slot.write().as_mut() {
        board.apply(&step.placed(), who.deadline());
        board.changes = number;
    }
    Ok(())
}

fn new(who: &Who, card: Card, born: u64, texts: Texts) -> Result<Moved> {
    rules::id(&card.id)?;
    rules::title(&card.title)?;
    rules::specialist(&card.specialist)?;
    rules::after(&card.after)?;
    rules::description(&texts.description)?;
    rules::text("context", &texts.context)?;
    rules::text("summary", &texts.summary)?;
    rules::links(&texts.links)?;
    let card = Card {
        born,
        revision: 1,
        labels: rules::labels(&card.labels)?,
        ..card
    };
    Ok(Moved {
        op: "bring",
        actor: who.actor.clone(),
        before: None,
        after: Some(card),
        fields: Vec::new(),
        texts: Some(Rewritten {
            before: None,
            after: texts,
        }),
    })
}

/// Says that the batch with what was brought in came to nothing: the board is loaded anew.
pub fn regret(ctx: &Ctx, workspace: &str) {
    ctx.boards.slot(workspace).doubt();
}
