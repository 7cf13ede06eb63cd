//! macOS' file systems, by their names and by what the kernel says of where they lie.
//!
//! Asked by `filesystem`, built for macOS and for the tests. What must stay true: see there.

use super::FileSystem;

/// Every change passes through this kernel.
const TELLING: [&str; 7] = ["apfs", "cd9660", "exfat", "hfs", "msdos", "ntfs", "udf"];

/// Of other machines, and of programs, which may call themselves local and speak for another machine.
const ELSEWHERE: [&str; 11] = [
    "afpfs", "autofs", "cifs", "ftp", "fusefs", "macfuse", "nfs", "osxfuse", "smbfs", "vmhgfs", "webdav",
];

#[cfg(target_os = "macos")]
pub(super) fn judge(found: &rustix::fs::StatFs) -> FileSystem {
    let (name, is_local) = crate::world::apple::file_system(found);
    by_name(name, is_local)
}

#[cfg(target_os = "macos")]
pub(super) fn name_elsewhere(found: &rustix::fs::StatFs) -> Option<String> {
    let (name, is_local) = crate::world::apple::file_system(found);
    is_elsewhere(&name, is_local).then_some(name)
}

fn by_name(name: String, is_local: bool) -> FileSystem {
    FileSystem {
        tells: is_local && TELLING.contains(&name.as_str()),
        name,
    }
}

fn is_elsewhere(name: &str, is_local: bool) -> bool {
    !is_local || ELSEWHERE.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_name_on_this_machine_is_trusted_to_tell() {
        let tells = |name: &str, is_local| by_name(name.to_owned(), is_local).tells;
        assert!(tells("apfs", true) && tells("hfs", true));
        assert!(!tells("apfs", false), "a disk of another machine");
        assert!(!tells("newfs", true) && !tells("macfuse", true) && !tells("nfs", false));
    }

    #[test]
    fn what_lies_elsewhere_is_no_place_for_a_database_whatever_it_calls_itself() {
        for (name, is_local, expected) in [
            ("apfs", true, false),
            ("newfs", true, false),
            ("newfs", false, true),
            ("smbfs", false, true),
            ("macfuse", true, true),
        ] {
            assert_eq!(is_elsewhere(name, is_local), expected, "{name}");
        }
        assert!(TELLING.iter().all(|name| !ELSEWHERE.contains(name)));
    }
}
