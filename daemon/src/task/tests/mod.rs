//! The room as its callers see it: the board under random changes, and the doors with the real database.

mod bed;
mod board;
mod claims;
mod doors;
mod faults;
mod keeping;
mod reports;
