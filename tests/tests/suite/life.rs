//! The daemon's own life, through the built program: lock, socket, signals, idleness, the service manager, the log.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use proto::{Answer, daemon};
use rustix::process::Signal;
use tests::daemon::{Bed, chmod, program};
use tests::deadline;
use tests::process::{self, Said};
use tests::wire::{Peer, status};

/// What a daemon says that is expected to refuse.
pub fn refusal(bed: &Bed) -> Said {
    process::run(&mut bed.tod(["run"]))
}

pub fn report(peer: &mut Peer) -> daemon::Status {
    match peer.call(status()) {
        Ok(Answer::Daemon(daemon::Answer::Status(status))) => *status,
        other => panic!("not a status: {other:?}"),
    }
}

#[test]
fn a_second_daemon_of_the_same_state_is_told_so_and_the_first_serves_on() {
    let bed = Bed::new();
    let first = bed.start();
    let second = refusal(&bed).ends(5);
    assert!(second.err.contains("another daemon is running"), "{}", second.err);
    assert_eq!(report(&mut bed.peer()).pid, first.pid());

    // Neither does another socket make room for a second one.
    let elsewhere = bed.path().join("elsewhere.sock");
    process::run(bed.tod(["run"]).env("TOD_SOCKET", &elsewhere)).ends(5);
    assert!(!elsewhere.exists());
}

#[test]
fn daemons_of_two_states_serve_side_by_side() {
    let (one, other) = (Bed::new(), Bed::new());
    let (first, second) = (one.start(), other.start());
    assert_eq!(report(&mut one.peer()).pid, first.pid());
    assert_eq!(report(&mut other.peer()).pid, second.pid());
}

#[test]
fn after_a_kill_the_next_daemon_takes_the_place_of_the_stale_socket() {
    let bed = Bed::new();
    for _ in 0..3 {
        let mut daemon = bed.start();
        daemon.kill();
        assert!(bed.socket().exists(), "a killed daemon leaves its socket");
        assert!(Peer::try_connect(&bed.socket()).is_none());
    }
    let daemon = bed.start();
    assert_eq!(report(&mut bed.peer()).pid, daemon.pid());
}

#[test]
fn the_lock_file_says_where_the_daemon_of_this_state_listens() {
    let bed = Bed::new();
    let mut daemon = bed.start();
    let lock = bed.lock_file().expect("a lock file that says something");
    assert_eq!(lock.pid, daemon.pid());
    assert_eq!(lock.socket, bed.socket());
    assert_eq!(lock.version, proto::hello::VERSION);
    assert!(!lock.boot.is_empty() || !cfg!(target_os = "linux"));
    assert!(daemon.stop().success());
    assert!(
        bed.lock_file().is_none(),
        "a daemon that has ended is named nowhere"
    );
}

#[test]
fn term_and_int_end_the_daemon_cleanly() {
    for signal in [Signal::TERM, Signal::INT] {
        let bed = Bed::new();
        let mut daemon = bed.start();
        let mut idle = bed.peer();
        daemon.signal(signal);
        assert!(daemon.wait().success());
        assert!(idle.ends(), "the connection is closed");
        assert!(!bed.socket().exists(), "the socket is removed");
    }
}

#[test]
fn requests_that_were_sent_before_the_signal_are_answered_or_the_connection_ends_whole() {
    let bed = Bed::new();
    let mut daemon = bed.start();
    let mut peer = bed.peer();
    let ids: Vec<u64> = (0..200).map(|_| peer.ask(status())).collect();
    daemon.signal(Signal::TERM);
    let mut answered = 0;
    while let Some(frame) = peer.frame() {
        assert!(matches!(frame, proto::ServerFrame::Done { .. }), "{frame:?}");
        answered += 1;
    }
    assert!(answered <= ids.len());
    assert!(daemon.wait().success());
}

#[test]
fn a_stop_by_request_is_answered_before_the_end() {
    let bed = Bed::new();
    let mut daemon = bed.start();
    let mut peer = bed.peer();
    let answer = peer.call(proto::Request::Daemon(daemon::Request::Stop));
    let pid = daemon.pid();
    assert_eq!(answer, Ok(Answer::Daemon(daemon::Answer::Stopping { pid })));
    assert!(peer.ends());
    assert!(daemon.wait().success());
}

#[test]
fn hup_reads_the_configuration_again_and_ends_nothing() {
    let bed = Bed::new();
    let mut daemon = bed.start();
    let mut peer = bed.peer();
    daemon.signal(Signal::HUP);
    deadline::until("the log tells of the signal", || {
        let log = std::fs::read_to_string(bed.log()).ok()?;
        log.contains("SIGHUP").then_some(())
    });
    assert_eq!(report(&mut peer).pid, daemon.pid());
    assert!(daemon.ended().is_none());
}

#[test]
fn an_idle_daemon_ends_only_when_nobody_is_connected() {
    let bed = Bed::new();
    let mut daemon = bed.start_with(|tod| {
        tod.args(["--idle-exit", "1"]);
    });
    let mut peer = bed.peer();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1500) {
        assert_eq!(report(&mut peer).pid, daemon.pid());
        assert!(daemon.ended().is_none(), "somebody is connected");
    }
    drop(peer);
    assert!(daemon.wait().success());
    assert!(!bed.socket().exists());
}

#[test]
fn a_removed_runtime_folder_is_made_again_by_the_daemon_that_runs() {
    let bed = Bed::new();
    let daemon = bed.start();
    let mut before = bed.peer();
    std::fs::remove_dir_all(bed.socket().parent().expect("a folder")).expect("removed");
    let mut again = deadline::until("the daemon binds again", || Peer::try_connect(&bed.socket()));
    let welcome = again.greet(&proto::hello::Hello::of_this_build(proto::hello::Control::Talk));
    assert_eq!(welcome.pid, daemon.pid());
    assert_eq!(report(&mut before).pid, daemon.pid(), "old connections go on");
}

#[test]
fn a_replaced_socket_is_bound_again() {
    let bed = Bed::new();
    let daemon = bed.start();
    std::fs::remove_file(bed.socket()).expect("removed");
    let foreign = std::os::unix::net::UnixListener::bind(bed.socket()).expect("a listener of nobody");
    let pid = deadline::until("the daemon has its socket back", || {
        let mut peer = Peer::try_connect(&bed.socket())?;
        peer.patience(Duration::from_millis(50));
        peer.send_if_taken(&proto::hello::Hello::of_this_build(proto::hello::Control::Talk).to_bytes());
        let mut welcome = [0; proto::hello::LENGTH];
        std::io::Read::read_exact(&mut peer.stream, &mut welcome).ok()?;
        Some(proto::hello::Welcome::from_bytes(&welcome).ok()?.pid)
    });
    assert_eq!(pid, daemon.pid());
    drop(foreign);
}

#[test]
fn a_stopping_daemon_does_not_remove_a_socket_that_is_not_its_own() {
    // Between the rename and the signal the daemon may notice and bind again, which is its right: then once more.
    let stayed = (0..5).any(|_| {
        let bed = Bed::new();
        let mut daemon = bed.start();
        let elsewhere = bed.socket().with_file_name("other.sock");
        let _successor = std::os::unix::net::UnixListener::bind(&elsewhere).expect("a listener");
        std::fs::rename(&elsewhere, bed.socket()).expect("put in its place");
        assert!(daemon.stop().success());
        bed.socket().exists()
    });
    assert!(stayed, "the successor's socket stays");
}

#[test]
fn a_daemon_started_on_demand_lets_go_of_what_it_inherits() {
    let bed = Bed::new();
    let script = "exec 3>&1 4>&1 5>&1 6>&1 7>&1 8>&1 9>&1; \"$0\" run --on-demand >/dev/null & echo started";
    let mut shell = bed.command("sh");
    shell.args(["-c", script]).arg(program("tod"));
    // Comes back only when nobody holds the pipes any more, standard error included.
    let said = process::run(&mut shell).ok();
    assert_eq!(said.text(), "started\n");
    let pid = deadline::until("the daemon serves", || bed.lock_file()).pid;
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("its descriptors")
        .flatten()
    {
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        assert!(
            !target.to_string_lossy().starts_with("pipe:"),
            "{} is {}",
            entry.path().display(),
            target.display()
        );
    }
}

#[test]
fn a_socket_that_the_service_manager_passes_is_served_and_left_in_place() {
    let bed = Bed::new();
    let folder = bed.socket().parent().expect("a folder").to_path_buf();
    std::fs::create_dir(&folder).expect("made");
    chmod(&folder, 0o700);
    let listener = std::os::unix::net::UnixListener::bind(bed.socket()).expect("bound");
    // A client that comes before the daemon waits in the backlog.
    let mut early = Peer::connect(&bed.socket());
    let notify = bed.path().join("notify");
    let told = std::os::unix::net::UnixDatagram::bind(&notify).expect("bound");
    told.set_read_timeout(Some(deadline::LIMIT)).expect("a limit");
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ WATCHDOG_PID=$$ exec \"$0\" run";
    let mut command = bed.command("sh");
    command
        .args(["-c", script])
        .arg(program("tod"))
        .env("LISTEN_FDS", "1")
        .env("NOTIFY_SOCKET", &notify)
        .env("WATCHDOG_USEC", "200000");
    let mut child = command
        .stdin(std::os::fd::OwnedFd::from(listener))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("started");
    let heard = |word: &str| {
        deadline::until("the service manager hears of it", || {
            let mut text = [0; 4096];
            let length = told.recv(&mut text).ok()?;
            String::from_utf8_lossy(&text[..length])
                .contains(word)
                .then_some(())
        });
    };
    heard("READY=1");
    let welcome = early.greet(&proto::hello::Hello::of_this_build(proto::hello::Control::Talk));
    assert_eq!(welcome.pid, child.id());
    heard("WATCHDOG=1");
    heard("WATCHDOG=1");
    process::signal(child.id(), Some(Signal::TERM));
    heard("STOPPING=1");
    let status = process::wait(&mut child, deadline::LIMIT).expect("the daemon ends");
    assert!(status.success());
    assert!(bed.socket().exists(), "the socket is the service manager's");
}

#[test]
fn a_daemon_that_may_open_too_few_files_to_begin_says_why_and_what_to_do() {
    let bed = Bed::new();
    for most in 6..=14 {
        let mut command = bed.command("sh");
        let script = format!("ulimit -n {most}; exec \"$0\" run");
        command.args(["-c", &script]);
        let said = process::run(command.arg(program("tod"))).ends(6);
        let whole = said.err.contains("  why: ") && said.err.contains("  next: ");
        assert!(whole, "{most}: {}", said.err);
    }
}

#[test]
fn a_log_that_nobody_reads_or_can_write_keeps_nobody_from_being_served() {
    let bed = Bed::new();
    for make in ["mkfifo", "mkdir"] {
        drop(bed.start());
        std::fs::remove_file(bed.log()).expect("removed");
        process::run(std::process::Command::new(make).arg(bed.log())).ok();
        let mut daemon = bed.start();
        bed.peer().call(status()).expect("served");
        assert!(daemon.stop().success(), "{make}");
        process::run(std::process::Command::new("rm").arg("-r").arg(bed.log())).ok();
    }
}

#[test]
fn a_log_that_has_grown_is_put_aside_and_a_new_one_begun() {
    let bed = Bed::new();
    drop(bed.start());
    let full = vec![b'x'; 5 << 20];
    for _ in 0..6 {
        std::fs::write(bed.log(), &full).expect("written");
        drop(bed.start());
    }
    let logs = bed.log();
    let mut sizes: Vec<(String, u64)> = std::fs::read_dir(logs.parent().expect("a folder"))
        .expect("listed")
        .flatten()
        .map(|entry| {
            let size = entry.metadata().expect("there").len();
            (entry.file_name().to_string_lossy().into_owned(), size)
        })
        .collect();
    sizes.sort();
    let names: Vec<&str> = sizes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["tod.log", "tod.log.1", "tod.log.2", "tod.log.3", "tod.log.4"]
    );
    assert!(sizes[0].1 < 1 << 20, "{sizes:?}");
    let mode = std::fs::metadata(&logs).expect("there").mode();
    assert_eq!(mode & 0o077, 0, "the log is for its user alone");
}
