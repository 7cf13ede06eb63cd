//! `config`: settings by layer.

pub mod check;
pub mod edit;
pub mod keys;
pub mod project;
pub mod rules;
