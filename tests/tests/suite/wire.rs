//! The bytes of every message. A released message never changes: postcard is positional, so a moved variant or a new
//! field would silently be read as something else by another version.
//!
//! The recorded bytes are in `wire/protocol-1.txt`, one line for each sample. `samples` has one of every variant of every
//! enum on the wire: [`variants`] makes a new variant fail to compile here until it is named, and a named one without a
//! sample fails below.
//!
//! Recording again is right for a new message, and wrong for a released one: `TOD_WIRE=record cargo test -p tests wire`,
//! then look at what git says has changed. Lines may only be added.

mod samples;
mod variants;

use std::collections::BTreeSet;
use std::path::PathBuf;

use proto::frame;
use proto::hello::{Control, Hello, Verdict, Welcome};

use samples::{Message, Sample, samples};

/// The file of recorded bytes, relative to the repository.
const RECORD: &str = "tests/tests/suite/wire/protocol-1.txt";

/// What a recorded line looks like: `name hex`.
fn lines(samples: &[Sample]) -> Vec<String> {
    samples
        .iter()
        .map(|sample| format!("{} {}", sample.name, hex(&sample.message.bytes())))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("two hexadecimal digits");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn record() -> PathBuf {
    super::tidy::root().join(RECORD)
}

/// What differs between the recorded lines and those of this build.
fn differences(recorded: &str, built: &[String]) -> Vec<String> {
    let recorded: Vec<&str> = recorded.lines().collect();
    let mut found = Vec::new();
    for line in &recorded {
        if !built.iter().any(|built| built == line) {
            found.push(format!("recorded, and no longer what this build writes: {line}"));
        }
    }
    for line in built {
        if !recorded.contains(&line.as_str()) {
            found.push(format!("written by this build, and not recorded: {line}"));
        }
    }
    found
}

#[test]
fn the_bytes_of_every_message_are_as_recorded() {
    let built = lines(&samples());
    if std::env::var("TOD_WIRE").is_ok_and(|word| word == "record") {
        std::fs::write(record(), format!("{}\n", built.join("\n"))).expect("the record can be written");
        eprintln!(
            "recorded {} messages in {RECORD}: a line that git shows as changed is a broken protocol",
            built.len()
        );
    }
    let recorded = std::fs::read_to_string(record()).expect("the record is there");
    let found = differences(&recorded, &built);
    assert!(
        found.is_empty(),
        "\n{}\n\nA message that was released must not change: add a variant at the end instead.\n\
         A new message is recorded with `TOD_WIRE=record cargo test -p tests wire`.\n",
        found.join("\n")
    );
}

#[test]
fn every_recorded_message_can_still_be_read() {
    let recorded = std::fs::read_to_string(record()).expect("the record is there");
    for sample in samples() {
        let start = format!("{} ", sample.name);
        let line = recorded.lines().find_map(|line| line.strip_prefix(&start));
        let line = line.unwrap_or_else(|| panic!("`{}` is not recorded", sample.name));
        sample.message.assert_reads(&unhex(line), &sample.name);
    }
}

#[test]
fn every_variant_on_the_wire_has_a_sample() {
    let mut seen = BTreeSet::new();
    for sample in samples() {
        variants::of_message(&sample.message, &mut seen);
    }
    let missing: Vec<String> = variants::all()
        .into_iter()
        .filter(|name| !seen.contains(name))
        .collect();
    assert!(missing.is_empty(), "without a sample: {}", missing.join(", "));
}

#[test]
fn a_changed_or_missing_line_is_noticed() {
    let built = lines(&samples());
    let whole = built.join("\n");
    assert!(differences(&whole, &built).is_empty());
    assert_eq!(
        differences(&whole[..whole.rfind('\n').expect("many lines")], &built).len(),
        1
    );
    assert_eq!(differences(&whole.replacen("01", "02", 1), &built).len(), 2);
}

#[test]
fn the_names_of_the_samples_are_different() {
    let all = samples();
    let names: BTreeSet<&str> = all.iter().map(|sample| sample.name.as_str()).collect();
    assert_eq!(names.len(), all.len());
}

#[test]
fn the_bytes_of_the_headers_never_change() {
    let hello = Hello {
        lowest: 1,
        highest: 0x0302,
        control: Control::Stop,
        first: 0x0d0e,
        pid: 0x0807_0605,
        client: 0x0c0b_0a09,
        version: "1.2.3".into(),
    };
    let mut bytes = [0_u8; 64];
    bytes[..8].copy_from_slice(b"\x89TOD\r\n\x1a\n");
    bytes[8..24].copy_from_slice(&[1, 0, 2, 3, 1, 0, 14, 13, 5, 6, 7, 8, 9, 10, 11, 12]);
    bytes[28..33].copy_from_slice(b"1.2.3");
    assert_eq!(hello.to_bytes(), bytes);

    let welcome = Welcome {
        lowest: 1,
        highest: 2,
        verdict: Verdict::ClientTooNew,
        chosen: 2,
        pid: 0x0403_0201,
        generation: 5,
        schema: 6,
        version: "1.2.3".into(),
    };
    bytes[8..28].copy_from_slice(&[1, 0, 2, 0, 2, 0, 2, 0, 1, 2, 3, 4, 5, 0, 0, 0, 6, 0, 0, 0]);
    assert_eq!(welcome.to_bytes(), bytes);
}

#[test]
fn the_numbers_of_control_words_and_verdicts_never_change() {
    let control = |control| {
        Hello {
            control,
            ..Hello::of_this_build(Control::Talk)
        }
        .to_bytes()[12]
    };
    assert_eq!(
        [Control::Talk, Control::Stop, Control::Reboot, Control::Other(9)].map(control),
        [0, 1, 2, 9]
    );
    let verdict = |verdict| {
        let welcome = Welcome {
            lowest: 1,
            highest: 1,
            verdict,
            chosen: 0,
            pid: 0,
            generation: 0,
            schema: 0,
            version: String::new(),
        };
        welcome.to_bytes()[12]
    };
    let words = [
        Verdict::Accepted,
        Verdict::ClientTooOld,
        Verdict::ClientTooNew,
        Verdict::WrongUser,
        Verdict::Stopping,
        Verdict::Busy,
        Verdict::NotAHello,
        Verdict::Obeyed,
        Verdict::CannotObey,
        Verdict::Other(99),
    ];
    assert_eq!(words.map(verdict), [0, 1, 2, 3, 4, 5, 6, 7, 8, 99]);
}

#[test]
fn a_frame_is_its_length_and_its_payload() {
    let Message::Client(message) = &samples()[0].message else {
        panic!("the first sample is a client's")
    };
    let framed = frame::encode(message).expect("encodes");
    let payload = samples()[0].message.bytes();
    assert_eq!(
        framed[..4],
        u32::try_from(payload.len()).expect("short").to_le_bytes()
    );
    assert_eq!(framed[4..], payload);
}
