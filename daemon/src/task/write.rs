//! The writing door: gather under the workspace's lock, decide on the board, record in one batch, answer.
//!
//! Asked by `dispatch` through `mod.rs`. What must stay true: nothing is decided on a board that the records do not
//! agree with; what is refused leaves a project untouched.

use std::sync::Arc;

use proto::error::{Error, Result};
use proto::task::{Answer, Request, Verb};

use super::board::Board;
use super::card::{Card, Remark};
use super::change::{self, Before, Ending};
use super::pen::{Decided, Kind, Pen, sweep};
use super::plan::{self, Laid};
use super::step::Step;
use super::store::Tasks;
use super::who::{self, Who};
use super::{Place, document, edit, import, rules, template};
use crate::db::Batch;
use crate::dispatch::Desk;

/// Answers a request that changes something.
///
/// # Errors
/// What the rules and the store say.
pub fn answer(
    desk: &Desk<'_>,
    place: &Place<'_>,
    asked: (&proto::Request, &Request),
) -> Result<proto::Answer> {
    answer_as(desk, place, asked, &proto::Answer::Task)
}

/// The same for a later room that records something of its own with the change ([`Place::enter`]) and answers with both:
/// `said` makes its answer of this room's.
///
/// # Errors
/// As [`answer`].
pub fn answer_as(
    desk: &Desk<'_>,
    place: &Place<'_>,
    (whole, what): (&proto::Request, &Request),
    said: &dyn Fn(Answer) -> proto::Answer,
) -> Result<proto::Answer> {
    let boards = &desk.ctx.boards;
    let slot = boards.slot(place.workspace);
    slot.set_terms(place.terms);
    let who = asking(desk, place)?;
    boards.heard(&who.actor, desk.ctx.world.monotonic());
    sweep(desk.ctx, place.workspace, &slot)?;
    let tasks = Tasks::new(&desk.ctx.db, place.workspace);
    let pen = Pen::new(&slot, tasks, &who);
    let outcome = desk.change(place.workspace, whole, |batch| {
        slot.load(tasks, who.deadline())?;
        if let Request::Note { id, text, to } = what {
            let noted = noted(&pen, batch, (id, text, to.as_deref()))?;
            (place.enter)(batch)?;
            return Ok(said(noted));
        }
        let scene = Scene {
            desk,
            place,
            tasks,
            who: &who,
        };
        let decided = slot.with(|board| scene.decide(board, what))?;
        (place.enter)(batch)?;
        let answer = pen.record(batch, decided)?;
        Ok(said(warned(answer, place.warnings)))
    });
    if outcome.is_err() {
        pen.regret();
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

/// The answer with what the caller should know of the workspace.
fn warned(mut answer: Answer, of_the_workspace: &[String]) -> Answer {
    if let Answer::Task { warnings, .. } | Answer::Planned { warnings, .. } = &mut answer {
        warnings.extend_from_slice(of_the_workspace);
    }
    answer
}

/// All that a decision may look at beside the board.
struct Scene<'a> {
    desk: &'a Desk<'a>,
    place: &'a Place<'a>,
    tasks: Tasks<'a>,
    who: &'a Who,
}

impl Scene<'_> {
    fn decide(&self, board: &Board, what: &Request) -> Result<Decided> {
        let Self {
            desk,
            place,
            tasks,
            who,
        } = *self;
        let mut chance = || {
            let mut four = [0; 4];
            desk.ctx.world.random(&mut four);
            four
        };
        let tree = place.tree.cloned();
        rules::checked(what, place.terms.require_validation)?;
        match what {
            Request::Add(new) => {
                let step = edit::add(board, who, new, tree, &mut chance)?;
                let target = step.first();
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
                let target = step.first();
                Ok(Decided {
                    step,
                    target,
                    kind: Kind::Import(outcome),
                })
            }
            Request::Next { specialists, .. } => {
                let declared = desk.ctx.boards.preferred(place.workspace, &who.actor);
                let step = change::claim(board, who, &change::sought(board, specialists, declared))?;
                let target = step.first();
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
            "it was changed in between, and is {} now",
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
        let Some(past) = tasks.past(&now.id, now.revision)? else {
            if now.revision > 1 {
                return Err(
                    Error::refused(format!("what `{}` was before is not known", now.id))
                        .why("its history does not reach there")
                        .next("`tocli task history` shows what is known; change it with `tocli task update`"),
                );
            }
            found.push(Before {
                now,
                card: None,
                texts: None,
            });
            continue;
        };
        let texts = match past.texts {
            true => Some((tasks.texts(&now.id)?, tasks.past_texts(&now.id, now.revision)?)),
            false => None,
        };
        found.push(Before {
            now,
            card: Some(past.before),
            texts,
        });
    }
    Ok(found)
}

fn noted(pen: &Pen<'_>, batch: &mut Batch, (id, text, to): (&str, &str, Option<&str>)) -> Result<Answer> {
    rules::text("note", text)?;
    if text.trim().is_empty() {
        return Err(Error::usage("an empty note").next("say what is to be remarked"));
    }
    if let Some(to) = to {
        rules::actor(to)?;
    }
    let Pen { slot, tasks, who, .. } = pen;
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
