//! What git's index holds and the checkout does not: ignore files and whole folders that are in git's store alone.

use std::fs;
use std::path::{Path, PathBuf};

use proto::index::TreeState;
use tests::git;

use super::edge::stands;
use super::{Scene, small};

fn shows(scene: &Scene, name: &str) -> bool {
    scene.before.contains_key(name.as_bytes())
}

/// Stops the daemon and starts it again.
fn restart(scene: &mut Scene) {
    scene.daemon.as_mut().expect("one of ours").stop();
    let daemon = scene.bed.start();
    scene.daemon = Some(daemon);
    scene.peer = scene.bed.peer();
}

/// The loose object of a path in git's index.
fn object(scene: &Scene, name: &str) -> PathBuf {
    let id = git::git(&scene.real, &["rev-parse", &format!(":{name}")]);
    scene.at(&format!(".git/objects/{}/{}", &id[..2], &id[2..]))
}

#[test]
fn an_ignore_file_that_is_in_gits_store_alone_counts() {
    let mut scene = Scene::new(small);
    scene.git(&["update-index", "--skip-worktree", "docs/.gitignore", ".gitignore"]);
    scene.check("they are there still");
    fs::remove_file(scene.at("docs/.gitignore")).expect("removed");
    scene.write("docs/x.tmp", "1");
    scene.check("one is not");
    assert!(!shows(&scene, "docs/x.tmp"));
    fs::remove_file(scene.at(".gitignore")).expect("removed");
    scene.write("loose.log", "1");
    scene.check("nor the other");
    assert!(!shows(&scene, "loose.log") && !shows(&scene, "target/debug/thing"));
    scene.bed.run(["daemon", "reboot"]).ok();
    scene.write("docs/y.tmp", "1");
    scene.check("after a hand-over");
    restart(&mut scene);
    scene.write("docs/z.tmp", "1");
    scene.check("in another life");
    scene.git(&["gc", "-q", "--prune=now"]);
    restart(&mut scene);
    scene.write("docs/more.log", "1");
    scene.check("packed");
    assert!(!shows(&scene, "docs/z.tmp") && !shows(&scene, "docs/more.log"));
    scene.write("docs/.gitignore", "*.md\n");
    scene.check("what is there counts before");
    assert!(shows(&scene, "docs/z.tmp"));
    fs::rename(scene.at("docs"), scene.at("moved")).expect("renamed");
    fs::remove_file(scene.at("moved/.gitignore")).expect("removed");
    scene.check("at another place there is none");
    assert!(shows(&scene, "moved/x.tmp"));
    fs::rename(scene.at("moved"), scene.at("docs")).expect("renamed");
    scene.check("back at its place");
    assert!(!shows(&scene, "docs/x.tmp"));
    std::os::unix::fs::symlink("../README.md", scene.at("docs/.gitignore")).expect("linked");
    scene.check("a link in its place is none");
    fs::remove_file(scene.at("docs/.gitignore")).expect("removed");
    fs::create_dir(scene.at("docs/.gitignore")).expect("made");
    scene.check("a folder in its place");
    fs::remove_dir(scene.at("docs/.gitignore")).expect("removed");
    scene.git(&["update-index", "--no-skip-worktree", "docs/.gitignore"]);
    scene.check("as any file that is gone");
    assert!(shows(&scene, "docs/x.tmp"));
    assert_eq!(stands(&mut scene).reason, None);
}

#[test]
fn an_ignore_file_that_is_nowhere_is_said() {
    let mut scene = Scene::new(small);
    scene.git(&["update-index", "--skip-worktree", "docs/.gitignore"]);
    let (object, away) = (object(&scene, "docs/.gitignore"), scene.bed.work().join("away"));
    fs::rename(&object, &away).expect("moved away");
    fs::remove_file(scene.at("docs/.gitignore")).expect("removed");
    scene.write("docs/x.tmp", "1");
    let root = scene.root.clone();
    scene.peer.files(&root).expect("files");
    let reason = stands(&mut scene).reason.unwrap_or_default();
    assert!(reason.contains("skip-worktree"), "{reason}");
    fs::rename(&away, &object).expect("moved back");
    // With the next change of git's index.
    scene.git(&["update-index", "--index-version", "4"]);
    scene.git(&["rm", "-q", "--cached", "README.md"]);
    scene.begin("it is back");
    assert!(!shows(&scene, "docs/x.tmp"));
    assert_eq!(stands(&mut scene).reason, None);
}

fn many(root: &Path) {
    small(root);
    for folder in ["p/a", "p/b", "q/a/c", "q/b"] {
        let folder = root.join(folder);
        fs::create_dir_all(&folder).expect("made");
        for (name, text) in [("x", "1"), ("t.log", "1"), (".gitignore", "*.tmp\n")] {
            fs::write(folder.join(name), text).expect("written");
        }
    }
    fs::write(root.join("q/.gitignore"), "*.o\n").expect("written");
    git::git(root, &["add", "-f", "p/a/t.log", "q/a/c/t.log"]);
    git::commit_all(root);
}

#[test]
fn a_folder_of_a_sparse_index_that_is_there_is_shown_as_git_shows_it() {
    for format in ["sha1", "sha256"] {
        let mut scene = Scene::new(|root| {
            let word = format!("--object-format={format}");
            git::git(root, &["init", "-q", &word]);
            many(root);
        });
        scene.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "src"]);
        assert!(!scene.at("docs").exists(), "git has taken it away");
        scene.check("a sparse checkout");
        let stages = git::git(&scene.real, &["ls-files", "--sparse", "-s"]);
        assert!(stages.contains("040000 "), "{stages}");
        scene.write("src/new.rs", "1");
        scene.write("other/x.log", "1");
        scene.check("work in it");
        scene.write("p/a/n.tmp", "1");
        scene.check("a folder that is not checked out is there");
        assert!(!shows(&scene, "p/a/n.tmp"), "hidden by what git's store has");
        scene.write("p/a/t.log", "1");
        scene.write("p/b/t.log", "1");
        scene.check("one that is tracked though it is hidden, and one that is not");
        assert!(shows(&scene, "p/a/t.log") && !shows(&scene, "p/b/t.log"));
        fs::create_dir_all(scene.at("q/a")).expect("made");
        fs::rename(scene.at("p/a"), scene.at("q/a/c")).expect("renamed");
        scene.check("a folder comes to the place of another one");
        assert!(shows(&scene, "q/a/c/t.log"));
        scene.bed.run(["daemon", "reboot"]).ok();
        scene.write("q/u.o", "1");
        scene.check("after a hand-over");
        restart(&mut scene);
        scene.write("q/b/u.o", "1");
        scene.check("in another life");
        scene.git(&["status", "--short"]);
        scene.check("git has looked at it");
        scene.git(&["sparse-checkout", "set", "--no-cone", "/src/", "!.gitignore"]);
        scene.check("no cone");
        scene.git(&["sparse-checkout", "reapply"]);
        scene.write("docs/new.tmp", "1");
        scene.check("again");
        scene.git(&["sparse-checkout", "disable"]);
        scene.check("all is checked out");
        assert_eq!(stands(&mut scene).reason, None);
    }
}

#[test]
fn a_sparse_index_whose_store_is_away_says_what_it_leaves_open() {
    let mut scene = Scene::new(many);
    scene.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "src"]);
    scene.begin("a sparse checkout");
    let away = scene.bed.work().join("away");
    fs::rename(scene.at(".git/objects"), &away).expect("moved away");
    fs::create_dir(scene.at(".git/objects")).expect("made");
    scene.write("p/a/t.log", "1");
    let root = scene.root.clone();
    scene.peer.files(&root).expect("files");
    let tree = stands(&mut scene);
    let reason = tree.reason.unwrap_or_default();
    assert!(
        tree.state == TreeState::Watching && reason.contains("sparse index"),
        "{reason}"
    );
    fs::remove_dir(scene.at(".git/objects")).expect("removed");
    fs::rename(&away, scene.at(".git/objects")).expect("moved back");
    scene.git(&["rm", "-q", "--cached", "src/main.rs"]);
    scene.begin("it is back");
    assert!(shows(&scene, "p/a/t.log"));
    assert_eq!(stands(&mut scene).reason, None);
}

#[test]
fn what_a_moved_ignore_file_hides_is_shown_where_it_is_tracked_by_its_new_name() {
    let mut scene = Scene::new(small);
    scene.write("p/a/j", "1");
    scene.write("p/s/a/j", "1");
    git::commit_all(&scene.real);
    // Into the place of what is tracked, by one rename.
    for (file, round) in [("q/.gitignore", 0), ("q/s/.gitignore", 1)] {
        scene.write(file, "a/\n");
        scene.write("q/a/j", "2");
        scene.write("q/s/a/j", "2");
        scene.check("beside it");
        fs::remove_dir_all(scene.at("p")).expect("removed");
        if round == 1 {
            scene.check("it is gone");
        }
        fs::rename(scene.at("q"), scene.at("p")).expect("renamed");
        scene.check(file);
        assert!(shows(&scene, "p/a/j") && shows(&scene, "p/s/a/j"));
        scene.git(&["checkout", "-q", "-f", "HEAD"]);
        scene.git(&["clean", "-q", "-fdx"]);
        scene.check("as committed");
    }
}
