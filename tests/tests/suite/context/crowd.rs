//! `prime` and the shim in a workspace with as many records as a long project gathers: within the caps, whatever there is.

use serde_json::{Value, json};
use tests::ask;
use tests::crowd::Crowd;

use super::{at, bed, json};

/// The bounds of `prime`.
const MOST_TOKENS: u64 = 2_500;
const MOST_LETTERS: usize = 9_500;

#[test]
fn prime_stays_within_its_caps_over_thousands_of_records() {
    let (bed, repo) = bed();
    let _daemon = bed.start();
    let crowd = Crowd {
        tasks: ask::times(2_000, 20_000),
        artifacts: ask::times(200, 10_000),
        decisions: ask::times(60, 1_000),
    };
    let ids = crowd.fill(&mut bed.peer(), &repo);
    assert_eq!(ids.len(), crowd.tasks);
    for number in 0..crowd.decisions {
        std::fs::create_dir_all(repo.join(format!("part-{number}"))).expect("made");
        std::fs::write(repo.join(format!("part-{number}/lib.rs")), "x").expect("written");
    }
    at(&bed, &repo, &["files"]).ok();
    json(&bed, &repo, &["task", "start", &ids[0], "--actor", "me"]);
    for number in 0..50 {
        let text = format!("remember {number}: {}", "the long way round ".repeat(40));
        json(&bed, &repo, &["remember", &text, "--task", &ids[0]]);
    }
    let said = json(&bed, &repo, &["prime", "--actor", "me", "--deadline", "30000"]);
    let text = said["text"].as_str().expect("a text");
    for part in [
        ids[0].as_str(),
        "## Decisions in force",
        "## Next step",
        "result-",
        "remember",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    assert!(text.encode_utf16().count() <= MOST_LETTERS, "{}", text.len());
    assert!(said["tokens_at_most"].as_u64() <= Some(MOST_TOKENS), "{said}");
    assert!(
        said["left_out"].as_array().is_some_and(|left| !left.is_empty()),
        "what did not fit is told: {said}"
    );
    // As a hook with its usual deadline it says the same or, on a machine that is too busy for that, nothing.
    let hook = at(&bed, &repo, &["prime", "--actor", "me", "--hook"]).ok();
    let letters = hook.text().encode_utf16().count();
    assert!(hook.err.is_empty() && letters <= MOST_LETTERS, "{hook:?}");
    assert!(letters == 0 || hook.text().contains(ids[0].as_str()), "{hook:?}");

    // The same over the shim: bounded, and in pages that have an end.
    let mut shim = bed.shim(&["--profile", "full"], &repo);
    let primed = shim.tool("orchestrator_context", json!({})).ok();
    assert!(
        primed["text"]
            .as_str()
            .is_some_and(|text| text.encode_utf16().count() <= MOST_LETTERS)
    );
    let held = shim.tool("orchestrator_next", json!({ "claim": true })).ok();
    assert!(held["task_id"].is_string(), "{held}");
    let (mut cursor, mut listed) = (Value::Null, 0);
    loop {
        let page = json!({ "action": "list", "limit": 100, "cursor": cursor });
        let page = shim.tool("orchestrator_tasks", page).ok();
        listed += page["tasks"].as_array().map_or(0, Vec::len);
        cursor = page["next_cursor"].clone();
        if cursor.is_null() || listed > 3_000 {
            break;
        }
    }
    assert!(listed >= crowd.tasks.min(3_000), "{listed}");
}
