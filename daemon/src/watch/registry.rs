//! Whose a watch is: two trees may watch one directory.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Mailbox, TreeKey, Wd};

#[derive(Default)]
pub(super) struct Registry {
    /// One tree of each: nearly always it has only one, and then a watch is eight bytes.
    pub(super) watches: HashMap<Wd, TreeKey>,
    /// The others.
    pub(super) also: HashMap<Wd, HashSet<TreeKey>>,
    pub(super) trees: HashMap<TreeKey, Tree>,
}

pub(super) struct Tree {
    pub(super) mailbox: Arc<dyn Mailbox>,
    pub(super) watches: u64,
}

/// Who is left when a tree has gone.
pub(super) enum Left {
    Nobody,
    Somebody,
}

impl Registry {
    /// Whether the tree did not have the watch before.
    pub(super) fn add(&mut self, wd: Wd, key: TreeKey) -> bool {
        match self.watches.entry(wd) {
            Entry::Vacant(place) => {
                place.insert(key);
                true
            }
            Entry::Occupied(first) => *first.get() != key && self.also.entry(wd).or_default().insert(key),
        }
    }

    pub(super) fn remove(&mut self, wd: Wd, key: TreeKey) -> Left {
        let mut others = self.also.remove(&wd).unwrap_or_default();
        others.remove(&key);
        if self.watches.get(&wd) == Some(&key) {
            let Some(&heir) = others.iter().next() else {
                self.watches.remove(&wd);
                return Left::Nobody;
            };
            others.remove(&heir);
            self.watches.insert(wd, heir);
        }
        if !others.is_empty() {
            self.also.insert(wd, others);
        }
        Left::Somebody
    }

    pub(super) fn owners(&self, wd: Wd) -> impl Iterator<Item = TreeKey> {
        let also = self.also.get(&wd).into_iter().flatten();
        self.watches.get(&wd).into_iter().chain(also).copied()
    }

    /// All watches of a tree.
    pub(super) fn of(&self, key: TreeKey) -> Vec<Wd> {
        let first = self
            .watches
            .iter()
            .filter(|&(_, &owner)| owner == key)
            .map(|(&wd, _)| wd);
        let also = self.also.iter().filter(|(_, owners)| owners.contains(&key));
        first.chain(also.map(|(&wd, _)| wd)).collect()
    }
}
