#!/usr/bin/env python3
"""peak.py FILE COMMAND...: runs the command, writes the most memory that it
ever had, in kB, to FILE, and ends as the command did."""

import os
import sys

child = os.spawnvp(os.P_NOWAIT, sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w", encoding="ascii") as out:
    print(usage.ru_maxrss, file=out)
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
