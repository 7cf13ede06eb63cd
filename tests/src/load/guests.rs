//! Clients that come, ask one thing and go, all the time: none may be turned away.

use std::time::{Duration, Instant};

use proto::hello::{Control, Hello, Verdict};
use proto::{Answer, daemon};

use super::{PATIENCE, Stage};
use crate::wire::{Peer, status};

/// Between two of them.
const PAUSE: Duration = Duration::from_millis(2);

/// One after the other, until the load is over.
pub(super) fn come_and_go(stage: &Stage<'_>) {
    let socket = stage.bed.socket();
    while !stage.is_over() {
        let began = Instant::now();
        let Some(mut peer) = Peer::try_connect(&socket) else {
            stage.fault("a connect failed".to_owned());
            continue;
        };
        peer.patience(PATIENCE);
        let welcome = peer.greet(&Hello::of_this_build(Control::Talk));
        if (welcome.verdict, welcome.pid) != (Verdict::Accepted, stage.pid) {
            stage.fault(format!("a guest was welcomed with {welcome:?}"));
            continue;
        }
        match peer.call(status()) {
            Ok(Answer::Daemon(daemon::Answer::Status(found))) if found.pid == stage.pid => {
                stage.note(|report| report.connects.push(began.elapsed()));
            }
            other => stage.fault(format!("a guest was answered with {other:?}")),
        }
        stage.think(PAUSE);
    }
}
