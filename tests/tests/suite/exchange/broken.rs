//! Files that are no exports, or not whole, or not ours: refused with the number of the line, and nothing changes.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Stdio;

use tests::daemon::{Bed, program};
use tests::{deadline, process};

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

#[test]
fn an_import_from_a_pipe_that_is_killed_leaves_no_copy_behind() {
    let bed = Bed::new();
    let (second, passing) = (project(&bed, "second"), bed.path().join("passing"));
    std::fs::create_dir(&passing).expect("made");
    let whole = finished(&whole(&bed));
    let words = ["workspace", "import", "-", "--actor", "me"];
    let mut import = bed.tocli(words);
    import.current_dir(&second).env("TMPDIR", &passing);
    let mut child = import
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(&whole[..whole.len() / 2]).expect("written");
    // The copy has a name, or is held without one.
    let device = std::fs::metadata(&passing).expect("looked at").dev();
    let open = format!("/proc/{}/fd", child.id());
    deadline::until("the copy is begun", || {
        std::fs::read_dir(&open).ok()?.flatten().find_map(|entry| {
            let found = std::fs::metadata(entry.path()).ok()?;
            let goes = std::fs::read_link(entry.path()).ok()?;
            (found.is_file() && found.dev() == device && found.size() > 0 && goes.starts_with(&passing))
                .then_some(())
        })
    });
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert_eq!(std::fs::read_dir(&passing).expect("listed").count(), 0);
    // And one that comes to its end finds its way without a name.
    let mut again = bed.tocli(words);
    again.current_dir(&second).env("TMPDIR", &passing);
    process::run_with_input(&mut again, &whole).ok();
    assert_eq!(std::fs::read_dir(&passing).expect("listed").count(), 0);
}

#[test]
fn a_pipe_without_an_end_is_refused_before_it_fills_a_disk() {
    let bed = Bed::new();
    let second = project(&bed, "second");
    let shell = |line: &str| {
        // The limit is for the machine, if it were kept: 64 MiB.
        let line = format!("ulimit -f 131072; {{ {line}; }} | \"$0\" workspace import -");
        let mut command = bed.command("sh");
        process::run(
            command
                .args(["-c", &line])
                .arg(program("tocli"))
                .current_dir(&second),
        )
        .ends(4)
    };
    let said = shell("printf '{\"workspace_export\":'; exec cat /dev/zero");
    assert!(said.err.contains("longer than 8 MiB"), "{}", said.err);
    let said = shell("echo '{\"workspace_export\":{}}'; exec yes");
    assert!(said.err.contains("line 2 of `-`"), "{}", said.err);
    // What is no pipe at all is not said to need room.
    let mut folder = bed.command("sh");
    folder.args(["-c", "exec \"$0\" workspace import - <."]);
    let said = process::run(folder.arg(program("tocli")).current_dir(&second)).ends(6);
    assert!(said.err.contains("`-` cannot be read"), "{}", said.err);
}
