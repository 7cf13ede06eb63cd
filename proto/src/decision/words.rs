//! The words of decisions. Wire enums: they grow at the end only.

use serde::{Deserialize, Serialize};

/// What a decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// How the parts stand to each other.
    Architecture,
    /// How one part is made.
    Implementation,
    /// How it looks to whoever uses it.
    Design,
    /// What it is made with.
    Technology,
    /// How work is done.
    Process,
    /// What is good enough.
    Quality,
    /// What must not happen.
    Security,
    /// How fast, how small.
    Performance,
}

impl Category {
    /// All of them, in the order of the wire.
    pub const ALL: [Self; 8] = [
        Self::Architecture,
        Self::Implementation,
        Self::Design,
        Self::Technology,
        Self::Process,
        Self::Quality,
        Self::Security,
        Self::Performance,
    ];

    /// The word in JSON, on the command line and in messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Architecture => "architecture",
            Self::Implementation => "implementation",
            Self::Design => "design",
            Self::Technology => "technology",
            Self::Process => "process",
            Self::Quality => "quality",
            Self::Security => "security",
            Self::Performance => "performance",
        }
    }

    /// What a word stands for, in any case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_lowercase().replace('-', "_");
        Self::ALL.into_iter().find(|one| one.word() == word)
    }
}

/// How far a decision reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    /// The whole project, or hard to take back.
    High,
    /// Several parts.
    Medium,
    /// One part.
    Low,
}

impl Impact {
    /// All of them, in the order of the wire.
    pub const ALL: [Self; 3] = [Self::High, Self::Medium, Self::Low];

    /// The word in JSON, on the command line and in messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }

    /// What a word stands for, in any case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_lowercase().replace('-', "_");
        Self::ALL.into_iter().find(|one| one.word() == word)
    }
}

/// Where a decision stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Recorded, and not yet agreed to.
    Proposed,
    /// Agreed to.
    Accepted,
    /// Not agreed to.
    Rejected,
    /// A later one stands in its place.
    Superseded,
    /// A later one takes it back.
    Reversed,
}

impl Status {
    /// All of them, in the order of the wire.
    pub const ALL: [Self; 5] = [
        Self::Proposed,
        Self::Accepted,
        Self::Rejected,
        Self::Superseded,
        Self::Reversed,
    ];

    /// The word in JSON, on the command line and in messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
            Self::Reversed => "reversed",
        }
    }

    /// What a word stands for, in any case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_lowercase().replace('-', "_");
        Self::ALL.into_iter().find(|one| one.word() == word)
    }

    /// Whether it is to be followed.
    #[must_use]
    pub fn in_force(self) -> bool {
        matches!(self, Self::Proposed | Self::Accepted)
    }
}

/// What one decision has to do with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Stands in its place.
    Supersedes,
    /// Says more about it.
    Refines,
    /// Takes it back.
    Reverses,
    /// Says what it means.
    Clarifies,
    /// The other stands in its place.
    SupersededBy,
    /// The other says more about it.
    RefinedBy,
    /// The other takes it back.
    ReversedBy,
    /// The other says what it means.
    ClarifiedBy,
}

impl Relation {
    /// All of them, in the order of the wire.
    pub const ALL: [Self; 8] = [
        Self::Supersedes,
        Self::Refines,
        Self::Reverses,
        Self::Clarifies,
        Self::SupersededBy,
        Self::RefinedBy,
        Self::ReversedBy,
        Self::ClarifiedBy,
    ];

    /// The word in JSON, on the command line and in messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Supersedes => "supersedes",
            Self::Refines => "refines",
            Self::Reverses => "reverses",
            Self::Clarifies => "clarifies",
            Self::SupersededBy => "superseded_by",
            Self::RefinedBy => "refined_by",
            Self::ReversedBy => "reversed_by",
            Self::ClarifiedBy => "clarified_by",
        }
    }

    /// What a word stands for, in any case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_lowercase().replace('-', "_");
        Self::ALL.into_iter().find(|one| one.word() == word)
    }

    /// The same seen from the other decision.
    #[must_use]
    pub fn seen_from_there(self) -> Self {
        match self {
            Self::Supersedes => Self::SupersededBy,
            Self::Refines => Self::RefinedBy,
            Self::Reverses => Self::ReversedBy,
            Self::Clarifies => Self::ClarifiedBy,
            Self::SupersededBy => Self::Supersedes,
            Self::RefinedBy => Self::Refines,
            Self::ReversedBy => Self::Reverses,
            Self::ClarifiedBy => Self::Clarifies,
        }
    }

    /// Whether it is what a new decision can do to an older one.
    #[must_use]
    pub fn of_the_newer(self) -> bool {
        matches!(
            self,
            Self::Supersedes | Self::Refines | Self::Reverses | Self::Clarifies
        )
    }
}

/// What happened to a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// It was recorded.
    Record,
    /// It was agreed to.
    Accept,
    /// It was not.
    Reject,
    /// Something came of it.
    Outcome,
    /// Another took its place.
    Supersede,
    /// Another said more about it.
    Refine,
    /// Another took it back.
    Reverse,
    /// Another said what it means.
    Clarify,
    /// It came from elsewhere.
    Import,
}

impl Op {
    /// All of them, in the order of the wire.
    pub const ALL: [Self; 9] = [
        Self::Record,
        Self::Accept,
        Self::Reject,
        Self::Outcome,
        Self::Supersede,
        Self::Refine,
        Self::Reverse,
        Self::Clarify,
        Self::Import,
    ];

    /// The word in JSON, on the command line and in messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Outcome => "outcome",
            Self::Supersede => "supersede",
            Self::Refine => "refine",
            Self::Reverse => "reverse",
            Self::Clarify => "clarify",
            Self::Import => "import",
        }
    }

    /// What a word stands for, in any case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_lowercase().replace('-', "_");
        Self::ALL.into_iter().find(|one| one.word() == word)
    }
}

/// How the file of a decision is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MirrorState {
    /// As it was written.
    AsWritten,
    /// As it was written once; more has been added since.
    Behind,
    /// Not there.
    Missing,
    /// Changed by hand: it is left as it is.
    Edited,
    /// It cannot be read, or something else is in its place.
    Unreadable,
    /// No decision's file.
    Foreign,
}

impl MirrorState {
    /// All of them, in the order of the wire.
    pub const ALL: [Self; 6] = [
        Self::AsWritten,
        Self::Behind,
        Self::Missing,
        Self::Edited,
        Self::Unreadable,
        Self::Foreign,
    ];

    /// The word in JSON, on the command line and in messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AsWritten => "as_written",
            Self::Behind => "behind",
            Self::Missing => "missing",
            Self::Edited => "edited",
            Self::Unreadable => "unreadable",
            Self::Foreign => "foreign",
        }
    }

    /// What a word stands for, in any case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_lowercase().replace('-', "_");
        Self::ALL.into_iter().find(|one| one.word() == word)
    }
}
