//! macOS: what its kernel tells of processes, of its run and of mounts, asked through the C library, because no text file
//! says it.
//!
//! Asked by `process`, `mounts` and `filesystem`, built for macOS only; the clients ask the first two questions in their `apple.rs`, and
//! both must give the same numbers and words. What must stay true: a buffer is read only as far as the call has filled it.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::mounts::Mount;

/// What the kernel says of a process in one of its forms.
///
/// # Safety
/// `T` must be the form that `flavor` stands for, of which any bytes are a value.
unsafe fn told<T>(pid: u32, flavor: c_int) -> Option<T> {
    let pid = c_int::try_from(pid).ok()?;
    let size = c_int::try_from(size_of::<T>()).ok()?;
    let mut info = MaybeUninit::<T>::zeroed();
    let buffer = info.as_mut_ptr().cast::<c_void>();
    // SAFETY: the buffer has the size that is named, and belongs to this call alone.
    let filled = unsafe { libc::proc_pidinfo(pid, flavor, 0, buffer, size) };
    // SAFETY: the kernel has filled it whole.
    (filled == size).then(|| unsafe { info.assume_init() })
}

/// When a process started, in microseconds since 1970 UTC; none when there is no such process of this user.
pub(super) fn started(pid: u32) -> Option<u64> {
    // SAFETY: that is its form.
    let info = unsafe { told::<libc::proc_bsdinfo>(pid, libc::PROC_PIDTBSDINFO) }?;
    // A zombie works on nothing any more.
    (info.pbi_status != libc::SZOMB).then(|| {
        info.pbi_start_tvsec
            .saturating_mul(1_000_000)
            .saturating_add(info.pbi_start_tvusec)
    })
}

/// Resident memory of a process in bytes.
pub(super) fn resident(pid: u32) -> Option<u64> {
    // SAFETY: that is its form.
    let info = unsafe { told::<libc::proc_taskinfo>(pid, libc::PROC_PIDTASKINFO) }?;
    Some(info.pti_resident_size)
}

/// What the kernel calls its run since the machine was switched on; empty where it does not say.
pub(super) fn boot_id() -> String {
    let mut text = [0_u8; 64];
    let mut length = text.len();
    let buffer = text.as_mut_ptr().cast::<c_void>();
    // SAFETY: the name ends with a zero, `length` is that of the buffer, and nothing is set.
    let asked = unsafe {
        libc::sysctlbyname(
            c"kern.bootsessionuuid".as_ptr(),
            buffer,
            &raw mut length,
            std::ptr::null_mut(),
            0,
        )
    };
    let told = (asked == 0)
        .then(|| CStr::from_bytes_until_nul(&text).ok())
        .flatten();
    told.map(|id| id.to_string_lossy().trim().to_owned())
        .unwrap_or_default()
}

/// What is mounted, from the kernel's memory: no file system is asked, so none can hang. None when it does not say.
fn mounts() -> Option<Vec<Mount>> {
    // SAFETY: without a buffer it only counts.
    let count = unsafe { libc::getfsstat(std::ptr::null_mut(), 0, libc::MNT_NOWAIT) };
    // Some more than there are now: another may come between the two calls.
    let room = usize::try_from(count).ok()? + 16;
    let mut table: Vec<libc::statfs> = Vec::with_capacity(room);
    let size = c_int::try_from(room * size_of::<libc::statfs>()).ok()?;
    // SAFETY: the buffer has the size that is named, in bytes.
    let count = unsafe { libc::getfsstat(table.as_mut_ptr(), size, libc::MNT_NOWAIT) };
    let count = usize::try_from(count).ok().filter(|count| *count <= room)?;
    // SAFETY: the kernel has filled so many, and there is room for them.
    unsafe { table.set_len(count) };
    Some(table.iter().map(mount).collect())
}

/// The kernel's table, which says nothing of changes: whoever asks compares.
pub(super) struct Source;

impl Source {
    pub(super) fn open() -> Self {
        Self
    }

    /// The mounts, where they are not these any more; an empty table where the kernel does not say.
    pub(super) fn changed(&mut self, known: &[Mount]) -> Option<io::Result<Vec<Mount>>> {
        let found = mounts().unwrap_or_default();
        (found != known).then_some(Ok(found))
    }
}

fn mount(line: &libc::statfs) -> Mount {
    // SAFETY: it is two 32-bit numbers, of which the first is the device that `stat` names.
    let [device, _]: [i32; 2] = unsafe { std::mem::transmute_copy(&line.f_fsid) };
    Mount {
        // As the device of a `stat` is widened.
        id: i64::from(device).cast_unsigned(),
        point: PathBuf::from(OsStr::from_bytes(&text(&line.f_mntonname))),
        kind: String::from_utf8_lossy(&text(&line.f_fstypename)).into_owned(),
        read_only: line.f_flags & libc::MNT_RDONLY.cast_unsigned() != 0,
    }
}

/// Up to the closing zero, where there is one.
fn text(letters: &[c_char]) -> Vec<u8> {
    let bytes = letters.iter().map(|letter| letter.cast_unsigned());
    bytes.take_while(|byte| *byte != 0).collect()
}

/// The name of a file system, and whether it lies on this machine.
pub(super) fn file_system(found: &libc::statfs) -> (String, bool) {
    let name = String::from_utf8_lossy(&text(&found.f_fstypename)).into_owned();
    (name, found.f_flags & libc::MNT_LOCAL.cast_unsigned() != 0)
}
