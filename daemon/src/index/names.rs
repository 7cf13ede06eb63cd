//! The byte arena that holds the names of all nodes of a tree, in chunks so that growing it copies nothing. A name that
//! was given not long ago is kept once: in most trees the same few come again and again (`mod.rs`, `index.js`).
//!
//! What must stay true: a [`Name`] is valid until the arena is written anew; what is released only counts as garbage, and
//! the tree writes the arena anew when more than half of what was given is.

use super::saved::bytes::{Reader, Writer};

const CHUNK: usize = 64 << 10;
/// `NAME_MAX` of every Linux file system.
const LONGEST: usize = 255;

/// Where a name lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) at: u32,
    pub(super) len: u8,
}

/// The arena.
#[derive(Debug, Default)]
pub(super) struct Names {
    chunks: Vec<Vec<u8>>,
    /// Bytes of all names that were given, one that was given twice counting twice.
    used: usize,
    garbage: usize,
    /// Names given lately, each at the place of its hash.
    recent: Vec<Option<Name>>,
}

/// Places for recent names: few for a small tree, up to 32 KiB for a large one.
const RECENT: (usize, usize) = (64, 4096);

/// Where a name stands among the recent ones (FNV-1a).
#[allow(clippy::cast_possible_truncation, reason = "of a hash any part will do")]
fn place(name: &[u8]) -> usize {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = name.iter().fold(0xcbf2_9ce4_8422_2325, step);
    (hash ^ (hash >> 32)) as usize
}

impl Names {
    /// Keeps a copy, or finds that there is one. Names longer than the system allows are cut, which no listing can
    /// produce.
    pub(super) fn add(&mut self, name: &[u8]) -> Name {
        let name = &name[..name.len().min(LONGEST)];
        self.used += name.len();
        let wanted = (self.used / 64).next_power_of_two().clamp(RECENT.0, RECENT.1);
        if self.recent.len() < wanted {
            self.recent = vec![None; wanted];
        }
        let place = place(name) % self.recent.len();
        if let Some(known) = self.recent[place].filter(|&known| self.get(known) == name) {
            return known;
        }
        let added = self.keep(name);
        self.recent[place] = Some(added);
        added
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "at most 255 bytes in chunks of 64 KiB; 4 GiB of names in all"
    )]
    fn keep(&mut self, name: &[u8]) -> Name {
        if self
            .chunks
            .last()
            .is_none_or(|chunk| chunk.len() + name.len() > CHUNK)
        {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let at = self.chunks.len().saturating_sub(1);
        let Some(chunk) = self.chunks.last_mut() else {
            return Name { at: 0, len: 0 };
        };
        let within = chunk.len();
        chunk.extend_from_slice(name);
        Name {
            at: (at * CHUNK + within) as u32,
            len: name.len() as u8,
        }
    }

    pub(super) fn get(&self, name: Name) -> &[u8] {
        let at = name.at as usize;
        let within = at % CHUNK;
        self.chunks
            .get(at / CHUNK)
            .and_then(|chunk| chunk.get(within..within + name.len as usize))
            .unwrap_or(&[])
    }

    pub(super) fn release(&mut self, name: Name) {
        self.garbage += name.len as usize;
    }

    /// Writes it for a saved index.
    pub(super) fn save(&self, writer: &mut Writer) {
        writer.count(self.used);
        writer.count(self.garbage);
        writer.count(self.chunks.len());
        for chunk in &self.chunks {
            writer.text(chunk);
        }
    }

    /// Reads what [`Names::save`] wrote; none when a byte is in it that no name has.
    pub(super) fn load(reader: &mut Reader<'_>) -> Option<Self> {
        let (used, garbage) = (reader.count(0)?, reader.count(0)?);
        let mut chunks = Vec::new();
        for _ in 0..reader.count(8)? {
            let chunk = reader.text()?;
            let is_name = |&byte: &u8| byte != b'/' && byte != 0;
            if chunk.len() > CHUNK || !chunk.iter().all(is_name) {
                return None;
            }
            chunks.push(chunk.to_vec());
        }
        let fits = u32::try_from(chunks.len().checked_mul(CHUNK)?).is_ok();
        fits.then_some(Self {
            chunks,
            used,
            garbage,
            recent: Vec::new(),
        })
    }

    /// Whether it is the name of something in a directory.
    pub(super) fn is_proper(&self, name: Name) -> bool {
        let bytes = self.get(name);
        !bytes.is_empty() && bytes != b"." && bytes != b".."
    }

    /// Whether writing it anew would give back more than it keeps.
    pub(super) fn is_wasteful(&self) -> bool {
        self.garbage > CHUNK && self.garbage * 2 > self.used
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.chunks.len() * CHUNK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_come_again_are_kept_once_and_all_come_back() {
        let mut names = Names::default();
        let text = |n: u32| format!("file_{}.rs", n % 50);
        let kept: Vec<_> = (0..10_000).map(|n| names.add(text(n).as_bytes())).collect();
        for (n, name) in (0..).zip(kept) {
            assert_eq!(names.get(name), text(n).as_bytes());
        }
        assert!(names.bytes() <= CHUNK, "{}", names.bytes());
        assert_eq!(names.add(b""), names.add(b""));
    }

    #[test]
    fn names_come_back_across_chunk_borders() {
        let mut names = Names::default();
        let kept: Vec<_> = (0..2000u32)
            .map(|n| (n, names.add(format!("{n:0>100}").as_bytes())))
            .collect();
        for (n, name) in kept {
            assert_eq!(names.get(name), format!("{n:0>100}").as_bytes());
        }
        assert!(names.bytes() >= 200_000);
    }
}
