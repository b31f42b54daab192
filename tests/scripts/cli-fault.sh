#!/usr/bin/env bash
# A subject that breaks a requirement: status 1, and the report names what it
# broke and shows it.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

few=(--only 'TCP-AUTH-0*' --only 'TCP-HB-*')
expect 1 demo --fault key-compared-by-prefix --seed 3 --out r "${few[@]}"
shown 'FAIL +TCP-AUTH-06'
shown 'NOT CONFORMANT'
[ "$(verdict r/results.json TCP-AUTH-06)" = fail ] || fail "TCP-AUTH-06"
python3 - <<'PYTHON' || fail "results.json"
import json
results = json.load(open("r/results.json", encoding="utf-8"))
assert results["summary"]["must"]["fail"] == 1, results["summary"]
assert [q["id"] for q in results["requirements"] if q["verdict"] == "fail"] == ["TCP-AUTH-06"]
failed = [c for c in results["conversations"] if c["verdict"] == "fail"]
assert failed
for one in failed:
    failure = one["failure"]
    assert failure["requirement"] == "TCP-AUTH-06" and failure["step"] > 0
    assert failure["expected"] and failure["observed"] and one["transcript"]
PYTHON
expect 1 judge r
shown 'No verdict changed'

# A known failure does not fail a run; one that passes does.
printf 'TCP-AUTH-06  to be mended in May\n' >known.txt
expect 0 demo --fault key-compared-by-prefix --expect known.txt --allow-incomplete \
  --only TCP-AUTH-06
expect 1 demo --expect known.txt --only TCP-AUTH-06 --allow-incomplete
printf 'TCP-AUTH-06  to be mended in May until 2020-05-31\n' >known.txt
expect 1 demo --fault key-compared-by-prefix --expect known.txt --only TCP-AUTH-06

# The server dies of it and the run goes on to its end.
expect 1 demo --fault crash-on-invalid-json --out crash --only TCP-FRAME-07 \
  --only TCP-AUTH-06
[ "$(verdict crash/results.json TCP-FRAME-07)" = fail ] || fail "TCP-FRAME-07"
