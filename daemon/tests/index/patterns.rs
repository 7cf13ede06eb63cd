//! Patterns: those of ignore files beside git's own reading, and the globs of queries.

use super::*;

#[test]
fn unusual_patterns_are_read_as_git_reads_them() {
    let mut bed = Bed::new();
    for name in [
        "x.o",
        "x.{o,log}",
        "a[",
        "a1",
        "aZ",
        "b]",
        "-b",
        "d/a[",
        "d/]x",
        "d/-",
        "d/e/x{",
        "{/y",
    ] {
        bed.write(name, "1");
    }
    fs::write(bed.root.join(os(b"\xff\xfe")), "1").unwrap();
    bed.check("creating");
    let patterns: [&[u8]; 20] = [
        b"*.{o,log}",
        b"{x.o,a1}",
        b"a[",
        b"[a",
        b"[]a]*",
        b"a[[:digit:]]",
        b"a[![:upper:]]",
        b"[[:nothing:]]*",
        b"[a\\-z]*",
        b"[z-a]*",
        b"d/[]-]*{",
        b"d/[[:punct:]]*",
        b"**/x{",
        b"d/**/x{",
        b"d/*{",
        b"{/",
        b"/{/**",
        b"\xff*",
        b"?\xfe",
        b"*{*\n!x{",
    ];
    for pattern in patterns {
        fs::write(bed.path(".gitignore"), pattern).unwrap();
        bed.check(&String::from_utf8_lossy(pattern));
    }
}

#[test]
fn a_glob_that_can_match_nothing_is_refused() {
    let bed = Bed::new();
    for glob in ["", " ", "!a", "#", "a[", "[]", "/"] {
        assert_eq!(
            bed.tree.files(Some(glob)).unwrap_err().kind,
            proto::Kind::Usage,
            "{glob}"
        );
    }
    assert!(bed.tree.files(Some("[a]")).is_ok());
}

#[test]
fn globs_choose_as_ignore_patterns_do() {
    let bed = Bed::new();
    for path in ["src/a.rs", "src/b/c.rs", "x.rs", "src/d.txt"] {
        bed.write(path, "1");
    }
    bed.sync();
    let chosen = |glob: &str| -> Vec<String> {
        let (_, list) = bed.tree.files(Some(glob)).unwrap();
        list.iter()
            .map(|path| String::from_utf8(path.to_vec()).unwrap())
            .collect()
    };
    assert_eq!(chosen("*.rs"), ["src/a.rs", "src/b/c.rs", "x.rs"]);
    assert_eq!(chosen("src/"), ["src/a.rs", "src/b/c.rs", "src/d.txt"]);
    assert_eq!(chosen("/*.rs"), ["x.rs"]);
    assert_eq!(chosen("src/**/*.rs"), ["src/a.rs", "src/b/c.rs"]);
    assert!(bed.tree.files(Some("{a")).is_err());
}
