#!/usr/bin/env bash
# Where the machine lets novaprobe down: reports that cannot be written in the end
# are status 4, and a standard output that cannot be written costs no report.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

status=0
(
  ulimit -f 8
  exec "$NOVAPROBE" demo --only tcp-auth-accepted --out r -q
) >out 2>err </dev/null || status=$?
[ "$status" -eq 4 ] || fail "status $status, 4 expected"
one_line
said 'r/results\.json could not be written'
[ ! -e r/results.json ] || fail "a part of results.json"
[ -s r/transcripts/tcp-auth-accepted.json ] || fail "the transcript fits"

status=0
"$NOVAPROBE" list requirements >/dev/full 2>err || status=$?
[ "$status" -eq 4 ] || fail "list to a full disk: status $status"
one_line
status=0
"$NOVAPROBE" demo --only tcp-auth-accepted --out full >/dev/full 2>err || status=$?
[ "$status" -eq 3 ] || fail "demo to a full disk: status $status"
one_line
[ -s full/results.json ] || fail "results.json"
status=0
"$NOVAPROBE" demo --only tcp-auth-accepted --out closed >&- 2>err || status=$?
[ "$status" -eq 3 ] || fail "demo without standard output: status $status"
[ -s closed/results.json ] || fail "results.json"
"$NOVAPROBE" list requirements 2>err | head -n 1 >/dev/null || fail "a reader that goes away"
[ ! -s err ] || fail "a reader that goes away is no error"
