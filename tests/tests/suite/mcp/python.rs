//! The official Python client drives every tool, resource, prompt and completion, where it is installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::daemon::program;
use tests::{ask, process, skip};

use super::bed;

/// What the client's releases of another major number would say is not known.
const HAS_IT: &str =
    "import importlib.metadata as m; assert m.version('mcp').startswith('2.'); from mcp import Client";

/// A Python that has the client: the one that is named, that of `.ci/run` or of `make conformance`, the machine's own.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("TOD_MCP_PYTHON").map(PathBuf::from);
    let kept = std::env::var_os("CONFORMANCE_DIR").map(|folder| Path::new(&folder).join("python/bin/python"));
    let all = named.into_iter().chain(kept).chain([PathBuf::from("python3")]);
    let has_it = |python: &PathBuf| {
        let mut command = Command::new(python);
        command
            .args(["-c", HAS_IT])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    all.into_iter().find(has_it)
}

#[test]
fn the_official_python_client_drives_all_that_there_is_in_both_eras() {
    let Some(python) = python() else {
        let how = "no Python with the package `mcp` 2 is at hand (`TOD_MCP_PYTHON` names one)";
        return skip::skip("mcp-python", how);
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/client.py");
    let all = [
        ("legacy", "core"),
        ("2026-07-28", "full"),
        ("2026-07-28", "compat"),
        ("legacy", "full"),
        ("legacy", "compat"),
        ("2026-07-28", "core"),
    ];
    for (mode, profile) in all.into_iter().take(ask::times(3, 6)) {
        let (bed, repo) = bed();
        let _daemon = bed.start();
        let mut command = bed.command(&python);
        command.arg(&script).arg(mode).arg(&repo).arg(program("to-mcp"));
        command.args(["--profile", profile]).current_dir(&repo);
        let said = process::run(&mut command);
        assert_eq!(said.code, 0, "{mode} {profile}: {said:?}");
        assert!(said.text().contains(" prompts"), "{said:?}");
    }
}
