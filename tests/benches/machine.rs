//! What the kernel says a process has cost.

use std::time::Duration;

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
