//! Who asks and from where, taken from this process.
//!
//! What must stay true: only the listed variables leave this process, and no path is resolved here: that is the
//! daemon's, which looks at the disk as it is when it answers.

use std::path::{Path, PathBuf};

use proto::caller::{CLIENT_DIRECTORIES, LISTED};
use proto::{Caller, RawPath};

/// This process's working directory and listed variables. The directory is empty when it does not exist any more.
#[must_use]
pub fn here() -> Caller {
    let cwd = std::env::current_dir().map(RawPath::from).unwrap_or_default();
    Caller {
        cwd,
        vars: listed(std::env::vars_os()),
        actor: None,
    }
}

fn listed(vars: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>) -> Vec<(String, RawPath)> {
    let mut listed: Vec<(String, RawPath)> = vars
        .filter_map(|(name, value)| {
            let name = name.to_str().filter(|name| Caller::carries(name))?;
            (!value.is_empty()).then(|| (name.to_owned(), RawPath::from(value)))
        })
        .collect();
    listed.sort_by(|(a, _), (b, _)| (place(a), a).cmp(&(place(b), b)));
    listed
}

/// The order of the lists, then everything else.
fn place(name: &str) -> usize {
    let listed = CLIENT_DIRECTORIES.iter().chain(&LISTED);
    listed
        .into_iter()
        .position(|other| *other == name)
        .unwrap_or(usize::MAX)
}

/// `path` as seen from `cwd`, with `.` and doubled slashes taken out. `..` stays, because what it means depends on
/// links. None when both are relative.
#[must_use]
pub fn absolute(cwd: &Path, path: &Path) -> Option<PathBuf> {
    let joined = cwd.join(path);
    if !joined.is_absolute() {
        return None;
    }
    std::path::absolute(&joined).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_variables_travel_and_in_the_order_of_the_lists() {
        let vars = [
            ("TO_WATCH_SETTLE_MS", "5"),
            ("SECRET_TOKEN", "x"),
            ("HOME", "/h"),
            ("CURSOR_CWD", "/c"),
            ("TO_PROJECT_DIR", "/p"),
            ("CLAUDE_PROJECT_DIR", ""),
        ];
        let vars = vars.into_iter().map(|(name, value)| (name.into(), value.into()));
        let names: Vec<String> = listed(vars).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["TO_PROJECT_DIR", "CURSOR_CWD", "HOME", "TO_WATCH_SETTLE_MS"]
        );
    }

    #[test]
    fn a_path_becomes_absolute_without_looking_at_the_disk() {
        let from = |path: &str| absolute(Path::new("/a/b"), Path::new(path));
        assert_eq!(from("c"), Some("/a/b/c".into()));
        assert_eq!(from("."), Some("/a/b".into()));
        assert_eq!(from("../c//d/."), Some("/a/b/../c/d".into()));
        assert_eq!(from("/x"), Some("/x".into()));
        assert_eq!(absolute(Path::new(""), Path::new("c")), None);
    }
}
