//! Files that are no exports, or not whole, or not ours: refused with the number of the line, and nothing changes.

use std::path::Path;

use tests::daemon::Bed;

use super::{furnished, json, project, say, text};

/// The lines as a file whose last line is right, whatever they hold.
pub fn finished(lines: &[String]) -> Vec<u8> {
    let mut all = String::new();
    for line in lines.iter().filter(|line| !line.starts_with("{\"end\"")) {
        all.push_str(line);
        all.push('\n');
    }
    let (digest, count) = (blake3::hash(all.as_bytes()), all.lines().count() + 1);
    all.push_str(&format!(
        "{{\"end\":{{\"lines\":{count},\"digest\":\"{digest}\"}}}}\n"
    ));
    all.into_bytes()
}

/// An export of the furnished workspace, as lines.
fn whole(bed: &Bed) -> Vec<String> {
    let first = furnished(bed);
    let file = bed.work().join("whole");
    say(bed, &first, &["workspace", "export", text(&file)]).ok();
    let text = std::fs::read_to_string(&file).expect("read");
    text.lines().map(str::to_owned).collect()
}

fn place(lines: &[String], kind: &str) -> usize {
    let begin = format!("{{\"{kind}\":");
    let found = lines.iter().position(|line| line.starts_with(&begin));
    found.unwrap_or_else(|| panic!("there is a line `{kind}`"))
}

/// Everything in a folder, and what the workspace says.
fn state(bed: &Bed, folder: &Path) -> (serde_json::Value, serde_json::Value, bool) {
    (
        json(bed, folder, &["task", "list", "--all"])["tasks"].clone(),
        json(bed, folder, &["audit", "list"])["events"].clone(),
        folder.join(".task_orchestrator").exists(),
    )
}

fn refused(bed: &Bed, folder: &Path, bytes: &[u8], says: &str) {
    let file = bed.work().join("made");
    std::fs::write(&file, bytes).expect("written");
    let said = say(bed, folder, &["workspace", "import", text(&file)]);
    assert_eq!(said.code, 4, "{says}: {said:?}");
    assert!(said.err.contains(says), "{says}: {said:?}");
    let where_it_is = ["line ", "the tasks of the file cannot stand here"];
    assert!(
        where_it_is.iter().any(|words| said.err.contains(words)),
        "{said:?}"
    );
    assert_eq!(
        state(bed, folder),
        (serde_json::json!([]), serde_json::json!([]), false),
        "{says}"
    );
}

#[test]
fn a_file_that_is_cut_or_made_up_is_refused_with_its_line_and_changes_nothing() {
    let bed = Bed::new();
    let lines = whole(&bed);
    let folder = project(&bed, "second");
    let all = finished(&lines);
    let with = |at: usize, line: &str| {
        let mut lines = lines.clone();
        line.clone_into(&mut lines[at]);
        finished(&lines)
    };
    let edited = |kind: &str, from: &str, to: &str| {
        let at = place(&lines, kind);
        assert!(lines[at].contains(from), "{kind}: {from}: {:.300}", lines[at]);
        with(at, &lines[at].replacen(from, to, 1))
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut twice = lines.clone();
    twice.insert(place(&lines, "task"), lines[place(&lines, "task")].clone());
    let mut swapped = lines.clone();
    swapped.swap(place(&lines, "task"), place(&lines, "note"));
    let mut gone = lines.clone();
    gone.remove(place(&lines, "piece"));
    let mut lost = lines.clone();
    lost.remove(place(&lines, "task"));
    let mut old = lines.clone();
    old.remove(place(&lines, "artifact_version"));
    let mut chain = lines.clone();
    chain.remove(place(&lines, "event") + 1);
    let bomb = "{\"content\":{\"digest\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"size\":9000000000000000000}}";
    for (bytes, says) in [
        (Vec::new(), "it is no export of a workspace"),
        (b"\n".to_vec(), "EOF"),
        (b"hello\n".to_vec(), "expected value"),
        (b"{}\n".to_vec(), "expected value"),
        (vec![0; 100_000], "cut off in this line"),
        (vec![b'x'; 9 << 20], "longer than 8 MiB"),
        (b"SQLite format 3\0\n".to_vec(), "expected value"),
        (all[..all.len() / 2].to_vec(), "cut off in this line"),
        (all[..all.len() - 1].to_vec(), "cut off in this line"),
        (finished(&lines[..0]), "it is no export of a workspace"),
        (
            lines[..lines.len() - 1]
                .join("\n")
                .into_bytes()
                .into_iter()
                .chain([b'\n'])
                .collect(),
            "cut off",
        ),
        ([&all[..], b"{}\n"].concat(), "something follows"),
        (
            edited("workspace_export", "\"version\":1", "\"version\":2"),
            "it has format 2",
        ),
        (with(3, &deep), "expected value"),
        (
            with(place(&lines, "counters"), "{\"unheard_of\":{}}"),
            "unknown variant",
        ),
        (with(1, bomb), "the limit here is"),
        (finished(&twice), "twice or out of order"),
        (finished(&swapped), "out of order"),
        (finished(&gone), "bytes"),
        (finished(&lost), "the file does not hold that task"),
        (finished(&old), "ersion"),
        (finished(&chain), "the chain of events is broken"),
        (edited("piece", "{\"piece\":\"", "{\"piece\":\"=="), "not base64"),
        (edited("content", "\"size\":", "\"size\":1"), "bytes"),
        (edited("task", "\"id\":\"a\"", "\"id\":\"../a\""), "not a task id"),
        (
            edited("task", "\"title\":\"Alone now\"", "\"title\":\"a\\nb\""),
            "control character",
        ),
        (edited("task", "\"after\":[]", "\"after\":[\"nobody\"]"), "nobody"),
        (edited("task", "\"after\":[]", "\"after\":[\"b\"]"), "a cycle"),
        (
            edited("task", "\"born\":", "\"more\":1,\"born\":"),
            "not written as an export writes it",
        ),
        (
            edited("artifact", "\"folder\":\"", "\"folder\":\"../"),
            "its folder",
        ),
        (
            edited("artifact", "\"name\":\"", "\"name\":\"/etc/"),
            "cannot be the name",
        ),
        (
            edited("artifact", "\"name\":\"", "\"name\":\"\\u0000"),
            "cannot be the name",
        ),
        (
            edited("artifact", "\"tree\":null", "\"tree\":\"/etc\""),
            "a checkout",
        ),
        (
            edited("artifact", "\"source\":null", "\"source\":\"../../x\""),
            "out of the project",
        ),
        (
            edited("decision", "\"paths\":[\"src\"]", "\"paths\":[\"/etc\"]"),
            "out of the project",
        ),
        (
            edited("note", "\"paths\":[]", "\"paths\":[\"..\"]"),
            "out of the project",
        ),
        (
            edited(
                "file",
                "\"name\":\"config.yaml\"",
                "\"name\":\"../../config.yaml\"",
            ),
            "are taken along",
        ),
        (
            edited("session", "\"tree\":null", "\"tree\":\"/etc\""),
            "a checkout",
        ),
        (edited("counters", "\"notes\":2", "\"notes\":1"), "never given"),
    ] {
        refused(&bed, &folder, &bytes, says);
    }
    let mut flipped = all.clone();
    let middle = place(&lines, "task");
    let at: usize = lines[..middle].iter().map(|line| line.len() + 1).sum::<usize>() + 20;
    flipped[at] ^= 1;
    refused(&bed, &folder, &flipped, "");
    // And the whole one is taken in after all that.
    let file = bed.work().join("made");
    std::fs::write(&file, &all).expect("written");
    say(&bed, &folder, &["workspace", "import", text(&file)]).ok();
}
