//! Connections to the daemon: the client is blocking, so each has a thread of its own, and there are only a few.
//!
//! Asked by the service. What must stay true: there are never more than [`MOST`] threads and connections, made when they are
//! needed; a job that panics is an error for its asker and nothing else; a call that was given up ends within a tick.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use client::{Client, Options, Start};
use proto::Error;
use proto::error::Result;
use tokio::sync::oneshot;

/// The most connections to the daemon.
const MOST: usize = 4;

type Job = Box<dyn FnOnce(&mut Client) + Send>;

/// The threads and the way to them.
#[derive(Clone)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Job>,
}

struct Shared {
    options: Options,
    jobs: Mutex<mpsc::Receiver<Job>>,
    count: Mutex<Count>,
}

#[derive(Default)]
struct Count {
    threads: usize,
    /// Jobs that are queued or being worked on.
    jobs: usize,
}

impl Pool {
    pub(crate) fn new(options: Options) -> Self {
        let (queue, jobs) = mpsc::channel();
        let shared = Shared {
            options,
            jobs: Mutex::new(jobs),
            count: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            queue,
        }
    }

    /// Runs `work` with a connection.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Client) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (to, done) = oneshot::channel();
        let job: Job = Box::new(move |client| {
            let worked = catch_unwind(AssertUnwindSafe(|| work(client)));
            let result =
                worked.unwrap_or_else(|_| Err(Error::bug("the shim failed while it worked on this call")));
            // Whoever gave the call up does not listen.
            let _unheard = to.send(result);
        });
        self.hire()?;
        self.queue.send(job).map_err(|_| ended())?;
        done.await.map_err(|_| ended())?
    }

    /// The same over a connection of its own that never starts a daemon: for what nobody waits for. Who stops the daemon must not
    /// find it started again because somebody looks.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Client) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let options = Options {
            start: Start::Never,
            ..self.shared.options.clone()
        };
        self.run(move |_| work(&mut Client::new(options))).await
    }

    /// Counts a job, and makes a thread for it when all are at work.
    fn hire(&self) -> Result<()> {
        let mut count = self.shared.count();
        if count.threads <= count.jobs && count.threads < MOST {
            let shared = Arc::clone(&self.shared);
            let made = crate::thread("daemon", move || shared.work());
            match made {
                Ok(()) => count.threads += 1,
                Err(error) if count.threads == 0 => {
                    return Err(Error::unavailable("no thread can be started")
                        .why(error)
                        .next("raise the limit of processes (`ulimit -u`), or end some"));
                }
                Err(_) => {}
            }
        }
        count.jobs += 1;
        Ok(())
    }
}

impl Shared {
    fn count(&self) -> std::sync::MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut client = Client::new(self.options.clone());
        loop {
            let job = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            job(&mut client);
            // After the answer, and never in its way: what speaks against it stands in the daemon's history.
            drop(client::upgrade(&self.options, &client::here()));
            self.count().jobs -= 1;
        }
    }
}

fn ended() -> Error {
    Error::unavailable("the shim is ending")
}
