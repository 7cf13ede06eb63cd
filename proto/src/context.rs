//! `context`: sessions, notes, and what an agent needs to get back into its work.

use serde::{Deserialize, Serialize};

use crate::workspace;

/// What can be asked, of one workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Which workspace.
    pub at: workspace::Which,
    /// What.
    pub what: Request,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {}

impl Request {
    /// Whether it changes something, so that asking twice is not asking once.
    #[must_use]
    pub fn changes(&self) -> bool {
        match *self {}
    }
}
