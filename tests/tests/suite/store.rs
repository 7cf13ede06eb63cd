//! The store against what machines do to it: `kill -9`, power cuts, full disks, damaged files, other builds.
//!
//! What must stay true in all of it: what was acknowledged is there, or the store says loudly what it had to do.

mod damage;
mod kill;
pub(crate) mod mounts;
mod schema;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tests::deadline;

/// The program that writes, and examines.
pub fn writer_program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_store-writer"))
}

/// A running writer and what it has acknowledged so far.
pub struct Writer {
    child: Child,
    acknowledged: Arc<Mutex<Vec<(u8, u32)>>>,
    reader: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts `writers` threads of one program on the store in `state`, each with a pause between its commits.
    pub fn start(state: &Path, writers: u8, pause_us: u32) -> Self {
        let mut child = Command::new(writer_program())
            .arg("write")
            .arg(state)
            .args([writers.to_string(), pause_us.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the writer starts");
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let (lines, heard) = (
            BufReader::new(child.stdout.take().expect("a pipe")),
            acknowledged.clone(),
        );
        let reader = std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let (writer, number) = line.split_once(' ').expect("two numbers a line");
                let commit = (
                    writer.parse().expect("a writer"),
                    number.parse().expect("a number"),
                );
                heard.lock().expect("no panic").push(commit);
            }
        });
        Self {
            child,
            acknowledged,
            reader: Some(reader),
        }
    }

    /// Waits until `count` commits were acknowledged, or the program has ended.
    pub fn wait_for(&mut self, count: usize) {
        deadline::until("the writer has written enough", || {
            let enough = self.acknowledged.lock().expect("no panic").len() >= count;
            (enough || self.child.try_wait().expect("a child of ours").is_some()).then_some(())
        });
    }

    /// Ends it with `kill -9` and returns all that was acknowledged: how many commits of each writer.
    pub fn kill(mut self) -> BTreeMap<u8, u32> {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("a child of ours");
        self.reader
            .take()
            .expect("one reader")
            .join()
            .expect("every line was whole");
        let mut counts = BTreeMap::new();
        for &(writer, number) in self.acknowledged.lock().expect("no panic").iter() {
            counts.insert(writer, number + 1);
        }
        counts
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Looks that every acknowledged commit is among those that were found.
pub fn nothing_lost(acknowledged: &BTreeMap<u8, u32>, found: &BTreeMap<u8, u32>) {
    for (writer, count) in acknowledged {
        let found = found.get(writer).copied().unwrap_or(0);
        assert!(
            found >= *count,
            "writer {writer} heard of {count} commits, and {found} are there"
        );
    }
}

/// A row of numbers that looks random and is the same in every run.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Knuth's MMIX constants.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }

    /// A small number below `bound`.
    pub fn count(&mut self, bound: u32) -> usize {
        usize::try_from(self.below(bound.into())).expect("it is small")
    }
}
