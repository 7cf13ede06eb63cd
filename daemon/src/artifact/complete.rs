//! `task complete --artifact`: a task and its results in one transaction.
//!
//! Asked by `mod.rs`. What must stay true: either the task is completed and every result is recorded, or neither; there
//! is one audit event for both, the task's.

use std::cell::RefCell;

use proto::artifact::{Answer, MAX_WITH_TASK, Request, Stored};
use proto::error::{Error, Result};
use proto::task::{self, Verb};

use super::pen::Pen;
use super::write::{Ready, Scene};
use super::{Place, stray};
use crate::db::Batch;
use crate::dispatch::Desk;
use crate::workspace::{Registry, WorkspaceScope};

/// Completes a task with its results.
pub(super) fn answer(
    desk: &Desk<'_>,
    (registry, scope): (&Registry<'_>, &WorkspaceScope),
    place: &Place<'_>,
    whole: &proto::Request,
) -> Result<proto::Answer> {
    crate::task::placed(desk, (registry, scope), |tasks| {
        complete(desk, place, tasks, whole)
    })
}

/// The same, for a workspace that has been found.
pub(super) fn complete(
    desk: &Desk<'_>,
    place: &Place<'_>,
    tasks: &crate::task::Place<'_>,
    whole: &proto::Request,
) -> Result<proto::Answer> {
    let proto::Request::Artifact(call) = whole else {
        return Err(stray());
    };
    let Request::Complete {
        id,
        if_revision,
        summary,
        next_action,
        force,
        drafts,
    } = &call.what
    else {
        return Err(stray());
    };
    if drafts.len() > MAX_WITH_TASK {
        return Err(Error::usage(format!("{} files at once", drafts.len()))
            .why(format!("the most is {MAX_WITH_TASK}"))
            .next("store some of them before, with `tocli artifact store`"));
    }
    let change = task::Request::Change {
        id: id.clone(),
        if_revision: *if_revision,
        verb: Verb::Complete {
            summary: summary.clone(),
            next_action: *next_action,
            force: *force,
        },
    };
    let slot = desk.ctx.artifacts.slot(&place.home.workspace);
    slot.set_home(&place.home);
    let scene = Scene {
        desk,
        place,
        whole,
        slot: &slot,
        actor: crate::task::who::actor(desk.ask.caller.actor.as_deref())?,
    };
    // What fails here may have been done by the same request before: the change answers first.
    let ready: Result<Vec<Ready>> = drafts.iter().map(|draft| finished(&scene, id, draft)).collect();
    let kept: RefCell<(Vec<Stored>, Option<Pen<'_>>)> = RefCell::default();
    let enter = |batch: &mut Batch| -> Result<()> {
        (tasks.enter)(batch)?;
        let pen = Pen::open(desk.ctx, &place.home, place.other_tree())?;
        let ready = ready.as_ref().map_err(Clone::clone)?;
        let stored: Result<Vec<Stored>> = ready.iter().map(|one| scene.keep(&pen, batch, one)).collect();
        let mut kept = kept.borrow_mut();
        kept.1 = Some(pen);
        kept.0 = stored?;
        Ok(())
    };
    let with_results = crate::task::Place {
        enter: &enter,
        ..*tasks
    };
    let said = |answer: task::Answer| match answer {
        task::Answer::Task {
            task,
            unblocked,
            along,
            warnings,
        } => proto::Answer::Artifact(Answer::Completed {
            task,
            unblocked,
            along,
            warnings,
            artifacts: kept.borrow().0.clone(),
        }),
        other => proto::Answer::Task(other),
    };
    let outcome = crate::task::write::answer_as(desk, &with_results, (whole, &change), &said);
    let (_, pen) = kept.take();
    match outcome {
        Ok(answer) => {
            let mut placed = pen.map(Pen::committed).unwrap_or_default();
            drafts.iter().for_each(|draft| scene.end(draft));
            Ok(match answer {
                proto::Answer::Artifact(Answer::Completed {
                    task,
                    unblocked,
                    along,
                    mut warnings,
                    artifacts,
                }) => {
                    warnings.append(&mut placed);
                    proto::Answer::Artifact(Answer::Completed {
                        task,
                        unblocked,
                        along,
                        warnings,
                        artifacts,
                    })
                }
                other => other,
            })
        }
        Err(error) => {
            if let Some(pen) = pen {
                pen.gave_up_for(&error);
            }
            Err(error)
        }
    }
}

fn finished(scene: &Scene<'_>, task: &str, draft: &str) -> Result<Ready> {
    let (upload, taken) = scene.dock().finish(draft)?;
    if upload.task != task {
        return Err(Error::usage(format!(
            "the upload `{draft}` is for `{}`, not for `{task}`",
            upload.task
        )));
    }
    Ok(Ready::of_upload(upload, taken))
}
