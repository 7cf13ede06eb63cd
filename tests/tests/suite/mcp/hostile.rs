//! Clients that send what they should not: each line gets its error, the process goes on, nothing else is ever said.

use std::time::Duration;

use serde_json::{Value, json};
use tests::chance::Chance;
use tests::mcp::Shim;

use super::{bed, waiting};

/// The longest line that is read.
const MAX_LINE: usize = 2 << 20;

/// What is said about one line.
fn code_of(shim: &mut Shim, line: &[u8]) -> i64 {
    shim.raw(line);
    shim.raw(b"\n");
    let answer = shim.next(Duration::from_secs(30)).expect("an answer");
    answer["error"]["code"]
        .as_i64()
        .unwrap_or_else(|| panic!("not an error: {answer}"))
}

#[test]
fn lines_that_are_no_messages_get_their_errors_and_the_next_one_is_served() {
    let (bed, repo) = bed();
    let mut shim = bed.shim(&[], &repo);
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{}{}}}"#,
        "[".repeat(9000),
        "]".repeat(9000)
    );
    let long = vec![b'x'; MAX_LINE + 1];
    let mut long_message = br#"{"jsonrpc":"2.0","id":9,"method":"ping","params":{"a":""#.to_vec();
    long_message.extend(std::iter::repeat_n(b'a', 3 * MAX_LINE));
    long_message.extend(br#""}}"#);
    let table: Vec<(&[u8], i64)> = vec![
        (b"not json", -32700),
        (b"{\"jsonrpc\":\"2.0\",", -32700),
        (b"\xff\xfe\x00", -32700),
        (b"\"\xc3\x28\"", -32700),
        (b"null", -32600),
        (b"[]", -32600),
        (b"[1,2]", -32600),
        (b"{}", -32600),
        (deep.as_bytes(), -32600),
        (&long, -32600),
        (&long_message, -32600),
        (br#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, -32600),
        (br#"{"jsonrpc":"2.0","id":1,"method":null}"#, -32600),
        (br#"{"jsonrpc":"3.0","id":1,"method":"ping"}"#, -32600),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}"#, -32602),
        (br#"{"jsonrpc":"2.0","id":1,"method":"../../etc/passwd"}"#, -32601),
        (br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["x"]}}"#, -32602),
        (br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rm -rf"}}"#, -32602),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"orchestrator_task","arguments":[1]}}"#,
            -32602,
        ),
    ];
    for (line, code) in table {
        let shown = String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned();
        assert_eq!(code_of(&mut shim, line), code, "{shown}");
        assert_eq!(shim.ask("ping", json!({}))["result"], json!({}), "after {shown}");
    }
    assert!(shim.end().is_empty(), "nothing else was said");
}

#[test]
fn an_error_carries_the_id_of_its_request_whatever_that_is() {
    let (bed, repo) = bed();
    let mut shim = bed.shim(&[], &repo);
    for id in [
        json!("a/../b"),
        json!(""),
        json!("ü\u{0}"),
        json!(-7),
        json!(9_007_199_254_740_993_i64),
    ] {
        shim.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "no/such" }));
        assert_eq!(shim.answer(&id)["error"]["code"], -32601, "{id}");
        shim.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "ping" }));
        assert_eq!(shim.answer(&id)["result"], json!({}), "{id}");
    }
}

#[test]
fn a_request_before_the_handshake_is_told_what_to_send_first() {
    let (bed, repo) = bed();
    let mut shim = Shim::start(&mut bed.to_mcp(&[], &repo));
    let early = shim.ask("tools/list", json!({}));
    assert_eq!(early["error"]["code"], -32602);
    assert!(
        early["error"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("`initialize`")),
        "{early}"
    );
    shim.notify("notifications/initialized", json!({}));
    shim.notify("notifications/cancelled", json!({ "requestId": 99 }));
    assert_eq!(shim.ask("ping", json!({}))["result"], json!({}));
    shim.initialize("2025-06-18", "late", json!({}));
    assert!(shim.ask("tools/list", json!({}))["result"]["tools"].is_array());
}

#[test]
fn an_id_that_is_in_use_is_refused_and_the_first_request_keeps_its_answer() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let mut shim = bed.shim(&[], &repo);
    let wait = waiting(&mut shim);
    let id = shim.begin("tools/call", wait.clone());
    shim.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": wait }));
    assert_eq!(shim.answer(&json!(id))["error"]["code"], -32600);
    std::fs::write(repo.join("new"), "x").expect("written");
    let told = tests::mcp::told(&shim.answer(&json!(id)));
    assert_eq!(told.ok()["changes"][0]["path"], "new");
}

#[test]
fn a_cancelled_request_is_not_answered_and_its_connection_serves_on() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let mut shim = bed.shim(&[], &repo);
    let wait = waiting(&mut shim);
    let ids: Vec<u64> = (0..20).map(|_| shim.begin("tools/call", wait.clone())).collect();
    for id in &ids {
        shim.notify("notifications/cancelled", json!({ "requestId": id }));
    }
    // More than there are connections: those that waited have let go of theirs.
    for _ in 0..10 {
        shim.tool("orchestrator_changes", json!({ "action": "clock" }))
            .ok();
    }
    let again = ids[0];
    shim.send(&json!({ "jsonrpc": "2.0", "id": again, "method": "ping" }));
    assert_eq!(
        shim.answer(&json!(again))["error"]["code"],
        -32600,
        "its work may still answer"
    );
    let rest = shim.end();
    assert!(rest.is_empty(), "{rest:?}");
}

#[test]
fn several_messages_on_one_line_are_answered_together_where_the_revision_has_that() {
    let (bed, repo) = bed();
    let mut shim = Shim::start(&mut bed.to_mcp(&[], &repo));
    shim.initialize("2025-03-26", "test", json!({}));
    shim.send(&json!([
        { "jsonrpc": "2.0", "id": "a", "method": "ping" },
        { "jsonrpc": "2.0", "method": "notifications/initialized" },
        { "jsonrpc": "2.0", "id": "b", "method": "no/such" },
        5,
        { "jsonrpc": "2.0", "id": "c", "method": "tools/list" },
    ]));
    let answers = shim.wait("a batch", Value::is_array);
    let answers = answers.as_array().expect("a list");
    assert_eq!(answers.len(), 4, "{answers:?}");
    let of = |id: Value| {
        answers
            .iter()
            .find(|answer| answer["id"] == id)
            .expect("an answer")
    };
    assert_eq!(of(json!("a"))["result"], json!({}));
    assert_eq!(of(json!("b"))["error"]["code"], -32601);
    assert_eq!(of(Value::Null)["error"]["code"], -32600);
    assert!(of(json!("c"))["result"]["tools"].is_array());
    shim.send(&json!([{ "jsonrpc": "2.0", "method": "notifications/initialized" }]));
    assert_eq!(
        shim.ask("ping", json!({}))["result"],
        json!({}),
        "nothing to answer is not answered"
    );
    assert!(shim.end().is_empty());
}

/// Something that a program could send by mistake or on purpose.
fn something(chance: &mut Chance, depth: usize) -> Value {
    match chance.below(if depth > 4 { 7 } else { 9 }) {
        0 => Value::Null,
        1 => json!(chance.number()),
        2 => json!(-0.5),
        3 => json!("x".repeat(chance.below(50_000))),
        4 => json!(*chance.of(&[
            "../../../etc/passwd",
            "/",
            "\u{0}",
            "file:///",
            "${HOME}",
            "a\nb",
            "\u{202e}",
            "'; drop"
        ])),
        5 => json!(chance.below(2) == 0),
        6 => json!(*chance.of(&[
            "list",
            "show",
            "complete",
            "plan",
            "changes",
            "ws_000000000000",
            "task_00000000"
        ])),
        7 => Value::Array(
            (0..chance.below(5))
                .map(|_| something(chance, depth + 1))
                .collect(),
        ),
        _ => {
            let name = |chance: &mut Chance| {
                let names = [
                    "action", "task", "cwd", "text", "plan", "limit", "since", "name", "uri", "_meta", "ref",
                ];
                (*chance.of(&names)).to_owned()
            };
            let fields = (0..chance.below(6)).map(|_| (name(chance), something(chance, depth + 1)));
            Value::Object(fields.collect())
        }
    }
}

#[test]
fn random_calls_are_answered_each_with_a_result_or_an_error() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let mut shim = bed.shim(&["--profile", "full"], &repo);
    let tools: Vec<String> = shim.ask("tools/list", json!({}))["result"]["tools"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tool| tool["name"].as_str().expect("a name").to_owned())
        // That one ends or replaces the daemon.
        .filter(|name| name != "orchestrator_daemon")
        .collect();
    let methods = [
        "tools/list",
        "prompts/get",
        "prompts/list",
        "resources/read",
        "resources/list",
        "resources/templates/list",
        "completion/complete",
        "resources/subscribe",
        "logging/setLevel",
        "server/discover",
        "ping",
    ];
    let mut chance = Chance::new(20_261_121);
    for _ in 0..300 {
        let answer = if chance.below(3) == 0 {
            let method = *chance.of(&methods);
            shim.ask(method, json!({ "x": something(&mut chance, 0) }))
        } else {
            let name = chance.of(&tools).clone();
            let mut arguments = json!({});
            for _ in 0..chance.below(4) {
                let key = *chance.of(&[
                    "action", "task", "text", "plan", "limit", "since", "name", "title", "cursor",
                ]);
                arguments[key] = something(&mut chance, 0);
            }
            shim.ask("tools/call", json!({ "name": name, "arguments": arguments }))
        };
        assert!(
            answer["result"].is_object() || answer["error"]["code"].is_i64(),
            "{answer}"
        );
    }
    let rest = shim.end();
    assert!(rest.is_empty(), "{rest:?}");
}
