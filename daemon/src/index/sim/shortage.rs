//! Calls that fail and say nothing of the files, as when a descriptor or memory is lacking: under some seeds, now and
//! then, anywhere but in a sync.
//!
//! What must stay true: whatever was taken for gone because of them is there again after the next sync.

use std::io;

use super::fs::{Fs, Obj, ROOT};
use super::roots::crawled;
use super::work::{self, PROJECT};
use crate::index::disk::Disk;
use crate::world::FileKind;

/// How it is with them.
#[derive(Debug, Default)]
pub(super) struct Shortage {
    /// Whether there are any under this seed.
    pub(super) happens: bool,
    /// One call of so many fails; none when zero.
    pub(super) one_in: usize,
    /// So many have, since they were last forgotten.
    pub(super) failed: u64,
    /// And all in all.
    pub(super) ever: u64,
    /// A directory that can never be listed.
    pub(super) bad: Option<Obj>,
    /// Directories that were to be listed, and how often.
    pub(super) listed: Vec<Obj>,
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
        Err(self.fail())
    }

    fn fail(&mut self) -> io::Error {
        self.shortage.failed += 1;
        self.shortage.ever += 1;
        self.trace.push("   a call fails".into());
        rustix::io::Errno::MFILE.into()
    }

    /// A directory is to be listed.
    pub(super) fn call_to_list(&mut self, dir: Obj) -> io::Result<()> {
        self.shortage.listed.push(dir);
        match self.shortage.bad {
            Some(bad) if bad == dir => Err(self.fail()),
            _ => Ok(()),
        }
    }
}

#[test]
fn of_a_directory_that_cannot_be_read_no_more_than_that_is_read_again_until_it_can() {
    let mut fs = Fs::new(1, false);
    work::begin(&mut fs);
    fs.pause = usize::MAX;
    let root = fs.find(ROOT, PROJECT).unwrap();
    for name in [b"a", b"b", b"c"] {
        let dir = fs.make(root, name, FileKind::Dir);
        let deep = fs.make(dir, b"deep", FileKind::Dir);
        fs.write(deep, b"f", b"1");
    }
    let mut sim = crawled(fs);
    let bad = {
        let mut fs = sim.disk.quiet();
        let above = fs.find(root, b"b").unwrap();
        let bad = fs.make(above, b"bad", FileKind::Dir);
        fs.write(bad, b"f", b"1");
        fs.shortage.bad = Some(bad);
        bad
    };
    for round in 0..4 {
        sim.disk.quiet().shortage.listed.clear();
        sim.sync().unwrap();
        assert!(sim.disk.failure().is_some(), "round {round}: it is said");
        assert_eq!(sim.disk.quiet().shortage.listed, [bad], "round {round}");
    }
    {
        let mut fs = sim.disk.quiet();
        fs.shortage.bad = None;
        fs.shortage.listed.clear();
    }
    assert_eq!(sim.check(), Ok(()));
    assert_eq!(sim.disk.failure(), None);
    assert_eq!(sim.disk.quiet().shortage.listed, [bad]);
    sim.disk.quiet().shortage.listed.clear();
    assert_eq!(sim.check(), Ok(()));
    assert!(sim.disk.quiet().shortage.listed.is_empty(), "and that was all");
}
