//! Git's patterns: one line of an ignore file, compiled, and whether it matches. Pure.
//!
//! Follows `wildmatch.c` and `dir.c` to the letter where the `ignore` crate's globs do not: `{a,b}` is no alternative,
//! an open `[` matches nothing, `**` inside a name is `*`, bytes need not be UTF-8. Patterns come from the project and
//! are hostile: matching is a walk over states, at most pattern times path, never a backtracking search.

/// What needs more bytes than this matches no path that can be opened, and would cost its length for every name.
const LONGEST: usize = 4096;

/// One step of a compiled pattern.
#[derive(Debug)]
enum Token {
    Byte(u8),
    /// `?`
    Any,
    /// `[…]`: the bytes that are in it.
    Class(Box<[bool; 256]>),
    /// `*`, or one that also matches slashes.
    Star {
        crosses: bool,
    },
    /// Before `**/`: it may stand for nothing at all, with its slash.
    Skip,
    /// What git gives up on.
    Never,
}

#[derive(Debug)]
enum Body {
    Literal,
    /// A star, then this.
    Ending,
    Wild(Vec<Token>),
}

/// Whether upper and lower case are the same (`core.ignoreCase`), for ASCII and with the limits that git has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Case {
    #[default]
    Exact,
    Folded,
}

impl Case {
    fn fold(self, byte: u8) -> u8 {
        match self {
            Self::Exact => byte,
            Self::Folded => byte.to_ascii_lowercase(),
        }
    }

    pub(super) fn is_same(self, one: &[u8], other: &[u8]) -> bool {
        match self {
            Self::Exact => one == other,
            Self::Folded => one.eq_ignore_ascii_case(other),
        }
    }
}

/// Whether a pattern matches a whole path, as git's `wildmatch` with slashes kept apart.
pub(super) fn is_match(pattern: &[u8], path: &[u8], case: Case) -> bool {
    pattern.len() <= LONGEST && walk(&compile(pattern, true, case), path, (true, case))
}

/// One line of an ignore file.
#[derive(Debug)]
pub(super) struct Pattern {
    case: Case,
    text: Box<[u8]>,
    /// Bytes of `text` before the first special one.
    prefix: usize,
    body: Body,
    /// `!` before it.
    pub(super) is_negative: bool,
    /// `/` behind it.
    must_be_dir: bool,
    /// No slash in it: it is compared with the last name alone.
    is_name: bool,
}

impl Pattern {
    /// Reads a line without its end; none for a comment or an empty line.
    pub(super) fn parse(line: &[u8], case: Case) -> Option<Self> {
        let line = line.split(|&byte| byte == 0).next().unwrap_or_default();
        if line.is_empty() || line[0] == b'#' {
            return None;
        }
        let line = without_trailing_spaces(line);
        let (is_negative, text) = match line.strip_prefix(b"!") {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let (must_be_dir, text) = match text.strip_suffix(b"/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let is_name = !text.contains(&b'/');
        let text = if is_name {
            text
        } else {
            text.strip_prefix(b"/").unwrap_or(text)
        };
        let prefix = text
            .iter()
            .position(|&byte| is_special(byte))
            .unwrap_or(text.len());
        let body = match text {
            _ if prefix == text.len() => Body::Literal,
            [b'*', rest @ ..] if is_name && !rest.iter().any(|&byte| is_special(byte)) => Body::Ending,
            _ if is_name => Body::Wild(compile(text, false, case)),
            _ => Body::Wild(compile(&text[prefix..], true, case)),
        };
        let least = match &body {
            Body::Literal | Body::Ending => text.len(),
            Body::Wild(tokens) => least(tokens),
        };
        if least > LONGEST {
            return None;
        }
        Some(Self {
            case,
            text: text.into(),
            prefix,
            body,
            is_negative,
            must_be_dir,
            is_name,
        })
    }

    /// Whether it names more than one level, so that it can say something else of what lies in a moved directory.
    pub(super) fn is_deep(&self) -> bool {
        !self.is_name && self.text.contains(&b'/')
    }

    /// Whether it matches a path relative to the ignore file's folder.
    pub(super) fn matches(&self, path: &[u8], is_dir: bool) -> bool {
        if self.must_be_dir && !is_dir {
            return false;
        }
        if self.is_name {
            let start = path
                .iter()
                .rposition(|&byte| byte == b'/')
                .map_or(0, |slash| slash + 1);
            let name = &path[start..];
            return match &self.body {
                Body::Literal => self.case.is_same(&self.text, name),
                Body::Ending => {
                    let ending = &self.text[1..];
                    let start = name.len().checked_sub(ending.len());
                    start.is_some_and(|start| self.case.is_same(&name[start..], ending))
                }
                Body::Wild(tokens) => walk(tokens, name, (false, self.case)),
            };
        }
        let rest = path
            .split_at_checked(self.prefix)
            .filter(|(start, _)| self.case.is_same(start, &self.text[..self.prefix]));
        match (&self.body, rest.map(|(_, rest)| rest)) {
            (_, None) => false,
            (Body::Wild(tokens), Some(rest)) => walk(tokens, rest, (true, self.case)),
            (_, Some(rest)) => rest.is_empty(),
        }
    }
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'*' | b'?' | b'[' | b'\\')
}

fn without_trailing_spaces(line: &[u8]) -> &[u8] {
    let (mut spaces, mut at) = (None, 0);
    while at < line.len() {
        match line[at] {
            b' ' => {
                spaces.get_or_insert(at);
            }
            b'\\' if at + 1 == line.len() => return line,
            b'\\' => {
                at += 1;
                spaces = None;
            }
            _ => spaces = None,
        }
        at += 1;
    }
    &line[..spaces.unwrap_or(line.len())]
}

fn compile(text: &[u8], is_path: bool, case: Case) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'?' => tokens.push(Token::Any),
            b'\\' => {
                tokens.push(text.get(at).map_or(Token::Never, |&byte| Token::Byte(byte)));
                at += 1;
            }
            b'*' => {
                let start = at - 1;
                while text.get(at) == Some(&b'*') {
                    at += 1;
                }
                let stands_alone = (start == 0 || text[start - 1] == b'/')
                    && matches!(&text[at..], [] | [b'/', ..] | [b'\\', b'/', ..]);
                let is_double = at - start > 1;
                let crosses = !is_path || (is_double && stands_alone);
                if is_path && is_double && stands_alone && text.get(at) == Some(&b'/') {
                    if let [.., Token::Skip, Token::Star { .. }, Token::Byte(b'/')] = tokens[..] {
                        // `**/` twice is `**/`.
                        at += 1;
                        continue;
                    }
                    tokens.push(Token::Skip);
                }
                tokens.push(Token::Star { crosses });
            }
            b'[' => match class(text, at, case) {
                Some((class, after)) => {
                    tokens.push(Token::Class(class));
                    at = after;
                }
                None => tokens.push(Token::Never),
            },
            byte => tokens.push(Token::Byte(case.fold(byte))),
        }
    }
    tokens
}

/// So many bytes a path has at least that matches.
fn least(tokens: &[Token]) -> usize {
    let all = tokens
        .iter()
        .filter(|token| !matches!(token, Token::Star { .. } | Token::Skip));
    let skipped = tokens.iter().filter(|token| matches!(token, Token::Skip));
    all.count() - skipped.count()
}

/// The bytes of a class that begins behind its `[`, and where it ends; none when git would give up.
fn class(text: &[u8], start: usize, case: Case) -> Option<(Box<[bool; 256]>, usize)> {
    let mut set = Box::new([false; 256]);
    let mut at = start;
    let is_negated = matches!(text.get(at)?, b'!' | b'^');
    at += usize::from(is_negated);
    let mut before: Option<u8> = None;
    let mut is_first = true;
    loop {
        let byte = *text.get(at)?;
        if byte == b']' && !is_first {
            break;
        }
        is_first = false;
        match byte {
            b'\\' => {
                at += 1;
                let byte = *text.get(at)?;
                set[usize::from(byte)] = true;
                before = Some(byte);
            }
            b'-' if before.is_some() && text.get(at + 1).is_some_and(|&next| next != b']') => {
                at += 1;
                if text[at] == b'\\' {
                    at += 1;
                }
                let last = *text.get(at)?;
                let first = before.take().unwrap_or(last);
                (first..=last).for_each(|byte| {
                    set[usize::from(byte)] = true;
                    set[usize::from(case.fold(byte))] = true;
                });
            }
            b'[' if text.get(at + 1) == Some(&b':') => {
                let end = at + 2 + text[at + 2..].iter().position(|&byte| byte == b']')?;
                if end == at + 2 || text[end - 1] != b':' {
                    set[usize::from(b'[')] = true;
                    before = Some(b'[');
                } else {
                    let is_in = named(&text[at + 2..end - 1])?;
                    (0..=255u8).filter(is_in).for_each(|byte| {
                        set[usize::from(byte)] = true;
                        set[usize::from(case.fold(byte))] = true;
                    });
                    before = None;
                    at = end;
                }
            }
            byte => {
                set[usize::from(byte)] = true;
                before = Some(byte);
            }
        }
        at += 1;
    }
    if is_negated {
        set.iter_mut().for_each(|is_in| *is_in = !*is_in);
    }
    Some((set, at + 1))
}

fn named(name: &[u8]) -> Option<fn(&u8) -> bool> {
    Some(match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| byte.is_ascii_graphic() || *byte == b' ',
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |byte| byte.is_ascii_whitespace() || *byte == 0x0b,
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    })
}

/// Follows all ways through the pattern at once. States only lead forward, so one pass in order is enough.
fn walk(tokens: &[Token], text: &[u8], (is_path, case): (bool, Case)) -> bool {
    let (mut now, mut next) = (vec![false; tokens.len() + 1], vec![false; tokens.len() + 1]);
    now[0] = true;
    for byte in text.iter().map(|&byte| case.fold(byte)) {
        let mut is_alive = false;
        for (at, token) in tokens.iter().enumerate() {
            if !now[at] {
                continue;
            }
            let to = match token {
                Token::Skip => {
                    (now[at + 1], now[at + 3]) = (true, true);
                    continue;
                }
                Token::Star { crosses } => {
                    now[at + 1] = true;
                    (*crosses || byte != b'/').then_some(at)
                }
                Token::Byte(other) => (*other == byte).then_some(at + 1),
                Token::Any => (!is_path || byte != b'/').then_some(at + 1),
                Token::Class(set) => (set[usize::from(byte)] && (!is_path || byte != b'/')).then_some(at + 1),
                Token::Never => None,
            };
            if let Some(to) = to {
                is_alive = true;
                next[to] = true;
            }
        }
        if !is_alive {
            return false;
        }
        std::mem::swap(&mut now, &mut next);
        next.fill(false);
    }
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Skip if now[at] => (now[at + 1], now[at + 3]) = (true, true),
            Token::Star { .. } if now[at] => now[at + 1] = true,
            _ => {}
        }
    }
    now[tokens.len()]
}
