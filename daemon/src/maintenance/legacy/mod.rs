//! Taking over what the Python MCP Task Orchestrator left: into the caller's workspace, from a private copy.
//!
//! Asked by the room's door. `migrations::legacy` reads, `lay.rs` decides, this file gathers and records. What must stay
//! true: the old files stay as they are; a second import makes nothing twice; whatever was found is in the report
//! (`report.rs`). Tasks are recorded in steps of bounded size, each whole; an import that is cut off goes on when it is
//! asked for again.

mod decisions;
pub mod find;
pub mod lay;
mod places;
pub mod report;
mod results;
pub mod store;
#[cfg(test)]
mod tests;
pub mod waits;

use migrations::legacy::{Contents, Left, OldRow, OldTask, Scratch};
use proto::error::{Error, Result};
use proto::maintenance::{Answer, LegacyDatabase};
use proto::task::{MAX_DESCRIPTION, MAX_TEXT};
use proto::{RawPath, Request};

use self::find::{Open, Source};
use self::lay::{Known, Laid};
use self::report::{Kind, Report};
use self::store::{Import, Imports};
use crate::audit::{self, Said};
use crate::db::Batch;
use crate::dispatch::{Desk, hold};
use crate::task::bring;
use crate::task::card::{Card, Texts};
use crate::task::{rules, who};
use crate::workspace::{Registry, WorkspaceScope};

/// The most tasks of one commit: with their short texts they are far below what one may have.
const TASKS: usize = 500;
/// The most rows of one commit.
const ROWS: usize = 500;
/// The most tasks of one import.
const MOST: usize = 100_000;

/// Says how far it is: what, how many, of how many.
pub type Progress<'p> = &'p dyn Fn(&str, u64, Option<u64>);

/// The file beside an old database that says it was imported: `detect` names one that has none.
pub use crate::detect::IMPORTED;

/// What was read.
struct Old {
    source: Source,
    open: Vec<Open>,
    contents: Vec<Contents>,
    _scratch: Scratch,
}

/// All an import stands on.
struct Taking<'a> {
    desk: &'a Desk<'a>,
    registry: &'a Registry<'a>,
    scope: &'a WorkspaceScope,
    imports: Imports<'a>,
    actor: String,
    now: i64,
    progress: Progress<'a>,
}

/// Imports, or says what it would do.
///
/// # Errors
/// When nothing can be read there, and what the registry, the rules and the store say.
pub fn answer(
    (desk, registry): (&Desk<'_>, &Registry<'_>),
    scope: &WorkspaceScope,
    (whole, path, dry_run): (&Request, &RawPath, bool),
    progress: Progress<'_>,
) -> Result<proto::Answer> {
    if !dry_run && let Some(answer) = desk.first_answer(scope.id(), whole)? {
        return Ok(answer);
    }
    let importing = desk.ctx.locks.of("legacy import");
    let _one_at_a_time = hold(&importing);
    let old = read(desk, path, progress)?;
    let import = Taking {
        desk,
        registry,
        scope,
        imports: Imports {
            db: &desk.ctx.db,
            workspace: scope.id(),
        },
        actor: who::actor(desk.ask.caller.actor.as_deref())?,
        now: desk.ctx.world.now(),
        progress,
    };
    if dry_run {
        let lock = desk.ctx.locks.of(scope.id());
        let _nobody_writes = hold(&lock);
        let mut report = Report::default();
        let laid = import.decided(&old, &mut report)?;
        decisions::take(&import, &old, &laid.ids, (&mut report, true))?;
        results::take(&import, &old, &laid.ids, (&mut report, true))?;
        import.rows(None, &old, &mut report)?;
        return Ok(told(report, &old, true));
    }
    let outcome = desk.change(scope.id(), whole, |batch| {
        let mut report = Report::default();
        let laid = import.decided(&old, &mut report)?;
        import.tasks(&laid, &old, &mut report)?;
        decisions::take(&import, &old, &laid.ids, (&mut report, false))?;
        results::take(&import, &old, &laid.ids, (&mut report, false))?;
        import.rows(Some(batch), &old, &mut report)?;
        import.marked(&old, &mut report);
        Ok(told(report, &old, false))
    });
    if outcome.is_err() {
        bring::regret(desk.ctx, scope.id());
    }
    if old.contents.iter().any(|contents| !contents.decisions.is_empty()) {
        decisions::written(&import);
    }
    outcome
}

fn read(desk: &Desk<'_>, path: &RawPath, progress: Progress<'_>) -> Result<Old> {
    progress("databases", 0, None);
    let world = &*desk.ctx.world;
    let source = find::find(world, path.as_path())?;
    let folder = desk.ctx.places.state_dir.join("legacy");
    let scratch = Scratch::new(&folder).map_err(|trouble| find::worded(&folder, &trouble))?;
    let open = find::open(world, &source, &scratch)?;
    let contents: Vec<Contents> = open
        .iter()
        .map(|one| {
            one.legacy
                .contents()
                .map_err(|trouble| find::worded(&one.path, &trouble))
        })
        .collect::<Result<_>>()?;
    let count: usize = contents.iter().map(|contents| contents.tasks.len()).sum();
    if count > MOST {
        return Err(Error::too_large(format!("{count} old tasks")).why(format!("the limit is {MOST}")));
    }
    progress("databases", open.len() as u64, Some(open.len() as u64));
    Ok(Old {
        source,
        open,
        contents,
        _scratch: scratch,
    })
}

fn told(report: Report, old: &Old, dry_run: bool) -> proto::Answer {
    let mut legacy = report.0;
    let newest = old.open.iter().map(|one| one.legacy.version()).max();
    legacy.version = newest.map(|version| version.to_string()).unwrap_or_default();
    legacy.databases = old
        .open
        .iter()
        .map(|one| LegacyDatabase {
            path: RawPath::from(one.path.as_path()),
            version: one.legacy.version().to_string(),
        })
        .collect();
    legacy.dry_run = dry_run;
    proto::Answer::Maintenance(Answer::Legacy(Box::new(legacy)))
}

impl Taking<'_> {
    /// What becomes of the tasks; the books are opened with what the reader could not give.
    fn decided(&self, old: &Old, report: &mut Report) -> Result<Laid> {
        for (open, contents) in old.open.iter().zip(&old.contents) {
            open.warnings
                .iter()
                .chain(&contents.warnings)
                .for_each(|words| report.warn(words));
            for Left { what, id, why } in &contents.left {
                if let Some(kind) = Kind::parse(what) {
                    report.found(kind);
                    report.skip(kind, id, why);
                }
            }
        }
        let olds: Vec<&OldTask> = old.contents.iter().flat_map(|contents| &contents.tasks).collect();
        let mut before = std::collections::HashMap::new();
        for one in &olds {
            if let Some(Import { to: Some(to), .. }) = self.imports.get(Kind::Task, &one.id)? {
                before.insert(one.id.as_str(), to);
            }
        }
        bring::ask(self.desk.ctx, self.scope.id(), |board| {
            let known = Known {
                board,
                imported: &|id| before.get(id).cloned(),
                now: self.now,
            };
            Ok(lay::lay(&known, &olds, report))
        })
    }

    /// Records the tasks, in as many steps as it takes.
    fn tasks(&self, laid: &Laid, old: &Old, report: &mut Report) -> Result<()> {
        let places: Vec<(usize, &OldTask)> = old
            .contents
            .iter()
            .enumerate()
            .flat_map(|(database, contents)| contents.tasks.iter().map(move |task| (database, task)))
            .collect();
        let total = laid.tasks.len() as u64;
        for (number, step) in laid.tasks.chunks(TASKS).enumerate() {
            (self.progress)("tasks", (number * TASKS) as u64, Some(total));
            let mut batch = Batch::new();
            self.registry.claim_once(&mut batch, self.scope)?;
            let mut tasks: Vec<(Card, Texts)> = Vec::with_capacity(step.len());
            for (index, card) in step {
                let Some((database, task)) = places.get(*index) else {
                    continue;
                };
                let texts = texts(&old.open[*database], task, report);
                let import = Import {
                    id: task.id.clone(),
                    to: Some(card.id.clone()),
                    version: old.open[*database].legacy.version().to_string(),
                    time: self.now,
                    row: None,
                };
                self.imports.put(&mut batch, Kind::Task, &import)?;
                tasks.push((card.clone(), texts));
            }
            bring::bring(self.desk.ctx, &mut batch, (self.scope.id(), &self.actor), tasks)?;
            self.desk.ctx.db.commit(batch)?;
        }
        (self.progress)("tasks", total, Some(total));
        Ok(())
    }

    /// Keeps the rows that have no room yet; the last of them in the change's own batch. Without one, only counts.
    fn rows(&self, last: Option<&mut Batch>, old: &Old, report: &mut Report) -> Result<()> {
        let mut fresh: Vec<(Kind, &OldRow, usize)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for (database, contents) in old.contents.iter().enumerate() {
            let kinds = [
                (Kind::FileOperation, &contents.file_operations),
                (Kind::Archive, &contents.archives),
            ];
            for (kind, rows) in kinds {
                for row in rows {
                    report.found(kind);
                    if !seen.insert((kind, row.id.as_str())) {
                        report.skip(kind, &row.id, "another one before it has the same id");
                    } else if self.imports.get(kind, &row.id)?.is_some() {
                        report.there(kind);
                    } else {
                        report.imported(kind);
                        fresh.push((kind, row, database));
                    }
                }
            }
        }
        let Some(last) = last else { return Ok(()) };
        let mut steps = fresh.chunks(ROWS).peekable();
        while let Some(step) = steps.next() {
            let mut own = Batch::new();
            let batch = match steps.peek() {
                Some(_) => &mut own,
                None => &mut *last,
            };
            self.registry.claim_once(batch, self.scope)?;
            for (kind, row, database) in step {
                let import = Import {
                    id: row.id.clone(),
                    to: None,
                    version: old.open[*database].legacy.version().to_string(),
                    time: self.now,
                    row: Some(self.imports.row(&row.columns)?),
                };
                self.imports.put(batch, *kind, &import)?;
            }
            self.said(batch, "maintenance.import_legacy", step.len())?;
            if !own.is_empty() {
                self.desk.ctx.db.commit(own)?;
            }
        }
        Ok(())
    }

    /// Says beside an old database in this very project that it was imported.
    fn marked(&self, old: &Old, report: &mut Report) {
        let (base, folder) = (&old.source.base, self.scope.folder());
        if !old.source.project || base != self.scope.tree() || folder.base != *base {
            return;
        }
        let text = format!("{{\"schema_version\":1,\"imported\":{}}}\n", self.now);
        let written = folder.write(
            self.registry.world,
            std::path::Path::new(IMPORTED),
            text.as_bytes(),
        );
        if let Err(error) = written {
            report.warn(&format!("`{IMPORTED}` could not be written: {error}"));
        }
    }

    fn said(&self, batch: &mut Batch, op: &str, count: usize) -> Result<()> {
        let said = Said {
            time: self.now,
            actor: &self.actor,
            op,
            target: self.scope.id(),
            count,
        };
        audit::append(&self.desk.ctx.db, batch, self.scope.id(), said)
    }
}

/// The texts of a task, as long as they may be here.
fn texts(open: &Open, task: &OldTask, report: &mut Report) -> Texts {
    let (texts, lost) = open.legacy.texts(task.place).unwrap_or_else(|trouble| {
        let lost = vec![format!("its texts cannot be read: {trouble}")];
        (migrations::legacy::OldTexts::default(), lost)
    });
    for words in lost {
        report.warn(&format!("`{}`: {words}; it came without", task.id));
    }
    let mut fit = |what: &str, text: String, limit: usize| {
        let text = text.replace('\0', "\u{fffd}");
        let (kept, cut) = rules::cut(&text, limit);
        if cut {
            report.warn(&format!(
                "`{}`: its {what} of {} bytes is cut to {limit}",
                task.id,
                text.len()
            ));
        }
        kept.to_owned()
    };
    Texts {
        description: fit("description", texts.description, MAX_DESCRIPTION),
        context: fit("context", texts.context, MAX_TEXT),
        summary: fit("result", texts.results, MAX_TEXT),
        links: Vec::new(),
        tree: None,
    }
}
