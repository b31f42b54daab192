#!/usr/bin/env bash
# The subject is killed in the middle of the run.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

devices=()
for i in $(seq 24); do
  devices+=(--device "D$i:some-key-$i")
done
start_mock "${devices[@]}" --timer auth_timeout=1s --timer idle_timeout=3s
(
  sleep 1.5
  kill -KILL "$server"
) &
status=0
timeout 100 "$NOVAPROBE" server --tcp "127.0.0.1:$port" "${devices[@]}" "${short[@]}" \
  --out killed >out 2>err || status=$?
[ "$status" -eq 1 ] || [ "$status" -eq 3 ] || fail "status $status, 1 or 3 expected"
python3 - <<'PYTHON' || fail "results.json"
import json
results = json.load(open("killed/results.json", encoding="utf-8"))
assert results["summary"]["outcome"] != "conformant"
assert len(results["conversations"]) > 70
PYTHON
expect "$status" judge killed
shown 'No verdict changed'
