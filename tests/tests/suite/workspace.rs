//! The registry through the built programs: what is made when, who keeps an id, what cannot be taken over.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::daemon::Bed;
use tests::git;
use tests::process::{self, Said};

/// Runs `tocli` in a folder.
fn at(bed: &Bed, folder: &Path, line: &str) -> Said {
    process::run(bed.tocli(line.split(' ').chain(["--json"])).current_dir(folder))
}

fn json(bed: &Bed, folder: &Path, line: &str) -> Value {
    at(bed, folder, line).ok().json()
}

fn text<'a>(json: &'a Value, field: &str) -> &'a str {
    json[field]
        .as_str()
        .unwrap_or_else(|| panic!("no text `{field}` in {json}"))
}

fn repository(bed: &Bed, name: &str) -> PathBuf {
    let repo = bed.project(name);
    fs::write(repo.join("Cargo.toml"), "[package]\nname = \"x\"\n").expect("written");
    git::init(&repo);
    repo
}

fn folder_of(project: &Path) -> PathBuf {
    project.join(".task_orchestrator")
}

/// Every path below a folder.
fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("listed").flatten() {
        if entry.file_type().expect("a type").is_dir() {
            found.extend(everything(&entry.path()));
        }
        found.push(entry.path());
    }
    found.sort();
    found
}

#[test]
fn questions_make_nothing_in_a_project_and_the_first_write_makes_its_folder() {
    let bed = Bed::new();
    let repo = repository(&bed, "repo");
    let before = everything(&repo);
    for line in [
        "detect",
        "workspace list",
        "workspace show",
        "workspace show-location",
        "workspace validate-isolation",
        "config list",
        "config get watch.settle_ms",
        "role list",
        "role show coder",
        "files",
        "clock",
        "changes --since 1h",
    ] {
        at(&bed, &repo, line);
        assert_eq!(everything(&repo), before, "after `{line}`");
    }
    let made = json(&bed, &repo, "workspace create --name mine");
    assert_eq!(text(&made, "name"), "mine");
    let id = text(&made, "id").to_owned();
    let (head, hex) = id.split_at(3);
    assert_eq!((head, hex.len()), ("ws_", 12), "{id}");
    assert!(hex.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    let folder = folder_of(&repo);
    let mirror: Value =
        serde_json::from_slice(&fs::read(folder.join("workspace.json")).expect("a mirror")).expect("JSON");
    assert!(mirror.to_string().contains(&id), "{mirror}");
    // git sees nothing of it but what is meant to be shared.
    let status = git::git(&repo, &["status", "--porcelain", "-uall"]);
    assert!(
        !status.contains("workspace.json") && !status.contains("artifacts"),
        "{status}"
    );
    assert_eq!(text(&json(&bed, &repo, "workspace show"), "id"), id);
    assert_eq!(
        text(&json(&bed, &repo.join(".git/.."), "workspace show mine"), "id"),
        id
    );
    let location = json(&bed, &repo, "workspace show-location");
    assert_eq!(text(&location, "folder"), folder.to_str().expect("UTF-8"));
    assert_eq!(location["made"], true);
}

#[test]
fn a_workspace_is_renamed_forgotten_and_restored() {
    let bed = Bed::new();
    let repo = repository(&bed, "repo");
    let id = text(&json(&bed, &repo, "workspace create"), "id").to_owned();
    let renamed = json(&bed, &repo, &format!("workspace rename {id} better"));
    assert_eq!(
        (text(&renamed, "id"), text(&renamed, "name")),
        (id.as_str(), "better")
    );
    assert_eq!(text(&json(&bed, &bed.work(), "workspace show better"), "id"), id);
    at(&bed, &bed.work(), "workspace forget better").ok();
    assert_eq!(
        json(&bed, &bed.work(), "workspace list")["workspaces"],
        serde_json::json!([])
    );
    let all = json(&bed, &bed.work(), "workspace list --forgotten");
    assert_eq!(text(&all["workspaces"][0], "id"), id);
    assert!(folder_of(&repo).exists(), "files stay");
    let back = json(&bed, &bed.work(), &format!("workspace restore {id}"));
    assert_eq!((text(&back, "id"), text(&back, "name")), (id.as_str(), "better"));
    assert_eq!(text(&json(&bed, &repo, "workspace show"), "id"), id);
}

#[test]
fn a_moved_project_keeps_its_id_and_a_copied_one_gets_its_own() {
    let bed = Bed::new();
    let repo = repository(&bed, "repo");
    let id = text(&json(&bed, &repo, "workspace create --name one"), "id").to_owned();
    let moved = bed.work().join("moved");
    fs::rename(&repo, &moved).expect("moved");
    let seen = json(&bed, &moved, "workspace show");
    assert_eq!(
        (text(&seen, "id"), text(&seen, "root")),
        (id.as_str(), moved.to_str().expect("UTF-8"))
    );
    let copy = bed.work().join("copy");
    process::run(Command::new("cp").arg("-a").arg(&moved).arg(&copy)).ok();
    let made = json(&bed, &copy, "workspace create");
    assert_ne!(text(&made, "id"), id);
    assert_eq!(text(&json(&bed, &moved, "workspace show"), "id"), id);
    assert_eq!(
        json(&bed, &bed.work(), "workspace list")["workspaces"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

#[test]
fn a_cloned_repository_cannot_claim_the_workspace_of_another() {
    let bed = Bed::new();
    let victim = repository(&bed, "victim");
    let id = text(&json(&bed, &victim, "workspace create --name victim"), "id").to_owned();
    // What a hostile repository would ship: the mirror of somebody else, tracked by git.
    let hostile = repository(&bed, "hostile");
    fs::create_dir(folder_of(&hostile)).expect("made");
    fs::copy(
        folder_of(&victim).join("workspace.json"),
        folder_of(&hostile).join("workspace.json"),
    )
    .expect("copied");
    git::git(&hostile, &["add", "-f", "."]);
    git::git(&hostile, &["commit", "-q", "-m", "claim"]);
    let clone = bed.work().join("clone");
    git::git(&bed.work(), &["clone", "-q", "hostile", "clone"]);
    let shown = at(&bed, &clone, "workspace show");
    assert!(shown.code != 0 || text(&shown.json(), "id") != id, "{shown:?}");
    let made = at(&bed, &clone, "workspace create");
    assert!(made.code != 0 || text(&made.json(), "id") != id, "{made:?}");
    // Not even when the victim is away.
    fs::rename(&victim, bed.work().join("away")).expect("moved");
    let shown = at(&bed, &clone, "workspace show");
    assert!(shown.code != 0 || text(&shown.json(), "id") != id, "{shown:?}");
    assert_eq!(
        at(&bed, &bed.work(), &format!("workspace relocate {id} clone")).code,
        4,
        "only with a confirmation"
    );
}

#[test]
fn linked_worktrees_are_one_workspace_of_several_trees() {
    let bed = Bed::new();
    let repo = repository(&bed, "repo");
    let id = text(&json(&bed, &repo, "workspace create"), "id").to_owned();
    git::git(&repo, &["worktree", "add", "-q", "-b", "topic", "../linked"]);
    let linked = bed.work().join("linked");
    assert_eq!(text(&json(&bed, &linked, "workspace show"), "id"), id);
    assert_eq!(
        json(&bed, &bed.work(), "workspace list")["workspaces"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
}

#[test]
fn with_user_storage_the_repository_is_not_touched() {
    let bed = Bed::new();
    let repo = repository(&bed, "repo");
    let before = everything(&repo);
    at(&bed, &repo, "config set --user workspace.storage user").ok();
    let made = json(&bed, &repo, "workspace create");
    at(&bed, &repo, "config set workspace.project_type rust").ok();
    assert_eq!(everything(&repo), before);
    let location = json(&bed, &repo, "workspace show-location");
    assert!(
        text(&location, "folder").starts_with(bed.state().to_str().expect("UTF-8")),
        "{location}"
    );
    assert_eq!(
        text(&json(&bed, &repo, "workspace show"), "id"),
        text(&made, "id")
    );
}

#[test]
fn the_projects_folder_is_not_followed_out_of_the_project() {
    let bed = Bed::new();
    let repo = repository(&bed, "repo");
    let outside = bed.project("outside");
    std::os::unix::fs::symlink(&outside, folder_of(&repo)).expect("linked");
    for line in [
        "workspace create",
        "config set workspace.project_type rust",
        "role init --for rust",
    ] {
        assert_ne!(at(&bed, &repo, line).code, 0, "{line}");
    }
    assert_eq!(everything(&outside), Vec::<PathBuf>::new());
}

#[test]
fn isolation_is_checked_and_reported() {
    let bed = Bed::new();
    for name in ["one", "two"] {
        at(&bed, &repository(&bed, name), "workspace create").ok();
    }
    let report = bed.path().join("report.json");
    let checked = json(
        &bed,
        &bed.work(),
        &format!("workspace validate-isolation --report {}", report.display()),
    );
    assert_eq!(checked["passed"], true, "{checked}");
    assert!(
        checked["findings"]
            .as_array()
            .is_some_and(|findings| !findings.is_empty()),
        "{checked}"
    );
    let written: Value = serde_json::from_slice(&fs::read(report).expect("a report")).expect("JSON");
    assert_eq!(written["findings"], checked["findings"]);
}

#[test]
fn the_same_request_id_twice_makes_one_workspace_and_gives_the_first_answer() {
    let bed = Bed::new();
    let repo = repository(&bed, "repo");
    let _daemon = bed.start();
    let ask = |id: u64| proto::ClientFrame::Ask {
        id,
        deadline_ms: 0,
        request_id: Some("once".to_owned()),
        caller: proto::Caller {
            cwd: tests::ask::raw(&repo),
            ..proto::Caller::default()
        },
        request: proto::Request::Workspace(proto::workspace::Request::Create {
            at: proto::detect::From::Caller,
            name: Some("first".to_owned()),
            seed: proto::workspace::Seed::Empty,
        }),
    };
    let mut answers = Vec::new();
    for id in 1..3 {
        let mut peer = bed.peer();
        peer.send(&proto::frame::encode(&ask(id)).expect("fits"));
        answers.push(peer.answer(id).1.expect("made"));
        // Also when somebody has changed it in between.
        at(&bed, &repo, "workspace rename second").ok();
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(text(&json(&bed, &repo, "workspace show"), "name"), "second");
}
