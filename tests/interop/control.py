"""The control port: what a person would do on the platform's web pages.

The guide describes a web interface in which devices are created, keys are
reset (section 1.2) and devices are activated (section 5).  This port stands
in for it.  It is not part of the device protocol, and it asks for no
password, so it belongs on the loopback interface.

Each connection carries one line of text, answered by one line of JSON::

    command DEVICE_ID COMMAND PARAMS_JSON
    reset DEVICE_ID
    activate DEVICE_ID
    deactivate DEVICE_ID
    data DEVICE_ID

The words are parted by one space each; PARAMS_JSON is the rest of the line.
A request that cannot be carried out is answered with {"error": "..."}.
"""

import asyncio
import secrets

import strict_json
from device_connection import command_message
from framing import MAX_MESSAGE_BYTES

# Room for the longest params that fit into a message, and for the words.
MAX_REQUEST_BYTES = 2 * MAX_MESSAGE_BYTES

REQUEST_TIMEOUT = 10.0

# How many words each request has, itself included.
REQUEST_WORDS = {"command": 4, "reset": 2, "activate": 2, "deactivate": 2, "data": 2}


class RequestError(Exception):
    """A request that cannot be carried out; the text tells why."""


class ControlPort:

    def __init__(self, registry):
        self._registry = registry

    async def serve(self, reader, writer):
        """Answer the one request of a control connection."""
        try:
            line = await asyncio.wait_for(_read_line(reader), REQUEST_TIMEOUT)
            answer = self._carry_out(line)
        except RequestError as error:
            answer = {"error": str(error)}
        except (asyncio.TimeoutError, ConnectionError):
            answer = {"error": "no complete line arrived"}
        try:
            writer.write(strict_json.write(answer) + b"\n")
            await asyncio.wait_for(writer.drain(), REQUEST_TIMEOUT)
        except (asyncio.TimeoutError, ConnectionError):
            pass  # Whoever asked has gone.
        finally:
            writer.close()

    def _carry_out(self, line):
        try:
            text = line.decode("utf-8", "strict")
        except UnicodeDecodeError:
            raise RequestError("the request is not UTF-8") from None
        name = text.split(" ", 1)[0]
        if name not in REQUEST_WORDS:
            raise RequestError("the request is unknown")
        # The last word keeps its spaces, so that PARAMS_JSON may hold some.
        words = text.split(" ", REQUEST_WORDS[name] - 1)
        if len(words) != REQUEST_WORDS[name] or "" in words:
            raise RequestError(f"the request {name} lacks a word")

        device = self._registry.find(words[1])
        if device is None:
            raise RequestError("the device is unknown")
        if name == "command":
            return self._send_command(device, words[2], words[3])
        if name == "reset":
            return {"key": self._registry.reset_key(device)}
        if name == "activate":
            self._registry.activate(device)
            return {"active": True}
        if name == "deactivate":
            self._registry.deactivate(device)
            return {"active": False}
        return device.last_values

    def _send_command(self, device, command, params_json):
        """Send a command to every connection of the device (section 3.3)."""
        try:
            # Numbers keep their text through the reader and the writer.
            params = strict_json.parse(params_json.encode("utf-8"))
        except strict_json.JsonError as error:
            raise RequestError(f"the params are not valid JSON: {error}") from None
        if not isinstance(params, dict):
            raise RequestError("the params are not a JSON object")

        # All connections get the same command under the same fresh id.
        command_id = "cmd-" + secrets.token_hex(8)
        # The limit of section 3.1 binds the server as well.
        message = command_message(device.device_id, command_id, command, params)
        if len(strict_json.write(message)) > MAX_MESSAGE_BYTES:
            raise RequestError("the command would exceed the largest message")

        connections = list(device.connections)
        if not connections:
            raise RequestError("the device is not connected")
        for connection in connections:
            connection.send_command(command_id, command, params)
        return {"command_id": command_id}


async def _read_line(reader):
    """Return one line without its line feed.

    A line that breaks off is refused: half of a device's id could be the id
    of another device.
    """
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError:
        raise RequestError("the request does not end with a line feed") from None
    except asyncio.LimitOverrunError:
        raise RequestError("the request is too long") from None
    return line[:-1]
