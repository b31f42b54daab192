#!/usr/bin/env bash
# docs/messages.md and the schema of the messages are what message.def says, and
# agree: each example is what its schema says, and is not without a member that
# is required, or with one of another type.
# shellcheck source=tests/scripts/house.sh
. "$(dirname "$0")/house.sh"

difference=$("$build/tests/message_reference" | diff docs/messages.md -) ||
  complain "docs/messages.md: not what message.def says (make docs)
$difference"
schema=specs/schemas/messages.schema.json
difference=$("$build/tests/message_reference" schema | diff "$schema" -) ||
  complain "$schema: not what message.def says (make docs)
$difference"

complain_each < <(python3 - docs/messages.md "$schema" <<'PYTHON'
import json, re, sys

import jsonschema

page, schema = (open(name, encoding="utf-8").read() for name in sys.argv[1:])
definitions = json.loads(schema)["definitions"]
examples = re.findall(r"^## (?:(MQTT) )?(\w+)$.*?^```json\n(.*?)\n```$", page,
                      re.M | re.S)
named = {("mqtt." if mqtt else "tcp.") + name: json.loads(text)
         for mqtt, name, text in examples}
if named.keys() != definitions.keys():
    print("the page and the schema have other messages")
for name in named.keys() & definitions.keys():
    jsonschema.Draft7Validator.check_schema(definitions[name])
    valid = jsonschema.Draft7Validator(definitions[name]).is_valid
    example, required = named[name], definitions[name]["required"]
    if not valid(example):
        print(f"{name}: the example is not what the schema says")
    if not valid({**example, "further": 1}):
        print(f"{name}: the schema refuses a further member")
    for member in definitions[name]["properties"]:
        without = {k: v for k, v in example.items() if k != member}
        if valid(without) == (member in required):
            print(f"{name}: {member} is required, or not")
        if valid({**example, member: []}):
            print(f"{name}: {member} may be anything")
PYTHON
)
finish
