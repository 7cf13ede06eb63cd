//! File systems of our own: one whose power is cut, one that is full. They need root.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use daemon::db::{Db, Health, Options};
use tests::daemon::Bed;
use tests::skip::{skip, tool};
use tests::store::{self, commits, open};
use tests::{deadline, git, process};

use super::{Dice, Writer, nothing_lost, writer_program};

pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("`{program}`: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "`{program}` says: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// A file system that goes when this does.
pub(crate) struct Mount {
    pub(crate) at: PathBuf,
    folder: tempfile::TempDir,
}

impl Mount {
    /// A small ext4 in a file.
    pub(crate) fn ext4() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let image = folder.path().join("image");
        let file = fs::File::create(&image).and_then(|file| file.set_len(256 << 20));
        file.map_err(|error| error.to_string())?;
        run("mkfs.ext4", &["-q", "-F", text(&image)])?;
        Self::new(folder, |image, at| run("mount", &["-o", "loop", image, at]))
    }

    fn tmpfs(size: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let options = format!("size={size}");
        Self::new(folder, |_, at| {
            run("mount", &["-t", "tmpfs", "-o", &options, "none", at])
        })
    }

    fn new(
        folder: tempfile::TempDir,
        mount: impl Fn(&str, &str) -> Result<(), String>,
    ) -> Result<Self, String> {
        let at = folder.path().join("mnt");
        fs::create_dir(&at).map_err(|error| error.to_string())?;
        mount(text(&folder.path().join("image")), text(&at))?;
        Ok(Self { at, folder })
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.at.join("state")
    }

    /// What a machine does after its power came back.
    pub(crate) fn again(&self) {
        // Files of a process that was killed may be closed a moment after it has been waited for.
        deadline::until("it can be unmounted", || run("umount", &[text(&self.at)]).ok());
        let image = self.folder.path().join("image");
        // A test beside this one may have made a mount namespace meanwhile, with a copy of the mount in it: as long as that
        // lives, mounting again would give the file system that was cut off.
        tests::deadline::until("nobody has the image mounted", || {
            let holders = Command::new("losetup").args(["-j", text(&image)]).output().ok()?;
            holders.stdout.is_empty().then_some(())
        });
        run("mount", &["-o", "loop", text(&image), text(&self.at)]).expect("it can be mounted again");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _what_cannot_be_unmounted_stays = run("umount", &[text(&self.at)]);
    }
}

/// Set where the mounts of this process are its own.
pub(crate) const ALONE: &str = "TOD_TEST_ALONE";

/// Runs a test once more in a mount namespace of its own. A namespace that another test makes meanwhile copies every
/// mount it sees and keeps it: the file system whose power was cut would then never be gone, and be found again.
pub(crate) fn alone(test: &str) {
    let apart = ["--mount", "--propagation", "private"];
    if let Err(why) = run("unshare", &[&apart[..], &["true"]].concat()) {
        return skip("powercut", &why);
    }
    let said = Command::new("unshare")
        .args(apart)
        .arg(std::env::current_exe().expect("this program"))
        .args([test, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .expect("`unshare` runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&said.stdout), text(&said.stderr));
    assert!(said.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

/// Twenty cuts: every other round begins with a new database, the others go on with what the last cut left.
#[test]
fn twenty_power_cuts_lose_nothing_that_was_acknowledged() {
    let Some(tool) = tool("powercut.py") else {
        return skip(
            "powercut",
            "`powercut.py` is neither in `TOD_TOOLS` nor in `../shared/tools`",
        );
    };
    if std::env::var_os(ALONE).is_none() {
        return alone("store::mounts::twenty_power_cuts_lose_nothing_that_was_acknowledged");
    }
    let mount = match Mount::ext4() {
        Ok(mount) => mount,
        Err(why) => return skip("powercut", &why),
    };
    let mut dice = Dice(21);
    for round in 0..20 {
        if round % 4 == 0 && mount.state().exists() {
            fs::remove_dir_all(mount.state()).expect("it goes");
        }
        let pause = if round % 2 == 0 { 0 } else { 2_000 };
        let mut writer = Writer::start(&mount.state(), 3, pause);
        let enough = if round % 5 == 4 { 0 } else { 20 + dice.count(400) };
        writer.wait_for(enough);
        run("python3", &[text(&tool), text(&mount.at)]).expect("the power can be cut");
        let acknowledged = writer.kill();
        mount.again();
        let opened = open(&mount.state(), &writer_program())
            .unwrap_or_else(|error| panic!("round {round}: it does not open: {error}"));
        assert!(!opened.recovery.is_loud(), "round {round}: {:?}", opened.recovery);
        nothing_lost(&acknowledged, &commits(&opened.db));
        opened.db.close().expect("it closes");
    }
}

/// Writes until the disk refuses; what happens then is the test's.
fn fill(db: &Db) -> (u32, proto::Error) {
    for number in 0.. {
        if let Err(error) = db.commit(store::batch(0, number)) {
            return (number, error);
        }
    }
    unreachable!("a disk of 40 MB takes four thousand million commits")
}

#[test]
fn a_full_disk_is_read_and_says_so_and_takes_writes_when_there_is_room() {
    for min_free in [0, 6 << 20] {
        let mount = match Mount::tmpfs("40m") {
            Ok(mount) => mount,
            Err(why) => return skip("mount", &why),
        };
        let ballast = mount.at.join("ballast");
        let options = Options {
            min_free,
            ..store::options(&writer_program())
        };
        let db = Db::open(&mount.state(), options.clone()).expect("it opens").db;
        fs::write(&ballast, vec![1; 26 << 20]).expect("it writes");
        let (stored, error) = fill(&db);
        assert!(stored > 100, "{stored} commits, then {error}");
        assert_eq!(error.kind, proto::Kind::Unavailable, "{error}");
        assert!(matches!(db.health(), Health::ReadOnly(_)), "{:?}", db.health());
        // Refused as long as it is full, and every acknowledged record is read.
        let error = db.commit(store::batch(0, stored)).expect_err("it is full");
        assert_eq!(error.kind, proto::Kind::Unavailable, "{error}");
        for number in 0..stored {
            let found = db.get(store::LEFT, &store::key(0, number)).expect("it is read");
            assert_eq!(found, Some(store::value(0, number)));
        }
        fs::remove_file(&ballast).expect("it goes");
        // A commit whose fate was unknown may be there: it is the same one.
        tests::deadline::until("the store takes writes again", || {
            db.commit(store::batch(0, stored)).ok()
        });
        assert_eq!(db.health(), Health::Good);
        assert_eq!(commits(&db), [(0, stored + 1)].into());
        db.close().expect("it closes");
        let opened = Db::open(&mount.state(), options).expect("it opens");
        assert_eq!(commits(&opened.db), [(0, stored + 1)].into());
    }
}

#[test]
fn a_daemon_that_begins_on_a_full_disk_serves_what_is_there() {
    let mount = match Mount::tmpfs("40m") {
        Ok(mount) => mount,
        Err(why) => return skip("mount", &why),
    };
    let bed = Bed::new();
    let project = bed.project("project");
    git::init(&project);
    let state = mount.state();
    let say = |line: &[&str]| {
        let mut command = bed.tocli(line);
        process::run(command.env("TOD_STATE_DIR", &state).current_dir(&project))
    };
    let start = || {
        bed.start_with(|command| {
            command.env("TOD_STATE_DIR", &state);
        })
    };
    let mut daemon = start();
    say(&["task", "add", "One", "--id", "one"]).ok();
    daemon.stop();
    let (fill, rest) = (mount.at.join("fill"), mount.at.join("rest"));
    for (path, piece) in [(&fill, 1 << 20), (&rest, 1)] {
        let mut file = fs::File::create(path).expect("made");
        while file.write_all(&vec![1; piece]).is_ok() {}
    }
    let mut daemon = start();
    assert!(say(&["task", "list"]).ok().text().contains("One"));
    say(&["files"]).ok();
    let full = say(&["task", "add", "Two"]).ends(6);
    assert!(full.err.contains("the disk is full"), "{}", full.err);
    fs::remove_file(&fill).expect("removed");
    deadline::until("it takes records again", || {
        (say(&["task", "add", "Two", "--id", "two"]).code == 0).then_some(())
    });
    daemon.stop();
}
