//! The words of tasks: statuses, priorities and what a caller says about them. Wire enums: they grow at the end only.

use serde::{Deserialize, Serialize};

/// Where a task stands. Whether it is ready is derived, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not begun.
    Pending,
    /// Somebody works on it.
    Active,
    /// Done once, and returned.
    NeedsRevision,
    /// Cannot go on; the reason says why.
    Blocked,
    /// Done.
    Completed,
    /// Given up as impossible.
    Failed,
    /// Not wanted any more.
    Cancelled,
    /// Put away; out of every list that does not ask for it.
    Archived,
}

impl Status {
    /// Every status, in the order of the wire.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Active,
        Self::NeedsRevision,
        Self::Blocked,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Archived,
    ];

    /// The word in JSON, on the command line and in messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::NeedsRevision => "needs_revision",
            Self::Blocked => "blocked",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Archived => "archived",
        }
    }

    /// Whether something is still to be done.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(
            self,
            Self::Pending | Self::Active | Self::NeedsRevision | Self::Blocked
        )
    }
}

/// What comes first. The order of the variants is the order of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before everything else.
    Critical,
    /// Soon.
    High,
    /// In its turn.
    #[default]
    Medium,
    /// When nothing else is ready.
    Low,
}

impl Priority {
    /// The word in JSON and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }

    /// The priority a word or a number stands for: trackers count from 0, the most urgent.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "critical" | "urgent" | "p0" | "0" => Some(Self::Critical),
            "high" | "p1" | "1" => Some(Self::High),
            "medium" | "normal" | "p2" | "2" => Some(Self::Medium),
            "low" | "p3" | "p4" | "3" | "4" => Some(Self::Low),
            _ => None,
        }
    }
}

/// How involved a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Complexity {
    /// Hours, one file.
    Simple,
    /// A day, a few files.
    Moderate,
    /// Days, several parts.
    Complex,
    /// Weeks, or much that is not known yet.
    VeryComplex,
}

impl Complexity {
    /// The word in JSON and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Moderate => "moderate",
            Self::Complex => "complex",
            Self::VeryComplex => "very_complex",
        }
    }

    /// The complexity a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().replace('-', "_").as_str() {
            "simple" | "low" | "trivial" => Some(Self::Simple),
            "moderate" | "medium" => Some(Self::Moderate),
            "complex" | "high" => Some(Self::Complex),
            "very_complex" | "very_high" => Some(Self::VeryComplex),
            _ => None,
        }
    }
}

/// What completing a task leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextAction {
    /// Done; the work goes on with others.
    #[default]
    Continue,
    /// Not good yet: the task returns.
    NeedsRevision,
    /// It cannot go on.
    Blocked,
    /// Done.
    Complete,
}

/// Whether a refusal that the caller may overrule is overruled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Force {
    /// It stands.
    #[default]
    No,
    /// The caller knows better: a task that is not ready, or that another holds.
    Yes,
}
