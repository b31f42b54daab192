#!/usr/bin/env bash
# A folder of harness/ includes only itself and folders above it in the list;
# report and net know nothing of each other.
# shellcheck source=tests/scripts/house.sh
. "$(dirname "$0")/house.sh"

mapfile -t sources < <(files 'harness/*.c' 'harness/*.h' 'harness/*.def')
[ "${#sources[@]}" -gt 0 ] || complain "harness/: no sources"
complain_each < <(awk '
BEGIN {
  n = split("base codec peer conversation verdict run report net cli", name)
  for (i = 1; i <= n; i++)
    rank[name[i]] = i
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
  split(FILENAME, part, "/")
  from = part[2]
  path = $0
  sub(/^[^"]*"/, "", path)
  sub(/".*/, "", path)
  to = path
  sub(/\/.*/, "", to)
  where = FILENAME ":" FNR ": "
  if (!(from in rank))
    print where "the folder " from "/ has no place in the list"
  else if (index(path, "/") == 0 || !(to in rank))
    print where "\"" path "\" does not begin with a folder of harness/"
  else if (rank[to] > rank[from])
    print where from "/ includes \"" path "\", which stands below it"
  else if (from == "net" && to == "report")
    print where "net/ includes \"" path "\""
}' "${sources[@]}" /dev/null)
finish
