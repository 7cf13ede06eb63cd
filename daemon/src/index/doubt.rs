//! What of git's answer cannot be known here, and how that is said: never a silent wrong list. Pure.
//!
//! Set by `control` when it reads git's index and by `repo` when it reads git's configuration, shown by `worker`.

use super::gitindex::Problem;

/// Why the list may not be what git would show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Git's index could not be read: ignored files that it holds are missing.
    Unread(Problem),
    /// A directory that the index holds as one entry is there, and git's store could not be read.
    Sparse,
    /// An ignore file that counts is in git's store alone, which could not be read.
    IgnoreFile,
    /// An ignore file is larger than what is read here.
    TooLarge,
    /// Git itself gives no answer.
    Refused(Refusal),
}

/// Why git gives no answer, or another one than can be known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// What `.git` names is not there, or is no repository.
    NoRepository,
    /// A line of a configuration file is not understood.
    Config,
    /// A later git has made the repository, or it has an extension that is not known.
    Format,
    /// An exclude file is a folder.
    ExcludeFile,
    /// An exclude or configuration file is larger than what is read here.
    TooLarge,
    /// The repository has no checkout.
    Bare,
    /// The repository's files are in another folder, or nowhere.
    WorkTree,
    /// The branch decides of a part of the configuration, and cannot be read.
    Branch,
    /// The repository belongs to somebody else and is not said to be safe.
    Owner,
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
                "a folder is there that git's sparse index holds as one, and git's store could not be read: ignored files in it that are tracked are not shown"
            }
            Self::IgnoreFile => {
                "git's index holds a `.gitignore` that is taken out of the checkout (`skip-worktree`), and git's store could not be read: files that it hides are shown"
            }
            Self::Refused(Refusal::NoRepository) => {
                "`.git` is a file that names no repository which is there: git gives no answer, and the last known rules count"
            }
            Self::Refused(Refusal::Config) => {
                "git does not understand a line of its configuration and gives no answer: what stands after that line does not count"
            }
            Self::Refused(Refusal::Format) => {
                "the repository has a format or an extension that git does not know: it gives no answer"
            }
            Self::TooLarge | Self::Refused(Refusal::TooLarge) => {
                "an ignore, exclude or configuration file of more than 4 MiB is passed over: what it says does not count"
            }
            Self::Refused(Refusal::Bare) => {
                "`core.bare` says that the repository has no checkout: git gives no answer"
            }
            Self::Refused(Refusal::WorkTree) => {
                "`core.worktree` names another folder, or none: git looks for the repository's files there and not here"
            }
            Self::Refused(Refusal::Branch) => {
                "the branch is in git's store (`reftable`) and could not be asked for: whether an `includeIf \"onbranch:…\"` holds is not known"
            }
            Self::Refused(Refusal::Owner) => {
                "the repository belongs to another user and no `safe.directory` names it: git gives no answer"
            }
            Self::Refused(Refusal::ExcludeFile) => {
                "`info/exclude` or `core.excludesFile` is a folder: git gives no answer, and no line of it counts"
            }
        }
    }

    /// Whether git itself would not answer, or answer otherwise.
    pub(super) fn is_grave(self) -> bool {
        matches!(self, Self::Unread(_) | Self::Refused(_))
    }
}
