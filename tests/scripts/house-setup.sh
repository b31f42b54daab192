#!/usr/bin/env bash
# tools/setup beside stand-ins of dpkg-query, apt-get, id and sudo: what it
# installs, what it says, and that it says nothing where nothing is missing.
# shellcheck disable=SC2016 # what stands between quotes is for the stand-ins
# shellcheck source=tests/scripts/house.sh
. "$(dirname "$0")/house.sh"

box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
mkdir -p "$box/tools" "$box/bin"
cp tools/setup "$box/tools"
for tool in sh env dirname mktemp rm tail cat; do
  ln -s "$(command -v "$tool")" "$box/bin/$tool"
done

stand_in() {
  printf '#!/bin/sh\n%s\n' "$2" >"$box/bin/$1"
  chmod +x "$box/bin/$1"
}

# The usual machine: root, everything there but what a case takes away.
fresh() {
  rm -f "$box/calls" "$box/updated" "$box/bin/sudo"
  cat >"$box/packages.txt" <<'END'
# a comment
alpha  bin:alpha
beta   pc:beta  # why
gamma
delta
END
  stand_in id 'echo 0'
  stand_in alpha ''
  stand_in pkg-config '[ "$2" = beta ]'
  stand_in dpkg-query 'echo "gamma installed"; echo "delta installed"'
  stand_in apt-get 'echo "$@" >>"$BOX/calls"'
}

# expect STATUS OUTPUT CALLS [ARGUMENT...]
expect() {
  local status=$1 output=$2 calls=$3 got_status=0 got_output got_calls=
  shift 3
  got_output=$(BOX=$box PATH=$box/bin "$box/tools/setup" "$@" 2>&1) || got_status=$?
  [ ! -f "$box/calls" ] || got_calls=$(tr '\n' ';' <"$box/calls")
  if [ "$got_status" != "$status" ] || [ "$got_output" != "$output" ] ||
    [ "$got_calls" != "$calls" ]; then
    complain "case ${BASH_LINENO[0]}: expected $status, \"$output\", \"$calls\";" \
      "got $got_status, \"$got_output\", \"$got_calls\""
  fi
  fresh
}

install='install -y --no-install-recommends'
fresh
expect 0 '' ''
expect 0 '' '' --check

rm "$box/bin/alpha"
expect 0 'setup: installing alpha' "$install alpha;"
rm "$box/bin/pkg-config"
stand_in dpkg-query 'echo "gamma config-files"; exit 1'
expect 0 'setup: installing beta gamma delta' "$install beta gamma delta;"
rm "$box/bin/dpkg-query"
expect 1 'setup: missing: gamma delta' '' --check

# Stale or no package lists: fetched, and tried again.
rm "$box/bin/alpha"
stand_in apt-get 'echo "$1" >>"$BOX/calls"
[ "$1" != update ] || : >"$BOX/updated"
[ -f "$BOX/updated" ]'
expect 0 'setup: installing alpha' 'install;update;install;'
rm "$box/bin/alpha"
stand_in apt-get 'echo "$1" >>"$BOX/calls"; echo "no network"; exit 100'
expect 1 'setup: installing alpha
no network
setup: apt-get could not install: alpha' 'install;update;'

# Somebody else than root.
rm "$box/bin/alpha"
stand_in id 'echo 1000'
expect 1 'setup: neither root nor sudo; have root run: apt-get install alpha' ''
rm "$box/bin/alpha"
stand_in id 'echo 1000'
stand_in sudo 'echo sudo >>"$BOX/calls"; "$@"'
expect 0 'setup: installing alpha' "sudo;$install alpha;"

rm "$box/bin/alpha" "$box/bin/apt-get"
expect 1 'setup: this is no Debian (there is no apt-get); install the equivalents of: alpha' ''
echo 'omega exe:omega' >>"$box/packages.txt"
expect 2 'setup: packages.txt:6: there is no probe "exe:omega"' ''
printf 'omega bin:omega' >>"$box/packages.txt"
expect 0 'setup: installing omega' "$install omega;"
expect 2 'setup: usage: tools/setup [--check]' '' --all
finish
