//! A reader for git's index: which paths are tracked, and which of them are submodules. Pure.
//!
//! Asked by `tracked`. The index comes from the project and is hostile: every length is checked, and what version 4's
//! prefix compression unfolds to is bounded. What must stay true: paths come out in git's own order, each once.

/// `DIRC`.
const SIGNATURE: &[u8; 4] = b"DIRC";
/// Stat data, mode, ids and sizes before the object id.
const FIXED: usize = 40;
/// More than any path git can check out.
const LONGEST: usize = 4096 * 4;
/// What all paths together may unfold to.
const UNFOLDED: usize = 1 << 30;

/// The tracked paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entries {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// By number, those that are submodules.
    links: Vec<u32>,
}

/// Why an index could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Not an index, or cut short.
    Damaged,
    /// A version or a mandatory extension that this reader does not know.
    Unknown,
    /// Larger than any honest one.
    TooLarge,
}

impl Entries {
    /// Reads an index. `id_len` is 20, or 32 in a repository of SHA-256.
    ///
    /// # Errors
    /// See [`Problem`].
    pub(super) fn parse(file: &[u8], id_len: usize) -> Result<Self, Problem> {
        let header = file.get(..12).ok_or(Problem::Damaged)?;
        if &header[..4] != SIGNATURE {
            return Err(Problem::Damaged);
        }
        let (version, count) = (be32(file, 4)?, be32(file, 8)?);
        if !(2..=4).contains(&version) {
            return Err(Problem::Unknown);
        }
        let mut entries = Self::default();
        let mut path = Vec::new();
        let mut at = 12;
        for _ in 0..count {
            let start = at;
            let mode = be32(file, at + 24)?;
            let flags = be16(file, at + FIXED + id_len)?;
            let mut name_at = at + FIXED + id_len + 2;
            if version >= 3 && flags & 0x4000 != 0 {
                name_at += 2;
            }
            if version == 4 {
                let (strip, used) = varint(file.get(name_at..).ok_or(Problem::Damaged)?)?;
                name_at += used;
                let keep = path.len().checked_sub(strip).ok_or(Problem::Damaged)?;
                path.truncate(keep);
            } else {
                path.clear();
            }
            let rest = file.get(name_at..).ok_or(Problem::Damaged)?;
            let len = rest.iter().position(|&byte| byte == 0).ok_or(Problem::Damaged)?;
            path.extend_from_slice(&rest[..len]);
            at = name_at + len + 1;
            if version < 4 {
                // One to eight zeros, so that the entry's length is a multiple of eight.
                at = start + (name_at + len - start + 8) / 8 * 8;
            }
            entries.push(&path, mode)?;
        }
        entries.check_extensions(file, at, id_len)?;
        Ok(entries)
    }

    fn push(&mut self, path: &[u8], mode: u32) -> Result<(), Problem> {
        if path.is_empty() || path.len() > LONGEST || self.bytes.len() + path.len() > UNFOLDED {
            return Err(if path.is_empty() {
                Problem::Damaged
            } else {
                Problem::TooLarge
            });
        }
        // A directory of a sparse index: nothing of it is checked out.
        if mode & 0o170_000 == 0o040_000 {
            return Ok(());
        }
        // An unmerged path has up to three entries.
        if self
            .len()
            .checked_sub(1)
            .is_some_and(|last| self.get(last) == path)
        {
            return Ok(());
        }
        if mode & 0o170_000 == 0o160_000 {
            self.links
                .push(u32::try_from(self.len()).map_err(|_| Problem::TooLarge)?);
        }
        self.bytes.extend_from_slice(path);
        self.ends
            .push(u32::try_from(self.bytes.len()).map_err(|_| Problem::TooLarge)?);
        Ok(())
    }

    /// An extension whose name does not begin with a capital must be understood.
    fn check_extensions(&self, file: &[u8], mut at: usize, id_len: usize) -> Result<(), Problem> {
        while at + 8 + id_len <= file.len() {
            let size = be32(file, at + 4)? as usize;
            if !file[at].is_ascii_uppercase() && &file[at..at + 4] != b"sdir" {
                return Err(Problem::Unknown);
            }
            at = at.checked_add(8 + size).ok_or(Problem::Damaged)?;
        }
        Ok(())
    }

    /// Number of paths.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A path by its number.
    #[must_use]
    pub(super) fn get(&self, number: usize) -> &[u8] {
        let start = number
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        &self.bytes[start..self.ends[number] as usize]
    }

    /// Whether a path by its number is a submodule.
    #[must_use]
    pub(super) fn is_link(&self, number: usize) -> bool {
        u32::try_from(number).is_ok_and(|number| self.links.binary_search(&number).is_ok())
    }

    /// The first number whose path is not before `path`.
    #[must_use]
    pub(super) fn lower_bound(&self, path: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.get(middle) < path {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

fn be32(file: &[u8], at: usize) -> Result<u32, Problem> {
    let bytes = at
        .checked_add(4)
        .and_then(|end| file.get(at..end))
        .ok_or(Problem::Damaged)?;
    Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

fn be16(file: &[u8], at: usize) -> Result<u16, Problem> {
    let bytes = at
        .checked_add(2)
        .and_then(|end| file.get(at..end))
        .ok_or(Problem::Damaged)?;
    Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// Git's offset encoding: seven bits a byte, each continuation adding one.
fn varint(bytes: &[u8]) -> Result<(usize, usize), Problem> {
    let mut value: usize = 0;
    for (at, &byte) in bytes.iter().take(9).enumerate() {
        value = value
            .checked_mul(128)
            .and_then(|v| v.checked_add(usize::from(byte & 0x7f)))
            .ok_or(Problem::Damaged)?;
        if byte & 0x80 == 0 {
            return Ok((value, at + 1));
        }
        value += 1;
    }
    Err(Problem::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(folder: &std::path::Path, args: &[&str]) {
        let status = std::process::Command::new("git")
            .current_dir(folder)
            .env("HOME", folder)
            .args(args)
            .status();
        assert!(status.unwrap().success(), "git {args:?}");
    }

    /// An index of every version that git writes, with long and short paths.
    fn indexes() -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        git(at, &["init", "-q"]);
        for path in ["a.b", "a/b", "a/b-c/d", "long/long/long/long/file", "z"] {
            let path = at.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "1").unwrap();
        }
        git(at, &["add", "-A"]);
        std::fs::write(at.join("intended"), "1").unwrap();
        let read = || std::fs::read(at.join(".git/index")).unwrap();
        let two = read();
        // Intent to add needs the extended flags of version 3.
        git(at, &["add", "-N", "intended"]);
        let three = read();
        git(at, &["update-index", "--index-version", "4"]);
        vec![two, three, read()]
    }

    #[test]
    fn every_version_gives_the_same_paths() {
        let versions = indexes();
        let paths = |file: &[u8]| {
            let entries = Entries::parse(file, 20).unwrap();
            (0..entries.len())
                .map(|n| entries.get(n).to_vec())
                .collect::<Vec<_>>()
        };
        let (two, three, four) = (paths(&versions[0]), paths(&versions[1]), paths(&versions[2]));
        assert_eq!((versions[0][7], versions[1][7], versions[2][7]), (2, 3, 4));
        assert!(two.is_sorted() && two.contains(&b"long/long/long/long/file".to_vec()));
        assert_eq!(three, four);
        assert_eq!(three.len(), two.len() + 1);
    }

    #[test]
    fn a_cut_or_changed_index_is_refused_or_read_but_never_breaks_the_reader() {
        for file in indexes() {
            for len in 0..file.len() {
                // What is cut off behind the entries is only the checksum.
                let cut = Entries::parse(&file[..len], 20);
                assert!(cut.is_err() || len > 100, "{len} bytes of {}", file.len());
            }
            for at in 0..file.len() {
                for byte in [0, 0x7f, 0x80, 0xff] {
                    let mut changed = file.clone();
                    changed[at] = byte;
                    drop(Entries::parse(&changed, 20));
                }
            }
        }
        assert_eq!(
            Entries::parse(b"DIRC\0\0\0\x02\xff\xff\xff\xff", 20),
            Err(Problem::Damaged)
        );
    }
}
