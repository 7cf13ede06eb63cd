//! What the doctor found.

use std::io;

use proto::Error;
use proto::index::{Advice, Limits, Subtree, TreeWatches, Urgency, Watches};

use super::word;
use crate::out::{Form, Out};
use crate::quote::cell;
use crate::voice::Voice;

/// Of watches.
pub(super) fn watches(out: &mut Out, voice: &Voice, watches: &Watches) -> io::Result<()> {
    if out.form() == Form::Json {
        return out.json(watches);
    }
    let number = |number: Option<u64>| match number {
        Some(number) => number.to_string().into_bytes(),
        None => b"unknown".to_vec(),
    };
    let (limits, others) = (&watches.limits, &watches.others);
    let ours = [
        ("watches", number(Some(watches.used + watches.detection))),
        ("watch.max_watches", number(Some(watches.max_watches))),
        ("of other programs", number(Some(others.watches))),
    ];
    let systems = [
        ("fs.inotify.max_user_watches", number(limits.max_user_watches)),
        ("user.max_inotify_watches", number(limits.namespace_watches)),
        ("fs.inotify.max_user_instances", number(limits.max_user_instances)),
        ("fs.inotify.max_queued_events", number(limits.max_queued_events)),
        ("queue was full", number(Some(watches.overflows))),
    ];
    // A system that has no watches of this kind has no limits of them.
    let has_watches = *limits != Limits::default();
    let shown = ours
        .into_iter()
        .chain(systems.into_iter().filter(|_| has_watches));
    out.pairs(&shown.collect::<Vec<_>>())?;
    if others.is_partial {
        voice.warn("not all other programs were looked at: it took too long");
    } else if others.unreadable > 0 {
        voice.note(&format!(
            "{} other programs could not be looked at",
            others.unreadable
        ));
    }
    let rows: Vec<[Vec<u8>; 6]> = watches.trees.iter().map(|tree| of_tree(out, tree)).collect();
    under(
        out,
        ["WATCHES", "DIRS", "WITHOUT", "BACKEND", "ROOT", "WHY"],
        &rows,
    )?;
    let subtrees = watches
        .trees
        .iter()
        .flat_map(|tree| tree.largest.iter().map(move |of| (tree, of)));
    let rows: Vec<[Vec<u8>; 3]> = subtrees.map(|(tree, of)| of_subtree(out, tree, of)).collect();
    under(out, ["DIRS", "FILES", "DIRECTORY"], &rows)?;
    let rows: Vec<[Vec<u8>; 4]> = others
        .most
        .iter()
        .map(|holder| {
            [
                number(Some(holder.watches)),
                number(Some(holder.instances)),
                number(Some(holder.pid.into())),
                cell(&holder.name),
            ]
        })
        .collect();
    under(out, ["WATCHES", "DESCRIPTORS", "PID", "PROGRAM"], &rows)?;
    watches.advice.iter().try_for_each(|advice| told(out, advice))
}

/// A table with an empty line before it, for eyes.
fn under<const N: usize>(out: &mut Out, heads: [&str; N], rows: &[[Vec<u8>; N]]) -> io::Result<()> {
    if !rows.is_empty() && out.form() == Form::Terminal {
        out.line("")?;
    }
    out.table(heads, rows)
}

fn of_tree(out: &Out, tree: &TreeWatches) -> [Vec<u8>; 6] {
    [
        tree.watches.to_string().into_bytes(),
        tree.directories.to_string().into_bytes(),
        tree.unwatched.to_string().into_bytes(),
        cell(&tree.backend),
        out.name(&tree.root),
        cell(&tree.why),
    ]
}

fn of_subtree(out: &Out, tree: &TreeWatches, subtree: &Subtree) -> [Vec<u8>; 3] {
    let path = tree.root.as_path().join(subtree.path.as_path());
    [
        subtree.directories.to_string().into_bytes(),
        subtree.files.to_string().into_bytes(),
        out.name(&path.into()),
    ]
}

fn told(out: &mut Out, advice: &Advice) -> io::Result<()> {
    if out.form() == Form::Terminal {
        out.line("")?;
    }
    out.line(&format!(
        "{}: {}; {}",
        word(&advice.urgency),
        advice.what,
        advice.why
    ))?;
    advice
        .commands
        .iter()
        .try_for_each(|command| out.line(&format!("  {command}")))
}

/// Trouble is a failure of the command, so that a script can ask.
pub(crate) fn verdict(watches: &Watches) -> Result<(), Error> {
    let mut trouble = watches
        .advice
        .iter()
        .filter(|advice| advice.urgency == Urgency::Trouble);
    let Some(first) = trouble.next() else {
        return Ok(());
    };
    Err(Error::conflict("something is not watched as it should be")
        .why(&first.what)
        .next("see the advice; nothing was changed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::tests::written;
    use proto::index::{Holder, Limits, Others, TreeState};

    #[test]
    fn the_doctor_names_figures_reasons_and_commands_and_fails_with_trouble_alone() {
        let mut found = Watches {
            used: 7,
            detection: 1,
            remembered: 3,
            refreshed: 2,
            max_watches: 100,
            limits: Limits {
                max_user_watches: Some(1000),
                ..Limits::default()
            },
            overflows: 0,
            others: Others {
                watches: 5,
                instances: 1,
                unreadable: 0,
                is_partial: false,
                most: vec![Holder {
                    pid: 9,
                    name: "editor".into(),
                    instances: 1,
                    watches: 5,
                }],
            },
            trees: vec![TreeWatches {
                workspace: Some("ws_1".into()),
                root: "/p".into(),
                state: TreeState::Polling,
                backend: "inotify, polling".into(),
                why: "because".into(),
                directories: 9,
                watches: 7,
                unwatched: 2,
                largest: vec![Subtree {
                    path: "src".into(),
                    directories: 4,
                    files: 3,
                }],
            }],
            advice: vec![Advice {
                urgency: Urgency::Hint,
                what: "this".into(),
                why: "that".into(),
                commands: vec!["do it".into()],
            }],
        };
        let text = written(Form::Pipe, |out| watches(out, &Voice::silent(), &found));
        for line in [
            "watches\t8\n",
            "fs.inotify.max_user_watches\t1000\n",
            "fs.inotify.max_queued_events\tunknown\n",
            "7\t9\t2\tinotify, polling\t/p\tbecause\n",
            "4\t3\t/p/src\n",
            "5\t1\t9\teditor\n",
            "hint: this; that\n  do it\n",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
        assert_eq!(verdict(&found), Ok(()));
        found.advice[0].urgency = Urgency::Trouble;
        assert_eq!(verdict(&found).expect_err("trouble").kind.exit_code(), 5);
        let json = written(Form::Json, |out| watches(out, &Voice::silent(), &found));
        assert!(
            json.starts_with(
                r#"{"schema_version":1,"used":7,"detection":1,"remembered":3,"refreshed":2,"max_watches":100"#
            ),
            "{json}"
        );
    }
}
