//! A file gets another name before each single call of the engine: what the seeds meet by chance, one by one.
//!
//! What must stay true: wherever it happens, the next sync holds of every name what a walk finds.

use super::fs::{Fs, ROOT};
use super::roots::{crawled, rest_of_script, settle};
use super::work;
use crate::world::FileKind;

/// The file of which one name is where another file was.
fn link(fs: &mut Fs) {
    let file = fs.find(ROOT, b"r/g").unwrap();
    let dir = fs.make(fs.find(ROOT, b"r/new").unwrap(), b"er", FileKind::Dir);
    fs.link(file, (dir, b"f"));
}

/// One pass. Whether it made so many calls.
fn pass(call: usize) -> (bool, Result<(), String>) {
    let mut fs = Fs::new(1, false);
    fs.has_links = true;
    fs.pause = usize::MAX;
    work::begin(&mut fs);
    let root = fs.find(ROOT, b"r").unwrap();
    fs.write(root, b"g", b"1");
    let mut sim = crawled(fs);
    {
        let mut fs = sim.disk.quiet();
        fs.rename((root, b"g"), (root, b"h.o"));
        fs.write(root, b"g", b"2");
        fs.make(root, b"new", FileKind::Dir);
    }
    settle(&mut sim, vec![(call, link)]);
    let was_reached = rest_of_script(&sim);
    (was_reached, sim.check())
}

#[test]
fn a_file_in_the_place_of_another_that_gets_a_second_name_before_any_single_call_is_held_as_it_is() {
    for call in 1.. {
        let (was_reached, outcome) = pass(call);
        assert_eq!(outcome, Ok(()), "before call {call}");
        if !was_reached {
            assert!(call > 5, "{call} calls");
            break;
        }
    }
}
