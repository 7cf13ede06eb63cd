//! What the next image of the daemon needs to go on with a connection.
//!
//! Made by `connection` when the daemon hands over, read by it when the next image takes over. A connection that has
//! just been accepted begins with [`Carried::default`]. What must stay true: together with the descriptor it is all
//! there is of a connection, so that no byte read is lost and none is said twice.

use std::time::Duration;

use proto::index::{self, Since};
use proto::{Caller, Request, daemon};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::dispatch::{Ask, Route};

/// How far the two sides have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The client's header has not come yet.
    #[default]
    Hello,
    /// Frames go both ways.
    Talking,
}

/// One connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// How far the two sides have come.
    pub stage: Stage,
    /// Which client it is, where its header says so.
    pub who: Option<super::clients::Who>,
    /// Read and not yet acted on.
    pub inbox: Vec<u8>,
    /// Said and not yet written.
    pub outbox: Vec<u8>,
    /// Requests without their last frame.
    pub unfinished: Vec<Unfinished>,
}

/// How the next image goes on with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// From the clock up to which the client has been told all, or with another question in its place.
    GoOn,
    /// From the beginning: it only reads what is in memory, so it can be asked anew as long as no part of its answer has
    /// been sent.
    Repeat,
}

/// A request whose last frame is still to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The client's id of it.
    pub id: u64,
    /// Milliseconds the client waits, counted anew after a hand-over; 0 for as long as it takes.
    pub deadline_ms: u32,
    /// For a mutation: the id under which it is done once.
    pub request_id: Option<String>,
    /// Who asks.
    pub caller: Caller,
    /// What is asked, from where it stands.
    pub request: Request,
}

impl Unfinished {
    /// Who asks, and what.
    pub(super) fn into_ask(self) -> (Ask, Request) {
        let limit = Duration::from_millis(self.deadline_ms.into());
        let ask = Ask {
            caller: self.caller,
            request_id: self.request_id,
            deadline: (self.deadline_ms > 0).then(|| Instant::now() + limit),
        };
        (ask, self.request)
    }

    /// What the next image needs of it, when it may be able to go on with it: most requests have to be finished, and a
    /// large one is not kept beside its work.
    pub(super) fn to_carry((id, deadline_ms): (u64, u32), ask: &Ask, request: &Request) -> Option<Self> {
        matches!(request, Request::Index(_) | Request::Daemon(_)).then(|| Self {
            id,
            deadline_ms,
            request_id: ask.request_id.clone(),
            caller: ask.caller.clone(),
            request: request.clone(),
        })
    }

    /// How the next image can go on with it; none when this one has to finish it.
    pub(super) fn how(&self, route: &Route) -> Option<How> {
        match (&self.request, route) {
            (Request::Index(index::Request::Watch { .. }), Route::Stream(_))
            | (Request::Daemon(daemon::Request::Reboot { .. }), Route::Stream(_)) => Some(How::GoOn),
            (Request::Index(_), Route::Stream(_)) => Some(How::Repeat),
            _ => None,
        }
    }

    /// What the next image is asked in its place: whoever asked for the reboot wants to know how it went.
    pub(super) fn for_next_image(mut self) -> Self {
        if matches!(self.request, Request::Daemon(daemon::Request::Reboot { .. })) {
            self.request = Request::Daemon(daemon::Request::LastReboot);
        }
        self
    }

    /// The client has been told all up to a clock.
    pub(super) fn mark(&mut self, clock: String) {
        if let Request::Index(index::Request::Watch { since, .. }) = &mut self.request {
            *since = Some(Since::Clock(clock));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_goes_on_from_the_last_clock_the_client_was_told() {
        let request = Request::Index(index::Request::Watch {
            at: proto::detect::From::Caller,
            since: None,
        });
        let mut watch = Unfinished {
            id: 1,
            deadline_ms: 0,
            request_id: None,
            caller: Caller::default(),
            request,
        };
        watch.mark("c:1:2:3".to_owned());
        let Request::Index(index::Request::Watch { since, .. }) = watch.request else {
            panic!("still a watch")
        };
        assert_eq!(since, Some(Since::Clock("c:1:2:3".to_owned())));
    }
}
