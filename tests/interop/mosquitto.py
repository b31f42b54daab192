#!/usr/bin/env python3
"""Runs Debian's mosquitto as the platform's MQTT server, set up for one test.

    python3 tests/interop/mosquitto.py [--device ID:KEY]... [--platform NAME:PASSWORD]

The broker listens on loopback, with all that it needs in a temporary folder:

* ``mqtt``: without TLS; ``mqtts``: with TLS 1.2 or newer; ``mqtts_client``:
  with TLS and only for clients with a certificate of the same CA;
* each device may write its own data and status and read its own commands, and
  the platform may read and write everything under ``novacloud/``;
* nothing is kept beyond the run.

When the broker is ready, one line of JSON on standard output tells its ports,
users and files.  Its ``state`` is a file with the same JSON, which
``mosquitto-ctl`` (the hooks of a profile) starts from; the last data of each
device stand in the folder ``last``, beside it.

SIGTERM, and the end of the process that started this one, end the broker and
remove the folder; the exit status is then 0.  If the broker ends by itself, it
is 1.
"""

import argparse
import ctypes
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from certificates import make_ca, make_certificate

# Room for a message of 131072 bytes, its topic and its header.
MAX_PACKET_BYTES = 1024 * 1024

# How long the broker may take to listen.
START_TIMEOUT = 10.0

# How often other ports are tried when somebody else took one meanwhile.
ATTEMPTS = 5

PR_SET_PDEATHSIG = 1


def end_with_parent(number=signal.SIGTERM):
    """Have the kernel send ``number`` here when the parent ends."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(number))


# -- Options -------------------------------------------------------------------

def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(
        description="Debian's mosquitto, set up for one test.",
        allow_abbrev=False)
    parser.add_argument("--device", type=parse_user, action="append",
                        metavar="ID:KEY", help="may be repeated (default: two "
                        "devices with keys that are made up)")
    parser.add_argument("--platform", type=parse_user, metavar="NAME:PASSWORD",
                        help="the user of the platform (default: platform, "
                        "with a password that is made up)")
    for name in ("--mqtt-port", "--mqtts-port", "--mqtts-client-port"):
        parser.add_argument(name, type=int, default=0, metavar="PORT",
                            help="0: any free one (default)")
    parser.add_argument("--verbose", action="store_true",
                        help="the broker tells on standard error what it does")
    options = parser.parse_args(arguments)
    if not options.device:
        options.device = [(f"DEV-00000{number}", secrets.token_hex(8))
                          for number in (1, 2)]
    if options.platform is None:
        options.platform = ("platform", secrets.token_hex(8))
    return options


def parse_user(text):
    name, colon, password = text.partition(":")
    if not name or not colon or not password:
        raise argparse.ArgumentTypeError("a user has a name, : and a password")
    # In an ACL file a space ends a name, and these are wildcards.
    if any(character in name for character in " \n+#"):
        raise argparse.ArgumentTypeError(f"mosquitto cannot have {name!r}")
    return name, password


# -- The broker ----------------------------------------------------------------

def mosquitto_program():
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    program = shutil.which("mosquitto", path=path)
    if program is None:
        sys.exit("mosquitto.py: there is no mosquitto")
    return program


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0):
            return True
    except OSError:
        return False


class Broker:

    def __init__(self, options, folder):
        self._options = options
        self._folder = folder
        self._process = None
        self.ports = {}
        self.ca = make_ca(folder)
        self._server = make_certificate(folder, "server", self.ca)
        self.client = make_certificate(folder, "client", self.ca,
                                       names="DNS:client", usage="clientAuth")

    def _path(self, name):
        return os.path.join(self._folder, name)

    def _write(self, name, text):
        with open(self._path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def _write_users(self):
        self._write("passwords", "")
        for name, password in [*self._options.device, self._options.platform]:
            subprocess.run(["mosquitto_passwd", "-b", self._path("passwords"),
                            name, password], check=True,
                           stdout=subprocess.DEVNULL)
        self._write("acl", f"user {self._options.platform[0]}\n"
                    "topic readwrite novacloud/#\n"
                    "pattern write novacloud/devices/%u/data\n"
                    "pattern write novacloud/devices/%u/status\n"
                    "pattern read novacloud/devices/%u/command\n")

    def _write_configuration(self):
        certificate, key = self._server
        tls = (f"cafile {self.ca[0]}\n"
               f"certfile {certificate}\n"
               f"keyfile {key}\n"
               "tls_version tlsv1.2\n")
        # As root, mosquitto would else become a user who cannot read the folder.
        user = pwd.getpwuid(os.getuid()).pw_name
        self._write("mosquitto.conf",
                    f"user {user}\n"
                    "allow_anonymous false\n"
                    f"password_file {self._path('passwords')}\n"
                    f"acl_file {self._path('acl')}\n"
                    "persistence false\n"
                    f"max_packet_size {MAX_PACKET_BYTES}\n"
                    f"message_size_limit {MAX_PACKET_BYTES}\n"
                    "log_dest stderr\n"
                    f"listener {self.ports['mqtt']} 127.0.0.1\n"
                    f"listener {self.ports['mqtts']} 127.0.0.1\n{tls}"
                    f"listener {self.ports['mqtts_client']} 127.0.0.1\n{tls}"
                    "require_certificate true\n")

    def start(self):
        self._write_users()
        wanted = {"mqtt": self._options.mqtt_port,
                  "mqtts": self._options.mqtts_port,
                  "mqtts_client": self._options.mqtts_client_port}
        for _ in range(ATTEMPTS):
            self.ports = {name: port or free_port()
                          for name, port in wanted.items()}
            self._write_configuration()
            if self._start_once():
                return
            self.stop()
        sys.exit("mosquitto.py: the broker does not start; --verbose tells more")

    def _start_once(self):
        verbose = self._options.verbose
        self._process = subprocess.Popen(
            [mosquitto_program(), "-c", self._path("mosquitto.conf"),
             *(["-v"] if verbose else [])],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=None if verbose else subprocess.DEVNULL,
            preexec_fn=lambda: end_with_parent(signal.SIGKILL))
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and self.running():
            if all(accepts(port) for port in self.ports.values()):
                # Somebody else may listen there, and this broker have ended.
                time.sleep(0.1)
                return self.running()
            time.sleep(0.02)
        return False

    def running(self):
        return self._process is not None and self._process.poll() is None

    def stop(self):
        if self.running():
            self._process.terminate()
            try:
                self._process.wait(2.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


# -- What the platform keeps ---------------------------------------------------

class Collector:
    """Writes down the last data of each device, as a platform would."""

    # Published here until it comes back, it shows that the platform is served.
    READY = "novacloud/ready"

    def __init__(self, port, platform, folder):
        self._folder = folder
        self._ready = threading.Event()
        name, password = platform
        self._user = ["-h", "127.0.0.1", "-p", str(port), "-u", name,
                      "-P", password, "-q", "1"]
        self._process = subprocess.Popen(
            ["mosquitto_sub", *self._user, "-F", "%t %x", "-t", self.READY,
             "-t", "novacloud/devices/+/data"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: end_with_parent(signal.SIGKILL))
        threading.Thread(target=self._run, daemon=True).start()
        self._wait_until_ready()

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            subprocess.run(["mosquitto_pub", *self._user, "-t", self.READY, "-n"],
                           check=True, timeout=START_TIMEOUT)
            if self._ready.wait(0.1):
                return
        sys.exit("mosquitto.py: what is published does not arrive")

    def _run(self):
        for line in self._process.stdout:
            topic, _, payload = line.rstrip("\n").rpartition(" ")
            if topic == self.READY:
                self._ready.set()
                continue
            device_id = topic.split("/")[2]
            try:
                message = json.loads(bytes.fromhex(payload))
            except (ValueError, RecursionError):
                continue
            if isinstance(message, dict):
                self._keep(device_id, message)

    def _keep(self, device_id, message):
        if "response" in message or "command" in message:
            return  # An answer to a command (guide, section 2.5).
        values = {key: value for key, value in message.items()
                  if key not in ("timestamp", "device_id")}
        # A hook that reads meanwhile sees the old file or the new one.
        path = os.path.join(self._folder, device_id.encode("utf-8").hex())
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(values, file)
        os.replace(path + ".new", path)

    def stop(self):
        self._process.terminate()
        self._process.wait()


# -- The run -------------------------------------------------------------------

class Ended(BaseException):
    """SIGTERM came, or the parent ended."""


def describe(options, broker, folder):
    return {"host": "127.0.0.1", **broker.ports,
            "ca": broker.ca[0],
            "client_cert": broker.client[0], "client_key": broker.client[1],
            "platform": {"username": options.platform[0],
                         "password": options.platform[1]},
            "devices": [{"id": name, "key": password}
                        for name, password in options.device],
            "folder": folder, "last": os.path.join(folder, "last"),
            "state": os.path.join(folder, "state.json")}


def serve(options, folder):
    broker = Broker(options, folder)
    collector = None
    try:
        broker.start()
        state = describe(options, broker, folder)
        os.mkdir(state["last"])
        collector = Collector(broker.ports["mqtt"], options.platform,
                              state["last"])
        with open(state["state"], "w", encoding="utf-8") as file:
            json.dump(state, file)
        print(json.dumps(state), flush=True)
        while broker.running():
            time.sleep(0.2)
        sys.exit("mosquitto.py: the broker ended by itself")
    finally:
        if collector is not None:
            collector.stop()
        broker.stop()


def main():
    def end(_number, _frame):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        raise Ended

    options = parse_arguments()
    parent = os.getppid()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    end_with_parent()
    folder = None
    try:
        if os.getppid() != parent:
            raise Ended
        folder = tempfile.mkdtemp(prefix="novaprobe-mosquitto-")
        serve(options, folder)
    except (Ended, BrokenPipeError):
        return 0
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
