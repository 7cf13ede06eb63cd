//! How the daemon stands.

use std::io;

use proto::daemon::{Answer, Reboot, Status};
use proto::index::TreeStatus;
use serde::Serialize;

use super::{bytes, word};
use crate::out::{Form, Out};
use crate::quote::cell;
use crate::voice::Voice;

#[derive(Serialize)]
struct Reloaded<'a> {
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Stopping {
    pid: u32,
}

#[derive(Serialize)]
struct Reboots<'a> {
    under_way: Option<&'a str>,
    history: &'a [Reboot],
}

pub(super) fn answer(
    out: &mut Out,
    voice: &Voice,
    (answer, most): (&Answer, Option<usize>),
) -> io::Result<()> {
    match answer {
        Answer::Rebooted(reboot) if out.form() == Form::Json => out.json(reboot),
        Answer::Rebooted(reboot) => {
            let (pause, took) = (millis(reboot.pause_us), reboot.took_ms);
            voice.note(&format!(
                "version {} serves as process {}: {} connections were carried, {pause} without answers, {took} ms in all",
                reboot.to_version, reboot.pid, reboot.connections
            ));
            Ok(())
        }
        Answer::Rehearsed(rehearsed) if out.form() == Form::Json => out.json(rehearsed),
        Answer::Rehearsed(rehearsed) => {
            for sentence in &rehearsed.passed {
                out.line(sentence)?;
            }
            voice.note(&format!(
                "version {} can take over ({} ms)",
                rehearsed.version, rehearsed.took_ms
            ));
            Ok(())
        }
        Answer::Reboots { under_way, history } => {
            let none_yet = if history.is_empty() { ", and none was" } else { "" };
            let history = &history[..history.len().min(most.unwrap_or(usize::MAX))];
            let under_way = under_way.as_deref();
            if out.form() == Form::Json {
                return out.json(&Reboots { under_way, history });
            }
            voice.note(&match under_way {
                Some(doing) => format!("a reboot is under way: it is {doing}"),
                None => format!("no reboot is under way{none_yet}"),
            });
            let rows: Vec<[Vec<u8>; 6]> = history.iter().map(past).collect();
            out.table_of(
                (["OUTCOME", "FROM", "TO", "PAUSE", "CONNECTIONS", "WHY"], &["WHY"]),
                &rows,
            )
        }
        Answer::Status(status) if out.form() == Form::Json => out.json(status),
        Answer::Status(status) => show(out, voice, status),
        Answer::Reloaded { warnings } if out.form() == Form::Json => out.json(&Reloaded { warnings }),
        Answer::Reloaded { warnings } => {
            warnings.iter().for_each(|warning| voice.warn(warning));
            voice.note("the configuration was read again");
            Ok(())
        }
        Answer::Stopping { pid } if out.form() == Form::Json => out.json(&Stopping { pid: *pid }),
        Answer::Stopping { pid } => {
            voice.note(&format!("the daemon ({pid}) is stopping"));
            Ok(())
        }
    }
}

fn past(reboot: &Reboot) -> [Vec<u8>; 6] {
    [
        cell(&word(&reboot.outcome)),
        cell(&reboot.from_version),
        cell(&reboot.to_version),
        cell(&millis(reboot.pause_us)),
        cell(&reboot.connections.to_string()),
        cell(
            reboot
                .why
                .as_deref()
                .or(reboot.reason.as_deref())
                .unwrap_or_default(),
        ),
    ]
}

fn millis(micros: u64) -> String {
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}

fn show(out: &mut Out, voice: &Voice, status: &Status) -> io::Result<()> {
    let number = |number: u64| number.to_string().into_bytes();
    let watches = &status.watches;
    let mut pairs = vec![
        ("pid", number(status.pid.into())),
        ("version", cell(&status.version)),
        ("generation", number(status.generation.into())),
        ("protocol", number(status.protocol.into())),
        ("schema", number(status.schema.into())),
        ("uptime", uptime(out, status.uptime_s)),
        ("socket", out.name(&status.socket)),
        ("state", out.name(&status.state_dir)),
        ("memory", bytes(out, status.rss_bytes)),
        ("connections", number(status.connections.into())),
        ("accepted", number(status.accepted)),
        ("reconnected", number(status.reconnected)),
        ("requests", number(status.requests.into())),
        (
            "watches",
            cell(&format!(
                "{} of {} ({})",
                watches.used, watches.limit, watches.backend
            )),
        ),
        ("database", bytes(out, status.database.bytes)),
    ];
    if !status.database.writable {
        pairs.push(("writes", b"refused".to_vec()));
    }
    out.pairs(&pairs)?;
    let note = status.database.note.iter();
    note.chain(&status.warnings)
        .for_each(|warning| voice.warn(warning));
    let trees = status.workspaces.iter().flat_map(|workspace| {
        let id = &workspace.id;
        workspace.trees.iter().map(move |tree| (id, tree))
    });
    let rows: Vec<[Vec<u8>; 6]> = trees.map(|(id, tree)| row(out, id, tree)).collect();
    if !rows.is_empty() && out.form() == Form::Terminal {
        out.line("")?;
    }
    out.table(["WORKSPACE", "STATE", "FILES", "DIRS", "CLOCK", "ROOT"], &rows)
}

fn row(out: &Out, id: &str, tree: &TreeStatus) -> [Vec<u8>; 6] {
    let mut state = word(&tree.state);
    if let Some(reason) = &tree.reason {
        state = format!("{state} ({reason})");
    }
    [
        cell(id),
        cell(&state),
        tree.files.to_string().into_bytes(),
        tree.dirs.to_string().into_bytes(),
        cell(&tree.clock),
        out.name(&tree.root),
    ]
}

fn uptime(out: &Out, seconds: u64) -> Vec<u8> {
    if out.form() != Form::Terminal {
        return seconds.to_string().into_bytes();
    }
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let text = match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    };
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::tests::written;
    use proto::daemon::{Database, Watches, Workspace};
    use proto::index::TreeState;

    #[test]
    fn the_fields_of_the_status_have_their_names() {
        let status = Status {
            pid: 7,
            version: "0.1.0".into(),
            generation: 0,
            protocol: 1,
            schema: 2,
            uptime_s: 3,
            socket: "/s".into(),
            state_dir: "/d".into(),
            rss_bytes: 9,
            connections: 1,
            accepted: 4,
            reconnected: 0,
            requests: 1,
            watches: Watches {
                used: 1,
                limit: 2,
                backend: "inotify".into(),
            },
            database: Database {
                bytes: 5,
                writable: true,
                note: None,
            },
            workspaces: vec![Workspace {
                id: "ws_1".into(),
                root: "/p".into(),
                trees: vec![TreeStatus {
                    root: "/p".into(),
                    state: TreeState::Watching,
                    reason: None,
                    files: 4,
                    dirs: 2,
                    watches: 2,
                    clock: "c:1:1:1".into(),
                }],
            }],
            warnings: Vec::new(),
        };
        let answered = Answer::Status(Box::new(status));
        let json = written(Form::Json, |out| answer(out, &Voice::silent(), (&answered, None)));
        for part in [
            r#"{"schema_version":1,"pid":7,"version":"0.1.0","generation":0,"protocol":1"#,
            r#""uptime_s":3,"socket":"/s","state_dir":"/d","rss_bytes":9"#,
            r#""watches":{"used":1,"limit":2,"backend":"inotify"}"#,
            r#""workspaces":[{"id":"ws_1","root":"/p","trees":[{"root":"/p","state":"watching","#,
            r#""files":4,"dirs":2"#,
        ] {
            assert!(json.contains(part), "{part} is not in {json}");
        }
        let text = written(Form::Pipe, |out| answer(out, &Voice::silent(), (&answered, None)));
        assert!(text.ends_with("ws_1\twatching\t4\t2\tc:1:1:1\t/p\n"), "{text}");
    }
}
