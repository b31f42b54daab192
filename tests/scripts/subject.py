#!/usr/bin/env python3
"""A server that is not one: subject.py MODE [BYTES]

Listens on a free port of 127.0.0.1, prints the port, and treats every
connection as MODE says:

    silent   reads and never answers
    deaf     does not even read
    escapes  answers with escapes that would play with a terminal
    accept   answers auth with success and nothing else
    pongs    answers auth with success, then sends BYTES of pongs
    line     answers auth with success, then a line that does not end: BYTES
    drip     answers auth with success, then a byte a millisecond
    junk     answers everything with random bytes
"""

import os
import socket
import sys
import threading
import time

SUCCESS = (b'{"type":"auth_result","result":"success","message":"ok",'
           b'"timestamp":%d}\n')


def serve(conn, mode, budget):
    with conn:
        if mode == "deaf":
            time.sleep(600)
        data = conn.recv(65536)
        if mode == "escapes":
            conn.sendall(b'{"type":"auth_result","result":"\x1b]0;owned\x07'
                         b'\x1b[2J\x9b31m\\u001b[31m\\u202e","message":"\x1b[31m"'
                         b',"timestamp":1}\n\x1b[2Jplain\n')
        elif mode == "junk":
            while data:
                conn.sendall(os.urandom(512))
                data = conn.recv(65536)
        elif mode != "silent" and b'"auth"' in data:
            conn.sendall(SUCCESS % int(time.time()))
        if mode == "pongs":
            chunk = (b'{"type":"pong","timestamp":%d}\n' % int(time.time())) * 1500
            while take(budget, len(chunk)):
                conn.sendall(chunk)
        elif mode == "line":
            chunk = b"x" * 65536
            while take(budget, len(chunk)):
                conn.sendall(chunk)
        elif mode == "drip":
            while take(budget, 1):
                conn.sendall(b"\n")
                time.sleep(0.001)
        while conn.recv(65536):
            pass


def take(budget, n):
    budget[0] -= n
    return budget[0] >= 0


def guarded(conn, mode, budget):
    try:
        serve(conn, mode, budget)
    except OSError:
        pass


def main():
    mode = sys.argv[1]
    budget = int(sys.argv[2]) if len(sys.argv) > 2 else 1 << 20
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=guarded, args=(conn, mode, [budget]),
                         daemon=True).start()


if __name__ == "__main__":
    main()
