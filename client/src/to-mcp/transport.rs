//! The transport in front of the SDK: every line gets its answer, whatever it says, and the work taken on is bounded.
//!
//! The SDK passes over lines that it cannot read; this reads them first (`message`). What must stay true: a request has
//! exactly one answer, or none where it was cancelled; answers leave in the order in which they were made; a client that sends
//! faster than it is served, or does not read, waits and costs no memory.

mod batch;

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
    ServerResult,
};
use rmcp::transport::Transport;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::lines::{Line, MAX_LINE, Writer};
use crate::message::{self, Fault, INVALID_PARAMS, INVALID_REQUEST, Read};
use batch::Batches;

/// Requests being worked on, or answered and not yet written.
const MOST_REQUESTS: usize = 64;
/// Messages on one line.
const MOST_IN_BATCH: usize = 64;
/// Subscriptions that stay open.
const MOST_SUBSCRIPTIONS: usize = 16;
/// Ids of cancelled requests that are remembered: their work may not have ended, and its answer must not be taken for that of
/// another request.
const MOST_CANCELLED: usize = 256;

/// The server's end of the connection.
pub(crate) struct Gate {
    lines: mpsc::Receiver<Line>,
    writer: Writer,
    room: Arc<Semaphore>,
    /// For the next line; taken before the line is.
    permit: Option<OwnedSemaphorePermit>,
    /// What a batch still holds.
    waiting: VecDeque<Value>,
    /// The batch that these are of.
    batch: Option<u64>,
    desk: Arc<Mutex<Desk>>,
}

/// What is known of requests under way.
#[derive(Default)]
struct Desk {
    open: HashMap<RequestId, Open>,
    cancelled: VecDeque<RequestId>,
    initializing: HashSet<RequestId>,
    /// Set by the answer to `initialize`.
    version: Option<String>,
    batches: Batches,
    subscriptions: usize,
}

/// A request under way.
struct Open {
    permit: Option<OwnedSemaphorePermit>,
    batch: Option<u64>,
    subscription: bool,
}

fn locked(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    pub(crate) fn new(lines: mpsc::Receiver<Line>, writer: Writer) -> Self {
        Self {
            lines,
            writer,
            room: Arc::new(Semaphore::new(MOST_REQUESTS)),
            permit: None,
            waiting: VecDeque::new(),
            batch: None,
            desk: Arc::default(),
        }
    }

    /// A line's first message for the SDK, if it holds one; what is wrong is answered here.
    fn line(&mut self, line: Line) -> Option<ClientJsonRpcMessage> {
        let value = match line {
            Line::Whole(bytes) => message::parse(&bytes),
            Line::TooLong => Err(Fault::new(
                None,
                INVALID_REQUEST,
                format!("Invalid request: the line is longer than {MAX_LINE} bytes"),
            )),
        };
        match value {
            Ok(Value::Array(items)) => {
                let begun = locked(&self.desk).begin_batch(&items);
                match begun {
                    Ok(batch) => {
                        self.batch = Some(batch);
                        self.waiting = items.into();
                        self.next_of_batch()
                    }
                    Err(fault) => self.fail(&fault),
                }
            }
            Ok(value) => self.value(value, None),
            Err(fault) => self.fail(&fault),
        }
    }

    fn next_of_batch(&mut self) -> Option<ClientJsonRpcMessage> {
        let value = self.waiting.pop_front()?;
        let batch = self.batch;
        let message = self.value(value, batch);
        if self.waiting.is_empty()
            && let Some(batch) = self.batch.take()
        {
            let whole = locked(&self.desk).batches.complete(batch);
            if let Some(line) = whole {
                self.write(&line);
            }
        }
        message
    }

    fn value(&mut self, value: Value, batch: Option<u64>) -> Option<ClientJsonRpcMessage> {
        let fault = match message::read(value) {
            Read::Message(message) => match self.admit(&message, batch) {
                Ok(()) => return Some(*message),
                Err(fault) => fault,
            },
            Read::Wrong(fault) => fault,
            Read::Nothing => return None,
        };
        match batch {
            None => self.fail(&fault),
            Some(batch) => {
                locked(&self.desk).batches.put(batch, fault.value());
                None
            }
        }
    }

    /// Takes note of a message that goes on to the SDK.
    fn admit(&mut self, message: &ClientJsonRpcMessage, batch: Option<u64>) -> Result<(), Fault> {
        let mut desk = locked(&self.desk);
        match message {
            JsonRpcMessage::Request(request) => {
                desk.admit(&request.id, &request.request, batch)?;
                let subscription = matches!(request.request, ClientRequest::SubscriptionsListenRequest(_));
                let open = Open {
                    // A subscription is not work: it must not keep others from being read.
                    permit: if subscription { None } else { self.permit.take() },
                    batch,
                    subscription,
                };
                desk.open.insert(request.id.clone(), open);
                if let Some(batch) = batch {
                    desk.batches.expect(batch);
                }
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                    && let Some(line) = desk.cancel(id)
                {
                    self.writer.line(line.to_string().into_bytes(), None);
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
        Ok(())
    }

    fn fail(&mut self, fault: &Fault) -> Option<ClientJsonRpcMessage> {
        self.write(&fault.value());
        None
    }

    fn write(&mut self, value: &Value) {
        // The next line waits until this one is written: whoever sends only nonsense and reads nothing is held up, too.
        self.writer
            .line(value.to_string().into_bytes(), self.permit.take());
    }
}

impl Desk {
    fn admit(&mut self, id: &RequestId, request: &ClientRequest, batch: Option<u64>) -> Result<(), Fault> {
        let refuse = |code, why: &str| {
            let id = serde_json::to_value(id).ok();
            Err(Fault::new(id, code, why))
        };
        if self.open.contains_key(id) {
            return refuse(
                INVALID_REQUEST,
                "Invalid request: a request with this id is under way",
            );
        }
        if self.cancelled.contains(id) {
            return refuse(
                INVALID_REQUEST,
                "Invalid request: this id is that of a cancelled request",
            );
        }
        match request {
            ClientRequest::InitializeRequest(_) if batch.is_some() => {
                return refuse(INVALID_REQUEST, "Invalid request: `initialize` stands alone");
            }
            ClientRequest::InitializeRequest(_) => {
                self.initializing.insert(id.clone());
            }
            ClientRequest::PingRequest(_) => {}
            ClientRequest::SubscriptionsListenRequest(_) if self.subscriptions >= MOST_SUBSCRIPTIONS => {
                return refuse(
                    INVALID_REQUEST,
                    "Invalid request: too many subscriptions are open",
                );
            }
            other => {
                if self.version.is_none() && self.initializing.is_empty() && !names_a_version(other) {
                    return refuse(
                        INVALID_PARAMS,
                        "Invalid params: send `initialize` first, or name the revision in `_meta` \
                         (`io.modelcontextprotocol/protocolVersion`)",
                    );
                }
                if matches!(other, ClientRequest::SubscriptionsListenRequest(_)) {
                    self.subscriptions += 1;
                }
            }
        }
        Ok(())
    }

    fn cancel(&mut self, id: &RequestId) -> Option<Value> {
        if self.initializing.contains(id) {
            return None;
        }
        let batch = self.close(id)?.batch;
        if self.cancelled.len() >= MOST_CANCELLED {
            self.cancelled.pop_front();
        }
        self.cancelled.push_back(id.clone());
        batch.and_then(|batch| self.batches.give_up(batch))
    }

    fn close(&mut self, id: &RequestId) -> Option<Open> {
        let open = self.open.remove(id)?;
        self.subscriptions -= usize::from(open.subscription);
        Some(open)
    }

    /// The revisions before 2025-06-18 know several messages on one line.
    fn begin_batch(&mut self, items: &[Value]) -> Result<u64, Fault> {
        let refuse = |why: &str| Err(Fault::new(None, INVALID_REQUEST, why));
        if !matches!(self.version.as_deref(), Some("2024-11-05" | "2025-03-26")) {
            return refuse("Invalid request: this revision has no batches");
        }
        match items.len() {
            0 => refuse("Invalid request: the batch is empty"),
            1..=MOST_IN_BATCH => Ok(self.batches.begin()),
            _ => refuse("Invalid request: the batch is too long"),
        }
    }

    /// What to write for a message of the SDK, and what to let go of with it.
    fn outgoing(&mut self, item: &ServerJsonRpcMessage) -> (Option<Vec<u8>>, Option<OwnedSemaphorePermit>) {
        let id = match item {
            JsonRpcMessage::Response(response) => Some(&response.id),
            JsonRpcMessage::Error(error) => error.id.as_ref(),
            _ => None,
        };
        let Some(id) = id else {
            return (serde_json::to_vec(item).ok(), None);
        };
        let Some(open) = self.close(id) else {
            return (None, None);
        };
        if self.initializing.remove(id)
            && let JsonRpcMessage::Response(response) = item
            && let ServerResult::InitializeResult(result) = &response.result
        {
            self.version = Some(result.protocol_version.to_string());
        }
        let Some(batch) = open.batch else {
            return (serde_json::to_vec(item).ok(), open.permit);
        };
        let value = serde_json::to_value(item).unwrap_or_default();
        let whole = self.batches.answer(batch, value);
        (whole.map(|whole| whole.to_string().into_bytes()), open.permit)
    }
}

fn names_a_version(request: &ClientRequest) -> bool {
    use rmcp::model::GetMeta as _;
    request.get_meta().contains_key(message::VERSION_KEY)
}

impl Transport<RoleServer> for Gate {
    type Error = Infallible;

    fn send(
        &mut self,
        item: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
        // Written down before the future is made: that is what keeps the order.
        let (line, permit) = locked(&self.desk).outgoing(&item);
        if let Some(line) = line {
            self.writer.line(line, permit);
        }
        std::future::ready(Ok(()))
    }

    /// May be given up at each `await` without a loss.
    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            if self.permit.is_none() {
                self.permit = Some(Arc::clone(&self.room).acquire_owned().await.ok()?);
            }
            let message = if self.waiting.is_empty() {
                let line = tokio::select! {
                    // What was sent before the end is still read.
                    biased;
                    line = self.lines.recv() => line?,
                    () = crate::end::begun() => return None,
                };
                self.line(line)
            } else {
                self.next_of_batch()
            };
            if message.is_some() {
                return message;
            }
        }
    }

    async fn close(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
