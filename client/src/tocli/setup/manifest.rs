//! What `setup` wrote into other programs' files, so that it can be taken back: `<state>/setup/<client>.json`.
//!
//! What must stay true: a change stands in the manifest before it stands in the file; of the file itself only the piece
//! that we changed is kept, because the rest may hold secrets of others.

use std::path::{Path, PathBuf};

use proto::{Error, RawPath, error::Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::file;

/// The form of the manifest.
const VERSION: u32 = 1;

/// All changes for one client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    schema_version: u32,
    /// One for each piece.
    pub(crate) edits: Vec<Edit>,
}

/// One change of one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Edit {
    /// Which piece.
    pub(crate) what: String,
    /// In which file.
    pub(crate) file: RawPath,
    /// Whether there was no file.
    pub(crate) created: bool,
    /// The folders made for it, outermost first.
    pub(crate) folders: Vec<RawPath>,
    /// What had our name before and was not ours.
    pub(crate) previous: Option<Value>,
    /// The file as we left it: its length in bytes and BLAKE3 digest, hex.
    length: usize,
    digest: String,
    /// Where the changed piece begins in bytes, what stood there and what stands there now.
    at: usize,
    before: String,
    after: String,
}

impl Edit {
    /// The change from one text to another.
    pub(crate) fn new(what: &str, file: &Path, before: &str, after: &str) -> Self {
        let same = |(a, b): &(u8, u8)| a == b;
        let (old, new) = (before.as_bytes(), after.as_bytes());
        let mut at = old
            .iter()
            .copied()
            .zip(new.iter().copied())
            .take_while(same)
            .count();
        while !(before.is_char_boundary(at) && after.is_char_boundary(at)) {
            at -= 1;
        }
        let tails = old[at..]
            .iter()
            .rev()
            .copied()
            .zip(new[at..].iter().rev().copied());
        let mut tail = tails.take_while(same).count();
        while !(before.is_char_boundary(old.len() - tail) && after.is_char_boundary(new.len() - tail)) {
            tail -= 1;
        }
        Self {
            what: what.to_owned(),
            file: file.into(),
            created: false,
            folders: Vec::new(),
            previous: None,
            length: new.len(),
            digest: digest(after),
            at,
            before: before[at..old.len() - tail].to_owned(),
            after: after[at..new.len() - tail].to_owned(),
        }
    }

    /// The text as it was before, when nobody has changed it since.
    pub(crate) fn undo(&self, text: &str) -> Option<String> {
        if text.len() != self.length || digest(text) != self.digest {
            return None;
        }
        let rest = text.get(self.at..)?.strip_prefix(&self.after)?;
        Some([text.get(..self.at)?, &self.before, rest].concat())
    }
}

fn digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

impl Manifest {
    fn path(state: &Path, client: &str) -> PathBuf {
        state.join("setup").join(format!("{client}.json"))
    }

    /// What was written for a client; nothing where nothing was, or where it cannot be read any more.
    ///
    /// # Errors
    /// `unavailable` when the file cannot be read.
    pub(crate) fn load(state: &Path, client: &str) -> Result<Self> {
        let text = file::read(&Self::path(state, client))?.unwrap_or_default();
        let known = |manifest: &Self| manifest.schema_version == VERSION;
        Ok(serde_json::from_str(&text).ok().filter(known).unwrap_or_default())
    }

    /// The change of one piece.
    pub(crate) fn edit(&self, what: &str, file: &Path) -> Option<&Edit> {
        self.edits
            .iter()
            .find(|edit| edit.what == what && edit.file.as_path() == file)
    }

    /// Writes it down, or takes the file away when nothing of ours is left.
    ///
    /// # Errors
    /// `unavailable` when it cannot be written.
    pub(crate) fn save(mut self, state: &Path, client: &str) -> Result<()> {
        let path = Self::path(state, client);
        if self.edits.is_empty() {
            return file::remove(&path, &[]);
        }
        self.schema_version = VERSION;
        let text = serde_json::to_string_pretty(&self)
            .map_err(|error| Error::bug("the manifest of the set-up could not be written").why(error))?;
        let old = file::read(&path)?;
        file::write(&path, old.as_deref(), &text).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_taken_back_exactly_while_nobody_else_changed_the_file() {
        for (before, after) in [
            ("", "{}\n"),
            ("{\"a\": 1}", "{\"a\": 1, \"b\": 2}"),
            ("aaaa", "aaaaaa"),
            ("ä\r\nö", "ä\r\nü\r\nö"),
            ("é", "è"),
            ("x", "x"),
            ("long text", ""),
        ] {
            let edit = Edit::new("server", Path::new("/x"), before, after);
            assert_eq!(edit.undo(after).as_deref(), Some(before), "{edit:?}");
            assert_eq!(edit.undo(&format!("{after} ")), None);
            assert!(edit.before.len() <= before.len() && edit.after.len() <= after.len());
        }
    }

    #[test]
    fn only_the_changed_piece_is_kept() {
        let before = "{\n  \"token\": \"secret\"\n}\n";
        let after = "{\n  \"token\": \"secret\",\n  \"ours\": 1\n}\n";
        let edit = Edit::new("server", Path::new("/x"), before, after);
        let kept = serde_json::to_string(&edit).expect("JSON");
        assert!(!kept.contains("secret"), "{kept}");
    }
}
