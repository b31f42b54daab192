"""An independent TCP device for the NovaCloud device protocol.

It is written from the device access guide alone: section 1.2 (credentials),
section 3 (the TCP protocol) and section 5 (reconnection), and it needs nothing
but the Python standard library.

    NOVA_DEVICE_KEY=secret python3 tests/interop/device.py \
        --host 127.0.0.1 --port 9000 --id DEV-123456

It connects, authenticates, reports and answers commands, and it connects
again whenever the connection is lost, until SIGTERM ends it with status 0.

Three styles make it another device that is just as right; they combine:

* ``--slow``: whatever has a time limit comes when 90 % of it have passed;
* ``--chatty``: data and status come every 50 ms;
* ``--one-byte``: each byte is a send of its own.

The parts:

* ``framing.py`` cuts the byte stream into lines (section 3.1);
* ``strict_json.py`` reads and writes the messages;
* ``device_session.py`` is what the device says on one connection;
* this file owns the socket and the clock, and connects again.
"""

import argparse
import logging
import math
import os
import select
import signal
import socket
import sys
import time

from device_session import Actuators, Session, Timing

# The share of a limit that passes before a slow device acts.
SLOW_SHARE = 0.9

# How often a chatty device reports, in seconds.
CHATTY_INTERVAL = 0.05

# Within this time, in seconds, a lost connection should be made again.
RECONNECT_TIMEOUT = 60

# How long one attempt to connect may take, in seconds.
CONNECT_TIMEOUT = 10

# How much is sent or received before the device looks at its timers again.
BYTES_PER_TURN = 65536
SINGLE_BYTES_PER_TURN = 4096


# -- Options -------------------------------------------------------------------

def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(
        description="A TCP device for the NovaCloud device protocol.",
        allow_abbrev=False)

    def credential(option, variable, kind, sentence):
        # A string as a default is put through ``kind`` like an argument.
        default = os.environ.get(variable) or None
        parser.add_argument(option, type=kind, default=default,
                            required=default is None,
                            help=f"{sentence} (default: ${variable})")

    def seconds(option, default, sentence, kind=parse_seconds):
        parser.add_argument(option, type=kind, default=default, metavar="S",
                            help=f"{sentence} (default: %(default)s)")

    credential("--host", "NOVA_HOST", str, "where the server is")
    credential("--port", "NOVA_TCP_PORT", parse_port, "the port of the server")
    credential("--id", "NOVA_DEVICE_ID", parse_text, "the id of the device")
    credential("--key", "NOVA_DEVICE_KEY", parse_text, "the key of the device")
    seconds("--auth-timeout", 10.0, "seconds it has to authenticate")
    seconds("--response-timeout", 5.0, "seconds it has to answer a command")
    seconds("--heartbeat", 60.0, "seconds between two pings")
    seconds("--idle-timeout", 180.0,
            "seconds without a message until it closes")
    seconds("--data-interval", 60.0,
            "seconds between two data messages, 0: none", parse_interval)
    seconds("--status-interval", 60.0,
            "seconds between two status messages, 0: none", parse_interval)
    parser.add_argument(
        "--reconnect-delay", type=parse_seconds, metavar="S",
        help="seconds until it connects again (default: 5.0; slow: 54.0)")
    for style, sentence in (
            ("--slow", "comes when 90 %% of its time have passed"),
            ("--chatty", "reports data and status every 50 ms"),
            ("--one-byte", "sends each byte by itself"),
            ("--verbose", "tells on standard error what happens")):
        parser.add_argument(style, action="store_true", help=sentence)

    options = parser.parse_args(arguments)
    if options.reconnect_delay is None:
        options.reconnect_delay = (
            SLOW_SHARE * RECONNECT_TIMEOUT if options.slow else 5.0)
    return options


def parse_port(text):
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


def parse_text(text):
    try:
        text.encode("utf-8", "strict")
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("a credential must be UTF-8") from None
    if not text:
        raise argparse.ArgumentTypeError("a credential is not empty")
    return text


def parse_interval(text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError("a time is a number of seconds")
    return value


def parse_seconds(text):
    value = parse_interval(text)
    if not value:
        raise argparse.ArgumentTypeError("this time is not zero")
    return value


def timing_of(options):
    share = SLOW_SHARE if options.slow else 0.0
    return Timing(
        auth_delay=share * options.auth_timeout,
        answer_delay=share * options.response_timeout,
        heartbeat=options.heartbeat,
        idle_timeout=options.idle_timeout,
        data_interval=CHATTY_INTERVAL if options.chatty
        else options.data_interval,
        status_interval=CHATTY_INTERVAL if options.chatty
        else options.status_interval,
        late_reports=options.slow)


# -- The connection ------------------------------------------------------------

class BackOff:
    """How long to wait before the next connection.

    The first wait is ``delay``.  The waits double while connections are of no
    use, up to 30 s for the default of 5 s, and never beyond the time within
    which a device should be back.  A short delay is for a connection that was
    lost, not for a server that turns the device away: from the second failure
    on, and after any refusal, the wait is a second at least.
    """

    def __init__(self, delay):
        self._delay = delay
        self._longest = max(
            delay, min(max(6 * delay, 4.0), SLOW_SHARE * RECONNECT_TIMEOUT))
        self._next = delay

    def wait_after(self, served, refused):
        if served:
            self._next = self._delay
        if refused:
            self._next = max(self._next, 1.0)
        wait = self._next
        self._next = min(max(2 * wait, 1.0), self._longest)
        return wait


class Device:

    def __init__(self, options):
        self._options = options
        self._timing = timing_of(options)
        self._actuators = Actuators()
        self._stopping = False
        # A signal writes into this pair and so ends whatever waits.
        self._wake, self._waker = socket.socketpair()
        self._waker.setblocking(False)

    def stop_on(self, *signals):
        def stop(_number, _frame):
            self._stopping = True
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in signals:
            signal.signal(number, stop)

    def run(self):
        back_off = BackOff(self._options.reconnect_delay)
        while not self._stopping:
            served = refused = False
            connection = self._connect()
            if connection is not None:
                with connection:
                    served, refused = self._converse(connection)
            wait = back_off.wait_after(served, refused)
            if not self._stopping:
                log.info("Connecting again in %.1f s.", wait)
                self._wait([], [], time.monotonic() + wait)

    def _wait(self, readers, writers, deadline):
        """Wait for a socket, the deadline, or a signal."""
        timeout = max(0.0, deadline - time.monotonic())
        return select.select([self._wake, *readers], writers, [], timeout)[:2]

    def _connect(self):
        """A connection to the server, or None."""
        try:
            addresses = socket.getaddrinfo(
                self._options.host, self._options.port,
                type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            # A name that cannot be an internet name is a UnicodeError.
            log.info("The server is not known: %s.", error)
            return None
        for family, kind, protocol, _, address in addresses:
            connection = None
            try:
                connection = socket.socket(family, kind, protocol)
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.connect_ex(address)
                _, ready = self._wait([], [connection],
                                      time.monotonic() + CONNECT_TIMEOUT)
                # Without a listener, TCP on one host can connect a port to
                # itself.  Asking for the peer fails if there is none.
                if (ready and
                        connection.getpeername() != connection.getsockname()):
                    log.info("Connected.")
                    return connection
            except OSError:
                pass
            if connection is not None:
                connection.close()
            if self._stopping:
                break
        log.info("Not connected.")
        return None

    def _converse(self, connection):
        """Hold one conversation; say whether it was of use, and refused."""
        session = Session(self._options.id, self._options.key, self._timing,
                          self._actuators, time.monotonic())
        try:
            while not self._stopping:
                session.run(time.monotonic())
                if session.end is not None:
                    log.info("Closing: %s.", session.end)
                    break
                readable, writable = self._wait(
                    [connection] if session.wants_input else [],
                    [connection] if session.outgoing else [],
                    session.next_deadline())
                # Input first: a refusal takes back what has not been sent.
                if connection in readable:
                    segment = connection.recv(BYTES_PER_TURN)
                    if not segment:
                        log.info("The server closed.")
                        break
                    session.feed(segment, time.monotonic())
                if connection in writable:
                    send_some(connection, session.outgoing,
                              self._options.one_byte)
        except OSError as error:
            log.info("The connection was lost: %s.", error)
        return session.served(time.monotonic()), session.refused


def send_some(connection, outgoing, one_byte):
    """Send from the front of ``outgoing`` what can be sent without waiting."""
    sent = 0
    try:
        if one_byte:
            while sent < min(len(outgoing), SINGLE_BYTES_PER_TURN):
                sent += connection.send(outgoing[sent:sent + 1])
        else:
            sent = connection.send(outgoing[:BYTES_PER_TURN])
    except BlockingIOError:
        pass
    finally:
        del outgoing[:sent]


log = logging.getLogger("device")


def main():
    options = parse_arguments()
    logging.basicConfig(
        stream=sys.stderr, format="%(message)s",
        level=logging.INFO if options.verbose else logging.ERROR)
    device = Device(options)
    device.stop_on(signal.SIGTERM, signal.SIGINT)
    device.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
