//! Subscriptions: what a client wants to hear of is read again while it wants that, and told when it has changed.
//!
//! A session that was shown the list of resources hears when it is another one. What must stay true: who has neither subscribed
//! nor listed costs nothing; a list is read again only when the audit trail of its workspace has grown; what is read here is read
//! for nobody, so that it prolongs no lease and no session.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
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
    list: Mutex<Listed>,
}

/// The list of resources that a session was shown.
#[derive(Debug, Default)]
struct Listed {
    followed: bool,
    place: Option<Place>,
    /// The newest event of its workspace.
    head: Option<u64>,
    print: Option<u64>,
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
        let now = match self.print(place.clone(), uri.clone()).await {
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
            addresses.len() == 1
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
            let known: Vec<(String, Option<u64>)> = self.shared.watched.lock().clone().into_iter().collect();
            if known.is_empty() || peer.is_transport_closed() {
                return;
            }
            for (uri, before) in known {
                let now = self.print(place.clone(), uri.clone()).await.ok();
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
    pub(super) fn has_listed(&self, place: Place, head: Option<u64>, peer: &Peer<RoleServer>) {
        let followed = {
            let mut list = self.shared.watched.list();
            (list.place, list.head, list.print) = (Some(place), head, None);
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
            let (place, head, print) = {
                let list = self.shared.watched.list();
                (list.place.clone(), list.head, list.print)
            };
            let Some(place) = place else { continue };
            let now = self.quietly(place.clone(), |talk| Ok(newest(talk))).await;
            let now = now.ok().flatten();
            if now == head && print.is_some() {
                continue;
            }
            let listed = self.print_list(place).await;
            // What was not read before is taken for another list when anything has changed.
            let changed = print.map_or(now != head, |_| listed != print);
            {
                let mut list = self.shared.watched.list();
                (list.head, list.print) = (now, listed);
            }
            if changed && peer.notify_resource_list_changed().await.is_err() {
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
        let accepted = subscription.accepted().clone();
        let addresses = accepted.resource_subscriptions.unwrap_or_default();
        let lists = accepted.resources_list_changed == Some(true);
        let mut before: Vec<Option<u64>> = Vec::new();
        let mut listed = None;
        let mut first = true;
        loop {
            let mut now = Vec::with_capacity(addresses.len());
            for uri in &addresses {
                now.push(self.print(place.clone(), uri.clone()).await.ok());
            }
            let list = if lists {
                self.print_list(place.clone()).await
            } else {
                None
            };
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
                if list != listed && sink.notify_resource_list_changed().await.is_err() {
                    return Ok(());
                }
            }
            (before, listed, first) = (now, list, false);
            tokio::select! {
                () = subscription.cancelled() => return Ok(()),
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    /// A number that differs when what stands at an address differs.
    async fn print(&self, place: Place, uri: String) -> proto::error::Result<u64> {
        self.quietly(place, move |talk| {
            let contents = resources::read(talk, &uri)?;
            let mut hasher = DefaultHasher::new();
            match contents {
                ResourceContents::TextResourceContents { text, .. } => text.hash(&mut hasher),
                ResourceContents::BlobResourceContents { blob, .. } => blob.hash(&mut hasher),
                _ => {}
            }
            Ok(hasher.finish())
        })
        .await
    }

    /// The same for the list of resources: its first page, where what is new shows by the numbers.
    async fn print_list(&self, place: Place) -> Option<u64> {
        let print = self.quietly(place, |talk| {
            let mut hasher = DefaultHasher::new();
            let mut cursor = None;
            loop {
                let (found, next) = resources::list(talk, cursor.as_deref())?;
                for resource in found {
                    resource.uri.hash(&mut hasher);
                }
                match next {
                    Some(next) => cursor = Some(next),
                    None => return Ok(hasher.finish()),
                }
            }
        });
        print.await.ok()
    }

    /// Works with a connection for nobody in particular.
    async fn quietly<T: Send + 'static>(
        &self,
        mut place: Place,
        work: impl FnOnce(&mut Talk<'_>) -> proto::error::Result<T> + Send + 'static,
    ) -> proto::error::Result<T> {
        place.caller.actor = None;
        let run = self
            .shared
            .pool
            .run(move |client| work(&mut Talk::new(client, place, Ends::default())));
        run.await
    }
}

/// The number of the newest change in the workspace of the place.
pub(super) fn newest(talk: &mut Talk<'_>) -> Option<u64> {
    let what = maintenance::Request::Audit {
        filter: maintenance::EventFilter::default(),
        limit: 1,
        cursor: None,
    };
    let at = talk.which();
    let call = Box::new(maintenance::Call { at, what });
    match talk.ask(Request::Maintenance(call)) {
        Ok(Answer::Maintenance(maintenance::Answer::Audit { events, .. })) => {
            events.first().map(|event| event.seq)
        }
        _ => None,
    }
}
