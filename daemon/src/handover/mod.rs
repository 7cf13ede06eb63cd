//! Handing over in place: one image of the daemon ends and the next goes on with the same process id, the same socket and
//! the same connections.
//!
//! Asked by `lifecycle`, which has drained and closed everything before [`pass`]. In order:
//!
//! 1. `pass`: let the descriptors stay open, start the guardian, write the state, `exec`.
//! 2. `take`: the next image reads the state and goes on. Until it commits, it keeps every descriptor as it was passed.
//! 3. Commit: the next image serves; the guardian ends.
//! 4. If the next image fails before that, it gives back to the old one (`give_back`); if it crashes or hangs, the guardian
//!    ends it and starts the old one again (`guard`).
//!
//! **Invariant**: at every moment somebody holds the listener, the lock and every connection, so no client sees more
//! than a pause, and no second daemon can begin.

pub mod guard;
pub mod state;

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::time::Duration;

use proto::{Error, error::Result};

use crate::world::fd::{self, Keep};
use crate::world::image::Image;
use crate::world::{memory, signals};
use state::State;

/// The variable that carries the numbers of the descriptors of [`Inherited`], in its order, separated by commas. Not
/// `LISTEN_FDS`: that protocol wants them at 3 and up, where they would take the place of descriptors in use, and then an
/// `exec` that fails could not be taken back.
pub const VARIABLE: &str = "TOD_HANDED_OVER";

/// The word on the commit pipe that says: the next image serves.
const COMMITTED: u8 = b'C';

/// The word on the commit pipe that says: there will be no next image.
const ABANDONED: u8 = b'A';

/// Every descriptor that the next image needs.
#[derive(Debug)]
pub struct Inherited {
    /// The listening socket.
    pub listener: OwnedFd,
    /// The daemon's lock, held.
    pub lock: OwnedFd,
    /// The state, in a memory file.
    pub state: OwnedFd,
    /// The watcher of files, with its queue.
    pub watcher: OwnedFd,
    /// The indexes, in a memory file.
    pub indexes: OwnedFd,
    /// The image that ran before.
    pub old_image: OwnedFd,
    /// Where to say that the next image serves.
    pub commit: OwnedFd,
    /// One per connection, in the order of [`State::connections`].
    pub connections: Vec<OwnedFd>,
}

impl Inherited {
    /// Takes over what an earlier image has passed, by the numbers in [`VARIABLE`].
    ///
    /// # Errors
    /// `refused` when it is not what [`pass`] passes.
    pub fn adopt(numbers: &[RawFd]) -> Result<Self> {
        let refuse = |why: String| Error::refused("nothing was handed over to this process").why(why);
        let descriptors = fd::adopt(numbers).map_err(|error| refuse(error.to_string()))?;
        let mut descriptors = descriptors.into_iter();
        let mut next = || {
            descriptors
                .next()
                .ok_or_else(|| refuse(format!("{} descriptors are too few", numbers.len())))
        };
        Ok(Self {
            listener: next()?,
            lock: next()?,
            state: next()?,
            watcher: next()?,
            indexes: next()?,
            old_image: next()?,
            commit: next()?,
            connections: descriptors.collect(),
        })
    }

    fn iter(&self) -> impl Iterator<Item = &OwnedFd> {
        let named = [
            &self.listener,
            &self.lock,
            &self.state,
            &self.watcher,
            &self.indexes,
            &self.old_image,
            &self.commit,
        ];
        named.into_iter().chain(&self.connections)
    }

    /// The numbers, as [`VARIABLE`] carries them.
    fn numbers(&self) -> String {
        let numbers: Vec<String> = self
            .iter()
            .map(|descriptor| descriptor.as_raw_fd().to_string())
            .collect();
        numbers.join(",")
    }

    /// The same without the way to say that the next image serves.
    ///
    /// # Errors
    /// When nothing can be put in its place.
    fn without_commit(self) -> std::io::Result<Self> {
        let nowhere = rustix::fs::open(
            "/dev/null",
            rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )?;
        Ok(Self {
            commit: nowhere,
            ..self
        })
    }

    /// The state that came with them.
    ///
    /// # Errors
    /// `refused` when it cannot be read.
    pub fn read_state(&self) -> Result<State> {
        let unreadable = |error: std::io::Error| Error::refused("the state cannot be read").why(error);
        State::from_bytes(&memory::whole(&self.state).map_err(unreadable)?)
    }

    /// The indexes that came with them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read_indexes(&self) -> std::io::Result<Vec<u8>> {
        memory::whole(&self.indexes)
    }

    /// Tells the guardian how it ended, and waits until it is gone.
    pub fn tell_guardian(&self, word: Word, guardian: u32) {
        let byte = match word {
            Word::Committed => COMMITTED,
            Word::Abandoned => ABANDONED,
        };
        if let Err(error) = rustix::io::write(&self.commit, &[byte]) {
            tracing::warn!(%error, "the guardian does not listen");
        }
        crate::world::process::reap(guardian);
    }
}

/// What the guardian is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The next image serves.
    Committed,
    /// There will be no next image.
    Abandoned,
}

/// Everything ready to be handed over.
#[derive(Debug)]
pub struct Packed {
    /// What the next image is told.
    pub state: State,
    /// The listening socket.
    pub listener: OwnedFd,
    /// The daemon's lock, held.
    pub lock: OwnedFd,
    /// The watcher of files, with its queue.
    pub watcher: OwnedFd,
    /// The indexes.
    pub indexes: Vec<u8>,
    /// One per connection, in the order of [`State::connections`].
    pub connections: Vec<OwnedFd>,
    /// The next image.
    pub next: Image,
    /// How long the next image may take until it serves.
    pub limit: Duration,
    /// Why it cannot be handed over after all.
    pub failed: Option<Error>,
}

/// Becomes the next image. Returns only when that is not possible: with everything as it was passed, and why. `deafen` is
/// called once: from then on signals wait for the next image; it says whether one before asked for an end.
///
/// # Errors
/// When not even the descriptors could be put in order: the process must end, and its clients start a new one.
pub fn pass(packed: Packed, deafen: impl FnOnce() -> bool) -> Result<(Inherited, State, Error)> {
    let Packed {
        mut state,
        listener,
        lock,
        watcher,
        indexes,
        connections,
        next,
        limit,
        failed,
    } = packed;
    let broken = |error: std::io::Error| Error::unavailable("the hand-over could not be prepared").why(error);
    let old = Image::own()?;
    state.old_image = old.path().into();
    let (watch, commit) = std::io::pipe().map_err(broken)?;
    let (watch, commit) = (OwnedFd::from(watch), OwnedFd::from(commit));
    let old_image = old.file().try_clone().map_err(broken)?;
    let inherited = Inherited {
        listener,
        lock,
        state: memory::file("tod-state").map_err(broken)?,
        watcher,
        indexes: memory::file("tod-indexes").map_err(broken)?,
        old_image,
        commit,
        connections,
    };
    let guardian = match failed {
        Some(error) => Err(error),
        None => fd::keep_across_exec(inherited.iter().chain([&watch]), Keep::Open)
            .and_then(|()| guard::start(&old, &inherited, &watch, limit))
            .map_err(broken),
    };
    // The reading end is the guardian's alone: a next image that kept it could not see the guardian go.
    drop(watch);
    // When the next image ends, the service manager must not take that for the end of the daemon.
    if let Ok(guardian) = guardian {
        crate::lifecycle::notify(&[sd_notify::NotifyState::MainPid(guardian)]);
    }
    // The guardian must not begin deaf: it comes first.
    state.stop = deafen();
    let error = match guardian {
        Ok(guardian) => {
            state.guardian = guardian;
            step("started the guardian", state.paused);
            match write_state(&inherited, &state, &indexes) {
                Ok(()) => become_image(&next, &inherited),
                Err(error) => error,
            }
        }
        Err(error) => error,
    };
    fd::keep_across_exec(inherited.iter(), Keep::Closed).map_err(broken)?;
    if state.guardian != 0 {
        crate::lifecycle::notify(&[sd_notify::NotifyState::MainPid(std::process::id())]);
        inherited.tell_guardian(Word::Abandoned, state.guardian);
        state.guardian = 0;
    }
    Ok((inherited, state, error))
}

/// Becomes the image that ran before, with everything as it was passed. Returns only when that is not possible.
#[must_use]
pub fn give_back(inherited: &Inherited, state: &State, why: &Error) -> Error {
    let failed =
        |error: std::io::Error| Error::unavailable("the image before could not be started").why(error);
    let old = match inherited.old_image.try_clone() {
        Ok(file) => Image::adopt(state.old_image.to_path_buf(), file),
        Err(error) => return failed(error),
    };
    if let Err(error) = fd::keep_across_exec(inherited.iter(), Keep::Open) {
        return failed(error);
    }
    signals::block();
    let mut command = old.command();
    command
        .args(["run", "--handed-back", &why.to_string()])
        // The service manager's watchdog is fed by this process from now on, also where that is the guardian.
        .env("WATCHDOG_PID", std::process::id().to_string())
        .env(VARIABLE, inherited.numbers());
    let error = command.exec();
    signals::unblock();
    failed(error)
}

/// Says in the log how far a hand-over has come: which part of the pause takes how long.
pub fn step(what: &str, paused: u64) {
    let us = crate::world::process::monotonic().saturating_sub(paused) / 1000;
    tracing::info!(us, "hand-over: {what}");
}

fn become_image(next: &Image, inherited: &Inherited) -> Error {
    let mut command = next.command();
    command
        .args(["run", "--handed-over"])
        .env(VARIABLE, inherited.numbers());
    let error = command.exec();
    Error::refused(format!("`{}` could not be started", next.path().display())).why(error)
}

fn write_state(inherited: &Inherited, state: &State, indexes: &[u8]) -> Result<()> {
    let written = memory::fill(&inherited.state, &state.to_bytes()?)
        .and_then(|()| memory::fill(&inherited.indexes, indexes));
    written.map_err(|error| Error::unavailable("the state cannot be written").why(error))
}
