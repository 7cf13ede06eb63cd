//! The units and the plist in `packaging/`, as far as a machine without a session bus, and without macOS, can check them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tests::skip::skip;

fn packaging() -> PathBuf {
    super::tidy::root().join("packaging")
}

/// Runs a program with a clean environment; none when it is not installed.
fn run(program: &str, args: &[&str], runtime: &Path) -> Option<Output> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Command::new(program)
        .args(args)
        .env_clear()
        .envs([
            ("PATH", path),
            ("HOME", runtime.into()),
            ("XDG_RUNTIME_DIR", runtime.into()),
        ])
        .output()
        .ok()
}

/// The units as `make install` writes them for a prefix, in a folder of their own.
fn installed(prefix: &Path) -> PathBuf {
    let units = prefix.join("units");
    std::fs::create_dir_all(prefix.join("bin")).expect("a folder for the program");
    let program = prefix.join("bin/tod");
    std::fs::write(&program, "#!/bin/sh\n").expect("a program");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).expect("made executable");
    let done = Command::new(packaging().join("units.sh"))
        .arg("install")
        .env("PREFIX", prefix)
        .env("UNITDIR", &units)
        .env("AGENTS", prefix.join("agents"))
        .output()
        .expect("the script runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    units
}

/// What `systemd-analyze` says against a unit; none when it is not installed.
fn verify(unit: &Path, runtime: &Path) -> Option<Result<(), String>> {
    let unit = unit.to_str().expect("a UTF-8 path");
    // Without the flag an unknown key is a warning and the exit code 0.
    let said = run(
        "systemd-analyze",
        &["--user", "--recursive-errors=yes", "--man=no", "verify", unit],
        runtime,
    )?;
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    Some(if said.status.success() { Ok(()) } else { Err(text) })
}

#[test]
fn the_systemd_units_are_accepted_by_systemd() {
    let home = tempfile::tempdir().expect("a folder");
    if !cfg!(target_os = "linux") {
        return skip("systemd-analyze", "this is not Linux");
    }
    let units = installed(home.path());
    for name in ["tod.socket", "tod.service"] {
        match verify(&units.join(name), home.path()) {
            None => return skip("systemd-analyze", "it is not installed"),
            Some(verdict) => assert_eq!(verdict, Ok(()), "{name}"),
        }
    }
}

#[test]
fn a_unit_with_an_unknown_key_or_a_missing_program_is_refused() {
    let home = tempfile::tempdir().expect("a folder");
    if !cfg!(target_os = "linux") {
        return skip("systemd-analyze", "this is not Linux");
    }
    let units = installed(home.path());
    let service = units.join("tod.service");
    let text = std::fs::read_to_string(&service).expect("the unit is there");
    for broken in [
        text.replace("WatchdogSec=", "WatchdogSecs="),
        text.replace("/bin/tod", "/bin/gone"),
    ] {
        assert_ne!(broken, text, "the plant took");
        std::fs::write(&service, broken).expect("planted");
        match verify(&service, home.path()) {
            None => return skip("systemd-analyze", "it is not installed"),
            Some(verdict) => assert!(verdict.is_err(), "a broken unit was accepted"),
        }
    }
}

#[test]
fn the_service_keeps_what_the_daemon_relies_on() {
    let service =
        std::fs::read_to_string(packaging().join("systemd/tod.service")).expect("the unit is there");
    let socket = std::fs::read_to_string(packaging().join("systemd/tod.socket")).expect("the unit is there");
    let says = |text: &str, line: &str| text.lines().any(|found| found == line);
    for line in [
        "Type=notify",
        "Restart=on-failure",
        "KillMode=process",
        "ExecStart=@BINDIR@/tod run",
    ] {
        assert!(says(&service, line), "tod.service says `{line}`");
    }
    assert!(service.contains("\nWatchdogSec="), "the watchdog is on");
    for line in [
        "ListenStream=%t/task-orchestrator/tod.sock",
        "DirectoryMode=0700",
        "SocketMode=0600",
    ] {
        assert!(says(&socket, line), "tod.socket says `{line}`");
    }
    // Newer than systemd 252, which must be able to read these.
    for word in ["notify-reload", "FileDescriptorStorePreserve="] {
        let used = service
            .lines()
            .any(|line| !line.starts_with('#') && line.contains(word));
        assert!(!used, "`{word}` needs a newer systemd");
    }
}

/// Reads the plist as Python does, and checks its keys and their types against what launchd.plist(5) says. Nothing more
/// can be checked without a Mac: `plutil` and `launchctl` exist only there.
const CHECK_PLIST: &str = r#"
import plistlib, sys
known = {
    "Label": str, "ProgramArguments": list, "RunAtLoad": bool, "KeepAlive": (bool, dict), "ProcessType": str,
    "AbandonProcessGroup": bool, "ExitTimeOut": int, "Umask": int, "Sockets": dict, "EnvironmentVariables": dict,
    "StandardErrorPath": str, "StandardOutPath": str, "ThrottleInterval": int, "WorkingDirectory": str,
}
keep_alive = {"SuccessfulExit": bool, "Crashed": bool, "PathState": dict, "OtherJobEnabled": dict}
def check(table, schema, where):
    for key, value in table.items():
        assert key in schema, f"{where}: unknown key {key}"
        expected = schema[key]
        # bool is an int to Python and not to launchd
        assert isinstance(value, expected) and (expected is not int or not isinstance(value, bool)), f"{where}.{key}: {value!r}"
plist = plistlib.load(open(sys.argv[1], "rb"))
check(plist, known, "plist")
check(plist["KeepAlive"], keep_alive, "KeepAlive")
assert plist["Label"] + ".plist" == sys.argv[1].rsplit("/", 1)[1], "the label is the file's name"
assert all(isinstance(word, str) for word in plist["ProgramArguments"]) and plist["ProgramArguments"]
assert plist["ProcessType"] in ("Background", "Standard", "Adaptive", "Interactive")
"#;

fn check_plist(plist: &Path) -> Option<Result<(), String>> {
    let plist = plist.to_str().expect("a UTF-8 path");
    let said = run("python3", &["-c", CHECK_PLIST, plist], Path::new("/tmp"))?;
    Some(if said.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&said.stderr).into_owned())
    })
}

#[test]
fn the_launchd_plist_is_well_formed_and_has_only_known_keys() {
    match check_plist(&packaging().join("launchd/org.task-orchestrator.tod.plist")) {
        None => skip("python3", "it is not installed"),
        Some(verdict) => assert_eq!(verdict, Ok(())),
    }
}

#[test]
fn a_plist_with_a_wrong_word_key_or_type_is_refused() {
    let home = tempfile::tempdir().expect("a folder");
    let good = std::fs::read_to_string(packaging().join("launchd/org.task-orchestrator.tod.plist"))
        .expect("is there");
    let plist = home.path().join("org.task-orchestrator.tod.plist");
    let plants = [
        good.replace("<true/>", "<tru/>"),
        good.replace("RunAtLoad", "RunAtLaod"),
        good.replace("<integer>63</integer>", "<true/>"),
        good.replace("<string>org.", "<string>com."),
    ];
    for broken in plants {
        assert_ne!(broken, good, "the plant took");
        std::fs::write(&plist, broken).expect("planted");
        match check_plist(&plist) {
            None => return skip("python3", "it is not installed"),
            Some(verdict) => assert!(verdict.is_err(), "a broken plist was accepted"),
        }
    }
}

#[test]
fn a_prefix_that_would_break_a_unit_file_is_refused() {
    let home = tempfile::tempdir().expect("a folder");
    for prefix in ["relative", "/with space", "/with%percent", "/with\nline"] {
        let done = Command::new(packaging().join("units.sh"))
            .arg("install")
            .env("PREFIX", prefix)
            .env("UNITDIR", home.path().join("units"))
            .env("AGENTS", home.path().join("agents"))
            .output()
            .expect("the script runs");
        assert_eq!(done.status.code(), Some(2), "{prefix:?} was accepted");
    }
}
