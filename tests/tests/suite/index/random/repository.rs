//! Operations of git and on what git reads: ignore files at every level, the exclude files outside, the index, branches,
//! repositories within.

use std::fs;
use std::path::{Path, PathBuf};

use tests::git;

use super::{Scene, Walk};

/// Lines of ignore files.
const RULES: [&str; 16] = [
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
    "*",
    "!*/",
    "/src/**/a",
    "[ab]",
    "\\a",
    "z.rs ",
];

/// A second branch and a library for submodules.
pub(super) fn begin(scene: &Scene) {
    scene.git(&["branch", "topic"]);
    let library = library(scene);
    fs::create_dir_all(&library).expect("made");
    fs::write(library.join("lib.txt"), "1\n").expect("written");
    git::init(&library);
}

fn library(scene: &Scene) -> PathBuf {
    scene.bed.work().join("library")
}

impl Walk<'_> {
    pub(super) fn on_rules(&mut self) {
        match self.chance.below(12) {
            0..=5 => {
                let path = self.folder().join(".gitignore");
                self.rules(&path);
            }
            6 => {
                let path = self.folder().join(".gitignore");
                self.did("remove", &[&path], fs::remove_file(&path));
            }
            7 => self.rules(&self.scene.root.join(".git/info/exclude")),
            8 => self.rules(&self.scene.bed.home().join(".config/git/ignore")),
            9 => {
                let path = self.outside();
                self.rules(&path);
            }
            10 => {
                let path = self.outside();
                self.git(&["config", "core.excludesFile", path.to_str().expect("UTF-8")]);
            }
            _ => self.git(&["config", "--unset", "core.excludesFile"]),
        }
    }

    /// An exclude file outside the project.
    fn outside(&mut self) -> PathBuf {
        let number = self.chance.below(3);
        self.scene.bed.work().join(format!("excludes-{number}"))
    }

    fn rules(&mut self, path: &Path) {
        let count = self.chance.below(4);
        let rules: String = (0..count)
            .map(|_| format!("{}\n", self.chance.of(&RULES)))
            .collect();
        if let Some(folder) = path.parent() {
            drop(fs::create_dir_all(folder));
        }
        // What a link in its place leads to is somebody else's.
        if !path.is_symlink() {
            self.did(&format!("rules {rules:?}"), &[path], fs::write(path, &rules));
        }
    }

    pub(super) fn in_git(&mut self) {
        let old = self.there();
        let path = old.to_string_lossy().into_owned();
        match self.chance.below(26) {
            0 | 1 => self.git(&["add", "-A"]),
            2 | 3 => self.git(&["add", &path]),
            4..=6 => self.git(&["add", "-f", &path]),
            7 | 8 => self.git(&["rm", "-q", "-r", "-f", "--cached", &path]),
            9 | 10 => self.git(&["commit", "-q", "-m", "x"]),
            11 => self.git(&["checkout", "-q", "-f", "HEAD"]),
            12 => self.git(&["checkout", "-q", "-f", "main"]),
            13 => self.git(&["checkout", "-q", "-f", "topic"]),
            14 => self.git(&["stash", "-q"]),
            15 => self.git(&["stash", "-q", "-u"]),
            16 => self.git(&["stash", "pop", "-q"]),
            17 | 18 => self.rebase(),
            19 => self.git(&["reset", "-q", "--hard"]),
            20 => self.git(&["clean", "-q", "-fd"]),
            21 => {
                let new = self.path().to_string_lossy().into_owned();
                self.git(&["mv", &path, &new]);
            }
            22 => self.git(&["reset", "-q", "--mixed", "HEAD~1"]),
            23 if self.chance.below(4) == 0 => self.submodule(),
            _ => self.nested(),
        }
    }

    /// One that stops in a conflict stays so for a while, and is aborted later.
    fn rebase(&mut self) {
        if self.scene.root.join(".git/rebase-merge").exists() {
            return self.git(&["rebase", "--abort"]);
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "x"]);
        let onto = if self.chance.below(2) == 0 {
            "topic"
        } else {
            "main"
        };
        self.git(&["rebase", "-q", onto]);
    }

    /// A repository within: made, given a commit, or no repository any more.
    fn nested(&mut self) {
        let folder = self.folder();
        if folder == self.scene.root {
            return;
        }
        let git = folder.join(".git");
        match self.chance.below(4) {
            0 => {
                git::say(&folder, &["init", "-q"]);
                self.note("git init", &[&folder]);
            }
            1 => {
                git::say(&folder, &["init", "-q"]);
                git::say(&folder, &["commit", "-q", "--allow-empty", "-m", "within"]);
                self.note("git init and commit", &[&folder]);
            }
            2 => self.did("a file as", &[&git], fs::write(&git, "gitdir: nowhere\n")),
            _ => {
                let gone = fs::remove_dir_all(&git).or_else(|_| fs::remove_file(&git));
                self.did("remove all", &[&git], gone);
            }
        }
    }

    fn submodule(&mut self) {
        let (from, to) = (library(self.scene), self.path());
        let to = to.strip_prefix(&self.scene.root).unwrap_or(&to);
        let words = [from.to_str().expect("UTF-8"), to.to_str().expect("UTF-8")];
        self.git(&["submodule", "--quiet", "add", "--force", words[0], words[1]]);
    }

    fn git(&mut self, args: &[&str]) {
        git::say(&self.scene.root, args);
        self.note(&format!("git {args:?}"), &[]);
    }
}
