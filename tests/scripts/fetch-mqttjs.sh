#!/bin/sh
# Installs MQTT.js, as tests/interop/mqttjs locks it, for device_mqttjs.mjs.
#
#   fetch-mqttjs.sh DIRECTORY
#
# It is in DIRECTORY/node_modules afterwards; if it is there already, nothing is
# fetched. npm compares each package with the hash in the lock; no script of a
# package is run. Exit status: 0 it is there, 77 npm, node or the network is not.
set -eu

if [ $# -ne 1 ]; then
  echo "usage: $0 DIRECTORY" >&2
  exit 2
fi
lock=$(cd "$(dirname "$0")/../interop/mqttjs" && pwd)
for program in node npm; do
  if ! command -v "$program" >/dev/null; then
    echo "$0: $program is needed" >&2
    exit 77
  fi
done
# What was installed whole for this very lock has the lock beside it.
if cmp -s "$lock/package-lock.json" "$1/complete"; then
  exit 0
fi

mkdir -p "$1"
work=$(mktemp -d "$1/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp "$lock/package.json" "$lock/package-lock.json" "$work"
if ! (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error \
  --fetch-retries=1 >npm.log 2>&1); then
  cat "$work/npm.log" >&2
  echo "$0: MQTT.js cannot be fetched" >&2
  exit 77
fi
rm -rf "$1/complete" "$1/node_modules"
mv "$work/node_modules" "$work/package.json" "$1"
cp "$lock/package-lock.json" "$1/complete"
