//! Several requests in flight at once over one connection: for the pieces of an upload or a download.
//!
//! What must stay true: nothing is sent twice here; when the connection breaks, whoever posted finds out where things
//! stand and posts what is missing over the next one.

use std::time::Duration;

use proto::{Answer, Error, error::Result, frame};

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
        self.posted(id, &ask.frame(id)?)
    }

    /// The same for a request that ends with `length` bytes, which it is given without: `lay` puts them behind it, and they
    /// are not copied before they are sent.
    ///
    /// # Errors
    /// As [`Client::post`]; what `lay` says; `bug` when it lays another number.
    pub fn post_with(
        &mut self,
        ask: &Ask,
        length: usize,
        lay: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<u64> {
        let id = self.last_id + 1;
        self.last_id = id;
        let mut bytes = frame::encode_open(&ask.message(id), length, std::mem::take(&mut self.scratch))?;
        let begins = bytes.len();
        bytes.reserve_exact(length);
        lay(&mut bytes)?;
        let laid = bytes.len() - begins;
        if laid != length {
            return Err(Error::bug(format!(
                "{laid} bytes were laid where {length} were announced"
            )));
        }
        let posted = self.posted(id, &bytes);
        self.scratch = bytes;
        posted
    }

    fn posted(&mut self, id: u64, bytes: &[u8]) -> Result<u64> {
        match &mut self.link {
            Some(link) => {
                if let Err(why) = link.send(bytes) {
                    self.link = None;
                    return Err(broke(why));
                }
            }
            None => self.open(bytes)?,
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
