//! What a role file says: pure.
//!
//! Asked with the values of every role file, built in or not. What must stay true: a role that passes has everything a
//! prompt needs, within limits; what does not pass names its line.

use proto::config::Layer;
use proto::role::Role;

use super::super::tree::{Fault, Node, Value, hint, shortened};

/// The most roles in one file.
const MOST_ROLES: usize = 200;
/// The longest text of a role, in bytes.
const LONGEST: usize = 32 * 1024;
/// The most items of a list of a role.
const MOST_ITEMS: usize = 200;

/// The fields of a role.
const FIELDS: [&str; 5] = [
    "role_definition",
    "expertise",
    "approach",
    "output_format",
    "context_awareness",
];

/// All roles of a file, in their order.
///
/// # Errors
/// The first fault.
pub fn file(root: &Node, layer: Layer) -> Result<Vec<Role>, Fault> {
    let entries = root.entries("a role file")?;
    if entries.len() > MOST_ROLES {
        return Err(Fault::at(
            root.place.line,
            format!("more than {MOST_ROLES} roles"),
        ));
    }
    entries
        .iter()
        .map(|(key, node)| {
            if !is_name(&key.name) {
                let what = format!(
                    "`{}` is no name of a role: small letters, digits, `_` and `-`, at most 64",
                    shortened(&key.name)
                );
                return Err(Fault::at(key.place.line, what));
            }
            role(&key.name, key.place.line, node, layer)
        })
        .collect()
}

/// Whether a text can be the name of a role.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
}

fn role(name: &str, line: u32, node: &Node, layer: Layer) -> Result<Role, Fault> {
    let mut role = Role {
        name: name.to_owned(),
        role_definition: String::new(),
        expertise: Vec::new(),
        approach: Vec::new(),
        output_format: String::new(),
        context_awareness: Vec::new(),
        layer,
        file: None,
    };
    for (key, node) in node.entries(&format!("the role `{name}`"))? {
        let field = format!("`{}` of `{name}`", shortened(&key.name));
        match key.name.as_str() {
            "role_definition" => role.role_definition = text(&field, node)?,
            "output_format" => role.output_format = text(&field, node)?,
            "expertise" => role.expertise = list(&field, node)?,
            "approach" => role.approach = list(&field, node)?,
            "context_awareness" => role.context_awareness = hints(&field, node)?,
            other => {
                let what = format!("a role has no `{}`{}", shortened(other), hint(other, FIELDS));
                return Err(Fault::at(key.place.line, what));
            }
        }
    }
    if role.role_definition.is_empty() {
        return Err(Fault::at(
            line,
            format!("the role `{name}` needs a `role_definition`"),
        ));
    }
    Ok(role)
}

fn text(field: &str, node: &Node) -> Result<String, Fault> {
    match &node.value {
        Value::Text(text) if text.len() > LONGEST => Err(Fault::at(
            node.place.line,
            format!("{field} is longer than {} KiB", LONGEST / 1024),
        )),
        Value::Text(text) if !text.trim().is_empty() => Ok(text.trim_end().to_owned()),
        other => Err(Fault::at(
            node.place.line,
            format!("{field} is {}, not a text", other.kind()),
        )),
    }
}

fn list(field: &str, node: &Node) -> Result<Vec<String>, Fault> {
    match &node.value {
        Value::Null => Ok(Vec::new()),
        Value::List(items) if items.len() <= MOST_ITEMS => items
            .iter()
            .map(|item| text(&format!("an item of {field}"), item))
            .collect(),
        Value::List(_) => Err(Fault::at(
            node.place.line,
            format!("{field} has more than {MOST_ITEMS} items"),
        )),
        other => Err(Fault::at(
            node.place.line,
            format!("{field} is {}, not a list of texts", other.kind()),
        )),
    }
}

fn hints(field: &str, node: &Node) -> Result<Vec<(String, String)>, Fault> {
    let mut found = Vec::new();
    for (key, node) in node.entries(field)? {
        let json = node.json().to_string();
        if key.name.len() > LONGEST || json.len() > LONGEST || found.len() == MOST_ITEMS {
            return Err(Fault::at(key.place.line, format!("{field} is too large")));
        }
        found.push((key.name.clone(), json));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::super::yaml;
    use super::*;

    fn roles(text: &str) -> Result<Vec<Role>, Fault> {
        file(&yaml::parse(text)?, Layer::User)
    }

    #[test]
    fn a_role_file_may_add_any_specialist() {
        let found = roles("sql-expert:\n  role_definition: Knows SQL.\n  expertise: [joins]\n  context_awareness: {never: [drop]}\nother:\n  role_definition: x\n").expect("good");
        assert_eq!(
            (found[0].name.as_str(), found[0].expertise.as_slice()),
            ("sql-expert", &["joins".to_owned()][..])
        );
        assert_eq!(
            found[0].context_awareness,
            [("never".to_owned(), "[\"drop\"]".to_owned())]
        );
        assert_eq!(found.len(), 2);
        assert!(roles("").expect("empty").is_empty());
    }

    #[test]
    fn every_fault_names_its_line() {
        for (text, line, words) in [
            ("coder:\n  expertise: [a]\n", 1, "needs a `role_definition`"),
            (
                "coder:\n  role_definition: x\n  expertice: [a]\n",
                3,
                "did you mean `expertise`",
            ),
            ("coder:\n  role_definition: x\n  approach: a\n", 3, "not a list"),
            (
                "coder:\n  role_definition: x\n  approach:\n    - a\n    - {b: c}\n",
                5,
                "not a text",
            ),
            ("Coder:\n  role_definition: x\n", 1, "no name"),
            ("../x:\n  role_definition: x\n", 1, "no name"),
            ("coder:\n  role_definition: ''\n", 2, "not a text"),
            ("a:\n  role_definition: x\nb: [1]\n", 3, "not a map"),
            (
                "a:\n  role_definition: x\n  context_awareness: [1]\n",
                3,
                "not a map",
            ),
        ] {
            let fault = roles(text).expect_err(text);
            assert_eq!(fault.line, Some(line), "{text}: {fault:?}");
            assert!(fault.what.contains(words), "{text}: {fault:?}");
        }
        assert!(roles(&format!("a:\n  role_definition: {}\n", "x".repeat(LONGEST + 1))).is_err());
        let many: String = (0..=MOST_ROLES)
            .map(|n| format!("r{n}:\n  role_definition: x\n"))
            .collect();
        assert!(roles(&many).is_err());
    }
}
