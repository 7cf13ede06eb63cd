//! Keeping it small and whole: putting away what is old, compressing what is seldom read, putting files back.
//!
//! Asked by the doors. What must stay true: nothing is removed that cannot be brought back: what is put away keeps its
//! record and its contents; what somebody changed by hand stays where it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use proto::RawPath;
use proto::artifact::{Answer, Copy, Filter, Removed, Restored, Squeezed};
use proto::error::Result;
use proto::task::Force;

use super::catalog::Entry;
use super::copies;
use super::pen::{Given, Pen};
use super::read::BUDGET;
use super::rules::Wanted;
use super::store::{Artifacts, Card};
use super::write::Scene;
use super::{ready, stray};
use crate::db::Batch;
use crate::objects::{Checked, Digest, Taken};

/// The most artifacts that one request puts away or back.
const MOST: usize = 500;
/// Contents below this size are not compressed.
const SMALL: u64 = 64 << 10;
/// Nanoseconds of a day.
const DAY: i64 = 24 * 3600 * 1_000_000_000;

/// What a clean-up would put away.
pub(super) fn would_archive(scene: &Scene<'_>, (before, filter): (i64, &Filter)) -> Result<Answer> {
    let slot = ready(scene.desk.ctx, &scene.place.home)?;
    let entries = slot.with(|catalog| Ok(old(catalog.all(), before, filter)))?;
    let (artifacts, more) = judged(scene, &slot, entries)?;
    Ok(cleaned(
        false,
        artifacts.into_iter().map(|(_, removed)| removed).collect(),
        more,
    ))
}

/// Puts away what is old, at most [`MOST`] at once.
pub(super) fn archive(
    scene: &Scene<'_>,
    pen: &Pen<'_>,
    batch: &mut Batch,
    (before, filter): (i64, &Filter),
) -> Result<Answer> {
    let entries = pen
        .slot()
        .with(|catalog| Ok(old(catalog.all(), before, filter)))?;
    let (judged, more) = judged(scene, pen.slot(), entries)?;
    let now = scene.desk.ctx.world.now();
    let mut count = 0;
    let mut artifacts = Vec::new();
    for (card, removed) in judged {
        if removed.kept_because.is_none() {
            count += 1;
            pen.put(
                batch,
                Card {
                    archived: Some(now),
                    ..card
                },
            )?;
        }
        artifacts.push(removed);
    }
    if count > 0 {
        scene.audit(batch, "artifact.cleanup", "", count)?;
    }
    Ok(cleaned(true, artifacts, more))
}

fn cleaned(done: bool, artifacts: Vec<Removed>, more: u64) -> Answer {
    let bytes = artifacts
        .iter()
        .filter(|one| one.kept_because.is_none())
        .map(|one| one.size)
        .sum();
    Answer::Cleaned {
        done,
        artifacts,
        bytes,
        more,
    }
}

fn old<'e>(entries: impl Iterator<Item = &'e Entry>, before: i64, filter: &Filter) -> Vec<Entry> {
    let wanted = Wanted::new(filter);
    entries
        .filter(|entry| {
            entry.card.archived.is_none()
                && entry.card.updated < before
                && wanted.takes(&entry.card, &entry.text)
        })
        .cloned()
        .collect()
}

/// Which of them stay after all, and why; at most [`MOST`] that go.
fn judged(
    scene: &Scene<'_>,
    slot: &super::catalog::Slot,
    entries: Vec<Entry>,
) -> Result<(Vec<(Card, Removed)>, u64)> {
    let tasks = crate::task::store::Tasks::new(&scene.desk.ctx.db, scene.workspace());
    let mut open: BTreeMap<String, bool> = BTreeMap::new();
    let (mut found, mut going, mut more) = (Vec::new(), 0, 0);
    for entry in entries {
        if going == MOST {
            more += 1;
            continue;
        }
        let card = &entry.card;
        let is_open = match &card.task {
            None => false,
            Some(task) => match open.get(task) {
                Some(known) => *known,
                None => {
                    let is_open = tasks.find(task)?.is_some_and(|task| task.status.is_open());
                    open.insert(task.clone(), is_open);
                    is_open
                }
            },
        };
        let kept_because = if is_open {
            Some("its task is still open".to_owned())
        } else if copies::look_again(&*scene.desk.ctx.world, slot, &scene.place.home, &entry)
            == Copy::Modified
        {
            Some("its file was changed by hand".to_owned())
        } else {
            going += 1;
            None
        };
        let removed = Removed {
            id: card.id.clone(),
            name: card.name.clone(),
            size: card.size,
            updated: card.updated,
            kept_because,
        };
        // Those that stay are told of, but not without end.
        if removed.kept_because.is_none() || found.len() < 2 * MOST {
            found.push((entry.card, removed));
        }
    }
    Ok((found, more))
}

/// After the commit: the files of what was put away go from the project, unless somebody changed them.
pub(super) fn forget_files(scene: &Scene<'_>, removed: &[Removed]) {
    let world = &*scene.desk.ctx.world;
    let home = &scene.place.home;
    for one in removed.iter().filter(|one| one.kept_because.is_none()) {
        let card = scene
            .slot
            .with(|catalog| catalog.entry(&one.id).map(|entry| entry.card.clone()));
        let Ok(card) = card else { continue };
        if card.archived.is_none() {
            continue;
        }
        let probe = Entry {
            card: Card {
                archived: None,
                ..card.clone()
            },
            text: Box::default(),
            copy: Copy::Good,
            seen: None,
            looked: false,
        };
        if copies::look(world, home, &probe).0 == Copy::Good {
            let (folder, way) = home.way(&card);
            if let Err(error) = world.remove(&folder.base, &way) {
                tracing::warn!(%error, path = %home.path(&card).display(), "the file of an artifact that was put away stays");
            }
        }
    }
}

/// Figures of the contents of a workspace, each content once.
fn contents(scene: &Scene<'_>) -> Result<(Squeezed, BTreeSet<Digest>)> {
    let records = Artifacts::new(&scene.desk.ctx.db, scene.workspace());
    let slot = ready(scene.desk.ctx, &scene.place.home)?;
    let cards: Vec<Card> =
        slot.with(|catalog| Ok(catalog.all().map(|entry| entry.card.clone()).collect()))?;
    let (mut figures, mut sizes) = (Squeezed::default(), BTreeMap::new());
    let (mut seldom, mut live) = (BTreeSet::new(), BTreeSet::new());
    for card in &cards {
        for edition in records.editions(&card.id)? {
            figures.versions += 1;
            figures.bytes += edition.size;
            let digest = Digest::from(edition.digest);
            if sizes.insert(digest, edition.size).is_some() {
                figures.shared += edition.size;
            }
            let newest = edition.version == card.version && card.archived.is_none();
            if newest {
                live.insert(digest)
            } else {
                seldom.insert(digest)
            };
        }
    }
    let objects = scene.desk.ctx.db.objects();
    let squeezable = |digest: &Digest| {
        let size = sizes.get(digest).copied().unwrap_or_default();
        !live.contains(digest) && size >= SMALL && objects.kept(digest) == Some(size)
    };
    let chosen: BTreeSet<Digest> = seldom.into_iter().filter(squeezable).collect();
    figures.compressed = chosen.len() as u64;
    figures.compressed_from = chosen.iter().filter_map(|digest| sizes.get(digest)).sum();
    Ok((figures, chosen))
}

fn archive_before(scene: &Scene<'_>) -> i64 {
    let days = i64::try_from(scene.place.archive_after_days).unwrap_or(i64::MAX);
    scene
        .desk
        .ctx
        .world
        .now()
        .saturating_sub(days.saturating_mul(DAY))
}

/// What an optimization would save.
pub(super) fn would_optimize(scene: &Scene<'_>) -> Result<Answer> {
    let (mut figures, _) = contents(scene)?;
    if let Answer::Cleaned { artifacts, .. } =
        would_archive(scene, (archive_before(scene), &Filter::default()))?
    {
        figures.archived = going(artifacts);
    }
    Ok(Answer::Optimized { done: false, figures })
}

fn going(removed: Vec<Removed>) -> Vec<Removed> {
    removed
        .into_iter()
        .filter(|one| one.kept_because.is_none())
        .collect()
}

/// Puts away what is old, then compresses what is seldom read, for as long as a request may take.
pub(super) fn optimize(scene: &Scene<'_>) -> Result<proto::Answer> {
    let before = archive_before(scene);
    let (answer, _) = scene.with_pen(|pen, batch| {
        let cleaned = archive(scene, pen, batch, (before, &Filter::default()))?;
        let Answer::Cleaned { artifacts, .. } = cleaned else {
            return Err(stray());
        };
        let figures = Squeezed {
            archived: going(artifacts),
            ..Squeezed::default()
        };
        Ok(Answer::Optimized { done: true, figures })
    })?;
    let Answer::Optimized { figures: kept, .. } = answer else {
        return Err(stray());
    };
    forget_files(scene, &kept.archived);
    let (mut figures, chosen) = contents(scene)?;
    figures.archived = kept.archived;
    (figures.compressed, figures.compressed_from) = (0, 0);
    let (mut to, begun) = (0, Instant::now());
    for digest in chosen {
        match scene.desk.ctx.db.objects().squeeze(&digest) {
            Ok(Some(squeezed)) => {
                figures.compressed += 1;
                figures.compressed_from += squeezed.from;
                to += squeezed.to;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "contents stay as they are"),
        }
        if begun.elapsed() > 15 * BUDGET {
            break;
        }
    }
    figures.compressed_to = Some(to);
    Ok(proto::Answer::Artifact(Answer::Optimized { done: true, figures }))
}

/// Puts files back into the project, and what was put away back onto the list.
pub(super) fn restore(
    scene: &Scene<'_>,
    id: Option<&str>,
    version: Option<u32>,
    over: Force,
) -> Result<proto::Answer> {
    mend(scene, id)?;
    let (answer, warnings) = scene.with_pen(|pen, batch| {
        let entries: Vec<Entry> = pen.slot().with(|catalog| {
            Ok(match id {
                Some(id) => vec![catalog.entry(id)?.clone()],
                None => catalog
                    .all()
                    .filter(|entry| entry.card.archived.is_none())
                    .cloned()
                    .collect(),
            })
        })?;
        let (mut restored, mut more, mut count) = (Vec::new(), 0, 0);
        for entry in entries {
            if count == MOST {
                more += 1;
                continue;
            }
            let Some(one) = back(scene, (pen, batch), (&entry, id.is_some()), version, over)? else {
                continue;
            };
            count += usize::from(one.left_because.is_none());
            restored.push(one);
        }
        if count > 0 {
            scene.audit(batch, "artifact.restore", id.unwrap_or_default(), count)?;
        }
        Ok(Answer::Restored { restored, more })
    })?;
    warnings.iter().for_each(|warning| tracing::info!("{warning}"));
    Ok(proto::Answer::Artifact(answer))
}

/// One artifact; nothing for one that is as it should be and was not asked for by name.
fn back(
    scene: &Scene<'_>,
    (pen, batch): (&Pen<'_>, &mut Batch),
    (entry, named): (&Entry, bool),
    version: Option<u32>,
    over: Force,
) -> Result<Option<Restored>> {
    let card = &entry.card;
    let ctx = scene.desk.ctx;
    let said = |version: u32, left_because: Option<String>| Restored {
        id: card.id.clone(),
        version,
        path: RawPath::from(pen.home().path(card)),
        left_because,
    };
    if let Some(version) = version.filter(|version| *version != card.version) {
        let edition = scene.records().edition(&card.id, version)?;
        let given = Given {
            id: Some(&card.id),
            task: card.task.as_deref(),
            specialist: "",
            name: &card.name,
            kind: Some(card.kind),
            summary: &edition.summary,
            actor: &scene.actor,
            time: ctx.world.now(),
            source: edition.source.clone(),
        };
        let taken = Taken {
            digest: Digest::from(edition.digest),
            size: edition.size,
        };
        let stored = pen.store(batch, &given, taken)?;
        return Ok(Some(said(stored.version, None)));
    }
    if card.archived.is_none() {
        let copy = copies::look_again(&*ctx.world, pen.slot(), pen.home(), entry);
        match (copy, over) {
            (Copy::Missing, _) | (Copy::Modified, Force::Yes) => {}
            (Copy::Modified, Force::No) if pen.hand().is_behind(card)? => {}
            (Copy::Modified, Force::No) => {
                let why = "it was changed by hand; `--force` sets that aside and puts it back".to_owned();
                return Ok(Some(said(card.version, Some(why))));
            }
            _ if named => {
                return Ok(Some(said(
                    card.version,
                    Some("it is as it was stored".to_owned()),
                )));
            }
            _ => return Ok(None),
        }
    }
    let card = Card {
        archived: None,
        ..card.clone()
    };
    let card = pen.put_again(batch, card)?;
    Ok(Some(said(card.version, None)))
}

/// Contents that are damaged or gone come back from the file in the project, when that is whole.
fn mend(scene: &Scene<'_>, id: Option<&str>) -> Result<()> {
    let Some(id) = id else { return Ok(()) };
    let ctx = scene.desk.ctx;
    let slot = ready(ctx, &scene.place.home)?;
    let card = slot.with(|catalog| Ok(catalog.entry(id)?.card.clone()))?;
    let objects = ctx.db.objects();
    let found = objects.check(&card.object())?;
    if found == Checked::Good {
        return Ok(());
    }
    let (folder, way) = scene.place.home.way(&card);
    if let Ok(mut file) = ctx.world.open_beneath(&folder.base, &way)
        && objects.mend(
            &mut *file,
            &Taken {
                digest: card.object(),
                size: card.size,
            },
        )?
    {
        tracing::warn!(id, "contents that were damaged came back from the project's file");
        return Ok(());
    }
    let what = match found {
        Checked::Lost => "gone",
        _ => "damaged",
    };
    Err(
        proto::Error::unavailable(format!("the contents of `{}` are {what}", card.id))
            .why("the file in the project does not hold them either")
            .next(format!(
                "see `tocli artifact show {}` for older versions",
                card.id
            )),
    )
}
