//! The plans that come with the program, as data files. Pure.
//!
//! A template is a plan with `{{name}}` in its texts. Values are put in after it has been read, so that no value can
//! change its form.

use proto::error::{Error, Result};
use proto::task::Template;

use super::document::{self, Item};
use super::rules;
use crate::workspace::tree::nearest;

struct Kept {
    name: &'static str,
    about: &'static str,
    text: &'static str,
}

const KEPT: [Kept; 5] = [
    Kept {
        name: "feature",
        about: "Design, build, test, document and review something new",
        text: include_str!("templates/feature.yaml"),
    },
    Kept {
        name: "bugfix",
        about: "Reproduce, find the cause, fix it, and keep it fixed",
        text: include_str!("templates/bugfix.yaml"),
    },
    Kept {
        name: "refactoring",
        about: "Change the shape of code without changing what it does",
        text: include_str!("templates/refactoring.yaml"),
    },
    Kept {
        name: "research",
        about: "Answer a question with evidence, and decide",
        text: include_str!("templates/research.yaml"),
    },
    Kept {
        name: "release",
        about: "Bring a version to its users",
        text: include_str!("templates/release.yaml"),
    },
];

/// The variable that every template has.
const TITLE: &str = "title";

fn find(name: &str) -> Result<&'static Kept> {
    KEPT.iter().find(|kept| kept.name == name).ok_or_else(|| {
        let error = Error::not_found(format!("no template `{}`", rules::shown(name)));
        match nearest(name, KEPT.iter().map(|kept| kept.name)) {
            Some(near) => error.next(format!("did you mean `{near}`?")),
            None => error.next("`tocli task template list` shows them"),
        }
    })
}

/// All of them.
///
/// # Errors
/// `Usage` when one cannot be read, which a test rules out.
pub fn all() -> Result<Vec<Template>> {
    KEPT.iter()
        .map(|kept| {
            let tasks = document::read(kept.text)?.len() - 1;
            Ok(Template {
                name: kept.name.to_owned(),
                description: kept.about.to_owned(),
                tasks: u32::try_from(tasks).unwrap_or(u32::MAX),
                variables: variables(kept.text),
            })
        })
        .collect()
}

/// The text of one.
///
/// # Errors
/// `NotFound`, with the nearest name.
pub fn text(name: &str) -> Result<&'static str> {
    find(name).map(|kept| kept.text)
}

/// The tasks of one, with values put in.
///
/// # Errors
/// `NotFound`, with the nearest name; `Usage` for a value that nothing asks for or one that is missing.
pub fn items(name: &str, title: &str, values: &[(String, String)]) -> Result<Vec<Item>> {
    rules::title(title)?;
    let text = text(name)?;
    let known = variables(text);
    for (name, _) in values {
        if name == TITLE || !known.contains(name) {
            return Err(
                Error::usage(format!("the template has no variable `{}`", rules::shown(name)))
                    .next(format!("it has: {}", known.join(", "))),
            );
        }
    }
    if let Some(missing) = known
        .iter()
        .find(|name| *name != TITLE && !values.iter().any(|(given, _)| given == *name))
    {
        return Err(
            Error::usage(format!("the template needs a value for `{missing}`"))
                .next(format!("add `--set {missing}=VALUE`")),
        );
    }
    let fill = |text: &mut String| *text = filled(text, title, values);
    let mut items = document::read(text)?;
    for item in &mut items {
        fill(&mut item.task.title);
        fill(&mut item.task.description);
        fill(&mut item.task.context);
    }
    Ok(items)
}

/// Replaces each `{{name}}` once: what a value brings is not looked at again.
fn filled(text: &str, title: &str, values: &[(String, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            out.push_str("{{");
            rest = after;
            continue;
        };
        match values.iter().find(|(given, _)| given == name) {
            _ if name == TITLE => out.push_str(title),
            Some((_, value)) => out.push_str(value),
            None => out.push_str(&format!("{{{{{name}}}}}")),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn variables(text: &str) -> Vec<String> {
    let mut found: Vec<String> = text
        .split("{{")
        .skip(1)
        .filter_map(|part| part.split_once("}}"))
        .map(|(name, _)| name.to_owned())
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::board::Board;
    use crate::task::plan;
    use crate::task::who::Who;
    use std::time::Duration;

    #[test]
    fn every_template_becomes_tasks_that_can_all_be_done() {
        let who = Who {
            actor: "me".to_owned(),
            now: 1,
            running: Duration::ZERO,
            lease: Duration::ZERO,
            max_attempts: 3,
        };
        for template in all().expect("readable") {
            let mut number = 0_u32;
            let mut chance = || {
                number += 1;
                number.to_be_bytes()
            };
            let items = items(&template.name, "{{title}} \"x\": [", &[]).expect("filled");
            let laid = plan::lay(&Board::default(), &who, &items, None, &mut chance).expect("laid");
            assert!(laid.tasks.len() >= 4, "{} is too small to help", template.name);
            assert!(
                items[0].task.title.contains("{{title}} \"x\": ["),
                "values are not looked at again"
            );
        }
    }

    #[test]
    fn a_value_that_nothing_asks_for_is_refused() {
        let values = [("color".to_owned(), "red".to_owned())];
        assert!(items("feature", "T", &values).is_err());
        assert!(
            items("featur", "T", &[])
                .expect_err("unknown")
                .next
                .expect("a hint")
                .contains("feature")
        );
    }
}
