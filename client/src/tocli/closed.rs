//! Whether there is a standard output at all.
//!
//! Asked by `out` and `wrong`. Before `main`, Rust's runtime opens `/dev/null` in place of a standard descriptor that is
//! closed, and afterwards nobody can tell that from a `/dev/null` that somebody meant. So the look is taken before it, by
//! a function that the system calls when it has loaded the program.
//!
//! What must stay true: that function does nothing but one system call and one store, for nothing is set up yet.

// The section of a function that runs first is given by an attribute that counts as unsafe.
#![allow(unsafe_code)]

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static CLOSED: AtomicBool = AtomicBool::new(false);

#[used]
#[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
static FIRST: extern "C" fn() = look;

extern "C" fn look() {
    let found = rustix::io::fcntl_getfd(rustix::stdio::stdout());
    CLOSED.store(found == Err(rustix::io::Errno::BADF), Ordering::Relaxed);
}

/// Whether standard output was closed when the program began.
pub(crate) fn at_start() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

/// A closed standard output: nothing can be written, and writing nothing is no failure.
#[derive(Debug)]
pub(crate) struct Shut;

impl Write for Shut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match bytes {
            [] => Ok(0),
            _ => Err(rustix::io::Errno::BADF.into()),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
