//! The board of one workspace: an index over its task records, in memory. Pure, but for being told things.
//!
//! Asked by every request of the room. It answers what no single record can: what is ready, what waits for what, what
//! comes next. What must stay true: it is derived, so that a board loaded anew from the records answers the same
//! (`same_as` in the tests); whoever holds a task is in `holds` with a deadline.

mod keep;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use proto::task::{Priority, Status};
use proto::{Error, error::Result};

use super::card::Card;
use super::rules::{MAX_DEPTH, shown};

/// The place in the queue: smaller is sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    priority: Priority,
    /// How many open tasks wait for it, the most first.
    unblocks: std::cmp::Reverse<u32>,
    /// Age; also the task itself.
    born: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    card: Arc<Card>,
    /// In the order they were made.
    children: BTreeSet<u64>,
    open_children: u32,
    /// Who depends on it directly.
    dependents: BTreeSet<u64>,
    open_dependents: u32,
    rank: Option<Rank>,
}

/// What is known of a lease beside the record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lease {
    actor: String,
    /// In the daemon's running time.
    deadline: Duration,
}

/// All tasks of one workspace.
#[derive(Debug, Default)]
pub struct Board {
    ids: HashMap<String, u64>,
    nodes: BTreeMap<u64, Node>,
    ready: BTreeMap<String, BTreeSet<Rank>>,
    leases: HashMap<u64, Lease>,
    next_born: u64,
    /// How many changes the workspace has seen: the records say the same, or the board is out of date.
    pub changes: u64,
}

/// One task as it will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// New or changed.
    Put(Arc<Card>),
    /// Gone.
    Gone(String),
}

impl Board {
    /// The board of these tasks. Whoever holds one holds it until `deadline`.
    #[must_use]
    pub fn load(cards: Vec<Card>, changes: u64, deadline: Duration) -> Self {
        let mut board = Self {
            changes,
            ..Self::default()
        };
        for card in cards {
            board.ids.insert(card.id.clone(), card.born);
            board.next_born = board.next_born.max(card.born + 1);
            board.nodes.insert(card.born, Node::new(Arc::new(card)));
        }
        let born: Vec<u64> = board.nodes.keys().copied().collect();
        for &one in &born {
            let Some(card) = board.nodes.get(&one).map(|node| Arc::clone(&node.card)) else {
                continue;
            };
            board.link(&card);
            board.lease(&card, deadline);
        }
        for &one in &born {
            board.queue(one);
        }
        board
    }

    /// The number the next new task gets.
    #[must_use]
    pub fn next_born(&self) -> u64 {
        self.next_born.max(1)
    }

    /// How many tasks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// A task by id, if there is one.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Arc<Card>> {
        self.node(id).map(|node| &node.card)
    }

    /// A task by id.
    ///
    /// # Errors
    /// `NotFound`, with the nearest id that exists.
    pub fn card(&self, id: &str) -> Result<&Arc<Card>> {
        self.find(id).ok_or_else(|| self.missing(id))
    }

    fn missing(&self, id: &str) -> Error {
        let error = Error::not_found(format!("no task `{}` in this workspace", shown(id)));
        match self.nearest(id) {
            Some(near) => error.next(format!("did you mean `{near}`?")),
            None => error.next("`tocli task list --all` shows them"),
        }
    }

    /// The id that differs from `id` the least, when it differs little: by case, or by its beginning.
    fn nearest(&self, id: &str) -> Option<&str> {
        const LEAST: usize = 4;
        let mut same = self
            .ids
            .keys()
            .filter(|known| known.eq_ignore_ascii_case(id) || (id.len() >= LEAST && known.starts_with(id)));
        let first = same.next()?;
        match same.next() {
            Some(_) => None,
            None => Some(first),
        }
    }

    fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.get(self.ids.get(id)?)
    }

    /// All tasks in the order they were made, from the one born at `from` on.
    pub fn all(&self, from: u64) -> impl Iterator<Item = &Arc<Card>> {
        self.nodes.range(from..).map(|(_, node)| &node.card)
    }

    /// The children of a task, in the order they were made.
    pub fn children(&self, id: &str) -> impl Iterator<Item = &Arc<Card>> {
        self.node(id)
            .into_iter()
            .flat_map(|node| node.children.iter())
            .filter_map(|born| self.nodes.get(born))
            .map(|node| &node.card)
    }

    /// How many children a task has, and how many of them are open.
    #[must_use]
    pub fn children_of(&self, id: &str) -> (u32, u32) {
        self.node(id).map_or((0, 0), |node| {
            (
                u32::try_from(node.children.len()).unwrap_or(u32::MAX),
                node.open_children,
            )
        })
    }

    /// The tasks that depend directly on a task, in the order they were made.
    pub fn dependents(&self, id: &str) -> impl Iterator<Item = &Arc<Card>> {
        self.node(id)
            .into_iter()
            .flat_map(|node| node.dependents.iter())
            .filter_map(|born| self.nodes.get(born))
            .map(|node| &node.card)
    }

    /// A task and all below it, parents first.
    #[must_use]
    pub fn subtree(&self, id: &str) -> Vec<Arc<Card>> {
        let mut found: Vec<Arc<Card>> = self.find(id).map(Arc::clone).into_iter().collect();
        let mut at = 0;
        while let Some(card) = found.get(at).map(Arc::clone) {
            found.extend(self.children(&card.id).map(Arc::clone));
            at += 1;
        }
        found
    }

    /// A task's group, that one's group and so on.
    pub fn ancestors<'a>(&'a self, card: &'a Card) -> impl Iterator<Item = &'a Arc<Card>> {
        std::iter::successors(self.parent(card), |card| self.parent(card)).take(MAX_DEPTH)
    }

    fn parent(&self, card: &Card) -> Option<&Arc<Card>> {
        self.find(card.parent.as_deref()?)
    }

    /// What must be completed before `card` may begin and is not: its own dependencies, then its groups'.
    #[must_use]
    pub fn waiting_for(&self, card: &Card) -> Vec<String> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let groups = self.ancestors(card).map(|group| &group.after);
        for id in std::iter::once(&card.after).chain(groups).flatten() {
            let satisfied = self.find(id).is_some_and(|card| card.satisfies());
            if !satisfied && seen.insert(id.as_str()) {
                found.push(id.clone());
            }
        }
        found
    }

    fn waits(&self, card: &Card) -> bool {
        let unmet = |card: &Card| {
            card.after
                .iter()
                .any(|id| !self.find(id).is_some_and(|card| card.satisfies()))
        };
        unmet(card) || self.ancestors(card).any(|group| unmet(group))
    }

    /// Whether a task can be begun now.
    #[must_use]
    pub fn is_ready(&self, id: &str) -> bool {
        self.node(id).is_some_and(|node| node.rank.is_some())
    }

    /// How many tasks are ready for one of `specialists`, or for anybody where that is empty.
    #[must_use]
    pub fn ready_count(&self, specialists: &[String]) -> usize {
        self.queues(specialists).map(|(_, queue)| queue.len()).sum()
    }

    /// The best ready task: by priority, then by how many it unblocks, then by age.
    #[must_use]
    pub fn next(&self, specialists: &[String]) -> Option<&Arc<Card>> {
        let best = self
            .queues(specialists)
            .filter_map(|(_, queue)| queue.first())
            .min()?;
        self.nodes.get(&best.born).map(|node| &node.card)
    }

    /// How many tasks are ready for each specialist that has any.
    #[must_use]
    pub fn ready_by_specialist(&self) -> Vec<(&str, usize)> {
        self.ready
            .iter()
            .map(|(name, queue)| (name.as_str(), queue.len()))
            .collect()
    }

    /// Whether a task is an open group that stands for nothing open any more, and waits for nothing itself.
    #[must_use]
    pub fn is_finished_group(&self, card: &Card) -> bool {
        let idle = matches!(card.status, Status::Pending | Status::NeedsRevision) && card.hold.is_none();
        let group = |node: &Node| node.open_children == 0 && self.is_group(node);
        idle && self.node(&card.id).is_some_and(group) && !self.waits(card)
    }

    /// All ready tasks, the best first within each specialist.
    pub fn ready(&self) -> impl Iterator<Item = &Arc<Card>> {
        self.ready
            .values()
            .flatten()
            .filter_map(|rank| self.nodes.get(&rank.born))
            .map(|node| &node.card)
    }

    fn queues<'a>(
        &'a self,
        specialists: &'a [String],
    ) -> impl Iterator<Item = (&'a String, &'a BTreeSet<Rank>)> {
        self.ready
            .iter()
            .filter(move |(name, _)| specialists.is_empty() || specialists.contains(name))
    }

    /// Where work that must come before `card`'s end leads: what it depends on, what its groups depend on, its children.
    pub fn leads(&self, card: &Card) -> Vec<u64> {
        let groups = self.ancestors(card).map(|group| &group.after);
        let mut found: Vec<u64> = std::iter::once(&card.after)
            .chain(groups)
            .flatten()
            .filter_map(|id| self.ids.get(id.as_str()).copied())
            .collect();
        if let Some(node) = self.nodes.get(&card.born) {
            found.extend(&node.children);
        }
        found
    }

    /// A task by its number.
    #[must_use]
    pub fn born(&self, born: u64) -> Option<&Arc<Card>> {
        self.nodes.get(&born).map(|node| &node.card)
    }

    /// How long the lease on a task still lasts at the running time `now`.
    #[must_use]
    pub fn lease_left(&self, card: &Card, now: Duration) -> Option<Duration> {
        self.leases
            .get(&card.born)
            .map(|lease| lease.deadline.saturating_sub(now))
    }

    /// How many tasks are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.leases.len()
    }

    /// The held tasks whose lease has ended, as `expired` judges deadlines.
    pub fn overdue(&self, expired: impl Fn(Duration) -> bool) -> Vec<Arc<Card>> {
        let mut found: Vec<Arc<Card>> = self
            .leases
            .iter()
            .filter(|(_, lease)| expired(lease.deadline))
            .filter_map(|(born, _)| self.born(*born).map(Arc::clone))
            .collect();
        found.sort_by_key(|card| card.born);
        found
    }

    /// Prolongs all leases of `actor`.
    pub fn renew(&mut self, actor: &str, deadline: Duration) {
        for lease in self.leases.values_mut().filter(|lease| lease.actor == actor) {
            lease.deadline = lease.deadline.max(deadline);
        }
    }

    /// Whether `actor` holds anything.
    #[must_use]
    pub fn holds(&self, actor: &str) -> bool {
        self.leases.values().any(|lease| lease.actor == actor)
    }
}

impl Node {
    fn new(card: Arc<Card>) -> Self {
        Self {
            card,
            children: BTreeSet::new(),
            open_children: 0,
            dependents: BTreeSet::new(),
            open_dependents: 0,
            rank: None,
        }
    }
}
