//! The demonstration of the reboot: a loaded daemon hands over again and again, and the figures are printed.
//!
//! Asked by `make reboot-demo`. `reboot-load [files [reboots]]`; ends with 1 when anything went wrong.

#![allow(clippy::print_stdout, reason = "its figures are its purpose")]

use std::process::ExitCode;
use std::time::Duration;

use tests::daemon::Bed;
use tests::load::{Report, Rounds, Size, figures, run};

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).map(|word| word.parse::<usize>());
    let (files, rounds) = match (words.next().transpose(), words.next().transpose()) {
        (Ok(files), Ok(rounds)) => (files.unwrap_or(200_000), rounds.unwrap_or(50)),
        _ => {
            println!("usage: reboot-load [files [reboots]]");
            return ExitCode::from(2);
        }
    };
    let size = Size {
        files,
        kept: 32,
        subscriptions: 8,
        made: 3_000,
        artifact: 200,
        rounds,
        turns: 20,
        thinks: Duration::from_millis(2),
    };
    println!(
        "{files} files, {} clients on kept connections, {} subscriptions, {} files made meanwhile, an artifact of {} MiB carried up and down, {rounds} reboots",
        size.kept, size.subscriptions, size.made, size.artifact
    );
    println!("first without reboots, for comparison");
    let quiet = loaded(size, Rounds::Quiet);
    println!("now with a reboot in each round\n");
    let report = loaded(size, Rounds::Reboot);
    println!("{}", figures::text(&report, &quiet));
    if report.faults.is_empty() && quiet.faults.is_empty() {
        println!("nothing was lost and nobody noticed");
        return ExitCode::SUCCESS;
    }
    for fault in quiet.faults.iter().take(20) {
        println!("WITHOUT REBOOTS: {fault}");
    }
    ExitCode::FAILURE
}

/// In a home of its own each time, so that both begin alike.
fn loaded(size: Size, rounds: Rounds) -> Report {
    run(&Bed::new(), size, rounds)
}
