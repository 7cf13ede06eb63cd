//! What no client of ours would send: each costs its own request or connection, with words, and nobody else anything.

use std::io::Write;
use std::path::Path;

use proto::hello::{Control, HIGHEST, Hello, LENGTH, LOWEST, MAGIC, Verdict};
use proto::{ClientFrame, Kind, ServerFrame, frame};
use tests::chance::Chance;
use tests::daemon::{Bed, Daemon};
use tests::wire::{Peer, ask_frame, status};

/// A daemon, and a client that must not notice what another one does.
struct Stage {
    bystander: Peer,
    daemon: Daemon,
    bed: Bed,
}

impl Stage {
    fn new() -> Self {
        let bed = Bed::new();
        let daemon = bed.start();
        Self {
            bystander: bed.peer(),
            daemon,
            bed,
        }
    }

    /// The daemon still serves: the connection that was there before, and a new one.
    fn unharmed(&mut self) {
        let answer = self.bystander.call(status());
        assert!(answer.is_ok(), "{answer:?}");
        let answer = self.bed.peer().call(status());
        assert!(answer.is_ok(), "{answer:?}");
        assert!(self.daemon.ended().is_none(), "{}", self.bed.last_words());
    }
}

/// Reads the refusal of a frame that was no request: request 0, then the end.
fn refused(peer: &mut Peer) -> proto::Error {
    match peer.frame() {
        Some(ServerFrame::Failed { id: 0, error }) => {
            assert!(peer.ends(), "the connection ends after a bad frame");
            error
        }
        other => panic!("not a refusal of the connection: {other:?}"),
    }
}

#[test]
fn a_length_over_the_limit_ends_that_connection_with_words() {
    let mut stage = Stage::new();
    for length in [
        u32::MAX,
        1 << 31,
        1 << 30,
        u32::try_from(frame::LIMIT).unwrap() + 1,
    ] {
        let mut peer = stage.bed.peer();
        peer.send(&length.to_le_bytes());
        assert_eq!(refused(&mut peer).kind, Kind::TooLarge);
        stage.unharmed();
    }
}

#[test]
fn an_empty_frame_ends_that_connection_with_words() {
    let mut stage = Stage::new();
    let mut peer = stage.bed.peer();
    peer.send(&[0; 4]);
    assert_eq!(refused(&mut peer).kind, Kind::Usage);
    stage.unharmed();
}

#[test]
fn a_frame_cut_anywhere_harms_nobody() {
    let mut stage = Stage::new();
    let whole = ask_frame(1, Path::new("/"), status());
    for end in 1..whole.len() {
        let mut peer = stage.bed.peer();
        peer.send(&whole[..end]);
        peer.close_writing();
        assert!(peer.ends(), "cut at {end}");
    }
    stage.unharmed();
}

#[test]
fn a_header_cut_anywhere_harms_nobody() {
    let mut stage = Stage::new();
    let whole = Hello::of_this_build(Control::Talk).to_bytes();
    for end in 0..whole.len() {
        let mut peer = Peer::connect(&stage.bed.socket());
        peer.send(&whole[..end]);
        peer.close_writing();
        assert!(peer.ends(), "cut at {end}");
    }
    stage.unharmed();
}

#[test]
fn an_unknown_variant_of_a_frame_ends_the_connection_and_one_of_a_request_only_the_request() {
    let mut stage = Stage::new();
    let mut peer = stage.bed.peer();
    peer.send_payload(&[99, 1, 2, 3]);
    assert_eq!(refused(&mut peer).kind, Kind::Usage);

    let mut peer = stage.bed.peer();
    // Ask, id 7, no deadline, no request id, an empty caller, and a room that nobody has built.
    peer.send_payload(&[0, 7, 0, 0, 0, 0, 0, 99, 0]);
    let (_, answer) = peer.answer(7);
    assert_eq!(answer.expect_err("nobody knows it").kind, Kind::Usage);
    assert!(peer.call(status()).is_ok(), "the connection goes on");
    stage.unharmed();
}

#[test]
fn left_over_bytes_are_refused_and_never_read_as_the_next_message() {
    let mut stage = Stage::new();
    let mut peer = stage.bed.peer();
    let mut payload = ask_frame(9, Path::new("/"), status())[frame::HEAD..].to_vec();
    payload.extend_from_slice(&ask_frame(10, Path::new("/"), status()));
    peer.send_payload(&payload);
    let (_, answer) = peer.answer(9);
    assert_eq!(answer.expect_err("left-over bytes").kind, Kind::Usage);
    assert!(peer.call(status()).is_ok());
    stage.unharmed();
}

#[test]
fn the_id_zero_is_refused() {
    let mut stage = Stage::new();
    let mut peer = stage.bed.peer();
    peer.send(&ask_frame(0, Path::new("/"), status()));
    assert_eq!(refused(&mut peer).kind, Kind::Usage);
    stage.unharmed();
}

#[test]
fn an_id_may_be_used_again_once_its_answer_has_come() {
    let mut stage = Stage::new();
    let mut peer = stage.bed.peer();
    for _ in 0..3 {
        peer.send(&ask_frame(5, Path::new("/"), status()));
        assert!(peer.answer(5).1.is_ok());
    }
    stage.unharmed();
}

#[test]
fn ten_thousand_requests_in_one_breath_are_all_answered_in_order() {
    const COUNT: u64 = 10_000;
    let mut stage = Stage::new();
    let peer = stage.bed.peer();
    let mut writer = peer.stream.try_clone().expect("a second handle");
    let mut peer = peer;
    let writing = std::thread::spawn(move || {
        let all: Vec<u8> = (1..=COUNT)
            .flat_map(|id| ask_frame(id, Path::new("/"), status()))
            .collect();
        writer.write_all(&all)
    });
    for id in 1..=COUNT {
        assert!(peer.answer(id).1.is_ok());
    }
    writing.join().expect("the writer ends").expect("all was taken");
    stage.unharmed();
}

#[test]
fn a_client_that_never_reads_is_held_back_and_costs_no_memory() {
    let mut stage = Stage::new();
    let before = resident(stage.daemon.pid());
    let mut peer = stage.bed.peer();
    peer.stream
        .set_nonblocking(true)
        .expect("a stream that does not wait");
    let request = ask_frame(1, Path::new("/"), status());
    let burst: Vec<u8> = request.repeat(1000);
    let mut sent = 0;
    // Until the daemon has taken nothing for a while: it waits for us.
    let held_back = tests::deadline::within(tests::deadline::LIMIT, || {
        let mut quiet = 0;
        loop {
            match peer.stream.write(&burst) {
                Ok(count) => {
                    sent += count;
                    quiet = 0;
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    // The daemon is asked in between: when it has answered the bystander it had its turn with us too.
                    stage.bystander.call(status()).expect("served meanwhile");
                    quiet += 1;
                }
                Err(error) => panic!("{error}"),
            }
            if quiet > 50 {
                return Some(());
            }
        }
    });
    assert!(
        held_back.is_some(),
        "the daemon took {sent} bytes and still takes more"
    );
    let grown = resident(stage.daemon.pid()).saturating_sub(before);
    assert!(
        grown < 16 << 20,
        "{grown} bytes more after {sent} bytes of requests"
    );
    stage.unharmed();
    drop(peer);
    stage.unharmed();
}

fn resident(pid: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    let pages: u64 = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or_default();
    pages * rustix::param::page_size() as u64
}

#[test]
fn versions_that_have_nothing_in_common_are_told_which_side_is_old() {
    let mut stage = Stage::new();
    let cases = [
        ((0, 0), Verdict::ClientTooOld),
        ((HIGHEST + 1, u16::MAX), Verdict::ClientTooNew),
        ((HIGHEST + 1, LOWEST), Verdict::ClientTooNew),
    ];
    for ((lowest, highest), verdict) in cases {
        let mut peer = Peer::connect(&stage.bed.socket());
        let welcome = peer.greet(&Hello {
            lowest,
            highest,
            ..Hello::of_this_build(Control::Talk)
        });
        assert_eq!(welcome.verdict, verdict, "{lowest} to {highest}");
        assert_eq!(welcome.chosen, 0);
        assert_eq!((welcome.lowest, welcome.highest), (LOWEST, HIGHEST));
        assert_eq!(welcome.pid, stage.daemon.pid());
        assert!(peer.ends());
    }
    let mut newer = Peer::connect(&stage.bed.socket());
    let welcome = newer.greet(&Hello {
        highest: u16::MAX,
        version: "99.0.0".to_owned(),
        ..Hello::of_this_build(Control::Talk)
    });
    assert_eq!((welcome.verdict, welcome.chosen), (Verdict::Accepted, HIGHEST));
    assert!(newer.call(status()).is_ok());
    stage.unharmed();
}

#[test]
fn bytes_that_are_no_header_are_told_so_and_the_connection_ends() {
    let mut stage = Stage::new();
    let mut noise = [0x5a; LENGTH];
    let mut text = *b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: something/1.0 (x)\r\n";
    let mut old_magic = Hello::of_this_build(Control::Talk).to_bytes();
    old_magic[..8].copy_from_slice(&[MAGIC[0], b'T', b'O', b'D', b'\n', 0x1a, b'\n', 0]);
    for bytes in [&mut noise, &mut text, &mut old_magic] {
        let mut peer = Peer::connect(&stage.bed.socket());
        peer.send(bytes);
        assert_eq!(peer.welcome().verdict, Verdict::NotAHello);
        assert!(peer.ends());
    }
    stage.unharmed();
}

#[test]
fn a_control_word_of_a_later_version_is_told_that_it_cannot_be_obeyed() {
    let mut stage = Stage::new();
    for word in [3, 77, u16::MAX] {
        let mut peer = Peer::connect(&stage.bed.socket());
        let welcome = peer.greet(&Hello::of_this_build(Control::Other(word)));
        assert_eq!(welcome.verdict, Verdict::CannotObey);
        assert!(peer.ends());
    }
    stage.unharmed();
}

#[test]
fn any_version_can_stop_the_daemon_by_its_header() {
    let mut stage = Stage::new();
    let mut peer = Peer::connect(&stage.bed.socket());
    let welcome = peer.greet(&Hello {
        lowest: 900,
        highest: 901,
        ..Hello::of_this_build(Control::Stop)
    });
    assert_eq!(welcome.verdict, Verdict::Obeyed);
    assert!(peer.ends());
    assert!(stage.daemon.wait().success());
}

#[test]
fn many_connections_that_say_nothing_keep_nobody_out() {
    let mut stage = Stage::new();
    let silent: Vec<Peer> = (0..200).map(|_| Peer::connect(&stage.bed.socket())).collect();
    stage.unharmed();
    drop(silent);
    stage.unharmed();
}

#[test]
fn more_connections_than_are_served_are_told_that_the_daemon_is_busy() {
    let mut stage = Stage::new();
    let most = usize::try_from(daemon::server::MOST_CONNECTIONS).unwrap();
    // Ours and the daemon's descriptors both count against a limit that is 1,024 on many systems.
    if rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .is_some_and(|limit| limit < 2 * 1024 + 200)
    {
        return tests::skip::skip("descriptors", "fewer than 2,248 may be open in one process");
    }
    let mut open: Vec<Peer> = Vec::new();
    let verdict = loop {
        let mut peer = Peer::connect(&stage.bed.socket());
        let welcome = peer.greet(&Hello::of_this_build(Control::Talk));
        if welcome.verdict != Verdict::Accepted {
            break welcome.verdict;
        }
        open.push(peer);
        assert!(open.len() <= most, "{} connections", open.len());
    };
    assert_eq!(verdict, Verdict::Busy);
    assert!(stage.bystander.call(status()).is_ok());
    drop(open);
    tests::deadline::until("the daemon serves again", || {
        let mut peer = Peer::connect(&stage.bed.socket());
        let welcome = peer.greet(&Hello::of_this_build(Control::Talk));
        (welcome.verdict == Verdict::Accepted).then_some(())
    });
    stage.unharmed();
}

#[test]
fn giving_up_a_request_that_is_not_there_says_nothing() {
    let mut stage = Stage::new();
    let mut peer = stage.bed.peer();
    let cancel = frame::encode(&ClientFrame::Cancel { id: 4711 }).expect("fits");
    peer.send(&cancel);
    assert!(peer.call(status()).is_ok());
    stage.unharmed();
}

#[test]
fn rubbish_of_every_kind_harms_nobody() {
    let mut stage = Stage::new();
    let good = ask_frame(1, Path::new("/some/where"), status());
    for seed in 0..300 {
        let mut chance = Chance::new(seed);
        let mut bytes = good.repeat(3);
        for _ in 0..=chance.below(4) {
            let at = chance.below(bytes.len());
            bytes[at] = chance.number().to_le_bytes()[0];
        }
        let mut peer = stage.bed.peer();
        let _may_be_refused_midway = peer.send_if_taken(&bytes);
        // The daemon may have hung up already.
        let _may_be_closed = peer.stream.shutdown(std::net::Shutdown::Write);
        while peer.frame().is_some() {}
    }
    stage.unharmed();
}
