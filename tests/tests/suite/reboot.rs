//! Handing over in place: no client notices, and a binary that cannot take over changes nothing.

mod elsewhere;
mod interplay;
mod manager;
mod schema;

use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::daemon::{Answer as Told, Outcome, Reboot};
use proto::{Answer, Kind, RawPath, Request, daemon, detect, index};
use rustix::process::Signal;
use tests::daemon::{Bed, chmod, program};
use tests::load::{Rounds, Size};
use tests::wire::{Peer, status};
use tests::{deadline, load, process};

use crate::life::report;

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    deadline::until(what, || holds().then_some(()));
}

pub(crate) fn reboot(binary: Option<&Path>) -> Request {
    Request::Daemon(daemon::Request::Reboot {
        binary: binary.map(RawPath::from),
        limit_ms: 3_000,
        reason: Some("a test".to_owned()),
    })
}

fn done(peer: &mut Peer) -> Reboot {
    match peer.call(reboot(None)) {
        Ok(Answer::Daemon(Told::Rebooted(reboot))) => *reboot,
        other => panic!("not rebooted: {other:?}"),
    }
}

pub(crate) fn history(peer: &mut Peer) -> Vec<Reboot> {
    match peer.call(Request::Daemon(daemon::Request::Reboots)) {
        Ok(Answer::Daemon(Told::Reboots { history, .. })) => history,
        other => panic!("no history: {other:?}"),
    }
}

/// A program that fails in the way of its name, beside the real one.
pub(crate) fn successor(bed: &Bed, name: &str) -> PathBuf {
    let folder = bed.path().join("successors");
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::copy(program("tod"), folder.join("real")).expect("copied");
    let path = folder.join(name);
    std::fs::copy(program("successor"), &path).expect("copied");
    path
}

#[test]
fn five_reboots_in_a_row_keep_the_process_and_every_connection() {
    let bed = Bed::new();
    let daemon = bed.start();
    let mut kept: Vec<Peer> = (0..8).map(|_| bed.peer()).collect();
    let mut asking = bed.peer();
    // One has said the first half of a header, one the first half of a frame.
    let mut fresh = Peer::connect(&bed.socket());
    let header = proto::hello::Hello::of_this_build(proto::hello::Control::Talk).to_bytes();
    fresh.send(&header[..20]);
    for generation in 1..=5 {
        let told = done(&mut asking);
        assert_eq!(
            (told.generation, told.pid, told.outcome),
            (generation, daemon.pid(), Outcome::Done)
        );
        for peer in &mut kept {
            let status = report(peer);
            assert_eq!((status.pid, status.generation), (daemon.pid(), generation));
        }
        assert_eq!(
            report(&mut bed.peer()).generation,
            generation,
            "a new connection is served"
        );
    }
    fresh.send(&header[20..]);
    assert_eq!(fresh.welcome().generation, 5);
    until("the history is written", || history(&mut asking).len() == 5);
    assert_eq!(bed.daemons(), [daemon.pid()]);
}

#[test]
fn a_wait_goes_on_in_the_next_image_and_hears_of_the_change_alone() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let project = bed.project("p");
    std::fs::write(project.join("Cargo.toml"), "").expect("written");
    let at = detect::From::Start(project.as_path().into());
    let mut peer = bed.peer();
    let clock = match peer.call(Request::Index(index::Request::Clock {
        at: at.clone(),
        sync: index::Sync::Cookie,
    })) {
        Ok(Answer::Index(index::Answer::Clock { clock, .. })) => clock,
        other => panic!("no clock: {other:?}"),
    };
    let before = report(&mut peer).workspaces;
    assert!(
        before.iter().all(|workspace| workspace.id.starts_with("ws_")),
        "{before:?}"
    );
    let mut waiting = bed.peer();
    let since = index::Since::Clock(clock);
    let wait = waiting.ask(Request::Index(index::Request::Changes {
        at,
        since,
        wait: true,
        sync: index::Sync::Cookie,
    }));
    done(&mut peer);
    std::fs::write(project.join("new"), "x").expect("written");
    let (mut seen, fresh);
    seen = Vec::new();
    loop {
        match waiting.frame() {
            Some(proto::ServerFrame::Item {
                id,
                item: proto::Item::Changes(changes),
            }) if id == wait => seen.extend(changes),
            Some(proto::ServerFrame::Done {
                id,
                answer: Answer::Index(index::Answer::Changes { fresh_instance, .. }),
            }) if id == wait => {
                fresh = fresh_instance;
                break;
            }
            Some(proto::ServerFrame::Progress { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    let ids = |workspaces: &[daemon::Workspace]| {
        workspaces
            .iter()
            .map(|workspace| workspace.id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&report(&mut peer).workspaces), ids(&before));
    let told: Vec<_> = seen
        .iter()
        .map(|change| (change.path.clone(), change.while_away))
        .collect();
    assert_eq!((fresh, told), (false, vec![(RawPath::from("new"), false)]));
}

#[test]
fn a_binary_that_cannot_take_over_is_refused_and_nothing_has_changed() {
    let bed = Bed::new();
    let daemon = bed.start();
    let mut peer = bed.peer();
    let plain = bed.path().join("plain");
    std::fs::copy(program("tod"), &plain).expect("copied");
    chmod(&plain, 0o644);
    let script = bed.path().join("script");
    std::fs::write(&script, "#!/bin/sh\nexit 0\n").expect("written");
    chmod(&script, 0o755);
    let mut foreign = std::fs::read(program("tod")).expect("read");
    foreign[18] ^= 0x55;
    let other = bed.path().join("other-machine");
    std::fs::write(&other, foreign).expect("written");
    chmod(&other, 0o755);
    let pipe = bed.path().join("pipe");
    tests::process::run(std::process::Command::new("mkfifo").arg(&pipe)).ok();
    chmod(&pipe, 0o755);
    let mut bad = vec![
        bed.path().join("missing"),
        pipe,
        plain,
        script,
        other,
        bed.path().to_path_buf(),
    ];
    bad.push(program("successor"));
    for how in ["exits", "crashes", "segfaults", "hangs", "babbles"] {
        bad.push(successor(&bed, &format!("rehearsal-{how}")));
    }
    let count = bad.len();
    for binary in bad {
        let error = peer.call(reboot(Some(&binary))).expect_err("refused");
        assert!(
            matches!(error.kind, Kind::Refused | Kind::NotFound),
            "{}: {error:?}",
            binary.display()
        );
        assert!(error.why.is_some() && error.next.is_some(), "{error:?}");
        let status = report(&mut peer);
        assert_eq!(
            (status.pid, status.generation),
            (daemon.pid(), 0),
            "{}",
            binary.display()
        );
    }
    until("the history is written", || history(&mut peer).len() == count);
    assert!(
        history(&mut peer)
            .iter()
            .all(|reboot| reboot.outcome == Outcome::Refused)
    );
    let left: Vec<_> = std::fs::read_dir(bed.state())
        .expect("listed")
        .filter_map(|entry| entry.expect("entry").file_name().into_string().ok())
        .filter(|name| name.starts_with("rehearsal"))
        .collect();
    assert!(left.is_empty(), "rehearsals leave nothing behind: {left:?}");
}

#[test]
fn an_image_that_fails_after_the_hand_over_is_replaced_by_the_one_before() {
    for how in ["exits", "crashes", "segfaults", "hangs", "babbles"] {
        let bed = Bed::new();
        let _daemon = bed.start();
        let mut peer = bed.peer();
        let mut idle = bed.peer();
        let binary = successor(&bed, &format!("service-{how}"));
        let error = peer.call(reboot(Some(&binary))).expect_err("told why");
        assert_eq!(error.kind, Kind::Refused, "{how}: {error:?}");
        let status = report(&mut peer);
        assert_eq!(status.generation, 0, "{how}");
        assert_eq!(
            report(&mut idle).pid,
            status.pid,
            "{how}: every connection is kept"
        );
        assert_eq!(bed.daemons(), [status.pid], "{how}: one daemon");
        until("the history is written", || !history(&mut peer).is_empty());
        let told = history(&mut peer);
        assert_eq!(told[0].outcome, Outcome::Guarded, "{how}");
        done(&mut peer);
        peer.call(Request::Daemon(daemon::Request::Stop))
            .expect("stopping");
        until("it is gone", || bed.daemons().is_empty());
    }
}

#[test]
fn a_running_binary_that_was_deleted_or_replaced_is_no_obstacle() {
    let bed = Bed::new();
    let own = bed.path().join("own-tod");
    std::fs::copy(program("tod"), &own).expect("copied");
    let mut command = bed.command(&own);
    let daemon = bed.start_by(command.arg("run"));
    let mut peer = bed.peer();
    std::fs::remove_file(&own).expect("removed");
    let error = peer.call(reboot(None)).expect_err("nothing there to become");
    assert_eq!(error.kind, Kind::NotFound);
    std::fs::copy(program("tod"), &own).expect("replaced");
    assert_eq!(done(&mut peer).pid, daemon.pid());
    std::fs::remove_file(&own).expect("removed");
    let binary = successor(&bed, "service-exits");
    peer.call(reboot(Some(&binary))).expect_err("refused");
    assert_eq!(report(&mut peer).generation, 1, "the deleted image serves again");
}

#[test]
fn one_reboot_at_a_time() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let (mut one, mut other) = (bed.peer(), bed.peer());
    let hanging = successor(&bed, "rehearsal-hangs");
    let first = one.ask(reboot(Some(&hanging)));
    let mut conflict = None;
    until("the first is under way", || {
        let under_way = match other.call(Request::Daemon(daemon::Request::Reboots)) {
            Ok(Answer::Daemon(Told::Reboots { under_way, .. })) => under_way,
            _ => None,
        };
        under_way.is_some()
    });
    conflict.replace(other.call(reboot(None)).expect_err("one at a time"));
    assert_eq!(conflict.map(|error| error.kind), Some(Kind::Conflict));
    match one.frame() {
        Some(proto::ServerFrame::Failed { id, error }) if id == first => {
            assert_eq!(error.kind, Kind::Refused)
        }
        other => panic!("{other:?}"),
    }
    done(&mut other);
}

#[test]
fn stop_wins_over_a_rehearsal() {
    let bed = Bed::new();
    let mut daemon = bed.start();
    let mut peer = bed.peer();
    let hanging = successor(&bed, "rehearsal-hangs");
    peer.ask(reboot(Some(&hanging)));
    daemon.signal(Signal::TERM);
    assert!(daemon.wait().success());
}

#[test]
fn any_version_can_reboot_the_daemon_by_its_header_and_ask_how_it_went() {
    let bed = Bed::new();
    let daemon = bed.start();
    let mut peer = bed.peer();
    let last = || Request::Daemon(daemon::Request::LastReboot);
    assert_eq!(peer.call(last()).expect_err("none yet").kind, Kind::NotFound);
    let mut asking = Peer::connect(&bed.socket());
    let hello = proto::hello::Hello::of_this_build(proto::hello::Control::Reboot);
    assert_eq!(asking.greet(&hello).verdict, proto::hello::Verdict::Obeyed);
    until("the next image serves", || report(&mut peer).generation == 1);
    match peer.call(last()) {
        Ok(Answer::Daemon(Told::Rebooted(reboot))) => {
            assert_eq!((reboot.outcome, reboot.pid), (Outcome::Done, daemon.pid()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_signal_reboots_too() {
    let bed = Bed::new();
    let daemon = bed.start();
    let mut peer = bed.peer();
    daemon.signal(Signal::USR2);
    until("the next image serves", || report(&mut peer).generation == 1);
    assert_eq!(report(&mut peer).pid, daemon.pid());
}

#[test]
fn the_verb_shows_what_happened() {
    let bed = Bed::new();
    let none = bed.run(["daemon", "reboot"]);
    assert_eq!(none.code, 6, "a reboot starts no daemon: {none:?}");
    let _daemon = bed.start();
    let none = bed.run(["daemon", "reboot", "--history"]).ok();
    assert!(none.err.contains("and none was"), "{}", none.err);
    let said = bed.run(["daemon", "reboot", "--reason", "by hand", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.text().contains("\"outcome\":\"done\"") && said.text().contains("\"schema_version\":1"));
    let check = bed.run(["daemon", "reboot", "--check"]);
    assert_eq!(check.code, 0, "{check:?}");
    assert_eq!(report(&mut bed.peer()).generation, 1, "a check changes nothing");
    until("the history is written", || {
        bed.run(["daemon", "reboot", "--history"])
            .text()
            .contains("by hand")
    });
    let refused = bed.run(["daemon", "reboot", "--binary", "/nonexistent/tod"]);
    assert_eq!(refused.code, 3, "{refused:?}");
}

#[test]
fn clients_that_connect_all_the_time_never_fail() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let socket = bed.socket();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let connects = std::thread::scope(|scope| {
        let connecting = scope.spawn(|| {
            let mut count = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(matches!(
                    Peer::greeted(&socket).call(status()),
                    Ok(Answer::Daemon(_))
                ));
                count += 1;
            }
            count
        });
        let mut peer = bed.peer();
        for _ in 0..3 {
            done(&mut peer);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        connecting.join().expect("no connect failed")
    });
    assert!(connects > 3, "{connects} connects");
}

#[test]
fn a_client_that_never_reads_does_not_hold_a_reboot_up() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let mut deaf = bed.peer();
    // As many answers as the daemon keeps for somebody who does not read.
    for _ in 0..2_000 {
        deaf.ask(status());
    }
    let mut peer = bed.peer();
    let began = std::time::Instant::now();
    done(&mut peer);
    assert!(began.elapsed() < Duration::from_secs(20));
    for _ in 0..2_000 {
        assert!(matches!(deaf.frame(), Some(proto::ServerFrame::Done { .. })));
    }
    drop(process::run(&mut bed.tocli(["daemon", "stop"])));
}

#[test]
fn under_load_nothing_is_lost_and_nobody_reconnects() {
    let bed = Bed::new();
    let size = Size {
        files: 5_000,
        kept: 8,
        subscriptions: 4,
        made: 300,
        artifact: 4,
        rounds: 5,
        turns: 8,
        thinks: Duration::from_millis(2),
    };
    let report = load::run(&bed, size, Rounds::Reboot);
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
    assert_eq!(report.reboots.len(), size.rounds);
    // The control connection, the kept ones and the subscribers at the least.
    let kept = 1 + size.kept + size.subscriptions;
    assert!(
        report
            .reboots
            .iter()
            .all(|reboot| reboot.connections as usize >= kept),
        "{:?}",
        report.reboots
    );
    assert!(report.up > 0 && report.down > 0, "{report:?}");
    assert!(report.acknowledged > 0 && report.connects.len() > 0, "{report:?}");
}
