//! What git would make of a directory, from its files alone: no process is started.
//!
//! Asked by the walk for each directory on the way up. What must stay true: a repository is one exactly when git takes
//! it for one (`HEAD`, `objects`, `refs`, or those of its `commondir`), and its work tree is where git says.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use proto::error::Result;

use super::look::{Content, Look, Seen};
use super::resolve::{Place, follow, kind_of, read_through};
use super::rules::git::{Core, Head, config, gitfile, head, line, named};
use crate::world::FileKind;

/// git's own limit for a `.git` file; ours for its configuration too.
const MOST_BYTES: usize = 1 << 20;

/// What a `.git` amounts to.
pub(super) enum Found {
    /// There is none.
    Nothing,
    /// git would not take it, because of this.
    Rejected(&'static str),
    /// A repository.
    Repository(Repository),
}

/// A repository, as seen from one of its work trees.
#[derive(Debug)]
pub(super) struct Repository {
    /// Where `HEAD` and the index are.
    pub(super) dir: PathBuf,
    /// Where objects and refs are, when that is elsewhere: this is a linked worktree.
    pub(super) common: Option<PathBuf>,
    /// What is checked out.
    pub(super) head: Head,
    core: Core,
}

/// Where a repository's files are checked out.
pub(super) enum WorkTree {
    /// Around its `.git`.
    Here,
    /// Where `core.worktree` says.
    At(PathBuf),
    /// Nowhere: it is bare.
    None,
}

/// Looks at `.git` in a directory.
pub(super) fn at(look: &mut Look<'_>, dir: &Path) -> Result<Found> {
    let dot_git = dir.join(".git");
    let place = match look.name(dir, ".git")?.kind() {
        None => return Ok(Found::Nothing),
        Some(FileKind::Link) => match follow(look, &dot_git)? {
            Some(place) => place.path,
            None => return Ok(Found::Rejected("it is a link that leads nowhere")),
        },
        Some(_) => dot_git,
    };
    match look.place(&place)?.kind() {
        Some(FileKind::Dir) => repository(look, &place),
        Some(FileKind::File) => {
            let Content::Bytes(bytes) = look.read(&place, MOST_BYTES)? else {
                return Ok(Found::Rejected("it cannot be read"));
            };
            let Some(path) = gitfile(&bytes) else {
                return Ok(Found::Rejected("it does not say `gitdir: <path>`"));
            };
            match dir_at(look, &dir.join(OsStr::from_bytes(path)))? {
                Some(target) => repository(look, &target),
                None => Ok(Found::Rejected("it points nowhere")),
            }
        }
        _ => Ok(Found::Rejected("it is neither a directory nor a file")),
    }
}

/// Judges a directory as a repository, by git's three tests in git's order.
pub(super) fn repository(look: &mut Look<'_>, dir: &Path) -> Result<Found> {
    let Some(head) = read_head(look, dir)? else {
        return Ok(Found::Rejected("it has no valid `HEAD`"));
    };
    let common = match look.name(dir, "commondir")? {
        Seen::Absent => None,
        _ => match common_dir(look, dir)? {
            Some(common) => Some(common),
            None => return Ok(Found::Rejected("its `commondir` points nowhere")),
        },
    };
    let shared = common.as_deref().unwrap_or(dir);
    for (name, why) in [("objects", "it has no `objects`"), ("refs", "it has no `refs`")] {
        if kind_of(look, shared, name)? != Some(FileKind::Dir) {
            return Ok(Found::Rejected(why));
        }
    }
    let core = read_core(look, dir, common.as_deref())?;
    Ok(Found::Repository(Repository {
        dir: dir.to_path_buf(),
        common,
        head,
        core,
    }))
}

impl Repository {
    /// Where its files are.
    pub(super) fn work_tree(&self, look: &mut Look<'_>) -> Result<WorkTree> {
        if let Some(path) = &self.core.worktree {
            let found = dir_at(look, &self.dir.join(OsStr::from_bytes(path)))?;
            return Ok(found.map_or(WorkTree::None, WorkTree::At));
        }
        Ok(if self.core.bare == Some(true) {
            WorkTree::None
        } else {
            WorkTree::Here
        })
    }

    /// For a linked worktree: the main checkout, or the repository itself when that is bare or cannot say.
    pub(super) fn main_root(&self, look: &mut Look<'_>) -> Result<Option<PathBuf>> {
        let Some(common) = &self.common else {
            return Ok(None);
        };
        let core = match read_config(look, &common.join("config"))? {
            core if core.worktree_config => merged(look, common, core)?,
            core => core,
        };
        if let Some(path) = core.worktree {
            let found = dir_at(look, &common.join(OsStr::from_bytes(&path)))?;
            return Ok(Some(found.unwrap_or_else(|| common.clone())));
        }
        let around = common
            .parent()
            .filter(|_| core.bare != Some(true) && common.ends_with(".git"));
        Ok(Some(around.unwrap_or(common).to_path_buf()))
    }

    /// Whether this is the repository of a submodule of `outer`'s checkout.
    pub(super) fn is_module_of(&self, outer: &Self) -> bool {
        [Some(&outer.dir), outer.common.as_ref()]
            .into_iter()
            .flatten()
            .any(|dir| {
                self.common
                    .as_ref()
                    .unwrap_or(&self.dir)
                    .strip_prefix(dir.join("modules"))
                    .is_ok_and(|rest| rest != Path::new(""))
            })
    }

    /// Whether it lies where git keeps the repositories of submodules.
    pub(super) fn may_be_module(&self) -> bool {
        self.common
            .as_ref()
            .unwrap_or(&self.dir)
            .components()
            .any(|part| part.as_os_str() == "modules")
    }
}

fn read_head(look: &mut Look<'_>, dir: &Path) -> Result<Option<Head>> {
    let path = dir.join("HEAD");
    if look.name(dir, "HEAD")?.kind() == Some(FileKind::Link) {
        let target = look.link(&path)?.unwrap_or_default();
        if let Some(head) = named(target.as_os_str().as_bytes()) {
            return Ok(Some(head));
        }
    }
    match read_through(look, &path, MOST_BYTES)? {
        Content::Bytes(bytes) => Ok(head(&bytes)),
        Content::TooLarge | Content::Closed => Ok(None),
    }
}

/// The keys that count for this work tree: a linked worktree does not heed what the shared file says of the main one.
fn read_core(look: &mut Look<'_>, dir: &Path, common: Option<&Path>) -> Result<Core> {
    let core = read_config(look, &common.unwrap_or(dir).join("config"))?;
    match (core.worktree_config, common) {
        (true, _) => merged(look, dir, core),
        (false, Some(_)) => Ok(Core::default()),
        (false, None) => Ok(core),
    }
}

/// `config.worktree` over `config`.
fn merged(look: &mut Look<'_>, dir: &Path, shared: Core) -> Result<Core> {
    let own = read_config(look, &dir.join("config.worktree"))?;
    Ok(Core {
        bare: own.bare.or(shared.bare),
        worktree: own.worktree.or(shared.worktree),
        worktree_config: true,
    })
}

fn read_config(look: &mut Look<'_>, path: &Path) -> Result<Core> {
    Ok(match read_through(look, path, MOST_BYTES)? {
        Content::Bytes(bytes) => config(&bytes),
        Content::TooLarge | Content::Closed => Core::default(),
    })
}

/// The directory that `commondir` names.
fn common_dir(look: &mut Look<'_>, dir: &Path) -> Result<Option<PathBuf>> {
    match read_through(look, &dir.join("commondir"), MOST_BYTES)? {
        Content::Bytes(bytes) => match line(&bytes) {
            Some(path) => dir_at(look, &dir.join(OsStr::from_bytes(path))),
            None => Ok(None),
        },
        Content::TooLarge | Content::Closed => Ok(None),
    }
}

/// The directory that a path leads to.
fn dir_at(look: &mut Look<'_>, path: &Path) -> Result<Option<PathBuf>> {
    Ok(follow(look, path)?.filter(Place::is_dir).map(|place| place.path))
}
