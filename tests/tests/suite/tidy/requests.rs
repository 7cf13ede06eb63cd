//! Every request of the protocol has a word of `tocli`, a test and a wire sample.

use super::{Source, accept, refuses, sources};

/// The requests of the protocol: room and variant, from the `Request` enum of each file in `proto/src/`.
fn requests(sources: &[Source]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for source in sources {
        let room = source
            .path
            .strip_prefix("proto/src/")
            .and_then(|name| name.strip_suffix(".rs"));
        let Some(room) = room.filter(|room| *room != "message") else {
            continue;
        };
        let Some((_, body)) = source.text.split_once("pub enum Request {\n") else {
            continue;
        };
        let variants = body.lines().take_while(|line| *line != "}").filter_map(|line| {
            // One level of indentation is a variant; deeper is a field.
            let name = line.strip_prefix("    ")?;
            let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
            name.starts_with(char::is_uppercase).then_some(name)
        });
        found.extend(variants.map(|variant| (room.to_owned(), variant)));
    }
    found
}

/// `ShowLocation` is `show-location` on the command line.
fn word(variant: &str) -> String {
    let mut word = String::new();
    for c in variant.chars() {
        if c.is_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.extend(c.to_lowercase());
    }
    word
}

/// The words after `tocli` that make a request. The verbs of `index` and `context` stand alone, `detect` has no verb, and what a reboot
/// is asked beside doing it are flags.
fn command(room: &str, variant: &str) -> Vec<String> {
    let words: &[&str] = match (room, variant) {
        ("detect", _) => &["detect"],
        ("daemon", "Rehearse") => &["reboot", "check"],
        ("daemon", "Reboots") => &["reboot", "history"],
        ("daemon", "LastReboot") => &["reboot", "status"],
        ("context", "Restore") => &["forget", "undo"],
        ("maintenance", "Audit") => &["audit", "list"],
        ("maintenance", "Legacy") => &["import", "legacy"],
        ("maintenance", "Export") => &["workspace", "export"],
        ("maintenance", "Import") => &["workspace", "import"],
        ("maintenance", "AuditVerify") => &["audit", "verify"],
        ("context", "Recover") => &["context", "task"],
        ("context", "Moment") => &["changes", "since"],
        ("context", "SessionStart") => &["session", "start"],
        ("context", "SessionEnd") => &["session", "end"],
        ("context", "SessionList") => &["session", "list"],
        ("index", "Watches") => &["doctor", "watch"],
        ("index", "FilesPage") => &["files", "after"],
        ("index" | "context", _) => return vec![word(variant)],
        _ => return vec![room.to_owned(), word(variant)],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn says(text: &str, words: &[String]) -> bool {
    text.lines().any(|line| {
        let mut parts = line.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
        words
            .iter()
            .all(|word| parts.any(|part| part.trim_start_matches('-') == word))
    })
}

fn requests_are_complete(sources: &[Source]) -> Vec<String> {
    let requests = requests(sources);
    let mut complaints = Vec::new();
    if requests.is_empty() {
        complaints.push("proto/src/: no `Request` was found".to_owned());
    }
    let any = |prefix: &str, test: &dyn Fn(&str) -> bool| {
        sources.iter().any(|source| {
            source.path.starts_with(prefix) && !source.path.contains("/tidy") && test(&source.text)
        })
    };
    for (room, variant) in requests {
        let path = format!("{room}::Request::{variant}");
        let words = command(&room, &variant);
        if !any("client/src/", &|text| text.contains(&path)) {
            complaints.push(format!("proto/src/{room}.rs: `{path}` has no word of `tocli`"));
        }
        if !any("tests/tests/suite/wire", &|text| text.contains(&path)) {
            complaints.push(format!("proto/src/{room}.rs: `{path}` has no wire sample"));
        }
        let tested = sources.iter().any(|source| {
            source.path.starts_with("tests/tests/suite/")
                && !source.path.contains("/wire")
                && !source.path.contains("/tidy")
                && (source.text.contains(&path) || says(&source.text, &words))
        });
        if !tested {
            complaints.push(format!(
                "proto/src/{room}.rs: `{path}` has no test that says `{}`",
                words.join(" ")
            ));
        }
    }
    complaints
}

#[test]
fn every_request_has_a_word_a_test_and_a_sample() {
    accept(&requests_are_complete(&sources()));
}

#[test]
fn a_planted_request_without_word_test_or_sample_is_refused() {
    let proto = "pub enum Request {\n    /// One.\n    ShowLocation {\n        /// Which.\n        Which: u8,\n    },\n}\n";
    let uses = "workspace::Request::ShowLocation";
    let good = [
        Source::new("proto/src/workspace.rs", proto),
        Source::new("client/src/args.rs", uses),
        Source::new("tests/tests/suite/wire.rs", uses),
        Source::new(
            "tests/tests/suite/workspace.rs",
            "tocli([\"workspace\", \"show-location\"])",
        ),
    ];
    accept(&requests_are_complete(&good));
    for left_out in 1..good.len() {
        let rest: Vec<Source> = good
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != left_out)
            .map(|(_, source)| Source::new(&source.path, &source.text))
            .collect();
        assert_eq!(
            requests_are_complete(&rest).len(),
            1,
            "without {}",
            good[left_out].path
        );
    }
    refuses(
        requests_are_complete,
        &good,
        &[Source::new(
            "proto/src/role.rs",
            "pub enum Request {\n    List,\n}\n",
        )],
    );
}
