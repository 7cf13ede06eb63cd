//! The user's service manager, where the daemon is one of its units: a daemon started by it is out of our sandbox and out
//! of our terminal's session.
//!
//! Asked by `start`. What must stay true: it is asked only for the daemon of the default places, because a unit knows no
//! others; a manager that does not answer costs a few seconds and nothing else.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::Options;
use crate::connect::PAUSE;

/// The unit of `packaging/systemd` that starts the daemon with the first connection.
const UNIT: &str = "tod.socket";

/// Has the user's service manager start the daemon where it is one of its units and these are its places; whether it
/// did.
pub(crate) fn start(options: &Options) -> bool {
    let named = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let Some(runtime) = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) else {
        return false;
    };
    let default = !named("TOD_SOCKET") && !named("TOD_STATE_DIR") && options.program.is_none();
    if !default || !runtime.join("systemd/private").exists() || !unit_installed(options) {
        return false;
    }
    let status = Command::new("systemctl")
        .args(["--user", "--quiet", "start", UNIT])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .and_then(|mut child| wait(&mut child, Duration::from_secs(5)));
    status.is_ok_and(|status| status.success())
}

/// The folders of user units that `systemd.unit(5)` lists and an installation uses.
fn unit_installed(options: &Options) -> bool {
    let of_user = options.places.config_dir.as_deref().and_then(Path::parent);
    let of_user = of_user.map(|config| config.join("systemd/user"));
    let of_system = [
        "/etc/systemd/user",
        "/usr/local/lib/systemd/user",
        "/usr/lib/systemd/user",
    ];
    of_user
        .into_iter()
        .chain(of_system.iter().map(PathBuf::from))
        .any(|folder| folder.join(UNIT).is_file())
}

fn wait(child: &mut Child, limit: Duration) -> std::io::Result<ExitStatus> {
    let until = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= until {
            child.kill()?;
            return child.wait();
        }
        std::thread::sleep(PAUSE);
    }
}
