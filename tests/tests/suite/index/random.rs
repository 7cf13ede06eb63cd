//! Work without a plan: ten thousand seeded operations of every kind, on the disk and in memory, with git as the judge after
//! every few of them; the daemon is stopped, killed and handed over in between.
//!
//! `TOD_SEED=<n>` replays one seed. A failure names seed and step and what was done since the last answer that was right.

mod files;
mod repository;

use std::fs;
use std::path::{Path, PathBuf};

use tests::ask::times;
use tests::chance::Chance;

use super::{Scene, small};

/// Names that ignore files and each other play on.
const NAMES: [&str; 12] = [
    "a", "b", "c", "target", "build", "src", "x.log", "keep.log", "y.tmp", "z.rs", "docs", "w.md",
];

/// Operations under one seed.
const OPERATIONS: usize = 1000;

/// One working stretch over a scene.
struct Walk<'a> {
    scene: &'a Scene,
    chance: Chance,
    done: Vec<String>,
    /// Inodes that were given another name.
    linked: Vec<u64>,
}

impl Walk<'_> {
    /// A path of up to four names: mostly new, sometimes there.
    fn path(&mut self) -> PathBuf {
        let depth = 1 + self.chance.below(4);
        (0..depth).fold(self.scene.root.clone(), |path, _| {
            path.join(self.chance.of(&NAMES))
        })
    }

    /// A path that is there: a walk down by chance.
    fn there(&mut self) -> PathBuf {
        let mut path = self.scene.root.clone();
        loop {
            let below = names_in(&path);
            if below.is_empty() || (path != self.scene.root && self.chance.below(3) == 0) {
                return path;
            }
            path = self.chance.of(&below).clone();
        }
    }

    /// A folder that is there, and no link.
    fn folder(&mut self) -> PathBuf {
        let mut path = self.there();
        while path != self.scene.root && (path.is_symlink() || !path.is_dir()) {
            path.pop();
        }
        path
    }

    /// One operation; most that cannot be done are not, as in life.
    fn step(&mut self) {
        if self.remove_many() {
            return;
        }
        match self.chance.below(100) {
            0..=54 => self.on_files(),
            55..=72 => self.on_rules(),
            _ => self.in_git(),
        }
    }

    fn note(&mut self, what: &str, paths: &[&Path]) {
        let root = &self.scene.root;
        let short = |path: &&Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
        let paths: Vec<String> = paths.iter().map(short).collect();
        self.done.push(format!("{what} {}", paths.join(" ")));
    }
}

/// What lies in a folder, but for git's own.
fn names_in(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<PathBuf> = all
        .map(|entry| entry.path())
        .filter(|path| !path.ends_with(".git"))
        .collect();
    names.sort();
    names
}

/// What happens to the daemon between two stretches of work.
fn another_life(scene: &mut Scene, chance: &mut Chance, done: &mut Vec<String>) {
    let way = chance.below(3);
    done.push(format!("-- life {way}"));
    match way {
        // Killed: no clock survives, and the list is right all the same.
        0 => {
            scene.daemon.as_mut().expect("one of ours").kill();
            scene.before.clear();
        }
        // Stopped: the clock goes on, and what happens meanwhile is told.
        1 => drop(scene.daemon.as_mut().expect("one of ours").stop()),
        // Handed over while it works.
        _ => return drop(scene.bed.run(["daemon", "reboot"]).ok()),
    }
    let mut walk = Walk {
        scene,
        chance: chance.fork(),
        done: Vec::new(),
        linked: Vec::new(),
    };
    for _ in 0..walk.chance.below(6) {
        walk.step();
    }
    done.append(&mut walk.done);
    let linked = walk.linked;
    scene.linked.extend(linked);
    scene.daemon = Some(scene.bed.start());
    scene.peer = scene.bed.peer();
}

fn run(seed: u64, parent: &Path) {
    work(Scene::on(parent, small), seed, OPERATIONS);
}

/// So many operations on a project, with the judge asked after every few of them.
pub(super) fn work(mut scene: Scene, seed: u64, operations: usize) {
    repository::begin(&scene);
    // What rules or git's index hide for a moment was gone, and is told as modified when it is back.
    scene.planned = false;
    let mut chance = Chance::new(seed);
    let (mut done, mut step, mut next) = (Vec::new(), 0, 0);
    while step < operations {
        let mut walk = Walk {
            scene: &scene,
            chance: chance.fork(),
            done: Vec::new(),
            linked: Vec::new(),
        };
        walk.step();
        done.append(&mut walk.done);
        let linked = walk.linked;
        scene.linked.extend(linked);
        step += 1;
        if step < next {
            continue;
        }
        next = step + 1 + chance.below(15);
        if chance.below(25) == 0 {
            another_life(&mut scene, &mut chance, &mut done);
        }
        let when = format!("seed {seed}, step {step}, after {done:#?}");
        if scene.before.is_empty() {
            scene.begin(&when);
        } else {
            scene.check(&when);
        }
        done.clear();
    }
    scene.check(&format!("seed {seed}, at the end"));
    scene.tocli_lists_the_same();
}

/// One test for each seed, so that they run side by side; with `TOD_FULL=1` each goes on to many more.
fn stretch(number: u64, parent: &Path) {
    let one = std::env::var("TOD_SEED").ok().and_then(|seed| seed.parse().ok());
    if let Some(one) = one {
        return if number % 5 == 1 {
            run(one, parent)
        };
    }
    for round in 0..times(1, 20) as u64 {
        run(number + 10 * round, parent);
    }
}

/// The same in memory, where file systems have other habits.
fn stretch_in_memory(number: u64) {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => stretch(number, memory),
        false => tests::skip::skip("tmpfs", "`/dev/shm` is not there"),
    }
}

#[test]
fn after_a_first_thousand_operations_on_disk_the_index_is_what_git_shows() {
    stretch(1, &std::env::temp_dir());
}

#[test]
fn after_a_first_thousand_operations_in_memory_the_index_is_what_git_shows() {
    stretch_in_memory(6);
}

#[test]
fn after_a_second_thousand_operations_on_disk_the_index_is_what_git_shows() {
    stretch(2, &std::env::temp_dir());
}

#[test]
fn after_a_second_thousand_operations_in_memory_the_index_is_what_git_shows() {
    stretch_in_memory(7);
}

#[test]
fn after_a_third_thousand_operations_on_disk_the_index_is_what_git_shows() {
    stretch(3, &std::env::temp_dir());
}

#[test]
fn after_a_third_thousand_operations_in_memory_the_index_is_what_git_shows() {
    stretch_in_memory(8);
}

#[test]
fn after_a_fourth_thousand_operations_on_disk_the_index_is_what_git_shows() {
    stretch(4, &std::env::temp_dir());
}

#[test]
fn after_a_fourth_thousand_operations_in_memory_the_index_is_what_git_shows() {
    stretch_in_memory(9);
}

#[test]
fn after_a_fifth_thousand_operations_on_disk_the_index_is_what_git_shows() {
    stretch(5, &std::env::temp_dir());
}

#[test]
fn after_a_fifth_thousand_operations_in_memory_the_index_is_what_git_shows() {
    stretch_in_memory(10);
}
