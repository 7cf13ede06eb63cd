//! Entries in the settings of other programs: which, where, put in and taken out.
//!
//! Asked by `verbs::setup`. What must stay true: nothing but our own entry changes, comments and the order of the rest
//! included; what was there can be brought back exactly; a file that cannot be read as what it should be is left alone.

mod clients;
mod document;
mod file;
mod json;
mod manifest;
mod toml;

pub(crate) use clients::{Homes, Wanted, all, wanted};
pub(crate) use document::{State, current, look, put, take};
pub(crate) use file::{read, remove, write};
pub(crate) use manifest::{Edit, Manifest};
