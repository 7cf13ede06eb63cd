//! Settings as a table or JSON, with the layer and the file that set each where that is asked.

use std::io;

use proto::RawPath;
use proto::config::{Answer, Layer, Setting};
use serde::Serialize;
use serde_json::Value;

use super::{Wishes, word};
use crate::out::{Form, Out};
use crate::quote::cell;
use crate::voice::Voice;

/// A setting with its value as JSON, which the wire carries as text.
#[derive(Serialize)]
struct View<'a> {
    key: &'a str,
    value: Value,
    layer: Layer,
    file: Option<&'a RawPath>,
    line: Option<u32>,
}

impl<'a> View<'a> {
    fn of(setting: &'a Setting) -> Self {
        Self {
            key: &setting.key,
            value: value(setting),
            layer: setting.layer,
            file: setting.file.as_ref(),
            line: setting.line,
        }
    }
}

#[derive(Serialize)]
struct One<'a> {
    #[serde(flatten)]
    setting: View<'a>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct List<'a> {
    settings: Vec<View<'a>>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Written<'a> {
    file: &'a RawPath,
    now: Option<View<'a>>,
    kept: Option<&'a RawPath>,
}

fn value(setting: &Setting) -> Value {
    serde_json::from_str(&setting.value).unwrap_or_else(|_| Value::String(setting.value.clone()))
}

/// A text as it is, everything else as JSON.
fn shown(setting: &Setting) -> Vec<u8> {
    match value(setting) {
        Value::String(text) => cell(&text),
        other => cell(&other.to_string()),
    }
}

/// The value in a column of a table.
fn brief(out: &Out, setting: &Setting) -> Vec<u8> {
    out.prose(&String::from_utf8_lossy(&shown(setting)), 40)
}

fn origin(out: &Out, setting: &Setting) -> Vec<u8> {
    let mut text = word(&setting.layer).into_bytes();
    if let Some(file) = &setting.file {
        text.push(b' ');
        text.extend(out.name(file));
        if let Some(line) = setting.line {
            text.extend(format!(":{line}").into_bytes());
        }
    }
    text
}

pub(super) fn answer(out: &mut Out, voice: &Voice, answer: &Answer, wishes: Wishes) -> io::Result<()> {
    match answer {
        Answer::Setting { setting, warnings } if out.form() == Form::Json => out.json(&One {
            setting: View::of(setting),
            warnings,
        }),
        Answer::Setting { setting, warnings } => {
            warnings.iter().for_each(|warning| voice.warn(warning));
            let mut line = shown(setting);
            if wishes.origin {
                line.push(b'\t');
                line.extend(origin(out, setting));
            }
            out.cell_line(&line)
        }
        Answer::Settings { settings, warnings } => {
            if out.form() == Form::Json {
                let settings = settings.iter().map(View::of).collect();
                return out.json(&List { settings, warnings });
            }
            warnings.iter().for_each(|warning| voice.warn(warning));
            list(out, settings, wishes)
        }
        Answer::Written { file, now, kept } => {
            if out.form() == Form::Json {
                let now = now.as_ref().map(View::of);
                let kept = kept.as_ref();
                return out.json(&Written { file, now, kept });
            }
            let name = |path: &RawPath| String::from_utf8_lossy(&out.name(path)).into_owned();
            voice.note(&format!("written: {}", name(file)));
            if let Some(kept) = kept {
                voice.note(&format!("the old file is kept as {}", name(kept)));
            }
            if let Some(now) = now {
                let (value, origin) = (shown(now), origin(out, now));
                let (value, origin) = (String::from_utf8_lossy(&value), String::from_utf8_lossy(&origin));
                voice.note(&format!("in force: {} = {value} ({origin})", now.key));
            }
            Ok(())
        }
    }
}

fn list(out: &mut Out, settings: &[Setting], wishes: Wishes) -> io::Result<()> {
    if wishes.origin {
        let rows: Vec<[Vec<u8>; 3]> = settings
            .iter()
            .map(|setting| [cell(&setting.key), brief(out, setting), origin(out, setting)])
            .collect();
        return out.table_of((["KEY", "VALUE", "ORIGIN"], &["VALUE"]), &rows);
    }
    let rows: Vec<[Vec<u8>; 2]> = settings
        .iter()
        .map(|setting| [cell(&setting.key), shown(setting)])
        .collect();
    out.table_of((["KEY", "VALUE"], &["VALUE"]), &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::tests::written;

    fn setting(value: &str) -> Setting {
        Setting {
            key: "a.b".into(),
            value: value.into(),
            layer: Layer::User,
            file: Some("/c.yaml".into()),
            line: Some(3),
        }
    }

    #[test]
    fn a_value_is_shown_bare_and_is_json_in_json() {
        let show = |form, value: &str| {
            let answered = Answer::Setting {
                setting: setting(value),
                warnings: Vec::new(),
            };
            written(form, |out| {
                answer(out, &Voice::silent(), &answered, Wishes::default())
            })
        };
        assert_eq!(show(Form::Pipe, "5"), "5\n");
        assert_eq!(show(Form::Pipe, "\"text\""), "text\n");
        let json = show(Form::Json, "[1,2]");
        assert!(
            json.contains(r#""value":[1,2],"layer":"user","file":"/c.yaml","line":3"#),
            "{json}"
        );
    }

    #[test]
    fn the_origin_names_layer_file_and_line() {
        let answered = Answer::Settings {
            settings: vec![setting("5")],
            warnings: Vec::new(),
        };
        let text = written(Form::Pipe, |out| {
            answer(
                out,
                &Voice::silent(),
                &answered,
                Wishes {
                    origin: true,
                    most: None,
                },
            )
        });
        assert_eq!(text, "a.b\t5\tuser /c.yaml:3\n");
    }
}
