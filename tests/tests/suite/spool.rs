//! Clients in a sandbox that forbids sockets ask through files of their own project, and nobody else's.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tests::daemon::{Bed, program};
use tests::process::{self, Said};
use tests::{deadline, git};

use super::start::{NO_CONNECT, filters, python};

/// A project to which something was written, so that its folder is there, and a daemon that runs.
fn ready(bed: &Bed, name: &str) -> PathBuf {
    let project = bed.project(name);
    git::init(&project);
    let mut add = bed.tocli(["task", "add", "the first"]);
    process::run(add.current_dir(&project)).ends(0);
    project
}

fn spool(project: &Path) -> PathBuf {
    project.join(".task_orchestrator/spool")
}

/// `tocli` where `connect` is not permitted.
fn shut_in(bed: &Bed, at: &Path, words: &[&str]) -> Said {
    let mut command = bed.command(python());
    command.args(["-c", NO_CONNECT]).arg(program("tocli")).args(words);
    process::run(command.current_dir(at))
}

/// What lies in the spool beside its secret.
fn left(project: &Path) -> Vec<String> {
    let names = std::fs::read_dir(spool(project)).expect("listed");
    let names = names.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    names.filter(|name| name != "nonce").collect()
}

#[test]
fn a_client_without_sockets_reads_and_writes_its_own_project() {
    let bed = Bed::new();
    if !filters(&bed) {
        return;
    }
    let project = ready(&bed, "mine");
    let said = shut_in(&bed, &project, &["task", "list", "--json"]).ends(0);
    assert_eq!(said.json()["tasks"].as_array().map(Vec::len), Some(1));
    let said = shut_in(&bed, &project, &["task", "add", "from inside"]).ends(0);
    assert!(
        said.err.contains("Unix sockets"),
        "the setting is named: {said:?}"
    );
    std::fs::write(project.join("a.txt"), "x").expect("written");
    let said = shut_in(&bed, &project, &["files"]).ends(0);
    assert!(said.text().contains("a.txt"), "{said:?}");
    let mut list = bed.tocli(["task", "list", "--json"]);
    let said = process::run(list.current_dir(&project)).ends(0).json();
    assert_eq!(said["tasks"].as_array().map(Vec::len), Some(2));
    assert_eq!(left(&project), Vec::<String>::new());
    let mode = std::fs::metadata(spool(&project))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    let seen = git::files(&project);
    let ours = |name: &&Vec<u8>| name.starts_with(b".task_orchestrator/spool");
    assert_eq!(seen.iter().filter(ours).count(), 0, "git sees nothing of it");
}

#[test]
fn what_reaches_outside_the_project_is_refused() {
    let bed = Bed::new();
    if !filters(&bed) {
        return;
    }
    let project = ready(&bed, "mine");
    let other = ready(&bed, "other");
    let inner = project.join("inner");
    std::fs::create_dir(&inner).expect("made");
    git::init(&inner);
    let elsewhere = other.to_str().expect("UTF-8");
    for words in [
        &["workspace", "list"][..],
        &["config", "set", "watch.settle_ms", "5"],
        &["detect", "--explicit", elsewhere],
        &["files", "--path", elsewhere],
        &["files", "--path", "inner"],
        &["migrate", "status"],
    ] {
        let said = shut_in(&bed, &project, words);
        assert_eq!(said.code, 4, "{words:?}: {said:?}");
    }
    let said = shut_in(&bed, &inner, &["files"]);
    assert_eq!(said.code, 4, "another project within: {said:?}");
    let said = shut_in(&bed, &project, &["daemon", "stop"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert_eq!(bed.daemons().len(), 1);
}

#[test]
fn a_folder_that_the_daemon_did_not_make_counts_for_nothing() {
    let bed = Bed::new();
    if !filters(&bed) {
        return;
    }
    let project = ready(&bed, "mine");
    let list = ["task", "list"];
    // Open to others.
    let open = |mode| {
        std::fs::set_permissions(spool(&project), std::fs::Permissions::from_mode(mode)).expect("set");
    };
    open(0o755);
    shut_in(&bed, &project, &list).ends(7);
    open(0o700);
    shut_in(&bed, &project, &list).ends(0);
    // A copy with the same secret is another directory.
    let aside = project.join("aside");
    std::fs::rename(spool(&project), &aside).expect("moved");
    std::fs::create_dir(spool(&project)).expect("made");
    open(0o700);
    std::fs::copy(aside.join("nonce"), spool(&project).join("nonce")).expect("copied");
    shut_in(&bed, &project, &list).ends(7);
    // A link to the right one is not followed.
    std::fs::remove_dir_all(spool(&project)).expect("removed");
    std::os::unix::fs::symlink(&aside, spool(&project)).expect("linked");
    shut_in(&bed, &project, &list).ends(7);
    // Nor is anything in it touched, old answers included.
    let answer = aside.join("0123456789abcdef0123456789abcdef.answer");
    std::fs::write(&answer, "somebody's").expect("written");
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let file = std::fs::File::options()
        .write(true)
        .open(&answer)
        .expect("opened");
    file.set_modified(hour_ago).expect("set");
    shut_in(&bed, &project, &list).ends(7);
    assert!(answer.exists());
    // The next write from outside makes a new one, where old answers do not pile up.
    std::fs::remove_file(spool(&project)).expect("removed");
    let mut add = bed.tocli(["task", "add", "again"]);
    process::run(add.current_dir(&project)).ends(0);
    shut_in(&bed, &project, &list).ends(0);
    std::fs::rename(&answer, spool(&project).join(answer.file_name().expect("a name"))).expect("moved");
    deadline::until("the old answer is swept", || {
        left(&project).is_empty().then_some(())
    });
}

#[test]
fn files_that_a_repository_ships_are_taken_away_unread() {
    let bed = Bed::new();
    let project = ready(&bed, "mine");
    let name = "0123456789abcdef0123456789abcdef";
    let planted = [
        (format!("{name}.ask"), vec![b'0'; 200]),
        (format!("{}.ask", name.replace('0', "a")), Vec::new()),
        (format!("{}.taken", name.replace('0', "b")), vec![0; 2 << 20]),
    ];
    for (file, bytes) in &planted {
        std::fs::write(spool(&project).join(file), bytes).expect("written");
    }
    std::os::unix::fs::symlink(
        "/etc/passwd",
        spool(&project).join(format!("{}.ask", name.replace('0', "c"))),
    )
    .expect("linked");
    std::fs::write(spool(&project).join("notes.ask"), "no name of ours").expect("written");
    deadline::until("the spool is swept", || {
        (left(&project) == ["notes.ask"]).then_some(())
    });
    let mut list = bed.tocli(["task", "list", "--json"]);
    let said = process::run(list.current_dir(&project)).ends(0).json();
    assert_eq!(said["tasks"].as_array().map(Vec::len), Some(1));
}
