//! The project under load: somebody makes files, and every subscriber has to hear of each of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proto::detect::From;
use proto::index::{self, Since, Sync};
use proto::{Answer, Item, Request, ServerFrame};

use super::{PATIENCE, Stage};
use crate::daemon::Bed;
use crate::wire::Peer;

/// Between two files: a program that writes, not one that copies.
const PAUSE: Duration = Duration::from_millis(1);

/// A repository with that many files, ten to a folder, a hundred folders to a folder.
pub(super) fn project(bed: &Bed, files: usize) -> PathBuf {
    let root = bed.project("loaded");
    crate::git::git(&root, &["init", "--quiet"]);
    for folder in 0..files.div_ceil(10) {
        let folder = root.join(format!("group_{:03}/module_{folder:05}", folder / 100));
        std::fs::create_dir_all(&folder).expect("a folder");
        for file in 0..10 {
            std::fs::write(folder.join(format!("source_file_{file}.rs")), "x\n").expect("a file");
        }
    }
    root
}

fn at(root: &Path) -> From {
    From::Start(root.into())
}

/// Has the daemon index the project.
pub(super) fn wait_for_index(peer: &mut Peer, root: &Path) {
    let request = Request::Index(index::Request::Clock {
        at: at(root),
        sync: Sync::Cookie,
    });
    match peer.call(request) {
        Ok(Answer::Index(index::Answer::Clock { .. })) => {}
        other => panic!("no index: {other:?}"),
    }
}

/// The path of a file that is made, relative to the root.
fn name(stage: &Stage<'_>, number: usize) -> String {
    let folders = stage.size.files.div_ceil(10).max(1);
    let folder = number * 7 % folders;
    format!("group_{:03}/module_{folder:05}/made_{number:06}.rs", folder / 100)
}

/// Makes the files, as many as the conductor allows by now.
pub(super) fn make(stage: &Stage<'_>) {
    for number in 0..stage.size.made {
        while stage.allowed.load(Ordering::Relaxed) <= number {
            if stage.is_over() {
                return;
            }
            stage.think(PAUSE);
        }
        std::fs::write(stage.root.join(name(stage, number)), "made\n").expect("a file");
        stage.made.fetch_add(1, Ordering::Relaxed);
        stage.think(PAUSE);
    }
}

/// Listens until it has been told of every file that is made.
pub(super) fn subscriber(stage: &Stage<'_>, ready: &AtomicUsize) {
    let mut missing: BTreeSet<String> = (0..stage.size.made).map(|number| name(stage, number)).collect();
    let mut peer = stage.bed.peer();
    peer.patience(PATIENCE);
    let watch = peer.ask(Request::Index(index::Request::Watch {
        at: at(&stage.root),
        since: None,
    }));
    // The daemon takes requests of one connection in their order: once this is answered, the subscription stands.
    let clock = peer.ask(Request::Index(index::Request::Clock {
        at: at(&stage.root),
        sync: Sync::Cookie,
    }));
    while !missing.is_empty() {
        match peer.frame().expect("the daemon goes on") {
            ServerFrame::Item {
                id,
                item: Item::Batch(batch),
            } if id == watch => {
                stage.note(|report| {
                    report.fresh += usize::from(batch.fresh_instance);
                    report.lost += usize::from(batch.lost_since.is_some());
                });
                told(&mut missing, &batch.changes);
                if let Some(since) = batch.lost_since {
                    ask_again(stage, &mut missing, since);
                }
            }
            ServerFrame::Done { id, .. } if id == clock => {
                ready.fetch_add(1, Ordering::Relaxed);
            }
            ServerFrame::Progress { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

fn told(missing: &mut BTreeSet<String>, changes: &[index::Change]) {
    for change in changes {
        if let Ok(path) = std::str::from_utf8(change.path.as_bytes()) {
            missing.remove(path);
        }
    }
}

/// What a subscriber does that is told of a loss.
fn ask_again(stage: &Stage<'_>, missing: &mut BTreeSet<String>, since: String) {
    let mut peer = stage.bed.peer();
    peer.patience(PATIENCE);
    let asked = peer.ask(Request::Index(index::Request::Changes {
        at: at(&stage.root),
        since: Since::Clock(since),
        wait: false,
        sync: Sync::Cookie,
    }));
    let (items, answer) = peer.answer(asked);
    if let Err(error) = answer {
        stage.fault(format!("what was lost cannot be asked for: {error}"));
    }
    for item in items {
        if let Item::Changes(changes) = item {
            told(missing, &changes);
        }
    }
}
