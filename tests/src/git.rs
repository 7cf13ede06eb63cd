//! git as the oracle: repositories for tests and what git itself says of them.
//!
//! Asked by the tests of detection and of the index. What must stay true: no configuration of whoever runs the tests has
//! a say, and nobody's repository but the test's is touched.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{self, Said};

/// `git` in a folder, away from everybody's configuration.
#[must_use]
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_NAME", "A U Thor")
        .env("GIT_AUTHOR_EMAIL", "author@example.org")
        .env("GIT_COMMITTER_NAME", "C O Mitter")
        .env("GIT_COMMITTER_EMAIL", "committer@example.org")
        .args([
            "-c",
            "init.defaultBranch=main",
            "-c",
            "protocol.file.allow=always",
            "-c",
            "safe.directory=*",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "gc.auto=0",
        ]);
    command
}

/// Runs git, whatever it says.
pub fn say(folder: &Path, args: &[&str]) -> Said {
    process::run(command(folder).args(args))
}

/// Runs git; what it printed, less the line end.
///
/// # Panics
/// When git says no.
pub fn git(folder: &Path, args: &[&str]) -> String {
    let said = say(folder, args);
    assert_eq!(said.code, 0, "git {args:?}: {}", said.err);
    said.text().trim_end().to_owned()
}

/// A repository with one commit that holds everything in the folder.
pub fn init(folder: &Path) {
    std::fs::create_dir_all(folder).expect("a folder for a repository");
    git(folder, &["init", "-q"]);
    commit_all(folder);
}

/// Commits everything in the folder.
pub fn commit_all(folder: &Path) {
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "--allow-empty", "-m", "all"]);
}

/// `git rev-parse --show-toplevel`; none where git sees no repository.
#[must_use]
pub fn toplevel(folder: &Path) -> Option<PathBuf> {
    let said = say(folder, &["rev-parse", "--show-toplevel"]);
    let path = said.out.strip_suffix(b"\n").unwrap_or(&said.out);
    (said.code == 0 && !path.is_empty()).then(|| PathBuf::from(std::ffi::OsStr::from_bytes(path)))
}

/// The files that git would show: the oracle of the index as SPEC 6 words it. `git ls-files -co --exclude-standard
/// --deduplicate` less entries that are not there, lie beyond a link, or are directories; submodules and nested
/// repositories, which git shows as one entry, stay.
#[must_use]
pub fn files(root: &Path) -> BTreeSet<Vec<u8>> {
    files_at_home(root, Path::new("/nonexistent"))
}

/// The same for somebody whose home is a folder: its `.config/git/ignore` counts.
#[must_use]
pub fn files_at_home(root: &Path, home: &Path) -> BTreeSet<Vec<u8>> {
    let listed = |args: &[&str]| listed(root, home, args);
    let links: BTreeSet<Vec<u8>> = listed(&["ls-files", "-s", "-z"])
        .into_iter()
        .filter(|entry| entry.starts_with(b"160000 "))
        .filter_map(|entry| Some(entry[entry.iter().position(|byte| *byte == b'\t')? + 1..].to_vec()))
        .collect();
    listed(&["ls-files", "-co", "--exclude-standard", "--deduplicate", "-z"])
        .into_iter()
        .filter(|name| shown(root, name, links.contains(name)))
        .collect()
}

fn listed(root: &Path, home: &Path, args: &[&str]) -> Vec<Vec<u8>> {
    let said = process::run(command(root).env("HOME", home).args(args)).ok();
    said.out
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}

fn shown(root: &Path, name: &[u8], submodule: bool) -> bool {
    let repository = submodule || name.ends_with(b"/");
    let path = root.join(std::ffi::OsStr::from_bytes(name));
    let beyond_a_link = path
        .ancestors()
        .skip(1)
        .take_while(|folder| *folder != root)
        .any(|folder| std::fs::symlink_metadata(folder).is_ok_and(|found| found.is_symlink()));
    !beyond_a_link
        && std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir() == repository || !found.is_dir())
}
