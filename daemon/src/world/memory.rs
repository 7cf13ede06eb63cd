//! Files without a name, for what one process gives to another: in memory where the system can, else on the disk for as
//! long as somebody has them open.
//!
//! Asked by `handover` and `image`. What must stay true: nobody finds such a file by a name, and it is gone with the last
//! descriptor of it, whatever ends the processes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;

/// An empty one, which closes on exec. The name is for lists of the system alone.
pub fn file(name: &str) -> io::Result<OwnedFd> {
    if super::stand_ins::in_use() {
        return unlinked(&std::env::temp_dir());
    }
    in_memory(name)
}

#[cfg(target_os = "linux")]
fn in_memory(name: &str) -> io::Result<OwnedFd> {
    use rustix::fs::{MemfdFlags, memfd_create};
    Ok(memfd_create(
        name,
        MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
    )?)
}

#[cfg(not(target_os = "linux"))]
fn in_memory(_: &str) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A file of the user's alone, which has lost its name before anything is written to it.
fn unlinked(folder: &std::path::Path) -> io::Result<OwnedFd> {
    let path = folder.join(format!(
        ".tod-{}-{:016x}",
        std::process::id(),
        super::dir::random()?
    ));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file.into())
}

/// Writes its bytes, once; nobody can change them afterwards where the system can promise that.
pub fn fill(memory: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::from(memory.try_clone()?);
    file.write_all(bytes)?;
    seal(memory)
}

#[cfg(target_os = "linux")]
fn seal(memory: &OwnedFd) -> io::Result<()> {
    use rustix::fs::SealFlags;
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    match rustix::fs::fcntl_add_seals(memory, seals) {
        // A file on the disk.
        Err(rustix::io::Errno::INVAL) => Ok(()),
        sealed => Ok(sealed?),
    }
}

#[cfg(not(target_os = "linux"))]
fn seal(_: &OwnedFd) -> io::Result<()> {
    Ok(())
}

/// The bytes, from the beginning.
pub fn whole(memory: &OwnedFd) -> io::Result<Vec<u8>> {
    use std::io::{Read, Seek};
    let mut file = File::from(memory.try_clone()?);
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn both_kinds_give_back_what_was_written_and_no_name_stands_for_one() {
        let folder = tempfile::tempdir().unwrap();
        for memory in [file("test").unwrap(), unlinked(folder.path()).unwrap()] {
            let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
            fill(&memory, &bytes).unwrap();
            assert_eq!(whole(&memory).unwrap(), bytes);
            assert_eq!(whole(&memory).unwrap(), bytes, "a second time");
            let about = File::from(memory).metadata().unwrap();
            assert_eq!(about.nlink(), 0);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_on_the_disk_is_its_users_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::from(unlinked(folder.path()).unwrap());
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        assert!(unlinked(&folder.path().join("none")).is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_in_memory_cannot_be_changed_once_it_was_filled() {
        let memory = file("test").unwrap();
        fill(&memory, b"state").unwrap();
        assert!(fill(&memory, b"more").is_err());
    }
}
