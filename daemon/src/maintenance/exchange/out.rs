//! Writing an export: records under the workspace's lock into a file of our own, then everything to whoever reads.
//!
//! Asked by the door. What must stay true: the records are those of one moment; nobody who reads slowly keeps a writer
//! waiting; memory does not grow with what is written.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};

use proto::error::{Error, Result};
use proto::maintenance::Exported;

use super::line::{End, Head, Line, PIECE, VERSION};
use super::{Into, Progress, check, count};
use crate::artifact::store::Artifacts;
use crate::context::{session, store::Notes};
use crate::ctx::Ctx;
use crate::decision::store::Decisions;
use crate::dispatch::hold;
use crate::maintenance::legacy::store::{Imports, Row as LegacyRow};
use crate::objects::{Digest, Draft};
use crate::task::store::Tasks;
use crate::workspace::{Folder, WorkspaceScope, store};
use crate::world::FileKind;

/// Bytes that go to the reader at once.
const AT_ONCE: usize = 128 << 10;
/// The most roles of a project.
const MOST_ROLES: usize = 500;

/// The most sentences about what is odd.
const MOST_WARNINGS: usize = 20;

/// Where the lines go.
pub type Reader<'r> = &'r dyn Fn(Vec<u8>) -> Result<()>;

/// The records of one moment.
struct Records {
    lines: u64,
    contents: BTreeMap<[u8; 32], (u64, String)>,
    exported: Exported,
}

/// Writes all of a workspace.
///
/// # Errors
/// `Unavailable` when a record or a content cannot be read; what the reader says.
pub fn export(
    ctx: &Ctx,
    scope: &WorkspaceScope,
    reader: Reader<'_>,
    progress: Progress<'_>,
) -> Result<Exported> {
    progress("records", 0, None);
    let row = store::row(&ctx.db, scope.id())?;
    let draft = ctx.db.objects().nameless()?;
    let records = {
        let lock = ctx.locks.of(scope.id());
        let _nobody_writes = hold(&lock);
        gathered(ctx, scope, &draft)?
    };
    let mut out = Out {
        reader,
        waiting: Vec::with_capacity(2 * AT_ONCE),
        hasher: blake3::Hasher::new(),
        bytes: 0,
        lines: 0,
    };
    out.line(&Line::WorkspaceExport(Head {
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        exported: ctx.world.now(),
        workspace: row.id,
        name: row.name,
        root: row.root,
        project_type: row.project_type,
        created: row.created,
    }))?;
    let total: u64 = records.contents.values().map(|(size, _)| size).sum();
    let mut done = 0;
    for (digest, (size, whose)) in &records.contents {
        content(ctx, &mut out, (digest, *size, whose), &mut |count| {
            done += count;
            progress("bytes", done, Some(total));
        })?;
    }
    let mut lines = BufReader::with_capacity(AT_ONCE, draft.reader());
    let mut line = Vec::new();
    let unreadable = |error| Error::unavailable("the gathered records cannot be read").why(error);
    while lines.read_until(b'\n', &mut line).map_err(unreadable)? > 0 {
        out.raw(&line)?;
        line.clear();
    }
    out.lines += records.lines;
    let digest = *out.hasher.finalize().as_bytes();
    out.line(&Line::End(End {
        lines: out.lines + 1,
        digest,
    }))?;
    out.flush()?;
    Ok(Exported {
        workspace: scope.id().to_owned(),
        lines: out.lines,
        bytes: out.bytes,
        digest: Digest::from(digest).to_string(),
        ..records.exported
    })
}

/// One content and its pieces.
fn content(
    ctx: &Ctx,
    out: &mut Out<'_>,
    (digest, size, whose): (&[u8; 32], u64, &str),
    counted: &mut dyn FnMut(u64),
) -> Result<()> {
    let lost = |why: String| {
        Error::unavailable(format!("the contents of {whose} cannot be exported"))
            .why(why)
            .next("`tocli artifact verify` says which are damaged, and mends those whose file in the project is whole")
    };
    let object = ctx.db.objects().open(&Digest::from(*digest));
    let object = object.map_err(|error| lost(error.to_string()))?;
    if object.size() != size {
        return Err(lost(format!("it has {} bytes in place of {size}", object.size())));
    }
    out.line(&Line::Content {
        digest: *digest,
        size,
    })?;
    let mut hasher = blake3::Hasher::new();
    let mut at = 0;
    while at < size {
        let piece = object.read(at, PIECE).map_err(|error| lost(error.to_string()))?;
        if piece.is_empty() {
            break;
        }
        hasher.update(&piece);
        out.line(&Line::piece(&piece))?;
        at += piece.len() as u64;
        counted(piece.len() as u64);
    }
    match hasher.finalize().as_bytes() == digest {
        true => Ok(()),
        false => Err(lost("they are not those that were stored".to_owned())),
    }
}

/// Lines on their way to the reader.
struct Out<'r> {
    reader: Reader<'r>,
    waiting: Vec<u8>,
    hasher: blake3::Hasher,
    bytes: u64,
    lines: u64,
}

impl Out<'_> {
    fn line(&mut self, line: &Line) -> Result<()> {
        let mut text = line.text()?;
        text.push('\n');
        self.lines += 1;
        self.raw(text.as_bytes())
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        for part in bytes.chunks(AT_ONCE) {
            self.waiting.extend_from_slice(part);
            if self.waiting.len() >= AT_ONCE {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        match self.waiting.is_empty() {
            true => Ok(()),
            false => (self.reader)(std::mem::take(&mut self.waiting)),
        }
    }
}

/// Writes lines into the draft and notes what they need.
struct Gathering<'d> {
    out: BufWriter<Into<'d>>,
    lines: u64,
    contents: BTreeMap<[u8; 32], (u64, String)>,
    exported: Exported,
}

impl Gathering<'_> {
    fn line(&mut self, line: Line) -> Result<()> {
        let line = line.plain();
        if let Err(why) = check::line(&line)
            && self.exported.warnings.len() < MOST_WARNINGS
        {
            let warning = format!(
                "{} breaks a rule, and an import will not take it: {why}",
                line.shown()
            );
            self.exported.warnings.push(warning);
        }
        let text = line.text()?;
        let written = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.write_all(b"\n"));
        written.map_err(|error| Error::unavailable("records cannot be gathered").why(error))?;
        self.lines += 1;
        count(&line, &mut self.exported.counts);
        if let Line::ArtifactVersion { artifact, edition } = line {
            let whose = format!("version {} of artifact `{artifact}`", edition.version);
            self.needs(edition.digest, edition.size, whose);
        }
        Ok(())
    }

    fn needs(&mut self, digest: [u8; 32], size: u64, whose: String) {
        if self.contents.insert(digest, (size, whose)).is_none() {
            self.exported.counts.contents += 1;
        }
    }
}

/// All records, as the lock's holder sees them.
fn gathered(ctx: &Ctx, scope: &WorkspaceScope, draft: &Draft) -> Result<Records> {
    let (db, id) = (&ctx.db, scope.id());
    let mut all = Gathering {
        out: BufWriter::with_capacity(AT_ONCE, Into::new(draft)),
        lines: 0,
        contents: BTreeMap::new(),
        exported: Exported::default(),
    };
    all.line(Line::Counters(super::counters(db, id)?))?;
    tasks(&mut all, &Tasks::new(db, id))?;
    let artifacts = Artifacts::new(db, id);
    for card in artifacts.cards()? {
        all.line(Line::Artifact(Box::new(card)))?;
    }
    for found in artifacts.all_editions() {
        let (artifact, edition) = found?;
        all.line(Line::ArtifactVersion {
            artifact,
            edition: Box::new(edition),
        })?;
    }
    for card in Decisions::new(db, id).all() {
        all.line(Line::Decision(Box::new(card?)))?;
    }
    for note in Notes::new(db, id).all() {
        all.line(Line::Note(Box::new(note?)))?;
    }
    for session in session::ended(db, id) {
        all.line(Line::Session(Box::new(session?)))?;
    }
    let imports = Imports { db, workspace: id };
    for found in imports.all() {
        let (kind, import) = found?;
        if let Some(LegacyRow::There(digest)) = &import.row {
            let size = db.objects().open(&Digest::from(*digest))?.size();
            all.needs(*digest, size, format!("{kind} `{}`", import.id));
        }
        all.line(Line::Legacy {
            kind,
            import: Box::new(import),
        })?;
    }
    let mut after = 0;
    loop {
        let events = crate::audit::events(db, id, after, 500)?;
        let Some(last) = events.last() else { break };
        after = last.seq;
        for event in events {
            all.line(Line::Event(event))?;
        }
    }
    files(ctx, scope.folder(), &mut all)?;
    all.out
        .flush()
        .map_err(|error| Error::unavailable("records cannot be gathered").why(error))?;
    let Gathering {
        lines,
        contents,
        exported,
        ..
    } = all;
    Ok(Records {
        lines,
        contents,
        exported,
    })
}

fn tasks(all: &mut Gathering<'_>, tasks: &Tasks<'_>) -> Result<()> {
    for card in tasks.cards()? {
        all.line(Line::Task(Box::new(card)))?;
    }
    for found in tasks.all_texts() {
        let (task, _, texts) = found?;
        all.line(Line::TaskTexts {
            task,
            texts: Box::new(texts),
        })?;
    }
    for found in tasks.all_past() {
        let (task, revision, past) = found?;
        all.line(Line::TaskPast {
            task,
            revision,
            past: Box::new(past),
        })?;
    }
    for found in tasks.all_past_texts() {
        let (task, revision, texts) = found?;
        all.line(Line::TaskPastTexts {
            task,
            revision,
            texts: Box::new(texts),
        })?;
    }
    for found in tasks.all_remarks() {
        let (task, number, note) = found?;
        all.line(Line::TaskNote { task, number, note })?;
    }
    Ok(())
}

/// Settings and roles of the project.
fn files(ctx: &Ctx, folder: &Folder, all: &mut Gathering<'_>) -> Result<()> {
    let roles = folder.within("roles");
    let there = ctx
        .world
        .list_beneath(&folder.base, &roles, MOST_ROLES)
        .unwrap_or_default();
    let mut names: Vec<String> = there
        .into_iter()
        .filter_map(|entry| entry.name.into_string().ok())
        .map(|name| format!("roles/{name}"))
        .collect();
    names.push(crate::workspace::config::FILE.to_owned());
    names.sort();
    for name in names.into_iter().filter(|name| check::file_name(name).is_ok()) {
        let way = folder.within(&name);
        let stat = ctx.world.stat(&folder.base.join(&way));
        if !stat.is_ok_and(|stat| stat.kind == FileKind::File) {
            continue;
        }
        let bytes = ctx.world.read_beneath(&folder.base, &way, check::LONGEST_FILE);
        match bytes.map(String::from_utf8) {
            Ok(Ok(text)) => all.line(Line::File { name, text })?,
            _ => all
                .exported
                .warnings
                .push(format!("`{name}` is no text of at most 256 KiB and is left out")),
        }
    }
    Ok(())
}
