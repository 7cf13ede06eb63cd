//! What a tool is: one declaration from which its schema, the check of its arguments and its call are made.
//!
//! Asked by the service and written by `tools`. What must stay true: an argument that the schema does not allow is refused with
//! what, why and next before the daemon hears of it; nothing is described twice.

use proto::Error;
use proto::error::Result;
use serde_json::{Map, Value, json};

use crate::reply::Reply;
use crate::talk::Talk;

/// Which tools a client is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Profile {
    /// Few tools, few tokens
    #[default]
    Core,
    /// All that the daemon can do
    Full,
    /// The twelve tools of MCP Task Orchestrator 1.8.0
    Compat,
}

/// What a call does to the world, for whoever decides whether to allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hints {
    /// It changes nothing.
    Reads,
    /// It adds.
    Adds,
    /// It may change or remove what is there.
    Changes,
}

/// What a tool has to know of the place that it is called from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// A project: without one the call fails.
    Project,
    /// Nothing: it is about the machine.
    Nothing,
}

/// The form of an argument.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// Text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number, 0 or more.
    Number,
    /// Yes or no.
    Flag,
    /// A list of texts.
    Texts,
    /// An object of any form.
    Object,
    /// A list of objects of any form.
    Objects,
}

/// Where an argument is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// In every profile.
    Always,
    /// In `full` only: `core` has to be short.
    Full,
}

/// An argument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// Empty where the name says it.
    pub(crate) about: &'static str,
    pub(crate) required: bool,
    pub(crate) shown: Shown,
}

impl Param {
    pub(crate) const fn new(name: &'static str, form: Form, about: &'static str) -> Self {
        Self {
            name,
            form,
            about,
            required: false,
            shown: Shown::Always,
        }
    }

    pub(crate) const fn text(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Form::Text, about)
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Only in `full`.
    pub(crate) const fn full(mut self) -> Self {
        self.shown = Shown::Full;
        self
    }
}

/// A tool.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) hints: Hints,
    pub(crate) needs: Needs,
    pub(crate) params: &'static [Param],
    /// Of the result's fields, those that are there in every answer; `root` is.
    pub(crate) returns: &'static [(&'static str, Form)],
    pub(crate) run: fn(&mut Talk<'_>, &Args) -> Result<Reply>,
}

/// The directory that a call is about.
pub(crate) const CWD: Param = Param::text("cwd", "");

/// The same by the name that the profile `compat` has for it.
pub(crate) const WORKING_DIRECTORY: &str = "working_directory";

impl Tool {
    /// The arguments that a profile shows: all tools take `cwd`.
    fn params(&self, profile: Profile) -> impl Iterator<Item = &Param> {
        let named = self.params.iter().any(|param| param.name == CWD.name);
        let cwd = (!named && profile != Profile::Compat).then_some(&CWD);
        let shown = move |param: &&Param| param.shown == Shown::Always || profile == Profile::Full;
        self.params.iter().filter(shown).chain(cwd)
    }

    /// The form of its arguments as JSON Schema.
    pub(crate) fn input(&self, profile: Profile) -> Map<String, Value> {
        let properties: Map<String, Value> = self
            .params(profile)
            .map(|param| (param.name.to_owned(), param.form.schema(param.about)))
            .collect();
        let required: Vec<&str> = self
            .params(profile)
            .filter(|param| param.required)
            .map(|param| param.name)
            .collect();
        let mut schema = object(properties, &required);
        // Refused all the same; in `core` the word would be paid for with every tool.
        if profile != Profile::Core {
            schema.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
        schema
    }

    /// The form of its result as JSON Schema.
    pub(crate) fn output(&self) -> Map<String, Value> {
        let root = (self.needs == Needs::Project).then_some(("root", Form::Text));
        let fields = || root.iter().chain(self.returns);
        let properties: Map<String, Value> = fields()
            .map(|(name, form)| ((*name).to_owned(), form.schema("")))
            .collect();
        let required: Vec<&str> = fields().map(|(name, _)| *name).collect();
        object(properties, &required)
    }

    /// The arguments of a call, checked.
    pub(crate) fn arguments(&self, given: Option<Map<String, Value>>) -> Result<Args> {
        let given = given.unwrap_or_default();
        // What only `full` shows is taken everywhere: a caller that knows it may say it.
        let params = || self.params(Profile::Full);
        for (name, value) in &given {
            let Some(param) = params().find(|param| param.name == name) else {
                let known: Vec<&str> = params().map(|param| param.name).collect();
                let name = crate::message::shown(name);
                return Err(Error::usage(format!("`{}` has no argument `{name}`", self.name))
                    .next(format!("use these: {}", known.join(", "))));
            };
            param.check(value)?;
        }
        for param in params().filter(|param| param.required) {
            if given.get(param.name).is_none_or(Value::is_null) {
                return Err(Error::usage(format!("`{}` is missing", param.name)).next(format!(
                    "give `{}`: {}",
                    param.name,
                    param.form.described()
                )));
            }
        }
        Ok(Args { given })
    }
}

fn object(properties: Map<String, Value>, required: &[&str]) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

impl Form {
    fn schema(self, about: &str) -> Value {
        let mut schema = match self {
            Self::Text => json!({ "type": "string" }),
            Self::Word(words) => json!({ "type": "string", "enum": words }),
            Self::Number => json!({ "type": "integer" }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Self::Object => json!({ "type": "object" }),
            Self::Objects => json!({ "type": "array", "items": { "type": "object" } }),
        };
        if let Some(fields) = schema.as_object_mut().filter(|_| !about.is_empty()) {
            fields.insert("description".to_owned(), about.into());
        }
        schema
    }

    fn described(self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Number => "a whole number, 0 or more".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Texts => "a list of texts".to_owned(),
            Self::Object => "an object".to_owned(),
            Self::Objects => "a list of objects".to_owned(),
        }
    }

    fn takes(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::Number => value.as_u64().is_some(),
            Self::Flag => value.is_boolean(),
            Self::Texts => value
                .as_array()
                .is_some_and(|list| list.iter().all(Value::is_string)),
            Self::Object => value.is_object(),
            Self::Objects => value
                .as_array()
                .is_some_and(|list| list.iter().all(Value::is_object)),
        }
    }
}

impl Param {
    /// A null stands for an argument that was not given.
    fn check(&self, value: &Value) -> Result<()> {
        if value.is_null() || self.form.takes(value) {
            return Ok(());
        }
        let shown = crate::message::shown(&value.to_string());
        Err(Error::usage(format!("`{}` cannot be {shown}", self.name))
            .next(format!("give {}", self.form.described())))
    }
}

/// The checked arguments of a call.
#[derive(Debug)]
pub(crate) struct Args {
    given: Map<String, Value>,
}

impl Args {
    fn get(&self, name: &str) -> Option<&Value> {
        self.given.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(Value::as_u64)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }

    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let list = self.get(name).and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    /// A text that this action cannot do without.
    pub(crate) fn need(&self, name: &str) -> Result<&str> {
        self.text(name).ok_or_else(|| {
            let action = self.text("action").map(|action| format!(" for `{action}`"));
            Error::usage(format!("`{name}` is missing{}", action.unwrap_or_default()))
                .next(format!("give `{name}`"))
        })
    }

    /// A count within its bounds.
    pub(crate) fn limit(&self, usual: u32, most: u32) -> u32 {
        let given = self.number("limit").unwrap_or(usual.into());
        u32::try_from(given).unwrap_or(most).clamp(1, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: &[Param] = &[
        Param::new("action", Form::Word(&["a", "b"]), "").required(),
        Param::new("limit", Form::Number, "At most so many"),
        Param::text("more", "").full(),
    ];

    fn tool() -> Tool {
        Tool {
            name: "t",
            about: "",
            hints: Hints::Reads,
            needs: Needs::Project,
            params: PARAMS,
            returns: &[("tasks", Form::Objects)],
            run: |_, _| Err(Error::bug("not called")),
        }
    }

    fn arguments(given: Value) -> Result<Args> {
        tool().arguments(given.as_object().cloned())
    }

    #[test]
    fn the_schema_is_made_from_the_declaration() {
        let schema = Value::Object(tool().input(Profile::Core)).to_string();
        let expected = concat!(
            r#"{"type":"object","properties":{"action":{"type":"string","enum":["a","b"]},"#,
            r#""limit":{"type":"integer","description":"At most so many"},"cwd":{"type":"string"}},"#,
            r#""required":["action"]}"#
        );
        assert_eq!(schema, expected);
        let full = tool().input(Profile::Full);
        assert!(full["properties"].get("more").is_some());
        assert_eq!(
            Value::Object(tool().output()).to_string(),
            concat!(
                r#"{"type":"object","properties":{"root":{"type":"string"},"#,
                r#""tasks":{"type":"array","items":{"type":"object"}}},"required":["root","tasks"]}"#
            )
        );
    }

    #[test]
    fn arguments_of_the_wrong_form_are_refused_with_what_to_give() {
        for wrong in [
            json!({}),
            json!({ "action": "c" }),
            json!({ "action": 5 }),
            json!({ "action": "a", "limit": -1 }),
            json!({ "action": "a", "limit": "5" }),
            json!({ "action": "a", "cwd": ["x"] }),
            json!({ "action": "a", "unknown": 1 }),
        ] {
            let error = arguments(wrong.clone()).expect_err("refused");
            assert!(error.next.is_some(), "{wrong}: {error}");
        }
        let args = arguments(json!({ "action": "a", "limit": null, "more": "x" })).expect("taken");
        assert_eq!(args.limit(50, 100), 50);
        assert_eq!(args.text("more"), Some("x"));
        assert!(args.need("text").is_err());
    }
}
