//! The lines of an export: what each holds, and the one way it is written. Pure.
//!
//! A line is one JSON object with one key, the line's kind, as `EXPORT.md` tells. What must stay true: a line is
//! exactly what [`Line::text`] makes of what it holds, so nothing in a file is passed over in silence; lines stand in
//! the order of [`Line::place`], so none stands twice.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use proto::error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::task::card::{Card as Task, Past, Remark, Texts};
use crate::{artifact, audit, context, decision, maintenance::legacy};

/// The format.
pub const VERSION: u32 = 1;
/// The longest line, in bytes, without its end.
pub const LONGEST: usize = 8 << 20;
/// Bytes of a content in one piece.
pub const PIECE: usize = 256 << 10;

/// The first line: all that two exports of the same things may differ in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`VERSION`].
    pub version: u32,
    /// The release that wrote it.
    pub program: String,
    /// When it was taken, nanoseconds since 1970 UTC.
    pub exported: i64,
    /// The workspace it was taken from.
    pub workspace: String,
    /// Its name.
    pub name: String,
    /// Its root.
    pub root: proto::RawPath,
    /// Its strongest project type.
    pub project_type: Option<String>,
    /// When it was made, nanoseconds since 1970 UTC.
    pub created: i64,
}

/// What was given out, so that no number is given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Changes of tasks.
    pub task_changes: u64,
    /// The order of the youngest artifact.
    pub artifacts: u64,
    /// The number of the newest note.
    pub notes: u64,
}

/// The last line: a file without it was cut off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How many lines there are, the first and this one included.
    pub lines: u64,
    /// BLAKE3 of all bytes before this line.
    #[serde(with = "crate::objects::hex")]
    pub digest: [u8; 32],
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The first.
    WorkspaceExport(Head),
    /// What the next lines are pieces of.
    Content {
        /// BLAKE3.
        #[serde(with = "crate::objects::hex")]
        digest: [u8; 32],
        /// Bytes.
        size: u64,
    },
    /// At most [`PIECE`] bytes, base64.
    Piece(String),
    /// Numbers that were given out.
    Counters(Counters),
    /// A task.
    Task(Box<Task>),
    /// Its long texts.
    TaskTexts {
        /// The task.
        task: String,
        /// What they say.
        texts: Box<Texts>,
    },
    /// How it came to a revision.
    TaskPast {
        /// The task.
        task: String,
        /// The revision.
        revision: u64,
        /// What was changed, and what was before.
        past: Box<Past>,
    },
    /// Its long texts before a revision.
    TaskPastTexts {
        /// The task.
        task: String,
        /// The revision.
        revision: u64,
        /// What they said.
        texts: Box<Texts>,
    },
    /// A note on a task.
    TaskNote {
        /// The task.
        task: String,
        /// Its number within the task.
        number: u64,
        /// What it says.
        note: Remark,
    },
    /// An artifact.
    Artifact(Box<artifact::store::Card>),
    /// A version of one.
    ArtifactVersion {
        /// The artifact.
        artifact: String,
        /// The version.
        edition: Box<artifact::store::Edition>,
    },
    /// A decision.
    Decision(Box<decision::Card>),
    /// A note about the project.
    Note(Box<context::store::Memory>),
    /// A session that is over.
    Session(Box<context::session::Session>),
    /// Something from an old database.
    Legacy {
        /// What.
        kind: String,
        /// What became of it, and its row where there is no room for it yet.
        import: Box<legacy::store::Import>,
    },
    /// An event of the audit trail.
    Event(audit::Event),
    /// A file of the project's settings or roles.
    File {
        /// `config.yaml` or `roles/<name>.yaml`.
        name: String,
        /// What it holds.
        text: String,
    },
    /// The last.
    End(End),
}

impl Line {
    /// As it stands in the file, without its end.
    ///
    /// # Errors
    /// `Bug` when it cannot be written.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|error| Error::bug("a line of an export cannot be written").why(error))
    }

    /// A piece of a content.
    #[must_use]
    pub fn piece(bytes: &[u8]) -> Self {
        Self::Piece(BASE64_STANDARD.encode(bytes))
    }

    /// What a line says that was judged before.
    ///
    /// # Errors
    /// Why it says nothing.
    pub fn read(text: &[u8]) -> std::result::Result<Self, String> {
        serde_json::from_slice(text).map_err(|error| {
            let what = error.to_string();
            // Its own count of lines is always 1.
            what.replace(" at line 1 column ", " at column ")
        })
    }

    /// The line with this text; a sentence says why it is none.
    ///
    /// # Errors
    /// That sentence.
    pub fn parse(text: &[u8]) -> std::result::Result<Self, String> {
        let line = Self::read(text)?;
        match line.text() {
            Ok(own) if own.as_bytes() == text => Ok(line),
            Ok(own) => Err(differs(text, own.as_bytes())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Where it stands: a line stands before another when its place is smaller. Pieces stand with their content.
    #[must_use]
    pub fn place(&self) -> (u8, Vec<u8>) {
        let of = |id: &str, number: u64| {
            let mut key = id.as_bytes().to_vec();
            key.push(0);
            key.extend_from_slice(&number.to_be_bytes());
            key
        };
        match self {
            Self::WorkspaceExport(_) => (0, Vec::new()),
            Self::Content { digest, .. } => (1, digest.to_vec()),
            Self::Piece(_) => (1, Vec::new()),
            Self::Counters(_) => (2, Vec::new()),
            Self::Task(card) => (3, card.id.clone().into_bytes()),
            Self::TaskTexts { task, .. } => (4, of(task, 0)),
            Self::TaskPast { task, revision, .. } => (5, of(task, *revision)),
            Self::TaskPastTexts { task, revision, .. } => (6, of(task, *revision)),
            Self::TaskNote { task, number, .. } => (7, of(task, *number)),
            Self::Artifact(card) => (8, card.id.clone().into_bytes()),
            Self::ArtifactVersion { artifact, edition } => (9, of(artifact, edition.version.into())),
            Self::Decision(card) => (10, card.number.to_be_bytes().to_vec()),
            Self::Note(note) => (11, (u64::MAX - note.number).to_be_bytes().to_vec()),
            Self::Session(session) => (12, session.key("")),
            Self::Legacy { kind, import } => {
                let digest = blake3::hash(import.id.as_bytes()).to_hex();
                (13, format!("{kind}/{}", &digest[..32]).into_bytes())
            }
            Self::Event(event) => (14, event.seq.to_be_bytes().to_vec()),
            Self::File { name, .. } => (15, name.clone().into_bytes()),
            Self::End(_) => (16, Vec::new()),
        }
    }

    /// What it speaks of, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        let named = |what: &str, id: &str| format!("{what} `{}`", crate::task::rules::shown(id));
        match self {
            Self::Task(card) => named("task", &card.id),
            Self::TaskTexts { task, .. } => named("the texts of task", task),
            Self::TaskPast { task, revision, .. } => {
                format!("revision {revision} of {}", named("task", task))
            }
            Self::TaskPastTexts { task, revision, .. } => {
                format!("the texts before revision {revision} of {}", named("task", task))
            }
            Self::TaskNote { task, number, .. } => format!("note {number} on {}", named("task", task)),
            Self::Artifact(card) => named("artifact", &card.id),
            Self::ArtifactVersion { artifact, edition } => {
                format!("version {} of {}", edition.version, named("artifact", artifact))
            }
            Self::Decision(card) => format!("decision {}", card.number),
            Self::Note(note) => format!("note_{}", note.number),
            Self::Session(session) => named("session", &session.id),
            Self::Legacy { kind, import } => format!("{kind} {}", named("of an old database", &import.id)),
            Self::Event(event) => format!("event {}", event.seq),
            Self::File { name, .. } => named("file", name),
            Self::Content { .. } | Self::Piece(_) => "a content".to_owned(),
            Self::WorkspaceExport(_) => "the first line".to_owned(),
            Self::Counters(_) => "the counters".to_owned(),
            Self::End(_) => "the last line".to_owned(),
        }
    }

    /// The kind of the line with this text, before it is read.
    #[must_use]
    pub fn kind(text: &[u8]) -> &str {
        let rest = text.strip_prefix(b"{\"").unwrap_or_default();
        let kind = rest.split(|byte| *byte == b'"').next().unwrap_or_default();
        std::str::from_utf8(kind).unwrap_or_default()
    }

    /// Whether lines of a kind are seen by themselves: the others belong to something that is.
    #[must_use]
    pub fn is_seen(kind: &str) -> bool {
        matches!(kind, "task" | "artifact" | "decision" | "note")
    }

    /// Without what means nothing elsewhere: checkouts, and stamps of files.
    #[must_use]
    pub fn plain(mut self) -> Self {
        match &mut self {
            Self::TaskTexts { texts, .. } | Self::TaskPastTexts { texts, .. } => texts.tree = None,
            Self::Artifact(card) => (card.tree, card.stamp) = (None, None),
            Self::Session(session) => session.tree = None,
            _ => {}
        }
        self
    }
}

fn differs(text: &[u8], own: &[u8]) -> String {
    let at = text
        .iter()
        .zip(own)
        .take_while(|(one, other)| one == other)
        .count();
    format!(
        "it is not written as an export writes it, from column {} on",
        at + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_only_as_it_is_written() {
        let line = Line::Counters(Counters {
            task_changes: 7,
            artifacts: 2,
            notes: 1,
        });
        let text = line.text().expect("written");
        assert_eq!(text, r#"{"counters":{"task_changes":7,"artifacts":2,"notes":1}}"#);
        assert_eq!(Line::parse(text.as_bytes()), Ok(line));
        for other in [
            r#"{ "counters":{"task_changes":7,"artifacts":2,"notes":1}}"#,
            r#"{"counters":{"artifacts":2,"task_changes":7,"notes":1}}"#,
            r#"{"counters":{"task_changes":7,"artifacts":2,"notes":1,"more":0}}"#,
            r#"{"counters":{"task_changes":7,"artifacts":2}}"#,
            r#"{"counters":{"task_changes":07,"artifacts":2,"notes":1}}"#,
            r#"{"counters":{"task_changes":-7,"artifacts":2,"notes":1}}"#,
            r#"{"others":{}}"#,
            r#"{"counters":{"task_changes":7,"artifacts":2,"notes":1},"end":{}}"#,
            "",
            "null",
            &"[".repeat(100_000),
        ] {
            assert!(Line::parse(other.as_bytes()).is_err(), "{other:.80}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_come_back_as_they_were() {
        let session = context::session::Session {
            tree: Some(proto::RawPath::from(&b"/a\xff"[..])),
            ..context::session::Session::new(("s".to_owned(), "a"), proto::context::Begun::Said, 5, None)
        };
        let line = Line::Session(Box::new(session));
        let text = line.text().expect("written");
        assert!(text.contains(r#""tree":{"hex":"2f61ff"}"#), "{text}");
        assert_eq!(Line::parse(text.as_bytes()), Ok(line));
    }
}
