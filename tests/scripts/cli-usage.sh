#!/usr/bin/env bash
# What is wrong on a command line is one line on standard error and status 2, and
# nothing was sent or written.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

expect 2 sevrer
one_line
said 'unknown command sevrer; did you mean server\?'
expect 2 mock sever
one_line
said 'did you mean mock server\?'
expect 2 zzzzzz
one_line
expect 2 server --spwan ./x
one_line
said 'unknown option --spwan; did you mean --spawn\?'
expect 2 server --tcp
one_line
said '\-\-tcp needs a value'
expect 2 server --allow-incomplete=1 --tcp 127.0.0.1:1
one_line
expect 2 server -z
one_line
expect 2 server extra --tcp 127.0.0.1:1
one_line
said 'unexpected argument extra'
expect 2 server
one_line
said 'no address'
for address in 127.0.0.1 127.0.0.1:0 127.0.0.1:65536 127.0.0.1:x ::1:80 'a b:80'; do
  expect 2 server --tcp "$address"
  one_line
done
for device in nokey :key id: "id"; do
  expect 2 server --tcp 127.0.0.1:1 --device "$device"
  one_line
done
for timer in idle_timout=3s idle_timeout idle_timeout=3 idle_timeout=0s \
  idle_timeout=never; do
  expect 2 server --tcp 127.0.0.1:1 --timer "$timer"
  one_line
done
said 'expected NAME=DURATION'
expect 2 server --tcp 127.0.0.1:1 --timer idle_timout=3s
said 'did you mean idle_timeout\?'
for more in '--jobs 0' '--jobs x' '--seed -1' '--seed 99999999999999999999' \
  '--lang de' '--color maybe' '--only no-such-conversation' '--skip NO-99' \
  '--specs /nowhere' '--expect /nowhere' '--profile /nowhere'; do
  # shellcheck disable=SC2086 # two words
  expect 2 server --tcp 127.0.0.1:1 $more
  one_line
done
expect 2 server --tcp 127.0.0.1:1 --spawn 'x "y'
one_line
expect 2 server --tcp 127.0.0.1:1 --only tcp-auth-acepted
said 'did you mean tcp-auth-accepted\?'
expect 2 server --tcp 127.0.0.1:1 --timer heartbeat=180s
one_line
said 'heartbeat \(180 s\) has to be shorter than idle_timeout \(180 s\)'
expect 2 device --tcp 127.0.0.1:0
one_line
said 'which device will connect'
expect 2 device --spawn ./nowhere
said 'no such program'
expect 2 server --tcp 127.0.0.1:1 --device D1:key-1 --resume .
said 'run\.json: No such file'
expect 2 mock device
one_line
expect 2 list requirments
one_line
said 'did you mean requirements\?'
expect 2 explain TCP-AUHT-04
one_line
said 'did you mean TCP-AUTH-04\?'
expect 2 demo --fault key-compard-by-prefix
one_line
said 'did you mean key-compared-by-prefix\?'
expect 2 init
one_line
expect 2 judge /nowhere/results.json
one_line
expect 2 report
one_line

for command in server device demo 'mock server' 'mock device' 'mock ctl' report \
  judge list explain check init version; do
  # shellcheck disable=SC2086
  expect 0 $command --help
  [ ! -s err ] || fail "$command --help says something on standard error"
  shown "^novaprobe $command"
done
expect 0 --help
for command in server device demo mock report judge list explain check init; do
  shown "^  $command"
done
expect 0 version
shown '^novaprobe [0-9]+\.[0-9]+\.[0-9]+$'
expect 0 list requirements --json
python3 -c 'import json; assert len(json.load(open("out"))) == 112'
expect 0 list conversations --json
python3 -c 'import json; assert all(c["title"]["zh"] for c in json.load(open("out")))'
expect 0 list faults --json
python3 -c 'import json; assert len([f for f in json.load(open("out")) if f["breaks"]]) > 100'
expect 0 explain TCP-AUTH-04 --lang zh
shown '判定方法'
expect 0 explain tcp-auth-accepted
shown 'the server sends'

rm -f out err
[ -z "$(ls -A)" ] || fail "something was written: $(ls -A)"
