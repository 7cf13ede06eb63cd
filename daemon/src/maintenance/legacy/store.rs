//! What came from old databases: one record for each thing, so that nothing comes twice, and rows that have no room yet,
//! kept whole.
//!
//! Keys: `<workspace>/<kind>/<digest of the old id>`. What must stay true: a record becomes true with the thing it speaks
//! of; a long row is on the disk before its record.

use proto::error::{Error, Result};
use serde::{Deserialize, Serialize};

use super::report::Kind;
use crate::db::{Batch, Db, MAX_VALUE, Record, Space};
use crate::objects::Digest;

/// Where they are kept.
pub const SPACE: Space = Space::new("legacy");

/// What is longer goes to `objects`; the rest is for what stands around it.
const INLINE: usize = MAX_VALUE - 1536;

/// One thing. Version 1, frozen once released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Its id in the old database.
    pub id: String,
    /// Its id or place here, when it has one.
    pub to: Option<String>,
    /// The release that wrote it.
    pub version: String,
    /// When it came, nanoseconds since 1970 UTC.
    pub time: i64,
    /// Its columns as a JSON object, when they are kept whole.
    pub row: Option<Row>,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Row {
    /// Its JSON.
    Here(String),
    /// Its JSON is the object with this digest.
    There(#[serde(with = "crate::objects::hex")] [u8; 32]),
}

impl Record for Import {
    const SPACE: Space = SPACE;
    const VERSION: u8 = 1;
}

/// The imports of one workspace.
#[derive(Clone, Copy)]
pub struct Imports<'a> {
    /// All records.
    pub db: &'a Db,
    /// `ws_<12 hex>`.
    pub workspace: &'a str,
}

impl Imports<'_> {
    fn key(&self, kind: Kind, id: &str) -> Vec<u8> {
        let digest = blake3::hash(id.as_bytes()).to_hex();
        format!("{}/{}/{}", self.workspace, kind.word(), &digest[..32]).into_bytes()
    }

    /// What became of an old thing.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn get(&self, kind: Kind, id: &str) -> Result<Option<Import>> {
        self.db.record(&self.key(kind, id))
    }

    /// Notes in `batch` what became of one.
    ///
    /// # Errors
    /// `Bug` when it cannot be written as a record.
    pub fn put(&self, batch: &mut Batch, kind: Kind, import: &Import) -> Result<()> {
        batch.put(SPACE, &self.key(kind, &import.id), import.encode()?);
        Ok(())
    }

    /// A row as it is kept.
    ///
    /// # Errors
    /// `Unavailable` when a long one cannot be stored.
    pub fn row(&self, columns: &serde_json::Map<String, serde_json::Value>) -> Result<Row> {
        let text = serde_json::to_string(columns)
            .map_err(|error| Error::bug("a row could not be written as JSON").why(error))?;
        if text.len() <= INLINE {
            return Ok(Row::Here(text));
        }
        Ok(Row::There(*self.db.objects().put(text.as_bytes())?.as_bytes()))
    }

    /// All of every kind, each with the word of its kind.
    pub fn all(&self) -> impl Iterator<Item = Result<(String, Import)>> + use<> {
        let prefix = format!("{}/", self.workspace);
        let skip = prefix.len();
        self.db.scan(SPACE, prefix.as_bytes()).map(move |item| {
            let (key, value) = item?;
            let rest = key.get(skip..).unwrap_or_default();
            let word = rest.split(|byte| *byte == b'/').next().unwrap_or_default();
            Ok((
                String::from_utf8_lossy(word).into_owned(),
                Import::decode(&key, &value)?,
            ))
        })
    }

    /// All of a kind, whole, for the room that will have them.
    pub fn each(&self, kind: Kind) -> impl Iterator<Item = Result<Import>> + use<> {
        let prefix = format!("{}/{}/", self.workspace, kind.word());
        self.db
            .scan(SPACE, prefix.as_bytes())
            .map(|item| item.and_then(|(key, value)| Import::decode(&key, &value)))
    }
}

/// The objects that these records name, for whoever sweeps those that nobody names.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn named_objects(db: &Db) -> Result<Vec<Digest>> {
    let mut found = Vec::new();
    for item in db.scan(SPACE, &[]) {
        let (key, value) = item?;
        if let Some(Row::There(digest)) = Import::decode(&key, &value)?.row {
            found.push(Digest::from(digest));
        }
    }
    Ok(found)
}
