//! `tod`: the daemon's program (`daemon::program`) as it is released.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::program::main()
}
