//! The files that say what kind of project a directory is, as data.
//!
//! `walk` asks for each name of a directory. What must stay true: the table is sorted by name (a search halves it), and
//! only confidences of [`DECISIVE`] or more make a directory a package.

use proto::detect::Marker;

/// From this confidence on a marker decides a root.
pub(super) const DECISIVE: u8 = 7;

/// Of one directory, at most this many markers are told: a folder of ten thousand `*.csproj` is one project too.
const MOST_MARKERS: usize = 64;

/// What a marker must be to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    /// A regular file, or a link to one.
    File,
    /// A directory, or a link to one.
    Dir,
}

/// One marker: name, project type, confidence.
type Row = (&'static str, &'static str, u8);

/// Markers with one name, sorted.
pub(super) const NAMED: [Row; 64] = [
    (".gitignore", "git", 3),
    (".idea", "ide", 5),
    (".vscode", "ide", 5),
    ("CMakeLists.txt", "cpp", 8),
    ("Cargo.lock", "rust", 7),
    ("Cargo.toml", "rust", 9),
    ("Dockerfile", "docker", 6),
    ("GNUmakefile", "cpp", 6),
    ("Gemfile", "ruby", 8),
    ("MODULE.bazel", "bazel", 8),
    ("Makefile", "cpp", 6),
    ("Package.swift", "swift", 9),
    ("Pipfile", "python", 7),
    ("README.md", "docs", 2),
    ("WORKSPACE", "bazel", 7),
    ("WORKSPACE.bazel", "bazel", 7),
    ("build.gradle", "java", 8),
    ("build.gradle.kts", "kotlin", 8),
    ("build.zig", "zig", 9),
    ("bun.lock", "javascript", 7),
    ("bun.lockb", "javascript", 7),
    ("compose.yaml", "docker", 7),
    ("compose.yml", "docker", 7),
    ("composer.json", "php", 9),
    ("conda.yaml", "python", 7),
    ("configure.ac", "cpp", 7),
    ("deno.json", "deno", 9),
    ("deno.jsonc", "deno", 9),
    ("docker-compose.yaml", "docker", 7),
    ("docker-compose.yml", "docker", 7),
    ("dune-project", "ocaml", 9),
    ("environment.yml", "python", 6),
    ("flake.nix", "nix", 7),
    ("gleam.toml", "gleam", 9),
    ("go.mod", "go", 9),
    ("go.sum", "go", 7),
    ("go.work", "go", 9),
    ("gradle.properties", "java", 6),
    ("lerna.json", "javascript", 8),
    ("main.tf", "terraform", 7),
    ("makefile", "cpp", 6),
    ("meson.build", "cpp", 8),
    ("mix.exs", "elixir", 9),
    ("nx.json", "javascript", 8),
    ("package-lock.json", "javascript", 7),
    ("package.json", "javascript", 9),
    ("pnpm-lock.yaml", "javascript", 7),
    ("pnpm-workspace.yaml", "javascript", 8),
    ("poetry.lock", "python", 8),
    ("pom.xml", "java", 8),
    ("project.clj", "clojure", 8),
    ("pubspec.yaml", "dart", 9),
    ("pyproject.toml", "python", 9),
    ("rebar.config", "erlang", 8),
    ("requirements.txt", "python", 6),
    ("settings.gradle", "java", 8),
    ("settings.gradle.kts", "kotlin", 8),
    ("setup.cfg", "python", 6),
    ("setup.py", "python", 8),
    ("shard.yml", "crystal", 9),
    ("stack.yaml", "haskell", 8),
    ("turbo.json", "javascript", 7),
    ("uv.lock", "python", 8),
    ("yarn.lock", "javascript", 7),
];

/// Markers by the end of their name, which must have something before it.
const ENDINGS: [Row; 6] = [
    (".cabal", "haskell", 9),
    (".csproj", "dotnet", 8),
    (".fsproj", "dotnet", 8),
    (".sln", "dotnet", 9),
    (".slnx", "dotnet", 9),
    (".vbproj", "dotnet", 8),
];

/// A marker of the user's own, from `detection.custom_markers`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CustomMarker {
    /// A file name; one `*` in it stands for any run of characters.
    pub name: String,
    /// The project type it stands for.
    pub project_type: String,
    /// Out of 10.
    pub confidence: u8,
}

impl CustomMarker {
    fn fits(&self, name: &[u8]) -> bool {
        match self.name.split_once('*') {
            None => self.name.as_bytes() == name,
            Some((head, tail)) => name
                .strip_prefix(head.as_bytes())
                .is_some_and(|rest| rest.ends_with(tail.as_bytes())),
        }
    }
}

/// What a name must be on disk to count as a marker.
pub(super) fn shape(name: &[u8]) -> Is {
    if name == b".vscode" || name == b".idea" {
        Is::Dir
    } else {
        Is::File
    }
}

/// The marker that a name is, if any. The user's own come first, so that they can judge a known name anew.
pub(super) fn of(name: &[u8], custom: &[CustomMarker]) -> Option<Marker> {
    if let Some(own) = custom.iter().find(|own| own.fits(name)) {
        return Some(marker(name, &own.project_type, own.confidence.min(10)));
    }
    if let Ok(index) = NAMED.binary_search_by(|row| row.0.as_bytes().cmp(name)) {
        let (_, project_type, confidence) = NAMED[index];
        return Some(marker(name, project_type, confidence));
    }
    let dot = name
        .iter()
        .rposition(|byte| *byte == b'.')
        .filter(|dot| *dot > 0)?;
    let (_, project_type, confidence) = ENDINGS.iter().find(|row| row.0.as_bytes() == &name[dot..])?;
    Some(marker(name, project_type, *confidence))
}

fn marker(name: &[u8], project_type: &str, confidence: u8) -> Marker {
    Marker {
        name: String::from_utf8_lossy(name).into_owned(),
        project_type: project_type.to_owned(),
        confidence,
    }
}

/// Strongest first, then by name, and no more than anybody reads.
pub(super) fn ordered(mut markers: Vec<Marker>) -> Vec<Marker> {
    markers.sort_by(|a, b| b.confidence.cmp(&a.confidence).then_with(|| a.name.cmp(&b.name)));
    markers.truncate(MOST_MARKERS);
    markers
}

/// The types of markers, strongest first, each once.
pub(super) fn types<'m>(markers: impl IntoIterator<Item = &'m Marker>) -> Vec<String> {
    let mut sorted: Vec<&Marker> = markers.into_iter().collect();
    sorted.sort_by_key(|marker| std::cmp::Reverse(marker.confidence));
    let mut types: Vec<String> = Vec::new();
    for marker in sorted {
        if !types.contains(&marker.project_type) {
            types.push(marker.project_type.clone());
        }
    }
    types
}

/// Whether one of them decides a root.
pub(super) fn decide(markers: &[Marker]) -> bool {
    markers.iter().any(|marker| marker.confidence >= DECISIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The markers that the specification promises, in its words.
    const PROMISED: &str = "\
        python pyproject.toml 9 setup.py 8 poetry.lock 8 uv.lock 8 Pipfile 7 conda.yaml 7 requirements.txt 6
        javascript package.json 9 package-lock.json 7 yarn.lock 7 pnpm-lock.yaml 7 bun.lock 7
        deno deno.json 9
        rust Cargo.toml 9 Cargo.lock 7
        go go.mod 9 go.sum 7
        java pom.xml 8 build.gradle 8 gradle.properties 6
        kotlin build.gradle.kts 8 settings.gradle.kts 8
        cpp CMakeLists.txt 8 meson.build 8 configure.ac 7 Makefile 6
        dotnet app.sln 9 app.csproj 8 app.fsproj 8
        swift Package.swift 9
        ruby Gemfile 8
        php composer.json 9
        elixir mix.exs 9
        haskell stack.yaml 8 app.cabal 9
        ocaml dune-project 9
        zig build.zig 9
        terraform main.tf 7
        nix flake.nix 7
        bazel MODULE.bazel 8 WORKSPACE 7
        docker docker-compose.yml 7 compose.yaml 7 Dockerfile 6
        ide .vscode 5 .idea 5
        git .gitignore 3
        docs README.md 2";

    #[test]
    fn every_promised_marker_has_its_type_and_confidence() {
        let mut count = 0;
        for line in PROMISED.lines() {
            let mut words = line.split_whitespace();
            let project_type = words.next().unwrap();
            let words: Vec<&str> = words.collect();
            for pair in words.chunks(2) {
                let found = of(pair[0].as_bytes(), &[]).unwrap_or_else(|| panic!("{} is no marker", pair[0]));
                assert_eq!(
                    (found.project_type.as_str(), found.confidence.to_string().as_str()),
                    (project_type, pair[1])
                );
                count += 1;
            }
        }
        assert_eq!(count, 48);
    }

    #[test]
    fn the_table_is_sorted_for_the_search() {
        assert!(NAMED.is_sorted_by(|a, b| a.0.as_bytes() < b.0.as_bytes()));
    }

    #[test]
    fn a_pattern_needs_a_name_before_its_ending() {
        for name in [
            &b".sln"[..],
            b"sln",
            b"a.SLN",
            b"x.sln.bak",
            b"",
            b"cargo.toml",
            b"Cargo.toml ",
        ] {
            assert_eq!(of(name, &[]), None, "{}", String::from_utf8_lossy(name));
        }
        assert_eq!(of(b"\xff\n.sln", &[]).unwrap().confidence, 9);
    }

    #[test]
    fn a_marker_of_the_users_own_comes_first_and_may_hold_one_star() {
        let custom = |name: &str| CustomMarker {
            name: name.into(),
            project_type: "mine".into(),
            confidence: 99,
        };
        assert_eq!(
            of(b"Makefile", &[custom("Makefile")]).unwrap().project_type,
            "mine"
        );
        assert_eq!(of(b"a.mine.yml", &[custom("a*.yml")]).unwrap().confidence, 10);
        assert_eq!(of(b"a.yml", &[custom("a.*.yml")]), None);
    }

    #[test]
    fn types_stand_once_and_strongest_first() {
        let found: Vec<Marker> = ["README.md", "Cargo.lock", "package.json", "Cargo.toml"]
            .iter()
            .filter_map(|n| of(n.as_bytes(), &[]))
            .collect();
        assert_eq!(types(&found), ["javascript", "rust", "docs"]);
    }
}
