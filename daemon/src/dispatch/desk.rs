//! The desk of a handler on the blocking pool: all of `Ctx`, and the one way to change something.
//!
//! What must stay true: whatever changes a workspace holds that workspace's lock while it gathers, decides and records;
//! the answer to a change leaves only after the change would survive a power cut; the same request id twice changes
//! nothing the second time and gives the first answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use proto::{Answer, Error, Request, error::Result};

use super::{Ask, waits};
use crate::ctx::Ctx;
use crate::db::{Batch, Replay, RequestKey};

/// What a handler on the blocking pool may touch: everything.
pub struct Desk<'a> {
    /// The daemon's belongings.
    pub ctx: &'a Ctx,
    /// The request's circumstances.
    pub ask: &'a Ask,
}

/// The longest request id and actor name, in bytes.
const LONGEST_ID: usize = 64;

impl Desk<'_> {
    /// Finds the project of the request. May hang where a mount hangs.
    ///
    /// # Errors
    /// What detection says.
    pub fn locate(&self, from: &proto::detect::From) -> Result<proto::detect::Detection> {
        let ctx = self.ctx;
        ctx.detector.find(
            &*ctx.world,
            &self.ask.caller,
            from,
            &ctx.detection(&self.ask.caller),
        )
    }

    /// How many tasks of each status a workspace has.
    ///
    /// # Errors
    /// `Unavailable` when the records cannot be read.
    pub fn tasks_by_status(&self, workspace: &str) -> Result<Vec<(String, u64)>> {
        crate::task::by_status(self.ctx, workspace)
    }

    /// Makes one change in `scope` (a workspace's id, or the word of what belongs to none).
    ///
    /// `change` gathers and decides, puts its records into the batch and gives the answer; it runs under the scope's
    /// lock. Whatever it does outside the database must stand before its records do (file first, record second).
    ///
    /// # Errors
    /// What `change` says, and then nothing was recorded; `conflict` when the request id was used for another request;
    /// what [`crate::db::Db::commit`] says.
    pub fn change(
        &self,
        scope: &str,
        request: &Request,
        change: impl FnOnce(&mut Batch) -> Result<Answer>,
    ) -> Result<Answer> {
        self.change_in(&[scope], request, change)
    }

    /// As [`Desk::change`], in several scopes at once. The request id is one of the first.
    ///
    /// # Errors
    /// As [`Desk::change`].
    pub fn change_in(
        &self,
        scopes: &[&str],
        request: &Request,
        change: impl FnOnce(&mut Batch) -> Result<Answer>,
    ) -> Result<Answer> {
        let mut sorted = scopes.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let locks: Vec<_> = sorted.iter().map(|scope| self.ctx.locks.of(scope)).collect();
        let held: Vec<_> = locks.iter().map(|lock| hold(lock)).collect();
        let once = self.once(scopes.first().copied().unwrap_or_default(), request)?;
        if let Some(once) = &once
            && let Some(answer) = self.replayed(once)?
        {
            return Ok(answer);
        }
        let mut batch = Batch::new();
        let answer = change(&mut batch)?;
        if let Some(once) = &once {
            let bytes = postcard::to_stdvec(&answer)
                .map_err(|error| Error::bug("an answer could not be kept").why(error))?;
            self.ctx
                .db
                .remember(&mut batch, once.key(), self.ctx.world.now(), &bytes)?;
        }
        let staged = self.ctx.db.stage(batch)?;
        // The next writer of this workspace may begin; both share the flush.
        drop(held);
        staged.durable()?;
        Ok(answer)
    }

    /// The first answer to a change, when this is its repetition: for a door that looks at much before it changes
    /// anything. [`Desk::change`] asks again, under the lock.
    ///
    /// # Errors
    /// As [`Desk::change`].
    pub fn first_answer(&self, scope: &str, request: &Request) -> Result<Option<Answer>> {
        match self.once(scope, request)? {
            Some(once) => self.replayed(&once),
            None => Ok(None),
        }
    }

    fn once(&self, scope: &str, request: &Request) -> Result<Option<Once>> {
        let Some(id) = self.ask.request_id.clone() else {
            return Ok(None);
        };
        if id.is_empty() || id.len() > LONGEST_ID {
            return Err(Error::usage(format!("a request id of {} bytes", id.len()))
                .why(format!("it has between 1 and {LONGEST_ID}"))
                .next("choose another one, such as a UUID"));
        }
        let actor = self.ask.caller.actor.as_deref().unwrap_or_default();
        let bytes = postcard::to_stdvec(request)
            .map_err(|error| Error::bug("a request could not be digested").why(error))?;
        let scope = format!("{actor:.LONGEST_ID$}\0{scope}");
        Ok(Some(Once {
            scope,
            id,
            digest: *blake3::hash(&bytes).as_bytes(),
        }))
    }

    fn replayed(&self, once: &Once) -> Result<Option<Answer>> {
        match self.ctx.db.replay(once.key())? {
            Replay::New => Ok(None),
            Replay::Answered(bytes) => match postcard::take_from_bytes(&bytes) {
                Ok((answer, [])) => Ok(Some(answer)),
                _ => Err(
                    Error::bug("the first answer to this request cannot be read any more")
                        .why("it was given by another release")
                        .next("look at the current state instead; the request was carried out"),
                ),
            },
            Replay::Conflict => Err(
                Error::conflict(format!("the request id `{}` was used before", once.id))
                    .why("it stands for another request")
                    .next("choose a new id for a new request"),
            ),
        }
    }
}

/// A request that is done once.
struct Once {
    scope: String,
    id: String,
    digest: [u8; 32],
}

impl Once {
    fn key(&self) -> RequestKey<'_> {
        RequestKey {
            scope: self.scope.as_bytes(),
            id: self.id.as_bytes(),
            digest: self.digest,
        }
    }
}

/// One lock for each workspace that has been changed since the daemon began.
#[derive(Debug, Default)]
pub struct Locks(Mutex<HashMap<String, Arc<Mutex<()>>>>);

impl Locks {
    /// The lock of a scope. Whoever takes two takes them in the order of their scopes.
    #[must_use]
    pub fn of(&self, scope: &str) -> Arc<Mutex<()>> {
        Arc::clone(hold(&self.0).entry(scope.to_owned()).or_default())
    }
}

/// A lock whose holder panicked protects nothing that is half done: records change in one batch or not at all.
pub fn hold<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    match lock.try_lock() {
        Ok(held) => held,
        Err(TryLockError::Poisoned(broken)) => broken.into_inner(),
        Err(TryLockError::WouldBlock) => {
            waits::during(|| lock.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }
}
