//! Examining a database from a process of its own.
//!
//! Asked by the ladder in `open` when the last close was not clean. Opening a damaged file can panic, abort, use memory
//! without end or never return while it holds the lock; a process can be ended whatever it does, a thread cannot.

#![allow(
    clippy::disallowed_methods,
    reason = "the store examines its folder from a process, and knows no world"
)]

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::Options;
use super::disk::Places;
use super::engine::Engine;
use super::trouble::Trouble;

const WHOLE: u8 = 0;
const DAMAGED: u8 = 3;
const BUSY: u8 = 4;
const UNAVAILABLE: u8 = 5;
const FULL: u8 = 6;

/// The whole life of a probe: opens the database in the state folder `state`, verifies every record, says what it found on
/// standard output and by its exit code. `tod` calls this, and nothing else, when it is given the probe's flag.
#[must_use]
pub fn examine(state: &Path) -> ExitCode {
    let code = match examined(&Places::new(state)) {
        Ok(records) => {
            say(&format!("{records} records"));
            WHOLE
        }
        Err(Trouble::Damaged(why)) => {
            say(&why);
            DAMAGED
        }
        Err(Trouble::Busy) => BUSY,
        Err(Trouble::Full(why)) => {
            say(&why);
            FULL
        }
        Err(Trouble::Unavailable(why)) => {
            say(&why);
            UNAVAILABLE
        }
    };
    ExitCode::from(code)
}

#[allow(
    clippy::print_stdout,
    reason = "standard output is how a probe answers its parent"
)]
fn say(text: &str) {
    println!("{text}");
}

fn examined(places: &Places) -> Result<u64, Trouble> {
    // The parent keeps the time.
    let engine = Engine::open(
        places,
        &Options {
            limit: Duration::MAX,
            ..Options::new(0)
        },
    )?;
    if is_silently_empty(places, &engine)? {
        return Err(Trouble::damaged(SILENTLY_EMPTY));
    }
    let records = engine.verify()?;
    engine.close(places)?;
    Ok(records)
}

/// Why a database is damaged when [`is_silently_empty`].
pub(super) const SILENTLY_EMPTY: &str = "sled found nothing where a database was";

/// True when sled made a new database over one that had been stamped: that is how it meets some kinds of damage. A
/// daemon that ended before its very first commit leaves files too, but no stamp.
pub(super) fn is_silently_empty(places: &Places, engine: &Engine) -> Result<bool, Trouble> {
    let stamped = places.is_stamped().map_err(|error| Trouble::from_io(&error))?;
    Ok(stamped && !engine.sled.was_recovered())
}

/// Lets a process of its own examine the database, if the caller gave a command for one.
pub(super) fn ask(places: &Places, options: &Options) -> Result<(), Trouble> {
    let Some((program, arguments)) = options.probe.as_deref().and_then(<[OsString]>::split_first) else {
        return Ok(());
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg(&places.state)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let unavailable = |error: std::io::Error| Trouble::Unavailable(format!("the probe cannot run: {error}"));
    let mut child = command.spawn().map_err(unavailable)?;
    let (sender, receiver) = mpsc::channel();
    let output = child.stdout.take();
    std::thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut output) = output {
            // What it says is for people; its exit code decides.
            drop(output.by_ref().take(4096).read_to_string(&mut text));
        }
        drop(sender.send(text));
    });
    let Ok(text) = receiver.recv_timeout(options.limit) else {
        child.kill().map_err(unavailable)?;
        child.wait().map_err(unavailable)?;
        return Err(Trouble::Damaged(format!(
            "it does not open within {} s",
            options.limit.as_secs()
        )));
    };
    let status = child.wait().map_err(unavailable)?;
    let text = text.trim().to_owned();
    match status.code().map(u8::try_from) {
        Some(Ok(WHOLE)) => Ok(()),
        Some(Ok(BUSY)) => Err(Trouble::Busy),
        Some(Ok(FULL)) => Err(Trouble::Full(text)),
        Some(Ok(UNAVAILABLE)) => Err(Trouble::Unavailable(text)),
        Some(Ok(DAMAGED)) => Err(Trouble::Damaged(text)),
        Some(_) => Err(Trouble::Damaged(format!("the probe ended with {status}"))),
        // Ended from outside: by the kernel for memory, or by whoever ends us too. That says nothing of the database.
        None if matches!(status.signal(), Some(9 | 15 | 2 | 1)) => {
            Err(Trouble::Unavailable(format!("the probe was ended: {status}")))
        }
        None => Err(Trouble::Damaged(format!("the probe ended with {status}"))),
    }
}
