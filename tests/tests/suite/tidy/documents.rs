//! Every path that a document names exists, so that the documents cannot drift from the tree unseen.

use super::{Source, accept, refuses, sources};

/// Paths named in back-ticks or as link targets, with their lines.
fn named_paths(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let spans = line.split('`').skip(1).step_by(2);
        let links = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        found.extend(spans.chain(links).map(|word| (number + 1, word.to_owned())));
    }
    found
}

/// Whether a word in back-ticks claims to be a path of this repository: it begins with one of its folders, or is a link.
fn claims(word: &str, folders: &[&str]) -> bool {
    let plain = !word.contains([' ', '<', '*', '$', '{', '…', '(', '"']);
    let first = word.split('/').next().unwrap_or_default();
    plain && word.contains('/') && folders.contains(&first)
}

/// Whether a file has the function that a document names with it: `daemon/src/dispatch/mod.rs::route`.
fn has(sources: &[Source], path: &str, function: &str) -> bool {
    let head = format!("fn {function}");
    let found = sources.iter().find(|source| source.path == path);
    found.is_some_and(|source| {
        source
            .text
            .match_indices(&head)
            .any(|(at, _)| source.text[at + head.len()..].starts_with(['(', '<']))
    })
}

fn named_paths_exist(sources: &[Source]) -> Vec<String> {
    let folders: Vec<&str> = sources
        .iter()
        .filter_map(|source| Some(source.path.split_once('/')?.0))
        .collect();
    let exists = |path: &str| {
        let path = path.trim_end_matches('/');
        let below = format!("{path}/");
        sources
            .iter()
            .any(|source| source.path == path || source.path.starts_with(&below))
    };
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".md")) {
        for (line, word) in named_paths(&source.text) {
            let path = word.split(['#', ':']).next().unwrap_or_default();
            let function = word.split_once("::").map(|(_, name)| name);
            if claims(path, &folders)
                && !(exists(path) && function.is_none_or(|name| has(sources, path, name)))
            {
                complaints.push(format!("{}:{line}: `{word}` does not exist", source.path));
            }
        }
    }
    complaints
}

#[test]
fn every_path_named_in_a_document_exists() {
    accept(&named_paths_exist(&sources()));
}

#[test]
fn a_planted_path_that_does_not_exist_is_refused() {
    let good = [
        Source::new("daemon/src/lib.rs", "pub fn run() {}"),
        Source::new(
            "README.md",
            "`daemon/src/lib.rs`, `daemon/src/`, `src/x`, `daemon/src/lib.rs::run`, `daemon/src/<room>/`, [a](daemon/src/lib.rs#L1)",
        ),
    ];
    let planted = [
        Source::new("A.md", "see `daemon/src/gone.rs`"),
        Source::new("B.md", "see [this](daemon/gone.md)"),
        Source::new("D.md", "see `daemon/src/lib.rs::ru`"),
        Source::new("C.md", "see `daemon/src/gone.rs:12`"),
    ];
    refuses(named_paths_exist, &good, &planted);
}
