//! Answers that are made anew before anybody asks.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::daemon::Bed;
use tests::{deadline, git, process};

fn detected(bed: &Bed, root: &Path) -> Value {
    process::run(bed.tocli(["detect", "--json"]).current_dir(root))
        .ok()
        .json()
}

fn refreshed(bed: &Bed) -> u64 {
    let said = bed.run(["doctor", "watch", "--json"]).ok().json();
    assert!(said["remembered"].as_u64().is_some_and(|kept| kept > 0), "{said}");
    said["refreshed"].as_u64().expect("a number")
}

/// In one step, as each change here: of what is half made an answer may be made anew as well.
fn put(root: &Path, name: &str, text: &str) {
    fs::write(root.join("new"), text).expect("written");
    fs::rename(root.join("new"), root.join(name)).expect("renamed");
}

#[test]
fn after_a_marker_was_edited_the_next_answer_is_there_already_and_right() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let root = bed.project("project");
    fs::write(root.join("Cargo.toml"), "[package]\nname = \"x\"\n").expect("written");
    // Not young any more, so that the answer is remembered; the second time it is put under watch.
    deadline::until("it is remembered", || {
        (detected(&bed, &root)["cached"] == true).then_some(())
    });
    git::init(&root.with_file_name("template"));
    type Change = fn(&Path);
    let changes: [(Change, &str, &str); 4] = [
        (|root| put(root, "go.mod", "module x\n"), "project_marker", "go"),
        (
            |root| put(root, "pyproject.toml", "[project]\nname = 'x'\n"),
            "project_marker",
            "python",
        ),
        (
            |root| {
                let ready = root.with_file_name("template").join(".git");
                fs::rename(ready, root.join(".git")).expect("renamed");
            },
            "vcs_root",
            "rust",
        ),
        (
            |root| fs::remove_file(root.join("Cargo.toml")).expect("removed"),
            "vcs_root",
            "go",
        ),
    ];
    for (change, method, kind) in changes {
        let before = refreshed(&bed);
        change(&root);
        deadline::until("it is made anew", || (refreshed(&bed) > before).then_some(()));
        let said = detected(&bed, &root);
        assert_eq!(
            (&said["cached"], &said["method"]),
            (&true.into(), &method.into()),
            "{said}"
        );
        assert!(said["project_types"].to_string().contains(kind), "{kind}: {said}");
    }
    let said = detected(&bed, &root);
    assert!(!said["project_types"].to_string().contains("rust"), "{said}");
}
