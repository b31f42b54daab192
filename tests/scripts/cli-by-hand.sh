#!/usr/bin/env bash
# Devices that are operated by hand: two at once, and one that never comes.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

timers=(--timer auth_timeout=1s --timer idle_timeout=3s --timer heartbeat=1s)

# plug_in ID:KEY: a device that is switched on; sets plugged.
plug_in() {
  "$NOVAPROBE" mock device -q --tcp "127.0.0.1:$port" --device "$1" "${timers[@]}" \
    >/dev/null 2>&1 </dev/null &
  plugged=$!
  started+=("$plugged")
}

# begin DIR ARGUMENT...: a run in the background; sets run and port.
begin() {
  local dir=$1
  shift
  rm -f out err
  "$NOVAPROBE" device --tcp 127.0.0.1:0 "${timers[@]}" --timer response_timeout=1s \
    --timer reconnect_timeout=10s --seed 4 --out "$dir" "$@" >out 2>err </dev/null &
  run=$!
  started+=("$run")
  wait_for out '^listening on 127\.0\.0\.1:[0-9]+ for '
  port=$(sed -nE 's/^listening on 127\.0\.0\.1:([0-9]+) for .*/\1/p' out)
}

# ends STATUS
ends() {
  local status=0
  wait "$run" || status=$?
  [ "$status" -eq "$1" ] || fail "status $status, $1 expected"
}

some=(--only 'tcp-command-split-*' --only tcp-commands-at-once --only tcp-data-reported
  --only tcp-auth-accepted --only tcp-pong-extra-field)

# Two at once: each conversation is with one of them, and both have some.
begin two --device DEV-A:key-of-a --device DEV-B:key-of-b --timer operator_timeout=30s "${some[@]}"
grep -q "for DEV-A, DEV-B; 6 conversations" out || fail "what it says first"
sleep 3
plug_in DEV-A:key-of-a
plug_in DEV-B:key-of-b
ends 3
# What there is to do is said once for each device and not more.
for id in A B; do
  [ "$(grep -cE "^\[[12]/6\] tcp-[a-z-]+: power-cycle DEV-$id if it does not connect by itself \([0-9]+ s at most\)$" out)" -eq 1 ] ||
    fail "the prompt for DEV-$id"
done
[ "$(grep -c 'power-cycle' out)" -eq 2 ] || fail "a flood of prompts"
[ "$(wc -l <out)" -le 45 ] || fail "a flood of lines"
python3 - two <<'PYTHON' || fail "two/results.json"
import json, sys
results = json.load(open(sys.argv[1] + "/results.json", encoding="utf-8"))
assert results["subject"] == "device"
devices = [c["device"] for c in results["conversations"]]
assert len(devices) == 6 and set(devices) == {"DEV-A", "DEV-B"}, devices
assert {c["verdict"] for c in results["conversations"]} == {"pass"}
for c in results["conversations"]:
    auth = [e["text"] for e in c["transcript"] if '"auth"' in e.get("text", "")]
    assert auth and all(c["device"] in text for text in auth), c["id"]
PYTHON
! grep -rq 'key-of-' two out || fail "a key is in the reports"
expect 3 judge two
shown 'No verdict changed'

# One that never comes is told, and what was meant for it goes to the other.
begin never --device DEV-A:key-of-a --device DEV-GONE:key-of-b --timer operator_timeout=6s \
  --jobs 2 --only 'tcp-command-split-*' --only tcp-data-reported
plug_in DEV-A:key-of-a
ends 3
grep -q 'power-cycle DEV-GONE' out || fail "the prompt for the one that never comes"
python3 - never <<'PYTHON' || fail "never/results.json"
import json, sys
results = json.load(open(sys.argv[1] + "/results.json", encoding="utf-8"))
each = [(c["id"], c.get("device"), c["verdict"]) for c in results["conversations"]]
assert len(each) == 3 and {c[1:] for c in each} == {("DEV-A", "pass")}, each
assert results["summary"]["outcome"] == "incomplete"
PYTHON

# Nobody at all: told as soon as the time is over.
begin nobody --device DEV-A:key-of-a --timer operator_timeout=3s "${some[@]}"
ends 3
grep -q 'power-cycle DEV-A' out || fail "the prompt"
grep -qE 'the device never connected' out || fail "the reason"

# An address that is taken.
begin first --device DEV-A:key-of-a --timer operator_timeout=30s --only tcp-data-reported
taken=$port
got=0
"$NOVAPROBE" device --tcp "127.0.0.1:$taken" --device D1:key-1 --out taken >taken.out 2>taken.err \
  </dev/null || got=$?
[ "$got" -eq 2 ] || fail "an address that is taken: $got"
grep -q "127\.0\.0\.1:$taken cannot be listened on" taken.err || fail "what is said of it"
kill -TERM "$run"
ends 143
