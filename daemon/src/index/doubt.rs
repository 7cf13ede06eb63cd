//! What of git's answer cannot be known here, and how that is said: never a silent wrong list. Pure.
//!
//! Set by `control` when it reads git's index, shown by `tend`.

use super::gitindex::Problem;

/// Why the list may not be what git would show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Git's index could not be read: ignored files that it holds are missing.
    Unread(Problem),
    /// A directory that the index holds as one entry is there.
    Sparse,
    /// Names that differ from git's index in nothing but case are not told from others.
    Case,
}

impl Doubt {
    /// What is said of it.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Unread(Problem::Damaged) => {
                "git's index is damaged: ignored files that it holds are not shown"
            }
            Self::Unread(Problem::Unknown) => {
                "git's index is of a kind that is not known here: ignored files that it holds are not shown"
            }
            Self::Unread(Problem::TooLarge) => {
                "git's index is too large: ignored files that it holds are not shown"
            }
            Self::Unread(Problem::NoBase) => {
                "the shared part of git's split index is not there: ignored files that it holds are not shown"
            }
            Self::Sparse => {
                "a folder is there that git's sparse index holds as one: ignored files in it that are tracked are not shown"
            }
            Self::Case => {
                "`core.ignoreCase` is set: files whose names differ from git's index in case alone may be shown"
            }
        }
    }

    /// Whether git itself would not answer, or answer otherwise.
    pub(super) fn is_grave(self) -> bool {
        matches!(self, Self::Unread(_))
    }
}
