//! The runner: which steps a database has, which it needs, and the one batch that applies them.
//!
//! Asked by the store while it opens. What must stay true: steps are applied in order, all or none; the record of what
//! was applied is part of the same batch as what it speaks of; a database that is newer, or was made by another version
//! of a step, is refused before anything is written.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::draft::Draft;
use crate::error::{Error, Result};
use crate::steps::Step;
use crate::{export, layout};

/// The version byte of the schema record.
const RECORD_VERSION: u8 = 1;

/// One step that was applied to a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Its number, from 1.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// The digest of its frozen source, BLAKE3.
    pub checksum: [u8; 32],
    /// When, nanoseconds since 1970 UTC.
    pub applied_at: i64,
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The schema before, 0 for an empty database.
    pub from: u32,
    /// The schema now.
    pub to: u32,
    /// The numbers of the steps applied.
    pub applied: Vec<u32>,
}

/// The steps recorded in `tree`, in order; none in a database that was never stamped.
///
/// # Errors
/// `Db` or `Record` when the record cannot be read.
pub fn recorded(tree: &sled::Tree) -> Result<Vec<Applied>> {
    let key = layout::full_key(layout::META, layout::SCHEMA_KEY);
    let Some(bytes) = tree.get(key)? else {
        return Ok(Vec::new());
    };
    let refuse = |why: &str| {
        Err(Error::Record {
            key: "meta/schema".to_owned(),
            why: why.to_owned(),
        })
    };
    match bytes.split_first() {
        Some((&RECORD_VERSION, body)) => match postcard::take_from_bytes(body) {
            Ok((applied, [])) => Ok(applied),
            Ok(_) => refuse("bytes are left over"),
            Err(error) => refuse(&error.to_string()),
        },
        _ => refuse("its version is not known"),
    }
}

/// The steps of `steps` that `tree` still needs.
///
/// # Errors
/// `Newer` when the database has steps beyond `steps`, `Altered` when it was made with another version of one.
pub fn pending<'s>(tree: &sled::Tree, steps: &'s [Step]) -> Result<&'s [Step]> {
    let recorded = recorded(tree)?;
    for applied in &recorded {
        let Some(step) = steps.iter().find(|step| step.number == applied.number) else {
            let known = steps.last().map_or(0, |step| step.number);
            return Err(Error::Newer {
                found: recorded.last().map_or(0, |last| last.number),
                known,
            });
        };
        if step.checksum() != applied.checksum {
            return Err(Error::Altered { number: step.number });
        }
    }
    Ok(steps.get(recorded.len()..).unwrap_or_default())
}

/// Applies every pending step as one batch. The caller has taken a backup, and flushes afterwards.
///
/// # Errors
/// Those of [`pending`]; `Step` when one fails or does not validate: the database is then exactly what it was.
pub fn migrate(tree: &sled::Tree, steps: &[Step], now: i64) -> Result<Report> {
    let mut applied = recorded(tree)?;
    let from = applied.last().map_or(0, |last| last.number);
    let todo = pending(tree, steps)?;
    if todo.is_empty() {
        return Ok(Report {
            from,
            to: from,
            applied: Vec::new(),
        });
    }
    let mut draft = Draft::new(tree);
    for step in todo {
        let failed = |error: Error| Error::Step {
            number: step.number,
            name: step.name,
            why: error.to_string(),
        };
        (step.apply)(&mut draft).map_err(failed)?;
        (step.validate)(&draft).map_err(failed)?;
        applied.push(Applied {
            number: step.number,
            name: step.name.to_owned(),
            checksum: step.checksum(),
            applied_at: now,
        });
    }
    draft.put(layout::META, layout::SCHEMA_KEY, encode(&applied)?);
    tree.apply_batch(draft.into_batch()?)?;
    let numbers: Vec<u32> = todo.iter().map(|step| step.number).collect();
    Ok(Report {
        from,
        to: numbers.last().copied().unwrap_or(from),
        applied: numbers,
    })
}

/// Runs every step of `todo`'s validation again on what is stored, after the flush.
///
/// # Errors
/// `Step` when one does not hold.
pub fn validate(tree: &sled::Tree, steps: &[Step], numbers: &[u32]) -> Result<()> {
    // A step validates the shape it made; a later step of the same run may have changed it again.
    let Some(step) = steps.iter().rfind(|step| numbers.contains(&step.number)) else {
        return Ok(());
    };
    (step.validate)(&Draft::new(tree)).map_err(|error| Error::Step {
        number: step.number,
        name: step.name,
        why: error.to_string(),
    })
}

/// Tries all pending steps on the database in `export_file`, in a database of its own within `scratch`, which must be
/// an empty folder that the caller removes.
///
/// # Errors
/// Whatever [`migrate`] would say about the real one.
pub fn rehearse(export_file: &Path, scratch: &Path, steps: &[Step], now: i64) -> Result<Report> {
    let db = layout::config(scratch).open()?;
    export::import(export_file, &db)?;
    let report = migrate(&db, steps, now)?;
    validate(&db, steps, &report.applied)?;
    Ok(report)
}

fn encode(applied: &Vec<Applied>) -> Result<Vec<u8>> {
    postcard::to_extend(applied, vec![RECORD_VERSION]).map_err(|error| Error::Record {
        key: "meta/schema".to_owned(),
        why: error.to_string(),
    })
}
