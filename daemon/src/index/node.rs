//! One node of the arena: 64 bytes, and what it stands for.
//!
//! Used by `tree`, which alone links nodes to each other. What must stay true: it stays small, because there is one for each
//! file that is shown.

use super::names::Name;
use crate::world::FileKind;
use crate::world::dir::Meta;

/// A node's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(pub(super) u32);

/// No node.
pub(super) const NONE: u32 = u32::MAX;

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A tracked path that is neither file, link nor directory.
    Other,
    /// A directory whose content is in the tree.
    Dir,
    /// A repository inside this one, shown as one entry `name/`.
    Nested,
    /// A submodule, shown as one entry `name`.
    Submodule,
}

impl Kind {
    /// The node kind of a plain entry.
    #[must_use]
    pub(super) fn plain(kind: FileKind) -> Self {
        match kind {
            FileKind::File => Self::File,
            FileKind::Link => Self::Link,
            FileKind::Dir => Self::Dir,
            FileKind::Other => Self::Other,
        }
    }
}

/// One node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) parent: u32,
    pub(super) name: u32,
    /// Siblings.
    pub(super) next: u32,
    pub(super) prev: u32,
    /// The next node in the same hash bucket.
    pub(super) chain: u32,
    /// The first child of a directory.
    pub(super) child: u32,
    pub(super) len: u8,
    pub(super) kind: Kind,
    pub(super) mode: u16,
    /// Not in the tree: dead, or being moved.
    pub(super) detached: bool,
    /// The ignore rules would hide it, but git's index holds it or something beneath it.
    pub(super) forced: bool,
    pub(super) size: u64,
    pub(super) mtime: i64,
    pub(super) ctime: i64,
    pub(super) ino: u64,
}

impl Node {
    /// A node that is not in the tree yet.
    pub(super) fn new(parent: Id, name: Name, kind: Kind, meta: &Meta) -> Self {
        Self {
            parent: parent.0,
            name: name.at,
            next: NONE,
            prev: NONE,
            chain: NONE,
            child: NONE,
            len: name.len,
            kind,
            mode: meta.mode,
            detached: true,
            forced: false,
            size: meta.size,
            mtime: meta.mtime,
            ctime: meta.ctime,
            ino: meta.ino,
        }
    }

    /// Where its name is kept.
    pub(super) fn name(&self) -> Name {
        Name {
            at: self.name,
            len: self.len,
        }
    }
}
