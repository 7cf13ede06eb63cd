//! Decisions through the built programs: every verb, the files in the project, repeated requests, kills, completion.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::{Value, json};
use tests::daemon::Bed;
use tests::git;
use tests::process::{self, Said};

/// A bed with a repository in it.
fn bed() -> (Bed, PathBuf) {
    let bed = Bed::new();
    let repo = bed.project("repo");
    git::init(&repo);
    (bed, repo)
}

fn at(bed: &Bed, folder: &Path, words: &[&str]) -> Said {
    process::run(bed.tocli(words.iter().chain([&"--json"])).current_dir(folder))
}

fn said(bed: &Bed, folder: &Path, words: &[&str]) -> Value {
    at(bed, folder, words).ok().json()
}

fn numbers(found: &Value) -> Vec<u64> {
    let all = found["decisions"].as_array().expect("a list of decisions");
    all.iter().filter_map(|one| one["number"].as_u64()).collect()
}

#[test]
fn a_decision_is_recorded_found_followed_and_replaced_from_a_shell() {
    let (bed, repo) = bed();
    std::fs::create_dir_all(repo.join("src")).expect("made");
    let first = said(
        &bed,
        &repo.join("src"),
        &[
            "decision",
            "record",
            "--title",
            "Use sled",
            "--decision",
            "We keep records in sled",
            "--rationale",
            "it is pure Rust",
            "--context",
            "we need a store",
            "--category",
            "technology",
            "--impact",
            "high",
            "--alternative",
            "SQLite|known;fast|C code",
            "--consequence",
            "our own sync",
            "--risk",
            "it is old",
            "--path",
            "db/**/*.rs",
            "--path",
            "lib.rs",
            "--component",
            "store",
            "--tag",
            "database",
        ],
    );
    assert_eq!(
        (&first["number"], &first["status"]),
        (&json!(1), &json!("proposed"))
    );
    assert!(
        first["id"].as_str().is_some_and(|id| id.starts_with("dec_")),
        "{first}"
    );
    assert_eq!(
        first["paths"],
        json!(["src/db/**/*.rs", "src/lib.rs"]),
        "from the folder of the caller"
    );
    let file = repo.join(".task_orchestrator/decisions/0001-use-sled.md");
    let text = std::fs::read_to_string(&file).expect("its file");
    assert!(
        text.contains("# Use sled") && text.contains("* Good, because known"),
        "{text}"
    );
    assert_eq!(
        said(&bed, &repo, &["decision", "accept", "1"])["status"],
        "accepted"
    );
    // One request behind three verbs: decision::Request::Change.
    said(
        &bed,
        &repo,
        &["decision", "outcome", "1", "It survived every power cut"],
    );
    let shown = said(&bed, &repo, &["decision", "show", "1"]);
    assert_eq!(
        (&shown["decision"], &shown["file_state"]),
        (&json!("We keep records in sled"), &json!("as_written"))
    );
    assert_eq!(shown["history"][2]["text"], "It survived every power cut");
    std::fs::write(
        repo.join("two.yaml"),
        "title: Name things\ndecision: One word everywhere\ntags: [style]\n",
    )
    .expect("written");
    said(
        &bed,
        &repo,
        &["decision", "record", "-f", "two.yaml", "--path", "."],
    );
    assert_eq!(
        numbers(&said(&bed, &repo, &["decision", "search", "records", "store"])),
        [1]
    );
    assert_eq!(
        numbers(&said(
            &bed,
            &repo,
            &["decision", "search", "word", "--tag", "database"]
        )),
        Vec::<u64>::new()
    );
    assert_eq!(
        numbers(&said(&bed, &repo, &["decision", "for", "src/db/x/y.rs"])),
        [2, 1]
    );
    assert_eq!(
        numbers(&said(
            &bed,
            &repo,
            &["decision", "list", "--category", "technology"]
        )),
        [1]
    );
    let third = said(
        &bed,
        &repo,
        &["decision", "supersede", "1", "Use files", "-d", "Files"],
    );
    assert_eq!(third["links"], json!([{"relation": "supersedes", "number": 1}]));
    assert_eq!(
        numbers(&said(&bed, &repo, &["decision", "for", "src/db/x/y.rs"])),
        [2]
    );
    let text = std::fs::read_to_string(&file).expect("its file");
    assert!(text.contains("superseded by [0003](0003-use-files.md)"), "{text}");
    for (verb, number) in [("refine", 4), ("clarify", 5), ("reverse", 6)] {
        let made = said(&bed, &repo, &["decision", verb, "2", "More", "-d", "D"]);
        assert_eq!(made["number"], number);
    }
    said(&bed, &repo, &["decision", "reject", "5", "--reason", "not so"]);
    assert_eq!(
        numbers(&said(&bed, &repo, &["decision", "list", "--in-force"])),
        [6, 4, 3]
    );
    assert_eq!(
        said(&bed, &repo, &["workspace", "show"])["totals"]["decisions"],
        6
    );
}

#[test]
fn what_cannot_be_is_told_with_what_to_do() {
    let (bed, repo) = bed();
    said(
        &bed,
        &repo,
        &["decision", "record", "One", "-d", "D", "--accepted"],
    );
    for (words, code) in [
        (&["decision", "record", "No decision"][..], 2),
        (&["decision", "record", "T", "-d", "D", "--path", "../else"], 4),
        (&["decision", "record", "T", "-d", "D", "--task", "nobody"], 3),
        (&["decision", "accept", "1"], 4),
        (&["decision", "show", "7"], 3),
        (&["decision", "show", "../../etc"], 3),
        (&["decision", "for", "/etc/passwd"], 4),
        (&["decision", "outcome", "1", "x", "--if-revision", "9"], 5),
        (&["decision", "list", "--category", "taste"], 2),
    ] {
        let said = at(&bed, &repo, words);
        assert_eq!(said.code, code, "{words:?}: {said:?}");
    }
    let refused = at(&bed, &repo, &["decision", "accept", "1"]);
    assert!(refused.err.contains("supersede 1"), "{}", refused.err);
    assert_eq!(numbers(&said(&bed, &repo, &["decision", "list"])), [1]);
}

#[test]
fn a_file_changed_by_hand_is_told_and_kept() {
    let (bed, repo) = bed();
    said(&bed, &repo, &["decision", "record", "One", "-d", "D"]);
    let file = repo.join(".task_orchestrator/decisions/0001-one.md");
    std::fs::write(&file, "mine\n").expect("written");
    assert_eq!(
        said(&bed, &repo, &["decision", "files"])["files"][0]["state"],
        "edited"
    );
    let accepted = said(&bed, &repo, &["decision", "accept", "1"]);
    assert!(
        accepted["warnings"][0]
            .as_str()
            .is_some_and(|warning| warning.contains("by hand")),
        "{accepted}"
    );
    let written = said(&bed, &repo, &["decision", "files", "--write"]);
    assert_eq!(written["written"], 0, "{written}");
    assert_eq!(std::fs::read_to_string(&file).expect("read"), "mine\n");
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(said(&bed, &repo, &["decision", "files", "--write"])["written"], 1);
    assert_eq!(
        said(&bed, &repo, &["decision", "show", "1"])["file_state"],
        "as_written"
    );
    let git = git::git(&repo, &["status", "--porcelain", "-uall"]);
    assert!(
        git.contains(".task_orchestrator/decisions/0001-one.md"),
        "decisions belong to the project: {git}"
    );
}

#[test]
fn storage_with_the_user_leaves_the_repository_untouched() {
    let (bed, repo) = bed();
    said(
        &bed,
        &repo,
        &["config", "set", "--user", "workspace.storage", "user"],
    );
    let made = said(&bed, &repo, &["decision", "record", "One", "-d", "D"]);
    let file = PathBuf::from(made["file"].as_str().expect("a file"));
    assert!(
        file.starts_with(bed.state()) && file.is_file(),
        "{}",
        file.display()
    );
    assert!(!repo.join(".task_orchestrator").exists());
}

#[test]
fn what_was_acknowledged_survives_kills_and_is_done_once() {
    let (bed, repo) = bed();
    let mut daemon = bed.start();
    for number in 1..=6_u64 {
        let id = format!("r{number}");
        let title = format!("Number {number}");
        let words = ["decision", "record", &title, "-d", "D", "--request-id", &id];
        let first = said(&bed, &repo, &words);
        daemon.signal(Signal::KILL);
        daemon.wait();
        daemon = bed.start();
        assert_eq!(
            said(&bed, &repo, &words)["id"],
            first["id"],
            "the first answer again"
        );
        assert_eq!(first["number"], number);
    }
    assert_eq!(
        numbers(&said(&bed, &repo, &["decision", "list"])),
        [6, 5, 4, 3, 2, 1]
    );
    let files = said(&bed, &repo, &["decision", "files"]);
    let states: Vec<&Value> = files["files"]
        .as_array()
        .expect("files")
        .iter()
        .map(|file| &file["state"])
        .collect();
    assert_eq!(states, [&json!("as_written"); 6]);
}

#[test]
fn numbers_and_ids_are_completed_live() {
    let (bed, repo) = bed();
    said(&bed, &repo, &["decision", "record", "One", "-d", "D"]);
    said(&bed, &repo, &["task", "add", "Work", "--id", "mine"]);
    let names = |of: &str| {
        process::run(bed.tocli(["--no-start", "complete", of]).current_dir(&repo))
            .ok()
            .text()
    };
    assert_eq!(names("decisions"), "1\n");
    assert_eq!(names("tasks"), "mine\n");
}
