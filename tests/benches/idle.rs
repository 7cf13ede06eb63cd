//! A daemon that watches ten projects in which nothing happens, beside Watchman with the same ones: how often it wakes
//! and what that costs.

use std::path::PathBuf;
use std::time::Duration;

use tests::bench::{Row, Target};
use tests::daemon::Bed;

use crate::detect::project;
use crate::index::clock;
use crate::machine;
use crate::watchman::Watchman;

const PROJECTS: usize = 10;
const FOLDERS: usize = 50;
/// What a start leaves to be done is done by then, and threads that were started for it have ended: what ends later takes
/// its counts with it.
const CALM: Duration = Duration::from_secs(15);
const SPAN: Duration = Duration::from_secs(10);
const WAKE_UPS: f64 = 10.0;

/// All rows.
pub fn rows() -> Vec<Row> {
    let bed = Bed::new();
    let roots: Vec<PathBuf> = (0..PROJECTS)
        .map(|number| {
            let start = project(&bed, &format!("project_{number}"));
            for folder in 0..FOLDERS {
                let folder = start.join(format!("folder_{folder}"));
                std::fs::create_dir_all(&folder).expect("a folder");
                std::fs::write(folder.join("file.rs"), "").expect("a file");
            }
            start.ancestors().nth(2).expect("two folders deep").to_path_buf()
        })
        .collect();
    let daemon = bed.start();
    let mut peer = bed.peer();
    for root in &roots {
        clock(&mut peer, root);
    }
    drop(peer);
    let watchman = Watchman::start(&bed);
    if let Some(watchman) = &watchman {
        let mut talk = watchman.talk();
        talk.patience(Duration::from_secs(60));
        for root in &roots {
            talk.watch(root).expect("in a minute");
            talk.sync(root).expect("in a minute");
        }
    }
    std::thread::sleep(CALM);
    let pids: Vec<u32> = std::iter::once(daemon.pid())
        .chain(watchman.as_ref().map(Watchman::pid))
        .collect();
    let now = || -> Vec<(u64, Duration)> {
        pids.iter()
            .map(|&pid| (machine::naps(pid), machine::threads(pid)))
            .collect()
    };
    let before = now();
    std::thread::sleep(SPAN);
    let spent: Vec<(f64, Duration)> = now()
        .into_iter()
        .zip(before)
        .map(|(after, before)| {
            #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
            let naps = after.0.saturating_sub(before.0) as f64 / SPAN.as_secs_f64();
            (naps, after.1.saturating_sub(before.1) * 60 / 10)
        })
        .collect();
    let row = |peer: &str, limit: f64, target| {
        Row::rates(
            &format!("idle with {PROJECTS} projects"),
            "wake-ups",
            spent[0].0,
            (peer, limit),
            target,
        )
    };
    let mut rows = vec![row("limit", WAKE_UPS, Target::AtMost(1.0))];
    if let Some(theirs) = spent.get(1) {
        rows.push(row("watchman", theirs.0, Target::None));
        rows.push(Row::times(
            "processor time of an idle minute",
            spent[0].1,
            ("watchman", theirs.1),
            Target::None,
        ));
    }
    rows
}
