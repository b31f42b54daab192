#!/usr/bin/env bash
# docs/messages.md is what message.def says.
# shellcheck source=tests/scripts/house.sh
. "$(dirname "$0")/house.sh"

difference=$("$build/tests/message_reference" | diff docs/messages.md -) ||
  complain "docs/messages.md: not what message.def says (make docs)
$difference"
finish
