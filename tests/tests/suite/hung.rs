//! A file system that never answers, and one without room, beside everybody else's work.

use std::path::Path;
use std::time::{Duration, Instant};

use proto::index::{TreeState, TreeStatus};
use proto::{Kind, Request, daemon};
use rustix::process::{Pid, Signal, kill_process};
use tests::daemon::{Bed, program};
use tests::wire::{Peer, status};
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

fn tree(peer: &mut Peer, root: &Path) -> TreeStatus {
    let workspaces = report(peer).workspaces.into_iter();
    let mut trees = workspaces.flat_map(|workspace| workspace.trees);
    let tree = trees.find(|tree| tree.root.as_path() == root);
    tree.expect("it is watched")
}

/// A mount of FUSE whose server can be stopped: it shows the folder `real`.
fn stoppable() -> String {
    format!(
        "cd ..
        exec 9<>/dev/fuse
        mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 mirror work/seen
        '{}' work/real $$ <&9 9<&- >/dev/null 2>&1 &
        echo $! >work/server
        exec 9<&-
        cd work",
        program("mirror").display()
    )
}

#[test]
fn a_project_whose_file_server_stops_holds_nobody_and_a_reboot_waits_for_it_or_is_refused() {
    let bed = Bed::new();
    let (real, seen, fine) = (bed.project("real"), bed.project("seen"), bed.project("fine"));
    for folder in [&real, &fine] {
        std::fs::write(folder.join("file"), "1").expect("written");
        git::init(folder);
    }
    let settings = bed.home().join(".config/task-orchestrator");
    std::fs::create_dir_all(&settings).expect("made");
    std::fs::write(settings.join("config.yaml"), "watch:\n  poll_seconds: 1\n").expect("written");
    let Some(mut command) = namespace::mounting(&bed, &stoppable()) else {
        return;
    };
    let mut tod = bed.start_by(command.arg(program("tod")).arg("run"));
    let server = std::fs::read_to_string(bed.work().join("server")).expect("told");
    let server = Pid::from_raw(server.trim().parse().expect("a number")).expect("a process");
    let mut peer = bed.peer();
    assert_eq!(peer.files(&seen).expect("files"), [b"file"]);
    assert_eq!(peer.files(&fine).expect("files"), [b"file"]);
    // Somebody listens, so the tree is looked at without being asked for.
    let (mut listener, clock) = (bed.peer(), peer.clock(&seen).expect("a clock"));
    let (from, told) = (seen.clone(), clock.clone());
    let waiting = std::thread::spawn(move || listener.wait(&from, &told));
    // Its question has found its project before that hangs: so has one that came after it.
    tests::deadline::until("it waits", || (report(&mut peer).requests == 1).then_some(()));
    assert_eq!(peer.clock(&seen).expect("a clock"), clock);
    kill_process(server, Signal::STOP).expect("stopped");
    tests::deadline::until("it is said", || {
        let tree = tree(&mut peer, &seen);
        (tree.state == TreeState::Unreachable).then_some(())
    });
    let reason = tree(&mut peer, &seen).reason.expect("a reason");
    assert!(reason.contains("does not answer"), "{reason}");
    for round in 0..10 {
        let name = format!("new-{round}");
        std::fs::write(fine.join(&name), "1").expect("written");
        assert!(peer.files(&fine).expect("files").contains(&name.into_bytes()));
        assert_eq!(tree(&mut peer, &fine).state, TreeState::Watching);
    }
    let asked = daemon::Request::Reboot {
        binary: None,
        limit_ms: 1_500,
        reason: None,
    };
    let error = peer.call(Request::Daemon(asked)).expect_err("refused");
    assert_eq!(error.kind, Kind::Refused, "{error}");
    let said = error.to_string();
    assert!(
        said.contains("did not come back") && said.contains("work/seen"),
        "{said}"
    );
    assert_eq!(report(&mut peer).generation, 0);
    assert_eq!(peer.files(&fine).expect("files").len(), 11);
    kill_process(server, Signal::CONT).expect("it goes on");
    std::fs::write(real.join("more"), "1").expect("written");
    let changes = waiting.join().expect("it ends").expect("changes");
    assert!(
        changes.iter().any(|change| change.path.as_bytes() == b"more"),
        "{changes:?}"
    );
    tests::deadline::until("the call comes back", || peer.call(reboot(None)).ok());
    assert_eq!(report(&mut peer).generation, 1);
    assert_eq!(peer.files(&seen).expect("files").len(), 2);
    assert_eq!(tree(&mut peer, &seen).state, TreeState::Polling);
    // Nobody listens: no call is under way when the server stops, and the next image meets it.
    kill_process(server, Signal::STOP).expect("stopped");
    peer.call(reboot(None)).expect("a reboot");
    assert_eq!(report(&mut peer).generation, 2);
    assert_eq!(peer.files(&fine).expect("files").len(), 11);
    kill_process(server, Signal::CONT).expect("it goes on");
    assert_eq!(peer.files(&seen).expect("files").len(), 2);
    // It ends in time also beside a disk that does not answer.
    kill_process(server, Signal::STOP).expect("stopped");
    let began = Instant::now();
    tod.stop();
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "the stop waits for the disk"
    );
    kill_process(server, Signal::CONT).expect("it goes on");
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

#[test]
fn contents_that_fill_a_disk_leave_records_their_room() {
    let bed = Bed::new();
    std::fs::create_dir_all(bed.state()).expect("made");
    tests::daemon::chmod(&bed.state(), 0o700);
    let setup = "mount -t tmpfs -o size=90m,mode=700 none \"$HOME/.local/state/task-orchestrator\"";
    let Some(mut command) = namespace::mounting(&bed, setup) else {
        return;
    };
    let _daemon = bed.start_by(command.arg(program("tod")).arg("run"));
    let repo = bed.project("repo");
    let run = |words: &[&str]| tests::process::run(bed.tocli(words).current_dir(&repo));
    run(&["task", "add", "A", "--id", "a"]).ok();
    let large = bed.work().join("large");
    std::fs::write(&large, vec![0x5a; 80 << 20]).expect("written");
    // Of a known length: refused before anything is sent.
    let said = run(&["artifact", "store", "a", large.to_str().expect("UTF-8")]).ends(6);
    assert!(said.err.contains("no room for 83886080 bytes"), "{said:?}");
    assert_eq!(run(&["artifact", "partials"]).ok().text(), "");
    // Of an unknown one: as far as there is room, and what came is kept.
    let script = "cat \"$1\" | exec \"$0\" artifact store a - --name large";
    let mut shell = bed.command("sh");
    shell.args(["-c", script]).arg(program("tocli")).arg(&large);
    let said = tests::process::run(shell.current_dir(&repo)).ends(6);
    assert!(said.err.contains("must stay so"), "{said:?}");
    let draft = run(&["artifact", "partials", "--json"]).ok().json();
    let draft = &draft["partials"][0];
    assert!(
        draft["received"].as_u64().is_some_and(|bytes| bytes > 8 << 20),
        "{draft}"
    );
    // Records find their room, and with it what makes more of it.
    run(&["task", "add", "B", "--id", "b"]).ok();
    let id = draft["draft"].as_str().expect("an id");
    run(&["artifact", "partials", "--discard", id]).ok();
    let small = bed.work().join("small");
    std::fs::write(&small, vec![1; 2 << 20]).expect("written");
    run(&["artifact", "store", "a", small.to_str().expect("UTF-8")]).ok();
}
