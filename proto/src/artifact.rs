//! `artifact`: named, immutable, versioned results of tasks.
//!
//! Contents travel in pieces that fit into a frame, each in a request of its own, so that an upload or a download goes on
//! after any break: `Stage`, `Append` …, `Store`; `Read` ….

mod answer;

use serde::{Deserialize, Serialize};

pub use answer::{
    Answer, Artifact, Copy, Detail, Fault, Match, Partial, Removed, Restored, Squeezed, Stored, Version,
};

use crate::{RawPath, task, workspace};

/// The most bytes of one piece: with what stands around it, it fits into a frame.
pub const MAX_PIECE: usize = 512 << 10;
/// The most bytes of a name.
pub const MAX_NAME: usize = 200;
/// The most bytes of a summary.
pub const MAX_SUMMARY: usize = 2 << 10;
/// The most artifacts one page of a list may ask for.
pub const MAX_PAGE: u32 = 1000;
/// The most files that may be stored while a task is completed.
pub const MAX_WITH_TASK: usize = 64;

/// What an artifact is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// Program text.
    Code,
    /// Text for readers.
    Documentation,
    /// What was found out.
    Analysis,
    /// What is to be built.
    Design,
    /// Tests and their results.
    Test,
    /// Settings.
    Config,
    /// Anything else.
    #[default]
    General,
}

impl Type {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Code,
        Self::Documentation,
        Self::Analysis,
        Self::Design,
        Self::Test,
        Self::Config,
        Self::General,
    ];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Documentation => "documentation",
            Self::Analysis => "analysis",
            Self::Design => "design",
            Self::Test => "test",
            Self::Config => "config",
            Self::General => "general",
        }
    }

    /// The one with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Stands in the place of a task for what is of the whole project, where no task has this id.
pub const NO_TASK: &str = "workspace";

/// What a new artifact, or a new version of one, is to be. Task and name together tell which artifact it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewArtifact {
    /// The task it is a result of, or [`NO_TASK`].
    pub task: String,
    /// The name of its file.
    pub name: String,
    /// What it is; none for that of the version before, or `general`.
    pub kind: Option<Type>,
    /// One paragraph about it.
    pub summary: String,
}

/// What a handover of a task, or of the whole project, is kept as.
#[must_use]
pub fn handover(task: Option<&str>) -> NewArtifact {
    NewArtifact {
        task: task.unwrap_or(NO_TASK).to_owned(),
        name: "handover.md".to_owned(),
        kind: Some(Type::Documentation),
        summary: "What somebody else needs to go on".to_owned(),
    }
}

/// Where the bytes of an artifact are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// In this request: at most [`MAX_PIECE`].
    Here {
        /// What it is to be.
        new: NewArtifact,
        /// The whole of it.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// In a draft that has come to its end.
    Draft {
        /// Its id.
        draft: String,
    },
    /// In a file of the project: a snapshot of it.
    Project {
        /// What it is to be; an empty name for that of the file.
        new: NewArtifact,
        /// The file, absolute.
        path: RawPath,
    },
}

/// Which artifacts a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Only those of this task.
    pub task: Option<String>,
    /// Only of this type.
    pub kind: Option<Type>,
    /// Only those whose name matches, with `*` and `?`.
    pub name: Option<String>,
    /// Only where name, summary, task or id hold these words, in any case.
    pub text: Option<String>,
    /// Only those last stored before, nanoseconds since 1970 UTC.
    pub before: Option<i64>,
    /// Only those last stored at or after, nanoseconds since 1970 UTC.
    pub since: Option<i64>,
    /// Also those that were put away.
    pub archived: bool,
    /// Only those whose file in the project was changed or removed.
    pub altered: bool,
}

/// What is looked for in contents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// A regular expression, as the crate `regex` has them; one line at a time.
    pub pattern: String,
    /// In any case.
    pub ignore_case: bool,
    /// In which artifacts.
    pub filter: Filter,
    /// Lines shown before each match.
    pub before: u32,
    /// Lines shown after each match.
    pub after: u32,
    /// At most so many matches, 1 to [`MAX_PAGE`].
    pub limit: u32,
}

/// Whether something is done or only told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// Say what would be done.
    #[default]
    Tell,
    /// Do it.
    Do,
}

/// What can be asked, of one workspace.
pub type Call = workspace::Call<Request>;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Keep an artifact, or a new version of one.
    Store(Box<Source>),
    /// Begin an upload.
    Stage {
        /// What it is to be.
        new: Box<NewArtifact>,
        /// How many bytes will come, when that is known.
        size: Option<u64>,
        /// Their BLAKE3 digest, when that is known.
        digest: Option<String>,
    },
    /// One piece of an upload. The same piece twice is one piece; pieces may overtake each other a little.
    Append {
        /// The upload.
        draft: String,
        /// Where the piece begins.
        offset: u64,
        /// The piece: at most [`MAX_PIECE`].
        #[serde(with = "crate::piece")]
        bytes: Vec<u8>,
    },
    /// Where an upload stands.
    Resume {
        /// The upload.
        draft: String,
    },
    /// Uploads that have not come to their end.
    Partials,
    /// Give an upload up.
    Discard {
        /// The upload.
        draft: String,
    },
    /// A piece of an artifact.
    Read {
        /// Its id.
        id: String,
        /// Which version; none for the newest.
        version: Option<u32>,
        /// Where the piece begins.
        offset: u64,
        /// At most so many bytes, at most [`MAX_PIECE`].
        length: u32,
    },
    /// A page of artifacts, the youngest first.
    List {
        /// Which.
        filter: Box<Filter>,
        /// At most so many, 1 to [`MAX_PAGE`].
        limit: u32,
        /// The `next_cursor` of the page before.
        cursor: Option<String>,
    },
    /// One artifact with its versions.
    Show {
        /// Its id.
        id: String,
    },
    /// Look into contents.
    Search {
        /// What for.
        what: Box<Search>,
        /// The `next_cursor` of the answer before.
        cursor: Option<String>,
    },
    /// Compare contents with their digests, and the files in the project with both.
    Verify {
        /// One artifact; none for all.
        id: Option<String>,
        /// The `next_cursor` of the answer before.
        cursor: Option<String>,
    },
    /// Put away artifacts that nobody has stored to for long.
    Cleanup {
        /// Those last stored before, nanoseconds since 1970 UTC.
        before: i64,
        /// Of those, only these.
        filter: Box<Filter>,
        /// Whether it is done.
        act: Act,
    },
    /// Make what is kept smaller.
    Optimize {
        /// Whether it is done.
        act: Act,
    },
    /// Put files back into the project, and artifacts that were put away back onto the list.
    Restore {
        /// One artifact; none for all files that are missing.
        id: Option<String>,
        /// Which version is to be the newest again; none for the newest.
        version: Option<u32>,
        /// Also over a file that was changed by hand.
        over: task::Force,
    },
    /// Complete a task and keep its results, in one transaction.
    Complete {
        /// The task.
        id: String,
        /// The revision the caller has seen: another one is a conflict.
        if_revision: Option<u64>,
        /// What was done.
        summary: String,
        /// What that leads to.
        next_action: task::NextAction,
        /// Although another holds it, or it waits for something.
        force: task::Force,
        /// The results: uploads that have come to their end.
        drafts: Vec<String>,
    },
}

impl Request {
    /// Whether it changes something, so that asking twice is not asking once. A piece of an upload is known by its place.
    #[must_use]
    pub fn changes(&self) -> bool {
        match self {
            Self::Store(_)
            | Self::Stage { .. }
            | Self::Discard { .. }
            | Self::Complete { .. }
            | Self::Restore { .. } => true,
            Self::Cleanup { act, .. } | Self::Optimize { act } => *act == Act::Do,
            Self::Append { .. }
            | Self::Resume { .. }
            | Self::Partials
            | Self::Read { .. }
            | Self::List { .. }
            | Self::Show { .. }
            | Self::Search { .. }
            | Self::Verify { .. } => false,
        }
    }

    /// Whether it may take longer than a look: it moves or reads whole contents.
    #[must_use]
    pub fn takes_time(&self) -> bool {
        self.changes()
            || matches!(
                self,
                Self::Append { .. } | Self::Search { .. } | Self::Verify { .. }
            )
    }
}
