//! What a load came to, as text: counts, then distributions beside those of a run without reboots.

use std::fmt::Write as _;
use std::time::Duration;

use super::Report;
use crate::bench::{Samples, duration};

/// The parts of a distribution that are shown.
const PARTS: [(&str, f64); 5] = [
    ("median", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("most", 1.0),
];

/// The whole report: `quiet` is the same load without reboots.
#[must_use]
pub fn text(report: &Report, quiet: &Report) -> String {
    let mut text = String::new();
    counts(&mut text, report);
    let pauses = of(report, |reboot| Duration::from_micros(reboot.pause_us));
    let wholes = of(report, |reboot| Duration::from_millis(reboot.took_ms));
    _ = writeln!(text, "\n{:<34}{}", "", heads());
    if !report.reboots.is_empty() {
        _ = writeln!(text, "{:<34}{}", "pause, last read to first read", times(&pauses));
        let mut steps: Vec<_> = report.steps.iter().collect();
        steps.sort_by_key(|(_, samples)| samples.median());
        for (what, samples) in steps {
            _ = writeln!(text, "  {what:<32}{}", times(samples));
        }
        _ = writeln!(text, "{:<34}{}", "reboot, asked to answered", times(&wholes));
    }
    for (what, ours, theirs) in [
        ("turn that reads", &report.reads, &quiet.reads),
        ("turn that writes", &report.writes, &quiet.writes),
        ("new connection and its answer", &report.connects, &quiet.connects),
    ] {
        _ = writeln!(text, "{what:<34}{}", times(ours));
        _ = writeln!(text, "{:<34}{}", "  without reboots", times(theirs));
        _ = writeln!(text, "{:<34}{}", "  ratio", ratios(ours, theirs));
    }
    text
}

fn counts(text: &mut String, report: &Report) {
    let done = report
        .reboots
        .iter()
        .filter(|reboot| reboot.outcome == proto::daemon::Outcome::Done)
        .count();
    let (pid, accepted, memory) = report
        .status
        .as_ref()
        .map(|status| (status.pid, status.accepted, status.rss_bytes >> 20))
        .unwrap_or_default();
    let same = report.reboots.iter().all(|reboot| reboot.pid == pid);
    let carried = report.reboots.iter().map(|reboot| reboot.connections).max();
    for (what, figure) in [
        ("reboots done", done.to_string()),
        (
            "process id",
            format!(
                "{pid}, {}",
                if same {
                    "the same throughout"
                } else {
                    "NOT the same"
                }
            ),
        ),
        (
            "connections carried each time",
            carried.unwrap_or_default().to_string(),
        ),
        ("connections accepted", accepted.to_string()),
        ("reconnects, as the daemon counts", report.reconnected.to_string()),
        ("new connections served", report.connects.len().to_string()),
        ("turns that read", report.reads.len().to_string()),
        (
            "changes acknowledged, each found once",
            report.acknowledged.to_string(),
        ),
        (
            "artifact stored, artifact read",
            format!("{}, {}", report.up, report.down),
        ),
        (
            "files made, each told to each subscriber",
            report.made.to_string(),
        ),
        (
            "batches told anew, batches lost",
            format!("{}, {}", report.fresh, report.lost),
        ),
        ("memory in the end", format!("{memory} MiB")),
        ("faults", report.faults.len().to_string()),
    ] {
        _ = writeln!(text, "{what:<42}{figure}");
    }
    for fault in report.faults.iter().take(20) {
        _ = writeln!(text, "  FAULT: {fault}");
    }
}

fn of(report: &Report, what: impl Fn(&proto::daemon::Reboot) -> Duration) -> Samples {
    let mut samples = Samples::default();
    for reboot in &report.reboots {
        samples.push(what(reboot));
    }
    samples
}

fn heads() -> String {
    PARTS.iter().map(|(name, _)| format!("{name:>12}")).collect()
}

fn times(samples: &Samples) -> String {
    if samples.len() == 0 {
        return "none".to_owned();
    }
    PARTS
        .iter()
        .map(|(_, part)| format!("{:>12}", duration(samples.part(*part))))
        .collect()
}

fn ratios(ours: &Samples, theirs: &Samples) -> String {
    if ours.len() == 0 || theirs.len() == 0 {
        return "none".to_owned();
    }
    PARTS
        .iter()
        .map(|(_, part)| {
            let ratio = ours.part(*part).as_secs_f64() / theirs.part(*part).as_secs_f64();
            format!("{ratio:>12.2}")
        })
        .collect()
}
