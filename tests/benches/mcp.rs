//! What a coding agent waits for and pays: the start of `to-mcp`, a call of a tool over the daemon's own time, memory, the
//! definitions of its tools, its end, and `prime` in a workspace with as many records as a long project gathers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use proto::task::{Answer, Call, Request};
use proto::{Caller, ClientFrame, ServerFrame, context, detect, frame, workspace};
use serde_json::{Value, json};
use tests::bench::{Row, Samples, Target, in_turn};
use tests::crowd::Crowd;
use tests::daemon::{Bed, program};
use tests::mcp::Shim;
use tests::wire::Peer;

use crate::detect::project;

/// What a long project gathers.
const CROWD: Crowd = Crowd {
    tasks: 20_000,
    artifacts: 10_000,
    decisions: 1_000,
};
const ROUNDS: usize = 300;
/// What the shim may take, in bytes.
const MEMORY: f64 = 12.0 * 1024.0 * 1024.0;
/// What the definitions of the smallest profile may cost.
const TOKENS: f64 = 2_000.0;
/// What those of the older program took, in bytes.
const OLDER: f64 = 6_900.0;

/// All rows of this group.
pub fn rows() -> Vec<Row> {
    let bed = Bed::within(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let daemon = bed.start();
    let start = project(&bed, "mcp");
    let mut peer = bed.peer();
    CROWD.fill(&mut peer, &start);
    let mut rows = vec![begins(&bed, &start)];
    rows.extend(calls(&mut peer, &bed, &start));
    rows.extend(definitions(&bed, &start));
    rows.push(ends(&bed, &start));
    rows.extend(primes(&mut peer, &bed, &start));
    drop(daemon);
    rows
}

/// From the start of the process to the answer to `initialize`.
fn begins(bed: &Bed, start: &Path) -> Row {
    let mut ours = Samples::default();
    for _ in 0..50 {
        let mut command = bed.to_mcp(&[], start);
        let shim = ours.time(|| {
            let mut shim = Shim::start(&mut command);
            shim.initialize("2025-11-25", "bench", json!({}));
            shim
        });
        drop(shim);
    }
    Row::times(
        "`to-mcp`: start to `initialize` answer",
        ours.median(),
        ("limit", Duration::from_millis(15)),
        Target::AtMost(1.0),
    )
}

/// The same two questions through the shim and over a connection; then what the shim took at its most.
fn calls(peer: &mut Peer, bed: &Bed, start: &Path) -> Vec<Row> {
    let mut shim = bed.shim(&[], start);
    let (ours, daemons) = in_turn(
        ROUNDS,
        || drop(shim.tool("orchestrator_next", json!({})).ok()),
        || {
            peer.detect(start).expect("a project");
            let what = Request::Next {
                specialists: Vec::new(),
                claim: false,
            };
            let at = workspace::Which::At(detect::From::Caller);
            let request = proto::Request::Task(Box::new(Call { at, what }));
            match peer.call_from(start, &[], request) {
                Ok((_, proto::Answer::Task(Answer::Next { .. }))) => {}
                other => panic!("not the next task: {other:?}"),
            }
        },
    );
    for tool in [
        "orchestrator_tasks",
        "orchestrator_artifact",
        "orchestrator_decision",
    ] {
        shim.tool(tool, json!({ "action": "list", "limit": 100 })).ok();
    }
    let calls = |what: &str, of: Duration| {
        let limit = ("limit", Duration::from_millis(1));
        Row::times(what, of, limit, Target::AtMost(1.0))
    };
    let peak = peak(shim.pid());
    vec![
        calls(
            "a tool call, over the daemon's own time",
            ours.median().saturating_sub(daemons.median()),
        ),
        calls(
            "the same, p99",
            ours.part(0.99).saturating_sub(daemons.part(0.99)),
        ),
        Row {
            what: "`to-mcp`: peak memory after all that".to_owned(),
            ours: format!("{:.1} MB", peak / 1024.0 / 1024.0),
            peer: "limit 12 MB".to_owned(),
            ratio: peak / MEMORY,
            target: Target::AtMost(1.0),
        },
    ]
}

#[expect(clippy::cast_precision_loss, reason = "some megabytes")]
fn peak(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.expect("a figure") as f64 * 1024.0
}

/// What the definitions of each profile cost.
fn definitions(bed: &Bed, start: &Path) -> Vec<Row> {
    let mut rows = Vec::new();
    for profile in ["core", "compat", "full"] {
        let mut shim = bed.shim(&["--profile", profile], start);
        let answer = shim.ask("tools/list", json!({}));
        let (bytes, tokens, how) = cost(&answer["result"]["tools"]);
        let mut row = |what: &str, ours: f64, peer: (&str, f64), target| {
            rows.push(Row {
                what: format!("`tools/list` of {profile}: {what}"),
                ours: format!("{ours:.0}"),
                peer: format!("{} {:.0}", peer.0, peer.1),
                ratio: ours / peer.1,
                target,
            });
        };
        let target = match profile {
            "core" => Target::AtMost(1.0),
            _ => Target::None,
        };
        row("bytes", bytes, ("the older program", OLDER), Target::None);
        row(
            &format!("tokens ({how})"),
            tokens,
            ("limit of core", TOKENS),
            target,
        );
    }
    rows
}

/// Bytes, tokens, and how these were counted: by the tokenizer where Python has it, else by the bound of the suite.
#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn cost(tools: &Value) -> (f64, f64, &'static str) {
    let text = tools.to_string();
    let bytes = text.len() as f64;
    let count =
        "import sys, tiktoken; print(len(tiktoken.get_encoding('o200k_base').encode(sys.stdin.read())))";
    let child = Command::new("python3")
        .args(["-c", count])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let counted = child.ok().and_then(|mut child| {
        child.stdin.take()?.write_all(text.as_bytes()).ok()?;
        let said = child.wait_with_output().ok()?;
        String::from_utf8(said.stdout).ok()?.trim().parse::<f64>().ok()
    });
    match counted {
        Some(tokens) => (bytes, tokens, "o200k"),
        None => (bytes, bytes * 2.0 / 7.0, "at most, 3.5 bytes each"),
    }
}

/// From the end of its parent to its own, while its input stays open.
fn ends(bed: &Bed, start: &Path) -> Row {
    let mut ours = Samples::default();
    for _ in 0..5 {
        let mut parent = bed
            .command("sh")
            .args([
                "-c",
                "exec 3<&0; \"$0\" <&3 >/dev/null & echo $!; exec sleep 1000",
            ])
            .arg(program("to-mcp"))
            .current_dir(start)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut line = String::new();
        let output = parent.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let shim: u32 = line.trim().parse().expect("a process id");
        tests::deadline::until("the shim watches", || {
            let threads = std::fs::read_dir(format!("/proc/{shim}/task")).ok()?.count();
            (threads > 2).then_some(())
        });
        let input = parent.stdin.take();
        parent.kill().expect("killed");
        let begun = Instant::now();
        parent.wait().expect("gone");
        while tests::process::lives(shim) {
            std::thread::sleep(Duration::from_millis(1));
        }
        ours.push(begun.elapsed());
        drop(input);
    }
    Row::times(
        "`to-mcp`: gone after its parent, the longest of five",
        ours.part(1.0),
        ("limit", Duration::from_secs(1)),
        Target::AtMost(1.0),
    )
}

/// `prime` as a hook runs it, and what the daemon takes of that; the begin of a session.
fn primes(peer: &mut Peer, bed: &Bed, start: &Path) -> Vec<Row> {
    let mut hook = Samples::default();
    for _ in 0..50 {
        let mut command = bed.tocli(["prime", "--hook", "--actor", "bench"]);
        command.current_dir(start);
        let said = hook.time(|| command.output()).expect("it runs");
        assert!(said.status.success() && !said.stdout.is_empty(), "{said:?}");
    }
    let mut asked = |what: context::Request| {
        let mut samples = Samples::default();
        for _ in 0..ROUNDS {
            samples.time(|| session(peer, start, what.clone()));
        }
        samples.median()
    };
    let budget = context::PRIME_BUDGET;
    let primed = asked(context::Request::Prime { budget });
    let begun = asked(context::Request::SessionStart {
        name: None,
        specialists: Vec::new(),
    });
    let row = |what: &str, ours, limit| {
        let limit = ("limit", Duration::from_millis(limit));
        Row::times(what, ours, limit, Target::AtMost(1.0))
    };
    vec![
        row("`tocli prime --hook` at 20,000 tasks, p99", hook.part(0.99), 300),
        row("the same over an open connection", primed, 300),
        row("start of a session at 20,000 tasks", begun, 5),
    ]
}

fn session(peer: &mut Peer, start: &Path, what: context::Request) {
    let id = peer.new_id();
    let at = workspace::Which::At(detect::From::Caller);
    let ask = ClientFrame::Ask {
        id,
        deadline_ms: 0,
        request_id: None,
        caller: Caller {
            cwd: start.to_path_buf().into(),
            vars: Vec::new(),
            actor: Some("bench".to_owned()),
        },
        request: proto::Request::Context(Box::new(context::Call { at, what })),
    };
    peer.send(&frame::encode(&ask).expect("a request fits in a frame"));
    loop {
        match peer.frame().expect("an answer") {
            ServerFrame::Done { .. } => return,
            ServerFrame::Failed { error, .. } => panic!("refused: {error}"),
            _ => {}
        }
    }
}
