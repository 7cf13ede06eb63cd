//! Layouts that are rare and allowed: names in another case, links in git's own folder, repositories that are named by a
//! file and move away, what git itself refuses. Git is the judge where it answers.

use std::fs;
use std::os::unix::fs::symlink;

use proto::index::{TreeState, TreeStatus};
use tests::{git, process};

use super::live::json;
use super::trouble::tree;
use super::{Scene, small};

pub(super) fn stands(scene: &mut Scene) -> TreeStatus {
    let root = scene.root.clone();
    tree(&mut scene.peer, &root)
}

/// The files of a project that is named, since for git, and so for detection, there may be none; and whether they are
/// unverified.
pub(super) fn by_name(scene: &Scene) -> (Vec<Vec<u8>>, bool) {
    let root = scene.root.to_str().expect("UTF-8");
    let said = scene.bed.run(["files", "--json", "--path", root]).ok().json();
    let files = said["files"].as_array().expect("files").iter();
    let files = files.map(|file| file.as_str().expect("UTF-8").as_bytes().to_vec());
    (files.collect(), said["unverified"] == true)
}

/// The tree says that git gives no answer, and why.
pub(super) fn is_refused(scene: &mut Scene, why: &str) {
    let root = scene.root.clone();
    assert_ne!(
        git::say(&root, &["ls-files", "-co", "--exclude-standard"]).code,
        0,
        "{why}"
    );
    assert!(by_name(scene).1, "unverified: {why}");
    let tree = stands(scene);
    let reason = tree.reason.unwrap_or_default();
    assert!(
        tree.state == TreeState::Unverified && reason.contains(why),
        "{:?} {reason}",
        tree.state
    );
}

#[test]
fn where_git_knows_no_case_a_name_in_another_case_is_the_tracked_one() {
    let mut scene = Scene::new(small);
    scene.git(&["config", "core.ignoreCase", "true"]);
    scene.check("without case");
    fs::rename(scene.at("README.md"), scene.at("readme.md")).expect("renamed");
    scene.check("a file in another case");
    fs::rename(scene.at("src"), scene.at("SRC")).expect("renamed");
    scene.check("a folder in another case");
    scene.write("SRC/new.rs", "1");
    scene.write("src/MAIN.rs", "1");
    scene.write("src/main.rs", "1");
    scene.write("Readme.MD", "1");
    scene.check("more of them");
    scene.git(&["rm", "-q", "--cached", "README.md"]);
    scene.check("not tracked any more");
    fs::remove_file(scene.at("Readme.MD")).expect("removed");
    scene.git(&["add", "-A"]);
    scene.check("tracked in the case that git chose");
    scene.write("É", "1");
    scene.git(&["add", "É"]);
    scene.write("é", "1");
    scene.check("beyond ASCII case counts");
    scene.write(".gitignore", "/VENDOR\n*.MD\n");
    scene.check("ignored in another case");
    fs::create_dir_all(scene.at("Vendor/x")).expect("made");
    scene.write("Vendor/lib/lib.c", "1");
    scene.git(&["add", "-f", "Vendor"]);
    scene.check("tracked in an ignored folder");
    scene.bed.run(["daemon", "reboot"]).ok();
    fs::rename(scene.at("SRC/new.rs"), scene.at("SRC/NEW.rs")).expect("renamed");
    scene.check("after a hand-over");
    git::init(&scene.at("Nested"));
    scene.check("a repository within");
    scene.git(&["add", "Nested"]);
    scene.check("as a submodule");
    fs::rename(scene.at("Nested"), scene.at("nested")).expect("renamed");
    scene.check("a submodule in another case");
    scene.git(&["config", "core.ignoreCase", "false"]);
    scene.check("with case again");
}

#[test]
fn links_in_gits_own_folder_are_followed_to_what_they_name() {
    let mut scene = Scene::new(small);
    scene.write("a.txt", "1");
    let outside = scene.bed.work().join("outside");
    fs::create_dir(&outside).expect("made");
    for place in [scene.at(".git/info"), outside] {
        let (exclude, real) = (scene.at(".git/info/exclude"), place.join("real"));
        let _none = fs::remove_file(&exclude);
        fs::write(&real, "*.txt\n").expect("written");
        symlink(&real, &exclude).expect("linked");
        scene.check("an exclude file that is a link");
        fs::write(&real, "*.rs\n").expect("written");
        scene.write("loose.rs", "1");
        scene.check("its target is edited");
        fs::remove_file(&real).expect("removed");
        scene.check("its target is gone");
        fs::write(&real, "*.txt\n").expect("written");
        scene.check("its target is back");
    }
    fs::remove_file(scene.at(".git/info/exclude")).expect("removed");
    scene.write("target/kept", "1");
    fs::rename(scene.at(".git/index"), scene.at(".git/real")).expect("renamed");
    symlink("real", scene.at(".git/index")).expect("linked");
    scene.check("an index that is a link");
    scene.git(&["add", "-f", "target/kept"]);
    scene.check("and is written");
    scene.git(&["rm", "-q", "--cached", "src/main.rs", "target/kept"]);
    scene.check("and written again");
    fs::copy(scene.at(".git/real"), scene.at(".git/other")).expect("copied");
    fs::remove_file(scene.at(".git/index")).expect("removed");
    scene.check("no index");
    symlink("other", scene.at(".git/index")).expect("linked");
    scene.check("a link in its place");
    scene.git(&["add", "-f", "target/kept"]);
    scene.check("which is followed");
    scene.git(&["rm", "-q", "--cached", "target/kept"]);
    scene.check("again");
    let away = scene.bed.work().join("away");
    fs::rename(scene.at(".git"), &away).expect("renamed");
    symlink(&away, scene.at(".git")).expect("linked");
    scene.check("a `.git` that is a link");
    fs::rename(&away, away.with_extension("too")).expect("renamed");
    by_name(&scene);
    fs::rename(away.with_extension("too"), &away).expect("renamed");
    scene.begin("back");
    scene.git(&["add", "-f", "target/kept"]);
    scene.check("its index is followed");
}

#[test]
fn a_repository_within_that_a_file_names_is_one_while_it_is_there() {
    let mut scene = Scene::new(small);
    scene.write("within/.git", "gitdir: ../../store\n");
    scene.write("within/file", "1");
    scene.check("it names nothing");
    let store = scene.bed.work().join("store");
    git::git(&scene.bed.work(), &["init", "-q", "--bare", "store"]);
    scene.check("it is there");
    assert!(scene.before.contains_key(b"within/".as_slice()));
    fs::rename(&store, store.with_extension("too")).expect("renamed");
    scene.check("it is gone");
    fs::rename(store.with_extension("too"), &store).expect("renamed");
    scene.check("it is back");
}

#[test]
fn a_worktree_whose_repository_is_moved_away_says_so_and_is_right_when_it_is_back() {
    let mut scene = Scene::new(small);
    let (main, linked) = (scene.root.clone(), scene.bed.work().join("linked"));
    let elsewhere = scene.bed.work().join("elsewhere");
    scene.git(&["worktree", "add", "-q", linked.to_str().expect("UTF-8")]);
    let (root, real) = (linked.clone(), linked.clone());
    (scene.root, scene.real) = (root, real);
    scene.begin("the worktree");
    scene.write("target/kept", "1");
    scene.git(&["add", "-f", "target/kept"]);
    scene.write("hidden.txt", "1");
    fs::write(main.join(".git/info/exclude"), "hidden.txt\n").expect("written");
    scene.check("work in it");
    let beside = scene.bed.project("beside");
    small(&beside);
    for round in 0..3 {
        fs::rename(&main, &elsewhere).expect("renamed");
        // By name, since for detection there is no project any more.
        is_refused(&mut scene, "names no repository");
        assert!(
            by_name(&scene).0.iter().eq(scene.before.keys()),
            "what was known last counts"
        );
        let said = process::run(scene.bed.tocli(["files"]).current_dir(&linked));
        assert!(
            said.code == 4 && said.err.contains("git worktree repair"),
            "{said:?}"
        );
        let said = process::run(scene.bed.tocli(["detect", "--json"]).current_dir(&linked)).ok();
        assert_ne!(said.json()["method"], "git_root", "as git sees it");
        scene.write(&format!("meanwhile-{round}"), "1");
        assert!(
            by_name(&scene)
                .0
                .contains(&format!("meanwhile-{round}").into_bytes())
        );
        let files = scene.peer.files(&beside).expect("files");
        assert!(files.iter().eq(git::files(&beside).iter()), "of another project");
        assert_eq!(tree(&mut scene.peer, &beside).state, TreeState::Watching);
        fs::write(
            elsewhere.join(".git/info/exclude"),
            format!("hidden.txt\n*-{round}\n"),
        )
        .expect("written");
        fs::rename(&elsewhere, &main).expect("renamed");
        scene.begin("it is back");
        assert_eq!(stands(&mut scene).state, TreeState::Watching);
        scene.write("hidden.txt", "2");
        scene.git(&["rm", "-q", "--cached", "target/kept"]);
        scene.check("git's index is followed again");
        scene.git(&["add", "-f", "target/kept"]);
        scene.check("and again");
    }
    // A copy in its place is another repository.
    let mut copy = std::process::Command::new("cp");
    fs::rename(&main, &elsewhere).expect("renamed");
    process::run(copy.arg("-r").arg(&elsewhere).arg(&main)).ok();
    git::git(&linked, &["rm", "-q", "--cached", "target/kept"]);
    scene.begin("a copy");
    scene.git(&["add", "-f", "target/kept"]);
    scene.check("the copy's index is followed");
    scene.bed.run(["daemon", "reboot"]).ok();
    scene.check("after a hand-over");
    fs::remove_dir_all(&main).expect("removed");
    is_refused(&mut scene, "names no repository");
    scene.daemon.as_mut().expect("one of ours").stop();
    let daemon = scene.bed.start();
    scene.daemon = Some(daemon);
    scene.peer = scene.bed.peer();
    is_refused(&mut scene, "names no repository");
}

#[test]
fn what_git_refuses_is_said_and_heals() {
    let mut scene = Scene::new(small);
    let config = scene.at(".git/config");
    let good = fs::read_to_string(&config).expect("read");
    for (text, why) in [
        ("[core\n\tx = 1\n", "configuration"),
        ("[core]\n\tignoreCase = maybe\n", "configuration"),
        ("[core]\n\tbare # no value\n", "configuration"),
        ("[core]\n\trepositoryFormatVersion = 9\n", "format"),
        (
            "[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\tmade = up\n",
            "extension",
        ),
        ("[core]\n\texcludesFile = src\n", "is a folder"),
    ] {
        fs::write(&config, format!("{good}{text}")).expect("written");
        is_refused(&mut scene, why);
        fs::write(&config, &good).expect("written");
        scene.begin("good again");
        assert_eq!(stands(&mut scene).state, TreeState::Watching, "{text}");
    }
    fs::write(
        &config,
        format!("{good}[extensions]\n\tmade = up\n[core]\n\tbigFileThreshold = 1k\n"),
    )
    .expect("written");
    scene.begin("an extension that an old repository need not know");
    assert_eq!(stands(&mut scene).state, TreeState::Watching);
    let exclude = scene.at(".git/info/exclude");
    let _none = fs::remove_file(&exclude);
    fs::create_dir(&exclude).expect("made");
    is_refused(&mut scene, "is a folder");
    fs::remove_dir(&exclude).expect("removed");
    scene.begin("no exclude file");
    fs::rename(scene.at(".git/index"), scene.at(".git/kept")).expect("renamed");
    fs::create_dir(scene.at(".git/index")).expect("made");
    is_refused(&mut scene, "damaged");
    fs::remove_dir(scene.at(".git/index")).expect("removed");
    fs::write(scene.at(".git/index"), "").expect("written");
    is_refused(&mut scene, "damaged");
    scene.bed.run(["daemon", "reboot"]).ok();
    is_refused(&mut scene, "damaged");
    fs::rename(scene.at(".git/kept"), scene.at(".git/index")).expect("renamed");
    scene.check("the index is back");
    assert_eq!(stands(&mut scene).state, TreeState::Watching);
}

#[test]
fn an_exclude_file_outside_written_twice_in_one_tick_of_the_clock_counts_as_written_last() {
    let mut scene = Scene::new(small);
    let excludes = scene.bed.home().join(".config/git/ignore");
    fs::create_dir_all(excludes.parent().expect("a folder")).expect("made");
    scene.write("a.aa", "1");
    scene.write("a.bb", "1");
    for round in 0..300 {
        // The same size, in place, so that nothing but the time could tell.
        let (first, last) = if round % 2 == 0 {
            ("*.aa\n", "*.bb\n")
        } else {
            ("*.bb\n", "*.aa\n")
        };
        fs::write(&excludes, first).expect("written");
        let root = scene.root.clone();
        scene.peer.files(&root).expect("files");
        fs::write(&excludes, last).expect("written");
        let files = scene.peer.files(&root).expect("files");
        let hidden = format!("a.{}", &last[2..4]);
        assert!(!files.contains(&hidden.into_bytes()), "round {round}");
    }
    scene.begin("at the end");
}

#[test]
fn the_users_exclude_file_counts_as_soon_as_it_is_there_whatever_was_missing_on_the_way_to_it() {
    let mut scene = Scene::new(small);
    let git = scene.bed.home().join(".config/git");
    let away = scene.bed.home().join("away");
    scene.write("a.aa", "1");
    scene.check("nothing of it");
    for round in 0..3 {
        let mut is = |what: &str| scene.check(&format!("{what}, round {round}"));
        fs::create_dir_all(&git).expect("made");
        is("its folder");
        fs::write(git.join("ignore"), "*.aa\n").expect("written");
        is("the file");
        fs::rename(&git, &away).expect("moved");
        is("its folder moved away");
        fs::rename(&away, &git).expect("moved");
        is("its folder is back with it");
        fs::remove_dir_all(&git).expect("removed");
        is("its folder removed");
    }
}

#[test]
fn lines_longer_than_any_path_say_what_git_reads_in_them() {
    // Few levels: git tries all ways in which stars can share a path.
    let mut scene = Scene::new(git::init);
    scene.write("src/x/a", "1");
    scene.write("a", "1");
    for line in [
        format!("{}a", "*".repeat(6000)),
        format!("{}a", "**/".repeat(1500)),
        format!("[{}]", "a".repeat(6000)),
        format!("{}a", "?".repeat(6000)),
        "a".repeat(6000),
        format!("{}\na", "b".repeat(100_000)),
    ] {
        scene.write(".gitignore", &format!("{line}\n"));
        scene.check(&line[..9]);
    }
}

#[test]
fn what_lies_deeper_than_a_path_can_name_is_not_shown() {
    let mut scene = Scene::new(small);
    let (bed, name) = (scene.bed.work(), "d".repeat(200));
    let script = format!(
        "cd '{}'; for n in $(seq 30); do mkdir {name}; cd -P {name} || cd {name}; : >f; \
        for k in 10 40 70 100 130 160 190; do : >$(printf %0${{k}}d 1); done; done",
        scene.root.display()
    );
    let mut shell = std::process::Command::new("bash");
    let made = process::run(shell.args(["-c", &script]).current_dir(&bed));
    assert!(made.err.is_empty(), "{}", made.err);
    scene.check("deep");
    assert!(scene.before.len() > 100, "{}", scene.before.len());
    fs::rename(scene.at(&name), scene.at("short")).expect("renamed");
    scene.check("and not so deep any more");
    let mut remove = std::process::Command::new("rm");
    process::run(remove.arg("-rf").arg(scene.at("short"))).ok();
    scene.check("removed");
}

#[test]
fn every_form_and_every_bit_of_an_index_is_read_as_git_reads_it() {
    let mut scene = Scene::new(small);
    for version in ["2", "3", "4"] {
        scene.git(&["update-index", "--index-version", version]);
        scene.check("a version");
        for name in ["kept", "meant", "assumed", "skipped"] {
            scene.write(&format!("target/{version}/{name}"), "1");
        }
        let path = |name: &str| format!("target/{version}/{name}");
        scene.git(&["add", "-f", &path("kept"), &path("assumed"), &path("skipped")]);
        scene.git(&["add", "-f", "-N", &path("meant")]);
        scene.check("with one that is only meant to be added");
        scene.git(&["update-index", "--assume-unchanged", &path("assumed")]);
        scene.git(&["update-index", "--skip-worktree", &path("skipped")]);
        scene.check("with bits");
        fs::remove_file(scene.at(&path("skipped"))).expect("removed");
        scene.write(&path("assumed"), "changed");
        scene.check("and they are gone or edited");
    }
    fs::remove_file(scene.at(".git/index")).expect("removed");
    scene.git(&["reset", "-q", "--hard"]);
    scene.check("an index made anew");
    scene.write(".gitignore", "*.md\n");
    git::commit_all(&scene.real);
    for (branch, text) in [("one", "1\n"), ("other", "2\n")] {
        scene.git(&["checkout", "-q", "-b", branch, "main"]);
        scene.write("both.md", text);
        scene.git(&["add", "-f", "both.md"]);
        scene.git(&["commit", "-q", "-m", branch]);
        scene.check("a branch");
    }
    assert_ne!(
        git::say(&scene.real, &["merge", "-q", "one"]).code,
        0,
        "they conflict"
    );
    scene.check("unmerged");
    scene.git(&["rm", "-q", "--cached", "both.md"]);
    scene.check("and no more");
}

#[test]
fn all_that_git_does_to_its_own_store_and_to_whole_histories_is_followed() {
    let mut scene = Scene::new(|root| {
        small(root);
        for number in 0..5 {
            fs::write(root.join(format!("src/{number}.rs")), "\n").expect("written");
            git::commit_all(root);
        }
    });
    scene.git(&["gc", "-q", "--prune=now"]);
    scene.git(&["pack-refs", "--all"]);
    scene.check("packed");
    let filter = "mkdir -p moved && mv docs moved/ && echo '*.rs' >.gitignore && touch new.md";
    let mut command = git::command(&scene.real);
    command.env("FILTER_BRANCH_SQUELCH_WARNING", "1");
    command.args(["filter-branch", "-f", "--tree-filter", filter, "HEAD"]);
    process::run(&mut command).ok();
    scene.check("another history");
    scene.git(&["reset", "-q", "--hard", "refs/original/refs/heads/main"]);
    scene.check("and the old one");
    scene.git(&["rebase", "-q", "--root", "--exec", "echo x >left.txt"]);
    scene.check("each commit anew");
    let bare = scene.bed.work().join("bare.git");
    scene.git(&["clone", "-q", "--bare", ".", bare.to_str().expect("UTF-8")]);
    fs::remove_dir_all(scene.at(".git")).expect("removed");
    scene.git(&["init", "-q"]);
    scene.begin("another repository in its place");
    scene.git(&["fetch", "-q", bare.to_str().expect("UTF-8"), "main"]);
    scene.git(&["reset", "-q", "--hard", "FETCH_HEAD"]);
    scene.check("with the same content");
    if git::say(&scene.real, &["refs", "migrate", "--ref-format=reftable"]).code == 0 {
        scene.check("references in tables");
        scene.git(&["checkout", "-q", "-b", "topic", "HEAD~3"]);
        scene.check("a checkout by them");
    }
    scene.git(&["config", "extensions.worktreeConfig", "true"]);
    let excludes = scene.bed.work().join("excludes");
    fs::write(&excludes, "*.md\n").expect("written");
    scene.write("loose.md", "1");
    let path = excludes.to_str().expect("UTF-8").to_owned();
    scene.git(&["config", "--worktree", "core.excludesFile", &path]);
    scene.check("a configuration of the worktree's own");
    scene.git(&["config", "--worktree", "--unset", "core.excludesFile"]);
    scene.check("taken back");
}

#[test]
fn names_that_are_no_text_come_back_whole_from_json() {
    use std::os::unix::ffi::OsStrExt;
    let mut scene = Scene::new(small);
    let names: [&[u8]; 5] = [b"\xff\xfe", b"line\nend", b"\"q\"\\", b"\xc3", "é".as_bytes()];
    let at = |scene: &Scene, name: &[u8]| scene.root.join(std::ffi::OsStr::from_bytes(name));
    for name in names {
        fs::write(at(&scene, name), "1").expect("written");
    }
    let raw = |value: &serde_json::Value| -> Vec<u8> {
        let path: proto::RawPath = serde_json::from_value(value.clone()).expect("a path");
        path.as_bytes().to_vec()
    };
    let root = scene.root.clone();
    let said = json(&scene.bed, &root, "files");
    let files: Vec<_> = said["files"].as_array().expect("files").iter().map(raw).collect();
    assert!(files.iter().eq(scene.shown().keys()), "{said}");
    scene.begin("strange names");
    let clock = scene.clock.clone();
    for name in names {
        let new = [b"new-", name].concat();
        fs::rename(at(&scene, name), at(&scene, &new)).expect("renamed");
    }
    let said = json(&scene.bed, &root, &format!("changes --since {clock}"));
    let changes = said["changes"].as_array().expect("changes");
    let pairs: Vec<_> = changes
        .iter()
        .map(|change| (raw(&change["from"]), raw(&change["path"])))
        .collect();
    assert_eq!(pairs.len(), names.len(), "{said}");
    for (from, path) in pairs {
        assert!(names.contains(&from.as_slice()) && path == [b"new-", from.as_slice()].concat());
    }
    scene.check("renamed");
}
