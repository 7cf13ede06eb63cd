//! The steps in order. A released step never changes: a new shape is a new step at the end.
//!
//! A step's checksum is the digest of its source file, recorded in every database it was applied to, and frozen in a
//! test: whoever edits a released step learns it from that test and not from a user.

mod step_0001;
mod step_0002;

use std::sync::OnceLock;

use crate::draft::Draft;
use crate::error::Result;

/// One change of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Its number: one more than the step before it, beginning with 1.
    pub number: u32,
    /// What it is called in reports.
    pub name: &'static str,
    /// The text its checksum is taken of: its own source file.
    pub source: &'static str,
    /// Makes the new shape out of the old one.
    pub apply: fn(&mut Draft<'_>) -> Result<()>,
    /// Says whether the new shape is there, all of it.
    pub validate: fn(&Draft<'_>) -> Result<()>,
}

impl Step {
    /// The digest of its source, the same whatever line ends a checkout has.
    #[must_use]
    pub fn checksum(&self) -> [u8; 32] {
        let mut digest = blake3::Hasher::new();
        for line in self.source.lines() {
            digest.update(line.as_bytes());
            digest.update(b"\n");
        }
        *digest.finalize().as_bytes()
    }
}

static OTHERS: OnceLock<&'static [Step]> = OnceLock::new();

/// The steps of this program.
#[must_use]
pub fn steps() -> &'static [Step] {
    OTHERS.get().copied().unwrap_or(STEPS)
}

/// Gives a test's program, which stands for another build, its own steps: first thing in its life, once.
pub fn build_with(steps: &'static [Step]) {
    OTHERS.get_or_init(|| steps);
}

/// All steps of this release.
pub const STEPS: &[Step] = &[
    Step {
        number: 1,
        name: "first",
        source: include_str!("step_0001.rs"),
        apply: step_0001::apply,
        validate: step_0001::validate,
    },
    Step {
        number: 2,
        name: "long-answers",
        source: include_str!("step_0002.rs"),
        apply: step_0002::apply,
        validate: step_0002::validate,
    },
];
