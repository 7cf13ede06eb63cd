//! The ladder: from a folder to an open database, whatever state the folder is in.
//!
//! Asked by `Db`. Rungs, each tried only when the one before failed by damage: as it is; without left-over drafts of
//! snapshots; without snapshots (sled then reads its whole log); the newest good export; empty. What must stay true:
//! nothing of a damaged database is ever deleted, only set aside; a lock held by somebody, a full disk or a missing
//! permission is not damage and changes nothing; whatever was done is in the report.

use std::path::{Path, PathBuf};
use std::time::Duration;

use migrations::export;

use super::Options;
use super::disk::{self, Places};
use super::engine::Engine;
use super::probe;
use super::schema;
use super::trouble::Trouble;

/// How the database came to be open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// There was none: it is new and empty.
    Fresh,
    /// As the last close left it.
    AsLeft,
    /// After setting files aside that only sled needs: every record is there.
    Repaired,
    /// From an export: what was stored after `taken_at` is not in it.
    Restored {
        /// The export.
        export: PathBuf,
        /// When it was taken, nanoseconds since 1970 UTC.
        taken_at: i64,
    },
    /// It was damaged and there was no good export: it is empty.
    Emptied,
}

/// What had to be done to open the database: for the log, and for `status`, loudly when it is not harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Where its contents come from.
    pub source: Source,
    /// What was found and done, one sentence each, in order.
    pub notes: Vec<String>,
    /// Where the damaged files are kept.
    pub kept: Option<PathBuf>,
}

impl Recovery {
    /// True when the user must hear of it.
    #[must_use]
    pub fn is_loud(&self) -> bool {
        !matches!(self.source, Source::Fresh | Source::AsLeft)
    }
}

/// Climbs from where the folder is to an open database.
pub(super) fn open(places: &Places, options: &Options) -> Result<(Engine, Recovery), Trouble> {
    let io = |error: std::io::Error| Trouble::from_io(&error);
    let options = &patient(places, options);
    let existed = places.has_database().map_err(io)?;
    let clean = options.handed_over || places.is_clean().map_err(io)?;
    places.remove_clean().map_err(io)?;
    let mut ladder = Ladder {
        places,
        options,
        notes: Vec::new(),
        kept: None,
    };
    let is_stamped = places.is_stamped().map_err(io)?;
    let is_new = !existed && !is_stamped && places.mark().map_err(io)? == 0;
    if is_new && places.exports().map_err(io)?.is_empty() {
        let engine = Engine::open(places, options)?;
        return Ok((engine, ladder.report(Source::Fresh)));
    }
    if existed {
        let examine = if clean { Examine::Here } else { Examine::Outside };
        if let Some(engine) = ladder.attempt(examine)? {
            return Ok((engine, ladder.report(Source::AsLeft)));
        }
        if let Some(engine) = ladder.without_files()? {
            return Ok((engine, ladder.report(Source::Repaired)));
        }
    } else {
        ladder.note("the database's files are gone");
    }
    ladder.restore()
}

/// The same options with a limit that leaves a large log the time to be read, on a slow disk too.
fn patient(places: &Places, options: &Options) -> Options {
    let extra = Duration::from_secs(places.log_size() / SLOW_DISK);
    Options {
        limit: options.limit.saturating_add(extra),
        ..options.clone()
    }
}

/// Bytes a second that any disk can read (16 MiB).
const SLOW_DISK: u64 = 16 << 20;

/// A larger log (64 MiB) that was cleanly closed is not read through before it is served: that is done once a day (`reboot::care`).
const VERIFIED_HERE: u64 = 64 << 20;

/// Who looks at the database first.
#[derive(Clone, Copy)]
enum Examine {
    /// This process: the last close was clean.
    Here,
    /// A process of its own.
    Outside,
}

struct Ladder<'a> {
    places: &'a Places,
    options: &'a Options,
    notes: Vec<String>,
    kept: Option<PathBuf>,
}

impl Ladder<'_> {
    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    fn report(self, source: Source) -> Recovery {
        Recovery {
            source,
            notes: self.notes,
            kept: self.kept,
        }
    }

    /// Opens the database as it is now; none when it is damaged.
    fn attempt(&mut self, examine: Examine) -> Result<Option<Engine>, Trouble> {
        match self.try_open(examine) {
            Ok(engine) => Ok(Some(engine)),
            Err(Trouble::Damaged(why)) => {
                self.note(format!("the database does not open: {why}"));
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    fn try_open(&self, examine: Examine) -> Result<Engine, Trouble> {
        if matches!(examine, Examine::Outside) {
            probe::ask(self.places, self.options)?;
        }
        let engine = Engine::open(self.places, self.options)?;
        if probe::is_silently_empty(self.places, &engine)? {
            engine.close(self.places)?;
            return Err(Trouble::damaged(probe::SILENTLY_EMPTY));
        }
        let verified = match examine {
            Examine::Outside => self.options.probe.is_some(),
            Examine::Here => self.options.handed_over || self.places.log_size() > VERIFIED_HERE,
        };
        if !verified && let Err(trouble) = engine.verify() {
            engine.close(self.places)?;
            return Err(trouble);
        }
        Ok(engine)
    }

    /// Sets aside what sled can do without: first drafts of snapshots, then snapshots.
    fn without_files(&mut self) -> Result<Option<Engine>, Trouble> {
        let io = |error: std::io::Error| Trouble::from_io(&error);
        let leftovers = self.places.leftovers().map_err(io)?;
        if let Some(engine) = self.without(&leftovers, "left-over drafts of snapshots")? {
            return Ok(Some(engine));
        }
        // sled keeps its settings in a file and refuses a database of other ones; without the file it takes ours.
        let settings = self.places.settings().map_err(io)?;
        if let Some(engine) = self.without(&settings, "sled's settings")? {
            return Ok(Some(engine));
        }
        let snapshots = self.places.snapshots().map_err(io)?;
        self.without(&snapshots, "snapshots")
    }

    fn without(&mut self, names: &[String], what: &str) -> Result<Option<Engine>, Trouble> {
        if names.is_empty() {
            return Ok(None);
        }
        let aside = self.places.unused(&format!("db.damaged-{}", self.options.now));
        self.places
            .set_aside(names, &aside)
            .map_err(|error| Trouble::from_io(&error))?;
        self.note(format!("{what} were set aside in `{}`", aside.display()));
        self.kept.get_or_insert(aside);
        self.attempt(Examine::Outside)
    }

    /// The newest good export, or an empty database; what was there is kept.
    fn restore(mut self) -> Result<(Engine, Recovery), Trouble> {
        self.places
            .sweep_drafts()
            .map_err(|error| Trouble::from_io(&error))?;
        for candidate in newest_first(self.places)? {
            let fresh = self.places.unused("db.restoring");
            match import(&candidate.path, &fresh, self.options) {
                Ok(()) => {
                    self.put_in_place(Some(&fresh))?;
                    self.note(format!("the export `{}` was restored", candidate.path.display()));
                    let engine = Engine::open(self.places, self.options)?;
                    let source = Source::Restored {
                        export: candidate.path,
                        taken_at: candidate.taken_at,
                    };
                    return Ok((engine, self.report(source)));
                }
                Err(Trouble::Damaged(why)) => {
                    disk::remove_draft(&fresh);
                    self.note(format!(
                        "the export `{}` is no good: {why}",
                        candidate.path.display()
                    ));
                }
                Err(other) => {
                    disk::remove_draft(&fresh);
                    return Err(other);
                }
            }
        }
        self.put_in_place(None)?;
        self.note("there is no good export: the database is empty");
        let engine = Engine::open(self.places, self.options)?;
        Ok((engine, self.report(Source::Emptied)))
    }

    fn put_in_place(&mut self, fresh: Option<&Path>) -> Result<(), Trouble> {
        let aside = self.places.unused(&format!("db.damaged-{}", self.options.now));
        self.places
            .replace(&aside, fresh)
            .map_err(|error| Trouble::from_io(&error))?;
        self.note(format!("the damaged database is kept in `{}`", aside.display()));
        self.kept = Some(aside);
        Ok(())
    }
}

pub(super) struct Candidate {
    pub(super) path: PathBuf,
    taken_at: i64,
}

/// Exports that are whole, newest first. One that cannot be read is passed over: there may be an older one.
pub(super) fn newest_first(places: &Places) -> Result<Vec<Candidate>, Trouble> {
    let exports = places.exports().map_err(|error| Trouble::from_io(&error))?;
    let checked = exports.into_iter().filter_map(|path| {
        let summary = export::check(&path).ok()?;
        Some(Candidate {
            path,
            taken_at: summary.header.taken_at,
        })
    });
    let mut candidates: Vec<_> = checked.collect();
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.taken_at));
    Ok(candidates)
}

/// Makes a database of its own out of an export, on the disk and closed.
pub(super) fn import(export: &Path, fresh: &Path, options: &Options) -> Result<(), Trouble> {
    let places = Places {
        state: fresh.to_owned(),
        db: fresh.to_owned(),
        backups: fresh.to_owned(),
    };
    let io = |error: std::io::Error| Trouble::from_io(&error);
    places.make().map_err(io)?;
    let engine = Engine::open(
        &places,
        &Options {
            limit: Duration::MAX,
            ..options.clone()
        },
    )?;
    let summary = export::import(export, &engine.sled).map_err(|error| from_migrations(&error))?;
    engine.flush(options.disk.as_ref(), summary.header.sequence)?;
    engine.close(&places)?;
    places.write_schema(summary.header.schema).map_err(io)
}

/// Sorts an error of the migrations crate.
pub(super) fn from_migrations(error: &migrations::Error) -> Trouble {
    match error {
        migrations::Error::Db(error) => Trouble::from_sled(error),
        migrations::Error::Io(error) => Trouble::from_io(error),
        other => Trouble::Damaged(other.to_string()),
    }
}

/// Writes every record of `engine` to new files and puts them in place of the old ones, which are removed: nothing is
/// known to be wrong with what was read from them, only with what the disk has kept of it.
pub(super) fn rewrite(places: &Places, options: &Options, engine: Engine) -> Result<(), Trouble> {
    let io = |error: std::io::Error| Trouble::from_io(&error);
    places.sweep_drafts().map_err(io)?;
    let (copy, fresh) = (
        places.state.join("db.restoring.todexp"),
        places.state.join("db.restoring"),
    );
    let written = schema::export_to(&engine, &copy, options.now)
        .map_err(|error| Trouble::Unavailable(error.to_string()))
        .and_then(|_| import(&copy, &fresh, options));
    engine.close(places)?;
    written?;
    let aside = places.unused("db.restoring-replaced");
    places.replace(&aside, Some(&fresh)).map_err(io)?;
    places.sweep_drafts().map_err(io)
}
