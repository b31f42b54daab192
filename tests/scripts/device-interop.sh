#!/usr/bin/env bash
# The whole device suite, in real time with scaled timers, against devices that keep
# to the guide: one that nobody here had a hand in (another language, its own JSON
# parser, written from the guide alone), as it is, slow in all that it does, chatty
# and byte by byte; and the example that vendors start from. Everything has to be
# judged and to pass.
#
# From the environment beside that of cli.sh: DEVICE, the example's program.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"
DEVICE=${DEVICE:-$SOURCE/build/debug/examples/device/nova-device}
peer="python3 $SOURCE/tests/interop/device.py --host {host} --port {tcp_port} --id {device_id}
  --key {device_key} --auth-timeout 2 --heartbeat 2 --idle-timeout 6 --response-timeout 3
  --data-interval 3 --status-interval 3"
example="$DEVICE --host {host} --port {tcp_port} --id {device_id} --key {device_key}
  --auth-timeout 2 --heartbeat 2 --idle-timeout 6"
cat >profile.yaml <<'YAML'
novaprobe: 1
subject: device
declares:
  value_keys: [temperature, humidity, light]
  actuators: {relay1: ["OFF", "ON"], led_brightness: [0, 80]}
timers: {auth_timeout: 2s, heartbeat: 2s, idle_timeout: 6s, response_timeout: 3s, reconnect_timeout: 10s,
         late_tolerance: 2s}
YAML

# all_pass NAME COMMAND
all_pass() {
  expect 0 device -p profile.yaml --tcp 127.0.0.1:0 --spawn "$2" --out "$1" --seed 3
  python3 - "$1" <<'PYTHON' || fail "$1"
import json, sys
results = json.load(open(f"{sys.argv[1]}/results.json", encoding="utf-8"))
open_ones = [r["id"] for r in results["requirements"]
             if r["verdict"] not in ("pass", "not_applicable")]
passed = sum(r["verdict"] == "pass" for r in results["requirements"])
if open_ones or passed < 30:
    sys.exit(f"{passed} passed; not passed: {open_ones}")
print(f"{sys.argv[1]}: {passed} requirements passed in {results['duration_s']:.1f} s")
PYTHON
}
case ${1:-all} in
  peer | all) all_pass plain "$peer" && all_pass slow "$peer --slow --reconnect-delay 9" ;;&
  style | all) all_pass chatty "$peer --chatty" && all_pass one-byte "$peer --one-byte" ;;&
  example | all) all_pass example "$example" ;;
esac
