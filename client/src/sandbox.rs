//! Whether this process is shut in more tightly than the session it belongs to.
//!
//! Asked by `start`. A daemon started here would inherit what confines us and hold the lock for everybody. Being
//! confined is relative: in a container all processes have a system-call filter and namespaces of their own, and a
//! daemon for that container is right. So this process is compared with its ancestors of the same user, and is confined
//! when one of them is freer: fewer system-call filters, new privileges not ruled out (which catches Landlock, too, for
//! it cannot be used without ruling them out), or other namespaces. An orphan has only process 1 to be compared with.
//!
//! A sandbox with a process table of its own hides those ancestors. Its mark is a user namespace that knows a single
//! user: no container or machine that is meant to live in has that.
//!
//! What cannot be seen: a sandbox set up by root that has its own process table and no user namespace of its own.

/// How one process is confined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ground {
    parent: u32,
    uid: u32,
    no_new_privileges: bool,
    /// System-call filters; on kernels that do not count them, 1 for any.
    filters: u32,
    /// User, mount and process namespace, in this order; none where we may not look.
    namespaces: [Option<String>; 3],
}

const NAMESPACES: [(&str, &str); 3] = [("user", "user"), ("mnt", "mount"), ("pid", "process")];

/// More ancestors than any session has.
const ANCESTORS: usize = 64;

/// Why this process counts as shut in; none when it is as free as its session, or where the system does not say.
#[must_use]
pub fn confinement() -> Option<String> {
    let own = ground("self")?;
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    judge(&own, &ancestors(&own), &map)
}

fn ancestors(own: &Ground) -> Vec<Ground> {
    let mut found = Vec::new();
    let mut next = own.parent;
    while next > 0 && found.len() < ANCESTORS {
        let Some(ground) = ground(&next.to_string()) else {
            break;
        };
        next = ground.parent;
        found.push(ground);
    }
    found
}

fn ground(process: &str) -> Option<Ground> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let mut ground = parse(&status)?;
    for (place, (name, _)) in NAMESPACES.iter().enumerate() {
        ground.namespaces[place] = std::fs::read_link(format!("/proc/{process}/ns/{name}"))
            .ok()
            .map(|link| link.to_string_lossy().into_owned());
    }
    Some(ground)
}

/// The text of `/proc/<pid>/status` (`proc_pid_status(5)`).
fn parse(status: &str) -> Option<Ground> {
    let number = |name: &str, place: usize| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_ascii_whitespace().nth(place)?.parse::<u32>().ok()
    };
    let mode = number("Seccomp", 0).unwrap_or_default();
    Some(Ground {
        parent: number("PPid", 0)?,
        // Real, effective, saved, file system.
        uid: number("Uid", 1)?,
        no_new_privileges: number("NoNewPrivs", 0).unwrap_or_default() != 0,
        filters: number("Seccomp_filters", 0)
            .unwrap_or_default()
            .max(u32::from(mode != 0)),
        namespaces: [const { None }; 3],
    })
}

fn judge(own: &Ground, ancestors: &[Ground], uid_map: &str) -> Option<String> {
    if users(uid_map) == Some(1) {
        return Some("this process is in a user namespace with a single user".to_owned());
    }
    let same_user: Vec<&Ground> = ancestors.iter().filter(|other| other.uid == own.uid).collect();
    let compared = match (same_user.is_empty(), ancestors.last()) {
        (true, Some(first)) => vec![first],
        _ => same_user,
    };
    compared.iter().find_map(|other| freer(other, own))
}

/// What binds `own` and not `other`.
fn freer(other: &Ground, own: &Ground) -> Option<String> {
    if own.filters > other.filters {
        return Some("system calls of this process are filtered (seccomp)".to_owned());
    }
    if own.no_new_privileges && !other.no_new_privileges {
        return Some("this process may gain no new privileges, as under seccomp or Landlock".to_owned());
    }
    let pairs = own.namespaces.iter().zip(&other.namespaces);
    NAMESPACES
        .iter()
        .zip(pairs)
        .find_map(|((_, word), pair)| match pair {
            (Some(ours), Some(theirs)) if ours != theirs => {
                Some(format!("this process is in a {word} namespace of its own"))
            }
            _ => None,
        })
}

/// How many users a user namespace knows, from the text of `/proc/self/uid_map`; none where it does not say.
fn users(uid_map: &str) -> Option<u64> {
    let mut sum = None;
    for line in uid_map.lines() {
        let count: u64 = line.split_ascii_whitespace().nth(2)?.parse().ok()?;
        sum = Some(sum.unwrap_or_default() + count);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "         0          0 4294967295\n";

    fn free(uid: u32) -> Ground {
        Ground {
            uid,
            namespaces: ["user:[1]", "mnt:[1]", "pid:[1]"].map(|name| Some(name.to_owned())),
            ..Ground::default()
        }
    }

    #[test]
    fn the_kernels_text_is_read_to_the_last_field() {
        let text = "Name:\tsh\nPPid:\t42\nUid:\t1000\t1001\t1001\t1001\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n";
        let ground = parse(text).expect("parsed");
        assert_eq!((ground.parent, ground.uid, ground.filters), (42, 1001, 3));
        assert!(ground.no_new_privileges);
        let old = parse("PPid:\t1\nUid:\t0\t0\t0\t0\nSeccomp:\t2\n").expect("parsed");
        assert_eq!(old.filters, 1, "kernels before 5.9 do not count");
    }

    #[test]
    fn a_container_that_confines_everybody_alike_is_no_sandbox() {
        let inside = Ground {
            filters: 1,
            no_new_privileges: true,
            ..free(0)
        };
        assert_eq!(judge(&inside, &[inside.clone(), inside.clone()], WHOLE), None);
        assert_eq!(judge(&inside, &[], WHOLE), None);
    }

    #[test]
    fn an_ancestor_of_the_same_user_that_is_freer_proves_a_sandbox() {
        let outside = free(1000);
        let changes: [fn(&mut Ground); 4] = [
            |ground| ground.filters = 1,
            |ground| ground.no_new_privileges = true,
            |ground| ground.namespaces[1] = Some("mnt:[2]".to_owned()),
            |ground| ground.namespaces[2] = Some("pid:[2]".to_owned()),
        ];
        for change in changes {
            let mut inside = free(1000);
            change(&mut inside);
            let shell = inside.clone();
            assert!(
                judge(&inside, &[shell, outside.clone()], WHOLE).is_some(),
                "{inside:?}"
            );
        }
    }

    #[test]
    fn a_service_that_is_hardened_as_a_whole_is_no_sandbox_to_itself() {
        let service = Ground {
            no_new_privileges: true,
            ..free(1000)
        };
        assert_eq!(judge(&service, &[service.clone(), free(0)], WHOLE), None);
    }

    #[test]
    fn an_orphan_is_compared_with_the_first_process() {
        let orphan = Ground {
            filters: 2,
            ..free(1000)
        };
        assert!(judge(&orphan, &[free(0)], WHOLE).is_some());
    }

    #[test]
    fn a_namespace_of_a_single_user_is_a_sandbox_and_one_of_many_is_not() {
        assert!(judge(&free(1000), &[], "1000 1000 1\n").is_some());
        assert_eq!(judge(&free(0), &[], "0 1000 1\n1 100000 65536\n"), None);
    }
}
