//! What each verb does to a task. Pure: a board and a card in, a step or a refusal out.
//!
//! Asked by the writing door. Expired leases have been swept before, so whoever is on a card holds it.

use std::sync::Arc;

use proto::task::{Force, NextAction, Status};
use proto::{Error, error::Result};

use super::board::Board;
use super::card::{Card, Hold, Texts};
use super::moves::{Move, lead};
use super::nothing;
use super::rules;
use super::step::{Rewritten, Step};
use super::view::View;
use super::who::{UNKNOWN, Who, process};

/// The reason of a task whose leases expired too often.
pub const ATTEMPTS: &str = "attempts";

/// A card after `step`, by the table.
fn moved(card: &Card, step: Move) -> Result<Card> {
    let back = card.hold.as_ref().map(|hold| hold.back);
    let status = lead(step, &card.id, card.status, back)?;
    Ok(Card {
        status,
        hold: card.hold.clone().filter(|_| status == Status::Active),
        archived_from: None,
        ..card.clone()
    })
}

/// Whether the caller may end the work of whoever holds the task; `force` is none for a verb that has no such word.
///
/// A caller that is known by its process only may be the named holder itself, which has not said so this time.
fn not_anothers(card: &Card, who: &Who, force: Option<Force>) -> Result<()> {
    let Some(hold) = &card.hold else { return Ok(()) };
    let nameless = who.actor == UNKNOWN || process(&who.actor).is_some();
    let may = hold.actor == who.actor || (nameless && process(&hold.actor).is_none());
    if may || force == Some(Force::Yes) {
        return Ok(());
    }
    let error = anothers(card, &hold.actor);
    Err(match force {
        Some(_) => error,
        None => error.next(format!(
            "take it over first with `tocli task start {} --force`",
            card.id
        )),
    })
}

fn anothers(card: &Card, holder: &str) -> Error {
    Error::conflict(format!("`{}` is held by `{}`", card.id, rules::shown(holder)))
        .why("its lease has not expired")
        .next("take another one with `tocli next --claim`, or overrule it with `--force`")
}

fn ready(board: &Board, card: &Card) -> Result<()> {
    const NAMED: usize = 5;
    let waiting = board.waiting_for(card);
    if waiting.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = waiting.iter().take(NAMED).map(|id| format!("`{id}`")).collect();
    let more = if waiting.len() > NAMED { ", …" } else { "" };
    Err(Error::refused(format!("`{}` is not ready", card.id))
        .why(format!("it waits for {}{more}", named.join(", ")))
        .next("complete those first, or overrule it with `--force`"))
}

/// Who may hold something: not a caller of whom nothing is known, since two of those would be one.
fn known(who: &Who) -> Result<()> {
    if who.actor != UNKNOWN {
        return Ok(());
    }
    Err(Error::usage("nobody to hold the task").next("say who you are with `--actor NAME`"))
}

/// Begins a task and holds it. Who holds it already goes on holding it.
///
/// # Errors
/// `Conflict` when another holds it, `Refused` when it is not ready or not open.
pub fn start(board: &Board, who: &Who, card: &Arc<Card>, force: Force) -> Result<Step> {
    known(who)?;
    let mut step = Step::default();
    if card.hold.as_ref().is_some_and(|hold| hold.actor == who.actor) {
        return Ok(step);
    }
    let way = if force == Force::Yes {
        Move::ForceStart
    } else {
        Move::Start
    };
    let after = moved(card, way)?;
    if force == Force::No {
        if let Some(hold) = &card.hold {
            return Err(anothers(card, &hold.actor));
        }
        ready(board, card)?;
    }
    step.put("start", who, Some(card), held(card, who, after));
    step.checked(board)
}

fn held(card: &Card, who: &Who, after: Card) -> Card {
    let back = match (&card.hold, card.status) {
        (Some(hold), _) => hold.back,
        (None, Status::NeedsRevision) => Status::NeedsRevision,
        _ => Status::Pending,
    };
    Card {
        hold: Some(Hold {
            actor: who.actor.clone(),
            since: who.now,
            back,
        }),
        started: Some(card.started.unwrap_or(who.now)),
        ..after
    }
}

/// Takes the best ready task.
///
/// # Errors
/// `NotFound` when none is ready.
pub fn claim(board: &Board, who: &Who, specialists: &[String]) -> Result<Step> {
    known(who)?;
    let card = best(board, specialists, &who.actor)?;
    let mut step = Step::default();
    step.put(
        "claim",
        who,
        Some(card),
        held(card, who, moved(card, Move::Start)?),
    );
    Ok(step)
}

/// The specialists a task is looked for first: those that were named, else those the actor has declared where a task is
/// ready for one of them, else any.
#[must_use]
pub fn sought(board: &Board, named: &[String], declared: Vec<String>) -> Vec<String> {
    match named {
        [] if !declared.is_empty() && board.ready_count(&declared) > 0 => declared,
        named => named.to_vec(),
    }
}

/// The best ready task.
///
/// # Errors
/// `NotFound` when none is ready, with what `actor` can do about that.
pub fn best<'a>(board: &'a Board, specialists: &[String], actor: &str) -> Result<&'a Arc<Card>> {
    board
        .next(specialists)
        .ok_or_else(|| nothing::is_ready(board, specialists, actor))
}

/// Gives a held task back.
///
/// # Errors
/// `Conflict` when another holds it, `Refused` when it is not active.
pub fn release(board: &Board, who: &Who, card: &Arc<Card>) -> Result<Step> {
    not_anothers(card, who, None)?;
    let mut step = Step::default();
    step.put("release", who, Some(card), moved(card, Move::Release)?);
    step.checked(board)
}

/// What a lease that has ended leads to. The name is that of the holder.
///
/// # Errors
/// `Refused` when the task is not active.
pub fn expire(card: &Arc<Card>, who: &Who, step: &mut Step) -> Result<()> {
    let attempts = card.attempts.saturating_add(1);
    let exhausted = attempts >= who.max_attempts;
    let way = if exhausted { Move::Exhaust } else { Move::Expire };
    let mut after = moved(card, way)?;
    after.attempts = attempts;
    after.hold = None;
    if exhausted {
        after.reason = Some(ATTEMPTS.to_owned());
    }
    let holder = card.hold.as_ref().map(|hold| hold.actor.clone());
    let moved = step.put("expire", who, Some(card), after);
    moved.actor = holder.unwrap_or_else(|| who.actor.clone());
    Ok(())
}

/// How a task ends.
pub struct Ending<'a> {
    /// What was done, or why not.
    pub summary: &'a str,
    /// What that leads to.
    pub next_action: NextAction,
    /// Although another holds it or it waits for something.
    pub force: Force,
}

/// Ends a task with a result, or returns or blocks it as its worker says.
///
/// # Errors
/// `Conflict` when another holds it, `Refused` when it waits for something, has open children or is not open.
pub fn complete(
    board: &Board,
    who: &Who,
    card: &Arc<Card>,
    texts: &Texts,
    ending: &Ending<'_>,
) -> Result<Step> {
    rules::text("summary", ending.summary)?;
    let (way, op) = match ending.next_action {
        NextAction::Continue | NextAction::Complete => (Move::Complete, "complete"),
        NextAction::NeedsRevision => (Move::Return, "return"),
        NextAction::Blocked => (Move::Block, "block"),
    };
    let mut after = moved(card, way)?;
    not_anothers(card, who, Some(ending.force))?;
    let holds = card.hold.as_ref().is_some_and(|hold| hold.actor == who.actor);
    let summary = ending.summary.trim();
    if way == Move::Complete {
        if !holds && ending.force == Force::No {
            ready(board, card)?;
        }
        after.finished = Some(who.now);
        after.started = after.started.or(Some(who.now));
        after.reason = None;
    } else {
        after.finished = None;
        after.attempts = 0;
        after.reason = Some(short(summary, op)).filter(|reason| !reason.is_empty());
    }
    let mut step = Step::default();
    let entry = step.put(op, who, Some(card), after);
    if !summary.is_empty() && summary != texts.summary {
        entry.fields.push("summary");
        entry.texts = Some(Rewritten {
            before: Some(texts.clone()),
            after: Texts {
                summary: summary.to_owned(),
                ..texts.clone()
            },
        });
    }
    step.checked(board)
}

/// The first line of a text, as a reason.
fn short(text: &str, otherwise: &str) -> String {
    let line = text.lines().next().unwrap_or(otherwise);
    rules::cut(line, rules::MAX_REASON).0.to_owned()
}

/// Says that a task cannot go on.
///
/// # Errors
/// `Usage` without a reason, `Conflict` when another holds it, `Refused` when it is not open.
pub fn block(board: &Board, who: &Who, card: &Arc<Card>, reason: &str) -> Result<Step> {
    ended(
        board,
        who,
        card,
        Way {
            step: Move::Block,
            op: "block",
            force: None,
        },
        reason,
    )
}

/// Says that a task is impossible.
///
/// # Errors
/// `Conflict` when another holds it, `Refused` when it is not open or has open children.
pub fn fail(board: &Board, who: &Who, card: &Arc<Card>, reason: &str, force: Force) -> Result<Step> {
    View::new(board, &[]).no_open_children(card)?;
    ended(
        board,
        who,
        card,
        Way {
            step: Move::Fail,
            op: "fail",
            force: Some(force),
        },
        reason,
    )
}

struct Way {
    step: Move,
    op: &'static str,
    force: Option<Force>,
}

fn ended(board: &Board, who: &Who, card: &Arc<Card>, way: Way, reason: &str) -> Result<Step> {
    rules::reason(reason)?;
    let mut after = moved(card, way.step)?;
    not_anothers(card, who, way.force)?;
    after.finished = (!after.status.is_open()).then_some(who.now);
    after.reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    let mut step = Step::default();
    step.put(way.op, who, Some(card), after);
    step.checked(board)
}

/// Says that a task and what is open below it is not wanted any more.
///
/// # Errors
/// `Refused` when it is not open.
pub fn cancel(board: &Board, who: &Who, card: &Arc<Card>, reason: &str) -> Result<Step> {
    rules::reason(reason)?;
    let mut step = Step::default();
    for one in board.subtree(&card.id) {
        if one.id != card.id && !one.status.is_open() {
            continue;
        }
        let mut after = moved(&one, Move::Cancel)?;
        after.finished = Some(who.now);
        after.reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        step.put("cancel", who, Some(&one), after);
    }
    step.checked(board)
}

/// Makes a task pending again.
///
/// # Errors
/// `Refused` when it is open already, or its group is closed.
pub fn reopen(board: &Board, who: &Who, card: &Arc<Card>) -> Result<Step> {
    let after = Card {
        finished: None,
        reason: None,
        attempts: 0,
        ..moved(card, Move::Reopen)?
    };
    let mut step = Step::default();
    step.put("reopen", who, Some(card), after);
    step.checked(board)
}

/// Puts a task and all below it away.
///
/// # Errors
/// `Refused` when it is put away already, or something open outside waits for something unfinished in it.
pub fn archive(board: &Board, who: &Who, card: &Arc<Card>) -> Result<Step> {
    let tree = board.subtree(&card.id);
    no_one_waits(board, &tree, |one| !one.satisfies())?;
    let mut step = Step::default();
    for one in &tree {
        if one.id != card.id && one.status == Status::Archived {
            continue;
        }
        let after = Card {
            archived_from: Some(one.status),
            ..moved(one, Move::Archive)?
        };
        step.put("delete", who, Some(one), after);
    }
    step.checked(board)
}

/// Removes what has been put away, with all below it.
///
/// # Errors
/// `Refused` when it has not been put away, or anything outside depends on something in it.
pub fn purge(board: &Board, who: &Who, card: &Arc<Card>) -> Result<Step> {
    let tree = board.subtree(&card.id);
    if let Some(kept) = tree.iter().find(|one| one.status != Status::Archived) {
        return Err(Error::refused(format!(
            "cannot purge `{}`: it is {}",
            kept.id,
            kept.status.word()
        ))
        .next(format!("`tocli task delete {}` puts it away first", kept.id)));
    }
    let inside = |id: &str| tree.iter().any(|one| one.id == id);
    for one in &tree {
        if let Some(outside) = board.dependents(&one.id).find(|other| !inside(&other.id)) {
            return Err(depends(&outside.id, &one.id));
        }
    }
    let mut step = Step::default();
    for one in tree.iter().rev() {
        step.remove("purge", who, one);
    }
    Ok(step)
}

fn no_one_waits(board: &Board, tree: &[Arc<Card>], unfinished: impl Fn(&Card) -> bool) -> Result<()> {
    for one in tree.iter().filter(|one| unfinished(one)) {
        let outside = board
            .dependents(&one.id)
            .find(|other| other.status.is_open() && !tree.iter().any(|inner| inner.id == other.id));
        if let Some(outside) = outside {
            return Err(depends(&outside.id, &one.id));
        }
    }
    Ok(())
}

fn depends(outside: &str, inside: &str) -> Error {
    Error::refused(format!("`{outside}` depends on `{inside}`")).next(format!(
        "take the dependency away with `tocli task update {outside} --remove-after {inside}`, or cancel that task"
    ))
}

/// What the last change of a task was, as it is kept.
pub struct Before {
    /// The task as it is now.
    pub now: Arc<Card>,
    /// As it was; none when that change made it.
    pub card: Option<Card>,
    /// The texts now and then, when that change changed them.
    pub texts: Option<(Texts, Texts)>,
}

/// Takes the last change of a task back, with what was changed below it in the same transaction.
///
/// # Errors
/// `Refused` when the board cannot become what it was: a cycle since, a group that is closed.
pub fn undo(board: &Board, who: &Who, all: Vec<Before>) -> Result<Step> {
    let mut step = Step::default();
    for one in all {
        let Some(before) = one.card else {
            return archive(board, who, &one.now);
        };
        // A claim that was given up since is not taken again in its holder's name.
        let kept = before
            .hold
            .as_ref()
            .filter(|hold| hold.actor == who.actor)
            .cloned();
        let status = match (&before.hold, &kept) {
            (Some(hold), None) => hold.back,
            _ => before.status,
        };
        let entry = step.put(
            "undo",
            who,
            Some(&one.now),
            Card {
                status,
                hold: kept,
                ..before
            },
        );
        if let Some((now, then)) = one.texts {
            entry.fields.push("texts");
            entry.texts = Some(Rewritten {
                before: Some(now),
                after: then,
            });
        }
    }
    step.checked(board)
}
