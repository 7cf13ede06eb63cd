//! The reading door: answered from the book of the workspace, texts from the records.
//!
//! What must stay true: nothing is written, also not into the project; every answer fits into a frame.

use proto::decision::{Answer, Decision, Detail, Filter, Hit, MAX_PAGE, MAX_PATHS, Request};
use proto::error::{Error, Result};

use super::book::Book;
use super::mirror::Files;
use super::store::Decisions;
use super::{Place, paths};
use crate::dispatch::Desk;

/// The most bytes of the decisions of one answer, so that it fits into a frame.
const MAX_BYTES: usize = 700 << 10;

/// Answers a request that changes nothing.
///
/// # Errors
/// `NotFound`, `Usage`, and what the store says.
pub(super) fn answer(desk: &Desk<'_>, place: &Place<'_>, what: &Request) -> Result<Answer> {
    let ctx = desk.ctx;
    let book = ctx.decisions.book(&ctx.db, place.workspace)?;
    let decisions = Decisions::new(&ctx.db, place.workspace);
    match what {
        Request::List {
            filter,
            limit,
            cursor,
        } => {
            let limit = page(*limit)?;
            let path = path_of(place, filter)?;
            let all = book.newest(filter, path.as_deref(), *cursor).cloned();
            Ok(bounded(all, limit))
        }
        Request::For { paths } => Ok(bounded(in_force(place, &book, paths)?.into_iter(), usize::MAX)),
        Request::Search { words, filter, limit } => {
            let limit = page(*limit)?;
            let path = path_of(place, filter)?;
            if super::search::words(words).next().is_none() {
                return Err(Error::usage("a search without a word")
                    .next("give words to look for; `tocli decision list` shows all"));
            }
            let found = book.search(decisions, words, filter, path.as_deref())?;
            Ok(Answer::Hits(hits(&book, found, limit)))
        }
        Request::Show { which } => {
            let number = book.number(which)?;
            let card = decisions
                .card(number)?
                .ok_or_else(|| Error::unavailable("the decision is being changed").next("repeat it"))?;
            let files = Files::new(ctx, place);
            Ok(Answer::Detail(Box::new(Detail {
                brief: card.brief(),
                file: files.path(number, &card.title),
                file_state: files.state(number, &card.title)?,
                context: card.context,
                decision: card.decision,
                rationale: card.rationale,
                alternatives: card.alternatives,
                consequences: card.consequences,
                risks: card.risks,
                history: card.history,
            })))
        }
        Request::Files { .. } => files(place, desk, &book),
        Request::Record { .. } | Request::Change { .. } => {
            Err(Error::bug("a changing request came to the reading door"))
        }
    }
}

/// How the files are.
pub(super) fn files(place: &Place<'_>, desk: &Desk<'_>, book: &Book) -> Result<Answer> {
    let files = Files::new(desk.ctx, place);
    let everything = Filter::default();
    let mut all: Vec<(u64, String)> = book
        .newest(&everything, None, None)
        .map(|found| (found.number, found.title.clone()))
        .collect();
    all.reverse();
    let mut found = files.all(all.into_iter())?;
    let mut warnings = Vec::new();
    let mut bytes = 0;
    let fit = found.iter().take_while(|file| {
        bytes += file.name.as_bytes().len() + 16;
        bytes <= MAX_BYTES
    });
    let fit = fit.count();
    if fit < found.len() {
        warnings.push(format!("{} more files are not shown", found.len() - fit));
        found.truncate(fit);
    }
    Ok(Answer::Files {
        folder: files.folder(),
        files: found,
        written: 0,
        warnings,
    })
}

fn page(limit: u32) -> Result<usize> {
    match limit {
        1..=MAX_PAGE => Ok(limit as usize),
        _ => {
            Err(Error::usage(format!("a limit of {limit}"))
                .why(format!("a page has 1 to {MAX_PAGE} decisions")))
        }
    }
}

/// The path of a filter, from the root.
fn path_of(place: &Place<'_>, filter: &Filter) -> Result<Option<String>> {
    let path = filter.path.as_ref();
    path.map(|path| paths::relative(place.tree, path)).transpose()
}

fn in_force(place: &Place<'_>, book: &Book, asked: &[proto::RawPath]) -> Result<Vec<Decision>> {
    if asked.is_empty() || asked.len() > MAX_PATHS {
        return Err(Error::usage(format!("{} paths", asked.len()))
            .why(format!("one question asks for 1 to {MAX_PATHS}"))
            .next("ask for some of them at a time"));
    }
    let asked: Vec<String> = asked
        .iter()
        .map(|path| paths::relative(place.tree, path))
        .collect::<Result<_>>()?;
    Ok(book.in_force_for(&asked).cloned().collect())
}

/// As many as fit, and where the next page begins.
fn bounded(all: impl Iterator<Item = Decision>, limit: usize) -> Answer {
    let mut decisions: Vec<Decision> = Vec::new();
    let mut bytes = 0;
    for found in all {
        let size = size(&found);
        if decisions.len() == limit || (bytes + size > MAX_BYTES && !decisions.is_empty()) {
            return Answer::Decisions {
                next_cursor: decisions.last().map(|last| last.number),
                decisions,
            };
        }
        bytes += size;
        decisions.push(found);
    }
    Answer::Decisions {
        decisions,
        next_cursor: None,
    }
}

fn hits(book: &Book, found: Vec<super::search::Hit>, limit: usize) -> Vec<Hit> {
    let mut hits: Vec<Hit> = Vec::new();
    let mut bytes = 0;
    for hit in found.into_iter().take(limit) {
        let Some(decision) = book.get(hit.number) else {
            continue;
        };
        bytes += size(decision);
        if bytes > MAX_BYTES && !hits.is_empty() {
            break;
        }
        hits.push(Hit {
            decision: decision.clone(),
            score: thousandths(hit.score),
            matched: hit.matched,
        });
    }
    hits
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a score is positive and small"
)]
fn thousandths(score: f64) -> u64 {
    (score * 1000.0).round() as u64
}

/// About how many bytes a decision takes in an answer.
fn size(found: &Decision) -> usize {
    const FIXED: usize = 160;
    let lists = found.paths.iter().chain(&found.components).chain(&found.tags);
    FIXED
        + found.title.len()
        + found.gist.len()
        + found.id.len()
        + found.actor.len()
        + lists.map(|text| text.len() + 2).sum::<usize>()
        + 12 * found.links.len()
}
