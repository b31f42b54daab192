"""Test of mosquitto.py and mosquitto-ctl; run it with

    python3 tests/interop/test_mosquitto.py

The broker's rules are tried with mosquitto_pub and mosquitto_sub.
"""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = [sys.executable, os.path.join(HERE, "mosquitto.py")]
CTL = os.path.join(HERE, "mosquitto-ctl")

# Silence for so long is silence.
SILENCE = 1

MAX_MESSAGE_BYTES = 131072


def start(*options):
    return subprocess.Popen(
        [*PROGRAM, "--device", "DEV-1:key 1", "--device", "DEV-2:key:2",
         *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def gone(port):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return True
        time.sleep(0.05)
    return False


class Rules(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.process = start()
        cls.addClassCleanup(cls.process.communicate)
        cls.addClassCleanup(cls.process.terminate)
        cls.state = json.loads(cls.process.stdout.readline())
        cls.users = {user["id"]: user["key"] for user in cls.state["devices"]}
        platform = cls.state["platform"]
        cls.platform = platform["username"]
        cls.users[cls.platform] = platform["password"]

    def login(self, user, *more, port="mqtt"):
        return ["-h", "127.0.0.1", "-p", str(self.state[port]), "-q", "1",
                "-u", user, "-P", self.users[user], *more]

    def publish(self, user, topic, payload=b"{}"):
        return subprocess.run(
            ["mosquitto_pub", *self.login(user, "-t", topic, "-s")],
            input=payload, stderr=subprocess.DEVNULL, check=False).returncode

    def subscribe(self, user, *filters):
        """A mosquitto_sub that ends when it has heard nothing for a while."""
        process = subprocess.Popen(
            ["mosquitto_sub", *self.login(user, "-W", str(SILENCE + 1)),
             "-F", "%t %q %x",
             *(word for one in filters for word in ("-t", one))],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        time.sleep(0.4)
        return process

    def received(self, process):
        lines = process.communicate()[0].splitlines()
        return [(topic, int(qos), bytes.fromhex(payload))
                for topic, qos, payload in (line.split(" ") for line in lines)]

    def test_devices_write_their_own(self):
        platform = self.subscribe(self.platform, "novacloud/#")
        for kind in ("data", "status", "command"):
            for device in ("DEV-1", "DEV-2"):
                self.publish("DEV-1", f"novacloud/devices/{device}/{kind}")
        self.publish("DEV-1", "novacloud/other")
        self.assertEqual(self.received(platform), [
            ("novacloud/devices/DEV-1/data", 1, b"{}"),
            ("novacloud/devices/DEV-1/status", 1, b"{}")])

    def test_devices_read_their_own(self):
        first, second = (self.subscribe(device, "#", "novacloud/devices/+/command")
                         for device in ("DEV-1", "DEV-2"))
        self.publish(self.platform, "novacloud/devices/DEV-1/command", b"for 1")
        self.publish(self.platform, "novacloud/devices/DEV-1/data", b"not for it")
        self.assertEqual({payload for _, _, payload in self.received(first)},
                         {b"for 1"})
        self.assertEqual(self.received(second), [])

    def test_who_is_let_in(self):
        for words, status in ((self.login("DEV-2"), 0),
                              (self.login("DEV-1")[:-1] + ["wrong"], 5),
                              (self.login("DEV-1")[:-4], 5)):
            done = subprocess.run(["mosquitto_pub", *words, "-t", "x", "-n"],
                                  stderr=subprocess.DEVNULL, check=False)
            self.assertEqual(done.returncode, status, words)

    def test_large_messages(self):
        topic, payload = "novacloud/devices/DEV-1/data", b"x" * MAX_MESSAGE_BYTES
        platform = self.subscribe(self.platform, topic)
        self.publish("DEV-1", topic, payload)
        self.assertEqual(self.received(platform), [(topic, 1, payload)])

    def test_tls(self):
        context = ssl.create_default_context(cafile=self.state["ca"])
        for name in ("127.0.0.1", "localhost"):
            with socket.create_connection(
                    ("127.0.0.1", self.state["mqtts"])) as stream, \
                    context.wrap_socket(stream, server_hostname=name) as tls:
                self.assertIn(tls.version(), ("TLSv1.2", "TLSv1.3"))
        arguments = ["mosquitto_pub", *self.login("DEV-1", port="mqtts_client"),
                     "--cafile", self.state["ca"], "-t", "x", "-n"]
        refused = subprocess.run(arguments, stderr=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, check=False)
        self.assertNotEqual(refused.returncode, 0)
        subprocess.run([*arguments, "--cert", self.state["client_cert"],
                        "--key", self.state["client_key"]], check=True)

    def ctl(self, action, **environment):
        return subprocess.run(
            [CTL, self.state["state"], action],
            env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            check=False)

    def test_hook_send_command(self):
        topic = "novacloud/devices/DEV-1/command"
        device = self.subscribe("DEV-1", topic)
        params = '{"relay1": "ON", "level": 1.50, "name": "\u4e2d\\u4e2d"}'
        done = self.ctl("command", NOVA_DEVICE_ID="DEV-1",
                        NOVA_COMMAND="set_actuator", NOVA_PARAMS=params)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        (where, qos, payload), = self.received(device)
        command = json.loads(payload)
        self.assertEqual((where, qos), (topic, 1))
        self.assertIn(params.encode(), payload)
        self.assertEqual(set(command), {"command", "timestamp", "params"})
        self.assertEqual(command["command"], "set_actuator")
        self.assertLess(abs(command["timestamp"] - time.time()), 5)

    def test_hook_data(self):
        self.assertEqual(self.ctl("data", NOVA_DEVICE_ID="DEV-9").stdout, "{}\n")
        topic = "novacloud/devices/DEV-2/data"
        for payload in (b'{"timestamp":1,"device_id":"DEV-2","a":1}',
                        b'{"timestamp":2,"device_id":"DEV-2","a":2,"b":"\xe4\xb8\xad"}',
                        b'{"response":"actuator_set","command":"x","a":3}', b"{"):
            self.publish("DEV-2", topic, payload)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            done = self.ctl("data", NOVA_DEVICE_ID="DEV-2")
            self.assertEqual(done.returncode, 0)
            if json.loads(done.stdout) == {"a": 2, "b": "\u4e2d"}:
                break
        else:
            self.fail(done.stdout)
        time.sleep(0.3)
        self.assertEqual(self.ctl("data", NOVA_DEVICE_ID="DEV-2").stdout,
                         done.stdout)

    def test_hooks_that_fail(self):
        for arguments, variables in (
                ("command", {"NOVA_DEVICE_ID": "DEV-1"}),
                ("command", {"NOVA_DEVICE_ID": "DEV-1", "NOVA_COMMAND": "c",
                             "NOVA_PARAMS": "[1]"}),
                ("data", {"NOVA_DEVICE_ID": ""}),
                ("what", {"NOVA_DEVICE_ID": "DEV-1"})):
            done = self.ctl(arguments, **variables)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, "^[A-Z].*\n$")


class Ends(unittest.TestCase):

    def test_ends_on_sigterm(self):
        with start() as process:
            state = json.loads(process.stdout.readline())
            process.terminate()
            self.assertEqual(process.wait(5), 0)
        self.assertFalse(os.path.exists(state["folder"]))
        self.assertTrue(gone(state["mqtt"]))

    def test_ends_with_its_parent(self):
        with subprocess.Popen(
                ["sh", "-c", '"$@" & read -r line', "sh", *PROGRAM],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
            state = json.loads(parent.stdout.readline())
            parent.send_signal(signal.SIGKILL)
        self.assertTrue(gone(state["mqtt"]))
        deadline = time.monotonic() + 5
        while os.path.exists(state["folder"]) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(os.path.exists(state["folder"]))

    def test_ports_as_asked(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with start("--mqtt-port", str(port)) as process:
            self.assertEqual(json.loads(process.stdout.readline())["mqtt"], port)
            process.terminate()


if __name__ == "__main__":
    unittest.main()
