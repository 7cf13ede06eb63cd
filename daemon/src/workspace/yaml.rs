//! YAML text into a [`Node`], within limits.
//!
//! Asked by `config` and `role` for files and for values on the command line. Scalars follow YAML 1.2's core schema, so
//! `yes` is a text. What must stay true: no text takes more than [`MAX_NODES`] values, however its aliases multiply,
//! and none runs code or names types: tags are refused.

use std::collections::{HashMap, HashSet};

use serde_saphyr::granit_parser::{self as granit, Event, Parser, ScalarStyle, Span};

use super::tree::{Fault, Key, MAX_DEPTH, MAX_NODES, Node, Place, Value};

/// Reads one document.
///
/// # Errors
/// The first fault, with its line.
pub fn parse(text: &str) -> Result<Node, Fault> {
    let options = granit::options! {
        emit_comments: false,
        disallow_directives: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        left: MAX_NODES,
    };
    reader.document()
}

struct Reader<'t> {
    parser: Parser<'t, granit::StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    left: usize,
}

impl<'t> Reader<'t> {
    fn document(&mut self) -> Result<Node, Fault> {
        let mut found = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                event if found.is_none() => found = Some(self.node(event, span, 0)?),
                _ => return Err(Fault::at(line(&span), "a second document begins here")),
            }
        }
        Ok(found.unwrap_or(Node {
            place: Place { line: 1, bytes: 0..0 },
            value: Value::Null,
        }))
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Fault> {
        match self.parser.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) => {
                let at = u32::try_from(error.marker().line()).unwrap_or(u32::MAX);
                Err(Fault::at(at.max(1), format!("not YAML: {}", error.info())))
            }
            None => Err(Fault::whole("it ends in the middle")),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Fault> {
        let at = line(&span);
        self.spend(1, at)?;
        if depth > MAX_DEPTH {
            return Err(Fault::at(at, format!("nested more than {MAX_DEPTH} deep")));
        }
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(_, anchor, tag)
            | Event::MappingStart(_, anchor, tag) => (*anchor, tag.as_deref()),
            _ => (0, None),
        };
        if let Some(tag) = tag {
            return Err(Fault::at(
                at,
                format!("the tag `{}` is not allowed", tag.original()),
            ));
        }
        let node = match event {
            Event::Scalar(text, style, ..) => {
                let value = if style == ScalarStyle::Plain {
                    plain(&text)
                } else {
                    Value::Text(text.into_owned())
                };
                Node {
                    place: place(&span),
                    value,
                }
            }
            Event::SequenceStart(..) => self.list(&span, depth)?,
            Event::MappingStart(..) => self.map(&span, depth)?,
            Event::Alias(id) => return self.alias(id, &span),
            _ => return Err(Fault::at(at, "a value is missing")),
        };
        if anchor != 0 {
            self.spend(count(&node), at)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, span: &Span) -> Result<Node, Fault> {
        let at = line(span);
        let Some(node) = self.anchors.get(&id) else {
            return Err(Fault::at(at, "an alias names what contains it"));
        };
        let (size, mut node) = (count(node), node.clone());
        self.spend(size, at)?;
        node.place = place(span);
        Ok(node)
    }

    fn list(&mut self, start: &Span, depth: usize) -> Result<Node, Fault> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Node {
                    place: between(start, &span),
                    value: Value::List(items),
                });
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, start: &Span, depth: usize) -> Result<Node, Fault> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut seen = HashSet::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd => {
                    return Ok(Node {
                        place: between(start, &span),
                        value: Value::Map(entries),
                    });
                }
                Event::Scalar(text, _, _, None) => Key {
                    name: text.into_owned(),
                    place: place(&span),
                },
                _ => return Err(Fault::at(line(&span), "a name must be a plain text")),
            };
            self.spend(1, key.place.line)?;
            if !seen.insert(key.name.clone()) {
                return Err(Fault::at(
                    key.place.line,
                    format!("`{}` stands here twice", super::tree::shortened(&key.name)),
                ));
            }
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            entries.push((key, node));
        }
    }

    fn spend(&mut self, nodes: usize, line: u32) -> Result<(), Fault> {
        self.left = self
            .left
            .checked_sub(nodes)
            .ok_or_else(|| Fault::at(line, format!("more than {MAX_NODES} values, aliases included")))?;
        Ok(())
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(items) => items.iter().map(count).sum(),
        Value::Map(entries) => entries.iter().map(|(_, node)| 1 + count(node)).sum(),
        _ => 0,
    }
}

fn line(span: &Span) -> u32 {
    u32::try_from(span.start.line()).unwrap_or(u32::MAX).max(1)
}

fn place(span: &Span) -> Place {
    Place {
        line: line(span),
        bytes: span.byte_range().unwrap_or_default(),
    }
}

fn between(start: &Span, end: &Span) -> Place {
    let bytes = start.byte_range().unwrap_or_default().start..end.byte_range().unwrap_or_default().end;
    Place {
        line: line(start),
        bytes,
    }
}

/// A plain scalar by the core schema (YAML 1.2.2, 10.3.2).
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Flag(true),
        "false" | "False" | "FALSE" => return Value::Flag(false),
        _ => {}
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let radix = |prefix, radix| {
        text.strip_prefix(prefix)
            .and_then(|digits| i64::from_str_radix(digits, radix).ok())
    };
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Value::Int(number);
    }
    if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        if let Ok(number) = text.parse() {
            return Value::Int(number);
        }
        let numeric = digits
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
        if let (true, Ok(number)) = (numeric, text.parse::<f64>())
            && number.is_finite()
        {
            return Value::Float(number);
        }
    }
    Value::Text(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_follow_the_core_schema() {
        for (text, json) in [
            ("a: yes", r#"{"a":"yes"}"#),
            ("a: True", r#"{"a":true}"#),
            ("a: 0x10", r#"{"a":16}"#),
            ("a: -3", r#"{"a":-3}"#),
            ("a: 1.5", r#"{"a":1.5}"#),
            ("a: 1.2.3", r#"{"a":"1.2.3"}"#),
            ("a: '7'", r#"{"a":"7"}"#),
            ("a: 99999999999999999999", r#"{"a":1e+20}"#),
            ("a:", r#"{"a":null}"#),
            ("", "null"),
            ("# nothing\n", "null"),
            ("a: &x [1, 2]\nb: *x", r#"{"a":[1,2],"b":[1,2]}"#),
            ("a: |\n  one\n  two\n", r#"{"a":"one\ntwo\n"}"#),
            ("\u{feff}a: 1", r#"{"a":1}"#),
        ] {
            assert_eq!(parse(text).expect(text).json().to_string(), json, "{text}");
        }
    }

    #[test]
    fn every_fault_names_its_line() {
        for (text, line, word) in [
            ("a: 1\nb: 2\na: 3\n", 3, "twice"),
            ("a: 1\nb: !!python/object x\n", 2, "tag"),
            ("a: 1\n---\nb: 2\n", 3, "second"),
            ("a: 1\n? [x]\n: 2\n", 2, "name"),
            ("a: 1\nb: [1, 2\n", 2, "YAML"),
            ("a: 1\nb: *nobody\n", 2, "YAML"),
            ("a: &a [*a]\n", 1, "alias"),
        ] {
            let fault = parse(text).expect_err(text);
            assert_eq!(fault.line, Some(line), "{text}: {fault:?}");
            assert!(fault.what.contains(word), "{text}: {fault:?}");
        }
    }

    #[test]
    fn a_bomb_of_aliases_and_a_deep_nest_are_refused_at_once() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for n in 1..12 {
            let below = format!("*a{}, ", n - 1).repeat(9);
            bomb.push_str(&format!("a{n}: &a{n} [{below}]\n"));
        }
        assert!(parse(&bomb).expect_err("a bomb").what.contains("values"));
        assert!(parse(&"[".repeat(100_000)).is_err());
        let nest: String = (0..5000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert!(parse(&nest).is_err());
        assert!(parse(&"- ".repeat(100_000)).is_err());
        let wide: String = (0..MAX_NODES).map(|n| format!("k{n}: 1\n")).collect();
        assert!(parse(&wide).is_err());
    }
}
