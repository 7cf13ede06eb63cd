//! The clock that leases are measured with: time in which this daemon ran and could have been called. Pure.
//!
//! Asked by the boards. A machine that slept, a daemon that was stopped (SIGSTOP) or restarted must not expire the lease
//! of a session that could not reach it meanwhile. So the clock is fed by a regular tick, a gap between two readings
//! that is longer than a tick can explain does not count, and for a while after such a gap nothing expires, so that
//! those who were cut off can speak first.

use std::time::Duration;

/// A longer time between two readings means that we, or the machine, stood still: the daemon ticks once a second.
pub const GAP: Duration = Duration::from_secs(10);
/// After a gap nothing expires for this long.
pub const GRACE: Duration = Duration::from_secs(30);

/// Running time. Starts at zero with each daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    read: Option<Duration>,
    elapsed: Duration,
    quiet_until: Duration,
}

impl Clock {
    /// Takes a reading of the monotonic clock and returns the running time.
    pub fn read(&mut self, monotonic: Duration) -> Duration {
        let step = self
            .read
            .map_or(Duration::ZERO, |last| monotonic.saturating_sub(last));
        self.read = Some(self.read.map_or(monotonic, |last| last.max(monotonic)));
        if step > GAP {
            self.quiet_until = self.elapsed + GRACE;
        } else {
            self.elapsed += step;
        }
        self.elapsed
    }

    /// The running time as of the last reading.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The last reading of the monotonic clock.
    #[must_use]
    pub fn last(&self) -> Duration {
        self.read.unwrap_or_default()
    }

    /// Whether a lease that ends at `deadline` has ended.
    #[must_use]
    pub fn expired(&self, deadline: Duration) -> bool {
        deadline <= self.elapsed && self.quiet_until <= self.elapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Ticks from `from` to `to` seconds.
    fn run(clock: &mut Clock, from: u64, to: u64) {
        for second in (from..=to).step_by(2) {
            clock.read(s(second));
        }
    }

    #[test]
    fn a_lease_ends_after_its_time_of_running() {
        let mut clock = Clock::default();
        run(&mut clock, 100, 158);
        assert!(!clock.expired(s(60)));
        run(&mut clock, 158, 162);
        assert!(clock.expired(s(60)));
    }

    #[test]
    fn time_in_which_the_daemon_stood_still_does_not_count() {
        let mut clock = Clock::default();
        run(&mut clock, 0, 50);
        clock.read(s(100_000));
        assert_eq!(clock.elapsed(), s(50));
        assert!(!clock.expired(s(60)));
    }

    #[test]
    fn after_a_gap_those_who_were_cut_off_may_speak_first() {
        let mut clock = Clock::default();
        run(&mut clock, 0, 50);
        clock.read(s(1000));
        run(&mut clock, 1000, 1028);
        assert!(!clock.expired(s(60)), "28 s after the gap");
        run(&mut clock, 1028, 1032);
        assert!(clock.expired(s(60)), "32 s after the gap");
    }

    #[test]
    fn a_clock_that_goes_back_adds_nothing() {
        let mut clock = Clock::default();
        run(&mut clock, 10, 14);
        clock.read(s(3));
        assert_eq!(clock.elapsed(), s(4));
        clock.read(s(16));
        assert_eq!(clock.elapsed(), s(6));
    }
}
