#!/usr/bin/env bash
# The subject as a process of the run: started with what it needs, waited for,
# ended, its output kept.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

cat >subject.sh <<'SH'
#!/bin/sh
echo "arguments: $*"
echo "the key is $NOVA_DEVICE_KEY" >&2
echo $$ >pid
sleep 1
exec "$NOVAPROBE" mock server --tcp "$NOVA_HOST:$NOVA_TCP_PORT" \
  --device "$NOVA_DEVICE_ID:$NOVA_DEVICE_KEY" --timer auth_timeout=1s
SH
chmod +x subject.sh
export NOVAPROBE
gone() {
  local i
  for ((i = 0; i < 50; i++)); do
    kill -0 "$(cat pid)" 2>/dev/null || return 0
    sleep 0.1
  done
  fail "the subject is still there"
}

# Without an address a free port is taken.
expect 3 server --spawn './subject.sh "a b" {host}:{tcp_port} {device_id}' \
  --device D1:some-secret-key --only tcp-auth-accepted --out r
shown 'pass .*tcp-auth-accepted'
gone
grep -qE '^arguments: a b 127\.0\.0\.1:[0-9]+ D1$' r/subject.log || fail "its arguments"
grep -q '^listening on' r/subject.log || fail "its output"
! grep -rq some-secret-key r || fail "the key is in the reports"
grep -q 'the key is \*\*\*' r/subject.log || fail "its standard error"

expect 2 server --spawn ./nowhere --device D1:k1234 --out r2
one_line
expect 2 server --spawn './subject.sh {device_key}' --out r2
one_line
said 'nothing was given for \{device_key\}'

# It ends by itself before it listens.
expect 3 server --spawn 'sh -c "echo oh no >&2; exit 7"' --device D1:k1234 --out r3
shown 'ended with status 7'
grep -q 'oh no' r3/subject.log || fail "what it said last"

# It goes when we are interrupted, and when we are killed twice over.
for times in 1 2; do
  rm -f pid out
  "$NOVAPROBE" server --spawn ./subject.sh --device D1:k1234 --out r4 >out 2>err </dev/null &
  run=$!
  started+=("$run")
  wait_for out '^seed '
  for ((i = 0; i < times; i++)); do
    kill -INT "$run" 2>/dev/null || true
    sleep 0.05
  done
  status=0
  wait "$run" || status=$?
  [ "$status" -eq 130 ] || fail "status $status, 130 expected"
  gone
done

# A device that ends before it connects: how, and what it printed, is told once, and
# is harmless wherever it stands.
cat >broken.sh <<'SH'
#!/bin/sh
printf 'the key is %s\033]0;owned\007\r<img src=x onerror=alert(1)>\n\377' "$NOVA_DEVICE_KEY"
echo "usage: broken" >&2
exit 7
SH
chmod +x broken.sh
expect 3 device --spawn './broken.sh {device_id}' --device D1:some-secret-key --out broken \
  "${short[@]}" --timer reconnect_timeout=2s --only 'tcp-command-split-*'
shown 'the device never connected: its process had ended with exit status 7'
[ "$(grep -c 'its process ended with status 7, [0-9]* bytes: the key is \*\*\*' out)" -eq 1 ] ||
  fail "what it printed"
shown '\\x1b\]0;owned\\x07\\r<img src=x onerror=alert\(1\)>\\n\\xff'
shown 'usage: broken'
! LC_ALL=C grep -q "$(printf '\033')" out || fail "it acts on the terminal"
! grep -rq some-secret-key broken out || fail "the key is in the reports"
