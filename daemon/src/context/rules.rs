//! What a note may hold, which notes are in force, and how a search ranks them. Pure.
//!
//! Asked by the doors of notes. What must stay true: a note within these limits is one value of the store; the order of
//! a search depends on the notes and the words alone.

use std::collections::{BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use proto::context::{MAX_NOTE, MAX_PAGE, MAX_PATHS, MAX_TAG, MAX_TAGS, NewNote};
use proto::{Error, RawPath, error::Result};

use super::store::Memory;

/// The most notes of one workspace, forgotten ones included.
pub const MAX_NOTES: usize = 10_000;
/// The most bytes of all paths of one note together.
pub const MAX_PATH_BYTES: usize = 2_000;
/// How long a forgotten or expired note can be brought back, in nanoseconds.
pub const KEPT: i64 = 30 * 24 * 3600 * 1_000_000_000;
/// The most words of a search that count.
const MAX_WORDS: usize = 32;
/// What begins the name of a note.
const PREFIX: &str = "note_";

/// A note's number, as its name says it.
///
/// # Errors
/// `NotFound` for what is no note's name.
pub fn number(id: &str) -> Result<u64> {
    let digits = id.strip_prefix(PREFIX).unwrap_or(id);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .parse()
        .ok()
        .filter(|number| plain && *number > 0)
        .ok_or_else(|| no_note(id))
}

/// The name of the note with a number.
#[must_use]
pub fn name(number: u64) -> String {
    format!("{PREFIX}{number}")
}

/// The error for a note that is not there.
#[must_use]
pub fn no_note(id: &str) -> Error {
    let shown: String = id.chars().take(64).collect();
    Error::not_found(format!("no note `{shown}` in this workspace"))
        .next("`tocli recall` shows them, and `tocli recall --gone` those that were forgotten")
}

/// Whether a new note may be kept as it is. Its paths are judged by [`beneath`].
///
/// # Errors
/// `Usage` for an empty text or a tag that is none, `TooLarge` over a limit.
pub fn note(new: &NewNote) -> Result<()> {
    if new.text.trim().is_empty() {
        return Err(Error::usage("an empty note").next("say what is to be remembered"));
    }
    if new.text.contains('\0') {
        return Err(Error::usage("the note holds a zero byte").next("leave it out"));
    }
    if new.text.len() > MAX_NOTE {
        return Err(Error::too_large(format!("a note of {} bytes", new.text.len()))
            .why(format!("a note has at most {MAX_NOTE}"))
            .next("shorten it, or keep it with its task: `tocli task note`"));
    }
    if new.tags.len() > MAX_TAGS || new.paths.len() > MAX_PATHS {
        return Err(Error::too_large(format!(
            "a note with {} tags and {} paths",
            new.tags.len(),
            new.paths.len()
        ))
        .why(format!(
            "a note has at most {MAX_TAGS} tags and {MAX_PATHS} paths"
        ))
        .next("leave some of them out"));
    }
    for tag in &new.tags {
        let odd = |letter: char| letter.is_control() || letter.is_whitespace();
        if tag.is_empty() || tag.len() > MAX_TAG || tag.contains(odd) {
            let shown: String = tag.chars().take(MAX_TAG).collect();
            return Err(Error::usage(format!("`{}` is no tag", shown.escape_debug()))
                .why(format!("a tag is one word of at most {MAX_TAG} bytes"))
                .next("choose one word without blanks"));
        }
    }
    Ok(())
}

/// The moment at which a note given now is not shown any more.
#[must_use]
pub fn expiry(now: i64, seconds: Option<u64>) -> Option<i64> {
    let seconds = i64::try_from(seconds?).unwrap_or(i64::MAX);
    Some(now.saturating_add(seconds.saturating_mul(1_000_000_000)))
}

/// A path relative to the root of a checkout, `.` for the root itself. What `..` means is read from the words alone:
/// the file may not be there yet.
///
/// # Errors
/// `Refused` for a path that leads out of the checkout, `TooLarge` for a very long one.
pub fn beneath(root: &Path, path: &RawPath) -> Result<RawPath> {
    let outside = || {
        Error::refused(format!("`{}` is not within `{}`", path.display(), root.display()))
            .next("name a file or folder of this project")
    };
    if path.as_bytes().len() > MAX_PATH_BYTES || path.as_bytes().contains(&0) {
        return Err(Error::too_large("a very long path")
            .why(format!("it may have {MAX_PATH_BYTES} bytes"))
            .next("name the folder above it"));
    }
    let mut plain = PathBuf::new();
    for part in path.as_path().components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    let relative = plain.strip_prefix(root).map_err(|_| outside())?;
    Ok(match relative.as_os_str().is_empty() {
        true => RawPath::from("."),
        false => RawPath::from(relative),
    })
}

/// Whether what is noted about `noted` is about `asked`: the same, or one a folder that holds the other.
#[must_use]
pub fn touches(noted: &RawPath, asked: &RawPath) -> bool {
    let (noted, asked) = (noted.as_path(), asked.as_path());
    let root = Path::new(".");
    noted == root || asked == root || noted.starts_with(asked) || asked.starts_with(noted)
}

/// Whether a note is shown at a moment.
#[must_use]
pub fn in_force(note: &Memory, now: i64) -> bool {
    note.forgotten.is_none() && note.expires.is_none_or(|expires| now < expires)
}

/// Until when a note that is not in force can be brought back.
#[must_use]
pub fn restorable_until(note: &Memory) -> Option<i64> {
    let gone = note.forgotten.into_iter().chain(note.expires).min()?;
    Some(gone.saturating_add(KEPT))
}

/// Whether a note is removed for good.
#[must_use]
pub fn over(note: &Memory, now: i64) -> bool {
    !in_force(note, now) && restorable_until(note).is_some_and(|until| until <= now)
}

/// How large a page may be.
///
/// # Errors
/// `Usage` outside 1 to [`MAX_PAGE`].
pub fn limit(limit: u32) -> Result<usize> {
    match limit {
        1..=MAX_PAGE => Ok(limit as usize),
        _ => Err(Error::usage(format!("a limit of {limit}")).why(format!("a page has 1 to {MAX_PAGE}"))),
    }
}

/// Where a page begins: the highest number that counts, and how many are passed over. Notes that were made after the
/// first page was read do not move what is on the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Only notes up to this number.
    pub highest: u64,
    /// How many of the order have been shown.
    pub shown: usize,
}

impl Cursor {
    /// As a page names it.
    #[must_use]
    pub fn text(self) -> String {
        format!("n{}.{}", self.highest, self.shown)
    }

    /// As an earlier page named it; none for the first.
    ///
    /// # Errors
    /// `Usage` for what no page has named.
    pub fn read(text: Option<&str>) -> Result<Option<Self>> {
        let Some(text) = text else { return Ok(None) };
        let parts = text.strip_prefix('n').and_then(|rest| rest.split_once('.'));
        let read = parts.and_then(|(highest, shown)| {
            Some(Self {
                highest: highest.parse().ok()?,
                shown: shown.parse().ok()?,
            })
        });
        match read {
            Some(cursor) => Ok(Some(cursor)),
            None => Err(Error::usage(format!(
                "`{}` is no cursor",
                text.escape_debug().take(64).collect::<String>()
            ))
            .next("take `next_cursor` of the page before")),
        }
    }
}

/// The words of a text, in lower case: runs of letters and digits.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// The numbers of the notes that speak of any of the words, the best first: by how rare the words are that it holds
/// and how often it holds them, tags, paths and its task counting more; among equals the newer.
#[must_use]
pub fn ranked(notes: &[Memory], asked: &str) -> Vec<u64> {
    let asked: Vec<String> = words(asked)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .take(MAX_WORDS)
        .collect();
    let counts: Vec<Vec<f64>> = notes.iter().map(|note| counts(note, &asked)).collect();
    let total = notes.len() as f64;
    let rarity: Vec<f64> = (0..asked.len())
        .map(|word| {
            let holding = counts.iter().filter(|counts| counts[word] > 0.0).count() as f64;
            (1.0 + total / (1.0 + holding)).ln()
        })
        .collect();
    let mut found: Vec<(f64, u64)> = notes
        .iter()
        .zip(&counts)
        .map(|(note, counts)| {
            let score = counts
                .iter()
                .zip(&rarity)
                .map(|(count, rare)| rare * count / (count + 1.2));
            (score.sum(), note.number)
        })
        .filter(|(score, _)| *score > 0.0)
        .collect();
    found.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| other.1.cmp(&one.1)));
    found.into_iter().map(|(_, number)| number).collect()
}

/// How often a note holds each word.
fn counts(note: &Memory, asked: &[String]) -> Vec<f64> {
    /// The beginning of a word counts from so many letters on.
    const BEGINNING: usize = 3;
    let mut held: HashMap<String, f64> = HashMap::new();
    let mut add = |text: &str, weight: f64| {
        for word in words(text) {
            *held.entry(word).or_default() += weight;
        }
    };
    add(&note.text, 1.0);
    note.tags.iter().for_each(|tag| add(tag, 3.0));
    note.task.iter().for_each(|task| add(task, 2.0));
    note.paths.iter().for_each(|path| add(&path.display(), 2.0));
    asked
        .iter()
        .map(|word| {
            let whole = held.get(word).copied().unwrap_or_default();
            if whole > 0.0 || word.len() < BEGINNING {
                return whole;
            }
            let begun = held.iter().filter(|(held, _)| held.starts_with(word.as_str()));
            begun.map(|(_, weight)| weight / 2.0).sum()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(number: u64, text: &str) -> Memory {
        Memory {
            number,
            text: text.to_owned(),
            ..Memory::default()
        }
    }

    #[test]
    fn rare_words_count_more_and_among_equals_the_newer_comes_first() {
        let notes = [
            noted(1, "the build needs zlib"),
            noted(2, "the build is slow"),
            noted(3, "the build is slow"),
            noted(4, "nothing of that"),
        ];
        assert_eq!(ranked(&notes, "build zlib"), [1, 3, 2]);
        assert_eq!(ranked(&notes, "BUILD"), [3, 2, 1]);
        assert!(ranked(&notes, "").is_empty());
        assert!(ranked(&notes, "elsewhere").is_empty());
    }

    #[test]
    fn a_tag_counts_more_than_a_mention_and_a_beginning_less_than_a_word() {
        let tagged = Memory {
            tags: vec!["deploy".to_owned()],
            ..noted(1, "x")
        };
        let notes = [tagged, noted(2, "deploy it"), noted(3, "deployment")];
        assert_eq!(ranked(&notes, "deploy"), [1, 2, 3]);
        assert_eq!(ranked(&notes[2..], "depl"), [3]);
    }

    #[test]
    fn a_path_is_read_relative_to_the_root_and_never_leaves_it() {
        let root = Path::new("/p");
        let read = |path: &str| beneath(root, &path.into()).map(|path| path.display().into_owned());
        assert_eq!(read("/p/a/../b.rs"), Ok("b.rs".to_owned()));
        assert_eq!(read("/p/./a"), Ok("a".to_owned()));
        assert_eq!(read("/p"), Ok(".".to_owned()));
        for outside in ["/p/../q", "/q", "/", "/pp/a", "p/a", ""] {
            assert!(read(outside).is_err(), "{outside}");
        }
        assert!(beneath(root, &vec![b'/'; 3000].into()).is_err());
    }

    #[test]
    fn a_note_about_a_folder_is_about_what_is_in_it() {
        let touches = |noted: &str, asked: &str| touches(&noted.into(), &asked.into());
        assert!(touches("src", "src/a.rs") && touches("src/a.rs", "src") && touches(".", "x"));
        assert!(!touches("src", "srcs/a.rs") && !touches("a", "b"));
    }

    #[test]
    fn a_note_is_in_force_until_it_expires_or_is_forgotten_and_then_kept_for_a_while() {
        let expiring = Memory {
            expires: expiry(5, Some(1)),
            ..noted(1, "x")
        };
        assert_eq!(expiring.expires, Some(1_000_000_005));
        assert!(in_force(&expiring, 1_000_000_004) && !in_force(&expiring, 1_000_000_005));
        assert!(!over(&expiring, 1_000_000_005));
        assert!(over(&expiring, 1_000_000_005 + KEPT));
        assert!(!over(&noted(1, "x"), i64::MAX), "what nobody forgot stays");
        assert_eq!(expiry(i64::MAX, Some(u64::MAX)), Some(i64::MAX));
    }

    #[test]
    fn a_cursor_reads_back_and_what_is_none_is_refused() {
        let cursor = Cursor { highest: 7, shown: 3 };
        assert_eq!(Cursor::read(Some(&cursor.text())), Ok(Some(cursor)));
        assert_eq!(Cursor::read(None), Ok(None));
        for text in ["", "n", "n7", "7.3", "n7.3.1", "n-1.0", "nx.y"] {
            assert!(Cursor::read(Some(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn the_name_of_a_note_is_its_number() {
        assert_eq!(number("note_12"), Ok(12));
        assert_eq!(number("12"), Ok(12));
        for other in [
            "note_",
            "note_0",
            "note_-1",
            "note_+1",
            "x",
            "",
            "note_1/2",
            "note_99999999999999999999",
        ] {
            assert!(number(other).is_err(), "{other}");
        }
    }

    #[test]
    fn empty_huge_and_misshapen_notes_are_refused() {
        let new = |text: &str| NewNote {
            text: text.to_owned(),
            ..NewNote::default()
        };
        assert_eq!(note(&new("x")), Ok(()));
        for text in ["", " \n", "a\0b", &"x".repeat(MAX_NOTE + 1)] {
            assert!(note(&new(text)).is_err());
        }
        for tag in ["", "two words", "a\nb", &"x".repeat(65)] {
            let tagged = NewNote {
                tags: vec![tag.to_owned()],
                ..new("x")
            };
            assert!(note(&tagged).is_err(), "{tag}");
        }
    }
}
