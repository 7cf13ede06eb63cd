//! `to-mcp` at its front door: lines in, lines out, both eras, hostile clients, its end.

mod compat;
mod every;
mod hostile;
mod life;
mod python;
mod reading;
mod work;

use serde_json::{Value, json};
use tests::daemon::Bed;
use tests::git;
use tests::mcp::{STATELESS, Shim};

/// A home with a repository.
fn bed() -> (Bed, std::path::PathBuf) {
    let bed = Bed::new();
    let repo = bed.project("repo");
    git::init(&repo);
    (bed, repo)
}

/// A call that waits until something changes in the shim's project.
fn waiting(shim: &mut Shim) -> Value {
    let clock = shim
        .tool("orchestrator_changes", json!({ "action": "clock" }))
        .ok();
    json!({ "name": "orchestrator_changes", "arguments": { "since": clock["clock"], "wait_s": 600 } })
}

#[test]
fn every_revision_with_a_handshake_is_agreed_on_and_served() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut shim = Shim::start(&mut bed.to_mcp(&[], &repo));
        let begun = shim.initialize(version, "test", json!({}));
        assert_eq!(begun["protocolVersion"], version);
        assert_eq!(begun["serverInfo"]["name"], "task-orchestrator");
        assert_eq!(begun["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
        let found = shim.tool("orchestrator_workspace", json!({})).ok();
        assert_eq!(found["root"], repo.to_str().expect("text"));
        assert_eq!(shim.ask("ping", json!({}))["result"], json!({}));
        assert_eq!(shim.ask("server/discover", json!({}))["error"]["code"], -32602);
        assert_eq!(shim.end(), Vec::<Value>::new());
    }
    let mut shim = Shim::start(&mut bed.to_mcp(&[], &repo));
    let begun = shim.initialize("1999-01-01", "test", json!({}));
    assert_eq!(
        begun["protocolVersion"], "2025-11-25",
        "an unknown one gets the newest"
    );
}

#[test]
fn the_stateless_revision_needs_no_handshake() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let mut shim = Shim::start(&mut bed.to_mcp(&[], &repo));
    shim.stateless("test");
    let found = shim.ask("server/discover", json!({}));
    let versions = found["result"]["supportedVersions"]
        .as_array()
        .expect("a list")
        .clone();
    assert!(versions.contains(&json!(STATELESS)), "{found}");
    assert!(versions.contains(&json!("2024-11-05")), "{found}");
    let told = shim.tool("orchestrator_workspace", json!({}));
    assert_eq!(told.result["resultType"], "complete");
    assert_eq!(told.ok()["root"], repo.to_str().expect("text"));
    // What went with the handshake is gone with it.
    assert_eq!(shim.ask("ping", json!({}))["error"]["code"], -32601);
    let meta = json!({ "io.modelcontextprotocol/protocolVersion": "2099-01-01" });
    let unknown = shim.ask("tools/list", json!({ "_meta": meta }));
    assert_eq!(unknown["error"]["code"], -32022, "{unknown}");
    assert_eq!(shim.end(), Vec::<Value>::new());
}

#[test]
fn both_eras_are_served_by_one_process() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let mut shim = bed.shim(&[], &repo);
    let before = shim.ask("tools/list", json!({}));
    shim.stateless("other");
    let after = shim.ask("tools/list", json!({}));
    assert_eq!(before["result"]["tools"], after["result"]["tools"]);
}

/// Schemas are read by programs that know less than JSON Schema allows.
#[test]
fn every_tool_has_a_plain_schema_annotations_and_a_short_definition() {
    let (bed, repo) = bed();
    for profile in ["core", "full", "compat"] {
        let mut shim = bed.shim(&["--profile", profile], &repo);
        let answer = shim.ask("tools/list", json!({}));
        let tools = answer["result"]["tools"].as_array().expect("a list").clone();
        assert!(profile != "core" || tools.len() <= 10, "{} tools", tools.len());
        for tool in &tools {
            let name = tool["name"].as_str().expect("a name");
            assert!(name.starts_with("orchestrator_"), "{name}");
            for schema in ["inputSchema", "outputSchema"] {
                assert_eq!(tool[schema]["type"], "object", "{name}");
            }
            for (argument, form) in tool["inputSchema"]["properties"].as_object().expect("arguments") {
                assert!(form["type"].is_string(), "{name} {argument}");
            }
            assert!(tool["annotations"]["readOnlyHint"].is_boolean(), "{name}");
            assert!(
                tool["description"].as_str().is_some_and(|text| text.len() > 20),
                "{name}"
            );
        }
        assert!(shim.end().is_empty());
    }
}

/// Definitions are English words and JSON; the tokenizers of current models need more than four bytes for a token of them
/// (measured: o200k and cl100k, 4.1), so that three and a half are a bound with room for others.
fn tokens_at_most(text: &str) -> usize {
    (text.len() * 2).div_ceil(7)
}

#[test]
fn the_definitions_of_core_cost_at_most_two_thousand_tokens() {
    let (bed, repo) = bed();
    let mut shim = bed.shim(&[], &repo);
    let tools = shim.ask("tools/list", json!({}))["result"]["tools"].to_string();
    let tokens = tokens_at_most(&tools);
    assert!(tokens <= 2000, "{} bytes, up to {tokens} tokens", tools.len());
}

#[test]
fn nothing_of_the_sdk_gets_into_the_command_line() {
    let holds = |program: &str| {
        let bytes = std::fs::read(tests::daemon::program(program)).expect("read");
        bytes.windows(b"rmcp::".len()).any(|part| part == b"rmcp::")
    };
    assert!(!holds("tocli"));
    assert!(holds("to-mcp"), "else this looks at nothing");
}

#[test]
fn the_words_of_the_command_line_are_checked() {
    let (bed, repo) = bed();
    let wrong = tests::process::run(&mut bed.to_mcp(&["--profile", "cor"], &repo)).ends(2);
    assert!(wrong.out.is_empty());
    assert!(wrong.err.contains("core"), "{}", wrong.err);
    let help = tests::process::run(&mut bed.to_mcp(&["--help"], &repo)).ok();
    assert!(help.text().contains("--cwd <DIR>"), "{}", help.text());
    let page = tests::process::run(&mut bed.to_mcp(&["--man"], &repo)).ok();
    assert!(page.text().contains(".TH to-mcp 1"), "{}", page.text());
    for shell in ["bash", "zsh", "fish"] {
        let script = tests::process::run(&mut bed.to_mcp(&["--completions", shell], &repo)).ok();
        assert!(script.text().contains("profile"), "{}", script.text());
    }
    let version = tests::process::run(&mut bed.to_mcp(&["--version"], &repo)).ok();
    assert_eq!(version.text(), format!("to-mcp {}\n", env!("CARGO_PKG_VERSION")));
}
