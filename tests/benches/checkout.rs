//! A checkout of 5,000 files: how soon after git's exit an answer has all of it, and what it costs; beside Watchman.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tests::bench::{Row, Samples, Target};
use tests::daemon::Bed;
use tests::git::git;

use crate::index::clock;
use crate::machine;
use crate::watchman::Watchman;

const FILES: usize = 5_000;
const ROUNDS: usize = 10;

/// All rows.
pub fn rows() -> Vec<Row> {
    let bed = Bed::new();
    let (ours, theirs) = (two_branches(&bed, "ours"), two_branches(&bed, "theirs"));
    let daemon = bed.start();
    let mut peer = bed.peer();
    clock(&mut peer, &ours);
    let watchman = Watchman::start(&bed);
    let mut talk = watchman.as_ref().map(Watchman::talk);
    if let Some(talk) = &mut talk {
        talk.patience(Duration::from_secs(60));
        talk.watch(&theirs).expect("in a minute");
        talk.sync(&theirs).expect("in a minute");
    }
    let (mut of_ours, mut of_theirs) = (Samples::default(), Samples::default());
    let spent = (
        machine::cpu(daemon.pid()),
        watchman.as_ref().map(|it| machine::cpu(it.pid())),
    );
    for round in 0..ROUNDS {
        let branch = if round % 2 == 0 { "other" } else { "main" };
        git(&ours, &["checkout", "-q", branch]);
        of_ours.time(|| clock(&mut peer, &ours));
        if let Some(talk) = &mut talk {
            git(&theirs, &["checkout", "-q", branch]);
            of_theirs.time(|| talk.sync(&theirs).expect("in a minute"));
        }
    }
    let mut rows = vec![Row::times(
        &format!("synced answer after a checkout of {FILES} files"),
        of_ours.median(),
        ("limit", Duration::from_millis(10)),
        Target::AtMost(1.0),
    )];
    if let (Some(watchman), Some(before)) = (&watchman, spent.1) {
        rows.push(Row::times(
            "the same",
            of_ours.median(),
            ("watchman", of_theirs.median()),
            Target::None,
        ));
        let each = |pid, before| (machine::cpu(pid) - before) / u32::try_from(ROUNDS).expect("few");
        rows.push(Row::times(
            "processor time for such a checkout",
            each(daemon.pid(), spent.0),
            ("watchman", each(watchman.pid(), before)),
            Target::AtMost(1.0),
        ));
    }
    rows
}

/// A repository of two branches, between which every file differs.
fn two_branches(bed: &Bed, name: &str) -> PathBuf {
    let root = bed.project(name);
    git(&root, &["init", "-q", "."]);
    for branch in ["main", "other"] {
        git(&root, &["checkout", "-q", "-B", branch]);
        fill(&root, branch);
        git(&root, &["add", "-A"]);
        git(&root, &["commit", "-q", "-m", branch]);
    }
    git(&root, &["checkout", "-q", "main"]);
    root
}

fn fill(root: &Path, text: &str) {
    for folder in 0..FILES / 10 {
        let folder = root.join(format!("group_{:02}/module_{folder:03}", folder / 10));
        std::fs::create_dir_all(&folder).expect("a folder");
        for file in 0..10 {
            std::fs::write(folder.join(format!("source_{file}.rs")), text).expect("a file");
        }
    }
}
