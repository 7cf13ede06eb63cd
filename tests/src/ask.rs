//! Requests as a test writes them: one line each, over one connection.
//!
//! Asked by the suite where a whole process for each request would only cost time.

use std::path::Path;

use proto::detect::{Detection, From};
use proto::index::{self, Since, Sync};
use proto::{Answer, Caller, ClientFrame, Error, Item, RawPath, Request, frame};

use crate::wire::Peer;

/// What `changes` says.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The clock for the next question.
    pub clock: String,
    /// Whether everything is to be looked at anew.
    pub fresh: bool,
    /// Whether the answer may miss what happened just before.
    pub unsynced: bool,
    /// The changes.
    pub changes: Vec<index::Change>,
}

impl Peer {
    /// Asks from a working directory with variables.
    ///
    /// # Errors
    /// What the daemon says.
    pub fn call_from(
        &mut self,
        cwd: &Path,
        vars: &[(&str, &Path)],
        request: Request,
    ) -> Result<(Vec<Item>, Answer), Error> {
        let id = self.new_id();
        let caller = Caller {
            cwd: raw(cwd),
            vars: vars
                .iter()
                .map(|(name, value)| ((*name).to_owned(), raw(value)))
                .collect(),
            actor: None,
        };
        let ask = ClientFrame::Ask {
            id,
            deadline_ms: 0,
            request_id: None,
            caller,
            request,
        };
        self.send(&frame::encode(&ask).expect("a request fits in a frame"));
        let (items, answer) = self.answer(id);
        answer.map(|answer| (items, answer))
    }

    /// The project of a working directory.
    ///
    /// # Errors
    /// What the daemon says.
    pub fn detect(&mut self, cwd: &Path) -> Result<Detection, Error> {
        self.detect_from(cwd, &[], From::Caller)
    }

    /// The project of an explicit path.
    ///
    /// # Errors
    /// What the daemon says.
    pub fn detect_explicit(&mut self, path: &Path) -> Result<Detection, Error> {
        self.detect_from(Path::new("/"), &[], From::Explicit(raw(path)))
    }

    /// The project by all that a caller can say.
    ///
    /// # Errors
    /// What the daemon says.
    ///
    /// # Panics
    /// When the answer is to another question.
    pub fn detect_from(
        &mut self,
        cwd: &Path,
        vars: &[(&str, &Path)],
        from: From,
    ) -> Result<Detection, Error> {
        let request = Request::Detect(proto::detect::Request::Find(from));
        match self.call_from(cwd, vars, request)? {
            (_, Answer::Detect(found)) => Ok(found),
            other => panic!("not a detection: {other:?}"),
        }
    }

    /// The files of a project.
    ///
    /// # Errors
    /// What the daemon says.
    ///
    /// # Panics
    /// When the answer is to another question, or not synced.
    pub fn files(&mut self, root: &Path) -> Result<Vec<Vec<u8>>, Error> {
        let request = Request::Index(index::Request::Files {
            at: From::Caller,
            glob: None,
            sync: Sync::Cookie,
        });
        let (items, answer) = self.call_from(root, &[], request)?;
        let synced = matches!(
            answer,
            Answer::Index(index::Answer::Files { unsynced: false, .. })
        );
        assert!(synced, "{answer:?}");
        let part = |item| match item {
            Item::Files(paths) => paths,
            other => panic!("not files: {other:?}"),
        };
        Ok(items
            .into_iter()
            .flat_map(part)
            .map(|path| path.as_bytes().to_vec())
            .collect())
    }

    /// The clock of a project.
    ///
    /// # Errors
    /// What the daemon says.
    ///
    /// # Panics
    /// When the answer is to another question.
    pub fn clock(&mut self, root: &Path) -> Result<String, Error> {
        let request = Request::Index(index::Request::Clock {
            at: From::Caller,
            sync: Sync::Cookie,
        });
        match self.call_from(root, &[], request)? {
            (_, Answer::Index(index::Answer::Clock { clock, .. })) => Ok(clock),
            other => panic!("not a clock: {other:?}"),
        }
    }

    /// What changed since a clock.
    ///
    /// # Errors
    /// What the daemon says.
    ///
    /// # Panics
    /// When the answer is to another question.
    pub fn changes(&mut self, root: &Path, since: &str) -> Result<Changes, Error> {
        self.changes_now_or_then(root, since, false)
    }

    /// What changed since a clock, as soon as something has.
    ///
    /// # Errors
    /// What the daemon says.
    ///
    /// # Panics
    /// When the answer is to another question.
    pub fn wait(&mut self, root: &Path, since: &str) -> Result<Vec<index::Change>, Error> {
        Ok(self.changes_now_or_then(root, since, true)?.changes)
    }

    fn changes_now_or_then(&mut self, root: &Path, since: &str, wait: bool) -> Result<Changes, Error> {
        let request = Request::Index(index::Request::Changes {
            at: From::Caller,
            since: Since::Clock(since.to_owned()),
            wait,
            sync: Sync::Cookie,
        });
        let (items, answer) = self.call_from(root, &[], request)?;
        let Answer::Index(index::Answer::Changes {
            clock,
            fresh_instance,
            unsynced,
            ..
        }) = answer
        else {
            panic!("not changes: {answer:?}");
        };
        let part = |item| match item {
            Item::Changes(changes) => changes,
            other => panic!("not changes: {other:?}"),
        };
        Ok(Changes {
            clock,
            fresh: fresh_instance,
            unsynced,
            changes: items.into_iter().flat_map(part).collect(),
        })
    }
}

/// A path for the wire.
#[must_use]
pub fn raw(path: &Path) -> RawPath {
    RawPath::from(path.to_path_buf())
}

/// How often a loop runs that is worth running often: a part in the suite, all of it with `TOD_FULL=1`.
#[must_use]
pub fn times(in_the_suite: usize, in_full: usize) -> usize {
    if std::env::var_os("TOD_FULL").is_some_and(|full| full == "1") {
        in_full
    } else {
        in_the_suite
    }
}
