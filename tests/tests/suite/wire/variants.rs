//! Every variant of every enum on the wire, by name. The matches have no wildcard: a variant that is not named here does
//! not compile, and one that is named needs a sample.

use std::collections::BTreeSet;

use proto::{
    Kind, artifact, config, context, daemon, decision, detect, index, maintenance, message, migrate, role,
    task, workspace,
};

use super::samples::Message;

/// Gives each enum the list of its variants and a value the name of its own.
macro_rules! variants {
    ($($all:ident, $of:ident: $on_wire:ty { $($variant:ident),+ $(,)? })+) => {
        $(
            fn $all() -> Vec<String> {
                vec![$(concat!(stringify!($on_wire), "::", stringify!($variant)).to_owned()),+]
            }
            fn $of(value: &$on_wire) -> String {
                type OnWire = $on_wire;
                let name = match value {
                    $(OnWire::$variant { .. } => concat!(stringify!($on_wire), "::", stringify!($variant)),)+
                };
                name.to_owned()
            }
        )+
        /// The names of all variants that can cross the wire.
        pub fn all() -> Vec<String> {
            [$($all()),+].concat()
        }
    };
}

variants! {
    client_frames, client_frame: message::ClientFrame { Ask, Cancel }
    server_frames, server_frame: message::ServerFrame { Done, Failed, Item, Progress }
    items, item: message::Item { Files, Changes, Batch, Lines }
    requests, request: message::Request {
        Detect, Workspace, Config, Role, Index, Migrate, Daemon, Task, Artifact, Decision, Context,
        Maintenance
    }
    answers, answer: message::Answer {
        Detect, Workspace, Config, Role, Index, Migrate, Daemon, Task, Artifact, Decision, Context,
        Maintenance
    }
    kinds, kind: Kind {
        Usage, NotFound, Refused, Conflict, Unavailable, TooLarge, Bug, Sandbox, Cancelled
    }
    froms, from: detect::From { Caller, Start, Explicit }
    detect_requests, detect_request: detect::Request { Find }
    methods, method: detect::Method { Explicit, VcsRoot, ProjectMarker, ClientDirectory, CurrentDirectory, UserHome }
    layers, layer: config::Layer { BuiltIn, User, Project, Workspace, Environment }
    config_requests, config_request: config::Request { Get, List, Set, Unset, Reset }
    config_answers, config_answer: config::Answer { Setting, Settings, Written }
    role_requests, role_request: role::Request { List, Show, Init }
    role_answers, role_answer: role::Answer { Roles, Role, Written }
    syncs, sync: index::Sync { Cookie, No }
    sinces, since: index::Since { Clock, Time }
    index_requests, index_request: index::Request { Files, Clock, Changes, Watch, FilesPage, Watches }
    index_answers, index_answer: index::Answer { Files, Clock, Changes, FilesPage, Watches }
    urgencies, urgency: index::Urgency { Trouble, Hint }
    change_kinds, change_kind: index::ChangeKind { Created, Modified, Deleted, Renamed }
    tree_states, tree_state: index::TreeState {
        Crawling, Unverified, Watching, Polling, Rescanning, Checkout, Asleep, Unreachable
    }
    migrate_requests, migrate_request: migrate::Request { Status, Check }
    migrate_answers, migrate_answer: migrate::Answer { Status, Check }
    daemon_requests, daemon_request: daemon::Request {
        Status, Reload, Stop, Reboot, Rehearse, Reboots, LastReboot
    }
    daemon_answers, daemon_answer: daemon::Answer { Status, Reloaded, Stopping, Rebooted, Rehearsed, Reboots }
    outcomes, outcome: daemon::Outcome { Done, Refused, RolledBack, Guarded }
    statuses, status: task::Status {
        Pending, Active, NeedsRevision, Blocked, Completed, Failed, Cancelled, Archived
    }
    next_actions, next_action: task::NextAction { Continue, NeedsRevision, Blocked, Complete }
    forces, force: task::Force { No, Yes }
    verbs, verb: task::Verb {
        Update, Start, Release, Complete, Block, Fail, Cancel, Reopen, Delete, Purge, Undo
    }
    task_requests, task_request: task::Request {
        Add, Plan, Import, List, Show, Tree, Change, Note, Move, History, Stats, Synthesize, Execute, Next,
        Templates, Template, Apply
    }
    task_answers, task_answer: task::Answer {
        Task, Planned, Imported, Tasks, Detail, Tree, Noted, Purged, Moved, History, Stats, Synthesis, Prompt,
        Next, Templates, Template, Rehomed
    }
    maintenance_requests, maintenance_request: maintenance::Request { Audit, AuditVerify, Legacy, Export, Import }
    maintenance_answers, maintenance_answer: maintenance::Answer { Audit, AuditVerified, Legacy, Exported, Imported }
    artifact_types, artifact_type: artifact::Type {
        Code, Documentation, Analysis, Design, Test, Config, General
    }
    artifact_sources, artifact_source: artifact::Source { Here, Draft, Project }
    artifact_acts, artifact_act: artifact::Act { Tell, Do }
    artifact_copies, artifact_copy: artifact::Copy { Good, Placing, Modified, Missing, None }
    artifact_requests, artifact_request: artifact::Request {
        Store, Stage, Append, Resume, Partials, Discard, Read, List, Show, Search, Verify, Cleanup, Optimize,
        Restore, Complete
    }
    artifact_answers, artifact_answer: artifact::Answer {
        Stored, Upload, Partials, Discarded, Piece, Artifacts, Detail, Found, Verified, Cleaned, Optimized,
        Restored, Completed
    }
    mirror_states, mirror_state: maintenance::MirrorState { Whole, Behind, Missing, Differs, Unreadable }
    context_requests, context_request: context::Request {
        Remember, Recall, Forget, Restore, SessionStart, SessionEnd, SessionList, Moment, Prime, Recover, Handover
    }
    context_answers, context_answer: context::Answer { Note, Notes, Session, Sessions, Moment, Text }
    beginnings, begun: context::Begun { Itself, Said }
    endings, ended: context::Ended { Said, Silence }
    ofs, of: context::Of { Session, Task }
    categories, category: decision::Category {
        Architecture, Implementation, Design, Technology, Process, Quality, Security, Performance
    }
    impacts, impact: decision::Impact { High, Medium, Low }
    decision_statuses, decision_status: decision::Status { Proposed, Accepted, Rejected, Superseded, Reversed }
    relations, relation: decision::Relation {
        Supersedes, Refines, Reverses, Clarifies, SupersededBy, RefinedBy, ReversedBy, ClarifiedBy
    }
    decision_ops, decision_op: decision::Op {
        Record, Accept, Reject, Outcome, Supersede, Refine, Reverse, Clarify, Import
    }
    file_states, file_state: decision::MirrorState {
        AsWritten, Behind, Missing, Edited, Unreadable, Foreign
    }
    decision_verbs, decision_verb: decision::Verb { Accept, Reject, Outcome }
    decision_requests, decision_request: decision::Request { Record, Change, List, Show, Search, For, Files }
    decision_answers, decision_answer: decision::Answer { Decision, Detail, Decisions, Hits, Files }
    whiches, which: workspace::Which { At, Named }
    seeds, seed: workspace::Seed { Empty, Template, Existing }
    workspace_requests, workspace_request: workspace::Request {
        List, Show, ShowLocation, Create, Rename, Relocate, Forget, Restore,
        ValidateIsolation
    }
    workspace_answers, workspace_answer: workspace::Answer { Workspaces, Workspace, Location, Isolation }
}

/// Adds the names of all variants that a message holds.
pub fn of_message(message: &Message, seen: &mut BTreeSet<String>) {
    match message {
        Message::Client(frame) => {
            seen.insert(client_frame(frame));
            if let message::ClientFrame::Ask { request, .. } = frame {
                of_request(request, seen);
            }
        }
        Message::Server(frame) => {
            seen.insert(server_frame(frame));
            match frame {
                message::ServerFrame::Done { answer, .. } => of_answer(answer, seen),
                message::ServerFrame::Failed { error, .. } => drop(seen.insert(kind(&error.kind))),
                message::ServerFrame::Item { item: part, .. } => of_item(part, seen),
                message::ServerFrame::Progress { .. } => {}
            }
        }
    }
}

fn of_request(value: &message::Request, seen: &mut BTreeSet<String>) {
    seen.insert(request(value));
    match value {
        message::Request::Detect(inner) => {
            let detect::Request::Find(at) = inner;
            seen.extend([detect_request(inner), from(at)]);
        }
        message::Request::Workspace(inner) => of_workspace_request(inner, seen),
        message::Request::Config(inner) => {
            seen.insert(config_request(inner));
        }
        message::Request::Role(inner) => {
            seen.insert(role_request(inner));
        }
        message::Request::Index(inner) => of_index_request(inner, seen),
        message::Request::Migrate(inner) => {
            seen.insert(migrate_request(inner));
        }
        message::Request::Daemon(inner) => {
            seen.insert(daemon_request(inner));
        }
        message::Request::Task(call) => of_task_request(&call.what, seen),
        message::Request::Artifact(call) => of_artifact_request(&call.what, seen),
        message::Request::Context(call) => {
            seen.insert(context_request(&call.what));
        }
        message::Request::Decision(call) => of_decision_request(&call.what, seen),
        message::Request::Maintenance(call) => {
            seen.insert(maintenance_request(&call.what));
        }
    }
}

fn of_task_request(value: &task::Request, seen: &mut BTreeSet<String>) {
    seen.insert(task_request(value));
    let task::Request::Change { verb: of, .. } = value else {
        return;
    };
    seen.insert(verb(of));
    match of {
        task::Verb::Start(by) | task::Verb::Fail { force: by, .. } => drop(seen.insert(force(by))),
        task::Verb::Complete {
            next_action: next,
            force: by,
            ..
        } => {
            seen.extend([next_action(next), force(by)]);
        }
        _ => {}
    }
}

fn of_decision_request(value: &decision::Request, seen: &mut BTreeSet<String>) {
    seen.insert(decision_request(value));
    match value {
        decision::Request::Record { draft, link, .. } => {
            seen.extend(draft.category.iter().map(category));
            seen.extend(draft.impact.iter().map(impact));
            seen.extend(link.iter().map(|(done, _)| relation(done)));
        }
        decision::Request::Change { verb, .. } => drop(seen.insert(decision_verb(verb))),
        decision::Request::List { filter, .. } | decision::Request::Search { filter, .. } => {
            seen.extend(filter.status.iter().map(decision_status));
        }
        _ => {}
    }
}

fn of_decision_answer(value: &decision::Answer, seen: &mut BTreeSet<String>) {
    seen.insert(decision_answer(value));
    match value {
        decision::Answer::Detail(found) => {
            seen.extend(found.brief.links.iter().map(|link| relation(&link.relation)));
            seen.extend(found.history.iter().map(|event| decision_op(&event.op)));
        }
        decision::Answer::Decisions { decisions, .. } => {
            seen.extend(decisions.iter().map(|one| category(&one.category)));
        }
        decision::Answer::Files { files, .. } => {
            seen.extend(files.iter().map(|file| file_state(&file.state)));
        }
        _ => {}
    }
}

fn of_artifact_request(value: &artifact::Request, seen: &mut BTreeSet<String>) {
    seen.insert(artifact_request(value));
    match value {
        artifact::Request::Store(of) => drop(seen.insert(artifact_source(of))),
        artifact::Request::Cleanup { act, .. } | artifact::Request::Optimize { act } => {
            seen.insert(artifact_act(act));
        }
        _ => {}
    }
}

fn of_workspace_request(value: &workspace::Request, seen: &mut BTreeSet<String>) {
    seen.insert(workspace_request(value));
    match value {
        workspace::Request::Show(of)
        | workspace::Request::ShowLocation(of)
        | workspace::Request::Forget(of) => {
            seen.insert(which(of));
        }
        workspace::Request::Create { seed: of, .. } => {
            seen.insert(seed(of));
        }
        _ => {}
    }
}

fn of_index_request(value: &index::Request, seen: &mut BTreeSet<String>) {
    seen.insert(index_request(value));
    match value {
        index::Request::Files { sync: of, .. }
        | index::Request::FilesPage { sync: of, .. }
        | index::Request::Clock { sync: of, .. } => {
            seen.insert(sync(of));
        }
        index::Request::Changes { since: begin, .. } => {
            seen.insert(since(begin));
        }
        index::Request::Watch { .. } | index::Request::Watches => {}
    }
}

fn of_item(value: &message::Item, seen: &mut BTreeSet<String>) {
    seen.insert(item(value));
    let changes = match value {
        message::Item::Changes(changes) => changes,
        message::Item::Batch(batch) => &batch.changes,
        message::Item::Files(_) | message::Item::Lines(_) => return,
    };
    seen.extend(changes.iter().map(|change| change_kind(&change.kind)));
}

fn of_answer(value: &message::Answer, seen: &mut BTreeSet<String>) {
    seen.insert(answer(value));
    match value {
        message::Answer::Detect(found) => {
            seen.insert(method(&found.method));
        }
        message::Answer::Workspace(inner) => {
            seen.insert(workspace_answer(inner));
        }
        message::Answer::Config(inner) => {
            seen.insert(config_answer(inner));
            if let config::Answer::Settings { settings, .. } = inner {
                seen.extend(settings.iter().map(|setting| layer(&setting.layer)));
            }
        }
        message::Answer::Role(inner) => {
            seen.insert(role_answer(inner));
        }
        message::Answer::Index(inner) => {
            seen.insert(index_answer(inner));
            if let index::Answer::Watches(watches) = inner {
                seen.extend(watches.advice.iter().map(|advice| urgency(&advice.urgency)));
            }
        }
        message::Answer::Migrate(inner) => {
            seen.insert(migrate_answer(inner));
        }
        message::Answer::Daemon(inner) => {
            seen.insert(daemon_answer(inner));
            if let daemon::Answer::Status(status) = inner {
                let trees = status.workspaces.iter().flat_map(|workspace| &workspace.trees);
                seen.extend(trees.map(|tree| tree_state(&tree.state)));
            }
            if let daemon::Answer::Reboots { history, .. } = inner {
                seen.extend(history.iter().map(|reboot| outcome(&reboot.outcome)));
            }
        }
        message::Answer::Task(inner) => {
            seen.insert(task_answer(inner));
            if let task::Answer::Tasks { tasks, .. } = inner {
                seen.extend(tasks.iter().map(|task| status(&task.status)));
            }
        }
        message::Answer::Artifact(inner) => {
            seen.insert(artifact_answer(inner));
            if let artifact::Answer::Artifacts { artifacts, .. } = inner {
                let each = artifacts.iter();
                seen.extend(each.flat_map(|one| [artifact_type(&one.kind), artifact_copy(&one.copy)]));
            }
        }
        message::Answer::Context(inner) => {
            seen.insert(context_answer(inner));
            match inner {
                context::Answer::Session { session, .. } => seen.extend([begun(&session.begun)]),
                context::Answer::Sessions { sessions, .. } => {
                    seen.extend(sessions.iter().map(|session| begun(&session.begun)));
                    seen.extend(
                        sessions
                            .iter()
                            .filter_map(|session| session.by.as_ref().map(ended)),
                    );
                }
                context::Answer::Moment { of: found, .. } => seen.extend([of(found)]),
                _ => {}
            }
        }
        message::Answer::Decision(inner) => of_decision_answer(inner, seen),
        message::Answer::Maintenance(inner) => {
            seen.insert(maintenance_answer(inner));
            if let maintenance::Answer::AuditVerified { mirror_state: of, .. } = inner {
                seen.insert(mirror_state(of));
            }
        }
    }
}
