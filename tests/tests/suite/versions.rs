//! Clients and daemons of different versions: a newer client has an older daemon replaced, an older client is served, and
//! any two can say what is wrong, stop and reboot.
//!
//! The peers of the first and of later protocols are bytes written here by hand, so that they stay what they are whatever
//! becomes of `proto`.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use tests::daemon::{Bed, Daemon, program};
use tests::deadline;
use tests::process::{self, Said};

use crate::life::report;
use crate::reboot::{history, successor, until};

/// The first eight bytes of every header, for ever.
const MAGIC: [u8; 8] = [0x89, 0x54, 0x4f, 0x44, 0x0d, 0x0a, 0x1a, 0x0a];

/// The request for the daemon's status in protocol 1: the length, then `Ask`, its id, no deadline, no request id, the
/// directory `/`, no variables, no actor, the room, the request.
const STATUS_1: [u8; 14] = [10, 0, 0, 0, 0, 1, 0, 0, 1, b'/', 0, 0, 6, 0];

/// The same for which project `/` belongs to.
const DETECT_1: [u8; 15] = [11, 0, 0, 0, 0, 2, 0, 0, 1, b'/', 0, 0, 0, 0, 0];

/// A client's header: lowest, highest, control word, protocol of the bytes that follow at once.
fn hello(lowest: u16, highest: u16, control: u16, first: u16) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&lowest.to_le_bytes());
    bytes[10..12].copy_from_slice(&highest.to_le_bytes());
    bytes[12..14].copy_from_slice(&control.to_le_bytes());
    bytes[14..16].copy_from_slice(&first.to_le_bytes());
    bytes[16..20].copy_from_slice(&4242_u32.to_le_bytes());
    bytes[28..33].copy_from_slice(b"0.0.1");
    bytes
}

/// A daemon's header: lowest, highest, verdict, protocol chosen.
fn welcome(lowest: u16, highest: u16, verdict: u16, chosen: u16) -> [u8; 64] {
    let mut bytes = hello(lowest, highest, verdict, chosen);
    bytes[28..33].copy_from_slice(b"9.9.9");
    bytes
}

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).expect("the daemon listens");
    stream.set_read_timeout(Some(deadline::LIMIT)).expect("a limit");
    stream
}

/// The verdict, the chosen protocol and the daemon's range.
fn welcomed(stream: &mut UnixStream) -> (u16, u16, (u16, u16)) {
    let mut bytes = [0; 64];
    stream.read_exact(&mut bytes).expect("a header");
    assert_eq!(bytes[..8], MAGIC);
    let at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    (at(12), at(14), (at(8), at(10)))
}

fn frame(stream: &mut UnixStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("a length");
    let mut payload = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut payload).expect("a payload");
    payload
}

fn ends(stream: &mut UnixStream) {
    assert_eq!(stream.read(&mut [0; 8]).unwrap_or(0), 0, "the connection ends");
}

#[test]
fn a_client_of_the_first_protocol_is_served_byte_by_byte() {
    let bed = Bed::new();
    let daemon = bed.start();
    // All in one breath, as the first release does, once with the word for that and once without.
    for first in [0, 1] {
        let mut stream = connect(&bed.socket());
        stream
            .write_all(&[&hello(1, 1, 0, first)[..], &STATUS_1, &DETECT_1].concat())
            .expect("taken");
        assert_eq!(welcomed(&mut stream), (0, 1, (1, 1)));
        let status = frame(&mut stream);
        // `Done`, the id, the room, `Status`, and then the process id as a varint.
        assert_eq!(status[..4], [0, 1, 6, 0]);
        let mut pid = 0_u64;
        for (place, byte) in status[4..9].iter().enumerate() {
            pid |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                break;
            }
        }
        assert_eq!(pid, u64::from(daemon.pid()));
        // The last frame of the second request: `Done` or, where `/` is no project, `Failed`.
        let found = frame(&mut stream);
        assert!(found[0] <= 1 && found[1] == 2, "{found:?}");
    }
}

#[test]
fn a_client_that_speaks_later_protocols_too_is_served_in_the_common_one_and_never_misread() {
    let bed = Bed::new();
    let _daemon = bed.start();
    // It waits for the choice.
    let mut stream = connect(&bed.socket());
    stream.write_all(&hello(1, 7, 0, 0)).expect("taken");
    assert_eq!(welcomed(&mut stream), (0, 1, (1, 1)));
    stream.write_all(&STATUS_1).expect("taken");
    assert_eq!(frame(&mut stream)[..4], [0, 1, 6, 0]);
    // It does not wait, and what it says is in the common protocol.
    let mut stream = connect(&bed.socket());
    stream
        .write_all(&[&hello(1, 7, 0, 1)[..], &STATUS_1].concat())
        .expect("taken");
    assert_eq!(welcomed(&mut stream), (0, 1, (1, 1)));
    assert_eq!(frame(&mut stream)[..4], [0, 1, 6, 0]);
    // It does not wait, and what it says is in a later one, which must not be taken for a request: these bytes would stop
    // the daemon in protocol 1.
    let stop: [u8; 14] = [10, 0, 0, 0, 0, 1, 0, 0, 1, b'/', 0, 0, 6, 2];
    let mut stream = connect(&bed.socket());
    stream
        .write_all(&[&hello(1, 7, 0, 7)[..], &stop].concat())
        .expect("taken");
    let (verdict, chosen, range) = welcomed(&mut stream);
    assert_eq!((verdict, chosen, range), (2, 0, (1, 1)));
    ends(&mut stream);
    let mut stream = connect(&bed.socket());
    stream
        .write_all(&[&hello(1, 7, 0, 0)[..], &STATUS_1].concat())
        .expect("taken");
    assert_eq!(welcomed(&mut stream).0, 0, "the daemon serves on");
}

#[test]
fn a_client_without_a_common_protocol_is_told_so_and_can_reboot_and_stop() {
    let bed = Bed::new();
    let mut daemon = bed.start();
    let mut stream = connect(&bed.socket());
    stream.write_all(&hello(5, 9, 0, 5)).expect("taken");
    assert_eq!(welcomed(&mut stream), (2, 0, (1, 1)));
    ends(&mut stream);
    let mut stream = connect(&bed.socket());
    stream.write_all(&hello(5, 9, 2, 0)).expect("taken");
    assert_eq!(welcomed(&mut stream).0, 7, "obeyed");
    until("the next image serves", || {
        report(&mut bed.peer()).generation == 1
    });
    let mut stream = connect(&bed.socket());
    stream.write_all(&hello(5, 9, 1, 0)).expect("taken");
    assert_eq!(welcomed(&mut stream).0, 7, "obeyed");
    assert!(daemon.wait().success());
}

/// Stands in for a daemon: answers each connection with a header of its own, and gives the control words it was sent.
fn stand_in(bed: &Bed, answers: Vec<[u8; 64]>) -> JoinHandle<Vec<u16>> {
    let socket = bed.socket();
    std::fs::DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(socket.parent().expect("a folder"))
        .expect("made");
    let listener = UnixListener::bind(&socket).expect("bound");
    std::thread::spawn(move || {
        let mut words = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("a client");
            stream.set_read_timeout(Some(deadline::LIMIT)).expect("a limit");
            let mut header = [0; 64];
            stream.read_exact(&mut header).expect("a header");
            assert_eq!(header[..8], MAGIC);
            words.push(u16::from_le_bytes([header[12], header[13]]));
            stream.write_all(&answer).expect("taken");
        }
        drop(listener);
        std::fs::remove_file(socket).expect("removed");
        words
    })
}

#[test]
fn a_daemon_of_other_protocols_is_named_and_obeys_stop_and_reboot() {
    for (range, verdict, word) in [((2, 3), 1, "too new"), ((0, 0), 2, "too old")] {
        let bed = Bed::new();
        let turned_away = welcome(range.0, range.1, verdict, 0);
        let obeyed = welcome(range.0, range.1, 7, 0);
        let mut next = turned_away;
        next[20] = 1;
        let daemon = stand_in(&bed, vec![turned_away, turned_away, obeyed, next, obeyed]);
        let said = bed.run(["detect"]);
        assert_eq!(said.code, 6, "{said:?}");
        assert!(said.err.contains(word) && said.err.contains("9.9.9"), "{said:?}");
        assert!(said.err.contains("next:"), "{said:?}");
        let said = bed.run(["daemon", "reboot"]);
        assert_eq!(said.code, 0, "{said:?}");
        bed.run(["daemon", "stop"]).ok();
        assert_eq!(daemon.join().expect("played"), [0, 0, 2, 0, 1]);
    }
}

/// A daemon that calls itself so.
fn of_version(bed: &Bed, version: &str) -> Daemon {
    let binary = successor(bed, &format!("version-{version}"));
    bed.start_by(bed.command(binary).arg("run"))
}

fn detect(bed: &Bed, change: impl FnOnce(&mut Command)) -> Said {
    let mut command = bed.tocli(["detect"]);
    change(command.current_dir(bed.project("p")));
    process::run(&mut command)
}

fn version(bed: &Bed) -> (String, u32) {
    let status = report(&mut bed.peer());
    (status.version, status.generation)
}

#[test]
fn a_newer_client_has_an_older_daemon_hand_over_and_says_nothing() {
    let bed = Bed::new();
    let daemon = of_version(&bed, "0.0.9");
    let mut kept = bed.peer();
    assert_eq!(version(&bed), ("0.0.9".to_owned(), 0));
    let said = detect(&bed, |_| ()).ok();
    assert_eq!(said.err, "");
    assert!(!said.text().is_empty());
    let status = report(&mut kept);
    assert_eq!((status.pid, status.generation), (daemon.pid(), 1));
    assert_eq!(status.version, proto::hello::VERSION);
    detect(&bed, |_| ()).ok();
    assert_eq!(version(&bed).1, 1, "once");
}

#[test]
fn a_newer_shim_has_an_older_daemon_hand_over_while_it_answers() {
    let bed = Bed::new();
    let project = bed.project("p");
    std::fs::write(project.join("Cargo.toml"), "[package]\nname = \"p\"\n").expect("written");
    let _daemon = of_version(&bed, "0.0.9");
    let mut shim = bed
        .command(program("to-mcp"))
        .current_dir(&project)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut input = shim.stdin.take().expect("an input");
    let mut lines = BufReader::new(shim.stdout.take().expect("an output")).lines();
    let call = |id: u32| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"orchestrator_next\",\"arguments\":{{}}}}}}"
        )
    };
    let hello = "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}";
    let ready = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
    writeln!(input, "{hello}\n{ready}\n{}", call(1)).expect("asked");
    let mut answer = || lines.next().expect("a line").expect("read");
    assert!(answer().contains("serverInfo"));
    assert!(answer().contains("\"id\":1"));
    deadline::until("the daemon is this build's", || {
        (version(&bed) == (proto::hello::VERSION.to_owned(), 1)).then_some(())
    });
    writeln!(input, "{}", call(2)).expect("asked");
    assert!(answer().contains("\"id\":2"));
    drop(input);
    assert!(shim.wait().expect("ended").success());
}

#[test]
fn an_upgrade_can_be_turned_off_and_a_newer_daemon_is_left_alone() {
    let bed = Bed::new();
    let _daemon = of_version(&bed, "0.0.9");
    detect(&bed, |command| {
        command.env("TO_DAEMON_AUTO_UPGRADE", "false");
    })
    .ok();
    bed.run(["config", "set", "--user", "daemon.auto_upgrade", "false"])
        .ok();
    let said = detect(&bed, |_| ()).ok();
    assert_eq!(said.err, "");
    bed.run(["daemon", "status"]).ok();
    assert_eq!(version(&bed), ("0.0.9".to_owned(), 0));
    drop(bed);

    let bed = Bed::new();
    let _daemon = of_version(&bed, "99.0.0");
    let said = detect(&bed, |_| ()).ok();
    assert_eq!(said.err, "");
    assert_eq!(version(&bed), ("99.0.0".to_owned(), 0));
}

#[test]
fn an_upgrade_that_fails_is_told_once_and_is_not_in_the_way() {
    let bed = Bed::new();
    let _daemon = of_version(&bed, "0.0.9");
    let broken = successor(&bed, "rehearsal-exits");
    let said = detect(&bed, |command| {
        command.arg("--tod").arg(&broken);
    })
    .ok();
    assert!(!said.text().is_empty(), "the request is answered");
    assert!(
        said.err.contains("warning:") && said.err.contains("0.0.9") && said.err.contains("rehearsal"),
        "{said:?}"
    );
    assert_eq!(version(&bed), ("0.0.9".to_owned(), 0));
    until("the history is written", || history(&mut bed.peer()).len() == 1);
    let again = detect(&bed, |command| {
        command.arg("--tod").arg(&broken);
    })
    .ok();
    assert_eq!(again.err, "", "once for each pair of versions");
    assert_eq!(history(&mut bed.peer()).len(), 1);
    assert!(program("tod").is_file());
}
