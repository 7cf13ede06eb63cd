# The few words everyone needs. `make` alone lists them. Needs: make, git, a C compiler and Rust, nothing else.

PREFIX  ?= $(HOME)/.local
# Put in front of every installed path, for packagers.
DESTDIR ?=
CARGO   ?= cargo

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
HOST       := $(shell rustc -vV | sed -n 's/^host: //p')
RELEASE    := $(TARGET_DIR)/$(HOST)/release
# A named target keeps the flag away from build scripts and procedural macros, which cannot be static.
STATIC     := $(if $(findstring linux,$(HOST)),-C target-feature=+crt-static)

BINDIR  := $(DESTDIR)$(PREFIX)/bin
MANDIR  := $(DESTDIR)$(PREFIX)/share/man/man1
BASHDIR := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSHDIR  := $(DESTDIR)$(PREFIX)/share/zsh/site-functions
FISHDIR := $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
UNITDIR := $(DESTDIR)$(PREFIX)/share/systemd/user
AGENTS  := $(DESTDIR)$(HOME)/Library/LaunchAgents

STEP = @printf '\n== %s\n'

.PHONY: conformance help demo reboot-demo test sim check bench static install uninstall clean

help:
	@echo 'make demo       build, then a tour on this repository with a daemon of its own'
	@echo 'make reboot-demo  a loaded daemon hands over 50 times, with its figures (FILES=200000 REBOOTS=50)'
	@echo 'make test       the whole test suite; the last line is its summary'
	@echo 'make sim        the simulation of the index: SEED=n replays one, else SEEDS=n of them (10000)'
	@echo 'make conformance  the official MCP clients and conformance suite against `to-mcp`'
	@echo 'make check      format, lints, licences'
	@echo 'make bench      one table: ours, the limit or a peer, the ratio (GROUPS="detect" for some)'
	@echo 'make install    static binaries, man pages, completions and service units under PREFIX ($(PREFIX))'
	@echo 'make uninstall  take those away again; records and settings stay'
	@echo 'make clean      remove what was built'

demo:
	$(STEP) 'demo: build'
	@$(CARGO) build --quiet --package daemon --package client --bins
	@BIN='$(TARGET_DIR)/debug' packaging/demo.sh

reboot-demo: static
	$(STEP) 'reboot-demo: build'
	@RUSTFLAGS='$(STATIC)' $(CARGO) build --release --target $(HOST) --package tests --bins
	$(STEP) 'reboot-demo: run'
	@TOD_BIN_DIR='$(abspath $(RELEASE))' '$(RELEASE)'/reboot-load $(or $(FILES),200000) $(or $(REBOOTS),50)

test:
	$(STEP) 'test: build the programs that the suite runs'
	@$(CARGO) build --workspace --bins
	$(STEP) 'test: run'
	@CARGO='$(CARGO)' TARGET_DIR='$(TARGET_DIR)' tests/run

sim:
	$(STEP) 'sim: $(if $(SEED),seed $(SEED),$(or $(SEEDS),10000) seeds)'
	@$(if $(SEED),TOD_SEED=$(SEED)) TOD_SEEDS=$(or $(SEEDS),$(if $(SEED),1,10000)) \
	  $(CARGO) test --quiet --package daemon --lib -- index::sim::after index::sim::with --nocapture

conformance:
	$(STEP) 'conformance: build'
	@$(CARGO) build --quiet --package client --bin to-mcp --features conformance-fixtures
	@mkdir -p '$(TARGET_DIR)/conformance' && cp '$(TARGET_DIR)/debug/to-mcp' '$(TARGET_DIR)/conformance/to-mcp'
	@$(CARGO) build --quiet --package daemon --package client --bins
	$(STEP) 'conformance: the official clients and suite'
	@BIN='$(TARGET_DIR)/debug' FIXTURES='$(TARGET_DIR)/conformance/to-mcp' tests/conformance/run

check:
	$(STEP) 'check: format'
	@$(CARGO) fmt --all --check
	$(STEP) 'check: lints'
	@$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(STEP) 'check: licences, bans and sources'
	@if $(CARGO) deny --version >/dev/null 2>&1; \
	then $(CARGO) deny check licenses bans sources; \
	else echo 'skipped: cargo-deny is not installed (`cargo install --locked cargo-deny`)'; fi

bench: static
	$(STEP) 'bench: build'
	@RUSTFLAGS='$(STATIC)' $(CARGO) build --release --target $(HOST) --package tests --bins
	@RUSTFLAGS='$(STATIC)' $(CARGO) bench --target $(HOST) --package tests --bench table --no-run
	$(STEP) 'bench: measure'
	@RUSTFLAGS='$(STATIC)' TOD_BIN_DIR='$(abspath $(RELEASE))' \
	  $(CARGO) bench --quiet --target $(HOST) --package tests --bench table -- $(GROUPS)

static:
	$(STEP) 'static: build for $(HOST)'
	@RUSTFLAGS='$(STATIC)' $(CARGO) build --release --target $(HOST) --package daemon --package client --bins
	@RELEASE='$(RELEASE)' packaging/check-static.sh

install: static
	$(STEP) 'install: programs into $(BINDIR)'
	@mkdir -p '$(BINDIR)' '$(MANDIR)' '$(BASHDIR)' '$(ZSHDIR)' '$(FISHDIR)'
	@for name in tod tocli to-mcp; do \
	  cp '$(RELEASE)'/$$name '$(BINDIR)'/.$$name.new && chmod 755 '$(BINDIR)'/.$$name.new && \
	  mv '$(BINDIR)'/.$$name.new '$(BINDIR)'/$$name || exit 1; done
	$(STEP) 'install: man pages and completions'
	@'$(RELEASE)'/tocli man --dir '$(MANDIR)'
	@'$(RELEASE)'/to-mcp --man > '$(MANDIR)'/to-mcp.1
	@'$(RELEASE)'/tocli completions bash > '$(BASHDIR)'/tocli
	@'$(RELEASE)'/tocli completions zsh > '$(ZSHDIR)'/_tocli
	@'$(RELEASE)'/tocli completions fish > '$(FISHDIR)'/tocli.fish
	@'$(RELEASE)'/to-mcp --completions bash > '$(BASHDIR)'/to-mcp
	@'$(RELEASE)'/to-mcp --completions zsh > '$(ZSHDIR)'/_to-mcp
	@'$(RELEASE)'/to-mcp --completions fish > '$(FISHDIR)'/to-mcp.fish
	$(STEP) 'install: service units'
	@PREFIX='$(PREFIX)' UNITDIR='$(UNITDIR)' AGENTS='$(AGENTS)' packaging/units.sh install

uninstall:
	$(STEP) 'uninstall: from $(PREFIX)'
	@PREFIX='$(PREFIX)' UNITDIR='$(UNITDIR)' AGENTS='$(AGENTS)' packaging/units.sh uninstall
	@rm -f '$(BINDIR)'/tod '$(BINDIR)'/tocli '$(BINDIR)'/to-mcp \
	  '$(MANDIR)'/tocli.1 '$(MANDIR)'/tocli-*.1 '$(MANDIR)'/to-mcp.1 \
	  '$(BASHDIR)'/tocli '$(ZSHDIR)'/_tocli '$(FISHDIR)'/tocli.fish \
	  '$(BASHDIR)'/to-mcp '$(ZSHDIR)'/_to-mcp '$(FISHDIR)'/to-mcp.fish
	@echo 'records, settings and project folders are as they were'

clean:
	$(STEP) 'clean'
	@$(CARGO) clean
