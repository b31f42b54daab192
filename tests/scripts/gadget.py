#!/usr/bin/env python3
"""A device that is not one: gadget.py MODE

Connects to $NOVA_HOST:$NOVA_TCP_PORT and behaves as MODE says:

    silent    connects, says nothing, stays
    probe     connects and closes, again and again, and says nothing
    storm     connects again without a pause, whatever happens
    flood     authenticates, then sends data without end
    line      authenticates, then sends a line that does not end
    junk      sends random bytes
    escapes   authenticates with text that would play with a terminal
    stubborn  ignores SIGTERM
    daemon    goes on in the background, the process itself ends at once
    noisy     writes output without end, and its key
    deaf      connects and does not read
"""

import json
import os
import signal
import socket
import sys
import time

AT = (os.environ["NOVA_HOST"], int(os.environ["NOVA_TCP_PORT"]))
ID = os.environ["NOVA_DEVICE_ID"]
KEY = os.environ["NOVA_DEVICE_KEY"]


def connect():
    while True:
        try:
            return socket.create_connection(AT)
        except OSError:
            time.sleep(0.2)


def auth(conn, **more):
    message = {"type": "auth", "device_id": ID, "device_key": KEY, **more}
    conn.sendall(json.dumps(message).encode() + b"\n")
    conn.recv(4096)


def drain(conn):
    while conn.recv(65536):
        pass


def session(mode):
    conn = connect()
    with conn:
        if mode == "silent":
            drain(conn)
        elif mode == "deaf":
            time.sleep(600)
        elif mode == "flood":
            auth(conn)
            line = json.dumps({"type": "data", "device_id": ID, "timestamp": int(time.time()),
                               "values": {"temperature": 1}}).encode() + b"\n"
            while True:
                conn.sendall(line * 1000)
        elif mode == "line":
            auth(conn)
            while True:
                conn.sendall(b"x" * 65536)
        elif mode == "junk":
            while True:
                conn.sendall(os.urandom(997))
                time.sleep(0.01)
        elif mode == "escapes":
            auth(conn, note="\x1b]0;owned\x07\x1b[2J\u202e")
            conn.sendall(b'{"type":"\x1b[31m","device_id":"\\u001b[2J"}\n\x1b[2Jplain\n')
            drain(conn)
        elif mode != "probe" and mode != "storm":
            auth(conn)
            drain(conn)
    if mode == "probe":
        time.sleep(0.3)


def main():
    mode = sys.argv[1]
    if mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "daemon" and os.fork() != 0:
        os._exit(0)
    if mode == "noisy" and os.fork() == 0:
        while True:
            sys.stdout.write(f"the key is {KEY}\n" * 1000)
    print("started", mode, flush=True)
    while True:
        try:
            session(mode)
        except OSError:
            time.sleep(0 if mode == "storm" else 0.2)


main()
