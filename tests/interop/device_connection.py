"""The platform's side of one TCP connection of a device (guide, section 3)."""

import asyncio
import enum
import logging
import time

import strict_json
from framing import LINE_FEED, TOO_LONG, LineSplitter

log = logging.getLogger("novacloud")

# Section 3.2, step 2: the device must authenticate within 10 seconds.
AUTH_TIMEOUT = 10.0

# Section 3.4, rule 4: the server closes a connection on which it has not
# received a message from the device for 180 seconds.
IDLE_TIMEOUT = 180.0

# After the server has ended its side of a connection it goes on reading, and
# throws away what it reads, for at most this long.  If it closed at once while
# unread bytes were waiting, TCP would answer them with a reset, and a reset
# can destroy the ``auth_result`` before the device has read it.
LINGER_SECONDS = 1.0

# A device that asks and never reads the answers is cut off when this much is
# waiting for it.
MAX_PENDING_BYTES = 4 * 1024 * 1024

# The fields that a message from the device must have, and their types, as
# section 3.3 (data, status, command_response) and section 3.4 (ping) show
# them.  ``info`` and the ``data`` of a response carry details and may be
# absent.  Fields that are not listed are ignored.
REQUIRED_FIELDS = {
    "ping": {"device_id": str, "timestamp": strict_json.Number},
    "data": {"device_id": str, "timestamp": strict_json.Number, "values": dict},
    "status": {"device_id": str, "timestamp": strict_json.Number, "status": str},
    "command_response": {
        "device_id": str, "timestamp": strict_json.Number,
        "command_id": str, "result": str,
    },
}


class State(enum.Enum):
    AWAITING_AUTH = enum.auto()  # Nothing is served yet.
    SERVING = enum.auto()        # ``_device`` is the authenticated device.
    CLOSED = enum.auto()         # Whatever still arrives is thrown away.


class DeviceConnection(asyncio.Protocol):

    def __init__(self, registry, open_connections, auth_timeout=AUTH_TIMEOUT,
                 idle_timeout=IDLE_TIMEOUT):
        self._registry = registry
        self._open_connections = open_connections
        self._auth_timeout = auth_timeout
        self._idle_timeout = idle_timeout
        self._splitter = LineSplitter()
        self._state = State.AWAITING_AUTH
        self._device = None
        self._transport = None
        # There is one timer: at first it waits for the authentication, then
        # for the next message, and in the end for the device to hang up.
        self._timer = None

    # -- What the event loop reports -----------------------------------------

    def connection_made(self, transport):
        self._transport = transport
        self._open_connections.add(self)
        # The time runs from the accepting of the connection.  Bytes do not
        # extend it; only a successful authentication ends it.
        self._start_timer(self._auth_timeout, self._on_auth_timeout)

    def data_received(self, segment):
        if self._state is State.CLOSED:
            return
        for line in self._splitter.feed(segment):
            if line is TOO_LONG:
                self._on_malformed("Message is too long")
            else:
                self._on_line(line)
            if self._state is State.CLOSED:
                return  # The lines after a refused one are not looked at.

    def eof_received(self):
        # The device has ended its side.  Bytes without a line feed are not a
        # message (section 3.3), so an unfinished line is dropped.  Returning
        # None lets the transport send what is waiting, and close.  The timer
        # keeps running in case the device never reads what is waiting.
        self._state = State.CLOSED
        self._leave_device()

    def connection_lost(self, error):
        self._state = State.CLOSED
        self._leave_device()
        self._open_connections.discard(self)
        self._timer.cancel()

    def pause_writing(self):
        # The device is slower at reading answers than at asking, so it is not
        # heard until it has caught up.  The idle timer goes on.
        self._transport.pause_reading()

    def resume_writing(self):
        self._transport.resume_reading()

    # -- Lines -----------------------------------------------------------------

    def _on_line(self, line):
        try:
            message = strict_json.parse(line)
        except strict_json.JsonError as error:
            self._on_malformed(f"Message is not valid JSON: {error}")
            return
        if not isinstance(message, dict):
            self._on_malformed("Message is not a JSON object")
            return
        if not isinstance(message.get("type"), str):
            self._on_malformed("Message has no type")
            return

        if self._state is State.AWAITING_AUTH:
            if message["type"] == "auth":
                self._on_auth(message)
            else:
                self._refuse("Not authenticated")
        else:
            self._on_message(message)

    def _on_malformed(self, reason):
        # Before the authentication, the only line that is welcome is a right
        # ``auth``; anything else fails it (section 3.2).  Afterwards a bad
        # line is the device's own loss.
        if self._state is State.AWAITING_AUTH:
            self._refuse(reason)
        else:
            self._ignore(reason)

    def _on_message(self, message):
        """Handle a message that came on an authenticated connection."""
        own_id = self._device.device_id
        if message.get("device_id", own_id) != own_id:
            self._ignore("the message names another device")
            return

        # This is a message from the device, whatever its type may be, so the
        # idle time begins anew (section 3.4, rule 4).  A line that is not a
        # message does not come this far.
        self._start_timer(self._idle_timeout, self._on_idle_timeout)

        message_type = message["type"]
        if message_type == "auth":
            self._on_auth(message)
            return
        if message_type not in REQUIRED_FIELDS:
            self._ignore("the type of the message is unknown")
            return
        for field, field_type in REQUIRED_FIELDS[message_type].items():
            if not isinstance(message.get(field), field_type):
                self._ignore(f"a {message_type} message lacks a proper {field}")
                return

        if message_type == "ping":
            # Section 3.4, rule 2.  As in every message, the timestamp is the
            # time of the sender, here the server's.
            self._send({"type": "pong", "timestamp": unix_time()})
        elif message_type == "data":
            self._device.last_values = message["values"]
        else:
            # ``status`` and ``command_response`` need no answer.
            log.info("%s: %s received", own_id, message_type)

    # -- Authentication (section 3.2) ------------------------------------------

    def _on_auth(self, message):
        device_id = message.get("device_id")
        device_key = message.get("device_key")
        if not isinstance(device_id, str) or not isinstance(device_key, str):
            self._refuse("Both device_id and device_key must be strings")
            return
        device, reason = self._registry.authenticate(device_id, device_key)
        if device is None:
            self._refuse(reason)
            return

        # A device may authenticate again on the same connection; it is
        # answered like the first time.  It cannot become another device,
        # because a message that names another one has been ignored before.
        self._state = State.SERVING
        self._device = device
        device.connections.add(self)
        self._start_timer(self._idle_timeout, self._on_idle_timeout)
        self._send_auth_result("success", "Authenticated")

    def _refuse(self, reason):
        """Answer with a failure and close (section 3.2, steps 3 and 4)."""
        self._send_auth_result("failed", reason)
        self.close(f"authentication failed: {reason}")

    def _send_auth_result(self, result, text):
        self._send({
            "type": "auth_result",
            "result": result,
            "message": text,
            "timestamp": unix_time(),
        })

    # -- Timers ----------------------------------------------------------------

    def _start_timer(self, seconds, callback):
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, callback)

    def _on_auth_timeout(self):
        # There was no ``auth``, so there is no result to send either: a
        # ``failed`` would make a device that was only slow doubt its key.
        self.close("no authentication in time")

    def _on_idle_timeout(self):
        self.close("no message from the device in time")

    # -- Commands (section 3.3) ------------------------------------------------

    def send_command(self, command_id, command, params):
        self._send(command_message(self._device.device_id, command_id,
                                   command, params))

    # -- Sending and closing -----------------------------------------------------

    def _send(self, message):
        self._transport.write(strict_json.write(message) + LINE_FEED)
        if self._transport.get_write_buffer_size() > MAX_PENDING_BYTES:
            log.info("%s: too much is waiting to be read", self._name())
            self.abort()

    def close(self, reason):
        """End the connection once everything that was sent has gone out."""
        log.info("%s: closing: %s", self._name(), reason)
        self._state = State.CLOSED
        self._leave_device()
        self._start_timer(LINGER_SECONDS, self._transport.abort)
        if self._transport.is_closing():
            return
        try:
            self._transport.write_eof()
        except OSError:
            self._transport.abort()  # The device has already gone.
            return
        self._transport.resume_reading()

    def abort(self):
        """End the connection at once, even if something is left unsent."""
        self._state = State.CLOSED
        self._leave_device()
        self._transport.abort()

    def _leave_device(self):
        if self._device is not None:
            self._device.connections.discard(self)

    def _ignore(self, reason):
        log.info("%s: ignored: %s", self._name(), reason)

    def _name(self):
        return self._device.device_id if self._device else "(not authenticated)"


def command_message(device_id, command_id, command, params):
    """The message that carries a command to a device (section 3.3)."""
    return {
        "type": "command",
        "command_id": command_id,
        "device_id": device_id,
        "timestamp": unix_time(),
        "command": command,
        "params": params,
    }


def unix_time():
    """The time now, in whole seconds, as every timestamp of the guide is."""
    return int(time.time())
