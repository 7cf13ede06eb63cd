//! Old tasks as tasks of a board. Pure.
//!
//! What must stay true: what comes out obeys the rules of every board (`task/view.rs`), whatever came in; whatever is
//! not taken as it was is in the report.

use std::collections::{HashMap, HashSet};

use migrations::legacy::OldTask;
use proto::task::{Complexity, MAX_TITLE, Priority, Status};

use super::report::{Kind, Report};
use super::waits::{self, Groups};
use crate::task::board::Board;
use crate::task::card::Card;
use crate::task::rules::{self, MAX_AFTER, MAX_AFTER_BYTES, MAX_DEPTH};

/// Who made what comes from an old database.
pub const CREATOR: &str = "legacy";

/// What is known of an old id.
pub struct Known<'a> {
    /// The board as it is.
    pub board: &'a Board,
    /// The id that an old task got when it was imported before.
    pub imported: &'a dyn Fn(&str) -> Option<String>,
    /// Nanoseconds since 1970 UTC.
    pub now: i64,
}

/// What is to be recorded.
#[derive(Debug, Default)]
pub struct Laid {
    /// Which old task, and its card: groups and what comes first before the others.
    pub tasks: Vec<(usize, Card)>,
    /// Old ids and those here, of all that came in now or before.
    pub ids: HashMap<String, String>,
}

/// Where a task that something refers to is.
#[derive(Clone, Copy)]
enum Place {
    /// Among the new ones.
    New(usize),
    /// On the board, by its number among its cards.
    There(usize),
}

/// Lays tasks out.
#[must_use]
pub fn lay(known: &Known<'_>, olds: &[&OldTask], report: &mut Report) -> Laid {
    let mut plan = Plan::new(known, olds, report);
    plan.identify();
    plan.group();
    plan.wait();
    plan.settle();
    plan.finish()
}

struct Plan<'a, 'r> {
    known: &'a Known<'a>,
    olds: &'a [&'a OldTask],
    report: &'r mut Report,
    /// Cards of the board, in their order.
    there: Vec<&'a Card>,
    /// Indices of old tasks that come in.
    new: Vec<usize>,
    cards: Vec<Card>,
    parents: Vec<Option<Place>>,
    after: Vec<Vec<Place>>,
    by_old: HashMap<String, Place>,
    ids: HashMap<String, String>,
}

impl<'a, 'r> Plan<'a, 'r> {
    fn new(known: &'a Known<'a>, olds: &'a [&'a OldTask], report: &'r mut Report) -> Self {
        Self {
            known,
            olds,
            report,
            there: known.board.all(0).map(AsRef::as_ref).collect(),
            new: Vec::new(),
            cards: Vec::new(),
            parents: Vec::new(),
            after: Vec::new(),
            by_old: HashMap::new(),
            ids: HashMap::new(),
        }
    }

    /// Gives every old task its id here, or finds that it is here.
    fn identify(&mut self) {
        let places: HashMap<&str, usize> = self
            .there
            .iter()
            .enumerate()
            .map(|(at, card)| (card.id.as_str(), at))
            .collect();
        let mut given: HashSet<String> = HashSet::new();
        for (number, old) in self.olds.iter().enumerate() {
            self.report.found(Kind::Task);
            if self.by_old.contains_key(&old.id) || self.ids.contains_key(&old.id) {
                self.report
                    .skip(Kind::Task, &old.id, "another task before it has the same id");
                continue;
            }
            if let Some(id) = (self.known.imported)(&old.id) {
                self.report.there(Kind::Task);
                if let Some(at) = places.get(id.as_str()) {
                    self.by_old.insert(old.id.clone(), Place::There(*at));
                }
                self.ids.insert(old.id.clone(), id);
                continue;
            }
            let at = places.get(old.id.as_str()).copied();
            if let Some(at) = at.filter(|at| same(self.there[*at], old)) {
                self.report.there(Kind::Task);
                self.by_old.insert(old.id.clone(), Place::There(at));
                self.ids.insert(old.id.clone(), old.id.clone());
                continue;
            }
            let taken = |id: &str| places.contains_key(id) || given.contains(id);
            let id = own_id(&old.id, taken, self.report);
            given.insert(id.clone());
            let card = card(old, id.clone(), self.known.now, self.report);
            self.by_old.insert(old.id.clone(), Place::New(self.new.len()));
            self.ids.insert(old.id.clone(), id);
            self.new.push(number);
            self.cards.push(card);
        }
    }

    /// Finds every task its group; none where there is none, or where the groups would be too deep or stand in each other.
    fn group(&mut self) {
        for at in 0..self.new.len() {
            let old = self.olds[self.new[at]];
            let parent = old.parent.as_ref().and_then(|id| self.by_old.get(id).copied());
            if let (Some(id), None) = (&old.parent, parent) {
                let words = format!(
                    "`{}` belonged to `{id}`, which is not there: it stands alone",
                    old.id
                );
                self.report.warn(&words);
            }
            self.parents.push(parent);
        }
        for at in 0..self.new.len() {
            if self.depth(at).is_none() {
                self.parents[at] = None;
                let id = &self.olds[self.new[at]].id;
                let words =
                    format!("`{id}` stood in itself, or more than {MAX_DEPTH} deep: it stands alone now");
                self.report.warn(&words);
            }
        }
    }

    /// How deep a new task stands; none for too deep.
    fn depth(&self, at: usize) -> Option<usize> {
        let (mut depth, mut place) = (1, self.parents[at]);
        while let Some(above) = place {
            depth += 1;
            if depth > MAX_DEPTH {
                return None;
            }
            place = match above {
                Place::New(at) => self.parents[at],
                Place::There(at) => {
                    let id = self.there[at].parent.as_deref();
                    id.and_then(|id| self.there.iter().position(|card| card.id == id))
                        .map(Place::There)
                }
            };
        }
        Some(depth)
    }

    /// Keeps the dependencies that can be kept.
    fn wait(&mut self) {
        self.after = vec![Vec::new(); self.new.len()];
        let of_new: HashMap<usize, usize> = self.new.iter().enumerate().map(|(at, old)| (*old, at)).collect();
        let count = self.new.len();
        let number = |place: Place| match place {
            Place::New(at) => at,
            Place::There(at) => count + at,
        };
        let (mut wishes, mut names) = (Vec::new(), Vec::new());
        for (index, old) in self.olds.iter().enumerate() {
            let mut seen: HashSet<&str> = HashSet::new();
            for on in &old.after {
                self.report.found(Kind::Dependency);
                let name = format!("{} after {on}", old.id);
                let target = self.by_old.get(on).copied();
                let why = match (of_new.get(&index), target) {
                    _ if !seen.insert(on) => Some("it is named twice"),
                    (_, None) => Some("the task that it names is not there"),
                    (None, Some(target)) => {
                        self.kept_before(old, target, &name);
                        continue;
                    }
                    (Some(_), Some(_)) => None,
                };
                match (why, of_new.get(&index), target) {
                    (None, Some(at), Some(target)) => {
                        wishes.push((*at, number(target)));
                        names.push((name, target));
                    }
                    (why, ..) => self.report.skip(Kind::Dependency, &name, why.unwrap_or_default()),
                }
            }
        }
        let verdicts = self.verdicts(&wishes);
        let mut bytes = vec![0_usize; count];
        for (((at, _), keep), (name, target)) in wishes.into_iter().zip(verdicts).zip(names) {
            let length = self.id(target).len() + 1;
            let full = self.after[at].len() >= MAX_AFTER || bytes[at] + length > MAX_AFTER_BYTES;
            if keep && !full {
                bytes[at] += length;
                self.after[at].push(target);
                self.report.imported(Kind::Dependency);
                continue;
            }
            let why = match keep {
                false => "it closes a cycle: each of these tasks could be completed only after the next one",
                true => "a task has no room for so many",
            };
            self.report.skip(Kind::Dependency, &name, why);
        }
    }

    /// A dependency of a task that is here already.
    fn kept_before(&mut self, old: &OldTask, target: Place, name: &str) {
        let own = self.by_old.get(&old.id).copied();
        let has = match own {
            Some(Place::There(at)) => self.there[at].after.iter().any(|id| id == self.id(target)),
            _ => false,
        };
        if has {
            self.report.there(Kind::Dependency);
        } else {
            let why = "its task is here already, without it: it was left out then, or taken away since";
            self.report.skip(Kind::Dependency, name, why);
        }
    }

    fn id(&self, place: Place) -> &str {
        match place {
            Place::New(at) => &self.cards[at].id,
            Place::There(at) => &self.there[at].id,
        }
    }

    fn verdicts(&self, wishes: &[(usize, usize)]) -> Vec<bool> {
        let count = self.new.len();
        let by_id: HashMap<&str, usize> = self
            .there
            .iter()
            .enumerate()
            .map(|(at, card)| (card.id.as_str(), count + at))
            .collect();
        let mut parents: Vec<Option<usize>> = self
            .parents
            .iter()
            .map(|parent| match parent {
                Some(Place::New(at)) => Some(*at),
                Some(Place::There(at)) => Some(count + at),
                None => None,
            })
            .collect();
        let mut fixed = Vec::new();
        for (at, card) in self.there.iter().enumerate() {
            let parent = card.parent.as_deref().and_then(|id| by_id.get(id).copied());
            parents.push(parent);
            let after = card.after.iter().filter_map(|id| by_id.get(id.as_str()));
            fixed.extend(after.map(|on| (count + at, *on)));
        }
        let groups = Groups {
            parents: &parents,
            fixed: &fixed,
        };
        waits::kept(&groups, wishes)
    }

    /// Gives breakdowns their state, and opens what has something open in it.
    fn settle(&mut self) {
        let mut order: Vec<(usize, usize)> = (0..self.new.len())
            .map(|at| (self.depth(at).unwrap_or_default(), at))
            .collect();
        // The deepest first, so that what a group holds is settled before the group.
        order.sort_unstable_by(|one, other| other.cmp(one));
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.new.len()];
        for (at, parent) in self.parents.iter().enumerate() {
            if let Some(Place::New(above)) = parent {
                children[*above].push(at);
            }
        }
        let mut opened = 0_u64;
        for (_, at) in order {
            let open = children[at]
                .iter()
                .any(|child| self.cards[*child].status.is_open());
            let last = children[at]
                .iter()
                .filter_map(|child| self.cards[*child].finished)
                .max();
            let all_done =
                !children[at].is_empty() && children[at].iter().all(|child| self.cards[*child].satisfies());
            let card = &mut self.cards[at];
            if self.olds[self.new[at]].status.is_none() && all_done {
                (card.status, card.finished) = (Status::Completed, last);
                card.updated = card.updated.max(last.unwrap_or_default());
            }
            if open && !card.status.is_open() {
                (card.status, card.archived_from, card.finished) = (Status::Pending, None, None);
                opened += 1;
            }
        }
        if opened > 0 {
            self.report.warn(&format!(
                "{opened} closed tasks are pending again, because something in them is open"
            ));
        }
        for at in 0..self.new.len() {
            let closed =
                matches!(self.parents[at], Some(Place::There(above)) if !self.there[above].status.is_open());
            if closed && self.cards[at].status.is_open() {
                self.parents[at] = None;
                let words = format!("`{}` stands alone: its group is closed here", self.cards[at].id);
                self.report.warn(&words);
            }
        }
    }

    fn finish(self) -> Laid {
        let inner = |place: &Place| match place {
            Place::New(at) => Some(*at),
            Place::There(_) => None,
        };
        let parents: Vec<Option<usize>> = self
            .parents
            .iter()
            .map(|parent| parent.as_ref().and_then(inner))
            .collect();
        let after: Vec<Vec<usize>> = self
            .after
            .iter()
            .map(|after| after.iter().filter_map(inner).collect())
            .collect();
        let order = waits::order(&parents, &after);
        let names: Vec<(Option<String>, Vec<String>)> = (0..self.new.len())
            .map(|at| {
                let parent = self.parents[at].map(|place| self.id(place).to_owned());
                let after = self.after[at].iter().map(|place| self.id(*place).to_owned());
                (parent, after.collect())
            })
            .collect();
        let mut tasks = Vec::with_capacity(order.len());
        for at in order {
            let mut card = self.cards[at].clone();
            (card.parent, card.after) = names[at].clone();
            tasks.push((self.new[at], card));
            self.report.imported(Kind::Task);
        }
        Laid { tasks, ids: self.ids }
    }
}

/// Whether a task of the board is this very one, imported under its own id.
fn same(card: &Card, old: &OldTask) -> bool {
    card.created_by == CREATOR && Some(card.created) == old.created
}

/// The old id where it can be one here, else one made of its digest.
fn own_id(old: &str, taken: impl Fn(&str) -> bool, report: &mut Report) -> String {
    let (legal, free) = (rules::id(old).is_ok(), !taken(old));
    if legal && free {
        return old.to_owned();
    }
    let digest = blake3::hash(old.as_bytes()).to_hex();
    let made = (8..=digest.len()).map(|length| format!("legacy_{}", &digest[..length.min(56)]));
    let id = made.into_iter().find(|id| !taken(id)).unwrap_or_default();
    let why = match legal {
        true => "another task has this id",
        false => "it is no id here: those have 1 to 64 letters of A-Z a-z 0-9 . _ -",
    };
    report.mapped(Kind::Task, (old, &id), why);
    id
}

fn card(old: &OldTask, id: String, now: i64, report: &mut Report) -> Card {
    let (status, archived_from) = status(old, report);
    let created = old.created.unwrap_or(now);
    let finished = if status.is_open() { None } else { old.completed };
    Card {
        title: title(&old.title),
        specialist: specialist(&old.specialist),
        status,
        archived_from,
        priority: Priority::Medium,
        complexity: Complexity::parse(old.complexity.trim()),
        effort: effort(&old.effort),
        labels: Vec::new(),
        created_by: CREATOR.to_owned(),
        created,
        updated: [old.updated, old.completed]
            .into_iter()
            .flatten()
            .fold(created, i64::max),
        started: None,
        finished,
        hold: None,
        attempts: 0,
        revision: 1,
        change: 0,
        born: 0,
        reason: None,
        parent: None,
        after: Vec::new(),
        id,
    }
}

fn status(old: &OldTask, report: &mut Report) -> (Status, Option<Status>) {
    let word = old
        .status
        .as_deref()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let plain = |status| (status, None);
    match word.as_str() {
        "" | "pending" | "planned" | "todo" | "open" | "new" => plain(Status::Pending),
        "active" | "in_progress" | "in progress" | "running" | "started" => {
            report.warn(&format!(
                "`{}` was {word}; nobody holds it now, so it is pending",
                old.id
            ));
            plain(Status::Pending)
        }
        "completed" | "complete" | "done" => plain(Status::Completed),
        "needs_revision" | "needs revision" => plain(Status::NeedsRevision),
        "blocked" => plain(Status::Blocked),
        "failed" => plain(Status::Failed),
        "cancelled" | "canceled" => plain(Status::Cancelled),
        "archived" => {
            let from = if old.completed.is_some() {
                Status::Completed
            } else {
                Status::Pending
            };
            (Status::Archived, Some(from))
        }
        _ => {
            report.warn(&format!(
                "`{}` was `{word}`, which is no state here: it is pending",
                old.id
            ));
            plain(Status::Pending)
        }
    }
}

fn title(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let (line, _) = rules::cut(line.trim(), MAX_TITLE);
    if line.trim().is_empty() {
        return "(without a title)".to_owned();
    }
    line.trim().to_owned()
}

fn specialist(name: &str) -> String {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let kept: String = name
        .trim()
        .chars()
        .map(|letter| if legal(letter) { letter } else { '-' })
        .take(rules::MAX_SPECIALIST)
        .collect();
    if kept.is_empty() {
        return rules::GENERIC.to_owned();
    }
    kept
}

/// The old program wrote `Unknown` where nobody had said anything.
fn effort(text: &str) -> Option<String> {
    let line: String = text.chars().filter(|letter| !letter.is_control()).collect();
    let (line, _) = rules::cut(line.trim(), rules::MAX_EFFORT);
    (!line.is_empty() && !line.eq_ignore_ascii_case("unknown")).then(|| line.trim().to_owned())
}

#[cfg(test)]
mod tests;
