//! The units under a real `systemd --user`: the socket starts the daemon, readiness and watchdog are spoken, a killed
//! daemon is there again, and a client notices nothing of all that.
//!
//! Needs root, systemd and `systemd-user.sh`, which runs a user manager in namespaces of its own (`TOD_TOOLS` names its
//! folder; else `../shared/tools` beside the repository). Without them the test skips and says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::daemon::{Bed, program};
use tests::skip::{skip, tool};

/// Runs inside, as the only client of the manager. `$1` is the folder of the programs.
const INSIDE: &str = r#"
set -euo pipefail
export PATH=$1:$PATH
fail() { echo "NOT SO: $1"; systemctl --user status tod.service tod.socket --no-pager -n 0 || true
         cat "$HOME"/.local/state/task-orchestrator/logs/tod.log "$HOME/systemd.log" 2>/dev/null | tail -n 60; exit 1; }
is() { [ "$2" = "$3" ] || fail "$1: expected '$3', found '$2'"; echo "holds: $1"; }
shown() { systemctl --user show -p "$1" --value tod.service; }
answering() { tocli daemon status --json | tr -d ' \n' | sed 's/.*"pid":\([0-9]*\).*/\1/'; }
until_so() { for _ in $(seq 400); do if "${@:2}"; then echo "holds: $1"; return; fi; sleep 0.05; done; fail "$1"; }
other_than() { local pid; pid=$(shown MainPID); [ "$pid" != 0 ] && [ "$pid" != "$1" ]; }
state() { [ "$(systemctl --user is-active "$1" || true)" = "$2" ]; }

systemctl --user daemon-reload
systemctl --user start tod.socket
is 'the folder of the socket is closed to others' "$(stat -c %a "$XDG_RUNTIME_DIR/task-orchestrator")" 700
is 'so is the socket' "$(stat -c %a "$XDG_RUNTIME_DIR/task-orchestrator/tod.sock")" 600
is 'nothing runs before the first client' "$(systemctl --user is-active tod.service || true)" inactive

first=$(answering)
is 'the first client is answered by what systemd started' "$first" "$(shown MainPID)"
is 'it has said that it is ready' "$(systemctl --user is-active tod.service || true)" active

fed=$(shown WatchdogTimestampMonotonic)
later() { [ "$(shown WatchdogTimestampMonotonic)" -gt "$fed" ]; }
until_so 'the watchdog is fed' later

kill -9 "$first"
second=$(answering)
is 'right after kill -9 the next client is answered' "$([ -n "$second" ] && [ "$second" != "$first" ] && echo yes)" yes
is 'by what systemd started' "$second" "$(shown MainPID)"

kill -STOP "$second"
until_so 'a daemon that hangs is ended by the watchdog and started again' other_than "$second"
third=$(answering)
restarts=$(shown NRestarts)
is 'and answers' "$third" "$(shown MainPID)"

tocli daemon reboot >/dev/null
is 'a reboot keeps the process' "$(answering)" "$third"
is 'and systemd knows' "$(shown MainPID)" "$third"
until_so 'the service is active' state tod.service active
if tocli daemon reboot --timeout 5 --binary "$1/service-crashes"; then fail 'a successor that crashes is refused'; fi
guarded=$(answering)
is 'the guardian has started the old image again' "$([ "$guarded" != "$third" ] && echo yes)" yes
is 'and systemd knows its process id' "$(shown MainPID)" "$guarded"
until_so 'the service is still active' state tod.service active
is 'there is still one daemon' "$(pgrep -cx tod)" 1
is 'systemd has not started another' "$(shown NRestarts)" "$restarts"
tocli daemon reboot >/dev/null
is 'it can reboot again' "$(answering)" "$guarded"
fed=$(shown WatchdogTimestampMonotonic)
until_so 'it feeds the watchdog' later

tocli daemon stop >/dev/null
until_so 'a daemon that was told to stop is not started again' state tod.service inactive
is 'its socket still listens' "$(systemctl --user is-active tod.socket || true)" active
fourth=$(answering)
is 'and the next client starts it' "$([ -n "$fourth" ] && [ "$fourth" != "$third" ] && echo yes)" yes
is 'there is one daemon' "$(pgrep -cx tod)" 1
systemctl --user stop tod.service tod.socket
echo 'all holds'
"#;

/// A shorter watchdog than the installed one, so that a hanging daemon is noticed within the test.
const SHORTER: &str = "[Service]\nWatchdogSec=1\n";

/// The units and programs, installed in the home as `make install` does.
fn install(home: &Path) -> PathBuf {
    let bin = home.join("prefix/bin");
    std::fs::create_dir_all(&bin).expect("a folder for the programs");
    for name in ["tod", "tocli"] {
        std::fs::copy(program(name), bin.join(name)).expect("a program");
    }
    // Successors of the daemon: one that crashes when it takes over, and what it is until then.
    for (name, from) in [("service-crashes", "successor"), ("real", "tod")] {
        std::fs::copy(program(from), bin.join(name)).expect("a program");
    }
    let units = home.join(".config/systemd/user");
    let done = Command::new(super::tidy::root().join("packaging/units.sh"))
        .arg("install")
        .env("PREFIX", home.join("prefix"))
        .env("UNITDIR", &units)
        .env("AGENTS", home.join("agents"))
        .output()
        .expect("the script runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    std::fs::create_dir_all(units.join("tod.service.d")).expect("a folder for the drop-in");
    std::fs::write(units.join("tod.service.d/shorter.conf"), SHORTER).expect("the drop-in");
    bin
}

#[test]
fn systemd_starts_the_daemon_and_no_client_notices_its_death() {
    let Some(tool) = tool("systemd-user.sh") else {
        return skip(
            "systemd",
            "`systemd-user.sh` is neither in `TOD_TOOLS` nor in `../shared/tools`",
        );
    };
    if !rustix::process::geteuid().is_root() {
        return skip("systemd", "a user manager in namespaces needs root");
    }
    let bed = Bed::new();
    let inside = |words: &[&str]| {
        let mut command = bed.command("timeout");
        command.arg("100").arg(&tool).arg(bed.home()).args(words);
        let said = command
            .stdin(std::process::Stdio::null())
            .output()
            .expect("`timeout` runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (said.status.success(), text(&said.stdout), text(&said.stderr))
    };
    let (runs, _, why) = inside(&["systemctl", "--user", "show-environment"]);
    if !runs {
        return skip(
            "systemd",
            &format!("no user manager can be started here: {}", why.trim()),
        );
    }
    let bin = install(&bed.home());
    let (held, out, err) = inside(&[
        "bash",
        "-c",
        INSIDE,
        "inside",
        bin.to_str().expect("a UTF-8 path"),
    ]);
    assert!(held && out.ends_with("all holds\n"), "{out}\n{err}");
}
