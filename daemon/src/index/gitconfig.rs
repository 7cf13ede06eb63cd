//! A reader for git's configuration: the few keys that decide what git shows. Pure but for the files it is told to
//! include, which the caller reads.
//!
//! What must stay true: the last value wins, as with git; a file that git would refuse counts up to the fault.

use super::gitkeys::{self, int, truth};
use super::wildmatch::Case;

/// What a configuration says of the keys that matter here. Later files are laid over earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// `core.excludesFile`, as written.
    pub(super) excludes_file: Option<Vec<u8>>,
    /// `core.ignoreCase`.
    pub(super) ignore_case: bool,
    /// What the repository's own file says of its format.
    pub(super) format: Format,
    /// There was a line that git does not understand, or a value that it does not take.
    pub(super) is_broken: bool,
    /// `remote.*.url` of every remote, for conditions.
    pub(super) remote_urls: Vec<Vec<u8>>,
    /// `safe.directory`, each as written.
    pub(super) safe: Vec<Vec<u8>>,
    /// Paths below somebody's home, which git resolves as it reads them, whether they count or not.
    pub(super) homes: Vec<Vec<u8>>,
}

/// What a repository's own configuration says of its format; in other files git does not look for that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Format {
    /// `core.repositoryFormatVersion`.
    pub(super) version: i64,
    /// `extensions.objectFormat` is `sha256`.
    pub(super) sha256: bool,
    /// `extensions.worktreeConfig`.
    pub(super) worktree_config: bool,
    /// `core.bare`.
    pub(super) bare: Option<bool>,
    /// `core.worktree`, as written.
    pub(super) worktree: Option<Vec<u8>>,
    /// An extension that counts only from version 1 on.
    has_new: bool,
    /// An extension that is not known.
    has_unknown: bool,
}

impl Format {
    /// Whether git works with it.
    pub(super) fn is_known(&self) -> bool {
        match self.version {
            ..=0 => !self.has_new,
            1 => !self.has_unknown,
            _ => false,
        }
    }

    fn extension(&mut self, key: &[u8], value: Option<&[u8]>) -> bool {
        match key {
            b"worktreeconfig" => match truth(value) {
                Some(is_true) => self.worktree_config = is_true,
                None => return false,
            },
            b"preciousobjects" => return truth(value).is_some(),
            b"noop" | b"partialclone" => {}
            b"objectformat" => match value {
                Some(name @ (b"sha1" | b"sha256")) => (self.has_new, self.sha256) = (true, name == b"sha256"),
                _ => return false,
            },
            b"refstorage" => match value {
                Some(b"files" | b"reftable") => self.has_new = true,
                _ => return false,
            },
            b"noop-v1" | b"compatobjectformat" | b"relativeworktrees" => self.has_new = true,
            _ => self.has_unknown = true,
        }
        true
    }
}

/// Given the path and the condition of an included file, as written.
pub(super) type Include<'a> = dyn FnMut(&[u8], Option<&[u8]>, &mut Settings) + 'a;

/// One `section.key = value` with the section's subsection.
struct Entry {
    section: Vec<u8>,
    subsection: Option<Vec<u8>>,
    key: Vec<u8>,
    /// None for a key alone, which means true.
    value: Option<Vec<u8>>,
}

impl Settings {
    /// Whether patterns tell upper from lower case.
    pub(super) fn case(&self) -> Case {
        match self.ignore_case {
            true => Case::Folded,
            false => Case::Exact,
        }
    }

    /// Lays a file's text over what is known. `include` is given the path and the condition of each included file, as
    /// written, and returns its text when the condition holds and it can be read.
    pub(super) fn read(&mut self, text: &[u8], include: &mut Include<'_>) {
        let mut reader = Reader {
            text,
            at: 0,
            section: Vec::new(),
            subsection: None,
            is_broken: false,
        };
        while let Some(entry) = reader.next() {
            let value = entry.value.as_deref();
            if entry.section == b"remote" && entry.subsection.is_some() && entry.key == b"url" {
                self.remote_urls.extend(entry.value);
                continue;
            }
            if entry.subsection.is_some() && entry.section != b"includeif" {
                continue;
            }
            let (section, key) = (entry.section.as_slice(), entry.key.as_slice());
            self.is_broken |= !gitkeys::takes(section, key, value);
            if gitkeys::is_path(section, key) {
                self.homes
                    .extend(value.filter(|path| path.starts_with(b"~")).map(<[u8]>::to_vec));
            }
            match (section, key) {
                (b"core", b"excludesfile") => self.excludes_file = value.map(<[u8]>::to_vec),
                (b"core", b"ignorecase") => self.ignore_case = truth(value).unwrap_or_default(),
                (b"core", b"repositoryformatversion") => match value.and_then(int) {
                    Some(version) => self.format.version = version,
                    None => self.is_broken = true,
                },
                (b"core", b"bare") => match truth(value) {
                    Some(is_true) => self.format.bare = Some(is_true),
                    None => self.is_broken = true,
                },
                (b"core", b"worktree") => match value {
                    Some(path) => self.format.worktree = Some(path.to_vec()),
                    None => self.is_broken = true,
                },
                (b"safe", b"directory") => match value {
                    None | Some(b"") => self.safe.clear(),
                    Some(path) => self.safe.push(path.to_vec()),
                },
                (b"extensions", key) => self.is_broken |= !self.format.extension(key, value),
                (b"include" | b"includeif", b"path") => match value {
                    Some(path) => include(path, entry.subsection.as_deref(), self),
                    None => self.is_broken = true,
                },
                _ => {}
            }
        }
        self.is_broken |= reader.is_broken;
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    section: Vec<u8>,
    subsection: Option<Vec<u8>>,
    /// It ended before its end.
    is_broken: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        if byte == b'\r' && self.peek() == Some(b'\n') {
            self.at += 1;
            return Some(b'\n');
        }
        Some(byte)
    }

    fn skip_line(&mut self) {
        while self.take().is_some_and(|byte| byte != b'\n') {}
    }

    fn next(&mut self) -> Option<Entry> {
        if self.at == 0 && self.text.starts_with(b"\xef\xbb\xbf") {
            self.at = 3;
        }
        loop {
            let read = match self.take()? {
                byte if byte.is_ascii_whitespace() => continue,
                b'#' | b';' => {
                    self.skip_line();
                    continue;
                }
                b'[' => self.header(),
                byte if byte.is_ascii_alphabetic() => {
                    let entry = self.entry(byte);
                    self.is_broken = entry.is_none();
                    return entry;
                }
                _ => None,
            };
            if read.is_none() {
                self.is_broken = true;
                return None;
            }
        }
    }

    fn header(&mut self) -> Option<()> {
        self.section.clear();
        self.subsection = None;
        loop {
            match self.take()? {
                b']' if self.section.is_empty() => return None,
                b']' => break,
                byte if byte.is_ascii_whitespace() && byte != b'\n' => return self.quoted_subsection(),
                byte if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.') => {
                    self.section.push(byte.to_ascii_lowercase());
                }
                _ => return None,
            }
        }
        // The old form `[section.subsection]`.
        if let Some(dot) = self.section.iter().position(|&byte| byte == b'.') {
            self.subsection = Some(self.section.split_off(dot + 1));
            self.section.pop();
        }
        Some(())
    }

    fn quoted_subsection(&mut self) -> Option<()> {
        let mut name = Vec::new();
        while self.peek()? != b'"' {
            if !self.take()?.is_ascii_whitespace() {
                return None;
            }
        }
        self.take();
        loop {
            match self.take()? {
                b'"' => break,
                b'\n' => return None,
                b'\\' => name.push(self.take()?),
                byte => name.push(byte),
            }
        }
        self.subsection = Some(name);
        (self.take()? == b']').then_some(())
    }

    fn entry(&mut self, first: u8) -> Option<Entry> {
        let mut key = vec![first.to_ascii_lowercase()];
        while let Some(byte) = self
            .peek()
            .filter(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        {
            key.push(byte.to_ascii_lowercase());
            self.at += 1;
        }
        while self.peek().is_some_and(|byte| byte == b' ' || byte == b'\t') {
            self.at += 1;
        }
        let value = match self.take() {
            None | Some(b'\n') => None,
            Some(b'=') => Some(self.value()?),
            Some(_) => return None,
        };
        Some(Entry {
            section: self.section.clone(),
            subsection: self.subsection.clone(),
            key,
            value,
        })
    }

    fn value(&mut self) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        let mut quoted = false;
        // Bytes to keep although they are spaces at the end: those that were quoted.
        let mut kept = 0;
        loop {
            match self.take() {
                None | Some(b'\n') if quoted => return None,
                None | Some(b'\n') => break,
                Some(b'"') => {
                    quoted = !quoted;
                    kept = value.len();
                }
                Some(b'#' | b';') if !quoted => {
                    self.skip_line();
                    break;
                }
                Some(b'\\') => match self.take()? {
                    b'\n' => {}
                    b'n' => value.push(b'\n'),
                    b't' => value.push(b'\t'),
                    b'b' => value.push(8),
                    byte @ (b'\\' | b'"') => value.push(byte),
                    _ => return None,
                },
                Some(byte)
                    if byte.is_ascii_whitespace() && !quoted && value.len() == kept && value.is_empty() => {}
                Some(byte) => {
                    value.push(byte);
                    if quoted {
                        kept = value.len();
                    }
                }
            }
        }
        while value.len() > kept && value.last().is_some_and(u8::is_ascii_whitespace) {
            value.pop();
        }
        // To git it is a string that ends there.
        let end = value.iter().position(|&byte| byte == 0);
        value.truncate(end.unwrap_or(value.len()));
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Settings {
        let mut settings = Settings::default();
        settings.read(text.as_bytes(), &mut |_, _, _| {});
        settings
    }

    #[test]
    fn the_last_value_wins_whatever_its_spelling() {
        let text = "[core]\n\texcludesFile = a\n[Core]\n  EXCLUDESFILE = \"b c\" ; note\n[core \"x\"]\n\texcludesfile=no\n";
        assert_eq!(read(text).excludes_file.as_deref(), Some(b"b c".as_slice()));
        assert_eq!(
            read("[core]\nexcludesfile = a b  # c\n").excludes_file.as_deref(),
            Some(b"a b".as_slice())
        );
        assert_eq!(
            read("[core]\nexcludesfile = a\\\n b\n").excludes_file.as_deref(),
            Some(b"a b".as_slice())
        );
    }

    #[test]
    fn a_key_alone_is_true() {
        assert!(read("[core]\n\tignorecase\n").ignore_case);
        assert!(!read("[core]\n\tignorecase = false\n").ignore_case);
        assert!(read("[extensions]\n\tobjectFormat = sha256\n").format.sha256);
    }

    #[test]
    fn included_files_come_in_order() {
        let mut seen = Vec::new();
        Settings::default().read(
            b"[include]\npath = one\n[includeIf \"gitdir:~/w/\"]\n path = two\n",
            &mut |path, condition, _| seen.push((path.to_vec(), condition.map(<[u8]>::to_vec))),
        );
        assert_eq!(
            seen,
            [
                (b"one".to_vec(), None),
                (b"two".to_vec(), Some(b"gitdir:~/w/".to_vec()))
            ]
        );
    }
}
