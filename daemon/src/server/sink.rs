//! The way back: where a running request puts its items, its progress and its end.
//!
//! Held by handlers through `dispatch`. What must stay true: the queue is bounded, so a handler waits for a client that
//! reads slowly and no answer piles up in memory; progress is dropped rather than waited for.

use proto::{Answer, Error, Item, Kind, ServerFrame, error::Result, frame};
use tokio::sync::{mpsc, watch};

/// Frames waiting for one connection. With chunks of `frame::CHUNK` that is about a mebibyte.
pub(super) const QUEUE: usize = 16;

/// One frame on its way to the connection's task.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The request.
    pub(super) id: u64,
    /// The frame, encoded.
    pub(super) bytes: Vec<u8>,
    /// A piece that the frame ends with.
    pub(super) tail: Vec<u8>,
    /// The clock up to which the client knows all with this frame.
    pub(super) mark: Option<String>,
    /// What it is to the client.
    pub(super) what: What,
}

/// What a frame is to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A part of the answer: must not come twice.
    Part,
    /// Said beside the answer, or to nobody: may come twice, or not at all.
    Aside,
    /// The request ends with it.
    Last,
}

/// The way back of one request.
#[derive(Clone, Debug)]
pub struct Sink {
    pub(super) id: u64,
    pub(super) queue: mpsc::Sender<Outgoing>,
    pub(super) cancelled: watch::Receiver<Option<Error>>,
}

impl Sink {
    /// A way back that nobody reads: for requests that the daemon asks itself. Streamed parts fail.
    #[must_use]
    pub fn nowhere() -> Self {
        let (queue, _) = mpsc::channel(1);
        let (_, cancelled) = watch::channel(None);
        Self {
            id: 0,
            queue,
            cancelled,
        }
    }

    /// Sends one part of the answer, waiting while the client is behind.
    ///
    /// # Errors
    /// When the client has gone or given the request up: the handler ends with this error.
    pub async fn item(&self, item: Item) -> Result<()> {
        let mark = match &item {
            Item::Batch(batch) => Some(batch.clock.clone()),
            _ => None,
        };
        let bytes = frame::encode(&ServerFrame::Item { id: self.id, item })?;
        if let Some(why) = self.given_up() {
            return Err(why);
        }
        let message = Outgoing {
            id: self.id,
            bytes,
            tail: Vec::new(),
            mark,
            what: What::Part,
        };
        tokio::select! {
            sent = self.queue.send(message) => sent.map_err(|_| gone()),
            why = self.until_given_up() => Err(why),
        }
    }

    /// Says up to which clock the client knows all, without telling it: the next image of the daemon goes on from there.
    ///
    /// # Errors
    /// When the client has gone.
    pub async fn mark(&self, clock: String) -> Result<()> {
        let message = Outgoing {
            id: self.id,
            bytes: Vec::new(),
            tail: Vec::new(),
            mark: Some(clock),
            what: What::Aside,
        };
        self.queue.send(message).await.map_err(|_| gone())
    }

    /// Says how far the request has come. Never waits.
    pub fn progress(&self, what: &str, done: u64, total: Option<u64>) {
        let message = ServerFrame::Progress {
            id: self.id,
            what: what.to_owned(),
            done,
            total,
        };
        if let Ok(bytes) = frame::encode(&message) {
            let _dropped_when_behind = self.queue.try_send(Outgoing {
                id: self.id,
                bytes,
                tail: Vec::new(),
                mark: None,
                what: What::Aside,
            });
        }
    }

    /// Whether the request has been given up, and why.
    #[must_use]
    pub fn given_up(&self) -> Option<Error> {
        self.cancelled.borrow().clone()
    }

    /// Waits until the request is given up; says why.
    pub async fn until_given_up(&self) -> Error {
        let mut cancelled = self.cancelled.clone();
        let found = cancelled.wait_for(Option::is_some).await.map(|why| why.clone());
        match found {
            Ok(why) => why.unwrap_or_else(gone),
            // Whoever could give it up has gone without doing so.
            Err(_) => std::future::pending().await,
        }
    }

    pub(super) async fn finish(&self, bytes: Vec<u8>, tail: Vec<u8>) {
        let message = Outgoing {
            id: self.id,
            bytes,
            tail,
            mark: None,
            what: What::Last,
        };
        // A connection that has gone needs no last frame.
        let _gone = self.queue.send(message).await;
    }
}

fn gone() -> Error {
    Error::new(Kind::Cancelled, "the client has gone")
}

/// The last frame of a request; the piece of an artifact that it ends with apart, as it is.
pub(super) fn last_frame(id: u64, result: Result<Answer>) -> (Vec<u8>, Vec<u8>) {
    let mut tail = Vec::new();
    let message = match result {
        Ok(mut answer) => {
            if let Answer::Artifact(proto::artifact::Answer::Piece { bytes, .. }) = &mut answer {
                tail = std::mem::take(bytes);
            }
            ServerFrame::Done { id, answer }
        }
        Err(error) => ServerFrame::Failed { id, error },
    };
    let framed = match tail.is_empty() {
        true => frame::encode(&message),
        false => frame::encode_open(&message, tail.len(), Vec::new()),
    };
    framed.map(|bytes| (bytes, tail)).unwrap_or_else(|error| {
        let failed = frame::encode(&ServerFrame::Failed { id, error });
        (failed.unwrap_or_default(), Vec::new())
    })
}

/// A part and the answer, which leave in one write.
pub(super) fn told_frames(id: u64, (item, answer): (Item, Answer)) -> Vec<u8> {
    let part = frame::encode(&ServerFrame::Item { id, item });
    let (mut bytes, result) = match part {
        Ok(part) => (part, Ok(answer)),
        Err(error) => (Vec::new(), Err(error)),
    };
    bytes.extend(last_frame(id, result).0);
    bytes
}
