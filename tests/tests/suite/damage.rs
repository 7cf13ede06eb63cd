//! The database through the built programs: its schema, and what becomes of it when its files are damaged.
//!
//! Whatever is done to the files, the daemon opens within its limit, has either all that was acknowledged or says loudly
//! what it could not bring back, keeps the damaged files, and takes new writes.

use std::fs;
use std::path::{Path, PathBuf};

use tests::chance::Chance;
use tests::daemon::Bed;

/// What a bed holds before the damage: a few workspaces, the daemon stopped.
fn filled() -> (Bed, Vec<String>) {
    let bed = Bed::new();
    let mut ids = Vec::new();
    for number in 0..8 {
        let name = format!("w{number}");
        let folder = bed.project(&name);
        let said = bed.run([
            "workspace",
            "create",
            "--json",
            "--explicit",
            folder.to_str().expect("UTF-8"),
        ]);
        ids.push(said.ok().json()["id"].as_str().expect("an id").to_owned());
    }
    bed.run(["daemon", "stop"]).ok();
    (bed, ids)
}

fn db(bed: &Bed) -> PathBuf {
    bed.state().join("db")
}

/// The files of the database, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("listed").flatten() {
        match entry.file_type().expect("a type").is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found.sort();
    found
}

fn named(bed: &Bed, part: &str) -> Vec<PathBuf> {
    let has = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().contains(part))
    };
    files(&db(bed)).into_iter().filter(has).collect()
}

/// Starts a daemon on what is there. How many of the records came back, and whether a loss was told.
fn reopened(bed: &Bed, ids: &[String], when: &str) -> (usize, bool) {
    let said = bed.run(["workspace", "list", "--json"]);
    assert_eq!(said.code, 0, "{when}: {said:?}");
    let json = said.json();
    let listed: Vec<&str> = json["workspaces"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|workspace| workspace["id"].as_str())
        .collect();
    let back = ids.iter().filter(|id| listed.contains(&id.as_str())).count();
    let status = bed.run(["daemon", "status", "--json"]).ok().json();
    let told =
        !status["warnings"].as_array().expect("a list").is_empty() || !status["database"]["note"].is_null();
    assert_eq!(status["database"]["writable"], true, "{when}: {status}");
    // And it is whole from here on: what is written now is there after the next start.
    let fresh = bed.project(&format!("fresh-{}", when.replace(['/', ' '], "-")));
    let made = bed.run([
        "workspace",
        "create",
        "--json",
        "--explicit",
        fresh.to_str().expect("UTF-8"),
    ]);
    let id = made.ok().json()["id"].as_str().expect("an id").to_owned();
    bed.run(["daemon", "stop"]).ok();
    let after = bed.run(["workspace", "list", "--json"]).ok().text();
    assert!(after.contains(&id), "{when}: {after}");
    bed.run(["daemon", "stop"]).ok();
    (back, told)
}

fn whole_or_told(bed: &Bed, ids: &[String], when: &str) {
    let (back, told) = reopened(bed, ids, when);
    assert!(
        back == ids.len() || told,
        "{when}: {back} of {} came back, and nobody was told",
        ids.len()
    );
}

#[test]
fn a_database_that_was_closed_well_comes_back_whole() {
    let (bed, ids) = filled();
    let (back, told) = reopened(&bed, &ids, "nothing");
    assert_eq!((back, told), (ids.len(), false));
}

#[test]
fn snapshots_that_were_being_written_or_are_missing_cost_nothing() {
    let (bed, ids) = filled();
    fs::write(
        db(&bed).join("snap.0000000000000FFF.generating"),
        b"half a snapshot",
    )
    .expect("written");
    let (back, _) = reopened(&bed, &ids, "a left-over snapshot");
    assert_eq!(back, ids.len());
    for snapshot in named(&bed, "snap.") {
        fs::remove_file(snapshot).expect("removed");
    }
    let (back, _) = reopened(&bed, &ids, "no snapshot");
    assert_eq!(back, ids.len());
}

#[test]
fn a_flipped_bit_anywhere_is_survived_or_told() {
    let mut chance = Chance::new(11);
    for round in 0..tests::ask::times(6, 100) {
        let (bed, ids) = filled();
        let files: Vec<PathBuf> = files(&db(&bed))
            .into_iter()
            .filter(|path| fs::metadata(path).is_ok_and(|about| about.len() > 0))
            .collect();
        let path = chance.of(&files).clone();
        let mut bytes = fs::read(&path).expect("read");
        // Where something is: most of a log file is empty.
        let full = bytes.iter().rposition(|byte| *byte != 0).unwrap_or_default() + 1;
        let at = chance.below(full);
        bytes[at] ^= 1 << chance.below(8);
        fs::write(&path, bytes).expect("written");
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        whole_or_told(&bed, &ids, &format!("round {round} bit in {name} at {at}"));
    }
}

#[test]
fn a_file_that_was_cut_or_is_gone_is_survived_or_told() {
    let (probe, _) = filled();
    let count = files(&db(&probe)).len();
    for place in 0..count {
        let (bed, ids) = filled();
        let all = files(&db(&bed));
        let Some(path) = all.get(place) else { break };
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let length = fs::metadata(path).expect("there").len();
        fs::File::options()
            .write(true)
            .open(path)
            .and_then(|file| file.set_len(length / 2))
            .expect("cut");
        whole_or_told(&bed, &ids, &format!("cut {place} {name}"));
    }
}

#[test]
fn the_schema_is_told_and_its_steps_can_be_rehearsed() {
    let (bed, _) = filled();
    let status = bed.run(["migrate", "status", "--json"]).ok().json();
    assert_eq!(status["schema"], status["target"], "{status}");
    let steps = status["steps"].as_array().expect("steps");
    assert_eq!(
        steps.len() as u64,
        status["target"].as_u64().expect("a number"),
        "{status}"
    );
    for step in steps {
        assert!(
            step["checksum"].as_str().is_some_and(|sum| !sum.is_empty()),
            "{status}"
        );
        assert!(step["applied_at"].is_i64(), "{status}");
    }
    let check = bed.run(["migrate", "--check", "--json"]).ok().json();
    assert!(
        check["records"].as_u64().is_some_and(|records| records >= 8),
        "{check}"
    );
    assert_eq!(check["to"], status["target"]);
}
