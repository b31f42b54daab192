#!/usr/bin/env bash
# The whole server suite, in real time with scaled timers, against a server that
# nobody here had a hand in: another language, its own JSON parser, written from the
# guide alone. Everything has to be judged and to pass.
#
#   interop-server.sh NOVAPROBE
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
probe=${1:-$root/build/debug/novaprobe}
dir=$(mktemp -d)
server=
cleanup() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$dir"
}
trap cleanup EXIT

devices=()
for i in 1 2 3 4 5 6 7 8; do
  devices+=(--device "DEV-00000$i:interop-Key-$i")
done
mkfifo "$dir/ready"
python3 "$root/tests/interop/server.py" --listen 127.0.0.1:0 --control 127.0.0.1:0 \
  --auth-timeout 2 --idle-timeout 6 "${devices[@]}" >"$dir/ready" &
server=$!
read -r -t 20 _ address _ control <"$dir/ready"

ctl="python3 $root/tests/interop/ctl.py $control"
cat >"$dir/profile.yaml" <<YAML
novaprobe: 1
subject: server
name: the independent server
tcp: $address
timers: {auth_timeout: 2s, heartbeat: 2s, idle_timeout: 6s, response_timeout: 3s}
hooks:
  send_command: $ctl command
  reset_key: $ctl reset
  deactivate: $ctl deactivate
  activate: $ctl activate
  read_data: $ctl data
YAML
status=0
timeout 120 "$probe" server -p "$dir/profile.yaml" "${devices[@]}" --seed 7 \
  --out "$dir/out" --color never >"$dir/log" 2>&1 || status=$?
grep -v '^pass' "$dir/log" || true
if [ "$status" -ne 0 ]; then
  echo "the independent server does not pass: exit status $status" >&2
  exit 1
fi
# Nothing was left out: each requirement over TCP that binds a server.
python3 - "$dir/out/results.json" <<'PYTHON'
import json, sys
results = json.load(open(sys.argv[1], encoding="utf-8"))
open_ones = [r["id"] for r in results["requirements"]
             if r["verdict"] not in ("pass", "not_applicable")]
passed = sum(r["verdict"] == "pass" for r in results["requirements"])
if open_ones or passed < 33:
    sys.exit(f"{passed} passed; not passed: {open_ones}")
print(f"{passed} requirements passed")
PYTHON
