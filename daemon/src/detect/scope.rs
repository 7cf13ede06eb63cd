//! What an answer wants to know of each place it came from. Pure.
//!
//! Asked by `vigil`. What must stay true: a name that comes to mean something else is noticed in the directory above it,
//! and a directory is watched before what it holds.

use std::path::PathBuf;

use super::look::Trace;
use crate::world::FileKind;
use crate::world::events::What;

/// What of a place concerns an answer.
pub(super) enum Scope {
    /// Everything.
    All,
    /// That it stays where it is, and these names in it.
    Names(Vec<Vec<u8>>),
}

impl Scope {
    pub(super) fn concerns(&self, what: What<'_>) -> bool {
        match (self, what) {
            (_, What::Moved | What::Gone) | (Self::All, _) => true,
            (Self::Names(names), What::Name(name)) => names.iter().any(|own| own == name),
            (Self::Names(_), What::Itself) => false,
        }
    }
}

/// What to watch for these traces, directories before what they hold: each thing itself, and its name in the directory
/// above, which alone tells when the name comes to mean something else. None when that directory is not among them.
pub(super) fn places(traces: &[Trace]) -> Option<Vec<(PathBuf, FileKind, Scope)>> {
    let mut places: Vec<(PathBuf, FileKind, Scope)> =
        vec![(PathBuf::from("/"), FileKind::Dir, Scope::Names(Vec::new()))];
    for trace in traces {
        let path = trace.path();
        if let (Some(above), Some(name)) = (path.parent(), path.file_name()) {
            let (_, _, scope) = places.iter_mut().find(|(known, ..)| known == above)?;
            if let Scope::Names(names) = scope {
                names.push(name.as_encoded_bytes().to_vec());
            }
        }
        let Some(kind) = trace.kind() else { continue };
        let scope = if trace.is_exact() {
            Scope::All
        } else {
            Scope::Names(Vec::new())
        };
        match places.iter_mut().find(|(known, ..)| known == path) {
            Some(known) => known.2 = scope,
            None => places.push((path.to_path_buf(), kind, scope)),
        }
    }
    Some(places)
}
