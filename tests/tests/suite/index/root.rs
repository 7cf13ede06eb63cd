//! Roots that go away, come back or are replaced: while somebody listens and nobody asks, while the daemon stands still
//! and cannot look, and while none runs.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use tests::ask::times;
use tests::daemon::Bed;
use tests::{deadline, git, process};

use super::live::{begun, json, paths};
use super::small;

#[test]
fn a_watch_goes_on_in_a_root_that_is_removed_and_made_again_while_nobody_else_asks() {
    let bed = Bed::new();
    let settings = bed.home().join(".config/task-orchestrator");
    fs::create_dir_all(&settings).expect("made");
    fs::write(settings.join("config.yaml"), "watch:\n  poll_seconds: 1\n").expect("written");
    let root = bed.project("project");
    small(&root);
    let mut watch = begun(&bed, &root);
    let mut known = "begin".to_owned();
    for round in 0..times(4, 40) {
        let aside = bed.work().join(format!("aside-{round}"));
        match round % 4 {
            // The same inode may be given again at once.
            0 => fs::remove_dir_all(&root).expect("removed"),
            1 => fs::rename(&root, &aside).expect("moved"),
            // There and gone again before anybody can look.
            2 => {
                fs::remove_dir_all(&root).expect("removed");
                fs::create_dir(&root).expect("made");
                fs::remove_dir(&root).expect("removed");
            }
            _ => {
                fs::remove_dir_all(&root).expect("removed");
                watch.until_gone(&known);
            }
        }
        small(&root);
        let name = format!("again-{round}");
        fs::write(root.join(&name), "1").expect("written");
        watch.until(&name);
        let below = format!("src/deep/er/again-{round}");
        fs::create_dir_all(root.join("src/deep/er")).expect("made");
        fs::write(root.join(&below), "1").expect("written");
        watch.until(&below);
        known = below;
    }
}

/// What comes into the root's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Away and back, with an edit meanwhile.
    Back,
    /// Another is made after the old one was moved away.
    Another,
    /// Another is made after the old one was removed: with its number, on file systems that give it again.
    Number,
    /// Another is made and moved away again, and the old one comes back.
    PutBack,
}

/// A project, in a repository or without one, whose other self ignores other files.
fn fill(root: &Path, is_repository: bool, other: &str) {
    fs::create_dir_all(root.join("src")).expect("made");
    let lines = format!("*.log\n{other}.tmp\n");
    let files = [
        (".gitignore", lines.as_str()),
        ("package.json", "{}"),
        ("src/a.rs", "1"),
    ];
    for (name, text) in files
        .into_iter()
        .chain([("k.log", "1"), ("x.tmp", "1"), ("y.tmp", "1")])
    {
        fs::write(root.join(name), text).expect("written");
    }
    fs::write(root.join(format!("only-{other}")), other).expect("written");
    if is_repository {
        git::init(root);
        fs::write(root.join(".git/info/exclude"), format!("only-{other}\n")).expect("written");
    }
}

fn change(bed: &Bed, root: &Path, fate: Fate, is_repository: bool) {
    let (old, new) = (bed.work().join("old"), bed.work().join("new"));
    let number = fs::metadata(root).expect("there").ino();
    if fate == Fate::Number {
        fs::remove_dir_all(root).expect("removed");
        // Some file systems give a number again at once, some after others, some never.
        for _ in 0..50 {
            fs::create_dir(root).expect("made");
            if fs::metadata(root).expect("there").ino() == number {
                break;
            }
            fs::remove_dir(root).expect("removed");
        }
        return fill(root, is_repository, "y");
    }
    fs::rename(root, &old).expect("moved");
    match fate {
        Fate::Back => fs::write(old.join("src/b.rs"), "2").expect("written"),
        _ => fill(root, is_repository, "y"),
    }
    if fate == Fate::PutBack {
        fs::rename(root, &new).expect("moved");
    }
    if fate != Fate::Another {
        fs::rename(&old, root).expect("moved back");
    }
}

/// What there is to show: git's list, or everything.
fn there(root: &Path) -> BTreeSet<String> {
    let name = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    if root.join(".git").is_dir() {
        return git::files(root).iter().map(|file| name(file)).collect();
    }
    let (mut files, mut waiting) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => waiting.push(path),
                false => {
                    let path = path.strip_prefix(root).expect("beneath");
                    files.insert(name(path.as_os_str().as_bytes()));
                }
            }
        }
    }
    files
}

/// A file, and what it is known by: its number and the time of its last change.
type Look = (String, u64, i64, i64);

fn looks(root: &Path) -> Vec<Look> {
    let look = |name: String| {
        let about = fs::symlink_metadata(root.join(&name)).expect("shown");
        (name, about.ino(), about.ctime(), about.ctime_nsec())
    };
    there(root).into_iter().map(look).collect()
}

fn listed(bed: &Bed, root: &Path) -> BTreeSet<String> {
    let said = json(bed, root, "files");
    let files = said["files"].as_array().expect("files").iter();
    files
        .map(|file| file.as_str().expect("a name").to_owned())
        .collect()
}

/// All that is said of a root after something else came into its place, and of what happens next.
fn is_shown_as_it_is(bed: &Bed, root: &Path, (clock, before): (&str, &[Look]), when: &str) {
    let told = json(bed, root, &format!("changes --since {clock}"));
    let after = looks(root);
    if told["fresh_instance"] == false {
        let named: BTreeSet<String> = names_in(&told);
        let missed: Vec<_> = before
            .iter()
            .filter(|look| !after.contains(look))
            .chain(after.iter().filter(|look| !before.contains(look)))
            .map(|look| &look.0)
            .filter(|name| !named.contains(*name))
            .collect();
        assert!(missed.is_empty(), "{when}: missed {missed:?} in {told}");
        let is_as_it_was = |name: &&String| {
            let of = |looks: &[Look]| looks.iter().find(|look| look.0 == **name).cloned();
            of(before).is_some() && of(before) == of(&after)
        };
        let wrong: Vec<_> = named.iter().filter(is_as_it_was).collect();
        assert!(wrong.is_empty(), "{when}: not changed {wrong:?} in {told}");
    }
    assert_eq!(listed(bed, root), there(root), "{when}");
    let detected = json(bed, root, "detect");
    assert_eq!(detected["root"], root.to_str().expect("text"), "{when}");
    assert_eq!(
        detected["vcs"].is_object(),
        root.join(".git").is_dir(),
        "{when}: {detected}"
    );
    // What happens from here on is heard, by the rules of what is there now.
    let clock = json(bed, root, "clock")["clock"]
        .as_str()
        .expect("a clock")
        .to_owned();
    fs::create_dir_all(root.join("src/deep")).expect("made");
    fs::write(root.join("src/deep/leaf.rs"), "1").expect("written");
    fs::write(root.join(".gitignore"), "*.rs\n").expect("written");
    if root.join(".git").is_dir() {
        fs::write(root.join(".git/info/exclude"), "*.json\n").expect("written");
    }
    let told = json(bed, root, &format!("changes --since {clock}"));
    assert!(
        names_in(&told).contains(".gitignore") && told["fresh_instance"] == false,
        "{when}: {told}"
    );
    assert_eq!(listed(bed, root), there(root), "{when}, and after an edit");
}

fn names_in(told: &Value) -> BTreeSet<String> {
    let from = told["changes"].as_array().expect("changes").iter();
    let from = from.filter_map(|change| change["from"].as_str().map(str::to_owned));
    paths(told)
        .into_iter()
        .map(|(path, _)| path)
        .chain(from)
        .collect()
}

/// Every fate of a root, with and without a repository before and after, each in a bed of its own.
fn every_fate(while_away: impl Fn(&Bed, &dyn Fn())) {
    for fate in [Fate::Back, Fate::Another, Fate::Number, Fate::PutBack] {
        for (was, is) in [(true, true), (false, true), (true, false)] {
            let bed = Bed::new();
            let root = bed.project("project");
            fill(&root, was, "x");
            assert_eq!(listed(&bed, &root), there(&root), "at first");
            let clock = json(&bed, &root, "clock")["clock"]
                .as_str()
                .expect("a clock")
                .to_owned();
            let before = looks(&root);
            while_away(&bed, &|| change(&bed, &root, fate, is));
            let when = format!("{fate:?}, a repository before {was}, in the other {is}");
            is_shown_as_it_is(&bed, &root, (&clock, &before), &when);
        }
    }
}

#[test]
fn a_root_that_is_replaced_while_the_daemon_stands_still_is_shown_as_what_is_there_then() {
    every_fate(|bed, act| {
        let pid = bed.lock_file().expect("a lock file").pid;
        process::signal(pid, Some(Signal::STOP));
        let about = format!("/proc/{pid}/stat");
        deadline::until("it stands still", || {
            let said = fs::read_to_string(&about).expect("there");
            said.contains(") T ").then_some(())
        });
        act();
        process::signal(pid, Some(Signal::CONT));
    });
}

#[test]
fn a_root_that_is_replaced_while_no_daemon_runs_is_shown_as_what_is_there_then() {
    every_fate(|bed, act| {
        bed.run(["daemon", "stop"]).ok();
        act();
    });
}
