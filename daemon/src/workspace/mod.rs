//! `workspace`: the registry of projects, their settings and roles.

pub mod config;
pub mod tree;
pub mod yaml;
