//! Artifacts: one large one beside `cp` and `fsync`, with the memory it takes, also on its way out of the workspace and into
//! another; a list of ten thousand; small ones beside durable rows of SQLite.
//!
//! `TOD_BENCH_MB` is the size of the large one in megabytes: 128 without it, 1024 for the full measure.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use proto::artifact::{Answer, Call, Filter, NewArtifact, Request, Source};
use proto::{detect, task, workspace};
use tests::bench::{Row, Samples, Target, in_turn};
use tests::daemon::{Bed, Daemon};
use tests::wire::Peer;

use crate::detect::project;
use crate::store::{insert, sqlite};

/// In the workspace.
const ARTIFACTS: usize = 10_000;
/// How often the large one is moved.
const ROUNDS: usize = 2;
/// Clients that make the small ones, which share their syncs.
const MAKERS: usize = 16;
/// What a client may take, whatever it moves.
const CLIENT: u64 = 32 << 20;
/// What the daemon may grow by for an artifact of any size.
const GROWTH: u64 = 16 << 20;

/// All rows of this group.
pub fn rows() -> Vec<Row> {
    let bed = Bed::within(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let daemon = bed.start();
    let start = project(&bed, "artifacts");
    let task = made(&mut bed.peer(), &start);
    let mut rows = large(&bed, &daemon, (&start, &task));
    rows.extend(exchange(&bed, &daemon, &start));
    let mut peer = bed.peer();
    rows.push(stores(&mut peer, &bed, (&start, &task)));
    std::thread::scope(|scope| {
        for maker in 0..MAKERS {
            let (bed, start, task) = (&bed, &start, &task);
            scope.spawn(move || {
                let mut peer = bed.peer();
                for number in (maker..ARTIFACTS).step_by(MAKERS) {
                    ask(&mut peer, start, small(task, &format!("n{number}.md"), number));
                }
            });
        }
    });
    rows.extend(lists(&mut peer, &start));
    rows
}

fn ask(peer: &mut Peer, start: &Path, what: Request) -> Answer {
    let at = workspace::Which::At(detect::From::Caller);
    let request = proto::Request::Artifact(Box::new(Call { at, what }));
    match peer.call_from(start, &[], request) {
        Ok((_, proto::Answer::Artifact(answer))) => answer,
        other => panic!("not about artifacts: {other:?}"),
    }
}

fn made(peer: &mut Peer, start: &Path) -> String {
    let new = task::NewTask {
        title: "Work".into(),
        ..task::NewTask::default()
    };
    let call = task::Call {
        at: workspace::Which::At(detect::From::Caller),
        what: task::Request::Add(Box::new(new)),
    };
    match peer.call_from(start, &[], proto::Request::Task(Box::new(call))) {
        Ok((_, proto::Answer::Task(task::Answer::Task { task, .. }))) => task.id,
        other => panic!("not a task: {other:?}"),
    }
}

fn small(task: &str, name: &str, number: usize) -> Request {
    let new = NewArtifact {
        task: task.to_owned(),
        name: name.to_owned(),
        ..NewArtifact::default()
    };
    Request::Store(Box::new(Source::Here {
        new,
        bytes: format!("{number} {}", "x".repeat(200)).into_bytes(),
    }))
}

/// Bytes that no file system could make smaller.
fn noise(path: &Path, megabytes: u64) {
    let mut file = std::fs::File::create(path).expect("made");
    let mut piece = vec![0; 1 << 20];
    for number in 0..megabytes {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&number.to_le_bytes());
        hasher.finalize_xof().fill(&mut piece);
        file.write_all(&piece).expect("written");
    }
    file.sync_all().expect("synced");
}

fn took(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// What `cp` and `fsync` do.
fn copied(from: &Path, to: &Path) {
    drop(std::fs::remove_file(to));
    std::fs::copy(from, to).expect("copied");
    let file = std::fs::File::open(to).expect("there");
    file.sync_all().expect("synced");
}

fn large(bed: &Bed, daemon: &Daemon, (start, task): (&Path, &str)) -> Vec<Row> {
    let wanted = std::env::var("TOD_BENCH_MB").ok();
    let megabytes = wanted.map_or(128, |text| text.parse().expect("a number of megabytes"));
    let tocli = |words: &[&str]| said(bed, start, words);
    let limit = (megabytes + 1).to_string();
    tocli(&[
        "config",
        "set",
        "--user",
        "workspace.max_artifact_size_mb",
        &limit,
    ]);
    let (file, copy) = (bed.path().join("large"), bed.path().join("copy"));
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (mut store, mut get, mut limit_store, mut limit_get) =
        (Duration::ZERO, Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (mut growth, mut client) = (0, 0);
    for round in 0..ROUNDS {
        // Other bytes each time: those that are there already would not be written.
        noise(&file, megabytes);
        let mut handle = std::fs::OpenOptions::new()
            .append(true)
            .open(&file)
            .expect("there");
        write!(handle, "{round}").expect("written");
        copied(&file, &copy);
        limit_store += took(|| copied(&file, &copy));
        let before = peak(daemon, Peak::Reset);
        let mut id = String::new();
        store += took(|| {
            let words = [
                "artifact",
                "store",
                task,
                &text(&file),
                "--name",
                "large",
                "--json",
            ];
            let said: serde_json::Value = {
                let (out, most) = tocli(&words);
                client = client.max(most);
                serde_json::from_slice(&out).expect("JSON")
            };
            said["artifact_id"].as_str().expect("an id").clone_into(&mut id);
        });
        limit_get += took(|| copied(&file, &copy));
        get += took(|| {
            client = client.max(tocli(&["artifact", "get", &id, "-o", &text(&copy)]).1);
        });
        growth = growth.max(peak(daemon, Peak::Read).saturating_sub(before));
    }
    let rate = |took: Duration| megabytes as f64 * ROUNDS as f64 / took.as_secs_f64();
    let what = |verb: &str| format!("artifact of {megabytes} MB, {verb}");
    vec![
        Row::rates(
            &what("store"),
            "MB",
            rate(store),
            ("cp + fsync", rate(limit_store)),
            Target::AtLeast(0.7),
        ),
        Row::rates(
            &what("get -o"),
            "MB",
            rate(get),
            ("cp + fsync", rate(limit_get)),
            Target::AtLeast(0.7),
        ),
        memory(&what("growth of the daemon"), growth, GROWTH),
        memory(&what("peak of the client"), client, CLIENT),
    ]
}

fn memory(what: &str, bytes: u64, limit: u64) -> Row {
    Row {
        what: what.to_owned(),
        ours: format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        peer: format!("limit {} MiB", limit >> 20),
        ratio: bytes as f64 / limit as f64,
        target: Target::AtMost(1.0),
    }
}

/// Runs `tocli`: what it said, and the most memory that it was seen to have.
fn said(bed: &Bed, start: &Path, words: &[&str]) -> (Vec<u8>, u64) {
    let mut command = bed.tocli(words);
    command
        .current_dir(start)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut most = 0;
    // What it says fits into a pipe.
    while child.try_wait().expect("asked").is_none() {
        most = most.max(resident(child.id()).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(2));
    }
    let said = child.wait_with_output().expect("it ended");
    let error = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{words:?}: {error}");
    (said.stdout, most)
}

/// All of the workspace out into a file and into another one, beside a copy of that file.
fn exchange(bed: &Bed, daemon: &Daemon, start: &Path) -> Vec<Row> {
    let (file, copy) = (bed.path().join("export"), bed.path().join("copy"));
    let name = file.to_str().expect("UTF-8");
    let other = project(bed, "other");
    let before = peak(daemon, Peak::Reset);
    let mut client = 0;
    let out = took(|| client = said(bed, start, &["workspace", "export", name]).1);
    let into = took(|| client = client.max(said(bed, &other, &["workspace", "import", name]).1));
    let growth = peak(daemon, Peak::Read).saturating_sub(before);
    let limit = took(|| copied(&file, &copy));
    let megabytes = std::fs::metadata(&file).expect("there").len() as f64 / 1e6;
    let rate = |took: Duration| megabytes / took.as_secs_f64();
    let row = |verb: &str, took| {
        let what = format!("workspace of {megabytes:.0} MB, {verb}");
        let peer = ("cp + fsync", rate(limit));
        Row::rates(&what, "MB", rate(took), peer, Target::None)
    };
    vec![
        row("export", out),
        row("import", into),
        memory("the same, growth of the daemon", growth, 4 * GROWTH),
        memory("the same, peak of the client", client, CLIENT),
    ]
}

enum Peak {
    /// Begin anew: what is resident now.
    Reset,
    /// The most that was resident since then.
    Read,
}

/// Resident bytes of the daemon, as the kernel counts them.
fn peak(daemon: &Daemon, what: Peak) -> u64 {
    let folder = Path::new("/proc").join(daemon.pid().to_string());
    if let Peak::Reset = what {
        std::fs::write(folder.join("clear_refs"), "5").expect("the peak is reset");
    }
    resident(daemon.pid()).expect("it lives")
}

/// The most bytes that a process had resident; none when it has gone.
fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes << 10)
}

/// A durable artifact: an object, its records, its file in the project, beside one row and its index entry.
fn stores(peer: &mut Peer, bed: &Bed, (start, task): (&Path, &str)) -> Row {
    let connection = sqlite(&bed.path().join("artifacts.sqlite"));
    let (mut number, mut row) = (1_000_000, 0);
    let (ours, theirs) = in_turn(
        500,
        || {
            number += 1;
            ask(peer, start, small(task, "one.md", number));
        },
        || {
            row += 1;
            insert(&connection, row);
        },
    );
    let what = "artifact store, durable, one client, with its file";
    Row::times(
        what,
        ours.median(),
        ("SQLite FULL", theirs.median()),
        Target::None,
    )
}

fn lists(peer: &mut Peer, start: &Path) -> Vec<Row> {
    let limit = Duration::from_millis(5);
    let mut row = |what: &str, filter: &Filter, limit_of_page: u32| {
        let ours = samples(|| {
            let list = Request::List {
                filter: Box::new(filter.clone()),
                limit: limit_of_page,
                cursor: None,
            };
            ask(peer, start, list);
        });
        Row::times(what, ours.median(), ("limit", limit), Target::AtMost(1.0))
    };
    let nowhere = Filter {
        text: Some("nowhere".into()),
        ..Filter::default()
    };
    vec![
        row("a page of 100 of 10,000 artifacts", &Filter::default(), 100),
        row("a page of 1,000 of 10,000 artifacts", &Filter::default(), 1000),
        row("a list that looks at all 10,000 artifacts", &nowhere, 100),
    ]
}

fn samples(mut ours: impl FnMut()) -> Samples {
    in_turn(200, &mut ours, || ()).0
}
