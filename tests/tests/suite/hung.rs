//! A file system that never answers, and one without room, beside everybody else's work.

use std::path::Path;
use std::time::{Duration, Instant};

use proto::Kind;
use tests::daemon::{Bed, program};
use tests::wire::status;
use tests::{git, namespace};

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

fn real(path: &Path) -> std::path::PathBuf {
    std::fs::canonicalize(path).expect("there")
}
