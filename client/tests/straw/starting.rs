//! Starting a program as the daemon: what it is given, and what becomes of its complaint.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use client::{Client, Options, Start};
use proto::{Error, Kind};

use crate::peer::Ground;

/// Starts a shell script as the daemon; what the client says.
fn start(ground: &Ground, script: &str) -> Error {
    let program: PathBuf = ground.dir.path().join("tod");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o700)
        .open(&program)
        .expect("made");
    file.write_all(format!("#!/bin/sh\n{script}\n").as_bytes())
        .expect("written");
    drop(file);
    let options = Options {
        start: Start::IfNeeded,
        program: Some(program),
        patience: Duration::from_millis(500),
        ..ground.options.clone()
    };
    Client::connect(options).expect_err("no script serves")
}

#[test]
fn the_complaint_of_a_daemon_that_does_not_start_is_the_clients_error() {
    let ground = Ground::new();
    let script =
        "printf 'tod: the database is newer\\n  why: it has schema 9\\n  next: update\\n' >&2; exit 4";
    let error = start(&ground, script);
    assert_eq!(error.kind, Kind::Refused);
    assert_eq!(error.what, "the daemon could not start: the database is newer");
    assert_eq!(error.why.as_deref(), Some("it has schema 9"));
    assert_eq!(error.next.as_deref(), Some("update"));
}

#[test]
fn a_daemon_is_started_in_the_root_folder_without_input_output_or_foreign_variables() {
    let ground = Ground::new();
    let said = ground.dir.path().join("said");
    let script = format!(
        "in=$(readlink /proc/$$/fd/0); out=$(readlink /proc/$$/fd/1)
{{ echo \"$*\"; pwd; env; echo \"$in\"; echo \"$out\"; }} >'{}'; exit 2",
        said.display()
    );
    let error = start(&ground, &script);
    assert_eq!(error.kind, Kind::Unavailable, "{error}");
    let said = std::fs::read_to_string(said).expect("it ran");
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("run --on-demand"));
    assert_eq!(lines.next(), Some("/"));
    assert!(!said.contains("CARGO"), "{said}");
    assert!(said.contains("PATH="), "{said}");
    assert!(said.ends_with("/dev/null\n/dev/null\n"), "{said}");
}

#[test]
fn a_daemon_that_takes_too_long_is_not_waited_for_without_end() {
    let ground = Ground::new();
    let error = start(&ground, "exec sleep 2");
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(error.what.contains("does not serve yet"), "{error}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let ground = Ground::new();
    let options = Options {
        start: Start::IfNeeded,
        program: Some(ground.dir.path().join("no-such-program")),
        ..ground.options.clone()
    };
    let error = Client::connect(options).expect_err("there is none");
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(error.what.contains("no-such-program"), "{error}");
}
