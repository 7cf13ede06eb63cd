//! What every source file owes its reader: a head, a size, finished work, tests whose names are sentences.

use super::code::without_words;
use super::{Source, accept, refuses, sources};

/// The most lines of a file.
const LINES: usize = 500;

/// Files that may be longer, each with the reason. None.
const LONGER: [(&str, &str); 0] = [];

fn is_rust(source: &&Source) -> bool {
    source.path.ends_with(".rs")
}

fn heads(sources: &[Source]) -> Vec<String> {
    let has_head = |text: &str| {
        let words: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        words.len() > "//! A few words each".len()
    };
    sources
        .iter()
        .filter(is_rust)
        .filter(|source| !has_head(&source.text))
        .map(|source| {
            format!(
                "{}: the head (`//!`) says what lives here and what must stay true",
                source.path
            )
        })
        .collect()
}

fn sizes(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources.iter().filter(is_rust) {
        let lines = source.text.lines().count();
        let listed = LONGER.iter().any(|(path, _)| *path == source.path);
        if lines > LINES && !listed {
            complaints.push(format!(
                "{}: {lines} lines: more than one idea lives here",
                source.path
            ));
        }
        if lines <= LINES && listed {
            complaints.push(format!(
                "{}: no longer needs its place on the list of longer files",
                source.path
            ));
        }
    }
    complaints
}

/// Spelt in two parts, so that this file does not complain about itself.
const UNFINISHED: [&str; 6] = [
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("#[ign", "ore"),
    concat!("TO", "DO"),
];

/// Whether a line holds a word that no letter continues: a template of `mktemp` is not one.
fn has(line: &str, word: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !letter(before.chars().next_back())
            && (!word.ends_with(char::is_alphanumeric) || !letter(after.chars().next()))
    })
}

fn finished(sources: &[Source]) -> Vec<String> {
    let scripts = [
        ".rs", ".sh", ".toml", ".md", "Makefile", "run", ".service", ".socket", ".plist",
    ];
    let mut complaints = Vec::new();
    for source in sources
        .iter()
        .filter(|source| scripts.iter().any(|end| source.path.ends_with(end)))
    {
        for (number, line) in source.text.lines().enumerate() {
            for word in UNFINISHED.iter().filter(|word| has(line, word)) {
                complaints.push(format!(
                    "{}:{}: `{word}` is not finished work",
                    source.path,
                    number + 1
                ));
            }
        }
    }
    complaints
}

/// What only the people of one workplace understand: the text speaks of the project alone.
fn speaks_of_the_project(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        for (number, line) in source.text.lines().enumerate() {
            let numbered = |word: &str| {
                line.to_lowercase().match_indices(word).any(|(at, _)| {
                    line.get(at + word.len()..)
                        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
                })
            };
            let local = line.contains(concat!("/wo", "rk/")) || line.contains(concat!("BRIEF", ".md"));
            if local || numbered(concat!("iss", "ue ")) || numbered(concat!("iss", "ue #")) {
                complaints.push(format!(
                    "{}:{}: speaks of a workplace, not of the project",
                    source.path,
                    number + 1
                ));
            }
        }
    }
    complaints
}

fn test_names_are_sentences(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources.iter().filter(is_rust) {
        let code = without_words(&source.text);
        let mut expects = false;
        for (number, line) in code.lines().enumerate() {
            let line = line.trim();
            expects |= line == "#[test]" || line.starts_with("#[tokio::test");
            let name = line
                .strip_prefix("async ")
                .unwrap_or(line)
                .strip_prefix("fn ")
                .and_then(|rest| rest.split('(').next());
            let Some(name) = name.filter(|_| expects) else {
                continue;
            };
            expects = false;
            if name.split('_').count() < 4 {
                complaints.push(format!(
                    "{}:{}: the name of a test is a sentence: `{name}`",
                    source.path,
                    number + 1
                ));
            }
        }
    }
    complaints
}

#[test]
fn every_source_file_has_a_head() {
    accept(&heads(&sources()));
}

#[test]
fn no_file_holds_more_than_one_idea_fits() {
    accept(&sizes(&sources()));
}

#[test]
fn nothing_is_left_unfinished() {
    accept(&finished(&sources()));
}

#[test]
fn the_text_speaks_of_the_project_alone() {
    accept(&speaks_of_the_project(&sources()));
}

#[test]
fn the_names_of_tests_are_sentences() {
    accept(&test_names_are_sentences(&sources()));
}

#[test]
fn planted_untidy_text_is_refused() {
    let good = [Source::new(
        "a.rs",
        "//! What lives here, for whom.\n#[test]\nfn a_name_that_says_it() {}\n",
    )];
    refuses(
        heads,
        &good,
        &[
            Source::new("b.rs", "fn f() {}"),
            Source::new("c.rs", "//! placeholder\n"),
        ],
    );
    refuses(sizes, &good, &[Source::new("b.rs", &"x\n".repeat(LINES + 1))]);
    let unfinished: Vec<Source> = UNFINISHED.iter().map(|word| Source::new("b.rs", word)).collect();
    refuses(finished, &good, &unfinished);
    let local = [
        concat!("see iss", "ue 7"),
        concat!("/wo", "rk/x"),
        concat!("Iss", "ue #3"),
    ];
    let local: Vec<Source> = local.iter().map(|text| Source::new("b.md", text)).collect();
    refuses(speaks_of_the_project, &good, &local);
    refuses(
        test_names_are_sentences,
        &good,
        &[Source::new("b.rs", "#[test]\nfn works() {}")],
    );
}
