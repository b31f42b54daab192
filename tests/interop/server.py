"""An independent TCP server for the NovaCloud device protocol.

It is written from the device access guide alone: section 1.2 (credentials),
section 3 (the TCP protocol) and section 5 (activation, reset keys), and it
needs nothing but the Python standard library.

    python3 tests/interop/server.py --listen 127.0.0.1:0 \
        --control 127.0.0.1:0 --device DEV-123456:secret

When it is ready it prints one line with the real ports::

    listening 127.0.0.1:40001 control 127.0.0.1:40002

The parts:

* ``framing.py`` cuts the byte stream into lines (section 3.1);
* ``strict_json.py`` reads and writes the messages;
* ``devices.py`` knows the devices and judges their credentials;
* ``device_connection.py`` serves one connection of a device (section 3);
* ``control.py`` stands in for the platform's web pages.
"""

import argparse
import asyncio
import logging
import math
import signal
import sys

from control import MAX_REQUEST_BYTES, ControlPort
from device_connection import AUTH_TIMEOUT, IDLE_TIMEOUT, DeviceConnection
from devices import DeviceRegistry


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(
        description="A TCP server for the NovaCloud device protocol.",
        allow_abbrev=False)
    parser.add_argument(
        "--listen", type=parse_address, required=True, metavar="HOST:PORT",
        help="where devices connect; port 0 takes a free one")
    parser.add_argument(
        "--control", type=parse_address, metavar="HOST:PORT",
        help="where the control port listens; port 0 takes a free one")
    parser.add_argument(
        "--device", type=parse_device, action="append", required=True,
        dest="devices", metavar="ID:KEY", help="a device; may be repeated")
    parser.add_argument(
        "--auth-timeout", type=parse_seconds, default=AUTH_TIMEOUT,
        metavar="SECONDS", help="time to authenticate (default: %(default)s)")
    parser.add_argument(
        "--idle-timeout", type=parse_seconds, default=IDLE_TIMEOUT,
        metavar="SECONDS",
        help="time without a message (default: %(default)s)")
    parser.add_argument(
        "--verbose", action="store_true",
        help="tell on standard error what is closed or ignored, and why")
    return parser.parse_args(arguments)


def parse_address(text):
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]  # An IPv6 address, as in [::1]:9000.
    if not colon or not host or not (port.isascii() and port.isdigit()):
        raise argparse.ArgumentTypeError("an address has the form HOST:PORT")
    if int(port) > 65535:
        raise argparse.ArgumentTypeError("a port is at most 65535")
    return host, int(port)


def parse_device(text):
    # The first colon parts the two, so a key may hold colons.
    device_id, _, device_key = text.partition(":")
    if not device_id or not device_key:
        raise argparse.ArgumentTypeError("a device has the form ID:KEY")
    if not device_id.isprintable() or " " in device_id:
        # The control port could not name such a device.
        raise argparse.ArgumentTypeError("an id has no spaces or line breaks")
    try:
        device_key.encode("utf-8", "strict")
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("a key must be UTF-8") from None
    return device_id, device_key


def parse_seconds(text):
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError("a time is a positive number of seconds")
    return seconds


async def run(options):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    registry = DeviceRegistry()
    for device_id, device_key in options.devices:
        registry.add(device_id, device_key)
    open_connections = set()

    def new_connection():
        return DeviceConnection(registry, open_connections,
                                options.auth_timeout, options.idle_timeout)

    servers = [await loop.create_server(new_connection, *options.listen)]
    ready = "listening " + bound_address(servers[0])
    if options.control:
        servers.append(await asyncio.start_server(
            ControlPort(registry).serve, *options.control,
            limit=MAX_REQUEST_BYTES))
        ready += " control " + bound_address(servers[1])
    print(ready, flush=True)

    await stop.wait()
    for server in servers:
        server.close()
    for connection in list(open_connections):
        connection.abort()
    # The event loop closes the sockets of aborted connections in its next
    # round; this waits for it.
    await asyncio.sleep(0)


def bound_address(server):
    host, port = server.sockets[0].getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def main():
    options = parse_arguments()
    logging.basicConfig(
        stream=sys.stderr, format="%(message)s",
        level=logging.INFO if options.verbose else logging.ERROR)
    try:
        asyncio.run(run(options))
    except (OSError, ValueError) as error:
        # A port that is taken, a host that does not exist, a device twice.
        print(f"The server cannot run: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
