//! Which workspace a directory is: pure.
//!
//! Asked by `registry` with what stands on record and what was seen. What must stay true: records are never handed to
//! another directory on the word of a file in it: taking an id over needs the same device and inode (and the same time
//! of making, since inodes are used again), the same path with the same id, or a person's confirmation.

use std::path::{Path, PathBuf};

use proto::{Error, error::Result};
use serde::{Deserialize, Serialize};

/// How long a forgotten workspace can be restored: 30 days, in nanoseconds (SPEC 5).
pub const KEPT: i64 = 30 * 24 * 3600 * 1_000_000_000;

/// How stale the last access on record may be before a mere use writes it: an hour, in nanoseconds.
pub const ACCESS_STEP: i64 = 3600 * 1_000_000_000;

/// Which directory it is, whatever its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Device.
    pub device: u64,
    /// Inode.
    pub inode: u64,
    /// When it was made, nanoseconds since 1970 UTC, where the file system keeps that.
    pub born: Option<i64>,
}

impl Identity {
    /// The same directory on the same device.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.device == other.device && self.stays(other)
    }

    /// The same directory, allowing for a device that got another number at the last boot. Only for the same path: a
    /// snapshot of a file system repeats inodes and times.
    #[must_use]
    pub fn stays(&self, other: &Self) -> bool {
        match (self.born, other.born) {
            (Some(one), Some(two)) => self.inode == other.inode && one == two,
            _ => self.inode == other.inode && self.device == other.device,
        }
    }

    /// As [`Identity::is`], with proof that it is no other directory that got the same inode later.
    #[must_use]
    pub fn surely_is(&self, other: &Self) -> bool {
        self.born.is_some() && other.born.is_some() && self.is(other)
    }
}

/// A workspace on record, as far as recognising goes.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its root.
    pub root: &'a Path,
    /// Its root's identity.
    pub identity: Identity,
    /// Whether something was ever written to it: only then are there records to protect.
    pub used: bool,
    /// Whether it was forgotten.
    pub forgotten: bool,
}

/// A directory as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Absolute, links resolved.
    pub root: PathBuf,
    /// Which directory it is.
    pub identity: Identity,
    /// What its `workspace.json` says.
    pub mirror: Option<Mirror>,
}

/// What a `workspace.json` says: a claim, not a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// `ws_<12 hex>`.
    pub id: String,
    /// The directory it was written for.
    pub identity: Identity,
}

/// Which workspace it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This one, at the root on record.
    Known(String),
    /// This one, and the record's root or identity is not (or not any more) where it was seen.
    Again(String),
    /// None on record; its own id was made here for this very directory, so it is kept.
    Adopt(String),
    /// None.
    New {
        /// What its owner should know.
        note: Option<String>,
    },
}

/// Which workspace a directory is.
#[must_use]
pub fn recognise(known: &[Known<'_>], seen: &Seen) -> Verdict {
    let live = || known.iter().filter(|known| !known.forgotten);
    let here = || live().filter(|known| known.root == seen.root);
    if let Some(same) = here().find(|known| known.identity.stays(&seen.identity)) {
        return match same.identity == seen.identity {
            true => Verdict::Known(same.id.to_owned()),
            false => Verdict::Again(same.id.to_owned()),
        };
    }
    let named = |known: &Known<'_>| seen.mirror.as_ref().is_some_and(|mirror| mirror.id == known.id);
    if let Some(moved) = live().find(|known| {
        known.identity.surely_is(&seen.identity) || (named(known) && known.identity.is(&seen.identity))
    }) {
        return Verdict::Again(moved.id.to_owned());
    }
    if let Some(restored) = here().find(|known| named(known)) {
        return Verdict::Again(restored.id.to_owned());
    }
    if let Some(unused) = here().find(|known| !known.used) {
        return Verdict::Again(unused.id.to_owned());
    }
    unknown(known, seen)
}

fn unknown(known: &[Known<'_>], seen: &Seen) -> Verdict {
    if let Some(replaced) = known
        .iter()
        .find(|known| known.root == seen.root && !known.forgotten)
    {
        let id = replaced.id;
        let note = format!(
            "another directory stood here as `{id}`: to take its records over, run `tocli workspace relocate {id} . --confirm`"
        );
        return Verdict::New { note: Some(note) };
    }
    let Some(mirror) = &seen.mirror else {
        return Verdict::New { note: None };
    };
    let id = &mirror.id;
    match known.iter().find(|known| known.id == id) {
        Some(known) if !known.forgotten => Verdict::New {
            note: Some(format!(
                "its `workspace.json` names `{id}`, which belongs to `{}`: this is a copy with records of its own; if it was moved here, run `tocli workspace relocate {id} . --confirm`",
                known.root.display()
            )),
        },
        Some(_) => Verdict::New {
            note: Some(format!(
                "it was forgotten as `{id}`: `tocli workspace restore {id}` brings its records back"
            )),
        },
        None if mirror.identity.surely_is(&seen.identity) => Verdict::Adopt(id.clone()),
        None => Verdict::New { note: None },
    }
}

/// Whether a text is the id of a workspace: `ws_` and 12 hexadecimal digits in small letters.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.strip_prefix("ws_").is_some_and(|rest| {
        rest.len() == 12
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

/// The id of six random bytes.
#[must_use]
pub fn id(random: [u8; 6]) -> String {
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("ws_{hex}")
}

/// A name for a directory: its last part, fit to be shown.
#[must_use]
pub fn name_of(root: &Path) -> String {
    let last = root
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_else(|| "root".to_owned());
    let shown: String = last
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(100)
        .collect();
    if is_id(&shown) { format!("_{shown}") } else { shown }
}

/// A display name, checked.
///
/// # Errors
/// `usage` when it cannot be shown or could be taken for an id.
pub fn name(text: &str) -> Result<&str> {
    let length = text.chars().count();
    let why = if !(1..=100).contains(&length) {
        "it has between 1 and 100 characters"
    } else if text.chars().any(char::is_control) {
        "it holds no control characters"
    } else if text.trim() != text {
        "it neither begins nor ends with a space"
    } else if text.starts_with("ws_") {
        "names that begin with `ws_` would be taken for ids"
    } else {
        return Ok(text);
    };
    Err(Error::usage("the name cannot be used").why(why))
}

/// Whether what was forgotten then is gone for good now.
#[must_use]
pub fn expired(forgotten: Option<i64>, now: i64) -> bool {
    forgotten.is_some_and(|then| now.saturating_sub(then) > KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Identity = Identity {
        device: 1,
        inode: 10,
        born: Some(100),
    };
    const B: Identity = Identity {
        device: 1,
        inode: 11,
        born: Some(200),
    };
    const ID: &str = "ws_0123456789ab";

    fn known(root: &'static str, identity: Identity) -> Known<'static> {
        Known {
            id: ID,
            root: Path::new(root),
            identity,
            used: true,
            forgotten: false,
        }
    }

    fn seen(root: &str, identity: Identity, id: Option<&str>) -> Seen {
        let mirror = id.map(|id| Mirror {
            id: id.to_owned(),
            identity: A,
        });
        Seen {
            root: root.into(),
            identity,
            mirror,
        }
    }

    fn again() -> Verdict {
        Verdict::Again(ID.to_owned())
    }

    fn is_new(verdict: &Verdict) -> bool {
        matches!(verdict, Verdict::New { .. })
    }

    #[test]
    fn the_same_directory_at_the_same_path_is_known_whatever_its_file_says() {
        for mirror in [None, Some(ID), Some("ws_ffffffffffff")] {
            assert_eq!(
                recognise(&[known("/a", A)], &seen("/a", A, mirror)),
                Verdict::Known(ID.to_owned())
            );
        }
        let renumbered = Identity { device: 9, ..A };
        assert_eq!(
            recognise(&[known("/a", A)], &seen("/a", renumbered, None)),
            again()
        );
    }

    #[test]
    fn a_moved_directory_keeps_its_id_and_a_copy_does_not() {
        assert_eq!(recognise(&[known("/a", A)], &seen("/b", A, Some(ID))), again());
        assert_eq!(recognise(&[known("/a", A)], &seen("/b", A, None)), again());
        let copy = recognise(&[known("/a", A)], &seen("/b", B, Some(ID)));
        assert!(matches!(copy, Verdict::New { note: Some(note) } if note.contains("relocate")));
    }

    #[test]
    fn an_inode_that_was_used_again_proves_nothing() {
        let reused = Identity { born: Some(300), ..A };
        assert!(is_new(&recognise(&[known("/a", A)], &seen("/b", reused, None))));
        assert!(is_new(&recognise(
            &[known("/a", A)],
            &seen("/b", reused, Some(ID))
        )));
        let silent = Identity { born: None, ..A };
        let on_record = known("/a", silent);
        assert!(
            is_new(&recognise(&[on_record], &seen("/b", silent, None))),
            "no time of making, no proof"
        );
        assert_eq!(recognise(&[on_record], &seen("/b", silent, Some(ID))), again());
    }

    #[test]
    fn a_snapshot_on_another_device_is_a_copy() {
        let snapshot = Identity { device: 2, ..A };
        assert!(is_new(&recognise(
            &[known("/a", A)],
            &seen("/b", snapshot, Some(ID))
        )));
    }

    #[test]
    fn a_cloned_repository_cannot_claim_an_id_with_a_file() {
        assert!(is_new(&recognise(
            &[known("/a", A)],
            &seen("/clone", B, Some(ID))
        )));
        let crafted = Seen {
            mirror: Some(Mirror {
                id: ID.into(),
                identity: B,
            }),
            ..seen("/clone", B, None)
        };
        assert!(is_new(&recognise(&[known("/a", A)], &crafted)));
        // Nobody has the id: it is taken only for the very directory it was made for.
        assert!(is_new(&recognise(&[], &seen("/clone", B, Some(ID)))));
        assert_eq!(
            recognise(&[], &seen("/a", A, Some(ID))),
            Verdict::Adopt(ID.to_owned())
        );
    }

    #[test]
    fn another_directory_at_a_known_path_takes_records_over_only_with_the_same_id_or_when_there_are_none() {
        assert!(matches!(
            recognise(&[known("/a", A)], &seen("/a", B, None)),
            Verdict::New { note: Some(note) } if note.contains("--confirm")
        ));
        assert_eq!(recognise(&[known("/a", A)], &seen("/a", B, Some(ID))), again());
        let unused = Known {
            used: false,
            ..known("/a", A)
        };
        assert_eq!(recognise(&[unused], &seen("/a", B, None)), again());
    }

    #[test]
    fn a_directory_that_was_moved_away_is_still_found_when_another_takes_its_place() {
        let other = Known {
            id: "ws_ffffffffffff",
            identity: B,
            ..known("/a", B)
        };
        let both = [known("/a", A), other];
        assert_eq!(recognise(&both, &seen("/b", A, Some(ID))), again());
        assert_eq!(
            recognise(&both, &seen("/a", B, None)),
            Verdict::Known("ws_ffffffffffff".into())
        );
    }

    #[test]
    fn a_forgotten_workspace_begins_anew_and_says_how_to_get_the_old_one_back() {
        let forgotten = Known {
            forgotten: true,
            ..known("/a", A)
        };
        let verdict = recognise(&[forgotten], &seen("/a", A, Some(ID)));
        assert!(matches!(verdict, Verdict::New { note: Some(note) } if note.contains("restore")));
        assert!(!expired(Some(0), KEPT) && expired(Some(0), KEPT + 1) && !expired(None, i64::MAX));
    }

    #[test]
    fn ids_and_names_cannot_be_mistaken_for_each_other() {
        assert_eq!(id([0, 1, 0xab, 0xff, 4, 5]), "ws_0001abff0405");
        assert!(is_id("ws_0123456789ab"));
        for bad in [
            "ws_0123456789aB",
            "ws_0123456789a",
            "ws_0123456789abc",
            "0123456789ab",
            "ws_../../../a",
        ] {
            assert!(!is_id(bad), "{bad}");
        }
        assert!(name("my project").is_ok());
        for bad in ["", " x", "ws_x", "a\nb", &"x".repeat(101)] {
            assert!(name(bad).is_err(), "{bad}");
        }
        assert_eq!(name_of(Path::new("/home/a\nb")), "a\u{fffd}b");
        assert_eq!(name_of(Path::new("/")), "root");
    }
}
