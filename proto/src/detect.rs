//! `detect`: which project a path belongs to.

use serde::{Deserialize, Serialize};

use crate::RawPath;

/// Where to look from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum From {
    /// The caller's own environment and working directory.
    #[default]
    Caller,
    /// A start path: the walk begins here.
    Start(RawPath),
    /// An override: this directory is the root.
    Explicit(RawPath),
}

/// What can be asked of this room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Find the project.
    Find(From),
}

/// How a root was found, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Named by the caller.
    Explicit,
    /// The root of a version-control checkout.
    VcsRoot,
    /// A directory with a project marker of 7 or more.
    ProjectMarker,
    /// Named by the client's environment.
    ClientDirectory,
    /// The start path itself.
    CurrentDirectory,
    /// The user's home.
    UserHome,
}

/// A file that says what kind of project a directory is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Marker {
    /// The file's name as found.
    pub name: String,
    /// The project type it stands for.
    #[serde(rename = "type")]
    pub project_type: String,
    /// Out of 10; 7 or more decides a root.
    pub confidence: u8,
}

/// The version control of a root.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Vcs {
    /// `git`, `jj`, `hg` or `svn`.
    pub kind: String,
    /// The branch checked out; none when detached, unborn without a name, or not known for this kind.
    pub branch: Option<String>,
    /// The main checkout when this is a linked worktree (the repository itself when that is bare).
    pub main_root: Option<RawPath>,
    /// The checkout that holds this one as a submodule.
    pub superproject: Option<RawPath>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// The directory the project is known by, absolute, links resolved.
    pub root: RawPath,
    /// The nearest directory with a project marker, when it is not the root.
    pub package: Option<RawPath>,
    /// How the root was found.
    pub method: Method,
    /// Out of 10.
    pub confidence: u8,
    /// The types of the package's and the root's markers, strongest first, each once.
    pub project_types: Vec<String>,
    /// The markers of the package, then of the root, strongest first.
    pub markers: Vec<Marker>,
    /// The root's version control.
    pub vcs: Option<Vcs>,
    /// Whether the daemon's user may write in the root.
    pub writable: bool,
    /// What was passed over and why, each a sentence.
    pub warnings: Vec<String>,
    /// Whether the answer came from the cache (checked against the disk before it was given).
    pub cached: bool,
    /// Time taken by the daemon, in microseconds.
    pub micros: u64,
    /// The repository's own folder where it lies elsewhere and says by `core.worktree` that its files are in the root. Known
    /// to the daemon alone.
    #[serde(skip)]
    pub led_from: Option<RawPath>,
}
