//! Operations on files and folders, as programs make them.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use super::{NAMES, Walk, names_in};

/// Folders that are made at once, and removed at once.
const MANY: usize = 2000;

impl Walk<'_> {
    pub(super) fn on_files(&mut self) {
        let (new, old) = (self.path(), self.there());
        if old == self.scene.root {
            return self.write(&new);
        }
        match self.chance.below(44) {
            0..=11 => self.write(&new),
            12..=15 => self.write(&old),
            16..=18 => self.did("remove", &[&old], fs::remove_file(&old)),
            19 if self.chance.below(3) == 0 => self.did("remove all", &[&old], fs::remove_dir_all(&old)),
            20..=25 => self.did("rename", &[&old, &new], fs::rename(&old, &new)),
            26..=28 => self.leaf(&new),
            29 | 30 => self.did("link", &[&old, &new], symlink(&old, &new)),
            31 | 32 => self.give_another_name(&old, &new),
            33 | 34 => self.leave_a_link(&old, &new),
            35 | 36 => self.shift(&old),
            37 | 38 => self.move_and_edit(&old, &new),
            39 => self.mode(&old),
            40 => self.replace(&old),
            41 => self.swap(&old),
            42 if self.chance.below(12) == 0 => self.make_many(),
            _ => self.leaf(&new),
        }
    }

    fn give_another_name(&mut self, old: &Path, new: &Path) {
        let linked = fs::hard_link(old, new);
        if linked.is_ok() {
            self.linked
                .extend(fs::symlink_metadata(new).map(|about| about.ino()));
        }
        self.did("hard link", &[old, new], linked);
    }

    pub(super) fn did(&mut self, what: &str, paths: &[&Path], result: io::Result<()>) {
        match result {
            Ok(()) => self.note(what, paths),
            Err(_what_cannot_be_done_is_not) => {}
        }
    }

    pub(super) fn write(&mut self, path: &Path) {
        // Not through a link: what it leads to may be outside.
        if path.is_symlink() {
            return;
        }
        if let Some(folder) = path.parent() {
            drop(fs::create_dir_all(folder));
        }
        let text = "x".repeat(self.chance.below(50));
        self.did("write", &[path], fs::write(path, text));
    }

    /// `mkdir -p` and a file at once.
    fn leaf(&mut self, path: &Path) {
        let deep = path.join("new/er/est");
        let made = fs::create_dir_all(&deep).and_then(|()| fs::write(deep.join("leaf"), "1"));
        self.did("mkdir -p and a leaf", &[path], made);
    }

    /// `mv foo bar && ln -s bar foo`.
    fn leave_a_link(&mut self, old: &Path, new: &Path) {
        let moved = fs::rename(old, new).and_then(|()| symlink(new, old));
        self.did("mv and ln -s", &[old, new], moved);
    }

    /// A chain of moves in which every name is used again: a to b, and what was there to c, …
    fn shift(&mut self, old: &Path) {
        let Some(folder) = old.parent() else { return };
        let aside = folder.join("aside.tmp");
        let mut to = aside.clone();
        let mut names = names_in(folder);
        names.truncate(5);
        for from in names.iter().filter(|name| **name != aside) {
            self.did("rename", &[from, &to], fs::rename(from, &to));
            to.clone_from(from);
        }
        self.did("rename", &[&aside, &to], fs::rename(&aside, &to));
    }

    /// A folder is renamed, and what lies deep in it edited at once.
    fn move_and_edit(&mut self, old: &Path, new: &Path) {
        self.did("rename", &[old, new], fs::rename(old, new));
        let mut at = new.to_path_buf();
        while at.is_dir() && !at.is_symlink() {
            match names_in(&at).into_iter().next() {
                Some(next) => at = next,
                None => break,
            }
        }
        if at.is_dir() {
            at.push(self.chance.of(&NAMES));
        }
        self.write(&at);
    }

    fn mode(&mut self, path: &Path) {
        use std::os::unix::fs::PermissionsExt;
        let mode = if self.chance.below(2) == 0 { 0o755 } else { 0o700 };
        if path.is_symlink() {
            return;
        }
        let set = fs::set_permissions(path, fs::Permissions::from_mode(mode));
        self.did("chmod", &[path], set);
    }

    /// As editors do: a new file, renamed over the old one.
    fn replace(&mut self, old: &Path) {
        let mut beside = old.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        self.write(&beside);
        self.did("replace", &[&beside, old], fs::rename(&beside, old));
    }

    /// Two names change places in one step.
    fn swap(&mut self, old: &Path) {
        let other = self.there();
        let (here, flags) = (rustix::fs::CWD, rustix::fs::RenameFlags::EXCHANGE);
        let done = rustix::fs::renameat_with(here, old, here, &other, flags);
        self.did("swap", &[old, &other], done.map_err(Into::into));
    }

    fn many(&self) -> PathBuf {
        self.scene.root.join("many")
    }

    fn make_many(&mut self) {
        let many = self.many();
        let made = (0..MANY).try_for_each(|number| {
            let folder = many.join(format!("{}/{number}", number % 20));
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("f"), "1")
        });
        self.did("two thousand folders", &[&many], made);
    }

    /// Whether they were there, and are no more.
    pub(super) fn remove_many(&mut self) -> bool {
        let many = self.many();
        let gone = fs::remove_dir_all(&many);
        let was_there = gone.is_ok();
        self.did("remove all", &[&many], gone);
        was_there
    }
}
