//! Bringing a database to this build's schema while it opens.
//!
//! Asked by `Db::open` alone. The order is: refuse a newer one by its stamp file; back up; write the stamp file (an
//! older build refuses from here on); apply all steps as one batch; flush; validate what is stored. When anything
//! fails, the backup takes the database's place again and the daemon does not start.

use std::path::{Path, PathBuf};

use migrations::{Report, export, layout};
use proto::error::{Error, Result};

use super::Options;
use super::disk::Places;
use super::engine::Engine;
use super::open::{Recovery, from_migrations, import};
use super::trouble::Trouble;

/// What was done about the schema.
pub(super) struct Migration {
    pub(super) report: Report,
    pub(super) backup: Option<PathBuf>,
}

/// Refuses a database of a newer schema by its stamp file alone: nothing is opened.
pub(super) fn refuse_newer(places: &Places, options: &Options) -> Result<()> {
    let known = options.steps.last().map_or(0, |step| step.number);
    match places.schema() {
        Ok(Some(found)) if found > known => Err(refused(&migrations::Error::Newer { found, known })),
        // A stamp that cannot be read is met again, and named, when the folder is opened.
        _ => Ok(()),
    }
}

fn refused(error: &migrations::Error) -> Error {
    let next = match error {
        migrations::Error::Newer { .. } => "run the newer `tod` that made it, or set another `TOD_STATE_DIR`",
        _ => "run the build that made it, or set another `TOD_STATE_DIR`",
    };
    Error::refused("this build cannot use the database")
        .why(error)
        .next(next)
}

/// Applies what is pending.
pub(super) fn migrate(
    places: &Places,
    options: &Options,
    engine: Engine,
    mut recovery: Recovery,
) -> Result<(Engine, Recovery, Migration)> {
    let recorded = migrations::recorded(&engine.sled);
    let pending =
        recorded.and_then(|recorded| Ok((recorded, migrations::pending(&engine.sled, options.steps)?)));
    let (recorded, pending) = match pending {
        Ok(found) => found,
        Err(error @ (migrations::Error::Newer { .. } | migrations::Error::Altered { .. })) => {
            engine.close(places).map_err(Trouble::into_error)?;
            return Err(refused(&error));
        }
        Err(error) => return Err(from_migrations(&error).into_error()),
    };
    let schema = recorded.last().map_or(0, |last| last.number);
    let Some(target) = pending.last().map(|step| step.number) else {
        stamp(places, schema)?;
        let report = Report {
            from: schema,
            to: schema,
            applied: Vec::new(),
        };
        return Ok((engine, recovery, Migration { report, backup: None }));
    };
    let backup = match schema {
        0 => None,
        _ => {
            let name = format!("before-schema-{target}-{}.todexp", options.now);
            let path = places.backups.join(name);
            export_to(&engine, &path, options.now)?;
            stamp(places, target)?;
            Some(path)
        }
    };
    match apply(options, &engine) {
        Ok(report) => {
            stamp(places, target)?;
            Ok((engine, recovery, Migration { report, backup }))
        }
        Err(error) => {
            let put_back = put_back(places, engine, (backup.as_deref(), schema), options);
            recovery.notes.push(format!("{error}"));
            Err(not_migrated(&error, backup.as_deref(), put_back))
        }
    }
}

fn apply(options: &Options, engine: &Engine) -> std::result::Result<Report, migrations::Error> {
    let report = migrations::migrate(&engine.sled, options.steps, options.now)?;
    let sequence = layout::Tally::stored(&engine.sled)?.sequence;
    engine
        .flush(options.disk.as_ref(), sequence)
        .map_err(|trouble| migrations::Error::Io(std::io::Error::other(trouble.into_error().to_string())))?;
    migrations::validate(&engine.sled, options.steps, &report.applied)?;
    Ok(report)
}

/// Puts the backup in the database's place; without one there was nothing, and there is nothing again.
fn put_back(
    places: &Places,
    engine: Engine,
    (backup, schema): (Option<&Path>, u32),
    options: &Options,
) -> std::result::Result<(), Trouble> {
    // The database's state no longer matters: it is set aside.
    drop(engine.close(places));
    let io = |error: std::io::Error| Trouble::from_io(&error);
    let aside = places.unused(&format!("db.failed-migration-{}", options.now));
    let Some(backup) = backup else {
        return places.replace(&aside, None).map_err(io);
    };
    places.sweep_drafts().map_err(io)?;
    let fresh = places.unused("db.restoring");
    import(backup, &fresh, options)?;
    places.replace(&aside, Some(&fresh)).map_err(io)?;
    places.write_schema(schema).map_err(io)
}

fn not_migrated(
    error: &migrations::Error,
    backup: Option<&Path>,
    put_back: std::result::Result<(), Trouble>,
) -> Error {
    let refused = Error::refused("the database could not be brought to this build's schema").why(error);
    match (put_back, backup) {
        (Ok(()), _) => refused.next("it is as it was before: run the older `tod`, and report this"),
        (Err(trouble), Some(backup)) => refused.next(format!(
            "the backup `{}` could not be put back ({}): keep it, and report this",
            backup.display(),
            trouble.into_error()
        )),
        (Err(trouble), None) => refused.next(format!("report this ({})", trouble.into_error())),
    }
}

fn stamp(places: &Places, schema: u32) -> Result<()> {
    let stamped = || match places.schema()? {
        Some(found) if found == schema => Ok(()),
        _ => places.write_schema(schema),
    };
    stamped().map_err(|error| Trouble::from_io(&error).into_error())
}

/// Exports all of `engine` to `path`. The caller keeps writers away.
pub(super) fn export_to(engine: &Engine, path: &Path, now: i64) -> Result<export::Summary> {
    let failed = |error: migrations::Error| {
        Error::unavailable(format!(
            "the database could not be exported to `{}`",
            path.display()
        ))
        .why(error)
    };
    let recorded = migrations::recorded(&engine.sled).map_err(failed)?;
    let sequence = engine.tally().map_err(Trouble::into_error)?.sequence;
    let schema = recorded.last().map_or(0, |last| last.number);
    export::write(
        &engine.sled,
        path,
        export::Header {
            schema,
            taken_at: now,
            sequence,
        },
    )
    .map_err(failed)
}
