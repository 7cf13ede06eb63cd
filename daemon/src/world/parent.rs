//! The process that started this one, as something to wait for and to end.
//!
//! Asked by the guardian of a hand-over. What must stay true: whatever is waited for or ended is that process and never a
//! later one with its number. A child whose parent has ended is given to another one at once, so the parent's number is
//! believed for as long as the system names it as ours.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, getppid};

/// What came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// There is something to read.
    Readable,
    /// The process has ended.
    Ended,
    /// The time has passed.
    Late,
}

/// The parent of this process.
#[derive(Debug)]
pub struct Parent {
    pid: Pid,
    handle: Option<OwnedFd>,
}

/// How often to look where the system gives no handle of a process.
const LOOK: Duration = Duration::from_millis(20);

impl Parent {
    /// The parent, if it has this number; none when it has ended already.
    ///
    /// # Errors
    /// The system's.
    pub fn expected(number: u32) -> io::Result<Option<Self>> {
        let Some(pid) = ours(number) else { return Ok(None) };
        let handle = match super::stand_ins::in_use() {
            true => None,
            false => handle(pid)?,
        };
        // Still the parent: so the handle is not of a later process with the same number.
        Ok(ours(number).map(|pid| Self { pid, handle }))
    }

    /// Waits for something to read or for the parent's end.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&self, readable: &OwnedFd, until: Instant) -> io::Result<First> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(First::Late);
            }
            let left = if self.handle.is_some() {
                left
            } else {
                left.min(LOOK)
            };
            let mut polled = vec![PollFd::new(readable, PollFlags::IN)];
            polled.extend(
                self.handle
                    .iter()
                    .map(|handle| PollFd::new(handle, PollFlags::IN)),
            );
            let count = match poll(&mut polled, Some(&timespec(left))) {
                Ok(count) => count,
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let is_readable = polled.first().is_some_and(|fd| !fd.revents().is_empty());
            if is_readable {
                return Ok(First::Readable);
            }
            if count > 0 || self.has_ended() {
                return Ok(First::Ended);
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.handle.is_none() && getppid() != Some(self.pid)
    }

    /// Ends it, and waits until it is gone.
    ///
    /// # Errors
    /// The system's.
    pub fn end(&self) -> io::Result<()> {
        match &self.handle {
            Some(handle) => {
                gone(kill_by_handle(handle))?;
                poll(&mut [PollFd::new(handle, PollFlags::IN)], None)?;
            }
            None => {
                if !self.has_ended() {
                    gone(rustix::process::kill_process(self.pid, Signal::KILL))?;
                }
                while !self.has_ended() {
                    std::thread::sleep(LOOK);
                }
            }
        }
        Ok(())
    }
}

fn ours(number: u32) -> Option<Pid> {
    getppid().filter(|parent| u32::try_from(parent.as_raw_nonzero().get()) == Ok(number))
}

fn gone(killed: rustix::io::Result<()>) -> io::Result<()> {
    match killed {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn timespec(left: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    }
}

#[cfg(target_os = "linux")]
fn handle(pid: Pid) -> io::Result<Option<OwnedFd>> {
    use rustix::process::{PidfdFlags, pidfd_open};
    Ok(Some(pidfd_open(pid, PidfdFlags::empty())?))
}

#[cfg(target_os = "linux")]
fn kill_by_handle(handle: &OwnedFd) -> rustix::io::Result<()> {
    rustix::process::pidfd_send_signal(handle, Signal::KILL)
}

#[cfg(not(target_os = "linux"))]
fn handle(_: Pid) -> io::Result<Option<OwnedFd>> {
    Ok(None)
}

#[cfg(not(target_os = "linux"))]
fn kill_by_handle(_: &OwnedFd) -> rustix::io::Result<()> {
    Err(rustix::io::Errno::NOSYS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_is_there_to_read_comes_before_the_end_of_patience_with_and_without_a_handle() {
        let number = u32::try_from(getppid().unwrap().as_raw_nonzero().get()).unwrap();
        assert!(Parent::expected(u32::MAX).unwrap().is_none());
        let parent = Parent::expected(number).unwrap().unwrap();
        let bare = Parent {
            pid: parent.pid,
            handle: None,
        };
        for parent in [parent, bare] {
            let (reader, mut writer) = io::pipe().unwrap();
            let reader = OwnedFd::from(reader);
            let soon = Instant::now() + Duration::from_millis(1);
            assert_eq!(parent.wait(&reader, soon).unwrap(), First::Late);
            writer.write_all(b"x").unwrap();
            let late = Instant::now() + Duration::from_secs(60);
            assert_eq!(parent.wait(&reader, late).unwrap(), First::Readable);
        }
    }
}
