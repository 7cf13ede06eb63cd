//! The index against git itself, on real repositories in temporary folders: after every step the list of files equals
//! git's, and `changes` names exactly what a journal kept by the test says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::print_stderr,
    reason = "a test makes the files it looks at and runs git beside them"
)]

mod bed;
mod patterns;
mod random;
mod saved;
mod trouble;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::time::Duration;

use bed::{Bed, Bytes, git_in, oracle, os, places, write};
use proto::index::{ChangeKind, Since};

#[test]
fn edits_and_deletions_are_seen() {
    let mut bed = Bed::new();
    bed.write("a/b/c.txt", "1");
    bed.write("top", "1");
    bed.check("creating");
    bed.write("a/b/c.txt", "22");
    bed.check("editing");
    fs::remove_file(bed.path("top")).unwrap();
    bed.check("deleting");
    fs::remove_dir_all(bed.path("a")).unwrap();
    bed.check("deleting a folder");
    fs::set_permissions(bed.path("."), fs::Permissions::from_mode(0o755)).unwrap();
    bed.check("chmod of the root");
}

#[test]
fn an_edit_below_a_renamed_directory_is_seen_and_files_are_reported_as_renamed() {
    let mut bed = Bed::new();
    for n in 0..5 {
        bed.write(&format!("a/b{n}/c/d/f"), "1");
    }
    bed.check("creating");
    fs::rename(bed.path("a"), bed.path("z")).unwrap();
    bed.sync();
    let renamed: Vec<_> = (0..5)
        .map(|n| {
            (
                ChangeKind::Renamed,
                format!("z/b{n}/c/d/f"),
                Some(format!("a/b{n}/c/d/f")),
            )
        })
        .collect();
    assert_eq!(bed.kinds(), renamed);
    bed.check("renaming");
    bed.write("z/b3/c/d/f", "22");
    bed.check("an edit below");
    fs::rename(bed.path("z/b3/c"), bed.path("c")).unwrap();
    bed.write("c/d/f", "333");
    bed.write("c/d/g", "4");
    bed.check("renaming and editing at once");
    fs::rename(bed.path("z"), bed.path("c/d/z")).unwrap();
    fs::rename(bed.path("c"), bed.path("z")).unwrap();
    bed.write("z/d/z/b1/c/d/f", "5555");
    bed.check("moving into one another");
}

#[test]
fn a_leaf_in_a_just_made_directory_is_never_missed() {
    for place in places() {
        let mut bed = Bed::at(&place, |_| {});
        for n in 0..500 {
            let leaf = format!("d{n}/e/f/leaf");
            bed.write(&leaf, "x");
            if n % 25 == 0 {
                bed.check("mkdir -p and a leaf");
            } else {
                bed.sync();
                assert!(bed.files().contains(leaf.as_bytes()), "leaf {n}");
            }
        }
        bed.check("mkdir -p five hundred times");
    }
}

#[test]
fn changed_ignore_files_at_several_levels_count_at_once() {
    let mut bed = Bed::new();
    let files = [
        "a.log",
        "a/x.log",
        "a/b/x.log",
        "a/b/y.txt",
        "build/out",
        "a/build/out",
        "docs/a.tmp",
        "docs/b/a.tmp",
    ];
    for path in files {
        bed.write(path, "1");
    }
    bed.check("creating");
    let steps = [
        (".gitignore", "*.log\n"),
        ("a/.gitignore", "!x.log\n"),
        ("a/b/.gitignore", "y.*\n"),
        (".gitignore", "/build/\n"),
        (".gitignore", "build/\ndocs/*.tmp\n"),
        (".gitignore", "build\n!a/build\n*.tmp\n"),
        (".git/info/exclude", "*.txt\n"),
        ("a/b/.gitignore", ""),
        (".gitignore", "\\#x\n# c\n  \n*.log   \n"),
        (".gitignore", "**/b\n"),
        (".gitignore", "a/**/x.log\n"),
        (".gitignore", "*\n!*/\n!*.txt\n"),
    ];
    for (file, text) in steps {
        bed.write(file, text);
        bed.check(&format!("{text:?} in {file}"));
    }
    fs::remove_file(bed.path(".gitignore")).unwrap();
    bed.check("removing the ignore file");
    fs::write(bed.home().join("global"), "out\n").unwrap();
    bed.git(&["config", "core.excludesFile", "~/global"]);
    bed.check("a global ignore file");
    fs::write(bed.home().join("global"), "x.log\n").unwrap();
    bed.check("an edited global ignore file");
    bed.git(&["config", "--unset", "core.excludesFile"]);
    fs::create_dir_all(bed.home().join(".config/git")).unwrap();
    fs::write(bed.home().join(".config/git/ignore"), "y.txt\n").unwrap();
    fs::remove_file(bed.path(".git/info/exclude")).unwrap();
    bed.check("git's own default for the global file");
}

#[test]
fn a_checkout_of_another_branch_names_exactly_its_paths() {
    let mut bed = Bed::new();
    for n in 0..200 {
        bed.write(&format!("src/d{}/f{n}", n % 20), &n.to_string());
    }
    bed.git(&["add", "-A"]);
    bed.git(&["commit", "-qm", "one"]);
    bed.check("the first commit");
    bed.git(&["checkout", "-qb", "other"]);
    for n in 0..100 {
        bed.write(&format!("src/d{}/f{n}", n % 20), &format!("other {n}"));
        bed.write(&format!("new/d{n}/f"), "1");
    }
    fs::remove_dir_all(bed.path("src/d19")).unwrap();
    bed.git(&["add", "-A"]);
    bed.git(&["commit", "-qm", "two"]);
    bed.check("the second commit");
    for branch in ["main", "other", "main"] {
        bed.git(&["checkout", "-q", branch]);
        bed.check(&format!("the checkout of {branch}"));
    }
    bed.write("src/d1/f1", "stashed");
    bed.git(&["stash", "-q"]);
    bed.check("a stash");
}

#[test]
fn tracked_files_stay_in_although_they_are_ignored() {
    let mut bed = Bed::new();
    bed.write(".gitignore", "*.o\nout/\n");
    bed.write("a.o", "1");
    bed.write("out/deep/er/kept", "1");
    bed.write("out/deep/er/not", "1");
    bed.check("creating");
    bed.git(&["add", "-f", "a.o"]);
    bed.check("git add -f of a file");
    bed.git(&["add", "-f", "out/deep/er/kept"]);
    bed.check("git add -f in an ignored folder");
    bed.write("out/deep/er/kept", "22");
    bed.write("out/deep/er/not", "22");
    bed.check("editing in an ignored folder");
    fs::remove_dir_all(bed.path("out")).unwrap();
    bed.check("removing the ignored folder");
    bed.write("out/deep/er/kept", "1");
    bed.write("out/x", "1");
    bed.check("making it again");
    bed.git(&["rm", "-q", "--cached", "a.o", "out/deep/er/kept"]);
    bed.check("git rm --cached");
    bed.write("n.o", "1");
    bed.git(&["add", "-f", "n.o"]);
    fs::remove_file(bed.path("n.o")).unwrap();
    bed.check("a tracked file that is gone");
    bed.write("n.o", "2");
    bed.check("and comes back");
    bed.write("t/x", "1");
    bed.git(&["add", "t/x"]);
    fs::remove_dir_all(bed.path("t")).unwrap();
    bed.check("removing a tracked folder");
    bed.write("t/.gitignore", "x\ny\n");
    bed.write("t/x", "1");
    bed.write("t/y", "1");
    bed.check("making it again with an ignore file of its own");
}

#[test]
fn repositories_within_are_one_entry() {
    let mut bed = Bed::at(&std::env::temp_dir(), |root| {
        let other = root.parent().unwrap().join("other");
        fs::create_dir(&other).unwrap();
        git_in(&other, &["init", "-q"]);
        git_in(&other, &["commit", "-q", "--allow-empty", "-m", "x"]);
    });
    bed.write("sub/dir/f", "1");
    bed.write("plain/f", "1");
    bed.check("creating");
    git_in(&bed.path("sub/dir"), &["init", "-q"]);
    bed.check("git init in a folder");
    bed.write("sub/dir/g", "1");
    bed.check("a file in the nested repository");
    fs::remove_dir_all(bed.path("sub/dir/.git")).unwrap();
    bed.check("removing the nested repository");
    fs::create_dir(bed.path("plain/.git")).unwrap();
    bed.check("an empty .git");
    fs::create_dir(bed.path("plain/.git/objects")).unwrap();
    fs::create_dir(bed.path("plain/.git/refs")).unwrap();
    bed.check("a .git without HEAD");
    fs::write(bed.path("plain/.git/HEAD"), "ref: refs/heads/x\n").unwrap();
    bed.check("HEAD comes last");
    fs::remove_file(bed.path("plain/.git/HEAD")).unwrap();
    bed.check("HEAD goes");
    bed.git(&["submodule", "--quiet", "add", "../other", "mod/ule"]);
    bed.check("adding a submodule");
    bed.git(&["commit", "-qm", "submodule"]);
    bed.write("mod/ule/inside", "1");
    bed.check("a file in the submodule");
    bed.git(&["rm", "-qf", "--cached", "mod/ule"]);
    bed.check("a submodule that is a nested repository again");
    fs::rename(bed.path("mod"), bed.path("mod2")).unwrap();
    bed.check("moving it");
    bed.write("half/x", "1");
    bed.write("half/y", "1");
    bed.git(&["add", "half/x"]);
    git_in(&bed.path("half"), &["init", "-q"]);
    bed.check("git init in a folder with tracked files");
    bed.git(&["rm", "-q", "--cached", "half/x"]);
    bed.check("and without them");
}

#[test]
fn links_and_strange_names_are_entries_like_others() {
    let mut bed = Bed::new();
    bed.write("real/f", "1");
    symlink("real", bed.path("link")).unwrap();
    symlink("nowhere", bed.path("broken")).unwrap();
    symlink(".", bed.path("loop")).unwrap();
    bed.check("links");
    let long = "n".repeat(255);
    let names: [&[u8]; 9] = [
        b"new\nline",
        b"\xff\xfe",
        b" lead",
        b"trail ",
        b"q\"uote",
        b"-dash",
        long.as_bytes(),
        b"\xc3\xa9",
        b"e\xcc\x81",
    ];
    for name in names {
        let folder = bed.root.join(os(&[&name[..name.len().min(250)], b".d"].concat()));
        fs::write(bed.root.join(os(name)), "1").unwrap();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(os(name)), "1").unwrap();
    }
    bed.check("names");
    fs::rename(bed.path("real"), bed.path("moved")).unwrap();
    symlink("moved", bed.path("real")).unwrap();
    bed.check("a directory replaced by a link to it");
    fs::remove_file(bed.path("link")).unwrap();
    bed.write("link/f", "1");
    bed.check("a link replaced by a directory");
    fs::remove_dir_all(bed.path("link")).unwrap();
    bed.write("link", "a file");
    bed.check("a directory replaced by a file");
    assert!(
        Command::new("mkfifo")
            .arg(bed.path("pipe"))
            .status()
            .unwrap()
            .success()
    );
    bed.check("a pipe");
    bed.git(&["add", "link"]);
    fs::remove_file(bed.path("link")).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(bed.path("link"))
            .status()
            .unwrap()
            .success()
    );
    bed.check("a tracked file replaced by a pipe");
}

#[test]
fn saving_as_editors_do_is_a_modification() {
    let mut bed = Bed::new();
    bed.write("a", "1");
    bed.check("creating");
    bed.write("a.tmp", "22");
    fs::rename(bed.path("a.tmp"), bed.path("a")).unwrap();
    bed.sync();
    let expected = [
        (ChangeKind::Modified, "a".into(), None),
        (ChangeKind::Deleted, "a.tmp".into(), None),
    ];
    assert_eq!(bed.kinds(), expected);
    bed.check("replacing by rename");
    fs::rename(bed.path("a"), bed.path("a~")).unwrap();
    bed.write("a", "333");
    fs::remove_file(bed.path("a~")).unwrap();
    bed.check("a backup that is removed");
    fs::rename(bed.path("a"), bed.path("b")).unwrap();
    fs::rename(bed.path("b"), bed.path("c")).unwrap();
    bed.sync();
    let kinds = bed.kinds();
    assert!(
        kinds.contains(&(ChangeKind::Renamed, "c".into(), Some("a".into()))),
        "{kinds:?}"
    );
    bed.check("a chain of renames");
    bed.write("c.swp", "x");
    fs::remove_file(bed.path("c.swp")).unwrap();
    bed.sync();
    assert_eq!(bed.kinds(), [(ChangeKind::Deleted, "c.swp".into(), None)]);
    bed.check("what came and went");
    fs::remove_file(bed.path("c")).unwrap();
    bed.write("d", "other");
    bed.sync();
    let kinds = bed.kinds();
    assert!(
        !kinds.iter().any(|(kind, ..)| *kind == ChangeKind::Renamed),
        "a reused inode is no rename: {kinds:?}"
    );
    bed.check("a reused inode");
}

#[test]
fn directories_that_come_from_outside_and_go_there_are_followed() {
    let mut bed = Bed::new();
    let outside = bed.root.parent().unwrap().join("outside");
    write(&outside, "x/y/z", "1");
    fs::rename(outside.join("x"), bed.path("x")).unwrap();
    bed.check("moved in");
    bed.write("x/y/new", "1");
    bed.check("an edit in it");
    fs::rename(bed.path("x"), outside.join("back")).unwrap();
    bed.check("moved out");
    write(&outside, "back/y/after", "1");
    bed.check("an edit outside");
    fs::rename(outside.join("back"), bed.path("again")).unwrap();
    bed.check("moved in again");
}

#[test]
fn a_linked_worktree_follows_its_own_index_and_the_common_exclude_file() {
    let mut bed = Bed::at(&std::env::temp_dir(), |root| {
        write(root, "f", "1");
        git_in(root, &["add", "-A"]);
        git_in(root, &["commit", "-qm", "x"]);
        git_in(root, &["worktree", "add", "-q", "../wt"]);
    });
    let main = bed.root.clone();
    bed.turn_to(main.parent().unwrap().join("wt"));
    bed.write("a.o", "1");
    bed.write("b.o", "1");
    fs::write(main.join(".git/info/exclude"), "*.o\n").unwrap();
    bed.check("the common exclude file");
    bed.git(&["add", "-f", "a.o"]);
    bed.check("its own index");
    git_in(&main, &["config", "core.excludesFile", "/dev/null"]);
    bed.check("the common configuration");
}

#[test]
fn a_root_without_git_shows_all_and_becomes_a_repository_when_it_is_made_one() {
    let mut bed = Bed::new();
    bed.write("a.o", "1");
    bed.write(".gitignore", "*.o\n");
    bed.check("creating");
    fs::rename(bed.path(".git"), bed.root.parent().unwrap().join("gone")).unwrap();
    bed.sync();
    let all: Vec<Bytes> = bed.files().into_iter().collect();
    assert_eq!(all, [b".gitignore".to_vec(), b"a.o".to_vec()]);
    git_in(&bed.root, &["init", "-q"]);
    bed.sync();
    assert_eq!(bed.files(), oracle(&bed.root));
}

#[test]
fn waiting_and_watching_end_with_the_first_change() {
    let bed = Bed::new();
    let (tree, since) = (bed.tree.clone(), Since::Clock(bed.clock.clone()));
    let mut subscription = tree.subscribe(None).unwrap().0;
    bed.runtime.block_on(async {
        let waiting = tokio::spawn(async move { tree.wait(&since).await });
        tokio::task::yield_now().await;
        fs::write(bed.root.join("new"), "1").unwrap();
        let limit = Duration::from_secs(20);
        let batch = tokio::time::timeout(limit, subscription.next())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(batch.changes.len(), 1, "{batch:?}");
        let changes = tokio::time::timeout(limit, waiting)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(changes.changes[0].path, "new".into());
    });
    let stale = Since::Clock("c:000000000000:0000000000000000:1".into());
    assert!(bed.tree.changes(&stale).unwrap().fresh.is_some());
    assert!(bed.tree.changes(&Since::Clock("x".into())).is_err());
    let all = bed.tree.changes(&Since::Time(0)).unwrap();
    assert!(all.fresh.is_some() && all.changes.len() == 1);
}
