//! A file's text, our piece in it, and the text with or without that piece.

use proto::{Error, error::Result};
use serde_json::Value;

use super::clients::{Format, Wanted, agrees, is_ours};
use super::{json, toml};

/// How our piece stands in a text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    /// Nothing of that name is there.
    Missing,
    /// It is there and does what is wanted.
    Present,
    /// It is there, written by us, and does something else: another path, other flags.
    Outdated,
    /// Something of that name is there that we did not write.
    Foreign,
}

impl State {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Present => "present",
            Self::Outdated => "differs",
            Self::Foreign => "not ours",
        }
    }
}

/// What stands in the place of our piece.
///
/// # Errors
/// `refused` when the text is not of its format.
pub(crate) fn current(text: &str, wanted: &Wanted) -> Result<Option<Value>> {
    let found = match wanted.format {
        Format::Json => json::find(marked(text).1, &wanted.place),
        Format::Toml => toml::find(text, &wanted.place),
    };
    found.map_err(|why| unreadable(wanted, &why))
}

/// How our piece stands in `text`.
///
/// # Errors
/// As [`current`].
pub(crate) fn look(text: &str, wanted: &Wanted) -> Result<State> {
    Ok(match current(text, wanted)? {
        None => State::Missing,
        Some(value) => judge(&value, &wanted.value),
    })
}

fn judge(there: &Value, wanted: &Value) -> State {
    match (agrees(there, wanted), is_ours(there)) {
        (true, _) => State::Present,
        (false, true) => State::Outdated,
        (false, false) => State::Foreign,
    }
}

/// The text with our piece in it, in the place of whatever had its name.
///
/// # Errors
/// `refused` when the text is not of its format, or holds something else where the piece belongs.
pub(crate) fn put(text: &str, wanted: &Wanted) -> Result<String> {
    let put = match wanted.format {
        Format::Json => {
            let (mark, rest) = marked(text);
            json::put(rest, &wanted.place, &wanted.value).map(|put| format!("{mark}{put}"))
        }
        Format::Toml => toml::put(text, &wanted.place, &wanted.value),
    };
    let put = put.map_err(|why| unreadable(wanted, &why))?;
    // What cannot be found again was not written.
    match look(&put, wanted)? {
        State::Present => Ok(put),
        _ => Err(unreadable(wanted, "the entry would not be found again")),
    }
}

/// The text without our piece, and without the folders around it that are empty then.
///
/// # Errors
/// As [`put`].
pub(crate) fn take(text: &str, wanted: &Wanted) -> Result<String> {
    let taken = match wanted.format {
        Format::Json => {
            let (mark, rest) = marked(text);
            json::take(rest, &wanted.place).map(|taken| format!("{mark}{taken}"))
        }
        Format::Toml => toml::take(text, &wanted.place),
    };
    taken.map_err(|why| unreadable(wanted, &why))
}

/// The byte order mark that some editors write first, which is no JSON, and the rest.
fn marked(text: &str) -> (&str, &str) {
    const MARK: &str = "\u{feff}";
    text.split_at(if text.starts_with(MARK) { MARK.len() } else { 0 })
}

fn unreadable(wanted: &Wanted, why: &str) -> Error {
    Error::refused(format!("`{}` is left as it is", wanted.file.display()))
        .why(why)
        .next("mend the file, or put the entry in by hand")
}
