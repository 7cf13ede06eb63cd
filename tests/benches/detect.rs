//! `detect` over an open connection: from memory beside an echo of the same bytes, and afresh beside the bare reads.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::{Answer, Request, ServerFrame, detect, frame};
use tests::bench::{Row, Samples, Target, in_turn};
use tests::daemon::Bed;
use tests::deadline;
use tests::wire::{Peer, ask_frame};

use crate::echo::{self, Echo};
use crate::machine::{Seated, Seats};

const WARM: usize = 20_000;
const COLD: usize = 500;

/// Warm and cold.
pub fn rows() -> Vec<Row> {
    let bed = Bed::new();
    let daemon = bed.start();
    let mut rows = Vec::new();
    for seats in Seats::all() {
        rows.extend(warm((&bed, daemon.pid()), seats));
    }
    rows.extend(cold(&bed));
    drop(daemon);
    rows
}

/// A repository made by hand, so that making hundreds takes no hundreds of processes, with a package two folders deep.
/// The start path in it.
pub fn project(bed: &Bed, name: &str) -> PathBuf {
    let root = bed.project(name);
    for folder in [".git/objects", ".git/refs/heads", "src/deep"] {
        std::fs::create_dir_all(root.join(folder)).expect("a folder");
    }
    let write = |path: &str, text: &str| std::fs::write(root.join(path), text).expect("a file");
    write(".git/HEAD", "ref: refs/heads/main\n");
    write(
        ".git/config",
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n",
    );
    write("Cargo.toml", "[package]\nname = \"x\"\n");
    write("src/deep/lib.rs", "");
    root.join("src/deep")
}

fn find(start: &Path) -> Request {
    Request::Detect(detect::Request::Find(detect::From::Start(
        start.to_path_buf().into(),
    )))
}

/// Reads one frame; its payload.
pub fn payload(stream: &mut UnixStream) -> Vec<u8> {
    let mut head = [0; frame::HEAD];
    stream.read_exact(&mut head).expect("a head");
    let mut payload = vec![0; frame::length(head).expect("a length")];
    stream.read_exact(&mut payload).expect("a payload");
    payload
}

fn detection(payload: &[u8]) -> detect::Detection {
    match frame::decode(payload) {
        Ok(ServerFrame::Done {
            answer: Answer::Detect(found),
            ..
        }) => found,
        other => panic!("not a detection: {other:?}"),
    }
}

fn warm((bed, daemon): (&Bed, u32), seats: Seats) -> Vec<Row> {
    let start = project(bed, &format!("warm on {}", seats.name()));
    let mut peer: Peer = bed.peer();
    let asked = ask_frame(1, &start, find(&start));
    // A project made a moment ago is not trusted before the clock of its file system has moved on.
    deadline::until("the answer comes from memory", || {
        detection(&once(&mut peer, &asked)).cached.then_some(())
    });
    let (ours, limit) = beside_echo((bed, daemon), seats, &mut peer, &asked);
    let row = |what, part, target| {
        let what = format!("warm detect, {what}, {}", seats.name());
        Row::times(&what, ours.part(part), ("echo", limit.part(part)), target)
    };
    vec![
        row("median", 0.5, Target::AtMost(2.0)),
        row("p99", 0.99, Target::AtMost(5.0)),
    ]
}

fn once(peer: &mut Peer, asked: &[u8]) -> Vec<u8> {
    peer.stream.write_all(asked).expect("asked");
    payload(&mut peer.stream)
}

/// A request over an open connection, and an echo of as many bytes.
fn beside_echo(
    (bed, daemon): (&Bed, u32),
    seats: Seats,
    peer: &mut Peer,
    asked: &[u8],
) -> (Samples, Samples) {
    let size = frame::HEAD + once(peer, asked).len();
    let mut raw = Echo::start(bed.path(), asked.len(), size);
    let _seated = Seated::take(seats, &[daemon, raw.pid()]);
    let mut buffer = vec![0; size];
    in_turn(
        WARM,
        || drop(once(peer, asked)),
        || echo::round(&mut raw.stream, asked, &mut buffer),
    )
}

fn cold(bed: &Bed) -> Vec<Row> {
    let mut peer = bed.peer();
    let (mut ours, mut bare) = (Samples::default(), Samples::default());
    for number in 0..COLD {
        let start = project(bed, &format!("cold-{number}"));
        peer.stream
            .write_all(&ask_frame(1, &start, find(&start)))
            .expect("asked");
        let found = detection(&payload(&mut peer.stream));
        assert!(!found.cached, "a project never seen is not in memory");
        ours.push(Duration::from_micros(found.micros));
        bare.time(|| reads(&start));
    }
    vec![Row::times(
        "cold detect, median",
        ours.median(),
        ("bare reads", bare.median()),
        Target::AtMost(3.0),
    )]
}

/// What an answer cannot do without: a stat of every ancestor, the names in each folder from the start up to the root, and
/// the files that say what the root is.
fn reads(start: &Path) {
    let root = start.ancestors().nth(2).expect("two folders deep");
    for ancestor in start.ancestors() {
        let _there = std::fs::symlink_metadata(ancestor).expect("an ancestor");
        if ancestor.starts_with(root) {
            let names = std::fs::read_dir(ancestor).expect("a folder").count();
            assert!(names > 0);
        }
    }
    for file in [".git", ".git/objects", ".git/refs"] {
        let _there = std::fs::metadata(root.join(file)).expect("part of a repository");
    }
    for file in [".git/HEAD", ".git/config", "Cargo.toml"] {
        let _text = std::fs::read(root.join(file)).expect("part of a repository");
    }
}
