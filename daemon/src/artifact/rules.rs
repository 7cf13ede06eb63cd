//! What the fields of an artifact may hold, and where its file goes. Pure.
//!
//! Asked by everything that stores. What must stay true: a name that passes is one name in one folder on every system,
//! and a card within these limits encodes to less than 8 KiB.

use proto::artifact::{Filter, MAX_NAME, MAX_PAGE, MAX_PIECE, MAX_SUMMARY};
use proto::{Error, error::Result};

use super::store::Card;
use crate::task::rules::shown;

/// The most bytes of the path of a project's file that an artifact is a snapshot of.
pub const MAX_SOURCE: usize = 1024;
/// The folder of artifacts within a project's folder.
pub const FOLDER: &str = "artifacts";
/// The folder of copies that are not in their place yet, within that.
pub const DRAFTS: &str = ".drafts";
/// What stands in the name of a file that was set aside because somebody had changed it.
pub const BY_HAND: &str = ".by-hand-";
/// The folder of artifacts that belong to no task is named as they are asked for.
pub use proto::artifact::NO_TASK;

/// The name of an artifact's file.
///
/// # Errors
/// `Usage`, saying what is wrong with it.
pub fn name(name: &str) -> Result<()> {
    let why = if name.is_empty() {
        "it is empty"
    } else if name.len() > MAX_NAME {
        "it has more than 200 bytes"
    } else if name.starts_with('.') {
        "it begins with a dot"
    } else if name.ends_with(['.', ' ']) || name.starts_with(' ') {
        "it begins with a space, or ends with a dot or a space"
    } else if name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|']) {
        "it holds one of / \\ : * ? \" < > |"
    } else if name
        .chars()
        .any(|letter| letter.is_control() || invisible(letter))
    {
        "it holds a character that cannot be seen"
    } else if device(name) {
        "it is the name of a device on some systems"
    } else {
        return Ok(());
    };
    Err(
        Error::usage(format!("`{}` cannot be the name of an artifact", shown(name)))
            .why(why)
            .next("choose another with `--name`"),
    )
}

/// Marks that turn or hide the letters around them.
fn invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered = |word: &str| {
        stem.strip_prefix(word)
            .is_some_and(|rest| rest.len() == 1 && rest.chars().all(|digit| digit.is_ascii_digit()))
    };
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

/// An id that an artifact comes with.
///
/// # Errors
/// `Usage`, saying which letters may stand in one.
pub fn id(id: &str) -> Result<()> {
    crate::task::rules::id(id).map_err(|error| {
        Error::usage(error.what.replace("task id", "artifact id")).why(error.why.unwrap_or_default())
    })
}

/// A paragraph about an artifact.
///
/// # Errors
/// `TooLarge` over [`MAX_SUMMARY`] bytes.
pub fn summary(text: &str) -> Result<()> {
    crate::task::rules::long("summary", text, MAX_SUMMARY)
}

/// The folder of a task's artifacts: `<specialist>_<id>`, the id alone where it says the specialist already.
#[must_use]
pub fn folder(specialist: &str, task: Option<&str>) -> String {
    match task {
        None => NO_TASK.to_owned(),
        Some(task)
            if task
                .strip_prefix(specialist)
                .is_some_and(|rest| rest.starts_with('_')) =>
        {
            task.to_owned()
        }
        Some(task) => format!("{specialist}_{task}"),
    }
}

/// The `n`-th try for a name that is taken: `report-2.md`.
#[must_use]
pub fn numbered(name: &str, n: u32) -> String {
    match name.rsplit_once('.') {
        Some((stem, end)) if !stem.is_empty() => format!("{stem}-{n}.{end}"),
        _ => format!("{name}-{n}"),
    }
}

/// The name of what somebody made of an artifact's file: `report.by-hand-1.md`.
#[must_use]
pub fn by_hand(name: &str, n: u32) -> String {
    match name.rsplit_once('.') {
        Some((stem, end)) if !stem.is_empty() => format!("{stem}{BY_HAND}{n}.{end}"),
        _ => format!("{name}{BY_HAND}{n}"),
    }
}

/// What two names must not have in common: some file systems do not tell capitals from small letters.
#[must_use]
pub fn place(folder: &str, name: &str) -> String {
    format!("{folder}/{name}").to_lowercase()
}

/// The id of a new artifact.
#[must_use]
pub fn new_id(random: [u8; 4]) -> String {
    format!("art_{:08x}", u32::from_be_bytes(random))
}

/// The id of a new upload.
#[must_use]
pub fn new_upload(random: [u8; 6]) -> String {
    random
        .iter()
        .fold("up_".to_owned(), |id, byte| format!("{id}{byte:02x}"))
}

/// How large a page may be.
///
/// # Errors
/// `Usage` outside 1 to [`MAX_PAGE`].
pub fn limit(limit: u32) -> Result<usize> {
    match limit {
        1..=MAX_PAGE => Ok(limit as usize),
        _ => Err(Error::usage(format!("a limit of {limit}")).why(format!("it is 1 to {MAX_PAGE}"))),
    }
}

/// How large a piece may be.
///
/// # Errors
/// `TooLarge` over [`MAX_PIECE`].
pub fn piece(length: usize) -> Result<()> {
    match length {
        ..=MAX_PIECE => Ok(()),
        _ => {
            Err(Error::too_large(format!("a piece of {length} bytes"))
                .why(format!("the limit is {MAX_PIECE}")))
        }
    }
}

/// Where a page begins: cards made before this one.
///
/// # Errors
/// `Usage` for what no page before has named.
pub fn cursor(cursor: Option<&str>) -> Result<Option<u64>> {
    let Some(cursor) = cursor else { return Ok(None) };
    let number = cursor.strip_prefix('a').and_then(|number| number.parse().ok());
    number.map(Some).ok_or_else(|| {
        Error::usage(format!("`{}` is no cursor", shown(cursor)))
            .next("take `next_cursor` of the page before")
    })
}

/// The cursor behind a card.
#[must_use]
pub fn after(born: u64) -> String {
    format!("a{born}")
}

/// Which cards a filter means, its words in lower case once for all of them.
#[derive(Clone, Debug)]
pub struct Wanted<'f> {
    filter: &'f Filter,
    words: Vec<String>,
    name: Option<Vec<char>>,
}

impl<'f> Wanted<'f> {
    /// By this filter.
    #[must_use]
    pub fn new(filter: &'f Filter) -> Self {
        let words = filter.text.as_deref().unwrap_or_default().to_lowercase();
        Self {
            filter,
            words: words.split_whitespace().map(str::to_owned).collect(),
            name: filter.name.as_ref().map(|name| name.chars().collect()),
        }
    }

    /// Whether it means this card, of which [`spoken`] gives the text.
    #[must_use]
    pub fn takes(&self, card: &Card, text: &str) -> bool {
        let filter = self.filter;
        (filter.archived || card.archived.is_none())
            && filter
                .task
                .as_ref()
                .is_none_or(|task| card.task.as_deref().unwrap_or(NO_TASK) == task)
            && filter.kind.is_none_or(|kind| card.kind == kind)
            && filter.before.is_none_or(|before| card.updated < before)
            && filter.since.is_none_or(|since| card.updated >= since)
            && self
                .name
                .as_ref()
                .is_none_or(|pattern| globbed(pattern, &card.name))
            && self.words.iter().all(|word| text.contains(word.as_str()))
    }
}

/// The text in which words are looked for, in lower case: made once for a card, not for each list.
#[must_use]
pub fn spoken(card: &Card) -> Box<str> {
    let task = card.task.as_deref().unwrap_or_default();
    let text = [card.name.as_str(), &card.summary, &card.id, task].join("\n");
    text.to_lowercase().into_boxed_str()
}

/// Whether a name matches a pattern with `*` and `?`; in time bounded by the product of their lengths.
fn globbed(pattern: &[char], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(letter) if *letter == '?' || *letter == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_leave_its_folder_or_deceive_is_refused() {
        for bad in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "/etc/passwd",
            "a\\b",
            "..\\x",
            ".hidden",
            ".draft-1",
            "a\0b",
            "a\nb",
            "C:x",
            "nul",
            "NUL.txt",
            "com1.log",
            "lpt9",
            "a.",
            "a ",
            " a",
            "a*",
            "\u{202e}gnp.exe",
            "a\u{200b}b",
            "%2e%2e/x",
        ] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        assert!(name(&"x".repeat(201)).is_err());
        for good in [
            "report.md",
            "a b.txt",
            "Ergebnis-ü.csv",
            "x",
            "-x",
            "%2e%2e",
            "console.log",
            "com10",
            "日本",
        ] {
            assert!(name(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_folder_names_the_specialist_once() {
        assert_eq!(folder("coder", Some("coder_1a2b3c")), "coder_1a2b3c");
        assert_eq!(folder("generic", Some("task_01234567")), "generic_task_01234567");
        assert_eq!(folder("coder", Some("coders")), "coder_coders");
        assert_eq!(folder("coder", None), "workspace");
    }

    #[test]
    fn a_taken_name_is_numbered_before_its_ending() {
        assert_eq!(numbered("report.md", 2), "report-2.md");
        assert_eq!(numbered("Makefile", 3), "Makefile-3");
    }

    #[test]
    fn a_pattern_of_stars_takes_no_longer_than_the_product() {
        let matches = |pattern: &str, name: &str| globbed(&pattern.chars().collect::<Vec<_>>(), name);
        assert!(matches("*.md", "a.md") && matches("a?c*", "abcd") && matches("*", ""));
        assert!(!matches("*.md", "a.mdx") && !matches("a?c", "ac"));
        assert!(!matches(&"*a".repeat(50), &"a".repeat(49)));
    }
}
