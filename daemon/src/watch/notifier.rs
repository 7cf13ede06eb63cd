//! The system's own watcher through the `notify` crate: macOS and Windows, and any system whose user wants it.
//!
//! Started by a tree's thread, whose mailbox it fills. What must stay true: nothing that it says is believed, and nothing
//! that it does not say is taken for unchanged: a path is where to look, a question looks everywhere. On Linux it tells of
//! every opening too, which our own looking does, so that is passed over; and it watches a new directory only after it
//! has told of it, so such a path is looked at once more when that is done.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use notify::event::{CreateKind, ModifyKind};
use notify::{Config, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::{Event, Mailbox};

/// A new directory is looked at again after one to two of these: by then it is watched.
const AGAIN: Duration = Duration::from_millis(100);
/// More new directories than this are looked at as a whole.
const MANY: usize = 10_000;

/// A watcher of one root and all beneath it, for as long as it is kept.
pub struct Notifier {
    /// It tells for as long as it is kept.
    _watcher: RecommendedWatcher,
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Notifier")
            .field(&RecommendedWatcher::kind())
            .finish()
    }
}

impl Notifier {
    /// Watches `root`, absolute and without links. On Linux that takes a walk over all directories.
    ///
    /// # Errors
    /// Why the system does not watch it, as a sentence's part.
    pub fn start(root: &Path, mailbox: Arc<dyn Mailbox>) -> Result<Self, String> {
        let (again, due) = mpsc::channel();
        let (told, ear) = (
            mailbox.clone(),
            Ear {
                root: root.to_path_buf(),
                mailbox,
                again,
            },
        );
        std::thread::Builder::new()
            .name("look again".into())
            .spawn(move || look_again(&due, &*told))
            .map_err(|error| error.to_string())?;
        let config = Config::default().with_follow_symlinks(false);
        let mut watcher = RecommendedWatcher::new(ear, config).map_err(|error| error.to_string())?;
        watcher
            .watch(root, RecursiveMode::Recursive)
            .map_err(|error| error.to_string())?;
        Ok(Self { _watcher: watcher })
    }
}

/// What the watcher calls.
struct Ear {
    root: PathBuf,
    mailbox: Arc<dyn Mailbox>,
    again: Sender<Vec<u8>>,
}

impl notify::EventHandler for Ear {
    fn handle_event(&mut self, event: notify::Result<notify::Event>) {
        let events = match event {
            Ok(event) => heard(&self.root, &event),
            Err(error) => {
                tracing::debug!(%error, "the system's watcher has trouble");
                vec![Event::Lost]
            }
        };
        if events.is_empty() {
            return;
        }
        for event in events {
            if let Event::Path { path, is_new: true } = &event {
                // Whoever looks again ends with this.
                let _ended = self.again.send(path.clone());
            }
            self.mailbox.deliver(event);
        }
        self.mailbox.wake();
    }
}

/// What an event says to us.
fn heard(root: &Path, event: &notify::Event) -> Vec<Event> {
    if event.need_rescan() {
        return vec![Event::Lost];
    }
    let is_new = match event.kind {
        EventKind::Access(_) => return Vec::new(),
        EventKind::Create(CreateKind::File) => false,
        EventKind::Create(_) | EventKind::Modify(ModifyKind::Name(_)) | EventKind::Any => true,
        _ => false,
    };
    if event.paths.is_empty() {
        return vec![Event::Lost];
    }
    let told = |path: &PathBuf| match path.strip_prefix(root) {
        Ok(path) => Event::Path {
            path: path.as_os_str().as_bytes().to_vec(),
            is_new,
        },
        Err(_) => Event::Lost,
    };
    event.paths.iter().map(told).collect()
}

/// Tells of each path once more, one to two turns after it came.
fn look_again(due: &Receiver<Vec<u8>>, mailbox: &dyn Mailbox) {
    let (mut young, mut old) = (BTreeSet::new(), BTreeSet::new());
    let mut turn = Instant::now();
    loop {
        let left = turn.saturating_duration_since(Instant::now());
        let next = match (young.is_empty() && old.is_empty(), left.is_zero()) {
            (true, _) => due.recv().map_err(|_| RecvTimeoutError::Disconnected),
            // A steady stream must not put the turn off.
            (false, true) => Err(RecvTimeoutError::Timeout),
            (false, false) => due.recv_timeout(left),
        };
        match next {
            Ok(path) => {
                if young.is_empty() && old.is_empty() {
                    turn = Instant::now() + AGAIN;
                }
                young.insert(path);
                if young.len() > MANY {
                    young.clear();
                    mailbox.deliver(Event::Lost);
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                for path in std::mem::replace(&mut old, std::mem::take(&mut young)) {
                    mailbox.deliver(Event::Path { path, is_new: false });
                }
                mailbox.wake();
                turn = Instant::now() + AGAIN;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{AccessKind, Flag, RemoveKind};
    use std::sync::{Condvar, Mutex};

    fn said(kind: EventKind, path: &str) -> notify::Event {
        notify::Event::new(kind).add_path(path.into())
    }

    #[test]
    fn an_event_says_where_to_look_and_nothing_else() {
        let root = Path::new("/p");
        let path = |path: &str, is_new| Event::Path {
            path: path.into(),
            is_new,
        };
        let create = EventKind::Create(CreateKind::Folder);
        assert_eq!(heard(root, &said(create, "/p/a/b")), [path("a/b", true)]);
        let file = EventKind::Create(CreateKind::File);
        assert_eq!(heard(root, &said(file, "/p/f")), [path("f", false)]);
        assert_eq!(
            heard(root, &said(EventKind::Remove(RemoveKind::Any), "/p")),
            [path("", false)]
        );
        assert_eq!(heard(root, &said(EventKind::Access(AccessKind::Any), "/p/a")), []);
        assert_eq!(heard(root, &said(create, "/q")), [Event::Lost]);
        assert_eq!(
            heard(root, &said(create, "/p/a").set_flag(Flag::Rescan)),
            [Event::Lost]
        );
        assert_eq!(heard(root, &notify::Event::new(EventKind::Any)), [Event::Lost]);
    }

    #[derive(Default)]
    struct Kept(Mutex<Vec<Event>>, Condvar);

    impl Mailbox for Kept {
        fn deliver(&self, event: Event) {
            self.0.lock().unwrap().push(event);
        }

        fn wake(&self) {
            self.1.notify_all();
        }
    }

    impl Kept {
        fn until(&self, enough: impl Fn(&[Event]) -> bool) {
            let held = self.0.lock().unwrap();
            let limit = Duration::from_secs(60);
            let (held, waited) = self
                .1
                .wait_timeout_while(held, limit, |events| !enough(events))
                .unwrap();
            assert!(!waited.timed_out(), "{:?}", *held);
        }
    }

    #[test]
    fn a_new_directory_is_told_of_twice_and_our_own_reading_never() {
        let (folder, kept) = (tempfile::tempdir().unwrap(), Arc::new(Kept::default()));
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("old")).unwrap();
        std::fs::write(root.join("old/f"), "1").unwrap();
        let notifier = Notifier::start(&root, kept.clone()).unwrap();
        std::fs::read_dir(root.join("old")).unwrap().for_each(drop);
        std::fs::read(root.join("old/f")).unwrap();
        std::fs::create_dir(root.join("new")).unwrap();
        let of_new = |events: &[Event]| {
            let is_it = |event: &&Event| matches!(event, Event::Path { path, .. } if path == b"new");
            events.iter().filter(is_it).count()
        };
        kept.until(|events| of_new(events) == 2);
        let all = kept.0.lock().unwrap().clone();
        assert_eq!(all.len(), 2, "{all:?}");
        drop(notifier);
    }
}
