//! What the journal promises beyond the day's work: what came and went is told, clocks of others count for nothing, and
//! looking leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use proto::index::ChangeKind;

use serde_json::Value;

use super::live::{Stream, json, paths};
use super::trouble::set;
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

fn clock_of(scene: &Scene) -> String {
    let said = json(&scene.bed, &scene.root, "clock");
    said["clock"].as_str().expect("a clock").to_owned()
}

/// So many changes, each in a batch of its own.
fn change(scene: &mut Scene, count: usize) {
    for number in 0..count {
        let name = format!("src/passing-{}", number % 7);
        scene.write(&name, "1");
        scene.peer.clock(&scene.root).expect("a clock");
        fs::remove_file(scene.at(&name)).expect("removed");
        scene.peer.clock(&scene.root).expect("a clock");
    }
}

/// All files, as an answer that begins anew; and why.
fn is_fresh(scene: &Scene, told: &Value) {
    assert_eq!(told["fresh_instance"], true, "{told}");
    let named: Vec<Vec<u8>> = paths(told)
        .into_iter()
        .map(|(path, _)| path.into_bytes())
        .collect();
    let shown = scene.shown();
    assert!(named.iter().eq(shown.keys()), "{told}");
}

#[test]
fn a_clock_older_than_what_is_remembered_is_answered_with_all_files_and_a_younger_one_exactly() {
    let bed = tests::daemon::Bed::new();
    set(&bed, "remembered_changes: 64");
    let daemon = bed.start();
    let root = bed.project("project");
    small(&root);
    let mut scene = Scene::of(bed, Some(daemon), (root.clone(), root));
    let mut oldest = clock_of(&scene);
    for _ in 0..3 {
        change(&mut scene, 80);
        let told = json(&scene.bed, &scene.root, &format!("changes --since {oldest}"));
        is_fresh(&scene, &told);
        let why = told["fresh_why"].as_str().unwrap_or_default();
        assert!(why.contains("no longer remembered"), "{told}");
        oldest = clock_of(&scene);
        scene.clock.clone_from(&oldest);
        scene.write("src/main.rs", &format!("fn main() {{ /* {oldest} */ }}\n"));
        change(&mut scene, 10);
        // What is remembered is exact, up to the oldest of it.
        scene.check("a clock that is reached");
    }
    // A wait of an old clock ends at once, a stream from it begins with all files and goes on with what changes.
    change(&mut scene, 80);
    let told = json(
        &scene.bed,
        &scene.root,
        &format!("changes --wait --since {oldest}"),
    );
    is_fresh(&scene, &told);
    let mut stream = Stream::start(&scene.bed, &scene.root, &format!("watch --since {oldest}"));
    let first = stream.next();
    is_fresh(&scene, &first);
    scene.write("src/streamed", "1");
    let seen = stream.until("src/streamed");
    assert_eq!(seen, [("src/streamed".to_owned(), "created".to_owned())]);
    // One batch of more than there is room for: who follows is told to begin anew.
    let (many, here) = (scene.bed.work().join("many"), scene.at("src/many"));
    for number in 0..400 {
        let folder = many.join(format!("{}", number % 9));
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join(format!("{number}")), "1").expect("written");
    }
    fs::rename(&many, &here).expect("renamed");
    let mut missing: BTreeSet<String> = (0..400)
        .map(|number| format!("src/many/{}/{number}", number % 9))
        .collect();
    while !missing.is_empty() {
        for (path, _) in paths(&stream.next()) {
            missing.remove(&path);
        }
    }
    fs::remove_dir_all(&here).expect("removed");
    scene.begin("they are gone");
    // Over a stop what is remembered stays, what is not stays forgotten, and what is deleted takes no room.
    let size = |scene: &mut Scene| {
        scene.clock = clock_of(scene);
        scene.daemon.as_mut().expect("one of ours").stop();
        let folder = scene.bed.state().join("index");
        let all = fs::read_dir(folder).expect("read").flatten();
        let size: u64 = all.map(|entry| entry.metadata().expect("there").len()).sum();
        scene.write("src/main.rs", "while away\n");
        scene.daemon = Some(scene.bed.start());
        scene.peer = scene.bed.peer();
        size
    };
    let small = size(&mut scene);
    let clock = scene.clock.clone();
    let told = json(&scene.bed, &scene.root, &format!("changes --since {clock}"));
    assert_eq!(paths(&told), [("src/main.rs".to_owned(), "modified".to_owned())]);
    assert_eq!(told["changes"][0]["while_away"], true, "{told}");
    is_fresh(
        &scene,
        &json(&scene.bed, &scene.root, &format!("changes --since {oldest}")),
    );
    change(&mut scene, 300);
    let large = size(&mut scene);
    assert!(large < small * 2 + 8192, "{small} bytes have become {large}");
    let told = json(&scene.bed, &scene.root, &format!("changes --since {clock}"));
    is_fresh(&scene, &told);
}
