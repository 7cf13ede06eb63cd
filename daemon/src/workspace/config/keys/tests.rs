//! The table as it must be.

use super::*;
use crate::workspace::config::check;

#[test]
fn the_table_is_sorted_and_every_default_satisfies_its_own_kind() {
    assert!(KEYS.is_sorted_by(|a, b| a.name < b.name));
    for spec in KEYS {
        assert!(
            !spec.section().is_empty() && !spec.key().is_empty(),
            "{}",
            spec.name
        );
        let node = crate::workspace::yaml::parse(spec.default).expect(spec.name);
        assert_eq!(
            check::value(spec, &node).expect(spec.name),
            spec.built_in(),
            "{}",
            spec.name
        );
        assert!(!spec.about.ends_with('.'), "{}", spec.name);
    }
}

#[test]
fn every_key_has_its_own_variable() {
    let variables: std::collections::HashSet<_> = KEYS.iter().map(Spec::variable).collect();
    assert_eq!(variables.len(), KEYS.len());
    assert_eq!(
        find("watch.settle_ms").expect("known").variable(),
        "TO_WATCH_SETTLE_MS"
    );
}

#[test]
fn what_the_product_promises_as_defaults_is_what_is_built_in() {
    for (name, value) in [
        ("workspace.artifact_retention_days", "30"),
        ("workspace.max_artifact_size_mb", "100"),
        ("detection.prefer_git_root", "true"),
        ("detection.fallback_to_home", "true"),
        ("performance.cache_ttl_minutes", "5"),
        ("performance.max_cached_workspaces", "50"),
        ("performance.artifact_enumeration_limit", "1000"),
        ("tasks.lease_minutes", "15"),
        ("tasks.max_attempts", "3"),
        ("maintenance.cleanup_schedule", "\"0 2 * * 0\""),
        ("maintenance.archive_after_days", "90"),
        ("maintenance.archive_before_delete", "true"),
        ("maintenance.max_workspace_size_mb", "100"),
        ("agents.max_count", "50"),
        ("agents.max_depth", "10"),
        ("agents.disk_threshold_gb", "10"),
        ("agents.auto_merge", "false"),
    ] {
        assert_eq!(find(name).expect(name).default, value, "{name}");
    }
}
