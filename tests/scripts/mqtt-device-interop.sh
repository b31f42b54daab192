#!/usr/bin/env bash
# The device suite over MQTT and over TLS, in real time with scaled timers, against
# devices on clients that nobody here wrote. Everything has to be judged and to pass.
#
#   mqtt-device-interop.sh libmosquitto|paho|mqttjs
#
# From the environment beside that of cli.sh: MOSQUITTO_DEVICE, the program on
# libmosquitto; NOVA_MQTTJS, where MQTT.js was installed.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"
interop=$SOURCE/tests/interop
case $1 in
  libmosquitto) device=${MOSQUITTO_DEVICE:-$SOURCE/build/debug/tests/device_libmosquitto} ;;
  paho) device="/usr/bin/python3 $interop/device_paho.py" ;;
  mqttjs)
    export NOVA_MQTTJS=${NOVA_MQTTJS:-$SOURCE/build/mqttjs}
    [ -d "$NOVA_MQTTJS/node_modules/mqtt" ] || { echo "MQTT.js is not there"; exit 77; }
    device="node $interop/device_mqttjs.mjs"
    ;;
  *) fail "libmosquitto, paho or mqttjs?" ;;
esac
device+=" --host {host} --port {port} --id {device_id} --key {device_key} --status-interval 3 --data-interval 3
  --keep-alive 5 --actuators '{\"relay1\":[\"OFF\",\"ON\"],\"led_brightness\":[0,80]}' --value-keys temperature,humidity"

# all_pass TRANSPORT CERTIFICATES REQUIREMENTS COMMAND
all_pass() {
  cat >profile.yaml <<YAML
novaprobe: 1
subject: device
name: A device on $1
declares:
  transports: [$1]
  value_keys: [temperature, humidity]
  actuators: {relay1: ["OFF", "ON"], led_brightness: [0, 80]}
  client_certificates: $2
timers: {status_interval: 3s, response_timeout: 3s, reconnect_timeout: 12s, late_tolerance: 2s}
YAML
  expect 0 device -p profile.yaml "--$1" 127.0.0.1:0 --spawn "$4" --out "$1" --seed 3
  python3 - "$1" "$3" <<'PYTHON' || fail "$1"
import json, sys
results = json.load(open(f"{sys.argv[1]}/results.json", encoding="utf-8"))
open_ones = [(r["id"], r["verdict"]) for r in results["requirements"]
             if r["verdict"] not in ("pass", "not_applicable")]
passed = sum(r["verdict"] == "pass" for r in results["requirements"])
if open_ones or passed < int(sys.argv[2]):
    sys.exit(f"{passed} passed; not passed: {open_ones}")
print(f"{sys.argv[1]}: {passed} requirements passed in {results['duration_s']:.1f} s")
PYTHON
  expect 0 judge "$1/results.json"
  shown 'No verdict changed'
}
all_pass mqtt false 29 "$device --ca ''"
all_pass mqtts true 33 "$device --ca {ca_file} --cert {client_cert_file} --key-file {client_key_file}"
