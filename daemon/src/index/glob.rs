//! The globs of `tocli files`: patterns as in `.gitignore`, judged name by name on the way down the tree. Pure.
//!
//! Asked by `files`, once for each entry of each directory it walks. What must stay true: what a pattern chooses is what
//! the `ignore` crate says of the path or of a directory above it; a directory beneath which nothing can match is not
//! walked, and beneath one that matches nothing is judged any more.

use std::path::Path;

use ::ignore::gitignore::{Gitignore, GitignoreBuilder};
use globset::{Candidate, GlobBuilder, GlobMatcher};
use proto::Error;

/// A gitignore-style glob, relative to the root: a name matches at any depth, a folder stands for all in it.
#[derive(Debug)]
pub(super) struct Glob {
    how: How,
    /// `/` behind it.
    must_be_dir: bool,
}

#[derive(Debug)]
enum How {
    /// One test for each level of the path.
    Levels(Vec<Level>),
    /// What cannot be taken apart at its slashes.
    Whole(Gitignore),
}

/// What a name must be on one level of a path.
#[derive(Debug)]
enum Level {
    /// `**`: any number of directories, also none.
    Directories,
    Any,
    Is(Box<[u8]>),
    Begins(Box<[u8]>),
    Ends(Box<[u8]>),
    Matches(GlobMatcher),
}

/// How far a pattern has come in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The directory matches: so does all in it.
    All,
    /// The levels that a name in the directory may be on, a bit each.
    Levels(u64),
}

/// What a pattern says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) is_match: bool,
    /// For the entries of a directory; none when nothing in it can match.
    pub(super) below: Option<Reach>,
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// `usage` for one that is none, or that could match nothing.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let refuse = |error: ::ignore::Error| Error::usage(format!("`{text}` is not a glob")).why(error);
        if let Some(why) = matches_nothing(text) {
            return Err(Error::usage(format!("`{text}` is not a glob")).why(why));
        }
        let mut builder = GitignoreBuilder::new("");
        builder.add_line(None, text).map_err(refuse)?;
        let whole = builder.build().map_err(refuse)?;
        Ok(match levels(text) {
            Some((levels, must_be_dir)) => Self {
                how: How::Levels(levels),
                must_be_dir,
            },
            // The crate looks at the slash itself.
            None => Self {
                how: How::Whole(whole),
                must_be_dir: false,
            },
        })
    }

    /// How far it has come in the root.
    pub(super) fn start(&self) -> Reach {
        match &self.how {
            How::Levels(levels) => Reach::Levels(closed(levels, 1)),
            How::Whole(_) => Reach::Levels(0),
        }
    }

    /// The one name that can match in a directory, where that is so.
    pub(super) fn only_name(&self, reach: Reach) -> Option<&[u8]> {
        let (How::Levels(levels), Reach::Levels(at)) = (&self.how, reach) else {
            return None;
        };
        match levels.get(at.trailing_zeros() as usize) {
            Some(Level::Is(name)) if at.is_power_of_two() => Some(name),
            _ => None,
        }
    }

    /// What it says of an entry of a directory that it has come so far in: by its path from the root, of which the name
    /// begins behind `dir` bytes.
    pub(super) fn judge(&self, reach: Reach, (path, dir): (&[u8], usize), is_dir: bool) -> Verdict {
        let Reach::Levels(at) = reach else {
            return MATCH;
        };
        let (is_match, below) = match &self.how {
            How::Whole(whole) => {
                use std::os::unix::ffi::OsStrExt;
                let path = Path::new(std::ffi::OsStr::from_bytes(path));
                (whole.matched(path, is_dir).is_ignore(), Reach::Levels(0))
            }
            How::Levels(levels) => {
                let next = step(levels, at, path.get(dir..).unwrap_or(path));
                let end = 1 << levels.len();
                let is_match = next & end != 0 && (is_dir || !self.must_be_dir);
                (is_match, Reach::Levels(next & !end))
            }
        };
        if is_match {
            return MATCH;
        }
        let is_over = below == Reach::Levels(0) && matches!(self.how, How::Levels(_));
        Verdict {
            is_match,
            below: (!is_over).then_some(below),
        }
    }
}

const MATCH: Verdict = Verdict {
    is_match: true,
    below: Some(Reach::All),
};

/// The levels that a name may be on when it may be on these: `**` may stand for nothing.
fn closed(levels: &[Level], mut at: u64) -> u64 {
    for (n, level) in levels.iter().enumerate() {
        if at & (1 << n) != 0 && matches!(level, Level::Directories) {
            at |= 1 << (n + 1);
        }
    }
    at
}

/// The levels beneath a name that stands on one of these.
fn step(levels: &[Level], at: u64, name: &[u8]) -> u64 {
    let mut next = 0;
    for (n, level) in levels.iter().enumerate() {
        if at & (1 << n) == 0 {
            continue;
        }
        next |= match level {
            Level::Directories => 1 << n,
            level if level.accepts(name) => 1 << (n + 1),
            _ => 0,
        };
    }
    closed(levels, next)
}

impl Level {
    fn accepts(&self, name: &[u8]) -> bool {
        match self {
            Self::Directories | Self::Any => true,
            Self::Is(text) => name == &**text,
            Self::Begins(text) => name.starts_with(text),
            Self::Ends(text) => name.ends_with(text),
            Self::Matches(glob) => glob.is_match_candidate(&Candidate::from_bytes(name)),
        }
    }

    /// One part of a pattern; none for what the whole pattern has to be read for.
    fn parse(text: &str) -> Option<Self> {
        let plain = |text: &str| !text.contains(['*', '?', '[', '{', '}', '\\']);
        Some(match text {
            "" | "." | ".." => return None,
            "**" => Self::Directories,
            "*" => Self::Any,
            text if text.contains("**") => return None,
            text if plain(text) => Self::Is(text.as_bytes().into()),
            text if text.strip_prefix('*').is_some_and(plain) => Self::Ends(text.as_bytes()[1..].into()),
            text if text.strip_suffix('*').is_some_and(plain) => {
                Self::Begins(text.as_bytes()[..text.len() - 1].into())
            }
            text => {
                let mut builder = GlobBuilder::new(text);
                builder.literal_separator(true).backslash_escape(true);
                Self::Matches(builder.build().ok()?.compile_matcher())
            }
        })
    }
}

/// A pattern taken apart at its slashes, and whether only directories match it; none where that cannot be done.
fn levels(text: &str) -> Option<(Vec<Level>, bool)> {
    let text = if text.ends_with("\\ ") {
        return None;
    } else {
        text.trim_end()
    };
    let (is_rooted, text) = match text.strip_prefix('/') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (must_be_dir, text) = match text.strip_suffix('/') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if !is_rooted && !text.contains('/') {
        let name = if text == "**" {
            Level::Any
        } else {
            Level::parse(text)?
        };
        return Some((vec![Level::Directories, name], must_be_dir));
    }
    // Alternatives and classes may hold a slash, and a backslash may stand before one.
    if text.contains(['[', '{', '}', '\\']) {
        return None;
    }
    let mut levels = text.split('/').map(Level::parse).collect::<Option<Vec<_>>>()?;
    // All in a directory, not the directory.
    if matches!(levels.last(), Some(Level::Directories)) {
        levels.push(Level::Any);
    }
    (levels.len() < 64).then_some((levels, must_be_dir))
}

/// Why a glob can match no file, when that is so: it was meant otherwise.
fn matches_nothing(text: &str) -> Option<&'static str> {
    match text.trim() {
        "" | "/" | "!" => Some("it is empty"),
        text if text.starts_with('#') => Some("it begins with `#`, as a comment does; write `\\#`"),
        text if text.starts_with('!') => {
            Some("it begins with `!`, and there is nothing to take away from; write `\\!`")
        }
        _ if has_open_class(text.as_bytes()) => Some("a `[` has no `]`; write `\\[` for the letter"),
        _ => None,
    }
}

fn has_open_class(mut text: &[u8]) -> bool {
    while let Some((&byte, rest)) = text.split_first() {
        text = match byte {
            b'\\' => rest.get(1..).unwrap_or_default(),
            b'[' => {
                let rest = rest
                    .strip_prefix(b"!")
                    .or(rest.strip_prefix(b"^"))
                    .unwrap_or(rest);
                // Directly behind the bracket it is a letter.
                match rest.iter().skip(1).position(|&byte| byte == b']') {
                    Some(end) => &rest[end + 2..],
                    None => return true,
                }
            }
            _ => rest,
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Chance(u64);

    impl Chance {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 33).expect("31 bits") % bound
        }

        fn text(&mut self, of: &[&str], longest: usize) -> String {
            (0..=self.below(longest))
                .map(|_| of[self.below(of.len())])
                .collect()
        }
    }

    /// As `files` asks: from the root down, no further than something can match.
    fn chosen(glob: &Glob, path: &str, is_dir: bool) -> bool {
        let mut reach = glob.start();
        for (end, _) in path.match_indices('/') {
            let name = start(&path[..end]);
            if glob
                .only_name(reach)
                .is_some_and(|only| *only != path.as_bytes()[name..end])
            {
                return false;
            }
            match glob.judge(reach, (&path.as_bytes()[..end], name), true).below {
                Some(below) => reach = below,
                None => return false,
            }
        }
        glob.judge(reach, (path.as_bytes(), start(path)), is_dir).is_match
    }

    /// Where the last name of a path begins.
    fn start(path: &str) -> usize {
        path.rfind('/').map_or(0, |slash| slash + 1)
    }

    fn whole(text: &str) -> Option<Gitignore> {
        let mut builder = GitignoreBuilder::new("");
        builder.add_line(None, text).ok()?;
        builder.build().ok()
    }

    #[test]
    fn random_globs_choose_what_the_crate_chooses() {
        const SIGNS: [&str; 18] = [
            "a", "b", "c", ".rs", "/", "/", "*", "*", "**", "**/", "/**", "?", "[ab]", "{a,b}", "\\*", "-",
            "a/", "b*",
        ];
        const NAMES: [&str; 9] = ["a", "b", "c", "ab", "abc", "*", ".rs", "a.rs", "é"];
        let mut chance = Chance(11);
        let (mut judged, mut taken, mut apart) = (0, 0, 0);
        for _ in 0..4000 {
            let text = chance.text(&SIGNS, 5);
            let (Ok(glob), Some(whole)) = (Glob::parse(&text), whole(&text)) else {
                continue;
            };
            // For the crate the root is a directory as any other; nobody asks for it.
            if whole.matched("", true).is_ignore() {
                continue;
            }
            apart += u32::from(matches!(glob.how, How::Levels(_)));
            for _ in 0..40 {
                let path = (0..=chance.below(4))
                    .map(|_| chance.text(&NAMES, 1))
                    .collect::<Vec<_>>()
                    .join("/");
                let is_dir = chance.below(3) == 0;
                let theirs = whole.matched_path_or_any_parents(&path, is_dir).is_ignore();
                assert_eq!(
                    chosen(&glob, &path, is_dir),
                    theirs,
                    "{path:?} by {text:?}, {glob:?}"
                );
                (judged, taken) = (judged + 1, taken + u32::from(theirs));
            }
        }
        assert!(
            judged > 50_000 && taken > judged / 20 && apart > 1000,
            "{judged} {taken} {apart}"
        );
    }

    #[test]
    fn a_directory_without_a_way_to_a_match_is_not_walked() {
        let below = |text: &str, path: &str| {
            let glob = Glob::parse(text).expect("a glob");
            let mut reach = Some(glob.start());
            let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
            for end in ends {
                let path = &path[..end];
                reach = reach.and_then(|reach| glob.judge(reach, (path.as_bytes(), start(path)), true).below);
            }
            reach
        };
        assert_eq!(below("src/*.rs", "tests"), None);
        assert_eq!(below("src/*.rs", "src/deep"), None);
        assert!(below("src/*.rs", "src").is_some());
        assert!(below("src/**/x", "src/deep/deeper").is_some());
        assert!(below("*.rs", "src/deep").is_some());
        assert_eq!(below("src", "src/deep"), Some(Reach::All));
    }

    #[test]
    fn what_can_match_nothing_is_refused() {
        for text in ["", "/", "#a", "!a", "a[", " "] {
            assert!(Glob::parse(text).is_err(), "{text:?}");
        }
        for text in ["\\#a", "\\!a", "a\\[", "[]]", "{a,b}", "a b"] {
            assert!(Glob::parse(text).is_ok(), "{text:?}");
        }
    }
}
