//! Files, clocks and changes.

use std::io;

use proto::RawPath;
use proto::index::{Answer, Batch, Change, ChangeKind};
use serde::Serialize;

use super::{bytes, time, word};
use crate::out::{Form, Out};
use crate::voice::Voice;

/// Between names in a list of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Separator {
    /// A line each, quoted where that is needed.
    #[default]
    Line,
    /// A NUL byte after each, as they are.
    Nul,
}

/// A part of a list of files.
pub(crate) fn files(out: &mut Out, files: &[RawPath], separator: Separator) -> io::Result<()> {
    for file in files {
        match separator {
            Separator::Line => {
                let name = out.name(file);
                out.cell_line(&name)?;
            }
            Separator::Nul => {
                out.raw(file.as_bytes())?;
                out.raw(b"\0")?;
            }
        }
    }
    Ok(())
}

/// A part of a list of changes, for people and pipes.
pub(crate) fn changes(out: &mut Out, changes: &[Change]) -> io::Result<()> {
    for change in changes {
        let mut line = if out.form() == Form::Terminal {
            format!("{:<8}  ", word(&change.kind)).into_bytes()
        } else {
            format!("{}\t", word(&change.kind)).into_bytes()
        };
        match (&change.from, out.form()) {
            (Some(from), Form::Terminal) => {
                line.extend(out.name(from));
                line.extend(b" -> ");
                line.extend(out.name(&change.path));
            }
            (from, _) => {
                line.extend(out.name(&change.path));
                if let Some(from) = from {
                    line.push(b'\t');
                    line.extend(out.name(from));
                }
            }
        }
        if out.form() == Form::Terminal && change.kind != ChangeKind::Deleted {
            line.extend(b"  ");
            line.extend(change.size.map(|size| bytes(out, size)).unwrap_or_default());
            line.extend(b"  ");
            line.extend(change.mtime.map(|mtime| time(out, mtime)).unwrap_or_default());
        }
        if out.form() == Form::Terminal && change.while_away {
            line.extend(b"  (while away)");
        }
        out.cell_line(&line)?;
    }
    Ok(())
}

/// A batch of a subscription.
pub(crate) fn batch(out: &mut Out, voice: &Voice, batch: &Batch) -> io::Result<()> {
    if out.form() == Form::Json {
        return out.json_line(batch);
    }
    if batch.fresh_instance {
        voice.warn("the index was built anew: what follows may not be all that happened");
    }
    changes(out, &batch.changes)?;
    if let Some(clock) = &batch.lost_since {
        voice.warn(&format!(
            "some changes were not shown: see `tocli changes --since {clock}`"
        ));
    }
    Ok(())
}

#[derive(Serialize)]
struct Files<'a> {
    root: &'a RawPath,
    clock: &'a str,
    unsynced: bool,
    unverified: bool,
    files: &'a [RawPath],
}

#[derive(Serialize)]
struct Page<'a> {
    root: &'a RawPath,
    clock: &'a str,
    unsynced: bool,
    unverified: bool,
    left: u64,
    files: &'a [RawPath],
}

#[derive(Serialize)]
struct Clock<'a> {
    root: &'a RawPath,
    clock: &'a str,
    unsynced: bool,
    unverified: bool,
}

#[derive(Serialize)]
struct Changes<'a> {
    root: &'a RawPath,
    clock: &'a str,
    fresh_instance: bool,
    fresh_why: Option<&'a str>,
    unsynced: bool,
    unverified: bool,
    changes: &'a [Change],
}

/// An answer without the parts before it, which have been shown.
pub(super) fn answer(out: &mut Out, voice: &Voice, answer: &Answer) -> io::Result<()> {
    whole(out, voice, answer, (&[], &[]))
}

/// An answer with the parts that were kept for it: for JSON, all of them.
pub(crate) fn whole(
    out: &mut Out,
    voice: &Voice,
    answer: &Answer,
    (files, changes): (&[RawPath], &[Change]),
) -> io::Result<()> {
    if let Answer::Watches(watches) = answer {
        return super::doctor::watches(out, voice, watches);
    }
    let (unsynced, unverified) = match answer {
        Answer::Files {
            unsynced, unverified, ..
        }
        | Answer::Clock {
            unsynced, unverified, ..
        }
        | Answer::Changes {
            unsynced, unverified, ..
        }
        | Answer::FilesPage {
            unsynced, unverified, ..
        } => (*unsynced, *unverified),
        Answer::Watches(_) => (false, false),
    };
    if unverified {
        voice.warn(
            "this may not be what is on the disk: not all of it has been compared, or git gives no answer (`tocli daemon status` says why)",
        );
    } else if unsynced {
        voice.warn("the file system did not confirm in time that all earlier changes have been seen");
    }
    match answer {
        Answer::Files { root, clock, .. } if out.form() == Form::Json => out.json(&Files {
            root,
            clock,
            unsynced,
            unverified,
            files,
        }),
        Answer::Clock { root, clock, .. } if out.form() == Form::Json => out.json(&Clock {
            root,
            clock,
            unsynced,
            unverified,
        }),
        Answer::Changes {
            root,
            clock,
            fresh_instance,
            fresh_why,
            ..
        } if out.form() == Form::Json => out.json(&Changes {
            root,
            clock,
            fresh_instance: *fresh_instance,
            fresh_why: fresh_why.as_deref(),
            unsynced,
            unverified,
            changes,
        }),
        Answer::FilesPage {
            root, clock, left, ..
        } if out.form() == Form::Json => out.json(&Page {
            root,
            clock,
            unsynced,
            unverified,
            left: *left,
            files,
        }),
        Answer::FilesPage { left, .. } if *left > 0 => {
            voice.note(&format!("{left} more: give the last of these to `--after`"));
            Ok(())
        }
        Answer::Files { .. } | Answer::FilesPage { .. } | Answer::Watches(_) => Ok(()),
        Answer::Clock { clock, .. } => out.line(clock),
        Answer::Changes {
            clock,
            fresh_instance,
            fresh_why,
            ..
        } => {
            if *fresh_instance {
                let why = fresh_why.as_deref().unwrap_or("what changed since is not known");
                voice.warn(&format!("{why}: these are all files there are"));
            }
            voice.note(&format!("clock {clock}"));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::tests::written;

    fn renamed() -> Change {
        Change {
            path: "b".into(),
            kind: ChangeKind::Renamed,
            from: Some("a".into()),
            size: Some(3),
            mtime: Some(1_000_000_000),
            while_away: false,
        }
    }

    #[test]
    fn the_fields_of_changes_have_their_names() {
        let last = Answer::Changes {
            root: "/p".into(),
            clock: "c:1:2:3".into(),
            fresh_instance: false,
            fresh_why: None,
            unsynced: true,
            unverified: false,
        };
        let json = written(Form::Json, |out| {
            whole(out, &Voice::silent(), &last, (&[], &[renamed()]))
        });
        let expected = concat!(
            r#"{"schema_version":1,"root":"/p","clock":"c:1:2:3","fresh_instance":false,"fresh_why":null,"#,
            r#""unsynced":true,"unverified":false,"changes":[{"path":"b","kind":"renamed","from":"a","size":3,"mtime":1000000000,"while_away":false}]}"#,
            "\n"
        );
        assert_eq!(json, expected);
    }

    #[test]
    fn a_rename_is_one_line_with_both_names() {
        let pipe = written(Form::Pipe, |out| changes(out, &[renamed()]));
        assert_eq!(pipe, "renamed\tb\ta\n");
        let eyes = written(Form::Terminal, |out| changes(out, &[renamed()]));
        assert!(eyes.starts_with("renamed   a -> b  3"), "{eyes}");
    }

    #[test]
    fn files_are_a_line_each_or_end_with_nul() {
        let names = [RawPath::from("a"), RawPath::from("b\nc")];
        let lines = written(Form::Pipe, |out| files(out, &names, Separator::Line));
        assert_eq!(lines, "a\n\"b\\nc\"\n");
        let raw = written(Form::Pipe, |out| files(out, &names, Separator::Nul));
        assert_eq!(raw, "a\0b\nc\0");
    }

    #[test]
    fn a_batch_is_one_object_on_one_line() {
        let value = Batch {
            clock: "c:1:2:4".into(),
            changes: vec![renamed()],
            lost_since: None,
            fresh_instance: false,
        };
        let json = written(Form::Json, |out| batch(out, &Voice::silent(), &value));
        assert!(
            json.starts_with(r#"{"schema_version":1,"clock":"c:1:2:4","changes":[{"#),
            "{json}"
        );
        assert_eq!(json.lines().count(), 1);
    }
}
