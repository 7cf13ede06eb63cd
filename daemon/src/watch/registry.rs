//! Whose a watch is: two trees may watch one directory.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Mailbox, TreeKey, WatchError, Wd};

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
    /// How many it may have.
    pub(super) most: u64,
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

    /// Why a tree may not have a watch that it has placed, when there may be no more than `max` of all trees.
    pub(super) fn refusal(&self, wd: Wd, key: TreeKey, max: u64) -> Option<WatchError> {
        if self.owners(wd).any(|owner| owner == key) {
            return None;
        }
        if !self.watches.contains_key(&wd) && self.watches.len() as u64 >= max {
            return Some(WatchError::Limit);
        }
        let tree = self.trees.get(&key)?;
        (tree.watches >= tree.most).then_some(WatchError::Budget)
    }

    /// How many watches a tree may have from now on. Whether it has more.
    pub(super) fn bound(&mut self, key: TreeKey, most: u64) -> bool {
        let Some(tree) = self.trees.get_mut(&key) else {
            return false;
        };
        tree.most = most;
        tree.watches > most
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Event;

    struct Nobody;

    impl Mailbox for Nobody {
        fn deliver(&self, _: Event) {}
        fn wake(&self) {}
    }

    #[test]
    fn a_watch_is_refused_beyond_the_limit_of_all_and_beyond_the_trees_own_and_never_taken_from_its_owner() {
        let (one, other) = (TreeKey(1), TreeKey(2));
        let mut registry = Registry::default();
        for key in [one, other] {
            let mailbox: Arc<dyn Mailbox> = Arc::new(Nobody);
            let tree = Tree {
                mailbox,
                watches: 0,
                most: u64::MAX,
            };
            registry.trees.insert(key, tree);
        }
        assert!(registry.refusal(1, one, 1).is_none());
        assert!(registry.add(1, one));
        registry.trees.get_mut(&one).expect("there").watches = 1;
        assert!(matches!(registry.refusal(2, one, 1), Some(WatchError::Limit)));
        assert!(registry.refusal(1, one, 0).is_none(), "it has that");
        assert!(registry.refusal(1, other, 1).is_none(), "it is there for another");
        assert!(!registry.bound(one, 1));
        assert!(matches!(registry.refusal(2, one, 9), Some(WatchError::Budget)));
        assert!(registry.refusal(2, other, 9).is_none());
        assert!(registry.bound(one, 0));
        assert!(!registry.bound(TreeKey(3), 0), "nobody");
    }
}
