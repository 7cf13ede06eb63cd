//! A reader for git's index: which paths are tracked, and which of them are submodules. Pure.
//!
//! Asked by `tracked`. The index comes from the project and is hostile: every length is checked, and what version 4's
//! prefix compression unfolds to is bounded. What must stay true: paths come out in git's own order, each once.

use super::splitindex::{Link, Raw};

/// `DIRC`.
const SIGNATURE: &[u8; 4] = b"DIRC";
/// Stat data, mode, ids and sizes before the object id.
const FIXED: usize = 40;
/// More than any path git can check out.
const LONGEST: usize = 4096 * 4;
/// Given with the mode of an entry that need not be in the checkout (`skip-worktree`); a mode has sixteen bits.
const SKIPPED: u32 = 1 << 31;
/// What all paths together may unfold to.
const UNFOLDED: usize = 1 << 30;

/// The tracked paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entries {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    /// By number, those that are submodules.
    links: Vec<u32>,
    sparse: Vec<Stored>,
    /// Ignore files that need not be in the checkout.
    ignores: Vec<Stored>,
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
    /// The shared index of a split one is not there.
    NoBase,
}

/// A path, and what git's store has of it.
pub(super) type Stored = (Vec<u8>, Box<[u8]>);

/// Takes an entry: its path, its mode, and its id in git's store.
type Give<'a> = dyn FnMut(&[u8], u32, &[u8]) -> Result<(), Problem> + 'a;

/// Reads a file of git's folder by its name.
pub(super) type Read<'a> = dyn FnMut(&[u8]) -> Option<Vec<u8>> + 'a;

impl Entries {
    /// Reads an index that is whole in itself.
    ///
    /// # Errors
    /// See [`Problem`].
    #[cfg(test)]
    pub(super) fn parse(file: &[u8], id_len: usize) -> Result<Self, Problem> {
        Self::read(file, id_len, &mut |_| None)
    }

    /// Reads an index. `id_len` is 20, or 32 in a repository of SHA-256; `beside` reads the shared index of a split one.
    ///
    /// # Errors
    /// See [`Problem`].
    pub(super) fn read(file: &[u8], id_len: usize, beside: &mut Read<'_>) -> Result<Self, Problem> {
        let mut entries = Self::default();
        match each(file, id_len, &mut |path, mode, id| entries.push(path, mode, id)) {
            Ok(end) if extensions(file, end, id_len)?.is_none() => return Ok(entries),
            // Of a split one some entries may have no name.
            Ok(_) => {}
            Err(problem) if !has_link(file) => return Err(problem),
            Err(_) => {}
        }
        entries = Self::default();
        let (mut small, mut base) = (Vec::new(), Vec::new());
        let end = each(file, id_len, &mut keep(&mut small))?;
        let link = extensions(file, end, id_len)?.ok_or(Problem::Damaged)?;
        let shared = match Link::file(link, id_len)? {
            Some(name) => Some(beside(&name).ok_or(Problem::NoBase)?),
            None => None,
        };
        if let Some(shared) = shared {
            let end = each(&shared, id_len, &mut keep(&mut base))?;
            if extensions(&shared, end, id_len)?.is_some() {
                return Err(Problem::Damaged);
            }
        }
        let link = Link::parse(link, id_len, base.len())?;
        let all = link.merge(base, small)?;
        all.iter()
            .try_for_each(|(path, mode, id)| entries.push(path, *mode, id))?;
        Ok(entries)
    }

    /// Directories that the index holds as one entry each, because nothing of them is checked out.
    #[must_use]
    pub(super) fn sparse(&self) -> &[Stored] {
        &self.sparse
    }

    /// Ignore files that need not be in the checkout: where they are not, git reads them out of its store.
    #[must_use]
    pub(super) fn ignores(&self) -> &[Stored] {
        &self.ignores
    }

    /// These entries with what lies in some of the directories that are held as one entry each, in any order.
    ///
    /// # Errors
    /// See [`Problem`].
    pub(super) fn unfold(
        self,
        mut inner: Vec<Raw>,
        is_left: impl Fn(&[u8]) -> bool,
    ) -> Result<Self, Problem> {
        inner.sort_unstable();
        let mut inner = inner.into_iter().peekable();
        let mut all = Self {
            sparse: self
                .sparse
                .iter()
                .filter(|(dir, _)| is_left(dir))
                .cloned()
                .collect(),
            ignores: self.ignores.clone(),
            ..Self::default()
        };
        for number in 0..self.len() {
            let path = self.get(number);
            while let Some((before, mode, id)) = inner.next_if(|(before, ..)| before.as_slice() < path) {
                all.push(&before, mode | SKIPPED, &id)?;
            }
            let mode = if self.is_link(number) {
                0o160_000
            } else {
                0o100_000
            };
            all.push(path, mode, &[])?;
        }
        inner.try_for_each(|(path, mode, id)| all.push(&path, mode | SKIPPED, &id))?;
        Ok(all)
    }

    fn push(&mut self, path: &[u8], mode: u32, id: &[u8]) -> Result<(), Problem> {
        if path.is_empty() || path.len() > LONGEST || self.bytes.len() + path.len() > UNFOLDED {
            return Err(if path.is_empty() {
                Problem::Damaged
            } else {
                Problem::TooLarge
            });
        }
        // A directory of a sparse index: nothing of it is checked out.
        if mode & 0o170_000 == 0o040_000 {
            let dir = path.strip_suffix(b"/").unwrap_or(path);
            self.sparse.push((dir.to_vec(), id.into()));
            return Ok(());
        }
        if mode & SKIPPED != 0 && path.rsplit(|&byte| byte == b'/').next() == Some(b".gitignore") {
            self.ignores.push((path.to_vec(), id.into()));
        }
        let is_link = mode & 0o170_000 == 0o160_000;
        // An unmerged path has up to three entries, and is a submodule where one of them says so.
        if let Some(last) = self.len().checked_sub(1).filter(|&last| self.get(last) == path) {
            if is_link && !self.is_link(last) {
                self.links
                    .push(u32::try_from(last).map_err(|_| Problem::TooLarge)?);
            }
            return Ok(());
        }
        if is_link {
            self.links
                .push(u32::try_from(self.len()).map_err(|_| Problem::TooLarge)?);
        }
        self.bytes.extend_from_slice(path);
        self.ends
            .push(u32::try_from(self.bytes.len()).map_err(|_| Problem::TooLarge)?);
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

/// Keeps entries as they stand in a file.
fn keep(all: &mut Vec<Raw>) -> impl FnMut(&[u8], u32, &[u8]) -> Result<(), Problem> {
    let mut bytes = 0;
    move |path, mode, id| {
        bytes += path.len();
        if path.len() > LONGEST || bytes > UNFOLDED {
            return Err(Problem::TooLarge);
        }
        // Of others nobody asks.
        let is_stored = mode & SKIPPED != 0 || mode & 0o170_000 == 0o040_000;
        let id = if is_stored { id } else { &[] };
        all.push((path.to_vec(), mode, id.into()));
        Ok(())
    }
}

/// Whether there may be the extension of a split index.
fn has_link(file: &[u8]) -> bool {
    file.windows(4).any(|word| word == b"link")
}

/// Gives each entry as it stands; where the entries end.
fn each(file: &[u8], id_len: usize, give: &mut Give<'_>) -> Result<usize, Problem> {
    let header = file.get(..12).ok_or(Problem::Damaged)?;
    if &header[..4] != SIGNATURE {
        return Err(Problem::Damaged);
    }
    let (version, count) = (be32(file, 4)?, be32(file, 8)?);
    if !(2..=4).contains(&version) {
        return Err(Problem::Unknown);
    }
    let mut path = Vec::new();
    let mut at = 12;
    for _ in 0..count {
        let start = at;
        let mode = be32(file, at + 24)?;
        let id = file
            .get(at + FIXED..at + FIXED + id_len)
            .ok_or(Problem::Damaged)?;
        let flags = be16(file, at + FIXED + id_len)?;
        let mut name_at = at + FIXED + id_len + 2;
        let mut skipped = 0;
        if version >= 3 && flags & 0x4000 != 0 {
            if be16(file, name_at)? & 0x4000 != 0 {
                skipped = SKIPPED;
            }
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
        give(&path, mode | skipped, id)?;
    }
    Ok(at)
}

/// What the extension of a split index says. One whose name does not begin with a capital must be understood.
fn extensions(file: &[u8], mut at: usize, id_len: usize) -> Result<Option<&[u8]>, Problem> {
    let mut link = None;
    while at + 8 + id_len <= file.len() {
        let size = be32(file, at + 4)? as usize;
        let end = at.checked_add(8 + size).ok_or(Problem::Damaged)?;
        match &file[at..at + 4] {
            b"link" => link = Some(file.get(at + 8..end).ok_or(Problem::Damaged)?),
            b"sdir" => {}
            name if name[0].is_ascii_uppercase() => {}
            _ => return Err(Problem::Unknown),
        }
        at = end;
    }
    Ok(link)
}

pub(super) fn be32(file: &[u8], at: usize) -> Result<u32, Problem> {
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
    fn an_unmerged_path_is_a_submodule_where_one_of_its_stages_says_so() {
        let stages = [
            (0o100_644, "a"),
            (0o160_000, "a"),
            (0o160_000, "b"),
            (0o100_644, "b"),
            (0o100_644, "c"),
        ];
        let mut entries = Entries::default();
        for (mode, path) in stages {
            entries.push(path.as_bytes(), mode, &[]).unwrap();
        }
        let found: Vec<bool> = (0..entries.len()).map(|number| entries.is_link(number)).collect();
        assert_eq!(found, [true, true, false]);
    }

    #[test]
    fn a_split_index_gives_the_paths_that_git_lists() {
        for version in ["2", "4"] {
            let folder = tempfile::tempdir().unwrap();
            let at = folder.path();
            git(at, &["init", "-q"]);
            for number in 0..300 {
                std::fs::write(at.join(format!("file-{number}")), "1").unwrap();
            }
            git(at, &["add", "-A"]);
            git(at, &["update-index", "--index-version", version]);
            git(at, &["config", "core.splitIndex", "true"]);
            // Never written into a new shared one.
            git(at, &["config", "splitIndex.maxPercentChange", "100"]);
            git(at, &["update-index", "--split-index"]);
            for round in 0..12 {
                match round % 4 {
                    0 => drop(std::fs::write(at.join(format!("new-{round}")), "1")),
                    1 => drop(std::fs::write(at.join(format!("file-{round}")), "changed")),
                    2 => drop(std::fs::remove_file(at.join(format!("file-1{round}")))),
                    _ => git(at, &["rm", "-q", "--cached", &format!("file-2{round}")]),
                }
                if round % 4 != 3 {
                    git(at, &["add", "-A"]);
                }
                let file = std::fs::read(at.join(".git/index")).unwrap();
                let mut has_asked = false;
                let entries = Entries::read(&file, 20, &mut |name| {
                    has_asked = true;
                    let name = std::str::from_utf8(name).unwrap();
                    std::fs::read(at.join(".git").join(name)).ok()
                });
                let entries = entries.unwrap();
                let ours: Vec<_> = (0..entries.len()).map(|n| entries.get(n).to_vec()).collect();
                let said = std::process::Command::new("git")
                    .current_dir(at)
                    .args(["ls-files", "-z"])
                    .output()
                    .unwrap();
                let theirs: Vec<_> = said.stdout.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
                assert_eq!(
                    ours,
                    theirs[..theirs.len() - 1],
                    "version {version}, round {round}"
                );
                assert!(has_asked, "version {version}, round {round}: it is not split");
                for at in (round..file.len()).step_by(53) {
                    let mut changed = file.clone();
                    changed[at] ^= 0x81;
                    drop(Entries::read(&changed, 20, &mut |_| Some(file.clone())));
                }
                assert_eq!(Entries::read(&file, 20, &mut |_| None), Err(Problem::NoBase));
            }
        }
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
