//! The index: the first crawl beside a bare walk, its memory, a change on its way to a subscriber beside a raw inotify
//! read, and `changes --since` beside an echo of the same bytes.
//!
//! `BENCH_FILES` changes the number of files (200,000, ten to a folder); `BENCH_TRACKED=1` adds them to git's index first.

use std::io::Write;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use proto::index::{self, Since, Sync};
use proto::{Answer, Item, Request, ServerFrame, daemon, detect, frame};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use tests::bench::{Row, Samples, Target, in_turn};
use tests::daemon::Bed;
use tests::wire::{Peer, ask_frame, status};

use crate::echo::{self, Echo};
use crate::{bare, detect::project};

const CRAWLS: usize = 3;
const CHANGES: usize = 200;
const QUERIES: usize = 5_000;

/// Longer than any settling, so that each change comes after quiet.
const QUIET: Duration = Duration::from_millis(120);

/// All rows.
pub fn rows() -> Vec<Row> {
    let files = std::env::var("BENCH_FILES").map_or(200_000, |text| text.parse().expect("a number of files"));
    let bed = Bed::new();
    let root = large(&bed, files);
    let mut rows = first_index(&bed, &root, files);
    let _daemon = bed.start();
    let mut peer = bed.peer();
    clock(&mut peer, &root);
    rows.extend(since(&bed, &mut peer, &root));
    drop(peer);
    rows.push(subscriber(&bed));
    rows
}

/// A repository with that many files, ten to a folder, a hundred folders to a folder.
fn large(bed: &Bed, files: usize) -> PathBuf {
    let start = project(bed, "large");
    let root = start.ancestors().nth(2).expect("two folders deep").to_path_buf();
    for folder in 0..files.div_ceil(10) {
        let folder = root.join(format!("group_{:03}/module_{folder:05}", folder / 100));
        std::fs::create_dir_all(&folder).expect("a folder");
        for file in 0..10 {
            std::fs::write(folder.join(format!("source_file_{file}.rs")), "x\n").expect("a file");
        }
    }
    if std::env::var_os("BENCH_TRACKED").is_some() {
        tests::git::git(&root, &["add", "--all"]);
    }
    root
}

fn at(root: &Path) -> detect::From {
    detect::From::Start(root.to_path_buf().into())
}

fn clock(peer: &mut Peer, root: &Path) -> String {
    match peer.call(Request::Index(index::Request::Clock {
        at: at(root),
        sync: Sync::Cookie,
    })) {
        Ok(Answer::Index(index::Answer::Clock { clock, .. })) => clock,
        other => panic!("not a clock: {other:?}"),
    }
}

fn resident(peer: &mut Peer) -> u64 {
    match peer.call(status()) {
        Ok(Answer::Daemon(daemon::Answer::Status(status))) => status.rss_bytes,
        other => panic!("not a status: {other:?}"),
    }
}

fn first_index(bed: &Bed, root: &Path, files: usize) -> Vec<Row> {
    let (mut ours, mut limit, mut memory) = (Samples::default(), Samples::default(), u64::MAX);
    for _ in 0..CRAWLS {
        let walked = limit.time(|| bare::walk(root));
        let daemon = bed.start();
        let mut peer = bed.peer();
        peer.patience(Duration::from_secs(120));
        let before = resident(&mut peer);
        ours.time(|| clock(&mut peer, root));
        memory = memory.min(resident(&mut peer).saturating_sub(before));
        assert!(walked >= files as u64, "the walk saw {walked} files");
        drop(daemon);
        // What a daemon saves must not help the next one: each index here is a first one.
        std::fs::remove_dir_all(bed.state()).expect("the state is removed");
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let each = memory as f64 / files as f64;
    vec![
        Row::times(
            &format!("first index of {files} files"),
            ours.median(),
            ("bare walk", limit.median()),
            Target::AtMost(1.5),
        ),
        Row {
            what: format!("memory of that index, growth of {memory} bytes"),
            ours: format!("{each:.0} bytes a file"),
            peer: "limit 100 bytes".to_owned(),
            ratio: each / 100.0,
            target: Target::AtMost(1.0),
        },
    ]
}

/// `changes --since` with ten changes, without and with the cookie.
fn since(bed: &Bed, peer: &mut Peer, root: &Path) -> Vec<Row> {
    let begin = clock(peer, root);
    for file in 0..10 {
        std::fs::write(
            root.join(format!("group_000/module_{file:05}/source_file_0.rs")),
            "changed\n",
        )
        .expect("a change");
    }
    clock(peer, root);
    let row = |what: &str, sync: Sync, target: f64, peer: &mut Peer| {
        let request = index::Request::Changes {
            at: at(root),
            since: Since::Clock(begin.clone()),
            wait: false,
            sync,
        };
        let asked = ask_frame(1, root, Request::Index(request));
        let mut once = || {
            peer.stream.write_all(&asked).expect("asked");
            to_the_end(peer)
        };
        let (changes, size) = once();
        assert_eq!(changes, 10, "the ten changes and nothing else");
        let mut raw = Echo::start(bed.path(), asked.len(), size);
        let mut buffer = vec![0; size];
        let (ours, limit) = in_turn(
            QUERIES,
            || {
                once();
            },
            || echo::round(&mut raw.stream, &asked, &mut buffer),
        );
        Row::times(
            what,
            ours.median(),
            ("echo", limit.median()),
            Target::AtMost(target),
        )
    };
    vec![
        row("changes --since, 10 changes, no sync", Sync::No, 2.0, peer),
        row(
            "changes --since, 10 changes, with the cookie",
            Sync::Cookie,
            3.0,
            peer,
        ),
    ]
}

/// Reads the frames of one request; the number of changes in them and their bytes.
fn to_the_end(peer: &mut Peer) -> (usize, usize) {
    let (mut changes, mut size) = (0, 0);
    loop {
        let payload = crate::detect::payload(&mut peer.stream);
        size += frame::HEAD + payload.len();
        match frame::decode(&payload) {
            Ok(ServerFrame::Item {
                item: Item::Changes(part),
                ..
            }) => changes += part.len(),
            Ok(ServerFrame::Done { .. }) => return (changes, size),
            other => panic!("not an answer: {other:?}"),
        }
    }
}

/// From a write to the moment at which whoever waits has it, each the first after quiet.
fn subscriber(bed: &Bed) -> Row {
    let start = project(bed, "watched");
    let file = start.join("changing.rs");
    std::fs::write(&file, "0").expect("a file");
    let mut peer = bed.peer();
    clock(&mut peer, &start);
    peer.ask(Request::Index(index::Request::Watch {
        at: at(&start),
        since: None,
    }));

    let (to_us, ours) = mpsc::channel();
    let reading = std::thread::spawn(move || {
        while let Some(ServerFrame::Item {
            item: Item::Batch(batch),
            ..
        }) = peer.frame()
        {
            let now = Instant::now();
            if !batch.changes.is_empty() && to_us.send(now).is_err() {
                break;
            }
        }
    });
    let (to_raw, raw) = mpsc::channel();
    let watched = start.clone();
    let waiting = std::thread::spawn(move || raw_reads(&watched, &to_raw));

    let (mut of_ours, mut of_raw) = (Samples::default(), Samples::default());
    let limit = Duration::from_secs(10);
    for round in 0..=CHANGES {
        std::thread::sleep(QUIET);
        // The raw side sees the write as well: both are woken by the very same event.
        while ours.try_recv().is_ok() || raw.try_recv().is_ok() {}
        let begin = Instant::now();
        std::fs::write(&file, round.to_string()).expect("a change");
        let seen = raw.recv_timeout(limit).expect("the raw side sees it");
        let told = ours.recv_timeout(limit).expect("the subscriber is told");
        if round > 0 {
            of_raw.push(seen.duration_since(begin));
            of_ours.push(told.duration_since(begin));
        }
    }
    drop((ours, raw));
    // Both threads notice at the next change that nobody listens any more.
    std::fs::write(&file, "end").expect("a change");
    waiting.join().expect("the raw side ends");
    reading.join().expect("the subscriber ends");
    Row::times(
        "change to subscriber, first after quiet",
        of_ours.median(),
        ("inotify read", of_raw.median()),
        Target::AtMost(10.0),
    )
}

fn raw_reads(folder: &Path, to: &mpsc::Sender<Instant>) {
    let watches = inotify::init(CreateFlags::CLOEXEC).expect("an inotify descriptor");
    inotify::add_watch(&watches, folder, WatchFlags::MODIFY).expect("a watch");
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = Reader::new(watches, &mut buffer);
    while events.next().is_ok() {
        if to.send(Instant::now()).is_err() {
            return;
        }
    }
}
