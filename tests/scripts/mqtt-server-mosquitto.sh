#!/usr/bin/env bash
# The server suite over MQTT and TLS against Debian's mosquitto, with passwords, rules
# for the topics and a TLS listener. It keeps to the guide and to the standard in all
# that is judged. What libmosquitto says as the device has to be judged as what the
# harness's own client says.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"
interop=$SOURCE/tests/interop
mkfifo ready
/usr/bin/python3 "$interop/mosquitto.py" --device DEV-000001:mosquitto-Key-1 --device DEV-000002:mosquitto-Key-2 \
  --device DEV-000003:mosquitto-Key-3 --device DEV-000004:mosquitto-Key-4 --device DEV-000005:mosquitto-Key-5 \
  --device DEV-000006:mosquitto-Key-6 --device DEV-000007:mosquitto-Key-7 --device DEV-000008:mosquitto-Key-8 \
  --platform platform:mosquitto-Platform >ready &
server=$!
started+=("$server")
read -r -t 30 line <ready || fail "mosquitto does not start"

# profile FILE ADDRESS_OF_TLS CLIENT_CERTIFICATES
profile() {
  python3 - "$line" "$interop/mosquitto-ctl" "$2" "$3" >"$1" <<'PYTHON'
import json, sys
m, ctl = json.loads(sys.argv[1]), sys.argv[2]
print(f"""novaprobe: 1
subject: server
name: mosquitto
mqtt: 127.0.0.1:{m['mqtt']}
mqtts: 127.0.0.1:{m[sys.argv[3]]}
tls: {{ca_file: {m['ca']}, cert_file: {m['client_cert']}, key_file: {m['client_key']}}}
declares: {{transports: [mqtt, mqtts], client_certificates: {sys.argv[4]}}}
platform: {{username: {m['platform']['username']}, password: {m['platform']['password']}}}
hooks:
  send_command: {ctl} {m['state']} command
  read_data: {ctl} {m['state']} data
devices:""")
for d in m["devices"]:
    print(f"  - {{id: {d['id']}, key: {d['key']}}}")
PYTHON
}

# Everything that applies passes, but what needs hooks that a broker does not have.
profile all.yaml mqtts false
expect 3 server -p all.yaml --out all --seed 7
python3 - all <<'PYTHON' || fail "mosquitto"
import json, sys
results = json.load(open("all/results.json", encoding="utf-8"))
left = {r["id"] for r in results["requirements"]
        if r["verdict"] not in ("pass", "not_applicable")}
passed = sum(r["verdict"] == "pass" for r in results["requirements"])
if left != {"ID-03", "ID-04"} or passed < 17:
    sys.exit(f"{passed} passed; not passed: {sorted(left)}")
own, library = {}, {}
for c in results["conversations"]:
    if "-library-" in c["id"]:
        for requirement in c["verifies"]:
            library.setdefault(requirement, set()).add(c["verdict"])
    else:
        for requirement in c["verifies"]:
            own.setdefault(requirement, set()).add(c["verdict"])
other = {r: (v, own.get(r)) for r, v in library.items() if v != own.get(r, set()) - {"not_tested"}}
if len(library) < 6 or other:
    sys.exit(f"libmosquitto and the harness's own client do not agree: {other or library}")
print(f"{passed} requirements passed in {results['duration_s']:.1f} s; "
      f"{len(library)} of them judged alike through libmosquitto")
PYTHON
# A listener that wants a certificate of its clients.
profile client.yaml mqtts_client true
expect 3 server -p client.yaml --out client --seed 7 --only 'TLS-*'
python3 - <<'PYTHON' || fail "client certificates"
import json
verdicts = {r["id"]: r["verdict"] for r in
            json.load(open("client/results.json", encoding="utf-8"))["requirements"]}
wrong = {i: v for i, v in verdicts.items() if i.startswith("TLS-") and v != "pass"}
if wrong or "TLS-06" not in verdicts:
    raise SystemExit(f"{wrong or verdicts}")
PYTHON
for secret in mosquitto-Key-1 mosquitto-Platform; do
  ! grep -rq "$secret" all client || fail "$secret is in the reports"
done
kill "$server"
wait "$server" || true
