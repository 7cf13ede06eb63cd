//! Looking into contents, line by line.
//!
//! What must stay true: time and memory are bounded whatever the pattern and the contents are: the engine is linear, a
//! request reads for [`BUDGET`] and says where to go on; what was not looked into is named.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::time::Instant;

use proto::artifact::{Answer, Match, Search};
use proto::error::{Error, Result};
use regex::bytes::{Regex, RegexBuilder};

use super::catalog::Entry;
use super::read::BUDGET;
use super::ready;
use super::rules::{self, Wanted};
use super::write::Scene;
use crate::task::rules::shown;

/// Contents over this size (64 MiB) are not looked into.
const LARGEST: u64 = 64 << 20;
/// The most bytes of a pattern.
const MAX_PATTERN: usize = 4 << 10;
/// The most memory of a compiled pattern.
const MAX_COMPILED: usize = 4 << 20;
/// The most lines around a match, on each side.
const MAX_AROUND: u32 = 50;
/// A line is looked at as far as this (64 KiB).
const MAX_LINE: usize = 64 << 10;
/// A line is shown as far as this.
const SHOWN: usize = 400;
/// The most bytes of the matches of one answer.
const MAX_BYTES: usize = 600 << 10;
/// The most names of what was not looked into.
const MOST_LEFT_OUT: usize = 100;

/// Answers a search.
///
/// # Errors
/// `Usage` for a pattern that is none; what the store says.
pub(super) fn answer(scene: &Scene<'_>, what: &Search, cursor: Option<&str>) -> Result<Answer> {
    let limit = rules::limit(what.limit)?;
    if what.before > MAX_AROUND || what.after > MAX_AROUND {
        return Err(Error::usage(format!(
            "more than {MAX_AROUND} lines around a match"
        )));
    }
    let (from, line) = place(cursor)?;
    let pattern = compiled(what)?;
    let wanted = Wanted::new(&what.filter);
    let slot = ready(scene.desk.ctx, &scene.place.home)?;
    let entries: Vec<Entry> = slot.with(|catalog| {
        let begin = from.map(|born| if line > 0 { born + 1 } else { born });
        Ok(catalog
            .down_from(begin)
            .filter(|entry| wanted.takes(&entry.card, &entry.text))
            .cloned()
            .collect())
    })?;
    let mut hunt = Hunt {
        pattern,
        what,
        limit,
        found: Vec::new(),
        bytes: 0,
        left_out: Vec::new(),
    };
    let (begun, mut searched, mut next_cursor) = (Instant::now(), 0, None);
    let count = entries.len();
    for (number, entry) in entries.iter().enumerate() {
        let skip = if Some(entry.card.born) == from { line } else { 0 };
        searched += 1;
        match hunt.look_into(scene, entry, skip)? {
            Some(line) => {
                next_cursor = Some(format!("{}:{line}", rules::after(entry.card.born)));
                break;
            }
            None if number + 1 < count && begun.elapsed() > BUDGET => {
                next_cursor = Some(rules::after(entry.card.born));
                break;
            }
            None => {}
        }
    }
    Ok(Answer::Found {
        matches: hunt.found,
        searched,
        left_out: hunt.left_out,
        next_cursor,
    })
}

/// An artifact's order, and the line of it to go on behind.
fn place(cursor: Option<&str>) -> Result<(Option<u64>, u64)> {
    match cursor.and_then(|cursor| cursor.split_once(':')) {
        None => Ok((rules::cursor(cursor)?, 0)),
        Some((born, line)) => {
            let line = line.parse().map_err(|_| {
                Error::usage(format!("`{}` is no cursor", shown(line)))
                    .next("take `next_cursor` of the page before")
            })?;
            Ok((rules::cursor(Some(born))?, line))
        }
    }
}

fn compiled(what: &Search) -> Result<Regex> {
    if what.pattern.is_empty() || what.pattern.len() > MAX_PATTERN {
        return Err(Error::usage(format!("a pattern of {} bytes", what.pattern.len()))
            .why(format!("it has 1 to {MAX_PATTERN}"))
            .next("give the words or the regular expression to look for"));
    }
    RegexBuilder::new(&what.pattern)
        .case_insensitive(what.ignore_case)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .build()
        .map_err(|error| {
            Error::usage(format!("`{}` is no regular expression", shown(&what.pattern)))
                .why(error.to_string().lines().last().unwrap_or_default())
                .next("put a `\\` before signs that are meant as they are")
        })
}

struct Hunt<'a> {
    pattern: Regex,
    what: &'a Search,
    limit: usize,
    found: Vec<Match>,
    bytes: usize,
    left_out: Vec<String>,
}

impl Hunt<'_> {
    /// Looks into one artifact behind a line; the line to go on behind when the answer is full.
    fn look_into(&mut self, scene: &Scene<'_>, entry: &Entry, skip: u64) -> Result<Option<u64>> {
        let card = &entry.card;
        if card.size > LARGEST {
            self.leave_out(&card.name);
            return Ok(None);
        }
        let Ok(object) = scene.desk.ctx.db.objects().open(&card.object()) else {
            self.leave_out(&card.name);
            return Ok(None);
        };
        let mut lines = BufReader::with_capacity(64 << 10, crate::objects::Reader::from(object));
        let failed =
            |error: std::io::Error| Error::unavailable(format!("`{}` cannot be read", card.id)).why(error);
        if lines
            .fill_buf()
            .map_err(failed)?
            .iter()
            .take(8 << 10)
            .any(|byte| *byte == 0)
        {
            self.leave_out(&card.name);
            return Ok(None);
        }
        let first = self.found.len();
        let mut before: VecDeque<String> = VecDeque::new();
        let mut number = 0;
        let mut cut = false;
        while let Some((line, whole)) = line(&mut lines).map_err(failed)? {
            number += 1;
            if !whole && !cut {
                cut = true;
                self.leave_out(&card.name);
            }
            let text = shortened(&line);
            for one in self.found[first..].iter_mut().rev() {
                if one.after.len() as u64 >= u64::from(self.what.after)
                    || number > one.line + u64::from(self.what.after)
                {
                    break;
                }
                self.bytes += text.len();
                one.after.push(text.clone());
            }
            if number > skip && self.pattern.is_match(&line) {
                if self.found.len() == self.limit || self.bytes > MAX_BYTES {
                    return Ok(Some(number - 1));
                }
                self.bytes += 200 + text.len() + before.iter().map(String::len).sum::<usize>();
                self.found.push(Match {
                    id: card.id.clone(),
                    version: card.version,
                    name: card.name.clone(),
                    line: number,
                    text: text.clone(),
                    before: before.iter().cloned().collect(),
                    after: Vec::new(),
                });
            }
            before.push_back(text);
            if before.len() > self.what.before as usize {
                before.pop_front();
            }
        }
        Ok(None)
    }

    fn leave_out(&mut self, name: &str) {
        if self.left_out.len() < MOST_LEFT_OUT {
            self.left_out.push(name.to_owned());
        }
    }
}

/// The next line without its end, as far as [`MAX_LINE`], and whether that is all of it.
fn line(from: &mut BufReader<crate::objects::Reader>) -> std::io::Result<Option<(Vec<u8>, bool)>> {
    let mut line = Vec::new();
    let mut whole = true;
    let mut any = false;
    loop {
        let there = from.fill_buf()?;
        if there.is_empty() {
            return Ok(any.then_some((line, whole)));
        }
        any = true;
        let end = there.iter().position(|byte| *byte == b'\n');
        let part = &there[..end.unwrap_or(there.len())];
        let room = MAX_LINE.saturating_sub(line.len());
        whole &= part.len() <= room;
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = part.len() + usize::from(end.is_some());
        from.consume(used);
        if end.is_some() {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(Some((line, whole)));
        }
    }
}

fn shortened(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(SHOWN * 4)]);
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < line.len() && text.chars().count() >= SHOWN {
        short.push('…');
    }
    short
}
