//! The files in the project: hostile names and links, edits by hand, what brings them back.

use std::os::unix::fs::symlink;

use tests::{deadline, git};

use super::{Ground, lines, names, text};

#[test]
fn no_name_leaves_the_folder() {
    let ground = Ground::new();
    let file = ground.bed.work().join("f");
    std::fs::write(&file, "x").expect("written");
    let file = file.to_str().expect("UTF-8");
    for name in [
        "../x",
        "/etc/x",
        "a/b",
        "..",
        ".",
        ".hidden",
        "a\\b",
        "nul",
        "C:x",
        "a\nb",
        " ",
        "\u{202e}x",
    ] {
        let said = ground.run(&["artifact", "store", &ground.task, file, "--name", name]);
        assert_eq!(said.code, 2, "{name:?}: {said:?}");
    }
    for task in ["../x", "..", "/", ""] {
        let said = ground.run(&["artifact", "store", task, file]);
        assert_eq!(said.code, 3, "{task:?}: {said:?}");
    }
    assert!(!ground.repo.join(".task_orchestrator/artifacts").exists());
}

#[test]
fn nothing_is_written_or_read_through_a_link() {
    let ground = Ground::new();
    let id = ground.id("a.txt", "one");
    let path = ground.path(&id);
    let folder = path.parent().expect("a folder").to_path_buf();
    let victim = ground.bed.work().join("victim");
    std::fs::write(&victim, "victim").expect("written");
    // The file itself: the link is replaced, and what it pointed to stays.
    std::fs::remove_file(&path).expect("removed");
    symlink(&victim, &path).expect("linked");
    assert_eq!(ground.stands(&id), "modified");
    ground.store("a.txt", "two");
    assert_eq!(std::fs::read(&path).expect("there"), b"two");
    assert!(path.symlink_metadata().expect("there").is_file());
    // The folder on the way, and the folder of all artifacts.
    for link in [folder.clone(), folder.parent().expect("above").to_path_buf()] {
        let aside = link.with_extension("aside");
        std::fs::rename(&link, &aside).expect("renamed");
        let elsewhere = ground.bed.project("elsewhere");
        symlink(&elsewhere, &link).expect("linked");
        let file = ground.bed.work().join("a.txt");
        std::fs::write(&file, link.as_os_str().as_encoded_bytes()).expect("written");
        let file = file.to_str().expect("UTF-8");
        let said = ground.run(&["artifact", "store", &ground.task, file]);
        assert_eq!(said.code, 4, "{said:?}");
        assert!(said.err.contains("symbolic link"), "{said:?}");
        assert_eq!(std::fs::read_dir(&elsewhere).expect("listed").count(), 0);
        std::fs::remove_file(&link).expect("removed");
        std::fs::rename(&aside, &link).expect("renamed");
    }
    assert_eq!(std::fs::read(&victim).expect("there"), b"victim");
    assert_eq!(ground.get(&id, &[]), b"two");
    let secret = ground.repo.join("link");
    symlink("/etc/passwd", &secret).expect("linked");
    let said = ground.run(&["artifact", "store", &ground.task, "--mirror", "link"]);
    assert_eq!(said.code, 4, "{said:?}");
}

#[test]
fn what_a_hand_changes_or_removes_is_noticed_and_never_overwritten() {
    let ground = Ground::new();
    let (one, two) = (ground.id("one.md", "1"), ground.id("two.md", "2"));
    let (first, second) = (ground.path(&one), ground.path(&two));
    std::fs::write(&first, "mine").expect("written");
    std::fs::remove_file(&second).expect("removed");
    let altered = deadline::until("both are noticed", || {
        let listed = ground.json(&["artifact", "list", "--altered"]);
        let copies = names(&listed, "artifacts", "copy");
        (copies == ["missing", "modified"]).then_some(listed)
    });
    assert_eq!(
        names(&altered, "artifacts", "artifact_id"),
        [two.as_str(), one.as_str()]
    );
    let verified = ground.run(&["artifact", "verify", "--json"]).ends(5).json();
    assert_eq!(names(&verified, "faults", "fault"), ["modified", "missing"]);
    let restored = ground.json(&["artifact", "restore"]);
    assert_eq!(restored["restored"].as_array().map(Vec::len), Some(2));
    assert_eq!(std::fs::read(&second).expect("there"), b"2");
    assert_eq!(
        std::fs::read(&first).expect("there"),
        b"mine",
        "it was not asked to go"
    );
    // A new version comes: what was written by hand stays beside it.
    ground.store("one.md", "11");
    assert_eq!(std::fs::read(&first).expect("there"), b"11");
    let aside = first.with_file_name("one.by-hand-1.md");
    assert_eq!(std::fs::read(&aside).expect("there"), b"mine");
    std::fs::write(&first, "mine again").expect("written");
    ground.json(&["artifact", "restore", &one, "--force"]);
    assert_eq!(std::fs::read(&first).expect("there"), b"11");
    assert_eq!(
        std::fs::read(first.with_file_name("one.by-hand-2.md")).expect("there"),
        b"mine again"
    );
    ground.run(&["artifact", "verify"]).ok();
    // What was written by hand and is stored as it stands is no conflict.
    std::fs::write(&first, "better").expect("written");
    let path = first.to_str().expect("UTF-8");
    assert_eq!(
        ground.json(&["artifact", "store", &ground.task, path])["version"],
        3
    );
    assert_eq!(ground.stands(&one), "good");
    assert!(!first.with_file_name("one.by-hand-3.md").exists());
}

#[test]
fn what_a_hand_adds_is_told_by_verify_and_left_as_it_is() {
    let ground = Ground::new();
    let id = ground.id("one.md", "1");
    let folder = ground.path(&id).parent().expect("a folder").to_path_buf();
    let above = folder.parent().expect("above").to_path_buf();
    let strays = [
        above.join("loose"),
        folder.join("stray.md"),
        above.join("own/deep"),
    ];
    std::fs::create_dir(above.join("own")).expect("made");
    for stray in &strays {
        std::fs::write(stray, "mine").expect("written");
    }
    let verified = ground.run(&["artifact", "verify", "--json"]).ends(5).json();
    assert_eq!(names(&verified, "faults", "fault"), ["added", "added", "added"]);
    for stray in &strays {
        let path = stray.to_str().expect("UTF-8");
        let details = names(&verified, "faults", "detail");
        let told = details.iter().filter(|detail| detail.contains(path)).count();
        assert_eq!(told, 1, "{path} in {details:?}");
        assert_eq!(std::fs::read(stray).expect("there"), b"mine");
    }
    // One artifact alone is asked about: the others are none of it.
    ground.run(&["artifact", "verify", &id]).ok();
    // Stored and taken away, as was advised, they are no fault any more.
    for stray in &strays {
        let path = stray.to_str().expect("UTF-8");
        ground.json(&["artifact", "store", &ground.task, path]);
        if stray.parent() != Some(&folder) {
            std::fs::remove_file(stray).expect("removed");
        }
    }
    ground.run(&["artifact", "verify"]).ok();
}

#[test]
fn cleaning_the_project_loses_no_artifact() {
    let ground = Ground::new();
    let ids: Vec<String> = (0..5)
        .map(|n| ground.id(&format!("f{n}"), format!("text {n}")))
        .collect();
    std::fs::write(ground.repo.join("tracked"), "x").expect("written");
    git::commit_all(&ground.repo);
    git::git(&ground.repo, &["clean", "-fdxq"]);
    assert!(!ground.path(&ids[0]).exists());
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(ground.get(id, &[]), format!("text {n}").as_bytes());
    }
    let restored = ground.json(&["artifact", "restore"]);
    assert_eq!(restored["restored"].as_array().map(Vec::len), Some(5));
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(
            std::fs::read(ground.path(id)).expect("there"),
            format!("text {n}").as_bytes()
        );
    }
    ground.run(&["artifact", "verify"]).ok();
    assert_eq!(git::git(&ground.repo, &["status", "--porcelain"]).trim(), "");
}

#[test]
fn a_flipped_bit_is_found_and_mended_from_the_project() {
    let ground = Ground::new();
    let stored = ground.store("a.txt", lines(1000));
    let (id, digest) = (text(&stored, "artifact_id"), text(&stored, "digest"));
    ground.run(&["artifact", "verify"]).ok();
    let object = ground
        .bed
        .state()
        .join("objects")
        .join(&digest[..2])
        .join(&digest[2..]);
    let mut bytes = std::fs::read(&object).expect("there");
    bytes[1234] ^= 4;
    std::fs::write(&object, &bytes).expect("written");
    let verified = ground.run(&["artifact", "verify", "--json"]).ends(5).json();
    assert_eq!(names(&verified, "faults", "fault"), ["damaged"]);
    assert_eq!(
        ground.run(&["artifact", "get", id]).code,
        5,
        "a damaged whole is not called good"
    );
    ground.json(&["artifact", "restore", id]);
    ground.run(&["artifact", "verify"]).ok();
    assert_eq!(ground.get(id, &[]), lines(1000).as_bytes());
    // With both gone there is nothing to mend it from.
    std::fs::remove_file(&object).expect("removed");
    std::fs::write(ground.path(id), "other").expect("written");
    let lost = ground.run(&["artifact", "restore", id, "--force"]);
    assert_eq!(lost.code, 6, "{lost:?}");
}

#[test]
fn what_is_put_away_is_off_the_list_and_comes_back() {
    let ground = Ground::new();
    let (old, path) = {
        let id = ground.id("old.txt", lines(50_000));
        let path = ground.path(&id);
        (id, path)
    };
    let would = ground.json(&["artifact", "cleanup", "--older-than", "0s"]);
    assert_eq!(
        names(&would, "artifacts", "kept_because"),
        ["its task is still open"]
    );
    ground.json(&["task", "complete", &ground.task, "--summary", "s"]);
    let would = ground.json(&["artifact", "cleanup", "--older-than", "0s"]);
    assert_eq!(
        (would["done"].clone(), would["bytes"].clone()),
        (false.into(), lines(50_000).len().into())
    );
    assert!(path.exists(), "nothing was done");
    ground.json(&["artifact", "cleanup", "--older-than", "0s", "--yes"]);
    assert!(!path.exists());
    assert_eq!(ground.json(&["artifact", "list"])["total"], 0);
    assert_eq!(ground.json(&["artifact", "list", "--archived"])["total"], 1);
    let told = ground.json(&["artifact", "optimize"]);
    assert_eq!(
        (told["done"].clone(), told["compressed"].clone()),
        (false.into(), 1.into())
    );
    let squeezed = ground.json(&["artifact", "optimize", "--yes"]);
    assert!(
        squeezed["compressed_to"].as_u64().expect("a number") * 2
            < squeezed["compressed_from"].as_u64().expect("a number"),
        "{squeezed}"
    );
    assert_eq!(ground.get(&old, &[]), lines(50_000).as_bytes());
    assert_eq!(
        ground.get(&old, &["--range", "100:110"]),
        lines(50_000).as_bytes()[100..110]
    );
    ground.json(&["artifact", "restore", &old]);
    assert_eq!(std::fs::read(&path).expect("there"), lines(50_000).as_bytes());
    assert_eq!(ground.json(&["artifact", "list"])["total"], 1);
    ground.run(&["artifact", "verify"]).ok();
}

#[test]
fn an_old_version_is_made_the_newest_again() {
    let ground = Ground::new();
    let id = ground.id("a", "one");
    ground.store("a", "two");
    let restored = ground.json(&["artifact", "restore", &id, "--version", "1"]);
    assert_eq!(restored["restored"][0]["version"], 3);
    assert_eq!(ground.get(&id, &[]), b"one");
    assert_eq!(std::fs::read(ground.path(&id)).expect("there"), b"one");
    assert_eq!(ground.get(&id, &["--version", "2"]), b"two");
}

#[test]
fn a_snapshot_says_which_file_it_is_of() {
    let ground = Ground::new();
    std::fs::create_dir(ground.repo.join("src")).expect("made");
    std::fs::write(ground.repo.join("src/a.rs"), "fn a() {}\n").expect("written");
    let stored = ground.json(&[
        "artifact",
        "store",
        &ground.task,
        "--mirror",
        "src/a.rs",
        "--type",
        "code",
    ]);
    let shown = ground.json(&["artifact", "show", text(&stored, "artifact_id")]);
    assert_eq!(
        (text(&shown, "source"), text(&shown, "name")),
        ("src/a.rs", "a.rs")
    );
    std::fs::write(ground.repo.join("src/a.rs"), "fn b() {}\n").expect("written");
    let again = ground.json(&["artifact", "store", &ground.task, "--mirror", "src/a.rs"]);
    assert_eq!(
        (again["version"].clone(), text(&again, "artifact_id")),
        (2.into(), text(&stored, "artifact_id"))
    );
    for outside in ["/etc/passwd", "../f", ".task_orchestrator/workspace.json"] {
        let said = ground.run(&["artifact", "store", &ground.task, "--mirror", outside]);
        assert_eq!(said.code, 4, "{outside}: {said:?}");
    }
    assert_eq!(
        ground
            .run(&["artifact", "store", &ground.task, "--mirror", "nowhere"])
            .code,
        3
    );
}

#[test]
fn the_project_stays_untouched_when_its_things_are_kept_elsewhere() {
    let ground = Ground::new();
    // The tick writes into the project until the mirror of the trail is whole.
    deadline::until("the mirror of the trail", || {
        (ground.json(&["audit", "verify"])["mirror"]["state"] == "whole").then_some(())
    });
    ground.json(&["config", "set", "--user", "workspace.storage", "user"]);
    std::fs::remove_dir_all(ground.repo.join(".task_orchestrator")).expect("removed");
    let stored = ground.store("a.txt", "one");
    let path = text(&stored, "path");
    assert!(
        path.starts_with(ground.bed.state().to_str().expect("UTF-8")),
        "{path}"
    );
    assert_eq!(std::fs::read(path).expect("there"), b"one");
    assert!(!ground.repo.join(".task_orchestrator").exists());
}

#[test]
fn names_that_some_file_systems_take_for_one_get_folders_of_their_own() {
    let ground = Ground::new();
    let (small, capital) = (ground.id("report.md", "1"), ground.id("Report.md", "2"));
    assert_ne!(small, capital);
    assert_ne!(ground.path(&small).parent(), ground.path(&capital).parent());
    assert_eq!(std::fs::read(ground.path(&small)).expect("there"), b"1");
}
