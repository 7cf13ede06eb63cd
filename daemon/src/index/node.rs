//! One node of the arena: 56 bytes, and what it stands for.
//!
//! Used by `tree`, which alone links nodes to each other. What must stay true: it stays small, because there is one for each
//! file that is shown.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::names::Name;
use crate::world::FileKind;
use crate::world::dir::Meta;

/// A node's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(pub(super) u32);

/// Something kept by ids. They are given out one after the other, so that nobody outside can choose them: a product is
/// enough to spread them.
pub(super) type ById<T> = HashMap<Id, T, BuildHasherDefault<IdHasher>>;

/// Of one id.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u32(byte.into()));
    }

    fn write_u32(&mut self, number: u32) {
        // The digits of the golden ratio; the upper half, in which all of them meet, is what tables look at first.
        self.0 = (self.0.rotate_left(5) ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

/// No node.
pub(super) const NONE: u32 = u32::MAX;

const KIND: u8 = 7;
const DETACHED: u8 = 1 << 3;
const FORCED: u8 = 1 << 4;

/// All kinds, by their numbers.
pub(super) const KINDS: [Kind; 6] = [
    Kind::File,
    Kind::Link,
    Kind::Other,
    Kind::Dir,
    Kind::Nested,
    Kind::Submodule,
];

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
    pub(super) len: u8,
    /// Its kind and what else is said of it.
    what: u8,
    pub(super) mode: u16,
    /// Of a directory, its first child: nobody asks for the size of one.
    size: u64,
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
            len: name.len,
            what: kind as u8 | DETACHED,
            mode: meta.mode,
            size: if kind == Kind::Dir {
                u64::from(NONE)
            } else {
                meta.size
            },
            mtime: meta.mtime,
            ctime: meta.ctime,
            ino: meta.ino,
        }
    }

    /// What it stands for.
    pub(super) fn kind(&self) -> Kind {
        KINDS[usize::from(self.what & KIND) % KINDS.len()]
    }

    /// Says what it stands for. A directory stays one, and nothing becomes one.
    pub(super) fn set_kind(&mut self, kind: Kind) {
        self.what = (self.what & !KIND) | kind as u8;
    }

    /// Not in the tree: dead, or being moved.
    pub(super) fn is_detached(&self) -> bool {
        self.what & DETACHED != 0
    }

    pub(super) fn set_detached(&mut self, detached: bool) {
        self.what = (self.what & !DETACHED) | if detached { DETACHED } else { 0 };
    }

    /// The ignore rules would hide it, but git's index holds it or something beneath it.
    pub(super) fn is_forced(&self) -> bool {
        self.what & FORCED != 0
    }

    pub(super) fn set_forced(&mut self, forced: bool) {
        self.what = (self.what & !FORCED) | if forced { FORCED } else { 0 };
    }

    /// Bytes; of a directory, none.
    pub(super) fn size(&self) -> u64 {
        if self.kind() == Kind::Dir { 0 } else { self.size }
    }

    pub(super) fn set_size(&mut self, size: u64) {
        if self.kind() != Kind::Dir {
            self.size = size;
        }
    }

    /// The first child; none of what is no directory.
    #[allow(clippy::cast_possible_truncation, reason = "it was put there by `set_child`")]
    pub(super) fn child(&self) -> u32 {
        if self.kind() == Kind::Dir {
            self.size as u32
        } else {
            NONE
        }
    }

    pub(super) fn set_child(&mut self, child: u32) {
        debug_assert!(self.kind() == Kind::Dir, "only directories hold something");
        if self.kind() == Kind::Dir {
            self.size = u64::from(child);
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
