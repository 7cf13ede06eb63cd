//! The twelve tools of MCP Task Orchestrator 1.8.0: their names, their arguments, and that what they say is true.

use serde_json::{Value, json};
use tests::git;
use tests::mcp::Shim;

use super::bed;

/// Tools with their arguments, the required ones marked by `!`, as the original has them.
const ORIGINAL: [(&str, &[&str]); 12] = [
    ("orchestrator_initialize_session", &["working_directory"]),
    (
        "orchestrator_plan_task",
        &["description!", "subtasks_json!", "complexity_level", "context"],
    ),
    ("orchestrator_execute_subtask", &["task_id!"]),
    (
        "orchestrator_complete_subtask",
        &[
            "task_id!",
            "summary!",
            "detailed_work!",
            "next_action!",
            "file_paths",
            "artifact_type",
            "legacy_artifacts",
        ],
    ),
    ("orchestrator_synthesize_results", &["parent_task_id!"]),
    ("orchestrator_get_status", &["include_completed"]),
    (
        "orchestrator_maintenance_coordinator",
        &["action!", "scope", "validation_level", "target_task_id"],
    ),
    (
        "orchestrator_restart_server",
        &["graceful", "preserve_state", "timeout", "reason"],
    ),
    (
        "orchestrator_health_check",
        &[
            "include_reboot_readiness",
            "include_connection_status",
            "include_database_status",
        ],
    ),
    (
        "orchestrator_shutdown_prepare",
        &[
            "check_active_tasks",
            "check_database_state",
            "check_client_connections",
        ],
    ),
    (
        "orchestrator_reconnect_test",
        &[
            "session_id",
            "include_buffer_status",
            "include_reconnection_stats",
        ],
    ),
    (
        "orchestrator_restart_status",
        &["include_history", "include_error_details"],
    ),
];

#[test]
fn the_twelve_tools_have_the_names_and_arguments_of_the_original() {
    let (bed, repo) = bed();
    let mut shim = bed.shim(&["--profile", "compat"], &repo);
    let answer = shim.ask("tools/list", json!({}));
    let tools = answer["result"]["tools"].as_array().expect("a list");
    let names: Vec<&str> = tools
        .iter()
        .map(|tool| tool["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ORIGINAL.map(|(name, _)| name));
    for (tool, (name, arguments)) in tools.iter().zip(ORIGINAL) {
        let schema = &tool["inputSchema"];
        let required = |name: &str| {
            let list = schema["required"].as_array();
            list.is_some_and(|list| list.iter().any(|one| one == name))
        };
        let properties = schema["properties"].as_object().expect("arguments");
        let mut found: Vec<String> = properties
            .keys()
            .map(|name| {
                if required(name) {
                    format!("{name}!")
                } else {
                    name.clone()
                }
            })
            .collect();
        let mut expected: Vec<String> = arguments.iter().map(|name| (*name).to_owned()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{name}");
    }
}

fn shim() -> (
    tests::daemon::Bed,
    std::path::PathBuf,
    tests::daemon::Daemon,
    Shim,
) {
    let (bed, repo) = bed();
    let daemon = bed.start();
    let shim = bed.shim(&["--profile", "compat"], &repo);
    (bed, repo, daemon, shim)
}

#[test]
fn a_session_of_the_original_goes_from_plan_to_result() {
    let (bed, repo, _daemon, mut shim) = shim();
    let other = bed.project("other");
    git::init(&other);
    let begun = shim
        .tool(
            "orchestrator_initialize_session",
            json!({ "working_directory": other }),
        )
        .ok();
    assert_eq!(begun["root"], other.to_str().expect("text"));
    let begun = shim.tool("orchestrator_initialize_session", json!({})).ok();
    assert_eq!(begun["root"], repo.to_str().expect("text"));
    assert!(
        begun["specialists"]
            .as_array()
            .is_some_and(|list| list.contains(&json!("coder"))),
        "{begun}"
    );
    let subtasks = json!([
        { "title": "Design", "description": "d", "specialist_type": "architect", "task_id": "arch_1" },
        { "title": "Build", "description": "b", "specialist_type": "coder", "dependencies": ["arch_1"], "estimated_effort": "1 day" },
    ]);
    let planned = shim
        .tool(
            "orchestrator_plan_task",
            json!({ "description": "Make it\nall of it", "subtasks_json": subtasks.to_string(), "complexity_level": "simple" }),
        )
        .ok();
    let id = |number: usize| {
        planned["tasks"][number]["task_id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    let early = shim.tool(
        "orchestrator_complete_subtask",
        json!({ "task_id": id(1), "summary": "s", "detailed_work": "", "next_action": "complete" }),
    );
    assert!(early.failed().contains(&id(0)), "it waits for the first");
    let prompt = shim.tool("orchestrator_execute_subtask", json!({ "task_id": id(0) }));
    assert!(prompt.text.contains("Design"), "{}", prompt.text);
    for number in 0..2 {
        let done = json!({ "task_id": id(number), "summary": format!("made {number}"), "detailed_work": "all of it",
            "artifact_type": "code", "file_paths": ["src/a.rs"], "next_action": "complete" });
        let done = shim.tool("orchestrator_complete_subtask", done).ok();
        assert_eq!(done["status"], "completed");
        assert_eq!(done["artifacts"][0]["size"], "all of it".len(), "{done}");
    }
    let top = planned["task_id"].as_str().expect("an id");
    let result = shim
        .tool(
            "orchestrator_synthesize_results",
            json!({ "parent_task_id": top }),
        )
        .ok();
    assert_eq!(result["finished"], true);
    let status = shim
        .tool("orchestrator_get_status", json!({ "include_completed": true }))
        .ok();
    assert_eq!(status["tasks"].as_array().map(Vec::len), Some(3), "{status}");
    let wrong = shim
        .tool(
            "orchestrator_plan_task",
            json!({ "description": "x", "subtasks_json": "{" }),
        )
        .failed();
    assert!(
        wrong.contains("subtasks_json") && wrong.contains("\nnext: "),
        "{wrong}"
    );
}

#[test]
fn health_restart_and_its_status_are_those_of_the_daemon() {
    let (_bed, _repo, daemon, mut shim) = shim();
    let health = shim.tool("orchestrator_health_check", json!({})).ok();
    assert_eq!(health["healthy"], true, "{health}");
    assert_eq!(health["pid"], daemon.pid());
    assert_eq!(health["checks"]["reboot_readiness"]["ready"], true);
    let part = shim
        .tool(
            "orchestrator_health_check",
            json!({ "include_reboot_readiness": false }),
        )
        .ok();
    assert_eq!(part["checks"].get("reboot_readiness"), None);
    let ready = shim.tool("orchestrator_shutdown_prepare", json!({})).ok();
    assert_eq!(ready["ready_for_shutdown"], true);
    let refused = shim
        .tool("orchestrator_restart_server", json!({ "graceful": false }))
        .failed();
    assert!(refused.contains("\nnext: "), "{refused}");
    let restarted = shim
        .tool(
            "orchestrator_restart_server",
            json!({ "reason": "configuration_update" }),
        )
        .ok();
    assert_eq!(restarted["outcome"], "done");
    assert_eq!(restarted["pid"], daemon.pid(), "the same process");
    let test = shim.tool("orchestrator_reconnect_test", json!({})).ok();
    assert_eq!(test["overall_status"], "pass");
    assert_eq!(
        test["results"]["connection"]["generation"], 1,
        "it was really restarted: {test}"
    );
    let status = shim
        .tool("orchestrator_restart_status", json!({ "include_history": true }))
        .ok();
    assert_eq!(status["under_way"], Value::Null);
    assert_eq!(status["last"]["reason"], "configuration_update", "{status}");
    assert_eq!(status["history"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_the_daemon_cannot_do_is_said_and_changes_nothing() {
    let (_bed, _repo, _daemon, mut shim) = shim();
    for action in ["scan_cleanup", "validate_structure", "update_documentation"] {
        let one = json!({ "action": action, "scope": "specific_subtask", "target_task_id": "x" });
        let told = shim.tool("orchestrator_maintenance_coordinator", one).failed();
        assert!(told.contains(action), "{told}");
    }
    let text = shim.tool(
        "orchestrator_maintenance_coordinator",
        json!({ "action": "prepare_handover" }),
    );
    assert!(!text.error && !text.text.is_empty(), "{}", text.text);
    let told = shim
        .tool("orchestrator_reconnect_test", json!({ "session_id": "x" }))
        .failed();
    assert!(told.contains("\nnext: "), "{told}");
}

#[test]
fn maintenance_scans_validates_and_writes_again_what_is_missing() {
    let (_bed, repo, _daemon, mut shim) = shim();
    let mut maintain = |action: &str, level: &str| {
        let one = json!({ "action": action, "scope": "full_project", "validation_level": level });
        shim.tool("orchestrator_maintenance_coordinator", one).ok()
    };
    let kept = maintain("prepare_handover", "basic");
    let file = repo.join(".task_orchestrator/artifacts/workspace/handover.md");
    assert!(kept["artifact_id"].is_string() && file.exists(), "{kept}");
    for level in ["basic", "comprehensive", "full_audit"] {
        let told = maintain("validate_structure", level);
        assert_eq!(told["valid"], true, "{told}");
        assert_eq!(told["checks"]["audit_trail"]["broken_at"], Value::Null, "{told}");
    }
    std::fs::remove_file(&file).expect("removed");
    let told = maintain("validate_structure", "full_audit");
    assert_eq!(told["valid"], false, "{told}");
    assert!(!file.exists(), "looking writes nothing");
    let scanned = maintain("scan_cleanup", "basic");
    assert_eq!(scanned["dry_run"], true);
    assert_eq!(scanned["artifacts_unused_30_days"]["more"], 0, "{scanned}");
    let updated = maintain("update_documentation", "basic");
    assert_eq!(
        updated["artifact_files_restored"].as_array().map(Vec::len),
        Some(1),
        "{updated}"
    );
    assert!(file.exists());
    assert_eq!(maintain("validate_structure", "full_audit")["valid"], true);
}
