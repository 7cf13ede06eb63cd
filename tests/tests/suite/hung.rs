//! A file system that never answers, and one without room, beside everybody else's work.

use std::path::Path;
use std::time::{Duration, Instant};

use proto::Kind;
use tests::daemon::{Bed, program};
use tests::wire::status;
use tests::{git, namespace};

use crate::life::report;
use crate::reboot::reboot;

/// A mount of FUSE whose server is nobody: the daemon itself inherits the device and never reads it.
const MOUNT: &str = "exec 9<>/dev/fuse
mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 nobody work/hung";

#[test]
fn a_hung_mount_costs_whoever_asks_for_it_and_nobody_else() {
    let bed = Bed::new();
    let hung = bed.project("hung");
    let fine = bed.project("fine");
    git::init(&fine);
    let Some(mut command) = namespace::mounting(&bed, &format!("cd ..\n{MOUNT}\ncd work")) else {
        return;
    };
    let mut daemon = bed.start_by(command.arg(program("tod")).arg("run"));
    let mut others = bed.peer();
    others.detect(&fine).expect("found");
    // More than one, each on a connection of its own and in other places below.
    let asking: Vec<_> = ["", "a", "a/b", "../hung/c"]
        .map(|below| {
            let (mut peer, path) = (bed.peer(), hung.join(below));
            std::thread::spawn(move || (Instant::now(), peer.detect(&path), Instant::now()))
        })
        .into_iter()
        .collect();
    let began = Instant::now();
    let mut served = 0_u32;
    while asking.iter().any(|thread| !thread.is_finished()) {
        let asked = Instant::now();
        others.call(status()).expect("served");
        others.detect(&fine).expect("served");
        assert!(
            asked.elapsed() < Duration::from_secs(2),
            "others wait for the hung mount"
        );
        served += 1;
        assert!(
            began.elapsed() < tests::deadline::LIMIT,
            "an answer about a hung mount takes for ever"
        );
    }
    for thread in asking {
        let (_, answer, _) = thread.join().expect("it ends");
        let error = answer.expect_err("nobody can know what is in there");
        assert_eq!(error.kind, Kind::Unavailable, "{error}");
    }
    assert!(
        served > 10,
        "{served} answers for others in {:?}",
        began.elapsed()
    );
    // Whoever asks again learns it, too, and the daemon still ends when it is told to.
    assert!(bed.peer().detect(&hung).is_err());
    others.detect(&fine).expect("served");
    assert!(daemon.stop().success());
}

#[test]
fn a_project_beside_a_hung_folder_is_found() {
    let bed = Bed::new();
    let _hung = bed.project("hung");
    git::init(&bed.work());
    let inside = bed.project("src");
    let Some(mut command) = namespace::mounting(&bed, &format!("cd ..\n{MOUNT}\ncd work")) else {
        return;
    };
    let _daemon = bed.start_by(command.arg(program("tod")).arg("run"));
    let mut peer = bed.peer();
    for folder in [bed.work().as_path(), inside.as_path()] {
        let found = peer.detect(folder).expect("found");
        assert_eq!(found.root.as_path(), real(&bed.work()));
    }
}

#[test]
fn a_call_that_hangs_in_a_mount_has_a_reboot_refused_until_it_comes_back() {
    let bed = Bed::new();
    let hung = bed.project("hung");
    let fine = bed.project("fine");
    git::init(&fine);
    if !namespace::can_enter() {
        return;
    }
    let Some(mut command) = namespace::mounting(&bed, &format!("cd ..\n{MOUNT}\ncd work")) else {
        return;
    };
    let daemon = bed.start_by(command.arg(program("tod")).arg("run"));
    let mut peer = bed.peer();
    assert_eq!(peer.detect(&hung).expect_err("it hangs").kind, Kind::Unavailable);
    let error = peer.call(reboot(None)).expect_err("refused");
    assert_eq!(error.kind, Kind::Refused);
    assert!(error.to_string().contains("did not come back"), "{error}");
    peer.detect(&fine).expect("served");
    assert_eq!(
        (report(&mut peer).pid, report(&mut peer).generation),
        (daemon.pid(), 0)
    );
    // The first word breaks its calls off, and they hold it until they are back.
    let _busy = namespace::enter(
        daemon.pid(),
        &["umount", "--force", hung.to_str().expect("UTF-8")],
    );
    let again = tests::deadline::until("the call comes back", || peer.call(reboot(None)).ok());
    assert!(matches!(
        again,
        proto::Answer::Daemon(proto::daemon::Answer::Rebooted(_))
    ));
    assert_eq!(
        (report(&mut peer).pid, report(&mut peer).generation),
        (daemon.pid(), 1)
    );
}

fn real(path: &Path) -> std::path::PathBuf {
    std::fs::canonicalize(path).expect("there")
}

#[test]
fn a_disk_without_room_refuses_writes_serves_reads_and_takes_writes_again_when_there_is_room() {
    let bed = Bed::new();
    std::fs::create_dir_all(bed.state()).expect("made");
    tests::daemon::chmod(&bed.state(), 0o700);
    let setup = "mount -t tmpfs -o size=80m,mode=700 none \"$HOME/.local/state/task-orchestrator\"";
    let Some(mut command) = namespace::mounting(&bed, setup) else {
        return;
    };
    let mut daemon = bed.start_by(command.arg(program("tod")).arg("run"));
    let create = |name: &str| {
        let folder = bed.project(name);
        bed.run([
            "workspace",
            "create",
            "--json",
            "--explicit",
            folder.to_str().expect("UTF-8"),
        ])
    };
    let mut acknowledged = vec![create("before").ok().json()["id"].clone()];
    // The daemon's own view of its state folder, which is mounted for it alone.
    let state = format!("/proc/{}/root{}", daemon.pid(), bed.state().display());
    let ballast = Path::new(&state).join("ballast");
    let mut file = std::fs::File::create(&ballast).expect("made");
    while std::io::Write::write_all(&mut file, &[0x5a; 4096]).is_ok() {}
    drop(file);
    let refused = (0..3000).find_map(|number| {
        let said = create(&format!("full-{number}"));
        match said.code {
            0 => {
                acknowledged.push(said.json()["id"].clone());
                None
            }
            _ => Some(said),
        }
    });
    let refused = refused.expect("a full disk is noticed");
    assert_eq!(refused.code, 6, "{refused:?}");
    assert!(
        refused.err.contains("space") || refused.err.contains("room"),
        "{}",
        refused.err
    );
    // Reads go on, and the status says what is wrong.
    let list = bed.run(["workspace", "list", "--json"]).ok().text();
    for id in &acknowledged {
        assert!(list.contains(id.as_str().expect("an id")), "{id} in {list}");
    }
    let status = bed.run(["daemon", "status", "--json"]).ok().json();
    assert_eq!(status["database"]["writable"], false, "{status}");
    // Room again: it heals without a restart.
    std::fs::remove_file(&ballast).expect("removed");
    let healed = tests::deadline::until("writes are taken again", || {
        let said = create("after");
        (said.code == 0).then(|| said.json()["id"].clone())
    });
    acknowledged.push(healed);
    assert!(daemon.ended().is_none());
    let list = bed.run(["workspace", "list", "--json"]).ok().text();
    for id in &acknowledged {
        assert!(list.contains(id.as_str().expect("an id")), "{id} in {list}");
    }
}
