#!/usr/bin/env bash
# Nobody there, or nobody who answers: the run ends, and says that it could not
# judge.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

expect 3 server --tcp 127.0.0.1:1 --device D1:some-key-1 --out none
shown 'INCOMPLETE'
python3 - <<'PYTHON' || fail "something passed or failed that was never reached"
import json
results = json.load(open("none/results.json", encoding="utf-8"))
assert {q["verdict"] for q in results["requirements"]} <= {
    "inconclusive", "not_tested", "not_applicable"}
assert all(q["reason"] for q in results["requirements"])
PYTHON
expect 3 server --tcp no-such-host.invalid:9000 --device D1:some-key-1 --out name

# It accepts and is silent: what needs an answer fails, nothing hangs.
devices=()
for i in $(seq 24); do
  devices+=(--device "D$i:some-key-$i")
done
start_subject silent
expect 1 server --tcp "127.0.0.1:$port" "${devices[@]}" "${short[@]}" --out silent \
  --only 'TCP-AUTH-0*' --only 'TCP-HB-*' --only 'TCP-DATA-*'
[ "$(verdict silent/results.json TCP-AUTH-04)" = fail ] || fail "silent: TCP-AUTH-04"
start_subject deaf
expect 1 server --tcp "127.0.0.1:$port" "${devices[@]}" "${short[@]}" --out deaf \
  --only TCP-AUTH-04 --only TCP-FRAME-05
