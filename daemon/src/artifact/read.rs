//! The reading door: pages from memory, pieces from the objects, the files in the project from the disk.
//!
//! What must stay true: every answer fits into a frame and says what it left out; nothing here changes a record.

use std::time::{Duration, Instant};

use proto::RawPath;
use proto::artifact::{Answer, Artifact, Copy, Detail, Fault, Filter, Partial, Request, Version};
use proto::error::Result;

use super::catalog::Entry;
use super::copies::{self, Home};
use super::rules::{self, Wanted};
use super::store::Edition;
use super::write::Scene;
use super::{ready, search, stray, strays, upkeep};
use crate::objects::{Checked, Digest};
use crate::world::World;

/// The most bytes of the artifacts of one answer, so that it fits into a frame.
const MAX_BYTES: usize = 700 << 10;
/// The newest versions that are shown.
const VERSIONS: usize = 200;
/// How long one request may read contents before it says where to go on.
pub(super) const BUDGET: Duration = Duration::from_secs(2);
/// The most faults of one answer.
const MOST_FAULTS: usize = 500;
/// Larger files (64 MiB) are not read through for a mere look: the tick and `verify` do that.
const QUICK: u64 = 64 << 20;

/// Answers a request that changes nothing.
///
/// # Errors
/// What the rules and the store say.
pub(super) fn answer(scene: &Scene<'_>, what: &Request) -> Result<Answer> {
    match what {
        Request::Resume { draft } => scene.dock().stands(draft),
        Request::Partials => partials(scene),
        Request::Read {
            id,
            version,
            offset,
            length,
        } => piece(scene, (id, *version), *offset, *length),
        Request::List {
            filter,
            limit,
            cursor,
        } => list(scene, filter, (*limit, cursor.as_deref())),
        Request::Show { id } => show(scene, id),
        Request::Search { what, cursor } => search::answer(scene, what, cursor.as_deref()),
        Request::Verify { id, cursor } => verify(scene, id.as_deref(), cursor.as_deref()),
        Request::Cleanup { before, filter, .. } => upkeep::would_archive(scene, (*before, filter)),
        Request::Optimize { .. } => upkeep::would_optimize(scene),
        _ => Err(stray()),
    }
}

/// An artifact as it is shown.
pub(super) fn shown(home: &Home, entry: &Entry) -> Artifact {
    let card = &entry.card;
    Artifact {
        id: card.id.clone(),
        task: card.task.clone(),
        name: card.name.clone(),
        kind: card.kind,
        summary: card.summary.clone(),
        version: card.version,
        size: card.size,
        digest: card.object().to_string(),
        actor: card.actor.clone(),
        created: card.created,
        updated: card.updated,
        path: RawPath::from(home.path(card)),
        copy: entry.copy,
        source: card.source.clone(),
        archived: card.archived,
    }
}

fn partials(scene: &Scene<'_>) -> Result<Answer> {
    let dock = scene.dock();
    let mut uploads = scene.records().uploads()?;
    uploads.sort_by_key(|upload| upload.created);
    let partials = uploads.into_iter().map(|upload| {
        let (received, synced) = dock.progress(&upload);
        Partial {
            draft: upload.id,
            task: upload.task,
            name: upload.name,
            actor: upload.actor,
            created: upload.created,
            received,
            synced,
            size: upload.size,
        }
    });
    Ok(Answer::Partials {
        partials: partials.collect(),
    })
}

fn piece(scene: &Scene<'_>, (id, version): (&str, Option<u32>), offset: u64, length: u32) -> Result<Answer> {
    rules::piece(length as usize)?;
    let slot = ready(scene.desk.ctx, &scene.place.home)?;
    let (version, size, digest) = slot.with(|catalog| {
        let card = &catalog.entry(id)?.card;
        match version {
            None => Ok((card.version, card.size, card.digest)),
            Some(version) if version == card.version => Ok((version, card.size, card.digest)),
            Some(version) => {
                let Edition { size, digest, .. } = scene.records().edition(&card.id, version)?;
                Ok((version, size, digest))
            }
        }
    })?;
    let digest = Digest::from(digest);
    let object = scene.desk.ctx.db.objects().open(&digest)?;
    Ok(Answer::Piece {
        version,
        size,
        digest: digest.to_string(),
        bytes: object.read(offset, length as usize)?,
    })
}

fn list(scene: &Scene<'_>, filter: &Filter, (limit, cursor): (u32, Option<&str>)) -> Result<Answer> {
    let (limit, from) = (rules::limit(limit)?, rules::cursor(cursor)?);
    let home = &scene.place.home;
    let wanted = Wanted::new(filter);
    let slot = ready(scene.desk.ctx, home)?;
    let found = slot.with(|catalog| {
        let takes = |entry: &&Entry| {
            let altered = matches!(entry.copy, Copy::Modified | Copy::Missing);
            (!filter.altered || altered) && wanted.takes(&entry.card, &entry.text)
        };
        let (mut artifacts, mut bytes, mut last) = (Vec::new(), 0, 0);
        let (mut total, mut more) = (0, false);
        for entry in catalog.all().rev().filter(takes) {
            total += 1;
            if more || from.is_some_and(|from| entry.card.born >= from) {
                continue;
            }
            let one = shown(home, entry);
            bytes += 300 + one.name.len() + one.summary.len() + one.path.as_bytes().len() + one.actor.len();
            more = artifacts.len() == limit || (bytes > MAX_BYTES && !artifacts.is_empty());
            if !more {
                last = entry.card.born;
                artifacts.push(one);
            }
        }
        Ok(Answer::Artifacts {
            artifacts,
            total,
            next_cursor: more.then(|| rules::after(last)),
        })
    })?;
    // Nothing of a task that never was is a slip of the pen, and said to be one.
    if let (Answer::Artifacts { total: 0, .. }, Some(task)) = (&found, &filter.task) {
        scene.task(task)?;
    }
    Ok(found)
}

fn show(scene: &Scene<'_>, id: &str) -> Result<Answer> {
    let home = &scene.place.home;
    let slot = ready(scene.desk.ctx, home)?;
    let mut entry = slot.with(|catalog| catalog.entry(id).cloned())?;
    if entry.seen.is_some() || entry.card.size <= QUICK {
        entry.copy = copies::look_again(&*scene.desk.ctx.world, &slot, home, &entry);
    }
    let objects = scene.desk.ctx.db.objects();
    let mut editions = scene.records().editions(&entry.card.id)?;
    let older = editions.len().saturating_sub(VERSIONS);
    let versions = editions.drain(older..).rev().map(|edition| {
        let digest = Digest::from(edition.digest);
        Version {
            version: edition.version,
            size: edition.size,
            digest: digest.to_string(),
            actor: edition.actor,
            time: edition.time,
            summary: edition.summary,
            kept: objects.kept(&digest),
        }
    });
    Ok(Answer::Detail(Box::new(Detail {
        artifact: shown(home, &entry),
        versions: versions.collect(),
        older: u32::try_from(older).unwrap_or(u32::MAX),
    })))
}

fn verify(scene: &Scene<'_>, id: Option<&str>, cursor: Option<&str>) -> Result<Answer> {
    let from = rules::cursor(cursor)?;
    let home = &scene.place.home;
    let slot = ready(scene.desk.ctx, home)?;
    let entries: Vec<Entry> = slot.with(|catalog| {
        Ok(match id {
            Some(id) => vec![catalog.entry(id)?.clone()],
            None => catalog.up_from(from).cloned().collect(),
        })
    })?;
    let begun = Instant::now();
    let (mut versions, mut bytes, mut faults) = (0, 0, Vec::new());
    let mut next_cursor = None;
    let count = entries.len();
    for (number, entry) in entries.iter().enumerate() {
        let card = &entry.card;
        let objects = scene.desk.ctx.db.objects();
        for edition in scene.records().editions(&card.id)? {
            versions += 1;
            bytes += edition.size;
            let (fault, detail) = match objects.check(&Digest::from(edition.digest))? {
                Checked::Good => continue,
                Checked::Damaged => ("damaged", "its bytes are not those that were stored"),
                Checked::Lost => ("lost", "its bytes are gone from the state folder"),
            };
            let next = match edition.version == card.version {
                true => format!(
                    "; `tocli artifact restore {}` mends it from the project's file if that is whole",
                    card.id
                ),
                false => String::new(),
            };
            faults.push(faulty(entry, edition.version, fault, format!("{detail}{next}")));
        }
        let copy = inspected(&*scene.desk.ctx.world, &slot, home, entry);
        let path = home.path(card);
        if copy == Copy::Modified || copy == Copy::Missing {
            let detail = match copy {
                Copy::Missing => format!(
                    "`{}` is gone; `tocli artifact restore {}` puts it back",
                    path.display(),
                    card.id
                ),
                _ => format!(
                    "`{}` was changed by hand; store it as a new version, or `tocli artifact restore {} --force`",
                    path.display(),
                    card.id
                ),
            };
            faults.push(faulty(entry, card.version, copy.word(), detail));
        }
        if number + 1 < count && (begun.elapsed() > BUDGET || faults.len() >= MOST_FAULTS) {
            next_cursor = Some(rules::after(card.born));
            break;
        }
    }
    if id.is_none() && next_cursor.is_none() {
        let all: Vec<Entry> = slot.with(|catalog| Ok(catalog.all().cloned().collect()))?;
        let room = MOST_FAULTS.saturating_sub(faults.len()).max(1);
        let world = &*scene.desk.ctx.world;
        faults.extend(strays::found(world, home, (&all, scene.place.tree), room));
    }
    Ok(Answer::Verified {
        versions,
        bytes,
        faults,
        next_cursor,
    })
}

/// How a file is, by its bytes alone.
fn inspected(world: &dyn World, slot: &super::catalog::Slot, home: &Home, entry: &Entry) -> Copy {
    let mut distrusted = entry.clone();
    distrusted.seen = None;
    distrusted.card.stamp = None;
    if distrusted.copy == Copy::Placing {
        return Copy::Placing;
    }
    let (copy, seen) = copies::look(world, home, &distrusted);
    slot.note((&entry.card.id, entry.card.version), copy, seen);
    copy
}

fn faulty(entry: &Entry, version: u32, fault: &str, detail: String) -> Fault {
    Fault {
        id: entry.card.id.clone(),
        version,
        name: entry.card.name.clone(),
        fault: fault.to_owned(),
        detail,
    }
}
