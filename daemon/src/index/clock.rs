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

/// What all clocks of one life of a tree begin with, ready to be written and recognized.
#[derive(Debug)]
pub(super) struct Face(String);

impl Face {
    pub(super) fn of(tree: &str, incarnation: u64) -> Self {
        let clock = Clock {
            tree: tree.to_owned(),
            incarnation,
            tick: 0,
        };
        let mut text = clock.to_string();
        text.pop();
        Self(text)
    }

    /// The clock of a tick, as [`fmt::Display`] writes it.
    pub(super) fn at(&self, tick: u32) -> String {
        /// Digits of a tick.
        const MOST: usize = 10;
        let mut digits = [0; MOST];
        let (mut left, mut first) = (tick, MOST);
        while left > 0 || first == MOST {
            first -= 1;
            digits[first] = b'0' + u8::try_from(left % 10).unwrap_or_default();
            left /= 10;
        }
        let mut text = String::with_capacity(self.0.len() + MOST);
        text.push_str(&self.0);
        text.extend(digits[first..].iter().map(|&digit| char::from(digit)));
        text
    }

    /// The tick of one of its clocks; none for any other text, which may be another clock all the same.
    pub(super) fn tick(&self, text: &str) -> Option<u32> {
        let tick = text.strip_prefix(self.0.as_str())?;
        tick.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| tick.parse().ok())?
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
    fn the_face_of_a_tree_writes_and_knows_its_own_clocks_and_no_others() {
        let clock = |incarnation, tick| Clock {
            tree: "0123456789ab".into(),
            incarnation,
            tick,
        };
        let face = Face::of("0123456789ab", 0xdead_beef);
        for tick in [0, 1, 9, 10, 70, 123_456, u32::MAX] {
            let text = face.at(tick);
            assert_eq!(text, clock(0xdead_beef, tick).to_string());
            assert_eq!(face.tick(&text), Some(tick));
            assert_eq!(face.tick(&clock(0xdead_beee, tick).to_string()), None);
        }
        for ending in ["", "-1", "+1", "1:", "4294967296", " 1"] {
            assert_eq!(
                face.tick(&format!("c:0123456789ab:00000000deadbeef:{ending}")),
                None
            );
        }
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
