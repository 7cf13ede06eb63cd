//! The twelve tools of MCP Task Orchestrator 1.8.0, by their names and arguments, as what they claimed to be.
//!
//! What must stay true: no tool answers success for what did not happen; what the daemon cannot do is said.

mod server;
mod tasks;
mod upkeep;

use crate::declare::Tool;

/// In the order of the original.
pub(super) static TOOLS: [&Tool; 12] = [
    &tasks::INITIALIZE_SESSION,
    &tasks::PLAN_TASK,
    &tasks::EXECUTE_SUBTASK,
    &tasks::COMPLETE_SUBTASK,
    &tasks::SYNTHESIZE_RESULTS,
    &tasks::GET_STATUS,
    &upkeep::MAINTENANCE_COORDINATOR,
    &server::RESTART_SERVER,
    &server::HEALTH_CHECK,
    &server::SHUTDOWN_PREPARE,
    &server::RECONNECT_TEST,
    &server::RESTART_STATUS,
];
