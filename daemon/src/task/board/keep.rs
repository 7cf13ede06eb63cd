//! Keeping the board: a change taken over, and the places in the queue that it moves. Pure.
//!
//! What must stay true: whatever was changed, the board is then as one loaded anew from the same cards would be; only
//! places that a change can reach are looked at, so that a claim among twenty thousand tasks costs next to nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use proto::task::Status;

use super::{Board, Lease, Node, Placed, Rank};
use crate::task::card::Card;

/// Tasks whose place may have changed, and whether they were ready before.
type Touched = BTreeMap<u64, bool>;

/// How far a change reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// To the task, its group and what it depends on.
    Near,
    /// Also to all below it and to those who wait for it.
    Far,
}

impl Reach {
    fn of(old: &Card, new: &Card) -> Self {
        let same = old.satisfies() == new.satisfies() && old.after == new.after && old.parent == new.parent;
        if same { Self::Near } else { Self::Far }
    }
}

impl Board {
    /// Takes changes over, in this order, and returns the ids of what became ready by them. New holders hold until
    /// `deadline`.
    pub fn apply(&mut self, changed: &[Placed], deadline: Duration) -> Vec<String> {
        let mut touched = BTreeMap::new();
        for placed in changed {
            match placed {
                Placed::Put(card) => self.put(card, deadline, &mut touched),
                Placed::Gone(id) => self.remove(id, &mut touched),
            }
        }
        let mut became = Vec::new();
        for (born, was) in touched {
            self.queue(born);
            if let Some(node) = self.nodes.get(&born)
                && !was
                && node.rank.is_some()
            {
                became.push(node.card.id.clone());
            }
        }
        became
    }

    fn put(&mut self, card: &Arc<Card>, deadline: Duration, touched: &mut Touched) {
        let reach = self.find(&card.id).map_or(Reach::Far, |old| Reach::of(old, card));
        self.touch(&card.id, reach, touched);
        self.unlink(&card.id);
        self.ids.insert(card.id.clone(), card.born);
        self.next_born = self.next_born.max(card.born + 1);
        match self.nodes.get_mut(&card.born) {
            Some(node) => {
                // The place in the queue is keyed by the old card: leave it before that is gone.
                let (old, rank) = (Arc::clone(&node.card), node.rank.take());
                node.card = Arc::clone(card);
                self.leave(&old.specialist, rank);
            }
            None => {
                self.nodes.insert(card.born, Node::new(Arc::clone(card)));
            }
        }
        self.link(card);
        self.lease(card, deadline);
        self.touch(&card.id, reach, touched);
    }

    fn remove(&mut self, id: &str, touched: &mut Touched) {
        self.touch(id, Reach::Far, touched);
        self.unlink(id);
        let Some(born) = self.ids.remove(id) else { return };
        self.leases.remove(&born);
        if let Some(node) = self.nodes.remove(&born) {
            self.leave(&node.card.specialist, node.rank);
        }
    }

    /// All whose place in the queue may depend on a task: itself, its group and what it depends on; after a change that
    /// reaches far also all below it, all that depend on it and all below those. Notes who of them was ready before.
    fn touch(&self, id: &str, reach: Reach, touched: &mut Touched) {
        let Some(node) = self.node(id) else { return };
        let mut found: HashSet<u64> = HashSet::from([node.card.born]);
        let upward = node.card.parent.iter().chain(&node.card.after);
        found.extend(upward.filter_map(|id| self.ids.get(id.as_str())));
        if reach == Reach::Far {
            let mut below: Vec<u64> = node.children.iter().chain(&node.dependents).copied().collect();
            let mut seen = HashSet::new();
            while let Some(born) = below.pop() {
                if seen.insert(born)
                    && let Some(node) = self.nodes.get(&born)
                {
                    below.extend(&node.children);
                }
            }
            found.extend(seen);
        }
        for born in found {
            let was = self.nodes.get(&born).is_some_and(|node| node.rank.is_some());
            touched.entry(born).or_insert(was);
        }
    }

    pub(super) fn link(&mut self, card: &Card) {
        self.count(card, 1);
    }

    fn unlink(&mut self, id: &str) {
        if let Some(card) = self.find(id).map(Arc::clone) {
            self.count(&card, -1);
        }
    }

    /// Enters a task with its group and its dependencies, or takes it out there.
    fn count(&mut self, card: &Card, by: i32) {
        let open = i32::from(card.status.is_open()) * by;
        if let Some(node) = card.parent.as_deref().and_then(|id| self.node_mut(id)) {
            node.open_children = node.open_children.saturating_add_signed(open);
            enter(&mut node.children, card.born, by);
        }
        for id in &card.after {
            if let Some(node) = self.node_mut(id) {
                node.open_dependents = node.open_dependents.saturating_add_signed(open);
                enter(&mut node.dependents, card.born, by);
            }
        }
    }

    fn node_mut(&mut self, id: &str) -> Option<&mut Node> {
        self.nodes.get_mut(self.ids.get(id)?)
    }

    pub(super) fn lease(&mut self, card: &Card, deadline: Duration) {
        match &card.hold {
            None => {
                self.leases.remove(&card.born);
            }
            Some(hold) => {
                let lease = Lease {
                    actor: hold.actor.clone(),
                    deadline,
                };
                let kept = self.leases.entry(card.born).or_insert_with(|| lease.clone());
                if kept.actor != lease.actor || kept.deadline < lease.deadline {
                    *kept = lease;
                }
            }
        }
    }

    /// Puts a task at its place in the queue, or takes it out.
    pub(super) fn queue(&mut self, born: u64) {
        let Some(node) = self.nodes.get(&born) else { return };
        let rank = self.rank(node);
        let specialist = node.card.specialist.clone();
        let Some(node) = self.nodes.get_mut(&born) else {
            return;
        };
        let old = std::mem::replace(&mut node.rank, rank);
        if old == rank {
            return;
        }
        self.leave(&specialist, old);
        if let Some(rank) = rank {
            self.ready.entry(specialist).or_default().insert(rank);
        }
    }

    /// Whether a task stands for others: then they are the work. What was put away does not count.
    pub(super) fn is_group(&self, node: &Node) -> bool {
        let kept = |born| {
            self.born(born)
                .is_some_and(|card| card.status != Status::Archived)
        };
        node.children.iter().any(|born| kept(*born))
    }

    fn leave(&mut self, specialist: &str, rank: Option<Rank>) {
        let Some(rank) = rank else { return };
        if let Some(queue) = self.ready.get_mut(specialist) {
            queue.remove(&rank);
            if queue.is_empty() {
                self.ready.remove(specialist);
            }
        }
    }

    fn rank(&self, node: &Node) -> Option<Rank> {
        let card = &node.card;
        let begun = !matches!(card.status, Status::Pending | Status::NeedsRevision);
        if begun || card.hold.is_some() || self.is_group(node) || self.waits(card) {
            return None;
        }
        Some(Rank {
            priority: card.priority,
            unblocks: std::cmp::Reverse(node.open_dependents),
            born: card.born,
        })
    }
}

fn enter(set: &mut BTreeSet<u64>, born: u64, by: i32) {
    if by > 0 {
        set.insert(born);
    } else {
        set.remove(&born);
    }
}
