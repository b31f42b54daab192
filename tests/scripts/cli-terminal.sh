#!/usr/bin/env bash
# On a terminal a live line comes and goes; elsewhere there is none, and colours
# are as they were asked for.
# shellcheck source=tests/scripts/cli.sh
. "$(dirname "$0")/cli.sh"

cat >terminal.py <<'PYTHON'
import os, pty, sys
out = b""
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    try:
        piece = os.read(fd, 65536)
    except OSError:
        break
    if not piece:
        break
    out += piece
_, status = os.waitpid(pid, 0)
open("screen", "wb").write(out)
sys.exit(os.waitstatus_to_exitcode(status))
PYTHON
status=0
timeout 60 python3 terminal.py "$NOVAPROBE" demo --only 'TCP-HB-*' --out r || status=$?
[ "$status" -eq 3 ] || fail "status $status"
python3 - <<'PYTHON' || fail "the live line"
screen = open("screen", "rb").read()
lives = screen.split(b"\r\x1b[K")
assert len(lives) > 4, len(lives)
# Never more than 4 a second, in a run of some 10 s.
assert len(lives) < 2 * 79 + 4 * 30, len(lives)
# What stands there in the end has no rest of a live line: the last one was
# cleared, and every line of a conversation begins in the first column.
text = lives[-1].decode("utf-8")
assert "must" in text, text
PYTHON
expect 3 demo --only tcp-auth-accepted --out r
if LC_ALL=C grep -qaP '\x1b' out; then fail "escapes in a file"; fi
expect 3 demo --only tcp-auth-accepted --out r --color always
LC_ALL=C grep -qaP '\x1b\[' out || fail "--color always"
NO_COLOR=1 timeout 60 python3 terminal.py "$NOVAPROBE" demo --only tcp-auth-accepted --out r || true
if LC_ALL=C grep -qaP '\x1b\[[0-9;]*m' screen; then fail "NO_COLOR"; fi
