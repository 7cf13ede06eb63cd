//! The deterministic simulation: the same engine over a disk in memory, where a seed decides what happens between any
//! two of its system calls, most often where the engine is at work, how events are merged, reordered and lost, and when
//! it crashes. After every sync the index equals a plain walk, and the changes equal the difference of two walks.
//!
//! `TOD_SEED=<n>` replays one seed, and tells what was done; `TOD_SEEDS=<n>` runs that many from there on. The list of
//! planted bugs is the proof that it looks: each must be found. What chance meets seldom, `roots` and `links` go through one by one.

mod chance;
mod disk;
mod fs;
mod links;
mod lives;
mod oracle;
mod roots;
mod shortage;
mod work;

use std::collections::{BTreeMap, BTreeSet};

use proto::index::ChangeKind;

use self::disk::SimDisk;
use self::fs::Fs;
use self::work::PROJECT;
use super::bug::Bug;
use super::disk::Disk;
use super::engine::{Engine, Start};
use super::files::{FileList, Wish};
use super::ignore::Rules;
use super::tree::Id;
use crate::watch::Wd;
use crate::world::FileKind;
use crate::world::dir::Meta;

/// What makes a change when it differs (SPEC 6).
type Stat = (FileKind, u64, i64, i64, u16, u64);

type Shown = BTreeMap<Vec<u8>, Stat>;

fn stat(meta: Meta) -> Stat {
    (meta.kind, meta.size, meta.mtime, meta.ctime, meta.mode, meta.ino)
}

fn truth(fs: &Fs) -> Shown {
    oracle::shown(fs)
        .into_iter()
        .map(|(path, meta)| (path, stat(meta)))
        .collect()
}

impl<D: Disk> Engine<D> {
    /// The fault: the node at the path that the watch's directory had when it first told something.
    pub(super) fn by_path(&mut self, wd: Wd, id: Id) -> Option<Id> {
        if self.start.bug != Bug::WatchIsAPath {
            return Some(id);
        }
        let view = self.shared.read();
        let path = self.paths.entry(wd).or_insert_with(|| view.tree.path(id));
        view.tree.find(path)
    }
}

struct Sim {
    disk: SimDisk,
    engine: Engine<SimDisk>,
    bug: Bug,
    /// The last synced tick, and what was there.
    tick: u32,
    before: Shown,
    incarnation: u64,
    /// Every clock that was given after a sync, and what was there.
    given: BTreeMap<(u64, u32), Shown>,
    /// The last index that was saved in between, and whose.
    saved: Option<(u64, Vec<u8>)>,
}

impl Sim {
    fn new(seed: u64, bug: Bug, has_links: bool) -> Self {
        let mut fs = Fs::new(seed, has_links);
        fs.shortage.happens = seed % 5 == 2;
        fs.shortage.is_hushed = bug == Bug::FailureIsAbsence;
        work::begin(&mut fs);
        for _ in 0..fs.chance.below(40) {
            work::step(&mut fs);
        }
        let disk = SimDisk::new(fs);
        let engine = Self::first_engine(&disk, bug);
        Self::of(disk, engine, bug)
    }

    fn of(disk: SimDisk, engine: Engine<SimDisk>, bug: Bug) -> Self {
        Self {
            disk,
            engine,
            bug,
            tick: 0,
            before: Shown::new(),
            incarnation: 1,
            given: BTreeMap::new(),
            saved: None,
        }
    }

    /// What the engine believes by now, for a failure's message.
    fn picture(&self) {
        let shared = self.engine.shared();
        let (view, mut fs) = (shared.read(), self.disk.quiet());
        if fs.is_traced() {
            let shown: Vec<Vec<u8>> = FileList::of(&view.tree, &Wish::ALL)
                .iter()
                .map(<[u8]>::to_vec)
                .collect();
            fs.trace
                .push(format!("   now {}", show(&shown.into_iter().collect())));
            fs.trace.push(format!("   waiting {}", self.engine.describe()));
        }
    }

    fn deliver(&mut self) {
        let events = self.disk.quiet().take();
        for event in &events {
            self.disk.quiet().explain(event);
        }
        events.into_iter().for_each(|event| self.engine.note(event));
    }

    /// Some work, part of it between the engine's own calls, without ever coming to rest.
    fn work(&mut self) {
        {
            let mut fs = self.disk.quiet();
            fs.capacity = if fs.chance.below(20) == 0 { 4 } else { usize::MAX };
            fs.watch_limit = if fs.chance.below(6) == 0 {
                fs.chance.below(12)
            } else {
                usize::MAX
            };
            for _ in 0..fs.chance.below(8) {
                work::step(&mut fs);
            }
            fs.budget = fs.chance.below(12);
            fs.pause = fs.chance.pick(&[4, 4, 8, 24]);
            fs.begin_shortage();
        }
        self.deliver();
        if self.engine.is_dirty() {
            self.disk.quiet().trace.push("-- settle".into());
            self.engine.settle();
            self.picture();
        }
        self.disk.quiet().budget = 0;
        self.disk.quiet().end_shortage();
        if self.disk.quiet().chance.below(6) == 0 {
            self.save();
        }
    }

    /// As the keeper does for a barrier.
    fn sync(&mut self) -> Result<(), String> {
        {
            let mut fs = self.disk.quiet();
            fs.budget = 0;
            fs.trace.push("-- sync".into());
            oracle::tell_what_was_done_unseen(&mut fs);
        }
        self.engine.look_outside();
        for turn in 0..16 {
            self.deliver();
            if !self.engine.is_dirty() {
                break;
            }
            if turn > 1 {
                self.engine.insist();
            }
            self.engine.settle();
            self.picture();
        }
        if self.engine.is_dirty() {
            Err(format!("it never comes to rest: {}", self.engine.describe()))
        } else {
            Ok(())
        }
    }

    fn check(&mut self) -> Result<(), String> {
        self.sync()?;
        let open = self.disk.quiet().opened();
        match open {
            0 => {}
            open => return Err(format!("{open} directories are held open")),
        }
        oracle::note_names(&mut self.disk.quiet());
        let now = truth(&self.disk.quiet());
        let shared = self.engine.shared();
        let view = shared.read();
        let ours: BTreeSet<Vec<u8>> = FileList::of(&view.tree, &Wish::ALL)
            .iter()
            .map(<[u8]>::to_vec)
            .collect();
        let walk: BTreeSet<Vec<u8>> = now.keys().cloned().collect();
        if ours != walk {
            return Err(format!(
                "too many {}, missing {}",
                show(&(&ours - &walk)),
                show(&(&walk - &ours))
            ));
        }
        for (path, is) in &now {
            let held = view.tree.find(path.strip_suffix(b"/").unwrap_or(path));
            let held = held.map(|id| stat(view.tree.meta(id)));
            if held != Some(*is) {
                return Err(format!(
                    "of {} it holds {held:?}, not {is:?}",
                    show(&[path.clone()].into())
                ));
            }
        }
        let changed = |path: &&Vec<u8>| self.before.get(*path) != now.get(*path);
        let expected: BTreeSet<Vec<u8>> = self
            .before
            .keys()
            .chain(now.keys())
            .filter(changed)
            .cloned()
            .collect();
        if self.tick > 0 && view.journal.reaches(self.tick) {
            let mut named = BTreeSet::new();
            for change in view.journal.since(&view.tree, self.tick) {
                let path = change.path.as_bytes().to_vec();
                let (was, is) = (self.before.contains_key(&path), now.contains_key(&path));
                let from = change.from.as_ref().map(|from| from.as_bytes().to_vec());
                let is_right = match change.kind {
                    ChangeKind::Created => is,
                    ChangeKind::Modified => was && is,
                    ChangeKind::Deleted => !is,
                    ChangeKind::Renamed => {
                        is && from.as_ref().is_some_and(|from| self.before.contains_key(from))
                    }
                };
                if !is_right {
                    return Err(format!("wrong kind: {change:?}"));
                }
                named.extend(from);
                if was || is {
                    named.insert(path);
                }
            }
            // Of a repository only its number is known, and another may have had its place in between.
            named.retain(|path| expected.contains(path) || now.get(path).is_none_or(|is| is.3 != 0));
            if named != expected {
                let (more, less) = (show(&(&named - &expected)), show(&(&expected - &named)));
                return Err(format!("wrongly changed {more}, missed {less}"));
            }
        }
        if view.tree.files() != walk.len() as u64 {
            return Err(format!("counts {} files of {}", view.tree.files(), walk.len()));
        }
        self.tick = view.journal.tick();
        let clock = (self.incarnation, self.tick);
        if self
            .given
            .insert(clock, now.clone())
            .is_some_and(|then| then != now)
        {
            return Err(format!("the clock {clock:?} was given twice"));
        }
        self.before = now;
        Ok(())
    }
}

fn show(paths: &BTreeSet<Vec<u8>>) -> String {
    format!(
        "{:?}",
        paths
            .iter()
            .map(|path| String::from_utf8_lossy(path))
            .collect::<Vec<_>>()
    )
}

/// At least this many operations under one seed.
const OPERATIONS: usize = 200;

fn run(seed: u64, bug: Bug, has_links: bool) -> Result<(), String> {
    let mut sim = Sim::new(seed, bug, has_links);
    for round in 0.. {
        if sim.disk.quiet().steps >= OPERATIONS {
            break;
        }
        let turns = sim.disk.quiet().chance.below(4);
        for _ in 0..turns {
            sim.work();
        }
        if let Err(error) = sim.check() {
            if seeds().count() == 1 {
                println!("{}", sim.disk.quiet().trace.join("\n"));
                let shared = sim.engine.shared();
                let view = shared.read();
                println!("{}", view.journal.describe(&view.tree, sim.tick));
            }
            return Err(format!("seed {seed}, round {round}: {error}"));
        }
        if sim.disk.quiet().chance.below(12) == 0 {
            sim.another_life();
        }
    }
    Ok(())
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (first, usual) = match number("TOD_SEED") {
        Some(seed) => (seed, 1),
        None => (1, 1000),
    };
    first..first + number("TOD_SEEDS").unwrap_or(usual)
}

/// How many tests share the seeds, so that they run side by side.
const PARTS: u64 = 4;

/// None of the seeds that fall to a part may fail.
fn all(part: u64, has_links: bool) {
    let run = |seed| run(seed, Bug::None, has_links).err();
    let seeds = seeds().filter(|seed| seed % PARTS == part);
    let failed: Vec<String> = seeds.filter_map(run).collect();
    assert!(
        failed.is_empty(),
        "{} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn after_every_sync_the_index_equals_a_walk_under_a_first_part_of_the_seeds() {
    all(0, false);
}

#[test]
fn after_every_sync_the_index_equals_a_walk_under_a_second_part_of_the_seeds() {
    all(1, false);
}

#[test]
fn after_every_sync_the_index_equals_a_walk_under_a_third_part_of_the_seeds() {
    all(2, false);
}

#[test]
fn after_every_sync_the_index_equals_a_walk_under_a_fourth_part_of_the_seeds() {
    all(3, false);
}

#[test]
fn with_hard_links_and_submodules_it_does_as_well_under_a_first_part_of_the_seeds() {
    all(0, true);
}

#[test]
fn with_hard_links_and_submodules_it_does_as_well_under_a_second_part_of_the_seeds() {
    all(1, true);
}

#[test]
fn with_hard_links_and_submodules_it_does_as_well_under_a_third_part_of_the_seeds() {
    all(2, true);
}

#[test]
fn with_hard_links_and_submodules_it_does_as_well_under_a_fourth_part_of_the_seeds() {
    all(3, true);
}

/// Seeds that find every planted bug.
const ENOUGH: u64 = 200;

#[test]
fn every_planted_bug_is_found() {
    for bug in Bug::PLANTED {
        let found = (1..=ENOUGH).find(|&seed| run(seed, bug, bug.needs_links()).is_err());
        println!("{bug:?}: found by seed {found:?}");
        assert!(found.is_some(), "{bug:?} was not found");
    }
}
