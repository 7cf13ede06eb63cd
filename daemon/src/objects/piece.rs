//! Objects read a piece at a time, as they are or compressed.
//!
//! A compressed object stands beside its place with the ending `.z`: magic, size, then the lengths of its blocks, then
//! the blocks, each a zstd frame of [`BLOCK`] bytes, so that a piece costs its own blocks only. What must stay true: a
//! plain object is removed only after its compressed form was read back and is on the disk.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use proto::error::{Error, Result};
use rustix::buffer::spare_capacity;

use super::{Digest, Objects};

/// Bytes of an object in one block.
const BLOCK: u64 = 1 << 20;
/// The beginning of a compressed object.
const MAGIC: [u8; 8] = *b"TODOBJZ1";
/// Magic, size, number of blocks.
const HEAD: usize = 24;
/// The most blocks of one object (1 TiB).
const MOST_BLOCKS: u64 = 1 << 20;
/// How much is read and hashed at a time.
const STEP: usize = 256 << 10;

/// An open object.
#[derive(Debug)]
pub struct Object {
    file: File,
    size: u64,
    /// Where each block begins, and where the last one ends; none for a plain object.
    blocks: Option<Vec<u64>>,
    digest: Digest,
}

/// What reading an object to its end found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The bytes that were stored.
    Good,
    /// Others.
    Damaged,
    /// None.
    Lost,
}

/// What compressing an object came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Squeezed {
    /// Bytes on the disk before.
    pub from: u64,
    /// Bytes on the disk now.
    pub to: u64,
}

impl Objects {
    fn compressed(&self, digest: &Digest) -> PathBuf {
        self.path(digest).with_extension("z")
    }

    /// Opens the object with this digest.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Unavailable` when it cannot be read.
    pub fn open(&self, digest: &Digest) -> Result<Object> {
        match File::open(self.path(digest)) {
            Ok(file) => {
                let size = file.metadata().map_err(|error| unreadable(digest, &error))?.len();
                Ok(Object {
                    file,
                    size,
                    blocks: None,
                    digest: *digest,
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.open_compressed(digest),
            Err(error) => Err(unreadable(digest, &error)),
        }
    }

    fn open_compressed(&self, digest: &Digest) -> Result<Object> {
        let failed = |error: io::Error| unreadable(digest, &error);
        let file = File::open(self.compressed(digest)).map_err(failed)?;
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).map_err(failed)?;
        let number = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&head[at..at + 8]);
            u64::from_le_bytes(eight)
        };
        let (size, count) = (number(8), number(16));
        if head[..8] != MAGIC || count > MOST_BLOCKS || count != size.div_ceil(BLOCK) {
            return Err(damaged(digest));
        }
        let mut lengths = vec![0; usize::try_from(count).unwrap_or_default() * 4];
        file.read_exact_at(&mut lengths, HEAD as u64).map_err(failed)?;
        let mut at = HEAD as u64 + lengths.len() as u64;
        let mut blocks = vec![at];
        for four in lengths.as_chunks::<4>().0 {
            at += u64::from(u32::from_le_bytes(*four));
            blocks.push(at);
        }
        Ok(Object {
            file,
            size,
            blocks: Some(blocks),
            digest: *digest,
        })
    }

    /// Reads an object to its end.
    ///
    /// # Errors
    /// `Unavailable` when the disk does not give it.
    pub fn check(&self, digest: &Digest) -> Result<Checked> {
        let object = match self.open(digest) {
            Ok(object) => object,
            Err(error) if error.kind == proto::Kind::NotFound => return Ok(Checked::Lost),
            Err(error) => return Err(error),
        };
        let mut hasher = blake3::Hasher::new();
        let mut offset = 0;
        while offset < object.size {
            let piece = match object.read(offset, STEP) {
                Ok(piece) if piece.is_empty() => break,
                Ok(piece) => piece,
                // A block that cannot be unpacked is damage, not a disk that fails.
                Err(_) if object.blocks.is_some() => return Ok(Checked::Damaged),
                Err(error) => return Err(error),
            };
            hasher.update(&piece);
            offset += piece.len() as u64;
            proto::piece::give(piece);
        }
        match Digest::from(*hasher.finalize().as_bytes()) == *digest {
            true => Ok(Checked::Good),
            false => Ok(Checked::Damaged),
        }
    }

    /// Bytes on the disk; none when the object is not there.
    #[must_use]
    pub fn kept(&self, digest: &Digest) -> Option<u64> {
        let length = |path: PathBuf| fs::symlink_metadata(path).ok().map(|found| found.len());
        length(self.path(digest)).or_else(|| length(self.compressed(digest)))
    }

    /// Compresses an object, when that saves at least a tenth; none when it does not or was done before.
    ///
    /// # Errors
    /// `Unavailable` when it is damaged or the disk does not keep the compressed form.
    pub fn squeeze(&self, digest: &Digest) -> Result<Option<Squeezed>> {
        let object = self.open(digest)?;
        if object.blocks.is_some() || object.size < BLOCK / 16 {
            return Ok(None);
        }
        if self.check(digest)? != Checked::Good {
            return Err(damaged(digest));
        }
        let failed = |error: io::Error| {
            Error::unavailable(format!("the object `{digest}` could not be compressed")).why(error)
        };
        let target = self.compressed(digest);
        let shelf = self.shelf(&target).map_err(failed)?;
        let draft = Self::scratch(shelf);
        let written = self.write_blocks(&object, &draft);
        let to = match written {
            Ok(to) if to <= object.size - object.size / 10 => to,
            outcome => {
                drop(fs::remove_file(&draft));
                return outcome.map(|_| None);
            }
        };
        fs::rename(&draft, &target).map_err(failed)?;
        self.sync_folder(shelf).map_err(failed)?;
        // Read back before the only other copy goes.
        let plain = self.path(digest);
        let aside = plain.with_extension("plain");
        fs::rename(&plain, &aside).map_err(failed)?;
        if self.check(digest)? != Checked::Good {
            fs::rename(&aside, &plain).map_err(failed)?;
            fs::remove_file(&target).map_err(failed)?;
            return Err(Error::bug(format!(
                "the object `{digest}` came out of compression as another one"
            )));
        }
        fs::remove_file(&aside).map_err(failed)?;
        Ok(Some(Squeezed {
            from: object.size,
            to,
        }))
    }

    fn write_blocks(&self, object: &Object, draft: &std::path::Path) -> Result<u64> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let failed =
            |error: io::Error| Error::unavailable("a compressed object cannot be written").why(error);
        let count = object.size.div_ceil(BLOCK);
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(draft)
            .map_err(failed)?;
        let mut lengths = Vec::new();
        let mut at = HEAD as u64 + count * 4;
        for block in 0..count {
            let bytes = object.read(block * BLOCK, usize::try_from(BLOCK).unwrap_or_default())?;
            let packed = zstd::bulk::compress(&bytes, 3).map_err(failed)?;
            file.write_all_at(&packed, at).map_err(failed)?;
            at += packed.len() as u64;
            lengths.extend_from_slice(&u32::try_from(packed.len()).unwrap_or(u32::MAX).to_le_bytes());
        }
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(&object.size.to_le_bytes());
        head.extend_from_slice(&count.to_le_bytes());
        head.extend_from_slice(&lengths);
        file.write_all_at(&head, 0).map_err(failed)?;
        self.disk.sync(&file).map_err(failed)?;
        Ok(at)
    }
}

impl Object {
    /// Bytes of the whole.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The file, when it holds the bytes as they are.
    #[must_use]
    pub fn plain(&self) -> Option<&File> {
        self.blocks.is_none().then_some(&self.file)
    }

    /// At most `most` bytes from a place; fewer at the end, and for a compressed object at the end of a block's reach.
    ///
    /// # Errors
    /// `Unavailable` when they cannot be read.
    pub fn read(&self, offset: u64, most: usize) -> Result<Vec<u8>> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = most.min(left);
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let Some(blocks) = &self.blocks else {
            return plain(&self.file, offset, wanted).map_err(|error| unreadable(&self.digest, &error));
        };
        let mut found = Vec::with_capacity(wanted);
        while found.len() < wanted {
            let at = offset + found.len() as u64;
            let bytes = self.block(blocks, at / BLOCK)?;
            let skip = usize::try_from(at % BLOCK).unwrap_or_default();
            let Some(part) = bytes.get(skip..).filter(|part| !part.is_empty()) else {
                return Err(damaged(&self.digest));
            };
            found.extend_from_slice(&part[..part.len().min(wanted - found.len())]);
        }
        Ok(found)
    }

    fn block(&self, blocks: &[u64], number: u64) -> Result<Vec<u8>> {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        let (Some(begin), Some(end)) = (blocks.get(at), blocks.get(at.saturating_add(1))) else {
            return Err(damaged(&self.digest));
        };
        let length = usize::try_from(end - begin).unwrap_or(usize::MAX);
        let room = usize::try_from(BLOCK).unwrap_or_default();
        if length > 2 * room {
            return Err(damaged(&self.digest));
        }
        let mut packed = vec![0; length];
        self.file
            .read_exact_at(&mut packed, *begin)
            .map_err(|error| unreadable(&self.digest, &error))?;
        let bytes = zstd::bulk::decompress(&packed, room).map_err(|_| damaged(&self.digest))?;
        let whole = (self.size - number * BLOCK).min(BLOCK);
        match bytes.len() as u64 == whole {
            true => Ok(bytes),
            false => Err(damaged(&self.digest)),
        }
    }
}

/// Exactly `wanted` bytes of a file from a place, in a buffer that may have been used before.
fn plain(file: &File, offset: u64, wanted: usize) -> io::Result<Vec<u8>> {
    let mut bytes = proto::piece::take(wanted);
    while bytes.len() < wanted {
        let at = offset + bytes.len() as u64;
        match rustix::io::pread(file, spare_capacity(&mut bytes), at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // There may have been room for more.
    bytes.truncate(wanted);
    Ok(bytes)
}

/// Reads from the beginning to the end.
#[derive(Debug)]
pub struct Reader<O = Object> {
    object: O,
    at: u64,
}

impl From<Object> for Reader {
    fn from(object: Object) -> Self {
        Self { object, at: 0 }
    }
}

impl<'o> Reader<&'o Object> {
    /// Of an object that others read too.
    #[must_use]
    pub fn of(object: &'o Object) -> Self {
        Self { object, at: 0 }
    }
}

impl<O: std::borrow::Borrow<Object>> io::Read for Reader<O> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let piece = self
            .object
            .borrow()
            .read(self.at, bytes.len())
            .map_err(|error| io::Error::other(error.to_string()))?;
        let count = piece.len();
        bytes[..count].copy_from_slice(&piece);
        self.at += count as u64;
        proto::piece::give(piece);
        Ok(count)
    }
}

fn unreadable(digest: &Digest, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => {
            Error::not_found(format!("no object `{digest}`")).next("run `tocli doctor`")
        }
        io::ErrorKind::UnexpectedEof => damaged(digest),
        _ => Error::unavailable(format!("the object `{digest}` cannot be read")).why(error),
    }
}

fn damaged(digest: &Digest) -> Error {
    Error::unavailable(format!("the object `{digest}` is damaged")).next("run `tocli doctor`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: u32) -> Vec<u8> {
        (0..count)
            .flat_map(|n| format!("line {n} of many\n").into_bytes())
            .collect()
    }

    #[test]
    fn a_compressed_object_reads_as_the_plain_one_did() {
        let state = tempfile::tempdir().unwrap();
        let objects = Objects::new(state.path());
        let bytes = lines(200_000);
        let digest = objects.put(&bytes).unwrap();
        let squeezed = objects.squeeze(&digest).unwrap().unwrap();
        assert!(squeezed.to * 2 < squeezed.from, "{squeezed:?}");
        assert_eq!(objects.kept(&digest), Some(squeezed.to));
        assert_eq!(objects.squeeze(&digest).unwrap(), None, "only once");
        assert_eq!(objects.put(&bytes).unwrap(), digest);
        assert_eq!(
            objects.kept(&digest),
            Some(squeezed.to),
            "it is there, so nothing is written"
        );
        assert_eq!(objects.check(&digest).unwrap(), Checked::Good);
        assert_eq!(objects.get(&digest).unwrap(), bytes);
        let object = objects.open(&digest).unwrap();
        let block = usize::try_from(BLOCK).unwrap();
        for (offset, most) in [
            (0, 10),
            (block - 5, 10),
            (block, 3 * block),
            (bytes.len() - 3, 100),
            (bytes.len(), 9),
        ] {
            let end = bytes.len().min(offset + most);
            assert_eq!(
                object.read(offset as u64, most).unwrap(),
                bytes[offset..end],
                "{offset}"
            );
        }
    }

    #[test]
    fn a_flipped_bit_is_found_in_either_form() {
        let state = tempfile::tempdir().unwrap();
        let objects = Objects::new(state.path());
        let flip = |path: PathBuf| {
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&path, bytes).unwrap();
        };
        let plain = objects.put(b"some bytes").unwrap();
        flip(objects.path(&plain));
        assert_eq!(objects.check(&plain).unwrap(), Checked::Damaged);
        let packed = objects.put(&lines(100_000)).unwrap();
        objects.squeeze(&packed).unwrap().unwrap();
        flip(objects.compressed(&packed));
        assert_eq!(objects.check(&packed).unwrap(), Checked::Damaged);
        assert_eq!(objects.check(&Digest::of(b"never")).unwrap(), Checked::Lost);
    }

    #[test]
    fn what_does_not_get_smaller_stays_as_it_is() {
        let state = tempfile::tempdir().unwrap();
        let objects = Objects::new(state.path());
        let mut noise = vec![0; 300_000];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        let digest = objects.put(&noise).unwrap();
        assert_eq!(objects.squeeze(&digest).unwrap(), None);
        assert_eq!(objects.get(&digest).unwrap(), noise);
    }
}
