//! Places that are not as they should be: folders of others, links, homes that are missing or cannot be written.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tests::daemon::{Bed, Daemon, ORDINARY, chmod, program, root};
use tests::skip::skip;
use tests::wire::Peer;
use tests::{deadline, namespace, process};

use super::life::{refusal, report};

#[test]
fn a_socket_folder_that_is_a_link_or_open_to_others_is_refused() {
    let bed = Bed::new();
    let folder = bed.runtime().join("task-orchestrator");
    let target = bed.path().join("target");
    std::fs::create_dir(&target).expect("made");
    chmod(&target, 0o700);
    std::os::unix::fs::symlink(&target, &folder).expect("linked");
    let said = refusal(&bed).ends(4);
    assert!(said.err.contains("symbolic link"), "{}", said.err);
    assert_eq!(std::fs::read_dir(&target).expect("listed").count(), 0);

    std::fs::remove_file(&folder).expect("removed");
    std::fs::create_dir(&folder).expect("made");
    chmod(&folder, 0o750);
    let said = refusal(&bed).ends(4);
    assert!(said.err.contains("others may enter"), "{}", said.err);
    chmod(&folder, 0o700);
    drop(bed.start());
}

#[test]
fn something_that_is_no_socket_in_its_place_is_refused_and_left_alone() {
    let bed = Bed::new();
    drop(bed.start());
    std::fs::write(bed.socket(), "precious").expect("written");
    refusal(&bed).ends(4);
    assert_eq!(
        std::fs::read_to_string(bed.socket()).expect("still there"),
        "precious"
    );
}

#[test]
fn a_socket_folder_of_another_user_is_refused() {
    if !root() {
        return skip("foreign-uid", "only root can give a folder away");
    }
    let bed = Bed::new();
    let folder = bed.runtime().join("task-orchestrator");
    std::fs::create_dir(&folder).expect("made");
    chmod(&folder, 0o700);
    std::os::unix::fs::chown(&folder, Some(ORDINARY), Some(ORDINARY)).expect("given away");
    let said = refusal(&bed).ends(4);
    assert!(said.err.contains("belongs to another user"), "{}", said.err);
}

#[test]
fn another_user_gets_nothing_even_where_the_files_would_let_them_in() {
    if !root() {
        return skip("foreign-uid", "only root can become somebody else");
    }
    let bed = Bed::new();
    let daemon = bed.start();
    for folder in [
        bed.path(),
        &bed.runtime(),
        bed.socket().parent().expect("a folder"),
    ] {
        chmod(folder, 0o755);
    }
    chmod(&bed.socket(), 0o666);
    // The peer's user is the one of the thread that connects.
    let socket = bed.socket();
    let verdicts = std::thread::spawn(move || {
        let nobody = rustix::process::Uid::from_raw(ORDINARY);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).expect("somebody else");
        use proto::hello::{Control, Hello};
        [Control::Talk, Control::Stop, Control::Reboot].map(|control| {
            let mut peer = Peer::connect(&socket);
            let welcome = peer.greet(&Hello::of_this_build(control));
            assert!(peer.ends());
            welcome.verdict
        })
    })
    .join()
    .expect("the other user's thread ends");
    assert_eq!(verdicts, [proto::hello::Verdict::WrongUser; 3]);
    assert_eq!(report(&mut bed.peer()).pid, daemon.pid());
}

#[test]
fn a_daemon_as_another_user_makes_nothing_in_a_home_that_is_not_its_own() {
    if !root() {
        return skip("foreign-uid", "only root can give a folder away");
    }
    let bed = Bed::new();
    for folder in [bed.path().to_path_buf(), bed.home(), bed.runtime(), bed.work()] {
        std::os::unix::fs::chown(&folder, Some(ORDINARY), Some(ORDINARY)).expect("given away");
    }
    // What `sudo` leaves in the environment.
    let said = process::run(bed.tod(["run"]).envs([
        ("SUDO_UID", ORDINARY.to_string()),
        ("SUDO_GID", ORDINARY.to_string()),
        ("SUDO_USER", "somebody".to_owned()),
    ]))
    .ends(4);
    assert!(said.err.contains("belongs to another user"), "{}", said.err);
    assert_eq!(owned_by_root(bed.path()), Vec::<String>::new());
}

pub fn owned_by_root(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("listed").flatten() {
        let about = std::fs::symlink_metadata(entry.path()).expect("there");
        if about.uid() == 0 {
            found.push(entry.path().display().to_string());
        }
        if about.is_dir() {
            found.extend(owned_by_root(&entry.path()));
        }
    }
    found
}

#[test]
fn a_socket_path_longer_than_an_address_is_told_with_its_length() {
    let bed = Bed::new();
    let long = bed.path().join("x".repeat(120)).join("tod.sock");
    let said = process::run(bed.tod(["run"]).env("TOD_SOCKET", &long)).ends(2);
    assert!(said.err.contains("TOD_SOCKET"), "{}", said.err);
    assert!(
        said.err.contains(&long.as_os_str().len().to_string()),
        "{}",
        said.err
    );

    // The longest one that fits is served.
    let room = proto::places::SOCKET_PATH_LIMIT - bed.path().as_os_str().len() - "//s".len();
    let longest = bed.path().join("y".repeat(room)).join("s");
    assert_eq!(longest.as_os_str().len(), proto::places::SOCKET_PATH_LIMIT);
    let mut daemon = Daemon::spawn(bed.tod(["run"]).env("TOD_SOCKET", &longest));
    deadline::until("the daemon listens", || Peer::try_connect(&longest));
    drop(Peer::greeted(&longest));
    assert!(daemon.stop().success());
}

#[test]
fn without_home_the_own_variables_are_enough() {
    let bed = Bed::new();
    let daemon = bed.start_with(|tod| {
        tod.env_remove("HOME")
            .env("TOD_STATE_DIR", bed.state())
            .env("TOD_SOCKET", bed.socket());
    });
    assert_eq!(report(&mut bed.peer()).pid, daemon.pid());
}

#[test]
fn a_user_without_any_home_is_told_what_to_set() {
    if !root() {
        return skip(
            "foreign-uid",
            "only root can become a user who is not in the user table",
        );
    }
    let bed = Bed::new();
    let mut command = bed.command("setpriv");
    let user = ORDINARY.to_string();
    command
        .args(["--reuid", &user, "--regid", &user, "--clear-groups"])
        .arg(program("tod"))
        .arg("run")
        .env_remove("HOME")
        .current_dir("/");
    let said = process::run(&mut command);
    if said.err.contains("setpriv: failed to execute") {
        return skip(
            "foreign-uid",
            "the built programs are in a folder that others may not enter",
        );
    }
    assert!(said.ends(2).err.contains("TOD_STATE_DIR"));
}

#[test]
fn a_home_that_cannot_be_written_is_told_with_what_to_set() {
    let bed = Bed::new();
    let Some(mut command) = namespace::mounting(&bed, "mount -t tmpfs -o ro none \"$HOME\"") else {
        return;
    };
    let said = process::run(command.arg(program("tod")).arg("run")).ends(6);
    assert!(said.err.contains("TOD_STATE_DIR"), "{}", said.err);
    assert!(!bed.socket().exists());
}

#[test]
fn everything_the_daemon_makes_is_closed_to_others() {
    let bed = Bed::new();
    let mut command = bed.command("sh");
    command
        .args(["-c", "umask 000; exec \"$0\" run"])
        .arg(program("tod"));
    let daemon = bed.start_by(&mut command);
    let open: Vec<String> = open_to_others(&bed.home())
        .into_iter()
        .chain(open_to_others(&bed.runtime()))
        .collect();
    assert_eq!(open, Vec::<String>::new());
    drop(daemon);
}

fn open_to_others(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("listed").flatten() {
        let about = std::fs::symlink_metadata(entry.path()).expect("there");
        // What is inside a closed folder is closed too; a link has no rights of its own.
        if about.is_dir() && about.mode() & 0o077 == 0 {
            continue;
        }
        if !about.is_symlink() && about.mode() & 0o077 != 0 {
            // Folders of the base directory specification, which others use too, may be listed.
            let base = [".local", ".local/state"].map(|name| folder.join(name));
            if base.contains(&entry.path()) || entry.path().ends_with("state") {
                found.extend(open_to_others(&entry.path()));
                continue;
            }
            found.push(format!("{:o} {}", about.mode() & 0o777, entry.path().display()));
        }
    }
    found
}
