"""Asks the control port of ``server.py`` for one thing; made for hooks.

    python3 tests/interop/ctl.py HOST:PORT command|reset|deactivate|activate|data

The parameters come from the environment:

* NOVA_DEVICE_ID: the device (always needed);
* NOVA_COMMAND: the name of the command (for ``command``);
* NOVA_PARAMS: the params of the command as JSON text (for ``command``;
  ``{}`` when it is not set);
* NOVA_TRANSPORT: ignored, because the server speaks TCP only.

``reset`` prints the new key, ``data`` prints the last values as JSON, and the
others print nothing.  When it fails, the exit status is 1 and a sentence on
standard error tells why.
"""

import os
import socket
import sys

import strict_json

TIMEOUT = 10.0

ACTIONS = ("command", "reset", "deactivate", "activate", "data")


class Failure(Exception):
    """Something went wrong; the text is a sentence for standard error."""


def main(arguments):
    try:
        if len(arguments) != 2 or arguments[1] not in ACTIONS:
            raise Failure("Usage: ctl.py HOST:PORT " + "|".join(ACTIONS))
        address, action = arguments
        answer_line = ask(address, request_line(action))
        print_answer(action, answer_line)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def request_line(action):
    """Build the request as bytes, so that no parameter is ever recoded."""
    words = [action.encode(), word("NOVA_DEVICE_ID")]
    if action == "command":
        words.append(word("NOVA_COMMAND"))
        params = os.environb.get(b"NOVA_PARAMS", b"{}")
        # The request is one line.  In JSON a raw line break can only be white
        # space between tokens, so a space says the same.
        words.append(params.replace(b"\r", b" ").replace(b"\n", b" "))
    return b" ".join(words) + b"\n"


def word(name):
    value = os.environb.get(name.encode(), b"")
    if not value:
        raise Failure(f"The environment variable {name} is not set.")
    if b" " in value or b"\n" in value:
        raise Failure(f"The environment variable {name} must be a single word.")
    return value


def ask(address, request):
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise Failure("The address must have the form HOST:PORT.")
    try:
        with socket.create_connection((host, int(port)), TIMEOUT) as connection:
            connection.sendall(request)
            with connection.makefile("rb") as stream:
                answer = stream.readline()
    except OSError as error:
        raise Failure(f"The control port {address} cannot be asked: {error}.") from None
    if not answer.endswith(b"\n"):
        raise Failure("The answer of the control port broke off.")
    return answer


def print_answer(action, answer_line):
    try:
        answer = strict_json.parse(answer_line)
    except strict_json.JsonError as error:
        raise Failure(f"The answer of the control port is not JSON: {error}.") from None
    if not isinstance(answer, dict):
        raise Failure("The answer of the control port is not an object.")
    # The values of a device are an object as well.  One whose only value is a
    # text called "error" cannot be told from a failure here.
    if list(answer) == ["error"] and isinstance(answer["error"], str):
        raise Failure(f"The server refused: {answer['error']}.")

    if action == "reset":
        if not isinstance(answer.get("key"), str):
            raise Failure("The answer of the control port has no key.")
        output = answer["key"].encode() + b"\n"
    elif action == "data":
        output = answer_line
    else:
        return
    # The bytes are passed on as they came, whatever the locale may be.
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
