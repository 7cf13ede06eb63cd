//! Manners of the command line: JSON with its schema, exit codes, errors with words, completions and man pages.

use std::process::Command;

use tests::daemon::{Bed, program};
use tests::process;
use tests::skip::skip;

#[test]
fn every_command_says_its_schema_version_first_in_json() {
    let bed = Bed::new();
    let repo = bed.project("repo");
    std::fs::write(repo.join("Cargo.toml"), "[package]\nname = \"x\"\n").expect("written");
    tests::git::init(&repo);
    let lines = [
        "detect",
        "workspace create",
        "workspace list",
        "workspace show",
        "workspace show-location",
        "workspace rename other",
        "workspace validate-isolation",
        "config list",
        "config list --origin",
        "config get watch.settle_ms",
        "config set workspace.project_type rust",
        "config unset workspace.project_type",
        "config reset",
        "role list",
        "role show coder",
        "role init --for rust",
        "files",
        "clock",
        "changes --since 1h",
        "migrate",
        "migrate status",
        "migrate --check",
        "doctor",
        "doctor watch",
        "workspace forget other",
        "workspace list --forgotten",
        "daemon start",
        "daemon status",
        "daemon reload",
        "daemon stop",
    ];
    for line in lines {
        let mut command = bed.tocli(line.split(' ').chain(["--json"]));
        let said = process::run(command.current_dir(&repo));
        assert_eq!(said.code, 0, "{line}: {said:?}");
        let json = said.json();
        let first = json.as_object().and_then(|object| object.keys().next().cloned());
        assert_eq!(first.as_deref(), Some("schema_version"), "{line}: {json}");
        assert!(json["schema_version"].is_u64(), "{line}: {json}");
        assert_eq!(
            said.text().trim_end().lines().count(),
            1,
            "{line}: one object on one line"
        );
        assert_eq!(said.err, "", "{line}");
    }
}

#[test]
fn errors_in_json_say_what_why_and_next_and_keep_their_exit_code() {
    let bed = Bed::new();
    let said = bed.run(["detect", "--explicit", "/etc", "--json"]).ends(4);
    let text = if said.out.is_empty() {
        said.err.clone()
    } else {
        said.text()
    };
    let json: serde_json::Value =
        serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    assert!(json["schema_version"].is_u64(), "{json}");
    assert_eq!(json["error"]["kind"], "refused", "{json}");
    assert!(
        json["error"]["what"]
            .as_str()
            .is_some_and(|what| what.contains("/etc")),
        "{json}"
    );
}

#[test]
fn exit_codes_are_what_the_manual_says() {
    let bed = Bed::new();
    std::fs::write(bed.work().join("file"), "").expect("written");
    for (line, code) in [
        ("nonsense", 2),
        ("detect --nonsense", 2),
        ("detect --explicit file", 2),
        ("changes --since=-5s", 2),
        ("changes --since yesterdayish", 3),
        ("changes --since 2999-01-01T00:00", 2),
        ("detect --explicit missing", 3),
        ("workspace show ws_000000000000", 3),
        ("workspace show no-such-name", 3),
        ("role show no-such-role", 3),
        ("config get no.such_key", 2),
        ("config set watch.settle_ms many", 2),
        ("detect --explicit /etc", 4),
        ("workspace create --explicit /usr", 4),
        ("--help", 0),
        ("--version", 0),
        ("detect --help", 0),
    ] {
        let said = bed.run(line.split(' '));
        assert_eq!(said.code, code, "{line}: {said:?}");
        if code == 0 {
            assert!(!said.out.is_empty(), "{line}");
        } else {
            assert_eq!(said.text(), "", "{line}: data only on standard output");
            assert!(!said.err.is_empty(), "{line}");
        }
    }
}

#[test]
fn the_home_directory_is_not_read_in_place_of_what_was_named() {
    let bed = Bed::new();
    let said = process::run(bed.tocli(["files", "--path", "/etc"]).current_dir("/"));
    assert_eq!((said.code, said.text().as_str()), (4, ""), "{said:?}");
    assert!(said.err.contains("`/etc` is in no project"), "{}", said.err);
}

#[test]
fn a_wrong_word_gets_the_nearest_right_one() {
    let bed = Bed::new();
    for (line, near) in [
        ("detct", "detect"),
        ("workspace lst", "list"),
        ("config get watch.setle_ms", "settle_ms"),
        ("role show codr", "coder"),
    ] {
        let said = bed.run(line.split(' '));
        assert!(said.err.contains(near), "{line}: {}", said.err);
    }
}

#[test]
fn what_is_missing_is_named() {
    let bed = Bed::new();
    let said = bed.run(["task", "block"]).ends(2);
    let first = said.err.lines().next().unwrap_or_default();
    assert_eq!(first, "error: missing: `--reason <REASON>`, `<TASK>`", "{said:?}");
}

/// The commands that stand between back-ticks in a text, without what is written as a text of several words.
fn commands(text: &str) -> impl Iterator<Item = &str> {
    text.split('`')
        .skip(1)
        .filter(|part| part.starts_with("tocli ") && !part.contains('\n'))
        .map(|part| part.split(['"', '\\', '|']).next().unwrap_or(part).trim())
}

#[test]
fn every_command_that_a_text_of_ours_names_is_there() {
    let bed = Bed::new();
    let mut named = std::collections::BTreeMap::new();
    for source in super::tidy::sources() {
        let ours = ["client/src/", "daemon/src/", "proto/src/"];
        let speaks = ours.iter().any(|folder| source.path.starts_with(folder));
        if speaks || source.path.ends_with(".md") {
            for command in commands(&source.text) {
                named.insert(command.to_owned(), source.path.clone());
            }
        }
    }
    assert!(named.len() > 80, "{named:?}");
    let unknown: Vec<String> = named
        .into_iter()
        .filter_map(|(command, path)| {
            let words = command.split_whitespace().skip(1).chain(["--help"]);
            let said = bed.run(words);
            let first = said.err.lines().next().unwrap_or_default();
            let wrong = ["unrecognized subcommand", "unexpected argument"];
            let wrong = wrong.iter().any(|wrong| first.contains(wrong));
            wrong.then(|| format!("{path}: `{command}`: {first}"))
        })
        .collect();
    assert_eq!(unknown, [""; 0]);
}

#[test]
fn no_colour_leaves_a_pipe() {
    let bed = Bed::new();
    for line in [
        "detect",
        "workspace list",
        "config list",
        "role list",
        "daemon status",
        "nonsense",
        "--help",
    ] {
        let said = process::run(bed.tocli(line.split(' ')).env("TERM", "xterm-256color"));
        assert!(
            !said.out.contains(&0x1b) && !said.err.contains('\x1b'),
            "{line}: {said:?}"
        );
    }
}

/// Whether a program is there.
fn has(name: &str) -> bool {
    Command::new(name).arg("--version").output().is_ok()
}

#[test]
fn completions_are_scripts_that_their_shells_accept() {
    let bed = Bed::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = bed.run(["completions", shell]).ok();
        assert!(script.text().contains("workspace"), "{shell}");
        let file = bed.path().join(shell);
        std::fs::write(&file, &script.out).expect("written");
        if !has(shell) {
            skip(shell, &format!("`{shell}` is not installed"));
            continue;
        }
        let said = process::run(bed.command(shell).arg("-n").arg(&file));
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{shell}");
    }
    // As a user's shell loads it: sourced, and the function is there.
    let said = process::run(
        bed.command("bash")
            .args(["-c", ". \"$0\" && complete -p tocli"])
            .arg(bed.path().join("bash")),
    );
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(bed.daemons(), Vec::<u32>::new(), "completions need no daemon");
}

#[test]
fn manual_pages_are_written_for_every_command_and_render_without_a_warning() {
    let bed = Bed::new();
    let folder = bed.path().join("man");
    std::fs::create_dir(&folder).expect("made");
    bed.run(["man", "--dir", folder.to_str().expect("UTF-8")]).ok();
    let nowhere = bed.run(["man", "--dir", "/dev/null"]).ends(6);
    assert!(nowhere.err.contains("next: "), "{}", nowhere.err);
    let pages: Vec<_> = std::fs::read_dir(&folder)
        .expect("listed")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    for name in [
        "tocli.1",
        "tocli-detect.1",
        "tocli-workspace.1",
        "tocli-daemon-status.1",
    ] {
        assert!(folder.join(name).is_file(), "{name} in {pages:?}");
    }
    if !has("man") || !has("groff") {
        return skip("man", "`man` or `groff` is not installed");
    }
    for page in pages {
        let said = process::run(
            bed.command("man")
                .args(["--warnings", "-E", "UTF-8", "-l"])
                .arg(&page)
                .env("MANWIDTH", "80")
                .env("MAN_KEEP_STDERR", "1"),
        );
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", page.display());
        assert!(said.text().contains("NAME"), "{}", page.display());
    }
}

#[test]
fn output_into_a_closed_pipe_ends_quietly() {
    let bed = Bed::new();
    let mut command = bed.command("sh");
    let script = "\"$0\" config list | head -n 1 >/dev/null; \"$0\" --help | true";
    let said = process::run(command.args(["-c", script]).arg(program("tocli")));
    assert_eq!(said.err, "");
}

#[test]
fn the_daemons_program_says_what_is_missing_and_what_it_cannot_write() {
    let bed = Bed::new();
    let said = process::run(&mut bed.command(program("tod"))).ends(2);
    assert!(said.err.contains("`tod run`"), "{}", said.err);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let mut help = bed.tod(["--help"]);
    let help = help
        .stdout(full.expect("opened"))
        .stderr(std::process::Stdio::piped());
    let said = help.output().expect("run");
    assert_eq!(said.status.code(), Some(6), "{said:?}");
}
