//! Other processes: run one to its end within a limit, ask whether one lives, find those of a test.
//!
//! Asked by `daemon` and by tests. What must stay true: nothing waits for ever, also not for a pipe that a process left
//! behind keeps open; only processes of the test's own folder are ever signalled.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::deadline;

/// What a program said and how it ended.
#[derive(Clone, Debug)]
pub struct Said {
    /// Exit code; 128 + signal when a signal ended it, as shells count.
    pub code: i32,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error, as text.
    pub err: String,
}

impl Said {
    /// Standard output as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Standard output as one JSON value.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|error| panic!("not JSON ({error}): {self:#?}"))
    }

    /// The same, after looking that the program ended well.
    ///
    /// # Panics
    /// When it did not.
    pub fn ok(self) -> Self {
        self.ends(0)
    }

    /// The same, after looking at the exit code.
    ///
    /// # Panics
    /// When the exit code is another one.
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            code,
            "exit code\nout: {}\nerr: {}",
            self.text(),
            self.err
        );
        self
    }
}

/// Runs a program to its end, until nobody holds its output any more.
///
/// # Panics
/// When that takes longer than [`deadline::LIMIT`], or the program cannot be started.
pub fn run(command: &mut Command) -> Said {
    run_with_input(command, &[])
}

/// The same with something on standard input.
///
/// # Panics
/// As [`run`].
pub fn run_with_input(command: &mut Command, input: &[u8]) -> Said {
    let stdin = if input.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    };
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    if let Some(mut stdin) = child.stdin.take() {
        std::io::Write::write_all(&mut stdin, input).expect("the program takes its input");
    }
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let status = wait(&mut child, deadline::LIMIT).unwrap_or_else(|| {
        let _gone = child.kill();
        panic!("{command:?} did not end within {:?}", deadline::LIMIT)
    });
    let whole = |pipe: std::thread::JoinHandle<Vec<u8>>, name| {
        deadline::within(deadline::LIMIT, || pipe.is_finished().then_some(()))
            .unwrap_or_else(|| panic!("{command:?} has ended and somebody still holds its {name}"));
        pipe.join().expect("the pipe was read")
    };
    let out = whole(out, "standard output");
    let err = whole(err, "standard error");
    Said {
        code: code(status),
        out,
        err: String::from_utf8_lossy(&err).into_owned(),
    }
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _cut_is_seen_in_the_bytes = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// Waits for a child; none when the limit has passed.
///
/// # Panics
/// When the child is not ours.
pub fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    deadline::within(limit, || child.try_wait().expect("a child of ours"))
}

/// The exit code as shells count: 128 + signal when a signal ended the program.
#[must_use]
pub fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(-1)
}

/// Whether a process runs: a zombie does not.
#[must_use]
pub fn lives(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return cfg!(not(target_os = "linux")) && signal(pid, None);
    };
    // The name in parentheses may hold anything; the state is the first word after the last one.
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    !state.starts_with(['Z', 'X'])
}

/// Sends a signal; whether there was somebody to get it. Without one only asks.
pub fn signal(pid: u32, signal: Option<Signal>) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return false;
    };
    match signal {
        Some(signal) => rustix::process::kill_process(pid, signal).is_ok(),
        None => rustix::process::test_kill_process(pid).is_ok(),
    }
}

/// The living processes (not this one) whose environment names a folder, with their names.
#[must_use]
pub fn of_folder(folder: &Path) -> Vec<(u32, String)> {
    let needle = folder.as_os_str().as_encoded_bytes();
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != std::process::id())
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environ| environ.windows(needle.len()).any(|part| part == needle))
        })
        .filter(|pid| lives(*pid))
        .map(|pid| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            (pid, name.trim().to_owned())
        })
        .collect()
}
