//! `migrate`: the database's schema.

use serde::{Deserialize, Serialize};

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Which steps have been applied.
    Status,
    /// Rehearse on a copy whether all steps of this build apply and validate.
    Check,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its number, from 1.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// The digest of its frozen definition, BLAKE3, hex.
    pub checksum: String,
    /// When it was applied, nanoseconds since 1970 UTC; none when it is still to come.
    pub applied_at: Option<i64>,
}

/// The answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Request::Status`].
    Status {
        /// The number of the last step applied.
        schema: u32,
        /// The number this build needs.
        target: u32,
        /// All steps this build knows.
        steps: Vec<Step>,
        /// The newest backup, if there is one.
        backup: Option<crate::RawPath>,
    },
    /// To [`Request::Check`].
    Check {
        /// The number before.
        from: u32,
        /// The number after.
        to: u32,
        /// Records read in the copy.
        records: u64,
        /// What was validated, each a sentence.
        passed: Vec<String>,
    },
}
