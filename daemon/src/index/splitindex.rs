//! Git's split index (`core.splitIndex`): a shared index that stays, and a small one with what has changed since. Pure.
//!
//! Asked by `gitindex`. Follows git's `split-index.c` and its EWAH bitmaps; both files come from the project and are
//! hostile: every length is checked. What must stay true: positions count the shared index's entries as they stand in it,
//! unmerged ones each for itself.

use std::collections::BTreeMap;

use super::gitindex::{Problem, be32};

/// What the extension `link` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    /// Positions in it of entries that are gone.
    deleted: Vec<usize>,
    /// Positions in it of entries that the small index has anew, without their names.
    replaced: Vec<usize>,
}

/// An entry: its path, its mode, and its id in git's store where that matters.
pub(super) type Raw = (Vec<u8>, u32, Box<[u8]>);

impl Link {
    /// Reads the extension. `most` is how many entries the shared index has.
    pub(super) fn parse(bytes: &[u8], id_len: usize, most: usize) -> Result<Self, Problem> {
        let rest = bytes.get(id_len..).ok_or(Problem::Damaged)?;
        if rest.is_empty() {
            return Ok(Self::default());
        }
        let (deleted, used) = bitmap(rest, most)?;
        let (replaced, _) = bitmap(rest.get(used..).ok_or(Problem::Damaged)?, most)?;
        Ok(Self { deleted, replaced })
    }

    /// The name of the shared index in git's folder; none when there is none.
    pub(super) fn file(bytes: &[u8], id_len: usize) -> Result<Option<Vec<u8>>, Problem> {
        let base = bytes.get(..id_len).ok_or(Problem::Damaged)?;
        if base.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        let hex: String = base.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Some(format!("sharedindex.{hex}").into_bytes()))
    }

    /// The shared index with the small one laid over it, in git's order.
    pub(super) fn merge(&self, mut base: Vec<Raw>, small: Vec<Raw>) -> Result<Vec<Raw>, Problem> {
        let mut small = small.into_iter();
        for &at in &self.replaced {
            let (name, mode, id) = small.next().ok_or(Problem::Damaged)?;
            let entry = base.get_mut(at).ok_or(Problem::Damaged)?;
            if !name.is_empty() {
                return Err(Problem::Damaged);
            }
            (entry.1, entry.2) = (mode, id);
        }
        for &at in &self.deleted {
            // Taken out below, when no position counts any more.
            base.get_mut(at).ok_or(Problem::Damaged)?.0.clear();
        }
        let kept = base.into_iter().filter(|(path, ..)| !path.is_empty());
        let mut all: BTreeMap<_, _> = kept.map(|(path, mode, id)| (path, (mode, id))).collect();
        for (path, mode, id) in small {
            if path.is_empty() {
                return Err(Problem::Damaged);
            }
            all.insert(path, (mode, id));
        }
        Ok(all
            .into_iter()
            .map(|(path, (mode, id))| (path, mode, id))
            .collect())
    }
}

/// An EWAH bitmap: the positions of its bits, and the bytes it takes. Each marker word tells of a run of equal words and
/// of how many literal words follow.
fn bitmap(bytes: &[u8], most: usize) -> Result<(Vec<usize>, usize), Problem> {
    let (bits, words) = (be32(bytes, 0)? as usize, be32(bytes, 4)? as usize);
    let used = words
        .checked_mul(8)
        .and_then(|body| body.checked_add(12))
        .ok_or(Problem::Damaged)?;
    if bits > most.next_multiple_of(64) {
        return Err(Problem::Damaged);
    }
    let body = bytes.get(8..used - 4).ok_or(Problem::Damaged)?;
    let mut words = body
        .chunks_exact(8)
        .map(|word| u64::from_be_bytes(word.try_into().unwrap_or_default()));
    let (mut set, mut at) = (Vec::new(), 0_usize);
    while let Some(marker) = words.next() {
        let run = usize::try_from(marker >> 1 & 0xffff_ffff).map_err(|_| Problem::Damaged)? * 64;
        if at.saturating_add(run) > bits.next_multiple_of(64) {
            return Err(Problem::Damaged);
        }
        if marker & 1 == 1 {
            set.extend(at..at + run);
        }
        at += run;
        for _ in 0..marker >> 33 {
            let literal = words.next().ok_or(Problem::Damaged)?;
            if at >= bits.next_multiple_of(64) {
                return Err(Problem::Damaged);
            }
            set.extend((0..64).filter(|bit| literal >> bit & 1 == 1).map(|bit| at + bit));
            at += 64;
        }
    }
    set.retain(|&bit| bit < bits);
    bytes.get(..used).ok_or(Problem::Damaged)?;
    Ok((set, used))
}
