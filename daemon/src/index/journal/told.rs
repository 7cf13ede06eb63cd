//! A change as it goes over the wire.
//!
//! Made by `journal` from what it has folded, and by `files` for a list that is told as changes. Pure.

use proto::RawPath;
use proto::index::{Change, ChangeKind};

use crate::index::tree::{Id, Kind, Tree};

/// A path as git prints it: with a slash after a nested repository.
pub(in crate::index) fn shown(kind: Kind, mut path: Vec<u8>) -> Vec<u8> {
    if kind == Kind::Nested {
        path.push(b'/');
    }
    path
}

/// A change as it goes over the wire, with the path as it is shown.
pub(in crate::index) fn change(
    tree: &Tree,
    id: Id,
    kind: ChangeKind,
    (path, from): (Vec<u8>, Option<Vec<u8>>),
) -> Change {
    let (size, mtime) = tree.size_and_mtime(id);
    let from = from.map(RawPath::from);
    Change {
        path: path.into(),
        kind,
        from,
        size: Some(size),
        mtime: Some(mtime),
        while_away: false,
    }
}

pub(super) fn with_path((path, change): (Vec<u8>, Change)) -> Change {
    Change {
        path: path.into(),
        ..change
    }
}

/// One whose path is put in later.
pub(super) fn deleted(while_away: bool) -> Change {
    let (size, mtime) = (None, None);
    Change {
        path: RawPath::default(),
        kind: ChangeKind::Deleted,
        from: None,
        size,
        mtime,
        while_away,
    }
}
