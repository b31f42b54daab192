# shellcheck shell=bash
# What the end-to-end tests of the program share; sourced. From the
# environment: NOVAPROBE, the program (default: that of the release build), and
# SOURCE, the source tree.
#
# Each test works in $work, a folder of its own that goes away with it, and ends
# the processes that it has started.
set -euo pipefail
export LC_ALL=C.UTF-8
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SOURCE=${SOURCE:-$(cd "$scripts/../.." && pwd)}
NOVAPROBE=${NOVAPROBE:-$SOURCE/build/novaprobe}
# shellcheck disable=SC2034 # for those that want it
name=$(basename "$0" .sh)
unset NO_COLOR LANG LC_MESSAGES
work=$(mktemp -d)
cd "$work"
started=()

cleanup() {
  local pid
  for pid in "${started[@]+"${started[@]}"}"; do
    kill -KILL "$pid" 2>/dev/null || true
  done
  cd /
  rm -rf "$work"
}
trap cleanup EXIT

fail() {
  echo "$name: $*" >&2
  for file in "$work/out" "$work/err"; do
    [ ! -s "$file" ] || { echo "--- $(basename "$file")"; tail -n 40 "$file"; } >&2
  done
  exit 1
}

# expect STATUS ARGUMENT...: runs the program; its output goes to ./out and ./err.
expect() {
  local want=$1 got=0
  shift
  timeout --kill-after=5 100 "$NOVAPROBE" "$@" >out 2>err </dev/null || got=$?
  [ "$got" -eq "$want" ] || fail "novaprobe $*: status $got, $want expected"
}

# one_line: the last expect said one line on standard error, as an error is said.
one_line() {
  [ "$(wc -l <err)" -eq 1 ] || fail "expected one line on standard error"
  grep -q '^novaprobe: ' err || fail "the error does not begin with novaprobe:"
}

# said PATTERN, shown PATTERN: it is in ./err, ./out (extended expression).
said() { grep -qE -- "$1" err || fail "standard error lacks: $1"; }
shown() { grep -qE -- "$1" out || fail "standard output lacks: $1"; }

# verdict RESULTS ID: the verdict of a requirement or conversation.
verdict() {
  python3 - "$1" "$2" <<'PYTHON'
import json, sys
results = json.load(open(sys.argv[1], encoding="utf-8"))
for part in "requirements", "conversations":
    for one in results[part]:
        if one["id"] == sys.argv[2]:
            print(one["verdict"])
PYTHON
}

# wait_for FILE PATTERN: until the file has such a line, 10 s at most.
wait_for() {
  local i
  for ((i = 0; i < 200; i++)); do
    if grep -qE -- "$2" "$1" 2>/dev/null; then
      return
    fi
    sleep 0.05
  done
  fail "$1 never had: $2"
}

# start_mock ARGUMENT...: the reference server; sets port, control and server (its
# process).
start_mock() {
  : >mock.out
  "$NOVAPROBE" mock server --tcp 127.0.0.1:0 --control 127.0.0.1:0 "$@" \
    >mock.out 2>mock.err </dev/null &
  server=$!
  started+=("$server")
  wait_for mock.out '^listening on '
  port=$(sed -E 's/^listening on [^ ]*:([0-9]+).*/\1/' mock.out)
  # shellcheck disable=SC2034
  control=$(sed -E 's/.*\(control (.*)\)$/\1/' mock.out)
}

# start_subject MODE [BYTES]: a server that is not one (subject.py); sets port.
start_subject() {
  : >subject.out
  python3 "$scripts/subject.py" "$@" >subject.out 2>/dev/null </dev/null &
  started+=("$!")
  wait_for subject.out '^[0-9]+$'
  # shellcheck disable=SC2034
  port=$(cat subject.out)
}

# With short timers a run takes seconds.
# shellcheck disable=SC2034
short=(--timer auth_timeout=1s --timer idle_timeout=3s --timer heartbeat=1s
  --timer response_timeout=1s --timer late_tolerance=1s)
