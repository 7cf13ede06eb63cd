//! Handing over as where there are no files in memory, no handles of processes and no programs run by descriptor (macOS):
//! the same promises, kept by the stand-ins.

use std::path::{Path, PathBuf};

use proto::daemon::Outcome;
use proto::{Kind, Request, daemon};
use tests::daemon::{Bed, Daemon, program};

use super::{done, history, reboot, until};
use crate::life::report;

/// A `tod` that goes by the stand-ins, at a path of its own.
fn installed(bed: &Bed, name: &str) -> PathBuf {
    let path = bed.path().join(name);
    drop(std::fs::remove_file(&path));
    std::fs::copy(program("successor"), &path).expect("copied");
    path
}

fn started(bed: &Bed) -> (Daemon, PathBuf) {
    let own = installed(bed, "by-name");
    let daemon = bed.start_by(bed.command(&own).arg("run"));
    (daemon, own)
}

/// The second names that are kept.
fn kept(bed: &Bed) -> usize {
    std::fs::read_dir(bed.state().join("images")).map_or(0, Iterator::count)
}

#[test]
fn a_file_that_is_replaced_each_time_takes_over_and_every_connection_is_kept() {
    let bed = Bed::new();
    let (daemon, own) = started(&bed);
    let mut idle: Vec<_> = (0..4).map(|_| bed.peer()).collect();
    let mut peer = bed.peer();
    assert_eq!(kept(&bed), 1);
    for generation in 1..=3 {
        installed(&bed, "by-name");
        let told = done(&mut peer);
        assert_eq!(
            (told.generation, told.pid, told.outcome),
            (generation, daemon.pid(), Outcome::Done)
        );
        assert_eq!(
            told.binary.to_path_buf(),
            own,
            "the installed file, not its second name"
        );
        for peer in &mut idle {
            assert_eq!(report(peer).generation, generation);
        }
        until("only the name of the one that runs is left", || kept(&bed) == 1);
    }
    assert_eq!(bed.daemons(), [daemon.pid()]);
}

#[test]
fn one_that_crashes_or_hangs_is_replaced_by_the_one_before_although_its_file_is_gone() {
    for how in ["by-name-crashes", "by-name-hangs"] {
        let bed = Bed::new();
        let (_daemon, own) = started(&bed);
        let (mut peer, mut idle) = (bed.peer(), bed.peer());
        std::fs::remove_file(&own).expect("removed");
        let error = peer.call(reboot(None)).expect_err("nothing there to become");
        assert_eq!(error.kind, Kind::NotFound);
        let bad = installed(&bed, how);
        let error = peer.call(reboot(Some(Path::new(&bad)))).expect_err("told why");
        assert_eq!(error.kind, Kind::Refused, "{how}: {error:?}");
        let status = report(&mut peer);
        assert_eq!(status.generation, 0, "{how}");
        assert_eq!(
            report(&mut idle).pid,
            status.pid,
            "{how}: every connection is kept"
        );
        assert_eq!(bed.daemons(), [status.pid], "{how}: one daemon");
        until("the history is written", || {
            history(&mut peer)
                .iter()
                .any(|told| told.outcome == Outcome::Guarded)
        });
        until("only the name of the one that runs is left", || kept(&bed) == 1);
        // And on with a good one at the old place.
        installed(&bed, "by-name");
        assert_eq!(done(&mut peer).generation, 1, "{how}");
        peer.call(Request::Daemon(daemon::Request::Stop))
            .expect("stopping");
        until("it is gone", || bed.daemons().is_empty());
    }
}
