//! Reading databases of the older program: whatever is in the file, it is a clear answer, in bounded time and memory.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "in a test a panic is the verdict"
)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use migrations::legacy::{Contents, Legacy, Limits, Originals, Place, Trouble, copy};
use rusqlite::Connection;

const FIRST: &str = "CREATE TABLE task_breakdowns (parent_task_id TEXT PRIMARY KEY, description TEXT NOT NULL, complexity TEXT \
    NOT NULL, context TEXT, created_at TIMESTAMP NOT NULL);
    CREATE TABLE subtasks (task_id TEXT PRIMARY KEY, parent_task_id TEXT NOT NULL, title TEXT NOT NULL, description TEXT NOT \
    NULL, specialist_type TEXT NOT NULL, dependencies TEXT, estimated_effort TEXT NOT NULL, status TEXT NOT NULL, results TEXT, \
    artifacts TEXT, created_at TIMESTAMP NOT NULL, completed_at TIMESTAMP);";

fn limits() -> Limits {
    Limits::usual(TimeZone::UTC)
}

struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("old.db")
    }

    fn sql(&self, sql: &str) -> Connection {
        let connection = Connection::open(self.path()).unwrap();
        connection.execute_batch(sql).unwrap();
        connection
    }

    fn open(&self, limits: Limits) -> Result<Legacy, Trouble> {
        open(&self.path(), &self.folder.path().join("copy"), limits)
    }

    fn contents(&self) -> Contents {
        self.open(limits()).unwrap().contents().unwrap()
    }
}

fn open(path: &Path, folder: &Path, limits: Limits) -> Result<Legacy, Trouble> {
    std::fs::create_dir_all(folder).unwrap();
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        File::open(name).ok()
    };
    let mut originals = Originals {
        database: File::open(path).unwrap(),
        beside: [beside("-wal"), beside("-journal")],
    };
    let copied = copy(&mut originals, folder, &limits)?;
    Legacy::open(&copied.path, limits)
}

fn row(id: &str) -> String {
    format!(
        "INSERT INTO subtasks VALUES ('{id}','p','T','D','coder','[]','2h','pending',NULL,'[]','2026-01-02 03:04:05',NULL);"
    )
}

#[test]
fn rows_that_stand_in_the_wal_alone_are_read_and_the_original_stays_as_it_was() {
    let scene = Scene::new();
    let connection = scene.sql(&format!(
        "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; {FIRST}"
    ));
    connection.execute_batch(&row("in-the-wal")).unwrap();
    let files = || {
        ["old.db", "old.db-wal", "old.db-shm"]
            .map(|name| std::fs::read(scene.folder.path().join(name)).unwrap())
    };
    let before = files();
    assert!(before[0].len() < before[1].len(), "all of it is in the wal");
    let contents = scene.contents();
    assert_eq!(contents.tasks[0].id, "in-the-wal");
    assert_eq!(files(), before);
    drop(connection);
}

#[test]
fn what_a_killed_writer_had_begun_is_rolled_back_in_the_copy() {
    let scene = Scene::new();
    let connection = scene.sql(&format!("{FIRST} {}", row("kept")));
    connection
        .execute_batch("PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN;")
        .unwrap();
    for number in 0..2000 {
        connection
            .execute_batch(&row(&format!("begun-{number}")))
            .unwrap();
    }
    assert!(scene.folder.path().join("old.db-journal").exists());
    let ids: Vec<String> = scene.contents().tasks.into_iter().map(|task| task.id).collect();
    assert_eq!(ids, ["kept"]);
}

#[test]
fn a_journal_that_names_another_file_is_left_out_and_that_file_stays() {
    let scene = Scene::new();
    drop(scene.sql(&format!("{FIRST} {}", row("kept"))));
    let victim = scene.folder.path().join("victim");
    std::fs::write(&victim, "mine").unwrap();
    let name = victim.as_os_str().as_encoded_bytes();
    let mut journal = vec![0_u8; 512];
    journal[..8].copy_from_slice(&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    journal.extend_from_slice(&[0, 0, 0, 1]);
    journal.extend_from_slice(name);
    journal.extend_from_slice(&u32::try_from(name.len()).unwrap().to_be_bytes());
    let sum: u32 = name.iter().map(|byte| u32::from(*byte)).sum();
    journal.extend_from_slice(&sum.to_be_bytes());
    journal.extend_from_slice(&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    std::fs::write(scene.folder.path().join("old.db-journal"), journal).unwrap();
    assert_eq!(scene.contents().tasks.len(), 1);
    assert_eq!(std::fs::read(&victim).unwrap(), b"mine");
}

#[test]
fn what_is_no_database_of_the_program_is_refused_in_words() {
    let scene = Scene::new();
    for bytes in [
        &b""[..],
        b"SQLite",
        b"just a text of some length, and no database",
        &[0; 4096],
    ] {
        std::fs::write(scene.path(), bytes).unwrap();
        assert_eq!(scene.open(limits()).err(), Some(Trouble::NotSqlite), "{bytes:?}");
    }
    std::fs::remove_file(scene.path()).unwrap();
    drop(scene.sql("CREATE TABLE cats (name TEXT);"));
    assert_eq!(
        scene.open(limits()).err(),
        Some(Trouble::Unknown("it has cats".to_owned()))
    );
}

#[test]
fn views_and_virtual_tables_in_the_place_of_tables_are_none() {
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n) SELECT ";
    let scene = Scene::new();
    let columns = "x AS task_id, x AS parent_task_id, x AS title, x AS status FROM n";
    drop(scene.sql(&format!(
        "CREATE VIEW subtasks AS {endless}{columns}; CREATE VIEW task_breakdowns AS {endless} x AS parent_task_id FROM n;"
    )));
    assert!(matches!(scene.open(limits()).err(), Some(Trouble::Unknown(_))));
}

#[test]
fn triggers_and_computed_columns_do_nothing_that_lasts() {
    let scene = Scene::new();
    drop(scene.sql(&format!(
        "{FIRST} CREATE TRIGGER t AFTER INSERT ON subtasks BEGIN INSERT INTO subtasks SELECT NEW.task_id||'x', 'p','T','D','c','[]','','pending',NULL,NULL,'',NULL; END; \
         PRAGMA recursive_triggers=OFF; {} ALTER TABLE task_breakdowns ADD COLUMN huge GENERATED ALWAYS AS (zeroblob(60000000)) VIRTUAL; \
         INSERT INTO task_breakdowns(parent_task_id,description,complexity,context,created_at) VALUES ('p','D','simple','','2026-01-01 00:00:00');",
        row("one")
    )));
    let contents = scene.contents();
    let ids: Vec<&str> = contents.tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(
        ids,
        ["p", "one", "onex"],
        "the trigger ran when it was written, not when it is read"
    );
}

#[test]
fn values_of_wrong_types_and_of_any_size_are_taken_for_what_they_are() {
    let scene = Scene::new();
    drop(scene.sql(&format!(
        "{FIRST} INSERT INTO subtasks VALUES (7, 8, x'ff00ff', zeroblob(40000000), 3.5, '{{\"not\":\"a list\"}}', '', x'61', '', '[1,2]', 'soon', 0); \
         INSERT INTO subtasks VALUES (NULL,'','','','','','','','','','',''); \
         INSERT INTO subtasks VALUES (zeroblob(30000000),'','','','','','','','','','','');"
    )));
    let legacy = scene.open(limits()).unwrap();
    let contents = legacy.contents().unwrap();
    assert_eq!(contents.tasks.len(), 1, "{contents:?}");
    let task = &contents.tasks[0];
    assert_eq!(
        (task.id.as_str(), task.parent.as_deref(), task.title.as_str()),
        ("7", Some("8"), "")
    );
    assert_eq!(
        (task.specialist.as_str(), task.status.as_deref()),
        ("3.5", Some("a"))
    );
    assert_eq!(task.artifacts, ["1", "2"]);
    assert_eq!((task.created, task.completed), (None, None));
    assert_eq!(contents.left.len(), 2, "{:?}", contents.left);
    assert_eq!(contents.warnings.len(), 1, "{:?}", contents.warnings);
    let (texts, lost) = legacy.texts(task.place).unwrap();
    assert_eq!(texts.description, "");
    assert!(lost[0].contains("40000000"), "{lost:?}");
    assert_eq!(legacy.texts(Place::Nowhere).unwrap().0.results, "");
}

#[test]
fn more_rows_than_allowed_and_too_large_a_file_are_refused() {
    let scene = Scene::new();
    let rows: String = (0..20).map(|number| row(&format!("t{number}"))).collect();
    drop(scene.sql(&format!("{FIRST} {rows}")));
    let few = Limits { rows: 10, ..limits() };
    assert!(matches!(
        scene.open(few).unwrap().contents(),
        Err(Trouble::TooLarge(_))
    ));
    let small = Limits {
        bytes: 4096,
        ..limits()
    };
    assert!(matches!(scene.open(small).err(), Some(Trouble::TooLarge(_))));
}

#[test]
fn reading_ends_when_its_time_is_over() {
    let scene = Scene::new();
    let rows: String = (0..3000).map(|number| row(&format!("t{number}"))).collect();
    drop(scene.sql(&format!("{FIRST} BEGIN; {rows} COMMIT;")));
    let none = Limits {
        time: Duration::ZERO,
        ..limits()
    };
    let slow = scene.open(none).and_then(|legacy| legacy.contents());
    assert_eq!(slow.err(), Some(Trouble::TooSlow));
}

#[test]
fn a_database_that_was_cut_or_corrupted_anywhere_gives_rows_or_words_and_never_a_panic() {
    let scene = Scene::new();
    let rows: String = (0..300).map(|number| row(&format!("task-{number}"))).collect();
    drop(scene.sql(&format!("PRAGMA page_size=512; {FIRST} BEGIN; {rows} COMMIT;")));
    let whole = std::fs::read(scene.path()).unwrap();
    let mut some = 0;
    let mut damaged: Vec<Vec<u8>> = (1..20)
        .map(|part| whole[..whole.len() * part / 20].to_vec())
        .collect();
    for seed in 0_u64..60 {
        let mut bytes = whole.clone();
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
        for _ in 0..=seed % 40 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(state >> 20).unwrap() % bytes.len();
            bytes[at] = u8::try_from(state & 0xff).unwrap();
        }
        damaged.push(bytes);
    }
    for bytes in damaged {
        std::fs::write(scene.path(), &bytes).unwrap();
        let read = scene.open(limits()).and_then(|legacy| {
            let contents = legacy.contents()?;
            for task in &contents.tasks {
                // A damaged text costs that text.
                drop(legacy.texts(task.place));
            }
            Ok(contents)
        });
        some += usize::from(read.is_ok_and(|contents| !contents.tasks.is_empty()));
    }
    assert!(some > 20, "only {some} gave anything");
}

#[test]
fn the_real_ones_are_told_apart() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/legacy");
    let folder = std::env::var_os("TOD_LEGACY").map_or(folder, PathBuf::from);
    if !folder.is_dir() {
        eprintln!(
            "skipped: no real databases in `{}` (`TOD_LEGACY`)",
            folder.display()
        );
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    for (path, version, tasks, after) in [
        ("v1.2.0-15tasks.db", "1.2", 20, 0),
        ("v1.4.0-flow.db", "1.4", 7, 5),
        ("v1.5.1-flow/.task_orchestrator/task_orchestrator.db", "1.5", 7, 5),
        ("v1.8.0-flow/.task_orchestrator/task_orchestrator.db", "1.8", 7, 5),
        ("v2.0.0-flow/.task_orchestrator/tasks.sqlite", "2.0", 2, 1),
    ] {
        let legacy = open(&folder.join(path), &scratch.path().join(version), limits()).unwrap();
        assert_eq!(legacy.version().to_string(), version);
        let contents = legacy.contents().unwrap();
        let edges: usize = contents.tasks.iter().map(|task| task.after.len()).sum();
        assert_eq!((contents.tasks.len(), edges), (tasks, after), "{path}");
        assert_eq!(
            (&contents.left[..], &contents.warnings[..]),
            (&[][..], &[][..]),
            "{path}"
        );
        assert!(contents.tasks.iter().all(|task| task.created.is_some()), "{path}");
    }
}

#[test]
fn the_schema_of_every_release_is_told_from_the_others() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/legacy");
    let folder = std::env::var_os("TOD_LEGACY").map_or(folder, PathBuf::from);
    let Ok(schemas) = std::fs::read_to_string(folder.join("SCHEMAS.sql")) else {
        eprintln!("skipped: no schemas in `{}` (`TOD_LEGACY`)", folder.display());
        return;
    };
    let mut told = Vec::new();
    for part in schemas.split("-- ===== ").skip(1) {
        let (name, sql) = part.split_once('\n').unwrap();
        // SQLite makes this one itself.
        let sql = sql.replace("CREATE TABLE sqlite_sequence(name,seq);", "");
        let scene = Scene::new();
        drop(scene.sql(&sql));
        let opened = scene.open(limits());
        let version = opened.as_ref().map(|legacy| {
            assert_eq!(legacy.contents(), Ok(Contents::default()), "{name}: it is empty");
            legacy.version().to_string()
        });
        told.push((
            name.split(" (").next().unwrap().to_owned(),
            version.unwrap_or_else(|_| "none".to_owned()),
        ));
    }
    let told: Vec<(&str, &str)> = told
        .iter()
        .map(|(name, version)| (name.as_str(), version.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("v1.2.0", "1.2"),
            ("v1.3.0", "1.4"),
            ("v1.4.0", "1.4"),
            ("v1.5.1", "1.5"),
            ("v1.6.1", "1.6"),
            ("v1.8.0", "1.8"),
            ("v1.5.1 + 1.8.0 run_workspace_migration", "1.8"),
            ("v2.0.0 tasks.sqlite", "2.0"),
            ("v2.0.0 task_orchestrator.db", "2.0"),
            ("v2.0.0 databases/operational/tasks.db", "none"),
        ]
    );
}
