//! Finding the databases of an old project, and taking private copies of them.
//!
//! What must stay true: what is beneath the named path is read beneath it, and through no link that leads out; the
//! originals are opened to be read and nothing else.

use std::io;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use migrations::legacy::{self, Limits, Originals, SUFFIXES, Scratch, Trouble};
use proto::error::{Error, Result};

use crate::world::{FileKind, World};

/// The folder of the old program within a project. Ours has the same name.
pub const FOLDER: &str = ".task_orchestrator";

/// Where its databases are within a project, the newest release first.
const DATABASES: [&str; 4] = [
    ".task_orchestrator/tasks.sqlite",
    ".task_orchestrator/task_orchestrator.db",
    ".task_orchestrator/databases/operational/tasks.db",
    "task_orchestrator.db",
];

/// What was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The folder beneath which all is read.
    pub base: PathBuf,
    /// Databases within it.
    pub databases: Vec<PathBuf>,
    /// Whether `base` is the project: then files of results can be found in it.
    pub project: bool,
}

/// An open copy of one of them.
pub struct Open {
    /// Where the original is.
    pub path: PathBuf,
    /// The copy.
    pub legacy: legacy::Legacy,
    /// What somebody should know, a sentence each.
    pub warnings: Vec<String>,
}

/// Finds what a path names.
///
/// # Errors
/// `NotFound` when there is nothing there, `Refused` when it is no file and no folder.
pub fn find(world: &dyn World, path: &Path) -> Result<Source> {
    let there = world.stat(path).map_err(|error| {
        Error::not_found(format!("there is nothing at `{}`", path.display()))
            .why(error)
            .next("name an old database, or the project folder that holds `.task_orchestrator/`")
    })?;
    match there.kind {
        FileKind::Dir => project(world, path),
        FileKind::File => database(path),
        FileKind::Link => {
            Err(Error::refused(format!("`{}` is a symbolic link", path.display()))
                .next("name what it points to"))
        }
        FileKind::Other => Err(
            Error::refused(format!("`{}` is no file and no folder", path.display()))
                .next("name an old database, or the project folder that holds `.task_orchestrator/`"),
        ),
    }
}

fn project(world: &dyn World, path: &Path) -> Result<Source> {
    let base = match path.file_name() {
        Some(name) if name == FOLDER => path.parent().unwrap_or(path),
        _ => path,
    };
    let is_file = |relative: &&&str| {
        world
            .stat_beneath(base, Path::new(relative))
            .is_ok_and(|stat| stat.kind == FileKind::File && stat.size > 0)
    };
    let databases: Vec<PathBuf> = DATABASES.iter().filter(is_file).map(PathBuf::from).collect();
    if databases.is_empty() {
        return Err(
            Error::not_found(format!("no old database in `{}`", base.display()))
                .why(format!("there is none of {}", DATABASES.join(", ")))
                .next("name the database itself"),
        );
    }
    Ok(Source {
        base: base.to_path_buf(),
        databases,
        project: true,
    })
}

fn database(path: &Path) -> Result<Source> {
    let nowhere = || Error::usage(format!("`{}` is not the path of a file", path.display()));
    // The project is above the old program's folder, when the database lies in one.
    let project = path
        .ancestors()
        .skip(1)
        .take(4)
        .find(|above| above.file_name().is_some_and(|name| name == FOLDER));
    let base = match project {
        Some(folder) => folder.parent(),
        None => path.parent(),
    };
    let base = base.ok_or_else(nowhere)?;
    Ok(Source {
        base: base.to_path_buf(),
        databases: vec![path.strip_prefix(base).map_err(|_| nowhere())?.to_path_buf()],
        project: project.is_some(),
    })
}

/// Copies and opens all that were found, the newest release first. One that is none of the program's is passed over when there
/// is another.
///
/// # Errors
/// What kept the first one from being read, when none could be.
pub fn open(world: &dyn World, source: &Source, scratch: &Scratch) -> Result<Vec<Open>> {
    let mut found = Vec::new();
    let mut first: Option<Error> = None;
    for (number, relative) in source.databases.iter().enumerate() {
        let path = source.base.join(relative);
        match copied(world, source, relative, (scratch, number)) {
            Ok((legacy, warnings)) => found.push(Open {
                path,
                legacy,
                warnings,
            }),
            Err(trouble) => {
                first.get_or_insert_with(|| worded(&path, &trouble));
            }
        }
    }
    match (found.is_empty(), first) {
        (true, Some(error)) => Err(error),
        _ => Ok(found),
    }
}

fn copied(
    world: &dyn World,
    source: &Source,
    relative: &Path,
    (scratch, number): (&Scratch, usize),
) -> std::result::Result<(legacy::Legacy, Vec<String>), Trouble> {
    let limits = Limits::usual(TimeZone::system());
    let mut beside = [None, None];
    for (slot, suffix) in beside.iter_mut().zip(SUFFIXES) {
        let mut name = relative.as_os_str().to_owned();
        name.push(suffix);
        *slot = match world.open_file(&source.base, Path::new(&name)) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
    }
    let mut originals = Originals {
        database: world.open_file(&source.base, relative)?,
        beside,
    };
    let copied = legacy::copy(&mut originals, &scratch.folder(number)?, &limits)?;
    Ok((legacy::Legacy::open(&copied.path, limits)?, copied.warnings))
}

/// A failure of the reader in words of ours.
#[must_use]
pub fn worded(path: &Path, trouble: &Trouble) -> Error {
    let what = format!("`{}` cannot be imported", path.display());
    let error = match trouble {
        Trouble::NotSqlite | Trouble::Unknown(_) => {
            Error::usage(what).next("name a database of the MCP Task Orchestrator 1.2 to 2.0")
        }
        Trouble::TooLarge(_) => Error::too_large(what),
        Trouble::TooSlow => Error::too_large(what).next("repeat it when the machine has less to do"),
        Trouble::Damaged(_) => Error::refused(what)
            .next("`sqlite3 OLD '.recover' | sqlite3 NEW` may save what is left; then import the new one"),
        Trouble::Io(_) => Error::unavailable(what),
    };
    error.why(trouble)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::FakeWorld;

    #[test]
    fn a_project_is_named_by_its_folder_by_the_old_one_in_it_or_by_a_database_in_that() {
        let world = FakeWorld::new();
        world
            .file("/p/.task_orchestrator/tasks.sqlite", "x")
            .file("/p/.task_orchestrator/task_orchestrator.db", "")
            .file("/p/.task_orchestrator/databases/operational/tasks.db", "x");
        let source = find(&world, Path::new("/p")).expect("found");
        assert_eq!(
            find(&world, Path::new("/p/.task_orchestrator")),
            Ok(source.clone())
        );
        assert_eq!((source.base.as_path(), source.project), (Path::new("/p"), true));
        let named: Vec<&str> = source.databases.iter().filter_map(|path| path.to_str()).collect();
        assert_eq!(
            named,
            [DATABASES[0], DATABASES[2]],
            "an empty file is no database"
        );
        let deep = find(
            &world,
            Path::new("/p/.task_orchestrator/databases/operational/tasks.db"),
        )
        .expect("found");
        assert_eq!(deep.base, Path::new("/p"));
        assert_eq!(deep.databases, [PathBuf::from(DATABASES[2])]);
    }

    #[test]
    fn a_database_on_its_own_has_no_project_and_a_link_is_followed_nowhere() {
        let world = FakeWorld::new();
        world
            .file("/old/tasks.db", "x")
            .link("/old/link", "/old/tasks.db")
            .dir("/empty");
        let source = find(&world, Path::new("/old/tasks.db")).expect("found");
        assert_eq!(
            (source.base.as_path(), source.project),
            (Path::new("/old"), false)
        );
        for (path, kind) in [
            ("/old/link", proto::Kind::Refused),
            ("/empty", proto::Kind::NotFound),
            ("/nowhere", proto::Kind::NotFound),
        ] {
            assert_eq!(
                find(&world, Path::new(path)).expect_err("no").kind,
                kind,
                "{path}"
            );
        }
    }
}
