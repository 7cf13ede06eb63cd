//! The index through the built programs, with `git ls-files` as the judge.
//!
//! Each question is asked once, right after the change: its cookie must have brought the change in.

mod backends;
mod config;
mod edge;
mod forms;
mod held;
mod journal;
mod layouts;
mod limits;
mod live;
mod lives;
mod mounts;
mod random;
mod real;
mod root;
mod sparse;
mod trouble;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use proto::index::{Change, ChangeKind};
use tests::daemon::{Bed, Daemon};
use tests::wire::Peer;
use tests::{deadline, git, process};

/// What a file is known by: a change in any of these is a change.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    kind: u32,
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
    inode: u64,
    /// Names that it has, wherever.
    links: u64,
}

type Shown = BTreeMap<Vec<u8>, Look>;

/// The files that git shows, and what they look like.
fn shown(root: &Path, home: &Path) -> Shown {
    git::files_at_home(root, home)
        .into_iter()
        .map(|name| {
            let about = fs::symlink_metadata(root.join(OsStr::from_bytes(&name))).expect("shown");
            // Of a repository within only that it is there: what happens in it is its own.
            if about.is_dir() {
                let look = Look {
                    kind: rustix::fs::FileType::Directory.as_raw_mode(),
                    size: 0,
                    mtime: (0, 0),
                    ctime: (0, 0),
                    inode: about.ino(),
                    links: 0,
                };
                return (name, look);
            }
            let look = Look {
                kind: about.mode(),
                size: about.len(),
                mtime: (about.mtime(), about.mtime_nsec()),
                ctime: (about.ctime(), about.ctime_nsec()),
                inode: about.ino(),
                links: about.nlink(),
            };
            (name, look)
        })
        .collect()
}

/// The names that differ between two looks.
fn differing(before: &Shown, after: &Shown) -> BTreeSet<Vec<u8>> {
    before
        .keys()
        .chain(after.keys())
        .filter(|name| before.get(*name) != after.get(*name))
        .cloned()
        .collect()
}

fn text(names: impl IntoIterator<Item = Vec<u8>>) -> Vec<String> {
    names
        .into_iter()
        .map(|name| String::from_utf8_lossy(&name).into_owned())
        .collect()
}

/// A project that is indexed, and what was known of it at the last question.
struct Scene {
    root: PathBuf,
    /// Where git finds the same files; the root, unless only the daemon sees that.
    real: PathBuf,
    peer: Peer,
    before: Shown,
    clock: String,
    /// What is told is exact; else what came and went may be told as modified.
    planned: bool,
    daemon: Option<Daemon>,
    /// Inodes of files with names beyond what is shown.
    hidden: BTreeSet<u64>,
    /// Inodes that were given another name since the last question, which may be gone by now: the file's own folder
    /// hears nothing of that, and all that is left of it is another time of the last change of status.
    linked: BTreeSet<u64>,
    bed: Bed,
}

impl Scene {
    /// A daemon of its own, and a project that `make` fills in a folder on the file system of `parent`.
    fn on(parent: &Path, make: impl FnOnce(&Path)) -> Self {
        let bed = Bed::within(parent);
        let daemon = bed.start();
        let root = bed.project("project");
        make(&root);
        Self::of(bed, Some(daemon), (root.clone(), root))
    }

    /// A project of a daemon that runs: where the daemon sees it, and where git does.
    fn of(bed: Bed, daemon: Option<Daemon>, (root, real): (PathBuf, PathBuf)) -> Self {
        let mut scene = Self {
            peer: bed.peer(),
            root,
            real,
            before: Shown::new(),
            clock: String::new(),
            daemon,
            planned: true,
            hidden: BTreeSet::new(),
            linked: BTreeSet::new(),
            bed,
        };
        scene.begin("at first");
        scene
    }

    /// Takes what is there now for what is known.
    fn begin(&mut self, when: &str) {
        self.before = self.shown();
        self.files_are_right(when, &self.before.clone());
        self.clock = self.peer.clock(&self.root).expect("a clock");
    }

    fn new(make: impl FnOnce(&Path)) -> Self {
        Self::on(&std::env::temp_dir(), make)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.real.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn git(&self, args: &[&str]) {
        git::git(&self.real, args);
    }

    /// What git shows at the home of the daemon's user.
    fn shown(&self) -> Shown {
        shown(&self.real, &self.bed.home())
    }

    /// The index lists what git shows: no more, no less, sorted, each once.
    fn files_are_right(&mut self, when: &str, shown: &Shown) {
        let ours = self
            .peer
            .files(&self.root)
            .unwrap_or_else(|error| panic!("{when}: {error}"));
        if ours.iter().eq(shown.keys()) {
            return;
        }
        let theirs: BTreeSet<Vec<u8>> = shown.keys().cloned().collect();
        let set: BTreeSet<Vec<u8>> = ours.iter().cloned().collect();
        let missing = text(theirs.difference(&set).cloned());
        let extra = text(set.difference(&theirs).cloned());
        for name in missing.iter().chain(&extra).take(5) {
            let rule = git::say(&self.real, &["check-ignore", "-v", "--no-index", name]);
            let entry = git::say(&self.real, &["ls-files", "-s", "--", name.trim_end_matches('/')]);
            let there = fs::symlink_metadata(self.real.join(name));
            eprintln!(
                "{name}: {there:?}, rule {:?}, index {:?}",
                rule.text(),
                entry.text()
            );
        }
        panic!(
            "{when}: {} files, git shows {}\nmissing: {missing:?}\nextra: {extra:?}",
            ours.len(),
            theirs.len()
        );
    }

    /// Files and changes since the last question are right.
    fn check(&mut self, when: &str) {
        // Where everything is slow an answer may have been given before all was seen, and says so.
        let told = deadline::until("an answer that has seen all", || {
            let told = self.peer.changes(&self.root, &self.clock);
            let told = told.unwrap_or_else(|error| panic!("{when}: {error}"));
            (!told.unsynced).then_some(told)
        });
        let after = self.shown();
        self.files_are_right(when, &after);
        assert!(!told.fresh, "{when}: a clock counts for nothing any more");
        {
            let expected = differing(&self.before, &after);
            // What came and went in between may be told as deleted: whoever listed the files meanwhile has seen it.
            let between = told
                .changes
                .iter()
                .filter(|change| self.may_be_passing(change))
                .map(|change| change.path.as_bytes().to_vec())
                .filter(|name| self.before.get(name) == after.get(name))
                .collect();
            let named = &names(&told.changes) - &between;
            let mut late = self.hidden_names(&after);
            late.extend(self.names_that_passed(&after));
            let missing = text(
                expected
                    .difference(&named)
                    .filter(|name| !late.contains(*name))
                    .cloned(),
            );
            let extra = text(
                named
                    .difference(&expected)
                    .filter(|name| !late.contains(*name))
                    .cloned(),
            );
            assert!(
                missing.is_empty() && extra.is_empty(),
                "{when}: of the changes\nmissing: {missing:?}\nextra: {extra:?}\ntold: {:#?}",
                told.changes
            );
            for change in &told.changes {
                self.change_is_true(change, &told.changes, &after, when);
            }
        }
        self.before = after;
        self.clock = told.clock;
        self.linked.clear();
    }

    /// Files that have had another name in between, and nothing else.
    fn names_that_passed(&self, after: &Shown) -> Vec<Vec<u8>> {
        let only_status = |name: &&Vec<u8>| {
            let (Some(was), Some(is)) = (self.before.get(*name), after.get(*name)) else {
                return false;
            };
            let ctime = is.ctime;
            self.linked.contains(&is.inode) && Look { ctime, ..*was } == *is
        };
        after.keys().filter(only_status).cloned().collect()
    }

    /// Files that have, or had, names which the index does not show: what is done by those is found by a later look.
    fn hidden_names(&mut self, after: &Shown) -> BTreeSet<Vec<u8>> {
        for shown in [&self.before, after] {
            let mut names: BTreeMap<u64, u64> = BTreeMap::new();
            for look in shown.values().filter(|look| look.links > 1) {
                *names.entry(look.inode).or_default() += 1;
            }
            let hidden = shown
                .values()
                .filter(|look| look.links > names.get(&look.inode).copied().unwrap_or(look.links));
            self.hidden.extend(hidden.map(|look| look.inode));
        }
        let both = self.before.iter().chain(after);
        let late = both.filter(|(_, look)| self.hidden.contains(&look.inode));
        late.map(|(name, _)| name.clone()).collect()
    }

    /// Whether a change may be told that has left nothing behind. In work without a plan rules come and go, and what
    /// they hid and showed again may be told as modified.
    fn may_be_passing(&self, change: &Change) -> bool {
        match change.kind {
            ChangeKind::Deleted => true,
            ChangeKind::Modified => !self.planned,
            ChangeKind::Created | ChangeKind::Renamed => false,
        }
    }

    fn change_is_true(&self, change: &Change, all: &[Change], after: &Shown, when: &str) {
        let there = after.get(change.path.as_bytes());
        let was = self.before.contains_key(change.path.as_bytes());
        let right = match change.kind {
            // A file in the place of one that was renamed is another one.
            ChangeKind::Created => {
                there.is_some() && (!was || all.iter().any(|other| other.from.as_ref() == Some(&change.path)))
            }
            ChangeKind::Modified => there.is_some() && was,
            ChangeKind::Deleted => there.is_none(),
            ChangeKind::Renamed => {
                there.is_some()
                    && change
                        .from
                        .as_ref()
                        .is_some_and(|from| self.before.contains_key(from.as_bytes()))
            }
        };
        assert!(
            right,
            "{when}: {change:?} (was there: {was}, is there: {})",
            there.is_some()
        );
        if let Some(look) = there.filter(|look| look.links > 0) {
            assert_eq!(change.size, Some(look.size), "{when}: {change:?}");
        }
    }

    /// The same through `tocli`: one path a line.
    fn tocli_lists_the_same(&self) {
        let said = process::run(self.bed.tocli(["files", "-0"]).current_dir(&self.root)).ok();
        let ours: Vec<&[u8]> = said
            .out
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .collect();
        let theirs = git::files_at_home(&self.root, &self.bed.home());
        assert!(ours.iter().copied().eq(theirs.iter().map(Vec::as_slice)));
    }
}

/// What `tocli files` lists, by these words.
fn listed(scene: &Scene, words: &[&str]) -> Vec<String> {
    let said = process::run(scene.bed.tocli(["files"]).args(words).current_dir(&scene.root)).ok();
    said.text().lines().map(str::to_owned).collect()
}

#[test]
fn a_glob_chooses_as_an_ignore_file_does() {
    let scene = Scene::new(small);
    for (glob, wanted) in [
        ("*.rs", &["src/deep/er/leaf.rs", "src/main.rs"][..]),
        ("src/*.rs", &["src/main.rs"]),
        ("/src/**/leaf.*", &["src/deep/er/leaf.rs"]),
        ("deep", &["src/deep/er/leaf.rs"]),
        ("er/", &["src/deep/er/leaf.rs"]),
        (
            "*.{c,md}",
            &["README.md", "docs/a/b/c/page.md", "vendor/lib/lib.c"],
        ),
        ("vendor/{lib,other}/*.c", &["vendor/lib/lib.c"]),
        ("docs/a", &["docs/a/b/c/page.md"]),
        ("/main.rs", &[]),
        ("main.rs/", &[]),
        ("target", &[]),
    ] {
        assert_eq!(listed(&scene, &[glob]), wanted, "{glob}");
    }
    let said = process::run(scene.bed.tocli(["files", "a["]).current_dir(&scene.root));
    assert_eq!(said.code, 2, "{said:?}");
}

#[test]
fn pages_of_files_add_up_to_the_list_whatever_their_size() {
    let scene = Scene::new(|root| {
        small(root);
        // Names around the slash in the order of bytes.
        for name in ["src-x", "src.rs", "src0", "src/-", "src/0"] {
            fs::write(root.join(name), "").expect("written");
        }
    });
    let said = process::run(
        scene
            .bed
            .tocli(["files", "--after", "src0"])
            .current_dir(&scene.root),
    );
    assert_eq!(said.ok().text(), "vendor/lib/lib.c\n");
    for glob in [None, Some("*.rs"), Some("src"), Some("{src,docs}/**")] {
        let words: Vec<&str> = glob.into_iter().collect();
        let all = listed(&scene, &words);
        assert!(all.len() > 1, "{glob:?}");
        for limit in [1, 2, all.len() - 1, all.len(), 100] {
            let (mut seen, limit) = (Vec::<String>::new(), limit.to_string());
            loop {
                let mut words = words.clone();
                words.extend(["--limit", &limit, "--json"]);
                let after = seen.last().cloned();
                words.extend(after.iter().flat_map(|after| ["--after", after.as_str()]));
                let said: serde_json::Value = serde_json::from_str(&listed(&scene, &words).join(
                    "
",
                ))
                .expect("an object");
                let page = said["files"].as_array().expect("files").iter();
                seen.extend(page.map(|file| file.as_str().expect("a name").to_owned()));
                let left = all.len() - seen.len();
                assert_eq!(said["left"], left, "{glob:?} by {limit}: {said}");
                if left == 0 {
                    break;
                }
            }
            assert_eq!(seen, all, "{glob:?} by {limit}");
        }
    }
}

fn names(changes: &[Change]) -> BTreeSet<Vec<u8>> {
    changes
        .iter()
        .flat_map(|change| std::iter::once(&change.path).chain(change.from.as_ref()))
        .map(|path| path.as_bytes().to_vec())
        .collect()
}

/// A small project with a bit of everything.
fn small(root: &Path) {
    let files = [
        ("README.md", "hello\n"),
        (".gitignore", "target/\n*.log\n!keep.log\n"),
        ("src/main.rs", "fn main() {}\n"),
        ("src/deep/er/leaf.rs", "\n"),
        ("docs/a/b/c/page.md", "page\n"),
        ("docs/.gitignore", "*.tmp\n/build\n"),
        ("target/debug/thing", "x"),
        ("vendor/lib/lib.c", "int x;\n"),
    ];
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    git::init(root);
}

/// A clone of this very repository.
fn ourselves(root: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let from = fs::canonicalize(from).expect("this repository");
    let from = from.to_str().expect("UTF-8");
    git::git(root, &["clone", "-q", "--no-hardlinks", from, "."]);
}

/// Sources of other people: some of the crates that this repository is built from. None where they are not at hand.
fn others(root: &Path) -> Option<()> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))?;
    let registry = fs::read_dir(home.join("registry/src"))
        .ok()?
        .flatten()
        .next()?
        .path();
    let mut found = 0;
    for entry in fs::read_dir(registry).ok()?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let wanted = [
            "rustix-",
            "tokio-1",
            "clap_builder-",
            "regex-automata-",
            "sled-",
            "jiff-",
        ];
        if !wanted.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let mut copy = std::process::Command::new("cp");
        copy.arg("-r").arg(entry.path()).arg(root);
        process::run(&mut copy).ok();
        found += 1;
    }
    git::init(root);
    (found > 0).then_some(())
}
