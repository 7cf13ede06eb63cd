//! A command under its supervisor: neither a reboot nor a crash of the daemon that had it started loses it, its output or how
//! it ended.

use std::path::{Path, PathBuf};

use daemon::world::supervisor::{Known, Standing, look};
use rustix::process::Signal;
use tests::daemon::{Bed, Daemon};
use tests::{deadline, process};

use crate::life::report;
use crate::reboot::{successor, until};

/// Starts a daemon that begins its life by having a shell script run.
fn begin(bed: &Bed, script: &str, limit_ms: u32) -> (Daemon, PathBuf) {
    let folder = bed.path().join("run-of-a-test");
    std::fs::create_dir(&folder).expect("made");
    let binary = successor(bed, "supervising-one");
    let mut command = bed.command(binary);
    command
        .arg("run")
        .env("TEST_RUN", &folder)
        .env("TEST_LIMIT_MS", limit_ms.to_string())
        .env("TEST_SCRIPT", script);
    (bed.start_by(&mut command), folder)
}

fn runs(folder: &Path) -> (Known, Known) {
    deadline::until("the command runs", || match look(folder).expect("read") {
        Standing::Runs { supervisor, command } => Some((supervisor, command)),
        _ => None,
    })
}

fn ended(folder: &Path) -> Standing {
    deadline::until("the command has ended", || match look(folder).expect("read") {
        Standing::Begins | Standing::Runs { .. } => None,
        ended => Some(ended),
    })
}

fn output(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("output")).unwrap_or_default()
}

/// Says something, waits for a file, says something else and ends with 3.
const WAITS: &str = "echo one; while [ ! -e \"$TEST_RUN/go\" ]; do sleep 0.05; done; echo two >&2; exit 3";

#[test]
fn a_command_outlives_reboots_and_a_crash_and_its_end_is_known() {
    let bed = Bed::new();
    let (mut daemon, folder) = begin(&bed, WAITS, 0);
    let before = runs(&folder);
    until("it has said something", || output(&folder) == "one\n");
    daemon.signal(Signal::USR2);
    until("the next image serves", || {
        report(&mut bed.peer()).generation == 1
    });
    assert_eq!(runs(&folder), before, "a reboot changes nothing for it");
    daemon.kill();
    assert_eq!(runs(&folder), before, "nor does a crash");
    let second = bed.start();
    std::fs::write(folder.join("go"), "").expect("written");
    assert_eq!(ended(&folder), Standing::Exited(3));
    assert_eq!(output(&folder), "one\ntwo\n");
    until("nobody is left of it", || {
        !process::lives(before.0.pid) && !process::lives(before.1.pid)
    });
    drop(second);
}

#[test]
fn a_command_that_takes_too_long_or_is_not_wanted_any_more_is_ended_with_all_below_it() {
    let bed = Bed::new();
    let (_daemon, folder) = begin(&bed, "sleep 1000 & wait", 300);
    assert_eq!(ended(&folder), Standing::Killed(15));
    drop(_daemon);
    std::fs::remove_dir_all(&folder).expect("removed");

    let (_daemon, folder) = begin(&bed, "sleep 1000 & wait", 0);
    let (supervisor, _) = runs(&folder);
    process::signal(supervisor.pid, Some(Signal::TERM));
    assert_eq!(ended(&folder), Standing::Killed(15));
}

#[test]
fn a_command_whose_supervisor_was_killed_is_lost_and_said_to_be() {
    let bed = Bed::new();
    let (_daemon, folder) = begin(&bed, WAITS, 0);
    let (supervisor, command) = runs(&folder);
    process::signal(supervisor.pid, Some(Signal::KILL));
    until("it is known", || look(&folder).expect("read") == Standing::Lost);
    assert!(process::lives(command.pid), "the command itself goes on");
    std::fs::write(folder.join("go"), "").expect("written");
    until("it ends", || !process::lives(command.pid));
}

#[test]
fn a_command_that_nobody_could_find_again_does_not_go_on() {
    let bed = Bed::new();
    let folder = bed.path().join("run-of-a-test");
    // Where the supervisor would write down who runs.
    std::fs::create_dir_all(folder.join(".run")).expect("made");
    let mut supervisor = bed.command(tests::daemon::program("tod"));
    supervisor.arg("supervise-on").arg(&folder).arg("0");
    supervisor.args(["sh", "-c", "echo $$; exec sleep 1000"]);
    let said = supervisor.output().expect("run");
    assert!(!said.status.success());
    assert!(
        matches!(look(&folder), Ok(Standing::NotStarted(_))),
        "{:?}",
        look(&folder)
    );
    if let Ok(pid) = output(&folder).trim().parse() {
        assert!(!process::lives(pid), "the command goes on");
    }
}
