//! The simulated disk as the engine asks it: before each call something may happen, or the call may fail.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::fs::{Fs, Obj, ROOT};
use super::work;
use crate::index::disk::Disk;
use crate::watch::{WatchError, Wd};
use crate::world::FileKind;
use crate::world::dir::Meta;

/// A disk in memory on which something may happen before each call.
#[derive(Clone, Debug)]
pub(super) struct SimDisk(Arc<Mutex<Fs>>);

/// An open directory: as long as it is, its number is not given to another, and its watch does not end.
#[derive(Debug)]
pub(super) struct Handle {
    obj: Obj,
    fs: Arc<Mutex<Fs>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.fs.lock().unwrap().close(self.obj);
    }
}

impl SimDisk {
    pub(super) fn new(fs: Fs) -> Self {
        Self(Arc::new(Mutex::new(fs)))
    }

    fn handle(&self, fs: &mut Fs, found: Option<Obj>) -> io::Result<Handle> {
        fs.call()?;
        let obj = dir_of(fs, found)?;
        fs.open(obj);
        let fs = self.0.clone();
        Ok(Handle { obj, fs })
    }

    pub(super) fn quiet(&self) -> MutexGuard<'_, Fs> {
        self.0.lock().unwrap()
    }

    /// Something may happen, and more often than elsewhere in the directory at which the engine is.
    fn busy(&self, at: Option<&Handle>) -> MutexGuard<'_, Fs> {
        let mut fs = self.quiet();
        fs.follow_script();
        while fs.budget > 0 && fs.happens() {
            fs.budget -= 1;
            fs.near = at.map(|dir| dir.obj);
            work::step(&mut fs);
            fs.near = None;
        }
        fs
    }
}

fn dir_of(fs: &Fs, found: Option<Obj>) -> io::Result<Obj> {
    let obj = found.ok_or(io::ErrorKind::NotFound)?;
    if fs.is_dir(obj) {
        Ok(obj)
    } else {
        Err(io::ErrorKind::NotADirectory.into())
    }
}

fn file_of(fs: &Fs, found: Option<Obj>, limit: usize) -> io::Result<Vec<u8>> {
    let thing = fs.get(found.ok_or(io::ErrorKind::NotFound)?);
    match thing.meta.kind {
        FileKind::File if thing.data.len() <= limit => Ok(thing.data.clone()),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

impl Disk for SimDisk {
    type Dir = Handle;

    fn open(&self, path: &[u8]) -> io::Result<Handle> {
        let mut fs = self.busy(None);
        let found = fs.find(ROOT, path);
        self.handle(&mut fs, found)
    }

    fn open_at(&self, dir: &Handle, path: &[u8]) -> io::Result<Handle> {
        let mut fs = self.busy(Some(dir));
        let found = fs.find(dir.obj, path);
        self.handle(&mut fs, found)
    }

    fn list(&self, dir: &Handle, each: &mut dyn FnMut(&[u8], Option<FileKind>)) -> io::Result<()> {
        let mut fs = self.busy(Some(dir));
        fs.call()?;
        fs.call_to_list(dir.obj)?;
        fs.tell_reading(dir.obj);
        for (name, &obj) in &fs.get(dir.obj).children {
            each(name, (obj % 7 != 0).then_some(fs.get(obj).meta.kind));
        }
        Ok(())
    }

    fn stat(&self, dir: &Handle, name: &[u8]) -> io::Result<Meta> {
        let mut fs = self.busy(Some(dir));
        fs.call()?;
        Ok(fs
            .get(fs.find(dir.obj, name).ok_or(io::ErrorKind::NotFound)?)
            .meta)
    }

    fn identity(&self, dir: &Handle) -> io::Result<Meta> {
        Ok(self.busy(Some(dir)).get(dir.obj).meta)
    }

    fn read(&self, dir: &Handle, name: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        let mut fs = self.busy(Some(dir));
        fs.call()?;
        file_of(&fs, fs.find(dir.obj, name), limit)
    }

    fn read_file(&self, path: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        let mut fs = self.busy(None);
        fs.call()?;
        file_of(&fs, fs.find(ROOT, path), limit)
    }

    fn stat_file(&self, path: &[u8]) -> io::Result<Meta> {
        let mut fs = self.busy(None);
        fs.call()?;
        Ok(fs.get(fs.find(ROOT, path).ok_or(io::ErrorKind::NotFound)?).meta)
    }

    fn watch(&self, dir: &Handle, _dev: u64) -> Result<Wd, WatchError> {
        let mut fs = self.busy(Some(dir));
        if fs.is_silent(dir.obj) {
            return Err(WatchError::Silent("silent".into()));
        }
        fs.watch(dir.obj).ok_or(WatchError::Limit)
    }

    fn failure(&self) -> Option<String> {
        let fs = self.quiet();
        (fs.shortage.failed > 0 && !fs.shortage.is_hushed).then(|| "a call failed".into())
    }

    fn failed_calls(&self) -> u64 {
        let fs = self.quiet();
        match fs.shortage.is_hushed {
            true => 0,
            false => fs.shortage.failed,
        }
    }

    fn failures_here(&self) -> u64 {
        self.quiet().shortage.ever
    }

    fn forget_failure(&self) {
        self.quiet().shortage.failed = 0;
    }

    fn mounts_in(&self, _path: &[u8]) -> Vec<(u64, Vec<u8>)> {
        Vec::new()
    }

    fn unwatch(&self, wd: Wd) {
        self.quiet().unwatch(wd);
    }

    fn now(&self) -> i64 {
        self.quiet().time()
    }

    fn granularity(&self) -> i64 {
        0
    }
}
