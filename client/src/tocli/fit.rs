//! How wide a text is on a terminal, and which columns of a table give way when it is too wide for one.
//!
//! Asked by `out`. Pure but for [`columns`]. What must stay true: only prose is shortened, never what somebody may copy:
//! an id, a number, a time or a path is whole, and a line that is too long all the same is left to the terminal.

use std::io;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Between two columns.
pub(crate) const GAP: usize = 2;

/// Prose is not made narrower than this: less of it says nothing.
const LEAST: usize = 12;

/// Columns of the terminal on standard output: as `COLUMNS` has it, else as the terminal says; none when nobody knows.
pub(crate) fn columns() -> Option<usize> {
    let wished = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let asked = || {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        Some(usize::from(size.ws_col))
    };
    wished.or_else(asked).filter(|columns| *columns > 0)
}

/// Columns a text takes.
pub(crate) fn width(text: &[u8]) -> usize {
    String::from_utf8_lossy(text).width()
}

/// The beginning of a text that fits, with a mark that it goes on.
pub(crate) fn cut(text: Vec<u8>, columns: usize) -> Vec<u8> {
    if width(&text) <= columns {
        return text;
    }
    let whole = String::from_utf8_lossy(&text);
    let (mut room, mut short) = (columns.saturating_sub(1), String::new());
    for c in whole.chars() {
        let Some(left) = room.checked_sub(c.width().unwrap_or_default()) else {
            break;
        };
        room = left;
        short.push(c);
    }
    // Some signs are wider together than each alone.
    while short.width() >= columns.max(1) {
        short.pop();
    }
    short.push('…');
    short.into_bytes()
}

/// The widths of columns that need these, in so many in all; those headed as in `prose` give way.
pub(crate) fn fitted<const N: usize>(
    (heads, prose): ([&str; N], &[&str]),
    mut widths: [usize; N],
    columns: usize,
) -> [usize; N] {
    let least = |column: usize| heads[column].len().max(LEAST);
    let gives = |widths: &[usize; N]| {
        let prose = (0..N).filter(|column| prose.contains(&heads[*column]));
        prose
            .filter(|column| widths[*column] > least(*column))
            .max_by_key(|column| widths[*column])
    };
    let mut over = (widths.iter().sum::<usize>() + GAP * (N - 1)).saturating_sub(columns);
    while over > 0
        && let Some(widest) = gives(&widths)
    {
        // Down to the next widest, so that two long texts share what there is.
        let next = (0..N).filter(|column| *column != widest && prose.contains(&heads[*column]));
        let next = next.map(|column| widths[column]).max().unwrap_or_default();
        let floor = least(widest).max(next.min(widths[widest] - 1));
        let step = over.min(widths[widest] - floor);
        widths[widest] -= step;
        over -= step;
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(text: &str, columns: usize) -> String {
        String::from_utf8(cut(text.into(), columns)).expect("text")
    }

    #[test]
    fn a_text_is_cut_by_the_columns_it_takes_and_not_by_its_letters() {
        assert_eq!(short("abcdef", 6), "abcdef");
        assert_eq!(short("abcdef", 5), "abcd…");
        assert_eq!(short("日本語日本語", 12), "日本語日本語");
        assert_eq!(short("日本語日本語", 7), "日本語…");
        assert_eq!(short("日本語日本語", 6), "日本…", "no half of a sign");
        assert_eq!(
            short("e\u{301}e\u{301}e\u{301}", 2),
            "e\u{301}…",
            "accents take none"
        );
        for columns in 0..12 {
            let family = "👩‍👩‍👧 ❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}";
            assert!(
                width(short(family, columns).as_bytes()) <= columns.max(1),
                "{columns}"
            );
        }
    }

    #[test]
    fn only_prose_gives_way_and_the_widest_first() {
        let heads = (["TASK", "NAME", "TITLE"], ["NAME", "TITLE"].as_slice());
        assert_eq!(fitted(heads, [12, 30, 80], 200), [12, 30, 80]);
        assert_eq!(fitted(heads, [12, 30, 80], 80), [12, 30, 34]);
        assert_eq!(fitted(heads, [12, 30, 80], 60), [12, 22, 22]);
        assert_eq!(fitted(heads, [12, 30, 80], 10), [12, 12, 12], "an id is whole");
        assert_eq!(
            fitted((["ID", "ROOT"], &[]), [12, 90], 40),
            [12, 90],
            "a path is whole"
        );
        assert_eq!(fitted((["ID"], &[]), [12], 0), [12]);
    }

    #[test]
    fn whatever_can_fit_does() {
        let heads = ["A", "TITLE", "TEXT", "WHY"];
        for columns in 40..120 {
            let widths = fitted((heads, &heads[1..]), [4, 33, 90, 41], columns);
            let taken = widths.iter().sum::<usize>() + 3 * GAP;
            assert!(
                taken <= columns.max(4 + 3 * LEAST + 3 * GAP),
                "{columns}: {widths:?}"
            );
            assert!(
                taken >= columns.min(174),
                "{columns}: no room is wasted: {widths:?}"
            );
        }
    }
}
