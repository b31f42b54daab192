"""Test of mqtt_gadget.py; run it with

    python3 tests/interop/test_mqtt_gadget.py

Each mode is let loose on Debian's mosquitto for a moment, which has to stand it
as a harness should; and what is first on the wire is looked at for some.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
GADGET = [sys.executable, os.path.join(HERE, "mqtt_gadget.py")]
SECONDS = 1.5
AT_ONCE = 6

TOPIC = b"novacloud/devices/DEV-1/"


def start(mode, port, tls_port, key="key", seconds=SECONDS):
    return subprocess.Popen(
        [*GADGET, mode, "--port", str(port), "--tls-port", str(tls_port),
         "--id", "DEV-1", "--key", key, "--delay", "0.05",
         "--seconds", str(seconds)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def all_modes():
    listed = subprocess.run([*GADGET, "--list"], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    return [line.split()[0] for line in listed.splitlines()]


class Gadgets(unittest.TestCase):

    def test_mosquitto_stands_them(self):
        broker = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "mosquitto.py"),
             "--device", "DEV-1:key"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(broker.communicate)
        self.addCleanup(broker.terminate)
        state = json.loads(broker.stdout.readline())
        modes = all_modes()
        self.assertGreater(len(modes), 25)
        for first in range(0, len(modes), AT_ONCE):
            running = [(mode, start(mode, state["mqtt"], state["mqtts"]))
                       for mode in modes[first:first + AT_ONCE]]
            for mode, process in running:
                with self.subTest(mode):
                    output, _ = process.communicate(timeout=20)
                    self.assertEqual(output.decode(), f"started {mode}\n")
                    self.assertEqual(process.returncode, 0)
        platform = state["platform"]
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1",
                        "-p", str(state["mqtt"]), "-u", platform["username"],
                        "-P", platform["password"], "-q", "1",
                        "-t", "novacloud/test", "-m", "still there"],
                       check=True, timeout=10)

    def first_bytes(self, mode, count):
        """What a server gets that accepts whatever it gets: ``count`` bytes at
        least, or all that comes."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(5)
            port = listener.getsockname()[1]
            process = start(mode, port, port, seconds=20)
            try:
                stream, _ = listener.accept()
                with stream:
                    stream.settimeout(2)
                    received = stream.recv(65536)
                    stream.sendall(b"\x20\x02\x00\x00")
                    with contextlib.suppress(TimeoutError):
                        while (len(received) < count and
                               (more := stream.recv(65536))):
                            received += more
            finally:
                process.terminate()
                process.communicate(timeout=5)
        self.assertEqual(process.returncode, 0)
        return received

    def connect_length(self, received):
        """The length of the CONNECT that everything starts with."""
        self.assertEqual(received[0], 0x10)
        size = at = 0
        while True:
            at += 1
            size |= (received[at] & 0x7F) << 7 * (at - 1)
            if received[at] < 0x80:
                break
        self.assertEqual(received[at + 1:at + 9], b"\0\4MQTT\4\xce")
        return 1 + at + size

    def after_connect(self, mode, count):
        received = self.first_bytes(mode, 400 + count)
        return received[self.connect_length(received):]

    def test_what_they_send(self):
        self.assertEqual(self.first_bytes("hollow-connect", 5),
                         b"\x10\xff\xff\xff\x7f")
        self.assertEqual(self.first_bytes("hello", 3)[:2], b"\x16\x03")
        self.assertEqual(self.first_bytes("plain", 3)[:1], b"\x10")
        data = self.after_connect("flood0", 100)
        self.assertEqual(data[0], 0x30)
        self.assertEqual(data[4:4 + len(TOPIC) + 4], TOPIC + b"data")
        self.assertEqual(self.after_connect("flood1", 100)[0], 0x32)
        self.assertEqual(self.after_connect("flood2", 100)[0], 0x34)
        self.assertEqual(self.after_connect("pubacks", 8)[:8],
                         b"\x40\2\0\1\x40\2\0\2")
        self.assertEqual(self.after_connect("pubrels", 8)[:8],
                         b"\x62\2\0\1\x62\2\0\2")
        filters = self.after_connect("filters", 400000)
        self.assertEqual(filters[0], 0x82)
        self.assertEqual(filters.count(TOPIC + b"command/"), 10000)
        self.assertGreater(self.connect_length(self.first_bytes("big-will", 1)),
                           65535)
        self.assertGreater(
            self.connect_length(self.first_bytes("big-client-id", 1)), 65535)

    def test_trickle(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(5)
            port = listener.getsockname()[1]
            process = start("trickle", port, port, seconds=20)
            stream, _ = listener.accept()
            times = []
            with stream:
                for _ in range(5):
                    self.assertEqual(len(stream.recv(2)), 1)
                    times.append(time.monotonic())
            process.terminate()
            process.communicate(timeout=5)
        self.assertGreater(times[4] - times[0], 4 * 0.04)

    def test_only_loopback(self):
        refused = subprocess.run([*GADGET, "silent", "--host", "192.0.2.1",
                                  "--port", "1"], stderr=subprocess.DEVNULL,
                                 check=False)
        self.assertEqual(refused.returncode, 2)


if __name__ == "__main__":
    unittest.main()
