//! A client of `to-mcp` that speaks lines of JSON, and nothing of an SDK: what stands on standard output is looked at byte by
//! byte.
//!
//! Asked by the suite and the benches. What must stay true: every line is read and is a message of JSON-RPC 2.0; standard error is
//! empty; the process ends when its input does.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::daemon::{Bed, program};
use crate::{deadline, process};

/// The revision without sessions.
pub const STATELESS: &str = "2026-07-28";

/// A running `to-mcp`.
#[derive(Debug)]
pub struct Shim {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    errors: Receiver<String>,
    /// Messages that came while another one was waited for.
    kept: VecDeque<Value>,
    /// What the client answers when it is asked for its roots.
    pub roots: Vec<String>,
    /// The `_meta` of the stateless revision; none in a session.
    meta: Option<Value>,
    last: u64,
}

/// What a tool answered.
#[derive(Clone, Debug)]
pub struct Told {
    /// Whether it failed.
    pub error: bool,
    /// The structured part.
    pub fields: Value,
    /// The first text.
    pub text: String,
    /// The whole result.
    pub result: Value,
}

impl Told {
    /// The fields of a success.
    ///
    /// # Panics
    /// When it is a failure.
    pub fn ok(self) -> Value {
        assert!(!self.error, "a tool failed: {}", self.text);
        self.fields
    }

    /// The text of a failure.
    ///
    /// # Panics
    /// When it is a success.
    pub fn failed(self) -> String {
        assert!(self.error, "a tool did not fail: {}", self.result);
        self.text
    }
}

impl Bed {
    /// `to-mcp` with arguments.
    #[must_use]
    pub fn to_mcp(&self, args: &[&str], cwd: &Path) -> Command {
        let mut command = self.command(program("to-mcp"));
        command.args(args).current_dir(cwd);
        command
    }

    /// A running `to-mcp` with a session of the newest revision that has them.
    #[must_use]
    pub fn shim(&self, args: &[&str], cwd: &Path) -> Shim {
        let mut shim = Shim::start(&mut self.to_mcp(args, cwd));
        shim.initialize("2025-11-25", "test", json!({}));
        shim
    }
}

impl Shim {
    /// Starts it and says nothing.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        let input = child.stdin.take();
        let output = child.stdout.take().expect("a pipe");
        let mut errors = child.stderr.take().expect("a pipe");
        let (to, lines) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while output.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                if to.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
            }
        });
        let (told, said) = channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let _cut = errors.read_to_string(&mut text);
            let _nobody_asks = told.send(text);
        });
        Self {
            child,
            input,
            lines,
            errors: said,
            kept: VecDeque::new(),
            roots: Vec::new(),
            meta: None,
            last: 0,
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Opens a session.
    pub fn initialize(&mut self, version: &str, name: &str, capabilities: Value) -> Value {
        let params = json!({
            "protocolVersion": version,
            "capabilities": capabilities,
            "clientInfo": { "name": name, "version": "1" },
        });
        let answer = self.ask("initialize", params);
        self.notify("notifications/initialized", json!({}));
        answer["result"].clone()
    }

    /// Speaks the stateless revision from now on.
    pub fn stateless(&mut self, name: &str) {
        self.meta = Some(json!({
            "io.modelcontextprotocol/protocolVersion": STATELESS,
            "io.modelcontextprotocol/clientInfo": { "name": name, "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        }));
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When it does not take them.
    pub fn raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("open");
        input
            .write_all(bytes)
            .and_then(|()| input.flush())
            .expect("to-mcp takes what it is sent");
    }

    /// Sends a message.
    pub fn send(&mut self, message: &Value) {
        let mut line = message.to_string().into_bytes();
        line.push(b'\n');
        self.raw(&line);
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Sends a request; its id.
    pub fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.last += 1;
        let mut params = params;
        if let Some(meta) = &self.meta {
            let mut meta = meta.clone();
            if let Some(own) = params.get("_meta").and_then(Value::as_object) {
                meta.as_object_mut().expect("an object").extend(own.clone());
            }
            params["_meta"] = meta;
        }
        let id = self.last;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// Asks and waits for the answer.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        self.answer(&json!(id))
    }

    /// The answer to an id; what comes before it is kept.
    pub fn answer(&mut self, id: &Value) -> Value {
        self.wait("an answer", |message| {
            message.get("method").is_none() && message["id"] == *id
        })
    }

    /// The first message that is looked for; what comes before it is kept.
    ///
    /// # Panics
    /// When it does not come in time.
    pub fn wait(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(place) = self.kept.iter().position(&is_it) {
            return self.kept.remove(place).expect("there");
        }
        loop {
            let message = self
                .next(deadline::LIMIT)
                .unwrap_or_else(|| panic!("to-mcp ended while {what} was waited for; kept: {:?}", self.kept));
            if is_it(&message) {
                return message;
            }
            self.kept.push_back(message);
        }
    }

    /// The next message that is not a request for roots; none at the end.
    ///
    /// # Panics
    /// When nothing comes, or what comes is not a message.
    pub fn next(&mut self, limit: Duration) -> Option<Value> {
        loop {
            let line = match self.lines.recv_timeout(limit) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("to-mcp has said nothing for {limit:?}; kept: {:?}", self.kept)
                }
            };
            let message = message(&line);
            if message["method"] != "roots/list" {
                return Some(message);
            }
            let roots: Vec<Value> = self.roots.iter().map(|uri| json!({ "uri": uri })).collect();
            self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": { "roots": roots } }));
        }
    }

    /// Calls a tool.
    ///
    /// # Panics
    /// When the answer is not a result of a tool.
    pub fn tool(&mut self, name: &str, arguments: Value) -> Told {
        let answer = self.ask("tools/call", json!({ "name": name, "arguments": arguments }));
        told(&answer)
    }

    /// Closes its input, reads all that it still says and waits for its end.
    ///
    /// # Panics
    /// When it does not end, not well, or has written to standard error.
    pub fn end(mut self) -> Vec<Value> {
        drop(self.input.take());
        let mut rest: Vec<Value> = std::mem::take(&mut self.kept).into();
        while let Ok(line) = self.lines.recv_timeout(deadline::LIMIT) {
            rest.push(message(&line));
        }
        let status = process::wait(&mut self.child, deadline::LIMIT).expect("to-mcp ends with its input");
        let errors = self
            .errors
            .recv_timeout(deadline::LIMIT)
            .expect("standard error ends");
        assert!(status.success(), "{status}: {errors}");
        assert_eq!(errors, "", "standard error");
        rest
    }

    /// Ends it without a word.
    pub fn kill(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        drop(self.input.take());
        if process::wait(&mut self.child, deadline::LIMIT).is_none() {
            self.kill();
        }
    }
}

/// What a tool answered.
///
/// # Panics
/// When it is not that.
#[must_use]
pub fn told(answer: &Value) -> Told {
    let result = answer
        .get("result")
        .unwrap_or_else(|| panic!("not a result: {answer}"));
    Told {
        error: result["isError"] == true,
        fields: result["structuredContent"].clone(),
        text: result["content"][0]["text"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        result: result.clone(),
    }
}

fn message(line: &[u8]) -> Value {
    let text = String::from_utf8_lossy(line);
    assert!(line.ends_with(b"\n"), "a line without an end: {text}");
    let message: Value = serde_json::from_slice(line)
        .unwrap_or_else(|error| panic!("not JSON on standard output ({error}): {text}"));
    match &message {
        Value::Array(batch) => assert!(batch.iter().all(|one| one["jsonrpc"] == "2.0"), "{text}"),
        one => assert_eq!(one["jsonrpc"], "2.0", "{text}"),
    }
    message
}
