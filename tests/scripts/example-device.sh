#!/usr/bin/env bash
# examples/device/ is what a vendor starts from: a copy of it, outside the tree,
# builds against the installed libnovacodec without a warning by gcc and by clang,
# serves the reference server, and stands what servers may do.
#
# From the environment beside that of cli.sh: DEVICE, the nova-device of this build;
# BUILD, a build directory to install libnovacodec from (empty: only DEVICE is
# tried, as where the library has sanitizers in it).
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

DEVICE=${DEVICE:-$SOURCE/build/debug/examples/device/nova-device}
BUILD=${BUILD-$SOURCE/build/debug}
id=DEV-000007 key=example-key-7

# serves DEVICE: beside `novaprobe mock server`, with scaled timers and a look at
# every line between the two.
serves() {
  start_mock --device "$id:$key" --timer auth_timeout=1s --timer idle_timeout=2s
  : >watch.out
  python3 "$scripts/example_device.py" watch "$port" 30 >watch.out 2>watch.err &
  started+=("$!")
  wait_for watch.out '^[0-9]+$'
  NOVA_DEVICE_KEY=$key "$1" --host 127.0.0.1 --port "$(head -n 1 watch.out)" --id "$id" \
    --heartbeat 0.5 --idle-timeout 2 --auth-timeout 1 --data-interval 100 \
    --status-interval 100 2>device.err &
  local device=$! status=0
  started+=("$device")
  # No data and no status after the first: it is the pings and pongs that keep
  # the connection for longer than either side's idle timeout.
  wait_for watch.out '^> .*"type":"status"'
  wait_for watch.out '^> .*"type":"data"'
  sleep 2.5
  expect 0 mock ctl --control "$control" command --device-id "$id" \
    --command set_actuator --params '{"relay1": "ON", "led_brightness": 80}'
  expect 0 mock ctl --control "$control" command --device-id "$id" --command dance
  wait_for watch.out '^> .*"command_response".*"result":"failed"'
  expect 0 mock ctl --control "$control" data --device-id "$id"
  shown '"temperature"'
  shown '"humidity"'
  kill -TERM "$device"
  wait "$device" || status=$?
  [ "$status" -eq 0 ] || fail "nova-device: ended with $status"
  [ "$(cat device.err)" = 'nova-device: authenticated
nova-device: ended after 2 commands' ] || fail "nova-device said: $(cat device.err)"
  kill "$server"
  wait "$server" || fail "the server: status $?"
  python3 - "$id" "$key" <<'PYTHON' || fail "between the two: $(cat watch.out)"
import json, sys
lines = [l.rstrip("\n").split(" ", 1) for l in open("watch.out", encoding="utf-8")][1:]
said = [(mark, json.loads(text)) for mark, text in lines if text != "closed"]
device = [m for mark, m in said if mark == ">"]
server = [m for mark, m in said if mark == "<"]
assert device[0] == {"type": "auth", "device_id": sys.argv[1], "device_key": sys.argv[2]}
assert said[1][0] == "<" and said[1][1]["result"] == "success", said[1]
kinds = [m["type"] for m in device]
assert kinds.count("auth") == kinds.count("data") == kinds.count("status") == 1, kinds
assert kinds.count("ping") >= 4, kinds
commands = [m for m in server if m["type"] == "command"]
answers = [m for m in device if m["type"] == "command_response"]
assert [c["command_id"] for c in commands] == [a["command_id"] for a in answers], answers
assert [a["result"] for a in answers] == ["success", "failed"], answers
for answer in answers:
    assert answer["data"] == {"relay1": "ON", "led_brightness": 80}, answer
PYTHON
}

serves "$DEVICE"
python3 "$scripts/example_device.py" judge "$DEVICE" >out 2>err || fail "$DEVICE"

[ -n "$BUILD" ] || exit 0
cmake --install "$BUILD" --prefix "$work/prefix" --component novacodec >/dev/null
pc=$(find "$work/prefix" -name novacodec.pc)
for compiler in gcc clang; do
  # Sources alone: what somebody built in the tree is not to be found.
  mkdir "$compiler"
  cp "$SOURCE"/examples/device/{*.[ch],Makefile} "$compiler"
  env -u CFLAGS -u CPPFLAGS -u LDFLAGS make -s -C "$compiler" CC="$compiler" \
    PKG_CONFIG_PATH="${pc%/*}" >out 2>err || fail "does not build with $compiler"
  [ ! -s out ] || fail "$compiler says something"
  [ ! -s err ] || fail "$compiler says something"
  serves "$compiler/nova-device"
done
