//! Changing one value of a YAML file and nothing else: comments, order and spelling stay.
//!
//! Pure: text in, text out, for `config set` and `config unset`. The edit works on places; what proves it is that the
//! new text is read again and must mean the old one with exactly this change. What must stay true: when that proof
//! fails, the edit is refused and the text stays as it was.

use serde_json::{Map, Value as Json};

use super::super::tree::{Fault, Key, Node, Value};
use super::super::yaml;

/// The text with `section.key` set to a value.
///
/// # Errors
/// When the text is not readable, or written in a form that is not edited.
pub fn set(text: &str, section: &str, key: &str, value: &Json) -> Result<String, Fault> {
    let (bom, text) = split_bom(text);
    let root = yaml::parse(text)?;
    let written = value_text(value);
    let new = match entry(&root, section) {
        None => with_section(text, &root, section, &format!("  {key}: {written}\n"))?,
        Some((_, inner)) => match entry(inner, key) {
            Some((name, old)) => replaced(text, name, old, &written),
            None => with_key(text, &root, section, &format!("{key}: {written}"))?,
        },
    };
    let mut wanted = object(&root.json());
    let inner = wanted.entry(section).or_insert(Json::Null);
    let mut entries = object(inner);
    entries.insert(key.to_owned(), value.clone());
    *inner = Json::Object(entries);
    proven(bom, new, &Json::Object(wanted))
}

/// The text without `section.key`; none when it is not in it.
///
/// # Errors
/// As [`set`].
pub fn unset(text: &str, section: &str, key: &str) -> Result<Option<String>, Fault> {
    let (bom, text) = split_bom(text);
    let root = yaml::parse(text)?;
    let Some((section_key, inner)) = entry(&root, section) else {
        return Ok(None);
    };
    let Some((name, old)) = entry(inner, key) else {
        return Ok(None);
    };
    let alone = inner.entries("")?.len() == 1;
    let (from, to) = if alone { (section_key, inner) } else { (name, old) };
    let new = without(text, from, to);
    let mut wanted = object(&root.json());
    if alone {
        wanted.shift_remove(section);
    } else if let Some(Json::Object(entries)) = wanted.get_mut(section) {
        entries.shift_remove(key);
    }
    let wanted = if wanted.is_empty() {
        Json::Null
    } else {
        Json::Object(wanted)
    };
    proven(bom, new, &wanted).map(Some)
}

fn split_bom(text: &str) -> (&str, &str) {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => ("\u{feff}", rest),
        None => ("", text),
    }
}

fn object(json: &Json) -> Map<String, Json> {
    json.as_object().cloned().unwrap_or_default()
}

fn entry<'n>(node: &'n Node, name: &str) -> Option<(&'n Key, &'n Node)> {
    match &node.value {
        Value::Map(entries) => entries
            .iter()
            .find(|(key, _)| key.name == name)
            .map(|(key, node)| (key, node)),
        _ => None,
    }
}

/// A value in one line: JSON, which YAML reads, and plain text where nothing could be mistaken.
fn value_text(value: &Json) -> String {
    match value {
        Json::String(text) => {
            let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'));
            let same =
                yaml::parse(text).is_ok_and(|node| matches!(&node.value, Value::Text(read) if read == text));
            if plain && same {
                text.clone()
            } else {
                value.to_string()
            }
        }
        other => other.to_string(),
    }
}

fn end_of_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |found| at + found)
}

fn start_of_line(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |found| found + 1)
}

/// The end of what a value says: the end of its last scalar, since a block's own end is where the next thing begins.
fn end_of(text: &str, key: &Key, node: &Node) -> usize {
    let own = match &node.value {
        Value::Map(entries) => match entries.last() {
            Some((key, last)) if text.as_bytes().get(node.place.bytes.start) != Some(&b'{') => {
                end_of(text, key, last)
            }
            _ => node.place.bytes.end,
        },
        Value::List(items) => match items.last() {
            Some(last) if text.as_bytes().get(node.place.bytes.start) != Some(&b'[') => {
                end_of(text, key, last)
            }
            _ => node.place.bytes.end,
        },
        Value::Null => node.place.bytes.end.max(key.place.bytes.end),
        _ => node.place.bytes.end,
    };
    let own = own.clamp(key.place.bytes.end, text.len());
    // Block scalars end after their last line break.
    key.place.bytes.end + text[key.place.bytes.end..own].trim_end().len()
}

fn replaced(text: &str, key: &Key, old: &Node, written: &str) -> String {
    let end = end_of(text, key, old);
    let colon = key.place.bytes.end + text[key.place.bytes.end..].find(':').map_or(0, |found| found + 1);
    let (head, tail) = (&text[..colon], &text[end.max(colon)..]);
    format!("{head} {written}{tail}")
}

/// Adds a section at the end.
fn with_section(text: &str, root: &Node, section: &str, line: &str) -> Result<String, Fault> {
    let flow = text.as_bytes().get(root.place.bytes.start) == Some(&b'{');
    let indent = match &root.value {
        Value::Null => 0,
        Value::Map(entries) if !flow => entries.first().map_or(0, |(key, _)| column(text, key)),
        _ => return Err(unedited()),
    };
    let pad = " ".repeat(indent);
    let gap = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    Ok(format!("{text}{gap}{pad}{section}:\n{pad}{line}"))
}

/// Adds a key at the end of a section.
fn with_key(text: &str, root: &Node, section: &str, line: &str) -> Result<String, Fault> {
    let (name, inner) = entry(root, section).ok_or_else(unedited)?;
    let (at, indent) = match &inner.value {
        Value::Null => (end_of_line(text, name.place.bytes.end), column(text, name) + 2),
        Value::Map(entries) => {
            let (first, (last, node)) = entries.first().zip(entries.last()).ok_or_else(unedited)?;
            (
                end_of_line(text, end_of(text, last, node)),
                column(text, &first.0),
            )
        }
        _ => return Err(unedited()),
    };
    let (head, tail) = text.split_at(at);
    Ok(format!(
        "{head}\n{}{line}{}",
        " ".repeat(indent),
        if tail.is_empty() { "\n" } else { tail }
    ))
}

/// Takes the lines of an entry out.
fn without(text: &str, from: &Key, to: &Node) -> String {
    let start = start_of_line(text, from.place.bytes.start);
    let end = end_of_line(text, end_of(text, from, to));
    let end = (end + 1).min(text.len());
    format!("{}{}", &text[..start], &text[end..])
}

fn column(text: &str, key: &Key) -> usize {
    key.place.bytes.start - start_of_line(text, key.place.bytes.start)
}

fn unedited() -> Fault {
    Fault::whole("it is written in a form that is not edited by a program: change it by hand")
}

fn proven(bom: &str, new: String, wanted: &Json) -> Result<String, Fault> {
    match yaml::parse(&new) {
        Ok(node) if node.json() == *wanted => Ok(format!("{bom}{new}")),
        _ => Err(unedited()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str, value: impl Into<Json>) -> Result<String, Fault> {
        set(text, "watch", "settle_ms", &value.into())
    }

    #[test]
    fn one_value_changes_and_every_comment_stays() {
        let text = "# mine\nwatch:   # the watcher\n  # quick\n  settle_ms: 5   # five\n\n  poll_seconds: 3\n\n# the end\n";
        let new = put(text, 7).expect("set");
        assert_eq!(new, text.replace("settle_ms: 5", "settle_ms: 7"));
    }

    #[test]
    fn a_missing_file_section_or_key_is_added_where_it_belongs() {
        assert_eq!(put("", 1).expect("set"), "watch:\n  settle_ms: 1\n");
        assert_eq!(put("# note", 1).expect("set"), "# note\nwatch:\n  settle_ms: 1\n");
        assert_eq!(put("watch:\n", 1).expect("set"), "watch:\n  settle_ms: 1\n");
        assert_eq!(put("watch:", 1).expect("set"), "watch:\n  settle_ms: 1\n");
        assert_eq!(
            put(
                "watch:\n    poll_seconds: 2 # two\ntasks:\n  max_attempts: 1\n",
                1
            )
            .expect("set"),
            "watch:\n    poll_seconds: 2 # two\n    settle_ms: 1\ntasks:\n  max_attempts: 1\n"
        );
        assert_eq!(
            put("tasks:\n  max_attempts: 1", 1).expect("set"),
            "tasks:\n  max_attempts: 1\nwatch:\n  settle_ms: 1\n"
        );
        assert_eq!(
            put("watch:\r\n  poll_seconds: 2\r\n", 1)
                .map(|new| yaml::parse(&new).expect("YAML").json().to_string())
                .expect("set"),
            r#"{"watch":{"poll_seconds":2,"settle_ms":1}}"#
        );
    }

    #[test]
    fn values_of_many_lines_are_replaced_whole() {
        let text = "watch:\n  extra_ignores:\n    - a\n    - b # two\n  settle_ms: 1\n";
        let new = set(text, "watch", "extra_ignores", &serde_json::json!(["c"])).expect("set");
        assert!(new.starts_with("watch:\n  extra_ignores: [\"c\"]"), "{new}");
        assert!(new.ends_with("  settle_ms: 1\n"), "{new}");
        let text = "tasks:\n  stale_hours: {\n    coder: 1,\n  } # all\n";
        assert_eq!(
            set(text, "tasks", "stale_hours", &serde_json::json!({"x": 2})).expect("set"),
            "tasks:\n  stale_hours: {\"x\":2} # all\n"
        );
        let text = "workspace:\n  project_type: |\n    rust\n\nwatch:\n  settle_ms: 1\n";
        let new = set(text, "workspace", "project_type", &"go".into()).expect("set");
        assert!(new.starts_with("workspace:\n  project_type: go\n"), "{new}");
    }

    #[test]
    fn a_flow_section_and_a_byte_order_mark_survive() {
        assert_eq!(
            put("watch: {settle_ms: 1, poll_seconds: 2}\n", 9).expect("set"),
            "watch: {settle_ms: 9, poll_seconds: 2}\n"
        );
        assert_eq!(
            put("\u{feff}watch:\n  settle_ms: 1\n", 9).expect("set"),
            "\u{feff}watch:\n  settle_ms: 9\n"
        );
    }

    #[test]
    fn a_form_that_cannot_be_edited_with_proof_is_refused() {
        for text in [
            "{}",
            "{tasks: {max_attempts: 1}}",
            "watch: {poll_seconds: 2}\n",
            "watch: &w\n  poll_seconds: 1\ntasks: *w\n",
            "a: 1\n...\n",
            "- x\n",
            "watch: [\n",
        ] {
            match put(text, 1) {
                Err(_) => {}
                Ok(new) => {
                    // Whatever is accepted has been proven: only this value is new.
                    let json = yaml::parse(&new).expect("YAML").json();
                    assert_eq!(json["watch"]["settle_ms"], 1, "{text}");
                }
            }
        }
        assert!(put("{}", 1).is_err());
    }

    #[test]
    fn unset_takes_the_line_out_and_an_emptied_section_with_it() {
        let text = "# mine\nwatch:\n  settle_ms: 5 # five\n  poll_seconds: 3\n# end\n";
        let new = unset(text, "watch", "settle_ms")
            .expect("unset")
            .expect("was there");
        assert_eq!(new, "# mine\nwatch:\n  poll_seconds: 3\n# end\n");
        let new = unset(&new, "watch", "poll_seconds")
            .expect("unset")
            .expect("was there");
        assert_eq!(new, "# mine\n# end\n");
        assert_eq!(unset(&new, "watch", "poll_seconds").expect("unset"), None);
        assert!(
            unset("watch: {settle_ms: 1, poll_seconds: 2}\n", "watch", "settle_ms").is_err(),
            "one line holds both"
        );
    }

    #[test]
    fn texts_are_written_so_that_they_are_read_back_as_texts() {
        for text in [
            "true", "1", "a: b", "- x", "*x", "null", "rust", "it's", "\"q\"", "#no", "ü", "~",
        ] {
            let new = set("", "workspace", "project_type", &text.into()).expect(text);
            assert_eq!(
                yaml::parse(&new).expect("YAML").json()["workspace"]["project_type"],
                text
            );
        }
    }
}
