"""What a device says on one connection, and when (guide, section 3).

A ``Session`` begins when a connection stands and ends with it.  It knows no
socket and no clock: bytes come in through ``feed``, the time is an argument,
and what is to be sent waits in ``outgoing``.

1. It sends ``auth`` and nothing else before ``auth_result`` says success; after
   any other result it sends nothing more (section 3.2).
2. Then it reports ``status`` and ``data``, sends ``ping`` at the heartbeat
   interval, and answers commands (sections 3.3 and 3.4).
3. It ends after the idle timeout without a message (section 3.4).

What is not a message, is not understood or has no place in the conversation
is ignored.  The guide leaves some cases open; a device of its own decides:

* only a JSON object whose ``type`` is a string is a message, and only such a
  one restarts the idle timeout;
* a command that names another device is not carried out, and answered so;
* a command without ``command_id`` cannot be answered, and is ignored;
* ``set_actuator`` is carried out as a whole or not at all, and without
  ``params`` it sets nothing, as in the example of section 3.4.
"""

import collections
import enum
import logging
import math
import time

import strict_json
from framing import MAX_MESSAGE_BYTES, TOO_LONG, LineSplitter

# With this many bytes waiting to be sent, nothing more is read and nothing is
# said unasked.  A server that does not read cannot make the device grow.
MAX_WAITING_BYTES = 256 * 1024

# After a failed authentication the server closes (section 3.2).  If it has
# not within this many seconds, the device does.
REFUSED_SECONDS = 5.0

# A connection that stood authenticated for so many seconds was a good one,
# even if the server had nothing to say.
STABLE_SECONDS = 5.0

log = logging.getLogger("device")


class Timing(collections.namedtuple("Timing", (
        "auth_delay",       # from the connection to auth
        "answer_delay",     # from a command to its answer
        "heartbeat",        # from ping to ping
        "idle_timeout",     # without a message until the end
        "data_interval",    # from data to data; 0 is never
        "status_interval",  # from status to status; 0 is never
        "late_reports"))):  # the first report only after its interval
    """The times of a session, all of them in seconds."""


class State(enum.Enum):
    FRESH = "auth has not been sent"
    ASKING = "auth_result has not come"
    READY = "auth_result said success"
    REFUSED = "auth_result said something else"


class Actuators:
    """The actuators of the device; they outlive its connections."""

    def __init__(self):
        self._values = {"relay1": "OFF", "led_brightness": 0}

    def values(self):
        return dict(self._values)

    def set(self, params):
        """Set all that ``params`` names; change nothing if one is wrong."""
        if not isinstance(params, dict):
            return False
        wanted = {name: self._accept(name, value)
                  for name, value in params.items()}
        if None in wanted.values():
            return False
        self._values.update(wanted)
        return True

    @staticmethod
    def _accept(name, value):
        """The value as it is kept, or None if it is none for ``name``."""
        if name == "relay1" and value in ("ON", "OFF"):
            return value
        if name == "led_brightness" and isinstance(value, strict_json.Number):
            # What is too large for a float becomes infinite here, and a whole
            # number may be written as 80.0 or 8e1 as well.
            number = float(value.text)
            if 0 <= number <= 255 and number.is_integer():
                return int(number)
        return None


class Session:

    def __init__(self, device_id, device_key, timing, actuators, now):
        self._device_id = device_id
        self._device_key = device_key
        self._timing = timing
        self._actuators = actuators
        self._splitter = LineSplitter()
        self._state = State.FRESH
        self._ready_since = math.inf
        self._heard = False
        self._reports = 0
        # Which thing is due at which time.
        self._due = {"auth": now + timing.auth_delay,
                     "idle": now + timing.idle_timeout}
        # Answers that wait for their time, as pairs of it and the line.  All
        # wait equally long, so they are in order.
        self._answers = collections.deque()
        self._answers_bytes = 0
        # Lines that may be sent; the owner takes away what was.
        self.outgoing = bytearray()
        # Why the device wants to close the connection; None while it does not.
        self.end = None

    # -- What the owner asks ---------------------------------------------------

    @property
    def refused(self):
        return self._state is State.REFUSED

    def served(self, now):
        """Whether the connection was of use, so that the next may come soon."""
        return self._heard or now - self._ready_since >= STABLE_SECONDS

    @property
    def wants_input(self):
        waiting = len(self.outgoing) + self._answers_bytes
        return waiting < MAX_WAITING_BYTES

    def next_deadline(self):
        """When ``run`` has to be called again."""
        deadlines = list(self._due.values())
        if self._answers:
            deadlines.append(self._answers[0][0])
        return min(deadlines)

    # -- Time ------------------------------------------------------------------

    def run(self, now):
        """Do all that is due at ``now``."""
        while self._answers and self._answers[0][0] <= now:
            _, line = self._answers.popleft()
            self._answers_bytes -= len(line)
            self.outgoing += line
        for name in [name for name, at in self._due.items() if at <= now]:
            self._act(name, now)

    def _act(self, name, now):
        if name == "auth":
            del self._due["auth"]
            self._state = State.ASKING
            self._say({"type": "auth", "device_id": self._device_id,
                       "device_key": self._device_key})
        elif name == "idle":
            self.end = "no message came for the idle timeout"
        elif name == "refused":
            self.end = "the server refused and did not close"
        elif name == "ping":
            self._repeat(name, self._timing.heartbeat, now)
            self._say_unasked("ping")
        elif name == "status":
            self._repeat(name, self._timing.status_interval, now)
            self._say_unasked("status", status="online",
                              info={"version": "1.0.3", "rssi": -65})
        elif name == "data":
            self._repeat(name, self._timing.data_interval, now)
            self._reports += 1
            tenths = self._reports % 10
            self._say_unasked("data", values={
                "temperature": strict_json.Number(f"25.{tenths}"),
                "humidity": strict_json.Number("60.0"),
                "light": 500 + tenths})

    def _repeat(self, name, interval, now):
        # Counted from the time when it was due, so that being late does not
        # add up; but what a long standstill has swallowed is not made up for.
        due = self._due[name] + interval
        self._due[name] = due if due > now else now + interval

    # -- What the server says --------------------------------------------------

    def feed(self, segment, now):
        """Take the next bytes of the server, however they are cut."""
        for line in self._splitter.feed(segment):
            if line is TOO_LONG:
                log.info("Ignored a line that is too long.")
                continue
            try:
                message = strict_json.parse(line)
            except strict_json.JsonError as error:
                log.info("Ignored what is not JSON: %s.", error)
                continue
            if (isinstance(message, dict)
                    and isinstance(message.get("type"), str)):
                self._receive(message, now)
            else:
                log.info("Ignored JSON that is not a message.")

    def _receive(self, message, now):
        self._due["idle"] = now + self._timing.idle_timeout
        if message["type"] == "auth_result":
            # A refusal counts whenever it comes, a success only as an answer.
            if message.get("result") != "success":
                self._refuse(now)
            elif self._state is State.ASKING:
                self._begin(now)
        elif self._state is State.READY:
            self._heard = True
            if message["type"] == "command":
                self._answer(message, now)

    def _begin(self, now):
        log.info("Authenticated.")
        self._state = State.READY
        self._ready_since = now
        self._due["ping"] = now + self._timing.heartbeat
        for name, interval in (("status", self._timing.status_interval),
                               ("data", self._timing.data_interval)):
            if interval:
                self._due[name] = (now + interval if self._timing.late_reports
                                   else now)

    def _refuse(self, now):
        if self._state is State.REFUSED:
            return
        log.info("Not authenticated.")
        self._state = State.REFUSED
        self._due = {"idle": self._due["idle"],
                     "refused": now + REFUSED_SECONDS}
        self._answers.clear()
        self._answers_bytes = 0
        self.outgoing.clear()

    def _answer(self, command, now):
        command_id = command.get("command_id")
        if not isinstance(command_id, str):
            log.info("Ignored a command without an id.")
            return
        done = (command.get("device_id", self._device_id) == self._device_id
                and command.get("command") == "set_actuator"
                and self._actuators.set(command.get("params", {})))
        line = self._line(self._message(
            "command_response", command_id=command_id,
            result="success" if done else "failed",
            data=self._actuators.values()))
        if line is not None:
            self._answers.append((now + self._timing.answer_delay, line))
            self._answers_bytes += len(line)

    # -- What the device says --------------------------------------------------

    def _message(self, message_type, **fields):
        """A message with the fields that all but auth share (section 3.3)."""
        return {"type": message_type, "device_id": self._device_id,
                "timestamp": int(time.time()), **fields}

    def _say_unasked(self, message_type, **fields):
        if self.wants_input:
            self._say(self._message(message_type, **fields))

    def _say(self, message):
        line = self._line(message)
        if line is not None:
            self.outgoing += line

    @staticmethod
    def _line(message):
        text = strict_json.write(message)
        if len(text) > MAX_MESSAGE_BYTES:
            # Only a command id or a credential of nearly that size does it.
            log.info("A message of type %s would be too long.", message["type"])
            return None
        return text + b"\n"
