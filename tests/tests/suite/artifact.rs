//! Artifacts through the built programs: every verb, hostile names and links, hand edits, uploads that are cut off.

mod broken;
mod downloads;
mod files;
mod memory;
mod moving;
mod power;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::daemon::Bed;
use tests::git;
use tests::process::{self, Said};

/// A bed with a repository and a task in it.
struct Ground {
    bed: Bed,
    repo: PathBuf,
    task: String,
}

impl Ground {
    fn new() -> Self {
        let bed = Bed::new();
        let repo = bed.project("repo");
        git::init(&repo);
        let mut ground = Self {
            bed,
            repo,
            task: String::new(),
        };
        let task = ground.json(&["task", "add", "Work", "--specialist", "coder"]);
        ground.task = text(&task, "task_id").to_owned();
        ground
    }

    fn run(&self, words: &[&str]) -> Said {
        process::run(self.bed.tocli(words).current_dir(&self.repo))
    }

    fn json(&self, words: &[&str]) -> Value {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        self.run(&words).ok().json()
    }

    /// Stores a file with these bytes under a name.
    fn store(&self, name: &str, bytes: impl AsRef<[u8]>) -> Value {
        let file = self.bed.work().join(name);
        std::fs::write(&file, bytes).expect("written");
        let file = file.to_str().expect("UTF-8");
        self.json(&["artifact", "store", &self.task, file])
    }

    fn id(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        text(&self.store(name, bytes), "artifact_id").to_owned()
    }

    fn get(&self, id: &str, more: &[&str]) -> Vec<u8> {
        let words: Vec<&str> = ["artifact", "get", id].iter().chain(more).copied().collect();
        self.run(&words).ok().out
    }

    fn path(&self, id: &str) -> PathBuf {
        let shown = self.json(&["artifact", "show", id]);
        PathBuf::from(text(&shown, "path"))
    }

    fn stands(&self, id: &str) -> String {
        text(&self.json(&["artifact", "show", id]), "copy").to_owned()
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no `{name}` in {value}"))
}

fn names(value: &Value, list: &str, field: &str) -> Vec<String> {
    let all = value[list]
        .as_array()
        .unwrap_or_else(|| panic!("no `{list}` in {value}"));
    all.iter().map(|one| text(one, field).to_owned()).collect()
}

fn lines(count: usize) -> String {
    let mut all = String::new();
    for number in 1..=count {
        writeln!(all, "line {number}").expect("a text");
    }
    all
}

#[test]
fn a_file_is_kept_read_and_shown_in_the_project() {
    let ground = Ground::new();
    let stored = ground.store("report.md", "found it\n");
    let id = text(&stored, "artifact_id");
    assert_eq!(
        (stored["version"].clone(), stored["already_there"].clone()),
        (1.into(), false.into())
    );
    assert_eq!(
        text(&stored, "digest"),
        blake3::hash(b"found it\n").to_hex().as_str()
    );
    let path = Path::new(text(&stored, "path"));
    assert_eq!(
        path,
        ground
            .repo
            .join(".task_orchestrator/artifacts")
            .join(&ground.task)
            .join("report.md")
    );
    assert_eq!(std::fs::read(path).expect("there"), b"found it\n");
    assert_eq!(ground.get(id, &[]), b"found it\n");
    assert_eq!(git::git(&ground.repo, &["status", "--porcelain"]).trim(), "");
    let listed = ground.json(&["artifact", "list", "--task", &ground.task]);
    assert_eq!(names(&listed, "artifacts", "artifact_id"), [id]);
    assert_eq!(ground.json(&["workspace", "show"])["totals"]["artifacts"], 1);
    // Nothing of a task that is there is an answer, of one that never was a slip of the pen.
    let other = ground.json(&["task", "add", "Another"]);
    assert_eq!(
        ground.json(&["artifact", "list", "--task", text(&other, "task_id")])["total"],
        0
    );
    ground.run(&["artifact", "list", "--task", "nobody"]).ends(3);
}

#[test]
fn the_same_name_is_a_new_version_and_the_same_bytes_are_none() {
    let ground = Ground::new();
    let id = ground.id("a.txt", "one");
    assert_eq!(ground.store("a.txt", "one")["already_there"], true);
    let two = ground.store("a.txt", "two");
    assert_eq!(
        (text(&two, "artifact_id"), two["version"].clone()),
        (id.as_str(), 2.into())
    );
    assert_eq!(ground.get(&id, &[]), b"two");
    assert_eq!(ground.get(&id, &["--version", "1"]), b"one");
    assert_eq!(std::fs::read(ground.path(&id)).expect("there"), b"two");
    // Identical contents are one object, whatever they are called.
    let other = ground.store("b.txt", "two");
    assert_ne!(text(&other, "artifact_id"), id);
    let digest = text(&two, "digest");
    let object = ground
        .bed
        .state()
        .join("objects")
        .join(&digest[..2])
        .join(&digest[2..]);
    assert_eq!(std::fs::read(object).expect("there"), b"two");
    let shown = ground.json(&["artifact", "show", &id]);
    assert_eq!(shown["versions"].as_array().map(Vec::len), Some(2));
    assert_eq!(ground.run(&["artifact", "get", &id, "--version", "3"]).code, 3);
}

#[test]
fn any_part_can_be_read() {
    let ground = Ground::new();
    let whole = lines(200_000);
    let id = ground.id("long.txt", &whole);
    let bytes = whole.as_bytes();
    assert_eq!(ground.get(&id, &[]), bytes);
    assert_eq!(ground.get(&id, &["--range", "5:9"]), bytes[5..9]);
    assert_eq!(ground.get(&id, &["--range", ":9"]), bytes[..9]);
    let end = (bytes.len() - 4).to_string();
    assert_eq!(
        ground.get(&id, &["--range", &format!("{end}:")]),
        bytes[bytes.len() - 4..]
    );
    assert_eq!(ground.get(&id, &["--range", "999999999:"]), b"");
    assert_eq!(ground.get(&id, &["--head", "2"]), b"line 1\nline 2\n");
    assert_eq!(ground.get(&id, &["--tail", "2"]), b"line 199999\nline 200000\n");
    assert_eq!(ground.get(&id, &["--head", "150000"]), lines(150_000).as_bytes());
    assert_eq!(
        ground.get(&id, &["--tail", "150000"]),
        bytes[lines(50_000).len()..]
    );
    let open = ground.id("open.txt", "a\nb");
    assert_eq!(ground.get(&open, &["--tail", "1"]), b"b");
    assert_eq!(ground.get(&open, &["--head", "9"]), b"a\nb");
    assert_eq!(ground.get(&open, &["--tail", "0"]), b"");
    let said = ground.json(&["artifact", "get", &open, "--range", "0:1"]);
    assert_eq!((text(&said, "text"), said["length"].clone()), ("a", 1.into()));
    let out = ground.bed.work().join("out.txt");
    ground.json(&["artifact", "get", &id, "-o", out.to_str().expect("UTF-8")]);
    assert_eq!(std::fs::read(&out).expect("there"), bytes);
}

#[test]
fn what_comes_on_standard_input_is_kept_whatever_its_length() {
    let ground = Ground::new();
    for (name, length) in [
        ("none", 0),
        ("little", 100),
        ("piece", 512 << 10),
        ("more", (3 << 20) + 17),
    ] {
        let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
        let mut command =
            ground
                .bed
                .tocli(["artifact", "store", &ground.task, "-", "--name", name, "--json"]);
        let stored = process::run_with_input(command.current_dir(&ground.repo), &bytes)
            .ok()
            .json();
        assert_eq!(stored["size"], length, "{name}");
        assert_eq!(ground.get(text(&stored, "artifact_id"), &[]), bytes, "{name}");
    }
    let refused = ground.run(&["artifact", "store", &ground.task, "-"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert_eq!(
        ground.json(&["artifact", "partials"])["partials"],
        serde_json::json!([])
    );
}

#[test]
fn a_list_is_narrowed_and_paged() {
    let ground = Ground::new();
    for number in 0..7 {
        ground.store(&format!("n{number}.md"), format!("text {number}"));
    }
    let file = ground.bed.work().join("n0.md");
    let file = file.to_str().expect("UTF-8");
    ground.json(&[
        "artifact",
        "store",
        &ground.task,
        file,
        "--name",
        "plan.txt",
        "--type",
        "design",
        "--summary",
        "The Big Plan",
    ]);
    let list = |more: &[&str]| {
        let words: Vec<&str> = ["artifact", "list"].iter().chain(more).copied().collect();
        ground.json(&words)
    };
    assert_eq!(
        names(&list(&["--type", "design"]), "artifacts", "name"),
        ["plan.txt"]
    );
    assert_eq!(
        names(&list(&["--text", "big plan"]), "artifacts", "name"),
        ["plan.txt"]
    );
    assert_eq!(names(&list(&["--name", "n?.md"]), "artifacts", "name").len(), 7);
    assert_eq!(
        names(&list(&["--older-than", "1h"]), "artifacts", "name").len(),
        0
    );
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut words = vec!["--limit".to_owned(), "3".to_owned()];
        words.extend(
            cursor
                .take()
                .into_iter()
                .flat_map(|cursor| ["--cursor".to_owned(), cursor]),
        );
        let page = list(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(page["total"], 8);
        seen.extend(names(&page, "artifacts", "name"));
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(
        seen,
        [
            "plan.txt", "n6.md", "n5.md", "n4.md", "n3.md", "n2.md", "n1.md", "n0.md"
        ]
    );
}

#[test]
fn contents_are_searched_with_lines_around() {
    let ground = Ground::new();
    let id = ground.id("a.txt", "one\ntwo Fish\nthree\nfour fish\n");
    ground.store("b.bin", b"fish\0fish");
    let found = ground.json(&["artifact", "search", "fish$", "-C", "1", "-i"]);
    assert_eq!(names(&found, "matches", "text"), ["two Fish", "four fish"]);
    assert_eq!(found["matches"][0]["before"], serde_json::json!(["one"]));
    assert_eq!(found["matches"][0]["after"], serde_json::json!(["three"]));
    assert_eq!(
        (found["matches"][1]["line"].clone(), found["left_out"][0].clone()),
        (4.into(), "b.bin".into())
    );
    let first = ground.json(&["artifact", "search", "fish", "-i", "--limit", "1"]);
    let cursor = text(&first, "next_cursor");
    let second = ground.json(&[
        "artifact", "search", "fish", "-i", "--limit", "1", "--cursor", cursor,
    ]);
    assert_eq!(names(&second, "matches", "text"), ["four fish"]);
    assert_eq!(text(&second["matches"][0], "artifact_id"), id);
    ground.store(
        "long.txt",
        format!("{}fish\nfish\n", "x".repeat(70_000)).as_bytes(),
    );
    let found = ground.json(&["artifact", "search", "fish"]);
    let left_out = found["left_out"].as_array().expect("left_out");
    assert!(left_out.contains(&"long.txt".into()), "cut: {found}");
    assert_eq!(left_out.iter().filter(|name| *name == "long.txt").count(), 1);
    let wrong = ground.run(&["artifact", "search", "a("]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[test]
fn a_task_and_its_results_are_recorded_together() {
    let ground = Ground::new();
    let (one, two) = (ground.bed.work().join("one.md"), ground.bed.work().join("two.md"));
    std::fs::write(&one, "1").expect("written");
    std::fs::write(&two, lines(100_000)).expect("written");
    let (one, two) = (one.to_str().expect("UTF-8"), two.to_str().expect("UTF-8"));
    let complete = [
        "task",
        "complete",
        &ground.task,
        "--summary",
        "s",
        "--artifact",
        one,
        "--artifact",
    ];
    let refused = ground.run(&[&complete[..], &["/nowhere/at/all"]].concat());
    assert_eq!(refused.code, 3, "{refused:?}");
    assert_eq!(ground.json(&["task", "show", &ground.task])["status"], "pending");
    assert_eq!(
        ground.json(&["artifact", "list"])["total"],
        0,
        "and nothing was stored"
    );
    let with_id = [&complete[..], &[two, "--request-id", "once"]].concat();
    // artifact::Request::Complete
    let done = ground.json(&with_id);
    assert_eq!(done["status"], "completed");
    assert_eq!(names(&done, "artifacts", "name"), ["one.md", "two.md"]);
    assert_eq!(
        ground.json(&with_id),
        done,
        "the same request again changes nothing"
    );
    assert_eq!(ground.json(&["artifact", "list"])["total"], 2);
    assert_eq!(
        ground.get(text(&done["artifacts"][1], "artifact_id"), &[]),
        lines(100_000).as_bytes()
    );
    assert_eq!(
        ground.json(&["artifact", "partials"])["partials"],
        serde_json::json!([])
    );
}

#[test]
fn a_repeated_request_stores_once() {
    let ground = Ground::new();
    let store = |bytes: &str, id: &str| {
        let file = ground.bed.work().join("f");
        std::fs::write(&file, bytes).expect("written");
        let file = file.to_str().expect("UTF-8");
        ground.run(&[
            "artifact",
            "store",
            &ground.task,
            file,
            "--request-id",
            id,
            "--json",
        ])
    };
    for (id, bytes) in [("small", "1".to_owned()), ("large", lines(200_000))] {
        let first = store(&bytes, id).ok().json();
        ground.store("f", format!("something else {id}"));
        assert_eq!(store(&bytes, id).ok().json(), first, "{id}");
    }
    let conflict = store("2", "small");
    assert_eq!(conflict.code, 5, "{conflict:?}");
}

#[test]
fn a_file_over_the_limit_is_refused_before_it_is_sent() {
    let ground = Ground::new();
    let large = ground.bed.work().join("large");
    std::fs::File::create(&large)
        .and_then(|file| file.set_len(101 << 20))
        .expect("made");
    let large = large.to_str().expect("UTF-8");
    let refused = ground.run(&["artifact", "store", &ground.task, large]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(
        refused.err.contains("workspace.max_artifact_size_mb"),
        "{refused:?}"
    );
    ground.json(&["config", "set", "--user", "workspace.max_artifact_size_mb", "102"]);
    assert_eq!(
        ground.json(&["artifact", "store", &ground.task, large])["size"],
        101 << 20
    );
}

#[test]
fn no_workspace_reaches_the_artifacts_of_another() {
    let ground = Ground::new();
    let id = ground.id("secret.txt", "secret");
    let draft = ground.json(&["artifact", "stage", &ground.task, "--name", "x"]);
    let draft = text(&draft, "draft");
    let other = ground.bed.project("other");
    git::init(&other);
    let at = |words: &[&str]| process::run(ground.bed.tocli(words).current_dir(&other));
    let file = ground.bed.work().join("secret.txt");
    let file = file.to_str().expect("UTF-8");
    let crafted = [
        format!("../{id}"),
        format!("x/{id}"),
        format!("%2e%2e%2f{id}"),
        String::new(),
        format!("{id}\u{1}"),
    ];
    for id in crafted.iter().map(String::as_str).chain([id.as_str()]) {
        for words in [
            vec!["artifact", "show", id],
            vec!["artifact", "get", id],
            vec!["artifact", "verify", id],
            vec!["artifact", "restore", id],
        ] {
            let said = at(&words);
            assert_eq!(said.code, 3, "{words:?}: {said:?}");
            assert!(!said.text().contains("secret"), "{said:?}");
        }
    }
    for words in [
        vec!["artifact", "resume", draft, file],
        vec!["artifact", "partials", "--discard", draft],
        vec!["artifact", "store", &ground.task, file],
    ] {
        assert_eq!(at(&words).code, 3, "{words:?}");
    }
    let found = at(&["artifact", "search", "secret", "--json"]).ok().json();
    assert_eq!(found["matches"], serde_json::json!([]));
    let task = at(&["task", "add", "T", "--json"]).ok().json();
    let outside = ground
        .repo
        .join(".task_orchestrator/artifacts")
        .join(&ground.task)
        .join("secret.txt");
    let outside = outside.to_str().expect("UTF-8");
    let said = at(&["artifact", "store", text(&task, "task_id"), "--mirror", outside]);
    assert_eq!(said.code, 4, "{said:?}");
}
