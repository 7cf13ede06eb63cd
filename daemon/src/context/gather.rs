//! What `prime`, `context` and `handover` say, gathered from records, from the index and from git's own files.
//!
//! Asked by `dispatch` as a stream, because the index of a tree may have to be waited for. What must stay true: nothing is
//! written; every text from a record, from git or from a file name is quoted; what could not be looked at is said to be
//! unknown; what git contradicts is said.

use std::sync::Arc;
use std::time::Duration;

use proto::RawPath;
use proto::context::{Answer, Call, MAX_PRIME, Request};
use proto::error::{Error, Result};
use proto::index::{ChangeKind, Since};
use proto::workspace::Which;

use super::Place;
use super::budget::{self, Budget, Fitted};
use super::repository::Repository;
use super::session;
use super::tell;
use crate::ctx::Ctx;
use crate::detect::has_older;
use crate::dispatch::{self, Ask, Desk, hold};
use crate::index::door::{AtHand, at_hand};
use crate::server::Sink;
use crate::task::board::Board;
use crate::workspace;

/// How long the index of a tree is waited for, when nobody waits less.
const PATIENCE: Duration = Duration::from_millis(150);
/// The least and the most tokens that may be asked for.
const TOKENS: std::ops::RangeInclusive<u32> = 100..=100_000;
/// The most characters of `context` and `handover`.
const MOST: usize = 300_000;

/// One request whose answer is a text.
///
/// # Errors
/// What detection, the registry and the store say; `NotFound` for a task that is none.
pub async fn answer(ctx: Arc<Ctx>, ask: Ask, call: Call, _sink: Sink) -> Result<proto::Answer> {
    let primes = matches!(call.what, Request::Prime { .. });
    let left = ask
        .deadline
        .map(|deadline| deadline.saturating_duration_since(tokio::time::Instant::now()) / 3);
    let patience = left.unwrap_or(PATIENCE).min(PATIENCE);
    let tree = match &call.at {
        Which::Named(_) => None,
        Which::At(from) => match at_hand(&ctx, &ask, from.clone(), patience).await? {
            Some(tree) => Some(tree),
            None if primes => return Ok(proto::Answer::Context(text(Fitted::default(), None))),
            None => None,
        },
    };
    dispatch::on_pool(&ctx, &ask, move |desk| told(desk, call, tree)).await
}

fn text(fitted: Fitted, root: Option<RawPath>) -> Answer {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Answer::Text {
        text: fitted.text,
        tokens_at_most: count(fitted.tokens),
        left_out: fitted
            .left_out
            .into_iter()
            .map(|(section, lines)| (section, count(lines)))
            .collect(),
        root,
    }
}

fn told(desk: &Desk<'_>, call: Call, tree: Option<AtHand>) -> Result<proto::Answer> {
    let whole = proto::Request::Context(Box::new(call));
    workspace::with_registry(desk, &whole, |registry| {
        let proto::Request::Context(call) = &whole else {
            return Err(Error::bug("a request came to a room that it does not belong to"));
        };
        let scope = workspace::scope(registry, &call.at)?;
        super::placed(desk, registry, &scope, |place| {
            let tokens = match &call.what {
                Request::Prime { budget }
                | Request::Recover { budget, .. }
                | Request::Handover { budget, .. } => *budget,
                _ => return Err(Error::bug("a request came to a door that it does not belong to")),
            };
            if !TOKENS.contains(&tokens) {
                return Err(Error::usage(format!("a budget of {tokens} tokens"))
                    .why(format!("it has {} to {}", TOKENS.start(), TOKENS.end()))
                    .next("choose one within these"));
            }
            let since = beginning(place, &call.what)?;
            let now = Now::look(place, tree.as_ref(), since);
            let characters = match call.what {
                Request::Prime { .. } => MAX_PRIME,
                _ => MOST,
            };
            let budget = Budget {
                tokens: tokens as usize,
                characters,
            };
            let older = match &call.at {
                Which::At(from) => registry.detect(from).is_ok_and(|found| has_older(&found)),
                Which::Named(_) => false,
            };
            let (head, sections) = with_board(place, |board| match &call.what {
                Request::Recover { task, .. } => tell::task(place, board, &now, task),
                Request::Handover { task: Some(task), .. } => tell::handed_over(place, board, &now, task),
                Request::Handover { task: None, .. } => tell::project(place, board, &now),
                _ => tell::prime(place, board, &now, older),
            })?;
            let root = Some(RawPath::from(place.tree));
            Ok(proto::Answer::Context(text(
                budget::fit(&head, &sections, budget),
                root,
            )))
        })
    })
}

/// The board of the workspace, loaded when it is not.
fn with_board<T>(place: &Place<'_>, ask: impl FnOnce(&Board) -> Result<T>) -> Result<T> {
    let slot = place.ctx.boards.slot(place.workspace);
    if !slot.is_ready() {
        let lock = place.ctx.locks.of(place.workspace);
        let _held = hold(&lock);
        let running = place.ctx.boards.running(place.ctx.world.monotonic());
        slot.load(place.tasks(), running + slot.terms().lease)?;
    }
    slot.with(ask)
}

/// The moment since which things are told: the end of the last session before the caller's own, or what the task began
/// with.
fn beginning(place: &Place<'_>, what: &Request) -> Result<i64> {
    if let Request::Recover { task, .. } | Request::Handover { task: Some(task), .. } = what {
        let card = place.tasks().card(task)?;
        return Ok(card.started.unwrap_or(card.created));
    }
    let mut all = place.ctx.sessions.all_of(place.workspace);
    let own = all
        .iter()
        .find(|session| session.actor == place.actor)
        .map_or(place.now, |session| session.started);
    for session in session::ended(&place.ctx.db, place.workspace) {
        all.push(session?);
    }
    let before = all
        .iter()
        .filter(|session| session.started < own && session.seen <= own);
    Ok(before.map(|session| session.seen).max().unwrap_or(own))
}

/// The files that changed.
#[derive(Debug)]
pub(super) enum Changed {
    /// Not known, and why.
    Unknown(&'static str),
    /// These: mark and path; whether deletions are among them.
    Known { files: Vec<(char, RawPath)>, all: bool },
}

/// The state of the checkout now.
pub(super) struct Now {
    /// Nanoseconds since 1970 UTC.
    pub(super) since: i64,
    pub(super) changed: Changed,
    pub(super) repository: Option<Repository>,
}

impl Now {
    fn look(place: &Place<'_>, tree: Option<&AtHand>, since: i64) -> Self {
        let changed = match tree {
            None => Changed::Unknown("the checkout was not looked at"),
            Some(tree) if !tree.ready => Changed::Unknown("the files are still being read"),
            Some(tree) => changes(tree, since),
        };
        Self {
            since,
            changed,
            repository: Repository::read(&*place.ctx.world, place.tree),
        }
    }

    /// The changed paths, as text.
    pub(super) fn paths(&self) -> Vec<String> {
        match &self.changed {
            Changed::Unknown(_) => Vec::new(),
            Changed::Known { files, .. } => files
                .iter()
                .map(|(_, path)| path.display().into_owned())
                .collect(),
        }
    }
}

fn changes(tree: &AtHand, since: i64) -> Changed {
    let Ok(found) = tree.tree.changes(&Since::Time(since)) else {
        return Changed::Unknown("the index could not say");
    };
    // What the index has not watched is judged by the times of the files: those that are gone leave none.
    let all = found.fresh.is_none();
    let recent = |change: &&proto::index::Change| all || change.mtime.is_some_and(|mtime| mtime > since);
    let mut files: Vec<(i64, char, RawPath)> = found
        .changes
        .iter()
        .filter(recent)
        // What we write into a project ourselves is told by its records.
        .filter(|change| !change.path.as_path().starts_with(workspace::folder::NAME))
        .map(|change| {
            let mark = match change.kind {
                _ if !all => 'M',
                ChangeKind::Created => 'A',
                ChangeKind::Modified => 'M',
                ChangeKind::Deleted => 'D',
                ChangeKind::Renamed => 'R',
            };
            (change.mtime.unwrap_or(i64::MAX), mark, change.path.clone())
        })
        .collect();
    files.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.2.cmp(&other.2)));
    Changed::Known {
        files: files.into_iter().map(|(_, mark, path)| (mark, path)).collect(),
        all,
    }
}
