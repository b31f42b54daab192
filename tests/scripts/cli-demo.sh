#!/usr/bin/env bash
# The demo passes, writes its reports, and the reports can be read again.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

expect 0 demo --seed 7
[ ! -s err ] || fail "something on standard error"
shown 'scaled timers'
shown 'seed 7'
shown 'CONFORMANT'
[ -L reports/latest ] || fail "reports/latest"
readlink reports/latest | grep -qE '^[0-9]{8}T[0-9]{6}Z-demo$' ||
  fail "the folder's name"
for file in results.json junit.xml report.html transcripts/tcp-auth-accepted.json; do
  [ -s "reports/latest/$file" ] || fail "$file is missing"
  [ -s "reports/latest/device/$file" ] || fail "device/$file is missing"
done
xmllint --nonet --noout --schema "$SOURCE/tests/unit/report/junit.xsd" \
  reports/latest/junit.xml reports/latest/device/junit.xml 2>err || fail "junit.xml"
python3 - <<'PYTHON' || fail "results.json"
import json
for folder, subject in (".", "server"), ("device", "device"):
    results = json.load(open(f"reports/latest/{folder}/results.json", encoding="utf-8"))
    assert results["subject"] == subject
    assert results["summary"]["outcome"] == "conformant"
    assert results["seed"] == 7 and not results["interrupted"]
    for one in results["requirements"]:
        assert one["verdict"] in ("pass", "not_applicable"), one
    for one in results["conversations"]:
        # The demo's server asks for no certificate.
        if one["id"] == "tls-client-certificate" and subject == "server":
            continue
        assert one["verdict"] == "pass", one["id"]
        assert one["transcript"], one["id"]
PYTHON
# No temporary file is left.
[ -z "$(find reports -name '*.part*' -o -name '*.try')" ] || fail "left-over files"

# Judged again it comes to the same; rendered again too.
expect 0 judge reports/latest/results.json
shown ' 0 by the rules alone, of 1 the recorded verdict stands'
shown 'No verdict changed'
expect 0 judge reports/latest --out again
expect 0 report --compare reports/latest again/results.json
expect 0 report reports/latest/results.json --junit j.xml --html h.html
[ ! -s out ] || fail "files were asked for, nothing else"
xmllint --nonet --noout --schema "$SOURCE/tests/unit/report/junit.xsd" j.xml 2>err ||
  fail "junit.xml, rendered again"
grep -q '<html' h.html || fail "report.html, rendered again"
expect 0 report reports/latest --format json -o r.json
python3 -c 'import json; json.load(open("r.json"))'
expect 0 report reports/latest --lang zh
shown '符合'

# A part of it, in the same folder: nothing of the run before stays.
expect 3 demo --only tcp-auth-accepted --out again
[ "$(ls again/transcripts)" = tcp-auth-accepted.json ] || fail "old transcripts"
[ "$(ls again/device/transcripts)" = tcp-auth-accepted.json ] || fail "the device's"

# A suite of which nothing is asked for is passed over; a fault belongs to its side.
expect 1 demo --only tcp-command-id --fault command-id-lower-cased --out devices
[ "$(verdict devices/results.json TCP-CMD-06)" = fail ] || fail "the device's fault"
[ ! -e devices/device ] || fail "the server's suite was played"
expect 0 demo --only tcp-auth-accepted --out again --allow-incomplete -q
