//! The store's own files beside sled's, and what it asks of the disk.
//!
//! Asked by the rest of `db` alone. sled is opened by path and syncs too little, so this one folder is touched here and
//! not through the world. The files, all in `<state>/db` beside sled's own:
//!
//! - `tod.schema`: the schema's number in decimal. Read before sled opens anything, so that a newer database can be
//!   refused without one byte of it changing.
//! - `tod.mark`: the number of the newest commit that is durable. Written after each flush and never synced: after a
//!   crash of the daemon it is exact, after a power cut it may be old, and it is never ahead of the database. A database
//!   behind its mark has lost something that was promised, however healthy sled finds it.
//! - `tod.ballast`: nothing, in 4 MiB. Given back when the disk is full.
//! - `tod.clean`: names, sizes and times of sled's files after a clean close; gone while the database is open.

#![allow(
    clippy::disallowed_methods,
    reason = "sled is opened by path: its folder is touched here, not by the world"
)]

use std::fmt::Debug;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes kept for a full disk (4 MiB: eight of sled's segments).
pub(super) const BALLAST: u64 = 4 << 20;
/// How the names of regular backups begin.
const BACKUP: &str = "regular-";
const MARK_MAGIC: [u8; 8] = *b"tod-mark";

/// What the store asks of the disk beyond sled: replaced in tests by one that fails or counts.
pub trait Disk: Send + Sync + Debug {
    /// Makes what was written to `file` survive a power cut.
    ///
    /// # Errors
    /// What the system says. After an error nobody knows what is on the disk.
    fn sync(&self, file: &File) -> io::Result<()>;

    /// Bytes that the user may still write on the file system of `folder`.
    ///
    /// # Errors
    /// What the system says.
    fn free(&self, folder: &Path) -> io::Result<u64>;
}

/// The disk itself.
#[derive(Clone, Copy, Debug)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn sync(&self, file: &File) -> io::Result<()> {
        // Data, size and extents; only times are left out, and nothing here depends on them.
        file.sync_data()?;
        // What has no name any more is gone with the process, however well it is synced.
        match file.metadata()?.nlink() {
            0 => Err(io::Error::new(io::ErrorKind::NotFound, "the file was removed")),
            _ => Ok(()),
        }
    }

    fn free(&self, folder: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(folder)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// Where the store's things are within the state folder.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// `<state>`.
    pub(super) state: PathBuf,
    /// `<state>/db`: sled's folder.
    pub(super) db: PathBuf,
    /// `<state>/backups`.
    pub(super) backups: PathBuf,
}

impl Places {
    pub(super) fn new(state: &Path) -> Self {
        Self {
            state: state.to_owned(),
            db: state.join("db"),
            backups: state.join("backups"),
        }
    }

    /// sled's one large file.
    pub(super) fn log(&self) -> PathBuf {
        self.db.join("db")
    }

    /// Its size in bytes, 0 when it is not there.
    pub(super) fn log_size(&self) -> u64 {
        fs::metadata(self.log()).map_or(0, |meta| meta.len())
    }

    /// Makes the folders, private to the user.
    pub(super) fn make(&self) -> io::Result<()> {
        for folder in [&self.state, &self.db, &self.backups] {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        }
        Ok(())
    }

    /// Makes every file in sled's folder private: sled makes them by the process's umask.
    pub(super) fn make_private(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.db)? {
            let entry = entry?;
            let mode = if entry.file_type()?.is_dir() { 0o700 } else { 0o600 };
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// True when sled has been here: it has a log, a snapshot or blobs.
    pub(super) fn has_database(&self) -> io::Result<bool> {
        Ok(!self.sled_files()?.is_empty())
    }

    /// Names of sled's files in its folder, sorted.
    fn sled_files(&self) -> io::Result<Vec<String>> {
        let mut names = names_in(&self.db)?;
        names.retain(|name| matches!(name.as_str(), "db" | "conf" | "blobs") || name.starts_with("snap."));
        Ok(names)
    }

    /// Snapshots whose writing was cut short.
    pub(super) fn leftovers(&self) -> io::Result<Vec<String>> {
        Ok(names_in(&self.db)?
            .into_iter()
            .filter(|name| name.ends_with(".generating"))
            .collect())
    }

    /// The file in which sled keeps its settings, where there is one.
    pub(super) fn settings(&self) -> io::Result<Vec<String>> {
        let names = names_in(&self.db)?;
        Ok(names.into_iter().filter(|name| name == "conf").collect())
    }

    /// Finished snapshots: sled can do without them by reading its whole log.
    pub(super) fn snapshots(&self) -> io::Result<Vec<String>> {
        let snapshot = |name: &String| name.starts_with("snap.") && !name.ends_with(".generating");
        Ok(names_in(&self.db)?.into_iter().filter(snapshot).collect())
    }

    /// The schema's number by `tod.schema`, when that file says one.
    pub(super) fn schema(&self) -> io::Result<Option<u32>> {
        Ok(read_if_there(&self.db.join("tod.schema"))?.and_then(|text| text.trim().parse().ok()))
    }

    /// Whether a schema was ever written down, also where the file says none any more.
    pub(super) fn is_stamped(&self) -> io::Result<bool> {
        fs::exists(self.db.join("tod.schema"))
    }

    pub(super) fn write_schema(&self, schema: u32) -> io::Result<()> {
        write_whole(&self.db.join("tod.schema"), format!("{schema}\n").as_bytes())
    }

    /// Opens the mark for [`write_mark`], making it when it is not there.
    pub(super) fn open_mark(&self, sequence: u64) -> io::Result<File> {
        let path = self.db.join("tod.mark");
        write_whole(&path, &mark_bytes(sequence))?;
        self.open_last_mark()
    }

    /// Opens it as it is.
    pub(super) fn open_last_mark(&self) -> io::Result<File> {
        OpenOptions::new().write(true).open(self.db.join("tod.mark"))
    }

    /// The number of the newest commit that was ever durable, 0 when nobody knows.
    pub(super) fn mark(&self) -> io::Result<u64> {
        let mut bytes = Vec::new();
        match open_file(&self.db.join("tod.mark")).and_then(|mut file| file.read_to_end(&mut bytes)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        }
        let sequence = bytes
            .get(8..16)
            .and_then(|part| part.try_into().ok())
            .map(u64::from_le_bytes);
        Ok(sequence
            .filter(|&sequence| bytes == mark_bytes(sequence))
            .unwrap_or(0))
    }

    /// Notes that sled's files are as its clean close left them.
    pub(super) fn write_clean(&self) -> io::Result<()> {
        write_whole(&self.db.join("tod.clean"), self.fingerprint()?.as_bytes())
    }

    /// True when nothing has touched sled's files since its clean close.
    pub(super) fn is_clean(&self) -> io::Result<bool> {
        let noted = read_if_there(&self.db.join("tod.clean"))?;
        Ok(noted.is_some_and(|noted| self.fingerprint().is_ok_and(|now| now == noted)))
    }

    /// From here on only a clean close can say that it was one.
    pub(super) fn remove_clean(&self) -> io::Result<()> {
        match fs::remove_file(self.db.join("tod.clean")) {
            Ok(()) => sync_folder(&self.db),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes some room while there is plenty, to have it when there is none: sled needs a little to open again after a
    /// full disk has stopped it.
    pub(super) fn take_ballast(&self, free: u64) -> io::Result<()> {
        let path = self.db.join("tod.ballast");
        if free < 4 * BALLAST || fs::symlink_metadata(&path).is_ok_and(|meta| meta.len() == BALLAST) {
            return Ok(());
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        io::copy(&mut io::repeat(0).take(BALLAST), &mut file).map(drop)
    }

    /// Gives that room back.
    pub(super) fn drop_ballast(&self) {
        // Where there was none, nothing is given back.
        drop(fs::remove_file(self.db.join("tod.ballast")));
    }

    fn fingerprint(&self) -> io::Result<String> {
        let mut text = String::new();
        for name in self.sled_files()? {
            let meta = fs::symlink_metadata(self.db.join(&name))?;
            let line = format!(
                "{name} {} {}.{:09}\n",
                meta.len(),
                meta.mtime(),
                meta.mtime_nsec()
            );
            text.push_str(&line);
        }
        Ok(text)
    }

    /// A path `<state>/<stem>`, `<stem>-2`, … that is still free.
    pub(super) fn unused(&self, stem: &str) -> PathBuf {
        let first = self.state.join(stem);
        let numbered = (2_u32..).map(|n| self.state.join(format!("{stem}-{n}")));
        std::iter::once(first.clone())
            .chain(numbered)
            .find(|path| !path.exists())
            .unwrap_or(first)
    }

    /// Removes databases that were being made out of an export when the daemon ended: the export is still there.
    pub(super) fn sweep_drafts(&self) -> io::Result<()> {
        for name in names_in(&self.state)?
            .iter()
            .filter(|name| name.starts_with("db.restoring"))
        {
            let path = self.state.join(name);
            match fs::symlink_metadata(&path)?.is_dir() {
                true => fs::remove_dir_all(path)?,
                false => fs::remove_file(path)?,
            }
        }
        Ok(())
    }

    /// Moves `names` out of sled's folder into `aside`, which is made.
    pub(super) fn set_aside(&self, names: &[String], aside: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(aside)?;
        for name in names {
            fs::rename(self.db.join(name), aside.join(name))?;
        }
        sync_folder(aside)?;
        sync_folder(&self.db)
    }

    /// Moves sled's folder as it is to `aside`, and `fresh` (or an empty folder) into its place, in one step where the
    /// file system can: whoever starts after a crash finds one of the two.
    pub(super) fn replace(&self, aside: &Path, fresh: Option<&Path>) -> io::Result<()> {
        match fresh {
            Some(fresh) => fs::rename(fresh, aside)?,
            None => DirBuilder::new().mode(0o700).create(aside)?,
        }
        if exchange(&self.db, aside).is_err() {
            let between = self.unused("db.between");
            fs::rename(&self.db, &between)?;
            fs::rename(aside, &self.db)?;
            fs::rename(&between, aside)?;
        }
        sync_folder(&self.state)
    }

    /// Removes the oldest of the regular backups until `keep` are left. Their names are their dates.
    pub(super) fn prune_backups(&self, keep: usize) -> io::Result<()> {
        let mut regular: Vec<String> = names_in(&self.backups)?;
        regular.retain(|name| name.starts_with(BACKUP) && name.ends_with(".todexp"));
        let surplus = regular.len().saturating_sub(keep);
        regular
            .iter()
            .take(surplus)
            .try_for_each(|name| fs::remove_file(self.backups.join(name)))
    }

    /// Where the regular backup of `now` goes: names sort by age.
    pub(super) fn backup_of(&self, now: i64) -> PathBuf {
        self.backups.join(format!("{BACKUP}{now:020}.todexp"))
    }

    /// Exports in the backups folder. Their order is not their age: that stands in each.
    pub(super) fn exports(&self) -> io::Result<Vec<PathBuf>> {
        let names = names_in(&self.backups)?;
        Ok(names
            .into_iter()
            .filter(|name| name.ends_with(".todexp"))
            .map(|name| self.backups.join(name))
            .collect())
    }
}

/// Records in `mark` that everything up to `sequence` is durable.
pub(super) fn write_mark(mark: &File, sequence: u64) -> io::Result<()> {
    mark.write_all_at(&mark_bytes(sequence), 0)
}

fn mark_bytes(sequence: u64) -> Vec<u8> {
    let mut bytes = MARK_MAGIC.to_vec();
    bytes.extend_from_slice(&sequence.to_le_bytes());
    let digest = blake3::hash(&bytes);
    bytes.extend_from_slice(&digest.as_bytes()[..8]);
    bytes
}

fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    // A name that is not text is none of ours.
    let mut names = entries
        .map(|entry| Ok(entry?.file_name().into_string().ok()))
        .filter_map(Result::transpose)
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn read_if_there(path: &Path) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    match open_file(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => Ok(String::from_utf8(bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces `path` by `bytes`: the old file or the new one, whatever happens.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("draft");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Exchanges two folders in one step.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// Exchanges two folders in one step.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A private folder that is gone when this is.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn make(folder: PathBuf) -> io::Result<Self> {
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "a scratch folder stays behind");
        }
    }
}

/// Opens `path` for reading, which is enough to sync it and to try its lock.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    let mut reading = OpenOptions::new();
    reading.read(true).custom_flags(crate::world::unwaiting());
    reading.open(path)
}

/// Removes a database that was being made; one that stays is swept up later.
pub(super) fn remove_draft(folder: &Path) {
    drop(fs::remove_dir_all(folder));
}

/// Waits a little for a lock that is about to be let go: the system tells nobody when it is.
pub(super) fn pause() {
    std::thread::sleep(Duration::from_millis(5));
}

/// Makes the names in `folder` survive a power cut.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The name of the network file system with this `statfs` type, if it is one: their locks and syncs promise too little.
#[cfg(any(test, target_os = "linux"))]
pub(super) fn network_file_system(kind: i64) -> Option<&'static str> {
    // Numbers from linux/magic.h and the kernel's fs/smb, fs/ceph and lustre sources.
    match kind & 0xFFFF_FFFF {
        0x6969 => Some("NFS"),
        0xFF53_4D42 | 0x517B | 0xFE53_4D42 => Some("SMB"),
        0x0102_1997 => Some("9p"),
        0x5346_414F | 0x6B41_4653 => Some("AFS"),
        0x00C3_6400 => Some("Ceph"),
        0x7375_7245 => Some("Coda"),
        0x564C => Some("NCP"),
        0x0BD0_0BD0 => Some("Lustre"),
        _ => None,
    }
}

/// The network file system that `folder` is on, if it is one.
#[cfg(target_os = "linux")]
pub(super) fn on_network(folder: &Path) -> io::Result<Option<&'static str>> {
    // The field's width differs between architectures.
    #[allow(
        clippy::useless_conversion,
        clippy::unnecessary_cast,
        reason = "the field's width differs"
    )]
    let kind = rustix::fs::statfs(folder)?.f_type as i64;
    Ok(network_file_system(kind))
}

/// The network file system that `folder` is on, if it is one: whoever made the state folder has looked.
#[cfg(not(target_os = "linux"))]
pub(super) fn on_network(_: &Path) -> io::Result<Option<&'static str>> {
    Ok(None)
}

#[cfg(test)]
mod tests;
