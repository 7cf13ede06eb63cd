//! The arena of nodes: every directory that is watched and every file that is shown, each with parent, name and stat.
//!
//! Asked by the engine, which alone changes it, and by queries, which read it. A node is 56 bytes and its name; a
//! directory has 32 more. What must stay true: a node keeps its id for as long as anything may speak of it (renames and
//! moves keep it, the journal keeps the dead), so a watch that knows the id never needs a path.

mod saved;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use super::names::{Name, Names};
pub(super) use super::node::{Id, Kind};
use super::node::{NONE, Node};
use crate::world::FileKind;
use crate::world::dir::Meta;

/// Nodes in one block of the arena.
const BLOCK: usize = 1024;

/// The arena.
#[derive(Debug)]
pub(super) struct Tree {
    blocks: Vec<Vec<Node>>,
    len: u32,
    free: Vec<Id>,
    names: Names,
    buckets: Vec<u32>,
    attached: u32,
    /// Chosen at random, so that a project cannot choose names that fall into one bucket.
    secret: u64,
    files: u64,
    dirs: u64,
}

/// An odd constant without pattern (the fractional digits of the golden ratio).
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Both halves of a product, folded: each bit in reaches each bit out.
#[allow(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
fn mix(one: u64, two: u64) -> u64 {
    let product = u128::from(one) * u128::from(two);
    product as u64 ^ (product >> 64) as u64
}

impl Tree {
    /// The root's id.
    pub(super) const ROOT: Id = Id(0);

    /// A tree of a root and nothing else.
    #[must_use]
    pub(super) fn new(root: &Meta) -> Self {
        let mut tree = Self::empty();
        let name = tree.names.add(b"");
        let mut node = Node::new(Self::ROOT, name, Kind::Dir, root);
        node.set_detached(false);
        let id = tree.allot(node);
        debug_assert_eq!(id, Self::ROOT);
        tree
    }

    fn empty() -> Self {
        Self {
            blocks: Vec::new(),
            len: 0,
            free: Vec::new(),
            names: Names::default(),
            buckets: vec![NONE; 64],
            attached: 0,
            secret: RandomState::new().hash_one(0),
            files: 0,
            dirs: 1,
        }
    }

    /// Entries that `files` shows.
    #[must_use]
    pub(super) fn files(&self) -> u64 {
        self.files
    }

    /// Directories, the root included.
    #[must_use]
    pub(super) fn dirs(&self) -> u64 {
        self.dirs
    }

    fn node(&self, id: Id) -> &Node {
        &self.blocks[id.0 as usize / BLOCK][id.0 as usize % BLOCK]
    }

    fn node_mut(&mut self, id: Id) -> &mut Node {
        &mut self.blocks[id.0 as usize / BLOCK][id.0 as usize % BLOCK]
    }

    fn allot(&mut self, node: Node) -> Id {
        if let Some(id) = self.free.pop() {
            *self.node_mut(id) = node;
            return id;
        }
        let id = Id(self.len);
        if (self.len as usize).is_multiple_of(BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        if let Some(block) = self.blocks.last_mut() {
            block.push(node);
        }
        self.len += 1;
        id
    }

    /// A name's bytes.
    #[must_use]
    pub(super) fn name(&self, id: Id) -> &[u8] {
        self.names.get(self.node(id).name())
    }

    pub(super) fn name_bytes(&self, name: Name) -> &[u8] {
        self.names.get(name)
    }

    pub(super) fn place(&self, id: Id) -> (Id, Name) {
        (self.parent(id), self.node(id).name())
    }

    /// The directory it is in; the root's is the root.
    #[must_use]
    pub(super) fn parent(&self, id: Id) -> Id {
        Id(self.node(id).parent)
    }

    /// What it stands for.
    #[must_use]
    pub(super) fn kind(&self, id: Id) -> Kind {
        self.node(id).kind()
    }

    /// Says what it stands for from now on.
    pub(super) fn set_kind(&mut self, id: Id, kind: Kind) {
        if !self.node(id).is_detached() {
            self.count(id, -1);
            self.node_mut(id).set_kind(kind);
            self.count(id, 1);
        } else {
            self.node_mut(id).set_kind(kind);
        }
    }

    /// Whether it is in the tree by itself (its ancestors may still be detached).
    #[must_use]
    pub(super) fn is_attached(&self, id: Id) -> bool {
        !self.node(id).is_detached()
    }

    /// Whether it and all its ancestors are in the tree.
    #[must_use]
    pub(super) fn is_live(&self, mut id: Id) -> bool {
        loop {
            if self.node(id).is_detached() {
                return false;
            }
            if id == Self::ROOT {
                return true;
            }
            id = self.parent(id);
        }
    }

    /// Whether it is shown although the rules would hide it.
    #[must_use]
    pub(super) fn is_forced(&self, id: Id) -> bool {
        self.node(id).is_forced()
    }

    /// Marks it as shown although the rules would hide it, or not.
    pub(super) fn set_forced(&mut self, id: Id, forced: bool) {
        self.node_mut(id).set_forced(forced);
    }

    /// Inode, as last seen.
    #[must_use]
    pub(super) fn ino(&self, id: Id) -> u64 {
        self.node(id).ino
    }

    /// Bytes and modification time, as last seen.
    #[must_use]
    pub(super) fn size_and_mtime(&self, id: Id) -> (u64, i64) {
        (self.node(id).size(), self.node(id).mtime)
    }

    /// All that is kept of its stat.
    #[must_use]
    pub(super) fn meta(&self, id: Id) -> Meta {
        let node = self.node(id);
        let kind = match node.kind() {
            Kind::File => FileKind::File,
            Kind::Link => FileKind::Link,
            Kind::Other => FileKind::Other,
            Kind::Dir | Kind::Nested | Kind::Submodule => FileKind::Dir,
        };
        let (mode, size, mtime, ctime, ino) = (node.mode, node.size(), node.mtime, node.ctime, node.ino);
        Meta {
            kind,
            mode,
            size,
            mtime,
            ctime,
            ino,
            dev: 0,
            is_linked: false,
        }
    }

    /// Whether what is kept differs from `meta` in what makes a change (SPEC 6).
    #[must_use]
    pub(super) fn differs(&self, id: Id, kind: Kind, meta: &Meta) -> bool {
        let node = self.node(id);
        node.kind() != kind
            || (node.size(), node.mtime, node.ctime) != (meta.size, meta.mtime, meta.ctime)
            || (node.mode, node.ino) != (meta.mode, meta.ino)
    }

    /// Takes over what a stat said.
    pub(super) fn set_meta(&mut self, id: Id, meta: &Meta) {
        let node = self.node_mut(id);
        node.set_size(meta.size);
        (node.mtime, node.ctime) = (meta.mtime, meta.ctime);
        (node.mode, node.ino) = (meta.mode, meta.ino);
    }

    /// The child of that name.
    #[must_use]
    pub(super) fn child(&self, parent: Id, name: &[u8]) -> Option<Id> {
        let mut at = self.buckets[self.bucket(parent, name)];
        while at != NONE {
            let node = self.node(Id(at));
            if node.parent == parent.0 && self.names.get(node.name()) == name {
                return Some(Id(at));
            }
            at = node.chain;
        }
        None
    }

    /// The children, in no order.
    pub(super) fn children(&self, id: Id) -> impl Iterator<Item = Id> {
        let mut at = self.node(id).child();
        std::iter::from_fn(move || {
            let id = Id(at);
            (at != NONE).then(|| {
                at = self.node(id).next;
                id
            })
        })
    }

    /// A new node in its place. There must be none of that name.
    pub(super) fn insert(&mut self, parent: Id, name: &[u8], kind: Kind, meta: &Meta) -> Id {
        debug_assert!(self.child(parent, name).is_none());
        let name = self.names.add(name);
        let id = self.allot(Node::new(parent, name, kind, meta));
        self.link(id);
        id
    }

    /// A node that never was in the tree, for what came and went.
    pub(super) fn ghost(&mut self, parent: Id, name: &[u8], kind: Kind) -> Id {
        let name = self.names.add(name);
        let meta = Meta::unseen(FileKind::File);
        self.allot(Node::new(parent, name, kind, &meta))
    }

    /// Takes it out of its place, with all beneath. It keeps parent and name.
    pub(super) fn detach(&mut self, id: Id) {
        if self.node(id).is_detached() || id == Self::ROOT {
            return;
        }
        self.count(id, -1);
        let node = *self.node(id);
        if node.prev == NONE {
            self.node_mut(Id(node.parent)).set_child(node.next);
        } else {
            self.node_mut(Id(node.prev)).next = node.next;
        }
        if node.next != NONE {
            self.node_mut(Id(node.next)).prev = node.prev;
        }
        self.unhash(id);
        self.node_mut(id).set_detached(true);
    }

    /// Puts a detached node, with all beneath, into a place where there is none of that name.
    pub(super) fn attach(&mut self, id: Id, parent: Id, name: &[u8]) {
        debug_assert!(self.node(id).is_detached() && self.child(parent, name).is_none());
        // The old name stays in the arena: the journal may speak of it until it is trimmed.
        let name = if self.name(id) == name {
            self.node(id).name()
        } else {
            self.names.add(name)
        };
        let node = self.node_mut(id);
        (node.parent, node.name, node.len) = (parent.0, name.at, name.len);
        self.link(id);
    }

    /// Gives a detached node's id back. Nothing may speak of it any more.
    pub(super) fn release(&mut self, id: Id) {
        debug_assert!(self.node(id).is_detached());
        let name = self.node(id).name();
        self.names.release(name);
        // Without a name it is passed over when the names are written anew.
        self.node_mut(id).len = 0;
        self.free.push(id);
    }

    /// Writes the names anew when more than half of their bytes is of no more use. `others` are the names that
    /// something beside the nodes holds.
    pub(super) fn tidy_names<'a>(&mut self, others: impl Iterator<Item = &'a mut Name>) {
        if !self.names.is_wasteful() {
            return;
        }
        let old = std::mem::take(&mut self.names);
        for node in self.blocks.iter_mut().flatten().filter(|node| node.len > 0) {
            node.name = self.names.add(old.get(node.name())).at;
        }
        for name in others {
            *name = self.names.add(old.get(*name));
        }
    }

    pub(super) fn release_name(&mut self, name: Name) {
        self.names.release(name);
    }

    /// The path relative to the root, without a slash at either end.
    #[must_use]
    pub(super) fn path(&self, id: Id) -> Vec<u8> {
        let (mut at, mut length) = (id, 0);
        while at != Self::ROOT {
            length += self.name(at).len() + 1;
            at = self.parent(at);
        }
        // From its end, with the slash before the first name left out.
        let mut path = vec![b'/'; length.saturating_sub(1)];
        let (mut at, mut end) = (id, path.len());
        while at != Self::ROOT {
            let name = self.name(at);
            path[end - name.len()..end].copy_from_slice(name);
            end = (end - name.len()).saturating_sub(1);
            at = self.parent(at);
        }
        path
    }

    /// The node at a relative path.
    #[must_use]
    pub(super) fn find(&self, path: &[u8]) -> Option<Id> {
        if path.is_empty() {
            return Some(Self::ROOT);
        }
        path.split(|&byte| byte == b'/')
            .try_fold(Self::ROOT, |at, name| self.child(at, name))
    }

    fn link(&mut self, id: Id) {
        let parent = self.parent(id);
        let first = self.node(parent).child();
        if first != NONE {
            self.node_mut(Id(first)).prev = id.0;
        }
        let node = self.node_mut(id);
        (node.next, node.prev) = (first, NONE);
        node.set_detached(false);
        self.node_mut(parent).set_child(id.0);
        self.hash(id);
        self.count(id, 1);
    }

    fn count(&mut self, id: Id, by: i64) {
        match self.node(id).kind() {
            Kind::Dir => self.dirs = self.dirs.saturating_add_signed(by),
            _ => self.files = self.files.saturating_add_signed(by),
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "masked by the number of buckets")]
    fn bucket(&self, parent: Id, name: &[u8]) -> usize {
        self.hash_of(parent, name) as usize & (self.buckets.len() - 1)
    }

    fn hash_of(&self, parent: Id, name: &[u8]) -> u64 {
        let mut sum = self.secret ^ u64::from(parent.0);
        for part in name.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            sum = mix(sum ^ u64::from_le_bytes(word), FACTOR);
        }
        mix(sum ^ name.len() as u64, self.secret | 1)
    }

    fn hash(&mut self, id: Id) {
        self.attached += 1;
        if self.attached as usize > self.buckets.len() {
            self.grow();
        }
        let bucket = self.bucket(self.parent(id), self.name(id));
        let first = std::mem::replace(&mut self.buckets[bucket], id.0);
        self.node_mut(id).chain = first;
    }

    fn unhash(&mut self, id: Id) {
        self.attached -= 1;
        let bucket = self.bucket(self.parent(id), self.name(id));
        let after = self.node(id).chain;
        if self.buckets[bucket] == id.0 {
            self.buckets[bucket] = after;
            return;
        }
        let mut at = self.buckets[bucket];
        while at != NONE {
            let chain = self.node(Id(at)).chain;
            if chain == id.0 {
                self.node_mut(Id(at)).chain = after;
                return;
            }
            at = chain;
        }
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.buckets);
        self.buckets = vec![NONE; old.len() * 2];
        for first in old {
            let mut at = first;
            while at != NONE {
                let id = Id(at);
                at = self.node(id).chain;
                let bucket = self.bucket(self.parent(id), self.name(id));
                let head = std::mem::replace(&mut self.buckets[bucket], id.0);
                self.node_mut(id).chain = head;
            }
        }
    }
}
