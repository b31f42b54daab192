#!/usr/bin/env bash
# A run that was killed is taken up again: what was judged stands, the rest is
# played, and the reports are those of one run.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

# kill_at DIR FILES ARGUMENT...: begins a run and kills it when it has judged so
# many; what it has spawned goes with it.
kill_at() {
  local dir=$1 files=$2 i children
  shift 2
  "$NOVAPROBE" "$@" --out "$dir" >out 2>err </dev/null &
  local run=$!
  started+=("$run")
  for ((i = 0; i < 400; i++)); do
    [ "$(find "$dir/transcripts" -name '*.json' 2>/dev/null | wc -l)" -lt "$files" ] || break
    sleep 0.05
  done
  [ "$i" -lt 400 ] || fail "$dir never had $files transcripts"
  children=$(ps -o pid= --ppid "$run") || children=
  kill -KILL "$run"
  wait "$run" 2>/dev/null || true
  for i in $children; do
    kill -KILL "$i" 2>/dev/null || true
  done
  [ ! -e "$dir/results.json" ] || fail "$dir was not killed in its middle"
}

# same WHOLE RESUMED BEFORE: equal verdicts, nothing judged twice, one run.
# BEFORE: when the files of the first part were written.
same() {
  python3 - "$@" <<'PYTHON' || fail "$2 is not what $1 is"
import json, os, sys
whole, resumed = (json.load(open(d + "/results.json", encoding="utf-8")) for d in sys.argv[1:3])
for part in "requirements", "conversations":
    a, b = ({x["id"]: x["verdict"] for x in r[part]} for r in (whole, resumed))
    assert a == b, {k: (a.get(k), b.get(k)) for k in a.keys() | b.keys() if a.get(k) != b.get(k)}
run = json.load(open(sys.argv[2] + "/run.json", encoding="utf-8"))
assert resumed["seed"] == run["seed"] == whole["seed"]
assert resumed["started"] == run["started"]
assert not resumed["interrupted"]
before = dict(line.split() for line in open(sys.argv[3]))
judged = {}
for c in resumed["conversations"]:
    path = f"{sys.argv[2]}/transcripts/{c['id']}.json"
    if not c["transcript"]:
        continue
    kept = json.load(open(path, encoding="utf-8"))
    assert kept["verdict"] == c["verdict"], c["id"]
    assert len(kept["transcript"]) == len(c["transcript"]), c["id"]
    if before.get(c["id"]) == str(os.stat(path).st_mtime_ns):
        judged[c["id"]] = c
again = set(before) - set(judged)
assert not again, ("played twice", again)
assert judged, "nothing was kept"
# The parts follow each other.
end = max(c["started_s"] + c["duration_s"] for c in judged.values())
for c in resumed["conversations"]:
    if c["transcript"] and c["id"] not in judged:
        assert c["started_s"] >= end, c["id"]
assert resumed["duration_s"] >= end
PYTHON
}

# times DIR: the ids of what was judged, and when it was written.
times() {
  python3 - "$1" <<'PYTHON'
import json, os, sys
folder = sys.argv[1] + "/transcripts/"
for name in os.listdir(folder):
    if name.endswith(".json"):
        one = json.load(open(folder + name, encoding="utf-8"))
        if one["verdict"] in ("pass", "fail"):
            print(one["conversation"], os.stat(folder + name).st_mtime_ns)
PYTHON
}

no_secret() {
  ! grep -rqE "$2" "$1" || fail "a key is in $1"
}

# --- a server -----------------------------------------------------------------
devices=()
for i in $(seq 12); do
  devices+=(--device "DEV-00000$i:some-key-$i")
done
against=(server "${devices[@]}" "${short[@]}" --seed 5)
start_mock "${devices[@]}" --timer auth_timeout=1s --timer idle_timeout=3s \
  --fault pong-without-timestamp
expect 1 "${against[@]}" --tcp "127.0.0.1:$port" --out whole
kill_at part 30 "${against[@]}" --tcp "127.0.0.1:$port"
times part >before
# What was being written then is no part of the run.
: >part/transcripts/tcp-ping.json.part.77
again=(server "${devices[@]}" "${short[@]}" --tcp "127.0.0.1:$port")
expect 1 "${again[@]}" --resume part
shown "^resumed: $(wc -l <before) of [0-9]+ were judged before"
[ ! -e part/transcripts/tcp-ping.json.part.77 ] || fail "the remains of a file"
same whole part before
expect 1 judge part
shown 'No verdict changed'
no_secret part some-key
cp -r part kept

# All was judged: nothing is played.
times part >before
expect 1 "${again[@]}" --resume part
same whole part before

# A damaged file is told, and its conversation played again.
rm part/results.json
head -c 700 kept/transcripts/tcp-ping.json >part/transcripts/tcp-ping.json
sed 's/"version": 1,/"version": 2,/' kept/transcripts/tcp-auth-accepted.json \
  >part/transcripts/tcp-auth-accepted.json
sed 's/"version": "[0-9.]*"/"version": "0.0.1"/' kept/transcripts/tcp-data.json \
  >part/transcripts/tcp-data.json
times kept | grep -vE '^(tcp-ping|tcp-auth-accepted|tcp-data) ' >before || true
python3 - part <<'PYTHON'
import os, sys
for name in os.listdir("kept/transcripts"):
    t = os.stat("kept/transcripts/" + name).st_mtime_ns
    os.utime("part/transcripts/" + name, ns=(t, t))
PYTHON
expect 1 "${again[@]}" --resume part
said 'part/transcripts/tcp-ping\.json cannot be used, tcp-ping is played again'
said 'tcp-auth-accepted\.json cannot be used'
said 'tcp-data\.json cannot be used.*another version'
[ "$(wc -l <err)" -eq 3 ] || fail "three files were damaged"
same whole part before

# A folder of another run.
wrong() {
  local pattern=$1
  shift
  expect 2 "$@"
  one_line
  said "$pattern"
}
wrong 'its seed is 5, not 6' "${again[@]}" --resume part --seed 6
wrong 'idle_timeout was 3 s and is 4 s' "${again[@]}" --resume part --timer idle_timeout=4s
wrong 'number of devices was 12 and is 13' "${again[@]}" --resume part --device D99:some-key
wrong 'tcp was .* and is 127.0.0.1:1$' "${again[@]}" --resume part --tcp 127.0.0.1:1
wrong 'novaprobe server --resume' device --tcp 127.0.0.1:0 --device D1:some-key --resume part
wrong 'leave --out away' "${again[@]}" --resume part --out other
wrong 'nowhere/run\.json: No such file' "${again[@]}" --resume nowhere
mkdir empty
wrong 'no run to take up' "${again[@]}" --resume empty
echo '{"format": "novaprobe-run"' >empty/run.json
wrong 'empty/run\.json: ' "${again[@]}" --resume empty
cp -r "$SOURCE/specs" other-specs
echo '# changed' >>other-specs/rules/tcp.yaml
wrong 'other conversations or rules' "${again[@]}" --resume part --specs other-specs

# --- a device -----------------------------------------------------------------
spawn=(--spawn "$NOVAPROBE mock device -q --tcp {host}:{tcp_port}
  --device {device_id}:{device_key} --timer heartbeat=1s --timer idle_timeout=3s
  --timer auth_timeout=1s --fault ping-called-heartbeat")
device=(device "${spawn[@]}" "${short[@]}" --timer reconnect_timeout=10s)

expect 1 "${device[@]}" --seed 9 --out device-whole
kill_at device-part 12 "${device[@]}" --seed 9
times device-part >before
expect 1 "${device[@]}" --resume device-part
shown "^resumed: $(wc -l <before) of [0-9]+ were judged before"
same device-whole device-part before
expect 1 judge device-part
shown 'No verdict changed'
