//! Importing what the older program left, through the built programs: counts as the `sqlite3` program counts them, nothing
//! twice, the old files to the byte as they were. Real databases are in the folder that `TOD_LEGACY` names.

mod made;
mod real;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::daemon::Bed;
use tests::git;
use tests::process::{self, Said};

fn bed() -> (Bed, PathBuf) {
    let bed = Bed::new();
    let repo = bed.project("repo");
    git::init(&repo);
    (bed, repo)
}

fn import(bed: &Bed, repo: &Path, old: &Path, more: &[&str]) -> Said {
    let words = ["import", "legacy", old.to_str().expect("UTF-8"), "--json"];
    process::run(bed.tocli(words.iter().chain(more)).current_dir(repo))
}

fn json(bed: &Bed, repo: &Path, line: &str) -> Value {
    let words = line.split(' ').chain(["--json"]);
    process::run(bed.tocli(words).current_dir(repo)).ok().json()
}

/// Every file below a folder with its digest, and every folder.
fn digests(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(path) = open.pop() {
        let meta = std::fs::symlink_metadata(&path).expect("there");
        if meta.is_dir() {
            found.insert(path.clone(), String::new());
            let entries = std::fs::read_dir(&path).expect("listed");
            open.extend(entries.map(|entry| entry.expect("entry").path()));
        } else {
            let bytes = std::fs::read(&path).expect("read");
            found.insert(path, blake3::hash(&bytes).to_hex().to_string());
        }
    }
    found
}

const KINDS: [&str; 7] = [
    "tasks",
    "dependencies",
    "artifacts",
    "decisions",
    "file_operations",
    "archives",
    "unlisted_files",
];

fn count(report: &Value, part: &str, kind: &str) -> u64 {
    report[part][kind]
        .as_u64()
        .unwrap_or_else(|| panic!("no {part}.{kind} in {report}"))
}

/// Fails unless what was found came in, was there, or is skipped; for every kind.
fn adds_up(report: &Value) {
    for kind in KINDS {
        let parts = ["imported", "already_there", "skipped_counts"].map(|part| count(report, part, kind));
        assert_eq!(
            count(report, "found", kind),
            parts.iter().sum::<u64>(),
            "{kind}: {report}"
        );
    }
    let listed = report["skipped"].as_array().expect("a list").len() as u64;
    let skipped: u64 = KINDS
        .iter()
        .map(|kind| count(report, "skipped_counts", kind))
        .sum();
    assert_eq!(listed, skipped.min(500), "{report}");
}

/// Every task there is, by id.
fn tasks(bed: &Bed, repo: &Path) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page = json(bed, repo, &format!("task list --all --limit 1000{cursor}"));
        for task in page["tasks"].as_array().expect("a list") {
            found.insert(task["task_id"].as_str().expect("an id").to_owned(), task.clone());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!(" --cursor {next}"),
            None => return found,
        }
    }
}
