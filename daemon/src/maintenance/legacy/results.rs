//! Taking the results of old tasks over as artifacts.
//!
//! What must stay true: the bytes are an object before a record names them; an id that somebody else's artifact has stays
//! theirs.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use proto::artifact::Type;
use proto::error::{Error, Result};

use super::places::{Bytes, Folder, Wanted, stem};
use super::report::Report;
use super::store::Import;
use super::{Old, Taking};
use crate::artifact::{self, Given, Pen};
use crate::db::Batch;
use crate::objects::{Digest, Taken};

/// The most artifacts of one commit.
const STEP: usize = 100;
/// The most bytes of a summary.
const SUMMARY: usize = proto::artifact::MAX_SUMMARY;

/// Takes all of them over, or says what it would do.
///
/// # Errors
/// What the store says.
pub(super) fn take(
    taking: &Taking<'_>,
    old: &Old,
    ids: &HashMap<String, String>,
    (report, dry_run): (&mut Report, bool),
) -> Result<()> {
    let folder = Folder {
        world: &*taking.desk.ctx.world,
        source: &old.source,
    };
    let mut wanted = listed(&folder, old);
    let seen: HashSet<PathBuf> = wanted
        .iter()
        .filter_map(|one| match &one.bytes {
            Bytes::At(path) => Some(path.clone()),
            _ => None,
        })
        .collect();
    wanted.extend(folder.unlisted(&seen));
    let mut keys = HashSet::new();
    let mut fresh = Vec::new();
    for one in wanted {
        report.found(one.kind);
        if !keys.insert((one.kind, one.key.clone())) {
            report.skip(one.kind, &one.key, "another one before it is the same");
        } else if taking.imports.get(one.kind, &one.key)?.is_some() {
            report.there(one.kind);
        } else if let Bytes::Lost(why) = &one.bytes {
            report.skip(one.kind, &one.key, why);
        } else {
            fresh.push(one);
        }
    }
    if dry_run {
        fresh.iter().for_each(|one| report.imported(one.kind));
        return Ok(());
    }
    recorded(taking, (&folder, old), ids, (&fresh, report))
}

fn listed<'a>(folder: &Folder<'_>, old: &'a Old) -> Vec<Wanted<'a>> {
    let mut wanted = Vec::new();
    for contents in &old.contents {
        for task in &contents.tasks {
            for path in &task.artifacts {
                let own = stem(path);
                let time = task.completed.or(task.created);
                wanted.push(folder.wanted((&task.id, path), own, time));
            }
        }
        wanted.extend(contents.artifacts.iter().map(|row| folder.of_row(row)));
    }
    wanted
}

fn recorded(
    taking: &Taking<'_>,
    (folder, old): (&Folder<'_>, &Old),
    ids: &HashMap<String, String>,
    (fresh, report): (&[Wanted<'_>], &mut Report),
) -> Result<()> {
    let ctx = taking.desk.ctx;
    let home = artifact::home_of(taking.registry, taking.scope);
    let limit = taking.registry.settings(taking.scope).max_artifact_size_mb() << 20;
    let known = artifact::store::Artifacts::new(&ctx.db, taking.scope.id()).cards()?;
    let known: HashSet<String> = known.into_iter().map(|card| card.id).collect();
    let version = old
        .open
        .first()
        .map(|one| one.legacy.version().to_string())
        .unwrap_or_default();
    for (number, step) in fresh.chunks(STEP).enumerate() {
        (taking.progress)("artifacts", (number * STEP) as u64, Some(fresh.len() as u64));
        let mut batch = Batch::new();
        taking.registry.claim_once(&mut batch, taking.scope)?;
        let pen = Pen::open(ctx, &home, artifact::tree_of(taking.scope))?;
        let mut kept = 0;
        let outcome = step.iter().try_for_each(|one| {
            let taken = match bytes(taking, folder, one, limit) {
                Ok(taken) => taken,
                // Our own disk: nothing is left out for that.
                Err(error) if error.kind == proto::Kind::Unavailable => return Err(error),
                Err(error) => {
                    report.skip(one.kind, &one.key, &error.to_string());
                    return Ok(());
                }
            };
            let place = stored(taking, (&pen, &mut batch), (one, taken), (ids, &known));
            match place {
                Ok(id) => {
                    let import = Import {
                        id: one.key.clone(),
                        to: Some(id),
                        version: version.clone(),
                        time: taking.now,
                        row: None,
                    };
                    taking.imports.put(&mut batch, one.kind, &import)?;
                    kept += 1;
                    report.imported(one.kind);
                    Ok(())
                }
                Err(error) if error.kind == proto::Kind::Usage || error.kind == proto::Kind::TooLarge => {
                    report.skip(one.kind, &one.key, &error.to_string());
                    Ok(())
                }
                Err(error) => Err(error),
            }
        });
        let committed = outcome
            .and_then(|()| match kept {
                0 => Ok(()),
                kept => taking.said(&mut batch, "artifact.import_legacy", kept),
            })
            .and_then(|()| ctx.db.commit(batch));
        match committed {
            Ok(()) => pen.committed().iter().for_each(|warning| report.warn(warning)),
            Err(error) => {
                pen.gave_up_for(&error);
                return Err(error);
            }
        }
    }
    (taking.progress)("artifacts", fresh.len() as u64, Some(fresh.len() as u64));
    Ok(())
}

fn bytes(taking: &Taking<'_>, folder: &Folder<'_>, one: &Wanted<'_>, limit: u64) -> Result<Taken> {
    let objects = taking.desk.ctx.db.objects();
    match &one.bytes {
        Bytes::Here(text) => {
            let digest: Digest = objects.put(text.as_bytes())?;
            let size = text.len() as u64;
            Ok(Taken { digest, size })
        }
        Bytes::At(path) => {
            let opened = folder.world.open_file(&folder.source.base, path);
            let mut file = opened.map_err(|error| Error::not_found("its file cannot be read").why(error))?;
            objects.take_in(&mut file, limit)
        }
        Bytes::Lost(why) => Err(Error::not_found(why.clone())),
    }
}

/// Stores one; its id here.
fn stored(
    taking: &Taking<'_>,
    (pen, batch): (&Pen<'_>, &mut Batch),
    (one, taken): (&Wanted<'_>, Taken),
    (ids, known): (&HashMap<String, String>, &HashSet<String>),
) -> Result<String> {
    let task = one.task.and_then(|task| ids.get(task));
    let specialist = match task {
        Some(task) => crate::task::bring::ask(taking.desk.ctx, taking.scope.id(), |board| {
            Ok(board.find(task).map(|card| card.specialist.clone()))
        })?,
        None => None,
    };
    // A task that was purged here since is none any more.
    let task = task.filter(|_| specialist.is_some());
    let (summary, _) = crate::task::rules::cut(&one.summary, SUMMARY);
    let given = Given {
        id: one.id.as_deref().filter(|id| !known.contains(*id)),
        task: task.map(String::as_str),
        specialist: specialist.as_deref().unwrap_or_default(),
        name: &one.name,
        kind: Some(sort(&one.sort)),
        summary,
        actor: &taking.actor,
        time: one.time.unwrap_or(taking.now),
        source: None,
    };
    Ok(pen.store(batch, &given, taken)?.id)
}

fn sort(word: &str) -> Type {
    let word = word.trim().to_ascii_lowercase();
    Type::parse(&word).unwrap_or(match word.as_str() {
        "doc" | "docs" | "markdown" => Type::Documentation,
        "tests" | "testing" => Type::Test,
        "configuration" => Type::Config,
        "research" | "review" => Type::Analysis,
        "architecture" => Type::Design,
        "source" => Type::Code,
        _ => Type::General,
    })
}
