//! Agents at work over `to-mcp`: two projects from one process, two vendors on one project, places, pages, failures.

use serde_json::{Value, json};
use tests::git;
use tests::mcp::Shim;

use super::bed;

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no `{name}` in {value}"))
}

#[test]
fn the_place_is_the_argument_else_the_roots_else_the_environment_else_the_process() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let places: Vec<std::path::PathBuf> = ["arg", "root", "env", "flag"]
        .iter()
        .map(|name| {
            let place = bed.project(name);
            git::init(&place);
            place
        })
        .collect();
    let root_of = |shim: &mut Shim, arguments: Value| {
        let told = shim.tool("orchestrator_workspace", arguments).ok();
        text(&told, "root").to_owned()
    };
    let path = |number: usize| places[number].to_str().expect("text").to_owned();
    let mut command = bed.to_mcp(&[], &repo);
    command.env("CLAUDE_PROJECT_DIR", &places[2]);
    let mut shim = Shim::start(&mut command);
    shim.roots = vec![format!("file://{}", path(1))];
    shim.initialize("2025-11-25", "test", json!({ "roots": { "listChanged": true } }));
    assert_eq!(root_of(&mut shim, json!({ "cwd": path(0) })), path(0));
    assert_eq!(root_of(&mut shim, json!({})), path(1));
    shim.roots = Vec::new();
    shim.notify("notifications/roots/list_changed", json!({}));
    assert_eq!(root_of(&mut shim, json!({})), path(2));
    // The stateless revision has no roots that a server could ask for.
    shim.roots = vec![format!("file://{}", path(1))];
    shim.notify("notifications/roots/list_changed", json!({}));
    shim.stateless("test");
    assert_eq!(root_of(&mut shim, json!({})), path(2));
    drop(shim);
    let mut command = bed.to_mcp(&["--cwd", &path(3)], &repo);
    command.env("CLAUDE_PROJECT_DIR", &places[2]);
    let mut shim = Shim::start(&mut command);
    shim.stateless("test");
    assert_eq!(root_of(&mut shim, json!({})), path(3));
    let mut shim = bed.shim(&[], &repo);
    assert_eq!(root_of(&mut shim, json!({})), repo.to_str().expect("text"));
}

#[test]
fn a_place_without_a_project_is_a_failure_with_what_to_do_and_makes_nothing() {
    let (bed, _) = bed();
    let _daemon = bed.start();
    let mut shim = bed.shim(&[], &bed.home());
    let missing = shim
        .tool("orchestrator_tasks", json!({ "cwd": "/no/such/place" }))
        .failed();
    assert!(
        missing.contains("/no/such/place") && missing.contains("\nnext: "),
        "{missing}"
    );
    let system = shim
        .tool(
            "orchestrator_plan",
            json!({ "action": "add", "title": "x", "cwd": "/etc" }),
        )
        .failed();
    assert!(system.contains("\nnext: "), "{system}");
    let unknown = shim
        .tool("orchestrator_tasks", json!({ "actoin": "list" }))
        .failed();
    assert!(
        unknown.contains("`actoin`") && unknown.contains("action"),
        "{unknown}"
    );
}

#[test]
fn one_process_works_on_two_projects_and_nothing_crosses_over() {
    let (bed, one) = bed();
    let two = bed.project("two");
    git::init(&two);
    let _daemon = bed.start();
    let mut shim = bed.shim(&[], &bed.work());
    let places = [one.to_str().expect("text"), two.to_str().expect("text")];
    let mut made: Vec<Vec<String>> = vec![Vec::new(), Vec::new()];
    for (number, cwd) in places.iter().enumerate() {
        let plan = json!({
            "title": format!("Project {number}"),
            "tasks": [
                { "name": "a", "title": format!("First of {number}"), "specialist": "coder" },
                { "name": "b", "title": format!("Second of {number}"), "after": ["a"] },
            ],
        });
        let planned = shim
            .tool("orchestrator_plan", json!({ "cwd": cwd, "plan": plan }))
            .ok();
        assert_eq!(text(&planned, "root"), *cwd);
        made[number].push(text(&planned, "task_id").to_owned());
    }
    // In turns, as an agent with two windows would.
    for step in 0..2 {
        for (number, cwd) in places.iter().enumerate() {
            let next = shim
                .tool("orchestrator_next", json!({ "cwd": cwd, "claim": true }))
                .ok();
            assert!(text(&next, "title").ends_with(&format!("of {number}")), "{next}");
            assert_eq!(next["others"], 0, "the other waits for it, or is done");
            let id = text(&next, "task_id").to_owned();
            let prompt = shim.tool(
                "orchestrator_tasks",
                json!({ "cwd": cwd, "action": "execute", "task": id }),
            );
            assert!(prompt.text.contains(&format!("of {number}")), "{}", prompt.text);
            if step == 1 {
                assert!(
                    prompt.text.contains(&format!("done in {number}")),
                    "the result before it: {}",
                    prompt.text
                );
            }
            assert!(
                !prompt.text.contains(&format!("of {}", 1 - number)),
                "{}",
                prompt.text
            );
            let kept = json!({ "cwd": cwd, "action": "store", "task": id, "name": "result.md", "type": "code",
                "text": format!("all of it, of {number}") });
            let kept = shim.tool("orchestrator_artifact", kept);
            assert_eq!(
                kept.result["content"][1]["type"], "resource_link",
                "{}",
                kept.result
            );
            kept.ok();
            let done =
                json!({ "cwd": cwd, "action": "complete", "task": id, "text": format!("done in {number}") });
            let done = shim.tool("orchestrator_task", done).ok();
            assert_eq!(done["status"], "completed");
            assert_eq!(text(&done, "root"), *cwd);
            made[number].push(id);
        }
    }
    for (number, cwd) in places.iter().enumerate() {
        let top = &made[number][0];
        let report = shim
            .tool(
                "orchestrator_tasks",
                json!({ "cwd": cwd, "action": "synthesize", "task": top }),
            )
            .ok();
        assert_eq!(report["done"].as_array().map(Vec::len), Some(2), "{report}");
        assert_eq!(report["finished"], true);
        let kept = shim
            .tool("orchestrator_artifact", json!({ "cwd": cwd, "action": "list" }))
            .ok();
        let kept = kept["artifacts"].as_array().expect("a list").clone();
        assert_eq!(kept.len(), 2, "{kept:?}");
        for one in &kept {
            let read = json!({ "cwd": cwd, "action": "get", "artifact": one["artifact_id"] });
            let read = shim.tool("orchestrator_artifact", read).ok();
            assert_eq!(read["text"], format!("all of it, of {number}"));
            let elsewhere =
                json!({ "cwd": places[1 - number], "action": "get", "artifact": one["artifact_id"] });
            let elsewhere = shim.tool("orchestrator_artifact", elsewhere);
            assert!(elsewhere.error || elsewhere.fields["text"] != format!("all of it, of {number}"));
        }
        for foreign in &made[1 - number] {
            let stranger = json!({ "cwd": cwd, "action": "show", "task": foreign });
            let refused = shim.tool("orchestrator_tasks", stranger).failed();
            assert!(refused.contains(foreign.as_str()), "{refused}");
        }
    }
    assert!(shim.end().is_empty());
}

#[test]
fn two_vendors_hold_different_tasks_and_one_takes_over_from_the_other() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let mut one = Shim::start(&mut bed.to_mcp(&[], &repo));
    one.initialize("2025-11-25", "vendor one", json!({}));
    let mut two = Shim::start(&mut bed.to_mcp(&[], &repo));
    two.stateless("vendor-two");
    let plan = json!({ "plan": { "title": "T", "tasks": [{ "title": "A" }, { "title": "B" }] } });
    one.tool("orchestrator_plan", plan).ok();
    let first = one.tool("orchestrator_next", json!({ "claim": true })).ok();
    let second = two.tool("orchestrator_next", json!({ "claim": true })).ok();
    assert_ne!(first["task_id"], second["task_id"]);
    let holder = text(&first["claim"], "actor").to_owned();
    assert_eq!(holder.split('[').next(), Some("vendor_one"), "{holder}");
    assert!(
        holder.contains(&format!("[{}.", one.pid())),
        "a claim lives as long as its shim: {holder}"
    );
    let id = text(&first, "task_id").to_owned();
    one.tool(
        "orchestrator_task",
        json!({ "action": "note", "task": id, "text": "half done" }),
    )
    .ok();
    let refused = two
        .tool("orchestrator_task", json!({ "action": "start", "task": id }))
        .failed();
    assert!(refused.contains(&holder), "{refused}");
    one.kill();
    let taken = two
        .tool(
            "orchestrator_task",
            json!({ "action": "start", "task": id, "force": true }),
        )
        .ok();
    assert!(
        text(&taken["claim"], "actor").starts_with("vendor-two["),
        "{taken}"
    );
    let seen = two
        .tool("orchestrator_tasks", json!({ "action": "show", "task": id }))
        .ok();
    assert_eq!(seen["notes"][0]["text"], "half done");
}

#[test]
fn a_killed_shims_claim_returns_when_its_lease_ends_and_another_vendor_resumes_it() {
    let (bed, repo) = bed();
    // A minute is the shortest lease there is: this daemon's minutes have twelve seconds.
    let quick = super::super::reboot::successor(&bed, "pace-5");
    let mut command = bed.command(quick);
    command.arg("run");
    let _daemon = bed.start_by(&mut command);
    let mut one = Shim::start(&mut bed.to_mcp(&[], &repo));
    one.initialize("2025-11-25", "vendor one", json!({}));
    let mut two = Shim::start(&mut bed.to_mcp(&[], &repo));
    two.stateless("vendor-two");
    tests::process::run(
        bed.tocli(["config", "set", "tasks.lease_minutes", "1"])
            .current_dir(&repo),
    )
    .ok();
    let plan = json!({ "plan": { "title": "T", "tasks": [{ "title": "A" }, { "title": "B" }] } });
    one.tool("orchestrator_plan", plan).ok();
    let first = one.tool("orchestrator_next", json!({ "claim": true })).ok();
    let second = two.tool("orchestrator_next", json!({ "claim": true })).ok();
    let (mine, others) = (text(&second, "task_id"), text(&first, "task_id"));
    assert_ne!(mine, others);
    one.tool(
        "orchestrator_task",
        json!({ "action": "note", "task": others, "text": "half done, see `b.rs`" }),
    )
    .ok();
    let show = |shim: &mut Shim, id: &str| {
        shim.tool("orchestrator_tasks", json!({ "action": "show", "task": id }))
            .ok()
    };
    one.kill();
    let taken = tests::deadline::until("the claim has returned", || {
        let next = two.tool("orchestrator_next", json!({ "claim": true }));
        (next.fields["task_id"] == *others).then_some(next.fields)
    });
    assert!(
        text(&taken["claim"], "actor").starts_with("vendor-two["),
        "{taken}"
    );
    // As old as the other claim, and held on: its holder is there.
    assert_eq!(show(&mut two, mine)["claim"]["actor"], second["claim"]["actor"]);
    assert_eq!(
        show(&mut two, others)["attempts"],
        1,
        "the one that was lost counts"
    );
    let context = two
        .tool(
            "orchestrator_context",
            json!({ "action": "context", "task": others }),
        )
        .ok();
    assert!(text(&context, "text").contains("half done"), "{context}");
    two.tool(
        "orchestrator_task",
        json!({ "action": "complete", "task": others, "text": "done by another" }),
    )
    .ok();
    assert_eq!(show(&mut two, others)["status"], "completed");
}

#[test]
fn lists_come_in_pages_that_hold_everything_once() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    for number in 0..250 {
        std::fs::write(repo.join(format!("file {number:03}")), "x").expect("written");
    }
    let mut shim = bed.shim(&[], &repo);
    let titles: Vec<Value> = (0..120)
        .map(|number| json!({ "title": format!("T{number}") }))
        .collect();
    shim.tool(
        "orchestrator_plan",
        json!({ "plan": { "title": "Many", "tasks": titles } }),
    )
    .ok();
    let mut all = |name: &str, list: &str, arguments: Value| {
        let mut seen = Vec::new();
        let mut cursor = Value::Null;
        loop {
            let mut arguments = arguments.clone();
            arguments["cursor"] = cursor;
            let page = shim.tool(name, arguments).ok();
            let entries = page[list].as_array().expect("a list").clone();
            assert!(!entries.is_empty());
            seen.extend(entries);
            cursor = page["next_cursor"].clone();
            if cursor.is_null() {
                return seen;
            }
        }
    };
    let tasks = all("orchestrator_tasks", "tasks", json!({ "limit": 50 }));
    assert_eq!(tasks.len(), 121);
    let mut files: Vec<String> = all(
        "orchestrator_changes",
        "files",
        json!({ "action": "files", "limit": 60 }),
    )
    .iter()
    .map(|file| file.as_str().expect("a name").to_owned())
    .collect();
    assert_eq!(files.len(), 250);
    files.dedup();
    assert_eq!(files.len(), 250, "each once");
}

#[test]
fn a_long_call_tells_how_far_it_has_come() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let mut shim = bed.shim(&[], &repo);
    let clock = shim
        .tool("orchestrator_changes", json!({ "action": "clock" }))
        .ok();
    let id = shim.begin(
        "tools/call",
        json!({
            "name": "orchestrator_changes",
            "arguments": { "since": clock["clock"], "wait_s": 600 },
            "_meta": { "progressToken": "p" },
        }),
    );
    let mut last = -1.0;
    for _ in 0..2 {
        let told = shim.wait("progress", |message| {
            message["method"] == "notifications/progress"
        });
        assert_eq!(told["params"]["progressToken"], "p");
        let now = told["params"]["progress"].as_f64().expect("a number");
        assert!(now > last, "{told}");
        last = now;
    }
    std::fs::write(repo.join("new"), "x").expect("written");
    let told = tests::mcp::told(&shim.answer(&json!(id))).ok();
    assert_eq!(told["changes"][0]["path"], "new");
    // A wait that is over says how it stands.
    let none = json!({ "since": told["clock"], "wait_s": 1 });
    let told = shim.tool("orchestrator_changes", none).ok();
    assert_eq!(told["changes"], json!([]), "{told}");
    assert!(shim.end().is_empty());
}

#[test]
fn a_content_of_any_size_that_a_line_can_hold_is_stored_and_read_in_parts() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let mut shim = bed.shim(&[], &repo);
    let task = shim
        .tool("orchestrator_plan", json!({ "action": "add", "title": "T" }))
        .ok();
    let content: String = (0..90_000).map(|number| format!("{number} ä\n")).collect();
    let store = json!({ "action": "store", "task": task["task_id"], "name": "big.txt", "text": content });
    let stored = shim.tool("orchestrator_artifact", store).ok();
    assert_eq!(stored["size"], content.len());
    let mut read = String::new();
    let mut offset = json!(0);
    while !offset.is_null() && read.len() < 100_000 {
        let get = json!({ "action": "get", "artifact": stored["artifact_id"], "offset": offset });
        let part = shim.tool("orchestrator_artifact", get).ok();
        read.push_str(text(&part, "text"));
        offset = part["next_offset"].clone();
    }
    assert!(read.len() > 50_000 && content.starts_with(&read));
    let search = json!({ "action": "search", "text": "^89999 " });
    let found = shim.tool("orchestrator_artifact", search).ok();
    assert_eq!(found["matches"].as_array().map(Vec::len), Some(1), "{found}");
    let mut cursor = Value::Null;
    let uri = loop {
        let params = if cursor.is_null() {
            json!({})
        } else {
            json!({ "cursor": cursor })
        };
        let page = shim.ask("resources/list", params)["result"].clone();
        let list = page["resources"].as_array().expect("a list");
        if let Some(found) = list.iter().find(|resource| resource["name"] == "big.txt") {
            break text(found, "uri").to_owned();
        }
        cursor = page["nextCursor"].clone();
        assert!(!cursor.is_null(), "it is not listed");
    };
    let whole = shim.ask("resources/read", json!({ "uri": uri }));
    assert!(
        whole["result"]["contents"][0]["text"] == content.as_str(),
        "read whole"
    );
}

#[test]
fn decisions_and_notes_are_recorded_and_found_again() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    std::fs::write(repo.join("store.rs"), "x").expect("written");
    let mut shim = bed.shim(&[], &repo);
    let record = json!({ "action": "record", "title": "Use sled", "decision": "We use sled", "rationale": "It is there",
        "paths": ["store.rs"] });
    let recorded = shim.tool("orchestrator_decision", record).ok();
    assert_eq!(recorded["number"], 1, "{recorded}");
    let other = json!({ "action": "record", "title": "Use files", "decision": "Files it is", "rationale": "Simpler",
        "paths": ["store.rs"], "supersedes": "1" });
    shim.tool("orchestrator_decision", other).ok();
    let now = shim
        .tool(
            "orchestrator_decision",
            json!({ "action": "for", "paths": ["store.rs"] }),
        )
        .ok();
    let list = now["decisions"].as_array().expect("a list");
    let numbers: Vec<&Value> = list.iter().map(|one| &one["number"]).collect();
    assert_eq!(numbers, [&json!(2)], "the other is replaced: {now}");
    let found = shim
        .tool(
            "orchestrator_decision",
            json!({ "action": "search", "text": "sled" }),
        )
        .ok();
    assert_eq!(found["hits"][0]["decision"]["number"], 1, "{found}");
    let shown = shim
        .tool("orchestrator_decision", json!({ "action": "show", "which": "2" }))
        .ok();
    assert_eq!(shown["decision"], "Files it is", "{shown}");
    let note = json!({ "action": "remember", "text": "The build needs zlib", "tags": ["build"] });
    let note = shim.tool("orchestrator_context", note).ok();
    let found = shim
        .tool(
            "orchestrator_context",
            json!({ "action": "recall", "text": "zlib" }),
        )
        .ok();
    assert_eq!(found["notes"][0]["note_id"], note["note_id"], "{found}");
    shim.tool(
        "orchestrator_context",
        json!({ "action": "forget", "note": note["note_id"] }),
    )
    .ok();
    let found = shim
        .tool(
            "orchestrator_context",
            json!({ "action": "recall", "text": "zlib" }),
        )
        .ok();
    assert_eq!(found["notes"], json!([]));
}
