//! Who the caller is, when nobody has said it: the nearest ancestor of this process that is not a shell.
//!
//! The name has the form `claude[4242.8812345]`: program, process id, start time as the system counts it, so that the daemon can
//! see whether that session is still there. What must stay true: two calls from one session get one name, whatever
//! shells and starters stand between; a name that was given counts before all that.

use std::ffi::OsString;

use proto::Error;
use proto::error::Result;

/// The variable that names the caller.
const VARIABLE: &str = "TO_ACTOR";

/// Programs that only start others: a session is what stands above them.
const BETWEEN: [&str; 31] = [
    "sh", "bash", "dash", "ash", "zsh", "fish", "ksh", "mksh", "tcsh", "csh", "nu", "pwsh", "busybox", "env",
    "timeout", "nice", "ionice", "nohup", "setsid", "stdbuf", "sudo", "doas", "su", "xargs", "script",
    "strace", "time", "flock", "unshare", "tocli", "parallel",
];

/// How far up one looks.
const MOST: usize = 64;

/// The caller's name: the given one, else that of [`VARIABLE`], else that of the session's process. None where the
/// system does not say.
///
/// # Errors
/// `usage` for a given name that is not one line of text.
pub fn actor(given: Option<&str>) -> Result<Option<String>> {
    let named = given.map(OsString::from).or_else(|| std::env::var_os(VARIABLE));
    let Some(name) = named.filter(|name| !name.is_empty()) else {
        return Ok(session(std::process::id(), &|pid| look(pid)));
    };
    match name.to_str() {
        Some(name) if !name.chars().any(char::is_control) => Ok(Some(name.to_owned())),
        _ => Err(Error::usage("the name of the actor is not one line of text").next("choose another one")),
    }
}

/// The name of a session that lives exactly as long as this process: `word`, process id, start time. None where the system
/// does not say.
#[must_use]
pub fn this_process(word: &str) -> Option<String> {
    let pid = std::process::id();
    Some(named(word, pid, look(pid)?.start))
}

fn named(word: &str, pid: u32, start: u64) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let name: String = word
        .chars()
        .take(64)
        .map(|letter| if plain(letter) { letter } else { '_' })
        .collect();
    format!("{name}[{pid}.{start}]")
}

/// What is known of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    name: String,
    parent: u32,
    start: u64,
}

#[cfg(target_os = "macos")]
fn look(pid: u32) -> Option<Process> {
    let (name, parent, start) = crate::apple::process(pid)?;
    Some(Process { name, parent, start })
}

#[cfg(not(target_os = "macos"))]
fn look(pid: u32) -> Option<Process> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

#[cfg(any(test, not(target_os = "macos")))]
/// A line of `/proc/<pid>/stat`: the name stands in brackets and may hold brackets itself.
fn parse(stat: &str) -> Option<Process> {
    let (head, tail) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut fields = tail.split_ascii_whitespace();
    Some(Process {
        name: name.to_owned(),
        parent: fields.nth(1)?.parse().ok()?,
        start: fields.nth(17)?.parse().ok()?,
    })
}

fn session(own: u32, look: &dyn Fn(u32) -> Option<Process>) -> Option<String> {
    let mut pid = look(own)?.parent;
    let mut last = None;
    for _ in 0..MOST {
        // The first process is nobody's session, and neither is what stands outside of what can be seen.
        if pid <= 1 {
            break;
        }
        let Some(process) = look(pid) else { break };
        last = Some((pid, process.clone()));
        // A login shell is called `-bash`.
        if !BETWEEN.contains(&process.name.trim_start_matches('-')) {
            break;
        }
        pid = process.parent;
    }
    let (pid, process) = last?;
    Some(named(&process.name, pid, process.start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(list: &[(u32, &str, u32)]) -> impl Fn(u32) -> Option<Process> {
        let list: Vec<(u32, String, u32)> = list
            .iter()
            .map(|(pid, name, up)| (*pid, (*name).to_owned(), *up))
            .collect();
        move |pid| {
            let (pid, name, parent) = list.iter().find(|(own, ..)| *own == pid)?;
            Some(Process {
                name: name.clone(),
                parent: *parent,
                start: u64::from(*pid) * 10,
            })
        }
    }

    #[test]
    fn a_session_is_the_nearest_ancestor_that_is_not_a_shell() {
        let look = family(&[
            (9, "tocli", 8),
            (8, "timeout", 7),
            (7, "bash", 5),
            (5, "claude code", 2),
            (2, "-zsh", 1),
        ]);
        assert_eq!(session(9, &look).as_deref(), Some("claude_code[5.50]"));
    }

    #[test]
    fn where_there_are_only_shells_the_outermost_one_is_the_session() {
        let look = family(&[(9, "tocli", 7), (7, "sh", 5), (5, "bash", 1), (1, "systemd", 0)]);
        assert_eq!(session(9, &look).as_deref(), Some("bash[5.50]"));
        assert_eq!(session(9, &family(&[(9, "tocli", 1)])), None);
    }

    #[test]
    fn a_name_with_brackets_and_spaces_is_read() {
        let stat = "42 (a) (b c) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 8812345 1 2";
        let found = Process {
            name: "a) (b c".to_owned(),
            parent: 7,
            start: 8_812_345,
        };
        assert_eq!(parse(stat), Some(found));
    }

    #[test]
    fn a_given_name_counts_before_everything() {
        assert_eq!(actor(Some("me")), Ok(Some("me".to_owned())));
        assert!(actor(Some("a\nb")).is_err());
        let own = actor(None).expect("found");
        assert!(
            own.is_some_and(|name| name.ends_with(']')),
            "this test has a parent that can be seen"
        );
    }
}
