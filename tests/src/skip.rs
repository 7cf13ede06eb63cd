//! Skips that cannot be mistaken for passes.
//!
//! A test that needs what this machine may lack calls [`skip`] and returns. The skip is one line on standard error and one
//! in the file that `TOD_SKIPS` names, which `tests/run` shows before its summary. `TOD_REQUIRE=systemd,powercut` (or
//! `all`) turns the named skips into failures.

use std::io::Write;
use std::path::{Path, PathBuf};

/// A tool of some tests that lives outside the repository: in the folder that `TOD_TOOLS` names, else in `../shared/tools`
/// beside the repository.
#[must_use]
pub fn tool(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tools");
    let folder = std::env::var_os("TOD_TOOLS").map_or(beside, PathBuf::from);
    Some(folder.join(name)).filter(|tool| tool.is_file())
}

/// Says that a test did not run for want of `need`, and why.
///
/// # Panics
/// When `TOD_REQUIRE` names `need` or is `all`: then the lack is a failure.
pub fn skip(need: &str, why: &str) {
    let required = std::env::var("TOD_REQUIRE").unwrap_or_default();
    assert!(
        !required
            .split(',')
            .any(|word| word.trim() == need || word.trim() == "all"),
        "`TOD_REQUIRE` asks for `{need}`, and {why}"
    );
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("skipped {test}: {need}: {why}\n");
    eprint!("{line}");
    let Some(file) = std::env::var_os("TOD_SKIPS") else {
        return;
    };
    // One write call for one line: tests that run at the same time do not mix.
    let written = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&file)
        .and_then(|mut file| file.write_all(line.as_bytes()));
    if let Err(error) = written {
        panic!("the skip could not be noted in `{}`: {error}", file.display());
    }
}
