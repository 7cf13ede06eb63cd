//! Subscriptions: what a client wants to hear of is read again while it wants that, and told when it has changed.
//!
//! A session that was shown the list of resources hears when it is another one. What must stay true: who has neither subscribed
//! nor listed costs nothing; whether a list is another one is told by what is new in the audit trail of its workspace, so that
//! nothing is listed for it; what is read here is read for nobody, so that it prolongs no lease and no session.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::{Answer, Kind, Request, maintenance};
use rmcp::model::{ErrorData, ResourceContents, ResourceUpdatedNotificationParam};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{Peer, RoleServer};

use super::Shim;
use super::reading::{fault, missing};
use crate::resources;
use crate::talk::{Ends, Place, Talk};

/// How often what is subscribed to is read.
const EVERY: Duration = Duration::from_secs(1);
/// How often a session that was shown the list is asked for: whether anything has changed.
const LIST_EVERY: Duration = Duration::from_secs(2);
/// The most addresses that one client hears of.
const MOST: usize = 64;

/// What the sessions of the older revisions have subscribed to, with what was last read.
#[derive(Debug, Default)]
pub(super) struct Watched {
    addresses: Mutex<HashMap<String, Option<u64>>>,
    /// Whether somebody reads them; changed while they are locked.
    followed: AtomicBool,
    list: Mutex<Listed>,
}

/// The list of resources that a session was shown.
#[derive(Debug, Default)]
struct Listed {
    followed: bool,
    place: Option<Place>,
    /// The newest event of its workspace.
    head: u64,
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Option<u64>>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self) -> MutexGuard<'_, Listed> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was read last; whether it is still heard of.
    fn keep(&self, uri: &str, now: Option<u64>) -> bool {
        let mut addresses = self.lock();
        let kept = addresses.get_mut(uri);
        kept.map(|kept| *kept = now).is_some()
    }

    /// No more of this one; whether it was heard of.
    pub(super) fn forget(&self, uri: &str) -> bool {
        self.lock().remove(uri).is_some()
    }
}

impl Shim {
    /// A subscription of a session.
    pub(super) async fn subscribe_to(
        &self,
        uri: String,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let place = self.place(&context, None).await.map_err(|error| fault(&error))?;
        // Whoever subscribes asks for something, and may have a daemon started for it.
        let of = uri.clone();
        let now = match self
            .with_daemon(&context, None, move |talk| print(talk, &of))
            .await
        {
            Ok(now) => now,
            Err(error) if error.kind == Kind::NotFound => {
                return Err(missing(&error, uri));
            }
            Err(error) => return Err(fault(&error)),
        };
        let first = {
            let mut addresses = self.shared.watched.lock();
            if addresses.len() >= MOST {
                return Err(ErrorData::invalid_params(
                    format!("at most {MOST} subscriptions"),
                    None,
                ));
            }
            addresses.insert(uri, Some(now));
            !self.shared.watched.followed.swap(true, Ordering::Relaxed)
        };
        if first {
            let (shim, peer) = (self.clone(), context.peer.clone());
            tokio::spawn(async move { shim.follow(place, peer).await });
        }
        Ok(())
    }

    /// Tells of changes until nothing is subscribed to any more.
    async fn follow(&self, place: Place, peer: Peer<RoleServer>) {
        loop {
            tokio::time::sleep(EVERY).await;
            let known: Vec<(String, Option<u64>)> = {
                let addresses = self.shared.watched.lock();
                if addresses.is_empty() || peer.is_transport_closed() {
                    self.shared.watched.followed.store(false, Ordering::Relaxed);
                    return;
                }
                addresses.clone().into_iter().collect()
            };
            for (uri, before) in known {
                let now = self.print_again(place.clone(), uri.clone(), before).await;
                if now == before {
                    continue;
                }
                if !self.shared.watched.keep(&uri, now) {
                    continue;
                }
                let told = peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri));
                if told.await.is_err() {
                    return;
                }
            }
        }
    }

    /// A session was shown the list of resources, after `head`: it hears when that is another one.
    pub(super) fn has_listed(&self, place: Place, head: u64, peer: &Peer<RoleServer>) {
        let followed = {
            let mut list = self.shared.watched.list();
            (list.place, list.head) = (Some(place), head);
            std::mem::replace(&mut list.followed, true)
        };
        if !followed {
            let (shim, peer) = (self.clone(), peer.clone());
            tokio::spawn(async move { shim.follow_list(peer).await });
        }
    }

    /// Tells that the list is another one, as long as there is somebody to tell.
    async fn follow_list(&self, peer: Peer<RoleServer>) {
        loop {
            tokio::time::sleep(LIST_EVERY).await;
            if peer.is_transport_closed() {
                return;
            }
            let (place, head) = {
                let list = self.shared.watched.list();
                (list.place.clone(), list.head)
            };
            let Some(place) = place else { continue };
            let Ok((now, another)) = self.quietly(place, move |talk| Ok(since(talk, head))).await else {
                continue;
            };
            self.shared.watched.list().head = now;
            if another && peer.notify_resource_list_changed().await.is_err() {
                return;
            }
        }
    }

    /// A subscription of the stateless revision: as long as its request is open.
    pub(super) async fn listen_to(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let place = self
            .place(subscription.request_context(), None)
            .await
            .map_err(|error| fault(&error))?;
        // A daemon is started for this once; where that fails there is nothing to hear of yet.
        let asked = subscription.request_context();
        let _reached = self.with_daemon(asked, None, |talk| talk.detect()).await;
        let accepted = subscription.accepted().clone();
        let addresses = accepted.resource_subscriptions.unwrap_or_default();
        let lists = accepted.resources_list_changed == Some(true);
        let mut before: Vec<Option<u64>> = Vec::new();
        let mut head = None;
        let mut first = true;
        loop {
            let mut now = Vec::with_capacity(addresses.len());
            for (number, uri) in addresses.iter().enumerate() {
                let last = before.get(number).copied().flatten();
                now.push(self.print_again(place.clone(), uri.clone(), last).await);
            }
            let mut another = false;
            if lists {
                let known = head.unwrap_or_default();
                let looked = self
                    .quietly(place.clone(), move |talk| Ok(since(talk, known)))
                    .await;
                if let Ok((now, changed)) = looked {
                    another = changed && head.is_some();
                    head = Some(now);
                }
            }
            if !first {
                let sink = subscription.sink();
                for (uri, _) in addresses
                    .iter()
                    .zip(now.iter().zip(&before))
                    .filter(|(_, (now, before))| now != before)
                {
                    if sink.notify_resource_updated(uri.clone()).await.is_err() {
                        return Ok(());
                    }
                }
                if another && sink.notify_resource_list_changed().await.is_err() {
                    return Ok(());
                }
            }
            (before, first) = (now, false);
            tokio::select! {
                () = subscription.cancelled() => return Ok(()),
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// What [`print`] says, and the same as a moment ago where there is no daemon to ask.
    async fn print_again(&self, place: Place, uri: String, before: Option<u64>) -> Option<u64> {
        match self.quietly(place, move |talk| print(talk, &uri)).await {
            Ok(now) => Some(now),
            Err(error) if error.kind == Kind::Unavailable => before,
            Err(_) => None,
        }
    }

    /// Works with a connection for nobody in particular, and with none where there is no daemon.
    async fn quietly<T: Send + 'static>(
        &self,
        mut place: Place,
        work: impl FnOnce(&mut Talk<'_>) -> proto::error::Result<T> + Send + 'static,
    ) -> proto::error::Result<T> {
        place.caller.actor = None;
        let run = self
            .shared
            .pool
            .look(move |client| work(&mut Talk::new(client, place, Ends::default())));
        run.await
    }
}

/// A number that differs when what stands at an address differs.
fn print(talk: &mut Talk<'_>, uri: &str) -> proto::error::Result<u64> {
    let contents = resources::read(talk, uri)?;
    let mut hasher = DefaultHasher::new();
    match contents {
        ResourceContents::TextResourceContents { text, .. } => text.hash(&mut hasher),
        ResourceContents::BlobResourceContents { blob, .. } => blob.hash(&mut hasher),
        _ => {}
    }
    Ok(hasher.finish())
}

/// Events that are looked at; of more it is taken that one of them matters.
const LOOK: u32 = 100;

/// The number of the newest change in the workspace of the place, and whether one after `head` made another list of its resources.
pub(super) fn since(talk: &mut Talk<'_>, head: u64) -> (u64, bool) {
    let what = maintenance::Request::Audit {
        filter: maintenance::EventFilter::default(),
        limit: LOOK,
        cursor: None,
    };
    let at = talk.which();
    let call = Box::new(maintenance::Call { at, what });
    let events = match talk.ask(Request::Maintenance(call)) {
        Ok(Answer::Maintenance(maintenance::Answer::Audit { events, .. })) => events,
        // Where there is no workspace there is nothing to list.
        _ => return (head, false),
    };
    let newest = events.first().map_or(0, |event| event.seq);
    let all_seen = events.last().is_none_or(|event| event.seq <= head + 1);
    let mut new = events.iter().take_while(|event| event.seq > head);
    (newest, !all_seen || new.any(|event| lists(&event.op)))
}

/// Whether an operation may add to the list of resources, or take away from it.
fn lists(op: &str) -> bool {
    const QUIET: [&str; 6] = [
        "task.note",
        "task.start",
        "task.claim",
        "task.release",
        "artifact.stage",
        "artifact.discard",
    ];
    let room = op.split('.').next().unwrap_or_default();
    matches!(room, "task" | "artifact" | "decision") && !QUIET.contains(&op)
}

#[cfg(test)]
mod tests {
    use super::lists;

    #[test]
    fn only_what_adds_or_takes_away_makes_another_list() {
        for op in [
            "task.add",
            "task.complete",
            "artifact.store",
            "decision.record",
            "task.import_legacy",
        ] {
            assert!(lists(op), "{op}");
        }
        for op in [
            "task.note",
            "task.start",
            "context.remember",
            "workspace.rename",
            "artifact.stage",
            "",
        ] {
            assert!(!lists(op), "{op}");
        }
    }
}
