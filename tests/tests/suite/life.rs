//! The daemon's own life, through the built program: lock, socket, signals, places that are not as they should be.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use proto::{Answer, daemon};
use rustix::process::Signal;
use tests::daemon::{Bed, chmod, program, root};
use tests::process::{self, Said};
use tests::skip::skip;
use tests::wire::{Peer, status};
use tests::{deadline, namespace};

/// What a daemon says that is expected to refuse.
fn refusal(bed: &Bed) -> Said {
    process::run(&mut bed.tod(["run"]))
}

fn report(peer: &mut Peer) -> daemon::Status {
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
    let bed = Bed::new();
    let mut daemon = bed.start();
    let elsewhere = bed.socket().with_file_name("other.sock");
    let successor = std::os::unix::net::UnixListener::bind(&elsewhere).expect("a listener");
    std::fs::rename(&elsewhere, bed.socket()).expect("put in its place");
    assert!(daemon.stop().success());
    assert!(bed.socket().exists(), "the successor's socket stays");
    drop(successor);
}

#[test]
fn a_socket_folder_that_is_a_link_or_open_to_others_is_refused() {
    let bed = Bed::new();
    let folder = bed.runtime().join("task-orchestrator");
    let target = bed.path().join("target");
    std::fs::create_dir(&target).expect("made");
    chmod(&target, 0o700);
    std::os::unix::fs::symlink(&target, &folder).expect("linked");
    let said = refusal(&bed).ends(4);
    assert!(said.err.contains("symbolic link"), "{}", said.err);
    assert_eq!(std::fs::read_dir(&target).expect("listed").count(), 0);

    std::fs::remove_file(&folder).expect("removed");
    std::fs::create_dir(&folder).expect("made");
    chmod(&folder, 0o750);
    let said = refusal(&bed).ends(4);
    assert!(said.err.contains("others may enter"), "{}", said.err);
    chmod(&folder, 0o700);
    drop(bed.start());
}

#[test]
fn something_that_is_no_socket_in_its_place_is_refused_and_left_alone() {
    let bed = Bed::new();
    drop(bed.start());
    std::fs::write(bed.socket(), "precious").expect("written");
    refusal(&bed).ends(4);
    assert_eq!(
        std::fs::read_to_string(bed.socket()).expect("still there"),
        "precious"
    );
}

#[test]
fn a_socket_folder_of_another_user_is_refused() {
    if !root() {
        return skip("foreign-uid", "only root can give a folder away");
    }
    let bed = Bed::new();
    let folder = bed.runtime().join("task-orchestrator");
    std::fs::create_dir(&folder).expect("made");
    chmod(&folder, 0o700);
    std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY)).expect("given away");
    let said = refusal(&bed).ends(4);
    assert!(said.err.contains("belongs to another user"), "{}", said.err);
}

/// A user that owns nothing.
const NOBODY: u32 = 54_321;

#[test]
fn another_user_gets_nothing_even_where_the_files_would_let_them_in() {
    if !root() {
        return skip("foreign-uid", "only root can become somebody else");
    }
    let bed = Bed::new();
    let daemon = bed.start();
    for folder in [
        bed.path(),
        &bed.runtime(),
        bed.socket().parent().expect("a folder"),
    ] {
        chmod(folder, 0o755);
    }
    chmod(&bed.socket(), 0o666);
    // The peer's user is the one of the thread that connects.
    let socket = bed.socket();
    let verdicts = std::thread::spawn(move || {
        let nobody = rustix::process::Uid::from_raw(NOBODY);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).expect("somebody else");
        use proto::hello::{Control, Hello};
        [Control::Talk, Control::Stop, Control::Reboot].map(|control| {
            let mut peer = Peer::connect(&socket);
            let welcome = peer.greet(&Hello::of_this_build(control));
            assert!(peer.ends());
            welcome.verdict
        })
    })
    .join()
    .expect("the other user's thread ends");
    assert_eq!(verdicts, [proto::hello::Verdict::WrongUser; 3]);
    assert_eq!(report(&mut bed.peer()).pid, daemon.pid());
}

#[test]
fn a_daemon_as_another_user_makes_nothing_in_a_home_that_is_not_its_own() {
    if !root() {
        return skip("foreign-uid", "only root can give a folder away");
    }
    let bed = Bed::new();
    for folder in [bed.path().to_path_buf(), bed.home(), bed.runtime(), bed.work()] {
        std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY)).expect("given away");
    }
    // What `sudo` leaves in the environment.
    let said = process::run(bed.tod(["run"]).envs([
        ("SUDO_UID", NOBODY.to_string()),
        ("SUDO_GID", NOBODY.to_string()),
        ("SUDO_USER", "somebody".to_owned()),
    ]))
    .ends(4);
    assert!(said.err.contains("belongs to another user"), "{}", said.err);
    assert_eq!(owned_by_root(bed.path()), Vec::<String>::new());
}

fn owned_by_root(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("listed").flatten() {
        let about = std::fs::symlink_metadata(entry.path()).expect("there");
        if about.uid() == 0 {
            found.push(entry.path().display().to_string());
        }
        if about.is_dir() {
            found.extend(owned_by_root(&entry.path()));
        }
    }
    found
}

#[test]
fn a_socket_path_longer_than_an_address_is_told_with_its_length() {
    let bed = Bed::new();
    let long = bed.path().join("x".repeat(120)).join("tod.sock");
    let said = process::run(bed.tod(["run"]).env("TOD_SOCKET", &long)).ends(2);
    assert!(said.err.contains("TOD_SOCKET"), "{}", said.err);
    assert!(
        said.err.contains(&long.as_os_str().len().to_string()),
        "{}",
        said.err
    );

    // The longest one that fits is served.
    let room = proto::places::SOCKET_PATH_LIMIT - bed.path().as_os_str().len() - "//s".len();
    let longest = bed.path().join("y".repeat(room)).join("s");
    assert_eq!(longest.as_os_str().len(), proto::places::SOCKET_PATH_LIMIT);
    let mut daemon = tests::daemon::Daemon::spawn(bed.tod(["run"]).env("TOD_SOCKET", &longest));
    deadline::until("the daemon serves", || Peer::try_connect(&longest));
    assert!(daemon.stop().success());
}

#[test]
fn without_home_the_own_variables_are_enough() {
    let bed = Bed::new();
    let daemon = bed.start_with(|tod| {
        tod.env_remove("HOME")
            .env("TOD_STATE_DIR", bed.state())
            .env("TOD_SOCKET", bed.socket());
    });
    assert_eq!(report(&mut bed.peer()).pid, daemon.pid());
}

#[test]
fn a_user_without_any_home_is_told_what_to_set() {
    if !root() {
        return skip(
            "foreign-uid",
            "only root can become a user who is not in the user table",
        );
    }
    let bed = Bed::new();
    let mut command = bed.command("setpriv");
    let user = NOBODY.to_string();
    command
        .args(["--reuid", &user, "--regid", &user, "--clear-groups"])
        .arg(program("tod"))
        .arg("run")
        .env_remove("HOME")
        .current_dir("/");
    let said = process::run(&mut command);
    if said.err.contains("setpriv: failed to execute") {
        return skip(
            "foreign-uid",
            "the built programs are in a folder that others may not enter",
        );
    }
    assert!(said.ends(2).err.contains("TOD_STATE_DIR"));
}

#[test]
fn a_home_that_cannot_be_written_is_told_with_what_to_set() {
    let bed = Bed::new();
    let Some(mut command) = namespace::mounting(&bed, "mount -t tmpfs -o ro none \"$HOME\"") else {
        return;
    };
    let said = process::run(command.arg(program("tod")).arg("run")).ends(6);
    assert!(said.err.contains("TOD_STATE_DIR"), "{}", said.err);
    assert!(!bed.socket().exists());
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

#[test]
fn everything_the_daemon_makes_is_closed_to_others() {
    let bed = Bed::new();
    let mut command = bed.command("sh");
    command
        .args(["-c", "umask 000; exec \"$0\" run"])
        .arg(program("tod"));
    let daemon = bed.start_by(&mut command);
    let open: Vec<String> = open_to_others(&bed.home())
        .into_iter()
        .chain(open_to_others(&bed.runtime()))
        .collect();
    assert_eq!(open, Vec::<String>::new());
    drop(daemon);
}

fn open_to_others(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("listed").flatten() {
        let about = std::fs::symlink_metadata(entry.path()).expect("there");
        // What is inside a closed folder is closed too; a link has no rights of its own.
        if about.is_dir() && about.mode() & 0o077 == 0 {
            continue;
        }
        if !about.is_symlink() && about.mode() & 0o077 != 0 {
            // Folders of the base directory specification, which others use too, may be listed.
            let base = [".local", ".local/state"].map(|name| folder.join(name));
            if base.contains(&entry.path()) || entry.path().ends_with("state") {
                found.extend(open_to_others(&entry.path()));
                continue;
            }
            found.push(format!("{:o} {}", about.mode() & 0o777, entry.path().display()));
        }
    }
    found
}
