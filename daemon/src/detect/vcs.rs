//! Roots of version control of every kind, as found in one directory on the way up.
//!
//! The walk asks with the names that the directory holds. What must stay true: git is asked first where several live in
//! one directory (jj keeps one beside it, and the index shows what git shows), and what its own tool would not accept is
//! passed over with a warning.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use proto::error::Result;

use super::git::{self, Repository, WorkTree};
use super::look::{Content, Look, Seen};
use super::resolve::{Place, follow, kind_of, read_through};
use super::rules::git::{Head, line};
use crate::world::FileKind;

/// Names that begin a look at version control; the last one belongs to a git repository entered from within.
pub(super) const NAMES: [&str; 5] = [".git", ".jj", ".hg", ".svn", "HEAD"];

/// Files of these systems that we read are a line or two.
const MOST_BYTES: usize = 64 * 1024;

/// A root under version control.
#[derive(Debug)]
pub(super) struct Checkout {
    /// `git`, `jj`, `hg` or `svn`.
    pub(super) kind: &'static str,
    /// Where its files are.
    pub(super) root: PathBuf,
    /// What is checked out, when it has a name.
    pub(super) branch: Option<String>,
    /// The main checkout that this one shares its history with.
    pub(super) main_root: Option<PathBuf>,
    /// For git: the repository.
    pub(super) repository: Option<Repository>,
    /// The repository was found elsewhere, and names the root.
    pub(super) is_led: bool,
}

/// What a directory means for the search.
pub(super) enum Step {
    /// Go on up.
    Up,
    /// Go on up, and tell this.
    UpWith(String),
    /// Here it is.
    Found(Box<Checkout>),
    /// A repository without a work tree: git stops here, and tells this.
    Stop(String),
}

/// Judges one directory by those of [`NAMES`] that it holds.
pub(super) fn step(look: &mut Look<'_>, dir: &Path, held: &[&str]) -> Result<Step> {
    let mut warning = None;
    if held.contains(&".git") {
        match git::at(look, dir)? {
            git::Found::Nothing => {}
            git::Found::Rejected(why) => {
                warning = Some(format!("`{}` was passed over: {why}", dir.join(".git").display()));
            }
            git::Found::Repository(repository) => return checkout(look, dir, repository),
        }
    }
    let other = if held.contains(&".jj") {
        jj(look, dir)?
    } else {
        None
    };
    let other = if other.is_none() && held.contains(&".hg") {
        hg(look, dir)?
    } else {
        other
    };
    let other = if other.is_none() && held.contains(&".svn") {
        svn(look, dir)?
    } else {
        other
    };
    if let Some(checkout) = other {
        return Ok(Step::Found(Box::new(checkout)));
    }
    if held.contains(&"HEAD")
        && let git::Found::Repository(repository) = git::repository(look, dir)?
    {
        return inside(look, dir, repository);
    }
    Ok(warning.map_or(Step::Up, Step::UpWith))
}

fn checkout(look: &mut Look<'_>, dir: &Path, repository: Repository) -> Result<Step> {
    let root = match repository.work_tree(look)? {
        WorkTree::Here => dir.to_path_buf(),
        WorkTree::At(root) => root,
        WorkTree::None => return Ok(Step::Stop(bare(&repository.dir))),
    };
    let main_root = repository.main_root(look)?;
    Ok(Step::Found(Box::new(Checkout {
        kind: "git",
        is_led: root != dir,
        root,
        branch: branch(&repository.head),
        main_root,
        repository: Some(repository),
    })))
}

/// The search began inside a repository. git would say that there is no work tree here; the path belongs to the project
/// around it all the same.
fn inside(look: &mut Look<'_>, dir: &Path, repository: Repository) -> Result<Step> {
    let told = format!(
        "the path lies inside the git repository `{}`, where git itself sees no work tree",
        dir.display()
    );
    match repository.work_tree(look)? {
        // The repository of a linked worktree lies in that of the main one.
        _ if repository.common.is_some() => Ok(Step::Up),
        WorkTree::At(_) => checkout(look, dir, repository),
        WorkTree::Here if dir.ends_with(".git") => Ok(Step::UpWith(told)),
        WorkTree::Here | WorkTree::None => Ok(Step::Stop(bare(dir))),
    }
}

fn bare(repository: &Path) -> String {
    format!(
        "the git repository `{}` is bare: it has no work tree",
        repository.display()
    )
}

fn branch(head: &Head) -> Option<String> {
    match head {
        Head::Branch(name) => Some(name.clone()),
        Head::Detached => None,
    }
}

fn plain(kind: &'static str, root: &Path) -> Checkout {
    Checkout {
        kind,
        root: root.to_path_buf(),
        branch: None,
        main_root: None,
        repository: None,
        is_led: false,
    }
}

/// A second workspace of a jj repository holds a file with the path of the first one's `.jj/repo`.
fn jj(look: &mut Look<'_>, dir: &Path) -> Result<Option<Checkout>> {
    let own = dir.join(".jj");
    match kind_of(look, dir, ".jj")? {
        Some(FileKind::Dir) => {}
        _ => return Ok(None),
    }
    let Some(own) = follow(look, &own)?.map(|place| place.path) else {
        return Ok(None);
    };
    match kind_of(look, &own, "repo")? {
        Some(FileKind::Dir) => Ok(Some(plain("jj", dir))),
        Some(FileKind::File) => {
            let main = target(look, &own, "repo")?;
            let main_root = main
                .as_deref()
                .and_then(Path::parent)
                .and_then(Path::parent)
                .map(Path::to_path_buf);
            Ok(Some(Checkout {
                main_root,
                ..plain("jj", dir)
            }))
        }
        _ => Ok(None),
    }
}

/// Mercurial takes any directory of this name; one made by `hg share` names the repository that it shares.
fn hg(look: &mut Look<'_>, dir: &Path) -> Result<Option<Checkout>> {
    if kind_of(look, dir, ".hg")? != Some(FileKind::Dir) {
        return Ok(None);
    }
    let Some(own) = follow(look, &dir.join(".hg"))?.map(|place| place.path) else {
        return Ok(None);
    };
    let branch = match look.name(&own, "branch")? {
        Seen::Absent => None,
        _ => text(look, &own.join("branch"))?,
    };
    let main = match look.name(&own, "sharedpath")? {
        Seen::Absent => None,
        _ => target(look, &own, "sharedpath")?,
    };
    let main_root = main.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let branch = Some(branch.unwrap_or_else(|| "default".to_owned()));
    Ok(Some(Checkout {
        branch,
        main_root,
        ..plain("hg", dir)
    }))
}

/// Since 1.7 one `.svn` with a `wc.db` at the root; before, one in every directory, of which the topmost counts.
fn svn(look: &mut Look<'_>, dir: &Path) -> Result<Option<Checkout>> {
    let mut root = None;
    for at in dir.ancestors() {
        let own = match kind_of(look, at, ".svn")? {
            Some(FileKind::Dir) => follow(look, &at.join(".svn"))?.map(|place| place.path),
            _ => None,
        };
        let Some(own) = own else { break };
        if kind_of(look, &own, "wc.db")? == Some(FileKind::File) {
            // A modern root around old ones is another working copy.
            return Ok(Some(plain("svn", root.unwrap_or(at))));
        }
        if kind_of(look, &own, "entries")? != Some(FileKind::File) {
            break;
        }
        root = Some(at);
    }
    Ok(root.map(|root| plain("svn", root)))
}

fn text(look: &mut Look<'_>, path: &Path) -> Result<Option<String>> {
    Ok(match read_through(look, path, MOST_BYTES)? {
        Content::Bytes(bytes) => Some(String::from_utf8_lossy(bytes.trim_ascii()).into_owned()),
        Content::TooLarge | Content::Closed => None,
    }
    .filter(|text| !text.is_empty()))
}

/// The place that a one-line file names, relative to the directory that holds it.
fn target(look: &mut Look<'_>, dir: &Path, name: &str) -> Result<Option<PathBuf>> {
    let Content::Bytes(bytes) = read_through(look, &dir.join(name), MOST_BYTES)? else {
        return Ok(None);
    };
    match line(&bytes) {
        Some(path) => Ok(follow(look, &dir.join(OsStr::from_bytes(path)))?
            .filter(Place::is_dir)
            .map(|place| place.path)),
        None => Ok(None),
    }
}
