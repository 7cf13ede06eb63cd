//! Descriptors that come from outside, and those under watch: the one place with `unsafe` on Linux, because a number that
//! another program left open has no owner that the compiler could see, nor one that the kernel's list of watched
//! descriptors holds.
//!
//! Asked by `lifecycle` before anything else has opened a file, and by `server`. What must stay true: every number is
//! taken over at most once; what is under watch is not exchanged for something else before the watch ends.
#![allow(unsafe_code)]

use std::io;
use std::ops::Deref;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdRegisterError};

/// The first descriptor of the hand-over protocol of systemd (`SD_LISTEN_FDS_START`).
pub const FIRST: RawFd = 3;

/// Takes over descriptors by number, which the service manager or an earlier image of ourselves has left open, and makes
/// them close on exec.
///
/// # Errors
/// When one of the numbers is not an open descriptor.
pub fn adopt(numbers: &[RawFd]) -> io::Result<Vec<OwnedFd>> {
    let open = |number: &RawFd| {
        // SAFETY: the number is only borrowed for the call, which fails when nothing is open behind it.
        let borrowed = unsafe { rustix::fd::BorrowedFd::borrow_raw(*number) };
        rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC)
    };
    numbers.iter().try_for_each(open)?;
    // SAFETY: they are open (the calls above), they came from outside by agreement, and this runs once.
    Ok(numbers
        .iter()
        .map(|number| unsafe { OwnedFd::from_raw_fd(*number) })
        .collect())
}

/// Whether descriptors stay open when the process becomes another image.
pub fn keep_across_exec<'a>(descriptors: impl Iterator<Item = &'a OwnedFd>, keep: Keep) -> io::Result<()> {
    let flags = match keep {
        Keep::Open => rustix::io::FdFlags::empty(),
        Keep::Closed => rustix::io::FdFlags::CLOEXEC,
    };
    for descriptor in descriptors {
        rustix::io::fcntl_setfd(descriptor, flags)?;
    }
    Ok(())
}

/// What becomes of a descriptor on `exec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The next image finds it under the same number.
    Open,
    /// It is closed.
    Closed,
}

/// Closes every descriptor that is not standard and not among `kept`.
///
/// A shell that runs `x=$(tocli …)` waits until nobody holds the writing end of its pipe: a daemon that was started on
/// demand must not.
pub fn close_inherited(kept: &[RawFd]) {
    let Ok(entries) = std::fs::read_dir(OPEN) else {
        return;
    };
    let numbers: Vec<RawFd> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number >= FIRST && !kept.contains(number))
        .collect();
    // The listing's own descriptor is closed by now.
    for number in numbers.into_iter().filter(|number| is_open(*number)) {
        // SAFETY: nothing of this process has opened a file yet, so nobody here owns the number.
        unsafe { rustix::io::close(number) };
    }
}

/// Where the system lists the descriptors of the process that looks.
const OPEN: &str = if cfg!(target_os = "linux") {
    "/proc/self/fd"
} else {
    "/dev/fd"
};

fn is_open(number: RawFd) -> bool {
    // SAFETY: the number is only borrowed for the call, which fails when nothing is open behind it.
    let borrowed = unsafe { rustix::fd::BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_getfd(borrowed).is_ok()
}

/// A descriptor of which the kernel tells when it can be read, or when it can be written.
#[derive(Debug)]
pub struct Watched(AsyncFd<OwnedFd>);

impl Watched {
    /// From now until it is dropped.
    ///
    /// # Errors
    /// When the system watches no more of them.
    pub fn new(descriptor: OwnedFd, interest: Interest) -> io::Result<Self> {
        // SAFETY: an owned descriptor is open and the same one for as long as it lives, and nobody can get at this one to
        // put another in its place: it is shown by shared reference only.
        unsafe { AsyncFd::register_with_interest(descriptor, interest) }
            .map(Self)
            .map_err(|error: AsyncFdRegisterError<OwnedFd>| error.into_parts().1)
    }
}

impl Deref for Watched {
    type Target = AsyncFd<OwnedFd>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// Lets go of standard error: whoever started us reads it to its end to know that we serve.
pub fn silence_stderr() {
    let nowhere = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty());
    if let Ok(nowhere) = nowhere
        && let Err(error) = rustix::stdio::dup2_stderr(&nowhere)
    {
        tracing::warn!(%error, "standard error could not be let go");
    }
}
