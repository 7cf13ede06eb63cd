//! Detection over a fake world: one table of shapes, then each rule that the table cannot hold.

use super::*;
use crate::world::FakeWorld;
use proto::detect::Method;
use proto::{Kind, RawPath};

const HEAD: &str = "ref: refs/heads/main\n";

pub(super) fn repository(world: &FakeWorld, dir: &str) {
    world
        .file(format!("{dir}/HEAD"), HEAD)
        .dir(format!("{dir}/objects"))
        .dir(format!("{dir}/refs"));
}

pub(super) fn caller(cwd: &str, vars: &[(&str, &str)]) -> Caller {
    let vars = vars
        .iter()
        .map(|(name, value)| ((*name).to_owned(), RawPath::from(*value)))
        .collect();
    Caller {
        cwd: cwd.into(),
        vars,
        actor: None,
    }
}

pub(super) fn find(world: &FakeWorld, cwd: &str, vars: &[(&str, &str)]) -> Result<Detection> {
    Detector::new().find(world, &caller(cwd, vars), &From::Caller, &Settings::default())
}

fn explicit(world: &FakeWorld, path: &str) -> Result<Detection> {
    Detector::new().find(
        world,
        &caller("/", &[]),
        &From::Explicit(path.into()),
        &Settings::default(),
    )
}

/// Files (a name that ends in `/` is a repository, `name=text` has content), start, then root, package, method and
/// confidence in one line.
const SHAPES: &[(&[&str], &str, &str)] = &[
    (&["/p/.git/", "/p/src/"], "/p/src", "/p - vcs_root 8"),
    (&["/p/.git/", "/p/Cargo.toml"], "/p", "/p - vcs_root 8"),
    (
        &["/p/.git/", "/p/a/Cargo.toml", "/p/a/src/x"],
        "/p/a/src",
        "/p /p/a vcs_root 8",
    ),
    (
        &["/p/.git/", "/p/a/README.md", "/p/a/src/x"],
        "/p/a/src",
        "/p - vcs_root 8",
    ),
    (
        &["/p/.git/", "/p/a/.git/", "/p/a/b/x"],
        "/p/a/b",
        "/p/a - vcs_root 8",
    ),
    (
        &["/p/.git/HEAD=ref: x", "/p/package.json"],
        "/p",
        "/p - project_marker 9",
    ),
    (
        &["/p/.git/objects/x", "/p/.git/refs/x", "/p/requirements.txt"],
        "/p",
        "/p - current_directory 5",
    ),
    (&["/p/.jj/repo/x", "/p/a/go.mod"], "/p/a", "/p /p/a vcs_root 8"),
    (&["/p/.hg/requires", "/p/a/x"], "/p/a", "/p - vcs_root 8"),
    (&["/p/.svn/wc.db", "/p/a/x"], "/p/a", "/p - vcs_root 8"),
    (
        &["/p/.svn/entries", "/p/a/.svn/entries", "/p/a/b/.svn/entries"],
        "/p/a/b",
        "/p - vcs_root 8",
    ),
    (
        &["/p/.git/", "/p/a/.hg/requires", "/p/a/x"],
        "/p/a",
        "/p/a - vcs_root 8",
    ),
    (&["/p/.jj/", "/p/pom.xml"], "/p", "/p - project_marker 8"),
    (
        &["/p/Cargo.toml", "/p/a/src/x"],
        "/p/a/src",
        "/p - project_marker 9",
    ),
    (
        &["/p/Cargo.toml=[workspace]", "/p/a/Cargo.toml"],
        "/p/a",
        "/p /p/a project_marker 9",
    ),
    (
        &["/p/Cargo.toml=[package]", "/p/a/Cargo.toml"],
        "/p/a",
        "/p/a - project_marker 9",
    ),
    (
        &["/p/package.json={\"workspaces\":[\"a\"]}", "/p/a/package.json"],
        "/p/a",
        "/p /p/a project_marker 9",
    ),
    (
        &["/p/package.json={}", "/p/a/package.json"],
        "/p/a",
        "/p/a - project_marker 9",
    ),
    (
        &["/p/pnpm-workspace.yaml", "/p/a/b/package.json"],
        "/p/a/b",
        "/p /p/a/b project_marker 8",
    ),
    (&["/p/go.work", "/p/a/go.mod"], "/p/a", "/p /p/a project_marker 9"),
    (
        &["/p/nx.json", "/p/a/package.json"],
        "/p/a",
        "/p /p/a project_marker 8",
    ),
    (
        &["/p/turbo.json", "/p/a/package.json"],
        "/p/a",
        "/p /p/a project_marker 7",
    ),
    (
        &[
            "/p/turbo.json",
            "/p/package.json",
            "/p/a/package.json",
            "/p/a/turbo.json={\"extends\":[\"//\"]}",
        ],
        "/p/a",
        "/p /p/a project_marker 9",
    ),
    (
        &["/p/lerna.json", "/p/a/package.json"],
        "/p/a",
        "/p /p/a project_marker 8",
    ),
    (&["/p/a.sln", "/p/a/a.csproj"], "/p/a", "/p/a - project_marker 8"),
    (
        &["/p/Makefile", "/p/Dockerfile", "/p/a/x"],
        "/p/a",
        "/p/a - current_directory 5",
    ),
    (
        &["/p/package.json/x", "/p/a/x"],
        "/p/a",
        "/p/a - current_directory 5",
    ),
    (&["/p/.vscode", "/p/.idea/x"], "/p", "/p - current_directory 5"),
    (&["/p/a/x"], "/p/a/x", "/p/a - current_directory 5"),
];

#[test]
fn every_shape_of_project_is_found() {
    for (files, start, expected) in SHAPES {
        let world = FakeWorld::new();
        for file in *files {
            match (file.strip_suffix("/"), file.split_once('=')) {
                (Some(dir), _) if dir.ends_with(".git") => repository(&world, dir),
                (Some(dir), _) => {
                    world.dir(dir);
                }
                (None, Some((name, text))) => {
                    world.file(name, text);
                }
                (None, None) => {
                    world.file(file, "");
                }
            }
        }
        let found = find(&world, start, &[]).unwrap_or_else(|error| panic!("{files:?}: {error}"));
        let package = found
            .package
            .as_ref()
            .map_or("-".into(), |package| package.display().into_owned());
        let method = serde_json::to_value(found.method).unwrap();
        let line = format!(
            "{} {package} {} {}",
            found.root.display(),
            method.as_str().unwrap(),
            found.confidence
        );
        assert_eq!(line, *expected, "{files:?} from {start}: {found:?}");
    }
}

#[test]
fn an_invalid_git_is_passed_over_with_a_warning() {
    let world = FakeWorld::new();
    repository(&world, "/p/.git");
    world
        .dir("/p/a/.git")
        .file("/p/b/.git", "nonsense")
        .link("/p/c/.git", ".git");
    for dir in ["/p/a", "/p/b", "/p/c"] {
        let found = find(&world, dir, &[]).unwrap();
        assert_eq!(found.root.display(), "/p");
        assert!(
            found.warnings[0].contains(&format!("{dir}/.git")),
            "{:?}",
            found.warnings
        );
    }
}

#[test]
fn markers_are_told_with_types_for_package_and_root() {
    let world = FakeWorld::new();
    repository(&world, "/p/.git");
    world
        .file("/p/README.md", "")
        .file("/p/Cargo.toml", "")
        .file("/p/a/package.json", "")
        .file("/p/a/yarn.lock", "");
    let found = find(&world, "/p/a", &[]).unwrap();
    let names: Vec<&str> = found.markers.iter().map(|marker| marker.name.as_str()).collect();
    assert_eq!(names, ["package.json", "yarn.lock", "Cargo.toml", "README.md"]);
    assert_eq!(found.project_types, ["javascript", "rust", "docs"]);
}

#[test]
fn with_git_not_preferred_the_nearest_package_is_the_root() {
    let world = FakeWorld::new();
    repository(&world, "/p/.git");
    world
        .file("/p/a/Cargo.toml", "")
        .file("/Cargo.toml", "[workspace]")
        .dir("/p/b");
    let settings = Settings {
        prefer_git_root: false,
        ..Settings::default()
    };
    let root = |cwd| {
        let found = Detector::new()
            .find(&world, &caller(cwd, &[]), &From::Caller, &settings)
            .unwrap();
        (
            found.root.display().into_owned(),
            found.method,
            found.vcs.is_some(),
        )
    };
    assert_eq!(root("/p/a"), ("/p/a".into(), Method::ProjectMarker, true));
    assert_eq!(root("/p/b"), ("/p".into(), Method::VcsRoot, true));
}

#[test]
fn client_directories_are_tried_in_order_and_those_that_fail_are_told() {
    let world = FakeWorld::new();
    world
        .dir("/c1")
        .dir("/c2")
        .dir("/x")
        .file("/file", "")
        .dir("/etc");
    let vars = [
        ("VSCODE_CWD", "/c2"),
        ("CURSOR_WORKING_DIR", "/c1"),
        ("CLAUDE_PROJECT_DIR", "/gone"),
    ];
    let vars = [
        &vars[..],
        &[("MCP_CLIENT_PWD", "/file"), ("TO_PROJECT_DIR", "/etc")],
    ]
    .concat();
    let found = find(&world, "/x", &vars).unwrap();
    assert_eq!(
        (found.root.display().as_ref(), found.method, found.confidence),
        ("/c1", Method::ClientDirectory, 7)
    );
    assert_eq!(found.warnings.len(), 3, "{:?}", found.warnings);
}

#[test]
fn home_is_the_last_resort_and_can_be_forbidden() {
    let world = FakeWorld::new();
    world.dir("/home/u").dir("/etc");
    let found = find(&world, "/etc", &[("HOME", "/home/u")]).unwrap();
    assert_eq!(
        (found.root.display().as_ref(), found.method, found.confidence),
        ("/home/u", Method::UserHome, 3)
    );
    let settings = Settings {
        fallback_to_home: false,
        ..Settings::default()
    };
    let error = Detector::new()
        .find(
            &world,
            &caller("/etc", &[("HOME", "/home/u")]),
            &From::Caller,
            &settings,
        )
        .unwrap_err();
    assert_eq!(
        (error.kind, error.what.as_str()),
        (Kind::NotFound, "no workspace")
    );
    assert_eq!(find(&world, "/", &[]).unwrap_err().kind, Kind::NotFound);
}

#[test]
fn an_explicit_path_is_taken_or_refused_and_never_replaced() {
    let world = FakeWorld::new();
    repository(&world, "/p/.git");
    world
        .dir("/p/a")
        .file("/p/file", "")
        .dir("/etc/x")
        .dir("/etcetera")
        .dir("/shut")
        .link("/p/sly", "/etc/x");
    world
        .chmod("/shut", 0o300)
        .link("/p/round", "round")
        .dir("/run")
        .link("/var/run", "/run");
    let found = explicit(&world, "/p/a").unwrap();
    assert_eq!(
        (found.root.display().as_ref(), found.method, found.confidence),
        ("/p/a", Method::Explicit, 10)
    );
    assert_eq!(found.vcs.unwrap().branch.as_deref(), Some("main"));
    assert!(explicit(&world, "/etcetera").is_ok());
    let cases = [
        ("/p/gone", Kind::NotFound),
        ("/p/file", Kind::Usage),
        ("/shut", Kind::Refused),
        ("/etc", Kind::Refused),
        ("/etc/x", Kind::Refused),
        ("/p/sly", Kind::Refused),
        ("/p/../etc", Kind::Refused),
        ("/var/run", Kind::Refused),
        ("/", Kind::Refused),
        ("/p/round", Kind::Usage),
        ("", Kind::Usage),
        ("/p\0", Kind::Usage),
    ];
    for (path, kind) in cases {
        assert_eq!(explicit(&world, path).unwrap_err().kind, kind, "{path}");
    }
}

#[test]
fn a_start_path_that_is_missing_is_an_error_that_names_what_is_there() {
    let world = FakeWorld::new();
    world.dir("/p/a");
    let from = From::Start("a/gone/x".into());
    let error = Detector::new()
        .find(&world, &caller("/p", &[]), &from, &Settings::default())
        .unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    assert!(error.next.unwrap().contains("`/p/a`"));
}

#[test]
fn names_of_any_bytes_are_taken_as_they_are() {
    use std::os::unix::ffi::OsStrExt;
    for name in [&b"a\nb"[..], b"\xff\xfe", b" ", &[b'x'; 255]] {
        let world = FakeWorld::new();
        let dir = std::path::Path::new("/p").join(std::ffi::OsStr::from_bytes(name));
        world.file(dir.join("Cargo.toml"), "");
        let caller = Caller {
            cwd: RawPath::from(dir.as_path()),
            ..Caller::default()
        };
        let found = Detector::new()
            .find(&world, &caller, &From::Caller, &Settings::default())
            .unwrap();
        assert_eq!(found.root, RawPath::from(dir));
    }
}

#[test]
fn a_directory_too_large_to_read_whole_is_asked_for_known_names() {
    let world = FakeWorld::new();
    for n in 0..4200 {
        world.file(format!("/p/{n}"), "");
    }
    world.file("/p/Cargo.toml", "");
    let found = find(&world, "/p", &[]).unwrap();
    assert_eq!((found.method, found.warnings.len()), (Method::ProjectMarker, 2));
}

#[test]
fn the_border_of_a_file_system_is_crossed_only_when_asked() {
    let world = FakeWorld::new();
    repository(&world, "/p/.git");
    world.dir("/p/mnt/a").mount("/p/mnt", "ext4");
    assert_eq!(
        find(&world, "/p/mnt/a", &[]).unwrap().method,
        Method::CurrentDirectory
    );
    let across = [("GIT_DISCOVERY_ACROSS_FILESYSTEM", "1")];
    assert_eq!(find(&world, "/p/mnt/a", &across).unwrap().method, Method::VcsRoot);
}

#[test]
fn a_repository_of_another_user_is_told() {
    let world = FakeWorld::new();
    repository(&world, "/p/.git");
    world.chown("/p", 4711);
    let found = find(&world, "/p", &[]).unwrap();
    assert!(
        found.warnings.iter().any(|warning| warning.contains("4711")),
        "{:?}",
        found.warnings
    );
}
