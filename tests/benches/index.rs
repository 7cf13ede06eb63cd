//! The index: the first crawl beside a bare walk, `rg --files` and Watchman, its memory, the start with a saved one, a
//! change on its way to a subscriber beside a raw inotify read and Watchman, and `changes --since` beside an echo of the
//! same bytes.
//!
//! `BENCH_FILES` changes the number of files (200,000, ten to a folder); `BENCH_TRACKED=1` adds them to git's index first;
//! `TOD_BENCH_TREE` names a real tree that is read as well. What a peer takes too long for is left out, and said.

use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use proto::index::{self, Since, Sync};
use proto::{Answer, Item, Request, ServerFrame, daemon, detect, frame};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use tests::bench::{Row, Samples, Target, in_turn};
use tests::daemon::Bed;
use tests::wire::{Peer, ask_frame, status};

use crate::echo::{self, Echo};
use crate::machine::{Seated, Seats};
use crate::watchman::{Talk, Watchman};
use crate::{bare, detect::project};

const CRAWLS: usize = 3;
/// How long Watchman may take for its first look at a large tree.
const PATIENCE: Duration = Duration::from_secs(20);
/// Threads that make the files of the large tree.
const MAKERS: usize = 4;
const CHANGES: usize = 200;
const QUERIES: usize = 5_000;

/// Longer than any settling, so that each change comes after quiet.
const QUIET: Duration = Duration::from_millis(120);

/// All rows.
pub fn rows() -> Vec<Row> {
    let files = std::env::var("BENCH_FILES").map_or(200_000, |text| text.parse().expect("a number of files"));
    let bed = Bed::new();
    let root = large(&bed, files);
    let mut rows = first_index(&bed, &root, &format!("{files} files"));
    if let Some(real) = std::env::var_os("TOD_BENCH_TREE").map(PathBuf::from) {
        rows.extend(first_index(&bed, &real, &real.display().to_string()));
    }
    rows.extend(with_saved(&bed, &root));
    let daemon = bed.start();
    let mut peer = bed.peer();
    clock(&mut peer, &root);
    rows.extend(since((&bed, daemon.pid()), &mut peer, &root));
    drop(peer);
    rows.extend(subscriber(&bed));
    rows
}

/// A repository with that many files, ten to a folder, a hundred folders to a folder.
fn large(bed: &Bed, files: usize) -> PathBuf {
    let start = project(bed, "large");
    let root = start.ancestors().nth(2).expect("two folders deep").to_path_buf();
    let fill = |folder: usize| {
        let folder = root.join(format!("group_{:03}/module_{folder:05}", folder / 100));
        std::fs::create_dir_all(&folder).expect("a folder");
        for file in 0..10 {
            std::fs::File::create(folder.join(format!("source_file_{file}.rs"))).expect("a file");
        }
    };
    std::thread::scope(|scope| {
        for first in 0..MAKERS {
            scope.spawn(move || (first..files.div_ceil(10)).step_by(MAKERS).for_each(fill));
        }
    });
    if std::env::var_os("BENCH_TRACKED").is_some() {
        tests::git::git(&root, &["add", "--all"]);
    }
    root
}

/// A real tree that was unpacked somewhere need not look like a project.
fn at(root: &Path) -> detect::From {
    let path = root.to_path_buf().into();
    match root.ancestors().any(|above| above.join(".git").exists()) {
        true => detect::From::Start(path),
        false => detect::From::Explicit(path),
    }
}

/// A synced clock.
pub fn clock(peer: &mut Peer, root: &Path) -> String {
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

/// The first index of a tree and its memory, and what others take for the same.
fn first_index(bed: &Bed, root: &Path, what: &str) -> Vec<Row> {
    let (mut ours, mut limit, mut rg) = (Samples::default(), Samples::default(), Samples::default());
    let (mut memory, mut files) = (u64::MAX, 0);
    let mut has_rg = true;
    for _ in 0..CRAWLS {
        files = limit.time(|| bare::walk(root));
        let mut list = bed.command("rg");
        list.args(["--files", "--hidden"]).arg(root).stdout(Stdio::null());
        has_rg = has_rg && rg.time(|| list.status().is_ok_and(|ended| ended.success()));
        let daemon = bed.start();
        let mut peer = bed.peer();
        peer.patience(Duration::from_secs(120));
        let before = resident(&mut peer);
        ours.time(|| clock(&mut peer, root));
        memory = memory.min(resident(&mut peer).saturating_sub(before));
        drop(daemon);
        // What a daemon saves must not help the next one: each index here is a first one.
        std::fs::remove_dir_all(bed.state()).expect("the state is removed");
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let each = memory as f64 / files as f64;
    let row = |peer: (&str, Duration), target| {
        Row::times(&format!("first index of {what}"), ours.median(), peer, target)
    };
    let mut rows = vec![
        row(("bare walk", limit.median()), Target::AtMost(1.5)),
        Row {
            what: format!("memory of that index ({files} files), growth of {memory} bytes"),
            ours: format!("{each:.0} bytes a file"),
            peer: "limit 100 bytes".to_owned(),
            ratio: each / 100.0,
            target: Target::AtMost(1.0),
        },
    ];
    match has_rg {
        true => rows.push(row(("rg --files", rg.median()), Target::None)),
        false => eprintln!("not installed: rg"),
    }
    if let Some(taken) = of_watchman(bed, root) {
        rows.push(row(("watchman", taken), Target::None));
    }
    rows
}

/// Once: it may take long.
fn of_watchman(bed: &Bed, root: &Path) -> Option<Duration> {
    let watchman = Watchman::start(bed)?;
    let mut talk = watchman.talk();
    talk.patience(PATIENCE);
    let begin = Instant::now();
    let done = talk.watch(root).and_then(|()| talk.sync(root));
    if done.is_none() {
        eprintln!(
            "left out: watchman was not done with `{}` after {PATIENCE:?}",
            root.display()
        );
    }
    done.map(|()| begin.elapsed())
}

/// A start with a saved index: the first answer, and when it is compared with the disk; beside a bare walk.
fn with_saved(bed: &Bed, root: &Path) -> Vec<Row> {
    let mut daemon = bed.start();
    let mut peer = bed.peer();
    peer.patience(Duration::from_secs(120));
    clock(&mut peer, root);
    drop(peer);
    daemon.stop();
    let (mut first, mut whole, mut limit) = (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..CRAWLS {
        limit.time(|| bare::walk(root));
        let mut daemon = bed.start();
        let mut peer = bed.peer();
        peer.patience(Duration::from_secs(120));
        let begin = Instant::now();
        let unverified = stands(&mut peer, root, Sync::No);
        first.push(begin.elapsed());
        if !unverified {
            eprintln!("a first answer came after the comparison with the disk already");
        }
        while stands(&mut peer, root, Sync::Cookie) {}
        whole.push(begin.elapsed());
        drop(peer);
        daemon.stop();
    }
    vec![
        Row::times(
            "start with that index saved, first answer",
            first.median(),
            ("limit", Duration::from_millis(30)),
            Target::AtMost(1.0),
        ),
        Row::times(
            "the same, compared with the disk",
            whole.median(),
            ("bare walk", limit.median()),
            Target::AtMost(1.2),
        ),
    ]
}

/// Whether a tree is still to be compared with the disk.
fn stands(peer: &mut Peer, root: &Path, sync: Sync) -> bool {
    let request = index::Request::Clock { at: at(root), sync };
    match peer.call(Request::Index(request)) {
        Ok(Answer::Index(index::Answer::Clock { unverified, .. })) => unverified,
        other => panic!("not a clock: {other:?}"),
    }
}

/// `changes --since` with ten changes, without and with the cookie.
fn since((bed, daemon): (&Bed, u32), peer: &mut Peer, root: &Path) -> Vec<Row> {
    let begin = clock(peer, root);
    for file in 0..10 {
        std::fs::write(
            root.join(format!("group_000/module_{file:05}/source_file_0.rs")),
            "changed\n",
        )
        .expect("a change");
    }
    clock(peer, root);
    let row = |(what, target): (&str, f64), sync: Sync, seats: Seats, peer: &mut Peer| {
        let request = index::Request::Changes {
            at: at(root),
            since: Since::Clock(begin.clone()),
            wait: false,
            sync,
        };
        let asked = ask_frame(1, root, Request::Index(request));
        peer.stream.write_all(&asked).expect("asked");
        let (changes, size) = to_the_end(peer, &mut vec![0; 64 << 10]);
        assert_eq!(changes, 10, "the ten changes and nothing else");
        let mut room = vec![0; size];
        let mut raw = Echo::start(bed.path(), asked.len(), size);
        let _seated = Seated::take(seats, &[daemon, raw.pid()]);
        let mut buffer = vec![0; size];
        let (ours, limit) = in_turn(
            QUERIES,
            // The same answer each time; what is in it is looked at once, before and after.
            || {
                peer.stream.write_all(&asked).expect("asked");
                peer.stream.read_exact(&mut room).expect("an answer");
            },
            || echo::round(&mut raw.stream, &asked, &mut buffer),
        );
        peer.stream.write_all(&asked).expect("asked");
        let told = to_the_end(peer, &mut vec![0; 64 << 10]);
        assert_eq!(told, (changes, size), "the answer stays the same");
        Row::times(
            &format!("changes --since, 10 changes, {what}, {}", seats.name()),
            ours.median(),
            ("echo", limit.median()),
            Target::AtMost(target),
        )
    };
    let mut rows = Vec::new();
    for seats in Seats::all() {
        rows.push(row(("no sync", 2.0), Sync::No, seats, peer));
        rows.push(row(("with the cookie", 3.0), Sync::Cookie, seats, peer));
    }
    rows
}

/// Reads the frames of one request, as they come; the number of changes in them and their bytes.
fn to_the_end(peer: &mut Peer, buffer: &mut [u8]) -> (usize, usize) {
    let (mut changes, mut at, mut end) = (0, 0, 0);
    loop {
        let rest = &buffer[at..end];
        let head = rest.first_chunk::<{ frame::HEAD }>();
        let length = head.map(|head| frame::length(*head).expect("a length"));
        let Some(payload) = length.and_then(|length| rest.get(frame::HEAD..frame::HEAD + length)) else {
            let read = peer.stream.read(&mut buffer[end..]).expect("an answer");
            assert!(read > 0, "the daemon hung up");
            end += read;
            continue;
        };
        at += frame::HEAD + payload.len();
        match frame::decode(payload) {
            Ok(ServerFrame::Item {
                item: Item::Changes(part),
                ..
            }) => changes += part.len(),
            Ok(ServerFrame::Done { .. }) => return (changes, at),
            other => panic!("not an answer: {other:?}"),
        }
    }
}

/// From a write to the moment at which whoever waits has it, each the first after quiet.
fn subscriber(bed: &Bed) -> Vec<Row> {
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

    let watchman = Watchman::start(bed);
    let (to_them, theirs) = mpsc::channel();
    let listening = watchman.as_ref().map(|watchman| {
        let mut talk = watchman.talk();
        talk.patience(Duration::from_secs(60));
        talk.watch(&start).expect("in a minute");
        talk.sync(&start).expect("in a minute");
        talk.tell(&serde_json::json!(["subscribe", &start, "bench", { "fields": ["name"] }]));
        std::thread::spawn(move || hear(&mut talk, &to_them))
    });

    let (mut of_ours, mut of_raw, mut of_theirs) =
        (Samples::default(), Samples::default(), Samples::default());
    let limit = Duration::from_secs(10);
    for round in 0..=CHANGES {
        std::thread::sleep(QUIET);
        // The raw side sees the write as well: both are woken by the very same event.
        while ours.try_recv().is_ok() || raw.try_recv().is_ok() || theirs.try_recv().is_ok() {}
        let begin = Instant::now();
        std::fs::write(&file, round.to_string()).expect("a change");
        let seen = raw.recv_timeout(limit).expect("the raw side sees it");
        let told = ours.recv_timeout(limit).expect("the subscriber is told");
        if let (Some(_), true) = (&watchman, round > 0) {
            let told = theirs.recv_timeout(limit).expect("watchman tells");
            of_theirs.push(told.duration_since(begin));
        }
        if round > 0 {
            of_raw.push(seen.duration_since(begin));
            of_ours.push(told.duration_since(begin));
        }
    }
    drop((ours, raw, theirs));
    // The threads notice at the next change that nobody listens any more.
    std::fs::write(&file, "end").expect("a change");
    waiting.join().expect("the raw side ends");
    reading.join().expect("the subscriber ends");
    let row = |peer: (&str, Duration), target| {
        Row::times(
            "change to subscriber, first after quiet",
            of_ours.median(),
            peer,
            target,
        )
    };
    let mut rows = vec![row(("inotify read", of_raw.median()), Target::AtMost(10.0))];
    if let (Some(watchman), Some(listening)) = (watchman, listening) {
        drop(watchman);
        listening.join().expect("it ends");
        rows.push(row(("watchman", of_theirs.median()), Target::None));
    }
    rows
}

/// Each change of a subscription.
fn hear(talk: &mut Talk, to: &mpsc::Sender<Instant>) {
    while let Some(said) = talk.hear() {
        let is_change = said.get("subscription").is_some() && said.get("files").is_some();
        if is_change && to.send(Instant::now()).is_err() {
            return;
        }
    }
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
