//! The thread of one tree: events settled when it is time, barriers passed, the index saved.
//!
//! Started by `trees`; asked through the tree's mailbox. What must stay true: a barrier is passed only after all that lay
//! in the mailbox before it is settled, and a tree is shown as quiescent only while that is so; the first event after quiet
//! is settled at once, what follows waits for `settle`; after an index was saved as closed no tick is given; whoever listens
//! hears also of what makes no event.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use proto::RawPath;
use proto::index::TreeState;
use tokio::sync::oneshot;

use super::disk::{Disk, LocalDisk};
use super::engine::Engine;
use super::keeper::Tree;
use super::mail::{Ending, Mail};
use super::quiescent::Quiescent;
use super::root::Identity;
use super::saved::shelf::Ended;
use super::verify::Begin;
use crate::watch::{Backend, Mailbox, Notifier};

/// How often a barrier looks again at what moves while it is looked at.
const TURNS: usize = 16;
/// Nobody waits for what cannot come: woken now and then, it costs nothing.
const FOREVER: Duration = Duration::from_secs(3600);

/// Looking at what cannot be watched takes at most one part in so many of the time.
const LOOKING: u32 = 20;

/// How often a tree's thread does what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long changes are collected after the first one.
    pub(super) settle: Duration,
    /// How often a tree is looked at of which something cannot be watched.
    pub(super) poll: Duration,
    /// How long that took last.
    pub(super) looked: Duration,
}

/// The system's own watcher, and which directory was the root when it began.
#[derive(Debug, Default)]
struct Ear {
    notifier: Option<Notifier>,
    root: Option<Identity>,
}

/// What there is to do.
enum Next {
    /// Look, settle, and let these pass.
    Look(Vec<oneshot::Sender<()>>),
    /// Save the index and go on.
    Save,
    /// End.
    End(Ending),
}

impl Tree {
    /// The thread. The index when it is to be carried on.
    pub(super) fn keep(&self, mut engine: Engine<LocalDisk>, begin: Begin) -> Option<Vec<u8>> {
        let mut ear = Ear::default();
        self.listen(&mut engine, &mut ear);
        match begin {
            Begin::Crawl => {
                engine.crawl();
                // Of a project in which nobody works meanwhile: none.
                self.hub.drain();
                let (root, events) = (self.root.display(), self.hub.events());
                tracing::debug!(%root, events, "read for the first time; events in the queue so far");
            }
            Begin::Verify | Begin::GoOn => engine.go_on(),
        }
        // A comparison that waits, or what moved while it was read.
        if engine.is_unverified() || engine.is_dirty() {
            self.settle(&mut engine);
        }
        self.show_state(&engine);
        self.ready.send_replace(true);
        // Nothing has gone out yet.
        let mut last = None;
        let mut quiescent = None;
        loop {
            let barriers = match self.next(&mut engine, last, &mut quiescent) {
                Next::Look(barriers) => barriers,
                Next::Save => {
                    self.save(&mut engine, Ended::Open);
                    continue;
                }
                Next::End(ending) => return self.last(&mut engine, ending),
            };
            self.listen(&mut engine, &mut ear);
            let began = Instant::now();
            // Without barriers and without events it was time to look.
            if !barriers.is_empty() || !engine.is_dirty() {
                engine.look_outside();
            }
            if engine.is_dirty() {
                self.settle(&mut engine);
                last = Some(Instant::now());
            }
            if engine.is_polled() {
                self.took(began.elapsed());
            }
            if !barriers.is_empty() {
                self.settle_rest(&mut engine);
            }
            for barrier in barriers {
                // Who asked may have gone.
                let _gone = barrier.send(());
            }
        }
    }

    /// A repository elsewhere says that its files are in this tree: what is asked for from now on is answered by its rules.
    pub(super) fn lead(&self, from: Option<&RawPath>) {
        let Some(from) = from else { return };
        let mut mail = self.mails.lock();
        if mail.led_from.as_deref() != Some(from.as_bytes()) {
            mail.led_from = Some(from.as_bytes().to_vec());
            mail.is_led_anew = true;
            drop(mail);
            self.mails.news.notify_one();
        }
    }

    /// Has the system's own watcher follow the root that is there now, where that is wanted. What happened before it
    /// began is looked at after.
    fn listen(&self, engine: &mut Engine<LocalDisk>, ear: &mut Ear) {
        if self.manner_of().backend != Backend::Notify {
            *ear = Ear::default();
            self.state().deaf = None;
            return;
        }
        let now = (!engine.is_lost()).then_some(engine.identity);
        if ear.root == now && ear.root.is_some() {
            return;
        }
        *ear = Ear::default();
        ear.root = now;
        let mailbox: Arc<dyn Mailbox> = self.mailbox();
        let began = Notifier::start(&self.root, mailbox);
        let deaf = began.as_ref().err().cloned();
        if let Some(why) = &deaf {
            tracing::warn!(root = %self.root.display(), why, "the system's watcher cannot be had");
        }
        self.state().deaf = deaf;
        ear.notifier = began.ok();
        if *self.ready.borrow() {
            engine.look_outside();
        }
    }

    fn last(&self, engine: &mut Engine<LocalDisk>, ending: Ending) -> Option<Vec<u8>> {
        match ending {
            Ending::Drop => {}
            Ending::Keep => self.save(engine, Ended::Closed),
            Ending::Carry => {
                // The next image is told of it by nobody.
                let orders = self.mails.lock().take_orders();
                orders.into_iter().for_each(|orders| engine.obey(orders));
                self.come_to_rest(engine);
                return engine.save(self.incarnation);
            }
        }
        None
    }

    fn save(&self, engine: &mut Engine<LocalDisk>, ended: Ended) {
        self.come_to_rest(engine);
        let (Some(shelf), Some(bytes)) = (&self.shelf, engine.save(self.incarnation)) else {
            return;
        };
        shelf.keep(&self.root, &bytes, ended);
    }

    /// Settles all that has happened so far.
    fn come_to_rest(&self, engine: &mut Engine<LocalDisk>) {
        self.hub.drain();
        std::mem::take(&mut self.mails.lock().events)
            .into_iter()
            .for_each(|event| engine.note(event));
        if engine.is_dirty() {
            self.settle(engine);
        }
        self.settle_rest(engine);
    }

    fn settle(&self, engine: &mut Engine<LocalDisk>) {
        for _ in 0..TURNS {
            let before = self.shared.read().journal.tick();
            if let Some(tick) = engine.settle() {
                self.publish(before, tick);
            }
            if !engine.owes() {
                break;
            }
        }
        self.show_state(engine);
    }

    /// What could not be looked at because its directory has moved meanwhile: the event that tells where is there by
    /// now, or the directory is gone.
    fn settle_rest(&self, engine: &mut Engine<LocalDisk>) {
        for turn in 0..TURNS {
            if !engine.is_dirty() {
                return;
            }
            self.hub.drain();
            std::mem::take(&mut self.mails.lock().events)
                .into_iter()
                .for_each(|event| engine.note(event));
            if turn > 0 {
                engine.insist();
            }
            self.settle(engine);
        }
    }

    /// Waits for events, and with them until `due`; a barrier waits for nothing.
    fn next(
        &self,
        engine: &mut Engine<LocalDisk>,
        last: Option<Instant>,
        quiescent: &mut Option<Arc<Quiescent>>,
    ) -> Next {
        *quiescent = engine.quiescent(quiescent.as_ref());
        let mut mail = self.mails.lock();
        loop {
            if let Some(ending) = mail.ending {
                return Next::End(ending);
            }
            let pace = self.pace();
            let wait = last.map_or(Duration::ZERO, |last| pace.settle.saturating_sub(last.elapsed()));
            #[cfg(test)]
            if mail.is_fatal {
                std::panic::resume_unwind(Box::new("on purpose"));
            }
            if let Some(orders) = mail.take_orders() {
                drop(mail);
                engine.obey(orders);
                return Next::Look(Vec::new());
            }
            let has_mail = !mail.events.is_empty();
            if !mail.barriers.is_empty() || (has_mail && wait.is_zero()) {
                let Mail { events, barriers, .. } = &mut *mail;
                let (events, barriers) = (std::mem::take(events), std::mem::take(barriers));
                drop(mail);
                events.into_iter().for_each(|event| engine.note(event));
                return Next::Look(barriers);
            }
            if std::mem::take(&mut mail.is_to_be_saved) {
                return Next::Save;
            }
            // Of what lies beyond the root no event tells, nor of a root that is removed while somebody stands in it.
            let is_looked_at = engine.is_polled() || self.has_listeners();
            let wait = match (has_mail, is_looked_at) {
                (true, _) => wait,
                // Looking makes events of its own, of which some may be lost again.
                (false, true) if mail.is_to_be_looked_at => pace.settle.max(pace.looked * LOOKING),
                (false, true) => pace.poll.max(pace.looked * LOOKING),
                (false, false) => FOREVER,
            };
            mail.quiescent.clone_from(quiescent);
            let (next, waited) = self
                .mails
                .news
                .wait_timeout(mail, wait)
                .unwrap_or_else(PoisonError::into_inner);
            mail = next;
            mail.quiescent = None;
            if !has_mail && waited.timed_out() && is_looked_at {
                mail.is_to_be_looked_at = false;
                return Next::Look(Vec::new());
            }
        }
    }

    fn show_state(&self, engine: &Engine<LocalDisk>) {
        let unwatched = engine.unwatched();
        let lost = || Some("the root is gone or cannot be opened".to_owned());
        let shown = if engine.is_lost() {
            (TreeState::Unreachable, lost())
        } else if engine.is_unverified() {
            (TreeState::Unverified, None)
        } else if let Some(why) = engine.disk.failure() {
            let why = format!("not all of it could be read: {why}");
            (TreeState::Unverified, Some(why))
        } else if let Some(doubt) = engine.doubt().filter(|doubt| doubt.is_grave()) {
            (TreeState::Unverified, Some(doubt.reason().to_owned()))
        } else if !unwatched.is_empty() {
            (TreeState::Polling, unwatched.reason())
        } else if engine.is_locked() {
            (TreeState::Checkout, Some("git holds `index.lock`".to_owned()))
        } else if let Some(doubt) = engine.doubt() {
            (TreeState::Watching, Some(doubt.reason().to_owned()))
        } else if engine.has_extra() {
            let why = "`watch.extra_ignores` takes away from what git shows";
            (TreeState::Watching, Some(why.to_owned()))
        } else {
            (TreeState::Watching, None)
        };
        let mut state = self.state();
        (state.state, state.reason) = shown;
        if let (Some(why), Some(reason)) = (state.deaf.clone(), &mut state.reason) {
            reason.push_str(&format!("; it failed here: {why}"));
        }
        state.unwatched = unwatched;
    }
}
