//! Several requests in flight at once over one connection: for the pieces of an upload or a download.
//!
//! What must stay true: nothing is sent twice here; when the connection breaks, whoever posted finds out where things
//! stand and posts what is missing over the next one.

use std::time::Duration;

use proto::{Answer, Error, error::Result};

use crate::link::Heard;
use crate::{Ask, Client};

/// How long nothing may come while answers are owed.
const PATIENCE: Duration = Duration::from_secs(120);

impl Client {
    /// Sends a request and does not wait; its id. Its answer comes by [`Client::collect`].
    ///
    /// # Errors
    /// `unavailable` when the connection broke: what was posted over it before is lost or not, nobody knows.
    pub fn post(&mut self, ask: &Ask) -> Result<u64> {
        let id = self.last_id + 1;
        self.last_id = id;
        let bytes = ask.frame(id)?;
        match &mut self.link {
            Some(link) => {
                if let Err(why) = link.send(&bytes) {
                    self.link = None;
                    return Err(broke(why));
                }
            }
            None => self.open(&bytes)?,
        }
        Ok(id)
    }

    /// The next answer to anything that was posted, with the id of its request.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub fn collect(&mut self) -> Result<(u64, Result<Answer>)> {
        let Some(mut link) = self.link.take() else {
            return Err(broke("there is none"));
        };
        match link.any(PATIENCE) {
            Heard::Answer { id, answer } => {
                self.link = Some(link);
                Ok((id, *answer))
            }
            Heard::Broken(why) => Err(broke(why)),
        }
    }

    /// Gives up the connection with all that was posted over it.
    pub fn drop_posted(&mut self) {
        self.link = None;
    }
}

fn broke(why: impl ToString) -> Error {
    Error::unavailable("the connection to the daemon broke").why(why)
}
