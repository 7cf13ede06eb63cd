//! Subscribers: each has a short queue of batches, and one notice when it was too slow.
//!
//! Asked by the door; the tree's thread publishes. What must stay true: a batch is either delivered, once, or announced as
//! lost, in order; whoever asks again from any clock it was given misses nothing; nobody's slowness costs memory, and
//! nobody waits while what has changed is gathered.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto::Error;
use proto::index::{Batch, Since};
use tokio::sync::Notify;

use super::Changes;
use super::keeper::{Tree, reached};

/// Batches a subscriber may be behind.
const QUEUE: usize = 64;
/// Changes that wait for one subscriber in all.
const CHANGES: usize = 1 << 14;

/// Changes in one part of a batch.
const PART: usize = 4096;

#[derive(Debug, Default)]
struct Queue {
    batches: VecDeque<Batch>,
    changes: usize,
    /// The clock before the first batch that was dropped.
    lost_since: Option<String>,
    /// The clock now.
    clock: String,
    /// The tick up to which all was said when it began.
    told: u32,
    is_over: bool,
}

/// The end of the tree's thread.
#[derive(Debug)]
struct Post {
    queue: Mutex<Queue>,
    news: Notify,
}

/// A subscriber's end: [`Subscription::next`] until it is dropped.
#[derive(Debug)]
pub struct Subscription(Arc<Post>);

impl Post {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::default(),
            news: Notify::new(),
        })
    }

    /// Lays down what it has missed until now, when that is anything; `before` is the clock that it was known up to.
    fn catch_up(self: &Arc<Self>, found: Changes, before: &str) {
        let fresh_instance = found.fresh.is_some();
        if fresh_instance || !found.changes.is_empty() {
            let batch = Batch {
                clock: found.clock,
                changes: found.changes,
                lost_since: None,
                fresh_instance,
            };
            deliver(std::slice::from_ref(self), batch, before);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers, or counts as lost. `before` is the clock before the batch.
    fn deliver(&self, batch: &Batch, before: &str) {
        let mut queue = self.lock();
        queue.clock.clone_from(&batch.clock);
        let is_full = queue.batches.len() >= QUEUE || queue.changes + batch.changes.len() > CHANGES;
        if queue.lost_since.is_some() || (is_full && !queue.batches.is_empty()) {
            queue.lost_since.get_or_insert_with(|| before.to_owned());
        } else {
            queue.changes += batch.changes.len();
            queue.batches.push_back(batch.clone());
        }
        drop(queue);
        self.news.notify_one();
    }

    fn end(&self) {
        self.lock().is_over = true;
        self.news.notify_one();
    }

    fn take(&self) -> Option<Option<Batch>> {
        let mut queue = self.lock();
        if let Some(batch) = queue.batches.pop_front() {
            queue.changes -= batch.changes.len();
            return Some(Some(batch));
        }
        if let Some(lost) = queue.lost_since.take() {
            let (clock, lost_since) = (queue.clock.clone(), Some(lost));
            return Some(Some(Batch {
                clock,
                changes: Vec::new(),
                lost_since,
                fresh_instance: false,
            }));
        }
        queue.is_over.then_some(None)
    }
}

impl Subscription {
    /// The next batch; none when the tree was forgotten or the daemon stops. Cancel-safe. A batch holds at most some
    /// thousands of changes: a larger one comes in parts, of which only the last carries the new clock.
    pub async fn next(&mut self) -> Option<Batch> {
        loop {
            if let Some(taken) = self.0.take() {
                return taken;
            }
            self.0.news.notified().await;
        }
    }
}

/// All who are told of a tree's batches.
#[derive(Debug, Default)]
pub(super) struct Posts(Mutex<Vec<Arc<Post>>>);

impl Posts {
    /// Those that somebody listens to; the others are forgotten.
    fn listened_to(&self) -> MutexGuard<'_, Vec<Arc<Post>>> {
        let mut posts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        posts.retain(|post| Arc::strong_count(post) > 1);
        posts
    }

    /// Tells all that no batch comes any more.
    pub(super) fn end(&self) {
        for post in std::mem::take(&mut *self.listened_to()) {
            post.end();
        }
    }
}

impl Tree {
    /// Every settled batch from now on, or from `since`; and the clock of now. From memory, but what a long time has
    /// changed takes as long as [`Tree::changes`].
    ///
    /// # Errors
    /// As [`Tree::changes`].
    pub fn subscribe(&self, since: Option<&Since>) -> Result<(Subscription, String), Error> {
        let post = Post::new();
        let mut known = None;
        if let Some(since) = since {
            let view = self.shared.read();
            let tick = self.tick_of(since, &view.journal)?;
            // No tick is as early as 0: whoever asks from there is told that it is not known.
            let before = self.clock_at(tick.unwrap_or_default());
            let (now, found) = (view.journal.tick(), self.changes_from(&view, tick));
            drop(view);
            post.catch_up(found, &before);
            known = Some(now);
        }
        let mut posts = self.posts.listened_to();
        // What was settled meanwhile. What is settled from here on finds the post.
        let view = self.shared.read();
        let now = view.journal.tick();
        let missed = |known| self.changes_from(&view, reached(&view.journal, known));
        let missed = known.map(|known| (self.clock_at(known), missed(known)));
        drop(view);
        if let Some((before, found)) = missed {
            post.catch_up(found, &before);
        }
        post.lock().told = now;
        posts.push(post.clone());
        drop(posts);
        if self.has_ended() {
            // Whoever ended the tree may not have found the post.
            post.end();
        }
        self.look_now_and_then();
        Ok((Subscription(post), self.clock_at(now)))
    }

    /// Whether somebody waits for changes without asking again.
    pub(super) fn has_listeners(&self) -> bool {
        self.ticks.receiver_count() > 0 || !self.posts.listened_to().is_empty()
    }

    /// Tells all who listen of the batch between two ticks.
    pub(super) fn publish(&self, before: u32, tick: u32) {
        if !self.posts.listened_to().is_empty() {
            let view = self.shared.read();
            let found = self.changes_from(&view, reached(&view.journal, before));
            drop(view);
            let mut posts = self.posts.listened_to().clone();
            posts.retain(|post| post.lock().told < tick);
            let batch = Batch {
                clock: self.clock_at(tick),
                changes: found.changes,
                lost_since: None,
                fresh_instance: found.fresh.is_some(),
            };
            deliver(&posts, batch, &self.clock_at(before));
        }
        self.ticks.send_replace(tick);
    }
}

/// Delivers a batch in parts; only the last carries the new clock, so that who stops between asks for all again.
fn deliver(posts: &[Arc<Post>], mut batch: Batch, before: &str) {
    let mut rest = std::mem::take(&mut batch.changes);
    while rest.len() > PART {
        let after = rest.split_off(PART);
        let part = Batch {
            clock: before.to_owned(),
            changes: rest,
            ..batch.clone()
        };
        posts.iter().for_each(|post| post.deliver(&part, before));
        rest = after;
    }
    batch.changes = rest;
    posts.iter().for_each(|post| post.deliver(&batch, before));
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::index::clock::Clock;
    use crate::index::{Settings, Trees};

    fn batch(n: usize) -> Batch {
        Batch {
            clock: n.to_string(),
            changes: Vec::new(),
            lost_since: None,
            fresh_instance: false,
        }
    }

    /// A tree with nothing in it, past its first crawl.
    async fn watched() -> (tempfile::TempDir, Arc<Trees>, Arc<Tree>) {
        let folder = tempfile::tempdir().unwrap();
        let trees = Trees::new(Settings::default()).unwrap();
        let tree = trees.ensure(&folder.path().canonicalize().unwrap()).unwrap();
        tree.ready().await;
        (folder, trees, tree)
    }

    async fn made(folder: &Path, tree: &Tree, files: std::ops::Range<usize>) {
        for file in files {
            std::fs::write(folder.join(file.to_string()), "1").unwrap();
        }
        assert!(tree.sync(Duration::from_secs(60)).await);
    }

    #[tokio::test]
    async fn a_first_part_gives_no_clock_that_passes_over_the_others() {
        let (folder, _trees, tree) = watched().await;
        let began = crate::world::dir::now();
        made(folder.path(), &tree, 0..PART + 10).await;
        for (since, is_known) in [(began, true), (0, false)] {
            let (mut subscription, _) = tree.subscribe(Some(&Since::Time(since))).unwrap();
            let part = subscription.next().await.unwrap();
            assert_eq!((part.changes.len(), part.fresh_instance), (PART, !is_known));
            let again = tree.changes(&Since::Clock(part.clock)).unwrap();
            assert_eq!(
                (again.changes.len(), again.fresh.is_none()),
                (PART + 10, is_known)
            );
        }
    }

    #[tokio::test]
    async fn what_is_lost_of_what_was_missed_is_asked_for_from_before_it() {
        let (folder, _trees, tree) = watched().await;
        let began = crate::world::dir::now();
        made(folder.path(), &tree, 0..CHANGES + PART).await;
        let (mut subscription, _) = tree.subscribe(Some(&Since::Time(began))).unwrap();
        let lost = loop {
            if let Some(lost) = subscription.next().await.unwrap().lost_since {
                break lost;
            }
        };
        let again = tree.changes(&Since::Clock(lost)).unwrap();
        assert_eq!(again.changes.len(), CHANGES + PART);
    }

    #[tokio::test]
    async fn who_was_told_of_a_batch_when_it_began_is_not_told_again() {
        let (folder, _trees, tree) = watched().await;
        let before = Clock::parse(&tree.clock()).unwrap().tick;
        made(folder.path(), &tree, 0..1).await;
        let tick = Clock::parse(&tree.clock()).unwrap().tick;
        let since = Since::Clock(tree.clock_at(before));
        let (mut from_then, _) = tree.subscribe(Some(&since)).unwrap();
        let (mut from_now, _) = tree.subscribe(None).unwrap();
        // The thread comes to tell of what it has settled.
        tree.publish(before, tick);
        assert_eq!(from_then.next().await.unwrap().clock, tree.clock());
        made(folder.path(), &tree, 1..2).await;
        for subscription in [&mut from_then, &mut from_now] {
            let batch = subscription.next().await.unwrap();
            assert_eq!((batch.changes.len(), batch.clock), (1, tree.clock()));
            assert_eq!(batch.changes[0].path.as_bytes(), b"1");
        }
    }

    #[tokio::test]
    async fn who_comes_when_the_tree_has_ended_is_told_so() {
        let (_folder, trees, tree) = watched().await;
        trees.forget(tree.root());
        let (mut subscription, _) = tree.subscribe(None).unwrap();
        let next = tokio::time::timeout(Duration::from_secs(60), subscription.next()).await;
        assert_eq!(next, Ok(None));
    }

    #[tokio::test]
    async fn those_who_have_gone_take_no_room_in_a_quiet_tree() {
        let (_folder, _trees, tree) = watched().await;
        for _ in 0..100 {
            drop(tree.subscribe(None).unwrap());
        }
        assert_eq!(tree.posts.0.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_slow_subscriber_is_told_once_from_where_it_lost() {
        let post = Post::new();
        let mut subscription = Subscription(post.clone());
        for n in 0..QUEUE + 10 {
            post.deliver(&batch(n), &n.wrapping_sub(1).to_string());
        }
        for n in 0..QUEUE {
            assert_eq!(subscription.next().await, Some(batch(n)));
        }
        let lost = subscription.next().await.unwrap();
        assert_eq!(lost.lost_since, Some((QUEUE - 1).to_string()));
        assert_eq!(lost.clock, (QUEUE + 9).to_string());
        post.deliver(&batch(100), "99");
        assert_eq!(subscription.next().await, Some(batch(100)));
        post.end();
        assert_eq!(subscription.next().await, None);
    }
}
