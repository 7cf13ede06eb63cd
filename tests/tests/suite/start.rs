//! `tocli` and the daemon it needs: found, started when there is none, never doubled, never started in a sandbox.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tests::daemon::{Bed, ORDINARY, chmod, program, root};
use tests::process::{self, Said};
use tests::skip::skip;
use tests::{deadline, namespace};

fn pid_of(said: &Said) -> u64 {
    said.json()["pid"].as_u64().expect("a process id")
}

/// A command that any daemon answers and that starts one.
fn started(bed: &Bed) -> u64 {
    bed.run(["detect", "--json"]).ok();
    pid_of(&bed.run(["daemon", "status", "--json"]).ok())
}

#[test]
fn a_hundred_clients_at_once_get_one_daemon() {
    let bed = Bed::new();
    let _project = bed.project("project");
    let clients: Vec<_> = (0..100)
        .map(|_| {
            let mut command = bed.tocli(["detect", "--json"]);
            std::thread::spawn(move || process::run(&mut command))
        })
        .collect();
    for client in clients {
        client.join().expect("it ends").ok();
    }
    assert_eq!(bed.daemons().len(), 1, "{:?}", bed.daemons());
    let lock = bed.lock_file().expect("a lock file");
    assert_eq!(bed.daemons(), [lock.pid]);
    let text = std::fs::read_to_string(bed.log()).expect("a log");
    assert_eq!(text.matches("serving").count(), 1, "{text}");
}

#[test]
fn a_shell_that_takes_the_output_does_not_wait_for_the_daemon() {
    let bed = Bed::new();
    let script = "exec 3>&1 4>&1 5>&1 6>&2 7>&2 8>&1 9>&1
x=$(\"$0\" detect --json) && test -n \"$x\" && echo done";
    for shell in ["sh", "bash"] {
        let mut command = bed.command(shell);
        let began = Instant::now();
        let said = process::run(command.args(["-c", script]).arg(program("tocli"))).ok();
        assert_eq!(said.text(), "done\n");
        assert!(began.elapsed() < Duration::from_secs(20));
        bed.run(["daemon", "stop"]).ok();
    }
}

#[test]
fn a_daemon_is_not_started_when_that_is_not_wanted() {
    let bed = Bed::new();
    for command in [
        vec!["detect"],
        vec!["files"],
        vec!["workspace", "list"],
        vec!["config", "list"],
        vec!["role", "list"],
        vec!["migrate", "status"],
    ] {
        let said = bed.run(command.iter().copied().chain(["--no-start"])).ends(6);
        assert_eq!(said.text(), "", "{command:?}");
        assert!(said.err.contains("--no-start"), "{command:?}: {}", said.err);
    }
    assert_eq!(bed.daemons(), Vec::<u32>::new());
    assert!(!bed.state().exists(), "a question makes nothing");
    bed.run(["detect"]).ok();
    bed.run(["detect", "--no-start"]).ok();
}

#[test]
fn the_verbs_of_the_daemon_do_what_they_say() {
    let bed = Bed::new();
    bed.run(["daemon", "status", "--json"]).ends(6);
    assert_eq!(bed.daemons(), Vec::<u32>::new(), "status starts nobody");
    bed.run(["daemon", "start"]).ok();
    let first = pid_of(&bed.run(["daemon", "status", "--json"]).ok());
    bed.run(["daemon", "start"]).ok();
    let json = bed.run(["daemon", "status", "--json"]).ok().json();
    for field in [
        "schema_version",
        "pid",
        "version",
        "generation",
        "protocol",
        "uptime_s",
        "socket",
        "state_dir",
        "rss_bytes",
        "watches",
        "workspaces",
    ] {
        assert!(json.get(field).is_some(), "`{field}` is missing in {json}");
    }
    assert_eq!(json["pid"].as_u64(), Some(first));
    assert_eq!(json["socket"], bed.socket().to_str().expect("UTF-8"));
    assert_eq!(json["state_dir"], bed.state().to_str().expect("UTF-8"));
    for field in ["used", "limit", "backend"] {
        assert!(
            json["watches"].get(field).is_some(),
            "`{field}` is missing in {json}"
        );
    }
    assert!(
        json["rss_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20),
        "{json}"
    );
    bed.run(["daemon", "reload"]).ok();
    let log = bed.run(["daemon", "logs"]).ok().text();
    assert!(log.contains("serving"), "{log}");
    assert_eq!(
        bed.run(["daemon", "logs", "-n", "1"]).ok().text().lines().count(),
        1
    );
    bed.run(["daemon", "stop"]).ok();
    // Stop comes back when the process has ended.
    assert_eq!(bed.daemons(), Vec::<u32>::new());
    assert!(!bed.socket().exists());
    bed.run(["daemon", "stop"]).ok();
    assert_ne!(started(&bed), first);
}

#[test]
fn run_stays_in_the_foreground_until_it_is_told_to_end() {
    let bed = Bed::new();
    let mut daemon = bed.start_by(&mut bed.tocli(["daemon", "run"]));
    assert_eq!(
        started(&bed),
        u64::from(bed.lock_file().expect("a lock file").pid)
    );
    assert_eq!(bed.daemons().len(), 1);
    assert!(daemon.ended().is_none());
    assert!(daemon.stop().success());
    assert_eq!(bed.daemons(), Vec::<u32>::new());
}

#[test]
fn a_client_with_another_environment_finds_the_daemon_by_the_lock_file() {
    let bed = Bed::new();
    let elsewhere = bed.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("made");
    chmod(&elsewhere, 0o700);
    let first = started(&bed);
    let mut command = bed.tocli(["daemon", "status", "--json"]);
    let said = process::run(command.env("XDG_RUNTIME_DIR", &elsewhere)).ok();
    assert_eq!(pid_of(&said), first);
    let mut command = bed.tocli(["detect"]);
    process::run(command.env("XDG_RUNTIME_DIR", &elsewhere)).ok();
    assert_eq!(bed.daemons().len(), 1);
    assert!(!elsewhere.join("task-orchestrator").exists());
}

#[test]
fn a_killed_daemon_is_replaced_and_the_next_client_does_not_notice() {
    let bed = Bed::new();
    let mut seen = BTreeSet::new();
    for _ in 0..5 {
        let pid = started(&bed);
        assert!(seen.insert(pid), "a new process");
        process::signal(u32::try_from(pid).expect("a process id"), Some(Signal::KILL));
    }
    bed.run(["detect"]).ok();
}

#[test]
fn a_removed_runtime_folder_does_not_lead_to_a_second_daemon() {
    let bed = Bed::new();
    let first = started(&bed);
    for _ in 0..3 {
        std::fs::remove_dir_all(bed.socket().parent().expect("a folder")).expect("removed");
        assert_eq!(started(&bed), first);
    }
    assert_eq!(bed.daemons().len(), 1);
}

#[test]
fn why_a_daemon_does_not_start_is_told_by_the_client() {
    let bed = Bed::new();
    let folder = bed.runtime().join("task-orchestrator");
    std::os::unix::fs::symlink(bed.home(), &folder).expect("linked");
    let said = bed.run(["detect"]).ends(4);
    assert!(said.err.contains("symbolic link"), "{}", said.err);
    std::fs::remove_file(&folder).expect("removed");

    let long = bed.path().join("x".repeat(120)).join("tod.sock");
    let said = process::run(bed.tocli(["detect"]).env("TOD_SOCKET", &long)).ends(2);
    assert!(said.err.contains("TOD_SOCKET"), "{}", said.err);

    let Some(mut command) = namespace::mounting(&bed, "mount -t tmpfs -o ro none \"$HOME\"") else {
        return;
    };
    // In a namespace of its own a client starts no daemon: so it is started there by hand.
    let said = process::run(command.arg(program("tocli")).args(["daemon", "run"])).ends(6);
    assert!(said.err.contains("TOD_STATE_DIR"), "{}", said.err);
}

#[test]
fn tocli_by_sudo_leaves_nothing_of_roots_in_a_home_of_somebody_else() {
    if !root() {
        return skip("foreign-uid", "only root can give a folder away");
    }
    let bed = Bed::new();
    let project = bed.project("project");
    for folder in [
        bed.path().to_path_buf(),
        bed.home(),
        bed.runtime(),
        bed.work(),
        project,
    ] {
        std::os::unix::fs::chown(&folder, Some(ORDINARY), Some(ORDINARY)).expect("given away");
    }
    for command in [
        vec!["detect"],
        vec!["workspace", "create", "project"],
        vec!["config", "list"],
    ] {
        let mut tocli = bed.tocli(command);
        tocli.envs([
            ("SUDO_UID", ORDINARY.to_string()),
            ("SUDO_GID", ORDINARY.to_string()),
        ]);
        let said = process::run(&mut tocli);
        assert_eq!(said.code, 4, "{said:?}");
        assert!(!said.err.is_empty());
    }
    assert_eq!(super::places::owned_by_root(bed.path()), Vec::<String>::new());
    assert_eq!(bed.daemons(), Vec::<u32>::new());
}

#[test]
fn a_client_of_another_user_does_not_believe_the_daemon_it_finds() {
    if !root() {
        return skip("foreign-uid", "only root can become somebody else");
    }
    let bed = Bed::new();
    started(&bed);
    for folder in [
        bed.path(),
        &bed.runtime(),
        bed.socket().parent().expect("a folder"),
        &bed.work(),
    ] {
        chmod(folder, 0o755);
    }
    chmod(&bed.socket(), 0o666);
    let mut command = bed.command("setpriv");
    let user = ORDINARY.to_string();
    command
        .args(["--reuid", &user, "--regid", &user, "--clear-groups"])
        .arg(program("tocli"))
        .args(["detect", "--json"])
        .env("TOD_SOCKET", bed.socket());
    let said = process::run(&mut command);
    if said.err.contains("setpriv: failed to execute") {
        return skip(
            "foreign-uid",
            "the built programs are in a folder that others may not enter",
        );
    }
    assert_eq!(said.code, 4, "{said:?}");
    assert_eq!(bed.daemons().len(), 1);
}

/// Runs `tocli detect` behind a program that shuts it in.
fn shut_in(bed: &Bed, words: &[&str]) -> Said {
    let mut command: Command = bed.command(words[0]);
    command
        .args(&words[1..])
        .arg(program("tocli"))
        .args(["detect", "--json"]);
    process::run(&mut command)
}

/// A filter that lets every call through is a filter all the same.
const SECCOMP: &str = "import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
rule = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7FFF0000))
filter = struct.pack('HxxxxxxP', 1, ctypes.addressof(rule))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, filter) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])";

/// The system's own, where there is one: others may be scripts that need more of an environment.
pub(crate) fn python() -> &'static str {
    match Path::new("/usr/bin/python3").exists() {
        true => "/usr/bin/python3",
        false => "python3",
    }
}

#[test]
fn a_client_in_a_sandbox_never_starts_a_daemon_and_uses_one_that_runs() {
    let bed = Bed::new();
    let python = python();
    let sandboxes = [
        vec!["setpriv", "--no-new-privs"],
        vec![python, "-c", SECCOMP],
        vec!["unshare", "--mount"],
        vec!["unshare", "--user", "--map-root-user"],
        vec![
            "unshare",
            "--user",
            "--map-root-user",
            "--pid",
            "--fork",
            "--mount-proc",
        ],
    ];
    let mut tried = 0;
    for words in &sandboxes {
        let mut probe = bed.command(words[0]);
        probe
            .args(&words[1..])
            .arg("/bin/true")
            .stderr(Stdio::null())
            .stdout(Stdio::null());
        if !probe.status().is_ok_and(|status| status.success()) {
            skip(
                "userns",
                &format!("`{}` does not work here", words[..2.min(words.len())].join(" ")),
            );
            continue;
        }
        tried += 1;
        let said = shut_in(&bed, words);
        assert_eq!(said.code, 7, "{words:?}: {said:?}");
        assert!(!said.err.is_empty());
        assert_eq!(bed.daemons(), Vec::<u32>::new(), "{words:?}");
    }
    assert!(!bed.state().join("lock").exists() || bed.lock_file().is_none());
    if tried == 0 {
        return;
    }
    // With a daemon from outside the same clients are served.
    started(&bed);
    for words in [
        vec!["setpriv", "--no-new-privs"],
        vec![python, "-c", SECCOMP],
        vec!["unshare", "--mount"],
    ] {
        let said = shut_in(&bed, &words);
        let missing = said.code == 127 || said.err.contains("Operation not permitted");
        assert!(said.code == 0 || missing, "{words:?}: {said:?}");
    }
}

#[test]
fn an_idle_daemon_that_was_started_on_demand_ends_by_itself() {
    let bed = Bed::new();
    process::run(bed.tocli(["detect"]).env("TOD_IDLE_EXIT", "1")).ok();
    deadline::until("the daemon ends by itself", || {
        bed.daemons().is_empty().then_some(())
    });
    assert!(!bed.socket().exists());
    bed.run(["detect"]).ok();
}

/// A filter by which `connect` is not permitted, as agents' sandboxes have one: load the number of the call, compare,
/// give EPERM or go on.
pub(crate) const NO_CONNECT: &str = "import ctypes, os, platform, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
call = {'x86_64': 42, 'aarch64': 203}[platform.machine()]
code = b''.join(struct.pack('HBBI', *step) for step in
    [(0x20, 0, 0, 0), (0x15, 0, 1, call), (6, 0, 0, 0x00050001), (6, 0, 0, 0x7FFF0000)])
rules = ctypes.create_string_buffer(code)
filter = struct.pack('HxxxxxxP', 4, ctypes.addressof(rules))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, filter) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])";

/// Whether calls can be filtered here; says so when not.
pub(crate) fn filters(bed: &Bed) -> bool {
    let mut probe = bed.command(python());
    probe.args(["-c", NO_CONNECT, "/bin/true"]).stderr(Stdio::null());
    let works = probe.status().is_ok_and(|status| status.success());
    if !works {
        skip("userns", "system calls cannot be filtered here");
    }
    works
}

#[test]
fn a_refused_socket_ends_with_the_setting_of_the_agent_that_runs() {
    let (bed, python) = (Bed::new(), python());
    if !filters(&bed) {
        return;
    }
    started(&bed);
    for (mark, setting) in [
        ("CLAUDECODE", "sandbox.network.allow"),
        ("CODEX_SANDBOX", "sandbox_workspace_write"),
        ("CURSOR_AGENT", "allowlist"),
        ("TO_ACTOR", "Unix sockets"),
    ] {
        let mut command = bed.command(python);
        command
            .args(["-c", NO_CONNECT])
            .arg(tests::daemon::program("tocli"))
            .arg("detect")
            .env(mark, "1");
        let said = tests::process::run(&mut command).ends(7);
        assert!(said.err.contains(setting), "{mark}: {said:?}");
        assert_eq!(said.text(), "");
    }
}
