//! Settings and roles as they are written into files.

use super::*;

#[test]
fn what_git_would_add_of_the_folder_is_settings_roles_and_decisions_alone() {
    let bed = Bed::real();
    let root = bed.base.join("p");
    std::fs::create_dir(&root).unwrap();
    git(&root, &["init", "-q"]);
    bed.create("p", Seed::Template("rust".into())).unwrap();
    for name in [
        "artifacts/a",
        "decisions/0001-x.md",
        "logs/audit.jsonl",
        "roles/.draft-1",
    ] {
        bed.world
            .write(&root, &Path::new(FOLDER).join(name), b"x")
            .unwrap();
    }
    let listed = std::process::Command::new("git")
        .args(["ls-files", "-co", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<&str> = listed
        .lines()
        .map(|line| line.strip_prefix(".task_orchestrator/").unwrap())
        .collect();
    assert_eq!(names, ["config.yaml", "decisions/0001-x.md", "roles/rust.yaml"]);
}

#[test]
fn a_workspace_begins_with_the_settings_and_roles_of_another_and_overwrites_nothing() {
    let bed = Bed::fake();
    bed.world.dir("/w/a").dir("/w/b").dir("/w/c");
    bed.create("a", Seed::Template("python".into())).unwrap();
    let copied = bed.create("b", Seed::Existing("a".into())).unwrap();
    assert!(copied.totals.bytes > 1000 && !copied.totals.bytes_at_least);
    assert_eq!(bed.get("b", "workspace.project_type").0, "\"python\"");
    assert_eq!(
        bed.create("b", Seed::Template("go".into())).unwrap_err().kind,
        Kind::Conflict
    );
    assert_eq!(bed.get("b", "workspace.project_type").0, "\"python\"");
    assert_eq!(
        bed.create("c", Seed::Template("pyton".into())).unwrap_err().kind,
        Kind::NotFound
    );
    assert_eq!(
        bed.create("b", Seed::Existing("c".into())).unwrap_err().kind,
        Kind::NotFound
    );
    assert!(
        bed.list().iter().all(|workspace| workspace.name != "c"),
        "a refused creation enters nothing"
    );
}

#[test]
fn a_setting_is_written_read_back_unset_and_reset_with_the_old_file_kept() {
    let bed = Bed::fake();
    bed.world.dir("/w/p").file(
        "/w/config/config.yaml",
        "# mine\nwatch:\n  poll_seconds: 3 # three\n",
    );
    let conf::Answer::Written { now: Some(now), .. } =
        bed.set("p", Layer::User, "watch.settle_ms", "7").unwrap()
    else {
        panic!("written");
    };
    assert_eq!(
        (now.value.as_str(), now.layer, now.line),
        ("7", Layer::User, Some(4))
    );
    let text =
        || String::from_utf8(bed.world.read(Path::new("/w/config/config.yaml"), 999).unwrap()).unwrap();
    assert_eq!(
        text(),
        "# mine\nwatch:\n  poll_seconds: 3 # three\n  settle_ms: 7\n"
    );
    bed.set("p", Layer::Workspace, "watch.settle_ms", "8").unwrap();
    assert_eq!(bed.get("p", "watch.settle_ms"), ("8".into(), Layer::Workspace));
    let unset = conf::Request::Unset {
        at: bed.at("p"),
        layer: Layer::Workspace,
        key: "watch.settle_ms".into(),
    };
    bed.config(unset).unwrap();
    assert_eq!(bed.get("p", "watch.settle_ms"), ("7".into(), Layer::User));
    let reset = conf::Request::Reset {
        at: bed.at("p"),
        layer: Layer::User,
    };
    let conf::Answer::Written { kept: Some(kept), .. } = bed.config(reset.clone()).unwrap() else {
        panic!("kept");
    };
    assert!(
        bed.world
            .read(kept.as_path(), 999)
            .unwrap()
            .starts_with(b"# mine")
    );
    assert_eq!(bed.get("p", "watch.settle_ms").1, Layer::BuiltIn);
    assert!(matches!(
        bed.config(reset).unwrap(),
        conf::Answer::Written { kept: None, .. }
    ));
}

#[test]
fn what_would_not_count_or_cannot_be_edited_is_not_written() {
    let bed = Bed::fake();
    bed.world.dir("/w/p");
    for (key, value, kind) in [
        ("agents.max_count", "1", Kind::Refused),
        ("watch.max_watches", "16777216", Kind::Refused),
        ("detection.fallback_to_home", "false", Kind::Refused),
        ("watch.setle_ms", "1", Kind::Usage),
        ("watch.settle_ms", "soon", Kind::Usage),
    ] {
        assert_eq!(
            bed.set("p", Layer::Workspace, key, value).unwrap_err().kind,
            kind,
            "{key}"
        );
    }
    assert_eq!(
        bed.set("p", Layer::Project, "watch.settle_ms", "1")
            .unwrap_err()
            .kind,
        Kind::Usage
    );
    assert!(bed.world.stat(Path::new("/w/p/.task_orchestrator")).is_err());
    bed.set("p", Layer::Workspace, "watch.max_watches", "1000")
        .unwrap();
    for broken in ["{}\n", "watch:\n  settle_ms: [\n", "watch:\n  unknown: 1\n"] {
        bed.world.file("/w/config/config.yaml", broken);
        let error = bed.set("p", Layer::User, "watch.settle_ms", "1").unwrap_err();
        assert_eq!(error.kind, Kind::Refused, "{error}");
        assert_eq!(
            bed.world.read(Path::new("/w/config/config.yaml"), 99).unwrap(),
            broken.as_bytes()
        );
    }
}

#[test]
fn the_users_file_is_made_with_its_folders_and_written_where_a_link_leads() {
    let bed = Bed::real();
    std::fs::create_dir(bed.base.join("p")).unwrap();
    std::fs::remove_dir(bed.base.join("config")).unwrap();
    bed.set("p", Layer::User, "agents.max_count", "3").unwrap();
    let own = bed.base.join("config/config.yaml");
    assert_eq!(
        std::fs::read_to_string(&own).unwrap(),
        "agents:\n  max_count: 3\n"
    );
    std::fs::create_dir(bed.base.join("dot")).unwrap();
    std::fs::rename(&own, bed.base.join("dot/mine.yaml")).unwrap();
    std::os::unix::fs::symlink("../dot/mine.yaml", &own).unwrap();
    bed.set("p", Layer::User, "agents.max_count", "4").unwrap();
    assert!(std::fs::symlink_metadata(&own).unwrap().is_symlink());
    assert!(
        std::fs::read_to_string(bed.base.join("dot/mine.yaml"))
            .unwrap()
            .contains("max_count: 4")
    );
    assert_eq!(bed.get("p", "agents.max_count").0, "4");
}

#[test]
fn roles_for_a_project_type_are_written_once_and_count_at_once() {
    let bed = Bed::fake();
    bed.world.dir("/w/p");
    let init = || {
        bed.role(proto::role::Request::Init {
            at: bed.at("p"),
            project_type: None,
        })
    };
    assert!(matches!(init().unwrap(), proto::role::Answer::Written { roles, .. } if roles.len() == 5));
    assert_eq!(init().unwrap_err().kind, Kind::Conflict);
    let shown = bed
        .role(proto::role::Request::Show {
            at: bed.at("p"),
            name: "coder".into(),
        })
        .unwrap();
    assert!(matches!(shown, proto::role::Answer::Role(role) if role.layer == Layer::Workspace));
    let wrong = bed
        .role(proto::role::Request::Show {
            at: bed.at("p"),
            name: "codr".into(),
        })
        .unwrap_err();
    assert!(wrong.what.contains("`coder`"), "{wrong}");
}
