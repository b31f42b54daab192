#!/usr/bin/env bash
# The house checks find what they are there to find: each is run on a small tree
# that is in order, and again after one thing has been spoilt.
# shellcheck disable=SC2016 # what stands between quotes is for the tree
# shellcheck source=tests/scripts/house.sh
. "$(dirname "$0")/house.sh"

tree=$(mktemp -d)
out=$(mktemp)
trap 'rm -rf "$tree" "$out"' EXIT

# A tree in order.
plant() {
  rm -rf "${tree:?}"/*
  mkdir -p "$tree"/{specs,docs,tests,build/harness}
  cp "$root/.clang-format" "$root/.clang-tidy" "$tree"
  : >"$tree/.cppcheck-suppressions"
  sed -n '/^- id:/p' "$root/specs/requirements.yaml" >"$tree/specs/requirements.yaml"
  local folder
  for folder in base codec peer conversation verdict run report net cli; do
    mkdir -p "$tree/harness/$folder" "$tree/build/harness/$folder"
    cat >"$tree/harness/$folder/a.h" <<END
#ifndef NOVA_${folder^^}_A_H
#define NOVA_${folder^^}_A_H

int nova_${folder}_a(int n);

#endif
END
    cat >"$tree/harness/$folder/a.c" <<END
#include "$folder/a.h"

/* malloc() in a comment and "getenv(x)" are not calls. */
int nova_${folder}_a(int n) {
  return n + 1;
}
END
  done
  printf '# Title\n\n## A part of it\n\n[there](docs/b.md#the-other-中文-part) [here](#a-part-of-it)\n' \
    >"$tree/README.md"
  printf '# B\n\n## The other (中文) part\n\n[back](../README.md)\n' >"$tree/docs/b.md"
  printf '#!/bin/sh\necho "$1"\n' >"$tree/tests/x.sh"
}

# What the compiler makes of it.
compile() {
  local source
  : >"$out"
  for source in "$tree"/harness/*/a.c; do
    local folder
    folder=$(basename "$(dirname "$source")")
    rm -f "$tree/build/harness/$folder/libnova_$folder.a"
    cc -g -I "$tree/harness" -c "$source" -o "$tree/build/a.o" &&
      ar rc "$tree/build/harness/$folder/libnova_$folder.a" "$tree/build/a.o"
    printf '%s{"directory": "%s", "file": "%s", "command": "cc -I %s -c %s"}' \
      "$([ -s "$out" ] && echo ,)" "$tree" "$source" "$tree/harness" "$source" >>"$out"
  done
  printf '[%s]\n' "$(cat "$out")" >"$tree/build/compile_commands.json"
}

good() {
  plant
  compile
  local check
  for check in layers banned symbols format files links shell tidy cppcheck; do
    if ! "$scripts/house-$check.sh" "$tree" "$tree/build" >"$out" 2>&1; then
      complain "house-$check complains about a tree that is in order: $(cat "$out")"
    fi
  done
}

# bad CHECK COMPLAINT: after a change the check fails with a line that begins so.
bad() {
  if "$scripts/house-$1.sh" "$tree" "$tree/build" >"$out" 2>&1; then
    complain "house-$1 does not see: $2"
  elif ! grep -qF -- "$2" "$out"; then
    complain "house-$1 does not say: $2"
    cat "$out"
  fi
  plant
}

put() {
  printf '%b' "$2" >>"$tree/$1"
}

good

put harness/codec/a.c '#include "run/a.h"\n'
bad layers 'harness/codec/a.c:7: codec/ includes "run/a.h", which stands below it'
put harness/report/a.h '#  include "net/a.h"\n'
bad layers 'harness/report/a.h:7: report/ includes "net/a.h"'
put harness/net/a.c '#include "report/a.h"\n'
bad layers 'harness/net/a.c:7: net/ includes "report/a.h"'
put harness/net/a.c '#include "a.h"\n'
bad layers '"a.h" does not begin with a folder of harness/'
mkdir "$tree/harness/extra"
put harness/extra/a.c '#include "base/a.h"\n'
bad layers 'the folder extra/ has no place in the list'

put harness/base/a.c '#include <sys/socket.h>\n'
bad banned 'harness/base/a.c:7: <sys/socket.h> below net/'
put harness/verdict/a.c 'int x(void) { return /* a */ (int)time (0); }\n'
bad banned 'harness/verdict/a.c:7: time() below net/ (clock)'
put harness/peer/a.c '/* it says\n "here */ int x(void) { exit(1); }\n'
bad banned 'harness/peer/a.c:8: exit() below net/ (process)'
put harness/report/a.h '#define X free(p)\n'
bad banned 'harness/report/a.h:7: free() below net/'

put harness/run/a.c '#include <unistd.h>\n#define X getpid\nint x(void);\nint x(void) { return X(); }\n'
compile
bad symbols 'harness/run/: uses getpid, which is not on the list'
put harness/codec/a.c 'int nova_state = 3;\n'
compile
bad symbols 'harness/codec/a.o: a variable that can change (.data)'
put harness/codec/a.c 'int *x(void);\nint *x(void) { static int n; return &n; }\n'
compile
bad symbols 'harness/codec/a.o: a variable that can change (.bss)'

put harness/cli/a.c 'int  x;\n'
bad format 'harness/cli/a.c:7: not as clang-format'

awk 'BEGIN { while (n++ < 1001) print "/* */" }' >>"$tree/harness/cli/a.c"
bad files 'harness/cli/a.c:1007: more than 1000 lines'
sed -i 's/NOVA_NET_A_H/NET_H/' "$tree/harness/net/a.h"
bad files 'harness/net/a.h:1: the include guard is not NOVA_NET_A_H'
put harness/net/a.c "/* TO""DO: later */\n"
bad files 'harness/net/a.c:7: a mark for later'
put docs/b.md "see /ho""me/somebody/x\n"
bad files 'docs/b.md:6: a path of one machine'
put harness/net/a.c ' \n'
bad files 'harness/net/a.c:7: blanks at the end'
put harness/net/a.c '/* */'
bad files 'harness/net/a.c: no line feed at the end'
sed -i 1d "$tree/specs/requirements.yaml"
bad files '111 requirements'
sed -i '1s/.*/- id: ID-02/' "$tree/specs/requirements.yaml"
bad files 'ID-02 is there twice'

put README.md '[gone](docs/c.md)\n'
bad links 'README.md:6: leads nowhere: docs/c.md'
put docs/b.md '[gone](../README.md#no-such-part)\n'
bad links 'docs/b.md:6: ../README.md has no heading #no-such-part'

put tests/x.sh 'rm $1\n'
bad shell 'tests/x.sh:3:4: note: Double quote'

put harness/cli/a.c 'int x(int n);\nint x(int n) {\n  int z = 0;\n  return n / z;\n}\n'
compile
bad tidy 'harness/cli/a.c:10:12: error: Division by zero'
put harness/cli/a.c 'int x(void);\nint x(void) {\n  int a[2] = {0};\n  return a[2];\n}\n'
bad cppcheck 'harness/cli/a.c:10: Array '
finish
