//! A reboot by the header alone, which works across all versions: the daemon hands over to the file it was started from.

use std::time::{Duration, Instant};

use proto::hello::{Control, Hello, Verdict, Welcome, choose};
use proto::{Error, error::Result};

use crate::Options;
use crate::connect::{self, PAUSE, Reach};

/// A rehearsal, the end of requests in work, and the next image until it serves.
const LIMIT: Duration = Duration::from_secs(100);

/// The header of the running daemon, also of one that shares no protocol with us; none when none runs.
///
/// # Errors
/// What kept us from reaching it.
pub fn hail(options: &Options) -> Result<Option<Welcome>> {
    let until = Instant::now() + options.patience;
    let hello = Hello::of_this_build(Control::Talk);
    let link = connect::patiently(until, &mut || connect::hail(options, &hello))?;
    Ok(link.map(|link| link.welcome().clone()))
}

/// Whether we and the daemon share a protocol.
#[must_use]
pub fn understands(welcome: &Welcome) -> bool {
    let ours = Hello::of_this_build(Control::Talk);
    choose((ours.lowest, ours.highest), (welcome.lowest, welcome.highest)).is_ok()
}

/// Asks for a reboot by the header and waits until another image serves; its header.
///
/// # Errors
/// `refused` when the daemon stays as it is; what kept us from reaching it.
pub fn reboot(options: &Options, before: &Welcome) -> Result<Welcome> {
    let until = Instant::now() + LIMIT;
    let hello = Hello::of_this_build(Control::Reboot);
    match connect::hail(options, &hello)? {
        Reach::Linked(link) if link.welcome().verdict == Verdict::Obeyed => {}
        Reach::Linked(link) => {
            return Err(Error::refused("the running daemon does not reboot")
                .why(format!(
                    "it is {} and answers {:?}",
                    link.welcome().version,
                    link.welcome().verdict
                ))
                .next(
                    "end it with `tocli daemon stop`: the next command starts the daemon beside this client",
                ));
        }
        Reach::Nobody | Reach::Later(_) => {
            return Err(Error::unavailable("the daemon has gone").next("ask again"));
        }
    }
    loop {
        if let Some(now) = hail(options)?
            && (now.generation, now.pid) != (before.generation, before.pid)
        {
            return Ok(now);
        }
        if Instant::now() >= until {
            return Err(Error::refused("the daemon is the same as before")
                .why(format!("no other image has come within {} s", LIMIT.as_secs()))
                .next("`tocli daemon logs` says why; `tocli daemon stop` ends it"));
        }
        std::thread::sleep(PAUSE);
    }
}
