//! Looking after the files in the project: what a hand changes or removes is noticed within a second.
//!
//! Asked by the daemon's tick. Their folders are watched; a folder that cannot be watched (none left, a file system that
//! tells nothing, a folder that is gone) is looked at by turns. What must stay true: one tick does a bounded amount of
//! work, and each file is looked at once after the daemon has begun, whatever is watched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

use super::catalog::{Entry, Slot};
use super::copies::{self, Home};
use super::rules;
use crate::ctx::Ctx;
use crate::dispatch::hold;
use crate::index::own::OwnFolders;
use crate::watch::Wd;

/// The most files looked at in one tick.
const MOST: usize = 1_000;

/// A folder of files: what is trusted, and the way from there.
type Spot = (PathBuf, PathBuf);

/// Who looks after the files of one workspace.
#[derive(Debug, Default)]
pub struct Vigil(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    own: Option<OwnFolders>,
    /// The mark of the catalogue whose folders these are.
    mark: Option<u64>,
    watched: BTreeMap<Wd, Spot>,
    /// Folders that are not watched.
    others: BTreeSet<Spot>,
    /// Orders of those that are to be looked at.
    due: BTreeSet<u64>,
    /// Where the turn of those in folders that are not watched is.
    turn: u64,
}

fn spot(home: &Home, entry: &Entry) -> Spot {
    let folder = home.folder(entry.card.tree.as_ref());
    let way = folder.within(PathBuf::from(rules::FOLDER).join(&entry.card.folder));
    (folder.base, way)
}

impl Vigil {
    /// One tick.
    pub fn look_after(&self, ctx: &Ctx, slot: &Slot, home: &Home) {
        let mut kept = hold(&self.0);
        let all = slot.with(|catalog| Ok(catalog.head.mark));
        let Ok(mark) = all else { return };
        if kept.own.is_none() {
            kept.own = Some(ctx.trees.own_folders());
        }
        if kept.mark != Some(mark) {
            kept.settle_down(slot, home);
            kept.mark = Some(mark);
        }
        kept.hear(slot, home);
        kept.take_turns(slot, home);
        let due: Vec<u64> = kept.due.iter().copied().take(MOST).collect();
        for born in due {
            kept.due.remove(&born);
            let entry = slot.with(|catalog| Ok(catalog.up_from(born.checked_sub(1)).next().cloned()));
            if let Ok(Some(entry)) = entry
                && entry.card.born == born
            {
                let before = entry.copy;
                let now = copies::look_again(&*ctx.world, slot, home, &entry);
                if before != now {
                    let path = home.path(&entry.card);
                    tracing::info!(path = %path.display(), ?before, ?now, "an artifact's file");
                }
            }
        }
    }
}

impl Kept {
    /// Watches the folders there are, and no others.
    fn settle_down(&mut self, slot: &Slot, home: &Home) {
        let Some(own) = &self.own else { return };
        let wanted: BTreeSet<Spot> = slot
            .with(|catalog| {
                let live = catalog.all().filter(|entry| entry.card.archived.is_none());
                Ok(live.map(|entry| spot(home, entry)).collect())
            })
            .unwrap_or_default();
        self.watched.retain(|wd, spot| {
            let stays = wanted.contains(spot);
            if !stays {
                own.unwatch(*wd);
            }
            stays
        });
        let known: BTreeSet<Spot> = self.watched.values().cloned().collect();
        self.others = wanted.difference(&known).cloned().collect();
        // Those that nobody has looked at since the daemon began, and those that are on their way.
        let fresh = slot.with(|catalog| {
            Ok(catalog
                .all()
                .filter(|entry| !entry.looked)
                .map(|entry| entry.card.born)
                .collect::<Vec<u64>>())
        });
        self.due.extend(fresh.unwrap_or_default());
        self.try_others(slot, home);
    }

    /// Watches what could not be watched before; whatever happened there until now is looked at.
    fn try_others(&mut self, slot: &Slot, home: &Home) {
        let Some(own) = &self.own else { return };
        let mut found = BTreeSet::new();
        for spot in &self.others {
            if let Ok(wd) = own.watch(&spot.0, &spot.1) {
                self.watched.insert(wd, spot.clone());
                found.insert(spot.clone());
            }
        }
        self.others.retain(|spot| !found.contains(spot));
        self.due_in(&found, slot, home);
    }

    fn due_in(&mut self, spots: &BTreeSet<Spot>, slot: &Slot, home: &Home) {
        if spots.is_empty() {
            return;
        }
        let within = slot.with(|catalog| {
            let of = catalog.all().filter(|entry| spots.contains(&spot(home, entry)));
            Ok(of.map(|entry| entry.card.born).collect::<Vec<u64>>())
        });
        self.due.extend(within.unwrap_or_default());
    }

    fn hear(&mut self, slot: &Slot, home: &Home) {
        let Some(own) = &self.own else { return };
        let happened = own.happened();
        if happened.anything {
            let spots = self.watched.values().cloned().collect();
            self.due_in(&spots, slot, home);
        }
        let spots: BTreeSet<Spot> = happened
            .touched
            .iter()
            .filter_map(|wd| self.watched.get(wd).cloned())
            .collect();
        for wd in &happened.ended {
            if let (Some(spot), Some(own)) = (self.watched.remove(wd), &self.own) {
                own.unwatch(*wd);
                self.others.insert(spot);
            }
        }
        self.due_in(&spots, slot, home);
    }

    /// Some of those in folders that are not watched, and a try to watch these.
    fn take_turns(&mut self, slot: &Slot, home: &Home) {
        if self.others.is_empty() {
            return;
        }
        self.try_others(slot, home);
        let others = std::mem::take(&mut self.others);
        let from = self.turn;
        let some: Vec<u64> = slot
            .with(|catalog| {
                let of = catalog
                    .up_from(Some(from))
                    .filter(|entry| others.contains(&spot(home, entry)));
                Ok(of.take(MOST / 2).map(|entry| entry.card.born).collect())
            })
            .unwrap_or_default();
        self.turn = match some.last() {
            Some(last) if some.len() == MOST / 2 => *last,
            _ => 0,
        };
        self.others = others;
        self.due.extend(some);
    }
}
