#!/usr/bin/env bash
# A subject that floods us is judged in less than 100 MB.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

devices=()
for i in $(seq 16); do
  devices+=(--device "D$i:some-key-$i")
done

# A sanitizer takes memory of its own.
sanitized=$(nm "$NOVAPROBE" 2>/dev/null | grep -c __asan_init || true)

# flood MODE BYTES OPTION...: each connection gets so many bytes.
flood() {
  local mode=$1 bytes=$2
  shift 2
  start_subject "$mode" "$bytes"
  local status=0
  timeout 90 python3 "$scripts/peak.py" peak "$NOVAPROBE" server \
    --tcp "127.0.0.1:$port" "${devices[@]}" "${short[@]}" --out "$mode" "$@" \
    >out 2>err </dev/null || status=$?
  [ "$status" -eq 1 ] || [ "$status" -eq 3 ] || fail "$mode: status $status"
  if [ "$sanitized" -eq 0 ] && [ "$(cat peak)" -gt 100000 ]; then
    fail "$mode: $(cat peak) kB"
  fi
  echo "$mode: $(cat peak) kB"
}

flood line 268435456 --only tcp-auth-accepted
flood pongs 67108864 --only tcp-auth-accepted
flood pongs 4000000 --only 'TCP-AUTH-0*' --only 'TCP-HB-*' --only 'TCP-DATA-*' --only TCP-STATUS-02
