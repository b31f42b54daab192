#!/usr/bin/env bash
# What the reports write is what their schemas say: results.json and transcripts
# against specs/schemas/, junit.xml against an XSD; and the schemas refuse what they
# should.
#
#   report-schema.sh TEST_REPORT
#
# TEST_REPORT: the program of the unit tests of report/.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
program=${1:-$root/build/debug/tests/test_report}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
NOVA_REPORT_OUT=$out "$program" --jobs 2 >"$out/log" 2>&1 || {
  cat "$out/log"
  exit 1
}
xmllint --nonet --noout --schema "$root/tests/unit/report/junit.xsd" "$out/junit.xml"
python3 - "$root/specs/schemas" "$out" <<'PYTHON'
import copy, json, pathlib, sys
import jsonschema

schemas, out = map(pathlib.Path, sys.argv[1:])
load = lambda path: json.loads(path.read_text(encoding="utf-8"))
results = jsonschema.Draft7Validator(load(schemas / "results.schema.json"))
transcript = jsonschema.Draft7Validator(load(schemas / "transcript.schema.json"))
wrong = []
run = jsonschema.Draft7Validator(load(schemas / "run.schema.json"))
for validator in results, transcript, run:
    jsonschema.Draft7Validator.check_schema(validator.schema)

good = load(out / "results.json")
for error in results.iter_errors(good):
    wrong.append(f"results.json: {error.json_path}: {error.message[:200]}")
for error in run.iter_errors(load(out / "run.json")):
    wrong.append(f"run.json: {error.json_path}: {error.message[:200]}")
files = sorted(out.glob("transcript-*.json"))
if len(files) != len(good["conversations"]):
    wrong.append(f"{len(files)} transcripts")
for path in files:
    for error in transcript.iter_errors(load(path)):
        wrong.append(f"{path.name}: {error.json_path}: {error.message[:200]}")

# Each of these changes has to be noticed.
def change(what, change):
    bad = copy.deepcopy(good)
    change(bad)
    if results.is_valid(bad):
        wrong.append(f"the schema takes {what}")

def failing(r, kind):
    return next(x for x in r[kind] if x["verdict"] == "fail")

def event(r, name):
    return next(e for c in r["conversations"] for e in c["transcript"] if e["event"] == name)

change("another format", lambda r: r.update(format="x"))
change("no summary", lambda r: r.pop("summary"))
change("a key", lambda r: r["profile"]["devices"][0].update(key="secret"))
change("a password", lambda r: r["profile"]["platform"].update(password="secret"))
change("an unknown verdict", lambda r: r["requirements"][0].update(verdict="ok"))
change("a failure without a reason", lambda r: failing(r, "requirements").pop("reason"))
change("a failed conversation without its failure", lambda r: failing(r, "conversations").pop("failure"))
change("a failed check without what was observed",
       lambda r: next(k for k in failing(r, "conversations")["checks"] if k["verdict"] == "fail").pop("observed"))
change("bytes without text", lambda r: event(r, "sent").pop("text"))
change("text and hex", lambda r: event(r, "sent").update(hex="00"))
change("a close without how", lambda r: event(r, "closed").pop("how"))
change("half a byte", lambda r: [e.update(hex="0") for c in r["conversations"] for e in c["transcript"] if "hex" in e])
packets = [e for c in good["conversations"] for e in c["transcript"] if "packets" in e]
if len(packets) < 8:
    wrong.append(f"{len(packets)} events with packets")
change("packets without bytes", lambda r: event(r, "connecting").update(packets=["PINGREQ"]))
change("no packets in packets", lambda r: event(r, "sent").update(packets=[]))
change("a packet that is no line", lambda r: event(r, "sent").update(packets=[{"type": "PINGREQ"}]))
change("a misspelt member", lambda r: r.update(intterupted=False))
print("\n".join(wrong) or "results.json, transcripts and junit.xml are as their schemas say")
sys.exit(bool(wrong))
PYTHON
