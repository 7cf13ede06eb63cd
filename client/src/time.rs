//! Times and durations as people write them.
//!
//! Asked by the words of `changes` and `watch`, and by the tool of changes. What must stay true: a text that can be read in two ways is refused, and
//! so is a time to come.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, Timestamp, Unit, Zoned};
use proto::index::Since;

/// A clock, a time ago or a time.
///
/// # Errors
/// A sentence about what it is not.
pub fn since(text: &str) -> Result<Since, String> {
    since_at(text, &Zoned::now())
}

/// A length of time.
///
/// # Errors
/// A sentence about what it is not.
pub fn duration(text: &str) -> Result<Duration, String> {
    let span = span(text).ok_or_else(|| "it is not a length of time, as `30s` or `5m` is".to_owned())?;
    let seconds = span.total((Unit::Second, jiff::SpanRelativeTo::days_are_24_hours()));
    // Months and years have no length of their own.
    let seconds =
        seconds.map_err(|_| "give it in weeks, days or smaller units, as `365d` or `12h`".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "it must be longer than nothing".to_owned())
}

fn since_at(text: &str, now: &Zoned) -> Result<Since, String> {
    let text = text.trim();
    if text.starts_with("c:") {
        return Ok(Since::Clock(text.to_owned()));
    }
    let time = time(text, now)?;
    if time > now.timestamp() {
        return Err("it is still to come".to_owned());
    }
    i64::try_from(time.as_nanosecond())
        .map(Since::Time)
        .map_err(|_| "it is too long ago".to_owned())
}

fn time(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let zone = now.time_zone();
    let local = |time: DateTime| {
        let time = time.to_zoned(zone.clone()).map_err(|error| error.to_string())?;
        Ok(time.timestamp())
    };
    match text {
        "now" => return Ok(now.timestamp()),
        "today" => return local(now.date().to_datetime(Time::midnight())),
        "yesterday" => {
            let date = now.date().yesterday().map_err(|error| error.to_string())?;
            return local(date.to_datetime(Time::midnight()));
        }
        _ => {}
    }
    // `3 days ago` is less than nothing and meant so; a sign is a slip of the pen.
    if text.starts_with('-') {
        return Err("a time ago has no sign: `5s` is five seconds ago".to_owned());
    }
    if let Some(span) = span(text) {
        let then = now
            .checked_sub(span.abs())
            .map_err(|_| "it is too long ago".to_owned())?;
        return Ok(then.timestamp());
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    // A date alone is read as a time by none of these, nor a time as a date; but of a date with a time, a time takes
    // what it is, and leaves out the day.
    if text.contains(':')
        && !text.contains('-')
        && let Ok(time) = text.parse::<Time>()
    {
        return local(now.date().to_datetime(time));
    }
    if let Ok(date) = text.parse::<Date>()
        && text.len() <= "2026-11-21".len()
    {
        return local(date.to_datetime(Time::midnight()));
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return local(time);
    }
    Err(
        "it is neither a clock (`c:…`), nor a time ago (`10m`, `2h 30m`), nor a time \
         (`2026-11-21T08:00`, `2026-11-21T08:00:00Z`, `08:00`, `today`)"
            .to_owned(),
    )
}

/// `10m`, `2h 30m`, `3 days ago`, `PT5M`.
fn span(text: &str) -> Option<Span> {
    text.parse::<Span>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::{Offset, TimeZone};

    fn read(text: &str) -> Result<String, String> {
        let zone = TimeZone::fixed(Offset::constant(2));
        let now = jiff::civil::date(2026, 11, 21)
            .at(12, 30, 0, 0)
            .to_zoned(zone)
            .expect("a time");
        match since_at(text, &now)? {
            Since::Clock(clock) => Ok(clock),
            Since::Time(time) => {
                let time = Timestamp::from_nanosecond(time.into()).expect("a time");
                Ok(time.to_string())
            }
        }
    }

    #[test]
    fn clocks_durations_and_times_are_told_apart() {
        let table = [
            ("c:7:8:9", "c:7:8:9"),
            ("10m", "2026-11-21T10:20:00Z"),
            ("2h 30m", "2026-11-21T08:00:00Z"),
            ("1d", "2026-11-20T10:30:00Z"),
            ("3 days ago", "2026-11-18T10:30:00Z"),
            ("2026-11-21T08:00:00Z", "2026-11-21T08:00:00Z"),
            ("2026-11-21T08:00:00+02:00", "2026-11-21T06:00:00Z"),
            ("2026-11-21T08:00", "2026-11-21T06:00:00Z"),
            ("2026-11-21 08:00:01", "2026-11-21T06:00:01Z"),
            ("2026-11-19T08:00", "2026-11-19T06:00:00Z"),
            ("2026-11-19 13:00:01", "2026-11-19T11:00:01Z"),
            ("2026-11-21", "2026-11-20T22:00:00Z"),
            ("08:15", "2026-11-21T06:15:00Z"),
            ("today", "2026-11-20T22:00:00Z"),
            ("yesterday", "2026-11-19T22:00:00Z"),
            ("now", "2026-11-21T10:30:00Z"),
        ];
        for (text, time) in table {
            assert_eq!(read(text).as_deref(), Ok(time), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_or_a_time_to_come_is_refused() {
        for text in [
            "",
            "10",
            "soon",
            "13:00",
            "2027-01-01",
            "2027-01-01T08:00",
            "2027-01-01 08:00",
            "10 parsecs",
            "2026-13-01",
        ] {
            assert!(read(text).is_err(), "{text}: {:?}", read(text));
        }
    }

    #[test]
    fn a_length_of_time_is_longer_than_nothing() {
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for text in ["0s", "-5s", "5", "5 minutes ago", "c:1:2:3"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
