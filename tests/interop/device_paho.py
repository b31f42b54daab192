#!/usr/bin/env python3
"""An independent MQTT device for the NovaCloud device protocol, on Paho.

It is written from the device access guide alone: section 1.2 (credentials),
section 2 (MQTT) and section 5 (reconnection).  Paho speaks MQTT and TLS; what
is said, and when, is said here.

    NOVA_DEVICE_KEY=secret /usr/bin/python3 tests/interop/device_paho.py \
        --host 127.0.0.1 --port 1883 --id DEV-123456

It connects again whenever the connection is lost, until SIGTERM ends it with
status 0.  ``README.md`` in this folder has its options.
"""

import argparse
import json
import logging
import math
import os
import random
import signal
import ssl
import string
import sys
import time

import paho.mqtt.client as mqtt

# Pauses before connecting again, in seconds: the first, and the longest.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0

# A connection that lasted so long was of use: the pauses start anew after it.
OF_USE_AFTER = 5.0

# How long the server may take to accept a connection.
CONNECT_TIMEOUT = 10.0

# How long a turn of the loop may last: SIGTERM is noticed between two turns.
TURN = 0.2

# No command of the guide comes near these.
MAX_COMMAND_BYTES = 1024 * 1024
MAX_NAME_CHARACTERS = 256

log = logging.getLogger("device")


# -- Options -------------------------------------------------------------------

def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(
        description="An MQTT device for the NovaCloud device protocol.",
        allow_abbrev=False)

    def option(name, variable, kind, sentence):
        default = os.environ.get(variable) or None
        parser.add_argument(name, type=kind, default=default,
                            required=default is None,
                            help=f"{sentence} (default: ${variable})")

    option("--host", "NOVA_HOST", str, "where the server is")
    option("--port", "NOVA_MQTT_PORT", parse_port, "the port of the server")
    option("--id", "NOVA_DEVICE_ID", str, "the id of the device")
    option("--key", "NOVA_DEVICE_KEY", str, "the key of the device")
    parser.add_argument("--ca", default=os.environ.get("NOVA_CA_FILE"),
                        help="use TLS and trust the certificates in this file; "
                        "empty: no TLS (default: $NOVA_CA_FILE)")
    parser.add_argument("--cert", help="the certificate of the device")
    parser.add_argument("--key-file", help="the private key to --cert")
    for name in ("--status-interval", "--data-interval"):
        parser.add_argument(name, type=parse_seconds, default=60.0, metavar="S",
                            help="seconds, 0: none (default: %(default)s)")
    parser.add_argument("--keep-alive", type=parse_keep_alive, default=60,
                        metavar="S", help="seconds (default: %(default)s)")
    parser.add_argument("--actuators", type=parse_actuators, metavar="JSON",
                        default='{"relay1":["OFF","ON"],"led_brightness":[0,80]}',
                        help="name: value, or a list of values; the first is "
                        "the state at the start (default: %(default)s)")
    parser.add_argument("--value-keys", type=lambda text: text.split(","),
                        default="temperature,humidity", metavar="A,B",
                        help="what the device measures (default: %(default)s)")
    return parser.parse_args(arguments)


def parse_port(text):
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


def parse_seconds(text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError("a time is a number of seconds")
    return value


def parse_keep_alive(text):
    # Paho takes the keep-alive for the time of a TLS handshake too, so that
    # none (0) is no choice here.
    value = parse_seconds(text)
    if value != int(value) or not 1 <= value <= 65535:
        raise argparse.ArgumentTypeError("whole seconds from 1 to 65535")
    return int(value)


def parse_actuators(text):
    try:
        actuators = json.loads(text)
    except ValueError:
        actuators = None
    if not isinstance(actuators, dict):
        raise argparse.ArgumentTypeError("the actuators are no JSON object")
    actuators = {name: value if isinstance(value, list) else [value]
                 for name, value in actuators.items()}
    if not all(actuators.values()):
        raise argparse.ArgumentTypeError("an actuator has a value at least")
    return actuators


# -- What the device does ------------------------------------------------------

def kind_of(value):
    """The JSON type of ``value``; 1 and 1.5 are of one, true is of another."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    return type(value).__name__


class Actuators:

    def __init__(self, examples):
        self._kinds = {name: {kind_of(value) for value in values}
                       for name, values in examples.items()}
        self.state = {name: values[0] for name, values in examples.items()}

    def set(self, params):
        """Take over all of ``params``, or, if one of them cannot be, none."""
        for name, value in params.items():
            if kind_of(value) not in self._kinds.get(name, ()):
                return False
        self.state.update(params)
        return True


def refuse_number(text):
    raise ValueError(f"{text} is no JSON number")


def parse_float(text):
    value = float(text)
    return value if math.isfinite(value) else refuse_number(text)


def parse_command(payload):
    """The command in ``payload``, or None if there is none."""
    if len(payload) > MAX_COMMAND_BYTES:
        return None
    try:
        command = json.loads(bytes(payload).decode("utf-8", "strict"),
                             parse_float=parse_float,
                             parse_constant=refuse_number)
        name = command["command"]
        name.encode("utf-8", "strict")  # Half of a surrogate pair is no text.
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return None
    if len(name) > MAX_NAME_CHARACTERS:
        return None
    if name == "set_actuator" and not isinstance(command.get("params"), dict):
        return None
    return command


class Messages:
    """What section 2 of the guide has a device say."""

    def __init__(self, device_id, value_keys, actuators):
        self._id = device_id
        self._value_keys = value_keys
        self._actuators = actuators

    def will(self):
        return {"status": "offline", "timestamp": 0, "device_id": self._id}

    def status(self):
        return {"status": "online", "timestamp": int(time.time()),
                "device_id": self._id, "info": {"version": "paho"}}

    def data(self):
        values = {key: round(random.uniform(20.0, 30.0), 1)
                  for key in self._value_keys}
        return {"timestamp": int(time.time()), "device_id": self._id, **values}

    def answer(self, payload):
        """The answer to the command in ``payload``; None if it has none."""
        command = parse_command(payload)
        if command is None:
            return None
        name = command["command"]
        known = name == "set_actuator"
        success = known and self._actuators.set(command["params"])
        return {"response": "actuator_set" if known else "unknown_command",
                "command": name, "timestamp": int(time.time()),
                "device_id": self._id, "success": success,
                "data": self._actuators.state}


# -- The connection ------------------------------------------------------------

class Stopped(BaseException):
    """SIGTERM came while something was waited for."""


class Ticker:
    """Comes at the start of a connection, and then at each interval."""

    def __init__(self, interval):
        self._interval = interval
        self._next = None

    def start(self, now):
        self._next = now if self._interval else None

    def due(self, now):
        if self._next is None or now < self._next:
            return False
        self._next = max(self._next + self._interval, now)
        return True

    def wait(self, now):
        return TURN if self._next is None else max(0.0, self._next - now)


class Device:

    def __init__(self, options):
        self._messages = Messages(options.id, options.value_keys,
                                  Actuators(options.actuators))
        self._topic = f"novacloud/devices/{options.id}/"
        self._status = Ticker(options.status_interval)
        self._data = Ticker(options.data_interval)
        self._turn = min(TURN, options.keep_alive / 8)
        self._accepted_at = None
        self._stopping = False
        self._may_stop_here = False
        self._client = self._make_client(options)

    def _make_client(self, options):
        letters = string.ascii_lowercase + string.digits
        suffix = "".join(random.choices(letters, k=8))
        client = mqtt.Client(f"device_{options.id}_{suffix}",
                             protocol=mqtt.MQTTv311)
        client.username_pw_set(options.id, options.key)
        client.will_set(self._topic + "status",
                        json.dumps(self._messages.will()), qos=1, retain=False)
        if options.ca:
            context = ssl.create_default_context(cafile=options.ca)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if options.cert:
                context.load_cert_chain(options.cert, options.key_file)
            client.tls_set_context(context)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.connect_async(options.host, options.port, options.keep_alive)
        return client

    def stop(self, _number, _frame):
        self._stopping = True
        if self._may_stop_here:
            raise Stopped

    def run(self):
        pause = FIRST_PAUSE
        try:
            while not self._stopping:
                self._accepted_at = None
                lost = self._converse()
                if self._stopping:
                    break
                now = time.monotonic()
                if (self._accepted_at is not None and
                        now - self._accepted_at >= OF_USE_AFTER):
                    pause = FIRST_PAUSE
                log.info("%s; connecting again in %.1f s.", lost, pause)
                self._interruptible(time.sleep, pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        except Stopped:
            return
        self._disconnect()

    def _interruptible(self, function, *arguments):
        self._may_stop_here = True
        try:
            if self._stopping:
                raise Stopped
            return function(*arguments)
        finally:
            self._may_stop_here = False

    def _converse(self):
        """Hold one connection; say why it ended."""
        try:
            self._interruptible(self._client.reconnect)
        except (OSError, ValueError) as error:
            return f"Not connected: {error}"
        deadline = time.monotonic() + CONNECT_TIMEOUT
        while not self._stopping:
            now = time.monotonic()
            if self._accepted_at is None:
                wait = self._turn
                if now >= deadline:
                    return "Not accepted in time"
            else:
                if self._status.due(now):
                    self._publish("status", self._messages.status())
                if self._data.due(now):
                    self._publish("data", self._messages.data())
                wait = min(self._turn, self._status.wait(now),
                           self._data.wait(now))
            # Whatever the server sends, it ends the connection at worst: Paho
            # raises where a packet is too short for what it has to hold.
            try:
                result = self._client.loop(wait)
            except Exception as error:
                return f"Connection given up: {error!r}"
            if result != mqtt.MQTT_ERR_SUCCESS:
                return f"Connection lost: {mqtt.error_string(result)}"
        return "Stopping"

    def _publish(self, kind, message):
        self._client.publish(self._topic + kind, json.dumps(message), qos=1,
                             retain=False)

    def _on_connect(self, client, _data, _flags, code):
        if code != 0:
            log.info("Refused: %s", mqtt.connack_string(code))
            return
        now = time.monotonic()
        self._accepted_at = now
        client.subscribe(self._topic + "command", qos=1)
        self._status.start(now)
        self._data.start(now)
        log.info("Connected.")

    def _on_message(self, _client, _data, message):
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        if topic != self._topic + "command":
            return
        answer = self._messages.answer(message.payload)
        if answer is None:
            log.info("No command: %d bytes.", len(message.payload))
        else:
            self._publish("data", answer)

    def _disconnect(self):
        self._client.disconnect()
        deadline = time.monotonic() + 1.0
        while self._client.socket() and time.monotonic() < deadline:
            if self._client.loop(self._turn) != mqtt.MQTT_ERR_SUCCESS:
                break


def main():
    options = parse_arguments()
    logging.basicConfig(stream=sys.stderr, format="%(message)s",
                        level=logging.INFO)
    device = Device(options)
    signal.signal(signal.SIGTERM, device.stop)
    signal.signal(signal.SIGINT, device.stop)
    device.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
