//! Subscribers: each has a short queue of batches, and one notice when it was too slow.
//!
//! What must stay true: a batch is either delivered or announced as lost, in order; nobody's slowness costs memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proto::index::Batch;
use tokio::sync::Notify;

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
    is_over: bool,
}

/// The engine's end.
#[derive(Debug)]
pub(super) struct Post {
    queue: Mutex<Queue>,
    news: Notify,
}

/// A subscriber's end: [`Subscription::next`] until it is dropped.
#[derive(Debug)]
pub struct Subscription(Arc<Post>);

impl Post {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::default(),
            news: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers, or counts as lost. `before` is the clock before the batch.
    pub(super) fn deliver(&self, batch: &Batch, before: &str) {
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

    pub(super) fn end(&self) {
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
    pub(super) fn new(post: Arc<Post>) -> Self {
        Self(post)
    }

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

/// Delivers a batch in parts; only the last carries the new clock, so that who stops between asks for all again.
pub(super) fn deliver(posts: &[Arc<Post>], mut batch: Batch, before: &str) {
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
    use super::*;

    fn batch(n: usize) -> Batch {
        Batch {
            clock: n.to_string(),
            changes: Vec::new(),
            lost_since: None,
            fresh_instance: false,
        }
    }

    #[tokio::test]
    async fn a_slow_subscriber_is_told_once_from_where_it_lost() {
        let post = Post::new();
        let mut subscription = Subscription::new(post.clone());
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
