//! Resources with their subscriptions, prompts and completions, in both eras.

use serde_json::{Value, json};
use tests::git;
use tests::mcp::{STATELESS, Shim};

use super::bed;

fn uris(answer: &Value) -> Vec<String> {
    let list = answer["result"]["resources"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"));
    list.iter()
        .map(|resource| resource["uri"].as_str().expect("an address").to_owned())
        .collect()
}

fn text(answer: &Value) -> &str {
    answer["result"]["contents"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn the_task_tree_and_each_task_can_be_listed_and_read() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let mut shim = bed.shim(&[], &repo);
    assert!(
        uris(&shim.ask("resources/list", json!({}))).len() <= 1,
        "at most an empty tree"
    );
    assert!(
        !repo.join(".task_orchestrator").exists(),
        "nothing is made by looking"
    );
    let tasks: Vec<Value> = (0..70)
        .map(|number| json!({ "title": format!("Task {number}") }))
        .collect();
    shim.tool(
        "orchestrator_plan",
        json!({ "plan": { "title": "Top", "tasks": tasks } }),
    )
    .ok();
    let first = shim.ask("resources/list", json!({}));
    let cursor = first["result"]["nextCursor"]
        .as_str()
        .expect("there is more")
        .to_owned();
    let second = shim.ask("resources/list", json!({ "cursor": cursor }));
    assert_eq!(second["result"]["nextCursor"], Value::Null);
    let all: Vec<String> = uris(&first).into_iter().chain(uris(&second)).collect();
    assert_eq!(all.len(), 72, "the tree, its top and what is below");
    let tree = shim.ask("resources/read", json!({ "uri": all[0] }));
    assert!(text(&tree).contains("Task 69"), "{tree}");
    let task: Value =
        serde_json::from_str(text(&shim.ask("resources/read", json!({ "uri": all[2] })))).expect("JSON");
    assert_eq!(task["title"], "Task 0");
    let templates = shim.ask("resources/templates/list", json!({}));
    assert!(
        templates["result"]["resourceTemplates"]
            .as_array()
            .is_some_and(|list| list.len() >= 2),
        "{templates}"
    );
}

#[test]
fn an_address_of_nothing_is_an_error_of_its_era() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let mut shim = bed.shim(&[], &repo);
    let gone = json!({ "uri": "task-orchestrator://ws_000000000000/tasks" });
    assert_eq!(shim.ask("resources/read", gone.clone())["error"]["code"], -32002);
    assert_eq!(
        shim.ask("resources/read", json!({ "uri": "file:///etc/passwd" }))["error"]["code"],
        -32002
    );
    shim.stateless("test");
    let answer = shim.ask("resources/read", gone.clone());
    assert_eq!(answer["error"]["code"], -32602);
    assert_eq!(answer["error"]["data"]["uri"], gone["uri"], "{answer}");
}

#[test]
fn a_session_that_has_subscribed_hears_of_changes_until_it_has_not() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let mut shim = bed.shim(&[], &repo);
    shim.tool("orchestrator_plan", json!({ "action": "add", "title": "One" }))
        .ok();
    let tree = uris(&shim.ask("resources/list", json!({})))[0].clone();
    assert_eq!(
        shim.ask("resources/subscribe", json!({ "uri": tree }))["result"],
        json!({})
    );
    let unknown = json!({ "uri": "task-orchestrator://ws_000000000000/tasks" });
    assert!(shim.ask("resources/subscribe", unknown)["error"]["code"].is_i64());
    // Somebody else changes it.
    git_free_add(&bed, &repo, "Two");
    let told = shim.wait("an update", |message| {
        message["method"] == "notifications/resources/updated"
    });
    assert_eq!(told["params"]["uri"], tree);
    assert_eq!(
        shim.ask("resources/unsubscribe", json!({ "uri": tree }))["result"],
        json!({})
    );
    let rest = shim.end();
    assert!(
        rest.iter()
            .all(|told| told["method"] == "notifications/resources/list_changed"),
        "{rest:?}"
    );
}

#[test]
fn who_only_looks_does_not_start_a_daemon_that_was_stopped() {
    let (bed, repo) = bed();
    let mut daemon = bed.start();
    let mut shim = bed.shim(&[], &repo);
    git_free_add(&bed, &repo, "One");
    let tree = uris(&shim.ask("resources/list", json!({})))[0].clone();
    shim.ask("resources/subscribe", json!({ "uri": tree }));
    assert!(daemon.stop().success());
    let again = tests::deadline::within(std::time::Duration::from_secs(4), || {
        bed.daemons().first().copied()
    });
    assert_eq!(again, None, "nobody asked for anything");
    // What is asked for starts one, and changes are heard of again.
    shim.tool("orchestrator_plan", json!({ "action": "add", "title": "Two" }))
        .ok();
    let told = shim.wait("an update", |message| {
        message["method"] == "notifications/resources/updated"
    });
    assert_eq!(told["params"]["uri"], tree);
}

#[test]
fn a_session_that_was_shown_the_list_hears_that_it_is_another_one() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let mut shim = bed.shim(&[], &repo);
    let changed = |shim: &mut Shim| {
        shim.wait("the list has changed", |message| {
            message["method"] == "notifications/resources/list_changed"
        })
    };
    let before = uris(&shim.ask("resources/list", json!({}))).len();
    for number in 1..3 {
        git_free_add(&bed, &repo, &format!("Task {number}"));
        changed(&mut shim);
        let now = uris(&shim.ask("resources/list", json!({}))).len();
        assert!(now > before + number - 1, "{before} {now}");
    }
    // Nobody asked for the list in this session: it hears nothing, whatever changes.
    let other = bed.shim(&[], &repo);
    git_free_add(&bed, &repo, "One more");
    changed(&mut shim);
    assert_eq!(other.end(), Vec::<Value>::new());
}

fn git_free_add(bed: &tests::daemon::Bed, repo: &std::path::Path, title: &str) {
    tests::process::run(bed.tocli(["task", "add", title]).current_dir(repo)).ok();
}

#[test]
fn a_listener_of_the_stateless_revision_hears_what_it_asked_for() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let mut shim = Shim::start(&mut bed.to_mcp(&[], &repo));
    shim.stateless("test");
    shim.tool("orchestrator_plan", json!({ "action": "add", "title": "One" }))
        .ok();
    let tree = uris(&shim.ask("resources/list", json!({})))[0].clone();
    let wanted = json!({ "notifications": { "resourceSubscriptions": [tree], "resourcesListChanged": true, "toolsListChanged": true } });
    let id = shim.begin("subscriptions/listen", wanted);
    let acknowledged = shim.wait("the acknowledgment", |message| {
        message["method"] == "notifications/subscriptions/acknowledged"
    });
    let key = "io.modelcontextprotocol/subscriptionId";
    assert_eq!(acknowledged["params"]["_meta"][key], json!(id), "{acknowledged}");
    let agreed = &acknowledged["params"]["notifications"];
    assert_eq!(agreed["resourcesListChanged"], true, "{acknowledged}");
    assert_eq!(
        agreed["toolsListChanged"],
        Value::Null,
        "tools do not change: {acknowledged}"
    );
    // The first reading is what later ones are compared with.
    let mut number = 0;
    tests::deadline::until("both are told", || {
        number += 1;
        git_free_add(&bed, &repo, &format!("Task {number}"));
        let told = shim.wait("news", |message| {
            message["method"]
                .as_str()
                .is_some_and(|method| method.starts_with("notifications/resources/"))
        });
        assert_eq!(told["params"]["_meta"][key], json!(id), "{told}");
        (told["method"] == "notifications/resources/list_changed").then_some(())
    });
    shim.notify("notifications/cancelled", json!({ "requestId": id }));
    assert!(shim.ask("tools/list", json!({}))["result"]["tools"].is_array());
    let rest = shim.end();
    assert!(
        rest.iter().all(|message| message.get("id").is_none()),
        "no answer to what was cancelled: {rest:?}"
    );
}

#[test]
fn prompts_say_what_the_daemon_knows() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let mut shim = bed.shim(&[], &repo);
    let plan = json!({ "plan": { "title": "Top", "tasks": [{ "title": "Alpha", "specialist": "coder" }] } });
    shim.tool("orchestrator_plan", plan).ok();
    let held = shim.tool("orchestrator_next", json!({ "claim": true })).ok();
    let id = held["task_id"].as_str().expect("an id");
    shim.tool(
        "orchestrator_task",
        json!({ "action": "note", "task": id, "text": "mind the gap" }),
    )
    .ok();
    let listed = shim.ask("prompts/list", json!({}));
    let names: Vec<&str> = listed["result"]["prompts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|prompt| prompt["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["resume", "plan", "handover"]);
    let mut get = |name: &str, arguments: Value| {
        let answer = shim.ask("prompts/get", json!({ "name": name, "arguments": arguments }));
        answer["result"]["messages"][0]["content"]["text"]
            .as_str()
            .map_or_else(
                || answer["error"]["message"].as_str().expect("an error").to_owned(),
                str::to_owned,
            )
    };
    let resume = get("resume", json!({}));
    assert!(resume.contains(repo.to_str().expect("text")), "{resume}");
    assert!(resume.contains(id), "{resume}");
    assert!(get("resume", json!({ "task": id })).contains("mind the gap"));
    let plan = get("plan", json!({ "goal": "Reach the moon" }));
    assert!(
        plan.contains("Reach the moon") && plan.contains("- coder: ") && plan.contains("Alpha"),
        "{plan}"
    );
    assert!(get("handover", json!({ "task": id })).contains("mind the gap"));
    assert!(get("handover", json!({})).contains("`task`"));
    assert!(get("nothing", json!({})).contains("resume"));
}

#[test]
fn a_handover_is_kept_where_that_is_asked_for() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let mut shim = bed.shim(&[], &repo);
    let plan = json!({ "action": "add", "title": "Alpha" });
    let task = shim.tool("orchestrator_plan", plan).ok();
    let count = |shim: &mut Shim| {
        let listed = shim
            .tool("orchestrator_artifact", json!({ "action": "list" }))
            .ok();
        listed["artifacts"].as_array().map(Vec::len)
    };
    let only_said = json!({ "action": "handover", "task": task["task_id"] });
    shim.tool("orchestrator_context", only_said).ok();
    assert_eq!(count(&mut shim), Some(0));
    for (task, more) in [(task["task_id"].clone(), 1), (Value::Null, 2)] {
        let kept = json!({ "action": "handover", "task": task, "store": true });
        let kept = shim.tool("orchestrator_context", kept).ok();
        let read = json!({ "action": "get", "artifact": kept["artifact_id"] });
        let read = shim.tool("orchestrator_artifact", read).ok();
        assert_eq!(read["text"], kept["text"], "{read}");
        assert_eq!(count(&mut shim), Some(more));
    }
}

#[test]
fn ids_are_completed_for_prompts_and_addresses() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    for era in ["2025-11-25", STATELESS] {
        let mut shim = Shim::start(&mut bed.to_mcp(&[], &repo));
        if era == STATELESS {
            shim.stateless("test");
        } else {
            shim.initialize(era, "test", json!({}));
        }
        let plan = json!({ "plan": { "title": "Top", "tasks": [{ "title": "A", "specialist": "coder" }, { "title": "B" }] } });
        shim.tool("orchestrator_plan", plan).ok();
        let mut complete = |of: Value, name: &str, typed: &str| {
            let argument = json!({ "name": name, "value": typed });
            let answer = shim.ask("completion/complete", json!({ "ref": of, "argument": argument }));
            answer["result"]["completion"]["values"]
                .as_array()
                .cloned()
                .unwrap_or_else(|| panic!("{answer}"))
        };
        let prompt = json!({ "type": "ref/prompt", "name": "resume" });
        let found = complete(prompt, "task", "coder_");
        assert!(
            !found.is_empty()
                && found
                    .iter()
                    .all(|id| id.as_str().is_some_and(|id| id.starts_with("coder_"))),
            "{found:?}"
        );
        let template =
            json!({ "type": "ref/resource", "uri": "task-orchestrator://{workspace}/tasks/{task}" });
        assert_eq!(complete(template.clone(), "workspace", "ws_").len(), 1);
        assert!(!complete(template, "task", "generic_").is_empty());
        let unknown = json!({ "ref": { "type": "ref/prompt", "name": "no" }, "argument": { "name": "task", "value": "" } });
        assert_eq!(shim.ask("completion/complete", unknown)["error"]["code"], -32602);
    }
}

#[test]
fn resources_of_two_projects_are_told_apart_by_their_addresses() {
    let (bed, one) = bed();
    let two = bed.project("two");
    git::init(&two);
    let _daemon = bed.start();
    let mut shim = bed.shim(&[], &one);
    shim.tool("orchestrator_plan", json!({ "action": "add", "title": "Mine" }))
        .ok();
    shim.tool(
        "orchestrator_plan",
        json!({ "action": "add", "title": "Yours", "cwd": two }),
    )
    .ok();
    let mine = uris(&shim.ask("resources/list", json!({})));
    let mut shim = bed.shim(&[], &two);
    let yours = uris(&shim.ask("resources/list", json!({})));
    assert!(mine.iter().all(|uri| !yours.contains(uri)), "{mine:?} {yours:?}");
    // An address can be read from anywhere, and says whose it is.
    let tree = shim.ask("resources/read", json!({ "uri": mine[0] }));
    assert!(
        text(&tree).contains("Mine") && !text(&tree).contains("Yours"),
        "{tree}"
    );
}
