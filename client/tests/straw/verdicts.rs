//! What the daemon's header says, and what else may listen on a socket.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};

use client::{Client, stop};
use proto::Kind;
use proto::hello::{Control, Verdict};
use proto::places::LockFile;

use crate::peer::{
    Ground, done, folder, greet, hear_ask, hear_hello, nothing, part, reading, say, serve, welcome,
};

#[test]
fn a_request_is_answered_and_the_next_one_uses_the_same_connection() {
    let ground = Ground::new();
    let daemon = ground.serve(vec![part(|stream| {
        greet(stream);
        for _ in 0..2 {
            let (id, request_id) = hear_ask(stream);
            assert_eq!(request_id, None, "a question needs no request id");
            say(stream, &done(id));
        }
    })]);
    let mut client = Client::new(ground.options.clone());
    assert_eq!(client.call(&reading()), Ok(nothing()));
    assert_eq!(client.call(&reading()), Ok(nothing()));
    daemon.join().expect("all of the script was played");
}

#[test]
fn each_refusal_says_what_can_be_done() {
    for (verdict, kind, word) in [
        (Verdict::ClientTooOld, Kind::Unavailable, "too new"),
        (Verdict::ClientTooNew, Kind::Unavailable, "too old"),
        (Verdict::WrongUser, Kind::Refused, "another user"),
        (Verdict::CannotObey, Kind::Refused, "9.9.9"),
        (Verdict::NotAHello, Kind::Bug, "header"),
        (Verdict::Other(77), Kind::Unavailable, "77"),
    ] {
        let ground = Ground::new();
        let daemon = ground.serve(vec![part(move |stream| {
            let _hello = hear_hello(stream);
            stream.write_all(&welcome(verdict)).expect("told");
        })]);
        let error = Client::new(ground.options.clone())
            .call(&reading())
            .expect_err("it was refused");
        assert_eq!(error.kind, kind, "{verdict:?}: {error}");
        assert!(error.to_string().contains(word), "{verdict:?}: {error}");
        daemon.join().expect("played");
    }
}

#[test]
fn a_daemon_that_stops_or_is_full_or_dies_at_once_is_tried_again() {
    let turned_away = |verdict| {
        part(move |stream| {
            let _hello = hear_hello(stream);
            stream.write_all(&welcome(verdict)).expect("told");
        })
    };
    let ground = Ground::new();
    let daemon = ground.serve(vec![
        turned_away(Verdict::Stopping),
        turned_away(Verdict::Busy),
        part(|_| ()),
        part(|stream| {
            let _hello = hear_hello(stream);
            stream.write_all(&welcome(Verdict::Accepted)[..40]).expect("told");
        }),
        part(|stream| {
            greet(stream);
            let (id, _) = hear_ask(stream);
            say(stream, &done(id));
        }),
    ]);
    assert_eq!(
        Client::new(ground.options.clone()).call(&reading()),
        Ok(nothing())
    );
    daemon.join().expect("played");
}

#[test]
fn something_else_on_the_socket_is_no_daemon() {
    let ground = Ground::new();
    let daemon = ground.serve(vec![part(|stream| {
        let _hello = hear_hello(stream);
        let page = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n";
        stream.write_all(page.as_bytes()).expect("told");
    })]);
    let error = Client::new(ground.options.clone())
        .call(&reading())
        .expect_err("it was no daemon");
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(error.next.is_some_and(|next| next.contains("TOD_SOCKET")));
    daemon.join().expect("played");
}

#[test]
fn nobody_there_is_told_and_nothing_is_made() {
    let ground = Ground::new();
    let error = Client::connect(ground.options.clone()).expect_err("nobody is there");
    assert_eq!(error.kind.exit_code(), 6);
    assert!(Client::find(ground.options.clone()).expect("looked").is_none());
    assert_eq!(stop(&ground.options), Ok(None));
    assert!(!ground.options.places.state_dir.exists());
}

#[test]
fn a_socket_in_an_unsafe_folder_is_not_even_tried() {
    let ground = Ground::new();
    let run = ground.dir.path().join("run");
    std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o755)).expect("opened");
    let error = Client::connect(ground.options.clone()).expect_err("others may enter");
    assert_eq!(error.kind, Kind::Refused);
    std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o700)).expect("closed");
    symlink(&run, ground.dir.path().join("link")).expect("linked");
    let mut options = ground.options.clone();
    options.places.socket = ground.dir.path().join("link/tod.sock");
    let error = Client::connect(options).expect_err("it is a link");
    assert!(error.why.is_some_and(|why| why.contains("link")));
}

fn lock_file(ground: &Ground, boot: &str) -> LockFile {
    let lock = LockFile {
        boot: boot.to_owned(),
        pid: std::process::id(),
        socket: ground.dir.path().join("other/tod.sock"),
        version: "9.9.9".into(),
    };
    folder(&ground.options.places.state_dir, 0o700);
    std::fs::write(ground.options.places.lock(), lock.to_text()).expect("written");
    lock
}

fn this_boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

#[test]
fn a_daemon_elsewhere_is_found_by_its_lock_file() {
    let ground = Ground::new();
    let lock = lock_file(&ground, &this_boot());
    folder(&ground.dir.path().join("other"), 0o700);
    let daemon = serve(
        &lock.socket,
        vec![part(|stream| {
            greet(stream);
            let (id, _) = hear_ask(stream);
            say(stream, &done(id));
        })],
    );
    assert_eq!(
        Client::new(ground.options.clone()).call(&reading()),
        Ok(nothing())
    );
    daemon.join().expect("played");
}

#[test]
fn a_lock_file_of_an_earlier_boot_is_not_followed() {
    let ground = Ground::new();
    let _lock = lock_file(&ground, "00000000-0000-0000-0000-000000000000");
    let error = Client::connect(ground.options.clone()).expect_err("nobody is there");
    assert_eq!(error.what, "no daemon is running");
}

#[test]
fn a_held_lock_without_a_socket_is_waited_for() {
    let ground = Ground::new();
    let _lock = lock_file(&ground, &this_boot());
    let holder = std::fs::File::open(ground.options.places.lock()).expect("opened");
    holder.lock().expect("locked");
    let mut options = ground.options.clone();
    options.patience = std::time::Duration::from_millis(100);
    let error = Client::connect(options).expect_err("it does not listen yet");
    assert!(error.to_string().contains("holds its lock"), "{error}");
    // As a daemon does whose socket was removed: it binds again.
    let socket = ground.socket();
    let daemon = std::thread::spawn(move || {
        serve(&socket, vec![part(greet)]).join().expect("played");
        drop(holder);
    });
    assert!(Client::connect(ground.options.clone()).is_ok());
    daemon.join().expect("played");
}

#[test]
fn stop_says_it_in_the_header_and_waits_for_the_end() {
    let ground = Ground::new();
    let daemon = ground.serve(vec![part(|stream| {
        assert_eq!(hear_hello(stream).control, Control::Stop);
        stream.write_all(&welcome(Verdict::Obeyed)).expect("told");
    })]);
    assert_eq!(stop(&ground.options), Ok(Some(std::process::id())));
    daemon.join().expect("played");
}
