//! Which crate may know which, and that every dependency has its reason in ARCHITECTURE.md.

use super::{Source, accept, refuses, sources};

/// Of our own crates, what each may depend on. Nobody depends on `tests`.
const KNOWS: [(&str, &[&str]); 5] = [
    ("proto", &[]),
    ("migrations", &[]),
    ("daemon", &["proto", "migrations"]),
    ("client", &["proto"]),
    ("tests", &["proto", "migrations", "daemon", "client"]),
];

/// The names in the dependency tables of a manifest, with development and build tables.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if inside && !line.starts_with('#') {
            let name: String = line
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '-' || *c == '_')
                .collect();
            found.push(name);
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

fn crates_know_only_what_they_may(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let Some(own) = source.path.strip_suffix("/Cargo.toml") else {
            continue;
        };
        let Some((_, may)) = KNOWS.iter().find(|(name, _)| *name == own) else {
            complaints.push(format!(
                "{}: a crate that has no place in the house yet",
                source.path
            ));
            continue;
        };
        for name in dependencies(&source.text) {
            let ours = KNOWS.iter().any(|(ours, _)| *ours == name);
            if ours && !may.contains(&name.as_str()) {
                complaints.push(format!("{}: `{own}` must not know `{name}`", source.path));
            }
        }
    }
    complaints
}

fn every_dependency_has_a_reason(sources: &[Source]) -> Vec<String> {
    let text = |path: &str| {
        let found = sources.iter().find(|source| source.path == path);
        found.map(|source| source.text.as_str()).unwrap_or_default()
    };
    let reasons = text("ARCHITECTURE.md");
    dependencies(text("Cargo.toml"))
        .into_iter()
        .filter(|name| !KNOWS.iter().any(|(ours, _)| ours == name))
        .filter(|name| !reasons.contains(&format!("| `{name}` |")))
        .map(|name| format!("Cargo.toml: `{name}` has no line of reason in ARCHITECTURE.md"))
        .collect()
}

/// The feature by which `to-mcp` offers the names of the conformance suite.
const FIXTURES: &str = "conformance-fixtures";

/// Where it may be named: its own code, what builds it for the suite, and texts.
const MAY_NAME: [&str; 4] = [
    "client/src/to-mcp/",
    "tests/conformance/",
    "tests/tests/suite/tidy/",
    "client/Cargo.toml",
];

fn fixtures_are_in_no_release(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let free =
            MAY_NAME.iter().any(|place| source.path.starts_with(place)) || source.path.ends_with(".md");
        for (number, line) in (1..).zip(source.text.lines()) {
            let debug_build = source.path == "Makefile"
                && line.contains("--package client --bin to-mcp --features")
                && !line.contains("release");
            let by_default = source.path == "client/Cargo.toml" && line.starts_with("default");
            if by_default || (line.contains(FIXTURES) && !free && !debug_build) {
                let path = &source.path;
                complaints.push(format!(
                    "{path}:{number}: what only the conformance suite may see"
                ));
            }
        }
    }
    complaints
}

#[test]
fn the_fixtures_of_the_conformance_suite_are_in_no_release() {
    accept(&fixtures_are_in_no_release(&sources()));
    let good = [
        Source::new(
            "Makefile",
            "\tcargo build --package client --bin to-mcp --features conformance-fixtures\n",
        ),
        Source::new("client/Cargo.toml", "[features]\nconformance-fixtures = []\n"),
        Source::new("packaging/build.sh", "cargo build --release\n"),
    ];
    let planted = [
        Source::new(
            "Makefile",
            "\tcargo build --release --features conformance-fixtures\n",
        ),
        Source::new(
            "client/Cargo.toml",
            "[features]\ndefault = [\"conformance-fixtures\"]\n",
        ),
        Source::new(
            "packaging/build.sh",
            "cargo build --features conformance-fixtures\n",
        ),
    ];
    refuses(fixtures_are_in_no_release, &good, &planted);
}

#[test]
fn crates_know_only_the_crates_they_may() {
    accept(&crates_know_only_what_they_may(&sources()));
}

#[test]
fn every_dependency_has_its_line_of_reason() {
    accept(&every_dependency_has_a_reason(&sources()));
}

#[test]
fn a_planted_dependency_is_refused() {
    let good = [Source::new(
        "client/Cargo.toml",
        "[dependencies]\nproto.workspace = true\nserde = \"1\"\n",
    )];
    let planted = [
        Source::new("client/Cargo.toml", "[dependencies]\ndaemon.workspace = true\n"),
        Source::new(
            "proto/Cargo.toml",
            "[dev-dependencies]\ntests = { path = \"../tests\" }\n",
        ),
        Source::new("util/Cargo.toml", "[dependencies]\n"),
    ];
    refuses(crates_know_only_what_they_may, &good, &planted);
    let good = [
        Source::new(
            "Cargo.toml",
            "[workspace.dependencies]\nproto = { path = \"proto\" }\nserde = \"1\"\n",
        ),
        Source::new("ARCHITECTURE.md", "| `serde` | records and messages |\n"),
    ];
    let planted = [Source::new(
        "Cargo.toml",
        "[workspace.dependencies]\nleft-pad = \"1\"\n",
    )];
    refuses(every_dependency_has_a_reason, &good, &planted);
}
