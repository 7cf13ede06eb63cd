//! Who has connected, and who had to do so again: a client library hides a broken connection from its user, so the daemon
//! counts.
//!
//! Held in `Life`, told by `connection`, carried over a hand-over. What must stay true: a client that keeps its connection
//! is never counted as having come again, and one whose connection was lost always is; memory is bounded.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::dispatch::hold;

/// Clients that have gone and are remembered.
const REMEMBERED: usize = 4096;

/// Which client of which process, as its header says. The process is the client's own claim: this is a count for people,
/// not a right.
pub type Who = (u32, u32);

/// What goes to the next image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Connections on which requests could follow.
    pub accepted: u64,
    /// Those of them by a client that had been connected before.
    pub again: u64,
    /// The clients that were connected, the longest gone first.
    pub known: Vec<Who>,
}

#[derive(Debug, Default)]
struct Known {
    accepted: u64,
    again: u64,
    /// How many connections each has.
    open: HashMap<Who, u32>,
    /// Those that have none any more, the longest gone first.
    gone: VecDeque<Who>,
}

/// All clients.
#[derive(Debug, Default)]
pub struct Clients(Mutex<Known>);

impl Known {
    fn open(&mut self, who: Who) -> bool {
        let before = self.gone.len();
        self.gone.retain(|other| *other != who);
        let open = self.open.entry(who).or_default();
        *open += 1;
        *open > 1 || self.gone.len() < before
    }

    fn forget_the_oldest(&mut self) {
        let beyond = self.gone.len().saturating_sub(REMEMBERED);
        self.gone.drain(..beyond);
    }
}

impl Clients {
    /// A client's header was accepted; `who` is none when it does not say which client it is.
    pub fn came(&self, who: Option<Who>) {
        let mut known = hold(&self.0);
        known.accepted += 1;
        if let Some(who) = who
            && known.open(who)
        {
            known.again += 1;
        }
    }

    /// A client's connection goes on where it stood in the image before.
    pub fn goes_on(&self, who: Option<Who>) {
        if let Some(who) = who {
            hold(&self.0).open(who);
        }
    }

    /// A client's connection has ended.
    pub fn went(&self, who: Option<Who>) {
        let Some(who) = who else { return };
        let mut known = hold(&self.0);
        match known.open.get_mut(&who) {
            Some(open) if *open > 1 => *open -= 1,
            _ => {
                known.open.remove(&who);
                known.gone.push_back(who);
                known.forget_the_oldest();
            }
        }
    }

    /// How many connections, and how many of them by clients that had been connected before.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let known = hold(&self.0);
        (known.accepted, known.again)
    }

    /// What the next image is told.
    #[must_use]
    pub fn hand_over(&self) -> Counts {
        let known = hold(&self.0);
        Counts {
            accepted: known.accepted,
            again: known.again,
            known: known.gone.iter().chain(known.open.keys()).copied().collect(),
        }
    }

    /// Goes on with what the image before has counted. Each client counts as gone until its connection goes on.
    pub fn take_over(&self, counts: Counts) {
        let mut known = hold(&self.0);
        known.accepted = counts.accepted;
        known.again = counts.again;
        known.gone = counts.known.into();
        known.forget_the_oldest();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Option<Who> = Some((7, 1));
    const OTHER: Option<Who> = Some((7, 2));

    #[test]
    fn every_connection_of_a_client_after_its_first_counts() {
        let clients = Clients::default();
        clients.came(ONE);
        clients.came(OTHER);
        clients.came(None);
        clients.came(None);
        assert_eq!(clients.counts(), (4, 0));
        clients.went(ONE);
        clients.came(ONE);
        assert_eq!(clients.counts(), (5, 1));
        clients.came(ONE);
        clients.went(ONE);
        clients.went(ONE);
        clients.came(ONE);
        assert_eq!(clients.counts(), (7, 3));
    }

    #[test]
    fn a_connection_that_gets_lost_between_two_images_shows() {
        let before = Clients::default();
        before.came(ONE);
        before.came(OTHER);
        let after = Clients::default();
        after.take_over(before.hand_over());
        after.goes_on(ONE);
        assert_eq!(after.counts(), (2, 0));
        after.came(OTHER);
        assert_eq!(after.counts(), (3, 1));
    }

    #[test]
    fn those_that_have_gone_are_remembered_up_to_a_limit() {
        let clients = Clients::default();
        for number in 0..=u32::try_from(REMEMBERED).expect("small") {
            clients.went(Some((1, number)));
        }
        assert_eq!(clients.hand_over().known.len(), REMEMBERED);
    }
}
