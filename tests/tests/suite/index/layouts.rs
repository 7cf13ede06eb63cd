//! Where a repository and its checkout can lie, whose they are, and under which conditions a configuration counts. Git is
//! the judge where it answers; where it does not, that is said.

use std::fs;
use std::os::unix::fs::{chown, symlink};

use proto::index::TreeState;
use tests::daemon::{Bed, chmod};
use tests::skip::skip;
use tests::{git, process};

use super::edge::{by_name, is_refused, stands};
use super::{Scene, small};

/// Writes the repository's own configuration, whatever git thinks of it.
fn configure(scene: &Scene, text: &str) {
    let config = scene.at(".git/config");
    let good = fs::read_to_string(&config).expect("read");
    let start = good.find("[test]").unwrap_or(good.len());
    fs::write(&config, format!("{}[test]\n{text}", &good[..start])).expect("written");
}

#[test]
fn a_repository_without_a_checkout_here_is_refused_as_git_refuses_it() {
    let mut scene = Scene::new(small);
    let root = scene.root.to_str().expect("UTF-8").to_owned();
    for (text, why) in [
        ("[core]\nbare = true\n".to_owned(), "core.bare"),
        (format!("[core]\nbare\nworktree = {root}\n"), "core.bare"),
        ("[core]\nworktree = ../../nowhere\n".to_owned(), "core.worktree"),
        (
            "[core]\nworktree = /nonexistent/folder\n".to_owned(),
            "core.worktree",
        ),
    ] {
        configure(&scene, &text);
        is_refused(&mut scene, why);
        configure(&scene, "");
        scene.begin("good again");
        assert_eq!(stands(&mut scene).state, TreeState::Watching, "{text}");
    }
    symlink("project", scene.bed.work().join("linked")).expect("linked");
    for path in ["..", "../", "../../project", "../../linked", &root] {
        configure(&scene, &format!("[core]\nworktree = {path}\n"));
        scene.write("loose.log", "1");
        scene.check(path);
        assert_eq!(stands(&mut scene).reason, None, "{path}");
    }
    // What another file says of it does not count.
    let other = scene.bed.work().join("other");
    fs::write(&other, "[core]\nbare = true\nworktree = /nonexistent\n").expect("written");
    configure(&scene, &format!("[include]\npath = {}\n", other.display()));
    scene.check("included");
    assert_eq!(stands(&mut scene).reason, None);
}

#[test]
fn files_of_a_repository_that_lies_elsewhere_are_shown_as_git_shows_them_from_there() {
    for (here, there) in [
        ("store", "files"),
        ("files/store", "files"),
        ("store", "store/files"),
    ] {
        let mut scene = Scene::new(small);
        let work = scene.bed.work();
        let (store, files) = (work.join(here), work.join(there));
        fs::create_dir_all(&store).expect("made");
        fs::create_dir_all(files.join("deep")).expect("made");
        git::git(&store, &["init", "-q"]);
        for name in ["a.rs", "b.log", "deep/c.log", "deep/d.rs", "deep/e.tmp"] {
            fs::write(files.join(name), "1").expect("written");
        }
        fs::write(files.join(".gitignore"), "*.log\n").expect("written");
        let config = store.join(".git/config");
        let good = fs::read_to_string(&config).expect("read");
        let named = format!("{good}[core]\nworktree = {}\n", files.display());
        let listed = |scene: &Scene, from: &std::path::Path| {
            let said = scene
                .bed
                .run(["files", "--json", "--path", from.to_str().expect("UTF-8")])
                .ok()
                .json();
            let files = said["files"].as_array().expect("files").clone();
            files
                .iter()
                .map(|file| file.as_str().expect("UTF-8").to_owned())
                .collect::<Vec<_>>()
        };
        let right = |scene: &Scene, when: &str| {
            let dir = format!("--git-dir={}", store.join(".git").display());
            let words = [
                dir.as_str(),
                "ls-files",
                "-co",
                "--exclude-standard",
                "--deduplicate",
            ];
            let mut theirs: Vec<_> = git::git(&files, &words).lines().map(str::to_owned).collect();
            theirs.sort();
            for from in [&store, &files, &store] {
                assert_eq!(listed(scene, from), theirs, "{here}, {there}: {when}");
            }
        };
        let is_plain = |scene: &Scene, name: &str, when: &str| {
            // A folder within is a part of the project around it.
            let is_within = files.starts_with(&store);
            assert!(
                is_within || listed(scene, &files).contains(&name.to_owned()),
                "{when}"
            );
        };
        is_plain(&scene, "b.log", "nothing leads there yet");
        fs::write(&config, &named).expect("written");
        right(&scene, "named");
        fs::write(files.join("deep/more.log"), "1").expect("written");
        fs::write(files.join("deep/more.rs"), "1").expect("written");
        right(&scene, "more files");
        git::git(
            &store,
            &["add", "-f", files.join("b.log").to_str().expect("UTF-8")],
        );
        right(&scene, "one is tracked");
        fs::write(store.join(".git/info/exclude"), "*.tmp\n").expect("written");
        right(&scene, "an exclude file");
        scene.bed.run(["daemon", "reboot"]).ok();
        fs::write(files.join("deep/again.tmp"), "1").expect("written");
        right(&scene, "after a hand-over");
        scene.daemon.as_mut().expect("one of ours").stop();
        let daemon = scene.bed.start();
        scene.daemon = Some(daemon);
        fs::write(files.join("deep/new.tmp"), "1").expect("written");
        right(&scene, "in another life");
        fs::write(&config, &good).expect("written");
        is_plain(&scene, "deep/new.tmp", "it leads nowhere");
        fs::write(&config, &named).expect("written");
        right(&scene, "named again");
        fs::rename(store.join(".git"), store.join("away")).expect("renamed");
        is_plain(&scene, "deep/new.tmp", "it is gone");
        fs::rename(store.join("away"), store.join(".git")).expect("renamed");
        right(&scene, "it is back");
    }
}

#[test]
fn a_checkout_of_its_own_says_of_itself_what_the_common_file_does_not() {
    let mut scene = Scene::new(small);
    let linked = scene.bed.work().join("linked");
    scene.git(&["worktree", "add", "-q", linked.to_str().expect("UTF-8")]);
    configure(&scene, "[core]\nbare = true\n");
    is_refused(&mut scene, "core.bare");
    (scene.root, scene.real) = (linked.clone(), linked);
    scene.begin("a linked worktree of a bare repository");
    assert_eq!(stands(&mut scene).reason, None);
    scene.git(&["config", "extensions.worktreeConfig", "true"]);
    is_refused(&mut scene, "core.bare");
    scene.git(&["config", "--worktree", "core.bare", "false"]);
    scene.begin("its own file counts");
    assert_eq!(stands(&mut scene).reason, None);
}

#[test]
fn the_folder_that_holds_the_repositorys_own_store_is_no_repository_within() {
    let mut scene = Scene::new(|root| {
        small(root);
        fs::create_dir(root.join("sub")).expect("made");
        git::git(root, &["init", "-q", "--separate-git-dir", "sub/.git"]);
    });
    scene.write("sub/file", "1");
    scene.write("sub/x.log", "1");
    scene.check("its folder is a folder");
    assert!(scene.before.contains_key(b"sub/file".as_slice()));
    git::init(&scene.at("other"));
    scene.check("another is one");
    fs::rename(scene.at("sub/.git"), scene.at("store")).expect("renamed");
    fs::write(scene.at(".git"), "gitdir: store\n").expect("written");
    scene.check("in a folder by any other name it is shown");
    fs::write(scene.at("sub/.git"), "gitdir: ../store\n").expect("written");
    scene.check("named by a file it is another");
}

#[test]
fn a_git_file_is_read_through_a_link() {
    let mut scene = Scene::new(small);
    let work = scene.bed.work();
    fs::rename(scene.at(".git"), work.join("store")).expect("renamed");
    fs::write(
        work.join("named"),
        format!("gitdir: {}\n", work.join("store").display()),
    )
    .expect("written");
    symlink("../named", scene.at(".git")).expect("linked");
    scene.begin("by a link to a file");
    fs::write(work.join("store/info/exclude"), "*.md\n").expect("written");
    scene.write("loose.md", "1");
    scene.check("its exclude file counts");
    fs::write(work.join("named"), "gitdir: nowhere\n").expect("written");
    is_refused(&mut scene, "names no repository");
    assert!(
        !by_name(&scene).0.contains(&b"loose.md".to_vec()),
        "what was known last counts"
    );
}

#[test]
fn conditions_of_a_configuration_hold_where_git_says_so() {
    let mut scene = Scene::new(small);
    let work = scene.bed.work();
    let root = scene.root.to_str().expect("UTF-8").to_owned();
    fs::write(work.join("one"), "*.one\n").expect("written");
    fs::write(work.join("other"), "*.other\n").expect("written");
    fs::write(
        scene.at(".git/included"),
        format!("[core]\nexcludesFile = {}\n", work.join("one").display()),
    )
    .expect("written");
    scene.write("x.one", "1");
    scene.write("x.other", "1");
    let above = work.display().to_string();
    let patterns = [
        "gitdir:".to_owned(),
        "gitdir:/".to_owned(),
        "gitdir:project".to_owned(),
        "gitdir:project/".to_owned(),
        "gitdir/i:PROJECT/".to_owned(),
        "gitdir:PROJECT/".to_owned(),
        format!("gitdir:{root}"),
        format!("gitdir:{root}/.git"),
        format!("gitdir:{root}/.git/"),
        format!("gitdir:{above}/"),
        format!("gitdir:{above}/p*t/.git"),
        format!("gitdir:{above}/[p]roject/**"),
        "gitdir:./".to_owned(),
        "gitdir:./**".to_owned(),
        "gitdir:**".to_owned(),
        "gitdir:~/".to_owned(),
        "onbranch:main".to_owned(),
        "onbranch:m*".to_owned(),
        "onbranch:{main,x}".to_owned(),
        "onbranch:ma/".to_owned(),
        "onbranch:".to_owned(),
        "made:up".to_owned(),
    ];
    for pattern in patterns {
        let text = format!(
            "[core]\nexcludesFile = {}\n[includeIf \"{pattern}\"]\npath = included\n",
            work.join("other").display()
        );
        configure(&scene, &text);
        scene.check(&pattern);
    }
    // As it really lies, not as it is written.
    fs::rename(scene.at(".git"), work.join("store")).expect("renamed");
    fs::write(scene.at(".git"), "gitdir: ../project/../store\n").expect("written");
    let text = format!("[includeIf \"gitdir:{above}/store\"]\npath = included\n");
    let config = work.join("store/config");
    let good = fs::read_to_string(&config).expect("read");
    fs::write(&config, format!("{good}{text}")).expect("written");
    scene.begin("a store elsewhere");
}

#[test]
fn an_ignore_file_that_is_too_large_is_said_while_it_is() {
    let mut scene = Scene::new(small);
    let large = "# a comment that fills the file\n".repeat(1 << 17) + "*.md\n";
    let says = |scene: &mut Scene| {
        scene.peer.files(&scene.root.clone()).expect("files");
        stands(scene)
            .reason
            .is_some_and(|reason| reason.contains("4 MiB"))
    };
    fs::write(scene.at("docs/.gitignore"), &large).expect("written");
    assert!(says(&mut scene), "an ignore file");
    scene.bed.run(["daemon", "reboot"]).ok();
    assert!(says(&mut scene), "after a hand-over");
    fs::rename(scene.at("docs"), scene.at("moved")).expect("renamed");
    assert!(says(&mut scene), "at another place");
    fs::write(scene.at("moved/.gitignore"), "*.md\n").expect("written");
    scene.begin("a small one");
    assert!(!says(&mut scene));
    fs::write(scene.at("moved/.gitignore"), &large).expect("written");
    assert!(says(&mut scene), "again");
    fs::remove_dir_all(scene.at("moved")).expect("removed");
    scene.begin("it is gone");
    assert!(!says(&mut scene));
    for name in [".git/info/exclude", ".git/config"] {
        let good = fs::read_to_string(scene.at(name)).unwrap_or_default();
        fs::write(scene.at(name), good.clone() + &large.replace("*.md", "#")).expect("written");
        assert!(says(&mut scene), "{name}");
        fs::write(scene.at(name), good).expect("written");
        scene.begin("as it was");
        assert!(!says(&mut scene), "{name}");
    }
}

#[test]
fn a_branch_that_is_in_a_table_decides_of_conditions() {
    let mut scene = Scene::new(|root| {
        small(root);
        fs::remove_dir_all(root.join(".git")).expect("removed");
        let said = git::say(root, &["init", "-q", "--ref-format=reftable"]);
        if said.code != 0 {
            git::git(root, &["init", "-q"]);
        }
        git::commit_all(root);
    });
    let excludes = scene.bed.work().join("excludes");
    fs::write(&excludes, "*.md\n").expect("written");
    fs::write(
        scene.at(".git/included"),
        format!("[core]\nexcludesFile = {}\n", excludes.display()),
    )
    .expect("written");
    scene.write("loose.md", "1");
    configure(&scene, "[includeIf \"onbranch:topic/\"]\npath = included\n");
    scene.check("another branch");
    assert!(scene.before.contains_key(b"loose.md".as_slice()));
    scene.git(&["checkout", "-q", "-b", "topic/one"]);
    scene.check("the branch");
    assert!(!scene.before.contains_key(b"loose.md".as_slice()));
    scene.git(&["checkout", "-q", "--detach"]);
    scene.check("no branch");
    scene.git(&["checkout", "-q", "topic/one"]);
    scene.check("the branch again");
    assert_eq!(stands(&mut scene).reason, None);
}

#[test]
fn the_systems_configuration_is_where_git_was_built_to_have_it() {
    let bed = Bed::new();
    let (root, etc, bin) = (
        bed.project("project"),
        bed.work().join("etc"),
        bed.work().join("bin"),
    );
    small(&root);
    for folder in [&etc, &bin] {
        fs::create_dir(folder).expect("made");
    }
    let (system, excludes) = (etc.join("gitconfig"), etc.join("excludes"));
    fs::write(&system, "[core]\nexcludesFile = %(prefix)/excludes\n").expect("written");
    fs::write(&excludes, "*.md\n").expect("written");
    fs::write(root.join("loose.md"), "1").expect("written");
    // As a git that was built elsewhere would answer.
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n*GIT_CONFIG_SYSTEM) echo '{}';;\n*--type=path*) echo '{}/';;\n*) exit 1;;\nesac\n",
        system.display(),
        etc.display()
    );
    fs::write(bin.join("git"), script).expect("written");
    chmod(&bin.join("git"), 0o755);
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a path"));
    let _daemon = bed.start_with(|command| {
        command.env("PATH", path);
    });
    let shows = || {
        let said = process::run(bed.tocli(["files", "loose.md"]).current_dir(&root)).ok();
        said.text() == "loose.md\n"
    };
    assert!(!shows(), "the system's file is not read");
    fs::write(&excludes, "*.txt\n").expect("written");
    assert!(shows(), "its exclude file is not followed");
    fs::write(&system, "[core]\nexcludesFile = /nowhere\n").expect("written");
    fs::write(&excludes, "*.md\n").expect("written");
    assert!(shows(), "the system's file is not followed");
}

#[test]
fn an_exclude_file_in_somebodys_home_is_found_and_nobodys_is_refused() {
    let mut scene = Scene::new(small);
    scene.write("x.one", "1");
    configure(&scene, "[core]\nexcludesFile = ~nobody-of-this-name/ignore\n");
    is_refused(&mut scene, "configuration");
    configure(&scene, "[core]\nexcludesFile = ~root/nothing-of-this-name\n");
    scene.begin("somebody's");
    assert_eq!(stands(&mut scene).reason, None);
    configure(&scene, "[include]\npath = ~nobody-of-this-name/config\n");
    is_refused(&mut scene, "configuration");
}

#[test]
fn a_repository_of_another_user_is_refused_until_it_is_called_safe() {
    if !rustix::process::geteuid().is_root() {
        return skip("root", "a folder cannot be given away");
    }
    let mut scene = Scene::new(small);
    let home = scene.bed.home().join(".gitconfig");
    let root = scene.root.to_str().expect("UTF-8").to_owned();
    let above = scene.bed.work().display().to_string();
    let is_refused = |scene: &mut Scene| {
        scene.peer.files(&scene.root.clone()).expect("files");
        let tree = stands(scene);
        let reason = tree.reason.unwrap_or_default();
        assert!(
            tree.state != TreeState::Unverified || reason.contains("another user"),
            "{reason}"
        );
        tree.state == TreeState::Unverified
    };
    for path in ["", ".git"] {
        chown(scene.at(path), Some(12345), None).expect("given away");
        assert!(is_refused(&mut scene), "`{path}`");
        for (safe, is_safe) in [
            (root.as_str(), true),
            ("*", true),
            (&format!("{above}/*"), true),
            (&format!("{root}/*"), false),
            (above.as_str(), false),
            ("/nonexistent", false),
        ] {
            fs::write(&home, format!("[safe]\ndirectory = {safe}\n")).expect("written");
            assert_eq!(!is_refused(&mut scene), is_safe, "`{path}`: {safe}");
        }
        fs::write(&home, "[safe]\ndirectory = *\ndirectory =\n").expect("written");
        assert!(is_refused(&mut scene), "taken back");
        fs::remove_file(&home).expect("removed");
        // A project does not call itself safe.
        configure(&scene, "[safe]\ndirectory = *\n");
        assert!(is_refused(&mut scene));
        configure(&scene, "");
        chown(scene.at(path), Some(0), None).expect("taken back");
        assert!(!is_refused(&mut scene));
    }
}
