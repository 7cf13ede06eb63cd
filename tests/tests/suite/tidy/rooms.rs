//! Who may use whom inside the daemon: downstairs only, rules pure, one room that knows the store.

use super::code::{names_after, without_tests, without_words};
use super::{Source, accept, refuses, sources};

/// All that a room may know of what stands above it: what a handler is given, and the ways to run.
const GIVEN: [&str; 12] = [
    "Ask", "Desk", "Memory", "Route", "Sink", "self", "compute", "hold", "locate", "look", "on_pool",
    "stream",
];

/// The last room alone asks the table itself: a rehearsal serves itself a request.
const REHEARSES: (&str, [&str; 2]) = ("reboot", ["route", "run"]);

/// What stands above the rooms: a room never calls upward.
const ABOVE: [&str; 3] = ["dispatch", "server", "lifecycle"];

/// What stands below the rooms and knows none of them.
const BELOW: [&str; 2] = ["db", "world"];

/// The rooms, in the order of `daemon/src/lib.rs`.
pub fn rooms(sources: &[Source]) -> Vec<String> {
    let list = sources.iter().find(|source| source.path == "daemon/src/lib.rs");
    let text = list.map(|source| source.text.as_str()).unwrap_or_default();
    let begin = text.find("// The rooms.").unwrap_or(text.len());
    let end = text.find("// Around them.").unwrap_or(text.len());
    text.get(begin..end)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

/// The first name below `daemon/src/` that a file belongs to.
fn place(path: &str) -> Option<&str> {
    let below = path.strip_prefix("daemon/src/")?;
    below.split('/').next()?.split('.').next()
}

fn downstairs_only(sources: &[Source]) -> Vec<String> {
    let rooms = rooms(sources);
    let floor = |name: &str| rooms.iter().position(|room| room == name);
    let mut complaints = Vec::new();
    if rooms.is_empty() {
        complaints.push("daemon/src/lib.rs lists no rooms".to_owned());
    }
    for source in sources {
        let Some(own) = place(&source.path) else { continue };
        let code = without_words(&source.text);
        let here = floor(own);
        let mut complain =
            |line: usize, what: String| complaints.push(format!("{}:{line}: {what}", source.path));
        for (line, name) in names_after(&code, "crate::") {
            let there = floor(&name);
            if here.is_some() && there > here {
                complain(line, format!("room `{own}` uses `{name}`, which comes after it"));
            }
            if here.is_some() && name == "lifecycle" {
                complain(line, format!("room `{own}` calls upward into `{name}`"));
            }
            if BELOW.contains(&own) && (there.is_some() || ABOVE.contains(&name.as_str()) || name == "ctx") {
                complain(line, format!("`{own}` knows `{name}`, which stands above it"));
            }
        }
        for above in ["dispatch", "server"] {
            let paths = [format!("crate::{above}::"), format!("{above}::")];
            for (line, name) in paths.iter().flat_map(|path| names_after(&code, path)) {
                let rehearses = own == REHEARSES.0 && REHEARSES.1.contains(&name.as_str());
                if here.is_some() && !rehearses && !GIVEN.contains(&name.as_str()) {
                    complain(line, format!("room `{own}` calls upward into `{above}::{name}`"));
                }
            }
        }
        for (line, name) in names_after(&code, "super::") {
            if floor(own).is_some() && floor(&name).is_some() && name != own {
                complain(
                    line,
                    format!("write `crate::{name}`, so that the order of the rooms can be seen"),
                );
            }
        }
    }
    complaints
}

/// Words that no rule needs: each is a hand on the world.
const IMPURE: [&str; 23] = [
    "crate::world",
    "crate::db",
    "crate::ctx",
    "crate::watch",
    "std::fs",
    "std::process",
    "std::env",
    "std::net",
    "std::thread",
    "std::io",
    "std::sync::atomic",
    "Mutex",
    "RwLock",
    "OnceLock",
    "SystemTime",
    "Instant",
    "tokio",
    "rustix",
    "sled",
    "async ",
    ".await",
    "Ctx",
    "dyn World",
];

fn rules_are_pure(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    let is_rule = |path: &str| {
        path.starts_with("daemon/src/") && (path.ends_with("/rules.rs") || path.contains("/rules/"))
    };
    for source in sources.iter().filter(|source| is_rule(&source.path)) {
        let code = without_words(without_tests(&source.text));
        for (number, line) in code.lines().enumerate() {
            for word in IMPURE.iter().filter(|word| has_word(line, word)) {
                complaints.push(format!(
                    "{}:{}: a rule uses `{}`",
                    source.path,
                    number + 1,
                    word.trim()
                ));
            }
        }
        for (line, name) in names_after(&code, "crate::") {
            if BELOW.contains(&name.as_str()) || ABOVE.contains(&name.as_str()) || name == "ctx" {
                complaints.push(format!("{}:{line}: a rule uses `crate::{name}`", source.path));
            }
        }
    }
    complaints
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let boundary = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let starts = !word.starts_with(char::is_alphanumeric) || boundary(line[..at].chars().next_back());
        let ends = !word.ends_with(char::is_alphanumeric) || boundary(line[at + word.len()..].chars().next());
        starts && ends
    })
}

/// The store's types stay in one place, so that nothing above it knows which store it is.
fn one_place_knows_the_store(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let Some(own) = place(&source.path) else { continue };
        let code = without_words(without_tests(&source.text));
        for (number, line) in code.lines().enumerate() {
            if own != "db" && has_word(line, "sled::") {
                complaints.push(format!("{}:{}: only `db` knows sled", source.path, number + 1));
            }
        }
    }
    complaints
}

/// Where the bans of `daemon/clippy.toml` may be lifted, and why.
const LIFTED: [(&str, &str); 6] = [
    ("daemon/src/world/mod.rs", "the world itself"),
    ("daemon/src/program.rs", "the daemon's own environment, once"),
    ("daemon/src/lib.rs", "unit tests"),
    (
        "daemon/src/db/disk.rs",
        "the store's own folder, which sled opens by path and which is synced as no other is",
    ),
    (
        "daemon/src/db/probe.rs",
        "a damaged database is examined by a process of its own",
    ),
    ("daemon/src/objects.rs", "the store's large values, beside it"),
];

fn the_bans_are_lifted_in_few_places(sources: &[Source]) -> Vec<String> {
    let lifts = |source: &&Source| without_words(&source.text).contains("disallowed_methods");
    let inside = sources
        .iter()
        .filter(|source| source.path.starts_with("daemon/src/"));
    inside
        .filter(|source| !LIFTED.iter().any(|(path, _)| *path == source.path))
        .filter(lifts)
        .map(|source| format!("{}: ask the world instead of lifting the ban", source.path))
        .collect()
}

#[test]
fn the_bans_on_touching_the_world_are_lifted_in_few_places() {
    accept(&the_bans_are_lifted_in_few_places(&sources()));
    let planted = [Source::new(
        "daemon/src/index/crawl.rs",
        "#![allow(clippy::disallowed_methods)]",
    )];
    refuses(the_bans_are_lifted_in_few_places, &[], &planted);
}

#[test]
fn a_room_uses_only_the_rooms_before_it() {
    accept(&downstairs_only(&sources()));
}

#[test]
fn rules_are_functions_of_their_arguments() {
    accept(&rules_are_pure(&sources()));
}

#[test]
fn only_the_store_knows_its_types() {
    accept(&one_place_knows_the_store(&sources()));
}

#[test]
fn the_rooms_are_listed_in_their_order() {
    let all = [
        "detect",
        "workspace",
        "index",
        "task",
        "artifact",
        "decision",
        "history",
        "context",
        "agent",
        "component",
        "pipeline",
        "maintenance",
        "reboot",
    ];
    let found = rooms(&sources());
    let expected: Vec<&str> = all
        .into_iter()
        .filter(|room| found.iter().any(|name| name == room))
        .collect();
    assert_eq!(
        found, expected,
        "`daemon/src/lib.rs` lists the rooms in the order of ARCHITECTURE.md"
    );
}

#[test]
fn a_planted_call_upstairs_is_refused() {
    let good = [
        Source::new(
            "daemon/src/lib.rs",
            "// The rooms.\npub mod detect;\n\npub mod index;\n\n// Around them.\npub mod db;\n",
        ),
        Source::new(
            "daemon/src/index/mod.rs",
            "use crate::{detect, db, dispatch::Desk};\n// crate::dispatch is above\n",
        ),
    ];
    let planted = [
        Source::new("daemon/src/detect/mod.rs", "use crate::index;"),
        Source::new("daemon/src/detect/rules.rs", "use crate::{db, index::Tree};"),
        Source::new("daemon/src/detect/mod.rs", "use super::index::Tree;"),
        Source::new("daemon/src/index/crawl.rs", "fn f() { crate::dispatch::send() }"),
        Source::new("daemon/src/index/crawl.rs", "use crate::server::Server;"),
        Source::new("daemon/src/index/crawl.rs", "use crate::lifecycle;"),
        Source::new("daemon/src/index/crawl.rs", "use crate::{dispatch::route, db};"),
        Source::new("daemon/src/db.rs", "use crate::index;"),
        Source::new("daemon/src/world/os.rs", "use crate::ctx::Ctx;"),
        Source::new("daemon/src/lib.rs", "pub mod detect;"),
    ];
    refuses(downstairs_only, &good, &planted);
}

#[test]
fn a_planted_hand_on_the_world_in_a_rule_is_refused() {
    let good = [Source::new(
        "daemon/src/index/rules.rs",
        "use std::time::Duration;\n/// Not std::fs.\nfn f() {}\n#[cfg(test)]\nmod tests { use std::fs; }",
    )];
    let planted = [
        Source::new("daemon/src/index/rules.rs", "use std::fs;"),
        Source::new(
            "daemon/src/index/rules.rs",
            "fn now() { std::time::SystemTime::now(); }",
        ),
        Source::new("daemon/src/index/rules/since.rs", "async fn f() {}"),
        Source::new("daemon/src/detect/rules.rs", "fn f(ctx: &Ctx) {}"),
        Source::new("daemon/src/detect/rules.rs", "use crate::{world::World};"),
    ];
    refuses(rules_are_pure, &good, &planted);
}

#[test]
fn a_planted_store_type_above_the_store_is_refused() {
    let good = [Source::new("daemon/src/db.rs", "use sled::Db;")];
    refuses(
        one_place_knows_the_store,
        &good,
        &[Source::new("daemon/src/index/store.rs", "fn f(db: &sled::Db) {}")],
    );
}
