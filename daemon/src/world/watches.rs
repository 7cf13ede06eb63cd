//! Who holds inotify watches on this machine and how many the system allows, as far as `/proc` tells.
//!
//! Asked by the index for `doctor watch`. What must stay true: nobody is asked but the kernel, a program that goes
//! meanwhile is no error, and it takes no longer than it is given.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use proto::index::{Holder, Limits, Others};

/// The programs that are named.
const NAMED: usize = 10;

/// What the system allows.
#[must_use]
pub fn limits() -> Limits {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
    let of = |name: &str| number(&format!("/proc/sys/fs/inotify/{name}"));
    Limits {
        max_user_watches: of("max_user_watches"),
        max_user_instances: of("max_user_instances"),
        max_queued_events: of("max_queued_events"),
        namespace_watches: number("/proc/sys/user/max_inotify_watches"),
    }
}

/// Watches of the other programs of this process's user. Gives up after `limit` and says so.
#[must_use]
pub fn others(limit: Duration) -> Others {
    if !cfg!(target_os = "linux") {
        // There are none.
        return Others::default();
    }
    let until = Instant::now() + limit;
    let (own, user) = (std::process::id(), super::process::uid());
    let mut found = Others::default();
    let Ok(processes) = fs::read_dir("/proc") else {
        return Others {
            is_partial: true,
            ..found
        };
    };
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if pid == own || !process.metadata().is_ok_and(|about| about.uid() == user) {
            continue;
        }
        match held(&process.path(), until) {
            Held::These { instances, watches } => {
                found.instances += instances;
                found.watches += watches;
                if watches > 0 {
                    let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
                    found.most.push(Holder {
                        pid,
                        name: name.trim_end().to_owned(),
                        instances,
                        watches,
                    });
                }
            }
            Held::NotTold => found.unreadable += 1,
            Held::Gone => {}
        }
        if Instant::now() >= until {
            found.is_partial = true;
            break;
        }
    }
    found
        .most
        .sort_by_key(|holder| (u64::MAX - holder.watches, holder.pid));
    found.most.truncate(NAMED);
    found
}

enum Held {
    These { instances: u64, watches: u64 },
    NotTold,
    Gone,
}

fn held(process: &Path, until: Instant) -> Held {
    let descriptors = match fs::read_dir(process.join("fd")) {
        Ok(descriptors) => descriptors,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Held::NotTold,
        Err(_) => return Held::Gone,
    };
    let (mut instances, mut watches) = (0, 0);
    for descriptor in descriptors.flatten() {
        let is_inotify =
            fs::read_link(descriptor.path()).is_ok_and(|to| to == Path::new("anon_inode:inotify"));
        if is_inotify {
            instances += 1;
            watches += count(&process.join("fdinfo").join(descriptor.file_name()), until);
        }
        if Instant::now() >= until {
            break;
        }
    }
    Held::These { instances, watches }
}

/// The lines that speak of a watch.
fn count(info: &Path, until: Instant) -> u64 {
    let Ok(file) = File::open(info) else { return 0 };
    let mut lines = BufReader::with_capacity(64 << 10, file);
    let (mut line, mut count) = (Vec::new(), 0);
    while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        count += u64::from(line.starts_with(b"inotify wd:"));
        line.clear();
        if count % 1024 == 0 && Instant::now() >= until {
            break;
        }
    }
    count
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn watches_of_another_program_are_counted_with_its_name() {
        // A test process of its own: the counts of this one belong to whoever runs beside.
        let folder = tempfile::tempdir().unwrap();
        let watcher = rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::CLOEXEC).unwrap();
        for name in ["a", "b", "c"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            rustix::fs::inotify::add_watch(
                &watcher,
                folder.path().join(name),
                rustix::fs::inotify::WatchFlags::CREATE,
            )
            .unwrap();
        }
        let until = Instant::now() + Duration::from_secs(60);
        let Held::These { instances, watches } = held(Path::new("/proc/self"), until) else {
            panic!("our own process may be looked at");
        };
        assert!(instances >= 1 && watches >= 3, "{instances} {watches}");
        assert!(matches!(held(Path::new("/proc/0"), until), Held::Gone));
    }

    #[test]
    fn the_system_says_what_it_allows() {
        let limits = limits();
        assert!(
            limits.max_user_watches.is_some_and(|limit| limit > 0),
            "{limits:?}"
        );
        assert!(limits.max_queued_events.is_some(), "{limits:?}");
    }
}
