//! The shared flush: many writers, one trip to the disk.
//!
//! Asked by `Db` alone. The first writer that finds nobody flushing flushes for all who have applied by then, itself:
//! a thread of its own would cost a lone writer two context switches. Whoever comes meanwhile waits and is either
//! covered or becomes the next to flush. What must stay true: a ticket is called durable only by a flush that began
//! after its batch was applied; once a flush has failed nobody may apply until `revive`, and every ticket that was not
//! durable by then stays lost for ever, whatever later flushes do.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Stands for an applied batch that may not be on the disk yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    epoch: usize,
    number: u64,
}

/// The flush that should have made a batch durable failed: whether it is on the disk is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost;

#[derive(Default)]
struct State {
    /// Batches applied so far, by anybody.
    applied: u64,
    /// All tickets up to this one are on the disk (but for those lost in an earlier epoch).
    durable: u64,
    flushing: bool,
    broken: bool,
    flushes: u64,
    /// What was durable when each earlier epoch ended, oldest first. Grows by one with each failure.
    ended: Vec<u64>,
}

/// The group that all writers of one database belong to.
#[derive(Default)]
pub(super) struct Group {
    state: Mutex<State>,
    changed: Condvar,
}

impl Group {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ticket of a batch that has just been applied.
    pub(super) fn applied(&self) -> Result<Ticket, Lost> {
        let mut state = self.lock();
        if state.broken {
            return Err(Lost);
        }
        state.applied += 1;
        Ok(Ticket {
            epoch: state.ended.len(),
            number: state.applied,
        })
    }

    /// A ticket for everything applied so far; durable at once when nothing is under way.
    pub(super) fn so_far(&self) -> Ticket {
        let state = self.lock();
        Ticket {
            epoch: state.ended.len(),
            number: state.applied,
        }
    }

    /// Waits until `ticket` is on the disk, flushing with `flush` when nobody else does.
    pub(super) fn wait<E>(
        &self,
        ticket: Ticket,
        flush: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), (Lost, Option<E>)> {
        let mut state = self.lock();
        loop {
            let durable = state.ended.get(ticket.epoch).copied().unwrap_or(state.durable);
            if ticket.number <= durable {
                return Ok(());
            }
            if ticket.epoch < state.ended.len() {
                return Err((Lost, None));
            }
            if !state.flushing {
                break;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.flushing = true;
        let upto = state.applied;
        drop(state);
        let outcome = flush();
        let mut state = self.lock();
        state.flushing = false;
        let answer = match outcome {
            Ok(()) => {
                state.durable = upto;
                state.flushes += 1;
                Ok(())
            }
            Err(error) => {
                Self::end_epoch(&mut state);
                Err((Lost, Some(error)))
            }
        };
        drop(state);
        self.changed.notify_all();
        answer
    }

    /// An apply failed: what was applied and not yet flushed cannot be trusted either.
    pub(super) fn fail(&self) {
        let mut state = self.lock();
        if !state.broken {
            Self::end_epoch(&mut state);
        }
        drop(state);
        self.changed.notify_all();
    }

    fn end_epoch(state: &mut State) {
        let durable = state.durable;
        state.ended.push(durable);
        state.durable = state.applied;
        state.broken = true;
    }

    /// The database was opened anew: batches may be applied again.
    pub(super) fn revive(&self) {
        self.lock().broken = false;
    }

    /// Whether a failure has not been followed by [`Group::revive`] yet.
    pub(super) fn is_broken(&self) -> bool {
        self.lock().broken
    }

    /// How many flushes have reached the disk.
    pub(super) fn flushes(&self) -> u64 {
        self.lock().flushes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILS: fn() -> Result<(), ()> = || Err(());
    const WORKS: fn() -> Result<(), ()> = || Ok(());
    const NEVER: fn() -> Result<(), ()> = || panic!("nothing is left to flush");

    #[test]
    fn a_flush_covers_all_that_was_applied_before_it_began() {
        let group = Group::default();
        let tickets: Vec<_> = (0..5).map(|_| group.applied().unwrap()).collect();
        group.wait(tickets[2], WORKS).unwrap();
        for ticket in tickets {
            group.wait(ticket, NEVER).unwrap();
        }
        assert_eq!(group.flushes(), 1);
    }

    #[test]
    fn what_is_applied_during_a_flush_waits_for_the_next() {
        let group = Group::default();
        let first = group.applied().unwrap();
        let mut late = None;
        group
            .wait(first, || {
                late = Some(group.applied().unwrap());
                Ok::<(), ()>(())
            })
            .unwrap();
        let mut flushed = false;
        group
            .wait(late.unwrap(), || {
                flushed = true;
                Ok::<(), ()>(())
            })
            .unwrap();
        assert!(flushed);
    }

    #[test]
    fn after_a_failure_what_was_not_durable_stays_lost_and_what_was_stays_durable() {
        let group = Group::default();
        let durable = group.applied().unwrap();
        group.wait(durable, WORKS).unwrap();
        let (one, two) = (group.applied().unwrap(), group.applied().unwrap());
        assert_eq!(group.wait(two, FAILS), Err((Lost, Some(()))));
        assert!(group.is_broken());
        assert_eq!(group.applied(), Err(Lost));
        group.revive();
        let after = group.applied().unwrap();
        group.wait(after, WORKS).unwrap();
        assert_eq!(group.wait(one, NEVER), Err((Lost, None)));
        assert_eq!(group.wait(durable, NEVER), Ok(()));
    }

    #[test]
    fn a_failed_apply_loses_the_batches_that_wait_with_it() {
        let group = Group::default();
        let waiting = group.applied().unwrap();
        group.fail();
        group.fail();
        assert_eq!(group.wait(waiting, NEVER), Err((Lost, None)));
        group.revive();
        let after = group.applied().unwrap();
        group.wait(after, WORKS).unwrap();
    }

    #[test]
    fn nothing_under_way_needs_no_flush() {
        let group = Group::default();
        group.wait(group.so_far(), NEVER).unwrap();
    }
}
