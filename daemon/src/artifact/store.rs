//! The records of artifacts: their shapes, their keys.
//!
//! Asked by the doors of the room. Every key begins with the workspace's id and a `/`. What must stay true: an artifact's
//! card, its newest edition, the workspace's head and the audit event become true together; the object that they name
//! was on the disk before.

use proto::RawPath;
use proto::artifact::Type;
use proto::error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::db::{Batch, Db, Record, Space};
use crate::objects::Digest;

const CARD: Space = Space::new("artifact");
const EDITION: Space = Space::new("artifact_version");
const UPLOAD: Space = Space::new("artifact_draft");
const DUE: Space = Space::new("artifact_due");
const HEAD: Space = Space::new("artifact_head");

/// An artifact, as its newest version has it. Version 1, frozen once released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Unique in the workspace.
    pub id: String,
    /// The order in which artifacts were made, from 1.
    pub born: u64,
    /// The task it is a result of.
    pub task: Option<String>,
    /// The name of its file.
    pub name: String,
    /// What it is.
    pub kind: Type,
    /// One paragraph about it.
    pub summary: String,
    /// The folder of its file, within that of all artifacts.
    pub folder: String,
    /// The checkout it was made in, when that is not the workspace's root.
    pub tree: Option<RawPath>,
    /// The newest version, from 1.
    pub version: u32,
    /// Bytes.
    pub size: u64,
    /// BLAKE3.
    #[serde(with = "crate::objects::hex")]
    pub digest: [u8; 32],
    /// Who stored it.
    pub actor: String,
    /// Nanoseconds since 1970 UTC.
    pub created: i64,
    /// Nanoseconds since 1970 UTC.
    pub updated: i64,
    /// The project's file that it is a snapshot of, relative to the root.
    pub source: Option<RawPath>,
    /// When it was put away, nanoseconds since 1970 UTC.
    pub archived: Option<i64>,
    /// Inode and modification time of the file in the project, when they are known: while they stay, so do its bytes.
    pub stamp: Option<(u64, i64)>,
}

/// One version. Version 1, frozen once released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edition {
    /// From 1.
    pub version: u32,
    /// Bytes.
    pub size: u64,
    /// BLAKE3.
    #[serde(with = "crate::objects::hex")]
    pub digest: [u8; 32],
    /// Who stored it.
    pub actor: String,
    /// Nanoseconds since 1970 UTC.
    pub time: i64,
    /// One paragraph about it.
    pub summary: String,
    /// The project's file that it is a snapshot of, relative to the root.
    pub source: Option<RawPath>,
}

/// An upload that has not come to its end. Version 1, frozen once released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// Also the name of its file among the objects.
    pub id: String,
    /// The task it is to be a result of.
    pub task: String,
    /// The specialist of that task.
    pub specialist: String,
    /// The name it is to have.
    pub name: String,
    /// What it is to be.
    pub kind: Option<Type>,
    /// One paragraph about it.
    pub summary: String,
    /// Who began it.
    pub actor: String,
    /// Nanoseconds since 1970 UTC.
    pub created: i64,
    /// How many bytes will come, when that is known.
    pub size: Option<u64>,
    /// Their digest, when that is known.
    pub digest: Option<[u8; 32]>,
    /// How many bytes would survive a power cut.
    pub synced: u64,
    /// The boot of the machine in which it was last written: within it, what was written can be read.
    pub boot: String,
    /// Digest and size, once all bytes are an object.
    pub kept: Option<([u8; 32], u64)>,
}

/// What a workspace's artifacts have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Another one with each change: who has seen this one has seen all before it.
    pub mark: u64,
    /// The order of the youngest artifact there ever was.
    pub born: u64,
}

impl Record for Card {
    const SPACE: Space = CARD;
    const VERSION: u8 = 1;
}

impl Record for Edition {
    const SPACE: Space = EDITION;
    const VERSION: u8 = 1;
}

impl Record for Upload {
    const SPACE: Space = UPLOAD;
    const VERSION: u8 = 1;
}

impl Record for Head {
    const SPACE: Space = HEAD;
    const VERSION: u8 = 1;
}

impl Card {
    /// Its newest bytes.
    #[must_use]
    pub fn object(&self) -> Digest {
        Digest::from(self.digest)
    }
}

/// The artifacts of one workspace in the database.
#[derive(Clone, Copy)]
pub struct Artifacts<'a> {
    db: &'a Db,
    workspace: &'a str,
}

impl<'a> Artifacts<'a> {
    /// Those of the workspace with this id.
    #[must_use]
    pub fn new(db: &'a Db, workspace: &'a str) -> Self {
        Self { db, workspace }
    }

    fn under(&self, id: &str) -> Vec<u8> {
        format!("{}/{id}", self.workspace).into_bytes()
    }

    fn editions_of(&self, id: &str) -> Vec<u8> {
        let mut key = self.under(id);
        key.push(0);
        key
    }

    fn edition_key(&self, id: &str, version: u32) -> Vec<u8> {
        let mut key = self.editions_of(id);
        key.extend_from_slice(&version.to_be_bytes());
        key
    }

    /// What they have seen.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn head(&self) -> Result<Head> {
        Ok(self.db.record(&self.under(""))?.unwrap_or_default())
    }

    /// Puts what they have seen.
    ///
    /// # Errors
    /// `Bug` when it cannot be written as a record.
    pub fn put_head(&self, batch: &mut Batch, head: Head) -> Result<()> {
        batch.put(HEAD, &self.under(""), head.encode()?);
        Ok(())
    }

    /// Notes that files of it are due: with the records of an import, which come before any file.
    pub fn due(&self, batch: &mut Batch) {
        batch.put(DUE, &self.under(""), vec![1]);
    }

    /// Takes that note away.
    pub fn not_due(&self, batch: &mut Batch) {
        batch.delete(DUE, &self.under(""));
    }

    /// All cards.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn cards(&self) -> Result<Vec<Card>> {
        self.db
            .scan(CARD, &self.under(""))
            .map(|item| item.and_then(|(key, value)| Card::decode(&key, &value)))
            .collect()
    }

    /// Puts a card.
    ///
    /// # Errors
    /// `Bug` when it cannot be written as a record.
    pub fn put(&self, batch: &mut Batch, card: &Card) -> Result<()> {
        batch.put(CARD, &self.under(&card.id), card.encode()?);
        Ok(())
    }

    /// Takes an artifact away with all its versions. Its contents stay objects.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn remove(&self, batch: &mut Batch, id: &str) -> Result<()> {
        for item in self.db.scan(EDITION, &self.editions_of(id)) {
            batch.delete(EDITION, &item?.0);
        }
        batch.delete(CARD, &self.under(id));
        Ok(())
    }

    /// Puts a version.
    ///
    /// # Errors
    /// `Bug` when it cannot be written as a record.
    pub fn put_edition(&self, batch: &mut Batch, id: &str, edition: &Edition) -> Result<()> {
        batch.put(EDITION, &self.edition_key(id, edition.version), edition.encode()?);
        Ok(())
    }

    /// All versions of an artifact, oldest first.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn editions(&self, id: &str) -> Result<Vec<Edition>> {
        self.db
            .scan(EDITION, &self.editions_of(id))
            .map(|item| item.and_then(|(key, value)| Edition::decode(&key, &value)))
            .collect()
    }

    /// All versions of all artifacts, each with the artifact's id, a page at a time.
    pub fn all_editions(&self) -> impl Iterator<Item = Result<(String, Edition)>> + use<> {
        let skip = self.workspace.len() + 1;
        self.db.scan(EDITION, &self.under("")).map(move |item| {
            let (key, value) = item?;
            let id = key.get(skip..).unwrap_or_default();
            let id = id.split(|byte| *byte == 0).next().unwrap_or_default();
            let id = String::from_utf8_lossy(id).into_owned();
            Ok((id, Edition::decode(&key, &value)?))
        })
    }

    /// One version of an artifact, if there is one.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn find_edition(&self, id: &str, version: u32) -> Result<Option<Edition>> {
        self.db.record(&self.edition_key(id, version))
    }

    /// The card of an artifact, if there is one.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn find(&self, id: &str) -> Result<Option<Card>> {
        self.db.record(&self.under(id))
    }

    /// One version of an artifact.
    ///
    /// # Errors
    /// `NotFound` when there is no such version; `Unavailable` when the database cannot be read.
    pub fn edition(&self, id: &str, version: u32) -> Result<Edition> {
        self.db.record(&self.edition_key(id, version))?.ok_or_else(|| {
            Error::not_found(format!("`{id}` has no version {version}"))
                .next(format!("see `tocli artifact show {id}`"))
        })
    }

    /// All uploads.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn uploads(&self) -> Result<Vec<Upload>> {
        self.db
            .scan(UPLOAD, &self.under(""))
            .map(|item| item.and_then(|(key, value)| Upload::decode(&key, &value)))
            .collect()
    }

    /// One upload.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Unavailable` when the database cannot be read.
    pub fn upload(&self, id: &str) -> Result<Upload> {
        let legal = id.len() <= 64
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let found = match legal {
            true => self.db.record(&self.under(id))?,
            false => None,
        };
        found.ok_or_else(|| {
            Error::not_found(format!(
                "no upload `{}` in this workspace",
                crate::task::rules::shown(id)
            ))
            .why("it came to its end, was given up, or never was")
            .next("see `tocli artifact partials`")
        })
    }

    /// Puts an upload.
    ///
    /// # Errors
    /// `Bug` when it cannot be written as a record.
    pub fn put_upload(&self, batch: &mut Batch, upload: &Upload) -> Result<()> {
        batch.put(UPLOAD, &self.under(&upload.id), upload.encode()?);
        Ok(())
    }

    /// Takes an upload away.
    pub fn end_upload(&self, batch: &mut Batch, id: &str) {
        batch.delete(UPLOAD, &self.under(id));
    }
}

/// The workspaces of which files are due.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn due(db: &Db) -> Result<Vec<String>> {
    db.scan(DUE, &[])
        .map(|item| {
            let (key, _) = item?;
            Ok(String::from_utf8_lossy(&key).trim_end_matches('/').to_owned())
        })
        .collect()
}

/// The objects that records of artifacts name, for whoever sweeps those that nobody names.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn named_objects(db: &Db) -> Result<Vec<Digest>> {
    let mut found = Vec::new();
    for item in db.scan(EDITION, &[]) {
        let (key, value) = item?;
        found.push(Digest::from(Edition::decode(&key, &value)?.digest));
    }
    for item in db.scan(UPLOAD, &[]) {
        let (key, value) = item?;
        let kept = Upload::decode(&key, &value)?.kept;
        found.extend(kept.map(|(digest, _)| Digest::from(digest)));
    }
    Ok(found)
}

/// The names of drafts among the objects that uploads still need.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn named_drafts(db: &Db) -> Result<Vec<String>> {
    db.scan(UPLOAD, &[])
        .map(|item| {
            item.and_then(|(key, value)| Upload::decode(&key, &value))
                .map(|upload| upload.id)
        })
        .collect()
}
