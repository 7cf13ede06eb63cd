//! Roles as a table or JSON, and one role with its whole text.

use std::io;

use proto::RawPath;
use proto::config::Layer;
use proto::role::{Answer, Role};
use serde::Serialize;
use serde_json::{Map, Value};

use super::word;
use crate::out::{Form, Out};
use crate::quote::cell;
use crate::voice::Voice;

#[derive(Serialize)]
struct View<'a> {
    name: &'a str,
    role_definition: &'a str,
    expertise: &'a [String],
    approach: &'a [String],
    output_format: &'a str,
    context_awareness: Map<String, Value>,
    layer: Layer,
    file: Option<&'a RawPath>,
}

impl<'a> View<'a> {
    fn of(role: &'a Role) -> Self {
        let hint = |(name, text): &(String, String)| {
            let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
            (name.clone(), value)
        };
        Self {
            name: &role.name,
            role_definition: &role.role_definition,
            expertise: &role.expertise,
            approach: &role.approach,
            output_format: &role.output_format,
            context_awareness: role.context_awareness.iter().map(hint).collect(),
            layer: role.layer,
            file: role.file.as_ref(),
        }
    }
}

#[derive(Serialize)]
struct List<'a> {
    roles: Vec<View<'a>>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Written<'a> {
    file: &'a RawPath,
    roles: &'a [String],
}

pub(super) fn answer(out: &mut Out, voice: &Voice, answer: &Answer) -> io::Result<()> {
    match answer {
        Answer::Roles { roles, warnings } => {
            if out.form() == Form::Json {
                let roles = roles.iter().map(View::of).collect();
                return out.json(&List { roles, warnings });
            }
            warnings.iter().for_each(|warning| voice.warn(warning));
            let rows: Vec<[Vec<u8>; 3]> = roles.iter().map(|role| row(out, role)).collect();
            out.table_of((["NAME", "FROM", "WHO"], &["WHO"]), &rows)
        }
        Answer::Role(role) if out.form() == Form::Json => out.json(&View::of(role)),
        Answer::Role(role) => one(out, role),
        Answer::Written { file, roles } if out.form() == Form::Json => out.json(&Written { file, roles }),
        Answer::Written { file, roles } => {
            voice.note(&format!("written: {}", String::from_utf8_lossy(&out.name(file))));
            roles.iter().try_for_each(|role| out.line(role))
        }
    }
}

fn row(out: &Out, role: &Role) -> [Vec<u8>; 3] {
    let first = role.role_definition.trim().lines().next().unwrap_or_default();
    [
        cell(&role.name),
        word(&role.layer).into_bytes(),
        out.prose(first, 60),
    ]
}

fn one(out: &mut Out, role: &Role) -> io::Result<()> {
    out.pairs(&[
        ("name", cell(&role.name)),
        ("from", word(&role.layer).into_bytes()),
    ])?;
    if let Some(file) = &role.file {
        let file = out.name(file);
        out.pairs(&[("file", file)])?;
    }
    out.line("")?;
    out.line(role.role_definition.trim_end())?;
    for (title, points) in [("Expertise", &role.expertise), ("Approach", &role.approach)] {
        if !points.is_empty() {
            out.line(&format!("\n{title}:"))?;
            points
                .iter()
                .try_for_each(|point| out.line(&format!("- {point}")))?;
        }
    }
    if !role.output_format.trim().is_empty() {
        out.line("\nOutput format:")?;
        out.line(role.output_format.trim_end())?;
    }
    if !role.context_awareness.is_empty() {
        out.line("\nContext awareness:")?;
        for (name, value) in &role.context_awareness {
            out.line(&format!("- {name}: {value}"))?;
        }
    }
    Ok(())
}
