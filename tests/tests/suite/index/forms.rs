//! The less common forms of what git reads: a split and a sparse index, names without case, conditions on remotes. Git is
//! the judge, and what cannot be known is said.

use std::fs;

use proto::index::{TreeState, TreeStatus};
use proto::{Answer, daemon};
use tests::wire::status;

use super::{Scene, small};

fn tree(scene: &mut Scene) -> TreeStatus {
    let Ok(Answer::Daemon(daemon::Answer::Status(status))) = scene.peer.call(status()) else {
        panic!("no status");
    };
    let mut trees = status
        .workspaces
        .into_iter()
        .flat_map(|workspace| workspace.trees);
    trees.next().expect("it is watched")
}

#[test]
fn a_split_index_says_what_is_tracked_as_a_whole_one_does() {
    let mut scene = Scene::new(small);
    scene.git(&["config", "core.splitIndex", "true"]);
    scene.git(&["config", "splitIndex.maxPercentChange", "100"]);
    scene.git(&["update-index", "--split-index"]);
    let names: Vec<_> = fs::read_dir(scene.at(".git")).expect("read").flatten().collect();
    let is_shared = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("sharedindex.");
    assert!(names.iter().any(is_shared), "git has split it");
    scene.check("a split index");
    scene.write("target/kept", "1");
    scene.write("target/debug/kept", "1");
    scene.check("ignored");
    scene.git(&["add", "-f", "target/kept"]);
    scene.check("added by force");
    scene.git(&["rm", "-q", "--cached", "src/main.rs"]);
    scene.write(".gitignore", "*.md\n*.rs\ntarget\n");
    scene.check("one of the shared ones is gone");
    scene.git(&["add", "-f", "target/debug/kept"]);
    scene.git(&["rm", "-q", "--cached", "target/kept"]);
    scene.write("docs/a/b/c/page.md", "changed");
    scene.git(&["add", "-A"]);
    scene.check("one comes, one goes, one is replaced");
    assert_eq!(tree(&mut scene).state, TreeState::Watching);
    let shared = names.iter().find(|entry| is_shared(entry)).expect("it is there");
    let moved = scene.bed.work().join("shared");
    fs::rename(shared.path(), &moved).expect("moved");
    scene.write("target/other", "1");
    let index = fs::read(scene.at(".git/index")).expect("read");
    fs::write(scene.at(".git/index.new"), index).expect("written");
    fs::rename(scene.at(".git/index.new"), scene.at(".git/index")).expect("renamed");
    let root = scene.root.clone();
    scene.peer.clock(&root).expect("a clock");
    let stands = tree(&mut scene);
    assert_eq!(stands.state, TreeState::Unverified, "{stands:?}");
    assert!(stands.reason.expect("a reason").contains("split index"));
}

#[test]
fn where_git_knows_no_case_ignore_files_know_none() {
    let mut scene = Scene::new(small);
    scene.write("SRC/Other.RS", "1");
    scene.write("Keep.LOG", "1");
    scene.write("one.LOG", "1");
    scene.check("upper case");
    scene.git(&["config", "core.ignoreCase", "true"]);
    scene.check("without case");
    scene.write(".gitignore", "*.log\n!KEEP.log\n/SRC/deep\nTarget/\n");
    scene.write("src/deep/er/new", "1");
    scene.check("other rules");
    assert_eq!(tree(&mut scene).reason, None);
    scene.bed.run(["daemon", "reboot"]).ok();
    scene.write("two.LOG", "1");
    scene.check("after a hand-over");
    scene.git(&["config", "core.ignoreCase", "false"]);
    scene.check("with case again");
}

#[test]
fn what_is_included_where_a_remote_has_an_address_counts() {
    let mut scene = Scene::new(small);
    let more = scene.bed.work().join("more");
    let excludes = scene.bed.work().join("excludes");
    fs::write(&excludes, "*.rs\n").expect("written");
    fs::write(
        &more,
        format!("[core]\n\texcludesFile = {}\n", excludes.display()),
    )
    .expect("written");
    scene.write("loose.rs", "1");
    let key = "includeIf.hasconfig:remote.*.url:https://example.org/**.path";
    scene.git(&["config", key, more.to_str().expect("UTF-8")]);
    scene.check("a condition that does not hold");
    scene.git(&["remote", "add", "far", "https://example.org/a/b"]);
    scene.check("it holds");
    assert!(!scene.before.contains_key(b"loose.rs".as_slice()));
    scene.git(&["remote", "set-url", "far", "https://elsewhere.org/a/b"]);
    scene.check("it holds no more");
    assert!(scene.before.contains_key(b"loose.rs".as_slice()));
}
