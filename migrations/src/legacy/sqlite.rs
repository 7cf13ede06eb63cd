//! A database of somebody else, opened so that it can do nothing.
//!
//! What must stay true: no statement of ours reads anything but plain tables; every reading is bounded in time by a
//! watch that SQLite asks as it goes, in memory by a hard limit, and in size value by value: a value over the limit is
//! not loaded at all.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::{Limits, Trouble};

/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;

/// The first bytes of every database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// An open copy.
pub(super) struct Database {
    connection: Connection,
    text: usize,
    rows: usize,
    memory: std::cell::Cell<usize>,
    tables: BTreeMap<String, Vec<String>>,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// Nothing, or a column that this release has not.
    Null,
    /// A whole number.
    Int(i64),
    /// A number.
    Real(f64),
    /// Text, and bytes that are text.
    Text(String),
    /// Bytes that are none.
    Bytes(usize),
    /// More bytes than are read.
    TooLong(i64),
}

impl Cell {
    /// As text; none for what has none.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Int(number) => Some(number.to_string()),
            Self::Real(number) => Some(number.to_string()),
            Self::Null | Self::Bytes(_) | Self::TooLong(_) => None,
        }
    }

    fn bytes(&self) -> usize {
        let held = match self {
            Self::Text(text) => text.len(),
            _ => 0,
        };
        size_of::<Self>() + held
    }

    /// As text, or nothing.
    pub(super) fn or_empty(&self) -> String {
        self.text().unwrap_or_default()
    }

    /// Why it is not there, when it should be.
    pub(super) fn lost(&self) -> Option<String> {
        match self {
            Self::Bytes(count) => Some(format!("{count} bytes that are no text")),
            Self::TooLong(count) => Some(format!("{count} bytes, more than are read")),
            _ => None,
        }
    }
}

/// A row: its number and the columns that were asked for, in that order.
pub(super) struct Row {
    pub(super) number: i64,
    pub(super) cells: Vec<Cell>,
}

/// The rows of a table, and why there are no more of them.
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    pub(super) cut: Option<Trouble>,
}

impl Database {
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<Self, Trouble> {
        look(path)?;
        // Not read-only: what stands in the `-wal` or a journal is brought in, into this copy.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut connection = Connection::open_with_flags(path, flags)?;
        let end = Instant::now() + limits.time;
        connection.progress_handler(STEPS, Some(move || Instant::now() > end))?;
        connection.busy_timeout(Duration::ZERO)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_LENGTH, 64 << 20),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, 1 << 20),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
            (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        ] {
            connection.set_limit(limit, value)?;
        }
        connection.execute_batch(
            "PRAGMA hard_heap_limit=268435456; PRAGMA cache_size=-4096; PRAGMA mmap_size=0; \
             PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON; PRAGMA query_only=ON;",
        )?;
        let tables = tables(&connection)?;
        Ok(Self {
            connection,
            text: limits.text,
            rows: limits.rows,
            memory: limits.memory.into(),
            tables,
        })
    }

    /// Whether there is a plain table with this name.
    pub(super) fn has(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    /// Whether a table has a column.
    pub(super) fn has_column(&self, table: &str, column: &str) -> bool {
        self.columns(table).iter().any(|name| name == column)
    }

    /// The columns of a table.
    pub(super) fn columns(&self, table: &str) -> &[String] {
        self.tables.get(table).map_or(&[], Vec::as_slice)
    }

    /// The names of all plain tables.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// All rows of a table, in the order of their numbers. Those before a damaged place are given.
    pub(super) fn rows(&self, table: &str, columns: &[&str]) -> Result<Rows, Trouble> {
        let sql = format!("{} ORDER BY rowid", self.select(table, columns));
        let mut found = Rows {
            rows: Vec::new(),
            cut: None,
        };
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let too_much = || Trouble::TooLarge(format!("`{table}` takes more memory than is allowed"));
        loop {
            match rows.next() {
                Ok(None) => return Ok(found),
                Ok(Some(_)) if found.rows.len() == self.rows => {
                    return Err(Trouble::TooLarge(format!(
                        "`{table}` has more than {} rows",
                        self.rows
                    )));
                }
                Ok(Some(row)) => {
                    let row = read(row, columns.len())?;
                    let bytes = row.cells.iter().map(Cell::bytes).sum();
                    let left = self.memory.get().checked_sub(bytes).ok_or_else(too_much)?;
                    self.memory.set(left);
                    found.rows.push(row);
                }
                Err(error) => {
                    let trouble = Trouble::from(error);
                    if trouble == Trouble::TooSlow {
                        return Err(trouble);
                    }
                    found.cut = Some(trouble);
                    return Ok(found);
                }
            }
        }
    }

    /// One row of a table.
    pub(super) fn row(&self, table: &str, number: i64, columns: &[&str]) -> Result<Option<Row>, Trouble> {
        let sql = format!("{} WHERE rowid = ?1", self.select(table, columns));
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([number])?;
        let row = rows.next()?.map(|row| read(row, columns.len()));
        row.transpose()
    }

    /// For each column its value unless that is too long, and its length. Names are ours or were checked.
    fn select(&self, table: &str, columns: &[&str]) -> String {
        let mut sql = "SELECT rowid".to_owned();
        for column in columns {
            if self.has_column(table, column) {
                let limit = self.text;
                sql.push_str(&format!(
                    ", CASE WHEN octet_length(\"{column}\") <= {limit} THEN \"{column}\" END, octet_length(\"{column}\")"
                ));
            } else {
                sql.push_str(", NULL, NULL");
            }
        }
        sql.push_str(&format!(" FROM \"{table}\""));
        sql
    }
}

/// An empty file is an empty database to SQLite; to whoever named it, it is none.
fn look(path: &Path) -> Result<(), Trouble> {
    use std::io::Read as _;
    let mut first = [0; 16];
    let read = std::fs::File::open(path)?.take(16).read(&mut first)?;
    let wal = std::fs::metadata(path.with_file_name("copy.db-wal")).is_ok_and(|found| found.len() > 0);
    match (read, &first == MAGIC) {
        (_, true) => Ok(()),
        // All of it may still be in the `-wal`.
        (0, _) if wal => Ok(()),
        _ => Err(Trouble::NotSqlite),
    }
}

/// Plain tables and their columns. Views, virtual tables and names that would have to be quoted are none.
fn tables(connection: &Connection) -> Result<BTreeMap<String, Vec<String>>, Trouble> {
    const MOST: usize = 500;
    let plain = |name: &String| {
        !name.is_empty()
            && name.len() <= 128
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         AND sql NOT LIKE 'CREATE VIRTUAL%' LIMIT 501",
    )?;
    let names = statement
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    if names.len() > MOST {
        return Err(Trouble::TooLarge(format!("it has more than {MOST} tables")));
    }
    let mut tables = BTreeMap::new();
    for name in names.into_iter().filter(plain) {
        let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1) LIMIT 500")?;
        let columns = statement
            .query_map([&name], |row| row.get::<_, String>(0))?
            .collect::<Result<Vec<_>, _>>()?;
        tables.insert(name, columns.into_iter().filter(plain).collect());
    }
    Ok(tables)
}

fn read(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row, Trouble> {
    let mut cells = Vec::with_capacity(columns);
    for column in 0..columns {
        let length: Option<i64> = row.get(2 + 2 * column)?;
        let cell = match row.get_ref(1 + 2 * column)? {
            ValueRef::Null => length.map_or(Cell::Null, Cell::TooLong),
            ValueRef::Integer(number) => Cell::Int(number),
            ValueRef::Real(number) => Cell::Real(number),
            ValueRef::Text(bytes) => Cell::Text(String::from_utf8_lossy(bytes).into_owned()),
            ValueRef::Blob(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Cell::Text(text.to_owned()),
                Err(_) => Cell::Bytes(bytes.len()),
            },
        };
        cells.push(cell);
    }
    Ok(Row {
        number: row.get(0)?,
        cells,
    })
}
