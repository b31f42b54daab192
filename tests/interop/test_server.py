"""Self-test of the independent server; run it with

    python3 tests/interop/test_server.py

The parser and the framing are tested directly.  Everything else is tested
from outside, over loopback connections to a server process, with timers that
are scaled down.  What the server sends is read with the standard library's
``json`` module, so that its own reader and writer cannot agree on a mistake.
"""

import asyncio
import contextlib
import io
import json
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import server as server_module
import strict_json
from device_connection import LINGER_SECONDS, DeviceConnection
from framing import MAX_MESSAGE_BYTES, TOO_LONG, LineSplitter
from strict_json import JsonError, Number

# Scaled-down timers, in seconds, and how late a close may be noticed.  It may
# never be early, except for the time between accepting and measuring.
AUTH_TIMEOUT = 0.5
IDLE_TIMEOUT = 0.5
EARLY = 0.05
LATE = 0.3

# No answer within this time counts as none.
PATIENCE = 5.0

ID, KEY = "DEV-123456", "key:with:colons"
OTHER_ID, OTHER_KEY = "DEV-654321", "other"


# -- The JSON reader and writer ------------------------------------------------

class StrictJsonTest(unittest.TestCase):

    ACCEPTED = [
        (b"null", None),
        (b" \t\r\ntrue \t\r\n", True),
        (b"false", False),
        (b"0", Number("0")),
        (b"-0", Number("-0")),
        (b"-12.50e+07", Number("-12.50e+07")),
        (b"1E400", Number("1E400")),
        (b"9007199254740993", Number("9007199254740993")),
        (b"0.1", Number("0.1")),
        (b"1" * 5000, Number("1" * 5000)),
        (b'""', ""),
        (b'"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'),
        (b'"\\u0041\\u00e9\\u4E2d\\u0000"', "A\u00e9\u4e2d\0"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        ('"\u00e9\u4e2d\U0001f600\x7f\u2028\ufeff\uffff"'.encode(),
         "\u00e9\u4e2d\U0001f600\x7f\u2028\ufeff\uffff"),
        (b"[]", []),
        (b"{}", {}),
        (b"[ ]", []),
        (b"{ }", {}),
        (b"[[],{},[{}]]", [[], {}, [{}]]),
        (b' { "a" : [ 1 , "b" , null ] , "c" : { "d" : true } } ',
         {"a": [Number("1"), "b", None], "c": {"d": True}}),
        (b'{"":0}', {"": Number("0")}),
        (b'{"a":{"a":1},"b":{"a":2}}',
         {"a": {"a": Number("1")}, "b": {"a": Number("2")}}),
    ]

    REFUSED = {
        "nothing": [b"", b" ", b"\n"],
        "byte order mark": [b"\xef\xbb\xbf{}", b"\xef\xbb\xbf", b"\xff\xfe1\0",
                            b"\xfe\xff\x001"],
        "invalid UTF-8": [
            b'"\x80"', b'"\xc3"', b'"\xc3', b'"\xff"', b'"\xc0\xaf"',
            b'"\xe0\x80\xaf"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"',
            b'"\xf8\x88\x80\x80\x80"', b"\xe9"],
        "raw control character": [
            b"\0", b"{}\0", b"\x00{}", b'"\0"', b'"\n"', b'"\t"', b'"\x1f"',
            b'{"a\x01":1}', b"[1,\x0b2]", b"[1,\x0c2]"],
        "foreign white space": ["\u00a0{}".encode(), "{}\u2028".encode()],
        "not a JSON number": [
            b"NaN", b"-NaN", b"Infinity", b"-Infinity", b"+1", b"01", b"-01",
            b"00", b"1.", b".5", b"-.5", b"1e", b"1e+", b"1.e1", b"0x10",
            b"1_000", b"--1", b"-", b"- 1", b"1 2", b"\xd9\xa1",
            b"\xef\xbc\x91"],
        "wrong literal": [b"True", b"NULL", b"nul", b"nulll", b"truefalse",
                          b"undefined", b"a"],
        "bad string": [
            b'"', b'"a', b"'a'", b'"\\', b'"\\"', b'"\\x41"', b'"\\U0041"',
            b'"\\a"', b'"\\u"', b'"\\u12"', b'"\\u123g"', b'"\\u+123"',
            b'"\\u 123"', b'"\\u12"34'],
        "lone surrogate": [
            b'"\\ud83d"', b'"\\ude00"', b'"\\ud83d\\u0041"', b'"\\ud83dx"',
            b'"\\ud83d\\ud83d"', b'"\\ude00\\ud83d"', b'"\\ud83d\\n"'],
        "bad structure": [
            b"[", b"]", b"[1", b"[1,", b"[1,]", b"[,1]", b"[1,,2]", b"[1 2]",
            b"[1}", b"[1:2]", b"{", b"}", b'{"a"', b'{"a":', b'{"a":1',
            b'{"a":1,', b'{"a":1,}', b'{,"a":1}', b'{"a" 1}', b'{"a",1}',
            b'{"a":1 "b":2}', b'{"a":1]', b"{a:1}", b"{'a':1}", b"{1:2}",
            b"{null:1}", b'{"a"::1}', b'{"a":}', b"[[]", b'{"a":[}]'],
        "comment": [b"// a\n1", b"/* a */1", b"1#a", b"[1/**/]"],
        "duplicate key": [
            b'{"a":1,"a":1}', b'{"a":1,"b":2,"a":3}', b'{"a":1,"\\u0061":2}',
            b'[{"b":{"a":1,"a":2}}]', b'{"":1,"":2}'],
        "trailing bytes": [b"{}x", b"{}{}", b"{} {}", b"1,", b"[]]", b'""""',
                           b"null null", b"{};"],
    }

    def test_accepts(self):
        for data, value in self.ACCEPTED:
            with self.subTest(data=data[:40]):
                self.assertEqual(strict_json.parse(data), value)

    def test_refuses(self):
        for defect, examples in self.REFUSED.items():
            for data in examples:
                with self.subTest(defect=defect, data=data):
                    with self.assertRaises(JsonError):
                        strict_json.parse(data)

    def test_depth_is_bounded(self):
        deepest = strict_json.MAX_DEPTH
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
            middle = b"1" if opening != b"[" else b""
            good = opening * deepest + middle + closing * deepest
            self.assertEqual(strict_json.write(strict_json.parse(good)), good)
            with self.assertRaises(JsonError):
                strict_json.parse(opening + good + closing)
            with self.assertRaises(JsonError):
                strict_json.parse(opening * 20000)

    def test_every_shortened_text_is_refused(self):
        text = b'{"a":[1.5e3,"\\u00e9\xc3\xa9",true,null],"b":{"c":[{}]}}'
        strict_json.parse(text)
        for length in range(len(text)):
            with self.assertRaises(JsonError):
                strict_json.parse(text[:length])

    def test_agrees_with_the_standard_library(self):
        chance = random.Random(3)
        for _ in range(300):
            value = random_value(chance, 4)
            for ensure_ascii in (True, False):
                data = json.dumps(value, ensure_ascii=ensure_ascii,
                                  indent=chance.choice((None, 1))).encode()
                written = strict_json.write(strict_json.parse(data))
                self.assertEqual(json.loads(written), value)
                self.assertNotIn(b"\n", written)

    def test_writer(self):
        value = {"i": 7, "n": Number("0.10"), "t": True, "f": False, "0": None,
                 "s": '"\\/\n\x01\x7f\u00e9', "l": [[], {}]}
        self.assertEqual(
            strict_json.write(value),
            '{"i":7,"n":0.10,"t":true,"f":false,"0":null,'
            '"s":"\\"\\\\/\\n\\u0001\x7f\u00e9","l":[[],{}]}'.encode())
        for wrong in (1.5, b"a", {1: 2}, [object()]):
            with self.assertRaises(TypeError):
                strict_json.write(wrong)
        with self.assertRaises(ValueError):
            Number("NaN")


def random_value(chance, depth):
    kind = chance.randrange(8 if depth else 6)
    if kind == 0:
        return None
    if kind == 1:
        return chance.random() < 0.5
    if kind == 2:
        return chance.randrange(-10**20, 10**20)
    if kind == 3:
        return chance.uniform(-1e10, 1e10)
    if kind < 6:
        alphabet = 'ab"\\/\n\t\0\x1f \u00e9\u4e2d\U0001f600'
        return "".join(chance.choices(alphabet, k=chance.randrange(6)))
    count = chance.randrange(4)
    if kind == 6:
        return [random_value(chance, depth - 1) for _ in range(count)]
    return {f"k{i}": random_value(chance, depth - 1) for i in range(count)}


# -- Framing -------------------------------------------------------------------

class LineSplitterTest(unittest.TestCase):

    def split(self, *segments, limit=5):
        splitter = LineSplitter(limit)
        return [line for segment in segments for line in splitter.feed(segment)]

    def test_segments_do_not_matter(self):
        stream = b"ab\n\n12345\n123456\nc\r\n1234567890\nd\nrest"
        expected = [b"ab", b"", b"12345", TOO_LONG, b"c\r", TOO_LONG, b"d"]
        for size in range(1, len(stream) + 1):
            segments = [stream[i:i + size] for i in range(0, len(stream), size)]
            self.assertEqual(self.split(*segments), expected)

    def test_too_long_is_reported_at_once_and_only_once(self):
        self.assertEqual(self.split(b"12345"), [])
        self.assertEqual(self.split(b"12345", b"6"), [TOO_LONG])
        self.assertEqual(self.split(b"123456", b"7" * 100, b"\n"), [TOO_LONG])

    def test_the_limit(self):
        self.assertEqual(MAX_MESSAGE_BYTES, 131072)
        splitter = LineSplitter()
        exact = b"x" * 131072
        self.assertEqual(list(splitter.feed(exact + b"\n")), [exact])
        self.assertEqual(list(splitter.feed(exact + b"x\n")), [TOO_LONG])

    def test_a_long_line_is_not_kept(self):
        splitter = LineSplitter()
        for _ in range(100):
            list(splitter.feed(b"x" * 65536))
            self.assertLessEqual(splitter.kept_bytes, MAX_MESSAGE_BYTES)
        self.assertEqual(splitter.kept_bytes, 0)
        self.assertEqual(list(splitter.feed(b"\nnext\n")), [b"next"])


# -- Tools for the tests from outside ------------------------------------------

class ServerProcess:
    """A server in a process of its own, on free loopback ports."""

    def __init__(self, *extra):
        # A file, unlike a pipe, cannot fill up and hold the server.
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "server.py"),
             "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0",
             "--device", f"{ID}:{KEY}", "--device", f"{OTHER_ID}:{OTHER_KEY}",
             *extra],
            stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.ready_line = self.process.stdout.readline()
        words = self.ready_line.split()
        self.address, self.control_address = words[1], words[3]

    def stop(self, number=signal.SIGTERM):
        """Ask the server to end cleanly and without having complained."""
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=PATIENCE)
        with self.errors:
            self.errors.seek(0)
            errors = self.errors.read().decode()
        if (self.process.returncode, output, errors) != (0, "", ""):
            raise AssertionError(
                f"the server ended with status {self.process.returncode}, "
                f"output {output!r} and errors:\n{errors}")

    def control(self, line):
        """Send one line to the control port; return the answer as bytes."""
        with connect(self.control_address) as connection:
            connection.sendall(line if isinstance(line, bytes) else line.encode())
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as stream:
                return stream.read()

    def ctl(self, action, **environment):
        return subprocess.run(
            [sys.executable, os.path.join(HERE, "ctl.py"),
             self.control_address, action],
            env={"PATH": os.environ.get("PATH", ""), "NOVA_TRANSPORT": "tcp",
                 **environment},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)


def connect(address):
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)), PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class FakeDevice:
    """A device that sends what it is told, right or wrong."""

    def __init__(self, server, device_id=ID):
        self.device_id = device_id
        self.socket = connect(server.address)
        self.connected_at = time.monotonic()
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stream.close()
        self.socket.close()

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, **message):
        self.send_bytes(json.dumps(message).encode() + b"\n")

    def message(self, message_type, **fields):
        """A message with the fields that all of them share (section 3.3)."""
        return {"type": message_type, "device_id": self.device_id,
                "timestamp": 1651234567, **fields}

    def read(self):
        """The next message as the bytes of its line; b"" at the end."""
        return self.stream.readline()

    def receive(self):
        line = self.read()
        if not line.endswith(b"\n"):
            raise AssertionError(f"a line was expected, not {line!r}")
        return json.loads(line)

    def authenticate(self, key=KEY):
        self.send(type="auth", device_id=self.device_id, device_key=key)
        result = self.receive()
        if result["result"] != "success":
            raise AssertionError(f"not authenticated: {result}")
        return self

    def ping(self):
        """Ask and get the answer; everything sent before is then handled."""
        self.send(**self.message("ping"))
        answer = self.receive()
        if answer["type"] != "pong":
            raise AssertionError(f"a pong was expected, not {answer}")

    def is_silent(self, seconds=0.1):
        """Whether neither a byte nor the end arrives for a while."""
        readable, _, _ = select.select([self.socket], [], [], seconds)
        return not readable


class ServerTestCase(unittest.TestCase):
    """Starts one server for all tests of a class."""

    OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        cls.server = ServerProcess(*cls.OPTIONS)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def device(self, device_id=ID):
        device = FakeDevice(self.server, device_id)
        self.addCleanup(device.__exit__)
        return device

    def data(self, device_id=ID):
        return json.loads(self.server.control(f"data {device_id}\n"))

    def assert_failed_and_closed(self, device):
        result = device.receive()
        self.assertEqual(result["type"], "auth_result")
        self.assertEqual(result["result"], "failed")
        self.assertIsInstance(result["message"], str)
        self.assertAlmostEqual(result["timestamp"], time.time(), delta=5)
        self.assertEqual(device.read(), b"", "the connection must be closed")

    def assert_closed_after(self, device, start, seconds):
        self.assertEqual(device.read(), b"")
        elapsed = time.monotonic() - start
        self.assertGreater(elapsed, seconds - EARLY)
        self.assertLess(elapsed, seconds + LATE)


# -- Authentication ------------------------------------------------------------

class AuthenticationTest(ServerTestCase):

    def test_success(self):
        device = self.device()
        device.send(type="auth", device_id=ID, device_key=KEY, extra=[1])
        result = device.receive()
        self.assertIs(type(result.pop("timestamp")), int)
        self.assertEqual(result, {"type": "auth_result", "result": "success",
                                  "message": "Authenticated"})
        device.ping()

    def test_wrong_credentials(self):
        for device_id, key in (
                (ID, "wrong"), (ID, ""), (ID, KEY + " "), (ID, KEY.upper()),
                (ID, KEY[:-1]), (ID, OTHER_KEY), ("DEV-000000", KEY),
                (ID.lower(), KEY), (ID + " ", KEY), ("", ""),
                (ID, KEY + "\0"), (ID, "\u00e9")):
            with self.subTest(device_id=device_id, key=key):
                device = self.device()
                device.send(type="auth", device_id=device_id, device_key=key)
                self.assert_failed_and_closed(device)

    def test_anything_else_fails(self):
        good = json.dumps({"type": "auth", "device_id": ID, "device_key": KEY})
        for line in (
                b"", b"{}", b"[]", b"null", b"hello", b"\0", b"\xff",
                good[:-1].encode(), good.encode() + b"x",
                b"\xef\xbb\xbf" + good.encode(),
                good.encode()[:-1] + b',"type":"auth"}',
                b'{"type":"auth"}',
                b'{"type":"auth","device_id":"DEV-123456"}',
                b'{"type":"auth","device_id":["DEV-123456"],"device_key":"a"}',
                b'{"type":"auth","device_id":"DEV-123456","device_key":1}',
                b'{"type":"Auth","device_id":"DEV-123456","device_key":"a"}',
                b'{"type":null}',
                b'{"type":"unknown"}',
                b'{"type":"ping","device_id":"DEV-123456","timestamp":1}',
                b"x" * 131073):
            with self.subTest(line=line[:60]):
                device = self.device()
                device.send_bytes(line + b"\n")
                self.assert_failed_and_closed(device)

    def test_nothing_is_served_without_authentication(self):
        device = self.device(OTHER_ID)
        data = json.dumps(device.message("data", values={"stolen": 1}))
        auth = json.dumps({"type": "auth", "device_id": OTHER_ID,
                           "device_key": OTHER_KEY})
        wrong = json.dumps({"type": "auth", "device_id": OTHER_ID,
                            "device_key": "wrong"})
        ping = json.dumps(device.message("ping"))
        for lines in ((data, auth, data, ping), (wrong, auth, data, ping)):
            device = self.device(OTHER_ID)
            # A connection that is refused while much is on its way must
            # still deliver its auth_result.
            device.send_bytes("\n".join((*lines, ping * 20000, "")).encode())
            self.assert_failed_and_closed(device)
        self.assertEqual(self.data(OTHER_ID), {})

    def test_authenticating_again(self):
        device = self.device().authenticate()
        device.authenticate()
        device.ping()
        # To name another device changes nothing, even with the right key.
        device.send(type="auth", device_id=OTHER_ID, device_key=OTHER_KEY)
        device.ping()
        device.send(type="auth", device_id=ID, device_key="wrong")
        self.assert_failed_and_closed(device)

    def test_credentials_travel_as_any_json(self):
        device = self.device()
        escaped = "".join(f"\\u{ord(c):04x}" for c in KEY)
        device.send_bytes(
            f' {{ "device_key":"{escaped}",\t"device_id":"{ID}",'
            f' "type":"\\u0061uth" }} \r\n'.encode())
        self.assertEqual(device.receive()["result"], "success")


# -- Messages --------------------------------------------------------------------

class MessageTest(ServerTestCase):

    def test_pong(self):
        device = self.device().authenticate()
        device.send(**device.message("ping", extra={"a": None}))
        answer = device.receive()
        self.assertEqual(sorted(answer), ["timestamp", "type"])
        self.assertEqual(answer["type"], "pong")
        self.assertAlmostEqual(answer["timestamp"], time.time(), delta=5)

    def test_one_byte_per_segment(self):
        device = self.device()
        for message in (
                {"type": "auth", "device_id": ID, "device_key": KEY},
                device.message("ping")):
            for byte in json.dumps(message).encode() + b"\n":
                device.send_bytes(bytes([byte]))
        self.assertEqual(device.receive()["result"], "success")
        self.assertEqual(device.receive()["type"], "pong")

    def test_several_messages_in_one_segment(self):
        device = self.device()
        messages = [{"type": "auth", "device_id": ID, "device_key": KEY},
                    device.message("data", values={"n": 1}),
                    device.message("ping"),
                    device.message("data", values={"n": 2}),
                    device.message("ping")]
        text = "".join(json.dumps(message) + "\n" for message in messages)
        device.send_bytes(text.encode() + b'{"type":"pi')
        types = [device.receive()["type"] for _ in range(3)]
        self.assertEqual(types, ["auth_result", "pong", "pong"])
        self.assertEqual(self.data(), {"n": 2})
        rest = json.dumps(device.message("ping"))[len('{"type": "pi'):]
        device.send_bytes(rest.encode() + b"\n")
        self.assertEqual(device.receive()["type"], "pong")

    def test_largest_message(self):
        device = self.device().authenticate()
        for length, stored in ((131072, True), (131073, False)):
            device.send(**device.message("data", values={"before": length}))
            message = device.message("data", values={"length": length}, fill="")
            missing = length - len(json.dumps(message))
            message["fill"] = "x" * missing
            line = json.dumps(message).encode()
            self.assertEqual(len(line), length)
            device.send_bytes(line + b"\n")
            device.ping()
            expected = {"length": length} if stored else {"before": length}
            self.assertEqual(self.data(), expected)

    def test_a_very_long_line_is_not_kept_in_memory(self):
        device = self.device().authenticate()
        before = resident_bytes(self.server.process.pid)
        for _ in range(1024):
            device.send_bytes(b"x" * 65536)
        # Not one line feed in 64 MB; then life goes on.
        growth = resident_bytes(self.server.process.pid) - before
        self.assertLess(growth, 8 * 1024 * 1024)
        device.send_bytes(b"\n")
        device.ping()

    def test_bad_lines_are_ignored(self):
        device = self.device().authenticate()
        device.send(**device.message("data", values={"good": 1}))
        data = json.dumps(device.message("data", values={"bad": 1})).encode()
        for line in (
                b"", b"\r", b"{", b"null", b"[1]", b'"text"', b"\xff\xfe", b"\0",
                b'{"type":1}', b'{"type":"unknown","device_id":"DEV-123456"}',
                b'{"type":"command","device_id":"DEV-123456","timestamp":1}',
                data[:-1], data + b"}", data + b"\0", b"\xef\xbb\xbf" + data,
                data.replace(b"1651234567", b"NaN"),
                data.replace(b"1651234567", b"01"),
                data.replace(b"1651234567", b'"1651234567"'),
                data.replace(b'"timestamp"', b'"time"'),
                data.replace(b'"device_id"', b'"deviceid"'),
                data.replace(b'{"bad": 1}', b"[1]"),
                data.replace(b'{"bad": 1}', b"null"),
                data.replace(b'{"bad": 1}', b'{"bad":1,"bad":1}'),
                data.replace(b"values", b"value"),
                b'{"a":' * 20000, b"[" * 131072, b"x" * 131073):
            with self.subTest(line=line[:60]):
                device.send_bytes(line + b"\n")
                device.ping()
                self.assertEqual(self.data(), {"good": 1})

    def test_another_devices_id_is_ignored(self):
        device = self.device().authenticate()
        other = self.device(OTHER_ID).authenticate(OTHER_KEY)
        device.send(**device.message("data", values={"mine": 1}))
        device.send(**other.message("data", values={"not": "mine"}))
        device.send(**other.message("ping"))
        device.send(**{**device.message("data", values={}), "device_id": None})
        device.ping()
        self.assertTrue(device.is_silent())
        self.assertEqual(self.data(), {"mine": 1})
        self.assertEqual(self.data(OTHER_ID), {})

    def test_messages_without_an_answer(self):
        device = self.device().authenticate()
        device.send(**device.message("status", status="online",
                                     info={"version": "1.0.3", "rssi": -65}))
        device.send(**device.message("command_response", command_id="cmd-1",
                                     result="success", data={"relay1": "ON"}))
        device.send(**device.message("data", values={"a": 1}))
        self.assertTrue(device.is_silent())
        device.ping()

    def test_last_values_keep_their_text(self):
        device = self.device().authenticate()
        values = (b'{"big":9007199254740993,"tenth":0.1,"same":60.0,'
                  b'"exp":1E+2,"huge":1e999,"text":"\xe4\xb8\xad\\n","no":null}')
        device.send_bytes(b'{"type":"data","device_id":"DEV-123456",'
                          b'"timestamp":1,"values":' + values + b"}\n")
        device.ping()
        self.assertEqual(self.server.control(f"data {ID}\n"), values + b"\n")

    def test_two_connections_of_one_device(self):
        first = self.device().authenticate()
        second = self.device().authenticate()
        first.send(**first.message("data", values={"from": 1}))
        first.ping()
        self.assertEqual(self.data(), {"from": 1})
        second.send(**second.message("data", values={"from": 2}))
        second.ping()
        self.assertEqual(self.data(), {"from": 2})
        first.__exit__()
        second.ping()

    def test_an_unfinished_last_line_is_not_a_message(self):
        device = self.device().authenticate()
        device.send(**device.message("data", values={"whole": 1}))
        half = json.dumps(device.message("data", values={"half": 1}))
        ping = json.dumps(device.message("ping"))
        device.send_bytes(f"{ping}\n{half}".encode())
        device.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(device.receive()["type"], "pong")
        self.assertEqual(device.read(), b"")
        self.assertEqual(self.data(), {"whole": 1})

    def test_a_reset_connection_does_no_harm(self):
        device = self.device().authenticate()
        # With this option, closing sends a TCP reset instead of an end.
        device.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
        device.__exit__()
        self.device().authenticate().ping()


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# -- Timers ----------------------------------------------------------------------

class AuthTimeoutTest(ServerTestCase):

    OPTIONS = ("--auth-timeout", str(AUTH_TIMEOUT))

    def test_silence(self):
        device = self.device()
        self.assert_closed_after(device, device.connected_at, AUTH_TIMEOUT)

    def test_unfinished_lines_do_not_extend_it(self):
        device = self.device()
        for _ in range(4):
            device.send_bytes(b" ")
            time.sleep(AUTH_TIMEOUT / 5)
        self.assert_closed_after(device, device.connected_at, AUTH_TIMEOUT)

    def test_it_ends_with_the_authentication(self):
        device = self.device()
        time.sleep(AUTH_TIMEOUT - 0.2)
        device.authenticate()
        self.assertTrue(device.is_silent(AUTH_TIMEOUT))
        device.ping()


class IdleTimeoutTest(ServerTestCase):

    OPTIONS = ("--idle-timeout", str(IDLE_TIMEOUT))

    def test_silence(self):
        device = self.device().authenticate()
        self.assert_closed_after(device, time.monotonic(), IDLE_TIMEOUT)

    def test_messages_keep_the_connection(self):
        device = self.device().authenticate()
        for message in (device.message("data", values={}),
                        device.message("status", status="online"),
                        device.message("of an unknown type")):
            time.sleep(IDLE_TIMEOUT / 2)
            device.send(**message)
        last = time.monotonic()
        self.assert_closed_after(device, last, IDLE_TIMEOUT)

    def test_other_bytes_do_not_keep_it(self):
        foreign = {"type": "ping", "device_id": OTHER_ID, "timestamp": 1}
        devices = []
        for junk in (b" ", b"\n", b"junk\n", b"x" * 131073,
                     json.dumps(foreign).encode() + b"\n"):
            devices.append((self.device().authenticate(), junk))
        start = time.monotonic()
        for _ in range(4):
            for device, junk in devices:
                device.send_bytes(junk)
            time.sleep(IDLE_TIMEOUT / 5)
        for device, junk in devices:
            with self.subTest(junk=junk[:20]):
                self.assert_closed_after(device, start, IDLE_TIMEOUT)

    def test_what_the_server_sends_does_not_keep_it(self):
        device = self.device().authenticate()
        start = time.monotonic()
        for _ in range(3):
            time.sleep(IDLE_TIMEOUT / 4)
            self.server.control(f"command {ID} go {{}}\n")
            self.assertEqual(device.receive()["type"], "command")
        self.assert_closed_after(device, start, IDLE_TIMEOUT)


class SlowReaderTest(ServerTestCase):

    def test_a_device_that_never_reads_is_cut_off(self):
        device = self.device().authenticate()
        # More than the sockets on both sides and the server hold together.
        params = '{"fill":"' + "x" * 130000 + '"}'
        sent = 0
        while sent < 30 * 1024 * 1024:
            answer = self.server.control(f"command {ID} go {params}\n")
            if b"command_id" not in answer:
                break
            sent += len(params)
        self.assertIn(b"not connected", answer)
        received = 0
        try:
            while segment := device.socket.recv(1 << 20):
                received += len(segment)
        except ConnectionResetError:
            pass
        self.assertLess(received, sent, "the waiting part must be given up")
        self.device().authenticate().ping()

    def test_a_refused_device_that_stays_is_cut_off(self):
        device = self.device()
        device.send(type="auth", device_id=ID, device_key="wrong")
        self.assert_failed_and_closed(device)
        # For a short time the server still throws away what it sends, and
        # then the connection is gone altogether.
        deadline = time.monotonic() + LINGER_SECONDS + 2 * LATE
        with self.assertRaises(OSError):
            while time.monotonic() < deadline:
                device.send_bytes(b"x")
                time.sleep(0.02)

    def test_a_slow_reader_is_not_heard_until_it_has_caught_up(self):
        calls = []

        class RecordingTransport:
            def pause_reading(self):
                calls.append("pause")

            def resume_reading(self):
                calls.append("resume")

        async def act():
            connection = DeviceConnection(None, set())
            connection.connection_made(RecordingTransport())
            connection.pause_writing()
            connection.resume_writing()
            connection.connection_lost(None)

        asyncio.run(act())
        self.assertEqual(calls, ["pause", "resume"])


# -- The control port --------------------------------------------------------------

class ControlTest(ServerTestCase):

    def error(self, line):
        answer = json.loads(self.server.control(line))
        self.assertEqual(list(answer), ["error"])
        return answer["error"]

    def test_command(self):
        first = self.device().authenticate()
        second = self.device().authenticate()
        other = self.device(OTHER_ID).authenticate(OTHER_KEY)
        params = ('{"big": 9007199254740993, "tenth":0.1,"whole":60.0,'
                  '"exp":1E400,"text":"a b\u4e2d\\n\\"","none":{},"relay1":"ON"}')
        answers = [json.loads(self.server.control(
            f"command {ID} set_actuator {params}\n")) for _ in range(2)]
        self.assertNotEqual(answers[0]["command_id"], answers[1]["command_id"])
        for device in (first, second):
            for answer in answers:
                line = device.read()
                for number in (b"9007199254740993", b"0.1", b"60.0", b"1E400"):
                    self.assertIn(b":" + number + b",", line)
                message = json.loads(line)
                self.assertAlmostEqual(message.pop("timestamp"), time.time(),
                                       delta=5)
                self.assertEqual(message, {
                    "type": "command", "command_id": answer["command_id"],
                    "device_id": ID, "command": "set_actuator",
                    "params": json.loads(params)})
                device.send(**device.message(
                    "command_response", command_id=answer["command_id"],
                    result="success", data={}))
            device.ping()
        self.assertTrue(other.is_silent())

    def test_command_that_cannot_be_sent(self):
        self.assertIn("not connected", self.error(f"command {OTHER_ID} go {{}}\n"))
        device = self.device(OTHER_ID).authenticate(OTHER_KEY)
        for params in ("", "[]", "1", "null", '{"a":NaN}', '{"a":1,"a":2}',
                       "{} x", '{"a":"' + "x" * 131072 + '"}'):
            self.error(f"command {OTHER_ID} go {params}\n")
        self.error(f"command {OTHER_ID} go\n")
        self.error(f"command {OTHER_ID}\n")
        self.assertTrue(device.is_silent())
        # The largest command that fits does arrive.
        self.server.control(f"command {OTHER_ID} go {{}}\n")
        room = 131072 - (len(device.read()) - 1) - len('"a":""')
        fitting = '{"a":"' + "x" * room + '"}'
        self.assertIn(b"command_id",
                      self.server.control(f"command {OTHER_ID} go {fitting}\n"))
        self.assertEqual(len(device.read()), 131073)
        too_long = fitting.replace('"}', 'x"}')
        self.assertIn("largest", self.error(f"command {OTHER_ID} go {too_long}\n"))
        # A device that has gone is not connected.
        device.__exit__()
        deadline = time.monotonic() + PATIENCE
        while "command_id" in json.loads(
                self.server.control(f"command {OTHER_ID} go {{}}\n")):
            self.assertLess(time.monotonic(), deadline)

    def test_bad_requests(self):
        for line in ("\n", "unknown\n", "data\n", "data \n", "data DEV-0\n",
                     f"data  {ID}\n", f"data {ID} \n", f"data {ID} more\n",
                     f"data {ID}\r\n", f"DATA {ID}\n", "reset\n", "reset DEV-0\n",
                     b"data \xff\n", "", f"deactivate {ID}"):
            with self.subTest(line=line):
                self.error(line)
        # An unfinished line above must not have deactivated the device.
        self.device().authenticate()

    def test_reset(self):
        device = self.device().authenticate()
        new_key = json.loads(self.server.control(f"reset {ID}\n"))["key"]
        try:
            self.assertEqual(device.read(), b"", "it must authenticate again")
            stale = self.device()
            stale.send(type="auth", device_id=ID, device_key=KEY)
            self.assert_failed_and_closed(stale)
            self.device().authenticate(new_key).ping()
            newest_key = json.loads(self.server.control(f"reset {ID}\n"))["key"]
            self.assertNotEqual(new_key, newest_key)
            new_key = newest_key
            self.device().authenticate(new_key)
        finally:
            # The other tests want the first key, so they get a new server.
            self.tearDownClass()
            self.setUpClass()

    def test_deactivate_and_activate(self):
        device = self.device().authenticate()
        other = self.device(OTHER_ID).authenticate(OTHER_KEY)
        self.assertNotIn(b"error", self.server.control(f"deactivate {ID}\n"))
        self.assertEqual(device.read(), b"")
        refused = self.device()
        refused.send(type="auth", device_id=ID, device_key=KEY)
        self.assert_failed_and_closed(refused)
        other.ping()
        self.assertNotIn(b"error", self.server.control(f"activate {ID}\n"))
        self.device().authenticate().ping()


class CtlTest(ServerTestCase):

    def test_ctl(self):
        device = self.device().authenticate()
        me = {"NOVA_DEVICE_ID": ID}

        # The params may be spread over several lines.
        done = self.server.ctl("command", NOVA_COMMAND="set", **me,
                               NOVA_PARAMS='{\r\n "a":\n 9007199254740993 }\n')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        self.assertIn(b'"params":{"a":9007199254740993}', device.read())

        self.assertEqual(self.server.ctl("data", **me).stdout, b"{}\n")
        device.send_bytes(b'{"type":"data","device_id":"DEV-123456","timestamp":1,'
                          b'"values":{"t":25.50,"x":"\xe4\xb8\xad"}}\n')
        device.ping()
        self.assertEqual(self.server.ctl("data", **me).stdout,
                         b'{"t":25.50,"x":"\xe4\xb8\xad"}\n')

        done = self.server.ctl("deactivate", **me)
        self.assertEqual((done.returncode, done.stdout), (0, b""))
        done = self.server.ctl("activate", **me)
        self.assertEqual((done.returncode, done.stdout), (0, b""))
        done = self.server.ctl("reset", **me)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, rb"\A[0-9a-f]+\n\Z")
        self.device().authenticate(done.stdout.decode().strip())

    def test_failures(self):
        for action, environment in (
                ("data", {}),
                ("data", {"NOVA_DEVICE_ID": "DEV-0"}),
                ("data", {"NOVA_DEVICE_ID": "DEV 0"}),
                ("unknown", {"NOVA_DEVICE_ID": ID}),
                ("command", {"NOVA_DEVICE_ID": ID}),
                ("command", {"NOVA_DEVICE_ID": OTHER_ID, "NOVA_COMMAND": "go"})):
            done = self.server.ctl(action, **environment)
            with self.subTest(action=action, environment=environment):
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                self.assertRegex(done.stderr, rb"\A[A-Z][^\n]+\n\Z")


# -- The process -------------------------------------------------------------------

class ProcessTest(unittest.TestCase):

    def test_defaults_are_those_of_the_guide(self):
        options = server_module.parse_arguments(
            ["--listen", "[::1]:9000", "--device", "A:B:C"])
        self.assertEqual(options.auth_timeout, 10)
        self.assertEqual(options.idle_timeout, 180)
        self.assertEqual(options.listen, ("::1", 9000))
        self.assertEqual(options.devices, [("A", "B:C")])

    def test_signals_end_it_cleanly(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = ServerProcess()
            self.assertRegex(server.ready_line,
                             r"\Alistening 127\.0\.0\.1:[1-9]\d* "
                             r"control 127\.0\.0\.1:[1-9]\d*\n\Z")
            with FakeDevice(server).authenticate() as device:
                server.stop(number)
                self.assertEqual(device.read(), b"")

    def test_bad_options(self):
        right = ["--listen", "127.0.0.1:0", "--device", "A:B"]
        server_module.parse_arguments(right)
        for arguments in (
                [], right[:2], right[2:],
                ["--listen", "127.0.0.1", "--device", "A:B"],
                ["--listen", "127.0.0.1:65536", "--device", "A:B"],
                ["--listen", "127.0.0.1:-1", "--device", "A:B"],
                [*right, "--device", "A"], [*right, "--device", ":B"],
                [*right, "--device", "A:"], [*right, "--device", "A A:B"],
                [*right, "--control", "9001"], [*right, "--unknown"],
                [*right, "--idle-timeout", "0"], [*right, "--idle-timeout", "-1"],
                [*right, "--auth-timeout", "nan"],
                [*right, "--auth-timeout", "inf"]):
            with self.subTest(arguments=arguments):
                with contextlib.redirect_stderr(io.StringIO()):
                    with self.assertRaises(SystemExit) as caught:
                        server_module.parse_arguments(arguments)
                self.assertEqual(caught.exception.code, 2)

    def test_a_server_that_cannot_run_says_so(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for arguments in (
                    ["--listen", f"127.0.0.1:{port}", "--device", "A:B"],
                    ["--listen", "127.0.0.1:0", "--device", "A:B",
                     "--device", "A:C"]):
                done = subprocess.run(
                    [sys.executable, os.path.join(HERE, "server.py"), *arguments],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    timeout=PATIENCE)
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                self.assertRegex(done.stderr, rb"\AThe server cannot run: [^\n]+\n\Z")


if __name__ == "__main__":
    unittest.main()
