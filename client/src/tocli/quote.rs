//! Names and texts from outside, written so that nothing in them commands a terminal and no name looks like two.
//!
//! Asked by `out` and `voice`. Pure. What must stay true: what is quoted can be told from what is not, so that every
//! shown name stands for one name.

/// Characters by which a text could command a terminal or hide what it says: controls and the overrides of the
/// direction of writing.
fn commands(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text with its commands spelt out; line ends and tabs stay.
pub(crate) fn inert(text: &str) -> std::borrow::Cow<'_, str> {
    let harmful = |c: char| commands(c) && c != '\n' && c != '\t';
    if !text.contains(harmful) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if harmful(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe.into()
}

/// A text for one cell: no line ends and no tabs either.
pub(crate) fn cell(text: &str) -> Vec<u8> {
    let line = inert(text);
    if !line.contains(['\n', '\t']) {
        return line.into_owned().into_bytes();
    }
    line.replace('\n', "\\n").replace('\t', "\\t").into_bytes()
}

/// JSON with the characters that a terminal could obey written as escapes; they only occur inside of strings.
pub(crate) fn inert_json(text: &str) -> std::borrow::Cow<'_, str> {
    let harmful = |c: char| commands(c) && !c.is_ascii_whitespace();
    if text.is_ascii() && !text.contains('\x7f') || !text.contains(harmful) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if harmful(c) {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe.into()
}

/// A name as git prints it with `core.quotePath=false`: in quotes with C escapes when it holds a control character, a
/// quote or a backslash, else as it is. For a terminal bytes that are not UTF-8, and other characters that it might
/// obey, are escaped as well.
pub(crate) fn quoted(name: &[u8], terminal: bool) -> Vec<u8> {
    let special = |byte: &u8| *byte < 0x20 || *byte == 0x7f || *byte == b'"' || *byte == b'\\';
    let text = std::str::from_utf8(name);
    let harmful = terminal && text.map_or(true, |text| text.contains(commands));
    if !harmful && !name.iter().any(special) {
        return name.to_vec();
    }
    let mut shown = vec![b'"'];
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            let mut bytes = [0; 4];
            let bytes = c.encode_utf8(&mut bytes).as_bytes();
            if bytes.iter().any(special) || (terminal && commands(c)) {
                bytes.iter().for_each(|byte| escape(&mut shown, *byte));
            } else {
                shown.extend_from_slice(bytes);
            }
        }
        for byte in chunk.invalid() {
            if terminal {
                escape(&mut shown, *byte);
            } else {
                shown.push(*byte);
            }
        }
    }
    shown.push(b'"');
    shown
}

fn escape(shown: &mut Vec<u8>, byte: u8) {
    let letter = match byte {
        0x07 => b'a',
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0b => b'v',
        0x0c => b'f',
        b'\r' => b'r',
        b'"' | b'\\' => byte,
        _ => {
            shown.extend_from_slice(format!("\\{byte:03o}").as_bytes());
            return;
        }
    };
    shown.extend_from_slice(&[b'\\', letter]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_git_quotes_them() {
        let table: [(&[u8], &str); 6] = [
            (b"plain name.rs", "plain name.rs"),
            ("grüß".as_bytes(), "grüß"),
            (b"two\nlines", r#""two\nlines""#),
            (b"a\"b\\c", r#""a\"b\\c""#),
            (b"\x1b[2J", r#""\033[2J""#),
            (b"\x7f\t", r#""\177\t""#),
        ];
        for (name, shown) in table {
            assert_eq!(String::from_utf8_lossy(&quoted(name, false)), shown);
            assert_eq!(String::from_utf8_lossy(&quoted(name, true)), shown);
        }
        assert_eq!(quoted(b"\xff", false), b"\xff", "a pipe gets the bytes");
        assert_eq!(quoted(b"\xff", true), b"\"\\377\"");
        assert_eq!(quoted("\u{9b}2J".as_bytes(), true), b"\"\\302\\2332J\"");
        assert_eq!(quoted("\u{202e}x".as_bytes(), true), b"\"\\342\\200\\256x\"");
    }

    #[test]
    fn a_text_from_outside_commands_no_terminal() {
        assert_eq!(inert("a\x1b[2Jb\nc"), "a\\u{1b}[2Jb\nc");
        assert_eq!(cell("a\nb\tc"), b"a\\nb\\tc");
        assert_eq!(inert_json("{\"a\":\"\u{9b}\"}"), "{\"a\":\"\\u009b\"}");
    }
}
