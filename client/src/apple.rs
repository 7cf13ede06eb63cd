//! macOS: what its kernel tells of processes and of its run, asked through the C library, because no text file says it.
//!
//! Asked by `actor` and `guard`, built for macOS only; the daemon has the same questions in its `world/apple.rs`, and both
//! must give the same numbers and words. What must stay true: a buffer is read only when the call has filled it whole.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;

/// A process as the kernel describes it: name, parent, and its start in microseconds since 1970 UTC. None when there is
/// no such process, or when it is another user's.
pub(crate) fn process(pid: u32) -> Option<(String, u32, u64)> {
    let pid = c_int::try_from(pid).ok()?;
    let size = c_int::try_from(size_of::<libc::proc_bsdinfo>()).ok()?;
    let mut info = MaybeUninit::<libc::proc_bsdinfo>::zeroed();
    let buffer = info.as_mut_ptr().cast::<c_void>();
    // SAFETY: the buffer has the size that is named, and belongs to this call alone.
    let filled = unsafe { libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, 0, buffer, size) };
    if filled != size {
        return None;
    }
    // SAFETY: the kernel has filled it whole, and any bytes are a value of this type.
    let info = unsafe { info.assume_init() };
    let start = info
        .pbi_start_tvsec
        .saturating_mul(1_000_000)
        .saturating_add(info.pbi_start_tvusec);
    Some((name(&info.pbi_comm), info.pbi_ppid, start))
}

/// Up to the closing zero, where there is one.
fn name(letters: &[c_char]) -> String {
    let bytes: Vec<u8> = letters
        .iter()
        .map(|letter| letter.cast_unsigned())
        .take_while(|byte| *byte != 0)
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What the kernel calls its run since the machine was switched on; empty where it does not say.
pub(crate) fn boot_id() -> String {
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
