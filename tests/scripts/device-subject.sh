#!/usr/bin/env bash
# Devices as processes of the run: right ones, wrong ones, and some that are none.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"
export NOVAPROBE
cat >profile.yaml <<'YAML'
novaprobe: 1
subject: device
name: Reference device
declares:
  value_keys: [temperature, humidity, light]
  actuators: {relay1: ["ON", "OFF", "ON"], led_brightness: 80}
timers: {auth_timeout: 1s, heartbeat: 1s, idle_timeout: 3s, late_tolerance: 1s, reconnect_timeout: 10s}
YAML
mock="'$NOVAPROBE' mock device -q --tcp {host}:{tcp_port} --device {device_id}:{device_key}"
mock+=" --timer auth_timeout=1s --timer heartbeat=1s --timer idle_timeout=3s --timer reconnect_timeout=10s"

# verdicts RESULTS: every requirement that was judged, with its verdict, but passes.
verdicts() {
  python3 - "$1" <<'PYTHON'
import json, sys
for one in json.load(open(sys.argv[1], encoding="utf-8"))["requirements"]:
    if one["verdict"] not in ("pass", "not_applicable"):
        print(one["id"], one["verdict"])
PYTHON
}

# A right one: everything is judged and passes, and is judged the same again.
expect 0 device -p profile.yaml --tcp 127.0.0.1:0 --spawn "$mock" --out good --seed 5
shown 'CONFORMANT'
python3 - <<'PYTHON' || fail "results.json"
import json
results = json.load(open("good/results.json", encoding="utf-8"))
assert results["subject"] == "device" and results["summary"]["outcome"] == "conformant"
judged = [one for one in results["requirements"] if one["verdict"] == "pass"]
assert len(judged) == 30, len(judged)
longest = max(one["duration_s"] for one in results["conversations"])
assert results["duration_s"] < 1.05 * longest + 2, (results["duration_s"], longest)
for one in results["conversations"]:
    assert one["transcript"][-1]["event"] == "exited", one["id"]
PYTHON
expect 0 judge good/results.json
shown 'No verdict changed'
! grep -rqE '"device_key\\?": ?\\?"[0-9a-f]{32}' good || fail "a key is in the reports"

# One with a bug: that bug, and no other.
expect 1 device -p profile.yaml --spawn "$mock --fault command-id-lower-cased" --out bug
[ "$(verdicts bug/results.json)" = "TCP-CMD-06 fail" ] || fail "$(verdicts bug/results.json)"
expect 1 judge bug/results.json
shown 'No verdict changed'

# Ports from a given one upwards; credentials of the profile's are leased.
expect 0 device -p profile.yaml --tcp 127.0.0.1:39000 --spawn "$mock" --device DEV-77:key-77-secret \
  --device DEV-78:key-78-secret --only 'tcp-command-p*' --allow-incomplete --out lease
! grep -rq 'key-7[78]-secret' lease || fail "a key is in the reports"

# What is no device. $1: mode, $2: exit status, $3: what may fail.
gadget() {
  echo "gadget $1"
  expect "$2" device --tcp 127.0.0.1:0 --spawn "python3 $scripts/gadget.py $1" --out "gadget-$1" \
    --only tcp-auth-accepted --only tcp-command-plain --only tcp-reconnect-close \
    --timer auth_timeout=1s --timer heartbeat=1s --timer idle_timeout=3s --timer late_tolerance=1s \
    --timer response_timeout=1s --timer reconnect_timeout=2s
  local failed
  failed=$(verdicts "gadget-$1/results.json" | sed -n 's/ fail$//p' | paste -sd' ')
  [ "$failed" = "$3" ] || fail "$1: failed: $failed; expected: $3"
  ! pgrep -f "gadget.py $1" >/dev/null || fail "$1: a process is left"
  ! grep -q $'\x1b' out || fail "$1: an escape reached the terminal"
}
gadget silent 1 TCP-AUTH-01
gadget probe 1 TCP-AUTH-01
gadget junk 1 TCP-FRAME-02
gadget escapes 1 'TCP-FRAME-02 TCP-CMD-05'
gadget stubborn 1 'TCP-CMD-05 TCP-HB-01'
gadget daemon 1 'TCP-CMD-05 TCP-HB-01'
gadget noisy 1 'TCP-CMD-05 TCP-HB-01'
gadget deaf 1 TCP-AUTH-01
gadget storm 1 TCP-AUTH-01
gadget flood 1 'TCP-CMD-05 TCP-HB-01'
gadget line 1 'TCP-FRAME-02 TCP-FRAME-11'

# Never there: told apart from one that says nothing.
for command in 'sleep 100' 'true' 'sh -c "echo no network >&2; exit 7"'; do
  expect 3 device --tcp 127.0.0.1:0 --spawn "$command" --out none --only tcp-auth-accepted \
    --timer reconnect_timeout=1s
  shown 'the device never connected'
done
shown 'exit status 7'
grep -q 'no network' none/results.json || fail "its last words"

expect 2 device --spawn ./nowhere --out none
one_line
said 'no such program'
expect 2 device --tcp 127.0.0.1:0 --spawn 'true {mqtt_port}' --out none
one_line
said 'nothing was given for \{mqtt_port\}'
expect 2 device --tcp 127.0.0.1:0 --out none
one_line
said 'which device'
expect 2 device --device A:bcdef --out none
one_line
said 'no address to listen on'

# It goes when we are interrupted, with its reports.
"$NOVAPROBE" device --tcp 127.0.0.1:0 --spawn "python3 $scripts/gadget.py silent" --out cut >out 2>err </dev/null &
run=$!
started+=("$run")
wait_for out '^seed '
sleep 0.5
kill -INT "$run"
status=0
wait "$run" || status=$?
[ "$status" -eq 130 ] || fail "interrupted: status $status"
[ -s cut/results.json ] || fail "interrupted: no results"
! pgrep -f "gadget.py silent" >/dev/null || fail "interrupted: a process is left"
