//! Reading an export: every line judged, alone and with those before it, before anything is recorded.
//!
//! Asked by the door. Contents become objects as they come, which nobody can reach before a record names them; records
//! are gathered in a file of our own. What must stay true: a file that is cut, damaged or made up is refused with the
//! number of the line; a record may name only contents that the same file brings; memory is bounded by the number of
//! tasks and artifacts, not by their contents.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use proto::error::{Error, Result};
use proto::maintenance::Lines;

use super::line::{Counters, End, Head, Line, VERSION};
use super::source::{Pieces, Source, looked_through};
use super::{Into, Progress, check, count};
use crate::artifact::store::Card as Artifact;
use crate::audit;
use crate::maintenance::legacy::store::Row as LegacyRow;
use crate::objects::{Digest, Draft, Objects};
use crate::task::card::Card as Task;

/// The most tasks, artifacts and contents, each.
const MOST: usize = 200_000;
/// The most bytes of all cards, which are held in memory.
const MOST_BYTES: usize = 256 << 20;
/// Bytes read at once.
const BUFFER: usize = 256 << 10;

/// A file whose every line was judged.
pub struct Checked {
    /// Its first line.
    pub head: Head,
    /// What it has counted up to.
    pub counters: Counters,
    /// How many of each kind.
    pub found: Lines,
    /// All its tasks.
    pub tasks: Vec<Task>,
    /// All its artifacts.
    pub artifacts: Vec<Artifact>,
    /// Its files of settings and roles: names and texts.
    pub files: Vec<(String, String)>,
    /// Its record lines, each with its end.
    pub records: Draft,
    /// How many bytes those are.
    pub bytes: u64,
}

/// What is kept of the contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// They become objects.
    Kept,
    /// They are only looked through.
    LookedThrough,
}

/// How to read.
pub struct Reading<'r> {
    /// Where objects go.
    pub objects: Objects,
    /// What becomes of contents.
    pub contents: Contents,
    /// The most bytes of one content.
    pub limit: u64,
    /// Hears how far it is.
    pub progress: Progress<'r>,
}

/// Reads a whole file; `path` is its name for people.
///
/// # Errors
/// `Refused` with the number of the line that is wrong; `TooLarge`; `Unavailable` when our own disk takes nothing.
pub fn read(file: File, path: &Path, reading: &Reading<'_>) -> Result<Checked> {
    let total = file.metadata().map(|found| found.len()).unwrap_or_default();
    let lines = Source {
        input: BufReader::with_capacity(BUFFER, file),
        path,
        number: 0,
        hasher: blake3::Hasher::new(),
        line: Vec::new(),
        bytes: 0,
        total,
        progress: reading.progress,
    };
    let records = reading.objects.nameless()?;
    let mut judge = Judge {
        lines,
        reading,
        contents: BTreeMap::new(),
        counters: Counters::default(),
        found: Lines::default(),
        tasks: HashMap::new(),
        cards: Vec::new(),
        artifacts: Vec::new(),
        files: Vec::new(),
        newest: HashMap::new(),
        held: 0,
        decisions: 0,
        furthest_link: 0,
        trail: audit::Head::default(),
    };
    let mut out = BufWriter::with_capacity(BUFFER, Into::new(&records));
    let head = judge.first()?;
    let mut place = (0, Vec::new());
    loop {
        let before = judge.lines.digest();
        let Some(line) = judge.lines.next()? else {
            return Err(judge.lines.wrong("the file is cut off: its last line is missing"));
        };
        if let Line::End(end) = &line {
            judge.end(end, before)?;
            break;
        }
        let here = line.place();
        if here <= place || here.0 == 0 {
            return Err(judge
                .lines
                .wrong(&format!("{} stands twice or out of order", line.shown())));
        }
        place = here;
        if matches!(line, Line::Content { .. } | Line::Piece(_)) {
            judge.content(&line)?;
            continue;
        }
        judge.record(&line)?;
        let written = out
            .write_all(&judge.lines.line)
            .and_then(|()| out.write_all(b"\n"));
        written.map_err(own_disk)?;
        match line {
            Line::Task(card) => judge.cards.push(*card),
            Line::Artifact(card) => judge.artifacts.push(*card),
            Line::File { name, text } => judge.files.push((name, text)),
            _ => {}
        }
    }
    out.flush().map_err(own_disk)?;
    let bytes = out.get_ref().at();
    drop(out);
    Ok(Checked {
        head,
        counters: judge.counters,
        found: judge.found,
        tasks: judge.cards,
        artifacts: judge.artifacts,
        files: judge.files,
        records,
        bytes,
    })
}

fn own_disk(error: io::Error) -> Error {
    Error::unavailable("the lines of the import cannot be gathered")
        .why(error)
        .next("make room and repeat it")
}

/// The versions of an artifact: the newest, and how many have come.
struct Versions {
    newest: (u32, u64, [u8; 32]),
    come: u32,
}

struct Judge<'s, 'r> {
    lines: Source<'s>,
    reading: &'s Reading<'r>,
    contents: BTreeMap<[u8; 32], u64>,
    counters: Counters,
    found: Lines,
    /// Where the card of a task is.
    tasks: HashMap<String, usize>,
    cards: Vec<Task>,
    artifacts: Vec<Artifact>,
    files: Vec<(String, String)>,
    /// The newest version of each artifact, and how many of its versions have come.
    newest: HashMap<String, Versions>,
    /// Bytes of the cards in memory.
    held: usize,
    decisions: u64,
    furthest_link: u64,
    trail: audit::Head,
}

impl Judge<'_, '_> {
    fn first(&mut self) -> Result<Head> {
        let line = self.lines.next()?;
        let Some(Line::WorkspaceExport(head)) = line else {
            self.lines.number = 1;
            return Err(self
                .lines
                .wrong("it is no export of a workspace: that begins with `workspace_export`"));
        };
        if head.version != VERSION {
            return Err(self
                .lines
                .wrong(&format!(
                    "it has format {}, and this release reads {VERSION}",
                    head.version
                ))
                .next("take it in with the release that wrote it, or a later one"));
        }
        Ok(head)
    }

    fn end(&mut self, end: &End, before: [u8; 32]) -> Result<()> {
        if end.lines != self.lines.number {
            let why = format!(
                "it counts {} lines, and this is line {}",
                end.lines, self.lines.number
            );
            return Err(self.lines.wrong(&why));
        }
        if end.digest != before {
            return Err(self.lines.wrong("its digest is not that of the lines before it"));
        }
        if let Some((id, _)) = self.newest.iter().find(|(_, all)| all.come < all.newest.0) {
            let why = format!("artifact `{id}` comes without its newest version");
            return Err(self.lines.wrong(&why));
        }
        if self.furthest_link > self.decisions {
            let why = format!(
                "a decision is linked to number {}, which is not there",
                self.furthest_link
            );
            return Err(self.lines.wrong(&why));
        }
        let rest = self.lines.input.fill_buf().map(<[u8]>::len).unwrap_or_default();
        match rest {
            0 => Ok(()),
            _ => Err(self.lines.wrong("something follows the last line")),
        }
    }

    /// A content with its pieces.
    fn content(&mut self, line: &Line) -> Result<()> {
        let Line::Content { digest, size } = line else {
            return Err(self.lines.wrong("a piece of nothing"));
        };
        if *size > self.reading.limit {
            let why = format!(
                "a content of {size} bytes, and the limit here is {}",
                self.reading.limit
            );
            return Err(self
                .lines
                .wrong(&why)
                .next("raise `workspace.max_artifact_size_mb` in your own settings"));
        }
        if self.contents.len() == MOST {
            return Err(self.lines.wrong(&format!("more than {MOST} contents")));
        }
        self.found.contents += 1;
        let mut pieces = Pieces {
            lines: &mut self.lines,
            left: *size,
            piece: Vec::new(),
            at: 0,
            failed: None,
        };
        let taken = match self.reading.contents {
            Contents::Kept => self.reading.objects.take_in(&mut pieces, *size),
            Contents::LookedThrough => looked_through(&mut pieces),
        };
        if let Some(error) = pieces.failed.take() {
            return Err(error);
        }
        let taken = taken?;
        if taken.digest.as_bytes() != digest || taken.size != *size {
            return Err(self.lines.wrong(&format!(
                "the content before is not the one with the digest {}",
                Digest::from(*digest)
            )));
        }
        self.contents.insert(*digest, *size);
        Ok(())
    }

    /// A record, with those before it.
    fn record(&mut self, line: &Line) -> Result<()> {
        check::line(line).map_err(|why| self.lines.wrong(&format!("{}: {why}", line.shown())))?;
        self.fits(line)
            .map_err(|why| self.lines.wrong(&format!("{}: {why}", line.shown())))?;
        count(line, &mut self.found);
        Ok(())
    }

    fn fits(&mut self, line: &Line) -> std::result::Result<(), String> {
        let length = self.lines.line.len();
        match line {
            Line::Counters(counters) => self.counters = *counters,
            Line::Task(card) => {
                self.hold(length, self.tasks.len())?;
                if card.change > self.counters.task_changes {
                    return Err("a change that was never counted".to_owned());
                }
                self.tasks.insert(card.id.clone(), self.cards.len());
            }
            Line::File { .. } => self.hold(length, self.files.len())?,
            Line::TaskTexts { task, .. } => drop(self.task(task)?),
            Line::TaskPast { task, revision, .. } | Line::TaskPastTexts { task, revision, .. }
                if *revision > self.task(task)?.revision =>
            {
                return Err("a revision that is still to come".to_owned());
            }
            Line::TaskNote { task, .. } => drop(self.task(task)?),
            Line::Artifact(card) => {
                self.hold(length, self.newest.len())?;
                if card.born > self.counters.artifacts {
                    return Err("an order that was never counted".to_owned());
                }
                let newest = (card.version, card.size, card.digest);
                self.newest.insert(card.id.clone(), Versions { newest, come: 0 });
            }
            Line::ArtifactVersion { artifact, edition } => {
                let brought = (edition.digest, edition.size);
                self.brought(&brought.0, Some(brought.1))?;
                let versions = self
                    .newest
                    .get_mut(artifact)
                    .ok_or("the file does not hold that artifact")?;
                versions.come += 1;
                let (newest, size, digest) = versions.newest;
                if edition.version != versions.come || edition.version > newest {
                    return Err("versions are counted from 1 to that of the artifact, each once".to_owned());
                }
                if edition.version == newest && (edition.size, edition.digest) != (size, digest) {
                    return Err("it is another one than its artifact says".to_owned());
                }
            }
            Line::Decision(card) => {
                self.decisions += 1;
                if card.number != self.decisions {
                    return Err(format!("the one before it has the number {}", self.decisions - 1));
                }
                let furthest = card.links.iter().map(|link| link.number).max();
                self.furthest_link = self.furthest_link.max(furthest.unwrap_or_default());
            }
            Line::Note(note) if note.number > self.counters.notes => {
                return Err("a number that was never given".to_owned());
            }
            Line::Legacy { import, .. } => {
                if let Some(LegacyRow::There(digest)) = &import.row {
                    self.brought(digest, None)?;
                }
            }
            Line::Event(event) => {
                if event.seq != self.trail.seq + 1 || event.previous != self.trail.digest {
                    return Err("the chain of events is broken here".to_owned());
                }
                self.trail = audit::Head {
                    seq: event.seq,
                    digest: event.digest().map_err(|error| error.to_string())?,
                };
            }
            _ => {}
        }
        Ok(())
    }

    fn task(&self, id: &str) -> std::result::Result<&Task, String> {
        let place = self.tasks.get(id).and_then(|place| self.cards.get(*place));
        place.ok_or_else(|| "the file does not hold that task".to_owned())
    }

    fn hold(&mut self, length: usize, count: usize) -> std::result::Result<(), String> {
        self.held += length;
        match count < MOST && self.held <= MOST_BYTES {
            true => Ok(()),
            false => Err(format!(
                "there are more than {MOST} of them, or more than {} MiB",
                MOST_BYTES >> 20
            )),
        }
    }

    /// A record speaks only of bytes that came with it: never of what others have stored here.
    fn brought(&self, digest: &[u8; 32], size: Option<u64>) -> std::result::Result<(), String> {
        match self.contents.get(digest) {
            None => Err("the file does not hold its contents".to_owned()),
            Some(found) if size.is_some_and(|size| size != *found) => {
                Err(format!("its contents have {found} bytes"))
            }
            Some(_) => Ok(()),
        }
    }
}
