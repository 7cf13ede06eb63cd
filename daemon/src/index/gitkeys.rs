//! Which values git takes for the keys that it reads before it lists anything. With another value it gives no answer at all.
//! Pure: a key and a value in, a verdict out.
//!
//! Asked by `gitconfig`. What must stay true: no value is refused that a git still in use takes; so `advice.*` and `color.*`,
//! which grow from version to version, are not judged here.

/// What git wants of a value.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    /// Yes or no.
    Truth,
    /// Yes, no, or one of these words.
    TruthOr(&'static [&'static [u8]]),
    /// One of these words, in any case.
    Folded(&'static [&'static [u8]]),
    /// One of these words.
    Word(&'static [&'static [u8]]),
    /// A number from and to.
    Number(i64, i64),
    /// A size.
    Size,
    /// `auto`, no, or a number of digits.
    Digits,
    /// Anything.
    Value,
    /// Anything but nothing.
    Text,
}

use Wanted::{Digits, Folded, Number, Size, Text, Truth, TruthOr, Value, Word};

/// The bounds of git's `int`.
const INT: i64 = 0x7fff_ffff;

/// Keys without a subsection.
fn wanted(section: &[u8], key: &[u8]) -> Option<Wanted> {
    Some(match (section, key) {
        (
            b"core",
            b"commitgraph"
            | b"filemode"
            | b"fsyncobjectfiles"
            | b"ignorecase"
            | b"ignorestat"
            | b"multipackindex"
            | b"precomposeunicode"
            | b"preloadindex"
            | b"protecthfs"
            | b"protectntfs"
            | b"quotepath"
            | b"sparsecheckout"
            | b"sparsecheckoutcone"
            | b"symlinks"
            | b"trustctime"
            | b"usereplacerefs",
        )
        | (b"feature", b"experimental" | b"manyfiles")
        | (b"index", b"skiphash" | b"sparse" | b"threads")
        | (b"sparse", b"expectfilesoutsideofpatterns")
        | (b"user", b"useconfigonly")
        | (b"fetch" | b"gc", b"writecommitgraph") => Truth,
        (b"core", b"autocrlf") => TruthOr(&[b"input"]),
        (b"core", b"safecrlf") => TruthOr(&[b"warn"]),
        (b"branch", b"autosetupmerge") => TruthOr(&[b"always", b"inherit", b"simple"]),
        (b"branch", b"autosetuprebase") => Word(&[b"never", b"local", b"remote", b"always"]),
        (b"push", b"default") => Word(&[
            b"nothing",
            b"matching",
            b"simple",
            b"upstream",
            b"tracking",
            b"current",
        ]),
        (b"core", b"disambiguate") => {
            Folded(&[b"none", b"commit", b"committish", b"tree", b"treeish", b"blob"])
        }
        (b"core", b"createobject") => Word(&[b"rename", b"link"]),
        (b"core", b"checkstat") => Folded(&[b"default", b"minimal"]),
        (b"core", b"abbrev") => Digits,
        (b"core", b"compression" | b"loosecompression") | (b"pack", b"compression") => Number(-1, 9),
        (b"core", b"maxtreedepth") | (b"index", b"version") => Number(-INT, INT),
        (
            b"core",
            b"bigfilethreshold" | b"deltabasecachelimit" | b"packedgitlimit" | b"packedgitwindowsize",
        )
        | (b"pack", b"packsizelimit") => Size,
        (b"core", b"commentchar" | b"commentstring") => Text,
        (
            b"core",
            b"askpass" | b"attributesfile" | b"editor" | b"excludesfile" | b"hookspath" | b"whitespace",
        )
        | (b"author" | b"committer" | b"user", b"email" | b"name")
        | (b"i18n", b"commitencoding" | b"logoutputencoding")
        | (b"mailmap", b"blob" | b"file") => Value,
        _ => return None,
    })
}

/// Whether git goes on with this value of a key without a subsection; none is that of a key alone.
pub(super) fn takes(section: &[u8], key: &[u8], value: Option<&[u8]>) -> bool {
    let Some(wanted) = wanted(section, key) else {
        return true;
    };
    let is_word = |words: &[&[u8]]| value.is_some_and(|value| words.contains(&value));
    let is_folded = |words: &[&[u8]]| {
        value.is_some_and(|value| words.iter().any(|word| value.eq_ignore_ascii_case(word)))
    };
    let is_number = |least, most| {
        value
            .and_then(int)
            .is_some_and(|number| (least..=most).contains(&number))
    };
    match wanted {
        Truth => truth(value).is_some(),
        TruthOr(words) => truth(value).is_some() || is_folded(words),
        Folded(words) => is_folded(words),
        Word(words) => is_word(words),
        Number(least, most) => is_number(least, most),
        Size => value.and_then(size).is_some(),
        Digits => is_word(&[b"auto"]) || value.is_some_and(is_no) || is_number(4, INT),
        Value => value.is_some(),
        Text => value.is_some_and(|value| !value.is_empty()),
    }
}

/// Whether the value of a key is a path, which git expands as it reads it.
pub(super) fn is_path(section: &[u8], key: &[u8]) -> bool {
    matches!(
        (section, key),
        (b"core", b"attributesfile" | b"excludesfile" | b"hookspath") | (b"mailmap", b"file")
    )
}

fn is_no(value: &[u8]) -> bool {
    matches!(
        value.to_ascii_lowercase().as_slice(),
        b"false" | b"no" | b"off" | b""
    )
}

/// None for what git would not take.
pub(super) fn truth(value: Option<&[u8]>) -> Option<bool> {
    let Some(value) = value else { return Some(true) };
    match value.to_ascii_lowercase().as_slice() {
        b"true" | b"yes" | b"on" => Some(true),
        _ if is_no(value) => Some(false),
        _ => int(value).map(|number| number != 0),
    }
}

/// A whole number as C writes it, with git's units, within git's `int`.
pub(super) fn int(value: &[u8]) -> Option<i64> {
    let value = value.trim_ascii_start();
    let (is_negative, digits) = match value.split_first()? {
        (b'-', digits) => (true, digits),
        (b'+', digits) => (false, digits),
        _ => (false, value),
    };
    let number = i64::try_from(magnitude(digits)?)
        .ok()
        .filter(|number| *number <= INT)?;
    Some(if is_negative { -number } else { number })
}

/// A number that is never below zero, within the machine's `unsigned long`.
fn size(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii_start();
    magnitude(value.strip_prefix(b"+").unwrap_or(value))
}

/// Digits, by their first ones in base 16, 8 or 10, and a unit.
fn magnitude(value: &[u8]) -> Option<u64> {
    let hex = value
        .strip_prefix(b"0x")
        .or_else(|| value.strip_prefix(b"0X"))
        .filter(|rest| rest.first().is_some_and(u8::is_ascii_hexdigit));
    let (radix, value) = match hex {
        Some(rest) => (16, rest),
        None if value.first() == Some(&b'0') => (8, value),
        None => (10, value),
    };
    let end = value
        .iter()
        .position(|byte| !char::from(*byte).is_digit(radix))
        .unwrap_or(value.len());
    let (digits, unit) = value.split_at(end);
    let factor = match unit.to_ascii_lowercase().as_slice() {
        b"" => 1,
        b"k" => 1 << 10,
        b"m" => 1 << 20,
        b"g" => 1 << 30,
        _ => return None,
    };
    let number = u64::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?;
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, number) in [
            ("0x10", Some(16)),
            ("010", Some(8)),
            ("-1", Some(-1)),
            ("+2k", Some(2048)),
            (" 7", Some(7)),
            ("0", Some(0)),
            ("08", None),
            ("0x", None),
            ("1z", None),
            ("2g", None),
            ("99999999999", None),
            ("- 1", None),
            ("+-1", None),
            ("", None),
            ("k", None),
        ] {
            assert_eq!(int(text.as_bytes()), number, "{text}");
        }
        assert_eq!(size(b"8g"), Some(8 << 30));
        assert_eq!(size(b"-1"), None);
    }

    #[test]
    fn a_key_alone_is_true_and_no_text() {
        assert!(takes(b"core", b"filemode", None));
        assert!(!takes(b"core", b"editor", None));
        assert!(!takes(b"core", b"commentchar", Some(b"")));
        assert!(takes(b"core", b"made", None) && takes(b"made", b"up", None));
    }

    #[test]
    fn words_are_taken_beside_yes_and_no() {
        assert!(takes(b"core", b"autocrlf", Some(b"Input")));
        assert!(takes(b"core", b"checkstat", Some(b"Minimal")));
        assert!(!takes(b"core", b"checkstat", Some(b"true")));
        assert!(takes(b"core", b"abbrev", Some(b"auto")) && takes(b"core", b"abbrev", Some(b"no")));
        assert!(!takes(b"core", b"abbrev", Some(b"1")));
        assert!(!takes(b"push", b"default", None));
    }
}
