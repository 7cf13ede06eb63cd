//! What a service manager is told while one image becomes the next, read from the socket that it would listen on.

use std::os::unix::net::UnixDatagram;

use proto::Kind;
use tests::daemon::{Bed, Daemon, program};
use tests::deadline;

use super::{done, reboot, successor};
use crate::life::report;

/// The other end of `NOTIFY_SOCKET`.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    /// A daemon that takes this for its service manager, with a watchdog of 600 ms.
    fn start(bed: &Bed) -> (Self, Daemon) {
        let at = bed.path().join("notify");
        let socket = UnixDatagram::bind(&at).expect("bound");
        socket.set_read_timeout(Some(deadline::LIMIT)).expect("a limit");
        let mut command = bed.command("sh");
        command
            .args(["-c", "WATCHDOG_PID=$$ exec \"$0\" run"])
            .arg(program("tod"))
            .env("NOTIFY_SOCKET", &at)
            .env("WATCHDOG_USEC", "600000");
        let daemon = bed.start_by(&mut command);
        (Self { socket }, daemon)
    }

    fn next(&self) -> Vec<(String, String)> {
        let mut text = [0; 4096];
        let length = self.socket.recv(&mut text).expect("told in time");
        String::from_utf8_lossy(&text[..length])
            .lines()
            .map(|line| line.split_once('=').expect("a name and a value"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// All until the daemon is ready, but for its heartbeat.
    fn until_ready(&self) -> Vec<(String, String)> {
        let mut told = Vec::new();
        while !told.contains(&("READY".to_owned(), "1".to_owned())) {
            told.extend(self.next().into_iter().filter(|(name, _)| name != "WATCHDOG"));
        }
        told
    }

    /// Three beats, and nothing but them.
    fn beats(&self) {
        for _ in 0..3 {
            assert_eq!(self.next(), [("WATCHDOG".to_owned(), "1".to_owned())]);
        }
    }
}

fn monotonic_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec * 1_000_000 + now.tv_nsec / 1000).expect("after the start of the machine")
}

fn names(told: &[(String, String)]) -> Vec<&str> {
    told.iter().map(|(name, _)| name.as_str()).collect()
}

fn main_pids(told: &[(String, String)]) -> Vec<u32> {
    told.iter()
        .filter(|(name, _)| name == "MAINPID")
        .map(|(_, pid)| pid.parse().expect("a process id"))
        .collect()
}

#[test]
fn the_service_manager_is_told_of_every_reboot_and_its_watchdog_is_fed() {
    let bed = Bed::new();
    let (manager, daemon) = Manager::start(&bed);
    assert_eq!(main_pids(&manager.until_ready()), [daemon.pid()]);
    let mut peer = bed.peer();
    for _ in 0..3 {
        let before = monotonic_us();
        done(&mut peer);
        let told = manager.until_ready();
        let wanted = ["RELOADING", "MONOTONIC_USEC", "MAINPID", "MAINPID", "READY"];
        assert_eq!(names(&told), wanted, "{told:?}");
        let at: u64 = told[1].1.parse().expect("microseconds");
        assert!((before..=monotonic_us()).contains(&at), "{told:?}");
        let [guardian, back] = main_pids(&told)[..] else {
            panic!("{told:?}");
        };
        assert!(guardian != daemon.pid() && back == daemon.pid(), "{told:?}");
        manager.beats();
    }
}

#[test]
fn the_service_manager_hears_of_a_reboot_that_did_not_happen_and_of_the_process_that_serves_instead() {
    let bed = Bed::new();
    let (manager, daemon) = Manager::start(&bed);
    manager.until_ready();
    let mut peer = bed.peer();
    // Refused before anything changes: nothing to tell.
    let bad = successor(&bed, "rehearsal-exits");
    peer.call(reboot(Some(&bad))).expect_err("refused");
    manager.beats();
    let bad = successor(&bed, "service-hangs");
    let error = peer.call(reboot(Some(&bad))).expect_err("rolled back");
    assert_eq!(error.kind, Kind::Refused);
    let told = manager.until_ready();
    let serves = report(&mut peer).pid;
    assert_ne!(serves, daemon.pid(), "the guardian became the daemon");
    assert_eq!(names(&told)[..3], ["RELOADING", "MONOTONIC_USEC", "MAINPID"]);
    assert!(main_pids(&told).iter().all(|pid| *pid == serves), "{told:?}");
    manager.beats();
    // With no parent to end it, the test does.
    peer.call(proto::Request::Daemon(proto::daemon::Request::Stop))
        .expect("stopping");
    super::until("it is gone", || bed.daemons().is_empty());
}
