//! Reading Rust just well enough for the rules: comments and strings blanked, test modules cut off, `crate::` paths.

/// The text with comments and the insides of strings replaced by spaces; lines keep their numbers.
pub fn without_words(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = if rest.starts_with(b"//") {
            until(rest, b"\n")
        } else if rest.starts_with(b"/*") {
            until(&rest[2..], b"*/") + 4
        } else if rest.starts_with(b"r\"") || rest.starts_with(b"r#") {
            raw_string(rest)
        } else if rest[0] == b'"' {
            string(rest)
        } else if rest[0] == b'\'' {
            character(rest)
        } else {
            at += 1;
            continue;
        };
        let end = (at + length).min(bytes.len());
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What is compiled outside tests: everything before the first `#[cfg(test)]` that opens a module.
pub fn without_tests(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod ").map_or(text, |end| &text[..end])
}

/// Every first name after `crate::` (or another head such as `super::`), also from `crate::{a, b::c}`, with its line.
pub fn names_after(code: &str, head: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices(head) {
        let before = code[..start].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let line = code[..start].matches('\n').count() + 1;
        let rest = &code[start + head.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_names(group).into_iter().map(|name| (line, name))),
            None => found.push((line, leading_name(rest))),
        }
    }
    found
}

fn group_names(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0_usize;
    let mut item = String::new();
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(leading_name(&std::mem::take(&mut item))),
            other if depth == 0 => item.push(other),
            _ => {}
        }
    }
    names.push(leading_name(&item));
    names.retain(|name| !name.is_empty());
    names
}

fn leading_name(text: &str) -> String {
    text.trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

fn until(bytes: &[u8], end: &[u8]) -> usize {
    bytes
        .windows(end.len())
        .position(|window| window == end)
        .unwrap_or(bytes.len())
}

fn string(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_string(bytes: &[u8]) -> usize {
    let hashes = bytes[1..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(1 + hashes) != Some(&b'"') {
        return 1; // a raw identifier
    }
    let end = [b"\"".as_slice(), "#".repeat(hashes).as_bytes()].concat();
    let open = hashes + 2;
    open + until(&bytes[open..], &end) + end.len()
}

/// `'x'`, `'"'`, `'\n'`; a lifetime is one byte and stays.
fn character(bytes: &[u8]) -> usize {
    match bytes {
        [_, b'\\', ..] => 2 + until(&bytes[3..], b"'") + 2,
        [_, _, b'\'', ..] => 3,
        _ => 0,
    }
}

#[test]
fn comments_and_strings_say_nothing_to_the_rules() {
    let code = without_words(
        "a // crate::b\nlet s = \"crate::c\"; '\"'; r#\"crate::\"d\"#; '\\''; crate::e /* crate::f */ g",
    );
    assert_eq!(names_after(&code, "crate::"), [(2, "e".to_owned())]);
    assert!(code.starts_with("a ") && code.ends_with(" g"));
}

#[test]
fn grouped_paths_are_read_to_their_first_names() {
    let found = names_after("use crate::{index::{tree, crawl}, db, world::World};", "crate::");
    let names: Vec<String> = found.into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["index", "db", "world"]);
}
