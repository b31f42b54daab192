#!/usr/bin/env bash
# What is wrong in a file is FILE:LINE:COLUMN and status 2; nothing was sent.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

# A server that must never be connected to: it would be noticed.
start_mock --device D1:some-key-1

printf 'novaprobe: 1\nsubject: server\ntcp: 127.0.0.1:%s\ncolour: red\n' "$port" >bad.yaml
expect 2 server -p bad.yaml
said '^bad\.yaml:4:1: unknown key "colour"'
# shellcheck disable=SC2016 # the variable is the profile's
printf 'novaprobe: 1\ndevices:\n  - {id: A, key: "${NO_SUCH_VARIABLE}"}\n' >env.yaml
expect 2 server -p env.yaml
said '^env\.yaml:3:19: the environment variable NO_SUCH_VARIABLE is not set'
printf 'novaprobe: 1\ndevices:\n  - {id: A, key_file: nowhere.txt}\n' >key.yaml
expect 2 server -p key.yaml
said '^key\.yaml:3:23: '
printf 'novaprobe: 1\ntcp: [\n' >syntax.yaml
expect 2 server -p syntax.yaml
said '^syntax\.yaml:[0-9]+:[0-9]+: '
printf 'novaprobe: 1\nsubject: device\ntcp: 127.0.0.1:%s\n' "$port" >device.yaml
expect 2 server -p device.yaml
said 'run novaprobe device'
mkdir folder
expect 2 server -p folder
one_line
printf 'TCP-NO-01 because\n' >known.txt
expect 2 server --tcp "127.0.0.1:$port" --device D1:some-key-1 --expect known.txt
said '^known\.txt:1:1: there is no requirement'
printf 'novaprobe: 1\ntcp: 127.0.0.1:%s\nhooks: {reset_key: "a \\"b"}\n' "$port" >hook.yaml
expect 2 server -p hook.yaml
one_line
said 'the hook reset_key'

# Conversations, alone and as a set.
cat >script.yaml <<'YAML'
conversation: my-own
title: {en: My own, zh: 自定义}
transport: tcp
steps:
- device: connect
- device: send
  message: {type: auth, device_id: $device.id, device_key: $device.key}
- server: send
  message: {type: auth_result, result: success}
  verifies: [TCP-AUTH-99]
YAML
expect 2 check script.yaml
said '^script\.yaml:10:14: '
sed -i 's/TCP-AUTH-99/TCP-AUTH-04/' script.yaml
expect 0 check script.yaml
shown '1 file in order'
# One that uses a fragment of the program's own.
cat >>script.yaml <<'YAML'
- play: answered_ping
  with: {who: $device}
YAML
expect 0 check script.yaml
mkdir -p specs/conversations
expect 2 server --tcp "127.0.0.1:$port" --specs specs
one_line
cp script.yaml specs/conversations/
expect 2 server --tcp "127.0.0.1:$port" --specs specs
said '^specs/conversations/script\.yaml:[0-9]+:[0-9]+: '
expect 2 check nowhere.yaml
one_line
printf 'something: else\n' >other.yaml
expect 2 check other.yaml
said '^other\.yaml:1:1: expected one of the keys'
expect 0 check
shown '50 of the 50 requirements that bind a server are verified, and 62 of the 62 that bind a device'
expect 0 check --specs "$SOURCE/specs"

# The profiles that init writes load, and no file is overwritten.
for subject in server device; do
  expect 0 init "$subject"
  cp out "$subject.init.yaml"
  expect 0 check "$subject.init.yaml"
  expect 0 init "$subject" -o "made-$subject.yaml"
  cmp -s "made-$subject.yaml" "$subject.init.yaml" || fail "init -o writes something else"
  echo mine >"made-$subject.yaml"
  expect 2 init "$subject" -o "made-$subject.yaml"
  one_line
  [ "$(cat "made-$subject.yaml")" = mine ] || fail "init has overwritten a file"
done

# So does what they have as comments.
for subject in server device; do
  sed -E 's/^# (mqtts?|tls|platform|timers|devices|declares|hooks):/\1:/; s/^#   ([a-z_]+: |- \{id: DEV-00000[12])/  \1/; s/^#   #/  #/
    s/^#( +response_timeout)/\1/' "$subject.init.yaml" >"$subject-all.yaml"
  KEY_2=key-two PLATFORM_PASSWORD=platforms expect 0 check "$subject-all.yaml"
  [ "$(grep -Evc '^ *(#|$)' "$subject-all.yaml")" -ge 26 ] || fail "the $subject's profile has no comments to take"
done

# Reports that cannot be written are noticed before anything is sent.
: >file
expect 2 server --tcp "127.0.0.1:$port" --device D1:some-key-1 --out file/reports
one_line
expect 2 server --tcp "127.0.0.1:$port" --device D1:some-key-1 --out file
one_line
expect 2 server --tcp "127.0.0.1:$port" --device D1:some-key-1 --out /proc/novaprobe
one_line

# Results that are none.
printf '{"format": "novaprobe-results", "version": 1}' >results.json
expect 2 report results.json
one_line
expect 2 judge results.json
one_line
printf '\377\376' >results.json
expect 2 report results.json
one_line

# Nothing has connected in all this time.
python3 - "$control" <<'PYTHON' || fail "something was sent"
import json, socket, sys
host, port = sys.argv[1].rsplit(":", 1)
with socket.create_connection((host, int(port)), 5) as conn:
    conn.sendall(b'{"do":"connections"}\n')
    answer = json.loads(conn.makefile().readline())
assert answer["count"] == 0, answer
PYTHON
