//! A download: pieces asked for ahead, put in order, checked against the digest when all of it was wanted.
//!
//! What must stay true: a file given with `-o` is there whole or not at all (`draft`); memory does not grow with what is read.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use proto::artifact::{self, Answer, Request};
use proto::{Error, Kind, RawPath, error::Result};
use serde::Serialize;

use super::behind::Behind;
use super::{Line, PIECE};
use crate::args::artifact::Get;
use crate::draft::{Draft, Older, Place};
use crate::end::End;
use crate::out::{Form, Out};
use crate::progress::Progress;
use crate::voice::Voice;

/// Pieces asked for at once.
const WINDOW: usize = 6;
/// How often in a row the way may break without a byte getting through.
const ATTEMPTS: u32 = 5;
/// The most bytes in one JSON object.
const MOST_IN_JSON: u64 = 4 << 20;

/// What an artifact's version is.
struct Version {
    id: String,
    version: u32,
    size: u64,
    digest: String,
}

#[derive(Serialize)]
struct Said<'a> {
    artifact_id: &'a str,
    version: u32,
    size: u64,
    digest: &'a str,
    offset: u64,
    length: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<RawPath>,
}

/// Where the bytes go.
enum Sink<'a> {
    Out(&'a mut Out),
    Kept(Vec<u8>),
    /// What it is written by, unless it has failed.
    File(Option<Behind>),
    /// A device or a pipe.
    Stream(File),
}

impl Sink<'_> {
    fn write(&mut self, bytes: Vec<u8>, hasher: &mut blake3::Hasher) -> io::Result<()> {
        match self {
            Self::File(behind) => {
                if behind.as_ref().is_some_and(|behind| behind.write(bytes)) {
                    return Ok(());
                }
                let failed = behind.take().map(Behind::finish);
                return match failed {
                    Some(Err(error)) => Err(error),
                    _ => Err(io::Error::other("the file is written by nobody")),
                };
            }
            Self::Out(out) => out.foreign(&bytes)?,
            Self::Stream(stream) => stream.write_all(&bytes)?,
            Self::Kept(kept) => kept.extend_from_slice(&bytes),
        }
        hasher.update(&bytes);
        proto::piece::give(bytes);
        Ok(())
    }

    /// When all has been given to it: the digest of that. A file is on the disk then.
    fn finish(&mut self, hasher: &blake3::Hasher) -> io::Result<blake3::Hash> {
        match self {
            Self::File(behind) => match behind.take() {
                Some(behind) => behind.finish(),
                None => Err(io::Error::other("the file is written by nobody")),
            },
            _ => Ok(hasher.finalize()),
        }
    }
}

pub(super) fn run(
    line: &mut Line,
    words: &Get,
    (out, voice): (&mut Out, &Voice),
) -> std::result::Result<(), End> {
    let (version, first) = look(line, &words.one.id, words.version)?;
    let (from, to) = slice(line, &version, words, first)?;
    let wanted = to - from;
    if let Some(path) = words.output.as_ref().filter(|path| *path != Path::new("-")) {
        let path = &std::path::absolute(path)?;
        if path.is_dir() {
            return Err(End::Failed(
                Error::usage(format!("`{}` is a folder", path.display()))
                    .next("name the file that is to be written in it"),
            ));
        }
        into_file(line, &version, (from, to), path, voice)?;
        if out.form() == Form::Json {
            out.json(&said(&version, (from, wanted), None, Some(path)))?;
        } else {
            voice.note(&format!("{wanted} bytes written: {}", path.display()));
        }
        return Ok(());
    }
    let mut progress = Progress::new(voice);
    if out.form() == Form::Json {
        if wanted > MOST_IN_JSON {
            return Err(End::Failed(
                Error::too_large(format!("{wanted} bytes do not fit into an answer"))
                    .why(format!("the limit is {MOST_IN_JSON}"))
                    .next("give `-o FILE`, or take a part with `--range`, `--head` or `--tail`"),
            ));
        }
        let mut sink = Sink::Kept(Vec::new());
        fetch(line, &version, (from, to), &mut sink, &mut progress)?;
        let Sink::Kept(bytes) = sink else { return Ok(()) };
        out.json(&said(&version, (from, wanted), Some(bytes), None))?;
        return Ok(());
    }
    fetch(line, &version, (from, to), &mut Sink::Out(out), &mut progress)
}

fn said<'a>(
    version: &'a Version,
    (offset, length): (u64, u64),
    bytes: Option<Vec<u8>>,
    output: Option<&Path>,
) -> Said<'a> {
    let (mut text, mut hex) = (None, None);
    match bytes.map(String::from_utf8) {
        Some(Ok(found)) => text = Some(found),
        Some(Err(error)) => {
            let digits = error.as_bytes().iter().map(|byte| format!("{byte:02x}"));
            hex = Some(digits.collect());
        }
        None => {}
    }
    Said {
        artifact_id: &version.id,
        version: version.version,
        size: version.size,
        digest: &version.digest,
        offset,
        length,
        text,
        hex,
        output: output.map(RawPath::from),
    }
}

/// Finds the version, with the first piece of it.
fn look(line: &mut Line, id: &str, version: Option<u32>) -> Result<(Version, Vec<u8>)> {
    let (found, bytes) = piece(line, (id, version), (0, PIECE as u64))?;
    Ok((found, bytes))
}

fn request((id, version): (&str, Option<u32>), (from, to): (u64, u64)) -> Request {
    artifact::Request::Read {
        id: id.to_owned(),
        version,
        offset: from,
        length: u32::try_from((to - from).min(PIECE as u64)).unwrap_or_default(),
    }
}

fn piece(line: &mut Line, which: (&str, Option<u32>), part: (u64, u64)) -> Result<(Version, Vec<u8>)> {
    match line.ask(request(which, part), "")? {
        Answer::Piece {
            version,
            size,
            digest,
            bytes,
        } => Ok((
            Version {
                id: which.0.to_owned(),
                version,
                size,
                digest,
            },
            bytes,
        )),
        _ => Err(Error::bug("the answer is not a piece of an artifact")),
    }
}

/// From which byte to before which one.
fn slice(line: &mut Line, version: &Version, words: &Get, first: Vec<u8>) -> Result<(u64, u64)> {
    let size = version.size;
    if let Some((from, to)) = words.range {
        let to = to.unwrap_or(size).min(size);
        return Ok((from.min(to), to));
    }
    if let Some(lines) = words.head {
        return Ok((0, head(line, version, lines, first)?));
    }
    if let Some(lines) = words.tail {
        return Ok((tail(line, version, lines)?, size));
    }
    Ok((0, size))
}

/// Behind the first `lines` line ends.
fn head(line: &mut Line, version: &Version, lines: u64, first: Vec<u8>) -> Result<u64> {
    let (mut at, mut left, mut bytes) = (0, lines, first);
    if left == 0 {
        return Ok(0);
    }
    loop {
        for (place, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            left -= 1;
            if left == 0 {
                return Ok(at + place as u64 + 1);
            }
        }
        at += bytes.len() as u64;
        if at >= version.size || bytes.is_empty() {
            return Ok(version.size);
        }
        let to = version.size.min(at + PIECE as u64);
        bytes = piece(line, (&version.id, Some(version.version)), (at, to))?.1;
    }
}

/// Where the last `lines` lines begin; the last byte ends the last line, whether it is a line end or not.
fn tail(line: &mut Line, version: &Version, lines: u64) -> Result<u64> {
    let (mut end, mut left) = (version.size, lines);
    if left == 0 {
        return Ok(version.size);
    }
    while end > 0 {
        let from = end.saturating_sub(PIECE as u64);
        let bytes = piece(line, (&version.id, Some(version.version)), (from, end))?.1;
        for (place, byte) in bytes.iter().enumerate().rev() {
            let place = from + place as u64;
            if *byte == b'\n' && place + 1 < version.size {
                left -= 1;
                if left == 0 {
                    return Ok(place + 1);
                }
            }
        }
        end = from;
    }
    Ok(0)
}

/// Pieces that come in any order, given on in theirs.
struct Flight {
    /// Where each piece on its way begins and ends, by the id of its request.
    out: HashMap<u64, (u64, u64)>,
    /// Pieces to ask for, again after the way broke.
    to_ask: VecDeque<(u64, u64)>,
    there: BTreeMap<u64, Vec<u8>>,
    asked: u64,
    written: u64,
}

fn fetch(
    line: &mut Line,
    version: &Version,
    (from, to): (u64, u64),
    sink: &mut Sink<'_>,
    progress: &mut Progress,
) -> std::result::Result<(), End> {
    let mut hasher = blake3::Hasher::new();
    let mut flight = Flight {
        out: HashMap::new(),
        to_ask: VecDeque::new(),
        there: BTreeMap::new(),
        asked: from,
        written: from,
    };
    let (mut attempts, mut furthest) = (0, from);
    while flight.written < to {
        match step(line, version, to, &mut flight) {
            Ok(()) => {}
            Err(error) if error.kind == Kind::Unavailable && attempts < ATTEMPTS => {
                attempts = if flight.written > furthest {
                    0
                } else {
                    attempts + 1
                };
                furthest = flight.written;
                line.client.drop_posted();
                flight.to_ask.extend(flight.out.drain().map(|(_, part)| part));
            }
            Err(error) => return Err(End::Failed(error)),
        }
        while let Some(bytes) = flight.there.remove(&flight.written) {
            flight.written += bytes.len() as u64;
            if let Sink::Out(_) = sink {
                progress.clear();
            }
            sink.write(bytes, &mut hasher)?;
            progress.count("bytes", flight.written - from, Some(to - from));
        }
    }
    progress.clear();
    let found = sink.finish(&hasher)?;
    if (from, to) == (0, version.size) && found.to_hex().as_str() != version.digest {
        return Err(End::Failed(
            Error::conflict(format!(
                "version {} of `{}` is damaged",
                version.version, version.id
            ))
            .why("its bytes are not those that were stored")
            .next(format!("run `tocli artifact verify {}`", version.id)),
        ));
    }
    Ok(())
}

/// Asks ahead, and takes one answer.
fn step(line: &mut Line, version: &Version, to: u64, flight: &mut Flight) -> Result<()> {
    while flight.out.len() + flight.there.len() < WINDOW {
        let part = match flight.to_ask.pop_front() {
            Some(part) => part,
            None if flight.asked < to => {
                let part = (flight.asked, to.min(flight.asked + PIECE as u64));
                flight.asked = part.1;
                part
            }
            None => break,
        };
        let ask = line.question(request((&version.id, Some(version.version)), part), "");
        match line.client.post(&ask) {
            Ok(id) => drop(flight.out.insert(id, part)),
            Err(error) => {
                flight.to_ask.push_front(part);
                return Err(error);
            }
        }
    }
    let (id, answer) = line.client.collect()?;
    let Some(part) = flight.out.remove(&id) else {
        return Ok(());
    };
    match answer? {
        proto::Answer::Artifact(Answer::Piece { bytes, .. }) if bytes.len() as u64 == part.1 - part.0 => {
            flight.there.insert(part.0, bytes);
            Ok(())
        }
        proto::Answer::Artifact(Answer::Piece { .. }) => Err(Error::conflict(format!(
            "`{}` is shorter than it should be",
            version.id
        ))
        .next(format!("run `tocli artifact verify {}`", version.id))),
        _ => Err(Error::bug("the answer is not a piece of an artifact")),
    }
}

/// Written without its name, synced, and put there whole; what is no file takes the bytes as they come.
fn into_file(
    line: &mut Line,
    version: &Version,
    part: (u64, u64),
    path: &Path,
    voice: &Voice,
) -> std::result::Result<(), End> {
    let failed = |error: io::Error| {
        Error::unavailable(format!("`{}` cannot be written", path.display()))
            .why(error)
            .next("name another place, or make room there")
    };
    let mut progress = Progress::new(voice);
    let mut write = || match Place::of(path)? {
        Place::Stream => {
            // A pipe is waited for until somebody reads it.
            let stream = File::options().write(true).open(path)?;
            fetch(line, version, part, &mut Sink::Stream(stream), &mut progress)
        }
        Place::File(spot) => {
            let draft = Draft::new(spot)?;
            let behind = Behind::new(draft.file().try_clone()?)?;
            fetch(line, version, part, &mut Sink::File(Some(behind)), &mut progress)?;
            Ok(draft.keep(Older::Goes)?)
        }
    };
    write().map_err(|end| match end {
        // It is not standard output that failed.
        End::Output(error) => End::Failed(failed(error)),
        other => other,
    })
}
