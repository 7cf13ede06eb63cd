//! One database as one file: the only way to copy a database that is in use, and the form of every backup.
//!
//! Asked by the store (`export`, the recovery ladder) and by the runner (the backup before a migration, the rehearsal).
//! The format is stable; all numbers are little endian:
//!
//! ```text
//! magic     8   "tod-exp\n"
//! version   u32 1
//! schema    u32 the schema of the records within
//! taken_at  i64 nanoseconds since 1970 UTC
//! sequence  u64 the number of the newest commit within
//! record*       u32 key length, u32 value length, key, value, first 8 bytes of BLAKE3 over those four
//! end       u32 0xFFFF_FFFF, u64 the number of records
//! digest    32  BLAKE3 of everything before it
//! ```
//!
//! What must stay true: a file under its final name is whole and on the disk (draft, sync, rename, sync of the folder);
//! nothing of a file is believed before its digest was checked; lengths are bounded before anything is allocated.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::layout::Tally;

const MAGIC: [u8; 8] = *b"tod-exp\n";
const VERSION: u32 = 1;
const END: u32 = u32::MAX;
/// Longer keys or values are not ours (the store's own limits are far below).
const MAX_LENGTH: u32 = 16 * 1024 * 1024;
/// How many records go into the new database at once.
const IMPORT_BATCH: usize = 1024;

/// What an export says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The schema of its records.
    pub schema: u32,
    /// When it was taken, nanoseconds since 1970 UTC.
    pub taken_at: i64,
    /// The number of the newest commit within.
    pub sequence: u64,
}

/// A whole export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What it says about itself.
    pub header: Header,
    /// How many records.
    pub records: u64,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Writes all of `tree` to `path`, replacing what is there. The caller keeps writers away while it runs.
///
/// # Errors
/// `Db` when the tree cannot be read, `Io` when the file cannot be written; `path` is then what it was before.
pub fn write(tree: &sled::Tree, path: &Path, header: Header) -> Result<Summary> {
    let draft = draft_of(path);
    let outcome = write_draft(tree, &draft, header).and_then(|summary| {
        fs::rename(&draft, path)?;
        sync_folder(path)?;
        Ok(summary)
    });
    if outcome.is_err() {
        // The failure itself is the news; a draft left behind is swept with the next export.
        drop(fs::remove_file(&draft));
    }
    outcome
}

fn write_draft(tree: &sled::Tree, draft: &Path, header: Header) -> Result<Summary> {
    let file = private_file(draft)?;
    let mut out = Digesting {
        inner: BufWriter::with_capacity(1 << 16, file),
        digest: blake3::Hasher::new(),
        bytes: 0,
    };
    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&header.schema.to_le_bytes())?;
    out.write_all(&header.taken_at.to_le_bytes())?;
    out.write_all(&header.sequence.to_le_bytes())?;
    let mut records = 0_u64;
    for item in tree {
        let (key, value) = item?;
        let (key_length, value_length) = (length(&key)?, length(&value)?);
        out.write_all(&key_length.to_le_bytes())?;
        out.write_all(&value_length.to_le_bytes())?;
        out.write_all(&key)?;
        out.write_all(&value)?;
        out.write_all(&record_sum(&key, &value))?;
        records += 1;
    }
    out.write_all(&END.to_le_bytes())?;
    out.write_all(&records.to_le_bytes())?;
    let digest = *out.digest.finalize().as_bytes();
    out.write_all(&digest)?;
    let bytes = out.bytes;
    let file = out.inner.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(Summary {
        header,
        records,
        bytes,
    })
}

/// Reads all of `path` and says what it holds.
///
/// # Errors
/// `Export` when it is not whole, `Io` when it cannot be read.
pub fn check(path: &Path) -> Result<Summary> {
    read(path, |_, _| Ok(()))
}

/// Puts all records of `path` into `tree`, which should be empty, after the whole file was checked. The caller flushes.
///
/// # Errors
/// `Export` when the file is not whole (nothing was put then), `Db` when the tree refuses.
pub fn import(path: &Path, tree: &sled::Tree) -> Result<Summary> {
    check(path)?;
    let mut batch = sled::Batch::default();
    let mut waiting = 0;
    let summary = read(path, |key, value| {
        batch.insert(key, value);
        waiting += 1;
        if waiting == IMPORT_BATCH {
            waiting = 0;
            tree.apply_batch(std::mem::take(&mut batch))?;
        }
        Ok(())
    })?;
    tree.apply_batch(batch)?;
    match Tally::stored(tree)?.agrees(&Tally::counted(tree)?) {
        true => Ok(summary),
        false => Err(Error::Export("records are missing or altered".to_owned())),
    }
}

fn read(path: &Path, mut each: impl FnMut(Vec<u8>, Vec<u8>) -> Result<()>) -> Result<Summary> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut input = Checking {
        inner: BufReader::with_capacity(1 << 16, file),
        digest: blake3::Hasher::new(),
    };
    if input.array::<8>()? != MAGIC {
        return Err(Error::Export("it does not begin like an export".to_owned()));
    }
    let version = u32::from_le_bytes(input.array()?);
    if version != VERSION {
        return Err(Error::Export(format!(
            "it has format {version}, and this build reads {VERSION}"
        )));
    }
    let header = Header {
        schema: u32::from_le_bytes(input.array()?),
        taken_at: i64::from_le_bytes(input.array()?),
        sequence: u64::from_le_bytes(input.array()?),
    };
    let mut records = 0_u64;
    loop {
        let key_length = u32::from_le_bytes(input.array()?);
        if key_length == END {
            break;
        }
        let value_length = u32::from_le_bytes(input.array()?);
        let key = input.bytes(key_length, bytes)?;
        let value = input.bytes(value_length, bytes)?;
        if input.array::<8>()? != record_sum(&key, &value) {
            return Err(Error::Export(format!("record {records} is damaged")));
        }
        each(key, value)?;
        records += 1;
    }
    if u64::from_le_bytes(input.array()?) != records {
        return Err(Error::Export("records are missing".to_owned()));
    }
    let expected = *input.digest.finalize().as_bytes();
    if input.array::<32>()? != expected {
        return Err(Error::Export("its digest does not match".to_owned()));
    }
    if input.inner.read(&mut [0])? != 0 {
        return Err(Error::Export("something follows its end".to_owned()));
    }
    Ok(Summary {
        header,
        records,
        bytes,
    })
}

fn length(bytes: &[u8]) -> Result<u32> {
    u32::try_from(bytes.len())
        .ok()
        .filter(|&length| length <= MAX_LENGTH)
        .ok_or_else(|| Error::Export(format!("a record of {} bytes is too long", bytes.len())))
}

fn record_sum(key: &[u8], value: &[u8]) -> [u8; 8] {
    let mut digest = blake3::Hasher::new();
    digest.update(&(key.len() as u64).to_le_bytes());
    digest.update(&(value.len() as u64).to_le_bytes());
    digest.update(key);
    digest.update(value);
    let mut sum = [0; 8];
    digest.finalize_xof().fill(&mut sum);
    sum
}

/// The name a file has until it is whole.
fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".draft");
    path.with_file_name(name)
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        #[cfg(unix)]
        Some(folder) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

struct Digesting {
    inner: BufWriter<File>,
    digest: blake3::Hasher,
    bytes: u64,
}

impl Digesting {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        self.inner.write_all(bytes)
    }
}

struct Checking {
    inner: BufReader<File>,
    digest: blake3::Hasher,
}

impl Checking {
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// `length` bytes; a length over the limit or over the whole file's size is damage, not a reason to allocate.
    fn bytes(&mut self, length: u32, whole: u64) -> Result<Vec<u8>> {
        if length > MAX_LENGTH || u64::from(length) > whole {
            return Err(Error::Export(format!(
                "a length of {length} bytes cannot be right"
            )));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.inner.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::Export("it ends too early".to_owned()),
            _ => Error::Io(error),
        })?;
        self.digest.update(bytes);
        Ok(())
    }
}
