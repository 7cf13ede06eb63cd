//! What the benches share: samples taken in turn, and the one table.
//!
//! A figure alone says little about a program and much about a machine, so each row holds ours, the machine's limit or a
//! peer measured in the same run, and the ratio. Both sides take turns sample by sample, so that a slow moment hits both.

use std::time::{Duration, Instant};

/// What a ratio must reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// Ours may cost at most this many times as much.
    AtMost(f64),
    /// Ours must reach at least this many times as much.
    AtLeast(f64),
    /// Shown for comparison.
    None,
}

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// What is measured.
    pub what: String,
    /// Ours, with its unit.
    pub ours: String,
    /// The limit or the peer: what it is, and its figure with the unit.
    pub peer: String,
    /// Ours divided by the peer's.
    pub ratio: f64,
    /// What the ratio must reach.
    pub target: Target,
}

impl Row {
    /// A row of two durations.
    #[must_use]
    pub fn times(what: &str, ours: Duration, peer: (&str, Duration), target: Target) -> Self {
        Self {
            what: what.to_owned(),
            ours: duration(ours),
            peer: format!("{} {}", peer.0, duration(peer.1)),
            ratio: ours.as_secs_f64() / peer.1.as_secs_f64(),
            target,
        }
    }

    /// A row of two rates; `unit` is what is counted in a second.
    #[must_use]
    pub fn rates(what: &str, unit: &str, ours: f64, peer: (&str, f64), target: Target) -> Self {
        Self {
            what: what.to_owned(),
            ours: format!("{ours:.0} {unit}/s"),
            peer: format!("{} {:.0} {unit}/s", peer.0, peer.1),
            ratio: ours / peer.1,
            target,
        }
    }

    /// Whether the target is met.
    #[must_use]
    pub fn met(&self) -> bool {
        match self.target {
            Target::AtMost(most) => self.ratio <= most,
            Target::AtLeast(least) => self.ratio >= least,
            Target::None => true,
        }
    }

    fn cells(&self) -> [String; 5] {
        let verdict = if self.met() { "met" } else { "NOT MET" };
        let target = match self.target {
            Target::AtMost(most) => format!("≤ {most} {verdict}"),
            Target::AtLeast(least) => format!("≥ {least} {verdict}"),
            Target::None => "-".to_owned(),
        };
        [
            self.what.clone(),
            self.ours.clone(),
            self.peer.clone(),
            format!("{:.2}", self.ratio),
            target,
        ]
    }
}

/// A duration in the unit that leaves three digits.
#[must_use]
pub fn duration(time: Duration) -> String {
    let nanos = time.as_secs_f64() * 1e9;
    match nanos {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.1} µs", n / 1e3),
        n if n < 1e9 => format!("{:.2} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}

/// The table as text, columns aligned.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let head = ["what", "ours", "limit or peer", "ratio", "target"].map(str::to_owned);
    let lines: Vec<[String; 5]> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..5).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        for (cell, width) in line.iter().zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// Samples of one side.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Adds what one call took.
    pub fn time<T>(&mut self, call: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = call();
        self.0.push(begin.elapsed());
        result
    }

    /// Adds a duration that was measured elsewhere.
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// How many there are.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The value below which this part (0 to 1) of the samples lies.
    ///
    /// # Panics
    /// Without samples.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a length"
    )]
    #[expect(clippy::cast_precision_loss, reason = "samples are few")]
    pub fn part(&self, part: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = ((sorted.len() - 1) as f64 * part).round() as usize;
        sorted[place]
    }

    /// The middle one.
    #[must_use]
    pub fn median(&self) -> Duration {
        self.part(0.5)
    }
}

/// Samples of both sides, in turn, after a tenth as many rounds to warm up.
pub fn in_turn(rounds: usize, mut ours: impl FnMut(), mut peer: impl FnMut()) -> (Samples, Samples) {
    for _ in 0..rounds / 10 {
        ours();
        peer();
    }
    let (mut of_ours, mut of_peer) = (Samples::default(), Samples::default());
    for _ in 0..rounds {
        of_ours.time(&mut ours);
        of_peer.time(&mut peer);
    }
    (of_ours, of_peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_missed_is_said_to_be() {
        let row = |ratio, target| Row {
            what: String::new(),
            ours: String::new(),
            peer: String::new(),
            ratio,
            target,
        };
        assert!(row(1.0, Target::AtMost(1.0)).met());
        assert!(!row(1.1, Target::AtMost(1.0)).met());
        assert!(!row(0.9, Target::AtLeast(1.0)).met());
        assert!(table(&[row(2.0, Target::AtMost(1.0))]).contains("NOT MET"));
    }

    #[test]
    fn the_parts_of_samples_are_their_order() {
        let mut samples = Samples::default();
        for micros in [5, 1, 4, 2, 3] {
            samples.push(Duration::from_micros(micros));
        }
        assert_eq!(samples.median(), Duration::from_micros(3));
        assert_eq!(samples.part(1.0), Duration::from_micros(5));
        assert_eq!(samples.part(0.0), Duration::from_micros(1));
    }

    #[test]
    fn a_ratio_is_ours_divided_by_the_peers() {
        let row = Row::times(
            "x",
            Duration::from_micros(30),
            ("echo", Duration::from_micros(20)),
            Target::None,
        );
        assert!((row.ratio - 1.5).abs() < 1e-9);
        assert_eq!(
            (row.ours.as_str(), row.peer.as_str()),
            ("30.0 µs", "echo 20.0 µs")
        );
    }
}
