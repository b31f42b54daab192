"""Self-test of the independent device; run it with

    python3 tests/interop/test_device.py

What depends on time alone is tested on a ``Session`` with a clock of its own.
Everything else is tested from outside: the test plays the server for a device
process, with timers that are scaled down.  What the device sends is read with
the standard library's ``json`` module, so that its own reader and writer
cannot agree on a mistake.
"""

import contextlib
import io
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import device as device_module
from device import BackOff, parse_arguments, send_some, timing_of
from device_session import (
    MAX_WAITING_BYTES, REFUSED_SECONDS, Actuators, Session)

ID, KEY = "DEV-123456", 'key "quoted" \u4e2d\U0001f600'

# No answer within this time counts as none, and an answer within the other
# counts as at once.
PATIENCE = 5.0
LATE = 0.6

# Silence for so long counts as silence.
SILENCE = 0.3

MAX_MESSAGE_BYTES = 131072

SUCCESS = (b'{"type":"auth_result","result":"success",'
           b'"message":"Authenticated","timestamp":1651234567}\n')
FAILED = (b'{"type":"auth_result","result":"failed",'
          b'"message":"no","timestamp":1651234567}\n')
PONG = b'{"type":"pong","timestamp":1}\n'


def command(command_id, name="set_actuator", **fields):
    message = {"type": "command", "command_id": command_id, "device_id": ID,
               "timestamp": 1651234567, "command": name, **fields}
    return json.dumps(message, ensure_ascii=False).encode() + b"\n"


# -- What depends on time alone ------------------------------------------------

class SessionTest(unittest.TestCase):
    """One session, whose clock starts at 1000."""

    def start(self, *arguments):
        options = parse_arguments(
            ["--host", "h", "--port", "1", "--id", ID, "--key", KEY,
             *arguments])
        self.session = Session(ID, KEY, timing_of(options), Actuators(), 1000.0)
        return self.session

    def events(self, until, replies=()):
        """Run the session as its owner does; give what is said, and when.

        ``replies`` are pairs of a time and what the server says then.
        """
        said = []
        replies = list(replies)
        while self.session.end is None:
            now = self.session.next_deadline()
            if replies and replies[0][0] < now:
                now, segment = replies.pop(0)
                self.session.feed(segment, now)
            elif now > until:
                break
            self.session.run(now)
            for line in self.session.outgoing.splitlines():
                said.append((now, json.loads(line)["type"]))
            self.session.outgoing.clear()
        if self.session.end is not None:
            said.append((now, "end"))
        return said

    def times(self, events, name):
        return [round(at - 1000, 6) for at, said in events if said == name]

    def test_the_times_of_the_guide(self):
        self.start()
        events = self.events(2000, [(1001.0, SUCCESS), (1100.0, PONG)])
        self.assertEqual(events[0], (1000.0, "auth"))
        self.assertEqual(self.times(events, "auth"), [0])
        # A pong at 100 is followed by nothing more.
        self.assertEqual(self.times(events, "end"), [280])
        self.assertEqual(self.times(events, "ping"), [61, 121, 181, 241])
        self.assertEqual(self.times(events, "data"), [1, 61, 121, 181, 241])
        self.assertEqual(self.times(events, "status"), [1, 61, 121, 181, 241])

    def test_slow(self):
        self.start("--slow")
        events = self.events(1500, [
            (1001.0, SUCCESS),  # Nobody has asked yet.
            (1010.0, SUCCESS), (1020.0, command("a") + command("b")),
            (1021.0, command("c")), (1150.0, PONG)])
        self.assertEqual(self.times(events, "auth"), [9])
        self.assertEqual(self.times(events, "command_response"),
                         [24.5, 24.5, 25.5])
        self.assertEqual(self.times(events, "ping")[:2], [70, 130])
        self.assertEqual(self.times(events, "data")[:2], [70, 130])
        self.assertEqual(self.times(events, "end"), [330])

    def test_chatty(self):
        self.start("--chatty")
        events = self.events(1001.03, [(1000.5, SUCCESS)])
        expected = [round(0.5 + 0.05 * i, 6) for i in range(11)]
        self.assertEqual(self.times(events, "data"), expected)
        self.assertEqual(self.times(events, "status"), expected)

    def test_reports_can_be_turned_off(self):
        self.start("--data-interval", "0", "--status-interval", "0")
        self.assertEqual(
            [name for _, name in self.events(1070, [(1001.0, SUCCESS)])],
            ["auth", "ping"])

    def test_the_idle_timeout_runs_before_the_result_too(self):
        self.start()
        self.assertEqual(self.events(2000), [(1000.0, "auth"), (1180.0, "end")])

    def test_what_restarts_the_idle_timeout(self):
        for segment, restarts in (
                (PONG, True), (SUCCESS, True), (command("a"), True),
                (command(7), True), (b'{"type":"of its own"}\n', True),
                (b"\n", False), (b"junk\n", False), (b"[]\n", False),
                (b'{"type":1}\n', False), (PONG[:-1], False),
                (b"x" * 131073 + b"\n", False)):
            with self.subTest(segment=segment[:30]):
                self.start()
                events = self.events(
                    2000, [(1001.0, SUCCESS), (1100.0, segment)])
                self.assertEqual(self.times(events, "end"),
                                 [280 if restarts else 181])

    def test_a_refusal_ends_all_that_was_to_come(self):
        self.start("--chatty", "--slow")
        events = self.events(2000, [
            (1009.5, SUCCESS), (1010.0, command("a")), (1011.0, FAILED),
            (1012.0, SUCCESS), (1013.0, command("b")), (1015.0, FAILED)])
        self.assertGreater(len(self.times(events, "data")), 20)
        self.assertLessEqual(max(self.times(events, "data")), 11)
        self.assertEqual(self.times(events, "command_response"), [])
        # It closes itself if the server does not, and no further message of
        # the server puts that off.
        self.assertEqual(events[-1], (1011.0 + REFUSED_SECONDS, "end"))
        self.assertTrue(self.session.refused)

    def test_a_refusal_takes_back_what_has_not_been_sent(self):
        session = self.start()
        session.run(1000.0)
        session.feed(SUCCESS + command("a"), 1001.0)
        session.run(1001.0)
        self.assertGreater(len(session.outgoing), 0)
        session.feed(FAILED, 1002.0)
        self.assertEqual(session.outgoing, b"")

    def test_a_result_before_auth(self):
        for result, said in ((SUCCESS, ["auth"]), (FAILED, [])):
            self.start("--slow", "--chatty")
            events = self.events(1012.0, [(1001.0, result)])
            self.assertEqual(
                [name for _, name in events if name != "end"], said)

    def test_only_success_is_success(self):
        for result in (b'"failed"', b'"Success"', b'"SUCCESS"', b"true", b"1",
                       b"null", b'["success"]', None):
            with self.subTest(result=result):
                session = self.start("--chatty")
                session.run(1000.0)
                session.outgoing.clear()
                session.feed(b'{"type":"auth_result"' + (
                    b"" if result is None else b',"result":' + result) + b"}\n",
                    1001.0)
                session.run(1002.0)
                self.assertTrue(session.refused)
                self.assertEqual(session.outgoing, b"")

    def test_a_standstill_is_not_made_up_for(self):
        session = self.start("--chatty")
        session.run(1000.0)
        session.feed(SUCCESS, 1000.0)
        # A little delay does not add up.
        session.run(1000.0)
        session.run(1000.07)
        self.assertAlmostEqual(session.next_deadline(), 1000.1)
        session.outgoing.clear()
        for _ in range(10):
            session.run(1100.01)
        self.assertEqual(session.outgoing.count(b'"data"'), 1)
        self.assertLessEqual(session.next_deadline(), 1100.06)

    def test_when_a_connection_was_of_use(self):
        session = self.start()
        session.run(1000.0)
        self.assertFalse(session.served(1100.0))
        session.feed(SUCCESS, 1100.0)
        self.assertFalse(session.served(1101.0))
        self.assertTrue(session.served(1105.0))
        session.feed(PONG, 1101.0)
        self.assertTrue(session.served(1101.0))

    def test_what_waits_is_bounded(self):
        # The answers of the slow device wait as answers, those of the other
        # as lines to be sent.
        for style in ("--chatty", "--slow"):
            session = self.start(style)
            session.run(1009.0)
            session.feed(SUCCESS, 1009.0)
            flood = command("x" * 1000) * 30
            fed = 0
            while session.wants_input:
                session.feed(flood, 1010.0)
                session.run(1010.0)
                fed += 1
                self.assertLess(fed, MAX_WAITING_BYTES // len(flood) + 20)
            if style == "--chatty":
                waiting = len(session.outgoing)
                for i in range(100):
                    session.run(1011.0 + i)
                self.assertEqual(len(session.outgoing), waiting)
                session.outgoing.clear()
            else:
                session.run(1014.6)
                session.outgoing.clear()
            self.assertTrue(session.wants_input)


class BackOffTest(unittest.TestCase):

    def waits(self, delay, count, served=False, refused=False):
        back_off = BackOff(delay)
        return [back_off.wait_after(served, refused) for _ in range(count)]

    def test_the_guide(self):
        self.assertEqual(self.waits(5, 5), [5, 10, 20, 30, 30])
        self.assertEqual(self.waits(54, 3), [54, 54, 54])

    def test_no_delay_hammers_the_server(self):
        for hundredths in range(1, 600):
            for refused, most in ((False, 5), (True, 3)):
                waits = self.waits(hundredths / 100, 20, refused=refused)
                at = [sum(waits[:i + 1]) for i in range(20)]
                self.assertLessEqual(sum(moment <= 5 for moment in at), most)
                self.assertLessEqual(max(waits), 54)
                self.assertEqual(waits, sorted(waits))

    def test_a_good_connection_begins_anew(self):
        back_off = BackOff(0.1)
        for _ in range(5):
            back_off.wait_after(False, False)
        self.assertEqual(back_off.wait_after(True, False), 0.1)
        self.assertEqual(back_off.wait_after(True, True), 1.0)


class SendTest(unittest.TestCase):

    class FakeSocket:
        def __init__(self, room):
            self.room, self.sends = room, []

        def send(self, data):
            if not self.room:
                raise BlockingIOError
            self.sends.append(bytes(data[:self.room]))
            self.room -= len(self.sends[-1])
            return len(self.sends[-1])

    def test_each_byte_by_itself(self):
        fake, outgoing = self.FakeSocket(100), bytearray(b"abcdef\n")
        send_some(fake, outgoing, True)
        self.assertEqual(fake.sends,
                         [b"a", b"b", b"c", b"d", b"e", b"f", b"\n"])
        self.assertEqual(outgoing, b"")

    def test_nothing_is_lost_when_there_is_no_room(self):
        for one_byte in (False, True):
            fake, outgoing = self.FakeSocket(4), bytearray(b"abcdef\n")
            send_some(fake, outgoing, one_byte)
            self.assertEqual(outgoing, b"ef\n")
            send_some(fake, outgoing, one_byte)
            self.assertEqual(outgoing, b"ef\n")
            self.assertEqual(b"".join(fake.sends), b"abcd")


# -- Tools for the tests from outside ------------------------------------------

class Connection:
    """One connection of the device, as the server has it."""

    def __init__(self, accepted):
        self.socket = accepted
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.accepted_at = time.monotonic()
        self.kept = b""

    def send(self, data):
        self.socket.sendall(data)

    def read(self):
        """The next line with its line feed; b"" at the end."""
        while b"\n" not in self.kept:
            try:
                segment = self.socket.recv(65536)
            except ConnectionResetError:
                segment = b""
            if not segment:
                if self.kept:
                    raise AssertionError(f"unfinished: {self.kept[:80]}")
                return b""
            self.kept += segment
        line, _, self.kept = self.kept.partition(b"\n")
        return line + b"\n"

    def receive(self, message_type=None):
        """The next message, or the next of one type."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            line = self.read()
            if not line:
                raise AssertionError("the device closed")
            message = json.loads(line.decode("utf-8", "strict"))
            if message_type in (None, message["type"]):
                return message
        raise AssertionError(f"no {message_type} came")

    def is_silent(self, seconds=SILENCE):
        """Whether the connection is open and nothing comes."""
        if self.kept:
            return False
        return not select.select([self.socket], [], [], seconds)[0]

    def closed_after(self, since):
        """Wait until the device closes; give the seconds since ``since``."""
        while self.read():
            pass
        return time.monotonic() - since

    def authenticate(self):
        message = self.receive()
        if message["type"] != "auth" or self.kept:
            raise AssertionError(f"not auth alone: {message}, {self.kept}")
        self.send(SUCCESS)
        return self

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
        self.socket.close()


class DeviceTestCase(unittest.TestCase):
    """A server on a free port and a device process for each test."""

    OPTIONS = ("--data-interval", "0", "--status-interval", "0",
               "--reconnect-delay", "0.1")

    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.addCleanup(self.listener.close)
        self.port = self.listener.getsockname()[1]
        self.process = None

    def start(self, *extra):
        # A file, unlike a pipe, cannot fill up and hold the device.
        self.output = tempfile.TemporaryFile()
        self.addCleanup(self.output.close)
        environment = {
            "PATH": os.environ.get("PATH", ""), "PYTHONUTF8": "1",
            "NOVA_HOST": "127.0.0.1", "NOVA_TCP_PORT": str(self.port),
            "NOVA_DEVICE_ID": ID, "NOVA_DEVICE_KEY": KEY}
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "device.py"),
             *self.OPTIONS, *extra],
            env=environment, stdin=subprocess.DEVNULL,
            stdout=self.output, stderr=subprocess.STDOUT)
        self.addCleanup(self.stop)

    def stop(self):
        """It ends at once, with status 0, and without having complained."""
        if self.process.returncode is not None:
            return
        began = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.assertLess(time.monotonic() - began, 2.0)
        self.output.seek(0)
        self.assertEqual((self.process.returncode, self.output.read()),
                         (0, b""))

    def accept(self):
        accepted, _ = self.listener.accept()
        connection = Connection(accepted)
        self.addCleanup(connection.socket.close)
        return connection

    def connect(self, *extra):
        """A device that has just authenticated."""
        self.start(*extra)
        return self.accept().authenticate()

    def assert_answers(self, connection, *command_ids):
        for command_id in command_ids:
            answer = connection.receive("command_response")
            self.assertEqual(answer["command_id"], command_id)
            self.assertEqual(answer["device_id"], ID)


# -- Authentication ------------------------------------------------------------

class AuthTest(DeviceTestCase):

    def test_auth_comes_alone(self):
        self.start("--chatty", "--heartbeat", "0.05")
        connection = self.accept()
        line = connection.read()
        self.assertEqual(json.loads(line), {
            "type": "auth", "device_id": ID, "device_key": KEY})
        connection.send(PONG + command("early"))
        self.assertTrue(connection.is_silent())
        connection.send(SUCCESS)
        for message_type in ("ping", "data", "status"):
            connection.receive(message_type)
        connection.send(command("later"))
        self.assert_answers(connection, "later")

    def test_nothing_follows_a_refusal(self):
        self.start("--chatty", "--heartbeat", "0.05")
        connection = self.accept()
        connection.receive("auth")
        connection.send(FAILED + command("a"))
        self.assertTrue(connection.is_silent())
        connection.send(SUCCESS + command("b"))
        self.assertTrue(connection.is_silent())
        # It tries again, not too soon, and can succeed.
        closed_at = time.monotonic()
        connection.socket.close()
        again = self.accept().authenticate()
        self.assertGreater(again.accepted_at - closed_at, 0.95)
        again.receive("data")

    def test_slow(self):
        self.start("--slow", "--auth-timeout", "0.6",
                   "--response-timeout", "0.5")
        connection = self.accept()
        self.assertTrue(connection.is_silent(0.45))
        connection.authenticate()
        self.assertLess(time.monotonic() - connection.accepted_at, 0.6 + LATE)
        connection.send(command("a") + command("b"))
        sent_at = time.monotonic()
        self.assertTrue(connection.is_silent(0.35))
        self.assert_answers(connection, "a", "b")
        self.assertLess(time.monotonic() - sent_at, 0.5 + LATE)


# -- Messages ------------------------------------------------------------------

class ReportTest(DeviceTestCase):

    def assert_message(self, message, fields):
        self.assertIs(type(message["timestamp"]), int)
        self.assertAlmostEqual(message["timestamp"], time.time(), delta=5)
        self.assertEqual(message["device_id"], ID)
        self.assertEqual(set(message),
                         {"type", "device_id", "timestamp", *fields})

    def test_fields(self):
        connection = self.connect(
            "--data-interval", "0.2", "--status-interval", "0.2",
            "--heartbeat", "0.2")
        for _ in range(2):
            data = connection.receive("data")
            self.assert_message(data, {"values"})
            self.assertEqual(set(data["values"]),
                             {"temperature", "humidity", "light"})
            for value in data["values"].values():
                self.assertIn(type(value), (int, float))
        status = connection.receive("status")
        self.assert_message(status, {"status", "info"})
        self.assertEqual(status["status"], "online")
        self.assertIsInstance(status["info"], dict)
        self.assert_message(connection.receive("ping"), set())

    def test_heartbeat(self):
        connection = self.connect("--heartbeat", "0.3")
        began = time.monotonic()
        for count in range(1, 6):
            connection.receive("ping")
            self.assertAlmostEqual(time.monotonic() - began, 0.3 * count,
                                   delta=0.2)

    def test_one_byte(self):
        connection = self.connect("--one-byte", "--chatty")
        connection.send(command("\u4e2d" * 1000))
        self.assert_answers(connection, "\u4e2d" * 1000)
        for _ in range(3):
            connection.receive("data")


class CommandTest(DeviceTestCase):

    def setUp(self):
        super().setUp()
        self.connection = self.connect()

    def ask(self, data):
        self.connection.send(data)
        return self.connection.receive()

    def test_set_actuator(self):
        answer = self.ask(command("c-1", params={"relay1": "ON",
                                                 "led_brightness": 80}))
        self.assertAlmostEqual(answer.pop("timestamp"), time.time(), delta=5)
        self.assertEqual(answer, {
            "type": "command_response", "command_id": "c-1", "device_id": ID,
            "result": "success",
            "data": {"relay1": "ON", "led_brightness": 80}})
        for params, state in (
                ({"relay1": "OFF"}, {"relay1": "OFF", "led_brightness": 80}),
                ({"led_brightness": 20.0},
                 {"relay1": "OFF", "led_brightness": 20}),
                ({}, {"relay1": "OFF", "led_brightness": 20})):
            answer = self.ask(command("c-2", params=params))
            self.assertEqual((answer["result"], answer["data"]),
                             ("success", state))

    def test_what_cannot_be_done_is_not(self):
        self.ask(command("c-1", params={"led_brightness": 7}))
        for wrong in (
                command("x", "novaprobe_unknown", params={"relay1": "ON"}),
                command("x", ["set_actuator"], params={"relay1": "ON"}),
                command("x", None), command("x", {"a": 1}),
                command("x", params=["relay1"]), command("x", params=None),
                command("x", params={"relay1": True}),
                command("x", params={"relay1": ["ON"]}),
                command("x", params={"relay1": "ON", "relay2": "ON"}),
                command("x", params={"relay1": "ON", "led_brightness": "80"}),
                command("x", params={"led_brightness": -1}),
                command("x", params={"led_brightness": 0.5}),
                command("x", params={"led_brightness": 10**300}),
                command("x", params={"led_brightness": False}),
                command("x", params={"relay1": "ON"}, device_id="DEV-1"),
                command("x", params={"relay1": "ON"}, device_id={})):
            with self.subTest(wrong=wrong):
                answer = self.ask(wrong)
                self.assertEqual(answer["command_id"], "x")
                self.assertEqual(answer["device_id"], ID)
                self.assertIs(type(answer["result"]), str)
                self.assertNotEqual(answer["result"], "success")
                self.assertEqual(answer["data"],
                                 {"relay1": "OFF", "led_brightness": 7})

    def test_ids_come_back(self):
        for command_id in (
                "", "a", "A" * 36, "b" * 64, "c" * 255, "aZ09-_.: x",
                'quo"te back\\slash /', "\u4e2d\u6587\U0001f600\u00e9",
                "\u0000\b\n\t\u001f\u007f\u2028", "x" * 130000):
            with self.subTest(command_id=command_id[:20]):
                self.assertEqual(self.ask(command(command_id))["command_id"],
                                 command_id)
        escaped = b'"\\u4e2d\\ud83d\\ude00\\/"'
        self.assertEqual(
            self.ask(command("@").replace(b'"@"', escaped))["command_id"],
            "\u4e2d\U0001f600/")

    def test_no_message_is_too_long(self):
        # The id is so long that the answer is as large as it may be.
        line = len(json.dumps(self.ask(command("")), separators=(",", ":")))
        longest = "x" * (MAX_MESSAGE_BYTES - line)
        padding = len(command(longest)) - 1 - MAX_MESSAGE_BYTES
        self.assertLess(padding, 100)
        short = (b'{"type":"command","command":"?","command_id":"%b"}\n')
        self.connection.send(short % longest.encode())
        # The answer to the unknown command has a result of another length.
        text = self.connection.read()
        self.assertLessEqual(len(text), MAX_MESSAGE_BYTES + 1)
        self.assertGreater(len(text), MAX_MESSAGE_BYTES - 10)
        # One that cannot be answered within the limit harms nothing.
        self.connection.send(short % (longest + "xxxxxxxx").encode())
        self.connection.send(command("next"))
        self.assert_answers(self.connection, "next")

    def test_segments_do_not_matter(self):
        line = command("\u4e2d\U0001f600", params={"relay1": "ON"})
        for i in range(len(line)):
            self.connection.send(line[i:i + 1])
        self.assert_answers(self.connection, "\u4e2d\U0001f600")
        middle = line.index("\u4e2d".encode()) + 1
        self.connection.send(line[:middle])
        self.assertTrue(self.connection.is_silent())
        self.connection.send(line[middle:] + command("b") + command("c")[:9])
        self.connection.send(command("c")[9:])
        self.assert_answers(self.connection, "\u4e2d\U0001f600", "b", "c")
        for i in range(5):
            self.connection.send(command(str(i)))
        self.assert_answers(self.connection, *"01234")

    def test_the_largest_message(self):
        text = command("big")[:-1]
        padded = text[:-1] + b" " * (MAX_MESSAGE_BYTES - len(text)) + b"}"
        self.assertEqual(len(padded), MAX_MESSAGE_BYTES)
        for size in (MAX_MESSAGE_BYTES + 1, 4093, 100):
            for at in range(0, len(padded) + 1, size):
                self.connection.send((padded + b"\n")[at:at + size])
            self.assert_answers(self.connection, "big")
        # A longer one is skipped, and the next is an ordinary one.
        self.connection.send(b" " + padded + b"\n" + command("next"))
        self.assert_answers(self.connection, "next")


class MalformedTest(DeviceTestCase):

    def test_it_survives(self):
        connection = self.connect()
        for index, junk in enumerate((
                b"\n", b" \r\n", b"\0\n", b"junk\n", b'{"type":\n', b"{}\n",
                b"[]\n", b'["command"]\n', b"null\n", b'"command"\n',
                b"\xff\xfe\n", b'{"type":"\xc3"}\n',
                b'{"type":"\xed\xa0\x80"}\n',
                b'{"type":"\\ud800"}\n', b"\xef\xbb\xbf{}\n", b'{"type":NaN}\n',
                b'{"type":[]}\n', b'{"type":{}}\n', b'{"type":null}\n',
                b'{"type":1e999}\n', b"1" * 100000 + b"\n",
                b'{"type":"command"}\n', command(None), command(1),
                command(["a"]), command({"a": 1}),
                b'{"type":"command","type":"command"}\n',
                b'{"type":"pong","extra":[[1]],"timestamp":null}\n',
                b'{"type":"novaprobe_unknown"}\n', b'{"type":"ping"}\n',
                b'{"type":"auth"}\n', SUCCESS,
                b"[" * 1000 + b"]" * 1000 + b"\n", b"[" * 100000 + b"\n",
                b'{"a":' * 1000 + b"1" + b"}" * 1000 + b"\n",
                b'{"a":' * 20000 + b"\n", b"x" * 1000000 + b"\n",
                command("x").replace(b'"x"', b"[" * 1000 + b"]" * 1000))):
            with self.subTest(junk=junk[:40]):
                connection.send(junk + command(f"after {index}"))
                answer = connection.receive()
                self.assertEqual(answer["command_id"], f"after {index}")
        connection.send(command("extra", more={"a": [1]}, extra=None))
        self.assert_answers(connection, "extra")

    def test_a_server_that_never_reads(self):
        connection = self.connect("--chatty")
        flood = command("x" * 10000) * 6
        connection.socket.settimeout(0.5)
        sent = 0
        with self.assertRaises(TimeoutError, msg="it must stop reading"):
            while sent < 64 * 1024 * 1024:
                sent += connection.socket.send(flood)
        connection.socket.settimeout(PATIENCE)
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        self.assertLess(pages * os.sysconf("SC_PAGE_SIZE"), 64 * 1024 * 1024)
        # It has not stopped for good.
        for _ in range(50):
            connection.receive("command_response")

    def test_a_flood_does_not_keep_it_from_speaking(self):
        connection = self.connect("--heartbeat", "0.1")
        began = time.monotonic()
        pings = 0
        while time.monotonic() < began + 0.6:
            connection.send(PONG * 100)
            while not connection.is_silent(0):
                connection.receive("ping")
                pings += 1
        self.assertGreaterEqual(pings, 3)


# -- The connection ------------------------------------------------------------

class IdleTest(DeviceTestCase):

    OPTIONS = (*DeviceTestCase.OPTIONS, "--idle-timeout", "0.5")

    def assert_closes(self, connection, since):
        seconds = connection.closed_after(since)
        self.assertGreaterEqual(seconds, 0.5)
        self.assertLess(seconds, 0.5 + LATE)

    def test_silence(self):
        # Its own messages do not keep the connection.
        self.start("--heartbeat", "0.1", "--chatty")
        connection = self.accept()
        connection.receive("auth")
        since = time.monotonic()
        connection.send(SUCCESS)
        self.assert_closes(connection, since)
        closed_at = time.monotonic()
        again = self.accept().authenticate()
        self.assertLess(again.accepted_at - closed_at, 0.1 + LATE)

    def test_messages_keep_the_connection(self):
        connection = self.connect()
        for message in (command("a"), PONG, b'{"type":"of its own"}\n'):
            time.sleep(0.3)
            since = time.monotonic()
            connection.send(message)
        self.assert_answers(connection, "a")
        self.assert_closes(connection, since)


class ReconnectTest(DeviceTestCase):

    def test_every_loss(self):
        connection = self.connect()
        for lose in (lambda c: c.socket.close(), Connection.reset,
                     lambda c: c.socket.shutdown(socket.SHUT_WR),
                     lambda c: (c.send(command("cut")[:20]), c.socket.close())):
            connection.send(command("a", params={"led_brightness": 9}))
            self.assert_answers(connection, "a")
            lose(connection)
            lost_at = time.monotonic()
            connection = self.accept()
            waited = connection.accepted_at - lost_at
            self.assertGreater(waited, 0.05)
            self.assertLess(waited, 0.1 + LATE)
            # What was there of a line belongs to the old connection, and the
            # actuators stay as they were.
            connection.authenticate().send(command("b"))
            self.assertEqual(connection.receive()["data"]["led_brightness"], 9)

    def test_it_does_not_hammer_the_server(self):
        self.start()
        moments = []
        for _ in range(3):
            connection = self.accept()
            connection.reset()
            moments.append(connection.accepted_at)
        self.assertAlmostEqual(moments[1] - moments[0], 0.1, delta=LATE)
        self.assertAlmostEqual(moments[2] - moments[1], 1.0, delta=LATE)

    def test_a_server_that_is_not_there_yet(self):
        self.listener.close()
        self.start()
        time.sleep(0.5)
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.addCleanup(self.listener.close)
        self.listener.settimeout(PATIENCE)
        self.accept().authenticate()


class StopTest(DeviceTestCase):

    OPTIONS = ("--reconnect-delay", "50")

    def test_while_it_waits_for_the_result(self):
        self.start()
        self.accept().receive("auth")
        self.stop()

    def test_while_it_talks(self):
        for style in ("--chatty", "--one-byte", "--slow"):
            with self.subTest(style=style):
                connection = self.connect(style, "--auth-timeout", "0.1")
                connection.send(command("a"))
                if style != "--slow":
                    connection.receive("status")
                self.stop()
                # The last line is a whole one.
                connection.closed_after(0)

    def test_while_it_connects(self):
        # The queue of this listener is full, so nobody answers any more.
        self.listener.close()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(self.listener.close)
        self.port = self.listener.getsockname()[1]
        for _ in range(3):
            filler = socket.socket()
            self.addCleanup(filler.close)
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
        self.start()
        time.sleep(0.4)
        self.stop()

    def test_while_the_server_does_not_read(self):
        connection = self.connect("--chatty")
        connection.socket.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            while True:
                connection.send(command("x" * 10000))
        self.stop()

    def test_while_it_waits_to_reconnect(self):
        connection = self.connect()
        connection.receive("data")
        connection.socket.close()
        time.sleep(0.2)
        self.assertIsNone(self.process.poll())
        self.stop()

    def test_interrupt(self):
        self.connect().receive("data")
        self.process.send_signal(signal.SIGINT)
        self.assertEqual(self.process.wait(PATIENCE), 0)


# -- Options -------------------------------------------------------------------

class OptionsTest(unittest.TestCase):

    RIGHT = ["--host", "h", "--port", "9000", "--id", "A", "--key", "B"]

    def setUp(self):
        patch = mock.patch.dict(os.environ)
        patch.start()
        self.addCleanup(patch.stop)
        for name in list(os.environ):
            if name.startswith("NOVA_"):
                del os.environ[name]

    def test_defaults_are_those_of_the_guide(self):
        options = parse_arguments(self.RIGHT)
        self.assertEqual(
            (options.auth_timeout, options.heartbeat, options.idle_timeout,
             options.reconnect_delay), (10, 60, 180, 5))
        self.assertEqual(
            parse_arguments([*self.RIGHT, "--slow"]).reconnect_delay, 54)

    def test_the_environment(self):
        os.environ.update(NOVA_HOST="::1", NOVA_TCP_PORT="9001",
                          NOVA_DEVICE_ID="DEV-1", NOVA_DEVICE_KEY="k")
        options = parse_arguments([])
        self.assertEqual((options.host, options.port, options.id, options.key),
                         ("::1", 9001, "DEV-1", "k"))
        self.assertEqual(parse_arguments(self.RIGHT).port, 9000)
        for wrong in ("", "x", "65536"):
            os.environ["NOVA_TCP_PORT"] = wrong
            self.assert_refused([])

    def assert_refused(self, arguments):
        with contextlib.redirect_stderr(io.StringIO()):
            with self.assertRaises(SystemExit) as caught:
                parse_arguments(arguments)
        self.assertEqual(caught.exception.code, 2)

    def test_bad_options(self):
        for arguments in (
                [], self.RIGHT[2:], self.RIGHT[:-2],
                [*self.RIGHT, "--port", "0"], [*self.RIGHT, "--port", "-1"],
                [*self.RIGHT, "--port", "65536"], [*self.RIGHT, "--id", ""],
                [*self.RIGHT, "--key", "\udcff"], [*self.RIGHT, "--unknown"],
                [*self.RIGHT, "--heartbeat", "0"],
                [*self.RIGHT, "--idle-timeout", "nan"],
                [*self.RIGHT, "--auth-timeout", "inf"],
                [*self.RIGHT, "--data-interval", "-1"]):
            with self.subTest(arguments=arguments):
                self.assert_refused(arguments)

    def test_a_server_that_cannot_be_found(self):
        # None of these names is looked up: the first one only seems to be.
        unknown = mock.patch.object(socket, "getaddrinfo",
                                    side_effect=socket.gaierror)
        nothing = contextlib.nullcontext()
        for host, patch in (("a.b", unknown), ("a..b", nothing),
                            ("x" * 300, nothing)):
            device = device_module.Device(
                parse_arguments([*self.RIGHT, "--host", host]))
            with patch, device._wake, device._waker:
                self.assertIsNone(device._connect())


if __name__ == "__main__":
    unittest.main()
