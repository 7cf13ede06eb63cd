//! Which paths git would not show: ignore files and their order of precedence. Pure: bytes in, a verdict out.
//!
//! Asked by the crawl and by the engine for every name. What must stay true: the deepest `.gitignore` with a matching
//! pattern decides, the last such pattern in it; then `info/exclude`, then `core.excludesFile`; and nothing below an
//! ignored directory is looked at, so no pattern can bring it back (git's index can, see `tracked`).

use std::sync::{Arc, LazyLock};

use super::repo::Repo;
use super::wildmatch::{Case, Pattern};

/// Stands for the bytes of a file that is not read because of its size: a line that matches nothing.
const TOO_LARGE: &[u8] = b"\0too large";

/// The patterns of one ignore file.
#[derive(Debug)]
pub(super) struct Matcher {
    patterns: Vec<Pattern>,
    /// The bytes it was made of.
    source: Vec<u8>,
    /// Whether a pattern names more than one level, so that it can match differently after a directory was moved.
    deep: bool,
    case: Case,
}

impl Matcher {
    /// Reads an ignore file. A line that git would not understand matches nothing.
    #[must_use]
    pub(super) fn parse(source: Vec<u8>) -> Self {
        Self::parse_in(source, Case::Exact)
    }

    /// The same where upper and lower case may be one.
    #[must_use]
    pub(super) fn parse_in(source: Vec<u8>, case: Case) -> Self {
        let text = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&source);
        let lines = text
            .split(|&byte| byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let patterns: Vec<Pattern> = lines.filter_map(|line| Pattern::parse(line, case)).collect();
        let deep = patterns.iter().any(Pattern::is_deep);
        Self {
            patterns,
            source,
            deep,
            case,
        }
    }

    /// Of a file that is larger than what is read.
    #[must_use]
    pub(super) fn too_large() -> Self {
        Self::parse(TOO_LARGE.to_vec())
    }

    /// Whether the file was too large to be read.
    #[must_use]
    pub(super) fn is_too_large(&self) -> bool {
        self.source == TOO_LARGE
    }

    /// The bytes it was made of.
    #[must_use]
    pub(super) fn source(&self) -> &[u8] {
        &self.source
    }

    /// Whether it tells upper from lower case.
    #[must_use]
    pub(super) fn case(&self) -> Case {
        self.case
    }

    /// Whether moving a directory beneath can change what it says.
    #[must_use]
    pub(super) fn is_deep(&self) -> bool {
        self.deep
    }

    /// What the last matching pattern says of a path relative to the ignore file's folder: ignored, or not after all.
    #[must_use]
    pub(super) fn verdict(&self, path: &[u8], is_dir: bool) -> Option<bool> {
        let last = self
            .patterns
            .iter()
            .rev()
            .find(|pattern| pattern.matches(path, is_dir));
        last.map(|pattern| !pattern.is_negative)
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

/// A project without git has no ignore file that would keep our own folder out.
static WITHOUT_GIT: LazyLock<Rules> = LazyLock::new(|| {
    let own = Matcher::parse(b"/.task_orchestrator/\n".to_vec());
    Rules::default().with(Arc::new(own), 0)
});

impl Rules {
    /// Those that count in the whole tree, before any ignore file in it.
    #[must_use]
    pub(super) fn outermost(repo: Option<&Repo>) -> Self {
        repo.map_or_else(|| WITHOUT_GIT.clone(), |repo| repo.rules.clone())
    }

    /// Gives the bytes of each ignore file, innermost first.
    pub(super) fn each_source(&self, each: &mut dyn FnMut(&[u8])) {
        let mut at = self;
        while let Some(link) = &at.0 {
            each(link.matcher.source());
            at = &link.outer;
        }
    }

    /// Whether there is no ignore file at all.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

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
    fn a_hostile_pattern_costs_no_more_than_its_length_times_the_path() {
        let pattern = b"*a".repeat(2000);
        let matcher = Matcher::parse([pattern.as_slice(), b"b\n**/x/", &b"*/".repeat(500), b"*\n"].concat());
        let path = [b"a".repeat(250), b"/".to_vec()].concat().repeat(16);
        assert_eq!(matcher.verdict(&path, false), None);
    }

    struct Chance(u64);

    impl Chance {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 33).unwrap() % bound
        }

        fn text(&mut self, of: &[&str], longest: usize) -> String {
            (0..=self.below(longest))
                .map(|_| of[self.below(of.len())])
                .collect()
        }
    }

    /// The same patterns and paths, judged by git and by us.
    #[test]
    fn random_patterns_say_what_git_says() {
        const SIGNS: [&str; 29] = [
            "A",
            "[A]",
            "[B-C]",
            "[[:upper:]]",
            "\\B",
            "a",
            "b",
            "c",
            "/",
            "/",
            "*",
            "*",
            "**",
            "?",
            "[ab]",
            "[!a]",
            "[a-c]",
            "[",
            "]",
            "\\",
            "\\*",
            "{a,b}",
            "-",
            " ",
            "[[:alpha:]]",
            "[^/]",
            "**/",
            "/**",
            "!",
        ];
        const NAMES: [&str; 17] = [
            "A", "B", "aBC", "a", "b", "c", "ab", "abc", "*", "{a,b}", "a b", "-", "[", "a*", "aXb", "\\",
            "é",
        ];
        let folder = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| {
            let mut command = std::process::Command::new("git");
            command
                .current_dir(folder.path())
                .env("HOME", folder.path())
                .env_remove("XDG_CONFIG_HOME")
                .args(args);
            command
        };
        assert!(git(&["init", "-q"]).status().unwrap().success());
        let mut chance = Chance(7);
        for round in 0..600 {
            let (case, word) = match round % 2 {
                0 => (Case::Exact, "core.ignoreCase=false"),
                _ => (Case::Folded, "core.ignoreCase=true"),
            };
            let lines: Vec<String> = (0..3).map(|_| chance.text(&SIGNS, 6)).collect();
            let text = lines.join("\n") + "\n";
            std::fs::write(folder.path().join(".gitignore"), &text).unwrap();
            let paths: std::collections::BTreeSet<String> = (0..60)
                .map(|_| {
                    (0..=chance.below(3))
                        .map(|_| chance.text(&NAMES, 2))
                        .collect::<Vec<_>>()
                        .join("/")
                })
                .collect();
            let asked = paths
                .iter()
                .fold(String::new(), |asked, path| asked + path + "\0");
            std::fs::write(folder.path().join(".git/asked"), asked).unwrap();
            let input = std::fs::File::open(folder.path().join(".git/asked")).unwrap();
            let said = git(&["-c", word, "check-ignore", "--no-index", "-z", "--stdin"])
                .stdin(input)
                .output()
                .unwrap()
                .stdout;
            let said: std::collections::BTreeSet<&[u8]> = said.split(|&byte| byte == 0).collect();
            let matcher = Matcher::parse_in(text.clone().into_bytes(), case);
            let rules = Rules::default().with(Arc::new(matcher), 0);
            for path in &paths {
                let above = path
                    .match_indices('/')
                    .any(|(slash, _)| rules.hide(&path.as_bytes()[..slash], true));
                let ours = above || rules.hide(path.as_bytes(), false);
                assert_eq!(
                    ours,
                    said.contains(path.as_bytes()),
                    "round {round}: {path:?} under {lines:?}, {word}"
                );
            }
        }
    }

    #[test]
    fn only_patterns_of_several_levels_are_deep() {
        assert!(!Matcher::parse(b"*.o\n/target/\n!x\n".to_vec()).is_deep());
        assert!(Matcher::parse(b"docs/*.tmp\n".to_vec()).is_deep());
    }
}
