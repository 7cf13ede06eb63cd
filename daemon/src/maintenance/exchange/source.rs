//! The lines of a file, one at a time, and the bytes of a content from the lines of its pieces.
//!
//! Asked by `input.rs`. What must stay true: no line is held that is longer than a line may be, and what is wrong is said
//! with its number.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use proto::error::{Error, Result};

use super::Progress;
use super::line::{LONGEST, Line, PIECE};
use crate::objects::{Digest, Taken};

/// Lines from a file, one at a time.
pub(super) struct Source<'s> {
    pub(super) input: BufReader<File>,
    pub(super) path: &'s Path,
    pub(super) number: u64,
    pub(super) hasher: blake3::Hasher,
    /// The line read last, without its end.
    pub(super) line: Vec<u8>,
    pub(super) bytes: u64,
    pub(super) total: u64,
    pub(super) progress: Progress<'s>,
}

impl Source<'_> {
    pub(super) fn digest(&self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }

    pub(super) fn next(&mut self) -> Result<Option<Line>> {
        self.line.clear();
        let most = LONGEST as u64 + 1;
        let read = (&mut self.input).take(most).read_until(b'\n', &mut self.line);
        read.map_err(|error| {
            Error::unavailable(format!("`{}` cannot be read completely", self.path.display())).why(error)
        })?;
        if self.line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += self.line.len() as u64;
        self.hasher.update(&self.line);
        if self.bytes >> 20 != (self.bytes - self.line.len() as u64) >> 20 {
            (self.progress)("bytes", self.bytes.min(self.total), Some(self.total));
        }
        if self.line.pop() != Some(b'\n') {
            return Err(match self.line.len() >= LONGEST {
                true => self.wrong(&format!("it is longer than {} MiB", LONGEST >> 20)),
                false => self.wrong("the file is cut off in this line"),
            });
        }
        Line::parse(&self.line).map(Some).map_err(|why| self.wrong(&why))
    }

    pub(super) fn wrong(&self, why: &str) -> Error {
        Error::refused(format!(
            "line {} of `{}` cannot be taken in",
            self.number.max(1),
            self.path.display()
        ))
        .why(why)
        .next("nothing was changed; export it again with `tocli workspace export`")
    }
}

/// What a content is, without keeping it.
pub(super) fn looked_through(pieces: &mut Pieces<'_, '_>) -> Result<Taken> {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = vec![0; PIECE];
    let mut size = 0;
    loop {
        match pieces.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&bytes[..count]);
                size += count as u64;
            }
            Err(error) => return Err(Error::refused("a content that cannot be read").why(error)),
        }
    }
    Ok(Taken {
        digest: Digest::from(*hasher.finalize().as_bytes()),
        size,
    })
}

/// The bytes of a content, from the lines of its pieces.
pub(super) struct Pieces<'p, 's> {
    pub(super) lines: &'p mut Source<'s>,
    pub(super) left: u64,
    pub(super) piece: Vec<u8>,
    pub(super) at: usize,
    pub(super) failed: Option<Error>,
}

impl Pieces<'_, '_> {
    /// The next piece: all are as long as they can be, the last may be shorter.
    fn next(&mut self) -> Result<()> {
        let wanted = usize::try_from(self.left).map_or(PIECE, |left| left.min(PIECE));
        let line = self.lines.next()?;
        let Some(Line::Piece(text)) = line else {
            return Err(self
                .lines
                .wrong(&format!("{} bytes of the content before are missing", self.left)));
        };
        let bytes = BASE64_STANDARD.decode(text);
        let bytes = bytes.map_err(|_| self.lines.wrong("its piece is not base64"))?;
        if bytes.len() != wanted {
            let why = format!("its piece has {} bytes in place of {wanted}", bytes.len());
            return Err(self.lines.wrong(&why));
        }
        self.left -= bytes.len() as u64;
        (self.piece, self.at) = (bytes, 0);
        Ok(())
    }
}

impl Read for Pieces<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            if self.left == 0 {
                return Ok(0);
            }
            if let Err(error) = self.next() {
                self.failed = Some(error);
                return Err(io::Error::other("a content that is not whole"));
            }
        }
        let rest = &self.piece[self.at..];
        let count = rest.len().min(bytes.len());
        bytes[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}
