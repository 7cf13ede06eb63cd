//! The rules of the house as tests, each shown to fail on a planted violation.
//!
//! A check is a function from sources (path and text) to complaints. It runs over this repository and over a few lines
//! that break the rule: a check that cannot complain would be decoration.

mod code;
mod crates;
mod documents;
mod requests;
mod rooms;
mod text;

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of this repository: path relative to its root, with `/`, and text.
pub struct Source {
    /// `daemon/src/lib.rs`.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl Source {
    /// A made-up file, for planting.
    pub fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// Where this repository is.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All text files that git tracks or would track.
pub fn sources() -> Vec<Source> {
    let listed = Command::new("git")
        .args([
            "-c",
            "safe.directory=*",
            "ls-files",
            "-co",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let names = String::from_utf8(listed.stdout).expect("file names here are UTF-8");
    let found: Vec<Source> = names
        .split_terminator('\0')
        .filter_map(|path| {
            let text = std::fs::read_to_string(root().join(path)).ok()?;
            Some(Source::new(path, &text))
        })
        .collect();
    assert!(
        found.len() > 20,
        "this repository has more than {} files",
        found.len()
    );
    found
}

/// Fails with one complaint a line.
pub fn accept(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Fails unless each planted file draws a complaint of its own that names it, and the others draw none.
pub fn refuses(check: impl Fn(&[Source]) -> Vec<String>, good: &[Source], planted: &[Source]) {
    accept(&check(good));
    for bad in planted {
        let mut all: Vec<Source> = good.iter().map(|s| Source::new(&s.path, &s.text)).collect();
        all.retain(|source| source.path != bad.path);
        all.push(Source::new(&bad.path, &bad.text));
        let complaints = check(&all);
        assert!(
            complaints.iter().any(|complaint| complaint.contains(&bad.path)),
            "nothing was said of {}:\n{}",
            bad.path,
            bad.text
        );
    }
}
