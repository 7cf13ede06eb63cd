//! The text of a plan, JSON or YAML, read into a flat list. Pure.
//!
//! Asked by `plan` and `template apply`. What must stay true: everything unknown is a fault with its line, nothing is
//! guessed; a text of any shape takes bounded time, memory and depth (`workspace::yaml` and serde_json see to that).

use proto::task::{Complexity, NewTask, Priority};
use proto::{Error, error::Result};

use super::rules::{MAX_DEPTH, MAX_PLANNED, shown};
use crate::workspace::tree::{self, Fault, Key, Node, Place, Value};
use crate::workspace::yaml;

/// One task of a plan. The first is the top of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name in the plan.
    pub local: String,
    /// Which item it stands in; none for the first.
    pub parent: Option<usize>,
    /// The task; `after` holds local names or ids, `parent` is not used.
    pub task: NewTask,
}

const OF_ALL: [&str; 12] = [
    "title",
    "description",
    "specialist",
    "after",
    "priority",
    "effort",
    "labels",
    "complexity",
    "context",
    "id",
    "tasks",
    "name",
];

/// What a priority can be.
const PRIORITIES: &str = "critical, high, medium, low";
/// What a complexity can be.
const COMPLEXITIES: &str = "simple, moderate, complex, very_complex";

/// Reads a plan.
///
/// # Errors
/// `Usage` with the line and the nearest known word; `TooLarge` for too many tasks or too deep ones.
pub fn read(text: &str) -> Result<Vec<Item>> {
    if text.trim().is_empty() {
        return Err(Error::usage("the plan is empty").next(FORM));
    }
    let node = parse(text).map_err(|fault| refused(&fault))?;
    let mut items = Vec::new();
    collect(&node, None, 1, &mut items)?;
    Ok(items)
}

/// JSON where it begins like JSON, else YAML.
pub(crate) fn parse(text: &str) -> std::result::Result<Node, Fault> {
    if !text.trim_start().starts_with(['{', '[']) {
        return yaml::parse(text);
    }
    match serde_json::from_str(text) {
        Ok(json) => Ok(from_json(&json)),
        // A flow mapping of YAML begins like JSON too.
        Err(error) => yaml::parse(text).map_err(|_| {
            let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
            Fault::at(line, format!("not JSON: {error}"))
        }),
    }
}

fn from_json(json: &serde_json::Value) -> Node {
    use serde_json::Value as Json;
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Flag(*flag),
        Json::Number(number) => number
            .as_i64()
            .map_or_else(|| Value::Float(number.as_f64().unwrap_or_default()), Value::Int),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(from_json).collect()),
        Json::Object(entries) => Value::Map(
            entries
                .iter()
                .map(|(name, value)| {
                    let key = Key {
                        name: name.clone(),
                        place: Place::default(),
                    };
                    (key, from_json(value))
                })
                .collect(),
        ),
    };
    Node {
        place: Place::default(),
        value,
    }
}

/// Where the form of a plan can be seen.
const FORM: &str = "`tocli task template show feature` shows the form of a plan";

fn refused(fault: &Fault) -> Error {
    let place = match fault.line {
        Some(line) if line > 0 => format!("line {line}: "),
        _ => String::new(),
    };
    Error::usage("the plan cannot be read")
        .why(format!("{place}{}", fault.what))
        .next(FORM)
}

fn collect(node: &Node, parent: Option<usize>, depth: usize, items: &mut Vec<Item>) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::too_large("the plan is too deep")
            .why(format!("tasks stand at most {MAX_DEPTH} deep in tasks"))
            .next("put what is deepest beside what it stands in"));
    }
    if items.len() > MAX_PLANNED {
        return Err(Error::too_large("the plan has too many tasks")
            .why(format!("the limit is {MAX_PLANNED} tasks below the top"))
            .next("make several plans"));
    }
    let item = item(node, parent, items.len()).map_err(|fault| refused(&fault))?;
    let own = items.len();
    if let Some(twin) = items.iter().find(|other| other.local == item.local) {
        return Err(refused(&Fault::at(
            node.place.line,
            format!("two tasks are named `{}`", shown(&twin.local)),
        )));
    }
    items.push(item);
    for child in list(node, "tasks").map_err(|fault| refused(&fault))? {
        collect(child, Some(own), depth + 1, items)?;
    }
    Ok(())
}

fn item(node: &Node, parent: Option<usize>, number: usize) -> std::result::Result<Item, Fault> {
    for (key, _) in node.entries("a task")? {
        if !OF_ALL.contains(&key.name.as_str()) {
            let near = tree::nearest(&key.name, OF_ALL);
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let what = format!("a task has no `{}`{hint}", tree::shortened(&key.name));
            return Err(Fault::at(key.place.line.max(node.place.line), what));
        }
    }
    let title = text(node, "title")?.ok_or_else(|| {
        let which = match (text(node, "name"), number) {
            (Ok(Some(name)), _) => format!("task `{}`", tree::shortened(&name)),
            (_, 0) => "the plan".to_owned(),
            (_, number) => format!("task {number}"),
        };
        Fault::at(node.place.line, format!("{which} has no `title`"))
    })?;
    let local = match (text(node, "name")?, text(node, "id")?) {
        (Some(name), _) => name,
        (None, Some(id)) => id,
        // The top needs no name: nothing in the plan can wait for it.
        (None, None) if parent.is_none() => String::new(),
        (None, None) => format!("task-{number}"),
    };
    let task = NewTask {
        id: text(node, "id")?,
        title,
        description: text(node, "description")?.unwrap_or_default(),
        context: text(node, "context")?.unwrap_or_default(),
        specialist: text(node, "specialist")?,
        parent: None,
        after: texts(node, "after")?,
        priority: word(node, "priority", PRIORITIES, Priority::parse)?.unwrap_or_default(),
        complexity: word(node, "complexity", COMPLEXITIES, Complexity::parse)?,
        effort: text(node, "effort")?,
        labels: texts(node, "labels")?,
        links: Vec::new(),
    };
    Ok(Item { local, parent, task })
}

pub(crate) fn list<'n>(node: &'n Node, name: &str) -> std::result::Result<&'n [Node], Fault> {
    match node.get(name).map(|node| (&node.value, node.place.line)) {
        None | Some((Value::Null, _)) => Ok(&[]),
        Some((Value::List(items), _)) => Ok(items),
        Some((other, line)) => Err(Fault::at(
            line,
            format!("`{name}` is {}, not a list", other.kind()),
        )),
    }
}

/// A text; numbers and flags are taken as they are written.
pub(crate) fn text(node: &Node, name: &str) -> std::result::Result<Option<String>, Fault> {
    node.get(name).map_or(Ok(None), |node| scalar(node, name))
}

fn scalar(node: &Node, name: &str) -> std::result::Result<Option<String>, Fault> {
    Ok(match &node.value {
        Value::Null => None,
        Value::Text(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Flag(flag) => Some(flag.to_string()),
        other => {
            return Err(Fault::at(
                node.place.line,
                format!("`{name}` is {}, not a text", other.kind()),
            ));
        }
    })
}

/// A list of texts; one text alone is a list of one.
pub(crate) fn texts(node: &Node, name: &str) -> std::result::Result<Vec<String>, Fault> {
    let Some(found) = node.get(name) else {
        return Ok(Vec::new());
    };
    if let Value::List(items) = &found.value {
        let one = |item| scalar(item, name).map(Option::unwrap_or_default);
        return items.iter().map(one).collect();
    }
    Ok(scalar(found, name)?.into_iter().collect())
}

pub(crate) fn word<T>(
    node: &Node,
    name: &str,
    known: &str,
    parse: fn(&str) -> Option<T>,
) -> std::result::Result<Option<T>, Fault> {
    let Some(given) = text(node, name)? else {
        return Ok(None);
    };
    let line = node.get(name).map_or(0, |node| node.place.line);
    parse(&given).map(Some).ok_or_else(|| {
        let what = format!("`{}` is no {name}: it is one of {known}", tree::shortened(&given));
        Fault::at(line, what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_and_json_of_the_same_plan_are_the_same() {
        let yaml = "title: Top\ncomplexity: complex\ntasks:\n  - name: a\n    title: First\n    effort: 2\n  - title: Second\n    \
                    after: [a]\n    priority: high\n    tasks:\n      - {title: Inner, specialist: tester}\n";
        let json = r#"{"title":"Top","complexity":"complex","tasks":[{"name":"a","title":"First","effort":2},
            {"title":"Second","after":["a"],"priority":"high","tasks":[{"title":"Inner","specialist":"tester"}]}]}"#;
        let items = read(yaml).expect("reads");
        assert_eq!(read(json), Ok(items.clone()));
        let parents: Vec<Option<usize>> = items.iter().map(|item| item.parent).collect();
        assert_eq!(parents, vec![None, Some(0), Some(0), Some(2)]);
        assert_eq!(items[1].task.effort.as_deref(), Some("2"));
        assert_eq!(items[2].task.after, vec!["a".to_owned()]);
        assert_eq!(items[2].task.priority, Priority::High);
    }

    #[test]
    fn an_unknown_word_is_named_with_its_line_and_the_nearest_known_one() {
        let error = read("title: T\ntasks:\n  - title: x\n    afer: [y]\n").expect_err("refused");
        let why = error.why.expect("a reason");
        assert!(why.contains("line 4"), "{why}");
        assert!(why.contains("`after`"), "{why}");
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        for text in [
            "",
            "- a\n- b\n",
            "title: [1]\n",
            "just words",
            "{\"title\": ",
            "title: a\ntasks: b\n",
            "title: a\npriority: soon\n",
            "title: a\ntasks: [{name: x, title: y}, {name: x, title: z}]\n",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_plan_that_is_too_deep_or_too_long_is_refused() {
        let mut deep = String::from("{title: a}");
        for _ in 0..MAX_DEPTH {
            deep = format!("{{title: a, tasks: [{deep}]}}");
        }
        assert_eq!(read(&deep).expect_err("deep").kind, proto::Kind::TooLarge);
        let many: String = (0..=MAX_PLANNED).map(|n| format!("  - title: t{n}\n")).collect();
        let long = format!("title: a\ntasks:\n{many}");
        assert_eq!(read(&long).expect_err("long").kind, proto::Kind::TooLarge);
        let nested = "[".repeat(100_000);
        assert!(read(&nested).is_err());
    }
}
