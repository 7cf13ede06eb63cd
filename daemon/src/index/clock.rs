//! Clocks: `c:<tree>:<incarnation>:<tick>`. Pure.
//!
//! What must stay true: a tick is never given twice with the same incarnation, so an incarnation that did not end
//! cleanly is never used again.

use std::fmt;

/// A moment of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// The tree: the start of the hash of its root.
    pub(super) tree: String,
    /// Chosen at random when the index is built.
    pub(super) incarnation: u64,
    /// Grows with each settled batch.
    pub(super) tick: u32,
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c:{}:{:016x}:{}", self.tree, self.incarnation, self.tick)
    }
}

impl Clock {
    /// Reads a clock as [`fmt::Display`] writes it.
    #[must_use]
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (c, tree, incarnation, tick) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_hex =
            |text: &str, len: usize| text.len() == len && text.bytes().all(|b| b.is_ascii_hexdigit());
        if c != "c" || parts.next().is_some() || !is_hex(tree, 12) || !is_hex(incarnation, 16) {
            return None;
        }
        if tick.is_empty() || !tick.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let incarnation = u64::from_str_radix(incarnation, 16).ok()?;
        Some(Self {
            tree: tree.to_owned(),
            incarnation,
            tick: tick.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_reads_back_as_it_was_written() {
        let clock = Clock {
            tree: "0123456789ab".into(),
            incarnation: 0xdead_beef,
            tick: 7,
        };
        assert_eq!(clock.to_string(), "c:0123456789ab:00000000deadbeef:7");
        assert_eq!(Clock::parse(&clock.to_string()), Some(clock));
    }

    #[test]
    fn what_is_almost_a_clock_is_none() {
        for text in [
            "",
            "c",
            "c:0123456789ab:00000000deadbeef",
            "c:0123456789ab:00000000deadbeef:",
            "c:0123456789ab:deadbeef:7",
            "c:0123456789ab:00000000deadbeef:-1",
            "c:0123456789ab:00000000deadbeef:+1",
            "d:0123456789ab:00000000deadbeef:7",
            "c:0123456789ab:00000000deadbeef:7:",
            "c:0123456789ab:00000000deadbeef:4294967296",
            "c:012345678éab:00000000deadbeef:7",
        ] {
            assert_eq!(Clock::parse(text), None, "{text}");
        }
    }
}
