//! What the journal promises beyond the day's work: what came and went is told, clocks of others count for nothing, and
//! looking leaves nothing behind.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use proto::index::ChangeKind;

use super::{Scene, small};

#[test]
fn what_came_and_went_between_two_questions_is_told_as_deleted() {
    let mut scene = Scene::new(small);
    for round in 0..20 {
        let name = format!("src/passing-{round}");
        scene.write(&name, "1");
        fs::remove_file(scene.at(&name)).expect("removed");
        let told = scene.peer.changes(&scene.root, &scene.clock).expect("changes");
        let seen: Vec<_> = told
            .changes
            .iter()
            .map(|change| (change.path.as_bytes(), change.kind))
            .collect();
        assert_eq!(seen, [(name.as_bytes(), ChangeKind::Deleted)]);
        scene.check("and nothing else");
    }
    fs::create_dir(scene.at("src/folder")).expect("made");
    fs::remove_dir(scene.at("src/folder")).expect("removed");
    scene.check("a folder is no file");
}

#[test]
fn a_clock_of_another_project_counts_for_nothing() {
    let mut scene = Scene::new(small);
    let other = scene.bed.project("other");
    small(&other);
    let clock = scene.peer.clock(&other).expect("a clock");
    let told = scene.peer.changes(&scene.root, &clock).expect("changes");
    assert!(told.fresh);
    assert_eq!(told.changes.len(), scene.before.len());
}

/// Everything in a folder, git's own included, but for times of access.
fn everything(folder: &Path) -> BTreeMap<PathBuf, (u32, u64, i64, i64)> {
    let mut all = BTreeMap::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(at) = waiting.pop() {
        let about = fs::symlink_metadata(&at).expect("there");
        if about.is_dir() {
            let names = fs::read_dir(&at).expect("read").flatten();
            waiting.extend(names.map(|entry| entry.path()));
        }
        let look = (about.mode(), about.size(), about.mtime(), about.mtime_nsec());
        all.insert(at, look);
    }
    all
}

#[test]
fn looking_leaves_nothing_behind_in_a_project() {
    let mut scene = Scene::new(small);
    let before = everything(&scene.root);
    scene.check("nothing");
    scene.tocli_lists_the_same();
    let root = scene.root.clone();
    let path = root.to_str().expect("UTF-8");
    for line in [
        "clock",
        "changes --since 2020-01-01",
        "detect",
        "doctor watch",
        "daemon reboot",
    ] {
        let words = line.split(' ').map(str::to_owned);
        let at = ["--path".to_owned(), path.to_owned()];
        let takes_path = matches!(line, "clock" | "changes --since 2020-01-01");
        scene
            .bed
            .run(words.chain(at.into_iter().filter(|_| takes_path)))
            .ok();
    }
    scene.check("after a hand-over");
    scene.daemon.as_mut().expect("one of ours").stop();
    assert_eq!(everything(&root), before);
}
