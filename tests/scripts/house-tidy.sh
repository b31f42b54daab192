#!/usr/bin/env bash
# clang-tidy over harness/ with the checks of .clang-tidy, each finding an error.
# Needs the compile commands of a build directory.
# shellcheck source=tests/scripts/house.sh
. "$(dirname "$0")/house.sh"

if [ ! -f "$build/compile_commands.json" ]; then
  complain "$build/compile_commands.json: not there; configure a build first"
  finish
fi
mapfile -t sources < <(files 'harness/*.c')
# The analyzer stops after 20000 states of a function, a tenth of what it would
# visit: seconds instead of minutes. What is found is told once, however many
# files include it.
limit=(--extra-arg=-Xclang --extra-arg=-analyzer-config
  --extra-arg=-Xclang --extra-arg=max-nodes=20000)
complain_each < <(printf '%s\0' "${sources[@]}" |
  xargs -0 -P "$(nproc)" -n 4 clang-tidy --quiet -p "$build" \
    "${limit[@]}" 2>/dev/null |
  grep -E ': (error|warning): ' | sed "s|^$root/||" | sort -u)
finish
