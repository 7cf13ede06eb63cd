//! A workspace as one file of JSON lines, out and in again: `workspace export`, `workspace import`.
//!
//! Asked by the room's door. `line.rs` is the format, `out.rs` writes it, `input.rs` reads and judges it, `check.rs` says
//! what a line may hold, `fit.rs` whether it can stand beside what is here, `lay.rs` takes it in. What must stay true: an
//! export holds all that is kept of a workspace; an import changes nothing that is here, makes nothing twice, and is done
//! whole or not at all, whatever stops it; a file that somebody made up reaches nothing but the workspace it is taken into.

pub mod check;
mod fit;
pub mod input;
pub mod lay;
pub mod line;
pub mod out;
pub mod owed;
mod source;
pub mod store;
#[cfg(test)]
pub(super) mod tests;

use std::io::Read;
use std::path::Path;

use proto::error::{Error, Result};
use proto::maintenance::{Answer, Imported, Lines, Skipped};
use proto::{RawPath, Request};

use self::input::{Checked, Contents, Reading};
use self::lay::{Decided, Laying};
use self::line::{Counters, Line};
use self::store::Begun;
use crate::artifact::{self, Pen};
use crate::audit::Said;
use crate::context::store::Notes;
use crate::ctx::Ctx;
use crate::db::{Batch, Db};
use crate::decision;
use crate::dispatch::{Desk, hold};
use crate::objects::{Draft, Reader};
use crate::task::{bring, who};
use crate::workspace::{Registry, WorkspaceScope};

/// Hears how far it is: what is counted, how many so far, how many in all.
pub type Progress<'p> = &'p dyn Fn(&str, u64, Option<u64>);

/// Bytes of records that become true in one batch; fewer in unit tests, which try both ways.
const AT_ONCE: usize = if cfg!(test) { 16 << 10 } else { 6 << 20 };

/// A draft written from its beginning.
pub(super) struct Into<'d> {
    draft: &'d Draft,
    at: u64,
}

impl<'d> Into<'d> {
    fn new(draft: &'d Draft) -> Self {
        Self { draft, at: 0 }
    }

    fn at(&self) -> u64 {
        self.at
    }
}

impl std::io::Write for Into<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.draft.write(bytes, self.at);
        written.map_err(|error| std::io::Error::other(error.to_string()))?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Counts a line among its kind.
fn count(line: &Line, lines: &mut Lines) {
    *match line {
        Line::Task(_) => &mut lines.tasks,
        Line::TaskTexts { .. }
        | Line::TaskPast { .. }
        | Line::TaskPastTexts { .. }
        | Line::TaskNote { .. } => &mut lines.task_records,
        Line::Artifact(_) => &mut lines.artifacts,
        Line::ArtifactVersion { .. } => &mut lines.versions,
        Line::Decision(_) => &mut lines.decisions,
        Line::Note(_) => &mut lines.notes,
        Line::Session(_) => &mut lines.sessions,
        Line::Legacy { .. } => &mut lines.legacy,
        Line::Event(_) => &mut lines.events,
        Line::File { .. } => &mut lines.files,
        Line::Content { .. } => &mut lines.contents,
        Line::WorkspaceExport(_) | Line::Piece(_) | Line::Counters(_) | Line::End(_) => return,
    } += 1;
}

/// What a workspace has counted up to.
fn counters(db: &Db, workspace: &str) -> Result<Counters> {
    Ok(Counters {
        task_changes: crate::task::store::Tasks::new(db, workspace).changes()?,
        artifacts: artifact::store::Artifacts::new(db, workspace).head()?.born,
        notes: Notes::new(db, workspace).newest()?,
    })
}

/// `import`: takes in a file.
///
/// # Errors
/// `NotFound` for a path that is no file; `Refused` for a file that is none of ours or not whole; `Conflict` when it
/// stands against what is here; what the registry and the store say.
pub fn import(
    (desk, registry): (&Desk<'_>, &Registry<'_>),
    scope: &WorkspaceScope,
    (whole, path, dry_run): (&Request, &RawPath, bool),
    progress: Progress<'_>,
) -> Result<proto::Answer> {
    if !dry_run && let Some(answer) = desk.first_answer(scope.id(), whole)? {
        return Ok(answer);
    }
    let ctx = desk.ctx;
    let path = path.as_path();
    let (folder, name) = (path.parent(), path.file_name());
    let (Some(folder), Some(name)) = (folder, name) else {
        return Err(Error::not_found(format!("`{}` is no file", path.display())));
    };
    let file = match held(path) {
        Some((pid, descriptor)) => ctx.world.open_held(pid, descriptor),
        None => ctx.world.open_file(folder, Path::new(name)),
    };
    let file =
        file.map_err(|error| Error::not_found(format!("`{}` cannot be read", path.display())).why(error))?;
    let reading = Reading {
        objects: ctx.db.objects(),
        contents: if dry_run {
            Contents::LookedThrough
        } else {
            Contents::Kept
        },
        limit: registry
            .settings(scope)
            .max_artifact_size_mb()
            .saturating_mul(artifact::upload::MB),
        progress,
    };
    let checked = input::read(file, path, &reading)?;
    complete(ctx, scope.id(), &checked, dry_run)?;
    progress("records", 0, None);
    let again = || -> Box<dyn Read + '_> { Box::new(checked.records.reader()) };
    let taking = Taking {
        desk,
        registry,
        scope,
        checked: &checked,
        again: &again,
    };
    if dry_run {
        let lock = ctx.locks.of(scope.id());
        let _nobody_writes = hold(&lock);
        let decided = Laying::new(ctx, scope.id(), &again)?.decided(&checked)?;
        let imported = taking.told(decided, true);
        return Ok(proto::Answer::Maintenance(Answer::Imported(Box::new(imported))));
    }
    let closed = ctx.entered.close(scope.id());
    let outcome = desk.change(scope.id(), whole, |batch| {
        let decided = taking.take(batch)?;
        let imported = taking.told(decided, false);
        Ok(proto::Answer::Maintenance(Answer::Imported(Box::new(imported))))
    });
    taken(ctx, scope.id());
    drop(closed);
    let mut answer = outcome?;
    let warnings = taking.files();
    if let proto::Answer::Maintenance(Answer::Imported(imported)) = &mut answer {
        imported.warnings.extend(warnings);
    }
    Ok(answer)
}

/// Whose file without a name a path stands for, and under which number: what came on a pipe is in one.
fn held(path: &Path) -> Option<(u32, u32)> {
    let (pid, descriptor) = path.to_str()?.strip_prefix("/proc/")?.split_once("/fd/")?;
    Some((pid.parse().ok()?, descriptor.parse().ok()?))
}

/// What is in memory of a workspace is not what is on record any more.
fn taken(ctx: &Ctx, workspace: &str) {
    bring::regret(ctx, workspace);
    *ctx.artifacts.slot(workspace).write() = None;
}

/// Finishes what was decided and then cut off: at the start, before anybody is served, and with the tick, after a disk that
/// failed. The status says which cannot be finished, for as long as that is so.
pub fn go_on(ctx: &Ctx) {
    let unfinished = match finish(ctx) {
        Ok(Tried::All) => None,
        // What was said of those that were left alone still holds.
        Ok(Tried::Some) => return,
        Err(error) => Some(error.to_string()),
    };
    ctx.life.ail("import", unfinished);
}

/// Whether every import that was cut off was tried to finish.
enum Tried {
    All,
    Some,
}

/// Finishes them in every workspace. One that cannot be finished keeps no other from it, and one at which somebody is at
/// work is left alone: that may be the import itself, and the tick waits for nobody.
///
/// # Errors
/// `Unavailable` when the database or the lines of one of them cannot be read or written; it names the workspace.
fn finish(ctx: &Ctx) -> Result<Tried> {
    let mut outcome = Ok(Tried::All);
    for (workspace, begun) in Begun::all(&ctx.db)? {
        let lock = ctx.locks.of(&workspace);
        let Some(_nobody_writes) = owed::hold_at_once(&lock) else {
            outcome = outcome.and(Ok(Tried::Some));
            continue;
        };
        if let Err(error) = finish_in(ctx, &workspace) {
            outcome = outcome.and(Err(unfinished(&workspace, &begun, &error)));
        }
    }
    outcome
}

fn unfinished(workspace: &str, begun: &Begun, why: &Error) -> Error {
    Error::unavailable(format!(
        "the import of `{}` into `{workspace}` was cut off and cannot be finished: what it has brought is not whole",
        begun.from
    ))
    .why(why)
    .next("import the same file there again")
}

/// Finishes the one of a workspace; the caller holds its lock.
fn finish_in(ctx: &Ctx, workspace: &str) -> Result<()> {
    let _nobody_looks = ctx.entered.close(workspace);
    // Somebody may have finished it while nobody held the lock.
    let Some(begun) = Begun::of(&ctx.db, workspace)? else {
        return Ok(());
    };
    let lines = ctx.db.objects().open(&begun.lines.into())?;
    let again = || -> Box<dyn Read + '_> { Box::new(Reader::of(&lines)) };
    let mut last = Batch::new();
    lay_out((ctx, workspace), &mut last, (&again, &begun))?;
    ctx.db.commit(last)?;
    taken(ctx, workspace);
    tracing::info!(%workspace, "an import that was cut off is finished");
    Ok(())
}

/// Finishes the import before this one, if it was cut off, with the lines of this file where they are the same: that is
/// the way out when the kept ones are lost.
fn complete(ctx: &Ctx, workspace: &str, checked: &Checked, dry_run: bool) -> Result<()> {
    let Some(begun) = Begun::of(&ctx.db, workspace)? else {
        return Ok(());
    };
    if !dry_run {
        ctx.db
            .objects()
            .take_in(&mut checked.records.reader(), u64::MAX)?;
    }
    let lock = ctx.locks.of(workspace);
    let _nobody_writes = hold(&lock);
    finish_in(ctx, workspace).map_err(|error| unfinished(workspace, &begun, &error))
}

/// Lays lines that are kept, in batches; `last` is still to be committed.
fn lay_out<'a>(
    (ctx, workspace): (&'a Ctx, &'a str),
    last: &mut Batch,
    (again, begun): (lay::Again<'a>, &Begun),
) -> Result<()> {
    let commit = |batch: Batch| ctx.db.commit(batch);
    let said = Said {
        time: begun.time,
        actor: &begun.actor,
        op: "workspace.import",
        target: &begun.from,
        count: 0,
    };
    Laying::new(ctx, workspace, again)?.lay(last, Some(&commit), said)?;
    store::finished(last, workspace);
    Ok(())
}

/// An import whose file was judged.
struct Taking<'a> {
    desk: &'a Desk<'a>,
    registry: &'a Registry<'a>,
    scope: &'a WorkspaceScope,
    checked: &'a Checked,
    again: lay::Again<'a>,
}

impl Taking<'_> {
    fn take(&self, batch: &mut Batch) -> Result<Decided> {
        let (ctx, id) = (self.desk.ctx, self.scope.id());
        let laying = Laying::new(ctx, id, self.again)?;
        let decided = laying.decided(self.checked)?;
        if decided.fresh == 0 {
            if self.missing().next().is_some() {
                self.registry.claim_once(batch, self.scope)?;
            }
            self.owe(batch)?;
            return Ok(decided);
        }
        self.registry.claim_once(batch, self.scope)?;
        let begun = Begun {
            lines: [0; 32],
            from: self.checked.head.workspace.clone(),
            actor: who::actor(self.desk.ask.caller.actor.as_deref())?,
            time: ctx.world.now(),
        };
        if decided.bytes <= AT_ONCE {
            let said = Said {
                time: begun.time,
                actor: &begun.actor,
                op: "workspace.import",
                target: &begun.from,
                count: 0,
            };
            laying.lay(batch, None, said)?;
            self.owe(batch)?;
            return Ok(decided);
        }
        let lines = ctx.db.objects().take_in(&mut (self.again)(), u64::MAX)?;
        let begun = Begun {
            lines: *lines.digest.as_bytes(),
            ..begun
        };
        let mut first = Batch::new();
        self.registry.claim_once(&mut first, self.scope)?;
        begun.put(&mut first, id)?;
        self.owe(&mut first)?;
        ctx.db.commit(first)?;
        lay_out((ctx, id), batch, (self.again, &begun))?;
        Ok(decided)
    }

    /// The files of the project that are not here.
    fn missing(&self) -> impl Iterator<Item = &(String, String)> {
        let (world, folder) = (self.registry.world, self.scope.folder());
        let files = self.checked.files.iter();
        files.filter(move |(name, _)| owed::is_missing(world, folder, name))
    }

    /// Notes that they follow, should this daemon end before they are there.
    fn owe(&self, batch: &mut Batch) -> Result<()> {
        let (db, id) = (&self.desk.ctx.db, self.scope.id());
        self.missing()
            .try_for_each(|(name, text)| store::owe(db, batch, id, (name, text)))
    }

    /// What was found and what becomes of it. Contents are counted with what names them.
    fn told(&self, decided: Decided, dry_run: bool) -> Imported {
        let head = &self.checked.head;
        let mut told = Imported {
            workspace: self.scope.id().to_owned(),
            from: head.workspace.clone(),
            from_name: head.name.clone(),
            exported: head.exported,
            dry_run,
            found: self.checked.found,
            imported: decided.imported,
            already_there: decided.already_there,
            skipped_counts: decided.skipped_counts,
            skipped: decided.skipped,
            warnings: self.scope.warnings().to_vec(),
        };
        match decided.fresh {
            0 => told.already_there.contents = told.found.contents,
            _ => told.imported.contents = told.found.contents,
        }
        let (world, folder) = (self.registry.world, self.scope.folder());
        for (name, text) in &self.checked.files {
            let here = world.read_beneath(&folder.base, &folder.within(name), check::LONGEST_FILE);
            match here {
                Ok(bytes) if bytes == text.as_bytes() => told.already_there.files += 1,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => told.imported.files += 1,
                _ => {
                    told.skipped_counts.files += 1;
                    told.skipped.push(Skipped {
                        what: "file".to_owned(),
                        id: name.clone(),
                        why: "another one is here, and stays".to_owned(),
                    });
                }
            }
        }
        told
    }

    /// Files follow their records: settings and roles, decisions, artifacts. What could not be put, a sentence each.
    fn files(&self) -> Vec<String> {
        let (ctx, scope) = (self.desk.ctx, self.scope);
        let (world, folder) = (self.registry.world, scope.folder());
        let (mut warnings, mut paid) = (Vec::new(), Batch::new());
        for (name, text) in &self.checked.files {
            match owed::put(world, folder, (name, text.as_bytes())) {
                Ok(()) => store::paid(&mut paid, scope.id(), name),
                Err(error) => {
                    warnings.push(format!("`{name}` follows as soon as it can be written: {error}"))
                }
            }
        }
        // Nobody waits for this: a note too many makes one look too many.
        drop(ctx.db.stage(paid));
        let place = decision::Place {
            workspace: scope.id(),
            tree: scope.tree(),
            folder,
            enter: &|batch: &mut Batch| self.registry.claim(batch, scope).map(drop),
            warnings: &[],
        };
        warnings.extend(decision::write_files(ctx, &place));
        match Pen::open(ctx, &artifact::home_of(self.registry, scope), None) {
            Ok(pen) => warnings.extend(pen.place_missing().1),
            Err(error) => warnings.push(format!("the files of artifacts were not put: {error}")),
        }
        warnings
    }
}
