//! The one error that crosses the wire: what happened, why, and what to do next.
//!
//! Made once, in a rule or in the world, and shown once, by the client. A kind exists only where a caller acts
//! differently. Each sentence has no full stop and names things in back-ticks.

use serde::{Deserialize, Serialize};

/// What a caller can do about a failure. Grows at the end only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The request itself is wrong: correct it and ask again.
    Usage,
    /// What was named does not exist.
    NotFound,
    /// It exists, and the answer is no.
    Refused,
    /// Somebody else was there first: read the current state and decide again.
    Conflict,
    /// Not now: a daemon that cannot be reached, a disk that is full, a file system that does not answer.
    Unavailable,
    /// Over a stated limit.
    TooLarge,
    /// Ours. The message names an id that is in the daemon's log.
    Bug,
    /// The caller's own sandbox forbids the way to the daemon.
    Sandbox,
    /// The caller gave it up, or its deadline passed.
    Cancelled,
}

impl Kind {
    /// The exit code of a command that ends with this error (SPEC 18).
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Refused | Self::TooLarge => 4,
            Self::Conflict => 5,
            Self::Unavailable | Self::Cancelled => 6,
            Self::Sandbox => 7,
            Self::Bug => 70,
        }
    }
}

/// A failure, told to whoever must act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// What a caller can do about it.
    pub kind: Kind,
    /// What did not happen: ``no workspace at `/tmp` ``.
    pub what: String,
    /// Why, when that is known.
    pub why: Option<String>,
    /// What to do next, when something can be done.
    pub next: Option<String>,
}

/// The result of everything that can fail towards a caller.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind` that says what did not happen.
    #[must_use]
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            why: None,
            next: None,
        }
    }

    /// The same with the reason.
    #[must_use]
    pub fn why(mut self, why: impl ToString) -> Self {
        self.why = Some(why.to_string());
        self
    }

    /// The same with what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// The request is wrong.
    #[must_use]
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Kind::Usage, what)
    }

    /// What was named does not exist.
    #[must_use]
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, what)
    }

    /// The answer is no.
    #[must_use]
    pub fn refused(what: impl Into<String>) -> Self {
        Self::new(Kind::Refused, what)
    }

    /// Somebody else was there first.
    #[must_use]
    pub fn conflict(what: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, what)
    }

    /// Not now.
    #[must_use]
    pub fn unavailable(what: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, what)
    }

    /// Over a stated limit.
    #[must_use]
    pub fn too_large(what: impl Into<String>) -> Self {
        Self::new(Kind::TooLarge, what)
    }

    /// Ours.
    #[must_use]
    pub fn bug(what: impl Into<String>) -> Self {
        Self::new(Kind::Bug, what)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)?;
        if let Some(why) = &self.why {
            write!(f, ": {why}")?;
        }
        if let Some(next) = &self.next {
            write!(f, " (next: {next})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
