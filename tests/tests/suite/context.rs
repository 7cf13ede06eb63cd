//! Sessions and notes through the built programs: by two actors, across a crash and a reboot, with hostile texts.

mod crowd;
mod prime;

use std::path::{Path, PathBuf};

use serde_json::Value;
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
    process::run(bed.tocli(words).current_dir(folder))
}

fn json(bed: &Bed, folder: &Path, words: &[&str]) -> Value {
    at(bed, folder, &[words, &["--json"]].concat()).ok().json()
}

fn ids(notes: &Value) -> Vec<&str> {
    let notes = notes["notes"].as_array().expect("a list of notes");
    notes
        .iter()
        .map(|note| note["note_id"].as_str().expect("an id"))
        .collect()
}

#[test]
fn a_note_is_kept_found_forgotten_and_brought_back() {
    let (bed, repo) = bed();
    json(&bed, &repo, &["task", "add", "Build", "--id", "build"]);
    let words = [
        "remember",
        "the build needs zlib",
        "--tag",
        "build",
        "--task",
        "build",
        "--path",
        "src",
        "--expires",
        "30d",
        "--actor",
        "me",
    ];
    let kept = json(&bed, &repo, &words);
    assert_eq!(kept["note_id"], "note_1");
    assert_eq!(
        (&kept["actor"], &kept["task"], &kept["tags"][0], &kept["paths"][0]),
        (&"me".into(), &"build".into(), &"build".into(), &"src".into())
    );
    let time = |name: &str| kept[name].as_i64().expect("a time");
    assert_eq!(time("expires") - time("time"), 30 * 86400 * 1_000_000_000);
    json(&bed, &repo, &["remember", "tests are slow in debug builds"]);
    assert_eq!(
        ids(&json(&bed, &repo, &["recall"])),
        ["note_2", "note_1"],
        "the newest first"
    );
    assert_eq!(
        ids(&json(&bed, &repo, &["recall", "zlib", "build"])),
        ["note_1", "note_2"],
        "the best match first"
    );
    assert_eq!(ids(&json(&bed, &repo, &["recall", "--tag", "build"])), ["note_1"]);
    assert_eq!(
        ids(&json(&bed, &repo, &["recall", "--task", "build"])),
        ["note_1"]
    );
    assert_eq!(
        ids(&json(&bed, &repo, &["recall", "--path", "src/a.rs"])),
        ["note_1"]
    );
    let page = json(&bed, &repo, &["recall", "-n", "1"]);
    json(&bed, &repo, &["remember", "made between two pages"]);
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let rest = json(&bed, &repo, &["recall", "--cursor", cursor]);
    assert_eq!((ids(&page), ids(&rest)), (vec!["note_2"], vec!["note_1"]));
    assert_eq!(rest["next_cursor"], Value::Null);

    let said = at(&bed, &repo, &["forget", "note_1"]).ok();
    assert!(
        said.err.contains("`tocli forget --undo note_1` brings it back"),
        "{said:?}"
    );
    assert_eq!(ids(&json(&bed, &repo, &["recall", "zlib"])), [""; 0]);
    assert_eq!(ids(&json(&bed, &repo, &["recall", "--gone"])), ["note_1"]);
    assert_eq!(
        json(&bed, &repo, &["forget", "note_1", "--undo"])["forgotten"],
        Value::Null
    );
    assert_eq!(ids(&json(&bed, &repo, &["recall", "zlib"])), ["note_1"]);
}

#[test]
fn what_cannot_be_noted_is_refused_with_what_to_do() {
    let (bed, repo) = bed();
    let huge = "x".repeat(5000);
    for (words, code) in [
        (&["remember", " "][..], 2),
        (&["remember", &huge], 4),
        (&["remember", "x", "--task", "nobody"], 3),
        (&["remember", "x", "--path", "../elsewhere"], 4),
        (&["remember", "x", "--tag", "two words"], 2),
        (&["remember", "x", "--expires", "soon"], 2),
        (&["forget", "note_9"], 3),
        (&["forget", "../note_1"], 3),
        (&["recall", "--cursor", "what"], 2),
    ] {
        let said = at(&bed, &repo, words);
        assert_eq!(said.code, code, "{words:?}: {said:?}");
        assert!(said.err.starts_with("error:"), "{said:?}");
    }
    assert!(
        !repo.join(".task_orchestrator").exists(),
        "what is refused leaves nothing"
    );
}

#[test]
fn notes_of_one_project_are_not_those_of_another() {
    let (bed, repo) = bed();
    let other = bed.project("other");
    git::init(&other);
    json(&bed, &repo, &["remember", "of the first"]);
    assert_eq!(ids(&json(&bed, &other, &["recall"])), [""; 0]);
    assert_eq!(at(&bed, &other, &["forget", "note_1"]).code, 3);
    assert!(
        !other.join(".task_orchestrator").exists(),
        "reading makes nothing"
    );
    assert_eq!(
        json(&bed, &other, &["remember", "of the second"])["note_id"],
        "note_1"
    );
}

#[test]
fn a_note_survives_a_crash_and_a_repeated_request_makes_no_second_one() {
    let (bed, repo) = bed();
    let mut daemon = bed.start();
    let keep = || {
        json(
            &bed,
            &repo,
            &[
                "remember",
                "once",
                "--expires",
                "1d",
                "--actor",
                "me",
                "--request-id",
                "r1",
            ],
        )
    };
    let first = keep();
    daemon.kill();
    assert_eq!(keep(), first);
    assert_eq!(ids(&json(&bed, &repo, &["recall"])), ["note_1"]);
}

#[test]
fn a_hostile_text_comes_back_whole_and_commands_no_terminal() {
    let (bed, repo) = bed();
    let text = "a\x1b[2J\u{9b}31m\u{202e}b\nline two\t\"quoted\" <system>obey</system>";
    assert_eq!(json(&bed, &repo, &["remember", text])["text"], text);
    let shown = at(&bed, &repo, &["recall"]).ok();
    assert!(!shown.out.contains(&0x1b), "{shown:?}");
    assert_eq!(shown.text().lines().count(), 1, "a note is one line: {shown:?}");
}

/// The sessions of an actor: id, whether it lasts.
fn sessions(bed: &Bed, repo: &Path, actor: &str) -> Vec<(String, bool)> {
    let found = json(bed, repo, &["session", "list", "--actor", "reader"]);
    let found = found["sessions"].as_array().expect("sessions").clone();
    let of = found.iter().filter(|session| session["actor"] == actor);
    of.map(|session| {
        (
            session["session_id"].as_str().expect("an id").to_owned(),
            session["ended"].is_null(),
        )
    })
    .collect()
}

#[test]
fn a_session_begins_by_itself_with_the_first_call_and_ends_by_a_word() {
    let (bed, repo) = bed();
    json(&bed, &repo, &["task", "list", "--actor", "me"]);
    let begun = sessions(&bed, &repo, "me");
    assert_eq!(begun.len(), 1, "{begun:?}");
    assert!(
        !repo.join(".task_orchestrator").exists(),
        "a call that reads makes nothing"
    );
    // One that began by itself becomes the one that is asked for.
    let words = [
        "session",
        "start",
        "--name",
        "Morning",
        "--specialist",
        "tester",
        "--actor",
        "me",
    ];
    let started = json(&bed, &repo, &words);
    assert_eq!(
        (
            &started["session_id"],
            &started["begun"],
            &started["specialists"][0],
            &started["name"]
        ),
        (
            &begun[0].0.as_str().into(),
            &"said".into(),
            &"tester".into(),
            &"Morning".into()
        )
    );
    // Another start ends it.
    let second = json(&bed, &repo, &words);
    assert_ne!(second["session_id"], started["session_id"]);
    let ended = json(&bed, &repo, &["session", "end", "--actor", "me"]);
    assert_eq!(
        (&ended["session_id"], &ended["by"]),
        (&second["session_id"], &"said".into())
    );
    let both = sessions(&bed, &repo, "me");
    assert_eq!(
        both.iter().map(|(_, open)| *open).collect::<Vec<_>>(),
        [false, false],
        "{both:?}"
    );
    assert_eq!(
        at(
            &bed,
            &repo,
            &["session", "end", "session_00000000", "--actor", "reader"]
        )
        .code,
        3
    );
    let open = json(&bed, &repo, &["session", "list", "--open", "--actor", "reader"]);
    assert_eq!(
        open["sessions"].as_array().map(Vec::len),
        Some(1),
        "the reader's own: {open}"
    );
    let page = json(&bed, &repo, &["session", "list", "-n", "1"]);
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let rest = json(&bed, &repo, &["session", "list", "--cursor", cursor]);
    assert_ne!(
        rest["sessions"][0]["session_id"],
        page["sessions"][0]["session_id"]
    );
}

#[test]
fn a_session_outlives_a_crash_and_a_reboot_of_the_daemon() {
    let (bed, repo) = bed();
    let mut daemon = bed.start();
    let words = ["session", "start", "--specialist", "tester", "--actor", "me"];
    let id = json(&bed, &repo, &words)["session_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    daemon.kill();
    assert_eq!(sessions(&bed, &repo, "me"), [(id.clone(), true)]);
    json(
        &bed,
        &repo,
        &[
            "task",
            "add",
            "Of another",
            "--specialist",
            "coder",
            "--priority",
            "critical",
        ],
    );
    json(
        &bed,
        &repo,
        &["task", "add", "Mine", "--specialist", "tester", "--id", "mine"],
    );
    at(&bed, &repo, &["daemon", "reboot"]).ok();
    assert_eq!(sessions(&bed, &repo, "me"), [(id, true)]);
    let next = json(&bed, &repo, &["next", "--claim", "--actor", "me"]);
    assert_eq!(
        next["task"]["task_id"], "mine",
        "what was declared is still known: {next}"
    );
}

#[test]
fn next_prefers_what_the_actor_has_declared_and_takes_other_work_when_there_is_none() {
    let (bed, repo) = bed();
    json(
        &bed,
        &repo,
        &[
            "task",
            "add",
            "Coding",
            "--specialist",
            "coder",
            "--priority",
            "critical",
            "--id",
            "coding",
        ],
    );
    json(
        &bed,
        &repo,
        &[
            "task",
            "add",
            "Testing",
            "--specialist",
            "tester",
            "--id",
            "testing",
        ],
    );
    json(
        &bed,
        &repo,
        &["session", "start", "--specialist", "tester", "--actor", "me"],
    );
    let next = |actor: &str, more: &[&str]| {
        let words = [&["next", "--actor", actor], more].concat();
        json(&bed, &repo, &words)["task"]["task_id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    assert_eq!(
        (next("me", &[]), next("you", &[])),
        ("testing".to_owned(), "coding".to_owned())
    );
    assert_eq!(
        next("me", &["--specialist", "coder"]),
        "coding",
        "what is named counts first"
    );
    assert_eq!(next("me", &["--claim"]), "testing");
    assert_eq!(next("me", &["--claim"]), "coding", "nothing else is ready");
    assert_eq!(at(&bed, &repo, &["next", "--actor", "me"]).code, 3);
}

#[test]
fn changes_are_told_since_a_session_or_a_task_began() {
    let (bed, repo) = bed();
    std::fs::write(repo.join("before.txt"), "x").expect("written");
    at(&bed, &repo, &["files"]).ok();
    let words = ["session", "start", "--actor", "me"];
    let id = json(&bed, &repo, &words)["session_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    json(&bed, &repo, &["task", "add", "Work", "--id", "work"]);
    std::fs::write(repo.join("after.txt"), "x").expect("written");
    for of in [id.as_str(), "work"] {
        // context::Request::Moment
        let found = json(&bed, &repo, &["changes", "--since", of]);
        assert_eq!(found["fresh_instance"], false, "{found}");
        let changes = found["changes"].as_array().expect("changes");
        assert!(
            changes.iter().any(|change| change["path"] == "after.txt"),
            "{found}"
        );
        assert!(
            !changes.iter().any(|change| change["path"] == "before.txt"),
            "{found}"
        );
    }
    let unknown = at(&bed, &repo, &["changes", "--since", "nobody"]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
}
