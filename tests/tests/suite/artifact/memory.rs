//! What a large artifact costs the daemon while it is read.

use std::collections::BTreeMap;

use proto::artifact::{Call, MAX_PIECE, Request as Ask};
use proto::detect::From;
use proto::workspace::Which;
use proto::{Answer, Request, ServerFrame};
use tests::chance::Chance;

use super::Ground;

/// Pieces of the artifact.
const PIECES: usize = 160;
/// Questions under way at a time: the next ones are there before an answer is read.
const AHEAD: usize = 6;
/// What the daemon may need beside what lies in its queues.
const MOST: u64 = 32 << 20;

/// The most memory that a process has held since the last word to forget it, in bytes.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    1024 * number
        .and_then(|number| number.parse::<u64>().ok())
        .expect("a number")
}

#[test]
fn a_client_that_always_asks_ahead_costs_no_more_than_one_that_waits() {
    let ground = Ground::new();
    let mut chance = Chance::new(7);
    let bytes: Vec<u8> = std::iter::repeat_with(|| chance.number().to_le_bytes())
        .take(PIECES * MAX_PIECE / 8)
        .flatten()
        .collect();
    let id = ground.id("large.bin", &bytes);
    let pid = ground.bed.lock_file().expect("a daemon").pid;
    let piece = |number: usize| {
        let what = Ask::Read {
            id: id.clone(),
            version: None,
            offset: (number * MAX_PIECE) as u64,
            length: u32::try_from(MAX_PIECE).expect("small"),
        };
        let at = Which::At(From::Start(ground.repo.as_path().into()));
        Request::Artifact(Box::new(Call { at, what }))
    };
    let mut peer = ground.bed.peer();
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("ours");
    let before = peak(pid);
    let mut asked = BTreeMap::new();
    let mut rest = 0..PIECES;
    loop {
        while asked.len() < AHEAD
            && let Some(next) = rest.next()
        {
            asked.insert(peer.ask(piece(next)), next);
        }
        if asked.is_empty() {
            break;
        }
        let Some(ServerFrame::Done { id, answer }) = peer.frame() else {
            panic!("an answer is missing");
        };
        let number = asked.remove(&id).expect("asked");
        let Answer::Artifact(proto::artifact::Answer::Piece { bytes: came, .. }) = answer else {
            panic!("another answer to {number}");
        };
        assert!(came == bytes[number * MAX_PIECE..][..MAX_PIECE], "piece {number}");
    }
    let growth = peak(pid).saturating_sub(before);
    assert!(growth < MOST, "{growth} bytes for an artifact of {}", bytes.len());
}
