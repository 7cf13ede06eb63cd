//! The reading door: pages, trees, reports, from the board; long texts from the records.
//!
//! What must stay true: every answer fits into a frame and says what it left out; nothing here changes anything.

use std::sync::Arc;

use proto::error::{Error, Result};
use proto::task::{Answer, Detail, Filter, Finding, Request, Status, Synthesis, TreeLine};

use super::board::Board;
use super::card::Card;
use super::change::{best, sought};
use super::query::{self, MAX_BYTES};
use super::rules;
use super::shown::{self, Moment};
use super::store::Tasks;
use super::{Place, prompt, template};
use crate::dispatch::{Desk, hold};

/// How many notes are shown with a task.
const NOTES: usize = 20;
/// The most bytes of the notes shown with a task.
const NOTES_BYTES: usize = 64 << 10;
/// The most bytes of a summary in a report.
const SUMMARY: usize = 4 << 10;

/// Answers a request that changes nothing.
///
/// # Errors
/// What the rules and the store say.
pub fn answer(desk: &Desk<'_>, place: &Place<'_>, what: &Request) -> Result<Answer> {
    let slot = desk.ctx.boards.slot(place.workspace);
    slot.set_terms(place.terms);
    let who = super::write::asking(desk, place)?;
    desk.ctx.boards.heard(&who.actor, desk.ctx.world.monotonic());
    let tasks = Tasks::new(&desk.ctx.db, place.workspace);
    if !slot.is_ready() {
        let lock = desk.ctx.locks.of(place.workspace);
        let _held = hold(&lock);
        slot.load(tasks, who.deadline())?;
    }
    let at = Moment {
        now: who.now,
        running: who.running,
    };
    if let Request::Next { specialists, .. } = what {
        let declared = desk.ctx.boards.preferred(place.workspace, &who.actor);
        return slot.with(|board| next(board, tasks, (specialists, declared, &who.actor), at));
    }
    slot.with(|board| read(board, tasks, place, what, at))
}

fn next(
    board: &Board,
    tasks: Tasks<'_>,
    (named, declared, actor): (&[String], Vec<String>, &str),
    at: Moment,
) -> Result<Answer> {
    let sought = sought(board, named, declared);
    Ok(Answer::Next {
        task: Box::new(detail(board, tasks, best(board, &sought, actor)?, at)?),
        others: board.ready_count(named).saturating_sub(1) as u64,
    })
}

fn read(board: &Board, tasks: Tasks<'_>, place: &Place<'_>, what: &Request, at: Moment) -> Result<Answer> {
    Ok(match what {
        Request::List {
            filter,
            limit,
            cursor,
        } => list(board, tasks, filter, (*limit, cursor.as_deref()), at)?,
        Request::Show { id } => Answer::Detail(Box::new(detail(board, tasks, board.card(id)?, at)?)),
        Request::Tree { root, all } => tree(board, root.as_deref(), *all)?,
        Request::History { id, limit } => history(board, tasks, id, *limit)?,
        Request::Stats => Answer::Stats(query::stats(board)),
        Request::Synthesize { id } => {
            Answer::Synthesis(Box::new(synthesis(board, tasks, board.card(id)?, at)?))
        }
        Request::Execute { id, budget } => execute(board, tasks, place, (id, *budget as usize), at)?,
        Request::Templates => Answer::Templates(template::all()?),
        Request::Template { name } => Answer::Template {
            name: name.clone(),
            text: template::text(name)?.to_owned(),
        },
        _ => return Err(Error::bug("a changing request came to the reading door")),
    })
}

fn list(
    board: &Board,
    tasks: Tasks<'_>,
    filter: &Filter,
    (limit, cursor): (u32, Option<&str>),
    at: Moment,
) -> Result<Answer> {
    if let Some(parent) = &filter.parent {
        board.card(parent)?;
    }
    let words = filter.text.as_deref().map(query::words).unwrap_or_default();
    let speaks = |card: &Card| -> Result<bool> {
        let labels = card.labels.join(" ");
        let known = [card.id.as_str(), &card.title, &labels];
        if words.is_empty() || query::speaks_of(&words, &known) {
            return Ok(true);
        }
        let texts = tasks.texts(&card.id)?;
        let [id, title, labels] = known;
        Ok(query::speaks_of(&words, &[id, title, labels, &texts.description]))
    };
    let page = (query::from(cursor)?, query::limit(limit)?);
    let (tasks, next_cursor) = query::page(board, filter, page, at, speaks)?;
    Ok(Answer::Tasks { tasks, next_cursor })
}

/// A task with its texts.
///
/// # Errors
/// `Unavailable` when they cannot be read.
pub fn detail(board: &Board, tasks: Tasks<'_>, card: &Card, at: Moment) -> Result<Detail> {
    const NAMED: usize = 1000;
    let texts = tasks.texts(&card.id)?;
    let (mut remarks, mut older) = tasks.remarks(&card.id, NOTES)?;
    let mut bytes: usize = remarks.iter().map(|remark| remark.text.len()).sum();
    while bytes > NOTES_BYTES && remarks.len() > 1 {
        bytes -= remarks.remove(0).text.len();
        older += 1;
    }
    Ok(Detail {
        task: shown::task(board, card, at),
        description: texts.description,
        context: texts.context,
        summary: texts.summary,
        links: texts.links,
        tree: texts.tree,
        notes: remarks.into_iter().map(shown::note).collect(),
        older_notes: u32::try_from(older).unwrap_or(u32::MAX),
        children: board
            .children(&card.id)
            .take(NAMED)
            .map(|card| card.id.clone())
            .collect(),
        blocks: board
            .dependents(&card.id)
            .take(NAMED)
            .map(|card| card.id.clone())
            .collect(),
    })
}

fn tree(board: &Board, root: Option<&str>, all: bool) -> Result<Answer> {
    let wanted = |card: &Card| match all {
        true => true,
        false => card.status.is_open() || board.children_of(&card.id).1 > 0,
    };
    let mut open: Vec<(u32, &Arc<Card>)> = match root {
        Some(id) => vec![(0, board.card(id)?)],
        None => board
            .all(0)
            .filter(|card| card.parent.is_none() && wanted(card))
            .map(|card| (0, card))
            .collect(),
    };
    open.reverse();
    let (mut lines, mut bytes, mut left_out) = (Vec::<TreeLine>::new(), 0, 0);
    while let Some((depth, card)) = open.pop() {
        bytes += 120 + card.title.len();
        match bytes <= MAX_BYTES {
            true => lines.push(shown::line(board, card, depth)),
            false => left_out += 1,
        }
        // Below a named root everything that is not put away belongs to the picture.
        let belongs = |child: &&Arc<Card>| match root {
            Some(_) => all || child.status != Status::Archived,
            None => wanted(child),
        };
        let below: Vec<&Arc<Card>> = board.children(&card.id).filter(belongs).collect();
        open.extend(below.into_iter().rev().map(|child| (depth + 1, child)));
    }
    Ok(Answer::Tree { lines, left_out })
}

fn history(board: &Board, tasks: Tasks<'_>, id: &str, limit: u32) -> Result<Answer> {
    let card = board.card(id)?;
    let limit = query::limit(limit)? as u64;
    let mut entries = Vec::new();
    for revision in (1..=card.revision)
        .rev()
        .take_while(|revision| card.revision - revision < limit)
    {
        match tasks.past(&card.id, revision)? {
            Some(past) => entries.push(shown::entry(past, revision)),
            None if revision == 1 => entries.push(shown::made(card)),
            None => {}
        }
    }
    Ok(Answer::History(entries))
}

fn synthesis(board: &Board, tasks: Tasks<'_>, card: &Arc<Card>, at: Moment) -> Result<Synthesis> {
    let mut report = Synthesis {
        task: shown::task(board, card, at),
        finished: true,
        done: Vec::new(),
        open: Vec::new(),
        left_out: 0,
    };
    let mut below = board.subtree(&card.id);
    if below.len() > 1 {
        below.remove(0);
    }
    let mut bytes = 0;
    for one in below.iter().filter(|one| one.status != Status::Archived) {
        let done = one.status == Status::Completed;
        report.finished &= done;
        let text = match done {
            true => rules::cut(&tasks.texts(&one.id)?.summary, SUMMARY).0.to_owned(),
            false => why_not(board, one),
        };
        bytes += 120 + one.title.len() + text.len();
        if bytes > MAX_BYTES {
            report.left_out += 1;
            continue;
        }
        let finding = Finding {
            id: one.id.clone(),
            title: one.title.clone(),
            status: one.status,
            text,
        };
        match done {
            true => report.done.push(finding),
            false => report.open.push(finding),
        }
    }
    Ok(report)
}

fn why_not(board: &Board, card: &Card) -> String {
    const NAMED: usize = 5;
    if let Some(reason) = &card.reason {
        return reason.clone();
    }
    if let Some(hold) = &card.hold {
        return format!("held by `{}`", hold.actor);
    }
    let waiting = board.waiting_for(card);
    match waiting.len() {
        0 if board.is_ready(&card.id) => "ready, and nobody has taken it".to_owned(),
        0 => String::new(),
        1..=NAMED => format!("waits for {}", waiting.join(", ")),
        more => format!(
            "waits for {} and {} more",
            waiting[..NAMED].join(", "),
            more - NAMED
        ),
    }
}

/// What a task builds on: what it depends on itself, then what its groups do, each once.
#[must_use]
pub fn built_on<'a>(board: &'a Board, card: &'a Card) -> Vec<&'a Arc<Card>> {
    let groups = board.ancestors(card).map(|group| &group.after);
    let mut found: Vec<&Arc<Card>> = Vec::new();
    for id in std::iter::once(&card.after).chain(groups).flatten() {
        if let Some(one) = board.find(id)
            && !found.iter().any(|other| other.id == one.id)
        {
            found.push(one);
        }
    }
    found
}

fn execute(
    board: &Board,
    tasks: Tasks<'_>,
    place: &Place<'_>,
    (id, budget): (&str, usize),
    at: Moment,
) -> Result<Answer> {
    let card = board.card(id)?;
    let budget = prompt::budget(budget)?;
    let mut results = Vec::new();
    for done in built_on(board, card) {
        results.push(prompt::Source {
            id: done.id.clone(),
            title: done.title.clone(),
            status: done.status,
            summary: tasks.texts(&done.id)?.summary,
        });
    }
    let role = place.role(&card.specialist);
    let (notes, _) = tasks.remarks(&card.id, NOTES)?;
    let groups: Vec<String> = board.ancestors(card).map(|group| group.title.clone()).collect();
    let about = prompt::About {
        card,
        texts: &tasks.texts(&card.id)?,
        groups: &groups,
        notes: &notes,
        results: &results,
    };
    let made = prompt::write(role.as_ref(), &about, budget);
    Ok(Answer::Prompt {
        task: Box::new(shown::task(board, card, at)),
        prompt: made.text,
        shortened: made.shortened,
    })
}
