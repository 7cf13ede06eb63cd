//! Indexes over the lives of the daemon, through the built programs: stopped, killed, handed over, asleep.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;
use tests::daemon::Bed;
use tests::{deadline, git, process};

use super::live::{begun, json, paths, scene};

/// What changed since a clock, and whether each was while nobody watched.
fn since(bed: &Bed, root: &std::path::Path, clock: &str) -> Value {
    json(bed, root, &format!("changes --since {clock}"))
}

fn clock(bed: &Bed, root: &std::path::Path) -> String {
    let said = json(bed, root, "clock");
    said["clock"].as_str().expect("a clock").to_owned()
}

fn work(root: &std::path::Path) {
    fs::write(root.join("src/main.rs"), "fn main() { }\n").expect("written");
    fs::remove_file(root.join("README.md")).expect("removed");
    fs::rename(root.join("docs/a"), root.join("docs/moved")).expect("renamed");
    fs::write(root.join(".gitignore"), "target/\n*.log\n/vendor\n").expect("written");
    fs::create_dir_all(root.join("made/deep")).expect("made");
    fs::write(root.join("made/deep/leaf"), "1").expect("written");
    git::git(root, &["add", "-f", "target/debug/thing"]);
}

fn lists_what_git_shows(bed: &Bed, root: &std::path::Path) {
    let said = json(bed, root, "files");
    assert_eq!(
        (&said["unsynced"], &said["unverified"]),
        (&false.into(), &false.into())
    );
    let ours: Vec<Vec<u8>> = said["files"]
        .as_array()
        .expect("files")
        .iter()
        .map(|file| file.as_str().expect("a name").as_bytes().to_vec())
        .collect();
    assert!(ours.iter().eq(git::files(root).iter()), "{said}");
}

#[test]
fn a_stop_in_order_keeps_the_clock_and_what_changed_meanwhile_is_told_as_while_away() {
    let (bed, root) = scene();
    let before = clock(&bed, &root);
    bed.run(["daemon", "stop"]).ok();
    work(&root);
    let told = since(&bed, &root, &before);
    assert_eq!(told["fresh_instance"], false, "{told}");
    let changes = told["changes"].as_array().expect("changes");
    assert!(
        changes.iter().all(|change| change["while_away"] == true),
        "{told}"
    );
    let has = |path: &str, kind: &str| paths(&told).contains(&(path.to_owned(), kind.to_owned()));
    assert!(
        has("src/main.rs", "modified") && has("README.md", "deleted"),
        "{told}"
    );
    assert!(has("made/deep/leaf", "created"), "{told}");
    assert!(
        has("docs/moved/b/c/page.md", "renamed") && has("target/debug/thing", "created"),
        "{told}"
    );
    lists_what_git_shows(&bed, &root);
    // What happens from here on is seen as it happens.
    let after = clock(&bed, &root);
    fs::write(root.join("later"), "1").expect("written");
    let told = since(&bed, &root, &after);
    assert_eq!(told["changes"][0]["while_away"], false, "{told}");
}

#[test]
fn a_crash_ends_every_clock_and_the_list_is_right_all_the_same() {
    let (bed, root) = scene();
    bed.run(["daemon", "stop"]).ok();
    // This life begins with a saved index, and is cut off.
    let before = clock(&bed, &root);
    process::signal(bed.lock_file().expect("a lock file").pid, Some(Signal::KILL));
    deadline::until("it is gone", || bed.daemons().is_empty().then_some(()));
    work(&root);
    let told = since(&bed, &root, &before);
    assert_eq!(told["fresh_instance"], true, "{told}");
    assert!(
        told["fresh_why"]
            .as_str()
            .expect("a reason")
            .contains("earlier index"),
        "{told}"
    );
    lists_what_git_shows(&bed, &root);
}

#[test]
fn a_time_before_the_index_began_is_answered_with_all_files_and_the_reason() {
    let (bed, root) = scene();
    let told = json(&bed, &root, "changes --since 2h");
    assert_eq!(told["fresh_instance"], true, "{told}");
    assert_eq!(told["fresh_why"], "the index begins after that time");
    let said = process::run(bed.tocli(["changes", "--since=-5s"]).current_dir(&root));
    assert_eq!(said.code, 2, "{said:?}");
}

#[test]
fn a_watch_goes_on_over_a_hand_over_without_a_gap() {
    let (bed, root) = scene();
    let mut watch = begun(&bed, &root);
    for round in 0..3 {
        let name = format!("before-{round}");
        fs::write(root.join(&name), "1").expect("written");
        bed.run(["daemon", "reboot"]).ok();
        let after = format!("after-{round}");
        fs::write(root.join(&after), "1").expect("written");
        let mut seen = Vec::new();
        while !seen.iter().any(|(path, _)| *path == after) {
            let batch = watch.next();
            assert_eq!(batch["fresh_instance"], false, "{batch}");
            assert!(batch["lost_since"].is_null(), "{batch}");
            seen.extend(paths(&batch));
        }
        let told = |path: &str| {
            seen.iter()
                .filter(|(name, kind)| name == path && kind == "created")
                .count()
        };
        assert_eq!((told(&name), told(&after)), (1, 1), "{seen:?}");
    }
}

#[test]
fn a_project_that_nobody_uses_is_asleep_and_wakes_with_its_clock() {
    let (bed, root) = scene();
    let before = clock(&bed, &root);
    bed.run([
        "config",
        "set",
        "--user",
        "performance.max_cached_workspaces",
        "1",
    ])
    .ok();
    let other = bed.project("other");
    super::small(&other);
    process::run(bed.tocli(["files"]).current_dir(&other)).ok();
    let asleep = || {
        let said = json(&bed, &other, "daemon status");
        said.to_string().contains("\"asleep\"").then_some(())
    };
    deadline::until("the first one sleeps", asleep);
    fs::write(root.join("meanwhile"), "1").expect("written");
    let told = since(&bed, &root, &before);
    assert_eq!(told["fresh_instance"], false, "{told}");
    assert_eq!(paths(&told), [("meanwhile".to_owned(), "created".to_owned())]);
    assert_eq!(told["changes"][0]["while_away"], true);
}
