//! Imports that are decided and not finished: the lines of each, kept as an object; and the files that they owe.
//!
//! One a workspace, at `<workspace>/`, and a file at `<workspace>/<name>`. What must stay true: what a record names is on
//! the disk before it; the record of an import goes with the last of what its lines bring, that of a file when the file
//! is there.

use proto::error::Result;
use serde::{Deserialize, Serialize};

use crate::db::{Batch, Db, Record, Space};
use crate::objects::Digest;

/// Where they are kept.
pub const SPACE: Space = Space::new("exchange");

/// Where the files that they owe are kept.
const FILE: Space = Space::new("exchange_file");

/// One. Version 1, frozen once released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// Its lines.
    pub lines: [u8; 32],
    /// The workspace they were taken from.
    pub from: String,
    /// Who imports.
    pub actor: String,
    /// When, nanoseconds since 1970 UTC.
    pub time: i64,
}

impl Record for Begun {
    const SPACE: Space = SPACE;
    const VERSION: u8 = 1;
}

fn key(workspace: &str) -> Vec<u8> {
    format!("{workspace}/").into_bytes()
}

impl Begun {
    /// The one of a workspace.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn of(db: &Db, workspace: &str) -> Result<Option<Self>> {
        db.record(&key(workspace))
    }

    /// All, each with its workspace.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn all(db: &Db) -> Result<Vec<(String, Self)>> {
        db.scan(SPACE, &[])
            .map(|item| {
                let (key, value) = item?;
                let workspace = String::from_utf8_lossy(&key).trim_end_matches('/').to_owned();
                Ok((workspace, Self::decode(&key, &value)?))
            })
            .collect()
    }

    /// Notes it in `batch`.
    ///
    /// # Errors
    /// `Bug` when it cannot be written as a record.
    pub fn put(&self, batch: &mut Batch, workspace: &str) -> Result<()> {
        batch.put(SPACE, &key(workspace), self.encode()?);
        Ok(())
    }
}

/// Notes in `batch` that the one of a workspace is finished.
pub fn finished(batch: &mut Batch, workspace: &str) {
    batch.delete(SPACE, &key(workspace));
}

/// A file of settings or of a role that is to be in the folder of a project. Version 1, frozen once released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Bytes {
    digest: [u8; 32],
}

impl Record for Bytes {
    const SPACE: Space = FILE;
    const VERSION: u8 = 1;
}

/// A file that is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// To the folder of this one.
    pub workspace: String,
    /// Its name in there.
    pub name: String,
    /// What it is to hold.
    pub digest: Digest,
}

/// Keeps what a file is to hold and notes in `batch` that it is owed.
///
/// # Errors
/// `Unavailable` when the disk takes nothing.
pub fn owe(db: &Db, batch: &mut Batch, workspace: &str, (name, text): (&str, &str)) -> Result<()> {
    let digest = *db.objects().put(text.as_bytes())?.as_bytes();
    batch.put(
        FILE,
        &[&key(workspace), name.as_bytes()].concat(),
        Bytes { digest }.encode()?,
    );
    Ok(())
}

/// Notes in `batch` that a file is owed no more.
pub fn paid(batch: &mut Batch, workspace: &str, name: &str) {
    batch.delete(FILE, &[&key(workspace), name.as_bytes()].concat());
}

/// All files that are owed.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn owed(db: &Db) -> Result<Vec<Owed>> {
    let one = |(key, value): (Vec<u8>, Vec<u8>)| -> Result<Option<Owed>> {
        let text = String::from_utf8_lossy(&key).into_owned();
        let digest = Bytes::decode(&key, &value)?.digest.into();
        Ok(text.split_once('/').map(|(workspace, name)| Owed {
            workspace: workspace.to_owned(),
            name: name.to_owned(),
            digest,
        }))
    };
    let all = db.scan(FILE, &[]).map(|item| one(item?));
    all.filter_map(Result::transpose).collect()
}

/// The objects that these records name, for whoever sweeps those that nobody names.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn named_objects(db: &Db) -> Result<Vec<Digest>> {
    let begun = Begun::all(db)?.into_iter();
    let mut named: Vec<Digest> = begun.map(|(_, begun)| begun.lines.into()).collect();
    named.extend(owed(db)?.into_iter().map(|file| file.digest));
    Ok(named)
}
