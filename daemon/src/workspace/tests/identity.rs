//! Which workspace a directory is: moved, copied, crafted, shared, forgotten.

use super::*;

#[test]
fn detection_and_reads_of_settings_enter_nothing_in_the_registry() {
    let bed = Bed::fake();
    bed.world.dir("/w/p");
    bed.get("p", "watch.settle_ms");
    bed.role(proto::role::Request::Show {
        at: bed.at("p"),
        name: "coder".into(),
    })
    .unwrap();
    assert!(bed.list().is_empty());
}

#[test]
fn a_moved_project_keeps_its_id_and_a_copied_one_gets_its_own() {
    let bed = Bed::real();
    let (a, b, c) = (bed.base.join("a"), bed.base.join("b"), bed.base.join("c"));
    std::fs::create_dir(&a).unwrap();
    let first = bed.create("a", Seed::Empty).unwrap();
    std::fs::rename(&a, &b).unwrap();
    let moved = bed.show("b");
    assert_eq!(
        (moved.id.as_str(), moved.root.as_path()),
        (first.id.as_str(), b.as_path())
    );
    assert!(
        std::process::Command::new("cp")
            .arg("-a")
            .args([&b, &c])
            .status()
            .unwrap()
            .success()
    );
    let copied = bed.show("c");
    assert_ne!(copied.id, first.id);
    assert!(copied.warnings[0].contains("--confirm"), "{:?}", copied.warnings);
    bed.create("c", Seed::Empty).unwrap();
    let mirror = std::fs::read_to_string(c.join(FOLDER).join("workspace.json")).unwrap();
    assert!(mirror.contains(&copied.id) && !mirror.contains(&first.id));
    assert_eq!(bed.isolated(), Vec::<String>::new());
    assert_eq!(bed.list().len(), 2);
}

#[test]
fn a_moved_project_that_was_never_written_to_keeps_its_id_where_the_disk_tells_when_it_was_made() {
    let bed = Bed::real();
    let (a, b) = (bed.base.join("a"), bed.base.join("b"));
    std::fs::create_dir(&a).unwrap();
    if bed.world.born(&a).unwrap().is_none() {
        eprintln!("skipped: this file system does not keep when a directory was made");
        return;
    }
    let first = bed.show("a");
    std::fs::rename(&a, &b).unwrap();
    assert_eq!(bed.show("b").id, first.id);
    // Another directory in the old place, whatever inode it gets, is another project.
    std::fs::create_dir(&a).unwrap();
    assert_ne!(bed.show("a").id, first.id);
    std::fs::remove_dir(&a).unwrap();
    std::fs::remove_dir(&b).unwrap();
    std::fs::create_dir(bed.base.join("d")).unwrap();
    assert_ne!(bed.show("d").id, first.id);
}

#[test]
fn a_crafted_workspace_json_claims_nothing() {
    let bed = Bed::real();
    for name in ["victim", "clone"] {
        std::fs::create_dir(bed.base.join(name)).unwrap();
    }
    let victim = bed.create("victim", Seed::Empty).unwrap();
    let mirror = std::fs::read(bed.base.join("victim").join(FOLDER).join("workspace.json")).unwrap();
    let crafted: Vec<Vec<u8>> = vec![
        mirror.clone(),
        format!(
            r#"{{"schema_version":1,"id":"{}","name":"x","created":1,"device":0,"inode":0}}"#,
            victim.id
        )
        .into_bytes(),
        br#"{"schema_version":1,"id":"ws_../../../../etc","name":"x","created":1,"device":0,"inode":0}"#
            .to_vec(),
        b"{".to_vec(),
        vec![b'['; 100_000],
        vec![0xff; 1000],
        format!("{}{}", " ".repeat(20_000), String::from_utf8(mirror).unwrap()).into_bytes(),
    ];
    for bytes in crafted {
        bed.world
            .write(
                &bed.base.join("clone"),
                &Path::new(FOLDER).join("workspace.json"),
                &bytes,
            )
            .unwrap();
        let seen = bed.show("clone");
        assert_ne!(seen.id, victim.id);
        assert!(rules::is_id(&seen.id));
    }
    assert_eq!(bed.show("victim").id, victim.id);
}

#[test]
fn the_registry_keeps_its_ids_when_the_database_was_lost() {
    let bed = Bed::real();
    std::fs::create_dir(bed.base.join("p")).unwrap();
    if bed.world.born(&bed.base.join("p")).unwrap().is_none() {
        eprintln!("skipped: this file system does not keep when a directory was made");
        return;
    }
    let first = bed.create("p", Seed::Empty).unwrap();
    let mut batch = Batch::new();
    store::erase(&bed.db, &mut batch, &first.id).unwrap();
    bed.db.commit(batch).unwrap();
    assert!(bed.list().is_empty());
    assert_eq!(bed.show("p").id, first.id);
}

#[test]
fn workspaces_are_named_by_id_and_by_a_name_that_only_one_has() {
    let bed = Bed::fake();
    bed.world.dir("/w/a/x").dir("/w/b/x");
    let (a, b) = (bed.show("a/x"), bed.show("b/x"));
    let named = |word: &str| bed.one(Request::Show(Which::Named(word.into())));
    assert_eq!(named(&a.id).unwrap().root, a.root);
    assert_eq!(named("x").unwrap_err().kind, Kind::Conflict);
    bed.one(Request::Rename {
        which: Which::Named(b.id.clone()),
        name: "second".into(),
    })
    .unwrap();
    assert_eq!(
        (named("x").unwrap().id, named("second").unwrap().id),
        (a.id.clone(), b.id)
    );
    assert!(
        named("secund")
            .unwrap_err()
            .what
            .contains("did you mean `second`")
    );
    assert_eq!(named("ws_000000000000").unwrap_err().kind, Kind::NotFound);
    assert!(
        bed.one(Request::Rename {
            which: Which::Named(a.id),
            name: "ws_x".into()
        })
        .is_err()
    );
}

#[test]
fn what_was_forgotten_can_be_restored_for_thirty_days() {
    let bed = Bed::fake();
    bed.world.dir("/w/p");
    let first = bed.create("p", Seed::Empty).unwrap();
    let forgotten = bed.one(Request::Forget(Which::Named(first.id.clone()))).unwrap();
    assert!(forgotten.forgotten.is_some() && bed.list().is_empty());
    assert!(
        matches!(bed.ask(Request::List { forgotten: true }).unwrap(), Answer::Workspaces(all) if all.len() == 1)
    );
    assert!(
        bed.one(Request::Rename {
            which: Which::Named(first.id.clone()),
            name: "n".into()
        })
        .is_err()
    );
    // A use in between begins anew, and gives way as long as it holds nothing.
    let fresh = bed.show("p");
    assert_ne!(fresh.id, first.id);
    bed.one(Request::Restore { id: first.id.clone() }).unwrap();
    assert_eq!(bed.show("p").id, first.id);
    bed.one(Request::Forget(Which::Named(first.id.clone()))).unwrap();
    bed.create("p", Seed::Empty).unwrap();
    assert_eq!(
        bed.one(Request::Restore { id: first.id.clone() })
            .unwrap_err()
            .kind,
        Kind::Conflict
    );
    bed.world.tick(31 * 24 * 3600 * 250);
    assert_eq!(
        bed.one(Request::Restore { id: first.id.clone() })
            .unwrap_err()
            .kind,
        Kind::NotFound
    );
    let kept = bed.show("p");
    let mut batch = Batch::new();
    for (space, _) in store::BY_WORKSPACE {
        for number in 0..3 {
            batch.put(space, format!("{}/{number}", first.id).as_bytes(), vec![1]);
        }
        batch.put(space, format!("{}/x", kept.id).as_bytes(), vec![1]);
    }
    bed.db.commit(batch).unwrap();
    crate::workspace::expiry::erase(&bed.db, &first.id).unwrap();
    let ids: Vec<String> = store::rows(&bed.db)
        .unwrap()
        .into_iter()
        .map(|row| row.id)
        .collect();
    assert_eq!(ids, std::slice::from_ref(&kept.id));
    for (space, what) in store::BY_WORKSPACE {
        assert_eq!(store::count(&bed.db, space, &first.id), Ok(0), "{what}");
        assert_eq!(store::count(&bed.db, space, &kept.id), Ok(1), "{what}");
    }
}

#[test]
fn records_pass_to_another_directory_only_when_confirmed() {
    let bed = Bed::fake();
    bed.world.dir("/w/a").dir("/w/b").dir("/w/c");
    let first = bed.create("a", Seed::Empty).unwrap();
    bed.show("b");
    let to = |name: &str, confirmed| {
        bed.one(Request::Relocate {
            which: Which::Named(first.id.clone()),
            to: RawPath::from(bed.base.join(name)),
            confirmed,
        })
    };
    let refused = to("b", false).unwrap_err();
    assert_eq!(refused.kind, Kind::Refused);
    assert!(refused.next.unwrap().contains("--confirm"));
    assert_eq!(to("b", true).unwrap().root.as_path(), Path::new("/w/b"));
    assert_eq!(bed.show("b").id, first.id);
    let other = bed.create("c", Seed::Empty).unwrap();
    assert_eq!(to("c", true).unwrap_err().kind, Kind::Conflict);
    assert_eq!(bed.show("c").id, other.id);
    assert!(to("nowhere", true).is_err());
}

#[test]
fn linked_worktrees_share_a_workspace_and_a_tree_that_the_main_checkout_does_not_list_does_not() {
    let bed = Bed::real();
    let (main, tree, fake) = (
        bed.base.join("main"),
        bed.base.join("tree"),
        bed.base.join("fake"),
    );
    std::fs::create_dir(&main).unwrap();
    std::fs::create_dir(&fake).unwrap();
    git(&main, &["init", "-q"]);
    git(
        &main,
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "x",
        ],
    );
    git(&main, &["worktree", "add", "-q", "../tree"]);
    std::fs::copy(tree.join(".git"), fake.join(".git")).unwrap();
    *bed.linked.lock().unwrap() = vec![(tree.clone(), main.clone()), (fake.clone(), main.clone())];
    let first = bed.show("main");
    let second = bed.show("tree");
    assert_eq!(
        (second.id.as_str(), second.root.as_path()),
        (first.id.as_str(), main.as_path())
    );
    assert_eq!(second.trees, [RawPath::from(tree.as_path())]);
    let third = bed.show("fake");
    assert_ne!(third.id, first.id);
    assert!(
        third.warnings[0].contains("does not list it"),
        "{:?}",
        third.warnings
    );
    // Settings are those of the caller's tree.
    bed.set("tree", Layer::Workspace, "watch.settle_ms", "7").unwrap();
    assert_eq!(bed.get("tree", "watch.settle_ms").0, "7");
    assert_eq!(bed.get("main", "watch.settle_ms").0, "20");
    assert!(!main.join(FOLDER).exists() && tree.join(FOLDER).exists());
}

#[test]
fn many_clients_at_once_enter_a_project_once() {
    let bed = Bed::real();
    std::fs::create_dir(bed.base.join("p")).unwrap();
    let ids: std::collections::BTreeSet<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| bed.show("p").id)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!((ids.len(), bed.list().len()), (1, 1));
}
