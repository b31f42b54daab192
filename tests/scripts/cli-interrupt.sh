#!/usr/bin/env bash
# SIGINT and SIGTERM end a run with the reports of what was done; a second one, and
# SIGKILL, lose what was running only.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

# begin DIR: a run in the background, past its first conversations; sets run.
begin() {
  rm -f out
  "$NOVAPROBE" demo --real-time --out "$1" >out 2>err </dev/null &
  run=$!
  started+=("$run")
  wait_for out '^pass .*tcp-auth-accepted'
}

# ends STATUS: it ends with it within 10 s.
ends() {
  local i status=0
  for ((i = 0; i < 100; i++)); do
    kill -0 "$run" 2>/dev/null || break
    sleep 0.1
  done
  [ "$i" -lt 100 ] || fail "it does not end"
  wait "$run" || status=$?
  [ "$status" -eq "$1" ] || fail "status $status, $1 expected"
}

begin int
kill -INT "$run"
ends 130
python3 - <<'PYTHON' || fail "results.json after SIGINT"
import json
results = json.load(open("int/results.json", encoding="utf-8"))
assert results["interrupted"] is True
verdicts = {c["id"]: c["verdict"] for c in results["conversations"]}
assert verdicts["tcp-auth-accepted"] == "pass"
assert verdicts["tcp-idle-timeout"] in ("inconclusive", "not_tested")
assert results["summary"]["outcome"] != "conformant"
PYTHON
for file in junit.xml report.html transcripts/tcp-auth-accepted.json; do
  [ -s "int/$file" ] || fail "int/$file"
done
grep -q 'interrupted' out || fail "the summary does not say it"

begin term
kill -TERM "$run"
ends 143
[ -s term/results.json ] || fail "term/results.json"

# What has ended is on disk at once.
begin killed
kill -KILL "$run"
ends 137
[ ! -e killed/results.json ] || fail "results of a run that was killed"
python3 -c 'import json; json.load(open("killed/transcripts/tcp-auth-accepted.json"))' ||
  fail "killed/transcripts"

# A hook that does not end holds up a first signal's way out no longer than a
# second one.
start_mock --device D1:some-key-1
cat >slow.yaml <<YAML
novaprobe: 1
tcp: 127.0.0.1:$port
devices: [{id: D1, key: some-key-1}]
timers: {hook_timeout: 60s}
hooks: {reset_key: sleep 60}
YAML
rm -f out
"$NOVAPROBE" server -p slow.yaml --only ID-03 --out twice >out 2>err </dev/null &
run=$!
started+=("$run")
wait_for out '^seed '
sleep 1
kill -INT "$run"
sleep 0.2
kill -INT "$run" 2>/dev/null || true
ends 130
