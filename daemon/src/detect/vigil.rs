//! Remembered answers under watch: whether any name or mode that one came from has been touched since it was last
//! checked.
//!
//! The cache asks before it goes by the stamps, which cost a call for each directory on the way; this costs one for all.
//! The bytes of files are not left to it: a write through a mapping, or by a file system stacked on this one, makes no
//! event. What must stay true: watches stand before the check that they vouch for, those of a directory before those of
//! what it holds; an event that another request took from the queue is not lost to the answer it concerns, nor to a
//! check that is under way; whatever cannot be watched is checked by its stamps as before.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::look::Trace;
use super::scope::{Scope, places};
use crate::world::World;
use crate::world::events::{Events, Watch, What, tells_all};

/// Of the user's watches (8,192 on the smallest systems) this room takes no more; an answer needs about ten.
const MOST_WATCHES: usize = 2048;

/// The name under which an answer is watched.
pub(super) type Post = u64;

/// All answers under watch.
#[derive(Default)]
pub(super) struct Vigil {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    source: Source,
    posts: HashMap<Post, Watched>,
    interests: HashMap<Watch, Vec<Interest>>,
    count: u64,
}

#[derive(Default)]
enum Source {
    #[default]
    Unopened,
    Open(Box<dyn Events>),
    /// The system has none, or it was not wanted.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watched {
    /// Not yet.
    Not,
    /// No longer: a watch has ended by itself.
    Ended,
    /// It cannot be.
    Never,
    /// Watches stand: when the last check began, whether it ended well, and whether something was touched since then.
    Standing {
        round: Round,
        checked: bool,
        touched: bool,
    },
}

/// One check of an answer by its stamps. A later one takes the events that an earlier one would have had to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round(u64);

/// What one answer wants to know of one place.
struct Interest {
    post: Post,
    scope: Scope,
}

impl Vigil {
    /// One that watches nothing, so that every check goes by the stamps.
    pub(super) fn none() -> Self {
        Self {
            state: Mutex::new(State {
                source: Source::None,
                ..State::default()
            }),
        }
    }

    /// A post for a new answer, not watched yet.
    pub(super) fn post(&self) -> Post {
        let mut state = self.lock();
        let post = state.number();
        state.posts.insert(post, Watched::Not);
        post
    }

    /// Whether an answer was checked, and nothing it came from has been touched since.
    pub(super) fn is_quiet(&self, post: Post) -> bool {
        let mut state = self.lock();
        if !state.is_quiet(post) {
            return false;
        }
        state.drain();
        state.is_quiet(post)
    }

    /// Sets the watches for an answer, before it is checked; none when it cannot be watched.
    pub(super) fn stand(&self, post: Post, world: &dyn World, traces: &[Trace]) -> Option<Round> {
        let mut state = self.lock();
        // What has happened before this check, the check sees.
        state.drain();
        let set = match state.posts.get(&post)? {
            Watched::Never => return None,
            Watched::Standing { .. } => true,
            Watched::Not | Watched::Ended => state.set(post, world, traces).is_some(),
        };
        if !set {
            state.forget(post);
            state.posts.insert(post, Watched::Never);
            return None;
        }
        let round = Round(state.number());
        state.posts.insert(
            post,
            Watched::Standing {
                round,
                checked: false,
                touched: false,
            },
        );
        Some(round)
    }

    /// The check that began with this round found all as it was.
    pub(super) fn checked(&self, post: Post, of: Round) {
        if let Some(Watched::Standing { round, checked, .. }) = self.lock().posts.get_mut(&post) {
            *checked |= *round == of;
        }
    }

    /// Of these, what was watched and has been touched.
    pub(super) fn touched(&self, mut posts: Vec<Post>) -> Vec<Post> {
        let mut state = self.lock();
        state.drain();
        posts.retain(|post| {
            matches!(
                state.posts.get(post),
                Some(Watched::Ended | Watched::Standing { touched: true, .. })
            )
        });
        posts
    }

    /// Ends a post.
    pub(super) fn dismiss(&self, post: Post) {
        let mut state = self.lock();
        state.forget(post);
        state.posts.remove(&post);
    }

    /// How many watches stand.
    pub(super) fn watches(&self) -> usize {
        self.lock().interests.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn is_quiet(&self, post: Post) -> bool {
        matches!(
            self.posts.get(&post),
            Some(Watched::Standing {
                checked: true,
                touched: false,
                ..
            })
        )
    }

    /// Takes what has happened from the queue and notes whom it concerns.
    fn drain(&mut self) {
        let Self {
            source: Source::Open(events),
            posts,
            interests,
            ..
        } = self
        else {
            return;
        };
        let mut gone = Vec::new();
        let all = events.drain(&mut |watch, what| {
            for interest in interests.get(&watch).into_iter().flatten() {
                if let Some(watched) = posts
                    .get_mut(&interest.post)
                    .filter(|_| interest.scope.concerns(what))
                {
                    watched.touch();
                }
            }
            if what == What::Gone {
                gone.push(watch);
            }
        });
        if !all {
            posts.values_mut().for_each(Watched::touch);
        }
        for watch in gone {
            for interest in self.interests.remove(&watch).unwrap_or_default() {
                self.forget(interest.post);
                self.posts.insert(interest.post, Watched::Ended);
            }
        }
    }

    /// Places every watch that an answer needs; none when one cannot be placed.
    fn set(&mut self, post: Post, world: &dyn World, traces: &[Trace]) -> Option<()> {
        if let Source::Unopened = self.source {
            self.source = world.events().map_or(Source::None, Source::Open);
        }
        let Source::Open(events) = &mut self.source else {
            return None;
        };
        let table = world.mounts();
        for (path, kind, scope) in places(traces)? {
            let mount = match traces.iter().find(|trace| trace.path() == path) {
                Some(trace) => trace.mount(),
                None => Some(world.stat(&path).ok()?.mount),
            };
            if mount.is_some_and(|id| table.by_id(id).is_none_or(|mount| !tells_all(&mount.kind))) {
                return None;
            }
            let watch = events.watch(&path, kind).ok()?;
            self.interests
                .entry(watch)
                .or_default()
                .push(Interest { post, scope });
            if self.interests.len() > MOST_WATCHES {
                return None;
            }
        }
        Some(())
    }

    /// Takes back every interest of an answer, and the watches that nobody else needs.
    fn forget(&mut self, post: Post) {
        let Source::Open(events) = &mut self.source else {
            return;
        };
        self.interests.retain(|watch, interests| {
            interests.retain(|interest| interest.post != post);
            if interests.is_empty() {
                events.unwatch(*watch);
            }
            !interests.is_empty()
        });
    }
}

impl Watched {
    fn touch(&mut self) {
        if let Self::Standing { touched, .. } = self {
            *touched = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::{Arc, Mutex};

    use super::super::look::Look;
    use super::super::stuck::Stuck;
    use super::*;
    use crate::world::{FakeWorld, FileKind, Nanos};

    /// A queue that a test fills by hand.
    #[derive(Clone, Default)]
    struct Script {
        paths: Arc<Mutex<Vec<PathBuf>>>,
        queue: Arc<Mutex<Vec<(Watch, &'static str)>>>,
        overflow: Arc<Mutex<bool>>,
    }

    impl Events for Script {
        fn watch(&mut self, path: &Path, _: FileKind) -> std::io::Result<Watch> {
            let mut paths = self.paths.lock().unwrap();
            let known = paths.iter().position(|known| known == path);
            let index = known.unwrap_or_else(|| {
                paths.push(path.to_path_buf());
                paths.len() - 1
            });
            Ok(Watch::try_from(index).unwrap())
        }

        fn unwatch(&mut self, watch: Watch) {
            self.paths.lock().unwrap()[usize::try_from(watch).unwrap()] = PathBuf::from("ended");
        }

        fn drain(&mut self, tell: &mut dyn FnMut(Watch, What<'_>)) -> bool {
            for (watch, name) in self.queue.lock().unwrap().drain(..) {
                tell(
                    watch,
                    if name == "gone" {
                        What::Gone
                    } else {
                        What::Name(name.as_bytes())
                    },
                );
            }
            !std::mem::take(&mut *self.overflow.lock().unwrap())
        }
    }

    impl Script {
        fn happens(&self, dir: &str, name: &'static str) {
            let index = self
                .paths
                .lock()
                .unwrap()
                .iter()
                .position(|path| path == Path::new(dir))
                .unwrap();
            self.queue
                .lock()
                .unwrap()
                .push((Watch::try_from(index).unwrap(), name));
        }
    }

    const STEP: Nanos = 1;

    /// An answer that passes through `/a` and depends on all of `/a/b`.
    fn watched() -> (FakeWorld, Script, Vigil, Box<[Trace]>) {
        let world = FakeWorld::new();
        world.dir("/a/b").tick(1000);
        let stuck = Stuck::default();
        let mut look = Look::new(&world, &stuck);
        look.place(Path::new("/a")).unwrap();
        look.exact(Path::new("/a/b")).unwrap();
        let traces = look.finish(STEP).unwrap();
        let script = Script::default();
        let source = Source::Open(Box::new(script.clone()));
        let vigil = Vigil {
            state: Mutex::new(State {
                source,
                ..State::default()
            }),
        };
        (world, script, vigil, traces)
    }

    #[test]
    fn an_answer_is_quiet_from_its_check_until_it_is_touched() {
        let (world, script, vigil, traces) = watched();
        let post = vigil.post();
        assert!(!vigil.is_quiet(post));
        let round = vigil.stand(post, &world, &traces).unwrap();
        assert!(!vigil.is_quiet(post), "the check is still to come");
        vigil.checked(post, round);
        assert!(vigil.is_quiet(post));
        script.happens("/a", "other");
        assert!(vigil.is_quiet(post), "a name that is not on the way");
        for (dir, name) in [("/", "a"), ("/a", "b"), ("/a/b", "anything")] {
            script.happens(dir, name);
            assert!(!vigil.is_quiet(post), "{dir} {name}");
            let round = vigil.stand(post, &world, &traces).unwrap();
            vigil.checked(post, round);
            assert!(vigil.is_quiet(post));
        }
        *script.overflow.lock().unwrap() = true;
        assert!(
            !vigil.is_quiet(post),
            "what was lost may have been about this one"
        );
    }

    #[test]
    fn a_check_is_not_vouched_for_by_an_earlier_one_whose_events_it_took() {
        let (world, script, vigil, traces) = watched();
        let post = vigil.post();
        let first = vigil.stand(post, &world, &traces).unwrap();
        // The first check has gone by `/a/b` when that changes; the second one takes the event and has not ended.
        script.happens("/a/b", "new");
        let second = vigil.stand(post, &world, &traces).unwrap();
        vigil.checked(post, first);
        assert!(!vigil.is_quiet(post));
        vigil.checked(post, second);
        assert!(vigil.is_quiet(post));
    }

    #[test]
    fn an_event_that_another_answer_took_from_the_queue_is_not_lost() {
        let (world, script, vigil, traces) = watched();
        let (one, other) = (vigil.post(), vigil.post());
        for post in [one, other] {
            let round = vigil.stand(post, &world, &traces).unwrap();
            vigil.checked(post, round);
        }
        script.happens("/a", "b");
        assert!(!vigil.is_quiet(one));
        assert!(!vigil.is_quiet(other));
    }

    #[test]
    fn watches_end_with_the_last_answer_that_needs_them() {
        let (world, script, vigil, traces) = watched();
        let (one, other) = (vigil.post(), vigil.post());
        for post in [one, other] {
            vigil.stand(post, &world, &traces).unwrap();
        }
        assert_eq!(vigil.watches(), 3);
        vigil.dismiss(one);
        assert_eq!(vigil.watches(), 3);
        vigil.dismiss(other);
        assert_eq!(vigil.watches(), 0);
        assert!(
            script
                .paths
                .lock()
                .unwrap()
                .iter()
                .all(|path| path == Path::new("ended"))
        );
        assert_eq!(
            vigil.stand(one, &world, &traces),
            None,
            "nobody watches for an answer that is gone"
        );
    }

    #[test]
    fn a_watch_that_ends_by_itself_is_set_anew_for_the_next_check() {
        let (world, script, vigil, traces) = watched();
        let post = vigil.post();
        let round = vigil.stand(post, &world, &traces).unwrap();
        vigil.checked(post, round);
        script.happens("/a/b", "gone");
        assert!(!vigil.is_quiet(post));
        let round = vigil.stand(post, &world, &traces).unwrap();
        vigil.checked(post, round);
        assert!(vigil.is_quiet(post));
        script.happens("/a/b", "x");
        assert!(!vigil.is_quiet(post));
    }

    #[test]
    fn a_file_system_that_does_not_tell_all_is_never_watched() {
        let (world, _, vigil, _) = watched();
        world.dir("/o/b").mount("/o", "overlay").tick(1000);
        let stuck = Stuck::default();
        let mut look = Look::new(&world, &stuck);
        look.place(Path::new("/o")).unwrap();
        let traces = look.finish(STEP).unwrap();
        let post = vigil.post();
        assert_eq!(vigil.stand(post, &world, &traces), None);
        assert_eq!(vigil.watches(), 0);
    }
}
