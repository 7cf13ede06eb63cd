//! `task move`: the results of a task are where the task is.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use tests::{git, process};

use super::{Ground, text};

/// Asks in another project.
fn there(ground: &Ground, project: &Path, words: &[&str]) -> Value {
    let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
    process::run(ground.bed.tocli(words).current_dir(project))
        .ok()
        .json()
}

#[test]
fn a_task_that_moves_to_another_workspace_takes_its_artifacts_along() {
    let ground = Ground::new();
    let id = ground.id("a.md", "one");
    ground.store("a.md", "two");
    let large = ground.id("large.bin", vec![7_u8; 3 << 20]);
    let before = ground.path(&id);
    let project = ground.bed.project("there");
    git::init(&project);
    let other = there(&ground, &project, &["workspace", "show"]);
    let other = text(&other, "id");
    // What somebody wrote by hand would stay behind without a record.
    std::fs::write(&before, "mine").expect("written");
    let refused = ground.run(&["task", "move", &ground.task, "--to", other]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.err.contains("was changed by hand"), "{}", refused.err);
    ground.json(&["artifact", "restore", &id, "--force"]);
    let move_it = ["task", "move", &ground.task, "--to", other, "--request-id", "m1"];
    let moved = ground.json(&move_it);
    let along = moved["artifacts"].as_array().expect("the artifacts");
    let mut along: Vec<(&str, &str)> = along
        .iter()
        .map(|one| {
            assert_eq!(one["task_id"], ground.task.as_str(), "{moved}");
            (text(one, "artifact_id"), text(one, "name"))
        })
        .collect();
    let mut both = [(id.as_str(), "a.md"), (large.as_str(), "large.bin")];
    along.sort_unstable();
    both.sort_unstable();
    assert_eq!(along, both, "{moved}");
    assert_eq!(ground.json(&move_it), moved, "asked again, the first answer");
    let told = ground.run(&move_it[..]).ok();
    let told = String::from_utf8_lossy(&told.out).into_owned();
    assert!(told.contains(&id) && told.contains("large.bin"), "{told}");
    assert!(!before.exists(), "its file is still where the task was");
    assert_eq!(ground.json(&["artifact", "list"])["total"], 0);
    // Also for a daemon that knows only what is on the disk.
    for pid in ground.bed.daemons() {
        process::signal(pid, Some(Signal::KILL));
    }
    let list = there(&ground, &project, &["artifact", "list"]);
    assert_eq!(list["total"], 2, "{list}");
    let shown = there(&ground, &project, &["artifact", "show", &id]);
    let path = Path::new(text(&shown, "path"));
    assert!(path.starts_with(&project), "{shown}");
    assert_eq!(std::fs::read(path).expect("its file"), b"two");
    let get = |words: &[&str]| {
        process::run(ground.bed.tocli(words).current_dir(&project))
            .ok()
            .out
    };
    assert_eq!(get(&["artifact", "get", &id, "--version", "1"]), b"one");
    assert_eq!(get(&["artifact", "get", &large]), vec![7_u8; 3 << 20]);
    let verified = there(&ground, &project, &["artifact", "verify"]);
    assert_eq!(verified["faults"].as_array().map(Vec::len), Some(0), "{verified}");
    for (name, folder) in [("here", &ground.repo), ("there", &project)] {
        let ignored = folder.join(".task_orchestrator/.gitignore");
        assert!(ignored.is_file(), "the folder {name} is not kept out of git");
        there(&ground, folder, &["audit", "verify"]);
    }
}
