"""Test of an MQTT device from outside, whichever it is; run it with

    /usr/bin/python3 tests/interop/test_mqtt_devices.py COMMAND...

COMMAND starts the device; its options are added to it (README.md).  Some tests
put the device beside Debian's mosquitto and watch with mosquitto_sub what
arrives.  For what a broker does not tell, the test is itself the server: the
bytes of CONNECT, the pace of connecting again, certificates that are wrong.
"""

import contextlib
import json
import os
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from certificates import make_ca, make_certificate

COMMAND = []

# The second has an id and a key that are more than ASCII letters.
ID, KEY = "DEV-123456", 'key "quoted" \u4e2d\U0001f600'
TOPIC = f"novacloud/devices/{ID}/"

# An observer that gets what is published here has subscribed.
PROBE = "novacloud/devices/observer/command"

# No answer within this time counts as none; silence for so long as silence.
PATIENCE = 8.0
SILENCE = 0.5

MAX_MESSAGE_BYTES = 131072

ANSWER_FIELDS = {"response", "command", "timestamp", "device_id", "success",
                 "data"}


@contextlib.contextmanager
def running(command, environment=None, **options):
    """A process, which is ended with the block."""
    process = subprocess.Popen(command, env={**os.environ, **(environment or {})},
                               **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for stream in (process.stdout, process.stdin):
            if stream:
                stream.close()


def device(port, *options):
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--id", ID,
                 "--key", KEY, *options]
    return running([*COMMAND, *arguments],
                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def command(name="set_actuator", **fields):
    return json.dumps({"command": name, "timestamp": int(time.time()),
                       **fields}).encode()


# -- Beside Debian's mosquitto -------------------------------------------------

class Observer:
    """What arrives at the platform, in the order in which it arrives."""

    def __init__(self, process):
        self._process = process
        self._bytes = b""

    def next(self, patience=PATIENCE, wanted=None):
        """(topic, qos, retain, payload), or None if there is none in time.

        A probe is passed over where it is not what is ``wanted``.
        """
        deadline = time.monotonic() + patience
        while (line := self._line(deadline)) is not None:
            topic, qos, retain, payload = line.decode().split(" ")
            if topic != PROBE or wanted == PROBE:
                return topic, int(qos), int(retain), bytes.fromhex(payload)
        return None

    def _line(self, deadline):
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._bytes:
            wait = deadline - time.monotonic()
            if wait <= 0 or not select.select([descriptor], [], [], wait)[0]:
                return None
            self._bytes += os.read(descriptor, 65536)
        line, _, self._bytes = self._bytes.partition(b"\n")
        return line

    def message(self, kind, wanted=lambda message: True, patience=PATIENCE):
        """The next message of ``kind`` that is ``wanted``, as an object."""
        deadline = time.monotonic() + patience
        while (found := self.next(deadline - time.monotonic())) is not None:
            topic, qos, retain, payload = found
            if topic == TOPIC + kind and wanted(message := json.loads(payload)):
                assert (qos, retain) == (1, 0), found
                return message
        return None

    def answer(self, patience=PATIENCE):
        return self.message("data", lambda data: "response" in data, patience)


class BesideMosquitto(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        broker = running([sys.executable, os.path.join(HERE, "mosquitto.py"),
                          "--device", f"{ID}:{KEY}"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        cls.state = json.loads(cls.enterClassContext(broker).stdout.readline())
        cls.user = ["-h", "127.0.0.1", "-p", str(cls.state["mqtt"]),
                    "-u", cls.state["platform"]["username"],
                    "-P", cls.state["platform"]["password"]]

    def observe(self):
        process = self.enterContext(running(
            ["mosquitto_sub", *self.user, "-q", "2", "-F", "%t %q %r %x",
             "-t", "novacloud/devices/+/data",
             "-t", "novacloud/devices/+/status", "-t", PROBE],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE))
        observer = Observer(process)
        for _ in range(50):
            self.publish(b"{}", PROBE)
            if observer.next(0.2, wanted=PROBE) is not None:
                return observer
        return self.fail("the observer does not start")

    def publish(self, payload, topic=TOPIC + "command"):
        # An empty payload has an option of its own.
        subprocess.run(["mosquitto_pub", *self.user, "-q", "1", "-t", topic,
                        *(["-s"] if payload else ["-n"])],
                       input=payload, check=True, timeout=PATIENCE)

    def start(self, *options):
        """An observer, and a device that is ready for commands."""
        observer = self.observe()
        process = self.enterContext(device(self.state["mqtt"], *options))
        self.assertIsNotNone(observer.message("status"))
        self.wait_for_subscription(observer)
        return observer, process

    def wait_for_subscription(self, observer):
        for _ in range(50):
            self.publish(command("hello"))
            if observer.answer(0.3) is not None:
                break
        while observer.answer(SILENCE) is not None:
            pass

    def check_answer(self, answer, name, success, state):
        self.assertIsNotNone(answer, "no answer")
        self.assertLessEqual(ANSWER_FIELDS, set(answer))
        self.assertEqual(answer["command"], name)
        self.assertEqual(answer["device_id"], ID)
        self.assertIs(type(answer["timestamp"]), int)
        self.assertLess(abs(answer["timestamp"] - time.time()), 5)
        self.assertIs(answer["success"], success)
        self.assertEqual(answer["data"], state)
        if name == "set_actuator":
            self.assertEqual(answer["response"], "actuator_set")

    def test_reports(self):
        observer = self.observe()
        started = time.monotonic()
        with device(self.state["mqtt"], "--status-interval", "1",
                    "--data-interval", "1", "--value-keys", "alpha,beta"):
            times = []
            for _ in range(3):
                status = observer.message("status")
                times.append(time.monotonic())
                self.assertEqual(status["status"], "online")
                self.assertEqual(status["device_id"], ID)
                self.assertLess(abs(status["timestamp"] - time.time()), 5)
                self.assertIsInstance(status.get("info", {}), dict)
        self.assertLess(times[0] - started, 5)
        for gap in (times[1] - times[0], times[2] - times[1]):
            self.assertAlmostEqual(gap, 1.0, delta=0.5)

        observer = self.observe()
        with device(self.state["mqtt"], "--data-interval", "1",
                    "--value-keys", "alpha,beta"):
            for _ in range(2):
                data = observer.message("data")
                self.assertEqual(set(data), {"timestamp", "device_id", "alpha",
                                             "beta"})
                self.assertEqual(data["device_id"], ID)
                self.assertIs(type(data["timestamp"]), int)
                self.assertIsInstance(data["alpha"], (int, float))

    def test_nothing_is_retained(self):
        _, process = self.start()
        process.terminate()
        process.wait()
        self.assertIsNone(self.observe().next(SILENCE))

    def test_commands(self):
        observer, _ = self.start(
            "--data-interval", "0", "--actuators",
            '{"relay1":["OFF","ON"],"led_brightness":80,"lock":true}')
        state = {"relay1": "OFF", "led_brightness": 80, "lock": True}
        for params, success in (
                ({"relay1": "ON"}, True),
                ({"led_brightness": 12.5, "lock": False}, True),
                ({}, True),
                ({"relay2": "ON"}, False),
                ({"relay1": "OFF", "relay2": "ON"}, False),
                ({"relay1": 1}, False),
                ({"led_brightness": True}, False),
                ({"lock": [True]}, False),
                ({"__proto__": 1}, False),
                ({"": None}, False)):
            with self.subTest(params=params):
                self.publish(command(params=params))
                if success:
                    state.update(params)
                self.check_answer(observer.answer(), "set_actuator", success,
                                  state)
        for fields in ({}, {"params": {"relay1": "OFF"}}, {"params": 1}):
            name = 'self_destruct "\u4e2d\U0001f600'
            self.publish(command(name, **fields))
            self.check_answer(observer.answer(), name, False, state)

    def test_malformed_commands_are_ignored(self):
        observer, process = self.start("--data-interval", "0")
        good = command(params={"relay1": "ON"})
        for payload in (
                b"", b"{", b"null", b"1", b'"set_actuator"', b"[]", b"{}",
                b"[" * 100000, b'{"a":' * 20000, good + b"x", good[:-1],
                b"\xff\xfe", good.replace(b"ON", b"O\xff"), b"\xef\xbb\xbf" + good,
                good.replace(b"ON", b"\xed\xa0\x80"), good + b"\0",
                b"[" + good + b"]", command(), command(params=None),
                command(params=[]), command(params="relay1"), command(params=1),
                command(None), command(["set_actuator"]), command(7),
                os.urandom(MAX_MESSAGE_BYTES)):
            with self.subTest(payload=payload[:60]):
                self.publish(payload)
        self.assertIsNone(observer.answer(SILENCE))
        self.publish(good + b" " * (MAX_MESSAGE_BYTES - len(good)))
        self.assertTrue(observer.answer()["success"])
        self.publish(good)
        self.assertTrue(observer.answer()["success"])
        self.assertIsNone(process.poll())

    def test_several_commands_at_once(self):
        observer, _ = self.start("--data-interval", "0")
        payloads = b"".join(command(params={"led_brightness": number}) + b"\n"
                            for number in range(5))
        subprocess.run(["mosquitto_pub", *self.user, "-q", "1", "-l", "-t",
                        TOPIC + "command"], input=payloads, check=True)
        levels = [observer.answer()["data"]["led_brightness"] for _ in range(5)]
        self.assertEqual(levels, [0, 1, 2, 3, 4])

    def test_the_will_comes_when_it_is_killed(self):
        observer, process = self.start()
        process.kill()
        will = observer.message("status")
        self.assertEqual(will, {"status": "offline", "timestamp": 0,
                                "device_id": ID})
        self.assertIsNone(observer.next(SILENCE))

    def test_sigterm_ends_it_without_the_will(self):
        observer, process = self.start()
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertLess(time.monotonic() - asked, 1.5)
        self.assertIsNone(observer.message("status", patience=1.0))

    def test_over_tls(self):
        observer = self.observe()
        with device(self.state["mqtts"], "--ca", self.state["ca"]):
            self.assertIsNotNone(observer.message("status"))

    def test_over_tls_from_the_environment(self):
        observer = self.observe()
        with running(COMMAND, {
                "NOVA_HOST": "127.0.0.1",
                "NOVA_MQTT_PORT": str(self.state["mqtts"]),
                "NOVA_DEVICE_ID": ID, "NOVA_DEVICE_KEY": KEY,
                "NOVA_CA_FILE": self.state["ca"]},
                stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            self.assertIsNotNone(observer.message("status"))

    def test_over_tls_with_a_client_certificate(self):
        observer = self.observe()
        port, tls = self.state["mqtts_client"], ["--ca", self.state["ca"]]
        with device(port, *tls):
            self.assertIsNone(observer.message("status", patience=2.0))
        with device(port, *tls, "--cert", self.state["client_cert"],
                    "--key-file", self.state["client_key"]):
            self.assertIsNotNone(observer.message("status"))


# -- With the test as the server -----------------------------------------------

class Closed(Exception):
    """The device has closed the connection."""


class Connection:
    """The server's side of a connection, packet by packet."""

    def __init__(self, stream):
        self._stream = stream
        stream.settimeout(PATIENCE)

    def _read(self, count):
        parts = b""
        while len(parts) < count:
            part = self._stream.recv(count - len(parts))
            if not part:
                raise Closed
            parts += part
        return parts

    def packet(self):
        """(first byte, rest) of the next packet."""
        first = self._read(1)[0]
        length, shift = 0, 0
        while True:
            byte = self._read(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return first, self._read(length)

    def packet_of(self, kind):
        """The rest of the next packet of the kind; PUBLISHes are acknowledged."""
        while True:
            first, rest = self.packet()
            if first >> 4 == 3 and first & 0x06:
                size = struct.unpack_from(">H", rest)[0]
                self.send(b"\x40\x02" + rest[2 + size:4 + size])
            if first >> 4 == kind:
                return rest

    def send(self, data):
        self._stream.sendall(data)

    def accept(self):
        """Take the CONNECT and the SUBSCRIBE; return what they say."""
        connect = self.packet_of(1)
        self.send(b"\x20\x02\x00\x00")
        subscribe = self.packet_of(8)
        self.send(b"\x90\x03" + subscribe[:2] + b"\x01")
        return connect, subscribe

    def close(self):
        self._stream.close()


def fields(data):
    """Split what has a length of two bytes before it."""
    found = []
    while data:
        size = struct.unpack_from(">H", data)[0]
        found.append(data[2:2 + size])
        data = data[2 + size:]
    return found


class AsServer(unittest.TestCase):

    def setUp(self):
        self.listener = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        self.listener.settimeout(PATIENCE)
        self.port = self.listener.getsockname()[1]

    def accept(self):
        connection = Connection(self.listener.accept()[0])
        self.addCleanup(connection.close)
        return connection

    def test_connect_and_subscribe(self):
        with device(self.port, "--keep-alive", "77"):
            client_ids = set()
            for _ in range(2):
                connection = self.accept()
                connect, subscribe = connection.accept()
                self.assertEqual(connect[:7], b"\x00\x04MQTT\x04")
                # User name, password, will with QoS 1, clean session.
                self.assertEqual(connect[7], 0b11001110)
                self.assertEqual(connect[8:10], struct.pack(">H", 77))
                client_id, topic, will, user, password = fields(connect[10:])
                self.assertRegex(client_id.decode(), f"^device_{ID}_[0-9a-z]+$")
                client_ids.add(client_id)
                self.assertEqual(topic.decode(), TOPIC + "status")
                self.assertEqual(json.loads(will), {
                    "status": "offline", "timestamp": 0, "device_id": ID})
                self.assertEqual(user.decode(), ID)
                self.assertEqual(password.decode(), KEY)
                size = struct.unpack_from(">H", subscribe, 2)[0]
                self.assertEqual(subscribe[4:].decode(),
                                 TOPIC + "command\x01")
                self.assertEqual(size, len(TOPIC + "command"))
                connection.close()
        with device(self.port):
            client_ids.add(fields(self.accept().accept()[0][10:])[0])
        self.assertEqual(len(client_ids), 2)

    def test_a_command_is_acknowledged(self):
        with device(self.port):
            connection = self.accept()
            connection.accept()
            name = (TOPIC + "command").encode()
            body = struct.pack(">H", len(name)) + name + b"\x12\x34{}"
            connection.send(b"\x32" + bytes([len(body)]) + body)
            self.assertEqual(connection.packet_of(4), b"\x12\x34")

    def test_it_pings(self):
        with device(self.port, "--keep-alive", "5", "--status-interval", "0",
                    "--data-interval", "0"):
            connection = self.accept()
            connection.accept()
            since = time.monotonic()
            connection.packet_of(12)
            self.assertLess(time.monotonic() - since, 7.5)

    def pace(self, greet, seconds=5.0):
        """When connections came after the first was closed."""
        times = []
        with device(self.port), contextlib.suppress(TimeoutError):
            while not times or time.monotonic() < times[0] + seconds:
                connection = self.accept()
                times.append(time.monotonic())
                with contextlib.suppress(Closed, OSError):
                    greet(connection)
                connection.close()
                left = times[0] + seconds - time.monotonic()
                self.listener.settimeout(max(left, 0.01))
        return [at - times[0] for at in times[1:]]

    def check_pace(self, greet):
        times = self.pace(greet)
        self.assertLess(times[0], 1.0)
        self.assertLessEqual(len(times), 5)
        self.assertGreaterEqual(len(times), 2)
        gaps = [later - sooner for sooner, later in zip([0, *times], times)]
        # The first one has the start of the program in it.
        for sooner, later in zip(gaps[1:], gaps[2:]):
            self.assertGreater(later, 1.5 * sooner)

    def test_pace_when_closed_at_once(self):
        self.check_pace(lambda connection: None)

    def test_pace_when_closed_after_connect(self):
        self.check_pace(lambda connection: connection.packet_of(1))

    def test_pace_when_refused(self):
        def refuse(connection):
            connection.packet_of(1)
            connection.send(b"\x20\x02\x00\x05")
        self.check_pace(refuse)

    def test_pace_when_closed_after_connack(self):
        self.check_pace(lambda connection: connection.accept())

    def test_the_pace_starts_anew_after_a_good_connection(self):
        with device(self.port):
            for _ in range(3):
                connection = self.accept()
                connection.close()
            connection = self.accept()
            connection.accept()
            end = time.monotonic() + 5.5
            while (wait := end - time.monotonic()) > 0:
                connection._stream.settimeout(wait)
                with contextlib.suppress(TimeoutError):
                    connection.packet_of(3)
            connection.close()
            closed = time.monotonic()
            self.accept()
            self.assertLess(time.monotonic() - closed, 1.0)

    def test_it_survives_what_is_no_mqtt(self):
        for junk in (b"\xff" * 100, b"\x20\x00",
                     b"\x20\x02\x00\x00\x30\x00",
                     b"\x20\x02\x00\x00\x30\x04\x00\xff\xff\xff",
                     b"\x20\x02\x00\x00\x90\x01\x00",
                     b"\x20\x02\x00\x00\x40\xff\xff\xff\xff\xff\x7f"):
            with self.subTest(junk=junk), device(self.port) as process:
                connection = self.accept()
                connection.packet_of(1)
                with contextlib.suppress(OSError):
                    connection.send(junk)
                    time.sleep(0.2)
                connection.close()
                self.accept().accept()
                self.assertIsNone(process.poll())

    def test_sigterm_while_it_waits(self):
        for greet in (lambda connection: None, Connection.close):
            with device(self.port) as process:
                greet(self.accept())
                time.sleep(0.2)
                process.terminate()
                self.assertEqual(process.wait(1.5), 0)


class AsTlsServer(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.ca = make_ca(cls.folder)
        cls.other_ca = make_ca(cls.folder, "other")

    def first_bytes(self, certificate, versions=(None, None), tries=2):
        """What the device sends over TLS in some attempts, one after another."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        least, most = versions
        # The library's default for TLS 1.1 is to have no cipher for it.
        context.set_ciphers("ALL:@SECLEVEL=0")
        if most is not None:
            context.minimum_version, context.maximum_version = least, most
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(PATIENCE)
            with device(listener.getsockname()[1], "--ca", self.ca[0]):
                for _ in range(tries):
                    stream, _ = listener.accept()
                    stream.settimeout(3.0)
                    try:
                        with context.wrap_socket(stream, server_side=True) as tls:
                            if received := tls.recv(1):
                                return received
                    except OSError:
                        pass
                    finally:
                        stream.close()
        return b""

    def test_good_certificates(self):
        good = make_certificate(self.folder, "good", self.ca)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assertEqual(self.first_bytes(good, (version, version)), b"\x10")

    def test_bad_certificates(self):
        own = make_ca(self.folder, "own")
        for name, certificate in (
                ("unknown", make_certificate(self.folder, "unknown", self.other_ca)),
                ("own", own),
                ("name", make_certificate(self.folder, "name", self.ca,
                                          names="DNS:other.example,IP:127.0.0.2"))):
            with self.subTest(name):
                self.assertEqual(self.first_bytes(certificate), b"")

    def test_old_tls(self):
        old = (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1)
        certificate = make_certificate(self.folder, "old", self.ca)
        self.assertEqual(self.first_bytes(certificate, old), b"")

    def test_it_speaks_tls_first(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(PATIENCE)
            with device(listener.getsockname()[1], "--ca", self.ca[0]) as process:
                stream, _ = listener.accept()
                with stream:
                    self.assertEqual(stream.recv(2), b"\x16\x03")
                # SIGTERM in the middle of a handshake.
                process.terminate()
                self.assertEqual(process.wait(2.0), 0)


if __name__ == "__main__":
    COMMAND = sys.argv[1:]
    if not COMMAND:
        sys.exit("usage: test_mqtt_devices.py COMMAND...")
    # A device whose library could not be fetched says so, whatever it is asked.
    if subprocess.run([*COMMAND, "--what"], stdin=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL, check=False).returncode == 77:
        sys.exit(77)
    # That TLS 1.1 is deprecated is why it is tried.
    unittest.main(argv=sys.argv[:1], warnings="ignore")
