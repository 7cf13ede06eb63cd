//! Times as the programs wrote them.
//!
//! `created_at` and `updated_at` are local, `completed_at` is UTC, and neither says so; 1.2.0 and 2.0 write a `T` between
//! date and time. A time that names its own offset is taken at its word.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// How a time without an offset is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// In the time zone of the machine.
    Local,
    /// In UTC.
    Utc,
}

/// A time in nanoseconds since 1970 UTC; none for what is no time of this age.
pub(super) fn read(text: &str, meant: Meant, zone: &TimeZone) -> Option<i64> {
    let text = text.trim();
    if text.len() > 64 {
        return None;
    }
    let zone = match meant {
        Meant::Local => zone.clone(),
        Meant::Utc => TimeZone::UTC,
    };
    let stamp = if let Ok(stamp) = text.parse::<Timestamp>() {
        stamp
    } else if let Ok(civil) = text.parse::<DateTime>() {
        civil.to_zoned(zone).as_ref().map(Zoned::timestamp).ok()?
    } else {
        // SQLite may have made a number of it: seconds since 1970.
        let seconds: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
        Timestamp::from_duration(jiff::SignedDuration::try_from_secs_f64(seconds).ok()?).ok()?
    };
    let nanoseconds = i64::try_from(stamp.as_nanosecond()).ok()?;
    // Before the program existed, or long after: a number that is none.
    (631_152_000_000_000_000..4_102_444_800_000_000_000)
        .contains(&nanoseconds)
        .then_some(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times_and_utc_times_are_told_apart() {
        let zone = TimeZone::fixed(jiff::tz::Offset::constant(-5));
        let seconds = |text: &str, meant| read(text, meant, &zone).map(|time| time / 1_000_000_000);
        let utc = 1_795_239_538;
        for text in [
            "2026-11-21T05:38:58.068843",
            "2026-11-21 05:38:58.068843",
            "2026-11-21 05:38:58",
        ] {
            assert_eq!(seconds(text, Meant::Utc), Some(utc), "{text}");
            assert_eq!(seconds(text, Meant::Local), Some(utc + 5 * 3600), "{text}");
        }
        for text in [
            "2026-11-21T05:38:58Z",
            "2026-11-21T05:38:58+00:00",
            "2026-11-21 06:38:58+01:00",
            "1795239538.5",
        ] {
            assert_eq!(seconds(text, Meant::Local), Some(utc), "{text}");
        }
        assert_eq!(
            read("2026-11-21 05:38:58.068843", Meant::Utc, &zone),
            Some(utc * 1_000_000_000 + 68_843_000)
        );
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "soon",
            "2026-13-01 00:00:00",
            "0",
            "1e300",
            "NaN",
            "0001-01-01T00:00:00",
            &"9".repeat(70),
        ] {
            assert_eq!(read(text, Meant::Utc, &TimeZone::UTC), None, "{text}");
        }
    }
}
