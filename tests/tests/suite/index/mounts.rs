//! Mounts within a project: the same folder or file then has two paths, and the kernel tells of one of them at most. Git
//! in the daemon's own mount namespace is the judge.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use proto::index::TreeState;
use tests::daemon::{Bed, Daemon};
use tests::wire::Peer;
use tests::{deadline, namespace};

use super::trouble::{mounted, tree};
use super::{names, small, text};

/// A project as its daemon sees it.
struct Inside {
    root: PathBuf,
    peer: Peer,
    clock: String,
    daemon: Daemon,
    bed: Bed,
}

impl Inside {
    fn new() -> Option<Self> {
        let bed = Bed::new();
        let root = bed.project("project");
        small(&root);
        if !namespace::can_enter() {
            return None;
        }
        let daemon = mounted(&bed, "")?;
        let mut inside = Self {
            root,
            peer: bed.peer(),
            clock: String::new(),
            daemon,
            bed,
        };
        inside.lists_what_git_shows("at first");
        Some(inside)
    }

    fn at(&self, name: &str) -> String {
        self.root.join(name).to_str().expect("text").to_owned()
    }

    fn enter(&self, words: &[&str]) -> Vec<u8> {
        namespace::enter(self.daemon.pid(), words).ok().out
    }

    fn bind(&self, from: &str, to: &str) {
        self.enter(&["mount", "--bind", &self.at(from), &self.at(to)]);
    }

    fn unmount(&self, name: &str) {
        self.enter(&["umount", &self.at(name)]);
    }

    fn lists_what_git_shows(&mut self, when: &str) {
        let git = "exec env -i PATH=\"$PATH\" HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 git -c safe.directory=* -C \"$0\" \
                   ls-files -co --exclude-standard --deduplicate -z";
        let said = self.enter(&["sh", "-c", git, &self.at("")]);
        let seen = Path::new("/proc")
            .join(self.daemon.pid().to_string())
            .join("root")
            .join(self.root.strip_prefix("/").expect("absolute"));
        let is_there = |name: &&[u8]| fs::symlink_metadata(seen.join(OsStr::from_bytes(name))).is_ok();
        let theirs: BTreeSet<Vec<u8>> = said
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .filter(is_there)
            .map(<[u8]>::to_vec)
            .collect();
        let ours = self.peer.files(&self.root).expect("files");
        assert!(
            ours.iter().eq(&theirs),
            "{when}: {:?}, git shows {:?}",
            text(ours),
            text(theirs)
        );
        self.clock = self.peer.clock(&self.root).expect("a clock");
    }

    /// The question after some change names these and nothing else.
    fn tells(&mut self, expected: &[&str], when: &str) {
        let told = deadline::until("an answer that has seen all", || {
            let told = self.peer.changes(&self.root, &self.clock).expect("changes");
            (!told.unsynced).then_some(told)
        });
        let told = (text(names(&told.changes)), told.fresh);
        let expected = expected.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(told, (expected, false), "{when}");
        self.lists_what_git_shows(when);
    }

    fn reboot(&mut self) {
        self.bed.run(["daemon", "reboot"]).ok();
        self.peer = self.bed.peer();
    }

    fn is_polled(&mut self) {
        let stands = tree(&mut self.peer, &self.root);
        let reason = stands.reason.unwrap_or_default();
        assert!(
            stands.state == TreeState::Polling && reason.contains("mounted in the project"),
            "{:?} {reason}",
            stands.state
        );
    }

    fn is_watched(&mut self) {
        let stands = tree(&mut self.peer, &self.root);
        assert_eq!((stands.state, stands.reason), (TreeState::Watching, None));
    }
}

#[test]
fn a_folder_that_is_mounted_on_another_one_of_the_project_is_shown_and_told_by_both_paths() {
    let Some(mut inside) = Inside::new() else { return };
    inside.bind("docs", "vendor");
    inside.lists_what_git_shows("docs is vendor");
    inside.is_polled();
    fs::write(inside.root.join("docs/both"), "1").expect("written");
    inside.tells(&["docs/both", "vendor/both"], "a new file");
    fs::write(inside.root.join("docs/a/b/c/page.md"), "longer").expect("written");
    let both = ["docs/a/b/c/page.md", "vendor/a/b/c/page.md"];
    inside.tells(&both, "an edit");
    inside.reboot();
    inside.tells(&[], "after a hand-over");
    fs::remove_file(inside.root.join("docs/both")).expect("removed");
    inside.tells(&["docs/both", "vendor/both"], "a file less");
    inside.unmount("vendor");
    inside.reboot();
    inside.lists_what_git_shows("unmounted just before a hand-over");
    inside.is_watched();
    inside.bind("docs", "src/deep");
    inside.reboot();
    inside.lists_what_git_shows("mounted just before a hand-over");
    fs::write(inside.root.join("docs/again"), "1").expect("written");
    inside.tells(&["docs/again", "src/deep/again"], "a new file");
    inside.unmount("src/deep");
    inside.lists_what_git_shows("unmounted");
    inside.is_watched();
}

#[test]
fn a_file_that_is_mounted_on_another_one_is_told_and_heeded_by_both_paths() {
    let Some(mut inside) = Inside::new() else { return };
    inside.bind("README.md", "src/main.rs");
    inside.lists_what_git_shows("README.md is src/main.rs");
    inside.is_polled();
    fs::write(inside.root.join("README.md"), "much longer").expect("written");
    inside.tells(&["README.md", "src/main.rs"], "an edit");
    inside.unmount("src/main.rs");
    inside.lists_what_git_shows("unmounted");
    inside.is_watched();
    fs::write(inside.root.join("src/rules"), "").expect("written");
    fs::write(inside.root.join("docs/loose.c"), "").expect("written");
    inside.lists_what_git_shows("loose files");
    inside.bind("src/rules", "docs/.gitignore");
    inside.lists_what_git_shows("other rules");
    fs::write(inside.root.join("src/rules"), "*.c\n").expect("written");
    inside.tells(&["docs/.gitignore", "docs/loose.c", "src/rules"], "their edit");
    inside.reboot();
    fs::write(inside.root.join("src/rules"), "*.d\n#\n").expect("written");
    inside.tells(
        &["docs/.gitignore", "docs/loose.c", "src/rules"],
        "after a hand-over",
    );
    inside.unmount("docs/.gitignore");
    inside.lists_what_git_shows("unmounted");
    inside.is_watched();
}
