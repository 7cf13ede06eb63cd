//! What a line says: one of the protocol's messages, or what is wrong with it.
//!
//! Asked by the transport, before the SDK sees anything. Pure. What must stay true: whatever the bytes are, the outcome is a
//! message, an error for the sender, or nothing where JSON-RPC wants no answer; the work is bounded by the line's length.

use rmcp::model::{ClientJsonRpcMessage, ClientNotification, ClientRequest, JsonRpcMessage, RequestId};
use serde_json::{Map, Value, json};

/// How deep a message may be nested.
pub(crate) const MAX_DEPTH: usize = 64;
/// How many values a message may hold: what a line becomes in memory is a multiple of its values, not of its bytes.
pub(crate) const MAX_VALUES: usize = 1 << 16;

/// Not JSON.
pub(crate) const PARSE_ERROR: i32 = -32_700;
/// JSON, and not a message.
pub(crate) const INVALID_REQUEST: i32 = -32_600;
/// A method that there is not.
pub(crate) const METHOD_NOT_FOUND: i32 = -32_601;
/// A method whose parameters are not of its form.
pub(crate) const INVALID_PARAMS: i32 = -32_602;

/// The key in `_meta` that says which revision a request is of.
pub(crate) const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// An error as JSON-RPC has it. Without an id the message had none that could be read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) id: Option<Value>,
    pub(crate) code: i32,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(id: Option<Value>, code: i32, message: impl Into<String>) -> Self {
        Self {
            id,
            code,
            message: message.into(),
        }
    }

    /// The message that tells it.
    pub(crate) fn value(&self) -> Value {
        json!({
            "jsonrpc": "2.0",
            "id": self.id,
            "error": { "code": self.code, "message": self.message },
        })
    }
}

/// One message, or what to say instead.
#[derive(Debug)]
pub(crate) enum Read {
    /// For the SDK.
    Message(Box<ClientJsonRpcMessage>),
    /// For the sender.
    Wrong(Fault),
    /// For nobody: a notification or a response that means nothing.
    Nothing,
}

/// A line as JSON.
pub(crate) fn parse(line: &[u8]) -> Result<Value, Fault> {
    let shape = Shape::of(line);
    let wrong = |code, message: String| Fault::new(None, code, message);
    if shape.depth > MAX_DEPTH {
        let why = format!("Invalid request: nested deeper than {MAX_DEPTH}");
        return Err(wrong(INVALID_REQUEST, why));
    }
    if shape.values > MAX_VALUES {
        let why = format!("Invalid request: more than {MAX_VALUES} values");
        return Err(wrong(INVALID_REQUEST, why));
    }
    serde_json::from_slice(line).map_err(|error| wrong(PARSE_ERROR, format!("Parse error: {error}")))
}

/// What a text that claims to be JSON would become.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    depth: usize,
    values: usize,
}

impl Shape {
    fn of(line: &[u8]) -> Self {
        let mut shape = Self::default();
        let (mut depth, mut inside, mut escaped) = (0_usize, false, false);
        for byte in line {
            match (*byte, inside) {
                (_, true) if escaped => escaped = false,
                (b'\\', true) => escaped = true,
                (b'"', true) => inside = false,
                (_, true) => {}
                (b'"', false) => inside = true,
                (b'[' | b'{', false) => {
                    depth += 1;
                    shape.depth = shape.depth.max(depth);
                    shape.values += 1;
                }
                (b']' | b'}', false) => depth = depth.saturating_sub(1),
                (b',', false) => shape.values += 1,
                _ => {}
            }
        }
        shape
    }
}

/// A value as a message.
pub(crate) fn read(value: Value) -> Read {
    let Value::Object(mut object) = value else {
        return wrong(None, INVALID_REQUEST, "Invalid request: a message is an object");
    };
    let given = object.get("id").cloned();
    let id = match &given {
        None => None,
        Some(id) => match key(id) {
            Some(_) => Some(id.clone()),
            None => {
                return wrong(
                    None,
                    INVALID_REQUEST,
                    "Invalid request: `id` is a string or an integer",
                );
            }
        },
    };
    if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return wrong(id, INVALID_REQUEST, "Invalid request: `jsonrpc` is not \"2.0\"");
    }
    let method = match object.get("method") {
        Some(Value::String(method)) => method.clone(),
        None if id.is_some() && (object.contains_key("result") || object.contains_key("error")) => {
            return response(object);
        }
        _ => return wrong(id, INVALID_REQUEST, "Invalid request: `method` is not a string"),
    };
    match object.get("params") {
        None | Some(Value::Object(_)) => {}
        Some(_) if id.is_none() => return Read::Nothing,
        Some(_) => return wrong(id, INVALID_PARAMS, "Invalid params: they are not an object"),
    }
    // Only the members of the protocol go on.
    object.retain(|name, _| matches!(name.as_str(), "jsonrpc" | "id" | "method" | "params"));
    match id {
        Some(id) => request(id, &method, object),
        None => notification(object),
    }
}

fn wrong(id: Option<Value>, code: i32, message: &str) -> Read {
    Read::Wrong(Fault::new(id, code, message))
}

/// An id as the SDK keeps it; none when it is not one.
pub(crate) fn key(id: &Value) -> Option<RequestId> {
    match id {
        Value::String(text) => Some(RequestId::String(text.as_str().into())),
        Value::Number(number) => number.as_i64().map(RequestId::Number),
        _ => None,
    }
}

fn request(id: Value, method: &str, object: Map<String, Value>) -> Read {
    if REMOVED.contains(&method) && stateless(&object) {
        let gone = format!("Method not found: {}", shown(method));
        return Read::Wrong(Fault::new(Some(id), METHOD_NOT_FOUND, gone));
    }
    let known = METHODS.contains(&method);
    match serde_json::from_value::<ClientJsonRpcMessage>(Value::Object(object)) {
        Ok(JsonRpcMessage::Request(request)) => match &request.request {
            // The SDK takes what it cannot read for a method of somebody's own.
            ClientRequest::CustomRequest(_) if known => Read::Wrong(Fault::new(
                Some(id),
                INVALID_PARAMS,
                format!("Invalid params: they are not those of `{method}`"),
            )),
            ClientRequest::CustomRequest(_) => Read::Wrong(Fault::new(
                Some(id),
                METHOD_NOT_FOUND,
                format!("Method not found: {}", shown(method)),
            )),
            _ => Read::Message(Box::new(JsonRpcMessage::Request(request))),
        },
        Ok(_) => wrong(
            Some(id),
            INVALID_REQUEST,
            "Invalid request: it is not of any known form",
        ),
        Err(error) => Read::Wrong(Fault::new(
            Some(id),
            INVALID_PARAMS,
            format!("Invalid params: {error}"),
        )),
    }
}

fn notification(object: Map<String, Value>) -> Read {
    match serde_json::from_value::<ClientJsonRpcMessage>(Value::Object(object)) {
        Ok(JsonRpcMessage::Notification(found)) => match &found.notification {
            ClientNotification::CustomNotification(_) => Read::Nothing,
            _ => Read::Message(Box::new(JsonRpcMessage::Notification(found))),
        },
        _ => Read::Nothing,
    }
}

fn response(object: Map<String, Value>) -> Read {
    match serde_json::from_value::<ClientJsonRpcMessage>(Value::Object(object)) {
        Ok(message @ (JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_))) => {
            Read::Message(Box::new(message))
        }
        _ => Read::Nothing,
    }
}

/// A name in an error: whatever was sent, at most a line of it.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(100).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// The methods of all revisions that a client may ask of a server and that this one serves.
const METHODS: [&str; 15] = [
    "initialize",
    "server/discover",
    "ping",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "subscriptions/listen",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
];

/// What went with the sessions.
const REMOVED: [&str; 5] = [
    "initialize",
    "ping",
    "resources/subscribe",
    "resources/unsubscribe",
    "logging/setLevel",
];

/// Whether a request says that it is of the revision without sessions, or of a later one.
fn stateless(object: &Map<String, Value>) -> bool {
    let meta = object.get("params").and_then(|params| params.get("_meta"));
    let version = meta.and_then(|meta| meta.get(VERSION_KEY));
    version
        .and_then(Value::as_str)
        .is_some_and(|version| version >= "2026-07-28")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(line: &str) -> i32 {
        match parse(line.as_bytes()).map(read) {
            Err(fault) | Ok(Read::Wrong(fault)) => fault.code,
            Ok(Read::Message(_)) => 1,
            Ok(Read::Nothing) => 0,
        }
    }

    #[test]
    fn every_line_has_its_outcome() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let wide = format!("[{}0]", "0,".repeat(MAX_VALUES + 1));
        let table: &[(&str, i32)] = &[
            ("nonsense", PARSE_ERROR),
            ("{", PARSE_ERROR),
            ("{\"a\":\"\u{0}\"}", PARSE_ERROR),
            (&deep, INVALID_REQUEST),
            (&wide, INVALID_REQUEST),
            ("5", INVALID_REQUEST),
            ("{}", INVALID_REQUEST),
            (r#"{"id":1,"method":"ping"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, 1),
            (r#"{"jsonrpc":"2.0","id":"a","method":"ping","params":{}}"#, 1),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
                INVALID_PARAMS,
            ),
            (r#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#, METHOD_NOT_FOUND),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
                INVALID_PARAMS,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":5}}"#,
                INVALID_PARAMS,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#,
                INVALID_PARAMS,
            ),
            (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, 1),
            (r#"{"jsonrpc":"2.0","method":"notifications/whatever"}"#, 0),
            (
                r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":7}"#,
                0,
            ),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, 1),
        ];
        for (line, expected) in table {
            assert_eq!(code(line), *expected, "{}", shown(line));
        }
    }

    #[test]
    fn brackets_in_strings_are_not_nesting() {
        let line = format!(r#"{{"a":"{}\"["}}"#, "[".repeat(500));
        assert_eq!(Shape::of(line.as_bytes()), Shape { depth: 1, values: 1 });
    }

    #[test]
    fn an_error_says_whose_it_is() {
        let fault = Fault::new(Some(json!("x")), INVALID_PARAMS, "no");
        assert_eq!(
            fault.value().to_string(),
            r#"{"jsonrpc":"2.0","id":"x","error":{"code":-32602,"message":"no"}}"#
        );
    }
}
