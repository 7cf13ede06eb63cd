//! Repositories that people work in: this one, and those that `TOD_TREES` names (folders, separated by colons), each as a
//! copy in the bed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::ask::times;
use tests::skip::skip;
use tests::{git, process};

use super::random::work;
use super::{Scene, ourselves};

/// A folder as a repository of its own: a clone of one that is, else a copy with all committed.
fn copy(from: &Path, root: &Path) {
    let from = from.to_str().expect("UTF-8");
    if Path::new(from).join(".git").exists() {
        git::git(root, &["clone", "-q", "--no-hardlinks", from, "."]);
        return;
    }
    process::run(Command::new("cp").args(["-a", &format!("{from}/.")]).arg(root)).ok();
    git::init(root);
}

fn ignore_files(folder: &Path) -> usize {
    let names = git::files(folder);
    let is_one = |name: &&Vec<u8>| name.ends_with(b"/.gitignore");
    names.iter().filter(is_one).count()
}

#[test]
fn work_without_a_plan_on_this_repository_leaves_the_index_right() {
    let scene = Scene::new(|root| {
        ourselves(root);
        git::git(root, &["checkout", "-q", "-B", "main"]);
        for (folder, rules) in [
            ("daemon", "/src/index\n"),
            ("docs", "*\n!*/\n!*.md\n"),
            ("proto/src", "*.tmp\n"),
        ] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder).expect("made");
            fs::write(folder.join(".gitignore"), rules).expect("written");
        }
    });
    work(scene, 1, times(120, 2000));
}

#[test]
fn work_without_a_plan_on_real_repositories_leaves_the_index_right() {
    let Some(trees) = std::env::var_os("TOD_TREES") else {
        return skip("trees", "`TOD_TREES` names no folders of repositories to work on");
    };
    for (tree, seed) in std::env::split_paths(&trees).zip(1..) {
        let tree: PathBuf = fs::canonicalize(&tree).expect("the folder is there");
        let scene = Scene::new(|root| {
            copy(&tree, root);
            git::git(root, &["checkout", "-q", "-B", "main"]);
        });
        let nested = ignore_files(&scene.root);
        assert!(
            nested > 1,
            "`{}` has {nested} ignore files below its root",
            tree.display()
        );
        work(scene, seed, times(200, 2000));
    }
}
