//! One workspace reaches for another, through every request there is, and gets nothing.
//!
//! Each request stands here with every way to name what belongs to somebody else: by id, by path, through a link, with
//! `..`, absolute, and with separators that are encoded. The matches have no wildcard: a request that is not tried here
//! does not compile. What must stay true: an answer never holds the other's secret, and the other's records and files
//! stay as they were.

mod crafted;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proto::detect::From;
use proto::workspace::Seed;
use proto::{Answer, Item, RawPath, Request, workspace};
use tests::daemon::Bed;
use tests::wire::Peer;
use tests::{git, process};

/// Stands in everything that belongs to the other workspace.
const SECRET: &str = "zanzibar";

struct Scene {
    bed: Bed,
    own: PathBuf,
    other: PathBuf,
    /// Ids of what belongs to the other: task, decision, artifact, note.
    ids: Vec<String>,
}

fn said(bed: &Bed, folder: &Path, words: &[&str]) -> serde_json::Value {
    let words = words.iter().chain([&"--json", &"--actor", &"owner"]);
    process::run(bed.tocli(words).current_dir(folder)).ok().json()
}

fn scene() -> Scene {
    let bed = Bed::new();
    let (own, other) = (bed.project("own"), bed.project("other"));
    git::init(&own);
    git::init(&other);
    std::fs::write(own.join("mine.txt"), "mine").expect("written");
    std::fs::write(other.join(format!("{SECRET}.txt")), SECRET).expect("written");
    let mut ids = Vec::new();
    let task = said(
        &bed,
        &other,
        &["task", "add", SECRET, "--id", "theirs", "--description", SECRET],
    );
    ids.extend(task["task_id"].as_str().map(str::to_owned));
    said(&bed, &other, &["task", "note", "theirs", SECRET]);
    let made = said(
        &bed,
        &other,
        &["decision", "record", SECRET, "-d", SECRET, "--path", "."],
    );
    ids.extend(made["id"].as_str().map(str::to_owned));
    let body = other.join(format!("{SECRET}.txt"));
    let body = body.to_str().expect("text");
    let stored = said(
        &bed,
        &other,
        &["artifact", "store", "theirs", body, "--summary", SECRET],
    );
    ids.extend(stored["artifact_id"].as_str().map(str::to_owned));
    let note = said(&bed, &other, &["remember", SECRET]);
    ids.extend(note["note_id"].as_str().map(str::to_owned));
    assert_eq!(ids.len(), 4, "{ids:?}");
    let mut roles = other.join(".task_orchestrator/roles");
    std::fs::create_dir_all(&roles).expect("made");
    roles.push("r.yaml");
    std::fs::write(roles, format!("{SECRET}:\n  role_definition: {SECRET}\n")).expect("written");
    // Something of its own, so that nothing is refused for want of a workspace.
    said(&bed, &own, &["task", "add", "Mine", "--id", "mine"]);
    said(&bed, &own, &["decision", "record", "Mine", "-d", "mine"]);
    for (name, target) in [
        ("link", other.clone()),
        ("folder", other.join(".task_orchestrator")),
    ] {
        std::os::unix::fs::symlink(target, own.join(name)).expect("linked");
    }
    Scene { bed, own, other, ids }
}

impl Scene {
    /// All the names that somebody might try.
    fn names(&self) -> Vec<String> {
        let (other, workspace) = (self.other.display(), self.workspace());
        let mut names = vec!["1".to_owned(), "#2".to_owned(), "../other/1".to_owned()];
        for id in &self.ids {
            names.extend([
                id.clone(),
                format!("../other/{id}"),
                format!("{other}/{id}"),
                format!("link/{id}"),
                format!("..%2fother%2f{id}"),
                format!("..\\other\\{id}"),
                format!("{workspace}/{id}"),
                format!("../{workspace}/{id}"),
                format!("{id}\0"),
            ]);
        }
        names
    }

    fn workspace(&self) -> String {
        let shown = said_plain(&self.bed, &self.other, &["workspace", "show"]);
        shown["id"].as_str().expect("an id").to_owned()
    }

    /// All the paths that somebody might try.
    fn paths(&self) -> Vec<RawPath> {
        let within = format!("{SECRET}.txt");
        let other = self.other.display();
        let all = [
            format!("{other}/{within}"),
            format!("../other/{within}"),
            format!("link/{within}"),
            format!("{}/../other/{within}", self.own.display()),
            format!("..%2fother%2f{within}"),
            format!("..\\other\\{within}"),
            "folder/decisions".to_owned(),
            "/etc/passwd".to_owned(),
        ];
        all.iter().map(|path| path.as_str().into()).collect()
    }

    fn all(&self) -> Vec<Request> {
        let (names, paths) = (self.names(), self.paths());
        let mut all = Vec::new();
        for (name, path) in names.iter().zip(paths.iter().cycle()) {
            all.extend(requests::with(name, path, SECRET));
        }
        all.extend(paths.iter().flat_map(|path| requests::with("1", path, SECRET)));
        all
    }
}

fn said_plain(bed: &Bed, folder: &Path, words: &[&str]) -> serde_json::Value {
    process::run(bed.tocli(words.iter().chain([&"--json"])).current_dir(folder))
        .ok()
        .json()
}

/// What belongs to the other: its files, and what its own questions are answered.
fn belongings(scene: &Scene) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    // The tick writes the mirror of the trail, by way of a draft that would be seen beside it.
    tests::deadline::until("the mirror of the trail", || {
        let verified = said_plain(&scene.bed, &scene.other, &["audit", "verify"]);
        (verified["mirror"]["state"] == "whole").then_some(())
    });
    for words in [
        &["task", "list", "--all"][..],
        &["task", "show", "theirs"],
        &["task", "history", "theirs"],
        &["decision", "list"],
        &["decision", "show", "1"],
        &["recall"],
        &["artifact", "list"],
        &["artifact", "verify"],
        &["role", "list"],
        &["audit", "--limit", "1000"],
    ] {
        let said = said_plain(&scene.bed, &scene.other, words);
        found.insert(words.join(" "), said.to_string());
    }
    let mut folders = vec![scene.other.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("read") {
            let path = entry.expect("an entry").path();
            let kind = std::fs::symlink_metadata(&path).expect("looked at").file_type();
            if kind.is_dir() {
                folders.push(path);
            } else if !path.ends_with("audit.jsonl") {
                let bytes = std::fs::read(&path).expect("read");
                found.insert(
                    path.display().to_string(),
                    String::from_utf8_lossy(&bytes).into_owned(),
                );
            }
        }
    }
    found
}

/// That it is as it was.
fn assert_untouched(scene: &Scene, before: &BTreeMap<String, String>) {
    let now = belongings(scene);
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    for name in names {
        assert_eq!(
            now.get(name),
            before.get(name),
            "`{name}`, which belongs to the other, is not as it was"
        );
    }
}

/// Whether the secret came back. Paths that lie within one's own project by their letters (`link/…`, `..%2f…`) are names
/// like any other, and come back as they were given.
fn tells(items: &[Item], answer: &Answer) -> bool {
    let mut text = format!("{items:?}{answer:?}");
    for item in items {
        if let Item::Lines(bytes) = item {
            text.push_str(&String::from_utf8_lossy(bytes));
        }
    }
    for letters in [r"link/", r"..%2fother%2f", r"..\\other\\", r"..\\\\other\\\\"] {
        text = text.replace(&format!("{letters}{SECRET}.txt"), "");
    }
    text.contains(SECRET)
}

#[test]
fn nothing_of_another_workspace_is_reached_through_any_request() {
    let scene = scene();
    let before = belongings(&scene);
    assert!(before["task show theirs"].contains(SECRET) && before["recall"].contains(SECRET));
    let mut peer: Peer = scene.bed.peer();
    let (mut asked, mut refused) = (0, 0);
    for request in scene.all() {
        assert!(requests::is_tried(&request), "{request:?}");
        let what = format!("{request:?}");
        asked += 1;
        match peer.call_from(&scene.own, &[], request) {
            Ok((items, answer)) => {
                assert!(!tells(&items, &answer), "{what}\n{answer:?}");
            }
            Err(error) => {
                refused += 1;
                assert_ne!(error.kind, proto::Kind::Bug, "{what}: {error}");
            }
        }
    }
    assert!(asked > 1000 && refused > 500, "{asked} asked, {refused} refused");
    assert_untouched(&scene, &before);
    let passed = said_plain(&scene.bed, &scene.own, &["workspace", "validate-isolation"]);
    assert_eq!(passed["passed"], true, "{passed}");
}

#[test]
fn a_folder_of_another_workspace_in_the_place_of_ones_own_is_not_written_into() {
    let scene = scene();
    let before = belongings(&scene);
    let third = scene.bed.project("third");
    git::init(&third);
    std::os::unix::fs::symlink(
        scene.other.join(".task_orchestrator"),
        third.join(".task_orchestrator"),
    )
    .expect("linked");
    for words in [
        &["task", "add", "x"][..],
        &["decision", "record", "x", "-d", "x"],
        &["remember", "x"],
        &["artifact", "store", "theirs", "mine.txt"],
        &["workspace", "create", "--name", "x"],
    ] {
        let said = process::run(scene.bed.tocli(words).current_dir(&third));
        assert_ne!(said.code, 0, "{words:?}: {said:?}");
    }
    assert_untouched(&scene, &before);
    let seeded = Seed::Existing("../other".into());
    let create = workspace::Request::Create {
        at: From::Caller,
        name: None,
        seed: seeded,
    };
    let refused = scene
        .bed
        .peer()
        .call_from(&scene.own, &[], Request::Workspace(create));
    assert!(refused.is_err(), "{refused:?}");
}
