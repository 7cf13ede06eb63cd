//! The part of a project's own file that is ours: `pyproject.toml`, `package.json`, `Cargo.toml`.
//!
//! Pure: bytes in, a [`Node`] out, for `files`. What must stay true: nothing but our part is judged, so a project file
//! that other tools accept is never at fault for what it says elsewhere, as long as it can be read at all.

use std::cell::Cell;
use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use toml::de::{DeTable, DeValue};

use super::super::tree::{Fault, Key, MAX_DEPTH, MAX_NODES, Node, Place, Value};

/// The name of our part in every file.
const NAME: &str = "task-orchestrator";

/// A project file that may hold settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// `Cargo.toml`: `[workspace.metadata.task-orchestrator]`, then `[package.metadata.task-orchestrator]`.
    Cargo,
    /// `package.json`: `"task-orchestrator"`.
    Package,
    /// `pyproject.toml`: `[tool.task-orchestrator]`.
    Pyproject,
}

/// The files, weakest first.
pub const FORMS: [Form; 3] = [Form::Cargo, Form::Package, Form::Pyproject];

impl Form {
    /// The file's name.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Cargo => "Cargo.toml",
            Self::Package => "package.json",
            Self::Pyproject => "pyproject.toml",
        }
    }

    /// Our parts of the file, weakest first.
    ///
    /// # Errors
    /// Where it is not TOML or JSON.
    pub fn parts(self, text: &str) -> Result<Vec<Node>, Fault> {
        match self {
            Self::Cargo => toml_parts(
                text,
                &[&["workspace", "metadata", NAME], &["package", "metadata", NAME]],
            ),
            Self::Pyproject => toml_parts(text, &[&["tool", NAME]]),
            Self::Package => json_part(text),
        }
    }
}

fn toml_parts(text: &str, paths: &[&[&str]]) -> Result<Vec<Node>, Fault> {
    if !text.contains(NAME) {
        return Ok(Vec::new());
    }
    let lines = Lines::new(text);
    let root = DeTable::parse(text).map_err(|error| {
        let what = format!("not TOML: {}", error.message().lines().next().unwrap_or_default());
        Fault {
            line: error.span().map(|span| lines.at(span.start)),
            what,
        }
    })?;
    let mut parts = Vec::new();
    for path in paths {
        let Some((last, above)) = path.split_last() else {
            continue;
        };
        let table = above
            .iter()
            .try_fold(root.get_ref(), |table, name| match table.get(*name)?.get_ref() {
                DeValue::Table(table) => Some(table),
                _ => None,
            });
        let found = table.and_then(|table| table.iter().find(|(key, _)| key.get_ref() == last));
        if let Some((key, value)) = found {
            let mut node = toml_node(value.get_ref(), &lines, key.span().start, 0)?;
            node.place.line = lines.at(key.span().start);
            parts.push(node);
        }
    }
    Ok(parts)
}

fn toml_node(value: &DeValue<'_>, lines: &Lines, at: usize, depth: usize) -> Result<Node, Fault> {
    let line = lines.at(at);
    if depth > MAX_DEPTH {
        return Err(Fault::at(line, format!("nested more than {MAX_DEPTH} deep")));
    }
    let value = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Value::Int)
        }
        DeValue::Float(number) => number.as_str().parse().map_or(Value::Null, Value::Float),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(items) => {
            let nodes = items
                .iter()
                .map(|item| toml_node(item.get_ref(), lines, item.span().start, depth + 1));
            Value::List(nodes.collect::<Result<_, _>>()?)
        }
        DeValue::Table(entries) => {
            let mut found = Vec::new();
            for (key, value) in entries {
                let at = key.span().start;
                let place = Place {
                    line: lines.at(at),
                    bytes: key.span(),
                };
                let node = toml_node(value.get_ref(), lines, at, depth + 1)?;
                found.push((
                    Key {
                        name: key.get_ref().to_string(),
                        place,
                    },
                    node,
                ));
            }
            Value::Map(found)
        }
    };
    Ok(Node {
        place: Place { line, bytes: 0..0 },
        value,
    })
}

/// Byte offsets to line numbers.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(
            text.bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n')
                .map(|(at, _)| at)
                .collect(),
        )
    }

    fn at(&self, offset: usize) -> u32 {
        u32::try_from(self.0.partition_point(|end| *end < offset) + 1).unwrap_or(u32::MAX)
    }
}

/// JSON has no places of its own: the reader counts the lines it has given out, one byte at a time.
fn json_part(text: &str) -> Result<Vec<Node>, Fault> {
    if !text.contains(NAME) {
        return Ok(Vec::new());
    }
    let line = Cell::new(1);
    let counted = Counted {
        rest: text.trim_start_matches('\u{feff}').as_bytes(),
        line: &line,
    };
    let mut reader = serde_json::Deserializer::from_reader(counted);
    let context = Context {
        line: &line,
        left: Cell::new(MAX_NODES),
    };
    let found = (&mut reader)
        .deserialize_any(Top(&context))
        .and_then(|found| reader.end().map(|()| found));
    let fault = |error: serde_json::Error| {
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or_default();
        let line = u32::try_from(error.line()).ok().filter(|line| *line > 0);
        Fault {
            line,
            what: format!("not JSON: {what}"),
        }
    };
    Ok(found.map_err(fault)?.into_iter().collect())
}

struct Counted<'a> {
    rest: &'a [u8],
    line: &'a Cell<u32>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let (Some((first, rest)), Some(slot)) = (self.rest.split_first(), buffer.first_mut()) else {
            return Ok(0);
        };
        *slot = *first;
        self.rest = rest;
        if *first == b'\n' {
            self.line.set(self.line.get().saturating_add(1));
        }
        Ok(1)
    }
}

struct Context<'a> {
    line: &'a Cell<u32>,
    left: Cell<usize>,
}

impl Context<'_> {
    fn node<E: serde::de::Error>(&self, value: Value) -> Result<Node, E> {
        let left = self
            .left
            .get()
            .checked_sub(1)
            .ok_or_else(|| E::custom(format!("more than {MAX_NODES} values")))?;
        self.left.set(left);
        Ok(Node {
            place: Place {
                line: self.line.get(),
                bytes: 0..0,
            },
            value,
        })
    }
}

/// The whole file: all but our part is passed over.
struct Top<'a>(&'a Context<'a>);

impl<'de> Visitor<'de> for Top<'_> {
    type Value = Option<Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Node>, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == NAME {
                found = Some(map.next_value_seed(Seed(self.0))?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[derive(Clone, Copy)]
struct Seed<'a>(&'a Context<'a>);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Node, E> {
        self.0.node(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Node, E> {
        self.0.node(Value::Flag(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Node, E> {
        self.0.node(Value::Int(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Node, E> {
        self.0
            .node(i64::try_from(value).map_or(Value::Float(f64::MAX), Value::Int))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        self.0.node(Value::Float(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Node, E> {
        self.0.node(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut node = self.0.node(Value::Null)?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item);
        }
        node.value = Value::List(items);
        Ok(node)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut node = self.0.node(Value::Null)?;
        let mut entries: Vec<(Key, Node)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let place = Place {
                line: self.0.line.get(),
                bytes: 0..0,
            };
            let value = map.next_value_seed(self)?;
            // As every JavaScript reader does: the last one of a name counts.
            entries.retain(|(key, _)| key.name != name);
            entries.push((Key { name, place }, value));
        }
        node.value = Value::Map(entries);
        Ok(node)
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    fn lines(form: Form, text: &str) -> Vec<(String, String, u32)> {
        let parts = form.parts(text).expect("readable");
        let entries = parts.iter().flat_map(|part| check::file(part).expect("good"));
        entries
            .map(|entry| {
                (
                    entry.spec.name.to_owned(),
                    entry.value.to_string(),
                    entry.line.unwrap_or(0),
                )
            })
            .collect()
    }

    #[test]
    fn our_part_of_each_file_is_found_with_its_lines() {
        let python = "[project]\nname = 'x'\n\n[tool.task-orchestrator.watch]\nsettle_ms = 0x10\nextra_ignores = ['a']\n";
        assert_eq!(
            lines(Form::Pyproject, python)[0],
            ("watch.extra_ignores".into(), "[\"a\"]".into(), 6)
        );
        assert_eq!(
            lines(Form::Pyproject, python)[1],
            ("watch.settle_ms".into(), "16".into(), 5)
        );
        let cargo = "[package]\nname = 'x'\n[package.metadata.task-orchestrator]\nwatch = { settle_ms = 1 }\n[workspace.metadata.task-orchestrator.watch]\nsettle_ms = 2\n";
        let found = lines(Form::Cargo, cargo);
        assert_eq!(
            found[0],
            ("watch.settle_ms".into(), "2".into(), 6),
            "the package's own comes last and wins"
        );
        assert_eq!(found[1], ("watch.settle_ms".into(), "1".into(), 4));
        let node = "{\n\t\"name\": \"x\",\n\t\"task-orchestrator\": {\n\t\t\"watch\": {\"settle_ms\": 7,\n\t\t\"poll_seconds\": 9}\n\t}\n}\n";
        assert_eq!(
            lines(Form::Package, node),
            [
                ("watch.settle_ms".into(), "7".into(), 4),
                ("watch.poll_seconds".into(), "9".into(), 5)
            ]
        );
    }

    #[test]
    fn a_file_without_our_part_is_not_judged_and_a_broken_one_names_its_line() {
        assert!(Form::Package.parts("{ not json").expect("not ours").is_empty());
        assert!(
            Form::Package
                .parts("{\"x\": \"task-orchestrator\"}")
                .expect("not ours")
                .is_empty()
        );
        assert!(
            Form::Cargo
                .parts("task-orchestrator = 1")
                .expect("not ours")
                .is_empty()
        );
        let fault = Form::Package
            .parts("{\n\"task-orchestrator\": {\n\"watch\" 1}}")
            .expect_err("broken");
        assert_eq!(fault.line, Some(3), "{fault:?}");
        let fault = Form::Pyproject
            .parts("[tool]\n[tool.task-orchestrator\n")
            .expect_err("broken");
        assert_eq!(fault.line, Some(2), "{fault:?}");
        assert!(
            Form::Package
                .parts(&format!("{{\"task-orchestrator\":{}", "[".repeat(100_000)))
                .is_err()
        );
        assert!(
            Form::Pyproject
                .parts(&format!("[tool]\ntask-orchestrator = {}", "[".repeat(10_000)))
                .is_err()
        );
    }
}
