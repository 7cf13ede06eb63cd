//! Which paths git would not show: ignore files and their order of precedence. Pure: bytes in, a verdict out.
//!
//! Asked by the crawl and by the engine for every name. What must stay true: the deepest `.gitignore` with a matching
//! pattern decides, the last such pattern in it; then `info/exclude`, then `core.excludesFile`; and nothing below an
//! ignored directory is looked at, so no pattern can bring it back (git's index can, see `tracked`).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use ::ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The patterns of one ignore file.
#[derive(Debug)]
pub(super) struct Matcher {
    patterns: Gitignore,
    /// The bytes it was made of.
    source: Vec<u8>,
    /// Whether a pattern names more than one level, so that it can match differently after a directory was moved.
    deep: bool,
}

impl Matcher {
    /// Reads an ignore file. A line that git would not understand matches nothing.
    #[must_use]
    pub(super) fn parse(source: Vec<u8>) -> Self {
        let mut builder = GitignoreBuilder::new("");
        let mut deep = false;
        let text = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&source);
        for line in text.split(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let Ok(line) = std::str::from_utf8(line) else {
                continue;
            };
            let body = line.trim_start_matches('!').trim_end_matches('/');
            deep |= body.trim_start_matches('/').contains('/');
            if let Err(error) = builder.add_line(None, line) {
                tracing::debug!(%error, "an ignore pattern was passed over");
            }
        }
        let patterns = builder.build().unwrap_or_else(|error| {
            tracing::warn!(%error, "an ignore file was passed over");
            Gitignore::empty()
        });
        Self {
            patterns,
            source,
            deep,
        }
    }

    /// The bytes it was made of.
    #[must_use]
    pub(super) fn source(&self) -> &[u8] {
        &self.source
    }

    /// Whether moving a directory beneath can change what it says.
    #[must_use]
    pub(super) fn is_deep(&self) -> bool {
        self.deep
    }

    /// What the last matching pattern says of a path relative to the ignore file's folder: ignored, or not after all.
    #[must_use]
    pub(super) fn verdict(&self, path: &[u8], is_dir: bool) -> Option<bool> {
        if self.patterns.is_empty() {
            return None;
        }
        match self.patterns.matched(Path::new(OsStr::from_bytes(path)), is_dir) {
            ::ignore::Match::None => None,
            ::ignore::Match::Ignore(_) => Some(true),
            ::ignore::Match::Whitelist(_) => Some(false),
        }
    }
}

/// The ignore files that count for one directory, innermost first.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules(Option<Arc<Link>>);

#[derive(Debug)]
struct Link {
    matcher: Arc<Matcher>,
    /// Bytes of a path from the root that lie before the ignore file's folder's own names.
    skip: usize,
    outer: Rules,
}

impl Rules {
    /// These rules with an ignore file that counts before them and lies `skip` bytes into paths from the root.
    #[must_use]
    pub(super) fn with(&self, matcher: Arc<Matcher>, skip: usize) -> Self {
        Self(Some(Arc::new(Link {
            matcher,
            skip,
            outer: self.clone(),
        })))
    }

    /// Whether a path relative to the root is ignored by itself (its parents are not).
    #[must_use]
    pub(super) fn hide(&self, path: &[u8], is_dir: bool) -> bool {
        let mut at = &self.0;
        while let Some(link) = at {
            if let Some(verdict) = path
                .get(link.skip..)
                .and_then(|path| link.matcher.verdict(path, is_dir))
            {
                return verdict;
            }
            at = &link.outer.0;
        }
        false
    }

    /// Whether these rules, for the content of a directory, say the same as those of another place: the same files,
    /// none of which looks at more than one level of a path.
    #[must_use]
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let (mut ours, mut theirs) = (&self.0, &other.0);
        loop {
            match (ours, theirs) {
                (None, None) => return true,
                (Some(one), Some(two))
                    if Arc::ptr_eq(&one.matcher, &two.matcher) && !one.matcher.is_deep() =>
                {
                    (ours, theirs) = (&one.outer.0, &two.outer.0);
                }
                _ => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(files: &[(&str, &str)]) -> Rules {
        files.iter().fold(Rules::default(), |rules, (folder, text)| {
            let skip = if folder.is_empty() { 0 } else { folder.len() + 1 };
            rules.with(Arc::new(Matcher::parse(text.as_bytes().to_vec())), skip)
        })
    }

    #[test]
    fn the_innermost_file_with_a_match_decides() {
        let rules = rules(&[("", "*.log\n/build/\n"), ("a", "!keep.log\n")]);
        assert!(rules.hide(b"a/x.log", false));
        assert!(!rules.hide(b"a/keep.log", false));
        assert!(rules.hide(b"build", true));
        assert!(!rules.hide(b"build", false));
        assert!(!rules.hide(b"a/build", true));
    }

    #[test]
    fn only_patterns_of_several_levels_are_deep() {
        assert!(!Matcher::parse(b"*.o\n/target/\n!x\n".to_vec()).is_deep());
        assert!(Matcher::parse(b"docs/*.tmp\n".to_vec()).is_deep());
    }
}
