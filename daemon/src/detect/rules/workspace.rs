//! Which files make a directory the root of a workspace of several packages.
//!
//! Asked by the walk where no version control decides. What must stay true: a file that cannot be parsed is judged by
//! its plain lines, so that a half-typed manifest does not move the root while somebody edits it.

/// The files, and whether their being there is enough.
pub(in crate::detect) const FILES: [(&str, Proof); 9] = [
    ("Cargo.toml", Proof::Content(cargo)),
    ("package.json", Proof::Content(package_json)),
    ("pnpm-workspace.yaml", Proof::Name),
    ("go.work", Proof::Name),
    ("nx.json", Proof::Name),
    ("turbo.json", Proof::Content(turbo)),
    ("lerna.json", Proof::Name),
    ("deno.json", Proof::Content(deno)),
    ("pyproject.toml", Proof::Content(uv)),
];

/// What it takes for a file to make a workspace.
#[derive(Clone, Copy)]
pub(in crate::detect) enum Proof {
    /// The file is there.
    Name,
    /// This says so of its bytes.
    Content(fn(&[u8]) -> bool),
}

fn cargo(bytes: &[u8]) -> bool {
    match table(bytes) {
        Some(table) => table.contains_key("workspace"),
        None => has_section(bytes, b"[workspace"),
    }
}

fn uv(bytes: &[u8]) -> bool {
    match table(bytes) {
        Some(table) => table
            .get("tool")
            .and_then(|tool| tool.get("uv"))
            .and_then(|uv| uv.get("workspace"))
            .is_some(),
        None => has_section(bytes, b"[tool.uv.workspace"),
    }
}

fn package_json(bytes: &[u8]) -> bool {
    match json(bytes) {
        // npm and bun take a list, yarn also an object with `packages`.
        Some(value) => value
            .get("workspaces")
            .is_some_and(|workspaces| workspaces.is_array() || workspaces.is_object()),
        None => has_section(bytes, b"\"workspaces\""),
    }
}

fn deno(bytes: &[u8]) -> bool {
    match json(bytes) {
        Some(value) => value.get("workspace").is_some(),
        None => has_section(bytes, b"\"workspace\""),
    }
}

/// A package's own `turbo.json` extends the root's, which is written `//`.
fn turbo(bytes: &[u8]) -> bool {
    let Some(value) = json(bytes) else {
        return !has_section(bytes, b"\"extends\"");
    };
    let extends = value.get("extends").and_then(|extends| extends.as_array());
    !extends.is_some_and(|list| list.iter().any(|item| item.as_str() == Some("//")))
}

fn table(bytes: &[u8]) -> Option<toml::Table> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

fn json(bytes: &[u8]) -> Option<serde_json::Value> {
    serde_json::from_slice(bytes).ok()
}

fn has_section(bytes: &[u8], start: &[u8]) -> bool {
    bytes
        .split(|byte| *byte == b'\n')
        .any(|line| line.trim_ascii_start().starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspaces_are_told_from_packages_by_what_the_files_say() {
        type Case = (fn(&[u8]) -> bool, &'static str, bool);
        let cases: [Case; 17] = [
            (cargo, "[workspace]\nmembers = []", true),
            (cargo, "workspace = {}", true),
            (cargo, "[workspace.package]\nversion = '1'", true),
            (cargo, "[package]\nname = 'x'\n# [workspace]", false),
            (cargo, "[package]\nname.workspace = true", false),
            (cargo, "[package]\nname = \n[workspace]\n", true),
            (cargo, "[package\n", false),
            (package_json, "{\"workspaces\": [\"a\"]}", true),
            (package_json, "{\"workspaces\": {\"packages\": []}}", true),
            (package_json, "{\"name\": \"workspaces\"}", false),
            (package_json, "{\n  \"workspaces\": [\n", true),
            (turbo, "{}", true),
            (turbo, "{\"extends\": [\"//\"]}", false),
            (deno, "{\"workspace\": [\"./a\"]}", true),
            (deno, "{}", false),
            (uv, "[tool.uv.workspace]\nmembers = []", true),
            (uv, "[tool.uv]\ndev = true", false),
        ];
        for (judge, text, expected) in cases {
            assert_eq!(judge(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn deeply_nested_input_is_judged_without_harm() {
        assert!(!package_json("[".repeat(100_000).as_bytes()));
        assert!(!cargo(format!("a = {}", "[".repeat(100_000)).as_bytes()));
        assert!(!cargo(b"\xff\xfe\x00"));
    }
}
