//! The records of tasks: their keys, and one batch for one step.
//!
//! Asked by the doors of the room. Every key begins with the workspace's id and a `/`, so that no scan of one workspace
//! sees another. What must stay true: a task's card, its history, the workspace's head and the audit event become true
//! together; a long text is on the disk before the record that names it.

mod whole;

use proto::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::card::{Card, Past, Remark, Texts};
use super::step::{Moved, Step};
use super::who::Who;
use crate::audit::{self, Said};
use crate::db::{Batch, Db, MAX_VALUE, Record, Space};
use crate::objects::Digest;

const CARD: Space = Space::new("task");
const TEXTS: Space = Space::new("task_text");
const PAST: Space = Space::new("task_past");
const PAST_TEXTS: Space = Space::new("task_past_text");
const REMARK: Space = Space::new("task_note");
const HEAD: Space = Space::new("task_head");
const MAIL: Space = Space::new("task_mail");

/// Where a task has records beside its card.
const OF_A_TASK: [Space; 4] = [TEXTS, PAST, PAST_TEXTS, REMARK];

/// What is longer goes to `objects`; the rest is for the version byte and the digest around it.
const INLINE: usize = MAX_VALUE - 64;

impl Record for Card {
    const SPACE: Space = CARD;
    const VERSION: u8 = 1;
}

impl Record for Past {
    const SPACE: Space = PAST;
    const VERSION: u8 = 1;
}

/// A record of any length: the bytes of its postcard here, or in `objects`.
#[derive(Serialize, Deserialize)]
enum Long {
    Here(#[serde(with = "bytes")] Vec<u8>),
    There([u8; 32]),
}

/// Kept in several spaces; this one names it in errors.
impl Record for Long {
    const SPACE: Space = TEXTS;
    const VERSION: u8 = 1;
}

/// A list of bytes as bytes: one at a time costs more than the writing.
mod bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Vec::<u8>::deserialize(deserializer)
    }
}

/// What a workspace's tasks have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    changes: u64,
}

impl Record for Head {
    const SPACE: Space = HEAD;
    const VERSION: u8 = 1;
}

/// A remark that is for somebody: where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mail {
    task: String,
    number: u64,
}

impl Record for Mail {
    const SPACE: Space = MAIL;
    const VERSION: u8 = 1;
}

/// The tasks of one workspace in the database.
#[derive(Clone, Copy)]
pub struct Tasks<'a> {
    db: &'a Db,
    workspace: &'a str,
}

impl<'a> Tasks<'a> {
    /// Those of the workspace with this id.
    #[must_use]
    pub fn new(db: &'a Db, workspace: &'a str) -> Self {
        Self { db, workspace }
    }

    /// `<workspace>/`, then the id, then a zero and the rest for what a task has several of.
    fn key(&self, id: &str, rest: &[u8]) -> Vec<u8> {
        let mut key = self.under(id);
        key.extend_from_slice(rest);
        key
    }

    fn under(&self, id: &str) -> Vec<u8> {
        let mut key = format!("{}/", self.workspace).into_bytes();
        if !id.is_empty() {
            key.extend_from_slice(id.as_bytes());
            key.push(0);
        }
        key
    }

    /// How many changes the workspace's tasks have seen.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn changes(&self) -> Result<u64> {
        let head: Option<Head> = self.db.record(&self.under(""))?;
        Ok(head.unwrap_or_default().changes)
    }

    /// Makes sure that there is a task with this id.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` when the database cannot be read.
    pub fn must_have(&self, id: &str) -> Result<()> {
        match self.db.get(CARD, &self.under(id))? {
            Some(_) if !id.is_empty() => Ok(()),
            _ => Err(
                Error::not_found(format!("there is no task `{}`", super::rules::shown(id)))
                    .next("see `tocli task list`"),
            ),
        }
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

    /// The card of a task.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Unavailable` when the database cannot be read.
    pub fn card(&self, id: &str) -> Result<Card> {
        self.find(id)?.ok_or_else(|| {
            Error::not_found(format!("no task `{}` in this workspace", super::rules::shown(id)))
                .next("`tocli task list --all` shows them")
        })
    }

    /// One card, if there is one.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn find(&self, id: &str) -> Result<Option<Card>> {
        match super::rules::id(id) {
            Ok(()) => self.db.record(&self.under(id)),
            // No task has such an id, and no key is made of it.
            Err(_) => Ok(None),
        }
    }

    /// The texts of a task; empty ones for a task that has none.
    ///
    /// # Errors
    /// `Unavailable` when the database or an object cannot be read.
    pub fn texts(&self, id: &str) -> Result<Texts> {
        Ok(self.long(TEXTS, &self.under(id))?.unwrap_or_default())
    }

    /// The texts of a task before it came to `revision`.
    ///
    /// # Errors
    /// `Unavailable` when the database or an object cannot be read.
    pub fn past_texts(&self, id: &str, revision: u64) -> Result<Texts> {
        let key = self.key(id, &revision.to_be_bytes());
        Ok(self.long(PAST_TEXTS, &key)?.unwrap_or_default())
    }

    /// How a task came to `revision`.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn past(&self, id: &str, revision: u64) -> Result<Option<Past>> {
        self.db.record(&self.key(id, &revision.to_be_bytes()))
    }

    /// The remarks on a task, oldest first: at most the newest `limit`, and how many older ones there are.
    ///
    /// # Errors
    /// `Unavailable` when the database or an object cannot be read.
    pub fn remarks(&self, id: &str, limit: usize) -> Result<(Vec<Remark>, usize)> {
        let keys: Vec<Vec<u8>> = self
            .db
            .scan(REMARK, &self.under(id))
            .map(|item| item.map(|(key, _)| key))
            .collect::<Result<_>>()?;
        let older = keys.len().saturating_sub(limit);
        let mut found = Vec::new();
        for key in &keys[older..] {
            found.extend(self.long::<Remark>(REMARK, key)?);
        }
        Ok((found, older))
    }

    fn long<T: DeserializeOwned>(&self, space: Space, key: &[u8]) -> Result<Option<T>> {
        let found = self.db.get(space, key)?;
        let bytes = match found.map(|bytes| Long::decode(key, &bytes)).transpose()? {
            None => return Ok(None),
            Some(Long::Here(bytes)) => bytes,
            Some(Long::There(digest)) => self.db.objects().get(&Digest::from(digest))?,
        };
        match postcard::take_from_bytes(&bytes) {
            Ok((found, [])) => Ok(Some(found)),
            _ => Err(
                Error::unavailable(format!("the text `{}` cannot be read", key.escape_ascii()))
                    .next("run `tocli doctor`"),
            ),
        }
    }

    fn put_long<T: Serialize>(
        &self,
        batch: &mut Batch,
        (space, key): (Space, &[u8]),
        value: &T,
    ) -> Result<()> {
        let bytes = postcard::to_stdvec(value)
            .map_err(|error| Error::bug("a text of a task cannot be written").why(error))?;
        let record = if bytes.len() <= INLINE {
            Long::Here(bytes)
        } else {
            Long::There(*self.db.objects().put(&bytes)?.as_bytes())
        };
        batch.put(space, key, record.encode()?);
        Ok(())
    }

    /// Adds a step to `batch`: `number` is the workspace's change that it is, `target` what was asked for.
    ///
    /// # Errors
    /// `Unavailable` when a text cannot be kept or the database cannot be read.
    pub fn record(
        &self,
        batch: &mut Batch,
        who: &Who,
        (target, step): (&str, &Step),
        number: u64,
    ) -> Result<()> {
        for moved in &step.moved {
            match (&moved.after, &moved.before) {
                (Some(card), _) => self.put(batch, who, moved, card)?,
                (None, Some(card)) => self.remove(batch, &card.id)?,
                (None, None) => {}
            }
        }
        let Some(first) = step.moved.first() else {
            return Ok(());
        };
        self.counted(batch, number)?;
        let said = Said {
            time: who.now,
            actor: &first.actor,
            op: &format!("task.{}", first.op),
            target,
            count: step.moved.len(),
        };
        audit::append(self.db, batch, self.workspace, said)
    }

    fn counted(&self, batch: &mut Batch, number: u64) -> Result<()> {
        batch.put(HEAD, &self.under(""), Head { changes: number }.encode()?);
        Ok(())
    }

    fn put(&self, batch: &mut Batch, who: &Who, moved: &Moved, card: &Card) -> Result<()> {
        let revision = card.revision.to_be_bytes();
        batch.put(CARD, &self.under(&card.id), card.encode()?);
        let mut kept = false;
        if let Some(texts) = moved.texts.as_ref().filter(|texts| texts.says_anything()) {
            self.put_long(batch, (TEXTS, &self.under(&card.id)), &texts.after)?;
            if let Some(before) = &texts.before {
                self.put_long(batch, (PAST_TEXTS, &self.key(&card.id, &revision)), before)?;
                kept = true;
            }
        }
        let Some(before) = &moved.before else {
            // A new task's history is its card: one record less to make durable.
            return Ok(());
        };
        let past = Past {
            time: who.now,
            actor: moved.actor.clone(),
            op: moved.op.to_owned(),
            to: card.status,
            fields: moved.fields.iter().map(|name| (*name).to_owned()).collect(),
            before: Card::clone(before),
            texts: kept,
        };
        batch.put(PAST, &self.key(&card.id, &revision), past.encode()?);
        Ok(())
    }

    fn remove(&self, batch: &mut Batch, id: &str) -> Result<()> {
        batch.delete(CARD, &self.under(id));
        for space in OF_A_TASK {
            for item in self.db.scan(space, &self.under(id)) {
                batch.delete(space, &item?.0);
            }
        }
        Ok(())
    }

    /// `<workspace>/`, the digest of a name, the number counted down so that the newest come first.
    fn mail(&self, to: &str, number: Option<u64>) -> Vec<u8> {
        let mut key = self.under("");
        key.extend_from_slice(&blake3::hash(to.as_bytes()).as_bytes()[..16]);
        key.extend(
            number
                .into_iter()
                .flat_map(|number| (u64::MAX - number).to_be_bytes()),
        );
        key
    }

    /// The newest remarks for somebody of this name, with their tasks; at most `limit`. What was taken to another
    /// workspace or removed is not among them.
    ///
    /// # Errors
    /// `Unavailable` when the database or an object cannot be read.
    pub fn messages(&self, to: &str, limit: usize) -> Result<Vec<(String, Remark)>> {
        let mut found = Vec::new();
        for (key, value) in self.db.page(MAIL, &self.mail(to, None), None, limit)? {
            let mail = Mail::decode(&key, &value)?;
            let remark = self.long::<Remark>(REMARK, &self.key(&mail.task, &mail.number.to_be_bytes()))?;
            found.extend(remark.map(|remark| (mail.task, remark)));
        }
        Ok(found)
    }

    /// Adds a remark to `batch`.
    ///
    /// # Errors
    /// `Unavailable` when its text cannot be kept or the database cannot be read.
    pub fn remark(&self, batch: &mut Batch, id: &str, remark: &Remark) -> Result<()> {
        let mut number = audit::head(self.db, self.workspace)?.seq + 1;
        // Notes that an import brought may be ahead of the trail here.
        while self
            .db
            .get(REMARK, &self.key(id, &number.to_be_bytes()))?
            .is_some()
        {
            number += 1;
        }
        self.put_long(batch, (REMARK, &self.key(id, &number.to_be_bytes())), remark)?;
        if let Some(to) = &remark.to {
            let mail = Mail {
                task: id.to_owned(),
                number,
            };
            batch.put(MAIL, &self.mail(to, Some(number)), mail.encode()?);
        }
        let said = Said {
            time: remark.time,
            actor: &remark.actor,
            op: "task.note",
            target: id,
            count: 1,
        };
        audit::append(self.db, batch, self.workspace, said)
    }

    /// Adds to `batch` that all records of a task are those of `to` from now on, with `card` as its card.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn rehome(&self, batch: &mut Batch, to: &Tasks<'_>, card: &Card) -> Result<()> {
        let from = self.under(&card.id);
        for space in OF_A_TASK {
            for item in self.db.scan(space, &from) {
                let (key, value) = item?;
                batch.put(space, &to.key(&card.id, &key[from.len()..]), value);
                batch.delete(space, &key);
            }
        }
        batch.delete(CARD, &from);
        batch.put(CARD, &to.under(&card.id), card.encode()?);
        Ok(())
    }

    /// Adds the head and the audit event of a change of several tasks that [`Tasks::rehome`] made.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be read.
    pub fn rehomed(&self, batch: &mut Batch, number: u64, said: Said<'_>) -> Result<()> {
        self.counted(batch, number)?;
        audit::append(self.db, batch, self.workspace, said)
    }
}

/// The objects that records of tasks name, for whoever sweeps those that nobody names.
///
/// # Errors
/// `Unavailable` when the database cannot be read.
pub fn named_objects(db: &Db) -> Result<Vec<Digest>> {
    let mut found = Vec::new();
    for space in [TEXTS, PAST_TEXTS, REMARK] {
        for item in db.scan(space, &[]) {
            let (key, value) = item?;
            if let Long::There(digest) = Long::decode(&key, &value)? {
                found.push(Digest::from(digest));
            }
        }
    }
    Ok(found)
}
