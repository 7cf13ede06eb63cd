//! A saved index: all of an engine that outlives it, in a compact form of its own.
//!
//! Written by a tree's thread when it ends and now and then between, read when the tree is wanted again: in another life
//! of the daemon from a file (`shelf.rs`), in its next image from what is handed over. What must stay true: what is not
//! whole, of another version or impossible is refused as a whole, and then the files are read anew; a reader is bounded by
//! the bytes it is given.

pub(super) mod bytes;
pub(super) mod shelf;

use std::sync::Arc;
use std::time::Duration;

use self::bytes::{Reader, Writer};
use super::Manner;
use super::engine::{Control, Inner, View};
use super::ignore::Matcher;
use super::journal::Journal;
use super::links::Links;
use super::tracked::Tracked;
use super::tree::{Id, Kind, Tree};
use super::unwatched::Unwatched;
use super::wildmatch::Case;
use super::witness::Stamp;
use crate::watch::Backend;
use crate::watch::Wd;

const MAGIC: &[u8; 8] = b"TODINDEX";
/// Another shape is another number.
const VERSION: u32 = 5;
/// Bytes of the digest at the end.
const DIGEST: usize = blake3::OUT_LEN;

/// What an index says of itself before the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Whose ticks they are.
    pub(super) incarnation: u64,
    /// Absolute.
    pub(super) root: Vec<u8>,
    /// A repository elsewhere that says that its files are in the root; empty when none is known.
    pub(super) led_from: Vec<u8>,
    /// Device and inode of the root.
    pub(super) identity: (u64, u64),
    /// What the rules of the repository and the settings were made of.
    pub(super) rules: [u8; DIGEST],
    /// Git's index as it was when it was last read; none when that is not known.
    pub(super) git_index: Option<Stamp>,
    /// How it was followed.
    pub(super) manner: Manner,
    /// Nothing waited to be looked at.
    pub(super) is_at_rest: bool,
}

/// A saved index, read.
pub(super) struct Saved {
    pub(super) head: Head,
    pub(super) view: View,
    pub(super) tracked: Tracked,
    links: Links,
    folders: Vec<(Id, Kept)>,
    controls: Vec<(Wd, Control)>,
}

/// What is kept of a directory beyond its node.
struct Kept {
    wd: Option<Wd>,
    git_wd: Option<Wd>,
    matcher: Option<Arc<Matcher>>,
    has_git: bool,
    is_unwatched: bool,
    is_veiled: bool,
}

/// Writes an index.
pub(super) fn write(head: &Head, view: &View, (inner, tracked): (&Inner, &Tracked)) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.raw(MAGIC);
    writer.u32(VERSION);
    writer.u64(head.incarnation);
    writer.text(&head.root);
    writer.text(&head.led_from);
    writer.u64(head.identity.0);
    writer.u64(head.identity.1);
    writer.raw(&head.rules);
    writer.u8(u8::from(head.git_index.is_some()));
    stamp(&mut writer, head.git_index.flatten());
    writer.text(head.manner.backend.word().as_bytes());
    writer.u64(head.manner.max_watches);
    writer.u64(u64::try_from(head.manner.settle.as_millis()).unwrap_or(u64::MAX));
    writer.u64(head.manner.poll.as_secs());
    writer.u64(head.manner.remembered as u64);
    writer.count(head.manner.extra_ignores.len());
    for line in &head.manner.extra_ignores {
        writer.text(line.as_bytes());
    }
    writer.u8(u8::from(head.is_at_rest));
    view.tree.save(&mut writer);
    view.journal.save(&mut writer);
    tracked.save(&mut writer);
    writer.count(inner.links.known.len());
    for &ino in &inner.links.known {
        writer.u64(ino);
    }
    writer.count(inner.folders.len());
    for (id, &wd) in &inner.folders {
        let matcher = inner.matchers.get(id);
        writer.u32(id.0);
        optional(&mut writer, wd);
        optional(&mut writer, inner.git_wds.get(id).copied());
        let flags = u8::from(inner.gits.contains_key(id))
            | (u8::from(inner.unwatched.contains_key(id)) << 1)
            | (u8::from(matcher.is_some()) << 2)
            | (u8::from(inner.veiled.contains(id)) << 3)
            | (u8::from(matcher.is_some_and(|matcher| matcher.case() == Case::Folded)) << 4);
        writer.u8(flags);
        if let Some(matcher) = matcher {
            writer.text(matcher.source());
        }
    }
    let controls: Vec<(Wd, u8)> = inner
        .controls
        .iter()
        .flat_map(|(&wd, controls)| controls.iter().map(move |control| (wd, control)))
        .filter_map(|(wd, control)| {
            let at = CONTROLS.iter().position(|known| known == control)?;
            Some((wd, u8::try_from(at).ok()?))
        })
        .collect();
    writer.count(controls.len());
    for (wd, control) in controls {
        optional(&mut writer, Some(wd));
        writer.u8(control);
    }
    let digest = blake3::hash(&writer.bytes);
    writer.raw(digest.as_bytes());
    writer.bytes
}

/// Control watches that belong to no directory of the tree.
const CONTROLS: [Control; 3] = [Control::GitDir, Control::Common, Control::Info];

fn optional(writer: &mut Writer, wd: Option<Wd>) {
    writer.u32(wd.map_or(0, Wd::cast_unsigned));
}

/// Watches are counted from one.
fn watch(reader: &mut Reader<'_>) -> Option<Option<Wd>> {
    let wd = reader.u32()?.cast_signed();
    Some((wd > 0).then_some(wd))
}

fn stamp(writer: &mut Writer, stamp: Stamp) {
    writer.u8(u8::from(stamp.is_some()));
    let (ino, size, mtime, ctime) = stamp.unwrap_or_default();
    writer.u64(ino);
    writer.u64(size);
    writer.i64(mtime);
    writer.i64(ctime);
}

fn read_stamp(reader: &mut Reader<'_>) -> Option<Stamp> {
    let is_there = reader.u8()? != 0;
    let stamp = (reader.u64()?, reader.u64()?, reader.i64()?, reader.i64()?);
    Some(is_there.then_some(stamp))
}

fn manner(reader: &mut Reader<'_>) -> Option<Manner> {
    let backend = Backend::of(std::str::from_utf8(reader.text()?).ok()?);
    let max_watches = reader.u64()?;
    let (settle, poll) = (
        Duration::from_millis(reader.u64()?),
        Duration::from_secs(reader.u64()?),
    );
    let remembered = usize::try_from(reader.u64()?).ok()?;
    let line = |reader: &mut Reader<'_>| String::from_utf8(reader.text()?.to_vec()).ok();
    let extra_ignores = (0..reader.count(8)?)
        .map(|_| line(reader))
        .collect::<Option<_>>()?;
    Some(Manner {
        backend,
        max_watches,
        settle,
        poll,
        remembered,
        extra_ignores,
    })
}

impl Saved {
    /// Reads what [`write`] wrote; none when it is anything else.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (body, digest) = bytes.split_last_chunk::<DIGEST>()?;
        // Both take some milliseconds for a large tree, and neither needs the other.
        std::thread::scope(|scope| {
            let whole = scope.spawn(|| blake3::hash(body) == *digest);
            let saved = Self::read_body(body);
            saved.filter(|_| whole.join().is_ok_and(|whole| whole))
        })
    }

    fn read_body(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        if reader.raw(MAGIC.len())? != MAGIC || reader.u32()? != VERSION {
            return None;
        }
        let head = Head {
            incarnation: reader.u64()?,
            root: reader.text()?.to_vec(),
            led_from: reader.text()?.to_vec(),
            identity: (reader.u64()?, reader.u64()?),
            rules: *reader.raw(DIGEST)?.first_chunk()?,
            git_index: {
                let is_known = reader.u8()? != 0;
                let stamp = read_stamp(&mut reader)?;
                is_known.then_some(stamp)
            },
            manner: manner(&mut reader)?,
            is_at_rest: reader.u8()? != 0,
        };
        let mut tree = Tree::load(&mut reader)?;
        let journal = Journal::load(&mut reader, &mut tree)?;
        let tracked = Tracked::load(&mut reader)?;
        let known = (0..reader.count(8)?).map(|_| reader.u64());
        let links = Links::of(known.collect::<Option<_>>()?);
        let mut folders = Vec::new();
        for _ in 0..reader.count(13)? {
            let id = Id(reader.u32()?);
            let is_folder = id.0 < tree.ids()
                && tree.is_attached(id)
                && matches!(tree.kind(id), Kind::Dir | Kind::Nested);
            let (wd, git_wd, flags) = (watch(&mut reader)?, watch(&mut reader)?, reader.u8()?);
            let matcher = match flags & 4 {
                0 => None,
                _ => {
                    let case = if flags & 16 == 0 {
                        Case::Exact
                    } else {
                        Case::Folded
                    };
                    Some(Arc::new(Matcher::parse_in(reader.text()?.to_vec(), case)))
                }
            };
            if !is_folder || flags > 31 {
                return None;
            }
            let kept = Kept {
                wd,
                git_wd,
                matcher,
                has_git: flags & 1 != 0,
                is_unwatched: flags & 2 != 0,
                is_veiled: flags & 8 != 0,
            };
            folders.push((id, kept));
        }
        let mut controls = Vec::new();
        for _ in 0..reader.count(5)? {
            let (wd, control) = (watch(&mut reader)??, reader.u8()?);
            controls.push((wd, *CONTROLS.get(usize::from(control))?));
        }
        reader.is_at_the_end().then_some(Self {
            head,
            view: View { tree, journal },
            tracked,
            links,
            folders,
            controls,
        })
    }

    /// Every watch that was in use.
    pub(super) fn watches(&self) -> impl Iterator<Item = Wd> {
        let of_folders = self.folders.iter().flat_map(|(_, kept)| [kept.wd, kept.git_wd]);
        let of_controls = self.controls.iter().map(|&(wd, _)| Some(wd));
        of_folders.chain(of_controls).flatten()
    }

    /// What reading directories had come to: with the watches, where those are still there, or without.
    pub(super) fn take_inner(&mut self, watches: Watches) -> Inner {
        let mut inner = Inner {
            links: std::mem::take(&mut self.links),
            ..Inner::default()
        };
        let has_watches = watches == Watches::Kept;
        inner.folders.reserve(self.folders.len());
        if has_watches {
            inner.by_wd.reserve(self.folders.len());
        }
        for (id, kept) in std::mem::take(&mut self.folders) {
            inner.set_matcher(id, kept.matcher);
            inner.folders.insert(id, kept.wd.filter(|_| has_watches));
            if kept.has_git {
                let is_repository = kept.is_veiled || self.view.tree.kind(id) == Kind::Nested;
                inner.gits.insert(id, is_repository);
            }
            if kept.is_veiled {
                inner.veiled.insert(id);
            }
            if has_watches {
                inner.by_wd.extend(kept.wd.map(|wd| (wd, id)));
                if let Some(wd) = kept.git_wd {
                    inner.git_wds.insert(id, wd);
                    inner.controls.entry(wd).or_default().push(Control::Nested(id));
                }
                if kept.is_unwatched {
                    // Why is found out by the next look, which it is marked for.
                    inner.unwatched.insert(id, Unwatched::Limit);
                }
            }
        }
        if has_watches {
            for (wd, control) in std::mem::take(&mut self.controls) {
                inner.controls.entry(wd).or_default().push(control);
            }
        }
        inner
    }
}

/// Whether the watches of a saved index are still in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watches {
    /// They came with it, and their queue.
    Kept,
    /// They ended with who had them.
    Gone,
}
