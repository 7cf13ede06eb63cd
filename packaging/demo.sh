#!/usr/bin/env bash
# A tour on this very repository, with a daemon of its own in a scratch home. Every step checks what it shows and the
# first that does not hold ends the tour. Your checkout is only read: what is edited is a scratch clone of it.
# usage: BIN=<folder of tod and tocli> demo.sh      (make demo)
#
# To add a step: write a function `tour_<word>` and put its word into TOUR.
set -euo pipefail
TOUR='detect files changes watch workspace config role task decision artifact audit import reboot daemon stop'

repo=$(cd "$(dirname "$0")/.." && git rev-parse --show-toplevel)
bin=$(cd "${BIN:?the folder of tod and tocli}" && pwd)
scratch=$(mktemp -d /tmp/tod-demo.XXXXXX)
clone=$scratch/clone
checks=0

# Nothing of the caller's own settings, daemon or agents reaches the tour.
while IFS='=' read -r name _; do
  case $name in
    TO_* | TOD_* | XDG_* | GIT_* | CLAUDE_* | CURSOR_* | WINDSURF_* | VSCODE_* | MCP_*) unset "$name" ;;
  esac
done < <(env)
export HOME=$scratch/home XDG_RUNTIME_DIR=$scratch/run
export TOD_SOCKET=$scratch/run/tod.sock TOD_STATE_DIR=$scratch/state
export PATH=$bin:$PATH NO_COLOR=1
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
mkdir -p "$HOME" && mkdir -m 700 "$XDG_RUNTIME_DIR"

watcher=
finish() {
  status=$?
  trap - EXIT
  [ -z "$watcher" ] || kill "$watcher" 2>/dev/null || true
  tocli --no-start daemon stop >/dev/null 2>&1 || true
  if [ "$status" -ne 0 ]; then
    printf '\ndemo: FAILED after %s checks\n' "$checks"
    tail -n 20 "$TOD_STATE_DIR"/logs/* 2>/dev/null || true
  fi
  rm -rf "$scratch"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n== demo: %s\n' "$1"; }

# Shows a command as one would type it, runs it in a folder, shows its first lines and keeps all of them in $out.
run() { # FOLDER COMMAND…
  local folder=$1
  shift
  printf '%s$ %s\n' "${folder/#$scratch\//}" "$*"
  out=$(cd "$folder" && "$@") || { printf '%s\n' "$out"; echo "that command failed"; exit 1; }
  [ -z "$out" ] || printf '%s\n' "$out" | head -n "${lines:-8}" | sed 's/^/    /'
}

# Runs a command that must hold, quietly.
holds() { # SENTENCE COMMAND…
  local sentence=$1
  shift
  "$@" || { printf '  NOT SO: %s\n' "$sentence"; exit 1; }
  checks=$((checks + 1))
  printf '  holds: %s\n' "$sentence"
}

is() { [ "$1" = "$2" ] || { printf '    expected: %s\n    found:    %s\n' "$2" "$1"; return 1; }; }
has() { case $1 in *"$2"*) ;; *) printf '    not found: %s\n' "$2"; return 1 ;; esac; }

# The first value of a field in $out, which is JSON: text or number.
field() {
  printf '%s' "$out" | tr '\n' ' ' | grep -o "\"$1\": *\"\{0,1\}[^\",}]*" | head -n 1 | sed 's/^"[^"]*": *"\{0,1\}//'
}

# The files git would show: listed, on disk, and no directories.
files_by_git() {
  git -C "$1" ls-files -co --exclude-standard --deduplicate | while IFS= read -r file; do
    if [ -e "$1/$file" ] || [ -L "$1/$file" ]; then [ -d "$1/$file" ] && [ ! -L "$1/$file" ] || printf '%s\n' "$file"; fi
  done | LC_ALL=C sort
}

tour_detect() {
  say 'which project is this? (the first question starts the daemon)'
  run "$repo" tocli detect
  run "$repo/packaging" tocli detect --json
  holds 'the root is the one that git names' is "$(field root)" "$repo"
  run "$repo/packaging" tocli detect --json
  holds 'the second answer comes from memory' is "$(field cached)" true
}

tour_files() {
  say 'its files, from an index that follows every change'
  lines=3 run "$repo" tocli files
  holds "they are the $(printf '%s\n' "$out" | wc -l | tr -d ' ') files that git would show" \
    is "$out" "$(files_by_git "$repo")"
  run "$repo" tocli files '*.toml'
  holds 'a glob narrows them down' has "$out" Cargo.toml
}

tour_changes() {
  say 'what changed since? (in a scratch clone)'
  git clone -q "$repo" "$clone"
  git -C "$clone" config user.name demo && git -C "$clone" config user.email demo@example.invalid
  run "$clone" tocli clock
  local clock=$out
  echo 'a line' >>"$clone/README.md"
  mkdir -p "$clone/made/just/now" && echo new >"$clone/made/just/now/leaf.txt"
  git -C "$clone" mv Makefile Makefile.moved
  run "$clone" tocli changes --since "$clock"
  run "$clone" tocli changes --since "$clock" --json
  holds 'the edit is there' has "$out" README.md
  holds 'the file in folders made a moment ago is there' has "$out" made/just/now/leaf.txt
  holds 'the renamed file is there' has "$out" Makefile.moved
  clock=$(field clock)
  run "$clone" tocli changes --since "$clock" --json
  holds 'nothing has changed since then' is "$(printf '%s' "$out" | tr -d ' \n' | grep -o '"changes":\[\]')" '"changes":[]'
  holds 'the files are still those of git' is "$(cd "$clone" && tocli files)" "$(files_by_git "$clone")"
}

# Starts a subscriber in the background and edits until it has been told once.
subscribe() {
  printf 'clone$ tocli watch --json &\n'
  (cd "$clone" && exec tocli watch --json) >"$scratch/watched" &
  watcher=$!
  told_of watched.txt
}

# Edits a file of the clone until the subscriber has been told of it, within ten seconds.
told_of() { # FILE
  local round
  for round in $(seq 100); do
    echo "$round" >"$clone/$1"
    sleep 0.1
    ! grep -q "\"$1\"" "$scratch/watched" || return 0
  done
  echo "    the subscriber was not told of $1"
  return 1
}

unsubscribe() {
  kill "$watcher"
  wait "$watcher" 2>/dev/null || true
  watcher=
}

tour_watch() {
  say 'tell me as it happens'
  subscribe
  head -n 2 "$scratch/watched" | cut -c 1-160 | sed 's/^/    /'
  holds 'the subscriber was told' told_of another.txt
  unsubscribe
}

tour_workspace() {
  say 'the registry of projects'
  run "$clone" tocli workspace create --name demo
  run "$clone" tocli workspace show --json
  holds 'it is registered under its name' is "$(field name)" demo
  local id
  id=$(field id)
  run "$clone" tocli workspace list
  holds 'it is on the list' has "$out" "$id"
  run "$clone" tocli workspace show-location
  holds 'its folder stays out of git' is "$(git -C "$clone" status --porcelain -- .task_orchestrator | grep -c workspace.json || true)" 0
}

tour_config() {
  say 'settings, and who set them'
  run "$clone" tocli config get workspace.artifact_retention_days
  holds 'the built-in value' is "$out" 30
  run "$clone" tocli config set workspace.artifact_retention_days 7
  lines=4 run "$clone" tocli config list --origin
  run "$clone" tocli config get workspace.artifact_retention_days
  holds 'the new value' is "$out" 7
  printf 'clone$ tocli config set agents.max_count 5000\n'
  local code=0
  (cd "$clone" && tocli config set agents.max_count 5000) 2>&1 | sed 's/^/    /' || true
  (cd "$clone" && tocli config set agents.max_count 5000) >/dev/null 2>&1 || code=$?
  holds 'a project cannot widen what may happen: refused' is "$code" 4
}

tour_role() {
  say 'roles of workers'
  run "$clone" tocli role list
  holds 'the built-in ones are there' has "$out" architect
}

tour_task() {
  say 'units of work, and who holds them'
  run "$clone" tocli task add 'Read the README' --json
  local first second
  first=$(field task_id)
  run "$clone" tocli task add 'Mend what it says' --after "$first" --json
  second=$(field task_id)
  run "$clone" tocli next --claim --actor ada --json
  holds 'ada gets the first one' is "$(field task_id)" "$first"
  printf 'clone$ tocli next --claim --actor ben\n'
  local code=0
  (cd "$clone" && tocli next --claim --actor ben) 2>&1 | sed 's/^/    /' || true
  (cd "$clone" && tocli next --claim --actor ben) >/dev/null 2>&1 || code=$?
  holds 'ben gets none: the other one waits for it' is "$code" 3
  run "$clone" tocli task complete "$first" --actor ada --summary 'read'
  run "$clone" tocli next --claim --actor ben --json
  holds 'now ben gets the second' is "$(field task_id)" "$second"
  run "$clone" tocli task list --all
}

tour_decision() {
  say 'what was decided, and what it is about'
  run "$clone" tocli decision record 'One file, one subject' --decision 'A file has one subject' \
    --rationale 'It is found by its name' --path README.md --json
  holds 'it has a number' is "$(field number)" 1
  run "$clone" tocli decision for README.md
  holds 'it is found by the path it is about' has "$out" 'One file, one subject'
}

tour_artifact() {
  say 'results, kept with their task'
  run "$clone" tocli task add 'Sum it up' --id sum --json
  echo 'what it says' >"$scratch/sum.md"
  run "$clone" tocli artifact store sum "$scratch/sum.md" --summary 'In one line' --json
  local id
  id=$(field artifact_id)
  run "$clone" tocli artifact get "$id"
  holds 'it comes back as it went in' is "$out" 'what it says'
  run "$clone" tocli artifact store sum "$scratch/sum.md" --json
  holds 'the same bytes are kept once' is "$(field already_there)" true
}

tour_audit() {
  say 'who changed what, and when'
  run "$clone" tocli audit --limit 3
  run "$clone" tocli audit verify --json
  holds 'the trail is whole' is "$(field whole)" true
}

# A database as release 1.2 of the older program left it: a breakdown, two tasks, a dependency on a task that is not there.
old_database() {
  base64 -d <<'OLD' | gzip -dc
H4sIAAAAAAACA+1VQW/TMBS2M8q4BKmnHaqqVhHqqq0oTRiHneigt12AIg1No3Kc19Vq6kT2K92Ohb/GT+GH4GRN15RIXDgA2ifH
znt5n/P8PTv58O5cIrBJouccWUAcQil5zRghpGavR+Qezo5Nye9RIy8ErRXsMv8BfwHcrJD0O7HtAf8oTunjzvOmGyA3s7HH+6Ev
guhsIeOIcRYmHOdJBJoj+J5/0vNe9bw+6/unnmebmx/NH4QmtvtPsXriuL1Os/ts0GiQekDkPI1hDgpBjz3P8yt0k3g34hRyBbco
l22uxdR+NAVm7H77uH09TQy2rz6qmUqWKgUVSXV9eVUh9+opdbudRqdVr7dO6kFQnqqUyFvNlzaPfCjS2ITbyaciyZJCyCMVk8qG
aQD2RcLSVL592/Vyu/4XhH623R/E1z1n/6DZpN8+IQ9jMIswW5wpxr0374eD0ZCNBmfnQ1Z42WGugIzYaHgxOmYp11bycdmJEmNY
30dghJYpykStPSYFIXksjaXdpvdxWVFACQlm7QJji2rPRDSGif37YcFHjosiRtu8YywsrlFOuNjYQkPO5wV3U5DC1V216P7B0RFd
LXIV8oWEljaL7D4xO6ZT0mTnITusFONXAe6SuJF4u3HYXXuD1Ul3fwKS7tFoAAgAAA==
OLD
}

tour_import() {
  say 'what an older program has kept comes along'
  old_database >"$scratch/old.db"
  local before
  before=$(cksum <"$scratch/old.db")
  run "$clone" tocli import legacy "$scratch/old.db" --dry-run
  lines=12 run "$clone" tocli import legacy "$scratch/old.db" --json
  holds 'three tasks came' has "$out" '"imported":{"tasks":3,"dependencies":1'
  holds 'what could not come is named' has "$out" 'implementer_0002 after ghost'
  run "$clone" tocli import legacy "$scratch/old.db" --json
  holds 'nothing comes twice' has "$out" '"imported":{"tasks":0,"dependencies":0'
  run "$clone" tocli task show architect_0001
  holds 'its result came too' has "$out" 'Drawn in three views'
  holds 'the old database is as it was' is "$(cksum <"$scratch/old.db")" "$before"
}

tour_reboot() {
  say 'a new binary takes over, and no client notices'
  run "$clone" tocli daemon status --json
  local pid
  pid=$(field pid)
  subscribe
  run "$clone" tocli daemon reboot
  run "$clone" tocli daemon status --json
  holds 'it is the same process' is "$(field pid)" "$pid"
  holds 'and the next generation' is "$(field generation)" 1
  holds 'the subscriber goes on' told_of after-the-reboot.txt
  holds 'it is still the same connection' kill -0 "$watcher"
  unsubscribe
}

tour_daemon() {
  say 'the daemon itself'
  lines=20 run "$clone" tocli daemon status
  run "$clone" tocli daemon status --json
  holds 'it watches the clone' has "$out" "$clone"
  run "$clone" tocli migrate status
}

tour_stop() {
  say 'and stop'
  run "$scratch" tocli daemon stop
  holds 'nobody answers any more' refused
  holds 'your checkout is as it was' is "$(git -C "$repo" status --porcelain)" "$before"
}

refused() {
  local code=0
  tocli --no-start clock >/dev/null 2>&1 || code=$?
  is "$code" 6
}

before=$(git -C "$repo" status --porcelain)
for word in $TOUR; do "tour_$word"; done
printf '\ndemo: all %s checks hold\n' "$checks"
