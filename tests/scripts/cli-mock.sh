#!/usr/bin/env bash
# The reference server and its control client, as a vendor's hooks use them.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

start_mock --device D1:first-key-1 --device D2:second-key-2 --timer idle_timeout=3s
expect 0 mock ctl --control "$control" data --device-id D1
[ "$(cat out)" = '{}' ] || fail "data of a device that sent none"
expect 0 mock ctl --control "$control" reset --device-id D1
[ "$(wc -l <out)" -eq 1 ] || fail "reset prints the new key alone"
key=$(cat out)
[ "${#key}" -ge 16 ] || fail "a key of ${#key} characters"
expect 0 mock ctl --control "$control" deactivate --device-id D2
expect 0 mock ctl --control "$control" activate --device-id D2
NOVA_DEVICE_ID=D1 NOVA_COMMAND=blink NOVA_PARAMS='{"n":1}' \
  expect 1 mock ctl --control "$control" command
one_line
said 'not connected'
NOVA_DEVICE_ID=D1 NOVA_COMMAND=blink NOVA_PARAMS='nonsense' \
  expect 1 mock ctl --control "$control" command
one_line
expect 1 mock ctl --control "$control" data --device-id nobody
one_line
expect 1 mock ctl --control "$control" data
one_line
expect 1 mock ctl --control "$control" dance --device-id D1
one_line
expect 1 mock ctl --control 127.0.0.1:1 data --device-id D1
one_line

# The address is taken.
expect 2 mock server --tcp "127.0.0.1:$port" --device D1:k
one_line
expect 2 mock server --tcp 127.0.0.1:0
one_line
expect 2 mock server --tcp 127.0.0.1:0 --device D1:k --fault nonsense
one_line

# A device that talks to it: auth, data, and the platform sees the data.
python3 - "$port" "$key" <<'PYTHON' || fail "the server does not serve"
import json, socket, sys
conn = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
lines = conn.makefile("rw", encoding="utf-8", newline="\n")
def send(**message):
    lines.write(json.dumps(message) + "\n")
    lines.flush()
send(type="auth", device_id="D1", device_key=sys.argv[2])
assert json.loads(lines.readline())["result"] == "success"
send(type="data", device_id="D1", timestamp=1, values={"temperature": 21.5})
send(type="ping", device_id="D1", timestamp=1)
assert json.loads(lines.readline())["type"] == "pong"
PYTHON
expect 0 mock ctl --control "$control" data --device-id D1
shown '^\{"temperature": ?21\.5\}$'

# It ends when it is asked to, and a fault that crashes it ends it with 70.
kill -TERM "$server"
status=0
wait "$server" || status=$?
[ "$status" -eq 0 ] || fail "ended with $status"
start_mock --device D1:first-key-1 --fault crash-on-invalid-json
python3 - "$port" <<'PYTHON'
import socket, sys, time
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5) as conn:
    conn.sendall(b'{"type":"auth","device_id":"D1","device_key":"first-key-1"}\n')
    conn.recv(4096)
    conn.sendall(b"{nonsense\n")
    time.sleep(0.5)
PYTHON
status=0
wait "$server" || status=$?
[ "$status" -eq 70 ] || fail "crashed with $status, 70 expected"
grep -q '^novaprobe: ' mock.err || fail "the crash is not told"
