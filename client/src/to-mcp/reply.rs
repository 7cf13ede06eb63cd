//! What a call answers: a JSON object of bounded size, its text, and handles for what is too large.
//!
//! Made by `tools` from the daemon's answers. What must stay true: names are those of the messages and of `tocli --json`; times
//! are RFC 3339; every answer names the root that it is about; nothing is cut without saying so.

use jiff::Timestamp;
use proto::{Error, RawPath};
use rmcp::model::{CallToolResult, ContentBlock, Resource};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::declare::Profile;

/// The most bytes of one text within a result.
pub(crate) const MAX_TEXT: usize = 16 << 10;
/// The most bytes of a result.
pub(crate) const MAX_RESULT: usize = 128 << 10;

/// A time later than this in nanoseconds is a time: 2001.
const A_TIME: i64 = 1_000_000_000_000_000_000;

/// The fields that hold times.
const TIMES: [&str; 14] = [
    "created",
    "updated",
    "started",
    "finished",
    "since",
    "expires",
    "time",
    "last_access",
    "mtime",
    "forgotten",
    "at",
    "decided",
    "stored",
    "changed",
];

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Reply {
    fields: Map<String, Value>,
    /// Shown instead of the fields: a text that is meant to be read.
    prose: Option<String>,
    /// What stands beside the text.
    blocks: Vec<ContentBlock>,
}

impl Reply {
    /// The fields of a serialisable answer. A variant of an enum is its content; a list gets the name `list`.
    pub(crate) fn of(answer: &impl Serialize, list: &str) -> Self {
        let value = serde_json::to_value(answer).unwrap_or_default();
        let mut fields = match value {
            Value::Object(fields) => fields,
            Value::Null => Map::new(),
            other => Map::from_iter([(list.to_owned(), other)]),
        };
        times(&mut fields);
        Self {
            fields,
            prose: None,
            blocks: Vec::new(),
        }
    }

    /// The same for an enum of answers: what the variant holds.
    pub(crate) fn of_variant(answer: &impl Serialize, list: &str) -> Self {
        match serde_json::to_value(answer) {
            Ok(Value::Object(outer)) if outer.len() == 1 => {
                let inner = outer.into_iter().next().map(|(_, inner)| inner);
                Self::of(&inner, list)
            }
            Ok(other) => Self::of(&other, list),
            Err(_) => Self::of(&Value::Null, list),
        }
    }

    /// The fields of an object within are put beside the others.
    pub(crate) fn flat(mut self, name: &str) -> Self {
        if let Some(Value::Object(inner)) = self.fields.shift_remove(name) {
            let rest = std::mem::take(&mut self.fields);
            self.fields = inner;
            for (key, value) in rest {
                self.fields.entry(key).or_insert(value);
            }
        }
        self
    }

    /// The rows of a list without what they do not have: a page is mostly read for what is there.
    pub(crate) fn sparse(mut self, name: &str) -> Self {
        let rows = self.fields.get_mut(name).and_then(Value::as_array_mut);
        for row in rows.into_iter().flatten().filter_map(Value::as_object_mut) {
            row.retain(|_, value| match value {
                Value::Null => false,
                Value::Array(list) => !list.is_empty(),
                Value::String(text) => !text.is_empty(),
                _ => true,
            });
        }
        self
    }

    /// One more field.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// A list, after the other fields.
    pub(crate) fn with_list(mut self, name: &str, list: &impl Serialize) -> Self {
        let mut fields = Self::of(list, name).fields;
        self.fields.append(&mut fields);
        self
    }

    /// One field under another name.
    pub(crate) fn renamed(mut self, name: &str, to: &str) -> Self {
        if let Some(value) = self.fields.shift_remove(name) {
            self.fields.insert(to.to_owned(), value);
        }
        self
    }

    /// A text that is shown as it is.
    pub(crate) fn prose(mut self, text: impl Into<String>) -> Self {
        self.prose = Some(text.into());
        self
    }

    /// A handle.
    pub(crate) fn link(self, resource: Resource) -> Self {
        self.block(ContentBlock::resource_link(resource))
    }

    /// Something beside the text.
    pub(crate) fn block(mut self, block: ContentBlock) -> Self {
        self.blocks.push(block);
        self
    }

    /// The root that it is about, as the first field.
    pub(crate) fn root(mut self, root: &RawPath) -> Self {
        let root = root.display().into_owned();
        self.fields.shift_insert(0, "root".to_owned(), root.into());
        self
    }

    /// The fields alone.
    pub(crate) fn fields(self) -> Map<String, Value> {
        self.fields
    }

    /// Whether it has a field.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// The result of a call.
    pub(crate) fn result(mut self) -> CallToolResult {
        let mut cut = Vec::new();
        for (name, value) in &mut self.fields {
            shorten(value, name, &mut cut);
        }
        if !cut.is_empty() {
            let told: Vec<Value> = cut.into_iter().map(Value::String).collect();
            self.fields.insert("shortened".to_owned(), Value::Array(told));
        }
        let fields = Value::Object(self.fields);
        let text = match self.prose {
            Some(prose) => prose,
            None => fields.to_string(),
        };
        if text.len() > MAX_RESULT {
            let error = Error::too_large(format!("the result has {} bytes", text.len()))
                .why(format!("a result holds at most {MAX_RESULT}"))
                .next("ask for less: a smaller `limit`, or one thing at a time");
            return failure(&error, Profile::Compat);
        }
        let mut content = vec![ContentBlock::text(text)];
        content.extend(self.blocks);
        let mut result = CallToolResult::success(content);
        result.structured_content = Some(fields);
        result
    }
}

/// A failure as a result: what, why, next. The tools of `compat` have other names than those that are named here.
pub(crate) fn failure(error: &Error, profile: Profile) -> CallToolResult {
    let mut text = error.what.clone();
    if let Some(why) = &error.why {
        text.push_str("\nwhy: ");
        text.push_str(why);
    }
    if let Some(next) = &error.next {
        text.push_str("\nnext: ");
        match profile {
            Profile::Compat => text.push_str(next),
            _ => text.push_str(&in_tools(next)),
        }
    }
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    // Beside the text, for programs; it is not of the form of a success, and need not be.
    let meta = json!({ "org.task-orchestrator/error": error });
    result.meta = serde_json::from_value(meta).ok();
    result
}

/// What to do next in the words of the tools: who reads this may have no shell.
fn in_tools(next: &str) -> String {
    const WORDS: [(&str, &str); 9] = [
        (
            "`tocli task list --all`",
            "`orchestrator_tasks` with `action: list`, `all: true`",
        ),
        ("`tocli task list`", "`orchestrator_tasks` with `action: list`"),
        ("`tocli next --claim`", "`orchestrator_next` with `claim: true`"),
        (
            "`tocli artifact list`",
            "`orchestrator_artifact` with `action: list`",
        ),
        (
            "`tocli decision list`",
            "`orchestrator_decision` with `action: list`",
        ),
        ("`tocli recall`", "`orchestrator_context` with `action: recall`"),
        (
            "`tocli workspace list`",
            "`orchestrator_workspace` with `action: list`",
        ),
        ("`tocli files`", "`orchestrator_changes` with `action: files`"),
        // A flag of the command line is an argument here.
        ("`--", "`"),
    ];
    let replace = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
    WORDS.iter().fold(next.to_owned(), replace)
}

/// Times as people and models read them.
fn times(fields: &mut Map<String, Value>) {
    for (name, value) in fields.iter_mut() {
        match value {
            Value::Number(number) if TIMES.contains(&name.as_str()) => {
                let time = number
                    .as_i64()
                    .filter(|time| *time > A_TIME)
                    .and_then(|time| Timestamp::from_nanosecond(time.into()).ok());
                if let Some(time) = time {
                    *value = time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
                }
            }
            Value::Object(inner) => times(inner),
            Value::Array(list) => list.iter_mut().filter_map(Value::as_object_mut).for_each(times),
            _ => {}
        }
    }
}

/// Long texts are cut, and it is said which.
fn shorten(value: &mut Value, name: &str, cut: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() > MAX_TEXT => {
            let had = text.len();
            let end = text.floor_char_boundary(MAX_TEXT);
            text.truncate(end);
            cut.push(format!(
                "`{name}` has {had} bytes, of which these are the first {end}"
            ));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| shorten(value, name, cut)),
        Value::Object(fields) => fields
            .iter_mut()
            .for_each(|(name, value)| shorten(value, name, cut)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    enum Answer {
        Tasks { tasks: Vec<u8>, created: i64 },
        List(Vec<u8>),
        Deep { task: Value, more: u8 },
    }

    fn text(reply: Reply) -> String {
        Value::Object(reply.fields).to_string()
    }

    #[test]
    fn a_variant_is_what_it_holds_and_times_can_be_read() {
        let tasks = Answer::Tasks {
            tasks: vec![1],
            created: 1_795_262_400_000_000_000,
        };
        let reply = Reply::of_variant(&tasks, "list").root(&"/p".into());
        assert_eq!(
            text(reply),
            r#"{"root":"/p","tasks":[1],"created":"2026-11-21T12:00:00Z"}"#
        );
        let list = Reply::of_variant(&Answer::List(vec![2]), "history");
        assert_eq!(text(list), r#"{"history":[2]}"#);
        let deep = Answer::Deep {
            task: json!({ "id": 1 }),
            more: 2,
        };
        assert_eq!(
            text(Reply::of_variant(&deep, "").flat("task")),
            r#"{"id":1,"more":2}"#
        );
    }

    #[test]
    fn a_long_text_is_cut_and_that_is_said() {
        let long = "ä".repeat(MAX_TEXT);
        let result = Reply::of(&json!({ "text": long }), "").result();
        let fields = result.structured_content.expect("fields");
        assert_eq!(fields["text"].as_str().map(str::len), Some(MAX_TEXT));
        assert!(
            fields["shortened"][0]
                .as_str()
                .is_some_and(|said| said.contains("`text` has 32768 bytes"))
        );
    }

    #[test]
    fn what_to_do_next_is_said_in_the_words_of_the_tools() {
        assert_eq!(
            in_tools("`tocli task list --all` shows them; give it with `--decision`"),
            "`orchestrator_tasks` with `action: list`, `all: true` shows them; give it with `decision`"
        );
        assert_eq!(in_tools("`tocli task reopen x`"), "`tocli task reopen x`");
    }

    #[test]
    fn a_failure_says_what_why_and_next_and_is_flagged() {
        let result = failure(&Error::refused("no").why("because").next("try"), Profile::Core);
        assert_eq!(result.is_error, Some(true));
        assert_eq!(
            result.content[0].as_text().map(|text| text.text.as_str()),
            Some("no\nwhy: because\nnext: try")
        );
    }
}
