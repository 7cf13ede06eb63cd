//! Ordinary work on a repository, one kind at a time.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tests::ask::times;
use tests::git;
use tests::skip::skip;

use super::{Scene, others, ourselves, small};

#[test]
fn edits_creations_and_deletions_are_seen_by_the_next_question() {
    let mut scene = Scene::new(small);
    scene.write("src/main.rs", "fn main() { println!(); }\n");
    scene.check("an edit");
    scene.write("src/new.rs", "\n");
    scene.check("a new file");
    fs::remove_file(scene.at("README.md")).expect("removed");
    scene.check("a removed file");
    scene.write("src/main.rs.new", "fn main() {}\n");
    fs::rename(scene.at("src/main.rs.new"), scene.at("src/main.rs")).expect("renamed");
    scene.check("an edit by rename");
    tests::daemon::chmod(&scene.at("src/main.rs"), 0o755);
    scene.check("a changed mode");
    std::os::unix::fs::symlink("main.rs", scene.at("src/link")).expect("linked");
    scene.check("a link");
    std::os::unix::fs::symlink("../docs", scene.at("src/linked-folder")).expect("linked");
    scene.check("a link to a folder");
    fs::remove_dir_all(scene.at("docs")).expect("removed");
    scene.check("a removed tree");
    scene.write("docs", "now a file\n");
    scene.check("a file in place of a folder");
    fs::remove_file(scene.at("docs")).expect("removed");
    scene.write("docs/again/x.md", "\n");
    scene.check("a folder in place of a file");
    scene.check("nothing");
    scene.tocli_lists_the_same();
}

#[test]
fn a_renamed_nested_folder_keeps_its_files_and_an_edit_below_it_is_seen() {
    let mut scene = Scene::new(small);
    fs::rename(scene.at("docs/a"), scene.at("docs/z")).expect("renamed");
    scene.write("docs/z/b/c/page.md", "edited below\n");
    scene.check("renamed and edited");
    for round in 0..times(20, 200) {
        let (old, new) = if round % 2 == 0 {
            ("docs/z", "src/y")
        } else {
            ("src/y", "docs/z")
        };
        fs::rename(scene.at(old), scene.at(new)).expect("renamed");
        scene.write(&format!("{new}/b/c/page.md"), &format!("round {round}\n"));
        scene.write(&format!("{new}/b/c/new{round}.md"), "\n");
        scene.check("there and back");
    }
    // Twice before anybody asks, and over an empty folder.
    fs::rename(scene.at("docs/z"), scene.at("docs/q")).expect("renamed");
    fs::create_dir(scene.at("docs/w")).expect("made");
    fs::rename(scene.at("docs/q"), scene.at("docs/w")).expect("renamed");
    scene.write("docs/w/b/c/page.md", "after two renames\n");
    scene.check("renamed twice");
}

#[test]
fn a_folder_that_is_moved_out_is_gone_and_one_that_is_moved_in_is_whole() {
    let mut scene = Scene::new(small);
    let outside = scene.bed.work().join("outside");
    fs::rename(scene.at("docs"), &outside).expect("moved out");
    fs::write(outside.join("a/b/c/page.md"), "edited outside\n").expect("written");
    scene.check("moved out");
    fs::write(outside.join("a/b/more.md"), "\n").expect("written");
    scene.check("work outside is nobody's business");
    fs::rename(&outside, scene.at("back")).expect("moved in");
    scene.write("back/a/b/c/page.md", "edited inside\n");
    scene.check("moved in");
}

#[test]
fn a_leaf_below_folders_that_were_just_made_is_never_missed() {
    let places = [std::env::temp_dir(), "/dev/shm".into()];
    for parent in places.iter().filter(|parent| parent.is_dir()) {
        let mut scene = Scene::on(parent, small);
        for round in 0..times(100, 500) {
            scene.write(&format!("new/{round}/a/b/c/d/leaf"), "\n");
            if round % 10 == 0 {
                scene.check("mkdir -p and a leaf");
            }
        }
        scene.check("mkdir -p and a leaf, all of them");
    }
}

#[test]
fn a_changed_ignore_file_changes_what_is_shown() {
    let mut scene = Scene::new(small);
    scene.write("a.log", "\n");
    scene.write("keep.log", "\n");
    scene.write("src/b.log", "\n");
    scene.check("ignored files");
    scene.write(".gitignore", "target/\n");
    scene.check("fewer rules");
    scene.write(".gitignore", "target/\n*.log\n/src/deep\n");
    scene.check("more rules, also over tracked files");
    scene.write("target/debug/other", "\n");
    scene.check("in an ignored folder");
    fs::remove_file(scene.at(".gitignore")).expect("removed");
    scene.check("no rules");
    scene.write("docs/.gitignore", "*\n!*/\n!*.md\n");
    scene.write("docs/a/b/x.bin", "\n");
    scene.check("everything but");
    scene.write("docs/a/.gitignore", "!*.bin\n");
    scene.check("and taken back below");
    scene.write(".git/info/exclude", "*.md\n");
    scene.check("an exclude file");
    let excludes = scene.bed.work().join("excludes");
    fs::write(&excludes, "*.rs\n").expect("written");
    scene.git(&["config", "core.excludesFile", excludes.to_str().expect("UTF-8")]);
    scene.write("loose.rs", "\n");
    scene.check("an exclude file by configuration");
    fs::write(&excludes, "*.c\n").expect("written");
    scene.write("loose.c", "\n");
    scene.check("a changed exclude file outside");
}

#[test]
fn what_git_is_told_to_track_stays_shown_though_it_is_ignored() {
    let mut scene = Scene::new(small);
    scene.write("target/kept/by/force.txt", "\n");
    scene.check("ignored");
    scene.git(&["add", "-f", "target/kept/by/force.txt"]);
    scene.check("git add -f");
    scene.write("target/kept/by/force.txt", "edited\n");
    scene.check("edited in an ignored folder");
    scene.write("target/kept/by/other.txt", "\n");
    scene.check("beside it");
    scene.git(&["rm", "-q", "-f", "--cached", "target/kept/by/force.txt"]);
    scene.check("git rm --cached");
    scene.git(&["rm", "-q", "--cached", "src/main.rs"]);
    scene.check("untracked and still shown");
}

#[test]
fn a_checkout_of_another_branch_names_exactly_what_it_changed() {
    let mut scene = Scene::new(|root| {
        small(root);
        git::git(root, &["checkout", "-q", "-b", "topic"]);
        for number in 0..200 {
            let folder = root.join(format!("many/{}/x", number % 7));
            fs::create_dir_all(&folder).expect("made");
            fs::write(folder.join(format!("{number}.txt")), "\n").expect("written");
        }
        fs::remove_dir_all(root.join("vendor")).expect("removed");
        fs::write(root.join(".gitignore"), "target/\nmany/3/\n").expect("written");
        git::commit_all(root);
        git::git(root, &["checkout", "-q", "main"]);
    });
    for round in 0..times(6, 60) {
        scene.git(&["checkout", "-q", if round % 2 == 0 { "topic" } else { "main" }]);
        scene.check("a checkout");
    }
    scene.write("README.md", "changed\n");
    scene.git(&["stash", "-q"]);
    scene.check("a stash");
    scene.git(&["stash", "pop", "-q"]);
    scene.check("and back");
    scene.git(&["reset", "-q", "--hard"]);
    scene.check("a hard reset");
    scene.git(&["clean", "-q", "-fdx"]);
    scene.check("git clean");
}

#[test]
fn nested_repositories_and_submodules_are_left_to_themselves() {
    let mut scene = Scene::new(small);
    git::init(&scene.at("vendor/nested"));
    scene.write("vendor/nested/inside.txt", "\n");
    scene.check("a nested repository");
    let library = scene.bed.project("library");
    fs::write(library.join("lib.txt"), "\n").expect("written");
    git::init(&library);
    let from = library.to_str().expect("UTF-8").to_owned();
    scene.git(&["submodule", "--quiet", "add", &from, "third/library"]);
    scene.check("a submodule");
    scene.write("third/library/inside.txt", "\n");
    scene.check("inside the submodule");
}

#[test]
fn strange_names_are_listed_as_they_are() {
    let mut scene = Scene::new(small);
    let longest = "l".repeat(255);
    for name in [
        b"line\nend".as_slice(),
        b"\xff\xfe",
        b" ",
        b"-0",
        b"a\\b",
        b"\"q\"",
        longest.as_bytes(),
    ] {
        let folder = scene.root.join(std::ffi::OsStr::from_bytes(name));
        fs::create_dir(&folder).expect("made");
        fs::write(folder.join(std::ffi::OsStr::from_bytes(name)), "\n").expect("written");
    }
    scene.check("strange names");
    scene.tocli_lists_the_same();
    std::os::unix::fs::symlink(".", scene.at("circle")).expect("linked");
    std::os::unix::fs::symlink("../..", scene.at("src/up")).expect("linked");
    scene.check("links in a circle");
}

#[test]
fn what_is_done_by_one_name_of_a_file_is_told_of_all_its_names() {
    let mut scene = Scene::new(small);
    fs::hard_link(scene.at("src/main.rs"), scene.at("docs/again.rs")).expect("linked");
    scene.check("a second name");
    fs::hard_link(scene.at("src/main.rs"), scene.at("third.rs")).expect("linked");
    scene.write("docs/again.rs", "written by the second name\n");
    scene.check("written by a third name");
    scene.bed.run(["daemon", "reboot"]).ok();
    scene.write("third.rs", "after a hand-over\n");
    scene.check("written after a hand-over");
    fs::rename(scene.at("docs/again.rs"), scene.at("vendor/again.rs")).expect("renamed");
    scene.check("renamed");
    scene.write("src/main.rs.new", "another file\n");
    fs::rename(scene.at("src/main.rs.new"), scene.at("src/main.rs")).expect("replaced");
    scene.check("the first name is another file");
    fs::remove_dir_all(scene.at("vendor")).expect("removed");
    scene.check("the second name has gone with its folder");
    fs::hard_link(scene.at("third.rs"), scene.at("names.log")).expect("linked");
    scene.check("a name that is ignored");
    scene.write("names.log", "written by the ignored name\n");
    scene.check("written by a name that is ignored");
}

fn a_day_of_work(mut scene: Scene, folder: &str) {
    let files = git::files(&scene.root);
    let inside: Vec<String> = files
        .iter()
        .filter_map(|name| String::from_utf8(name.clone()).ok())
        .filter(|name| name.starts_with(&format!("{folder}/")))
        .collect();
    assert!(inside.len() > 3, "{folder} has {} files", inside.len());
    for (place, name) in inside.iter().enumerate() {
        match place % 4 {
            0 => scene.write(name, "edited\n"),
            1 => fs::remove_file(scene.at(name)).expect("removed"),
            2 => scene.write(&format!("{name}.new"), "\n"),
            _ => {}
        }
    }
    scene.check("edits and deletions");
    fs::rename(scene.at(folder), scene.at("moved")).expect("renamed");
    scene.write("moved/below.txt", "\n");
    scene.check("a renamed folder and a file below it");
    scene.git(&["add", "-A"]);
    scene.git(&["commit", "-q", "-m", "work"]);
    scene.check("a commit");
    scene.git(&["checkout", "-q", "-b", "before", "HEAD~1"]);
    scene.check("the commit before");
    scene.write(".gitignore", "*.toml\n");
    scene.check("another ignore file");
    scene.git(&["checkout", "-q", "-f", "-"]);
    scene.check("and back");
    scene.tocli_lists_the_same();
}

#[test]
fn on_this_repository_the_index_is_what_git_shows() {
    a_day_of_work(
        Scene::new(|root| {
            ourselves(root);
            git::git(root, &["commit", "-q", "--allow-empty", "-m", "one more"]);
        }),
        "proto",
    );
}

#[test]
fn on_a_repository_of_others_the_index_is_what_git_shows() {
    let mut folder = None;
    let scene = Scene::new(|root| {
        folder = others(root).and_then(|()| first_folder(root));
    });
    match folder {
        Some(folder) => a_day_of_work(scene, &folder),
        None => skip(
            "registry",
            "cargo's registry holds none of the sources that this test copies",
        ),
    }
}

fn first_folder(root: &Path) -> Option<String> {
    let mut names: Vec<String> = fs::read_dir(root)
        .ok()?
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name != ".git")
        .collect();
    names.sort();
    names.into_iter().next()
}

/// Maps a file, says so, and writes through the mapping when it is told to.
const MAPS: &str = "import mmap, os, sys
file = os.open(sys.argv[1], os.O_RDWR)
mapped = mmap.mmap(file, 0)
os.close(file)
print(flush=True)
sys.stdin.readline()
mapped[0:3] = b'new'
mapped.flush()
mapped.close()
";

#[test]
fn what_is_written_through_a_mapping_is_told_when_the_file_is_let_go() {
    let mut scene = Scene::new(small);
    scene.write("mapped", &"old\n".repeat(1024));
    scene.check("a file");
    let begun = Command::new("python3")
        .args(["-c", MAPS])
        .arg(scene.at("mapped"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut python) = begun else {
        return skip("python3", "it is not installed");
    };
    let mut said = BufReader::new(python.stdout.take().expect("piped"));
    said.read_line(&mut String::new()).expect("it is mapped");
    scene.check("it is mapped");
    drop(python.stdin.take());
    assert!(python.wait().expect("it ends").success());
    let was = scene.before.clone();
    scene.check("it was written");
    assert_ne!(was, scene.before);
}
