#!/usr/bin/env bash
# The reference device on real sockets, served by the reference server.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

start_mock --device D1:first-key-1 --timer idle_timeout=3s

# start_device ARGUMENT...: its output goes to device.out; sets $device.
start_device() {
  : >device.out
  "$NOVAPROBE" mock device --tcp "127.0.0.1:$port" "$@" >device.out 2>device.err \
    </dev/null &
  device=$!
  started+=("$device")
}

# ended_with STATUS
ended_with() {
  local status=0
  wait "$device" || status=$?
  [ "$status" -eq "$1" ] || fail "the device ended with $status, $1 expected"
}

# It is served: its data arrive, and it does what it is told.
start_device --device D1:first-key-1 --timer heartbeat=1s --timer idle_timeout=3s \
  --timer data_interval=200ms
wait_for device.out '^device D1 of 127\.0\.0\.1:'
wait_for device.out '^connected$'
for _ in {1..50}; do
  expect 0 mock ctl --control "$control" data --device-id D1
  ! grep -q temperature out || break
  sleep 0.1
done
shown '"temperature":'
NOVA_DEVICE_ID=D1 NOVA_COMMAND=set_actuator NOVA_PARAMS='{"relay1":"ON"}' \
  expect 0 mock ctl --control "$control" command
# The heartbeat keeps the connection beyond the server's 3 s.
sleep 4
[ "$(cat device.out)" = "$(printf 'device D1 of 127.0.0.1:%s\nconnected' "$port")" ] ||
  fail "the connection did not last: $(cat device.out)"

# The server goes away: the device tries on, and ends when it is told to.
kill -TERM "$server"
wait "$server" || true
wait_for device.out '^disconnected$'
wait_for device.out '^not connected: '
start=$SECONDS
kill -TERM "$device"
ended_with 0
[ $((SECONDS - start)) -le 1 ] || fail "it took its time to end"
[ ! -s device.err ] || fail "something on standard error"

# SIGINT is as good, -q is quiet, and a fault that ends it has a status.
start_mock --device D1:first-key-1
start_device --device D1:first-key-1 -q
wait_for device.out '^device D1 of '
sleep 0.5
kill -INT "$device"
ended_with 0
[ "$(wc -l <device.out)" -eq 1 ] || fail "-q is not quiet"
start_device --device D1:wrong --fault exits-after-failed-auth
ended_with 1

# Over MQTT and over MQTTS: the same, and a server that it does not trust.
start_mock --mqtt 127.0.0.1:0 --mqtts 127.0.0.1:0 --ca-file ca.pem --device D1:first-key-1
mqtt=$(sed -E 's/.*, mqtt ([^ ,]+).*/\1/' mock.out)
mqtts=$(sed -E 's/.*, mqtts ([^ ,]+).*/\1/' mock.out)
# start_mqtt_device ARGUMENT...: as start_device.
start_mqtt_device() {
  : >device.out
  "$NOVAPROBE" mock device --device D1:first-key-1 "$@" >device.out 2>device.err </dev/null &
  device=$!
  started+=("$device")
}
for address in "--mqtt $mqtt" "--mqtts $mqtts --ca-file ca.pem"; do
  # shellcheck disable=SC2086
  start_mqtt_device $address --timer data_interval=200ms
  wait_for device.out "^device D1 of mqtts? ${mqtt%:*}:"
  wait_for device.out '^connected$'
  sleep 0.5
  NOVA_DEVICE_ID=D1 NOVA_COMMAND=set_actuator NOVA_PARAMS='{"relay1":"ON"}' \
    expect 0 mock ctl --control "$control" command --transport mqtt
  expect 0 mock ctl --control "$control" data --device-id D1
  shown '"temperature":'
  [ "$(wc -l <device.out)" -eq 2 ] || fail "it did not stay: $(cat device.out)"
  kill -TERM "$device"
  ended_with 0
done
start_mqtt_device --mqtts "$mqtts"
wait_for device.out '^(disconnected$|not connected: )'
kill -TERM "$device"
ended_with 0
start_mqtt_device --mqtts "$mqtts" --fault mqtt-tls-verifies-nothing
wait_for device.out '^connected$'
kill -TERM "$device"
ended_with 0

# What cannot be.
expect 2 mock device --tcp 127.0.0.1:1 --mqtt 127.0.0.1:1 --device D1:k
one_line
said 'one address'
expect 2 mock device --mqtt 127.0.0.1:1 --device D1:k --fault no-ping
one_line
said 'over TCP'
expect 2 mock device --tcp 127.0.0.1:1 --device D1:k --fault mqtt-no-will
one_line
said 'over MQTT'
expect 2 mock device --mqtts 127.0.0.1:1 --device D1:k --ca-file no-such.pem
one_line
said 'no-such.pem'
expect 2 mock device --mqtts 127.0.0.1:1 --device D1:k --cert-file ca.pem
one_line
said 'key-file'
expect 2 mock device --device D1:k
one_line
said 'tcp'
expect 2 mock device --tcp 127.0.0.1:1
one_line
said 'device'
expect 2 mock device --tcp 127.0.0.1:1 --device D1:k --fault no-pong
one_line
said 'reference server'
expect 2 mock device --tcp 127.0.0.1:1 --device D1:k --fault no-pingg
one_line
said 'did you mean no-ping\?'
expect 2 mock server --tcp 127.0.0.1:0 --device D1:k --fault no-ping
one_line
said 'reference device'
expect 2 mock device --tcp 127.0.0.1:1 --device D1:k --seed x
one_line
expect 0 list faults --json
python3 - <<'PYTHON' || fail "the device's faults are not listed"
import json
rows = json.load(open("out"))
device = [f for f in rows if f["side"] == "device"]
assert len([f for f in device if f["breaks"]]) >= 60
assert len([f for f in device if not f["breaks"]]) >= 20
PYTHON
