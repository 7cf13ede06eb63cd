//! What is made where and when, and what happens when the disk says no.

use super::*;

#[test]
fn looking_leaves_the_project_untouched_and_the_first_write_makes_its_folder() {
    let bed = Bed::fake();
    bed.world.dir("/w/p");
    let before = bed.world.stat(Path::new("/w/p")).unwrap();
    let first = bed.show("p");
    assert!(first.id.starts_with("ws_") && first.present && first.name == "p");
    assert_eq!(bed.show("p").id, first.id);
    bed.ask(Request::ShowLocation(Which::At(bed.at("p")))).unwrap();
    assert_eq!(bed.get("p", "watch.settle_ms").1, Layer::BuiltIn);
    bed.role(proto::role::Request::List { at: bed.at("p") }).unwrap();
    assert_eq!(bed.isolated(), Vec::<String>::new());
    assert_eq!(
        bed.world.stat(Path::new("/w/p")).unwrap(),
        before,
        "not even its times"
    );
    bed.create("p", Seed::Empty).unwrap();
    let read = |name: &str| {
        let path = format!("/w/p/{FOLDER}/{name}");
        String::from_utf8(bed.world.read(Path::new(&path), 9999).unwrap()).unwrap()
    };
    assert!(read(".gitignore").contains("/*\n!/config.yaml\n!/roles/\n!/decisions/\n"));
    assert!(read("workspace.json").contains(&first.id));
}

#[test]
fn nothing_is_written_through_a_folder_that_is_a_link() {
    let bed = Bed::real();
    let (root, out) = (bed.base.join("p"), bed.base.join("out"));
    std::fs::create_dir(&root).unwrap();
    std::fs::create_dir(&out).unwrap();
    std::os::unix::fs::symlink(&out, root.join(FOLDER)).unwrap();
    let refused = [
        bed.create("p", Seed::Empty).unwrap_err(),
        bed.set("p", Layer::Workspace, "watch.settle_ms", "1")
            .unwrap_err(),
        bed.role(proto::role::Request::Init {
            at: bed.at("p"),
            project_type: Some("rust".into()),
        })
        .unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind, Kind::Refused, "{error}");
        assert!(
            error.to_string().contains("symbolic link") || error.to_string().contains("outside"),
            "{error}"
        );
    }
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
    assert_eq!(bed.isolated().len(), 1);
    std::fs::remove_file(root.join(FOLDER)).unwrap();
    // One level deeper as well.
    std::fs::create_dir(root.join(FOLDER)).unwrap();
    std::os::unix::fs::symlink(&out, root.join(FOLDER).join("roles")).unwrap();
    assert!(
        bed.role(proto::role::Request::Init {
            at: bed.at("p"),
            project_type: Some("rust".into())
        })
        .is_err()
    );
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
}

#[test]
fn with_storage_in_the_state_folder_the_project_is_never_written_to() {
    let bed = Bed::fake();
    bed.world.dir("/w/p");
    bed.set("p", Layer::User, "workspace.storage", "user").unwrap();
    let made = bed.create("p", Seed::Template("go".into())).unwrap();
    let folder = PathBuf::from("/w/state/projects").join(&made.id);
    assert!(bed.world.stat(&folder.join("config.yaml")).is_ok());
    assert!(bed.world.stat(Path::new("/w/p/.task_orchestrator")).is_err());
    assert_eq!(
        bed.get("p", "workspace.project_type"),
        ("\"go\"".into(), Layer::Workspace)
    );
    assert!(bed.show("p").totals.bytes > 100);
}

#[test]
fn a_call_of_the_world_that_fails_leaves_the_old_state_or_the_new_one() {
    for n in 1.. {
        let bed = Bed::fake();
        bed.world.file("/w/p/x", "");
        bed.set("p", Layer::Workspace, "watch.settle_ms", "1").unwrap();
        let id = bed.show("p").id;
        let calls = bed.world.calls();
        bed.world.fail_at(n);
        let done = bed.set("p", Layer::Workspace, "watch.settle_ms", "2");
        let over = bed.world.calls() - calls < n;
        bed.world.fail_at(1_000_000);
        let now = bed.get("p", "watch.settle_ms").0;
        assert!(now == "1" || now == "2", "call {n}: {now}");
        assert!(
            done.is_err() || now == "2",
            "call {n}: success was claimed for nothing"
        );
        assert_eq!(bed.show("p").id, id, "call {n}");
        if over {
            assert!(n > 5, "the loop has seen every call");
            return;
        }
    }
}

#[test]
fn a_creation_that_fails_at_any_call_can_be_repeated() {
    for n in 1.. {
        let bed = Bed::fake();
        bed.world.dir("/w/p").fail_at(n);
        let first = bed.create("p", Seed::Empty);
        let over = bed.world.calls() < n;
        bed.world.fail_at(1_000_000);
        let second = bed.create("p", Seed::Empty).unwrap();
        if let Ok(first) = first {
            assert_eq!(first.id, second.id, "call {n}");
        }
        assert_eq!(bed.list().len(), 1, "call {n}");
        if over {
            return;
        }
    }
}

#[test]
fn isolation_finds_records_of_nobody_and_open_state() {
    let bed = Bed::real();
    std::fs::create_dir(bed.base.join("p")).unwrap();
    let id = bed.create("p", Seed::Empty).unwrap().id;
    let mut batch = Batch::new();
    let (space, _) = store::BY_WORKSPACE[0];
    batch.put(space, format!("{id}/task_1").as_bytes(), vec![1]);
    batch.put(space, b"ws_ffffffffffff/task_1", vec![1]);
    bed.db.commit(batch).unwrap();
    assert_eq!(bed.show("p").totals.tasks, [("pending".to_owned(), 1)]);
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(bed.base.join("state"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let found = bed.isolated();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].contains("ws_ffffffffffff") && found[1].contains("others may enter"),
        "{found:?}"
    );
}
