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

# Every header stands on its own, in C and in C++.
flags=$(pkg-config --cflags novacodec)
while IFS= read -r header; do
  for compiler in 'gcc -std=c17 -x c' 'clang -std=c17 -x c' \
    'g++ -std=c++17 -x c++' 'clang++ -std=c++17 -x c++'; do
    # shellcheck disable=SC2086 # words
    printf '#include "%s"\n' "${header#*/novacodec/}" |
      $compiler -Wall -Wextra -Wpedantic -Wconversion -Werror $flags -fsyntax-only - ||
      complain "$header: does not compile by itself with $compiler"
  done
done < <(find "$box/moved/include" -name '*.h')

# shellcheck disable=SC2046 # words
cc -std=c17 -Wall -Wextra -Werror ping.c -o ping $(pkg-config --cflags --libs novacodec) ||
  complain "ping.c: does not compile against what was installed"
# A program in C++ links, as one in C does whose compiler is not the library's, and
# a shared library.
for build in 'g++ -std=c++17 -x c++' 'clang++ -std=c++17 -x c++' \
  'clang -std=c17 -fPIE -pie -x c' 'gcc -std=c17 -shared -fPIC -x c'; do
  # shellcheck disable=SC2046,SC2086 # words
  $build -Wall -Wextra -Wpedantic -Wconversion -Werror -o linked - \
    $(pkg-config --cflags novacodec) -x none $(pkg-config --libs novacodec) <<'END' ||
#include <base/rng.h>
#include <base/time.h>
#include <codec/line.h>
#include <codec/message.h>
#include <stdio.h>

int main(void) {
  char buf[32];
  struct nova_msg msg;
  struct nova_line line;
  struct nova_rng rng;
  struct nova_json *json = nova_json_new(NULL, 1024, NOVA_JSON_DEPTH);
  nova_rng_init(&rng, 1);
  if (json == NULL || nova_line_init(&line, NULL, 1024) != 0 ||
      nova_msg_decode(json, "{}", 2, &msg) != NOVA_ERR_MSG_NO_TYPE)
    return 1;
  puts(nova_duration_print(nova_rng_below(&rng, 9) * NOVA_SEC, buf));
  nova_line_free(&line);
  nova_json_free(json);
  return (msg.present & NOVA_PRESENT(PING, timestamp)) != 0;
}
END
    complain "a program by $build: does not link"
done
# Nothing of the library can meet a name of the program.
complain_each < <(nm -g --defined-only "$(find "$box/moved" -name libnovacodec.a)" |
  awk 'NF == 3 && $3 !~ /^nova_/ {print "libnovacodec.a: the name " $3}')

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
