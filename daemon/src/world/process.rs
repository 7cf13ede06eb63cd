//! What this process knows of itself and of the machine it runs on.
//!
//! Asked by `lifecycle` and by the status request. What must stay true: each answer is measured when it is asked for.

#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

static OTHER_VERSION: OnceLock<&'static str> = OnceLock::new();

/// The version of this program.
#[must_use]
pub fn version() -> &'static str {
    OTHER_VERSION.get().copied().unwrap_or(proto::hello::VERSION)
}

/// Gives a test's program, which stands for another build, its own version: first thing in its life, once.
pub fn call_version(version: &'static str) {
    OTHER_VERSION.get_or_init(|| version);
}

static PACE: OnceLock<(Duration, u32)> = OnceLock::new();

/// Lets the time that leases are measured with run faster in a test's program, which cannot wait for a minute: first thing in its
/// life, once.
pub fn quicken(times: u32) {
    PACE.get_or_init(|| (Duration::from_nanos(monotonic()), times));
}

static AHEAD: OnceLock<PathBuf> = OnceLock::new();

/// Lets that time be ahead by the seconds that stand in a file, in a test's program: first thing in its life, once.
pub fn run_ahead(file: PathBuf) {
    AHEAD.get_or_init(|| file);
}

fn ahead() -> Duration {
    let text = AHEAD.get().and_then(|file| std::fs::read_to_string(file).ok());
    let seconds = text.and_then(|text| text.trim().parse().ok());
    seconds.map(Duration::from_secs).unwrap_or_default()
}

/// The system's monotonic clock, at the pace of this program.
pub(super) fn paced() -> Duration {
    let now = Duration::from_nanos(monotonic()) + ahead();
    match PACE.get() {
        None => now,
        Some((from, times)) => *from + now.saturating_sub(*from) * *times,
    }
}

/// Whether the machine has run without a break since that boot id was asked for. Where the system has none, nobody knows.
#[must_use]
pub fn is_this_boot(id: &str) -> bool {
    !id.is_empty() && id == boot_id()
}

/// Timers of this thread, and of threads that it starts, may ring so much late, together with others: an idle processor
/// is woken less often (`PR_SET_TIMERSLACK`). Only a wish: where the system has no such thing, they ring in time.
pub fn let_timers_wait(long: Duration) {
    #[cfg(target_os = "linux")]
    if let Some(nanos) = u64::try_from(long.as_nanos()).ok().and_then(NonZeroU64::new)
        && let Err(error) = rustix::thread::set_current_timer_slack(Some(nanos))
    {
        tracing::debug!(%error, "timers ring in time");
    }
    #[cfg(not(target_os = "linux"))]
    let _unused = long;
}

/// The machine's boot id; empty where the system has none.
#[cfg(target_os = "macos")]
#[must_use]
pub fn boot_id() -> String {
    super::apple::boot_id()
}

/// The machine's boot id; empty where the system has none.
#[cfg(not(target_os = "macos"))]
#[must_use]
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// Resident memory of this process in bytes; 0 where the system does not say.
#[cfg(target_os = "macos")]
#[must_use]
pub fn resident_bytes() -> u64 {
    super::apple::resident(std::process::id()).unwrap_or_default()
}

/// Resident memory of this process in bytes; 0 where the system does not say.
#[cfg(not(target_os = "macos"))]
#[must_use]
pub fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or_default() * rustix::param::page_size() as u64
}

/// A path that starts this very program, also after its file was replaced.
#[must_use]
pub fn own_image() -> std::ffi::OsString {
    let link = std::path::Path::new("/proc/self/exe");
    let image = if link.exists() {
        Ok(link.to_path_buf())
    } else {
        std::env::current_exe()
    };
    image.unwrap_or_else(|_| PathBuf::from("tod")).into_os_string()
}

/// The effective user of this process.
#[must_use]
pub fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The user's home as the system's user table has it, for when `HOME` is not set.
#[must_use]
pub fn home_of(uid: u32) -> Option<PathBuf> {
    let table = std::fs::read_to_string("/etc/passwd").ok()?;
    let home = table.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.nth(2)?.parse() == Ok(uid)).then(|| fields.nth(2))?
    })?;
    Some(PathBuf::from(home)).filter(|home| home.is_absolute())
}

/// Has the system call this process by its name in lists, also when it was started by descriptor. Where the system keeps
/// the name of the file, nothing.
#[cfg(not(target_os = "linux"))]
pub fn call_itself(_: &std::ffi::CStr) {}

/// Has the system call this process by its name in lists, also when it was started by descriptor.
#[cfg(target_os = "linux")]
pub fn call_itself(name: &std::ffi::CStr) {
    if let Err(error) = rustix::thread::set_name(name) {
        tracing::debug!(%error, "the process keeps its name");
    }
}

/// Waits for a child that is ending, so that it leaves no entry behind. At once when it is no child of this process.
pub fn reap(child: u32) {
    let child = i32::try_from(child).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(child) = child
        && let Err(error) = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty())
    {
        tracing::debug!(%error, "no such child");
    }
}

/// The system's monotonic clock in nanoseconds: the same for every process of this boot, so that it goes on across
/// `exec`.
#[must_use]
pub fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or_default() * 1_000_000_000
        + u64::try_from(now.tv_nsec).unwrap_or_default()
}

/// Lets this process have as many descriptors as the system allows it: one for each connection, and during a hand-over a
/// second one.
pub fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    ) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// How many descriptors this process may have open at once.
#[must_use]
pub fn descriptor_limit() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.unwrap_or(u64::MAX)
}

/// When a process started, in microseconds since 1970; none when there is no such process.
#[cfg(target_os = "macos")]
#[must_use]
pub fn started(pid: u32) -> Option<u64> {
    super::apple::started(pid)
}

/// When a process started, in clock ticks since boot; none when there is no such process.
#[cfg(not(target_os = "macos"))]
#[must_use]
pub fn started(pid: u32) -> Option<u64> {
    /// Fields after the program's name, which ends with the last bracket: `starttime` is the 20th of them.
    const STARTTIME: usize = 19;
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    // A zombie works on nothing any more.
    let gone = matches!(fields.first(), Some(&("Z" | "X")));
    fields.get(STARTTIME).filter(|_| !gone)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_start_and_one_that_is_gone_has_none() {
        let own = started(std::process::id()).expect("this one runs");
        assert!(started(1).is_none_or(|first| first <= own));
        assert_eq!(started(u32::MAX), None);
    }

    #[test]
    fn an_unknown_boot_is_never_this_one() {
        assert!(!is_this_boot("") && !is_this_boot("another"));
        assert_eq!(is_this_boot(&boot_id()), !boot_id().is_empty());
    }

    #[test]
    fn resident_memory_is_measured() {
        assert!(resident_bytes() > 100_000);
    }

    #[test]
    fn the_home_of_root_is_in_the_user_table() {
        assert_eq!(home_of(0), Some(PathBuf::from("/root")));
    }
}
