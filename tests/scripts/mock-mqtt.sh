#!/usr/bin/env bash
# The reference server over MQTT and MQTT over TLS, with clients that share no
# line with this project: mosquitto_pub and mosquitto_sub.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

for program in mosquitto_pub mosquitto_sub; do
  command -v "$program" >/dev/null || {
    echo "$name: skipped: $program is not installed"
    exit 77
  }
done

start_mock --mqtt 127.0.0.1:0 --mqtts 127.0.0.1:0 --ca-file ca.pem \
  --device D1:first-key-1 --device D2:second-key-2 --platform console:third-key-3
[ "$(stat -c %a ca.pem)" = 644 ] || fail "the CA is not for everybody to read"
plain=$(sed -E 's/.*, mqtt [^ ]*:([0-9]+),.*/\1/' mock.out)
tls=$(sed -E 's/.*, mqtts [^ ]*:([0-9]+) .*/\1/' mock.out)

# over TRANSPORT PROGRAM ARGUMENT...: one of the two programs.
over() {
  local transport=$1 program=$2
  shift 2
  if [ "$transport" = mqtt ]; then
    set -- -h 127.0.0.1 -p "$plain" "$@"
  else
    set -- -h localhost -p "$tls" --cafile ca.pem "$@"
  fi
  timeout --kill-after=5 30 "$program" -V mqttv311 "$@"
}

# watch TRANSPORT FILE ARGUMENT...: mosquitto_sub until the test ends; sets watcher,
# its own process. Returns when it is subscribed.
watch() {
  local transport=$1 file=$2 where=()
  shift 2
  if [ "$transport" = mqtt ]; then
    where=(-h 127.0.0.1 -p "$plain")
  else
    where=(-h localhost -p "$tls" --cafile ca.pem)
  fi
  : >"$file"
  stdbuf -oL mosquitto_sub -V mqttv311 "${where[@]}" -d -v -q 1 "$@" >"$file" 2>&1 </dev/null &
  watcher=$!
  started+=("$watcher")
  wait_for "$file" '^Subscribed \(mid: 1\): 1'
}

data() { printf '{"timestamp": 1651234567, "device_id": "%s", "temperature": %s}' "$1" "$2"; }

watch mqtt platform.out -u console -P third-key-3 -t 'novacloud/#'

number=0
for transport in mqtt mqtts; do
  number=$((number + 1)) # tells the data of the two rounds apart
  # Data to the platform, unchanged, and kept.
  over "$transport" mosquitto_pub -u D1 -P first-key-1 -q 1 \
    -t novacloud/devices/D1/data -m "$(data D1 "2$number.5")" >out 2>err ||
    fail "$transport: D1 cannot publish"
  wait_for platform.out "^novacloud/devices/D1/data \\{\"timestamp\": 1651234567, \"device_id\": \"D1\", \"temperature\": 2$number.5\\}\$"
  expect 0 mock ctl --control "$control" data --device-id D1
  shown "^\\{\"temperature\":2$number.5\\}\$"

  # Logins that are refused: mosquitto_pub exits with CONNACK's code.
  for login in "D1 second-key-2 4" "D1 first-key- 4" "d1 first-key-1 4" "nobody k 4"; do
    read -r user password code <<<"$login"
    status=0
    over "$transport" mosquitto_pub -u "$user" -P "$password" -q 1 \
      -t novacloud/devices/D1/data -m '{}' >out 2>err || status=$?
    [ "$status" -eq "$code" ] || fail "$transport: $login: status $status"
  done
  status=0
  over "$transport" mosquitto_pub -q 1 -t novacloud/devices/D1/data -m '{}' \
    >out 2>err || status=$?
  [ "$status" -eq 5 ] || fail "$transport: without a login: status $status"

  # Another device's topics.
  over "$transport" mosquitto_pub -u D2 -P second-key-2 -q 1 \
    -t novacloud/devices/D1/data -m "foreign" >out 2>err ||
    fail "$transport: a forbidden publish is acknowledged"
  over "$transport" mosquitto_sub -u D2 -P second-key-2 -d -W 1 -q 1 \
    -t novacloud/devices/D1/command >out 2>err || true
  shown '^Subscribed \(mid: 1\): 128'

  # Commands, of the control address and of the platform's own login.
  watch "$transport" device.out -u D1 -P first-key-1 \
    -t novacloud/devices/D1/command --will-topic novacloud/devices/D1/status \
    --will-payload "{\"status\": \"offline\", \"timestamp\": 0, \"device_id\": \"D1\", \"over\": \"$transport\"}" \
    --will-qos 1
  device=$watcher
  NOVA_TRANSPORT=$transport NOVA_DEVICE_ID=D1 NOVA_COMMAND=blink NOVA_PARAMS='{"n":1}' \
    expect 0 mock ctl --control "$control" command
  wait_for device.out '^novacloud/devices/D1/command \{"command":"blink","timestamp":[0-9]{10},"params":\{"n":1\}\}$'
  over "$transport" mosquitto_pub -u console -P third-key-3 -q 1 \
    -t novacloud/devices/D1/command -m "as it is ($transport)" >out 2>err ||
    fail "$transport: the platform cannot command"
  wait_for device.out "^novacloud/devices/D1/command as it is \\($transport\\)\$"
  expect 1 mock ctl --control "$control" command --device-id D1 --command blink \
    --transport tcp
  one_line
  expect 1 mock ctl --control "$control" command --device-id D2 --command blink \
    --transport mqtt
  said 'not connected over MQTT'
  expect 1 mock ctl --control "$control" command --device-id D1 --command blink \
    --transport pigeon
  one_line

  # The last will of a device that dies.
  kill -KILL "$device"
  wait "$device" 2>/dev/null || true
  wait_for platform.out "^novacloud/devices/D1/status .*\"over\": \"$transport\"\\}\$"
done
if grep -q foreign platform.out; then
  fail "a device has published for another"
fi

# Without the CA, or under another name, nobody is at home.
status=0
timeout 30 mosquitto_pub -V mqttv311 -h localhost -p "$tls" --capath /etc/ssl/certs \
  -u D1 -P first-key-1 -t novacloud/devices/D1/data -m '{}' >out 2>err || status=$?
[ "$status" -ne 0 ] || fail "a certificate of an unknown CA is no failure"

# What the command line needs.
expect 2 mock server --mqtts 127.0.0.1:0 --device D1:k
said 'ca-file'
expect 2 mock server --mqtts 127.0.0.1:0 --device D1:k --ca-file /nonexistent/ca.pem
one_line
expect 2 mock server --mqtt 127.0.0.1:0 --device D1:k --platform nothing
one_line
expect 2 mock server --mqtt "127.0.0.1:$plain" --device D1:k
one_line

# MQTT alone, from a profile, with a fault.
kill -TERM "$server"
status=0
wait "$server" || status=$?
[ "$status" -eq 0 ] || fail "ended with $status"
cat >profile.yaml <<'YAML'
novaprobe: 1
subject: server
mqtt: 127.0.0.1:0
devices:
  - id: D1
    key: first-key-1
platform:
  username: console
  password: third-key-3
YAML
: >mock.out
"$NOVAPROBE" mock server --profile profile.yaml --fault mqtt-password-not-checked \
  >mock.out 2>mock.err </dev/null &
server=$!
started+=("$server")
wait_for mock.out '^listening on mqtt 127\.0\.0\.1:[0-9]+$'
plain=$(sed -E 's/.*:([0-9]+)$/\1/' mock.out)
over mqtt mosquitto_pub -u D1 -P wrong -q 1 -t novacloud/devices/D1/data -m '{}' \
  >out 2>err || fail "the fault does not show"
over mqtt mosquitto_pub -u console -P third-key-3 -q 1 \
  -t novacloud/devices/D1/command -m '{}' >out 2>err ||
  fail "the profile's platform cannot log in"
