//! Which decisions fit some words best. Pure.
//!
//! BM25 as in Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), sections 3.2 to
//! 3.5: k1 = 1.2, b = 0.75, fields weighted before saturation (BM25F with one length), and the smoothed inverse document
//! frequency ln(1 + (N - n + 0.5) / (n + 0.5)), which is never negative. A word of the search also fits longer words that
//! begin with it, at half their weight, so that `cach` and `cache` find `caching`.
//!
//! What must stay true: the same words over the same decisions give the same order; of two that fit as well the newer
//! comes first.

use std::collections::{BTreeMap, BTreeSet};

use super::card::Card;

const K1: f64 = 1.2;
const B: f64 = 0.75;
/// What a longer word counts that only begins with the one searched for.
const BEGINNING: f64 = 0.5;
/// The shortest word that is taken for the beginning of others, in characters.
const SHORTEST_BEGINNING: usize = 3;
/// The most words of one search.
const MAX_WORDS: usize = 64;
/// The longest word that is told from others by all its letters, in bytes.
const LONGEST: usize = 64;

/// Which words stand where.
#[derive(Debug, Default)]
pub struct Index {
    /// By word: the decisions it stands in, by number, and how much it counts there.
    words: BTreeMap<String, Vec<(u64, f64)>>,
    /// The length of each decision, its fields weighted.
    lengths: BTreeMap<u64, f64>,
}

/// A decision that fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its number.
    pub number: u64,
    /// How well it fits.
    pub score: f64,
    /// The words of the search that it holds.
    pub matched: Vec<String>,
}

/// The words of a text, in lower case.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| {
            let mut end = word.len().min(LONGEST);
            while !word.is_char_boundary(end) {
                end -= 1;
            }
            word[..end].to_lowercase()
        })
}

/// The fields of a decision and what a word in them counts.
fn fields(card: &Card) -> Vec<(f64, &str)> {
    let mut all = vec![
        (4.0, card.title.as_str()),
        (2.0, &card.decision),
        (1.0, &card.rationale),
    ];
    all.extend([(1.0, card.context.as_str()), (2.0, &card.id)]);
    let lists = [(3.0, &card.tags), (3.0, &card.components), (2.0, &card.paths)];
    for (weight, list) in lists {
        all.extend(list.iter().map(|text| (weight, text.as_str())));
    }
    for text in card.consequences.iter().chain(&card.risks) {
        all.push((0.7, text));
    }
    for other in &card.alternatives {
        all.push((0.7, &other.name));
        let both = other.pros.iter().chain(&other.cons);
        all.extend(both.map(|text| (0.5, text.as_str())));
    }
    all.extend(card.history.iter().map(|event| (0.7, event.text.as_str())));
    all.extend([
        (1.0, card.category.word()),
        (1.0, card.task.as_deref().unwrap_or_default()),
    ]);
    all
}

impl Index {
    /// Adds a decision, once.
    pub fn add(&mut self, card: &Card) {
        let mut counts: BTreeMap<String, f64> = BTreeMap::new();
        let mut length = 0.0;
        for (weight, text) in fields(card) {
            for word in words(text) {
                length += weight;
                *counts.entry(word).or_default() += weight;
            }
        }
        for (word, count) in counts {
            self.words.entry(word).or_default().push((card.number, count));
        }
        self.lengths.insert(card.number, length);
    }

    /// The decisions that hold at least one of the words and that `wanted` lets pass, the best first.
    #[must_use]
    pub fn search(&self, text: &str, wanted: impl Fn(u64) -> bool) -> Vec<Hit> {
        let asked: BTreeSet<String> = words(text).take(MAX_WORDS).collect();
        let all = self.lengths.len() as f64;
        let mean = self.lengths.values().sum::<f64>() / all.max(1.0);
        let mut found: BTreeMap<u64, Hit> = BTreeMap::new();
        for word in &asked {
            let counts = self.counts(word);
            let rarity = (1.0 + (all - counts.len() as f64 + 0.5) / (counts.len() as f64 + 0.5)).ln();
            for (number, count) in counts.into_iter().filter(|(number, _)| wanted(*number)) {
                let length = self.lengths.get(&number).copied().unwrap_or(mean);
                let saturated = count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length / mean.max(1.0)));
                let hit = found.entry(number).or_insert_with(|| Hit {
                    number,
                    score: 0.0,
                    matched: Vec::new(),
                });
                hit.score += rarity * saturated;
                hit.matched.push(word.clone());
            }
        }
        let mut hits: Vec<Hit> = found.into_values().collect();
        hits.sort_by(|one, two| {
            two.score
                .total_cmp(&one.score)
                .then_with(|| two.number.cmp(&one.number))
        });
        hits
    }

    /// How much a word counts in each decision, longer words that begin with it included.
    fn counts(&self, word: &str) -> BTreeMap<u64, f64> {
        let mut counts = BTreeMap::new();
        let longer = word.chars().count() >= SHORTEST_BEGINNING;
        let from = self.words.range(word.to_owned()..);
        for (other, places) in from.take_while(|(other, _)| other.starts_with(word)) {
            let weight = match other == word {
                true => 1.0,
                false if longer => BEGINNING,
                false => continue,
            };
            for (number, count) in places {
                *counts.entry(*number).or_default() += weight * count;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::bed::card;
    use super::*;

    fn index(cards: &[Card]) -> Index {
        let mut index = Index::default();
        cards.iter().for_each(|card| index.add(card));
        index
    }

    fn numbers(index: &Index, text: &str) -> Vec<u64> {
        index
            .search(text, |_| true)
            .into_iter()
            .map(|hit| hit.number)
            .collect()
    }

    #[test]
    fn a_word_in_the_title_counts_more_than_one_in_the_text_and_a_rare_one_more_than_a_common_one() {
        let cards = [
            card(1, "Store", "We keep the cache in files"),
            card(2, "Cache in memory", "We keep things in memory"),
            card(3, "Names", "We keep names short"),
        ];
        let index = index(&cards);
        assert_eq!(numbers(&index, "cache"), [2, 1]);
        assert_eq!(numbers(&index, "keep names")[0], 3);
        assert_eq!(numbers(&index, "nothing of this"), Vec::<u64>::new());
    }

    #[test]
    fn a_longer_text_counts_less_and_of_equals_the_newer_comes_first() {
        let long = format!("sled {}", "other words ".repeat(200));
        let cards = [
            card(1, "One", &long),
            card(2, "Two", "sled"),
            card(3, "Two", "sled"),
        ];
        assert_eq!(numbers(&index(&cards), "SLED"), [3, 2, 1]);
    }

    #[test]
    fn the_beginning_of_a_word_finds_it_after_those_that_hold_the_word_itself() {
        let cards = [
            card(1, "Caching", "x"),
            card(2, "Cach", "x"),
            card(3, "Cattle", "x"),
        ];
        assert_eq!(numbers(&index(&cards), "cach"), [2, 1]);
        assert_eq!(numbers(&index(&cards), "ca"), Vec::<u64>::new());
    }

    #[test]
    fn only_what_is_wanted_is_found_and_the_words_that_fit_are_told() {
        let cards = [card(1, "A b", "x"), card(2, "A c", "x")];
        let hits = index(&cards).search("b a zzz", |number| number == 1);
        assert_eq!(hits.len(), 1);
        assert_eq!(hits[0].matched, ["a", "b"]);
    }
}
