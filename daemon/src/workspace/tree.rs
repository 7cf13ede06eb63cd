//! A value from a settings file, with the place where it stands.
//!
//! YAML, TOML and JSON are all read into this, so that every rule about settings and roles is written once. Asked by
//! `config` and `role`. What must stay true: a fault names the line when the reader knew it.

use std::ops::Range;

use serde_json::Value as Json;

/// The most bytes of a file that somebody else wrote (1 MiB): a thousand times what settings need.
pub const MAX_BYTES: usize = 1024 * 1024;
/// The deepest nesting.
pub const MAX_DEPTH: usize = 32;
/// The most values in one file, those that aliases repeat included.
pub const MAX_NODES: usize = 50_000;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1; none when the whole file is meant.
    pub line: Option<u32>,
    /// One sentence.
    pub what: String,
}

impl Fault {
    /// A fault in a line.
    #[must_use]
    pub fn at(line: u32, what: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            what: what.into(),
        }
    }

    /// A fault of the whole file.
    #[must_use]
    pub fn whole(what: impl Into<String>) -> Self {
        Self {
            line: None,
            what: what.into(),
        }
    }

    /// The sentence with its place: `` `config.yaml` line 3: … ``.
    #[must_use]
    pub fn in_file(&self, file: &std::path::Path) -> String {
        match self.line {
            Some(line) => format!("`{}` line {line}: {}", file.display(), self.what),
            None => format!("`{}`: {}", file.display(), self.what),
        }
    }
}

/// Where something stands in its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: u32,
    /// Its bytes. Empty where a format does not tell.
    pub bytes: Range<usize>,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it stands. For a map or list: from its first to its last value.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// The name of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// As written, quotes and escapes resolved.
    pub name: String,
    /// Where it stands.
    pub place: Place,
}

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Flag(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Node>),
    /// Entries in order, each name once.
    Map(Vec<(Key, Node)>),
}

impl Node {
    /// The entries, when it is a map; none of them when it is nothing.
    ///
    /// # Errors
    /// When it is something else; `what` says what was expected here.
    pub fn entries(&self, what: &str) -> Result<&[(Key, Node)], Fault> {
        match &self.value {
            Value::Map(entries) => Ok(entries),
            Value::Null => Ok(&[]),
            other => Err(Fault::at(
                self.place.line,
                format!("{what} is {}, not a map", other.kind()),
            )),
        }
    }

    /// The value under a name, when it is a map.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find(|(key, _)| key.name == name)
                .map(|(_, node)| node),
            _ => None,
        }
    }

    /// The same without places.
    #[must_use]
    pub fn json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Flag(flag) => (*flag).into(),
            Value::Int(number) => (*number).into(),
            Value::Float(number) => (*number).into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|(key, node)| (key.name.clone(), node.json()))
                .collect(),
        }
    }
}

impl Value {
    /// What it is, for people: `a list`.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Flag(flag) => format!("`{flag}`"),
            Self::Int(number) => format!("`{number}`"),
            Self::Float(number) => format!("`{number}`"),
            Self::Text(text) => format!("the text `{}`", shortened(text)),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
        }
    }
}

/// A text from outside, fit for one line of a message.
#[must_use]
pub fn shortened(text: &str) -> String {
    let line: String = text
        .chars()
        .take(60)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if line.len() < text.len() && text.chars().nth(60).is_some() {
        format!("{line}…")
    } else {
        line
    }
}

/// The known word nearest to a wrong one, when one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong: String = wrong.chars().take(100).collect();
    let limit = (wrong.chars().count() / 3).clamp(1, 4);
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&wrong, word), word))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// `: did you mean …`, when some known word is near enough.
#[must_use]
pub fn hint<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wrong, known)
        .map(|word| format!(", did you mean `{word}`"))
        .unwrap_or_default()
}
