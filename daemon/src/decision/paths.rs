//! What a decision is about, as paths: files, folders and globs from the root of the project. Pure.
//!
//! Nothing here is looked up on the disk: a path is its names. What must stay true: a path that leaves the project is
//! refused, however it is written.

use std::path::{Component, Path};

use globset::{GlobBuilder, GlobMatcher};
use proto::{Error, RawPath, error::Result};

use crate::workspace::tree::shortened;

/// The most bytes of one path.
pub const MAX_PATH: usize = 1024;

/// All of the project.
pub const WHOLE: &str = ".";

/// A path from the root of the project: `.` for the root itself. A relative one is taken from the root.
///
/// # Errors
/// `Refused` when it leads out of the project; `Usage` for what is no text or too long.
pub fn relative(root: &Path, path: &RawPath) -> Result<String> {
    let shown = || shortened(&path.display());
    if path.as_bytes().is_empty() || path.as_bytes().contains(&0) {
        return Err(Error::usage(format!("`{}` is not a path", shown()))
            .next("name a file, a folder or a glob within the project"));
    }
    let outside = || {
        Error::refused(format!("`{}` is outside of the project", shown()))
            .why(format!("its root is `{}`", root.display()))
            .next("name a file or folder within it")
    };
    let within = match path.as_path().strip_prefix(root) {
        Ok(within) => within,
        Err(_) if path.as_path().is_absolute() => return Err(outside()),
        Err(_) => path.as_path(),
    };
    let mut names: Vec<&str> = Vec::new();
    for part in within.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(names.pop().ok_or_else(outside)?),
            Component::Normal(name) => names.push(
                name.to_str()
                    .filter(|name| !name.chars().any(char::is_control))
                    .ok_or_else(|| {
                        Error::usage(format!("`{}` is no text of one line", shown()))
                            .next("name the folder it is in, or a glob")
                    })?,
            ),
            Component::RootDir | Component::Prefix(_) => return Err(outside()),
        }
    }
    let found = names.join("/");
    match found.len() {
        0 => Ok(WHOLE.to_owned()),
        1..=MAX_PATH => Ok(found),
        long => Err(Error::too_large(format!("a path of {long} bytes"))
            .why(format!("the limit is {MAX_PATH} bytes"))
            .next("name the folder above it")),
    }
}

/// One of the paths of a decision.
#[derive(Debug)]
pub struct Pattern {
    text: String,
    glob: Option<GlobMatcher>,
}

impl Pattern {
    /// The pattern of a path that [`relative`] made. What is no glob that makes sense names itself.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let glob = text.contains(['*', '?', '[', '{']).then(|| {
            let built = GlobBuilder::new(text).literal_separator(true).build();
            built.ok().map(|glob| glob.compile_matcher())
        });
        Self {
            text: text.to_owned(),
            glob: glob.flatten(),
        }
    }

    /// Whether a decision with this path has to do with `path`: it is the path, a folder above it, or something below it.
    #[must_use]
    pub fn concerns(&self, path: &str) -> bool {
        if self.text == WHOLE || path == WHOLE || within(path, &self.text) {
            return true;
        }
        match &self.glob {
            None => within(&self.text, path),
            Some(glob) => within(fixed(&self.text), path) || self.fits(glob, path),
        }
    }

    fn fits(&self, glob: &GlobMatcher, path: &str) -> bool {
        let anywhere = !self.text.contains('/');
        let mut at = Some(Path::new(path)).filter(|path| !path.as_os_str().is_empty());
        while let Some(now) = at {
            // As in ignore files: a glob of one name fits that name in every folder.
            let looked = if anywhere {
                now.file_name().map(Path::new)
            } else {
                Some(now)
            };
            if looked.is_some_and(|looked| glob.is_match(looked)) {
                return true;
            }
            at = now.parent().filter(|path| !path.as_os_str().is_empty());
        }
        false
    }
}

/// Whether `path` is `folder` or below it.
fn within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| !folder.is_empty() && (rest.is_empty() || rest.starts_with('/')))
}

/// The folder that all a glob fits lies in; empty when it could be anywhere.
fn fixed(glob: &str) -> &str {
    let plain = glob.find(['*', '?', '[', '{']).map_or(glob, |at| &glob[..at]);
    plain.rfind('/').map_or("", |at| &plain[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::Kind;

    fn concerns(pattern: &str, path: &str) -> bool {
        Pattern::new(pattern).concerns(path)
    }

    #[test]
    fn a_path_is_named_from_the_root_and_none_leaves_it() {
        let root = Path::new("/p/repo");
        for (path, found) in [
            ("/p/repo/src/a.rs", "src/a.rs"),
            ("/p/repo/src/../b/", "b"),
            ("./src//a.rs", "src/a.rs"),
            ("/p/repo", "."),
            (".", "."),
            ("a/..", "."),
            ("src/**/*.rs", "src/**/*.rs"),
            ("%2e%2e/x", "%2e%2e/x"),
        ] {
            assert_eq!(relative(root, &path.into()).as_deref(), Ok(found), "{path}");
        }
        for path in [
            "/p/other/a",
            "/p/repository",
            "..",
            "a/../../b",
            "/p/repo/../x",
            "/",
            "../repo/a",
        ] {
            let error = relative(root, &path.into()).expect_err(path);
            assert_eq!(error.kind, Kind::Refused, "{path}");
        }
        for path in [&b""[..], b"a\xff", b"a\0b", b"a\nb"] {
            assert!(relative(root, &path.into()).is_err());
        }
    }

    #[test]
    fn a_file_a_folder_and_a_glob_are_recognised() {
        for (pattern, path) in [
            ("src/a.rs", "src/a.rs"),
            ("src", "src/deep/a.rs"),
            ("src/a.rs", "src"),
            ("src/**/*.rs", "src/x/y/a.rs"),
            ("src/**/*.rs", "src"),
            ("src/*", "src/x/y/a.rs"),
            ("*.toml", "a/b/Cargo.toml"),
            ("vendor*", "a/vendored/x.c"),
            ("{a,b}/c", "b/c"),
            ("app/[id].tsx", "app/[id].tsx"),
            ("[broken", "[broken"),
            (".", "anything"),
            ("src/a.rs", "."),
        ] {
            assert!(concerns(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("src/a.rs", "src/a.rs.orig"),
            ("src", "srcs/a.rs"),
            ("src/a.rs", "src/b.rs"),
            ("src/*.rs", "lib/a.rs"),
            ("src/*.rs", "src/x/a.rs"),
            ("*.toml", "Cargo.toml.bak"),
        ] {
            assert!(!concerns(pattern, path), "{pattern} {path}");
        }
    }
}
