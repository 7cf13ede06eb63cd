//! An upload: pieces sent ahead of their answers, and sent again from where the daemon stands when the way breaks.
//!
//! What must stay true: memory does not grow with what is sent: of a pipe, only what the daemon has not synced is kept.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use proto::artifact::{self, Answer};
use proto::{Error, Kind, error::Result};
use rustix::buffer::spare_capacity;

use super::{Line, PIECE};
use crate::progress::Progress;
use crate::voice::Voice;

/// Pieces on their way at once.
const WINDOW: usize = 6;
/// How often in a row the way may break without a byte getting through.
const ATTEMPTS: u32 = 5;

/// Where the bytes come from.
pub(crate) enum Feed {
    /// A file: any place can be read again.
    File { file: File, size: u64 },
    /// A pipe: what was read and is not synced yet is kept.
    Pipe {
        /// Pieces by their place.
        kept: BTreeMap<u64, Vec<u8>>,
        /// How much was read.
        read: u64,
        ended: bool,
    },
}

/// The name of a file, for an artifact that is given none.
pub(crate) fn name_of(file: &Path) -> Result<String> {
    if file == Path::new("-") {
        return Err(Error::usage("standard input has no name").next("give one with `--name`"));
    }
    let name = file.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| {
        Error::usage(format!("`{}` has no name that can be kept", file.display()))
            .next("give one with `--name`")
    })
}

impl Feed {
    /// A file, or standard input for `-`.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Pipe {
                kept: BTreeMap::new(),
                read: 0,
                ended: false,
            });
        }
        let shown = path.display();
        let failed = |error: io::Error| {
            Error::not_found(format!("`{shown}` cannot be read"))
                .why(error)
                .next("name a file that is there, or `-` for standard input")
        };
        let found = std::fs::metadata(path).map_err(failed)?;
        if found.is_dir() {
            return Err(
                Error::usage(format!("`{shown}` is a folder")).next("store its files, or an archive of it")
            );
        }
        if !found.is_file() {
            return Err(
                Error::usage(format!("`{shown}` is no regular file")).next("give it on standard input: `-`")
            );
        }
        let file = File::open(path).map_err(failed)?;
        Ok(Self::File {
            size: file.metadata().map_err(failed)?.len(),
            file,
        })
    }

    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// How many bytes there are, where that is known.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Self::File { size, .. } => Some(*size),
            Self::Pipe { read, ended, .. } => ended.then_some(*read),
        }
    }

    /// All of it, when that is little.
    pub(crate) fn whole(&mut self) -> Result<Option<Vec<u8>>> {
        let length = self.ready(0)?;
        let all = match self {
            Self::File { size, .. } => *size <= PIECE as u64,
            Self::Pipe { .. } => self.ready(length as u64)? == 0,
        };
        if !all {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(length);
        self.lay((0, length), &mut bytes)?;
        Ok(Some(bytes))
    }

    /// How many bytes the piece at a place has; none at the end. Of a pipe they are read.
    fn ready(&mut self, offset: u64) -> Result<usize> {
        match self {
            Self::File { size, .. } => {
                let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
                Ok(left.min(PIECE))
            }
            Self::Pipe { kept, read, ended } => {
                if let Some((begin, bytes)) = kept.range(..=offset).next_back()
                    && offset < *begin + bytes.len() as u64
                {
                    return Ok(usize::try_from(begin + bytes.len() as u64 - offset).unwrap_or_default());
                }
                if offset != *read {
                    return Err(
                        Error::conflict("what was given on standard input is not there any more").why(
                            format!("the daemon stands at {offset}, and {read} bytes were read"),
                        ),
                    );
                }
                if *ended {
                    return Ok(0);
                }
                let mut bytes = proto::piece::take(PIECE);
                io::stdin()
                    .take(PIECE as u64)
                    .read_to_end(&mut bytes)
                    .map_err(|error| unreadable(&error))?;
                let length = bytes.len();
                *ended = length < PIECE;
                if length > 0 {
                    kept.insert(offset, bytes);
                }
                *read += length as u64;
                Ok(length)
            }
        }
    }

    /// Puts a piece that is [`Feed::ready`] behind what stands in `to`.
    fn lay(&mut self, (offset, length): (u64, usize), to: &mut Vec<u8>) -> Result<()> {
        let mut left = length;
        if length == 0 {
            return Ok(());
        }
        match self {
            Self::File { file, .. } => {
                let end = to.len() + length;
                to.reserve_exact(length + 1);
                while left > 0 {
                    let at = offset + (length - left) as u64;
                    let count = match rustix::io::pread(&*file, spare_capacity(to), at) {
                        Ok(count) => count,
                        Err(rustix::io::Errno::INTR) => continue,
                        Err(error) => return Err(unreadable(&error.into())),
                    };
                    if count == 0 {
                        return Err(Error::conflict("the file became shorter while it was read")
                            .next("store it again"));
                    }
                    left = left.saturating_sub(count);
                }
                // There may have been room for more.
                to.truncate(end);
            }
            Self::Pipe { kept, .. } => {
                let found = kept.range(..=offset).next_back();
                let part = found.and_then(|(begin, bytes)| {
                    bytes.get(usize::try_from(offset - begin).ok()?..)?.get(..length)
                });
                to.extend_from_slice(part.ok_or_else(|| Error::bug("a piece was sent before it was read"))?);
            }
        }
        Ok(())
    }

    /// The rest of an upload comes on standard input.
    fn begin_at(&mut self, offset: u64) {
        if let Self::Pipe { read, kept, .. } = self
            && *read == 0
            && kept.is_empty()
        {
            *read = offset;
        }
    }

    /// So much survives a power cut where it is.
    fn forget(&mut self, synced: u64) {
        if let Self::Pipe { kept, .. } = self {
            while let Some(first) = kept.first_entry()
                && first.key() + first.get().len() as u64 <= synced
            {
                proto::piece::give(first.remove());
            }
        }
    }
}

fn unreadable(error: &io::Error) -> Error {
    Error::unavailable("what is to be stored cannot be read").why(error)
}

/// What is on its way.
struct Flight {
    out: HashSet<u64>,
    /// Where the next piece begins.
    next: u64,
    /// Where the daemon stands, as far as we heard.
    received: u64,
    over: bool,
}

/// Sends what the daemon has not received; where it stands then.
pub(crate) fn go_on(line: &mut Line, draft: &str, feed: &mut Feed, voice: &Voice) -> Result<Answer> {
    let mut progress = Progress::new(voice);
    let mut attempts = 0;
    let mut furthest = 0;
    loop {
        let standing = line.ask(
            artifact::Request::Resume {
                draft: draft.to_owned(),
            },
            "",
        )?;
        let Answer::Upload { received, synced, .. } = standing else {
            return Err(Error::bug("the answer is not about an upload"));
        };
        feed.begin_at(received);
        feed.forget(synced);
        if feed.size().is_some_and(|size| received > size) {
            return Err(Error::conflict(format!(
                "the upload has {received} bytes already, more than there are"
            ))
            .next("is it another file?"));
        }
        if feed.ready(received)? == 0 {
            progress.clear();
            return Ok(standing);
        }
        attempts = if received > furthest { 0 } else { attempts + 1 };
        furthest = furthest.max(received);
        match fly(line, draft, (feed, received), &mut progress) {
            Ok(()) => {}
            Err(error) if error.kind == Kind::Unavailable && attempts < ATTEMPTS => line.client.drop_posted(),
            Err(error) => {
                line.client.drop_posted();
                progress.clear();
                return Err(error);
            }
        }
    }
}

/// Sends from a place to the end, over one connection.
fn fly(line: &mut Line, draft: &str, (feed, from): (&mut Feed, u64), progress: &mut Progress) -> Result<()> {
    let mut flight = Flight {
        out: HashSet::new(),
        next: from,
        received: from,
        over: false,
    };
    let total = feed.size();
    loop {
        while !flight.over && flight.out.len() < WINDOW {
            let length = feed.ready(flight.next)?;
            if length == 0 {
                flight.over = true;
                break;
            }
            let piece = artifact::Request::Append {
                draft: draft.to_owned(),
                offset: flight.next,
                bytes: Vec::new(),
            };
            let ask = line.question(piece, "");
            let lay = |to: &mut Vec<u8>| feed.lay((flight.next, length), to);
            flight.out.insert(line.client.post_with(&ask, length, lay)?);
            flight.next += length as u64;
        }
        if flight.out.is_empty() {
            return Ok(());
        }
        let (id, answer) = line.client.collect()?;
        flight.out.remove(&id);
        match answer {
            Ok(proto::Answer::Artifact(Answer::Upload { received, synced, .. })) => {
                flight.received = flight.received.max(received);
                feed.forget(synced);
                progress.count("bytes", flight.received, total);
            }
            Ok(_) => return Err(Error::bug("the answer is not about an upload")),
            // Too far ahead of one that was lost: the rest is heard out, then it goes on from where the daemon stands.
            Err(error) if error.kind == Kind::Conflict => flight.over = true,
            Err(error) => return Err(error),
        }
    }
}
