//! Work without a plan: seeded operations of every kind, with the judge asked after some of them.

use std::fs;
use std::path::{Path, PathBuf};

use tests::ask::times;
use tests::chance::Chance;

use super::{Scene, small};

/// Names that ignore files and each other play on.
const NAMES: [&str; 12] = [
    "a", "b", "c", "target", "build", "src", "x.log", "keep.log", "y.tmp", "z.rs", "docs", "w.md",
];

/// Lines of ignore files.
const RULES: [&str; 10] = [
    "target/",
    "*.log",
    "!keep.log",
    "/build",
    "build",
    "*.tmp",
    "!*.rs",
    "docs/*",
    "!docs/a",
    "**/c",
];

struct Walk<'a> {
    scene: &'a Scene,
    chance: Chance,
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
            let mut below: Vec<PathBuf> = fs::read_dir(&path)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| !path.ends_with(".git"))
                .collect();
            below.sort();
            if below.is_empty() || (path != self.scene.root && self.chance.below(3) == 0) {
                return path;
            }
            path = self.chance.of(&below).clone();
        }
    }

    /// One operation; most that cannot be done are not, as in life.
    fn step(&mut self) -> &'static str {
        let (new, old) = (self.path(), self.there());
        let at_root = old == self.scene.root;
        match self.chance.below(14) {
            0..=3 => self.write(&new),
            4 => self.write(&old),
            5 if !at_root => tried(fs::remove_file(&old), "remove"),
            6 if !at_root && self.chance.below(3) == 0 => tried(fs::remove_dir_all(&old), "remove all"),
            7 | 8 if !at_root => tried(fs::rename(&old, &new), "rename"),
            9 => tried(fs::create_dir_all(&new), "mkdir -p"),
            10 => tried(std::os::unix::fs::symlink(&old, &new), "link"),
            11 => self.rules(&old),
            12 => self.git(&["add", "-A"]),
            _ => self.any_git(&old),
        }
    }

    fn write(&mut self, path: &Path) -> &'static str {
        if let Some(folder) = path.parent() {
            tried(fs::create_dir_all(folder), "mkdir -p");
        }
        let text = "x".repeat(self.chance.below(50));
        // Not through a link: what it leads to may be outside.
        if path.is_symlink() {
            return "no write";
        }
        tried(fs::write(path, text), "write")
    }

    fn rules(&mut self, below: &Path) -> &'static str {
        let folder = if below.is_dir() && !below.is_symlink() {
            below
        } else {
            &self.scene.root
        };
        let count = self.chance.below(4);
        let rules: String = (0..count)
            .map(|_| format!("{}\n", self.chance.of(&RULES)))
            .collect();
        tried(fs::write(folder.join(".gitignore"), rules), "rules")
    }

    fn any_git(&mut self, path: &Path) -> &'static str {
        let path = path.to_string_lossy().into_owned();
        match self.chance.below(5) {
            0 => self.git(&["commit", "-q", "-m", "x"]),
            1 => self.git(&["add", "-f", &path]),
            2 => self.git(&["rm", "-q", "-r", "--cached", &path]),
            3 => self.git(&["stash", "-q"]),
            _ => self.git(&["checkout", "-q", "-f", "HEAD"]),
        }
    }

    fn git(&self, args: &[&str]) -> &'static str {
        tests::git::say(&self.scene.root, args);
        "git"
    }
}

fn tried(result: std::io::Result<()>, name: &'static str) -> &'static str {
    let _most_that_cannot_be_done_are_not = result;
    name
}

#[test]
fn after_any_work_the_index_is_what_git_shows_and_the_changes_are_what_changed() {
    let first: u64 = std::env::var("TOD_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    for seed in first..first + times(3, 100) as u64 {
        let mut scene = Scene::new(small);
        scene.planned = false;
        let mut chance = Chance::new(seed);
        let mut done = Vec::new();
        for step in 0..150 {
            let mut walk = Walk {
                scene: &scene,
                chance: chance.fork(),
            };
            done.push(walk.step());
            if chance.below(4) == 0 {
                scene.check(&format!("seed {seed}, step {step}, after {done:?}"));
                done.clear();
            }
        }
        scene.check(&format!("seed {seed}, at the end, after {done:?}"));
    }
}
