//! A program that writes to a store until it is ended, and says each commit that was acknowledged.
//!
//! Asked by the kill and power-cut tests. `store-writer write STATE WRITERS PAUSE_US` prints `<writer> <number>` for each
//! commit, in one write call, after it returned; `store-writer probe STATE` examines a database.

#![allow(clippy::print_stderr, reason = "this program's only reader is a test")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use daemon::db::Db;
use tests::store;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match words[..] {
        ["probe", state] => daemon::db::examine(Path::new(state)),
        ["write", state, writers, pause] => match (writers.parse(), pause.parse()) {
            (Ok(writers), Ok(pause)) => write(Path::new(state), writers, Duration::from_micros(pause)),
            _ => ExitCode::from(2),
        },
        _ => ExitCode::from(2),
    }
}

fn write(state: &Path, writers: u8, pause: Duration) -> ExitCode {
    let this = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("store-writer"));
    let db = match store::open(state, &this) {
        Ok(opened) => opened.db,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let begun = store::commits(&db);
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let (db, first) = (&db, begun.get(&writer).copied().unwrap_or(0));
            scope.spawn(move || write_on(db, (writer, first), pause));
        }
    });
    ExitCode::FAILURE
}

/// Commits until the store or the reader is gone.
fn write_on(db: &Db, (writer, first): (u8, u32), pause: Duration) {
    for number in first.. {
        if let Err(error) = db.commit(store::batch(writer, number)) {
            eprintln!("{error}");
            return;
        }
        let line = format!("{writer} {number}\n");
        if std::io::stdout().write_all(line.as_bytes()).is_err() {
            return;
        }
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }
}
