//! The record of a decision, and how it is shown.
//!
//! Asked by all of the room. What must stay true: what a decision says never changes after it was recorded; its status,
//! links and history only grow.

use proto::decision::{Alternative, Category, Decision, Event, Impact, Link, Status};
use serde::{Deserialize, Serialize};

use super::rules;

/// One decision. Version 1, frozen once released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// From 1; 0 for one that is still to get its number.
    pub number: u64,
    /// `dec_<8 hex>`, or what an imported one had.
    pub id: String,
    /// One line.
    pub title: String,
    /// Where it stands.
    pub status: Status,
    /// What it is about.
    pub category: Category,
    /// How far it reaches.
    pub impact: Impact,
    /// What made a decision necessary.
    pub context: String,
    /// What is decided.
    pub decision: String,
    /// Why.
    pub rationale: String,
    /// What else could have been decided.
    pub alternatives: Vec<Alternative>,
    /// What follows.
    pub consequences: Vec<String>,
    /// What may go wrong.
    pub risks: Vec<String>,
    /// Files, folders and globs from the root of the project; `.` for all of it.
    pub paths: Vec<String>,
    /// Parts of the system.
    pub components: Vec<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The task it was made for.
    pub task: Option<String>,
    /// Who recorded it.
    pub actor: String,
    /// Nanoseconds since 1970 UTC.
    pub created: i64,
    /// Of the last thing added, nanoseconds since 1970 UTC.
    pub updated: i64,
    /// Grows by one with everything added.
    pub revision: u64,
    /// Other decisions it has to do with.
    pub links: Vec<Link>,
    /// What happened to it, oldest first.
    pub history: Vec<Event>,
}

impl Card {
    /// As a list shows it.
    #[must_use]
    pub fn brief(&self) -> Decision {
        Decision {
            number: self.number,
            id: self.id.clone(),
            title: self.title.clone(),
            status: self.status,
            in_force: self.status.in_force(),
            category: self.category,
            impact: self.impact,
            gist: rules::gist(&self.decision),
            paths: self.paths.clone(),
            components: self.components.clone(),
            tags: self.tags.clone(),
            task: self.task.clone(),
            actor: self.actor.clone(),
            created: self.created,
            updated: self.updated,
            revision: self.revision,
            links: self.links.clone(),
        }
    }

    /// Adds something to its history.
    pub fn add(&mut self, event: Event) {
        self.updated = event.time;
        self.revision += 1;
        self.history.push(event);
    }
}
