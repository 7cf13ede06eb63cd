//! Calls that fail and say nothing of the files, as when a descriptor or memory is lacking: under some seeds, now and
//! then, anywhere but in a sync.
//!
//! What must stay true: whatever was taken for gone because of them is there again after the next sync.

use std::io;

use super::fs::Fs;

/// How it is with them.
#[derive(Debug, Default)]
pub(super) struct Shortage {
    /// Whether there are any under this seed.
    pub(super) happens: bool,
    /// One call of so many fails; none when zero.
    pub(super) one_in: usize,
    /// One has, since it was last asked.
    pub(super) failed: bool,
    /// The fault: nobody is told.
    pub(super) is_hushed: bool,
}

impl Fs {
    /// Begins a stretch of work in which calls may fail.
    pub(super) fn begin_shortage(&mut self) {
        if self.shortage.happens {
            self.shortage.one_in = self.chance.pick(&[0, 0, 3, 20, 60]);
        }
    }

    pub(super) fn end_shortage(&mut self) {
        self.shortage.one_in = 0;
    }

    /// A call begins.
    pub(super) fn call(&mut self) -> io::Result<()> {
        let one_in = self.shortage.one_in;
        if one_in == 0 || self.chance.below(one_in) > 0 {
            return Ok(());
        }
        self.shortage.failed = true;
        self.trace.push("   a call fails".into());
        Err(rustix::io::Errno::MFILE.into())
    }
}
