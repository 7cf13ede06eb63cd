//! The deterministic simulation: the same engine over a disk in memory, where a seed decides what happens between any
//! two of its system calls, most often where the engine is at work, how events are merged, reordered and lost, and when
//! it crashes. After every sync the index equals a plain walk, and the changes equal the difference of two walks.
//!
//! `TOD_SEED=<n>` replays one seed, and tells what was done; `TOD_SEEDS=<n>` runs that many from there on. The list of
//! planted bugs is the proof that it looks: each must be found. What chance meets seldom, `roots` goes through one by one.

mod chance;
mod fs;
mod lives;
mod oracle;
mod roots;
mod shortage;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use proto::index::ChangeKind;

use self::fs::{Fs, Obj, ROOT};
use self::work::PROJECT;
use super::bug::Bug;
use super::disk::Disk;
use super::engine::{Engine, Start};
use super::files::{FileList, Wish};
use super::ignore::Rules;
use super::tree::Id;
use crate::watch::{WatchError, Wd};
use crate::world::FileKind;
use crate::world::dir::Meta;

/// A disk in memory on which something may happen before each call.
#[derive(Clone, Debug)]
struct SimDisk(Arc<Mutex<Fs>>);

/// An open directory: as long as it is, its number is not given to another, and its watch does not end.
#[derive(Debug)]
struct Handle {
    obj: Obj,
    fs: Arc<Mutex<Fs>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.fs.lock().unwrap().close(self.obj);
    }
}

impl SimDisk {
    fn handle(&self, fs: &mut Fs, found: Option<Obj>) -> io::Result<Handle> {
        fs.call()?;
        let obj = dir_of(fs, found)?;
        fs.open(obj);
        let fs = self.0.clone();
        Ok(Handle { obj, fs })
    }

    fn quiet(&self) -> MutexGuard<'_, Fs> {
        self.0.lock().unwrap()
    }

    /// Something may happen, and more often than elsewhere in the directory at which the engine is.
    fn busy(&self, at: Option<&Handle>) -> MutexGuard<'_, Fs> {
        let mut fs = self.quiet();
        fs.follow_script();
        while fs.budget > 0 && fs.happens() {
            fs.budget -= 1;
            fs.near = at.map(|dir| dir.obj);
            work::step(&mut fs);
            fs.near = None;
        }
        fs
    }
}

fn dir_of(fs: &Fs, found: Option<Obj>) -> io::Result<Obj> {
    let obj = found.ok_or(io::ErrorKind::NotFound)?;
    if fs.is_dir(obj) {
        Ok(obj)
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    }
}

fn file_of(fs: &Fs, found: Option<Obj>, limit: usize) -> io::Result<Vec<u8>> {
    let thing = fs.get(found.ok_or(io::ErrorKind::NotFound)?);
    match thing.meta.kind {
        FileKind::File if thing.data.len() <= limit => Ok(thing.data.clone()),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

impl Disk for SimDisk {
    type Dir = Handle;

    fn open(&self, path: &[u8]) -> io::Result<Handle> {
        let mut fs = self.busy(None);
        let found = fs.find(ROOT, path);
        self.handle(&mut fs, found)
    }

    fn open_at(&self, dir: &Handle, path: &[u8]) -> io::Result<Handle> {
        let mut fs = self.busy(Some(dir));
        let found = fs.find(dir.obj, path);
        self.handle(&mut fs, found)
    }

    fn list(&self, dir: &Handle, each: &mut dyn FnMut(&[u8], Option<FileKind>)) -> io::Result<()> {
        let mut fs = self.busy(Some(dir));
        fs.call()?;
        fs.tell_reading(dir.obj);
        for (name, &obj) in &fs.get(dir.obj).children {
            each(name, (obj % 7 != 0).then_some(fs.get(obj).meta.kind));
        }
        Ok(())
    }

    fn stat(&self, dir: &Handle, name: &[u8]) -> io::Result<Meta> {
        let mut fs = self.busy(Some(dir));
        fs.call()?;
        Ok(fs
            .get(fs.find(dir.obj, name).ok_or(io::ErrorKind::NotFound)?)
            .meta)
    }

    fn identity(&self, dir: &Handle) -> io::Result<Meta> {
        Ok(self.busy(Some(dir)).get(dir.obj).meta)
    }

    fn read(&self, dir: &Handle, name: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        let mut fs = self.busy(Some(dir));
        fs.call()?;
        file_of(&fs, fs.find(dir.obj, name), limit)
    }

    fn read_file(&self, path: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        let mut fs = self.busy(None);
        fs.call()?;
        file_of(&fs, fs.find(ROOT, path), limit)
    }

    fn stat_file(&self, path: &[u8]) -> io::Result<Meta> {
        let mut fs = self.busy(None);
        fs.call()?;
        Ok(fs.get(fs.find(ROOT, path).ok_or(io::ErrorKind::NotFound)?).meta)
    }

    fn watch(&self, dir: &Handle, _dev: u64) -> Result<Wd, WatchError> {
        let mut fs = self.busy(Some(dir));
        if fs.is_silent(dir.obj) {
            return Err(WatchError::Silent("silent".into()));
        }
        fs.watch(dir.obj).ok_or(WatchError::Limit)
    }

    fn failure(&self) -> Option<String> {
        let fs = self.quiet();
        (fs.shortage.failed && !fs.shortage.is_hushed).then(|| "a call failed".into())
    }

    fn forget_failure(&self) -> bool {
        let mut fs = self.quiet();
        std::mem::take(&mut fs.shortage.failed) && !fs.shortage.is_hushed
    }

    fn mounts_in(&self, _path: &[u8]) -> Vec<(u64, Vec<u8>)> {
        Vec::new()
    }

    fn unwatch(&self, wd: Wd) {
        self.quiet().unwatch(wd);
    }

    fn now(&self) -> i64 {
        self.quiet().time()
    }

    fn granularity(&self) -> i64 {
        0
    }
}

type Shown = BTreeMap<Vec<u8>, (FileKind, u64, i64, i64, u16, u64)>;

fn truth(fs: &Fs) -> Shown {
    let stat = |meta: Meta| (meta.kind, meta.size, meta.mtime, meta.ctime, meta.mode, meta.ino);
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
        let disk = SimDisk(Arc::new(Mutex::new(fs)));
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

/// None of these seeds may fail.
fn all(seeds: std::ops::Range<u64>, has_links: bool) {
    let run = |seed| run(seed, Bug::None, has_links).err();
    let failed: Vec<String> = seeds.filter_map(run).collect();
    assert!(
        failed.is_empty(),
        "{} failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn after_every_sync_the_index_equals_a_walk_whatever_happens_in_between() {
    all(seeds(), false);
}

#[test]
fn with_hard_links_and_submodules_the_index_equals_a_walk_as_well() {
    all(seeds(), true);
}

/// Seeds that find every planted bug.
const ENOUGH: u64 = 200;

#[test]
fn every_planted_bug_is_found() {
    for bug in Bug::PLANTED {
        let needs_links = matches!(bug, Bug::OtherNamesAreForgotten | Bug::SubmoduleIsAFolder);
        let found = (1..=ENOUGH).find(|&seed| run(seed, bug, needs_links).is_err());
        println!("{bug:?}: found by seed {found:?}");
        assert!(found.is_some(), "{bug:?} was not found");
    }
}
