//! The writing door: contents first, then one change under the workspace's lock, then the files in the project.
//!
//! Asked by `mod.rs`. What must stay true: whatever is slow (syncing an upload, reading a project's file) happens before
//! the lock is taken, and is harmless when the change is refused: an object that nobody names is swept.

use std::cell::RefCell;

use proto::RawPath;
use proto::artifact::{Act, Answer, Filter, NewArtifact, Request, Source, Stored};
use proto::error::{Error, Kind, Result};

use super::catalog::Slot;
use super::pen::{Given, Pen};
use super::store::{Artifacts, Upload};
use super::upload::{Dock, within};
use super::{Place, rules, stray, upkeep};
use crate::audit::{self, Said};
use crate::db::Batch;
use crate::dispatch::Desk;
use crate::objects::{Digest, Taken};
use crate::task::card::Card as Task;
use crate::task::store::Tasks;
use crate::world::process;

/// The most uploads of a workspace that have not come to their end.
const MOST_UPLOADS: usize = 1_000;

/// All that a request stands on.
pub struct Scene<'a> {
    pub(super) desk: &'a Desk<'a>,
    pub(super) place: &'a Place<'a>,
    pub(super) whole: &'a proto::Request,
    pub(super) slot: &'a Slot,
    pub(super) actor: String,
}

impl Scene<'_> {
    pub(super) fn workspace(&self) -> &str {
        &self.place.home.workspace
    }

    pub(super) fn records(&self) -> Artifacts<'_> {
        Artifacts::new(&self.desk.ctx.db, self.workspace())
    }

    pub(super) fn dock(&self) -> Dock<'_> {
        Dock {
            ctx: self.desk.ctx,
            workspace: self.workspace(),
            slot: self.slot,
            limit: self.place.limit,
        }
    }

    /// Answers a request that changes something.
    pub(super) fn change(&self, what: Request) -> Result<proto::Answer> {
        match what {
            Request::Store(source) => self.store(*source),
            Request::Stage { new, size, digest } => self.stage(&new, size, digest.as_deref()),
            Request::Discard { draft } => self.discard(&draft),
            Request::Cleanup { before, filter, .. } => self.cleanup(before, &filter),
            Request::Optimize { act: Act::Do } => upkeep::optimize(self),
            Request::Restore { id, version, over } => upkeep::restore(self, id.as_deref(), version, over),
            _ => Err(stray()),
        }
    }

    /// The task that a result is of; none for one of the whole project.
    pub(super) fn task(&self, id: &str) -> Result<Option<Task>> {
        let found = Tasks::new(&self.desk.ctx.db, self.workspace()).card(id);
        match found {
            Err(error) if error.kind == Kind::NotFound && id == rules::NO_TASK => Ok(None),
            found => found.map(Some),
        }
    }

    /// One change of the workspace that may keep artifacts: the files follow the commit.
    pub(super) fn with_pen(
        &self,
        change: impl FnOnce(&Pen<'_>, &mut Batch) -> Result<Answer>,
    ) -> Result<(Answer, Vec<String>)> {
        let kept: RefCell<Option<Pen<'_>>> = RefCell::default();
        let ctx = self.desk.ctx;
        let outcome = self.desk.change(self.workspace(), self.whole, |batch| {
            let pen = Pen::open(ctx, &self.place.home, self.place.other_tree())?;
            (self.place.enter)(batch)?;
            let answer = change(&pen, batch);
            kept.replace(Some(pen));
            answer.map(proto::Answer::Artifact)
        });
        match (outcome, kept.into_inner()) {
            (Ok(proto::Answer::Artifact(answer)), pen) => {
                Ok((answer, pen.map(Pen::committed).unwrap_or_default()))
            }
            (Ok(_), _) => Err(stray()),
            (Err(error), pen) => {
                if let Some(pen) = pen {
                    pen.gave_up_for(&error);
                }
                Err(error)
            }
        }
    }

    pub(super) fn audit(&self, batch: &mut Batch, op: &str, target: &str, count: usize) -> Result<()> {
        let said = Said {
            time: self.desk.ctx.world.now(),
            actor: &self.actor,
            op,
            target,
            count,
        };
        audit::append(&self.desk.ctx.db, batch, self.workspace(), said)
    }

    fn store(&self, source: Source) -> Result<proto::Answer> {
        // What fails here may have been done by the same request before: the change answers first.
        let ready = match source {
            Source::Here { new, bytes } => self.here(new, &bytes),
            Source::Project { new, path } => self.snapshot(new, &path),
            Source::Draft { draft } => self
                .dock()
                .finish(&draft)
                .map(|(upload, taken)| Ready::of_upload(upload, taken)),
        };
        let upload = ready.as_ref().ok().and_then(|ready| ready.upload.clone());
        let (answer, warnings) = self.with_pen(|pen, batch| {
            let ready = ready?;
            let stored = self.keep(pen, batch, &ready)?;
            if !stored.already_there || ready.upload.is_some() {
                self.audit(batch, "artifact.store", &stored.id, 1)?;
            }
            Ok(Answer::Stored(Box::new(stored)))
        })?;
        if let Some(upload) = upload {
            self.end(&upload);
        }
        let Answer::Stored(mut stored) = answer else {
            return Err(stray());
        };
        stored.warnings.extend(warnings);
        stored.warnings.extend_from_slice(self.place.warnings);
        Ok(proto::Answer::Artifact(Answer::Stored(stored)))
    }

    /// Records what is ready to be kept, and ends its upload.
    pub(super) fn keep(&self, pen: &Pen<'_>, batch: &mut Batch, ready: &Ready) -> Result<Stored> {
        let task = self.task(&ready.new.task)?;
        let given = Given {
            id: None,
            task: task.as_ref().map(|task| task.id.as_str()),
            specialist: task.as_ref().map_or(rules::NO_TASK, |task| &task.specialist),
            name: &ready.new.name,
            kind: ready.new.kind,
            summary: &ready.new.summary,
            actor: &self.actor,
            time: self.desk.ctx.world.now(),
            source: ready.source.clone(),
        };
        let stored = pen.store(batch, &given, ready.taken)?;
        if let Some(id) = &ready.upload {
            // Two requests may have finished the same upload: the second finds it ended.
            self.records().upload(id)?;
            self.records().end_upload(batch, id);
        }
        Ok(stored)
    }

    /// What is left of an upload in memory and on the disk goes.
    pub(super) fn end(&self, upload: &str) {
        self.slot.uploads.forget(upload);
        if let Err(error) = self.desk.ctx.db.objects().drop_draft(upload) {
            tracing::debug!(%error, "a draft that is not needed stays until it is swept");
        }
    }

    fn here(&self, new: NewArtifact, bytes: &[u8]) -> Result<Ready> {
        self.may_be(&new)?;
        rules::piece(bytes.len())?;
        within(bytes.len() as u64, self.place.limit)?;
        let digest = self.desk.ctx.db.objects().put(bytes)?;
        let taken = Taken {
            digest,
            size: bytes.len() as u64,
        };
        Ok(Ready {
            new,
            taken,
            source: None,
            upload: None,
        })
    }

    /// Before anything is written: that it could be an artifact at all.
    fn may_be(&self, new: &NewArtifact) -> Result<Option<Task>> {
        rules::name(&new.name)?;
        rules::summary(&new.summary)?;
        self.task(&new.task)
    }

    /// A snapshot of a file of the project.
    fn snapshot(&self, new: NewArtifact, path: &RawPath) -> Result<Ready> {
        let shown = path.display().into_owned();
        let outside = || {
            Error::refused(format!("`{shown}` is not a file of this project"))
                .why(format!("the project is `{}`", self.place.tree.display()))
                .next("store it as a file: `tocli artifact store TASK FILE`")
        };
        let relative = path
            .as_path()
            .strip_prefix(self.place.tree)
            .map_err(|_| outside())?;
        if relative.as_os_str().is_empty() || relative.starts_with(crate::workspace::folder::NAME) {
            return Err(outside());
        }
        let named = relative
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let new = match new.name.is_empty() {
            true => NewArtifact {
                name: named.to_owned(),
                ..new
            },
            false => new,
        };
        self.may_be(&new)?;
        let source = RawPath::from(relative);
        if source.as_bytes().len() > rules::MAX_SOURCE {
            return Err(
                Error::too_large(format!("the path `{shown}` is too long to be kept"))
                    .next("store it under a shorter path"),
            );
        }
        let failed = |error: std::io::Error| {
            match error.kind() {
            std::io::ErrorKind::NotFound => Error::not_found(format!("there is no file `{shown}`")).next("name a file of the project"),
            _ => Error::refused(format!("`{shown}` cannot be read")).why(error).next("name a file within the project; one from elsewhere is kept with `tocli artifact store TASK FILE`"),
        }
        };
        let mut file = self
            .desk
            .ctx
            .world
            .open_beneath(self.place.tree, relative)
            .map_err(failed)?;
        within(file.stat().map_err(failed)?.size, self.place.limit)?;
        let taken = self.desk.ctx.db.objects().take_in(&mut *file, self.place.limit)?;
        Ok(Ready {
            new,
            taken,
            source: Some(source),
            upload: None,
        })
    }

    fn stage(&self, new: &NewArtifact, size: Option<u64>, digest: Option<&str>) -> Result<proto::Answer> {
        within(size.unwrap_or_default(), self.place.limit)?;
        let digest = match digest {
            Some(text) => Some(Digest::parse(text).ok_or_else(|| {
                Error::usage(format!(
                    "`{}` is no BLAKE3 digest",
                    crate::task::rules::shown(text)
                ))
            })?),
            None => None,
        };
        let answer = self.desk.change(self.workspace(), self.whole, |batch| {
            let task = self.may_be(new)?;
            if self.records().uploads()?.len() >= MOST_UPLOADS {
                return Err(
                    Error::refused(format!("{MOST_UPLOADS} uploads have not come to their end"))
                        .next("see `tocli artifact partials`, and give some up"),
                );
            }
            let ctx = self.desk.ctx;
            ctx.db.objects().room_for(size.unwrap_or_default())?;
            let mut six = [0; 6];
            ctx.world.random(&mut six);
            let id = rules::new_upload(six);
            drop(ctx.db.objects().draft(&id)?);
            let upload = Upload {
                id: id.clone(),
                specialist: task
                    .as_ref()
                    .map_or_else(|| rules::NO_TASK.to_owned(), |task| task.specialist.clone()),
                task: task.map_or_else(|| rules::NO_TASK.to_owned(), |task| task.id),
                name: new.name.clone(),
                kind: new.kind,
                summary: new.summary.clone(),
                actor: self.actor.clone(),
                created: ctx.world.now(),
                size,
                digest: digest.map(|digest| *digest.as_bytes()),
                synced: 0,
                boot: process::boot_id(),
                kept: None,
            };
            self.records().put_upload(batch, &upload)?;
            self.audit(batch, "artifact.stage", &id, 1)?;
            Ok(proto::Answer::Artifact(Answer::Upload {
                draft: id,
                received: 0,
                synced: 0,
            }))
        })?;
        Ok(answer)
    }

    fn discard(&self, draft: &str) -> Result<proto::Answer> {
        let answer = self.desk.change(self.workspace(), self.whole, |batch| {
            let upload = self.records().upload(draft)?;
            self.records().end_upload(batch, &upload.id);
            self.audit(batch, "artifact.discard", &upload.id, 1)?;
            Ok(proto::Answer::Artifact(Answer::Discarded { draft: upload.id }))
        })?;
        if let proto::Answer::Artifact(Answer::Discarded { draft }) = &answer {
            self.end(draft);
        }
        Ok(answer)
    }

    fn cleanup(&self, before: i64, filter: &Filter) -> Result<proto::Answer> {
        let (answer, _) = self.with_pen(|pen, batch| upkeep::archive(self, pen, batch, (before, filter)))?;
        if let Answer::Cleaned { artifacts, .. } = &answer {
            upkeep::forget_files(self, artifacts);
        }
        Ok(proto::Answer::Artifact(answer))
    }
}

/// What can be recorded now: its bytes are an object.
pub struct Ready {
    pub(super) new: NewArtifact,
    pub(super) taken: Taken,
    pub(super) source: Option<RawPath>,
    /// The upload it came by.
    pub(super) upload: Option<String>,
}

impl Ready {
    pub(super) fn of_upload(upload: Upload, taken: Taken) -> Self {
        Self {
            new: NewArtifact {
                task: upload.task,
                name: upload.name,
                kind: upload.kind,
                summary: upload.summary,
            },
            taken,
            source: None,
            upload: Some(upload.id),
        }
    }
}
