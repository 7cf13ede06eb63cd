//! From a path as given to the same place without links: one name at a time, each remembered.
//!
//! Asked for start paths, ceilings, link targets and what git's files point to. What must stay true: the kernel never
//! follows a link for us, so each one is in the traces; a loop ends; a link inside `/proc` is not followed, because there
//! it would speak of the daemon and not of the caller.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use proto::error::Result;
use proto::{Error, Kind};

use super::look::{Content, Look, Seen};
use crate::world::FileKind;

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Place {
    /// Free of links; where something is missing, up to the last that is there.
    pub(super) path: PathBuf,
    /// What is there.
    pub(super) seen: Seen,
    /// How many names are missing beyond `path`, when `seen` is not there.
    pub(super) missing: Vec<OsString>,
}

impl Place {
    /// The whole path, with the missing names.
    pub(super) fn whole(&self) -> PathBuf {
        self.missing
            .iter()
            .fold(self.path.clone(), |path, name| path.join(name))
    }

    /// Whether it is a directory.
    pub(super) fn is_dir(&self) -> bool {
        self.seen.kind() == Some(FileKind::Dir)
    }
}

/// Follows an absolute path to its end.
pub(super) fn resolve(look: &mut Look<'_>, given: &Path) -> Result<Place> {
    let mut at = PathBuf::from("/");
    let mut seen = look.place(&at)?;
    let mut todo = names(given);
    let mut links = 0;
    while let Some(name) = todo.pop() {
        if name == ".." {
            at.pop();
            seen = look.place(&at)?;
            continue;
        }
        let here = at.join(&name);
        let next = match seen.kind() {
            Some(FileKind::Dir) => look.place(&here)?,
            _ => Seen::Absent,
        };
        match next {
            Seen::Is(stat) if stat.kind == FileKind::Link => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Error::usage(format!("`{}` is a loop of links", given.display())));
                }
                if at.starts_with("/proc") {
                    return Err(Error::refused(format!(
                        "`{}` leads through a link in `/proc`",
                        given.display()
                    ))
                    .why("the daemon would follow its own, not yours")
                    .next("give the path it points to"));
                }
                let target = look.link(&here)?.unwrap_or_default();
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                todo.extend(names(&target));
                seen = look.place(&at)?;
            }
            Seen::Is(_) => (at, seen) = (here, next),
            Seen::Absent | Seen::Denied => {
                let missing = std::iter::once(name).chain(todo.into_iter().rev()).collect();
                return Ok(Place {
                    path: at,
                    seen: next,
                    missing,
                });
            }
        }
    }
    Ok(Place {
        path: at,
        seen,
        missing: Vec::new(),
    })
}

/// The same for a path that a file or a link of the project gives: nothing there, a loop or a forbidden way are all none.
pub(super) fn follow(look: &mut Look<'_>, path: &Path) -> Result<Option<Place>> {
    match resolve(look, path) {
        Ok(place) => Ok(Some(place).filter(|place| place.missing.is_empty())),
        Err(error) if matches!(error.kind, Kind::Usage | Kind::Refused) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a name in a directory is, once links are followed.
pub(super) fn kind_of(look: &mut Look<'_>, dir: &Path, name: &str) -> Result<Option<FileKind>> {
    match look.name(dir, name)?.kind() {
        Some(FileKind::Link) => Ok(follow(look, &dir.join(name))?.and_then(|place| place.seen.kind())),
        kind => Ok(kind),
    }
}

/// The bytes of a file, once links are followed.
pub(super) fn read_through(look: &mut Look<'_>, path: &Path, limit: usize) -> Result<Content> {
    if look.place(path)?.kind() != Some(FileKind::Link) {
        return look.read(path, limit);
    }
    match follow(look, path)? {
        Some(place) => look.read(&place.path, limit),
        None => Ok(Content::Closed),
    }
}

/// The names of a path, last first.
fn names(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_os_string()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::stuck::Stuck;
    use super::*;
    use crate::world::FakeWorld;

    fn resolved(world: &FakeWorld, path: &str) -> Result<Place> {
        resolve(&mut Look::new(world, &Stuck::default()), Path::new(path))
    }

    #[test]
    fn links_are_followed_one_name_at_a_time() {
        let world = FakeWorld::new();
        world
            .dir("/data/u/p/src")
            .link("/home", "data")
            .link("/data/here", "u/../u/./p/");
        assert_eq!(
            resolved(&world, "/home//here/src/.").unwrap().path,
            Path::new("/data/u/p/src")
        );
        // `..` after a link goes up from where the link leads.
        assert_eq!(
            resolved(&world, "/home/here/..").unwrap().path,
            Path::new("/data/u")
        );
    }

    #[test]
    fn a_loop_of_links_is_an_error_and_a_missing_name_is_not() {
        let world = FakeWorld::new();
        world.link("/a", "b").link("/b", "a").dir("/c");
        assert_eq!(resolved(&world, "/a/x").unwrap_err().kind, Kind::Usage);
        let place = resolved(&world, "/c/x/y").unwrap();
        assert_eq!(
            (place.path.as_path(), place.seen),
            (Path::new("/c"), Seen::Absent)
        );
        assert_eq!(place.whole(), Path::new("/c/x/y"));
    }

    #[test]
    fn a_name_below_a_file_is_missing() {
        let world = FakeWorld::new();
        world.file("/c/f", "");
        assert_eq!(resolved(&world, "/c/f/x").unwrap().seen, Seen::Absent);
    }

    #[test]
    fn a_link_in_proc_is_not_followed() {
        let world = FakeWorld::new();
        world.dir("/proc/17/cwd").link("/proc/self", "17");
        assert_eq!(
            resolved(&world, "/proc/self/cwd").unwrap_err().kind,
            Kind::Refused
        );
    }
}
