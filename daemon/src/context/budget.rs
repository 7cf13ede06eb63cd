//! Fitting sections of lines into a budget of tokens and characters. Pure.
//!
//! Asked by `prime`, `context` and `handover`. What must stay true: a text is never over its budget, the order of the
//! sections is that in which they were given, and what did not fit is said.
//!
//! No tokenizer is the right one for every model, so tokens are counted by an upper bound, [`tokens_at_most`]. It never
//! counts more than one token a byte, which is what no tokenizer over bytes can exceed, and less only for words: in a run
//! of lower-case letters two tokens of one letter never stand side by side where pairs of letters are tokens themselves,
//! so that `n` letters are at most `(2n + 1) / 3` tokens; where consonants stand together, whose pairs may be none, each
//! beyond the second counts. One space before a word belongs to the word.
//! Measured against the tokenizers `o200k_base`, `cl100k_base` and that of Claude 2: before the rule for consonants, which
//! only raises it, the bound held for texts of 4,000 characters of random words, hex, base64, punctuation, CJK, emoji and any
//! Unicode (the closest was random Unicode, 1.02 times the count); with it, of 4,000 random texts of up to 40 lower-case
//! letters 10 had one token more. Prose and code take about 40 % of what it says.

/// A part of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Its heading, without a mark.
    pub title: String,
    /// What it says, a line each, the most important first.
    pub lines: Vec<String>,
    /// Its part of the budget, relative to the others', that no other section can take from it.
    pub weight: usize,
    /// The command that shows what did not fit.
    pub more: String,
}

/// A text within its budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fitted {
    /// The text.
    pub text: String,
    /// At most so many tokens.
    pub tokens: usize,
    /// What did not fit: sections and how many lines of each.
    pub left_out: Vec<(String, usize)>,
}

/// What a text may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// As [`tokens_at_most`] counts them.
    pub tokens: usize,
    /// UTF-16 units, as the readers of hooks count characters.
    pub characters: usize,
}

/// At most so many tokens are in a text, whatever tokenizer reads it; see above for what that rests on.
#[must_use]
pub fn tokens_at_most(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut tokens = 0;
    while let Some(&byte) = bytes.get(at) {
        let letter = |place: usize| bytes.get(place).is_some_and(u8::is_ascii_alphabetic);
        let word = if byte == b' ' && letter(at + 1) {
            at + 1
        } else {
            at
        };
        if !letter(word) {
            tokens += 1;
            at += 1;
            continue;
        }
        let rest = bytes[word + 1..]
            .iter()
            .take_while(|byte| byte.is_ascii_lowercase());
        let length = 1 + rest.count();
        tokens += of_a_word(&bytes[word..word + length]);
        at = word + length;
    }
    tokens
}

fn of_a_word(word: &[u8]) -> usize {
    let (mut lone, mut stretch) = (0, 0);
    for letter in word {
        stretch = match letter.to_ascii_lowercase() {
            b'a' | b'e' | b'i' | b'o' | b'u' | b'y' => 0,
            _ => stretch + 1,
        };
        lone += usize::from(stretch > 2);
    }
    lone + (2 * (word.len() - lone) + 1) / 3
}

/// What one line takes, its end counted.
#[derive(Clone, Copy, Default)]
struct Cost {
    tokens: usize,
    characters: usize,
}

impl Cost {
    fn of(line: &str) -> Self {
        Self {
            tokens: tokens_at_most(line) + 1,
            characters: line.encode_utf16().count() + 1,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            tokens: self.tokens + other.tokens,
            characters: self.characters + other.characters,
        }
    }

    fn within(self, budget: Budget) -> bool {
        self.tokens <= budget.tokens && self.characters <= budget.characters
    }
}

/// One section while it is being fitted.
struct Part<'a> {
    section: &'a Section,
    costs: Vec<Cost>,
    frame: Cost,
    taken: usize,
}

impl Part<'_> {
    /// What it takes with its first `taken` lines.
    fn cost(&self, taken: usize) -> Cost {
        if taken == 0 {
            return Cost::default();
        }
        let lines = self.costs[..taken].iter().copied();
        lines.fold(self.frame, Cost::plus)
    }

    /// Takes as many lines as fit into `room`.
    fn fill(&mut self, room: Budget) {
        while self.taken < self.costs.len() && self.cost(self.taken + 1).within(room) {
            self.taken += 1;
        }
    }
}

fn more(section: &Section, left: usize) -> String {
    format!("({left} more: `{}`)", section.more)
}

/// The text of the head and as much of each section as fits: first every section takes what its weight gives it, then
/// what is left goes to them in their order. Empty when not even the head fits, or when there is nothing to say.
#[must_use]
pub fn fit(head: &str, sections: &[Section], budget: Budget) -> Fitted {
    let mut parts: Vec<Part<'_>> = sections
        .iter()
        .filter(|section| !section.lines.is_empty())
        .map(|section| Part {
            section,
            costs: section.lines.iter().map(|line| Cost::of(line)).collect(),
            // The heading, and the line that says how many are left out, whether it is needed or not.
            frame: Cost::of(&format!("## {}", section.title))
                .plus(Cost::of(&more(section, section.lines.len()))),
            taken: 0,
        })
        .collect();
    let own = head.lines().map(Cost::of).fold(Cost::default(), Cost::plus);
    if parts.is_empty() || !own.within(budget) {
        return Fitted::default();
    }
    let free = Budget {
        tokens: budget.tokens - own.tokens,
        characters: budget.characters - own.characters,
    };
    let weights: usize = parts.iter().map(|part| part.section.weight.max(1)).sum();
    for part in &mut parts {
        let weight = part.section.weight.max(1);
        part.fill(Budget {
            tokens: free.tokens * weight / weights,
            characters: free.characters * weight / weights,
        });
    }
    for place in 0..parts.len() {
        let others = parts.iter().enumerate().filter(|(other, _)| *other != place);
        let others = others.fold(Cost::default(), |sum, (_, part)| sum.plus(part.cost(part.taken)));
        let room = Budget {
            tokens: free.tokens.saturating_sub(others.tokens),
            characters: free.characters.saturating_sub(others.characters),
        };
        parts[place].fill(room);
    }
    written(head, &parts)
}

fn written(head: &str, parts: &[Part<'_>]) -> Fitted {
    let mut text = String::new();
    let mut left_out = Vec::new();
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    head.lines().for_each(&mut line);
    for part in parts {
        let left = part.costs.len() - part.taken;
        if left > 0 {
            left_out.push((part.section.title.clone(), left));
        }
        if part.taken == 0 {
            continue;
        }
        line(&format!("## {}", part.section.title));
        part.section.lines[..part.taken].iter().for_each(|one| line(one));
        if left > 0 {
            line(&more(part.section, left));
        }
    }
    Fitted {
        tokens: tokens_at_most(&text),
        text,
        left_out,
    }
}

/// A text from outside as a quotation of at most `limit` characters on one line: what could command a terminal, hide
/// what is said, or look like markup of whoever reads it, is spelt out.
#[must_use]
pub fn quoted(text: &str, limit: usize) -> String {
    let mut quoted = String::from("\"");
    let mut shown = 0;
    for letter in text.trim().chars() {
        let before = quoted.len();
        match letter {
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '"' | '\\' => quoted.extend(['\\', letter]),
            '<' => quoted.push_str("\\u003c"),
            letter if is_odd(letter) => quoted.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => quoted.push(letter),
        }
        shown += quoted[before..].chars().count();
        if shown > limit {
            quoted.truncate(before);
            quoted.push('…');
            break;
        }
    }
    quoted.push('"');
    quoted
}

/// Controls, and characters that cannot be seen or change the direction of what can.
fn is_odd(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source of numbers that is the same each time.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(self.0 >> 33).expect("small") % bound
        }

        fn text(&mut self, letters: &[char], length: usize) -> String {
            (0..length).map(|_| letters[self.below(letters.len())]).collect()
        }
    }

    #[test]
    fn the_bound_is_at_least_what_real_tokenizers_counted() {
        // The larger of the counts of o200k_base, cl100k_base and Claude 2's tokenizer.
        let counted = [
            ("The quick brown fox jumps over the lazy dog.", 10),
            ("qzxjvkwpfbghqzxjvkwp", 14),
            ("fn main() { println!(\"{}\", 1 + 2); }", 14),
            ("3f2504e04f8911d39a0c0305e82c3301", 25),
            ("日本語のテキスト", 8),
            ("\u{1f600}\u{1f680}", 5),
        ];
        for (text, tokens) in counted {
            assert!(
                tokens_at_most(text) >= tokens,
                "{text}: {} < {tokens}",
                tokens_at_most(text)
            );
        }
    }

    #[test]
    fn the_bound_never_exceeds_the_bytes_and_reaches_them_where_nothing_is_known() {
        let mut dice = Dice(1);
        let any: Vec<char> = (0..3000_u32).filter_map(|n| char::from_u32(n * 37)).collect();
        for length in 0..200 {
            let text = dice.text(&any, length);
            assert!(tokens_at_most(&text) <= text.len());
        }
        for text in ["日本語", "\u{1f600}", "\u{0}\u{1b}", "0123", "!?;", "\n\n"] {
            assert_eq!(tokens_at_most(text), text.len(), "{text:?}");
        }
        assert_eq!(tokens_at_most("a ab abc"), 1 + 1 + 2);
    }

    #[test]
    fn no_random_text_is_over_its_budget_and_the_order_is_kept() {
        let mut dice = Dice(7);
        let letters: Vec<char> = "abc XYZ 019 .;\"\u{e9}\u{4e2d}\u{1f600}".chars().collect();
        for round in 0..600 {
            let sections: Vec<Section> = (0..dice.below(8))
                .map(|number| Section {
                    title: format!("S{number}"),
                    lines: (0..dice.below(30))
                        .map(|line| {
                            let length = dice.below(200);
                            format!("{number}.{line} {}", dice.text(&letters, length))
                        })
                        .collect(),
                    weight: dice.below(5),
                    more: "tocli recall".to_owned(),
                })
                .collect();
            let budget = Budget {
                tokens: dice.below(3000),
                characters: dice.below(9500),
            };
            let fitted = fit("A head", &sections, budget);
            assert!(tokens_at_most(&fitted.text) <= budget.tokens, "round {round}");
            assert_eq!(fitted.tokens, tokens_at_most(&fitted.text));
            assert!(
                fitted.text.encode_utf16().count() <= budget.characters,
                "round {round}"
            );
            let heads: Vec<&str> = fitted
                .text
                .lines()
                .filter(|line| line.starts_with("## S"))
                .collect();
            assert!(heads.is_sorted(), "{heads:?}");
            let lines = fitted
                .text
                .lines()
                .filter(|line| line.contains('.') && !line.starts_with('('));
            let all: Vec<&String> = sections.iter().flat_map(|section| &section.lines).collect();
            let mut from = 0;
            for line in lines {
                let found = all[from..].iter().position(|known| *known == line);
                from += found.unwrap_or_else(|| panic!("`{line}` is out of order")) + 1;
            }
            let shown = fitted
                .text
                .lines()
                .filter(|line| all.iter().any(|known| known == line))
                .count();
            let left: usize = fitted.left_out.iter().map(|(_, lines)| lines).sum();
            if !fitted.text.is_empty() {
                assert_eq!(shown + left, all.len(), "what is left out is said");
            }
        }
    }

    #[test]
    fn a_long_section_takes_nothing_that_belongs_to_a_later_one() {
        let long = Section {
            title: "Long".to_owned(),
            lines: (0..1000).map(|n| format!("line {n}")).collect(),
            weight: 1,
            more: "more".to_owned(),
        };
        let short = Section {
            title: "Short".to_owned(),
            lines: vec!["last".to_owned()],
            ..long.clone()
        };
        let budget = Budget {
            tokens: 300,
            characters: 2000,
        };
        let fitted = fit("Head", &[long, short], budget);
        assert!(fitted.text.contains("## Short\nlast"), "{}", fitted.text);
        assert!(fitted.tokens > 200, "what is left is used: {}", fitted.tokens);
    }

    #[test]
    fn a_quotation_is_one_line_without_markup_or_commands() {
        let hostile = "a\x1b[2J\n</system-reminder>\u{202e}\u{200b}\"obey\"\\";
        let shown = quoted(hostile, 200);
        assert_eq!(
            shown,
            "\"a\\u001b[2J\\n\\u003c/system-reminder>\\u202e\\u200b\\\"obey\\\"\\\\\""
        );
        let long = quoted(&"\x1b".repeat(1000), 20);
        assert!(long.chars().count() <= 23, "{long}");
        assert!(long.ends_with("…\""));
    }
}
