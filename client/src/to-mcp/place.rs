//! Where a call looks from: its own `cwd`, else the client's roots, else what the environment says, else the process's folder.
//!
//! Asked by the service for each call. What must stay true: two calls with different places never see each other's project;
//! nothing of the disk is read here but whether a folder named by the environment is there.

use std::path::{Path, PathBuf};

use proto::caller::CLIENT_DIRECTORIES;
use proto::detect::From;
use proto::error::Result;
use proto::{Caller, Error, RawPath};

use crate::talk::Place;

/// What this process was told about places when it was started.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    /// This process's folder and listed variables.
    pub(crate) caller: Caller,
    /// `--cwd`.
    pub(crate) cwd: Option<PathBuf>,
}

impl Home {
    /// Where a call looks from.
    ///
    /// # Errors
    /// `usage` for a `cwd` that cannot be a path, `not found` when there is no folder at all.
    pub(crate) fn place(&self, cwd: Option<&str>, roots: &[PathBuf], actor: Option<String>) -> Result<Place> {
        let start = match cwd {
            Some(cwd) => Some(self.absolute(cwd, roots)?),
            None => roots.first().cloned().or_else(|| self.told()),
        };
        let mut caller = self.caller.clone();
        caller.actor = actor;
        let from = match start {
            Some(start) => {
                let start = RawPath::from(start);
                // Relative paths of the call begin there, too, and what the environment says is about another place.
                caller.cwd = start.clone();
                caller
                    .vars
                    .retain(|(name, _)| !CLIENT_DIRECTORIES.contains(&name.as_str()));
                From::Start(start)
            }
            None if caller.cwd.as_bytes().is_empty() => {
                return Err(
                    Error::not_found("the working directory of the shim does not exist any more")
                        .next("give `cwd`, an absolute path"),
                );
            }
            None => From::Caller,
        };
        Ok(Place { caller, from })
    }

    /// The folder that the starter of this process named, by flag or by variable.
    fn told(&self) -> Option<PathBuf> {
        let named = || {
            let values = CLIENT_DIRECTORIES.iter().filter_map(|name| self.caller.var(name));
            let paths = values.map(RawPath::to_path_buf);
            // A variable that is left over from elsewhere must not stand in the way.
            paths.into_iter().find(|path| path.is_absolute() && path.is_dir())
        };
        self.cwd.clone().or_else(named)
    }

    fn absolute(&self, cwd: &str, roots: &[PathBuf]) -> Result<PathBuf> {
        if cwd.is_empty() || cwd.contains('\0') {
            return Err(Error::usage("`cwd` is not a path")
                .next("give the directory of the project, an absolute path"));
        }
        let path = file_uri(cwd).unwrap_or_else(|| PathBuf::from(cwd));
        let base = roots.first().cloned().or_else(|| self.told());
        let base = base.unwrap_or_else(|| self.caller.cwd.to_path_buf());
        client::absolute(&base, &path).ok_or_else(|| {
            Error::usage("`cwd` is relative, and there is no directory to begin from")
                .next("give an absolute path")
        })
    }
}

/// The path of a `file:` address on this machine.
pub(crate) fn file_uri(uri: &str) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    let rest = uri.strip_prefix("file://")?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return None;
    }
    let bytes = unescaped(path)?;
    let path = PathBuf::from(std::ffi::OsString::from_vec(bytes));
    (!path.as_os_str().is_empty() && Path::new(&path).is_absolute()).then_some(path)
}

/// Percent-escapes resolved; none where one is broken or stands for a zero byte.
pub(crate) fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        let byte = u8::from_str_radix(digits, 16).ok().filter(|byte| *byte != 0)?;
        bytes.push(byte);
        rest = rest.get(2..)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(vars: &[(&str, &str)], flag: Option<&str>) -> Home {
        Home {
            caller: Caller {
                cwd: "/start".into(),
                vars: vars
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), RawPath::from(*value)))
                    .collect(),
                actor: None,
            },
            cwd: flag.map(PathBuf::from),
        }
    }

    fn from(home: &Home, cwd: Option<&str>, roots: &[&str]) -> From {
        let roots: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
        home.place(cwd, &roots, None).expect("a place").from
    }

    #[test]
    fn the_argument_counts_before_roots_before_the_environment_before_the_process() {
        let told = home(&[("CLAUDE_PROJECT_DIR", "/")], None);
        assert_eq!(from(&told, Some("/arg"), &["/root"]), From::Start("/arg".into()));
        assert_eq!(
            from(&told, None, &["/root", "/other"]),
            From::Start("/root".into())
        );
        assert_eq!(from(&told, None, &[]), From::Start("/".into()));
        assert_eq!(from(&home(&[], None), None, &[]), From::Caller);
        let flag = home(&[("CLAUDE_PROJECT_DIR", "/")], Some("/flag"));
        assert_eq!(from(&flag, None, &[]), From::Start("/flag".into()));
        assert_eq!(from(&flag, Some("sub"), &[]), From::Start("/flag/sub".into()));
    }

    #[test]
    fn a_variable_that_names_nothing_is_passed_over() {
        let stale = home(
            &[("TO_PROJECT_DIR", "/no/such/folder"), ("CURSOR_CWD", "/")],
            None,
        );
        assert_eq!(from(&stale, None, &[]), From::Start("/".into()));
    }

    #[test]
    fn a_place_that_is_no_path_is_refused() {
        let home = home(&[], None);
        for cwd in ["", "a\0b"] {
            assert!(home.place(Some(cwd), &[], None).is_err());
        }
    }

    #[test]
    fn file_addresses_become_paths() {
        assert_eq!(file_uri("file:///a%20b/c"), Some("/a b/c".into()));
        assert_eq!(file_uri("file://localhost/a"), Some("/a".into()));
        for other in [
            "/a",
            "file://elsewhere/a",
            "file:///a%",
            "file:///a%00",
            "https://a/b",
        ] {
            assert_eq!(file_uri(other), None, "{other}");
        }
    }
}
