//! Roles through the built programs.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::daemon::Bed;
use tests::git;
use tests::process::{self, Said};

fn at(bed: &Bed, folder: &Path, line: &str) -> Said {
    process::run(bed.tocli(line.split(' ').chain(["--json"])).current_dir(folder))
}

fn names(list: &Value) -> Vec<String> {
    let roles = list["roles"].as_array().expect("a list");
    roles
        .iter()
        .filter_map(|role| role["name"].as_str().map(str::to_owned))
        .collect()
}

const BUILT_IN: [&str; 12] = [
    "architect",
    "implementer",
    "coder",
    "debugger",
    "tester",
    "reviewer",
    "documenter",
    "researcher",
    "analyst",
    "devops",
    "coordinator",
    "generic",
];

#[test]
fn a_workspace_overrides_just_the_roles_it_names_and_may_add_new_ones() {
    let bed = Bed::new();
    let repo = bed.project("repo");
    git::init(&repo);
    let list = at(&bed, &repo, "role list").ok().json();
    for name in BUILT_IN {
        assert!(names(&list).contains(&name.to_owned()), "{name} in {list}");
    }
    let role = |name: &str| at(&bed, &repo, &format!("role show {name}")).ok().json();
    let plain = role("coder");
    assert_eq!(plain["layer"], "built_in");
    assert!(
        plain["role_definition"]
            .as_str()
            .is_some_and(|text| text.len() > 40),
        "{plain}"
    );

    let users = bed.home().join(".config/task-orchestrator/roles");
    fs::create_dir_all(&users).expect("made");
    fs::write(
        users.join("mine.yaml"),
        "coder:\n  role_definition: the user's\ntester:\n  role_definition: the user's\n",
    )
    .expect("written");
    let projects = repo.join(".task_orchestrator/roles");
    fs::create_dir_all(&projects).expect("made");
    fs::write(
        projects.join("ours.yaml"),
        "coder:\n  role_definition: the project's\nchemist:\n  role_definition: mixes\n  expertise: [acids]\n",
    )
    .expect("written");
    for (name, text, layer) in [
        ("coder", "the project's", "workspace"),
        ("tester", "the user's", "user"),
        ("chemist", "mixes", "workspace"),
    ] {
        let found = role(name);
        assert_eq!(
            (&found["role_definition"], &found["layer"]),
            (&text.into(), &layer.into()),
            "{name}"
        );
    }
    assert_eq!(role("architect")["layer"], "built_in");
    let list = at(&bed, &repo, "role list").ok().json();
    assert_eq!(names(&list).len(), BUILT_IN.len() + 1);
}

#[test]
fn a_role_file_with_a_mistake_is_told_with_its_line_and_harms_no_other() {
    let bed = Bed::new();
    let repo = bed.project("repo");
    git::init(&repo);
    let roles = repo.join(".task_orchestrator/roles");
    fs::create_dir_all(&roles).expect("made");
    fs::write(roles.join("good.yaml"), "chemist:\n  role_definition: mixes\n").expect("written");
    fs::write(
        roles.join("bad.yaml"),
        "coder:\n  role_definition: x\n  expertize: [y]\n",
    )
    .expect("written");
    let list = at(&bed, &repo, "role list").ok().json();
    let warnings = list["warnings"].to_string();
    assert!(
        warnings.contains("bad.yaml") && warnings.contains('3'),
        "{warnings}"
    );
    assert!(names(&list).contains(&"chemist".to_owned()));
    assert_eq!(names(&list).iter().filter(|name| *name == "coder").count(), 1);
}

#[test]
fn init_writes_a_file_that_is_in_force_and_never_over_another() {
    let bed = Bed::new();
    let repo = bed.project("repo");
    fs::write(repo.join("Cargo.toml"), "[package]\n").expect("written");
    git::init(&repo);
    let written = at(&bed, &repo, "role init --for rust").ok().json();
    let file = written["file"].as_str().expect("a file").to_owned();
    assert!(
        Path::new(&file).starts_with(repo.join(".task_orchestrator/roles")),
        "{file}"
    );
    let names = written["roles"].as_array().expect("names").clone();
    assert!(!names.is_empty());
    for name in names {
        let name = name.as_str().expect("a name");
        let shown = at(&bed, &repo, &format!("role show {name}")).ok().json();
        assert_eq!(
            (&shown["layer"], &shown["file"]),
            (&"workspace".into(), &file.as_str().into())
        );
    }
    fs::write(&file, "mine:\n  role_definition: edited by hand\n").expect("written");
    let again = at(&bed, &repo, "role init --for rust");
    assert_ne!(again.code, 0, "{again:?}");
    assert!(
        fs::read_to_string(&file)
            .expect("there")
            .contains("edited by hand")
    );
    assert_eq!(at(&bed, &repo, "role init --for nonsense").code, 3);
}
