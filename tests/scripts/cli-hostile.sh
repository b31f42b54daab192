#!/usr/bin/env bash
# What a subject sends does nothing to the terminal, and no answer of it stops
# the run.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

devices=()
for i in $(seq 24); do
  devices+=(--device "D$i:some-key-$i")
done
start_subject escapes
expect 1 server --tcp "127.0.0.1:$port" "${devices[@]}" "${short[@]}" --out escapes -v \
  --color never --only 'TCP-AUTH-0*' --only 'TCP-HB-*' --only TCP-FRAME-01
if LC_ALL=C grep -qaP '[\x00-\x08\x0b-\x1f\x7f]' out err; then
  fail "a control character reached the terminal"
fi
python3 -c '
import sys
for name in "out", "err":
    text = open(name, encoding="utf-8").read()
    assert not any("\x7f" <= c <= "\x9f" or c in "\u202e\u2066" for c in text)
' || fail "a control character of Unicode, or no UTF-8"
if LC_ALL=C grep -qaP '[\x00-\x08\x0b-\x1f\x7f]' escapes/junit.xml escapes/results.json; then
  fail "a control character in a report"
fi
start_subject junk
expect 1 server --tcp "127.0.0.1:$port" "${devices[@]}" "${short[@]}" --out junk \
  --only 'TCP-AUTH-0*' --only TCP-FRAME-03
python3 -c 'import json; json.load(open("junk/results.json", encoding="utf-8"))'
start_subject drip 3000
expect 1 server --tcp "127.0.0.1:$port" "${devices[@]}" "${short[@]}" --out drip \
  --only 'TCP-HB-*'
