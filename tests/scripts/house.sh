# shellcheck shell=bash
# What the house checks share; sourced, with their arguments:
#
#   house-NAME.sh [ROOT [BUILD]]
#
# ROOT is the tree that is checked (default: the one this file is in), BUILD a
# build directory of it. A check names each breach as FILE:LINE: TEXT and ends
# with `finish`.
set -euo pipefail
trap 'echo "$0:$LINENO: a command failed"' ERR
export LC_ALL=C.UTF-8
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "${1:-$scripts/../..}" && pwd)
# shellcheck disable=SC2034 # for those that need one
build=${2:-$root/build/debug}
cd "$root"
breaches=0

complain() {
  printf '%s\n' "$*"
  breaches=$((breaches + 1))
}

# Each line of standard input is a complaint.
complain_each() {
  local line
  while IFS= read -r line; do
    complain "$line"
  done
}

finish() {
  if [ "$breaches" -ne 0 ]; then
    echo "$(basename "$0" .sh): $breaches to mend"
    exit 1
  fi
  exit 0
}

# files GLOB...: the files of the project that match, a name a line; * matches a
# slash too. Those that git ignores are left out.
files() {
  if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$root" ]; then
    git ls-files --cached --others --exclude-standard -- "$@"
  else
    local glob
    for glob in "$@"; do
      find . -path ./build -prune -o -path ./.git -prune -o -type f \
        -path "./$glob" -print | sed 's|^\./||'
    done
  fi | sort -u | while IFS= read -r name; do
    if [ -f "$name" ]; then
      printf '%s\n' "$name"
    fi
  done
}
