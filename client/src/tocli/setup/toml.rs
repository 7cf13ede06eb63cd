//! TOML: one table put in or taken out, everything else byte for byte.

use serde_json::Value;
use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value as Toml};

use super::clients::Place;

fn document(text: &str) -> Result<DocumentMut, String> {
    text.parse()
        .map_err(|error: toml_edit::TomlError| format!("it is not TOML: {}", error.message()))
}

/// The way to our table and its name. Lists are written by no client that reads TOML.
fn way(place: &Place) -> Result<(&[&'static str], &'static str), String> {
    match place {
        Place::Entry(way) => way
            .split_last()
            .map(|(name, way)| (way, *name))
            .ok_or_else(|| "no way leads there".to_owned()),
        Place::Element(_) => Err("there are no lists of ours in TOML".to_owned()),
    }
}

/// What stands in our place.
pub(super) fn find(text: &str, place: &Place) -> Result<Option<Value>, String> {
    let (way, name) = way(place)?;
    let document = document(text)?;
    let mut table: &dyn TableLike = document.as_table();
    for step in way {
        let Some(item) = table.get(step) else {
            return Ok(None);
        };
        table = item
            .as_table_like()
            .ok_or_else(|| format!("`{step}` is not a table"))?;
    }
    Ok(table.get(name).map(json))
}

/// The text with `value` in its place.
pub(super) fn put(text: &str, place: &Place, value: &Value) -> Result<String, String> {
    let (way, name) = way(place)?;
    find(text, place)?;
    let mut document = document(text)?;
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for step in way {
        if !table.contains_key(step) {
            let mut made = Table::new();
            // No heading of its own: only the tables below have one.
            made.set_implicit(true);
            table.insert(step, Item::Table(made));
        }
        table = table
            .get_mut(step)
            .and_then(Item::as_table_like_mut)
            .ok_or_else(|| format!("`{step}` is not a table"))?;
    }
    match table.get_mut(name).and_then(Item::as_table_like_mut) {
        Some(there) => {
            for (key, value) in pairs(value)? {
                there.insert(&key, Item::Value(value));
            }
        }
        None => {
            let mut made = Table::new();
            for (key, value) in pairs(value)? {
                made.insert(&key, Item::Value(value));
            }
            table.insert(name, Item::Table(made));
        }
    }
    Ok(document.to_string())
}

/// The text without our table.
pub(super) fn take(text: &str, place: &Place) -> Result<String, String> {
    let (way, name) = way(place)?;
    if find(text, place)?.is_none() {
        return Ok(text.to_owned());
    }
    let mut document = document(text)?;
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for step in way {
        table = table
            .get_mut(step)
            .and_then(Item::as_table_like_mut)
            .ok_or_else(|| format!("`{step}` is not a table"))?;
    }
    table.remove(name);
    Ok(document.to_string())
}

fn pairs(value: &Value) -> Result<Vec<(String, Toml)>, String> {
    let object = value.as_object().ok_or("only objects become tables")?;
    object
        .iter()
        .map(|(key, value)| toml(value).map(|value| (key.clone(), value)))
        .collect()
}

fn toml(value: &Value) -> Result<Toml, String> {
    Ok(match value {
        Value::String(text) => Toml::from(text.as_str()),
        Value::Bool(value) => Toml::from(*value),
        Value::Array(values) => {
            let mut array = Array::new();
            for value in values {
                array.push(toml(value)?);
            }
            Toml::Array(array)
        }
        other => match other.as_i64() {
            Some(number) => Toml::from(number),
            None => return Err(format!("`{other}` has no form in TOML here")),
        },
    })
}

fn json(item: &Item) -> Value {
    if let Some(table) = item.as_table_like() {
        let pairs = table.iter().map(|(key, item)| (key.to_owned(), json(item)));
        return Value::Object(pairs.collect());
    }
    match item.as_value() {
        Some(Toml::String(text)) => Value::from(text.value().as_str()),
        Some(Toml::Integer(number)) => Value::from(*number.value()),
        Some(Toml::Boolean(value)) => Value::from(*value.value()),
        Some(Toml::Array(array)) => array
            .iter()
            .map(|value| json(&Item::Value(value.clone())))
            .collect(),
        other => other.map_or(Value::Null, |value| Value::from(value.to_string().trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as object;

    fn entry() -> Place {
        Place::Entry(vec!["mcp_servers", "task-orchestrator"])
    }

    #[test]
    fn comments_and_the_tables_of_others_stay_as_they_are() {
        let value = object!({ "command": "/x/to-mcp", "args": ["--profile", "full"] });
        let text =
            "# mine\nmodel = \"m\" # keep\n\n[mcp_servers.other]\ncommand = \"npx\"\n\n[profiles.x]\na = 1\n";
        let with = put(text, &entry(), &value).expect("put");
        for line in text.lines() {
            assert!(with.contains(line), "{line}\n{with}");
        }
        assert_eq!(find(&with, &entry()), Ok(Some(value)));
        assert_eq!(take(&with, &entry()).as_deref(), Ok(text));
    }

    #[test]
    fn an_empty_file_is_empty_again() {
        let value = object!({ "command": "/x/to-mcp", "args": [] });
        let with = put("", &entry(), &value).expect("put");
        assert!(with.starts_with("[mcp_servers.task-orchestrator]\n"), "{with}");
        assert_eq!(take(&with, &entry()).as_deref(), Ok(""));
    }

    #[test]
    fn what_is_not_what_it_should_be_is_left_alone() {
        let value = object!({ "command": "/x/to-mcp" });
        for text in ["mcp_servers = 1\n", "x = \n", "[[mcp_servers]]\n"] {
            assert!(put(text, &entry(), &value).is_err(), "{text}");
        }
    }
}
