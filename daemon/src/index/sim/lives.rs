//! Lives of the daemon over one disk: each ends in order, hands over, or ends without a word, and the next goes on with
//! what was saved, if that may be.

use super::{Bug, Engine, PROJECT, Rules, Sim, SimDisk, Start, work};
use crate::index::Manner;
use crate::index::repo::GitEnv;
use crate::index::saved::{Saved, Watches};

impl Sim {
    pub(super) fn first_engine(disk: &SimDisk, bug: Bug) -> Engine<SimDisk> {
        {
            let mut fs = disk.quiet();
            fs.budget = 0;
            work::settle_root(&mut fs);
        }
        let mut engine = Engine::new(disk.clone(), start(bug)).unwrap();
        disk.quiet().budget = 10;
        disk.quiet().begin_shortage();
        engine.crawl();
        disk.quiet().end_shortage();
        engine
    }

    /// Now and then: what is known is saved, and the life goes on.
    pub(super) fn save(&mut self) {
        if let Some(bytes) = self.engine.save(self.incarnation) {
            self.saved = Some((self.incarnation, bytes));
        }
    }

    /// One life ends and another begins.
    pub(super) fn another_life(&mut self) {
        let way = self.disk.quiet().chance.below(3);
        match way {
            0 => self.crash(),
            1 => self.stop(),
            _ => self.hand_over(),
        }
        self.disk.quiet().budget = 0;
    }

    /// The process ends without a word.
    fn crash(&mut self) {
        self.note("-- crash");
        // The next life knows no name before it has read it.
        self.disk.quiet().known.names.clear();
        self.drop_watches();
        let saved = self.saved.take();
        self.work_while_away();
        self.tick = 0;
        let Some((incarnation, bytes)) = saved else {
            return self.begin_anew();
        };
        let mut saved = Saved::read(&bytes).expect("what was written is read");
        if self.bug == Bug::TickGivenTwice {
            self.incarnation = incarnation;
        } else {
            self.incarnation += 1;
            let now = self.disk.quiet().time();
            saved.view.journal.restart(&mut saved.view.tree, now);
        }
        self.resume(saved, Watches::Gone);
    }

    /// The process ends in order.
    fn stop(&mut self) {
        self.note("-- stop");
        self.saved = None;
        drop(self.sync());
        let bytes = self.engine.save(self.incarnation);
        self.drop_watches();
        self.work_while_away();
        match bytes {
            Some(bytes) => self.resume(
                Saved::read(&bytes).expect("what was written is read"),
                Watches::Gone,
            ),
            None => self.crash(),
        }
    }

    /// The process becomes its next image, and the queue fills meanwhile.
    fn hand_over(&mut self) {
        self.note("-- hand over");
        self.deliver();
        if self.engine.is_dirty() {
            self.engine.settle();
        }
        let bytes = self.engine.save(self.incarnation);
        self.work_while_away();
        match bytes {
            Some(bytes) => self.resume(
                Saved::read(&bytes).expect("what was written is read"),
                Watches::Kept,
            ),
            None => self.crash(),
        }
    }

    fn resume(&mut self, saved: Saved, watches: Watches) {
        self.disk.quiet().budget = 10;
        let engine = Engine::resume(self.disk.clone(), start(self.bug), saved, watches);
        match engine {
            Ok(Some(engine)) => self.engine = engine,
            // Another root, or none.
            _ => return self.begin_anew(),
        }
        self.disk.quiet().begin_shortage();
        self.engine.go_on();
        if self.engine.is_unverified() {
            self.engine.settle();
        }
        self.disk.quiet().end_shortage();
    }

    /// Nothing that was saved counts.
    fn begin_anew(&mut self) {
        self.drop_watches();
        self.disk.quiet().known.names.clear();
        self.tick = 0;
        self.incarnation += 1;
        self.engine = Self::first_engine(&self.disk, self.bug);
    }

    fn work_while_away(&mut self) {
        let mut fs = self.disk.quiet();
        for _ in 0..fs.chance.below(6) {
            work::step(&mut fs);
        }
    }

    pub(super) fn drop_watches(&mut self) {
        let mut fs = self.disk.quiet();
        for obj in fs.watched() {
            let wd = fs.watch(obj).unwrap();
            fs.unwatch(wd);
        }
        fs.queue.clear();
    }

    fn note(&self, what: &str) {
        self.disk.quiet().trace.push(what.to_owned());
    }
}

pub(super) fn start(bug: Bug) -> Start {
    Start {
        led_from: None,
        root: PROJECT.to_vec(),
        env: GitEnv::default(),
        extra: Rules::default(),
        manner: Manner::default(),
        threads: 1,
        bug,
    }
}
