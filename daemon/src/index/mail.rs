//! The mailbox of one tree: events of the watcher and barriers of queries, until the tree's thread takes them.
//!
//! What must stay true: whoever delivers only appends; a box that is full becomes one overflow mark.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Manner;
use super::quiescent::Quiescent;
use crate::watch::{Event, Mailbox};

/// Events that may wait; more are as good as an overflow.
const WAITING: usize = 1 << 20;

/// What a tree is told to be from now on.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Another manner.
    pub(super) manner: Option<Manner>,
    /// A repository elsewhere that says that its files are in the root.
    pub(super) led_from: Option<Vec<u8>>,
}

/// How a tree ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Without a trace.
    Drop,
    /// Saved in the folder of saved indexes, to be gone on with.
    Keep,
    /// Saved for the next image of the daemon.
    Carry,
}

#[derive(Debug, Default)]
pub(super) struct Mail {
    pub(super) events: Vec<Event>,
    pub(super) barriers: Vec<oneshot::Sender<()>>,
    /// Another manner.
    pub(super) manner: Option<Manner>,
    /// A repository elsewhere that says that its files are in the root.
    pub(super) led_from: Option<Vec<u8>>,
    /// The tree's thread does not know it yet.
    pub(super) is_led_anew: bool,
    pub(super) is_to_be_saved: bool,
    /// Events were lost by a watcher whose word is a hint only: all is looked at when that is due.
    pub(super) is_to_be_looked_at: bool,
    /// What the tree rests on while its thread sleeps; none while it is at work.
    pub(super) quiescent: Option<Arc<Quiescent>>,
    /// Set once.
    pub(super) ending: Option<Ending>,
    /// The thread ends in a panic.
    #[cfg(test)]
    pub(super) is_fatal: bool,
}

impl Mail {
    /// What the tree's thread has not been told yet; none when that is nothing.
    pub(super) fn take_orders(&mut self) -> Option<Orders> {
        let manner = self.manner.take();
        let is_led_anew = std::mem::take(&mut self.is_led_anew);
        let led_from = self.led_from.clone().filter(|_| is_led_anew);
        (manner.is_some() || led_from.is_some()).then_some(Orders { manner, led_from })
    }

    /// Whoever waits for a barrier is told when it is passed. Those who wait no longer are forgotten: a disk that hangs
    /// for a day must not gather all who asked.
    pub(super) fn wait_for(&mut self, passed: oneshot::Sender<()>) {
        self.barriers.retain(|barrier| !barrier.is_closed());
        self.barriers.push(passed);
    }

    /// What the tree rests on, when nothing waits for its thread that a query would have to see.
    pub(super) fn quiescent(&self) -> Option<Arc<Quiescent>> {
        let waits = !self.events.is_empty()
            || self.manner.is_some()
            || self.is_led_anew
            || self.is_to_be_looked_at
            || self.ending.is_some();
        self.quiescent.clone().filter(|_| !waits)
    }
}

#[derive(Debug, Default)]
pub(super) struct Mails {
    mail: Mutex<Mail>,
    pub(super) news: Condvar,
}

impl Mails {
    pub(super) fn lock(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailbox for Mails {
    fn deliver(&self, event: Event) {
        let mut mail = self.lock();
        if event == Event::Lost {
            mail.is_to_be_looked_at = true;
            return;
        }
        if mail.events.len() >= WAITING {
            mail.events.clear();
            mail.events.push(Event::Overflow);
        }
        mail.events.push(event);
    }

    fn wake(&self) {
        self.news.notify_one();
    }
}
