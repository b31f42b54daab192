#!/usr/bin/env python3
"""An MQTT device that is not one: mqtt_gadget.py [options] MODE

For tests of what a server stands.  It is for servers on this machine: an
address that is not a loopback address is refused, and it ends by itself, with
status 0, after ``--seconds``, or on SIGTERM.  ``--list`` tells the modes.

A connection that ends is made anew at once in the modes that say so, and after
a fifth of a second in the others.  "Connects" is a good CONNECT with the
device's credential and its CONNACK.
"""

import argparse
import ipaddress
import os
import random
import select
import signal
import socket
import ssl
import sys
import time

LARGEST = 268435455  # The largest remaining length: [MQTT-2.2.3].

CONNECT, PUBLISH, PUBACK, PUBREL = 0x10, 0x30, 0x40, 0x62
SUBSCRIBE, PINGREQ = 0x82, 0xC0


# -- Packets -------------------------------------------------------------------

def length(value):
    parts = bytearray()
    while True:
        value, low = divmod(value, 128)
        parts.append(low | (0x80 if value else 0))
        if not value:
            return bytes(parts)


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return len(data).to_bytes(2, "big") + data


def packet(first, *parts):
    body = b"".join(parts)
    return bytes([first]) + length(len(body)) + body


def client_hello():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    outgoing = ssl.MemoryBIO()
    handshake = context.wrap_bio(ssl.MemoryBIO(), outgoing)
    try:
        handshake.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def number(value):
    return (value % 65535 + 1).to_bytes(2, "big")


# -- The modes -----------------------------------------------------------------

class Gadget:

    def __init__(self, options):
        self._options = options
        self._topic = f"novacloud/devices/{options.id}/"
        self.pause = 0.2

    # What the modes are made of.

    def dial(self, port=None):
        connection = socket.create_connection(
            (self._options.host, port or self._options.port), 5.0)
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def connect_packet(self, client_id=None, will=None, keep_alive=60):
        options = self._options
        if client_id is None:
            client_id = f"device_{options.id}_{random.randrange(16 ** 8):08x}"
        if will is None:
            will = ('{"status":"offline","timestamp":0,"device_id":"%s"}'
                    % options.id)
        return packet(CONNECT, text("MQTT"), b"\x04\xce",
                      keep_alive.to_bytes(2, "big"), text(client_id),
                      text(self._topic + "status"), text(will),
                      text(options.id), text(options.key))

    def connected(self, **fields):
        """A connection with a CONNECT that was accepted or not."""
        connection = self.dial()
        connection.sendall(self.connect_packet(**fields))
        connection.settimeout(5.0)
        connection.recv(4)
        connection.settimeout(None)
        return connection

    def publish(self, qos, identifier, payload=b'{"temperature":1}'):
        return packet(PUBLISH | qos << 1, text(self._topic + "data"),
                      number(identifier) if qos else b"", payload)

    def stay(self, connection):
        """Read until the server closes."""
        with connection:
            while connection.recv(65536):
                pass

    def pour(self, connection, chunks, read):
        """Send what ``chunks`` makes without end, and read or not."""
        connection.setblocking(False)
        left = b""
        with connection:
            while True:
                readable, writable, _ = select.select(
                    [connection] if read else [], [connection], [])
                if readable and not connection.recv(65536):
                    return
                if writable:
                    left = left or next(chunks)
                    left = left[connection.send(left):]

    # Nothing, or next to nothing, is said.

    def silent(self):
        """connects over TCP, says nothing, stays"""
        self.stay(self.dial())

    def probe(self):
        """connects over TCP and closes, again and again"""
        self.dial().close()

    def trickle(self):
        """sends a good CONNECT in segments of one byte, one a second"""
        connection = self.dial()
        for byte in self.connect_packet():
            connection.sendall(bytes([byte]))
            time.sleep(self._options.delay)
        self.stay(connection)

    def hollow(self):
        """announces a PUBLISH of 268435455 bytes, of which none comes"""
        connection = self.connected()
        connection.sendall(bytes([PUBLISH]) + length(LARGEST))
        self.stay(connection)

    def hollow_connect(self):
        """announces a CONNECT of 268435455 bytes, of which none comes"""
        connection = self.dial()
        connection.sendall(bytes([CONNECT]) + length(LARGEST))
        self.stay(connection)

    def endless(self):
        """announces a CONNECT of 268435455 bytes and sends them"""
        connection = self.dial()
        connection.sendall(bytes([CONNECT]) + length(LARGEST))
        self.pour(connection, iter(lambda: b"\0" * 65536, None), read=True)

    def half(self):
        """connects, then ends its side only (FIN) and reads on"""
        connection = self.connected()
        connection.shutdown(socket.SHUT_WR)
        self.stay(connection)

    def reset(self):
        """connects, then resets the connection (RST), again and again"""
        connection = self.connected()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              b"\1\0\0\0\0\0\0\0")
        connection.close()

    def deaf(self):
        """subscribes, pings without end, and never reads"""
        connection = self.connected()
        connection.sendall(packet(SUBSCRIBE, number(1),
                                  text(self._topic + "command"), b"\1"))
        pings = packet(PINGREQ) * 1000
        self.pour(connection, iter(lambda: pings, None), read=False)

    # There is too much of it.

    def storm(self):
        """sends CONNECT and closes, and does so again without a pause"""
        self.pause = 0
        with self.dial() as connection:
            connection.sendall(self.connect_packet())

    def takeover(self):
        """connects with one client id, again and again, and closes none"""
        self.pause = 0
        kept = []
        for _ in range(50):
            kept.append(self.connected(client_id=f"device_{self._options.id}_x"))
        self.stay(kept[-1])

    def crowd(self):
        """holds 20 connections at once"""
        crowd = [self.dial() for _ in range(20)]
        for connection in crowd:
            connection.sendall(self.connect_packet())
        for connection in crowd:
            self.stay(connection)

    def flood0(self):
        """connects, then publishes with QoS 0 without end"""
        data = self.publish(0, 0) * 500
        self.pour(self.connected(), iter(lambda: data, None), read=True)

    def flood1(self):
        """connects, publishes with QoS 1 without end, and never reads"""
        self.pour(self.connected(), self._publishes(1), read=False)

    def flood2(self):
        """connects, publishes with QoS 2 without end, and releases none"""
        self.pour(self.connected(), self._publishes(2), read=True)

    def _publishes(self, qos):
        at = 0
        while True:
            yield b"".join(self.publish(qos, at + more) for more in range(500))
            at += 500

    def large(self):
        """connects, then publishes 131072 bytes at a time without end"""
        data = self.publish(1, 1, b'{"a":"' + b"x" * 131064 + b'"}')
        self.pour(self.connected(), iter(lambda: data, None), read=True)

    # It is no MQTT, or none that makes sense.

    def junk(self):
        """sends random bytes"""
        self.pour(self.dial(), iter(lambda: random.randbytes(997), None),
                  read=True)

    def junk_after(self):
        """connects, then sends random bytes"""
        self.pour(self.connected(), iter(lambda: random.randbytes(997), None),
                  read=True)

    def hello(self):
        """sends a ClientHello of TLS to the port without TLS"""
        connection = self.dial()
        connection.sendall(client_hello())
        self.stay(connection)

    def plain(self):
        """sends a CONNECT without TLS to the port with TLS"""
        connection = self.dial(self._options.tls_port)
        connection.sendall(self.connect_packet())
        self.stay(connection)

    def hello_stalls(self):
        """sends a part of a ClientHello to the port with TLS, and waits"""
        connection = self.dial(self._options.tls_port)
        connection.sendall(client_hello()[:40])
        self.stay(connection)

    def hello_storm(self):
        """sends a ClientHello to the port with TLS and closes, without a pause"""
        self.pause = 0
        with self.dial(self._options.tls_port) as connection:
            connection.sendall(client_hello())

    def big_will(self):
        """connects with a will of 65535 bytes"""
        self.stay(self.connected(will=b"w" * 65535))

    def big_client_id(self):
        """connects with a client id of 65535 bytes"""
        self.stay(self.connected(client_id=b"c" * 65535))

    def filters(self):
        """subscribes to 10000 topic filters with one SUBSCRIBE"""
        connection = self.connected()
        connection.sendall(packet(SUBSCRIBE, number(1), *(
            text(f"{self._topic}command/{at}") + b"\1" for at in range(10000))))
        self.stay(connection)

    def subscribes(self):
        """subscribes to one more topic filter, without end"""
        def subscribes():
            at = 0
            while True:
                at += 1
                yield packet(SUBSCRIBE, number(at),
                             text(f"{self._topic}command/{at}"), b"\1")
        self.pour(self.connected(), subscribes(), read=True)

    def pubacks(self):
        """connects, then sends PUBACKs that nobody asked for"""
        self.pour(self.connected(), self._numbered(PUBACK), read=True)

    def pubrels(self):
        """connects, then sends PUBRELs without end, and never reads"""
        self.pour(self.connected(), self._numbered(PUBREL), read=False)

    def _numbered(self, first):
        at = 0
        while True:
            yield b"".join(packet(first, number(at + more))
                           for more in range(500))
            at += 500

    def escapes(self):
        """puts what plays with a terminal into all texts, not UTF-8 too"""
        evil = b"\x1b]0;owned\x07\x1b[2J\xe2\x80\xae\x9b2J\xff"
        connection = self.connected(client_id=b"device_\x1b[31m_1", will=evil)
        connection.sendall(
            self.publish(1, 1, evil) +
            packet(PUBLISH, text(self._topic + "\x1b[2J/data"), evil) +
            packet(SUBSCRIBE, number(1), text(b"\x1b[2J/#"), b"\1") +
            packet(PUBLISH, text(evil), evil))
        self.stay(connection)


def modes():
    return {name.replace("_", "-"): (name, function.__doc__)
            for name, function in vars(Gadget).items()
            if not name.startswith("_") and function.__doc__ and
            function.__doc__[0].islower()}


# -- The run -------------------------------------------------------------------

class Ended(BaseException):
    """The time is over, or SIGTERM came."""


def parse_arguments():
    environment = os.environ.get
    parser = argparse.ArgumentParser(
        description="An MQTT device that is not one.", allow_abbrev=False)
    parser.add_argument("mode", choices=modes(), metavar="MODE", nargs="?")
    parser.add_argument("--list", action="store_true", help="tell the modes")
    parser.add_argument("--host", default=environment("NOVA_HOST", "127.0.0.1"),
                        type=loopback, help="(default: $NOVA_HOST)")
    parser.add_argument("--port", type=int,
                        default=environment("NOVA_MQTT_PORT") or 0,
                        help="the port without TLS (default: $NOVA_MQTT_PORT)")
    parser.add_argument("--tls-port", type=int,
                        default=environment("NOVA_MQTTS_PORT") or 0,
                        help="the port with TLS (default: $NOVA_MQTTS_PORT)")
    parser.add_argument("--id", default=environment("NOVA_DEVICE_ID", "DEV-1"))
    parser.add_argument("--key", default=environment("NOVA_DEVICE_KEY", "key"))
    parser.add_argument("--delay", type=float, default=1.0,
                        help="seconds between the bytes of trickle")
    parser.add_argument("--seconds", type=float, default=60.0,
                        help="the end of it (default: %(default)s)")
    options = parser.parse_args()
    if options.list:
        for mode, (_, what) in modes().items():
            print(f"{mode:14} {what}")
        sys.exit(0)
    if options.mode is None:
        parser.error("a mode is needed; --list tells them")
    needs_tls = options.mode in ("plain", "hello-stalls", "hello-storm")
    if not (options.tls_port if needs_tls else options.port):
        parser.error("--tls-port is needed" if needs_tls else "--port is needed")
    return options


def loopback(host):
    host = "127.0.0.1" if host == "localhost" else host
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise argparse.ArgumentTypeError("only for loopback addresses")


def main():
    options = parse_arguments()

    def end(_number, _frame):
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Ended

    signal.signal(signal.SIGALRM, end)
    signal.signal(signal.SIGTERM, end)
    try:
        signal.setitimer(signal.ITIMER_REAL, options.seconds)
        gadget = Gadget(options)
        session = getattr(gadget, modes()[options.mode][0])
        print("started", options.mode, flush=True)
        while True:
            try:
                session()
            except OSError:
                gadget.pause = max(gadget.pause, 0.01)
            time.sleep(gadget.pause)
    except Ended:
        return 0


if __name__ == "__main__":
    sys.exit(main())
