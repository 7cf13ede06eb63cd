//! Uploads that are cut off, daemons that are killed, many at once.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;

use proto::artifact::{self, Answer, NewArtifact};
use proto::{Request, detect, workspace};
use rustix::process::Signal;
use tests::chance::Chance;
use tests::process;
use tests::wire::Peer;
use tests::{ask, deadline};

use super::{Ground, lines, names, text};

fn noise(length: usize) -> Vec<u8> {
    let mut chance = Chance::new(11);
    (0..length / 8)
        .flat_map(|_| chance.number().to_le_bytes())
        .collect()
}

#[test]
fn an_upload_goes_on_where_it_was_cut_off() {
    let ground = Ground::new();
    let bytes = noise(24 << 20);
    let file = ground.bed.work().join("big");
    std::fs::write(&file, &bytes).expect("written");
    let file = file.to_str().expect("UTF-8");
    // The client is killed while it sends from a pipe that has not ended.
    let mut client = ground
        .bed
        .tocli(["artifact", "store", &ground.task, "-", "--name", "big"])
        .current_dir(&ground.repo)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let mut pipe = client.stdin.take().expect("a pipe");
    pipe.write_all(&bytes[..10 << 20]).expect("written");
    let draft = deadline::until("some of it has come", || {
        let partials = ground.json(&["artifact", "partials"]);
        let received = partials["partials"][0]["received"].as_u64()?;
        (received > 4 << 20).then(|| text(&partials["partials"][0], "draft").to_owned())
    });
    client.kill().expect("killed");
    client.wait().expect("ended");
    drop(pipe);
    // The daemon is killed, too.
    for pid in ground.bed.daemons() {
        process::signal(pid, Some(Signal::KILL));
    }
    let partials = ground.json(&["artifact", "partials"]);
    let received = partials["partials"][0]["received"].as_u64().expect("a number");
    assert!(received > 4 << 20, "{partials}");
    let early = ground.run(&["artifact", "list"]);
    assert_eq!(early.text(), "", "what has not come to its end is no artifact");
    let stored = ground.json(&["artifact", "resume", &draft, file]);
    assert_eq!(text(&stored, "digest"), blake3::hash(&bytes).to_hex().as_str());
    assert_eq!(ground.get(text(&stored, "artifact_id"), &[]), bytes);
    assert_eq!(
        ground.json(&["artifact", "partials"])["partials"],
        serde_json::json!([])
    );
    assert_eq!(ground.run(&["artifact", "resume", &draft, file]).code, 3);
}

#[test]
fn an_upload_survives_the_daemon_being_killed_under_it() {
    let ground = Ground::new();
    let bytes = noise(32 << 20);
    let (file, mut pipe_out) = (ground.bed.work().join("big"), Vec::new());
    std::fs::write(&file, &bytes).expect("written");
    for (name, piped) in [("from-a-file", false), ("from-a-pipe", true)] {
        let source = if piped { "-" } else { file.to_str().expect("UTF-8") };
        let mut client = ground
            .bed
            .tocli([
                "artifact",
                "store",
                &ground.task,
                source,
                "--name",
                name,
                "--json",
            ])
            .current_dir(&ground.repo)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut pipe = client.stdin.take().expect("a pipe");
        let feeder = std::thread::spawn({
            let bytes = bytes.clone();
            move || {
                if piped {
                    let _cut = pipe.write_all(&bytes);
                }
            }
        });
        for at_least in [1 << 20, 18 << 20] {
            deadline::until("it has come so far or is over", || {
                let partials = ground.json(&["artifact", "partials"]);
                let over = partials["partials"].as_array().is_some_and(Vec::is_empty);
                let received = partials["partials"][0]["received"].as_u64().unwrap_or_default();
                (received >= at_least || (over && client.try_wait().ok().flatten().is_some())).then_some(())
            });
            for pid in ground.bed.daemons() {
                process::signal(pid, Some(Signal::KILL));
            }
        }
        let ended = client.wait_with_output().expect("ended");
        feeder.join().expect("fed");
        assert!(
            ended.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&ended.stderr)
        );
        pipe_out.push(ended.stdout);
    }
    for said in pipe_out {
        let stored: serde_json::Value = serde_json::from_slice(&said).expect("JSON");
        assert_eq!(text(&stored, "digest"), blake3::hash(&bytes).to_hex().as_str());
    }
    ground.run(&["artifact", "verify"]).ok();
}

#[test]
fn what_was_acknowledged_is_there_after_kills_at_random() {
    let ground = Ground::new();
    let mut chance = Chance::new(3);
    let mut stored = Vec::new();
    for round in 0..ask::times(6, 60) {
        for n in 0..5 {
            let name = format!("f{n}");
            let bytes = format!("round {round} file {n} {}", "x".repeat(chance.below(30_000)));
            let file = ground.bed.work().join(&name);
            std::fs::write(&file, &bytes).expect("written");
            if chance.below(3) == 0 {
                for pid in ground.bed.daemons() {
                    process::signal(pid, Some(Signal::KILL));
                }
            }
            let said = ground.run(&[
                "artifact",
                "store",
                &ground.task,
                file.to_str().expect("UTF-8"),
                "--json",
            ]);
            if said.code == 0 {
                let json = said.json();
                stored.push((
                    text(&json, "artifact_id").to_owned(),
                    json["version"].to_string(),
                    bytes,
                ));
            }
        }
    }
    for (id, version, bytes) in &stored {
        assert_eq!(
            ground.get(id, &["--version", version]),
            bytes.as_bytes(),
            "{id} {version}"
        );
    }
    assert_eq!(stored.len(), 5 * ask::times(6, 60));
    let listed = ground.json(&["artifact", "list"]);
    assert_eq!(listed["total"], 5);
    ground.json(&["artifact", "restore"]);
    ground.run(&["artifact", "verify"]).ok();
}

#[test]
fn many_that_store_under_one_name_make_one_version_each() {
    const WRITERS: usize = 8;
    let ground = Ground::new();
    let versions: Vec<u64> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|n| {
                let ground = &ground;
                scope.spawn(move || {
                    let mut command = ground.bed.tocli([
                        "artifact",
                        "store",
                        &ground.task,
                        "-",
                        "--name",
                        "shared",
                        "--json",
                    ]);
                    let bytes = format!("writer {n}\n").repeat(if n % 2 == 0 { 1 } else { 100_000 });
                    let said = process::run_with_input(command.current_dir(&ground.repo), bytes.as_bytes());
                    said.ok().json()["version"].as_u64().expect("a number")
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().expect("stored"))
            .collect()
    });
    let distinct: BTreeSet<u64> = versions.into_iter().collect();
    assert_eq!(distinct, (1..=WRITERS as u64).collect());
    let listed = ground.json(&["artifact", "list"]);
    assert_eq!(names(&listed, "artifacts", "copy"), ["good"]);
    let id = &names(&listed, "artifacts", "artifact_id")[0];
    assert_eq!(
        std::fs::read(ground.path(id)).expect("there"),
        ground.get(id, &[]),
        "the newest is in the project"
    );
    ground.run(&["artifact", "verify"]).ok();
}

fn asked(peer: &mut Peer, ground: &Ground, what: artifact::Request) -> Result<Answer, proto::Error> {
    let at = workspace::Which::At(detect::From::Caller);
    let call = artifact::Call { at, what };
    match peer.call_from(&ground.repo, &[], Request::Artifact(Box::new(call)))? {
        (_, proto::Answer::Artifact(answer)) => Ok(answer),
        other => panic!("not about artifacts: {other:?}"),
    }
}

#[test]
fn pieces_may_come_twice_and_overtake_each_other() {
    let ground = Ground::new();
    let mut peer = ground.bed.peer();
    let new = NewArtifact {
        task: ground.task.clone(),
        name: "pieces".into(),
        ..NewArtifact::default()
    };
    let bytes = lines(1000).into_bytes();
    let stage = artifact::Request::Stage {
        new: Box::new(new.clone()),
        size: Some(bytes.len() as u64),
        digest: Some(blake3::hash(&bytes).to_hex().to_string()),
    };
    let Ok(Answer::Upload { draft, .. }) = asked(&mut peer, &ground, stage) else {
        panic!("not staged");
    };
    let piece = |from: usize, to: usize| artifact::Request::Append {
        draft: draft.clone(),
        offset: from as u64,
        bytes: bytes[from..to].to_vec(),
    };
    let received = |answer| match answer {
        Ok(Answer::Upload { received, .. }) => received,
        other => panic!("not an upload: {other:?}"),
    };
    assert_eq!(
        received(asked(&mut peer, &ground, piece(100, 200))),
        0,
        "it waits for what is before it"
    );
    assert_eq!(received(asked(&mut peer, &ground, piece(0, 120))), 200);
    assert_eq!(
        received(asked(&mut peer, &ground, piece(0, 120))),
        200,
        "twice is once"
    );
    assert_eq!(received(asked(&mut peer, &ground, piece(150, 300))), 300);
    let store = || artifact::Request::Store(Box::new(artifact::Source::Draft { draft: draft.clone() }));
    let early = asked(&mut peer, &ground, store()).expect_err("bytes are missing");
    assert_eq!(early.kind, proto::Kind::Conflict, "{early}");
    let over = artifact::Request::Append {
        draft: draft.clone(),
        offset: bytes.len() as u64,
        bytes: vec![1],
    };
    assert_eq!(
        asked(&mut peer, &ground, over).expect_err("too long").kind,
        proto::Kind::TooLarge
    );
    assert_eq!(
        received(asked(&mut peer, &ground, piece(300, bytes.len()))),
        bytes.len() as u64
    );
    let Ok(Answer::Stored(stored)) = asked(&mut peer, &ground, store()) else {
        panic!("not stored");
    };
    assert_eq!(ground.get(&stored.id, &[]), bytes);
    let read = artifact::Request::Read {
        id: stored.id.clone(),
        version: None,
        offset: 0,
        length: u32::MAX,
    };
    assert_eq!(
        asked(&mut peer, &ground, read).expect_err("too much").kind,
        proto::Kind::TooLarge
    );
    // One whose bytes are not those that were announced is no artifact.
    let wrong = artifact::Request::Stage {
        new: Box::new(new),
        size: Some(3),
        digest: Some(blake3::hash(b"abc").to_hex().to_string()),
    };
    let Ok(Answer::Upload { draft, .. }) = asked(&mut peer, &ground, wrong) else {
        panic!("not staged");
    };
    let append = artifact::Request::Append {
        draft: draft.clone(),
        offset: 0,
        bytes: b"xyz".to_vec(),
    };
    assert_eq!(received(asked(&mut peer, &ground, append)), 3);
    let store = artifact::Request::Store(Box::new(artifact::Source::Draft { draft: draft.clone() }));
    assert_eq!(
        asked(&mut peer, &ground, store).expect_err("other bytes").kind,
        proto::Kind::Conflict
    );
    let Ok(Answer::Discarded { .. }) = asked(&mut peer, &ground, artifact::Request::Discard { draft }) else {
        panic!("not discarded");
    };
}
