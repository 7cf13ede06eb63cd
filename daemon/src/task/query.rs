//! Which tasks a list shows, and its pages. Pure.
//!
//! What must stay true: a page is bounded in number and in bytes; pages read one after another show every task once
//! that matched all the while, because their order is that in which tasks were made, which never changes.

use proto::task::{Filter, MAX_PAGE, Status, Task};
use proto::{Error, error::Result};

use super::board::Board;
use super::card::Card;
use super::rules::shown;
use super::shown::{self as show, Moment};

/// The most bytes of the tasks of one answer, so that it fits into a frame.
pub const MAX_BYTES: usize = 700 << 10;

/// How large a page may be.
///
/// # Errors
/// `Usage` outside 1 to [`MAX_PAGE`].
pub fn limit(limit: u32) -> Result<usize> {
    match limit {
        1..=MAX_PAGE => Ok(limit as usize),
        _ => {
            Err(Error::usage(format!("a limit of {limit}")).why(format!("a page has 1 to {MAX_PAGE} tasks")))
        }
    }
}

/// Where a page begins.
///
/// # Errors
/// `Usage` for what no page before has named.
pub fn from(cursor: Option<&str>) -> Result<u64> {
    let Some(cursor) = cursor else { return Ok(0) };
    cursor
        .strip_prefix('n')
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| {
            Error::usage(format!("`{}` is no cursor", shown(cursor)))
                .next("take `next_cursor` of the page before")
        })
}

/// Whether a card belongs into a list, its long texts apart.
#[must_use]
pub fn matches(board: &Board, card: &Card, filter: &Filter) -> bool {
    let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
    let status = match filter.status.as_slice() {
        [] => filter.all || card.status.is_open(),
        wanted => wanted.contains(&card.status),
    };
    status
        && is(&filter.specialist, &card.specialist)
        && filter
            .parent
            .as_ref()
            .is_none_or(|parent| card.parent.as_ref() == Some(parent))
        && filter
            .label
            .as_ref()
            .is_none_or(|label| card.labels.contains(label))
        && filter.actor.as_ref().is_none_or(|actor| concerns(card, actor))
        && filter.changed_before.is_none_or(|before| card.updated < before)
        && filter.changed_since.is_none_or(|since| card.updated >= since)
        && (!filter.ready || board.is_ready(&card.id))
        && (!filter.waiting || (card.status.is_open() && !board.waiting_for(card).is_empty()))
}

fn concerns(card: &Card, actor: &str) -> bool {
    card.created_by == actor || card.hold.as_ref().is_some_and(|hold| hold.actor == actor)
}

/// Whether all of `words` (in lower case) stand in a text.
#[must_use]
pub fn speaks_of(words: &[String], texts: &[&str]) -> bool {
    let text = texts.join("\n").to_lowercase();
    words.iter().all(|word| text.contains(word))
}

/// The words of a search.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

/// A page of tasks and where the next one begins. `also` judges what the card alone does not say.
///
/// # Errors
/// What `also` says.
pub fn page(
    board: &Board,
    filter: &Filter,
    (from, limit): (u64, usize),
    at: Moment,
    mut also: impl FnMut(&Card) -> Result<bool>,
) -> Result<(Vec<Task>, Option<String>)> {
    let mut tasks: Vec<Task> = Vec::new();
    let mut bytes = 0;
    for card in board.all(from).filter(|card| matches(board, card, filter)) {
        if !also(card)? {
            continue;
        }
        if tasks.len() == limit || bytes > MAX_BYTES {
            return Ok((tasks, Some(format!("n{}", card.born))));
        }
        let task = show::task(board, card, at);
        bytes += size(&task);
        tasks.push(task);
    }
    Ok((tasks, None))
}

/// About how many bytes a task takes in an answer.
#[must_use]
pub fn size(task: &Task) -> usize {
    const FIXED: usize = 160;
    let lists = task.waiting_for.iter().chain(&task.after).chain(&task.labels);
    let claim = task.claim.as_ref().map_or(0, |claim| claim.actor.len());
    FIXED
        + task.title.len()
        + task.id.len()
        + task.specialist.len()
        + task.created_by.len()
        + claim
        + task.reason.as_ref().map_or(0, String::len)
        + lists.map(|text| text.len() + 1).sum::<usize>()
}

/// How many of these tasks have each status: only those that are not zero.
#[must_use]
pub fn by_status<'a>(cards: impl Iterator<Item = &'a Card>) -> Vec<(String, u64)> {
    let mut counts = [0_u64; Status::ALL.len()];
    for card in cards {
        counts[card.status as usize] += 1;
    }
    Status::ALL
        .iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| (status.word().to_owned(), count))
        .collect()
}

/// Counts for `stats`.
#[must_use]
pub fn stats(board: &Board) -> proto::task::Stats {
    let mut by_specialist = std::collections::BTreeMap::new();
    let mut waiting = 0;
    let mut taken: Vec<i64> = Vec::new();
    for card in board.all(0) {
        if card.status.is_open() {
            *by_specialist.entry(card.specialist.clone()).or_insert(0) += 1;
            waiting += u64::from(!board.waiting_for(card).is_empty());
        }
        if let (Status::Completed, Some(started), Some(finished)) = (card.status, card.started, card.finished)
        {
            taken.push(finished.saturating_sub(started));
        }
    }
    taken.sort_unstable();
    let median = taken
        .get(taken.len() / 2)
        .map(|nanos| u64::try_from(nanos / 1_000_000_000).unwrap_or_default());
    proto::task::Stats {
        total: board.len() as u64,
        by_status: by_status(board.all(0).map(AsRef::as_ref)),
        by_specialist: by_specialist.into_iter().collect(),
        ready: board.ready_count(&[]) as u64,
        waiting,
        claimed: board.held() as u64,
        median_seconds: median,
    }
}
