#!/usr/bin/env bash
# A key is nowhere in what a run writes: not as it is, in base64, in hexadecimal
# digits, or percent-encoded.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

key='Tr0ub4dor"&/3 Schlüssel'
start_mock --device "D1:$key" --device D2:correct-horse-battery "${short[@]:0:4}"
printf 'correct-horse-battery\n' >d2.key
cat >profile.yaml <<YAML
novaprobe: 1
subject: server
name: It must not say correct-horse-battery
tcp: 127.0.0.1:$port
devices:
  - {id: D1, key: "\${KEY_1}"}
  - {id: D2, key_file: d2.key}
hooks:
  reset_key: ./reset.sh
YAML
# The hook: resets the key on the server and notes it for us.
cat >reset.sh <<SH
#!/bin/sh
"$NOVAPROBE" mock ctl --control $control reset | tee -a "$work/new.key"
SH
chmod +x reset.sh
KEY_1=$key expect 3 server -p profile.yaml "${short[@]}" --timer response_timeout=2s --out r -v \
  --only ID-03 --only 'TCP-AUTH-0*' --only 'TCP-HB-*' --only TCP-DATA-05
[ -s new.key ] || fail "no key was reset"
mv out err r/
python3 - "$key" <<'PYTHON' || fail "a key is to be seen"
import base64, pathlib, sys, urllib.parse
keys = [sys.argv[1], "correct-horse-battery"]
keys += pathlib.Path("new.key").read_text().split()
forms = set()
for key in keys:
    raw = key.encode()
    forms |= {raw, raw.hex().encode(), raw.hex().upper().encode(),
              base64.b64encode(raw).rstrip(b"="),
              base64.urlsafe_b64encode(raw).rstrip(b"="),
              urllib.parse.quote(key).encode(),
              key.replace('"', '\\"').encode(),
              key.replace('"', '\\\\\\"').encode()}
found = 0
files = 0
for path in pathlib.Path("r").rglob("*"):
    if path.is_file():
        files += 1
        text = path.read_bytes()
        for form in forms:
            if form in text:
                found += 1
                print(path, form, file=sys.stderr)
assert files > 20 and found == 0
PYTHON
expect 3 judge r
shown 'No verdict changed'
