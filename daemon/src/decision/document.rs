//! The text of a decision, JSON or YAML, read into a draft. Pure.
//!
//! What must stay true: everything unknown is a fault with its line, nothing is guessed.

use proto::decision::{Alternative, Category, Draft, Impact};
use proto::{Error, error::Result};

use crate::task::document::{list, parse, text, texts, word};
use crate::workspace::tree::{self, Fault, Node, Value};

const OF_ALL: [&str; 14] = [
    "title",
    "decision",
    "rationale",
    "context",
    "category",
    "impact",
    "alternatives",
    "consequences",
    "risks",
    "paths",
    "components",
    "tags",
    "task",
    "accepted",
];

const OF_ALTERNATIVES: [&str; 3] = ["name", "pros", "cons"];

const CATEGORIES: &str =
    "architecture, implementation, design, technology, process, quality, security, performance";
const IMPACTS: &str = "high, medium, low";

/// Reads a decision.
///
/// # Errors
/// `Usage` with the line and the nearest known word.
pub fn read(text: &str) -> Result<Draft> {
    parse(text)
        .and_then(|node| draft(&node))
        .map_err(|fault| refused(&fault))
}

/// The draft with what it leaves open taken from a document; lists are joined.
#[must_use]
pub fn completed(draft: Draft, from: Draft) -> Draft {
    let joined = |mut given: Vec<String>, more: Vec<String>| {
        given.extend(more);
        given
    };
    Draft {
        title: draft.title.or(from.title),
        decision: draft.decision.or(from.decision),
        rationale: draft.rationale.or(from.rationale),
        context: draft.context.or(from.context),
        category: draft.category.or(from.category),
        impact: draft.impact.or(from.impact),
        alternatives: draft.alternatives.into_iter().chain(from.alternatives).collect(),
        consequences: joined(draft.consequences, from.consequences),
        risks: joined(draft.risks, from.risks),
        paths: draft.paths.into_iter().chain(from.paths).collect(),
        components: joined(draft.components, from.components),
        tags: joined(draft.tags, from.tags),
        task: draft.task.or(from.task),
        accepted: draft.accepted || from.accepted,
    }
}

fn refused(fault: &Fault) -> Error {
    let place = match fault.line {
        Some(line) if line > 0 => format!("line {line}: "),
        _ => String::new(),
    };
    Error::usage("the decision cannot be read")
        .why(format!("{place}{}", fault.what))
        .next(format!("its fields are: {}", OF_ALL.join(", ")))
}

fn known(node: &Node, what: &str, names: &[&'static str]) -> std::result::Result<(), Fault> {
    for (key, _) in node.entries(what)? {
        if !names.contains(&key.name.as_str()) {
            let near = tree::nearest(&key.name, names.iter().copied());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            let what = format!("{what} has no `{}`{hint}", tree::shortened(&key.name));
            return Err(Fault::at(key.place.line.max(node.place.line), what));
        }
    }
    Ok(())
}

fn draft(node: &Node) -> std::result::Result<Draft, Fault> {
    known(node, "a decision", &OF_ALL)?;
    let accepted = match node.get("accepted").map(|node| (&node.value, node.place.line)) {
        None | Some((Value::Null, _)) => false,
        Some((Value::Flag(flag), _)) => *flag,
        Some((_, line)) => return Err(Fault::at(line, "`accepted` is not true or false")),
    };
    Ok(Draft {
        title: text(node, "title")?,
        decision: text(node, "decision")?,
        rationale: text(node, "rationale")?,
        context: text(node, "context")?,
        category: word(node, "category", CATEGORIES, Category::parse)?,
        impact: word(node, "impact", IMPACTS, Impact::parse)?,
        alternatives: list(node, "alternatives")?
            .iter()
            .map(alternative)
            .collect::<std::result::Result<_, _>>()?,
        consequences: texts(node, "consequences")?,
        risks: texts(node, "risks")?,
        paths: texts(node, "paths")?
            .iter()
            .map(|path| path.as_str().into())
            .collect(),
        components: texts(node, "components")?,
        tags: texts(node, "tags")?,
        task: text(node, "task")?,
        accepted,
    })
}

fn alternative(node: &Node) -> std::result::Result<Alternative, Fault> {
    if let Value::Text(name) = &node.value {
        return Ok(Alternative {
            name: name.clone(),
            ..Alternative::default()
        });
    }
    known(node, "an alternative", &OF_ALTERNATIVES)?;
    Ok(Alternative {
        name: text(node, "name")?
            .ok_or_else(|| Fault::at(node.place.line, "an alternative has no `name`"))?,
        pros: texts(node, "pros")?,
        cons: texts(node, "cons")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_and_json_of_the_same_decision_are_the_same() {
        let yaml = "title: T\ndecision: D\nimpact: High\ntags: [a, b]\npaths: src\naccepted: true\nalternatives:\n  - none\n  \
                    - {name: other, pros: [cheap], cons: slow}\n";
        let json = r#"{"title": "T", "decision": "D", "impact": "high", "tags": ["a", "b"], "paths": ["src"],
            "accepted": true, "alternatives": ["none", {"name": "other", "pros": ["cheap"], "cons": ["slow"]}]}"#;
        let read_as = |text| read(text).expect(text);
        assert_eq!(read_as(yaml), read_as(json));
        assert_eq!(read_as(yaml).impact, Some(Impact::High));
        assert_eq!(read_as(json).alternatives[1].cons, ["slow"]);
    }

    #[test]
    fn a_word_given_outside_of_the_document_counts_and_lists_are_joined() {
        let given = Draft {
            title: Some("Mine".to_owned()),
            tags: vec!["x".to_owned()],
            ..Draft::default()
        };
        let both = completed(
            given,
            read("title: Theirs\ndecision: D\ntags: [y]\n").expect("read"),
        );
        assert_eq!(
            (both.title.as_deref(), both.decision.as_deref()),
            (Some("Mine"), Some("D"))
        );
        assert_eq!(both.tags, ["x", "y"]);
    }

    #[test]
    fn what_is_unknown_is_named_with_the_nearest_word() {
        let error = read("title: T\nrational: R\n").expect_err("refused");
        let why = error.why.expect("a reason");
        assert!(why.contains("line 2") && why.contains("`rationale`"), "{why}");
        for text in [
            "- a\n",
            "title: [x]\n",
            "category: nice\n",
            "accepted: maybe\n",
            "alternatives: [{pros: a}]\n",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
