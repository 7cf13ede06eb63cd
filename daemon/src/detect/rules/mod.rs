//! Decisions of detection: values in, a decision out.
//!
//! The door and the walk ask. What must stay true: paths are compared by component, never as text.

pub(super) mod git;
pub(super) mod workspace;

use std::path::{Component, Path};

/// Top-level directories that are the system's.
const SYSTEM: [&str; 8] = ["bin", "sbin", "etc", "sys", "proc", "dev", "boot", "usr"];

/// Places beneath them where people do keep projects.
const EXEMPT: [&str; 3] = ["/dev/shm", "/usr/src", "/usr/local"];

/// The system directory that makes a path unfit for a workspace, if one does. `path` is absolute and free of `..`.
pub(super) fn refused(path: &Path) -> Option<String> {
    if EXEMPT.iter().any(|exempt| path.starts_with(exempt)) {
        return None;
    }
    let mut parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.as_encoded_bytes()),
        _ => None,
    });
    let Some(first) = parts.next() else {
        return Some("/".to_owned());
    };
    let system = SYSTEM.iter().any(|name| name.as_bytes() == first) || first.starts_with(b"lib");
    if system {
        return Some(format!("/{}", String::from_utf8_lossy(first)));
    }
    (first == b"var" && parts.next() == Some(b"run")).then(|| "/var/run".to_owned())
}

/// What `GIT_CEILING_DIRECTORIES` lists: each absolute path, and whether its links are to be resolved (they are not
/// after an empty entry).
pub(super) fn ceilings(value: &[u8]) -> Vec<(&[u8], Links)> {
    let mut links = Links::Followed;
    let mut found = Vec::new();
    for entry in value.split(|byte| *byte == b':').take(MOST_CEILINGS) {
        match entry.first() {
            None => links = Links::AsWritten,
            Some(b'/') => found.push((entry, links)),
            Some(_) => {}
        }
    }
    found
}

/// More entries than anybody writes by hand.
const MOST_CEILINGS: usize = 64;

/// Whether the links in a ceiling's path count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// They are resolved.
    Followed,
    /// The path is compared as it stands.
    AsWritten,
}

/// A boolean as git reads it from the environment; what it does not know is not yes.
pub(super) fn is_true(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    matches!(text.as_str(), "true" | "yes" | "on") || text.parse::<i64>().is_ok_and(|number| number != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_directories_are_refused_by_component() {
        let cases = [
            ("/", true),
            ("/etc", true),
            ("/etc/nginx", true),
            ("/etcetera", false),
            ("/usr", true),
            ("/usr/bin", true),
            ("/usr/local", false),
            ("/usr/local/src/x", false),
            ("/usr/localx", true),
            ("/usr/src/linux", false),
            ("/lib64", true),
            ("/lib/modules", true),
            ("/var", false),
            ("/var/run", true),
            ("/var/run/x", true),
            ("/var/runner", false),
            ("/dev", true),
            ("/dev/shm", false),
            ("/dev/shm/x", false),
            ("/dev/shmem", true),
            ("/boot/efi", true),
            ("/proc/1", true),
            ("/home/etc", false),
            ("/binary", false),
        ];
        for (path, expected) in cases {
            assert_eq!(refused(Path::new(path)).is_some(), expected, "{path}");
        }
    }

    #[test]
    fn an_empty_ceiling_turns_link_resolution_off_for_those_after_it() {
        assert_eq!(
            ceilings(b"/a:rel:/b::/c:"),
            [
                (&b"/a"[..], Links::Followed),
                (b"/b", Links::Followed),
                (b"/c", Links::AsWritten)
            ]
        );
        assert_eq!(ceilings(b":/c"), [(&b"/c"[..], Links::AsWritten)]);
    }

    #[test]
    fn booleans_are_read_as_git_reads_them() {
        let yes = [&b"1"[..], b"true", b"YES", b"on", b"-2"].map(is_true);
        let no = [&b"0"[..], b"false", b"", b"off", b"maybe", b"\xff"].map(is_true);
        assert_eq!((yes, no), ([true; 5], [false; 6]));
    }
}
