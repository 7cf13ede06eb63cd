//! Whether a value fits its setting: pure.
//!
//! Asked for every value of every file, variable and command line. What must stay true: what passes here can be used
//! without another look; what does not is told with what would.

use serde_json::{Map, Value as Json};

use super::super::tree::{Fault, Node, Value, hint, shortened};
use super::super::yaml;
use super::keys::{self, Kind, Spec};

const MAX_TEXT: usize = 4096;
const MAX_ITEMS: usize = 1000;

/// One value of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Which setting.
    pub spec: &'static Spec,
    /// Its value, checked.
    pub value: Json,
    /// The line in the file, from 1.
    pub line: Option<u32>,
}

impl PartialEq for Spec {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// All values of a file: a map of sections, each a map of keys.
///
/// # Errors
/// The first unknown section or key, or value that does not fit.
pub fn file(root: &Node) -> Result<Vec<Entry>, Fault> {
    let mut found = Vec::new();
    for (section, node) in root.entries("a settings file")? {
        let known = keys::sections();
        if !known.contains(&section.name.as_str()) {
            let hint = hint(&section.name, known);
            return Err(Fault::at(
                section.place.line,
                format!("there is no section `{}`{hint}", shortened(&section.name)),
            ));
        }
        for (key, node) in node.entries(&format!("the section `{}`", section.name))? {
            let spec = named(&format!("{}.{}", section.name, key.name))
                .map_err(|what| Fault::at(key.place.line, what))?;
            let value = value(spec, node)?;
            found.push(Entry {
                spec,
                value,
                line: Some(key.place.line),
            });
        }
    }
    Ok(found)
}

/// The setting of a name.
///
/// # Errors
/// A sentence with the nearest known name.
pub fn named(name: &str) -> Result<&'static Spec, String> {
    keys::find(name).ok_or_else(|| {
        format!(
            "there is no setting `{}`{}",
            shortened(name),
            hint(name, keys::names())
        )
    })
}

/// A value from a command line or a variable.
///
/// # Errors
/// What is wrong with it.
pub fn text(spec: &'static Spec, text: &str) -> Result<Json, Fault> {
    let trimmed = text.trim();
    if text.len() > super::super::tree::MAX_BYTES {
        return Err(Fault::whole("more than 1 MiB of text"));
    }
    let quoted = trimmed.starts_with(['"', '\'']);
    let node = if spec.is_text() && !quoted {
        Node {
            place: Default::default(),
            value: Value::Text(trimmed.to_owned()),
        }
    } else {
        yaml::parse(trimmed)?
    };
    value(spec, &node).map_err(|fault| Fault::whole(fault.what))
}

/// A value, checked.
///
/// # Errors
/// What would fit instead.
pub fn value(spec: &Spec, node: &Node) -> Result<Json, Fault> {
    let wrong = |wanted: &str| {
        Err(Fault::at(
            node.place.line,
            format!("`{}` is {}, not {wanted}", spec.name, node.value.kind()),
        ))
    };
    match (spec.kind, &node.value) {
        (Kind::Flag, Value::Flag(flag)) => Ok((*flag).into()),
        (Kind::Flag, _) => wrong("`true` or `false`"),
        (Kind::Number(least, most), value) => match whole(value) {
            Some(number) if (least..=most).contains(&number) => Ok(number.into()),
            _ => wrong(&format!("a whole number from {least} to {most}")),
        },
        (Kind::Word(words), Value::Text(text)) if words.contains(&text.as_str()) => Ok(text.as_str().into()),
        (Kind::Word(words), value) => {
            let near = if let Value::Text(text) = value {
                hint(text, words.iter().copied())
            } else {
                String::new()
            };
            wrong(&format!("one of `{}`{near}", words.join("`, `")))
        }
        (Kind::Text, Value::Null) => Ok(Json::Null),
        (Kind::Text, Value::Text(text)) if plain(text) => Ok(text.as_str().into()),
        (Kind::Text, _) => wrong("a text in one line of at most 4,096 bytes"),
        (Kind::Texts, Value::List(items)) if items.len() <= MAX_ITEMS => {
            items.iter().map(|item| one_text(spec, item)).collect()
        }
        (Kind::Texts, _) => wrong("a list of at most 1,000 texts"),
        (Kind::Cron, Value::Text(text)) => match cron(text) {
            Ok(()) => Ok(text.as_str().into()),
            Err(why) => wrong(&format!("a schedule of five fields: {why}")),
        },
        (Kind::Cron, _) => wrong("a schedule of five fields such as `0 2 * * 0`"),
        (Kind::Numbers(most), Value::Map(_)) => numbers(spec, most, node),
        (Kind::Numbers(_), _) => wrong("a map of names and numbers"),
        (Kind::Markers, Value::List(items)) if items.len() <= MAX_ITEMS => items.iter().map(marker).collect(),
        (Kind::Markers, _) => wrong("a list of at most 1,000 entries `{name, type, confidence}`"),
    }
}

fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

fn plain(text: &str) -> bool {
    text.len() <= MAX_TEXT && !text.is_empty() && !text.chars().any(char::is_control)
}

fn one_text(spec: &Spec, item: &Node) -> Result<Json, Fault> {
    match &item.value {
        Value::Text(text) if plain(text) => Ok(text.as_str().into()),
        // Patterns may look like numbers: `2024` is one.
        Value::Int(number) => Ok(number.to_string().into()),
        other => {
            let what = format!("`{}` holds {}, not a text in one line", spec.name, other.kind());
            Err(Fault::at(item.place.line, what))
        }
    }
}

fn numbers(spec: &Spec, most: u64, node: &Node) -> Result<Json, Fault> {
    let mut found = Map::new();
    for (key, node) in node.entries(spec.name)? {
        let name = &key.name;
        let good = !name.is_empty() && name.len() <= 64 && plain(name);
        match whole(&node.value) {
            Some(number) if good && (1..=most).contains(&number) => {
                found.insert(name.clone(), number.into());
            }
            _ => {
                let what = format!(
                    "`{}` under `{}` is {}, not a whole number from 1 to {most}",
                    shortened(name),
                    spec.name,
                    node.value.kind()
                );
                return Err(Fault::at(key.place.line, what));
            }
        }
    }
    Ok(Json::Object(found))
}

fn marker(item: &Node) -> Result<Json, Fault> {
    let at = item.place.line;
    let mut found = Map::new();
    for (key, node) in item.entries("a marker")? {
        let value = match (key.name.as_str(), &node.value) {
            ("name", Value::Text(text)) if file_name(text) => text.as_str().into(),
            ("name", other) => {
                return Err(Fault::at(
                    key.place.line,
                    format!("the marker's name is {}, not a file name", other.kind()),
                ));
            }
            ("type", Value::Text(text)) if plain(text) && text.len() <= 64 => text.as_str().into(),
            ("type", other) => {
                return Err(Fault::at(
                    key.place.line,
                    format!("the marker's type is {}, not a short text", other.kind()),
                ));
            }
            ("confidence", value) => match whole(value) {
                Some(number) if (1..=10).contains(&number) => number.into(),
                _ => {
                    let what = format!(
                        "the marker's confidence is {}, not a number from 1 to 10",
                        value.kind()
                    );
                    return Err(Fault::at(key.place.line, what));
                }
            },
            (other, _) => {
                let hint = hint(other, ["name", "type", "confidence"]);
                return Err(Fault::at(
                    key.place.line,
                    format!("a marker has no `{}`{hint}", shortened(other)),
                ));
            }
        };
        found.insert(key.name.clone(), value);
    }
    for part in ["name", "type", "confidence"] {
        if !found.contains_key(part) {
            return Err(Fault::at(at, format!("a marker needs `{part}`")));
        }
    }
    Ok(Json::Object(found))
}

/// A name, or a pattern of one with one `*`: never a path.
fn file_name(text: &str) -> bool {
    text.matches('*').count() <= 1
        && plain(text)
        && text.len() <= 255
        && !text.contains('/')
        && text != "."
        && text != ".."
}

/// Whether a text is a cron schedule: minute, hour, day of month, month, weekday; each `*`, a number, a range or a
/// list of them, with an optional step.
fn cron(text: &str) -> Result<(), String> {
    const FIELDS: [(&str, u32, u32); 5] = [
        ("minute", 0, 59),
        ("hour", 0, 23),
        ("day", 1, 31),
        ("month", 1, 12),
        ("weekday", 0, 7),
    ];
    let parts: Vec<&str> = text.split_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return Err(format!("it has {}", parts.len()));
    }
    for (part, (name, least, most)) in parts.iter().zip(FIELDS) {
        for item in part.split(',') {
            if !cron_item(item, least, most) {
                return Err(format!("`{}` is no {name}", shortened(item)));
            }
        }
    }
    Ok(())
}

fn cron_item(item: &str, least: u32, most: u32) -> bool {
    let number = |text: &str| {
        text.parse::<u32>()
            .ok()
            .filter(|number| (least..=most).contains(number))
    };
    let (range, step) = item
        .split_once('/')
        .map_or((item, None), |(range, step)| (range, Some(step)));
    let good_step = step.is_none_or(|step| step.parse::<u32>().is_ok_and(|step| (1..=most).contains(&step)));
    let good_range = match range.split_once('-') {
        Some((from, to)) => matches!((number(from), number(to)), (Some(from), Some(to)) if from <= to),
        None => range == "*" || number(range).is_some(),
    };
    good_step && good_range
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<Vec<Entry>, Fault> {
        file(&yaml::parse(text).expect("YAML"))
    }

    #[test]
    fn good_values_of_every_kind_are_taken_with_their_lines() {
        let text = "# mine\nwatch:\n  settle_ms: 5\n  extra_ignores: [build/, '*.tmp', 2024]\ntasks:\n  stale_hours: {coder: 3}\nagents:\n  conflict_strategy: ours\nmaintenance:\n  cleanup_schedule: '*/5 1-4,6 * * 7'\ndetection:\n  custom_markers:\n    - {name: '*.proj', type: mine, confidence: 8}\n";
        let found = checked(text).expect("good");
        let seen: Vec<_> = found
            .iter()
            .map(|entry| (entry.spec.name, entry.value.to_string(), entry.line))
            .collect();
        assert_eq!(seen[0], ("watch.settle_ms", "5".into(), Some(3)));
        assert_eq!(
            seen[1],
            (
                "watch.extra_ignores",
                r#"["build/","*.tmp","2024"]"#.into(),
                Some(4)
            )
        );
        assert_eq!(seen[2].1, r#"{"coder":3}"#);
        assert_eq!(seen.len(), 6);
        assert!(checked("watch:\n").expect("an empty section").is_empty());
    }

    #[test]
    fn a_wrong_name_or_value_names_its_line_and_what_would_fit() {
        for (text, line, words) in [
            ("wach:\n  settle_ms: 1\n", 1, "did you mean `watch`"),
            ("watch:\n  setle_ms: 1\n", 2, "did you mean `watch.settle_ms`"),
            ("watch:\n  settle_ms: -1\n", 2, "from 0 to 60000"),
            ("watch:\n  settle_ms: 1.5\n", 2, "`1.5`, not a whole number"),
            (
                "agents:\n  auto_merge: yes\n",
                2,
                "the text `yes`, not `true` or `false`",
            ),
            ("agents:\n  conflict_strategy: our\n", 2, "did you mean `ours`"),
            ("watch:\n  extra_ignores: x\n", 2, "a list"),
            (
                "watch:\n  extra_ignores:\n    - a\n    - [b]\n",
                4,
                "holds a list",
            ),
            (
                "maintenance:\n  cleanup_schedule: '0 25 * * *'\n",
                2,
                "`25` is no hour",
            ),
            ("maintenance:\n  cleanup_schedule: '0 2 * *'\n", 2, "it has 4"),
            (
                "tasks:\n  stale_hours:\n    coder: soon\n",
                3,
                "`coder` under `tasks.stale_hours`",
            ),
            (
                "detection:\n  custom_markers:\n    - {name: ../x, type: a, confidence: 1}\n",
                3,
                "not a file name",
            ),
            (
                "detection:\n  custom_markers:\n    - {name: x, type: a}\n",
                3,
                "needs `confidence`",
            ),
            (
                "detection:\n  custom_markers:\n    - {name: x, kind: a}\n",
                3,
                "no `kind`",
            ),
            ("- a\n", 1, "not a map"),
            ("watch: 3\n", 1, "not a map"),
        ] {
            let fault = checked(text).expect_err(text);
            assert_eq!(fault.line, Some(line), "{text}: {fault:?}");
            assert!(fault.what.contains(words), "{text}: {fault:?}");
        }
    }

    #[test]
    fn a_command_line_gives_texts_as_they_are_and_the_rest_as_yaml() {
        let get = |name: &str, given: &str| text(named(name).expect(name), given);
        assert_eq!(
            get("maintenance.cleanup_schedule", "0 3 * * 1").expect("a text"),
            "0 3 * * 1"
        );
        assert_eq!(get("workspace.project_type", "*odd").expect("a text"), "*odd");
        assert_eq!(get("workspace.project_type", "'a b'").expect("quoted"), "a b");
        assert_eq!(
            get("watch.extra_ignores", "[a, b]").expect("a list"),
            serde_json::json!(["a", "b"])
        );
        assert!(get("watch.settle_ms", "soon").is_err());
        assert!(get("watch.settle_ms", "[").is_err());
    }
}
