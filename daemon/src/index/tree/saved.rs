//! The arena as it stands in a saved index: nodes by their ids, without the links between them, which are made anew.
//!
//! What must stay true: whatever the bytes say, a tree that is read has one root, no cycle, no name twice in a directory
//! and no name that leads elsewhere; anything else is refused.

use super::super::node::KINDS;
use super::{BLOCK, FileKind, Id, Kind, Meta, NONE, Node, Tree};
use crate::index::names::{Name, Names};
use crate::index::saved::bytes::{Reader, Writer, u32_at, u64_at};

/// Bytes of one node.
const NODE: usize = 44;
const DETACHED: u8 = 1 << 3;
const FORCED: u8 = 1 << 4;

impl Tree {
    /// Writes it.
    pub(in crate::index) fn save(&self, writer: &mut Writer) {
        self.names.save(writer);
        writer.count(self.len as usize);
        writer.bytes.reserve(self.len as usize * NODE);
        for node in self.blocks.iter().flatten() {
            let kind = KINDS.iter().position(|&kind| kind == node.kind());
            let flags = kind.map_or(0, |at| u8::try_from(at).unwrap_or_default())
                | if node.is_detached() { DETACHED } else { 0 }
                | if node.is_forced() { FORCED } else { 0 };
            let mut record = [0; NODE];
            record[0..4].copy_from_slice(&node.parent.to_le_bytes());
            record[4..8].copy_from_slice(&node.name.to_le_bytes());
            record[8] = node.len;
            record[9] = flags;
            record[10..12].copy_from_slice(&node.mode.to_le_bytes());
            record[12..20].copy_from_slice(&node.size().to_le_bytes());
            record[20..28].copy_from_slice(&node.mtime.to_le_bytes());
            record[28..36].copy_from_slice(&node.ctime.to_le_bytes());
            record[36..44].copy_from_slice(&node.ino.to_le_bytes());
            writer.raw(&record);
        }
    }

    /// Reads what [`Tree::save`] wrote.
    pub(in crate::index) fn load(reader: &mut Reader<'_>) -> Option<Self> {
        let names = Names::load(reader)?;
        let records = reader.records::<NODE>()?;
        let mut tree = Self {
            names,
            ..Self::empty()
        };
        tree.len = u32::try_from(records.len()).ok().filter(|&len| len != NONE)?;
        let attached = tree.take_nodes(records)?;
        let root = tree.blocks.first()?.first()?;
        if root.kind() != Kind::Dir || root.is_detached() || root.len != 0 {
            return None;
        }
        let is_in_order = tree.link_all(attached)?;
        // Where each directory came before what lies in it there is no cycle; else all must hang on the root.
        (is_in_order || tree.count_reachable() == attached).then_some(tree)
    }

    fn take_nodes(&mut self, records: &[[u8; NODE]]) -> Option<usize> {
        let mut attached = 0;
        for records in records.chunks(BLOCK) {
            let mut block = Vec::with_capacity(BLOCK);
            for record in records {
                let flags = record[9];
                let kind = *KINDS.get(usize::from(flags & 7))?;
                let (name, len) = (u32_at(record, 4), record[8]);
                let is_root = self.blocks.is_empty() && block.is_empty();
                let (detached, parent) = (flags & DETACHED != 0, u32_at(record, 0));
                if parent >= self.len || (len > 0 && !self.names.is_proper(Name { at: name, len })) {
                    return None;
                }
                attached += usize::from(!detached);
                if !detached && len == 0 && !is_root {
                    return None;
                }
                let meta = Meta {
                    kind: FileKind::File,
                    mode: u16::from_le_bytes([record[10], record[11]]),
                    size: u64_at(record, 12),
                    mtime: u64_at(record, 20).cast_signed(),
                    ctime: u64_at(record, 28).cast_signed(),
                    ino: u64_at(record, 36),
                    dev: 0,
                    is_linked: false,
                };
                let mut node = Node::new(Id(parent), Name { at: name, len }, kind, &meta);
                node.set_detached(detached);
                node.set_forced(flags & FORCED != 0);
                block.push(node);
            }
            self.blocks.push(block);
        }
        Some(attached)
    }

    /// Links every node that says it is attached; none when that cannot be, else whether each came after its directory.
    ///
    /// The buckets are filled by hashes that lie close together beside the arena: to look for a name twice by going through
    /// nodes and names, scattered as they are, takes most of the time of a start.
    #[allow(clippy::cast_possible_truncation, reason = "masked by the number of buckets")]
    fn link_all(&mut self, attached: usize) -> Option<bool> {
        let buckets = attached.next_power_of_two().max(64);
        let mask = buckets - 1;
        let hashes = self.hashes()?;
        let mut chains = vec![NONE; self.len as usize];
        self.buckets = vec![NONE; buckets];
        let (mut files, mut dirs, mut is_in_order) = (0, 1, true);
        for at in 1..self.len {
            let id = Id(at);
            let node = self.node(id);
            if node.is_detached() {
                continue;
            }
            let (parent, kind) = (Id(node.parent), node.kind());
            let above = self.node(parent);
            if above.kind() != Kind::Dir || above.is_detached() {
                return None;
            }
            is_in_order &= parent.0 < at;
            let hash = hashes[at as usize];
            let bucket = hash as usize & mask;
            let mut other = self.buckets[bucket];
            while other != NONE {
                if hashes[other as usize] == hash
                    && self.parent(Id(other)) == parent
                    && self.name(Id(other)) == self.name(id)
                {
                    return None;
                }
                other = chains[other as usize];
            }
            chains[at as usize] = std::mem::replace(&mut self.buckets[bucket], at);
            let first = self.node(parent).child();
            if first != NONE {
                self.node_mut(Id(first)).prev = at;
            }
            self.node_mut(id).next = first;
            self.node_mut(parent).set_child(at);
            match kind {
                Kind::Dir => dirs += 1,
                _ => files += 1,
            }
        }
        for (node, chain) in self.blocks.iter_mut().flatten().zip(chains) {
            node.chain = chain;
        }
        (self.files, self.dirs) = (files, dirs);
        self.attached = u32::try_from(attached).ok()?.checked_sub(1)?;
        Some(is_in_order)
    }

    /// The hash of every node that says it is attached, by two threads: it is a third of the work of linking them.
    fn hashes(&self) -> Option<Vec<u64>> {
        let of = |ids: std::ops::Range<u32>| -> Vec<u64> {
            let hash = |id: Id| match self.node(id).is_detached() {
                true => 0,
                false => self.hash_of(self.parent(id), self.name(id)),
            };
            ids.map(|at| hash(Id(at))).collect()
        };
        let half = self.len / 2;
        std::thread::scope(|scope| {
            let rest = scope.spawn(|| of(half..self.len));
            let mut all = of(0..half);
            all.extend(rest.join().ok()?);
            Some(all)
        })
    }

    fn count_reachable(&self) -> usize {
        let (mut waiting, mut count) = (vec![Self::ROOT], 0);
        while let Some(id) = waiting.pop() {
            count += 1;
            waiting.extend(self.children(id));
        }
        count
    }

    /// Gives the ids back that are neither in the tree nor, by `is_dead`, spoken of; false when a dead one lies in itself.
    pub(in crate::index) fn free_all_but(&mut self, is_dead: impl Fn(Id) -> bool) -> bool {
        // By which walk upwards each was passed.
        let mut passed = vec![NONE; self.len as usize];
        for id in (1..self.len).map(Id) {
            if !self.node(id).is_detached() {
                continue;
            }
            if !is_dead(id) {
                self.node_mut(id).len = 0;
                self.free.push(id);
                continue;
            }
            let mut at = id;
            while self.node(at).is_detached() && passed[at.0 as usize] == NONE {
                passed[at.0 as usize] = id.0;
                at = self.parent(at);
            }
            if self.node(at).is_detached() && passed[at.0 as usize] == id.0 {
                return false;
            }
        }
        true
    }

    /// Number of ids.
    pub(in crate::index) fn ids(&self) -> u32 {
        self.len
    }
}
