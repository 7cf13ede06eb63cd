//! Trees that nobody uses sleep: their watches are dropped, what they know is saved, and their memory is free. And trees
//! that are awake are saved now and then, so that little has to be read again after a crash.
//!
//! Asked by `dispatch` once a second. What must stay true: a tree that somebody holds (a request, a wait, a subscription)
//! never sleeps; a tree that sleeps gives no tick, so its clocks go on when it wakes; what is remembered of those that
//! sleep is bounded.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::RawPath;
use proto::index::{TreeState, TreeStatus};

use super::mail::Ending;
use super::saved::shelf::FILES;
use super::trees::{Awake, Held, Slot, Trees};
use crate::world::calls;

/// How long nobody asks for a tree until it is put to sleep.
const UNUSED: Duration = Duration::from_secs(30 * 60);
/// How long after it was last saved a tree that has changed is saved again.
const UNSAVED: Duration = Duration::from_secs(5 * 60);
/// How long putting one to sleep may take: longer means a disk that hangs.
const SAVING: Duration = Duration::from_secs(10);

/// Trees that sleep and are remembered: as many as have a saved index.
pub(super) const ASLEEP: usize = FILES;

/// References to a tree that nobody uses: its place's and its thread's.
const UNHELD: usize = 2;

impl Trees {
    /// Puts trees to sleep that nobody has used for long, and the least used ones over `most`; has others saved whose
    /// time has come. Blocks for the saving of those that are put to sleep.
    pub fn tick(&self, most: usize) {
        calls::look();
        let mut awake: Vec<(Instant, PathBuf, Arc<Slot>)> = Vec::new();
        for (root, slot) in self.all() {
            let used = match slot.look().as_deref() {
                Some(Held::Awake(awake)) => {
                    awake.tree.save_after(UNSAVED);
                    awake.tree.last_used()
                }
                _ => continue,
            };
            awake.push((used, root, slot));
        }
        awake.sort_by_key(|(used, ..)| *used);
        let mut over = awake.len().saturating_sub(most);
        let is_due = |used: Instant, over: usize| over > 0 || used.elapsed() >= UNUSED;
        for (used, root, slot) in awake {
            if !is_due(used, over) {
                break;
            }
            if let Some(state) = self.put_to_sleep(&slot) {
                over = over.saturating_sub(1);
                if state == TreeState::Unreachable {
                    // There is nothing that it could wake with.
                    self.forget_asleep(&root);
                }
            }
        }
        self.forget_the_longest_asleep();
    }

    /// Of trees that sleep only so many are remembered: whoever works in ever new folders leaves no list behind.
    fn forget_the_longest_asleep(&self) {
        let since = |slot: &Slot| match slot.look().as_deref() {
            Some(Held::Asleep(_, since)) => Some(*since),
            _ => None,
        };
        let all = self.all().into_iter();
        let mut asleep: Vec<_> = all
            .filter_map(|(root, slot)| Some((since(&slot)?, root)))
            .collect();
        asleep.sort();
        for (_, root) in &asleep[..asleep.len().saturating_sub(ASLEEP)] {
            self.forget_asleep(root);
        }
    }

    /// The roots of all trees that are awake.
    #[must_use]
    pub fn awake(&self) -> Vec<RawPath> {
        let all = self.status().into_iter();
        let awake = all.filter(|tree| tree.state != TreeState::Asleep);
        awake.map(|tree| tree.root).collect()
    }

    /// How the trees that sleep stood when they were awake.
    pub(super) fn asleep(&self) -> Vec<TreeStatus> {
        let mut all = self.status();
        all.retain(|tree| tree.state == TreeState::Asleep);
        all
    }

    /// How the tree stood, when it is asleep now.
    fn put_to_sleep(&self, slot: &Slot) -> Option<TreeState> {
        let mut held = slot.look()?;
        let Held::Awake(Awake { tree, ended }) = &*held else {
            return None;
        };
        // With the place locked nobody new can come to hold it.
        let is_busy = Arc::strong_count(tree) > UNHELD
            || !tree.progress().ready
            || tree.is_unverified()
            || calls::is_inside(u64::from(tree.key().0));
        if is_busy {
            return None;
        }
        let before = tree.status();
        tree.end(Ending::Keep);
        if ended.recv_timeout(SAVING).is_err() {
            tracing::warn!(root = %tree.root().display(), "a tree could not be saved before it sleeps; it will be read anew");
        }
        self.hub.forget(tree.key());
        tracing::info!(root = %tree.root().display(), "asleep");
        let status = TreeStatus {
            state: TreeState::Asleep,
            reason: Some("nobody has used it for a while; it wakes on use".to_owned()),
            ..tree.status()
        };
        *held = Held::Asleep(status, Instant::now());
        Some(before.state)
    }
}
