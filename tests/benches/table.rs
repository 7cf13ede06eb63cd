//! One table of all figures: ours, the machine's limit or a peer, and the ratio, from one run on one machine.
//!
//! `make bench` builds the programs as `make install` does and runs this; words after it choose the groups to measure. A
//! missed target is shown and fails nothing: figures depend on the machine, and a test that depends on it is a bad test.

#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a bench has no outside, talks to whoever started it, and ends when its ground is missing"
)]

mod artifact;
mod bare;
mod checkout;
mod detect;
mod echo;
mod idle;
mod index;
mod machine;
mod mcp;
mod process;
mod store;
mod task;
mod watchman;

use tests::bench::{Row, table};

/// A group of rows that share a daemon.
type Group = (&'static str, fn() -> Vec<Row>);

const GROUPS: [Group; 9] = [
    ("detect", detect::rows),
    ("process", process::rows),
    ("index", index::rows),
    ("checkout", checkout::rows),
    ("idle", idle::rows),
    ("store", store::rows),
    ("task", task::rows),
    ("artifact", artifact::rows),
    ("mcp", mcp::rows),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == echo::WORD) {
        return echo::serve(&words[1..]);
    }
    let chosen: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for (name, measure) in GROUPS {
        if !chosen.is_empty() && !chosen.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        eprintln!("measuring: {name}");
        // A group that cannot run costs its own rows only.
        match std::panic::catch_unwind(measure) {
            Ok(measured) => rows.extend(measured),
            Err(_) => failed.push(name),
        }
    }
    println!("\n{}", table(&rows));
    let missed = rows.iter().filter(|row| !row.met()).count();
    println!("{} rows, {missed} miss their target", rows.len());
    if !failed.is_empty() {
        println!("could not be measured: {}", failed.join(", "));
        std::process::exit(1);
    }
}
