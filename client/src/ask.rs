//! A question as the wire carries it.

use std::time::Duration;

use proto::{Caller, ClientFrame, Request, error::Result, frame};

/// A request with all that travels beside it.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who asks and from where.
    pub caller: Caller,
    /// What is asked.
    pub request: Request,
    /// For a mutation: the same one twice changes nothing the second time ([`crate::request_id`]).
    pub request_id: Option<String>,
    /// How long the daemon may take; none for as long as it takes.
    pub deadline: Option<Duration>,
}

impl Ask {
    /// A question from here with no limit of time; a mutation gets a request id of its own.
    #[must_use]
    pub fn new(caller: Caller, request: Request) -> Self {
        let request_id = (!crate::only_reads(&request)).then(crate::request_id).flatten();
        Self {
            caller,
            request,
            request_id,
            deadline: None,
        }
    }

    /// The same with a limit of time.
    #[must_use]
    pub fn within(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The frame that asks it.
    pub(crate) fn frame(&self, id: u64) -> Result<Vec<u8>> {
        frame::encode(&self.message(id))
    }

    /// The message that asks it.
    pub(crate) fn message(&self, id: u64) -> ClientFrame {
        // Zero means no limit on the wire, so a limit is at least a millisecond.
        let limit = self
            .deadline
            .map(|deadline| u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX).max(1));
        ClientFrame::Ask {
            id,
            deadline_ms: limit.unwrap_or_default(),
            request_id: self.request_id.clone(),
            caller: self.caller.clone(),
            request: self.request.clone(),
        }
    }
}
