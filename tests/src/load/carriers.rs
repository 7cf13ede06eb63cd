//! Clients that carry a large artifact up and down all the time, as programs: each piece must arrive, through every
//! reboot, and the bytes be the same at the other end.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Stage;
use crate::chance::Chance;
use crate::daemon::Bed;

/// What the artifact and the file with it are called.
const NAME: &str = "large.bin";

/// Lets an artifact be that large, and makes the file and the task that it is a result of.
pub(super) fn prepare(bed: &Bed, root: &Path, megabytes: usize) -> String {
    let mut chance = Chance::new(5);
    let mut bytes = Vec::with_capacity(megabytes << 20);
    while bytes.len() < megabytes << 20 {
        bytes.extend_from_slice(&chance.number().to_le_bytes());
    }
    std::fs::write(bed.path().join(NAME), bytes).expect("a large file");
    let limit = (megabytes + 1).max(100).to_string();
    said(
        bed.tocli([
            "config",
            "set",
            "--user",
            "workspace.max_artifact_size_mb",
            &limit,
        ]),
        root,
    )
    .expect("an artifact may be large");
    let made = said(bed.tocli(["task", "add", "carry", "--json"]), root).expect("a task");
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    made["task_id"]
        .as_str()
        .or(made["task"]["task_id"].as_str())
        .expect("an id")
        .to_owned()
}

/// Stores the file again and again.
pub(super) fn up(stage: &Stage<'_>, task: &str) {
    let file = stage.bed.path().join(NAME);
    while !stage.is_over() {
        let mut command = stage.bed.tocli(["artifact", "store", task]);
        command.arg(&file).arg("--json");
        match said(command, &stage.root) {
            Ok(_) => stage.note(|report| report.up += 1),
            Err(why) => return stage.fault(format!("an artifact was not stored: {why}")),
        }
    }
}

/// Reads it again and again, once it is there.
pub(super) fn down(stage: &Stage<'_>) {
    let expected = std::fs::read(stage.bed.path().join(NAME)).expect("the large file");
    let id = loop {
        if stage.is_over() {
            return;
        }
        let listed = said(stage.bed.tocli(["artifact", "list", "--json"]), &stage.root)
            .ok()
            .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        let id = listed.and_then(|listed| Some(listed["artifacts"][0]["artifact_id"].as_str()?.to_owned()));
        match id {
            Some(id) => break id,
            None => stage.think(std::time::Duration::from_millis(100)),
        }
    };
    while !stage.is_over() {
        let mut command = stage.bed.tocli(["artifact", "get", &id]);
        command
            .current_dir(&stage.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let Ok(mut child) = command.spawn() else {
            return stage.fault("`tocli artifact get` does not start".to_owned());
        };
        let mut bytes = Vec::with_capacity(expected.len());
        let read = child.stdout.take().map(|mut out| out.read_to_end(&mut bytes));
        let ended = child.wait();
        if !matches!((&read, &ended), (Some(Ok(_)), Ok(status)) if status.success()) || bytes != expected {
            return stage.fault(format!(
                "an artifact came back as {} bytes and not {} ({read:?}, {ended:?})",
                bytes.len(),
                expected.len()
            ));
        }
        stage.note(|report| report.down += 1);
    }
}

/// Runs a program to its end; what it said, or why it failed.
fn said(mut command: Command, root: &Path) -> Result<String, String> {
    let output = command
        .current_dir(root)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!(
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}
