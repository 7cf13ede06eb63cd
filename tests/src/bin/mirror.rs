//! A file system of FUSE that shows a folder, read-only, and keeps nothing: what is changed in the folder is changed
//! behind the kernel's back, as another machine changes a network file system. It ends when it is unmounted, or with the
//! process that started it.
//!
//! usage: mirror FOLDER PARENT <DEVICE    where DEVICE is the opened `/dev/fuse` of the mount

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

const ROOT: u64 = 1;
const ENOENT: i32 = 2;
const EIO: i32 = 5;
const ENOSYS: i32 = 38;
/// Nothing of a file is kept by the kernel.
const DIRECT_IO: u32 = 1;

/// One name at one inode: the kernel may know a node for as long as it likes.
type Key = (PathBuf, u64);

struct Mirror {
    folder: PathBuf,
    paths: HashMap<u64, PathBuf>,
    nodes: HashMap<Key, u64>,
}

/// A reply in the making: numbers in the machine's own order, as the kernel wants them.
#[derive(Default)]
struct Reply(Vec<u8>);

impl Reply {
    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_ne_bytes());
        self
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_ne_bytes());
        self
    }

    fn zeros(mut self, count: usize) -> Self {
        self.0.resize(self.0.len() + count, 0);
        self
    }

    fn attributes(self, about: &Metadata) -> Self {
        let second = |time: i64| time.cast_unsigned();
        let part = |time: i64| u32::try_from(time).unwrap_or(0);
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        self.u64(about.ino())
            .u64(about.len())
            .u64(about.blocks())
            .u64(second(about.atime()))
            .u64(second(about.mtime()))
            .u64(second(about.ctime()))
            .u32(part(about.atime_nsec()))
            .u32(part(about.mtime_nsec()))
            .u32(part(about.ctime_nsec()))
            .u32(about.mode())
            .u32(small(about.nlink()))
            .u32(about.uid())
            .u32(about.gid())
            .u32(0)
            .u32(4096)
            .u32(0)
    }
}

fn number(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_ne_bytes(word)
}

fn small(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_ne_bytes(word)
}

fn code(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(EIO)
}

impl Mirror {
    fn path(&self, node: u64) -> Result<PathBuf, i32> {
        let path = self.paths.get(&node).ok_or(ENOENT)?;
        Ok(self.folder.join(path))
    }

    /// None for what wants no reply.
    fn answer(&mut self, code: u32, node: u64, body: &[u8]) -> Option<Result<Reply, i32>> {
        let answer = match code {
            1 => self.lookup(node, body),
            // FORGET, INTERRUPT, BATCH_FORGET.
            2 | 36 | 42 => return None,
            3 => self.attributes(node),
            5 => self.link(node),
            // OPEN, OPENDIR.
            14 | 27 => Ok(Reply::default().u64(0).u32(DIRECT_IO).u32(0)),
            15 => self.read(node, body),
            17 => Ok(Reply::default().zeros(40).u32(4096).u32(255).u32(4096).zeros(28)),
            // RELEASE, FLUSH, RELEASEDIR, ACCESS.
            18 | 25 | 29 | 34 => Ok(Reply::default()),
            // INIT: version 7.31, no more than the default of anything.
            26 => Ok(Reply::default()
                .u32(7)
                .u32(31)
                .u32(65536)
                .zeros(8)
                .u32(65536)
                .u32(1)
                .zeros(36)),
            28 => self.list(node, body),
            _ => Err(ENOSYS),
        };
        Some(answer)
    }

    fn lookup(&mut self, parent: u64, body: &[u8]) -> Result<Reply, i32> {
        let name = body.split(|byte| *byte == 0).next().unwrap_or_default();
        let path = self
            .paths
            .get(&parent)
            .ok_or(ENOENT)?
            .join(OsStr::from_bytes(name));
        let about = fs::symlink_metadata(self.folder.join(&path)).map_err(|error| code(&error))?;
        let next = ROOT + 1 + self.nodes.len() as u64;
        let node = *self.nodes.entry((path.clone(), about.ino())).or_insert(next);
        self.paths.insert(node, path);
        Ok(Reply::default().u64(node).u64(0).zeros(24).attributes(&about))
    }

    fn attributes(&self, node: u64) -> Result<Reply, i32> {
        let about = fs::symlink_metadata(self.path(node)?).map_err(|error| code(&error))?;
        Ok(Reply::default().zeros(16).attributes(&about))
    }

    fn link(&self, node: u64) -> Result<Reply, i32> {
        let target = fs::read_link(self.path(node)?).map_err(|error| code(&error))?;
        Ok(Reply(target.as_os_str().as_bytes().to_vec()))
    }

    fn read(&self, node: u64, body: &[u8]) -> Result<Reply, i32> {
        let mut bytes = Vec::new();
        let mut file = File::open(self.path(node)?).map_err(|error| code(&error))?;
        file.seek(io::SeekFrom::Start(number(body, 8)))
            .map_err(|error| code(&error))?;
        file.take(u64::from(small(body, 16)))
            .read_to_end(&mut bytes)
            .map_err(|error| code(&error))?;
        Ok(Reply(bytes))
    }

    fn list(&self, node: u64, body: &[u8]) -> Result<Reply, i32> {
        let (from, limit) = (number(body, 8), small(body, 16) as usize);
        let mut entries: Vec<_> = fs::read_dir(self.path(node)?)
            .map_err(|error| code(&error))?
            .flatten()
            .collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut reply = Reply::default();
        for (place, entry) in entries
            .iter()
            .enumerate()
            .skip(usize::try_from(from).unwrap_or(usize::MAX))
        {
            let name = entry.file_name();
            let padding = name.len().next_multiple_of(8) - name.len();
            if reply.0.len() + 24 + name.len() + padding > limit {
                break;
            }
            let ino = entry.metadata().map_or(1, |about| about.ino());
            let length = u32::try_from(name.len()).unwrap_or(0);
            reply = reply.u64(ino).u64(place as u64 + 1).u32(length).u32(0);
            reply.0.extend(name.as_bytes());
            reply = reply.zeros(padding);
        }
        Ok(reply)
    }
}

fn main() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut words = std::env::args().skip(1);
    let (Some(folder), Some(parent)) = (words.next(), words.next()) else {
        return Err(io::Error::other("usage: mirror FOLDER PARENT <DEVICE"));
    };
    let alive = rustix::process::getppid().is_some_and(|pid| pid.as_raw_nonzero().to_string() == parent);
    if !alive {
        return Ok(());
    }
    let mut mirror = Mirror {
        folder: fs::canonicalize(folder)?,
        paths: HashMap::from([(ROOT, Path::new("").to_path_buf())]),
        nodes: HashMap::new(),
    };
    let device = rustix::stdio::stdin();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let length = match rustix::io::read(device, &mut *buffer) {
            Ok(length) => length,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::NOENT | rustix::io::Errno::AGAIN) => continue,
            // It was unmounted.
            Err(rustix::io::Errno::NODEV) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let asked = &buffer[..length];
        let Some(answer) = mirror.answer(small(asked, 4), number(asked, 16), &asked[40..]) else {
            continue;
        };
        let (error, body) = match answer {
            Ok(reply) => (0, reply.0),
            Err(error) => (error, Vec::new()),
        };
        let total = u32::try_from(16 + body.len()).map_err(io::Error::other)?;
        let mut reply = Reply::default().u32(total).0;
        reply.extend((-error).to_ne_bytes());
        reply.extend(number(asked, 8).to_ne_bytes());
        reply.extend(body);
        // An answer that nobody waits for any more is not wanted.
        match rustix::io::write(device, &reply) {
            Ok(_) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
