//! A daemon under load, with reboots in between or without: what the clients saw, and what they should have seen.
//!
//! Asked by the suite in a small form and by the program `reboot-load` in the whole one. The parts: clients that keep their
//! connection and mix reads and writes (`kept`), clients that come and go (`guests`), subscribers and somebody who makes
//! files (`files`), and the conductor here, who reboots. What must stay true: nothing that went wrong is forgiven; it is a
//! sentence in [`Report::faults`].

mod carriers;
pub mod figures;
mod files;
mod guests;
mod kept;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use proto::daemon::{self, Reboot, Status};
use proto::{Answer, RawPath, Request};

use crate::bench::Samples;
use crate::daemon::{Bed, program};
use crate::deadline;
use crate::wire::{Peer, status};

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Files in the index, ten to a folder.
    pub files: usize,
    /// Clients on kept connections, half of them by the client library and half byte by byte.
    pub kept: usize,
    /// Subscribers.
    pub subscriptions: usize,
    /// Files that are made meanwhile.
    pub made: usize,
    /// MiB of the artifact that is carried up and down; 0 for none.
    pub artifact: usize,
    /// Rounds: a reboot each, or none.
    pub rounds: usize,
    /// Turns of every kept client in each round.
    pub turns: u64,
    /// How long a client thinks between two turns.
    pub thinks: Duration,
}

/// Whether each round has a reboot in its middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounds {
    /// It has.
    Reboot,
    /// For comparison.
    Quiet,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Every reboot that was done.
    pub reboots: Vec<Reboot>,
    /// Turns that only read.
    pub reads: Samples,
    /// Turns that changed something.
    pub writes: Samples,
    /// From connecting to the first answer.
    pub connects: Samples,
    /// Changes that were acknowledged.
    pub acknowledged: usize,
    /// How often the artifact was stored.
    pub up: usize,
    /// How often it was read, each time the same bytes.
    pub down: usize,
    /// Files that were made while subscribers listened.
    pub made: usize,
    /// Batches that told all files anew.
    pub fresh: usize,
    /// Batches that said that something was lost.
    pub lost: usize,
    /// How far into the pause each step of a hand-over was done, by its words in the log.
    pub steps: BTreeMap<String, Samples>,
    /// What the daemon says of itself in the end.
    pub status: Option<Status>,
    /// Connections of kept clients beyond their first, as the daemon counts.
    pub reconnected: u64,
    /// What went wrong, each a sentence.
    pub faults: Vec<String>,
}

/// What all threads share.
struct Stage<'a> {
    bed: &'a Bed,
    root: PathBuf,
    size: Size,
    pid: u32,
    over: AtomicBool,
    /// Turns so far, one count for each kept client.
    turns: Vec<AtomicU64>,
    /// Files that may have been made by now.
    allowed: AtomicUsize,
    made: AtomicUsize,
    report: Mutex<Report>,
}

impl Stage<'_> {
    fn note(&self, note: impl FnOnce(&mut Report)) {
        note(
            &mut self
                .report
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
    }

    fn fault(&self, fault: String) {
        self.note(|report| report.faults.push(fault));
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Lets a while pass, or ends with the load.
    fn think(&self, while_: Duration) {
        deadline::within(while_, || self.is_over().then_some(()));
    }
}

/// The longest that any single thing may take: a first index of a large tree on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Makes the project, starts a daemon and loads it.
///
/// # Panics
/// When it cannot begin; all that goes wrong later is in the report.
pub fn run(bed: &Bed, size: Size, rounds: Rounds) -> Report {
    let root = files::project(bed, size.files);
    let binaries = ["one", "other"].map(|name| {
        let folder = bed.path().join("binaries").join(name);
        std::fs::create_dir_all(&folder).expect("a folder for a binary");
        std::fs::copy(program("tod"), folder.join("tod")).expect("a copy of the binary");
        folder.join("tod")
    });
    let mut daemon = bed.start_by(bed.command(&binaries[0]).arg("run"));
    let stage = Stage {
        bed,
        root,
        size,
        pid: daemon.pid(),
        over: AtomicBool::new(false),
        turns: (0..size.kept).map(|_| AtomicU64::new(0)).collect(),
        allowed: AtomicUsize::new(0),
        made: AtomicUsize::new(0),
        report: Mutex::default(),
    };
    let mut peer = bed.peer();
    peer.patience(PATIENCE);
    files::wait_for_index(&mut peer, &stage.root);
    let ready = AtomicUsize::new(0);
    let task = (size.artifact > 0).then(|| carriers::prepare(bed, &stage.root, size.artifact));
    std::thread::scope(|scope| {
        let (stage, ready) = (&stage, &ready);
        let mut threads: Vec<(String, ScopedJoinHandle<'_, ()>)> = Vec::new();
        for number in 0..size.kept {
            let client = scope.spawn(move || kept::client(stage, number));
            threads.push((format!("kept client {number}"), client));
        }
        for number in 0..size.subscriptions {
            let subscriber = scope.spawn(move || files::subscriber(stage, ready));
            threads.push((format!("subscriber {number}"), subscriber));
        }
        for number in 0..2 {
            let guest = scope.spawn(move || guests::come_and_go(stage));
            threads.push((format!("guest {number}"), guest));
        }
        threads.push((
            "maker of files".to_owned(),
            scope.spawn(move || files::make(stage)),
        ));
        if let Some(task) = &task {
            threads.push((
                "carrier up".to_owned(),
                scope.spawn(move || carriers::up(stage, task)),
            ));
            threads.push((
                "carrier down".to_owned(),
                scope.spawn(move || carriers::down(stage)),
            ));
        }
        let subscribed = deadline::within(PATIENCE, || {
            (ready.load(Ordering::Relaxed) == size.subscriptions).then_some(())
        });
        if subscribed.is_none() {
            stage.fault("not every subscriber came to listen".to_owned());
        }
        conduct(stage, &mut peer, rounds, &binaries);
        stage.allowed.store(size.made, Ordering::Relaxed);
        let told = deadline::within(PATIENCE, || {
            let all = threads
                .iter()
                .filter(|(name, _)| name.starts_with("subscriber") || name.starts_with("maker"))
                .all(|(_, thread)| thread.is_finished());
            all.then_some(())
        });
        if told.is_none() {
            stage.fault("not every subscriber was told of every file in time".to_owned());
        }
        stage.over.store(true, Ordering::Relaxed);
        for (name, thread) in threads {
            if let Err(why) = thread.join() {
                stage.fault(format!("{name}: {}", words(&*why)));
            }
        }
    });
    let mut report = stage
        .report
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    report.made = size.made;
    let found = asked(&mut peer);
    report.reconnected = found.reconnected;
    if found.reconnected > 0 {
        report.faults.push(format!(
            "{} connections were by clients that had one",
            found.reconnected
        ));
    }
    if bed.daemons() != [daemon.pid()] {
        report.faults.push(format!(
            "the daemons are {:?} and not {}",
            bed.daemons(),
            daemon.pid()
        ));
    }
    report.status = Some(found);
    report.steps = steps(&std::fs::read_to_string(bed.log()).unwrap_or_default());
    drop(peer);
    if !daemon.stop().success() {
        report.faults.push("the daemon did not end well".to_owned());
    }
    report
}

/// The rounds: every client has its turns, a share of the files is made, and the daemon hands over in the middle.
fn conduct(stage: &Stage<'_>, peer: &mut Peer, rounds: Rounds, binaries: &[PathBuf; 2]) {
    for round in 0..stage.size.rounds {
        let share = stage.size.made * (round + 1) / (stage.size.rounds + 1);
        stage.allowed.store(share, Ordering::Relaxed);
        have_turns(stage, stage.size.turns.div_ceil(2));
        if rounds == Rounds::Reboot {
            match reboot(peer, &binaries[(round + 1) % 2]) {
                Ok(done) => {
                    if (done.pid, done.outcome) != (stage.pid, daemon::Outcome::Done) {
                        stage.fault(format!("reboot {round} ended as {done:?}"));
                    }
                    stage.note(|report| report.reboots.push(done));
                }
                Err(why) => stage.fault(format!("reboot {round}: {why}")),
            }
        }
        have_turns(stage, stage.size.turns.div_ceil(2));
    }
}

/// Waits until every kept client has had so many more turns.
fn have_turns(stage: &Stage<'_>, turns: u64) {
    let begin: Vec<u64> = stage
        .turns
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .collect();
    let all = || {
        let behind = stage
            .turns
            .iter()
            .zip(&begin)
            .any(|(now, begin)| now.load(Ordering::Relaxed) < begin + turns);
        (!behind).then_some(())
    };
    if deadline::within(PATIENCE, all).is_none() {
        stage.fault("some clients came to a standstill".to_owned());
    }
}

fn reboot(peer: &mut Peer, binary: &Path) -> Result<Reboot, String> {
    let request = Request::Daemon(daemon::Request::Reboot {
        binary: Some(RawPath::from(binary)),
        limit_ms: 0,
        reason: Some("under load".to_owned()),
    });
    match peer.call(request) {
        Ok(Answer::Daemon(daemon::Answer::Rebooted(reboot))) => Ok(*reboot),
        Ok(other) => Err(format!("another answer: {other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

fn asked(peer: &mut Peer) -> Status {
    match peer.call(status()) {
        Ok(Answer::Daemon(daemon::Answer::Status(status))) => *status,
        other => panic!("not a status: {other:?}"),
    }
}

/// The lines `hand-over: <what> us=<since the pause began>` of a log.
fn steps(log: &str) -> BTreeMap<String, Samples> {
    let mut steps: BTreeMap<String, Samples> = BTreeMap::new();
    for line in log.lines() {
        if let Some((_, step)) = line.split_once(" hand-over: ")
            && let Some((what, us)) = step.rsplit_once(" us=")
            && let Ok(us) = us.parse()
        {
            let step = steps.entry(what.to_owned()).or_default();
            step.push(Duration::from_micros(us));
        }
    }
    steps
}

/// What a panic said.
fn words(why: &(dyn std::any::Any + Send)) -> String {
    why.downcast_ref::<String>()
        .cloned()
        .or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic".to_owned())
}
