//! What the kernel says a process has cost, and which processors one runs on.

use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Processor time of a process and of all its threads that were and are, to the hundredth of a second.
pub fn cpu(pid: u32) -> Duration {
    /// Fields after the program's name: `utime` is the 12th of them, `stime` the next.
    const UTIME: usize = 11;
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, fields) = text.rsplit_once(')').expect("a name");
    let ticks: u64 = fields
        .split_ascii_whitespace()
        .skip(UTIME)
        .take(2)
        .map(|field| field.parse::<u64>().expect("a number"))
        .sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

/// Processor time of its threads of now, to the nanosecond.
pub fn threads(pid: u32) -> Duration {
    let ran = |text: String| {
        text.split_ascii_whitespace()
            .next()
            .and_then(|field| field.parse().ok())
    };
    Duration::from_nanos(of_threads(pid, "schedstat", ran))
}

/// How often its threads of now went to sleep of their own will.
pub fn naps(pid: u32) -> u64 {
    let slept = |text: String| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse().ok())
    };
    of_threads(pid, "status", slept)
}

fn of_threads(pid: u32, file: &str, read: impl Fn(String) -> Option<u64>) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let texts = threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join(file)).ok());
    texts.filter_map(read).sum()
}

/// Where both ends of a question run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seats {
    /// Whoever asks and whoever answers share one processor: what a question costs is what both have to do for it.
    One,
    /// Each has its own: what it costs to wake a sleeping processor, twice, comes on top.
    Two,
}

impl Seats {
    /// All that this machine can offer.
    pub fn all() -> Vec<Self> {
        let few = processors().len() < 2;
        [Self::One, Self::Two]
            .into_iter()
            .take(if few { 1 } else { 2 })
            .collect()
    }

    /// For the name of a row.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "one processor",
            Self::Two => "two processors",
        }
    }
}

/// Keeps this thread on one processor and processes of others on the one that the seats give them, until it is dropped:
/// where the kernel puts two processes decides more about a short question than what they do.
pub struct Seated {
    others: Vec<u32>,
    before: CpuSet,
}

impl Seated {
    /// From now on.
    pub fn take(seats: Seats, others: &[u32]) -> Self {
        let before = sched_getaffinity(None).expect("where this thread may run");
        let free = processors();
        let (mine, theirs) = match seats {
            Seats::One => (free[0], free[0]),
            Seats::Two => (free[0], free[1]),
        };
        sched_setaffinity(None, &only(mine)).expect("this thread stays there");
        let seated = Self {
            others: others.to_vec(),
            before,
        };
        others.iter().for_each(|&pid| put(pid, &only(theirs)));
        seated
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        sched_setaffinity(None, &self.before).expect("this thread goes where it wants");
        self.others.iter().for_each(|&pid| put(pid, &self.before));
    }
}

fn processors() -> Vec<usize> {
    let may = sched_getaffinity(None).expect("where this thread may run");
    (0..CpuSet::MAX_CPU)
        .filter(|&processor| may.is_set(processor))
        .collect()
}

fn only(processor: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(processor);
    set
}

/// All threads of a process; those that it starts follow.
fn put(pid: u32, set: &CpuSet) {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    for thread in threads.flatten() {
        let thread = thread
            .file_name()
            .to_str()
            .and_then(|text| text.parse().ok())
            .and_then(Pid::from_raw);
        // One that has ended meanwhile has no place.
        let _gone = sched_setaffinity(thread, set);
    }
}
