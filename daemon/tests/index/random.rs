//! Seeded random work on a real repository: after every few operations the index equals git's list and the changes
//! equal the journal. `TOD_SEED=<n>` replays one seed, `TOD_STEPS=<n>` makes a run longer.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bed::{Bed, git_in, places};

/// xorshift64*: small, and the same everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % bound
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

const DIRS: [&str; 8] = ["a", "b", "c", "build", "src", "x.d", "d1", "docs"];
const FILES: [&str; 9] = ["f", "g", "h.o", "i.log", "keep.log", "m.txt", "n.tmp", "Ü", "w x"];
const PATTERNS: [&str; 24] = [
    "*.o",
    "*.log",
    "!keep.log",
    "build",
    "build/",
    "/a",
    "/a/",
    "a/b",
    "a/*.tmp",
    "**/c",
    "src/**",
    "!src/",
    "docs/**/f",
    "*",
    "!*/",
    "!*.txt",
    "x.d/*",
    "!x.d/f",
    "[fg]",
    "?.txt",
    "\\!x",
    "d1/",
    "!d1/",
    "w x",
];

struct Work {
    bed: Bed,
    chance: Chance,
    log: Vec<String>,
    serial: usize,
}

impl Work {
    fn dir(&mut self) -> PathBuf {
        let depth = self.chance.below(4);
        (0..depth).map(|_| self.chance.pick(&DIRS)).collect()
    }

    fn file(&mut self) -> PathBuf {
        let name = self.chance.pick(&FILES);
        self.dir().join(name)
    }

    /// Some entry that is there, by a random descent.
    fn there(&mut self, want_dir: bool) -> Option<PathBuf> {
        let mut at = PathBuf::new();
        for _ in 0..4 {
            let mut names: Vec<_> = fs::read_dir(self.bed.root.join(&at)).ok()?.flatten().collect();
            names.retain(|e| {
                e.file_name() != ".git" && (at.as_os_str().is_empty() || !e.file_type().unwrap().is_symlink())
            });
            names.sort_by_key(fs::DirEntry::file_name);
            if names.is_empty() {
                return None;
            }
            let entry = &names[self.chance.below(names.len())];
            at.push(entry.file_name());
            let is_dir = entry.file_type().ok()?.is_dir();
            if !is_dir || (want_dir && self.chance.below(2) == 0) {
                return (is_dir == want_dir).then_some(at);
            }
        }
        None
    }

    fn write(&mut self, path: &Path, text: &str) {
        let path = self.bed.root.join(path);
        // A parent may be a file or a link by now: then nothing happens.
        if fs::create_dir_all(path.parent().unwrap()).is_ok() && !path.is_dir() && !path.is_symlink() {
            fs::write(path, text).unwrap();
        }
    }

    fn step(&mut self) -> String {
        self.serial += 1;
        let serial = self.serial;
        match self.chance.below(24) {
            0..=4 => {
                let path = self.file();
                self.write(&path, &format!("{serial}"));
                format!("write {}", path.display())
            }
            5 | 6 => match self.there(false) {
                Some(path) => {
                    let full = self.bed.root.join(&path);
                    if !full.is_symlink() {
                        fs::write(full, format!("edit {serial}")).unwrap();
                    }
                    format!("edit {}", path.display())
                }
                None => "nothing".into(),
            },
            7 | 8 => match self.there(false) {
                Some(path) => {
                    fs::remove_file(self.bed.root.join(&path)).unwrap();
                    format!("remove {}", path.display())
                }
                None => "nothing".into(),
            },
            9 => match self.there(true) {
                Some(path) => {
                    fs::remove_dir_all(self.bed.root.join(&path)).unwrap();
                    format!("rm -r {}", path.display())
                }
                None => "nothing".into(),
            },
            10..=12 => self.rename(true),
            13 | 14 => self.rename(false),
            15 => self.swap(),
            16 => {
                let (path, target) = (self.file(), self.dir());
                let full = self.bed.root.join(&path);
                drop(full.parent().map(fs::create_dir_all));
                drop(symlink(&target, full));
                format!("link {} -> {}", path.display(), target.display())
            }
            17 | 18 => self.ignore(),
            19 => {
                let path = self.dir().join("new").join("deep");
                self.write(&path.join("leaf"), "x");
                format!("mkdir -p {}", path.display())
            }
            20 => match self.there(true) {
                Some(path) if self.chance.below(3) == 0 => {
                    git_in(&self.bed.root.join(&path), &["init", "-q"]);
                    format!("git init {}", path.display())
                }
                Some(path) => {
                    drop(fs::remove_dir_all(self.bed.root.join(&path).join(".git")));
                    format!("rm -r {}/.git", path.display())
                }
                None => "nothing".into(),
            },
            _ => self.git(),
        }
    }

    fn rename(&mut self, dirs: bool) -> String {
        let Some(from) = self.there(dirs) else {
            return "nothing".into();
        };
        let to = if self.chance.below(2) == 0 {
            self.dir()
        } else {
            self.there(true).unwrap_or_default()
        };
        let name = if dirs {
            self.chance.pick(&DIRS)
        } else {
            self.chance.pick(&FILES)
        };
        let to = to.join(name);
        drop(fs::create_dir_all(self.bed.root.join(&to).parent().unwrap()));
        let done = fs::rename(self.bed.root.join(&from), self.bed.root.join(&to)).is_ok();
        if done && dirs && self.chance.below(2) == 0 {
            self.write(&to.join("after"), "x");
        }
        format!("mv {} {} ({done})", from.display(), to.display())
    }

    /// `mv foo bar && ln -s bar foo`, and chains that use names again.
    fn swap(&mut self) -> String {
        let Some(one) = self.there(true) else {
            return "nothing".into();
        };
        let root = self.bed.root.clone();
        let bar = one.with_file_name("bar");
        if self.chance.below(2) == 0 {
            if one != bar && fs::rename(root.join(&one), root.join(&bar)).is_ok() {
                symlink("bar", root.join(&one)).unwrap();
            }
            return format!("mv {} bar && ln -s", one.display());
        }
        let Some(two) = self.there(true) else {
            return "nothing".into();
        };
        let aside = root.join("aside");
        if fs::rename(root.join(&one), &aside).is_ok() {
            drop(fs::rename(root.join(&two), root.join(&one)));
            drop(fs::create_dir_all(root.join(&two).parent().unwrap()));
            drop(fs::rename(&aside, root.join(&two)));
        }
        format!("swap {} {}", one.display(), two.display())
    }

    fn ignore(&mut self) -> String {
        let lines: Vec<&str> = (0..self.chance.below(4))
            .map(|_| self.chance.pick(&PATTERNS))
            .collect();
        let text = lines.join("\n") + "\n";
        let path = match self.chance.below(6) {
            0 => self.bed.root.join(".git/info/exclude"),
            1 => self.bed.home().join(".config/git/ignore"),
            2 => self.bed.root.join(".gitignore"),
            _ => {
                let dir = self.dir();
                self.bed.root.join(dir).join(".gitignore")
            }
        };
        drop(fs::create_dir_all(path.parent().unwrap()));
        drop(fs::write(&path, &text));
        format!("{lines:?} > {}", path.display())
    }

    fn git(&mut self) -> String {
        let file = self.file();
        let file = file.to_str().unwrap();
        let branch = self.chance.pick(&["one", "two"]);
        let args: Vec<&str> = match self.chance.below(10) {
            0 | 1 => vec!["add", "-A", "--", ":!x.d"],
            2 | 3 => vec!["add", "-f", "--", file],
            4 => vec!["rm", "-r", "-q", "--cached", "--", file],
            5 => vec!["commit", "-q", "-m", "c"],
            6 => vec!["checkout", "-q", "-f", "-B", branch],
            7 => vec!["checkout", "-q", "-f", branch],
            8 => vec!["stash", "-q", "-u"],
            _ => vec!["reset", "-q", "--hard"],
        };
        // Git may refuse: the state is what counts.
        let mut command = Command::new("git");
        command
            .current_dir(&self.bed.root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap());
        command
            .env("HOME", self.bed.home())
            .args(["-c", "user.name=n", "-c", "user.email=e@x"])
            .args(&args);
        let done = command.output().unwrap().status.success();
        format!("git {} ({done})", args.join(" "))
    }
}

/// What happens between two looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// One daemon sees it all.
    Whole,
    /// Daemons end, in order or without a word, and others go on.
    Broken,
}

pub(crate) fn run(seed: u64, place: &Path, life: Life) {
    let steps = std::env::var("TOD_STEPS").map_or(400, |steps| steps.parse().unwrap());
    let bed = Bed::at(place, |_| {});
    let mut work = Work {
        bed,
        chance: Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        log: Vec::new(),
        serial: 0,
    };
    let mut done = 0;
    while done < steps {
        let batch = 1 + work.chance.below(6);
        work.log.clear();
        for _ in 0..batch {
            let step = work.step();
            work.log.push(step);
            done += 1;
        }
        match (life, work.chance.below(4)) {
            (Life::Broken, 0) => {
                work.bed.stop();
                work.log.push("-- stop".into());
                for _ in 0..work.chance.below(8) {
                    let step = work.step();
                    work.log.push(step);
                    done += 1;
                }
                work.bed.start();
            }
            (Life::Broken, 1) if work.chance.below(2) == 0 => {
                work.bed.crash();
                for _ in 0..work.chance.below(4) {
                    work.step();
                    done += 1;
                }
                work.bed.start();
                work.bed.look();
            }
            _ => {}
        }
        let what = format!("seed {seed}, step {done}: {:#?}", work.log);
        work.bed.check(&what);
    }
}

fn seeds(from: u64) {
    if let Ok(seed) = std::env::var("TOD_SEED") {
        run(seed.parse().unwrap(), &std::env::temp_dir(), Life::Whole);
        return;
    }
    let places = places();
    for seed in from..from + 4 {
        run(
            seed,
            &places[usize::try_from(seed).unwrap() % places.len()],
            Life::Whole,
        );
    }
}

#[test]
fn random_work_leaves_the_index_equal_to_gits_list_first_seeds() {
    seeds(1);
}

#[test]
fn random_work_leaves_the_index_equal_to_gits_list_more_seeds() {
    seeds(101);
}
