//! An export that comes on a pipe, kept where the daemon can read it for as long as it does.
//!
//! Asked by `workspace import`. What must stay true: where the system knows files without a name the copy never has one
//! that somebody could find again, so that whoever is killed on the way leaves nothing behind; what is no export, or has
//! no end, is refused long before it fills a disk.

use std::fs::{File, Permissions};
use std::io::{self, BufRead, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use proto::{Error, error::Result};

use crate::draft;

/// How every export begins (`EXPORT.md`).
const BEGIN: &[u8] = b"{\"workspace_export\":";
/// And every line of one.
const LINE: &[u8] = b"{\"";
/// The longest line of one.
const LONGEST: usize = 8 << 20;
/// The most bytes that are copied: a larger export is to be read where it lies.
const MOST: u64 = 4 << 30;

/// A copy. It goes when this does.
#[derive(Debug)]
pub(crate) struct Piped {
    file: File,
    /// Its name, where it has one.
    named: Option<tempfile::TempPath>,
}

impl Piped {
    /// Copies all of what comes; `shown` is what the user calls it.
    ///
    /// # Errors
    /// `refused` for what is no export or has no end, `unavailable` for what cannot be read or kept.
    pub(crate) fn of(input: &mut dyn BufRead, shown: &Path) -> Result<Self> {
        let mut piped = Self::empty().map_err(lost)?;
        copy(input, &mut piped.file, (shown, MOST))?;
        Ok(piped)
    }

    fn empty() -> io::Result<Self> {
        if let Some(file) = draft::nameless(&std::env::temp_dir()) {
            file.set_permissions(Permissions::from_mode(0o600))?;
            return Ok(Self { file, named: None });
        }
        let (file, path) = builder().tempfile()?.into_parts();
        let named = Some(path);
        Ok(Self { file, named })
    }

    /// Where the daemon finds it.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.named {
            Some(path) => path.to_path_buf(),
            None => PathBuf::from(format!(
                "/proc/{}/fd/{}",
                std::process::id(),
                self.file.as_raw_fd()
            )),
        }
    }

    /// Gives it a name, for a daemon that cannot follow a descriptor of ours: one of another process namespace, or an
    /// older one. False when it has one.
    pub(crate) fn name(&mut self) -> io::Result<bool> {
        if self.named.is_some() {
            return Ok(false);
        }
        let made = builder().make(|path| draft::name(&self.file, path))?;
        self.named = Some(made.into_temp_path());
        Ok(true)
    }
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("tocli-import-");
    builder
}

fn lost(error: io::Error) -> Error {
    Error::unavailable("what comes on the pipe cannot all be kept")
        .why(error)
        .next("make room in the folder for temporary files (`TMPDIR`), or name a file")
}

/// Copies lines for as long as they could be those of an export.
fn copy(input: &mut dyn BufRead, out: &mut File, (shown, most): (&Path, u64)) -> Result<()> {
    let unreadable = |error: io::Error| {
        Error::unavailable(format!("`{}` cannot be read", shown.display()))
            .why(error)
            .next("give what `tocli workspace export` writes, or name a file of it")
    };
    let no_export = || {
        Error::refused(format!("`{}` is no export of a workspace", shown.display()))
            .why("such a file begins with `{\"workspace_export\":`")
            .next("nothing was changed; export it again with `tocli workspace export`")
    };
    let wrong = |number: u64, why: String| {
        Error::refused(format!(
            "line {number} of `{}` cannot be taken in",
            shown.display()
        ))
        .why(why)
        .next("nothing was changed; export it again with `tocli workspace export`")
    };
    let (mut number, mut all) = (1, 0);
    // The beginning of the line that is being read, and how long it is so far.
    let (mut begin, mut length): (Vec<u8>, usize) = (Vec::new(), 0);
    loop {
        let bytes = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            bytes => bytes.map_err(unreadable)?,
        };
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let part = &bytes[..end.map_or(bytes.len(), |at| at + 1)];
        let expected = if number == 1 { BEGIN } else { LINE };
        let missing = expected.len().saturating_sub(begin.len());
        begin.extend(part.iter().take(missing));
        let is_over = part.is_empty() || end.is_some();
        let fits = expected.starts_with(&begin) && (begin.len() == expected.len() || !is_over);
        if !fits && number == 1 {
            return Err(no_export());
        }
        if part.is_empty() {
            // Whether it is whole the daemon says.
            return Ok(());
        }
        length += part.len();
        all += part.len() as u64;
        if !fits {
            return Err(wrong(number, "it is no line of an export".to_owned()));
        }
        if length > LONGEST + 1 {
            let why = format!("it is longer than {} MiB", LONGEST >> 20);
            return Err(wrong(number, why));
        }
        if all > most {
            return Err(
                Error::too_large(format!("more than {most} bytes came on the pipe"))
                    .why("so much is not copied into the folder for temporary files")
                    .next("nothing was changed; write it into a file and name that"),
            );
        }
        out.write_all(part).map_err(lost)?;
        let read = part.len();
        if end.is_some() {
            number += 1;
            begin.clear();
            length = 0;
        }
        input.consume(read);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::error::Kind;
    use std::os::unix::fs::MetadataExt as _;

    const HEAD: &str = "{\"workspace_export\":{}}\n";

    fn copied(text: &[u8], piece: usize, most: u64) -> Result<u64> {
        let mut out = tempfile::tempfile().expect("a file");
        let mut input = io::BufReader::with_capacity(piece, text);
        copy(&mut input, &mut out, (Path::new("-"), most))?;
        Ok(out.metadata().expect("looked at").size())
    }

    #[test]
    fn an_export_is_copied_whole_however_it_comes_in_pieces() {
        let text = format!("{HEAD}{{\"task\":1}}\n{{\"end\":2}}\n");
        for piece in [1, 2, 7, 100] {
            assert_eq!(
                copied(text.as_bytes(), piece, 1000),
                Ok(text.len() as u64),
                "{piece}"
            );
            // One that is cut off is for the daemon to judge, where it begins as an export does.
            assert_eq!(copied(&text.as_bytes()[..40], piece, 1000), Ok(40), "{piece}");
        }
    }

    #[test]
    fn what_is_no_export_ends_at_its_first_wrong_line() {
        for text in ["", "{", "{\"task\":1}\n", "\n", "{\"workspace_export\"\n"] {
            let error = copied(text.as_bytes(), 3, 1000).expect_err(text);
            assert!(error.what.contains("is no export"), "{error:?}");
        }
        for (rest, line) in [("y\n", 2), ("\n", 2), ("{\"task\":1}\n[]\n", 3)] {
            let error = copied(format!("{HEAD}{rest}").as_bytes(), 3, 1000).expect_err(rest);
            assert!(error.what.contains(&format!("line {line} ")), "{error:?}");
        }
    }

    #[test]
    fn a_line_without_an_end_and_lines_without_an_end_are_refused() {
        let line = [HEAD.as_bytes(), b"{\"", &vec![b'x'; LONGEST]].concat();
        let error = copied(&line, 1 << 16, u64::MAX).expect_err("too long");
        assert!(error.why.is_some_and(|why| why.contains("8 MiB")));
        let lines = format!("{HEAD}{}", "{\"task\":1}\n".repeat(100));
        let error = copied(lines.as_bytes(), 64, 500).expect_err("too many");
        assert_eq!(error.kind, Kind::TooLarge, "{error:?}");
    }
}
