#!/usr/bin/env bash
# All C is laid out as .clang-format says. With --fix: lays it out.
if [ "${1-}" = --fix ]; then
  fix=true
  shift
else
  fix=false
fi
# shellcheck source=tests/scripts/house.sh
. "$(dirname "$0")/house.sh"

mapfile -t sources < <(files 'harness/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]' \
  'bench/*.cpp' 'tools/*.[ch]' 'fuzz/*.[ch]' 'examples/*.[ch]')
if $fix; then
  exec clang-format -i "${sources[@]}"
fi
# Its diagnostics quote the source; the first place of each file is enough.
found=$(clang-format --dry-run -Werror "${sources[@]}" 2>&1) && finish
complain_each < <(sed -n 's/^\(.*\):\([0-9]*\):[0-9]*: error: .*/\1:\2/p' <<<"$found" |
  awk -F: '!seen[$1]++ {print $0 ": not as clang-format lays it out (make format)"}')
[ "$breaches" -ne 0 ] || complain "clang-format: $found"
finish
