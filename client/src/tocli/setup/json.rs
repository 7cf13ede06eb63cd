//! JSON as people write it, with comments: one piece put in or taken out, everything else byte for byte.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode};
use serde_json::Value;

use super::clients::{Place, is_ours};

/// What editors accept in their settings: comments and trailing commas, nothing looser.
fn options() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn root(text: &str) -> Result<CstRootNode, String> {
    CstRootNode::parse(text, &options()).map_err(|error| format!("it is not JSON: {error}"))
}

/// The property of a name. Two of one name are read differently by different programs.
fn only(object: &CstObject, name: &str) -> Result<Option<CstObjectProp>, String> {
    let named = |prop: &CstObjectProp| prop.decoded_name().as_deref() == Some(name);
    let mut found = object.properties().into_iter().filter(named);
    match (found.next(), found.next()) {
        (first, None) => Ok(first),
        _ => Err(format!("`{name}` stands there twice")),
    }
}

/// The object at the end of a way; none where something on it is missing.
fn descend(root: &CstRootNode, way: &[&str]) -> Result<Option<CstObject>, String> {
    let Some(value) = root.value() else {
        return Ok(None);
    };
    let mut object = value.as_object().ok_or("it does not hold an object")?;
    for name in way {
        let Some(prop) = only(&object, name)? else {
            return Ok(None);
        };
        object = prop
            .object_value()
            .ok_or_else(|| format!("`{name}` is not an object"))?;
    }
    Ok(Some(object))
}

fn list(root: &CstRootNode, way: &[&str]) -> Result<Option<CstArray>, String> {
    let Some((last, way)) = way.split_last() else {
        return Ok(None);
    };
    let Some(object) = descend(root, way)? else {
        return Ok(None);
    };
    match only(&object, last)? {
        None => Ok(None),
        Some(prop) => match prop.array_value() {
            None => Err(format!("`{last}` is not a list")),
            list => Ok(list),
        },
    }
}

fn our_element(list: &CstArray) -> Option<CstNode> {
    let ours = |node: &CstNode| node.to_serde_value().is_some_and(|value| is_ours(&value));
    list.elements().into_iter().find(ours)
}

/// What stands in our place.
pub(super) fn find(text: &str, place: &Place) -> Result<Option<Value>, String> {
    let root = root(text)?;
    match place {
        Place::Entry(way) => {
            let Some((name, way)) = way.split_last() else {
                return Ok(None);
            };
            let Some(object) = descend(&root, way)? else {
                return Ok(None);
            };
            Ok(only(&object, name)?.and_then(|prop| prop.value()?.to_serde_value()))
        }
        Place::Element(way) => Ok(list(&root, way)?.and_then(|list| our_element(&list)?.to_serde_value())),
    }
}

/// The text with `value` in its place.
pub(super) fn put(text: &str, place: &Place, value: &Value) -> Result<String, String> {
    let root = root(text)?;
    // Refuses what stands in the way before anything is made.
    find(text, place)?;
    let mut object = root
        .object_value_or_create()
        .ok_or("it does not hold an object")?;
    let make = |object: &CstObject, name: &str| {
        object
            .object_value_or_create(name)
            .ok_or_else(|| format!("`{name}` is not an object"))
    };
    match place {
        Place::Entry(way) => {
            let Some((name, way)) = way.split_last() else {
                return Ok(text.to_owned());
            };
            for step in way {
                object = make(&object, step)?;
            }
            match only(&object, name)? {
                Some(prop) => prop.set_value(input(value)),
                None => drop(object.append(name, input(value))),
            }
        }
        Place::Element(way) => {
            let Some((name, way)) = way.split_last() else {
                return Ok(text.to_owned());
            };
            for step in way {
                object = make(&object, step)?;
            }
            let list = object
                .array_value_or_create(name)
                .ok_or_else(|| format!("`{name}` is not a list"))?;
            if let Some(old) = our_element(&list) {
                old.remove();
            }
            list.append(input(value));
        }
    }
    let mut text = root.to_string();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// The text without our piece.
pub(super) fn take(text: &str, place: &Place) -> Result<String, String> {
    let root = root(text)?;
    let way: &[&str] = match place {
        Place::Entry(way) => {
            let Some((name, way)) = way.split_last() else {
                return Ok(text.to_owned());
            };
            let Some(object) = descend(&root, way)? else {
                return Ok(text.to_owned());
            };
            let Some(prop) = only(&object, name)? else {
                return Ok(text.to_owned());
            };
            prop.remove();
            way
        }
        Place::Element(way) => {
            let Some(list) = list(&root, way)? else {
                return Ok(text.to_owned());
            };
            let Some(element) = our_element(&list) else {
                return Ok(text.to_owned());
            };
            element.remove();
            way
        }
    };
    prune(&root, way)?;
    Ok(root.to_string())
}

/// Takes away the objects on a way that hold nothing any more, from the innermost outwards.
fn prune(root: &CstRootNode, way: &[&str]) -> Result<(), String> {
    for length in (1..=way.len()).rev() {
        let (Some(name), outer) = (way.get(length - 1), &way[..length - 1]) else {
            return Ok(());
        };
        let Some(prop) = descend(root, outer)?
            .map(|object| only(&object, name))
            .transpose()?
            .flatten()
        else {
            return Ok(());
        };
        let children = |node: &CstNode| {
            let kept = |child: &CstNode| child.is_comment() || !(child.is_trivia() || child.is_token());
            node.children().iter().any(kept)
        };
        match prop.value() {
            Some(value) if !children(&value) => prop.remove(),
            _ => return Ok(()),
        }
    }
    Ok(())
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| (key.clone(), input(value)));
            CstInputValue::Object(pairs.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry() -> Place {
        Place::Entry(vec!["mcpServers", "task-orchestrator"])
    }

    fn value() -> Value {
        json!({ "command": "/x/to-mcp", "args": [] })
    }

    #[test]
    fn comments_and_the_servers_of_others_stay_as_they_are() {
        let text =
            "{\n  // mine\n  \"mcpServers\": {\n    \"other\": { \"command\": \"npx\" }, // keep\n  },\n}\n";
        let with = put(text, &entry(), &value()).expect("put");
        for kept in ["// mine", "// keep", "\"other\": { \"command\": \"npx\" }"] {
            assert!(with.contains(kept), "{with}");
        }
        assert_eq!(find(&with, &entry()), Ok(Some(value())));
        let without = take(&with, &entry()).expect("taken");
        assert_eq!(find(&without, &entry()), Ok(None));
        assert!(
            without.contains("// keep") && without.contains("other"),
            "{without}"
        );
        assert_eq!(take(&without, &entry()).as_deref(), Ok(without.as_str()));
    }

    #[test]
    fn an_empty_file_becomes_an_object_and_what_we_made_goes_again() {
        for text in ["", "{}\n", "{ }"] {
            let with = put(text, &entry(), &value()).expect("put");
            let whole: Value = serde_json::from_str(&with).expect("plain JSON");
            assert_eq!(whole["mcpServers"]["task-orchestrator"], value());
            let without = take(&with, &entry()).expect("taken");
            let whole: Value = serde_json::from_str(&without).expect("plain JSON");
            assert_eq!(whole, json!({}), "{without}");
        }
    }

    #[test]
    fn a_hook_joins_the_hooks_of_others() {
        let place = Place::Element(vec!["hooks", "SessionStart"]);
        let ours = json!({"hooks": [{"type": "command", "command": "/x/tocli prime --hook"}]});
        let text = r#"{"hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "mine"}]}]}}"#;
        let with = put(text, &place, &ours).expect("put");
        let twice = put(&with, &place, &ours).expect("put");
        for text in [&with, &twice] {
            let whole: Value = serde_json::from_str(text).expect("plain JSON");
            let list = whole["hooks"]["SessionStart"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            assert_eq!(list.len(), 2, "{text}");
            assert_eq!(list[1], ours);
        }
        let without: Value = serde_json::from_str(&take(&with, &place).expect("taken")).expect("plain JSON");
        assert_eq!(without, serde_json::from_str::<Value>(text).expect("plain JSON"));
    }

    #[test]
    fn what_is_not_what_it_should_be_is_left_alone() {
        for text in [
            "[]",
            "{",
            "{\"mcpServers\": []}",
            "{\"mcpServers\": {}, \"mcpServers\": {}}",
            "{a: 1}",
            "nonsense",
        ] {
            assert!(put(text, &entry(), &value()).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(put(&deep, &entry(), &value()).is_err());
    }

    #[test]
    fn lines_end_as_they_ended_before() {
        let text = "{\r\n  \"mcpServers\": {\r\n    \"other\": {}\r\n  }\r\n}\r\n";
        let with = put(text, &entry(), &value()).expect("put");
        assert!(!with.replace("\r\n", "").contains('\n'), "{with:?}");
    }
}
