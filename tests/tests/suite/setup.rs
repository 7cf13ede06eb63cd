//! `tocli setup`: each client's own file, with comments and the servers of others, set up twice and taken back exactly.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::daemon::{Bed, program};
use tests::process;

/// A client, its file below the home, a file as somebody has it, and the key of its servers.
const CLIENTS: [(&str, &str, &str, &str); 7] = [
    (
        "claude-code",
        ".claude.json",
        "{\n  \"numStartups\": 3,\n  \"mcpServers\": {\n    \"other\": {\n      \"type\": \"http\",\n      \"url\": \"https://example.org\",\n      \"headers\": { \"Authorization\": \"Bearer top-secret\" }\n    }\n  },\n  \"projects\": {}\n}",
        "mcpServers",
    ),
    (
        "claude-desktop",
        ".config/Claude/claude_desktop_config.json",
        "{\"mcpServers\":{\"other\":{\"command\":\"npx\",\"args\":[\"-y\",\"x\"]}},\"globalShortcut\":\"\"}",
        "mcpServers",
    ),
    (
        "cursor",
        ".cursor/mcp.json",
        "{\n\t// servers of mine\n\t\"mcpServers\": {\n\t\t\"other\": { \"url\": \"http://localhost:1\" }, // keep this\n\t},\n}\n",
        "mcpServers",
    ),
    (
        "vscode",
        ".config/Code/User/mcp.json",
        "{\r\n  \"inputs\": [],\r\n  /* mine */\r\n  \"servers\": {\r\n    \"other\": { \"type\": \"stdio\", \"command\": \"npx\" }\r\n  }\r\n}\r\n",
        "servers",
    ),
    (
        "windsurf",
        ".codeium/windsurf/mcp_config.json",
        "{}",
        "mcpServers",
    ),
    (
        "codex",
        ".codex/config.toml",
        "# my settings\nmodel = \"m\"   # keep\n\n[mcp_servers.other]\ncommand = \"npx\"\nargs = [\"-y\", \"x\"]\n\n[profiles.fast]\nmodel = \"n\"\n",
        "mcp_servers",
    ),
    (
        "zed",
        ".config/zed/settings.json",
        "// Zed settings\n//\n// see the documentation\n{\n  \"theme\": \"One Dark\", // dark\n  \"vim_mode\": true\n}\n",
        "context_servers",
    ),
];

/// A home whose `to-mcp` is a file that may be run: what it does is not the matter here.
fn server(bed: &Bed) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = bed.home().join("bin/to-mcp");
    std::fs::create_dir_all(bed.home().join("bin")).expect("made");
    std::fs::write(&path, "#!/bin/sh\n").expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("may be run");
    path
}

fn place(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, text).expect("written");
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Everything below the home but our own state, by name and content.
fn snapshot(bed: &Bed) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    let mut open = vec![bed.home()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("listed") {
            let path = entry.expect("an entry").path();
            if path == bed.home().join(".local") {
                continue;
            }
            if path.is_dir() {
                open.push(path.clone());
                found.push((path, None));
            } else {
                let bytes = std::fs::read(&path).expect("read");
                found.push((path, Some(bytes)));
            }
        }
    }
    found.sort();
    found
}

/// What is not ours is what it was: comments word by word, values as values.
fn keeps_the_rest_of(before: &str, after: &str, key: &str) {
    let comment = |line: &&str| line.contains("//") || line.contains("/*") || line.contains('#');
    for line in before.lines().filter(comment) {
        assert!(after.contains(line), "`{line}` is gone:\n{after}");
    }
    if key == "mcp_servers" {
        let mut whole: toml::Table = after.parse().expect("TOML");
        let servers = whole
            .get_mut(key)
            .and_then(toml::Value::as_table_mut)
            .expect("servers");
        servers.remove("task-orchestrator");
        assert_eq!(Ok(whole), before.parse(), "{after}");
        return;
    }
    let mut whole = plain(after);
    let was = plain(before);
    let servers = whole[key].as_object_mut().expect("servers");
    servers.remove("task-orchestrator");
    if servers.is_empty() && was.get(key).is_none() {
        whole.as_object_mut().expect("an object").remove(key);
    }
    assert_eq!(whole, was, "{after}");
}

#[test]
fn each_client_is_set_up_twice_alike_and_taken_back_to_the_byte() {
    for (client, file, before, key) in CLIENTS {
        let bed = Bed::new();
        let server = server(&bed);
        let file = bed.home().join(file);
        place(&file, before);
        let untouched = snapshot(&bed);
        let set_up = [
            "setup",
            client,
            "--json",
            "--program",
            server.to_str().expect("UTF-8"),
        ];
        let check = [&set_up[..], &["--check"]].concat();
        bed.run(&check).ends(3);

        let dry = bed.run([&set_up[..], &["--dry-run"]].concat()).ends(0).json();
        assert_eq!(snapshot(&bed), untouched, "{client}: a dry run changes nothing");
        assert!(
            dry["pieces"][0]["diff"]
                .as_str()
                .is_some_and(|diff| diff.contains("task-orchestrator")),
            "{dry}"
        );

        let said = bed.run(set_up).ends(0).json();
        assert_eq!(said["changed"], true, "{said}");
        let after = text(&file);
        keeps_the_rest_of(before, &after, key);
        let entry = match client {
            "codex" => {
                let whole: toml::Table = after.parse().expect("TOML");
                serde_json::to_value(&whole[key]["task-orchestrator"]).expect("JSON")
            }
            _ => plain(&after)[key]["task-orchestrator"].clone(),
        };
        assert_eq!(
            entry["command"],
            server.to_str().expect("UTF-8"),
            "{client}: {after}"
        );
        assert_eq!(entry["args"], json!([]), "{client}: {after}");
        bed.run(&check).ends(0);

        let all = snapshot(&bed);
        let again = bed.run(set_up).ends(0).json();
        assert_eq!(again["changed"], false, "{again}");
        assert_eq!(snapshot(&bed), all, "{client}: a second time changes nothing");

        // Another profile, then all the way back.
        bed.run([&set_up[..], &["--profile", "full"]].concat()).ends(0);
        assert!(text(&file).contains("full"), "{client}");
        bed.run(&check).ends(3);
        bed.run(["setup", client, "--remove"]).ends(0);
        assert_eq!(snapshot(&bed), untouched, "{client}: taken back to the byte");
        bed.run(["setup", client, "--remove"]).ends(0);
        assert_eq!(snapshot(&bed), untouched);
    }
}

/// Comments and trailing commas taken out, for files that this test wrote.
fn plain(text: &str) -> Value {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if rest.starts_with("/*") {
            rest = rest.find("*/").map_or("", |end| &rest[end + 2..]);
        } else if c == '"' {
            let end = rest[1..].find('"').expect("closed") + 2;
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else {
            if (c == '}' || c == ']') && out.trim_end().ends_with(',') {
                out.truncate(out.trim_end().len() - 1);
            }
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}:\n{out}"))
}

#[test]
fn a_home_without_any_settings_is_left_as_it_was_found() {
    for (client, ..) in CLIENTS {
        let bed = Bed::new();
        let server = server(&bed);
        let untouched = snapshot(&bed);
        bed.run(["setup", client, "--program", server.to_str().expect("UTF-8")])
            .ends(0);
        assert_ne!(snapshot(&bed), untouched, "{client}");
        bed.run(["setup", client, "--remove"]).ends(0);
        assert_eq!(snapshot(&bed), untouched, "{client}");
        assert!(!bed.state().join("setup").join(format!("{client}.json")).exists());
    }
}

#[test]
fn a_home_whose_name_is_no_text_is_set_up_and_left_as_it_was_found() {
    use std::os::unix::ffi::OsStrExt;
    let bed = Bed::new();
    let server = server(&bed);
    let home = bed.path().join(std::ffi::OsStr::from_bytes(b"h\xff\n"));
    std::fs::create_dir(&home).expect("made");
    let run = |words: &[&str]| {
        let mut command = bed.tocli([&["setup", "cursor"], words].concat());
        tests::process::run(command.env("HOME", &home)).ends(0);
    };
    run(&["--program", server.to_str().expect("UTF-8")]);
    assert!(home.join(".cursor/mcp.json").exists());
    run(&["--remove"]);
    assert!(!home.join(".cursor").exists());
}

#[test]
fn what_somebody_changed_since_stays_when_ours_is_taken_out() {
    let bed = Bed::new();
    let server = server(&bed);
    let file = bed.home().join(".cursor/mcp.json");
    place(&file, "{ \"mcpServers\": {} }\n");
    bed.run(["setup", "cursor", "--program", server.to_str().expect("UTF-8")])
        .ends(0);
    let mut whole = plain(&text(&file));
    whole["mcpServers"]["later"] = json!({ "url": "http://localhost:2" });
    whole["mine"] = json!(1);
    std::fs::write(&file, serde_json::to_string(&whole).expect("JSON")).expect("written");
    bed.run(["setup", "cursor", "--remove"]).ends(0);
    let left = plain(&text(&file));
    assert_eq!(
        left,
        json!({ "mcpServers": { "later": { "url": "http://localhost:2" } }, "mine": 1 })
    );
}

#[test]
fn claude_code_gets_a_session_start_hook_beside_those_of_others() {
    let bed = Bed::new();
    let server = server(&bed);
    let file = bed.home().join(".claude/settings.json");
    let theirs = "{\n  // mine\n  \"hooks\": {\n    \"SessionStart\": [\n      { \"hooks\": [{ \"type\": \"command\", \"command\": \"date\" }] }\n    ]\n  }\n}\n";
    place(&file, theirs);
    bed.run([
        "setup",
        "claude-code",
        "--program",
        server.to_str().expect("UTF-8"),
    ])
    .ends(0);
    let hooks = plain(&text(&file))["hooks"]["SessionStart"]
        .as_array()
        .cloned()
        .expect("a list");
    assert_eq!(hooks.len(), 2);
    assert_eq!(hooks[0]["hooks"][0]["command"], "date");
    let command = hooks[1]["hooks"][0]["command"]
        .as_str()
        .expect("a command")
        .to_owned();
    assert_eq!(command, format!("{} prime --hook", program("tocli").display()));
    bed.run(["setup", "claude-code", "--remove"]).ends(0);
    assert_eq!(text(&file), theirs);
}

#[test]
fn an_entry_of_somebody_else_is_kept_unless_it_is_given_up_and_then_comes_back() {
    let bed = Bed::new();
    let server = server(&bed);
    let file = bed.home().join(".cursor/mcp.json");
    let theirs = "{ \"mcpServers\": { \"task-orchestrator\": { \"command\": \"python3\" } } }\n";
    place(&file, theirs);
    let set_up = ["setup", "cursor", "--program", server.to_str().expect("UTF-8")];
    let said = bed.run(set_up).ends(5);
    assert!(said.err.contains("--force"), "{said:?}");
    assert_eq!(text(&file), theirs);
    bed.run([&set_up[..], &["--force"]].concat()).ends(0);
    assert!(text(&file).contains("to-mcp"));
    // Written anew by the client itself: the entry is taken out and theirs put back.
    let whole = plain(&text(&file));
    std::fs::write(&file, serde_json::to_string_pretty(&whole).expect("JSON")).expect("written");
    bed.run(["setup", "cursor", "--remove"]).ends(0);
    assert_eq!(plain(&text(&file)), plain(theirs));
}

#[test]
fn what_cannot_be_read_is_refused_and_left_alone() {
    let bed = Bed::new();
    let server = server(&bed);
    let set_up = [
        "setup",
        "claude-code",
        "--program",
        server.to_str().expect("UTF-8"),
    ];
    let file = bed.home().join(".claude.json");
    let deep = "[".repeat(200_000);
    for wrong in [
        "{",
        "[]",
        "{\"mcpServers\": 1}",
        "{\"mcpServers\":{},\"mcpServers\":{}}",
        &deep,
    ] {
        place(&file, wrong);
        bed.run(set_up).ends(4);
        assert_eq!(text(&file), wrong);
        assert!(
            !bed.home().join(".claude").exists(),
            "nothing is written when one file is refused"
        );
    }
    std::fs::write(&file, [b'{', 0xff, b'}']).expect("written");
    bed.run(set_up).ends(4);
    std::fs::remove_file(&file).expect("removed");
    std::fs::create_dir(&file).expect("made");
    bed.run(set_up).ends(4);
}

#[test]
fn the_mark_that_some_editors_begin_a_file_with_stays_in_its_place() {
    let bed = Bed::new();
    let server = server(&bed);
    let file = bed.home().join(".cursor/mcp.json");
    let before = "\u{feff}{\r\n  // mine\r\n  \"mcpServers\": {}\r\n}\r\n";
    place(&file, before);
    let program = server.to_str().expect("UTF-8");
    bed.run(["setup", "cursor", "--program", program]).ok();
    let after = text(&file);
    let rest = after.strip_prefix("\u{feff}").expect("the mark");
    assert!(
        rest.contains("// mine") && rest.contains("task-orchestrator"),
        "{after}"
    );
    bed.run(["setup", "cursor", "--program", program, "--check"]).ok();
    bed.run(["setup", "cursor", "--remove"]).ok();
    assert_eq!(text(&file), before);
}

#[test]
fn a_link_stays_a_link_and_a_file_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt as _;
    let bed = Bed::new();
    let server = server(&bed);
    let real = bed.home().join("dotfiles/mcp.json");
    place(&real, "{}\n");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).expect("set");
    let link = bed.home().join(".cursor/mcp.json");
    std::fs::create_dir_all(bed.home().join(".cursor")).expect("made");
    std::os::unix::fs::symlink(&real, &link).expect("linked");
    bed.run(["setup", "cursor", "--program", server.to_str().expect("UTF-8")])
        .ends(0);
    assert!(link.is_symlink());
    assert!(text(&real).contains("to-mcp"));
    let mode = std::fs::metadata(&real).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    bed.run(["setup", "cursor", "--remove"]).ends(0);
    assert_eq!(text(&real), "{}\n");
}

#[test]
fn secrets_of_others_are_neither_shown_nor_kept() {
    let bed = Bed::new();
    let server = server(&bed);
    let (client, file, before, _) = CLIENTS[0];
    place(&bed.home().join(file), before);
    let said = bed
        .run(["setup", client, "--program", server.to_str().expect("UTF-8")])
        .ends(0);
    assert!(!said.text().contains("top-secret"), "{}", said.text());
    let kept = text(&bed.state().join("setup/claude-code.json"));
    assert!(!kept.contains("top-secret"), "{kept}");
}

#[test]
fn a_program_that_is_not_there_is_not_written_into_anything() {
    let bed = Bed::new();
    let untouched = snapshot(&bed);
    bed.run(["setup", "zed", "--program", "/nowhere/to-mcp"]).ends(3);
    assert_eq!(snapshot(&bed), untouched);
}

#[test]
fn the_list_tells_which_clients_are_there_and_set_up() {
    let bed = Bed::new();
    let server = server(&bed);
    std::fs::create_dir_all(bed.home().join(".cursor")).expect("made");
    bed.run(["setup", "windsurf", "--program", server.to_str().expect("UTF-8")])
        .ends(0);
    let mut command = bed.tocli(["setup", "--json"]);
    let list = process::run(&mut command).ends(0).json();
    let lines = list["clients"].as_array().cloned().expect("a list");
    let of = |client: &str| {
        lines
            .iter()
            .find(|line| line["client"] == client)
            .cloned()
            .expect("listed")
    };
    assert_eq!(lines.len(), 8, "seven clients, one of them with a hook");
    assert_eq!(of("cursor")["installed"], true);
    assert_eq!(of("cursor")["state"], "missing");
    assert_eq!(of("zed")["installed"], false);
    assert_ne!(of("windsurf")["state"], "missing");
}
