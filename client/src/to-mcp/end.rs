//! The end of the process: when standard input ends, when the parent is gone, when nobody reads the output.
//!
//! Asked by `main`. What must stay true: from the first of these on the process is there for [`GRACE`] at the most, whatever
//! hangs; answers under way may leave within that time.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Pid;
use tokio::sync::Notify;

/// What answers under way may still take. Together with all else it must stay below a second.
pub(crate) const GRACE: Duration = Duration::from_millis(700);

/// Where the system has no way to be woken by a parent's end: how often to look.
const LOOK: Duration = Duration::from_millis(300);

static ENDING: AtomicBool = AtomicBool::new(false);
static BEGUN: Notify = Notify::const_new();

/// Returns once when nobody is there to ask any more. At the end of the input alone it does not: what lies in it is still
/// to be read, and its reader sees the end behind it.
pub(crate) async fn begun() {
    BEGUN.notified().await;
}

/// The end has come: a thread ends the process after [`GRACE`] if nobody has before.
pub(crate) fn begin() {
    BEGUN.notify_one();
    last();
}

/// From here on [`GRACE`] is left.
fn last() {
    if ENDING.swap(true, Ordering::SeqCst) {
        return;
    }
    let started = crate::thread("end", || {
        std::thread::sleep(GRACE);
        std::process::exit(0);
    });
    if started.is_err() {
        std::process::exit(0);
    }
}

/// Watches standard input and the parent from now on.
pub(crate) fn watch() -> io::Result<()> {
    let parent = rustix::process::getppid().filter(|parent| !parent.is_init());
    crate::thread("watch", move || match wait(parent) {
        Gone::Writer => last(),
        Gone::Parent => begin(),
    })
}

/// Who has gone.
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "there the reader alone sees the input's end")
)]
enum Gone {
    /// Whoever wrote to standard input; what was written may still lie there.
    Writer,
    /// The parent.
    Parent,
}

/// Returns when standard input has no writer any more or the parent is gone.
#[cfg(target_os = "linux")]
fn wait(parent: Option<Pid>) -> Gone {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{PidfdFlags, pidfd_open};

    let handle = parent.and_then(|parent| pidfd_open(parent, PidfdFlags::empty()).ok());
    // An end between the two calls would otherwise be missed; without a handle one has to look.
    let every = match &handle {
        Some(_) if rustix::process::getppid() == parent => None,
        Some(_) => return Gone::Parent,
        None => parent.and_then(|_| Timespec::try_from(LOOK).ok()),
    };
    let input = rustix::stdio::stdin();
    loop {
        let mut waited = vec![PollFd::new(&input, PollFlags::RDHUP)];
        waited.extend(handle.as_ref().map(|handle| PollFd::new(handle, PollFlags::IN)));
        match poll(&mut waited, every.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return Gone::Writer,
            Ok(_) => {}
        }
        let gone = PollFlags::HUP | PollFlags::RDHUP | PollFlags::ERR | PollFlags::NVAL;
        let input_ended = waited
            .first()
            .is_some_and(|input| input.revents().intersects(gone));
        let parent_ended = waited.get(1).is_some_and(|parent| !parent.revents().is_empty());
        if input_ended {
            return Gone::Writer;
        }
        if parent_ended || (every.is_some() && rustix::process::getppid() != parent) {
            return Gone::Parent;
        }
    }
}

/// Returns when the parent is gone; the reader of standard input sees its end itself.
#[cfg(not(target_os = "linux"))]
fn wait(parent: Option<Pid>) -> Gone {
    loop {
        std::thread::sleep(LOOK);
        if parent.is_some() && rustix::process::getppid() != parent {
            return Gone::Parent;
        }
    }
}
