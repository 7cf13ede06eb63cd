//! Stopping the daemon by its header alone, which works across all versions.

use std::time::{Duration, Instant};

use proto::hello::{Control, Hello};
use proto::{Error, error::Result};

use crate::connect::{self, PAUSE, Reach};
use crate::{Options, guard};

/// A daemon finishes what changes something, for 10 s at the most, and closes its database.
const LIMIT: Duration = Duration::from_secs(30);

/// Asks the running daemon to stop and waits until it is gone: its connection closed and its lock free. The process id
/// of the daemon that was; none when none was running.
///
/// # Errors
/// `unavailable` when it does not end in time; what kept us from reaching it.
pub fn stop(options: &Options) -> Result<Option<u32>> {
    let until = Instant::now() + LIMIT;
    let hello = Hello::of_this_build(Control::Stop);
    let link = loop {
        match connect::reach(options, &hello, &[])? {
            Reach::Linked(link) => break link,
            Reach::Nobody => return Ok(None),
            Reach::Later(why) if Instant::now() >= until => return Err(connect::in_vain(why)),
            Reach::Later(_) => std::thread::sleep(PAUSE),
        }
    };
    let pid = link.welcome().pid;
    let closed = link.until_closed(until.saturating_duration_since(Instant::now()));
    if closed && free(options, until) {
        return Ok(Some(pid));
    }
    Err(Error::unavailable(format!(
        "the daemon ({pid}) has not ended within {} s",
        LIMIT.as_secs()
    ))
    .why("a request that it may not break off is still running")
    .next("see `tocli daemon logs`; it ends by itself when that request has finished"))
}

/// Waits until nobody holds the daemon's lock.
fn free(options: &Options, until: Instant) -> bool {
    loop {
        match std::fs::File::open(options.places.lock()) {
            Ok(lock) if guard::is_held(&lock) => {}
            _ => return true,
        }
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
}
