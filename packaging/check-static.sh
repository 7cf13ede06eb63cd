#!/usr/bin/env bash
# Says what the release binaries are, and fails when one cannot run or, on Linux, is not static.
# usage: RELEASE=<folder of the binaries> check-static.sh
set -euo pipefail
for name in tod tocli to-mcp; do
  binary=$RELEASE/$name
  version=$("$binary" --version </dev/null) || { echo "$binary does not run" >&2; exit 1; }
  linked='not checked on this system'
  if [ "$(uname -s)" = Linux ]; then
    # `ldd` names no library for a static binary: it says so, or fails.
    if ldd "$binary" 2>/dev/null | grep -q '=>'; then
      echo "$binary is not static:" >&2
      ldd "$binary" >&2
      exit 1
    fi
    linked=static
  fi
  printf '%s: %s, %s bytes, %s\n' "$binary" "$version" "$(wc -c <"$binary" | tr -d ' ')" "$linked"
done
