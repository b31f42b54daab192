#!/usr/bin/env bash
# Shell scripts are what shellcheck finds no fault with.
# shellcheck source=tests/scripts/house.sh
. "$(dirname "$0")/house.sh"

mapfile -t shell < <(files '*' | while IFS= read -r name; do
  case ${name##*/} in
  *.sh) echo "$name" ;;
  *.*) ;;
  *) ! head -n 1 "$name" | grep -aqE '^#!.*\b(ba)?sh\b' || echo "$name" ;;
  esac
done)
complain_each < <(shellcheck --format=gcc --external-sources --source-path="$root" \
  "${shell[@]}" || true)
finish
