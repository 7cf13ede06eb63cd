//! What the kinds of projects have of their own: the commands and habits that a role text can name.
//!
//! Data for `role init` and `workspace create --template`. What must stay true: a kit is called as detection calls the
//! project type, and every command in it is one that the type's own tools provide.

/// One kind of project.
#[derive(Clone, Copy, Debug)]
pub struct Kit {
    /// As detection calls it.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// How it is built or checked.
    pub build: &'static str,
    /// How it is tested.
    pub test: &'static str,
    /// How it is formatted and linted.
    pub lint: &'static str,
    /// What experience with it teaches, a sentence each.
    pub habits: &'static [&'static str],
    /// What tools make again, as patterns of `.gitignore`.
    pub ignores: &'static [&'static str],
}

/// The kits, by name.
pub const KITS: &[Kit] = &[
    Kit {
        name: "cpp",
        title: "C or C++",
        build: "cmake --build build",
        test: "ctest --test-dir build --output-on-failure",
        lint: "clang-format and clang-tidy, where the project configures them",
        habits: &[
            "Own every resource by a type that releases it; run tests under the address and undefined-behaviour sanitizers",
            "Include what you use; keep headers small and free of definitions that need not be there",
        ],
        ignores: &["build/", "cmake-build-*/"],
    },
    Kit {
        name: "docs",
        title: "documentation",
        build: "the site generator that the repository configures",
        test: "the link checker that the repository configures",
        lint: "the prose and Markdown linters that the repository configures",
        habits: &["Keep one sentence per idea and one page per question; check every link and command"],
        ignores: &["_site/", "site/"],
    },
    Kit {
        name: "dotnet",
        title: ".NET",
        build: "dotnet build",
        test: "dotnet test",
        lint: "dotnet format --verify-no-changes",
        habits: &[
            "Pass cancellation tokens through; dispose what is disposable; never block on a task",
            "Keep nullable reference types on and their warnings at zero",
        ],
        ignores: &["bin/", "obj/"],
    },
    Kit {
        name: "elixir",
        title: "Elixir",
        build: "mix compile --warnings-as-errors",
        test: "mix test",
        lint: "mix format --check-formatted",
        habits: &["Let processes fail and be restarted; keep state in few of them and messages small"],
        ignores: &["_build/", "deps/"],
    },
    Kit {
        name: "go",
        title: "Go",
        build: "go build ./...",
        test: "go test -race ./...",
        lint: "gofmt -l . and go vet ./...",
        habits: &[
            "Wrap errors with what was being done; pass a context to whatever may wait; know how each goroutine ends",
            "Accept interfaces, return concrete types, and keep interfaces beside their users",
        ],
        ignores: &[],
    },
    Kit {
        name: "java",
        title: "Java",
        build: "./mvnw -q verify or ./gradlew build, whichever the repository has",
        test: "./mvnw test or ./gradlew test",
        lint: "the formatter and static checks that the build configures",
        habits: &[
            "Prefer immutable values and constructor injection; close resources by try-with-resources",
            "Test behaviour through public interfaces; use real collaborators where they are cheap",
        ],
        ignores: &["target/", "build/", ".gradle/"],
    },
    Kit {
        name: "javascript",
        title: "JavaScript or TypeScript",
        build: "the `build` script of package.json, run by the package manager whose lock file is there",
        test: "the `test` script of package.json",
        lint: "the `lint` script of package.json, and the type checker where there is a tsconfig.json",
        habits: &[
            "Use the package manager whose lock file is in the repository, and never two",
            "Await or return every promise; validate what comes from outside before it gets a type",
        ],
        ignores: &["node_modules/", "dist/", ".next/", "coverage/"],
    },
    Kit {
        name: "php",
        title: "PHP",
        build: "composer install",
        test: "vendor/bin/phpunit",
        lint: "the coding-standard and static-analysis tools in composer.json",
        habits: &["Declare strict types; bind parameters of every query; escape output where it is printed"],
        ignores: &["vendor/"],
    },
    Kit {
        name: "python",
        title: "Python",
        build: "the project's own environment (uv, poetry or venv, by the lock file that is there)",
        test: "python -m pytest",
        lint: "ruff check and ruff format --check, or what pyproject.toml configures",
        habits: &[
            "Work in the project's virtual environment and leave the system's alone; add dependencies by the project's tool",
            "Annotate public functions; catch the exceptions you can handle and no others; close files by `with`",
        ],
        ignores: &[
            "__pycache__/",
            ".venv/",
            ".pytest_cache/",
            ".mypy_cache/",
            ".ruff_cache/",
        ],
    },
    Kit {
        name: "ruby",
        title: "Ruby",
        build: "bundle install",
        test: "bundle exec rake test or bundle exec rspec, whichever the repository has",
        lint: "bundle exec rubocop, where it is configured",
        habits: &["Keep objects small and explicit; avoid reopening classes you do not own"],
        ignores: &["vendor/bundle/", "tmp/"],
    },
    Kit {
        name: "rust",
        title: "Rust",
        build: "cargo check --workspace --all-targets",
        test: "cargo test --workspace",
        lint: "cargo fmt --all --check and cargo clippy --workspace --all-targets",
        habits: &[
            "Let types carry invariants; return errors with context and keep `unwrap` for tests",
            "Borrow before you clone and measure before you optimise; never hold a lock over an await or slow work",
        ],
        ignores: &["target/"],
    },
    Kit {
        name: "swift",
        title: "Swift",
        build: "swift build",
        test: "swift test",
        lint: "swift format lint --recursive, where it is configured",
        habits: &[
            "Prefer value types; make isolation explicit for what crosses tasks; avoid forced unwrapping",
        ],
        ignores: &[".build/"],
    },
    Kit {
        name: "terraform",
        title: "Terraform",
        build: "terraform validate",
        test: "terraform plan, read in full",
        lint: "terraform fmt -check -recursive",
        habits: &[
            "Never apply without a plan that somebody has read; treat a planned replacement as data loss until proven otherwise",
            "Pin provider versions; keep secrets out of state and variables files",
        ],
        ignores: &[".terraform/"],
    },
];

/// The kit of a project type.
#[must_use]
pub fn find(name: &str) -> Option<&'static Kit> {
    KITS.iter().find(|kit| kit.name == name)
}
