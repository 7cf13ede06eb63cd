//! The database's schema.

use std::io;

use proto::RawPath;
use proto::migrate::{Answer, Step};
use serde::Serialize;

use super::time;
use crate::out::{Form, Out};
use crate::quote::cell;

#[derive(Serialize)]
struct Status<'a> {
    schema: u32,
    target: u32,
    steps: &'a [Step],
    backup: Option<&'a RawPath>,
}

#[derive(Serialize)]
struct Check<'a> {
    from: u32,
    to: u32,
    records: u64,
    passed: &'a [String],
}

pub(super) fn answer(out: &mut Out, answer: &Answer) -> io::Result<()> {
    match answer {
        Answer::Status {
            schema,
            target,
            steps,
            backup,
        } => status(
            out,
            &Status {
                schema: *schema,
                target: *target,
                steps,
                backup: backup.as_ref(),
            },
        ),
        Answer::Check {
            from,
            to,
            records,
            passed,
        } => check(
            out,
            &Check {
                from: *from,
                to: *to,
                records: *records,
                passed,
            },
        ),
    }
}

fn status(out: &mut Out, status: &Status<'_>) -> io::Result<()> {
    if out.form() == Form::Json {
        return out.json(status);
    }
    let mut pairs = vec![
        ("schema", status.schema.to_string().into_bytes()),
        ("target", status.target.to_string().into_bytes()),
    ];
    if let Some(backup) = status.backup {
        pairs.push(("backup", out.name(backup)));
    }
    out.pairs(&pairs)?;
    let rows: Vec<[Vec<u8>; 4]> = status
        .steps
        .iter()
        .map(|step| {
            let applied = step.applied_at.map(|at| time(out, at));
            let checksum: String = step.checksum.chars().take(12).collect();
            [
                step.number.to_string().into_bytes(),
                cell(&step.name),
                cell(&checksum),
                applied.unwrap_or_else(|| b"to come".to_vec()),
            ]
        })
        .collect();
    out.table(["STEP", "NAME", "CHECKSUM", "APPLIED"], &rows)
}

fn check(out: &mut Out, check: &Check<'_>) -> io::Result<()> {
    if out.form() == Form::Json {
        return out.json(check);
    }
    out.pairs(&[
        ("from", check.from.to_string().into_bytes()),
        ("to", check.to.to_string().into_bytes()),
        ("records", check.records.to_string().into_bytes()),
    ])?;
    for sentence in check.passed {
        out.pairs(&[("passed", cell(sentence))])?;
    }
    Ok(())
}
