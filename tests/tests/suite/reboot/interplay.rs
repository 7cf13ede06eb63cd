//! A reboot beside other things that end, wait or do not end.

use std::time::Duration;

use proto::daemon::Outcome;
use proto::{Answer, Kind, RawPath, Request, daemon};
use rustix::process::Signal;
use tests::chance::Chance;
use tests::daemon::Bed;
use tests::wire::Peer;
use tests::{ask, deadline};

use super::{done, history, reboot, successor, until};
use crate::life::report;

/// A request that takes as long as a binary that hangs may rehearse, and cannot be carried.
fn long(bed: &Bed, peer: &mut Peer) -> u64 {
    let hanging = successor(bed, "rehearsal-hangs");
    peer.ask(Request::Daemon(daemon::Request::Rehearse {
        binary: Some(RawPath::from(hanging)),
        limit_ms: 25_000,
    }))
}

fn under_way(peer: &mut Peer) -> Option<String> {
    match peer.call(Request::Daemon(daemon::Request::Reboots)) {
        Ok(Answer::Daemon(daemon::Answer::Reboots { under_way, .. })) => under_way,
        other => panic!("{other:?}"),
    }
}

/// Asks for a reboot with much time and waits until connections come to rest.
fn draining(bed: &Bed, peer: &mut Peer) -> u64 {
    let asked = peer.ask(Request::Daemon(daemon::Request::Reboot {
        binary: None,
        limit_ms: 25_000,
        reason: None,
    }));
    until("the hand-over begins", || {
        std::fs::read_to_string(bed.log()).is_ok_and(|log| log.contains("wish=\"hand over\""))
    });
    asked
}

#[test]
fn a_request_that_outlasts_the_limit_has_the_reboot_refused_and_goes_on() {
    let bed = Bed::new();
    let daemon = bed.start();
    let (mut busy, mut peer, mut idle) = (bed.peer(), bed.peer(), bed.peer());
    let asked = long(&bed, &mut busy);
    let error = peer.call(reboot(None)).expect_err("refused");
    assert_eq!(error.kind, Kind::Refused);
    assert!(error.to_string().contains("did not finish"), "{error:?}");
    for peer in [&mut peer, &mut idle] {
        let status = report(peer);
        assert_eq!((status.pid, status.generation), (daemon.pid(), 0));
    }
    until("the history is written", || !history(&mut peer).is_empty());
    assert_eq!(history(&mut peer)[0].outcome, Outcome::Refused);
    busy.send(&proto::frame::encode(&proto::ClientFrame::Cancel { id: asked }).expect("short"));
    assert_eq!(busy.answer(asked).1.expect_err("cancelled").kind, Kind::Cancelled);
    done(&mut peer);
    assert_eq!(report(&mut busy).generation, 1);
}

#[test]
fn whoever_wants_the_daemon_to_stop_is_heard_while_it_drains() {
    // Connections are not read any more, so a signal is the way.
    for signal in [Signal::TERM, Signal::INT] {
        let bed = Bed::new();
        let mut daemon = bed.start();
        let (mut busy, mut peer, mut other) = (bed.peer(), bed.peer(), bed.peer());
        long(&bed, &mut busy);
        assert_eq!(under_way(&mut other), None);
        let asked = draining(&bed, &mut peer);
        daemon.signal(signal);
        assert!(daemon.wait().success());
        let answer = peer.answer(asked).1.expect_err("not rebooted");
        assert!(
            matches!(answer.kind, Kind::Unavailable | Kind::Refused | Kind::NotFound),
            "{answer:?}"
        );
    }
}

#[test]
fn a_signal_at_any_moment_of_a_reboot_ends_the_daemon_and_nobody_is_left() {
    let mut chance = Chance::new(11);
    for _ in 0..ask::times(6, 60) {
        let bed = Bed::new();
        let mut daemon = bed.start();
        let mut peer = bed.peer();
        peer.ask(reboot(None));
        let moment = Duration::from_micros(chance.number() % 900_000);
        deadline::within(moment, || None::<()>);
        daemon.signal(Signal::TERM);
        let ended = daemon.wait();
        assert!(ended.success(), "after {moment:?}: {ended}");
        until("nobody is left", || bed.daemons().is_empty());
    }
}

#[test]
fn idleness_that_comes_during_a_reboot_leaves_one_daemon_or_none() {
    let bed = Bed::new();
    let mut chance = Chance::new(3);
    for _ in 0..3 {
        let mut daemon = bed.start_with(|command| {
            command.args(["--idle-exit", "1"]);
        });
        deadline::within(Duration::from_millis(700 + chance.number() % 400), || {
            daemon.ended().map(drop)
        });
        daemon.signal(Signal::USR2);
        let said = bed.run(["daemon", "start"]).ok();
        assert!(said.code == 0);
        // A rehearsal is a `tod`, too.
        until("there is one daemon", || bed.daemons().len() == 1);
        bed.run(["daemon", "stop"]).ok();
        until("nobody is left", || bed.daemons().is_empty());
        daemon.wait();
    }
}
