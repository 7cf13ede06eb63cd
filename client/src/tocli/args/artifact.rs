//! The words of `tocli artifact`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use proto::artifact::{self, Act, Call, Filter, NewArtifact, Search, Type};
use proto::index::Since;
use proto::task::Force;
use proto::{Caller, error::Result};

use super::task::Common;
use super::{Question, absolute};
use crate::time;

fn kind(word: &str) -> std::result::Result<Type, String> {
    Type::parse(&word.to_ascii_lowercase()).ok_or_else(|| {
        let words: Vec<&str> = Type::ALL.iter().map(|kind| kind.word()).collect();
        format!("it is one of: {}", words.join(", "))
    })
}

/// A moment, as nanoseconds since 1970 UTC.
fn moment(text: &str) -> std::result::Result<i64, String> {
    match time::since(text)? {
        Since::Time(at) => Ok(at),
        Since::Clock(_) => Err("it is a clock, and a time is needed".to_owned()),
    }
}

/// A range of bytes: from the first to before the last.
fn range(text: &str) -> std::result::Result<(u64, Option<u64>), String> {
    let wrong = || "it has the form `A:B`, `A:` or `:B`, in bytes".to_owned();
    let (from, to) = text.split_once(':').ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let from = if from.is_empty() { 0 } else { number(from)? };
    let to = if to.is_empty() { None } else { Some(number(to)?) };
    match to {
        Some(to) if to < from => Err("it ends before it begins".to_owned()),
        _ => Ok((from, to)),
    }
}

/// What is said of a new artifact.
#[derive(Args, Clone, Debug)]
pub(crate) struct New {
    /// The task it is a result of; `workspace` for what is of the whole project
    #[arg(id = "task-id", value_name = "TASK")]
    pub(crate) task: String,
    /// The name to keep it under [default: that of the file]
    #[arg(long, short = 'n', value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// code, documentation, analysis, design, test, config or general
    #[arg(long = "type", short = 't', value_name = "TYPE", value_parser = kind)]
    pub(crate) kind: Option<Type>,
    /// One paragraph about it; `-` is not read from standard input here
    #[arg(long, short = 's', value_name = "TEXT", default_value = "")]
    pub(crate) summary: String,
}

impl New {
    pub(crate) fn artifact(&self, name: String) -> NewArtifact {
        NewArtifact {
            task: self.task.clone(),
            name,
            kind: self.kind,
            summary: self.summary.clone(),
        }
    }
}

/// Which artifacts.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Which {
    /// Only those of this task; `workspace` for those of none
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Only of this type
    #[arg(long = "type", short = 't', value_name = "TYPE", value_parser = kind)]
    kind: Option<Type>,
    /// Only those whose name matches, with `*` and `?`
    #[arg(long, short = 'n', value_name = "PATTERN")]
    name: Option<String>,
    /// Only where name, summary, task or id hold these words
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
    /// Only those last stored since, as `2h` or `today`
    #[arg(long, value_name = "TIME", value_parser = moment)]
    newer_than: Option<i64>,
    /// Also those that were put away
    #[arg(long)]
    archived: bool,
}

impl Which {
    fn filter(&self) -> Filter {
        Filter {
            task: self.task.clone(),
            kind: self.kind,
            name: self.name.clone(),
            text: self.text.clone(),
            before: None,
            since: self.newer_than,
            archived: self.archived,
            altered: false,
        }
    }
}

/// One artifact.
#[derive(Args, Clone, Debug)]
pub(crate) struct One {
    /// Its id
    #[arg(id = "artifact-id", value_name = "ARTIFACT")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// `store`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Store {
    #[command(flatten)]
    pub(crate) new: New,
    /// The file; `-` for standard input
    #[arg(value_name = "FILE", required_unless_present = "mirror")]
    pub(crate) file: Option<PathBuf>,
    /// Keep a snapshot of this file of the project instead, and say which one it is of
    #[arg(long, value_name = "PATH", conflicts_with = "file")]
    pub(crate) mirror: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// `get`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Get {
    #[command(flatten)]
    pub(crate) one: One,
    /// Which version [default: the newest]
    #[arg(long, value_name = "N")]
    pub(crate) version: Option<u32>,
    /// Only the bytes from A to before B: `A:B`, `A:` or `:B`
    #[arg(long, value_name = "A:B", value_parser = range, conflicts_with_all = ["head", "tail"])]
    pub(crate) range: Option<(u64, Option<u64>)>,
    /// Only the first lines
    #[arg(long, value_name = "N", conflicts_with = "tail")]
    pub(crate) head: Option<u64>,
    /// Only the last lines
    #[arg(long, value_name = "N")]
    pub(crate) tail: Option<u64>,
    /// Into this file instead of standard output
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Words {
    /// Keep a file as a result of a task; the same name again makes a new version
    #[command(alias = "add", alias = "put", alias = "save")]
    Store(Box<Store>),
    /// The contents of an artifact, whole or in part
    #[command(alias = "cat", alias = "read")]
    Get(Box<Get>),
    /// Artifacts, the youngest first
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        which: Which,
        /// Only those last stored before, as `30d` or `2026-11-21`
        #[arg(long, value_name = "TIME", value_parser = moment)]
        older_than: Option<i64>,
        /// Only those whose file was changed or removed by hand
        #[arg(long)]
        altered: bool,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Go on where the page before ended: its `next_cursor`
        #[arg(long)]
        cursor: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// One artifact with its versions
    #[command(alias = "info")]
    Show(One),
    /// Lines of contents that match a regular expression
    #[command(alias = "grep")]
    Search {
        /// A regular expression
        pattern: String,
        /// In any case
        #[arg(long, short = 'i')]
        ignore_case: bool,
        /// Also so many lines before and after each match
        #[arg(long, short = 'C', value_name = "N", default_value_t = 0)]
        context: u32,
        #[command(flatten)]
        which: Which,
        /// At most so many matches
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Go on where the answer before ended: its `next_cursor`
        #[arg(long)]
        cursor: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Compare contents with their digests, and the files in the project with both
    #[command(alias = "check")]
    Verify {
        /// One artifact [default: all]
        #[arg(id = "artifact-id", value_name = "ARTIFACT")]
        id: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Put old artifacts away: `restore` brings them back
    Cleanup {
        /// Those last stored before, as `30d` or `2026-11-21`
        #[arg(long, value_name = "TIME", value_parser = moment)]
        older_than: i64,
        #[command(flatten)]
        which: Which,
        /// Do it, and not only tell
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Put away what is old, and compress what is seldom read
    Optimize {
        /// Do it, and not only tell
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Put files back into the project, and artifacts back onto the list
    Restore {
        /// One artifact [default: all whose file is missing]
        #[arg(id = "artifact-id", value_name = "ARTIFACT")]
        id: Option<String>,
        /// Make this version the newest again
        #[arg(long, value_name = "N", requires = "artifact-id")]
        version: Option<u32>,
        /// Also where a file was changed by hand: that is set aside
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Begin an upload, to be sent with `resume` and kept with `resume` or `store`
    Stage {
        #[command(flatten)]
        new: New,
        /// How many bytes will come
        #[arg(long, value_name = "BYTES")]
        size: Option<u64>,
        /// Their BLAKE3 digest, in hex
        #[arg(long, value_name = "HEX")]
        digest: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Uploads that have not come to their end
    Partials {
        /// Give this one up
        #[arg(long, value_name = "DRAFT")]
        discard: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Go on with an upload, and keep it when it has come to its end
    Resume {
        /// Its id
        draft: String,
        /// The whole file; `-` for the rest of it on standard input
        file: PathBuf,
        /// Leave it an upload although it has come to its end
        #[arg(long)]
        only_send: bool,
        #[command(flatten)]
        common: Common,
    },
}

pub(crate) fn asked(common: &Common, caller: &Caller, what: artifact::Request) -> Result<Question> {
    let call = Call {
        at: common.at(caller)?,
        what,
    };
    let question = Question::patient(proto::Request::Artifact(Box::new(call)));
    Ok(Question {
        request_id: common.request_id.clone(),
        ..question
    })
}

fn act(yes: bool) -> Act {
    if yes { Act::Do } else { Act::Tell }
}

impl Words {
    /// Where, and who asks.
    pub(crate) fn common(&self) -> &Common {
        match self {
            Self::Store(store) => &store.common,
            Self::Get(get) => &get.one.common,
            Self::Show(one) => &one.common,
            Self::List { common, .. }
            | Self::Search { common, .. }
            | Self::Verify { common, .. }
            | Self::Cleanup { common, .. }
            | Self::Optimize { common, .. }
            | Self::Restore { common, .. }
            | Self::Stage { common, .. }
            | Self::Partials { common, .. }
            | Self::Resume { common, .. } => common,
        }
    }

    /// What is asked in one request; nothing for what moves contents.
    pub(crate) fn request(&self) -> Option<artifact::Request> {
        Some(match self {
            Self::Store(_) | Self::Get(_) | Self::Resume { .. } => return None,
            Self::List {
                which,
                older_than,
                altered,
                limit,
                cursor,
                ..
            } => artifact::Request::List {
                filter: Box::new(Filter {
                    before: *older_than,
                    altered: *altered,
                    ..which.filter()
                }),
                limit: *limit,
                cursor: cursor.clone(),
            },
            Self::Show(one) => artifact::Request::Show { id: one.id.clone() },
            Self::Search {
                pattern,
                ignore_case,
                context,
                which,
                limit,
                cursor,
                ..
            } => artifact::Request::Search {
                what: Box::new(Search {
                    pattern: pattern.clone(),
                    ignore_case: *ignore_case,
                    filter: which.filter(),
                    before: *context,
                    after: *context,
                    limit: *limit,
                }),
                cursor: cursor.clone(),
            },
            Self::Verify { id, .. } => artifact::Request::Verify {
                id: id.clone(),
                cursor: None,
            },
            Self::Cleanup {
                older_than,
                which,
                yes,
                ..
            } => artifact::Request::Cleanup {
                before: *older_than,
                filter: Box::new(which.filter()),
                act: act(*yes),
            },
            Self::Optimize { yes, .. } => artifact::Request::Optimize { act: act(*yes) },
            Self::Restore {
                id, version, force, ..
            } => artifact::Request::Restore {
                id: id.clone(),
                version: *version,
                over: if *force { Force::Yes } else { Force::No },
            },
            Self::Stage {
                new, size, digest, ..
            } => artifact::Request::Stage {
                new: Box::new(new.artifact(new.name.clone().unwrap_or_default())),
                size: *size,
                digest: digest.clone(),
            },
            Self::Partials { discard: None, .. } => artifact::Request::Partials,
            Self::Partials {
                discard: Some(draft), ..
            } => artifact::Request::Discard { draft: draft.clone() },
        })
    }
}

/// The file of the project that a snapshot is taken of.
pub(crate) fn mirrored(store: &Store, caller: &Caller) -> Result<Option<proto::RawPath>> {
    store
        .mirror
        .as_ref()
        .map(|path| absolute(path, caller))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::super::tests::wrong;
    use super::*;

    #[test]
    fn a_range_is_from_its_first_byte_to_before_its_last() {
        assert_eq!(range("3:9"), Ok((3, Some(9))));
        assert_eq!(range(":9"), Ok((0, Some(9))));
        assert_eq!(range("3:"), Ok((3, None)));
        for bad in ["", "3", "9:3", "-1:3", "a:b", "1:2:3"] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        assert!(!wrong("artifact get a --head 3"));
        assert!(!wrong("artifact store t f --type design"));
        assert!(!wrong("artifact store t --mirror src/a.rs"));
        for line in [
            "artifact get a --head 3 --tail 3",
            "artifact get a --range 1:2 --head 3",
            "artifact store t",
            "artifact store t f --mirror g",
            "artifact store t f --type poem",
            "artifact cleanup",
            "artifact restore --version 3",
        ] {
            assert!(wrong(line), "{line}");
        }
    }
}
