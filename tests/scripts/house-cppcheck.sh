#!/usr/bin/env bash
# cppcheck over harness/; .cppcheck-suppressions has what it is wrong about.
# shellcheck source=tests/scripts/house.sh
. "$(dirname "$0")/house.sh"

folders=$(mktemp -d)
trap 'rm -rf "$folders"' EXIT
complain_each < <(cppcheck --quiet -j "$(nproc)" --std=c11 --language=c \
  --enable=warning,portability,performance --inline-suppr \
  --suppressions-list=.cppcheck-suppressions --library=posix \
  --cppcheck-build-dir="$folders" --max-configs=4 -D_GNU_SOURCE -UNDEBUG \
  --template='{file}:{line}: {message} [{id}]' -I harness harness 2>&1)
finish
