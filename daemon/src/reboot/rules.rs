//! What a rehearsal must have shown, and how a failed reboot is told. Pure.

use proto::daemon::{Outcome, Reboot, Rehearsed};
use proto::{Error, RawPath, error::Result};

/// The first line of a report: nothing but a `tod` that knows rehearsals prints it.
pub(super) const FIRST: &str = "tod rehearsal 1";

/// The last line of a report.
pub(super) const LAST: &str = "done";

/// The running daemon, as far as a successor is measured against it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// The schema of the database.
    pub(super) schema: u32,
    /// The protocol that connections speak.
    pub(super) protocol: u16,
}

/// A report as text: one word and its value a line, between [`FIRST`] and [`LAST`].
pub(super) fn report(version: &str, schema: u32, protocols: (u16, u16), passed: &[String]) -> String {
    let mut text = format!(
        "{FIRST}\nversion {version}\nschema {schema}\nprotocol {} {}\n",
        protocols.0, protocols.1
    );
    for sentence in passed {
        text.push_str(&format!("passed {sentence}\n"));
    }
    text.push_str(LAST);
    text.push('\n');
    text
}

/// Judges what a binary has printed.
///
/// # Errors
/// `refused` with what is missing.
pub(super) fn judge(binary: &RawPath, printed: &str, now: Now) -> Result<Rehearsed> {
    let refuse = |why: String| {
        Error::refused(format!("`{}` cannot take over", binary.display()))
            .why(why)
            .next("nothing has changed; name another binary with `--binary`")
    };
    let mut lines = printed.lines();
    if lines.next() != Some(FIRST) {
        return Err(refuse("it does not know how to rehearse".to_owned()));
    }
    let (mut version, mut schema, mut protocols) = (None, None, None);
    let (mut passed, mut done) = (Vec::new(), false);
    for line in lines {
        match line.split_once(' ') {
            Some(("version", value)) => version = Some(value.to_owned()),
            Some(("schema", value)) => schema = value.parse::<u32>().ok(),
            Some(("protocol", value)) => protocols = range(value),
            Some(("passed", value)) => passed.push(value.to_owned()),
            _ => done |= line == LAST,
        }
    }
    let (Some(version), Some(schema), Some((lowest, highest)), true) = (version, schema, protocols, done)
    else {
        return Err(refuse("its rehearsal was cut short".to_owned()));
    };
    if schema < now.schema {
        let why = format!(
            "it knows the database's schema up to {schema}, and the database has {}",
            now.schema
        );
        return Err(refuse(why));
    }
    if !(lowest..=highest).contains(&now.protocol) {
        let why = format!(
            "it speaks protocols {lowest} to {highest}, and clients are connected with {}",
            now.protocol
        );
        return Err(refuse(why));
    }
    Ok(Rehearsed {
        binary: binary.clone(),
        version,
        schema,
        schema_now: now.schema,
        passed,
        took_ms: 0,
    })
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (lowest, highest) = text.split_once(' ')?;
    Some((lowest.parse().ok()?, highest.parse().ok()?))
}

/// The error for whoever asked for a reboot that did not come about.
pub(super) fn refusal(reboot: &Reboot) -> Error {
    let what = match reboot.outcome {
        Outcome::Guarded => "the new image was ended and the one before started again",
        Outcome::RolledBack => "the new image gave back to the one before",
        Outcome::Refused | Outcome::Done => "the reboot was refused",
    };
    let error = Error::refused(what).next("nothing is lost; see `tocli daemon logs`");
    match &reboot.why {
        Some(why) => error.why(why),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now {
        schema: 2,
        protocol: 1,
    };

    fn judged(text: &str) -> Result<Rehearsed> {
        judge(&"/bin/tod".into(), text, NOW)
    }

    #[test]
    fn a_whole_report_is_believed() {
        let text = report("0.2.0", 3, (1, 2), &["the state was read".to_owned()]);
        let rehearsed = judged(&text).expect("believed");
        assert_eq!(
            (rehearsed.version.as_str(), rehearsed.schema, rehearsed.schema_now),
            ("0.2.0", 3, 2)
        );
        assert_eq!(rehearsed.passed, ["the state was read"]);
    }

    #[test]
    fn every_cut_of_a_report_is_refused() {
        let text = report("0.2.0", 3, (1, 2), &["the state was read".to_owned()]);
        for end in 0..text.len() - 1 {
            assert!(judged(&text[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn an_older_schema_and_a_protocol_that_clients_do_not_speak_are_refused() {
        assert!(judged(&report("0.0.9", 1, (1, 1), &[])).is_err());
        assert!(judged(&report("0.9.0", 2, (2, 3), &[])).is_err());
        assert!(judged(&report("0.9.0", 2, (1, 3), &[])).is_ok());
    }

    #[test]
    fn rubbish_is_refused_as_a_report() {
        for text in ["", "\n\n", "hello", "usage: tod", "tod rehearsal 2\ndone\n"] {
            assert!(judged(text).is_err(), "{text:?}");
        }
    }
}
