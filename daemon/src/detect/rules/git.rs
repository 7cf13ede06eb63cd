//! What git's small files say: `HEAD`, a `.git` file, and the few keys of a repository's configuration that decide where
//! its work tree is.
//!
//! Asked by `git.rs` with the bytes read. What must stay true: accepted here is what git accepts, no more (a half-copied
//! repository is none yet).

/// What a `HEAD` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Head {
    /// `refs/heads/<this>`; it may have no commit yet.
    Branch(String),
    /// A commit, or a ref that is no branch.
    Detached,
}

/// Reads a `HEAD`; none when git would not take the directory for a repository because of it.
pub(in crate::detect) fn head(bytes: &[u8]) -> Option<Head> {
    if let Some(rest) = bytes.strip_prefix(b"ref:") {
        return named(rest.trim_ascii());
    }
    let hex = bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    (hex >= 40).then_some(Head::Detached)
}

/// The same for the target of a `HEAD` that is a link, or of a ref.
pub(in crate::detect) fn named(target: &[u8]) -> Option<Head> {
    target
        .starts_with(b"refs/")
        .then(|| match target.strip_prefix(b"refs/heads/") {
            // With reftables the name in `HEAD` is a place-holder.
            None | Some(b"" | b".invalid") => Head::Detached,
            Some(name) => Head::Branch(String::from_utf8_lossy(name).into_owned()),
        })
}

/// The path in a `.git` file; none when git would call its format invalid.
pub(in crate::detect) fn gitfile(bytes: &[u8]) -> Option<&[u8]> {
    line(bytes.strip_prefix(b"gitdir: ")?)
}

/// The one path that a file such as `commondir` holds.
pub(in crate::detect) fn line(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().rposition(|byte| *byte != b'\n' && *byte != b'\r')?;
    let path = &bytes[..=end];
    (!path.contains(&0)).then_some(path)
}

/// The keys of a repository's own configuration that say where the work tree is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::detect) struct Core {
    /// `core.bare`.
    pub(in crate::detect) bare: Option<bool>,
    /// `core.worktree`, relative to the repository.
    pub(in crate::detect) worktree: Option<Vec<u8>>,
    /// `extensions.worktreeConfig`.
    pub(in crate::detect) worktree_config: bool,
}

/// Reads a configuration file; later values win, what is not understood is passed over.
pub(in crate::detect) fn config(bytes: &[u8]) -> Core {
    let mut core = Core::default();
    let mut section = Vec::new();
    for line in logical_lines(bytes) {
        let mut rest = line.trim_ascii_start();
        if rest.first() == Some(&b'[') {
            let Some(end) = header_end(rest) else { continue };
            section = rest[1..end].trim_ascii().to_ascii_lowercase();
            rest = rest[end + 1..].trim_ascii_start();
        }
        let key_end = rest
            .iter()
            .position(|b| !b.is_ascii_alphanumeric() && *b != b'-')
            .unwrap_or(rest.len());
        let key = rest[..key_end].to_ascii_lowercase();
        let after = rest[key_end..].trim_ascii_start();
        let given = after.strip_prefix(b"=").map(value);
        match (section.as_slice(), key.as_slice()) {
            (b"core", b"bare") => core.bare = Some(given.is_none_or(|text| super::is_true(&text))),
            (b"core", b"worktree") => core.worktree = given.filter(|text| !text.is_empty()),
            (b"extensions", b"worktreeconfig") => {
                core.worktree_config = given.is_none_or(|text| super::is_true(&text));
            }
            _ => {}
        }
    }
    core
}

/// Where a section's header ends; a `]` within quotes does not end it.
fn header_end(line: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    line.iter().position(|byte| {
        let plain = !std::mem::take(&mut escaped);
        match byte {
            b'\\' if quoted && plain => escaped = true,
            b'"' if plain => quoted = !quoted,
            b']' if !quoted => return true,
            _ => {}
        }
        false
    })
}

/// Lines, joined where one ends in a backslash.
fn logical_lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut open = false;
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // An even run of backslashes is so many escaped ones.
        let odd = line.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
        let text = if odd { &line[..line.len() - 1] } else { line };
        match lines.last_mut().filter(|_| open) {
            Some(last) => last.extend_from_slice(text),
            None => lines.push(text.to_vec()),
        }
        open = odd;
    }
    lines
}

/// A value without its comment, quotes, escapes and surrounding blanks.
fn value(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut quoted = false;
    let mut solid = 0;
    let mut bytes = raw.trim_ascii_start().iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'#' | b';' if !quoted => break,
            b'"' => {
                quoted = !quoted;
                solid = out.len();
                continue;
            }
            b'\\' => out.push(match bytes.next() {
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'b') => 8,
                Some(other) => *other,
                None => break,
            }),
            other => out.push(*other),
        }
        if quoted || !byte.is_ascii_whitespace() {
            solid = out.len();
        }
    }
    out.truncate(solid);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_judged_as_git_judges_it() {
        let branch = |name: &str| Some(Head::Branch(name.to_owned()));
        let sha = "0123456789abcdef0123456789abcdef01234567";
        let cases = [
            ("ref: refs/heads/main\n", branch("main")),
            ("ref:refs/heads/a/b", branch("a/b")),
            ("ref:  \trefs/heads/x  \n", branch("x")),
            ("ref: refs/remotes/o/x\n", Some(Head::Detached)),
            ("ref: refs/heads/.invalid\n", Some(Head::Detached)),
            ("ref: heads/main\n", None),
            ("ref:", None),
            ("", None),
            ("garbage", None),
            (&sha[..39], None),
            (sha, Some(Head::Detached)),
        ];
        for (text, expected) in cases {
            assert_eq!(head(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_git_file_holds_one_path_to_its_last_line_end() {
        assert_eq!(gitfile(b"gitdir: ../x y\n"), Some(&b"../x y"[..]));
        assert_eq!(gitfile(b"gitdir: /a\r\n\n"), Some(&b"/a"[..]));
        assert_eq!(gitfile(b"gitdir: a\nb"), Some(&b"a\nb"[..]));
        for bad in [&b"gitdir:/a\n"[..], b"gitdir: \n", b"", b"gitdir: a\0b"] {
            assert_eq!(gitfile(bad), None);
        }
    }

    #[test]
    fn a_configuration_is_read_with_quotes_comments_and_continuations() {
        let text = b"; note\n[core] bare = false ; so\n\tworktree = \"../a b\" # c\n[Extensions]\nworktreeConfig\n[core \"x\"]\nbare = true\n";
        let expected = Core {
            bare: Some(false),
            worktree: Some(b"../a b".to_vec()),
            worktree_config: true,
        };
        assert_eq!(config(text), expected);
        assert_eq!(
            config(b"[core]\nworktree = a\\\nb\\\\c\n").worktree,
            Some(b"ab\\c".to_vec())
        );
        assert_eq!(config(b"[CORE]\n  BARE\n").bare, Some(true));
        assert_eq!(config(b"[a \"]\"]\n[core]\nbare=1\nbare=0").bare, Some(false));
    }

    #[test]
    fn hostile_configurations_are_passed_over() {
        for text in [
            &b"[core"[..],
            b"[core]\nworktree",
            b"[\"\n",
            b"\\",
            b"[core]\nbare = \"",
            b"\xff=\xfe",
        ] {
            let core = config(text);
            assert!(core.worktree.is_none());
        }
    }
}
