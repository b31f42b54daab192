#!/usr/bin/env bash
# libnovacodec serves a program that knows nothing of this tree: it is installed
# elsewhere, found by pkg-config, and compiled against what was installed only.
# shellcheck source=tests/scripts/house.sh
. "$(dirname "$0")/house.sh"

box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
cmake --install "$build" --prefix "$box/first" --component novacodec >/dev/null
# Where it was installed does not stand in it.
mv "$box/first" "$box/moved"
pc=$(find "$box/moved" -name novacodec.pc)
[ -n "$pc" ] || complain "novacodec.pc: not installed"
export PKG_CONFIG_PATH=${pc%/*}
cp tests/install/ping.c "$box"
cd "$box"

# Every header stands on its own.
flags=$(pkg-config --cflags novacodec)
while IFS= read -r header; do
  # shellcheck disable=SC2086 # words
  printf '#include "%s"\n' "${header#*/novacodec/}" |
    cc -std=c17 -Wall -Wextra -Werror $flags -x c -fsyntax-only - ||
    complain "$header: does not compile by itself"
done < <(find "$box/moved/include" -name '*.h')

# shellcheck disable=SC2046 # words
cc -std=c17 -Wall -Wextra -Werror ping.c -o ping $(pkg-config --cflags --libs novacodec) ||
  complain "ping.c: does not compile against what was installed"
got=$(printf '%s\n' '{"type":"pong","timestamp":1}' '{"type":"pong","timestamp":}' \
  '{"type":"pong","timestamp":-1}' | ./ping) || complain "ping: status $?"
want='{"type":"ping","device_id":"DEV-000001","timestamp":1700000000}
pong
an unexpected character at byte 27'
want+="
a member's value is out of its range at byte 27"
[ "$got" = "$want" ] || complain "ping says: $got"
[ "$(pkg-config --modversion novacodec)" = "$(sed -n 's/^project(.* VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")" ] ||
  complain "novacodec.pc: not the project's version"
finish
