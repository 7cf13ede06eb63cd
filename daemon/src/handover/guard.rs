//! The guardian: a child that holds a duplicate of every descriptor while one image becomes the next.
//!
//! Started by `handover::pass` as `tod guard`, from the image that ran before. It does what an image that crashed or
//! hangs cannot do for itself: end it, put the database back, and start the old image. That is the one case in which the
//! daemon gets a new process id; the clients are still connected.
//!
//! What must stay true: without a word on the commit pipe within the limit, exactly one image serves afterwards, the old
//! one; with a word, the guardian ends and changes nothing.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::process::Stdio;
use std::time::{Duration, Instant};

use proto::{Error, error::Result};

use super::{ABANDONED, COMMITTED, Inherited, VARIABLE};
use crate::world::fd;
use crate::world::image::{self, Image};
use crate::world::parent::{First, Parent};

/// The variable that carries the number of the reading end of the commit pipe.
const WATCH: &str = "TOD_GUARD_WATCH";

/// Starts a guardian of the calling process; its process id.
///
/// # Errors
/// When it cannot be started.
pub(super) fn start(old: &Image, inherited: &Inherited, watch: &OwnedFd, limit: Duration) -> io::Result<u32> {
    let guardian = old
        .command()
        .args([
            "guard",
            &limit.as_millis().to_string(),
            &std::process::id().to_string(),
        ])
        .env(VARIABLE, inherited.numbers())
        .env(WATCH, watch.as_raw_fd().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    Ok(guardian.id())
}

/// What the guardian is to watch, from its environment.
#[derive(Clone, Debug)]
pub struct Charge {
    /// The descriptors, in the order of [`Inherited`].
    pub numbers: Vec<RawFd>,
    /// The reading end of the commit pipe.
    pub watch: RawFd,
    /// The process that becomes the next image.
    pub watched: u32,
    /// How long the next image may take.
    pub limit: Duration,
}

impl Charge {
    /// Reads it from the words and variables of `tod guard`.
    #[must_use]
    pub fn read((limit, watched): (&str, &str), var: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self {
            numbers: numbers(&var(VARIABLE)?)?,
            watch: var(WATCH)?.parse().ok()?,
            watched: watched.parse().ok()?,
            limit: Duration::from_millis(limit.parse().ok()?),
        })
    }
}

/// The numbers in [`VARIABLE`].
#[must_use]
pub fn numbers(text: &str) -> Option<Vec<RawFd>> {
    text.split(',')
        .map(|number| number.parse().ok().filter(|number| *number >= fd::FIRST))
        .collect()
}

/// How the watched image ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// It serves, or there is none.
    Word,
    /// It has ended.
    Gone,
    /// It took too long.
    Late,
}

/// The whole life of a guardian. Returns when there is nothing to do; otherwise it becomes the old image.
///
/// # Errors
/// When the old image could not be started.
pub fn guard(charge: &Charge) -> Result<()> {
    let broken = |error: io::Error| Error::bug("a guardian could not begin").why(error);
    let watched = Parent::expected(charge.watched).map_err(broken)?;
    let inherited = Inherited::adopt(&charge.numbers)?;
    let watch = fd::adopt(&[charge.watch]).map_err(broken)?;
    let Some(watch) = watch.into_iter().next() else {
        return Ok(());
    };
    // With a writing end of its own it would never see the last of the others go.
    let inherited = inherited.without_commit().map_err(broken)?;
    let why = match look(&watch, watched.as_ref(), Instant::now() + charge.limit).map_err(broken)? {
        Seen::Word => return Ok(()),
        Seen::Gone => Error::unavailable("the new image ended before it served"),
        Seen::Late => Error::unavailable("the new image did not serve in time")
            .why(format!("the limit was {} ms", charge.limit.as_millis())),
    };
    if let Some(watched) = &watched {
        // Only when it is gone is its database free.
        watched.end().map_err(broken)?;
    }
    let state = inherited.read_state()?;
    image::names_in(state.state_dir.as_path());
    state.put_backup_back()?;
    Err(super::give_back(&inherited, &state, &why))
}

fn look(watch: &OwnedFd, watched: Option<&Parent>, until: Instant) -> io::Result<Seen> {
    let Some(watched) = watched else {
        return Ok(Seen::Gone);
    };
    Ok(match watched.wait(watch, until)? {
        First::Late => Seen::Late,
        First::Ended => Seen::Gone,
        First::Readable => {
            let mut word = [0];
            match rustix::io::read(watch, &mut word) {
                Ok(1) if word[0] == COMMITTED || word[0] == ABANDONED => Seen::Word,
                _ => Seen::Gone,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_numbers_is_read_whole_or_not_at_all() {
        assert_eq!(numbers("3,4,10"), Some(vec![3, 4, 10]));
        assert_eq!(numbers("3,x"), None);
        assert_eq!(numbers("0,4"), None);
        assert_eq!(numbers(""), None);
    }
}
