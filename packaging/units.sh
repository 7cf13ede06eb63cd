#!/usr/bin/env bash
# Puts the service units of this system in place, with the path of the installed `tod`, or takes them away.
# usage: PREFIX=… UNITDIR=… AGENTS=… units.sh install|uninstall
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
label=org.task-orchestrator.tod

fill() { # SOURCE TARGET
  case $PREFIX in
    /*) ;;
    *) echo "PREFIX is not an absolute path: $PREFIX" >&2; exit 2 ;;
  esac
  case $PREFIX in
    *[!A-Za-z0-9/._@+-]*) echo "PREFIX holds a character that has a meaning in a unit file: $PREFIX" >&2; exit 2 ;;
  esac
  sed "s|@BINDIR@|$PREFIX/bin|g" "$1" >"$2"
  chmod 644 "$2"
  echo "$2"
}

case "${1:-} $(uname -s)" in
  'install Darwin')
    mkdir -p "$AGENTS"
    fill "$here/launchd/$label.plist" "$AGENTS/$label.plist"
    echo "to start it at login: launchctl bootstrap gui/$(id -u) '$AGENTS/$label.plist'" ;;
  'install Linux')
    mkdir -p "$UNITDIR"
    fill "$here/systemd/tod.socket" "$UNITDIR/tod.socket"
    fill "$here/systemd/tod.service" "$UNITDIR/tod.service"
    echo 'to let systemd start it: systemctl --user daemon-reload && systemctl --user enable --now tod.socket'
    echo 'without that, `tocli` starts it when it is needed' ;;
  'install '*) echo 'no service manager known here: `tocli` starts the daemon when it is needed' ;;
  'uninstall Darwin') rm -f "$AGENTS/$label.plist" ;;
  'uninstall '*) rm -f "$UNITDIR/tod.socket" "$UNITDIR/tod.service" ;;
  *) echo "usage: $0 install|uninstall" >&2; exit 2 ;;
esac
