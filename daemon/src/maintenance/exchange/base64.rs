//! Base64 with padding (RFC 4648, section 4). Pure.
//!
//! What must stay true: only what [`text`] writes is read: other letters, missing padding and bits that say nothing are
//! refused.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const fn values() -> [u8; 256] {
    let mut values = [NONE; 256];
    let mut at = 0_u8;
    while at < 64 {
        values[LETTERS[at as usize] as usize] = at;
        at += 1;
    }
    values
}

/// No letter.
const NONE: u8 = 0xff;
const VALUES: [u8; 256] = values();

/// The text of some bytes.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or_default());
        let all = at(0) << 16 | at(1) << 8 | at(2);
        for (index, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = LETTERS[(all >> shift) as usize & 63];
            text.push(if index > three.len() {
                '='
            } else {
                char::from(letter)
            });
        }
    }
    text
}

/// The bytes of a text; none for what is no such text.
#[must_use]
pub fn bytes(text: &str) -> Option<Vec<u8>> {
    let (fours, []) = text.as_bytes().as_chunks::<4>() else {
        return None;
    };
    let mut bytes = Vec::with_capacity(fours.len() * 3);
    for (number, four) in fours.iter().enumerate() {
        let padding = four.iter().rev().take_while(|letter| **letter == b'=').count();
        if padding > 2 || (padding > 0 && number + 1 != fours.len()) {
            return None;
        }
        let mut all = 0_u32;
        for letter in &four[..4 - padding] {
            let value = VALUES[usize::from(*letter)];
            if value == NONE {
                return None;
            }
            all = all << 6 | u32::from(value);
        }
        all <<= 6 * padding;
        let three = all.to_be_bytes();
        let (said, rest) = three[1..].split_at(3 - padding);
        if rest.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(said);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standard_hold() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(text(plain.as_bytes()), coded);
            assert_eq!(bytes(coded).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn every_byte_comes_back_and_nothing_else_is_read() {
        let all: Vec<u8> = (0..=255).collect();
        for end in 250..=256 {
            assert_eq!(bytes(&text(&all[..end])).as_deref(), Some(&all[..end]));
        }
        for wrong in [
            "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm-v", " Zm9v",
        ] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
