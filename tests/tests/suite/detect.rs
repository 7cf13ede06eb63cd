//! Detection through the built programs, with git as the judge where git has an opinion.

mod ahead;
mod oracle;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use proto::Kind;
use proto::detect::{From, Method};
use tests::ask::raw;
use tests::daemon::{Bed, chmod, root};
use tests::git::{self, git};
use tests::wire::Peer;

fn path(raw: &proto::RawPath) -> PathBuf {
    raw.to_path_buf()
}

/// The real path, as git says it.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).expect("it is there")
}

fn agrees_with_git(peer: &mut Peer, folder: &Path) {
    let ours = peer
        .detect(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    match git::toplevel(folder) {
        Some(toplevel) => {
            assert_eq!(path(&ours.root), toplevel, "from {}", folder.display());
            assert_eq!(ours.method, Method::VcsRoot, "from {}", folder.display());
        }
        None => assert_ne!(
            ours.method,
            Method::VcsRoot,
            "from {}: {ours:?}",
            folder.display()
        ),
    }
}

#[test]
fn plain_repositories_are_where_git_says_from_every_folder() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let mut peer = bed.peer();
    let plain = bed.project("plain");
    for folder in ["src/deep/deeper", "target", "with space", "ünï/ço∂é"] {
        std::fs::create_dir_all(plain.join(folder)).expect("made");
    }
    agrees_with_git(&mut peer, &plain);
    git::init(&plain);
    for folder in ["", "src", "src/deep/deeper", "target", "with space", "ünï/ço∂é"] {
        agrees_with_git(&mut peer, &plain.join(folder));
    }
    let found = peer.detect(&plain.join("src")).expect("found");
    let vcs = found.vcs.expect("version control");
    assert_eq!((vcs.kind.as_str(), vcs.branch.as_deref()), ("git", Some("main")));
    git(&plain, &["checkout", "-q", "--detach"]);
    let vcs = peer.detect(&plain).expect("found").vcs.expect("version control");
    assert_eq!(vcs.branch, None, "a detached head has no branch");
}

#[test]
fn a_linked_worktree_is_its_own_root_and_names_the_main_checkout() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let mut peer = bed.peer();
    let main = bed.project("main");
    git::init(&main);
    for at in ["../linked", "inside/linked", ".claude/worktrees/agent"] {
        git(&main, &["worktree", "add", "-q", "--detach", at]);
        let linked = real(&main.join(at));
        agrees_with_git(&mut peer, &linked);
        let vcs = peer.detect(&linked).expect("found").vcs.expect("version control");
        assert_eq!(vcs.main_root.as_ref().map(path), Some(real(&main)), "{at}");
    }
    assert_eq!(
        peer.detect(&main)
            .expect("found")
            .vcs
            .and_then(|vcs| vcs.main_root),
        None
    );
}

#[test]
fn a_submodule_is_its_own_root_and_names_its_superproject() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let mut peer = bed.peer();
    let (library, user) = (bed.project("library"), bed.project("user"));
    git::init(&library);
    git::init(&user);
    git(
        &user,
        &["submodule", "--quiet", "add", "../library", "third/library"],
    );
    git::commit_all(&user);
    let inside = user.join("third/library");
    std::fs::create_dir(inside.join("src")).expect("made");
    for folder in [
        user.clone(),
        user.join("third"),
        inside.clone(),
        inside.join("src"),
    ] {
        agrees_with_git(&mut peer, &folder);
    }
    let vcs = peer.detect(&inside).expect("found").vcs.expect("version control");
    assert_eq!(vcs.superproject.as_ref().map(path), Some(real(&user)));
}

#[test]
fn worktrees_beside_a_bare_repository_are_where_git_says() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let mut peer = bed.peer();
    let origin = bed.project("origin");
    git::init(&origin);
    let yard = bed.project("yard");
    git(&yard, &["clone", "-q", "--bare", "../origin", ".bare"]);
    std::fs::write(yard.join(".git"), "gitdir: ./.bare\n").expect("written");
    git(&yard, &["worktree", "add", "-q", "main"]);
    git(&yard, &["worktree", "add", "-q", "-b", "topic", "topic"]);
    for tree in ["main", "topic"] {
        std::fs::create_dir(yard.join(tree).join("src")).expect("made");
        agrees_with_git(&mut peer, &yard.join(tree));
        agrees_with_git(&mut peer, &yard.join(tree).join("src"));
    }
    let vcs = peer
        .detect(&yard.join("topic"))
        .expect("found")
        .vcs
        .expect("version control");
    assert_eq!(vcs.branch.as_deref(), Some("topic"));
}

#[test]
fn of_nested_repositories_the_nearest_one_that_git_would_take_counts() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let mut peer = bed.peer();
    let outer = bed.project("outer");
    git::init(&outer);
    git::init(&outer.join("vendor/inner"));
    std::fs::create_dir_all(outer.join("empty/.git")).expect("made");
    std::fs::create_dir_all(outer.join("headless/src")).expect("made");
    git(&outer.join("headless"), &["init", "-q"]);
    std::fs::remove_file(outer.join("headless/.git/HEAD")).expect("removed");
    std::fs::create_dir_all(outer.join("pointing")).expect("made");
    std::fs::write(outer.join("pointing/.git"), "gitdir: ../nowhere\n").expect("written");
    for folder in ["", "vendor", "vendor/inner", "empty", "headless", "headless/src"] {
        agrees_with_git(&mut peer, &outer.join(folder));
    }
    for skipped in ["empty", "headless"] {
        let found = peer.detect(&outer.join(skipped)).expect("found");
        assert!(
            !found.warnings.is_empty(),
            "{skipped}: a `.git` that was skipped is told"
        );
    }
    // Where git refuses altogether, an outer repository must not be mixed up with what the pointer meant.
    let found = peer.detect(&outer.join("pointing")).expect("found");
    assert!(!found.warnings.is_empty(), "{found:?}");
}

#[test]
fn links_lead_to_the_repository_that_git_sees_through_them() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let mut peer = bed.peer();
    let (one, other) = (bed.project("one"), bed.project("other"));
    git::init(&one);
    git::init(&other);
    std::fs::create_dir(other.join("deep")).expect("made");
    std::os::unix::fs::symlink(other.join("deep"), one.join("link")).expect("linked");
    agrees_with_git(&mut peer, &one.join("link"));
    agrees_with_git(&mut peer, &one);
}

#[test]
fn a_ceiling_of_the_caller_is_kept_as_git_keeps_it() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let mut peer = bed.peer();
    let outer = bed.project("outer");
    git::init(&outer);
    let inside = outer.join("a/b");
    std::fs::create_dir_all(&inside).expect("made");
    for (ceiling, found) in [
        (outer.join("a"), false),
        (outer.clone(), false),
        (bed.work(), true),
    ] {
        let vars = [("GIT_CEILING_DIRECTORIES", ceiling.as_path())];
        let ours = peer.detect_from(&inside, &vars, From::Caller).expect("found");
        assert_eq!(
            ours.method == Method::VcsRoot,
            found,
            "{}: {ours:?}",
            ceiling.display()
        );
        let mut judge = git::command(&inside);
        judge
            .env("GIT_CEILING_DIRECTORIES", &ceiling)
            .args(["rev-parse", "--show-toplevel"]);
        assert_eq!(
            tests::process::run(&mut judge).code == 0,
            found,
            "{}",
            ceiling.display()
        );
    }
}

#[test]
fn an_explicit_path_that_is_no_project_is_an_error_and_nothing_is_made() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let mut peer = bed.peer();
    let missing = bed.work().join("missing/deeper");
    let file = bed.work().join("file");
    std::fs::write(&file, "x").expect("written");
    let kind = |peer: &mut Peer, path: &Path| peer.detect_explicit(path).expect_err("an error").kind;
    assert_eq!(kind(&mut peer, &missing), Kind::NotFound);
    assert!(!bed.work().join("missing").exists());
    assert_eq!(kind(&mut peer, &file), Kind::Usage);
    assert_eq!(kind(&mut peer, &file.join("below")), Kind::NotFound);
    for system in [
        "/",
        "/etc",
        "/etc/ssl",
        "/proc",
        "/proc/self",
        "/usr",
        "/usr/bin",
        "/dev",
    ] {
        if Path::new(system).is_dir() {
            assert_eq!(kind(&mut peer, Path::new(system)), Kind::Refused, "{system}");
        }
    }
    // Compared by component: not refused, only not there.
    assert!(!Path::new("/etcetera").exists());
    assert_eq!(kind(&mut peer, Path::new("/etcetera")), Kind::NotFound);
    // Not by way of a link or dots either.
    let link = bed.work().join("link");
    std::os::unix::fs::symlink("/etc", &link).expect("linked");
    assert_eq!(kind(&mut peer, &link), Kind::Refused);
    assert_eq!(
        kind(&mut peer, &bed.work().join("../../../../../../etc")),
        Kind::Refused
    );
    let mut left: Vec<_> = std::fs::read_dir(bed.work())
        .expect("listed")
        .flatten()
        .map(|e| e.file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["file", "link"]);
}

#[test]
fn an_explicit_folder_that_cannot_be_read_is_refused() {
    let Some(bed) = Bed::of_ordinary_user() else {
        return;
    };
    let closed = bed.project("closed");
    if root() {
        std::os::unix::fs::chown(&closed, Some(tests::daemon::ORDINARY), None).expect("given away");
    }
    chmod(&closed, 0o000);
    let said = bed.run(["detect", "--explicit", closed.to_str().expect("UTF-8"), "--json"]);
    chmod(&closed, 0o700);
    assert_eq!(said.code, 4, "{said:?}");
    bed.run(["detect", "--explicit", closed.to_str().expect("UTF-8"), "--json"])
        .ok();
}

#[test]
fn the_callers_directories_are_believed_in_their_order_and_the_daemons_never() {
    let bed = Bed::new();
    let (first, second) = (bed.project("first"), bed.project("second"));
    let _daemon = bed.start_with(|tod| {
        tod.env("CLAUDE_PROJECT_DIR", bed.project("of-the-daemon"));
    });
    let mut peer = bed.peer();
    let nowhere = bed.project("nowhere");
    let found = peer.detect(&nowhere).expect("found");
    assert_eq!(
        (found.method, path(&found.root)),
        (Method::CurrentDirectory, real(&nowhere))
    );
    let names = proto::caller::CLIENT_DIRECTORIES;
    for (place, name) in names.iter().enumerate() {
        let mut vars = vec![(*name, first.as_path())];
        vars.extend(names.get(place + 1).map(|next| (*next, second.as_path())));
        let found = peer.detect_from(&nowhere, &vars, From::Caller).expect("found");
        assert_eq!(
            (found.method, path(&found.root)),
            (Method::ClientDirectory, real(&first)),
            "{name}"
        );
        assert_eq!(found.confidence, 7);
    }
}

#[test]
fn strange_names_come_back_as_they_are() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let mut peer = bed.peer();
    let longest = "l".repeat(255);
    for name in [
        b"line\nend".as_slice(),
        b"\xff\xfe not text",
        b"  spaces  ",
        b"-dash",
        b"\x1b[31mred",
        longest.as_bytes(),
    ] {
        let folder = bed.work().join(OsStr::from_bytes(name));
        std::fs::create_dir_all(folder.join("src")).expect("made");
        std::fs::write(folder.join("Cargo.toml"), "[package]\n").expect("written");
        let found = peer.detect(&folder.join("src")).expect("found");
        assert_eq!(path(&found.root), real(&folder));
        assert_eq!(found.method, Method::ProjectMarker);
        // The same through the client: text as text, other bytes as bytes.
        let mut tocli = bed.tocli(["detect", "--json"]);
        let json = tests::process::run(tocli.current_dir(folder.join("src")))
            .ok()
            .json();
        let root = &json["root"];
        let bytes = match root.as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => unhex(root["hex"].as_str().expect("bytes in hex")),
        };
        assert_eq!(bytes, real(&folder).as_os_str().as_bytes());
    }
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex"))
        .collect()
}

#[test]
fn links_in_a_circle_are_an_error_and_not_a_hang() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let mut peer = bed.peer();
    let (a, b) = (bed.work().join("a"), bed.work().join("b"));
    std::os::unix::fs::symlink(&b, &a).expect("linked");
    std::os::unix::fs::symlink(&a, &b).expect("linked");
    assert!(peer.detect_explicit(&a).is_err());
    let project = bed.project("project");
    std::os::unix::fs::symlink("Cargo.toml", project.join("Cargo.toml")).expect("linked");
    std::os::unix::fs::symlink(".git", project.join(".git")).expect("linked");
    let found = peer.detect(&project).expect("found");
    assert_eq!(found.method, Method::CurrentDirectory, "{found:?}");
}

#[test]
fn a_monorepo_names_the_package_beside_the_root() {
    let bed = Bed::new();
    let _daemon = bed.start();
    let mut peer = bed.peer();
    let repo = bed.project("repo");
    let member = repo.join("crates/member");
    std::fs::create_dir_all(member.join("src")).expect("made");
    std::fs::write(member.join("Cargo.toml"), "[package]\n").expect("written");
    std::fs::write(repo.join("Cargo.toml"), "[workspace]\nmembers = [\"crates/*\"]\n").expect("written");
    let found = peer.detect(&member.join("src")).expect("found");
    assert_eq!(
        (found.method, path(&found.root)),
        (Method::ProjectMarker, real(&repo))
    );
    assert_eq!(found.package.as_ref().map(path), Some(real(&member)));
    git::init(&repo);
    let found = peer.detect(&member.join("src")).expect("found");
    assert_eq!((found.method, path(&found.root)), (Method::VcsRoot, real(&repo)));
    assert_eq!(found.package.as_ref().map(path), Some(real(&member)));
    assert!(found.project_types.contains(&"rust".to_owned()), "{found:?}");
}

#[test]
fn tocli_detect_says_every_field_by_its_name() {
    let bed = Bed::new();
    let repo = bed.project("repo");
    std::fs::write(repo.join("go.mod"), "module m\n").expect("written");
    git::init(&repo);
    let json = bed.run(["detect", "repo", "--json"]).ok().json();
    for field in [
        "schema_version",
        "root",
        "package",
        "method",
        "confidence",
        "project_types",
        "markers",
        "vcs",
        "writable",
        "warnings",
        "cached",
        "micros",
    ] {
        assert!(json.get(field).is_some(), "`{field}` is missing in {json}");
    }
    assert_eq!(json["method"], "vcs_root");
    assert_eq!(json["markers"][0]["name"], "go.mod");
    assert_eq!(json["markers"][0]["type"], "go");
    assert_eq!(json["markers"][0]["confidence"], 9);
    for field in ["kind", "branch", "main_root", "superproject"] {
        assert!(json["vcs"].get(field).is_some(), "`{field}` is missing in {json}");
    }
    let again = bed.run(["detect", "repo", "--json"]).ok().json();
    assert_eq!(again["cached"], true);
    let explicit = bed.run(["detect", "--explicit", "repo", "--json"]).ok().json();
    assert_eq!(
        (&explicit["method"], &explicit["confidence"]),
        (&"explicit".into(), &10.into())
    );
    assert_eq!(explicit["root"], real(&repo).to_str().expect("UTF-8"));
    let from = peer_start(&bed, &repo);
    assert_eq!(from, real(&repo));
}

fn peer_start(bed: &Bed, repo: &Path) -> PathBuf {
    let found = bed
        .peer()
        .detect_from(Path::new("/"), &[], From::Start(raw(repo)))
        .expect("found");
    path(&found.root)
}
