//! What the fields of a task may hold. Pure.
//!
//! Asked by everything that makes or changes a task, before anything is read or written. What must stay true: a card
//! within these limits encodes to less than 8 KiB, so that it is one value of the store.

use proto::task::{Force, Link, MAX_DESCRIPTION, MAX_TEXT, MAX_TITLE, NextAction, Request, Verb};
use proto::{Error, error::Result};

/// The most bytes of an id.
pub const MAX_ID: usize = 64;
/// The most bytes of a specialist's name.
pub const MAX_SPECIALIST: usize = 48;
/// The most dependencies of one task.
pub const MAX_AFTER: usize = 256;
/// The most bytes of all dependencies of one task together.
pub const MAX_AFTER_BYTES: usize = 4_900;
/// The most labels of one task.
pub const MAX_LABELS: usize = 32;
/// The most bytes of a label.
pub const MAX_LABEL: usize = 64;
/// The most bytes of all labels of one task together.
pub const MAX_LABELS_BYTES: usize = 800;
/// The most links of one task.
pub const MAX_LINKS: usize = 64;
/// The most bytes of a link's target.
pub const MAX_LINK: usize = 512;
/// The most bytes of an effort.
pub const MAX_EFFORT: usize = 64;
/// The most bytes of a reason.
pub const MAX_REASON: usize = 256;
/// The most bytes of an actor's name.
pub const MAX_ACTOR: usize = 128;
/// How deep tasks may stand in tasks, the top counted.
pub const MAX_DEPTH: usize = 8;
/// The most tasks of one plan.
pub const MAX_PLANNED: usize = 2_000;
/// The specialist of a task that names none.
pub const GENERIC: &str = "generic";
/// The kinds of links.
pub const LINK_KINDS: [&str; 4] = ["commit", "branch", "issue", "discovered-from"];

/// Where the settings want a check before a completion. Nothing records checks yet, so that none is newer than the last edit:
/// what was asked for is kept to, and not passed over.
///
/// # Errors
/// `Refused`, saying how to go on.
pub fn checked(what: &Request, required: bool) -> Result<()> {
    let Request::Change {
        id,
        verb: Verb::Complete {
            next_action,
            force: Force::No,
            ..
        },
        ..
    } = what
    else {
        return Ok(());
    };
    let ends = matches!(next_action, NextAction::Continue | NextAction::Complete);
    if !required || !ends {
        return Ok(());
    }
    Err(
        Error::refused(format!("no check of `{}` has been recorded", shown(id)))
            .why("`tasks.require_validation` is set, and this release records no checks yet")
            .next("complete it with `--force`, or unset `tasks.require_validation`"),
    )
}

/// A caller's own id.
///
/// # Errors
/// `Usage`, saying which letters may stand in one.
pub fn id(id: &str) -> Result<()> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if !id.is_empty() && id.len() <= MAX_ID && !id.starts_with('.') && id.chars().all(legal) {
        return Ok(());
    }
    Err(Error::usage(format!("`{}` is not a task id", shown(id)))
        .why(format!(
            "an id has 1 to {MAX_ID} characters of A-Z a-z 0-9 . _ - and no dot in front"
        ))
        .next("choose another one, or leave it out and one is made"))
}

/// A specialist's name.
///
/// # Errors
/// `Usage`, saying which letters may stand in one.
pub fn specialist(name: &str) -> Result<()> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if !name.is_empty() && name.len() <= MAX_SPECIALIST && name.chars().all(legal) {
        return Ok(());
    }
    Err(
        Error::usage(format!("`{}` is not a specialist's name", shown(name)))
            .why(format!(
                "a name has 1 to {MAX_SPECIALIST} characters of A-Z a-z 0-9 _ -"
            ))
            .next("`tocli role list` shows those that have a role; others can be used too"),
    )
}

/// A text of one line.
///
/// # Errors
/// `Usage` when it is empty or holds control characters, `TooLarge` over `limit` bytes.
pub fn line(what: &str, text: &str, limit: usize) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::usage(format!("an empty {what}")).next("give it one line of text"));
    }
    if text.chars().any(char::is_control) {
        return Err(
            Error::usage(format!("the {what} `{}` holds a control character", shown(text)))
                .next("keep it on one line, without tabs and escapes"),
        );
    }
    long(what, text, limit).map_err(|error| error.next("shorten it"))
}

/// A title.
///
/// # Errors
/// As [`line`].
pub fn title(text: &str) -> Result<()> {
    line("title", text, MAX_TITLE)
}

/// An actor's name.
///
/// # Errors
/// As [`line`].
pub fn actor(name: &str) -> Result<()> {
    line("actor's name", name, MAX_ACTOR)
}

/// A reason, which may be empty.
///
/// # Errors
/// `TooLarge` over [`MAX_REASON`] bytes.
pub fn reason(text: &str) -> Result<()> {
    long("reason", text, MAX_REASON)
}

/// A text of any form.
///
/// # Errors
/// `TooLarge` over `limit` bytes, `Usage` with a zero byte.
pub fn long(what: &str, text: &str, limit: usize) -> Result<()> {
    if text.len() > limit {
        let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) {
            "an"
        } else {
            "a"
        };
        return Err(
            Error::too_large(format!("{article} {what} of {} bytes", text.len()))
                .why(format!("the limit is {limit} bytes"))
                .next("shorten it; `tocli artifact store` keeps texts of any length"),
        );
    }
    if text.contains('\0') {
        return Err(Error::usage(format!("the {what} holds a zero byte")).next("leave it out"));
    }
    Ok(())
}

/// A description.
///
/// # Errors
/// As [`long`].
pub fn description(text: &str) -> Result<()> {
    long("description", text, MAX_DESCRIPTION)
}

/// A context, a summary or a note.
///
/// # Errors
/// As [`long`].
pub fn text(what: &str, text: &str) -> Result<()> {
    long(what, text, MAX_TEXT)
}

/// The dependencies of one task.
///
/// # Errors
/// `Usage` for one that is no id, `TooLarge` for too many.
pub fn after(ids: &[String]) -> Result<()> {
    for one in ids {
        id(one)?;
    }
    let bytes: usize = ids.iter().map(|id| id.len() + 1).sum();
    if ids.len() <= MAX_AFTER && bytes <= MAX_AFTER_BYTES {
        return Ok(());
    }
    Err(
        Error::too_large(format!("{} dependencies of one task", ids.len()))
            .why(format!(
                "the limit is {MAX_AFTER} ids of {MAX_AFTER_BYTES} bytes together"
            ))
            .next("put some of them into a group and depend on the group"),
    )
}

/// Labels as they are kept: trimmed, sorted, each once.
///
/// # Errors
/// `Usage` for an empty one or a control character, `TooLarge` for too long or too many.
pub fn labels(labels: &[String]) -> Result<Vec<String>> {
    let mut kept: Vec<String> = labels.iter().map(|label| label.trim().to_owned()).collect();
    for label in &kept {
        line("label", label, MAX_LABEL)?;
    }
    kept.sort();
    kept.dedup();
    let bytes: usize = kept.iter().map(|label| label.len() + 1).sum();
    if kept.len() <= MAX_LABELS && bytes <= MAX_LABELS_BYTES {
        return Ok(kept);
    }
    Err(Error::too_large(format!("{} labels of one task", kept.len()))
        .why(format!(
            "the limit is {MAX_LABELS} labels of {MAX_LABELS_BYTES} bytes together"
        ))
        .next("leave some out, or take some away with `tocli task update TASK --remove-label WORD`"))
}

/// The links of one task.
///
/// # Errors
/// `Usage` for an unknown kind or a control character, `TooLarge` for too long or too many.
pub fn links(links: &[Link]) -> Result<()> {
    for link in links {
        if !LINK_KINDS.contains(&link.kind.as_str()) {
            return Err(
                Error::usage(format!("`{}` is no kind of link", shown(&link.kind)))
                    .next(format!("use one of: {}", LINK_KINDS.join(", "))),
            );
        }
        line("link", &link.to, MAX_LINK)?;
    }
    if links.len() <= MAX_LINKS {
        return Ok(());
    }
    Err(Error::too_large(format!("{} links of one task", links.len()))
        .why(format!("the limit is {MAX_LINKS}"))
        .next("leave some out"))
}

/// A generated id: `task_<8 hex>` for what is going to be a breakdown, `<specialist>_<6 hex>` for the others.
#[must_use]
pub fn generated(specialist: Option<&str>, chance: [u8; 4]) -> String {
    let number = u32::from_be_bytes(chance);
    match specialist {
        None => format!("task_{number:08x}"),
        Some(name) => format!("{name}_{:06x}", number & 0x00ff_ffff),
    }
}

/// Text for a message: shortened, control characters made visible.
#[must_use]
pub fn shown(text: &str) -> String {
    const SHOWN: usize = 80;
    let mut out: String = text
        .chars()
        .take(SHOWN)
        .flat_map(char::escape_debug)
        .filter(|letter| *letter != '`')
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
    out
}

/// `text` cut to at most `limit` bytes at a character's end; true when something was cut.
#[must_use]
pub fn cut(text: &str, limit: usize) -> (&str, bool) {
    if text.len() <= limit {
        return (text, false);
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (&text[..end], true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_letters_digits_and_three_signs_without_a_dot_in_front() {
        for good in ["a", "A-1_b.c", "task_0123abcd", &"x".repeat(64)] {
            assert_eq!(id(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            ".a",
            "a/b",
            "a b",
            "a\n",
            "ä",
            "a\0",
            "a:b",
            "%2e",
            &"x".repeat(65),
        ] {
            assert!(id(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_title_is_one_line_of_at_most_500_bytes() {
        assert_eq!(title("Build it"), Ok(()));
        assert_eq!(title(&"x".repeat(500)), Ok(()));
        for bad in ["", "   ", "a\nb", "a\u{1b}[31m", &"x".repeat(501)] {
            assert!(title(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn labels_are_sorted_and_each_is_kept_once() {
        let given: Vec<String> = ["b", " a ", "b"].map(str::to_owned).to_vec();
        assert_eq!(labels(&given), Ok(vec!["a".to_owned(), "b".to_owned()]));
        let many: Vec<String> = (0..33).map(|n| n.to_string()).collect();
        assert!(labels(&many).is_err());
    }

    #[test]
    fn more_dependencies_than_a_record_holds_are_refused() {
        let short: Vec<String> = (0..256).map(|n| format!("coder_{n:06x}")).collect();
        assert_eq!(after(&short), Ok(()));
        let many: Vec<String> = (0..257).map(|n| n.to_string()).collect();
        assert!(after(&many).is_err());
        let long: Vec<String> = (0..200).map(|n| format!("{n:064}")).collect();
        assert!(after(&long).is_err());
    }

    #[test]
    fn generated_ids_have_their_forms() {
        assert_eq!(generated(None, [1, 2, 3, 0xff]), "task_010203ff");
        assert_eq!(generated(Some("coder"), [1, 2, 3, 0xff]), "coder_0203ff");
        assert_eq!(id(&generated(Some(&"x".repeat(MAX_SPECIALIST)), [9; 4])), Ok(()));
    }

    #[test]
    fn a_cut_never_splits_a_letter() {
        assert_eq!(cut("aä", 2), ("a", true));
        assert_eq!(cut("aä", 3), ("aä", false));
    }

    #[test]
    fn a_full_card_fits_into_one_value() {
        use crate::task::card::{Card, Hold};
        use proto::task::Status;
        let card = Card {
            id: "x".repeat(MAX_ID),
            born: u64::MAX,
            title: "x".repeat(MAX_TITLE),
            specialist: "x".repeat(MAX_SPECIALIST),
            status: Status::Active,
            archived_from: Some(Status::Completed),
            parent: Some("x".repeat(MAX_ID)),
            after: vec!["x".repeat(18); MAX_AFTER_BYTES / 19],
            priority: proto::task::Priority::Low,
            complexity: Some(proto::task::Complexity::VeryComplex),
            effort: Some("x".repeat(MAX_EFFORT)),
            labels: vec!["x".repeat(24); MAX_LABELS],
            created_by: "x".repeat(MAX_ACTOR),
            created: i64::MAX,
            updated: i64::MAX,
            started: Some(i64::MAX),
            finished: Some(i64::MAX),
            hold: Some(Hold {
                actor: "x".repeat(MAX_ACTOR),
                since: i64::MAX,
                back: Status::Pending,
            }),
            attempts: u32::MAX,
            revision: u64::MAX,
            change: u64::MAX,
            reason: Some("x".repeat(MAX_REASON)),
        };
        let bytes = postcard::to_allocvec(&card).expect("encodes");
        // A past record holds a card and a little more.
        assert!(bytes.len() <= 8 * 1024 - 500, "{}", bytes.len());
    }
}
