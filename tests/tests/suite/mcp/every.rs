//! Every tool of every profile with every action: nothing but itself, all arguments at once, foreign ids, wrong forms.

use serde_json::{Map, Value, json};
use tests::ask;
use tests::daemon::Bed;
use tests::mcp::{Shim, Told};

use super::bed;

/// What ends the daemon, or takes as long as a rehearsal of its successor.
const LEFT_OUT: [(&str, &str); 3] = [
    ("orchestrator_daemon", "reboot"),
    ("orchestrator_daemon", "rehearse"),
    ("orchestrator_restart_server", ""),
];

/// Texts where an id, a name, a path or a cursor belongs.
const TEXTS: [&str; 6] = [
    "../../../etc/passwd",
    "task_00000000",
    "",
    "a\u{0}b",
    "\u{202e}$(rm -rf ~)`id`'; --",
    "2h",
];

/// The tools with the words of their `action`; one empty word where they have none.
fn tools(shim: &mut Shim) -> Vec<(Value, Vec<String>)> {
    let answer = shim.ask("tools/list", json!({}));
    let tools = answer["result"]["tools"].as_array().expect("a list").clone();
    let with_actions = |tool: Value| {
        let words = tool["inputSchema"]["properties"]["action"]["enum"]
            .as_array()
            .cloned();
        let words = words.map_or_else(
            || vec![String::new()],
            |words| {
                words
                    .iter()
                    .map(|word| word.as_str().expect("a word").to_owned())
                    .collect()
            },
        );
        (tool, words)
    };
    tools.into_iter().map(with_actions).collect()
}

/// A value of the form that a schema asks for.
fn fitting(form: &Value, text: &str) -> Value {
    if let Some(words) = form["enum"].as_array() {
        return words[text.len() % words.len()].clone();
    }
    match (form["type"].as_str(), form["items"]["type"].as_str()) {
        (Some("integer"), _) => json!(text.len()),
        (Some("boolean"), _) => json!(text.len().is_multiple_of(2)),
        (Some("array"), Some("object")) => json!([{ "title": text, "after": [text] }]),
        (Some("array"), _) => json!([text]),
        (Some("object"), _) => json!({ "title": text, "tasks": [{ "title": text }] }),
        _ => json!(text),
    }
}

/// A value of another form.
fn wrong(form: &Value) -> Value {
    match form["type"].as_str() {
        Some("string") => json!({ "a": [1] }),
        Some("object") => json!("x"),
        _ => json!("\u{1}"),
    }
}

/// A failure says what and why; a success has what its schema promises. Nothing is ever a bug.
fn fair(tool: &Value, told: &Told, given: &Value) {
    let name = &tool["name"];
    if told.error {
        let kind = &told.result["_meta"]["org.task-orchestrator/error"]["kind"];
        assert!(
            kind.is_string() && *kind != "bug",
            "{name} {given}: {}",
            told.result
        );
        assert!(!told.text.trim().is_empty(), "{name} {given}");
        return;
    }
    for field in tool["outputSchema"]["required"].as_array().into_iter().flatten() {
        let field = field.as_str().expect("a name");
        let form = &tool["outputSchema"]["properties"][field]["type"];
        let value = &told.fields[field];
        let fits = match form.as_str() {
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("integer") => value.is_i64() || value.is_u64(),
            Some("array") => value.is_array(),
            Some("object") => value.is_object(),
            _ => false,
        };
        assert!(
            fits,
            "{name} {given}: `{field}` is {value}, and {form} was promised"
        );
    }
}

fn with_action(action: &str) -> Map<String, Value> {
    let action = (!action.is_empty()).then(|| ("action".to_owned(), json!(action)));
    action.into_iter().collect()
}

fn drive(bed: &Bed, repo: &std::path::Path, profile: &str) -> usize {
    let mut shim = bed.shim(&["--profile", profile], repo);
    let single = &TEXTS[..ask::times(1, TEXTS.len())];
    let mut calls = 0;
    let mut call = |shim: &mut Shim, tool: &Value, given: Map<String, Value>| {
        let name = tool["name"].as_str().expect("a name");
        let given = Value::Object(given);
        let told = shim.tool(name, given.clone());
        fair(tool, &told, &given);
        calls += 1;
        told
    };
    for (tool, actions) in tools(&mut shim) {
        let name = tool["name"].as_str().expect("a name").to_owned();
        let params = tool["inputSchema"]["properties"]
            .as_object()
            .expect("arguments")
            .clone();
        for action in actions {
            if LEFT_OUT.contains(&(name.as_str(), action.as_str())) {
                continue;
            }
            call(&mut shim, &tool, with_action(&action));
            for text in TEXTS {
                let mut all = with_action(&action);
                for (param, form) in params.iter().filter(|(param, _)| *param != "action") {
                    // Waiting is for others to test, and another project is another test.
                    match param.as_str() {
                        "wait_s" | "cwd" | "working_directory" => continue,
                        // Each would be a rehearsal of the daemon's successor.
                        "include_reboot_readiness" => all.insert(param.clone(), json!(false)),
                        _ => all.insert(param.clone(), fitting(form, text)),
                    };
                }
                call(&mut shim, &tool, all.clone());
                // One at a time, each beside what the schema demands.
                let each = single.contains(&text) && !all.contains_key("include_reboot_readiness");
                for param in all.keys().filter(|param| each && *param != "action") {
                    let demanded = tool["inputSchema"]["required"]
                        .as_array()
                        .cloned()
                        .unwrap_or_default();
                    let some = all.iter().filter(|(name, _)| {
                        *name == "action" || *name == param || demanded.contains(&json!(name))
                    });
                    call(
                        &mut shim,
                        &tool,
                        some.map(|(name, value)| (name.clone(), value.clone())).collect(),
                    );
                }
            }
            for (param, form) in &params {
                let mut given = with_action(&action);
                given.insert(param.clone(), wrong(form));
                let told = call(&mut shim, &tool, given);
                assert!(told.error, "{name} {action} took {param}: {}", told.result);
            }
            let mut unknown = with_action(&action);
            unknown.insert("no_such_argument".to_owned(), json!(1));
            assert!(
                call(&mut shim, &tool, unknown)
                    .failed()
                    .contains("no_such_argument")
            );
        }
    }
    let rest = shim.end();
    assert!(rest.is_empty(), "{rest:?}");
    calls
}

#[test]
fn every_tool_of_every_profile_answers_every_action_whatever_it_is_given() {
    let outside = std::fs::read("/etc/passwd").ok();
    for profile in ["core", "full", "compat"] {
        let (bed, repo) = bed();
        let _daemon = bed.start();
        let calls = drive(&bed, &repo, profile);
        assert!(calls > 150, "{profile}: {calls}");
        // Nothing left the project: its own folder is all that was made.
        let mut made: Vec<String> = std::fs::read_dir(&repo)
            .expect("read")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .filter(|name| name != ".git")
            .collect();
        made.retain(|name| name != ".task_orchestrator");
        assert!(made.is_empty(), "{profile}: {made:?}");
    }
    assert_eq!(std::fs::read("/etc/passwd").ok(), outside);
}
