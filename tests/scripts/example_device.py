"""What examples/device/ is tried with; example-device.sh starts it.

    example_device.py judge DEVICE        plays the server, friendly and not
    example_device.py watch PORT SECONDS  stands between a device and a server at
                                          PORT; prints its own port, then every
                                          line as "> JSON" (device) or "< JSON"
"""
import atexit
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

ID, KEY = "DEV-000042", 'key "of" \\ 它'
LIMIT = 131072
SPANS = {"heartbeat": 0.4, "idle-timeout": 1.5, "auth-timeout": 1.0,
         "data-interval": 0.5, "status-interval": 0.7}


class Connection:
    """A device's connection; lines that come in are judged for what every message
    has to be."""

    def __init__(self, sock):
        self.sock, self.pending, self.since = sock, b"", time.monotonic()
        self.seen, self.times, self.pongs = [], {}, True

    def send(self, *messages):
        for message in messages:
            self.raw(message if isinstance(message, bytes) else line(message))

    def raw(self, data):
        self.sock.sendall(data)
        self.sent = time.monotonic()

    def next(self, within=3.0):
        """The next message; None at the end of the stream."""
        end = time.monotonic() + within
        while b"\n" not in self.pending:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                raise AssertionError(f"nothing within {within} s, after {self.seen[-3:]}")
            try:
                piece = self.sock.recv(65536)
            except ConnectionResetError:
                piece = b""
            if not piece:
                assert not self.pending, f"ended inside a line: {self.pending[:80]}"
                return None
            self.pending += piece
        one, self.pending = self.pending.split(b"\n", 1)
        assert len(one) + 1 <= LIMIT, len(one)
        message = json.loads(one.decode("utf-8"))
        kind = message["type"]
        assert message["device_id"] == ID, message
        if kind != "auth":
            stamp = message["timestamp"]
            assert type(stamp) is int and abs(stamp - time.time()) < 5, message
        fields = {"auth": ["device_key"], "ping": [], "data": ["values"],
                  "status": ["status", "info"], "command_response": ["command_id", "result", "data"]}
        want = ["type", "device_id"] + ["timestamp"] * (kind != "auth") + fields[kind]
        assert sorted(message) == sorted(want), message
        self.seen.append(kind)
        self.times.setdefault(kind, []).append(time.monotonic())
        return message

    def until(self, kind, within=3.0):
        end = time.monotonic() + within
        while True:
            message = self.next(max(0.01, end - time.monotonic()))
            assert message is not None, f"closed, {kind} expected"
            if message["type"] == "ping" and self.pongs:
                self.send({"type": "pong", "timestamp": int(time.time())})
            if message["type"] == kind:
                return message

    def quiet(self, span):
        """Nothing comes, nor an end."""
        assert not self.pending and not select.select([self.sock], [], [], span)[0], \
            (self.pending or self.sock.recv(1000))[:200]

    def closed(self, within):
        """Reads to the end; when it came."""
        end = time.monotonic() + within
        while self.next(max(0.01, end - time.monotonic())) is not None:
            pass
        return time.monotonic()

    def answer(self, identity, within=5.0):
        message = self.until("command_response", within)
        assert message["command_id"] == identity, (message["command_id"][:80], identity[:80])
        assert set(message["data"]) == {"relay1", "led_brightness"}, message
        return message

    def ask(self, identity, command="set_actuator", **more):
        self.send(order(identity, command, **more))
        return self.answer(identity)

    def accept(self):
        auth = self.next()
        assert auth == {"type": "auth", "device_id": ID, "device_key": KEY}, auth
        self.send({"type": "auth_result", "result": "success", "message": "ok",
                   "timestamp": int(time.time())})

    def close(self, reset=False):
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Server:
    def __init__(self, device, family=socket.AF_INET, host="127.0.0.1", name=None, small=False,
                 environment=False, spans=None):
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if small:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.bind((host, 0))
        self.sock.listen(8)
        port = str(self.sock.getsockname()[1])
        given = {"HOST": name or host, "TCP_PORT": port, "DEVICE_ID": ID, "DEVICE_KEY": KEY}
        args = [device]
        env = {k: v for k, v in os.environ.items() if not k.startswith("NOVA")}
        if environment:
            env.update({"NOVA_" + k: v for k, v in given.items()})
        else:
            for option, value in zip(["--host", "--port", "--id", "--key"], given.values()):
                args += [option, value]
        for option, value in {**SPANS, **(spans or {})}.items():
            args += ["--" + option, str(value)]
        self.process = subprocess.Popen(args, env=env, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        atexit.register(self.process.kill)

    def connection(self, within=4.0):
        self.sock.settimeout(within)
        return Connection(self.sock.accept()[0])

    def online(self):
        c = self.connection()
        c.accept()
        return c

    def busy(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            used = stat.read().rsplit(")", 1)[1].split()
        return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        """SIGTERM, status 0, and nothing but its own lines on standard error."""
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=2)
        assert self.process.returncode == 0, (self.process.returncode, err)
        assert all(l.startswith("nova-device: ") for l in err.decode().splitlines()), err
        assert KEY not in err.decode()
        return err.decode()


def line(message, **how):
    return json.dumps(message, **how).encode() + b"\n"


def order(identity, command="set_actuator", params=None, **more):
    if params is None:
        params = {"relay1": "ON"}
    return {"type": "command", "command_id": identity, "device_id": ID,
            "timestamp": int(time.time()), "command": command, "params": params, **more}


def pad(message, size):
    text = line(message)[:-1]
    return text[:-1] + b" " * (size - len(text)) + b"}\n"


def authentication(device):
    s = Server(device)
    c = s.connection()
    assert c.next() == {"type": "auth", "device_id": ID, "device_key": KEY}
    # Whatever comes before auth_result gets no answer.
    c.send(order("early"), {"type": "pong", "timestamp": 1}, b"\n", b"nonsense\n",
           {"type": "auth_result", "message": "neither", "timestamp": 1})
    c.quiet(0.5)
    for byte in line({"type": "auth_result", "result": "success", "message": "\u4f60",
                      "more": [{}], "timestamp": 1}):
        c.raw(bytes([byte]))
    first = {c.next(1.0)["type"], c.next(1.0)["type"]}
    assert first == {"data", "status"}, first
    s.end()


def no_answer(device):
    s = Server(device)
    for _ in range(2):
        c = s.connection()
        c.next()
        # Neither of these is an auth_result, and the time goes on.
        for _ in range(4):
            time.sleep(0.2)
            c.send({"type": "pong", "timestamp": 1})
        span = c.closed(2) - c.since
        assert 0.95 <= span <= 1.75, span
    assert "no auth_result" in s.end()


def refused(device):
    s = Server(device)
    c = s.connection()
    c.next()
    c.send({"type": "auth_result", "result": "failed", "message": "no", "timestamp": 1})
    start = c.closed(2)
    assert c.seen == ["auth"], c.seen
    c = s.connection(17)
    assert 9.9 <= time.monotonic() - start <= 15.5, time.monotonic() - start
    c.accept()
    c.until("data")
    # Later on it means the same.
    c.send({"type": "auth_result", "result": "failed", "message": "no", "timestamp": 1})
    c.closed(2)
    s.end()


def rhythm(device):
    s = Server(device)
    c = s.online()
    start = time.monotonic()
    while time.monotonic() - start < 2.5:
        if c.next()["type"] == "ping":
            c.send({"type": "pong", "timestamp": 1})
    for kind, span in ("ping", 0.4), ("data", 0.5), ("status", 0.7):
        times = ([start] if kind == "ping" else []) + c.times[kind] + [time.monotonic()]
        gaps = [b - a for a, b in zip(times, times[1:])]
        assert max(gaps) <= span + 0.5, (kind, gaps)
        assert len(times) <= 2.5 / span + 3, (kind, gaps)
    assert s.busy() < 0.5, "it does not wait, it spins"
    with open(f"/proc/{s.process.pid}/status", encoding="ascii") as status:
        ignored = next(int(l.split()[1], 16) for l in status if l.startswith("SigIgn:"))
    assert ignored >> (signal.SIGPIPE - 1) & 1, "SIGPIPE would end it"
    s.end()


def silence(device):
    s = Server(device)
    c = s.online()
    time.sleep(1.0)
    c.send(order("keeps it awake"))
    c.answer("keeps it awake")
    while True:
        message = c.next()
        if message is None:
            break
    span = time.monotonic() - c.sent
    assert 1.49 <= span <= 2.5, span
    # Reconnects, authenticates again, and works.
    c = s.online()
    c.ask("again")
    s.end()


def loss(device):
    s = Server(device)
    for reset in False, True:
        c = s.online()
        c.until("data")
        # Half a line; the next connection begins with a new one.
        c.raw(b'{"type":"command","comm')
        c.close(reset)
    c = s.online()
    c.ask("new line")
    s.end()


def hammer(device, after_auth):
    s = Server(device)
    c = s.connection()
    if after_auth:
        c.accept()
    c.close()
    start, times = time.monotonic(), []
    while True:
        try:
            c = s.connection(max(0.01, start + 9 - time.monotonic()))
        except socket.timeout:
            break
        times.append(round(time.monotonic() - start, 2))
        if after_auth:
            c.accept()
        c.close()
    assert 2 <= len(times) <= 3 and times[0] >= 0.99 and times[1] >= times[0] + 1.99, times
    s.end()


def commands(device):
    s = Server(device)
    c = s.online()
    awkward = "aZ09-_.: \"\\/\b\f\n\r\t\u0001\u007f\u00e9\u4f60\u2028\U0001f600"
    for identity in ["x", "", "c" * 36, "i" * 64, "j" * 255, awkward, awkward * 20,
                     "k" * 100000, "\u4f60" * 20000]:
        for ascii in True, False:
            c.send(line(order(identity), ensure_ascii=ascii))
            assert c.answer(identity)["result"] == "success"
    # An id whose answer would be longer than a message may be gets none.
    c.send(line(order("l" * (LIMIT - 135)), separators=(",", ":")))
    assert c.ask("after")["data"]["relay1"] == "ON"

    state = c.ask("1", params={"relay1": "OFF", "led_brightness": 80})
    assert (state["result"], state["data"]) == ("success", {"relay1": "OFF", "led_brightness": 80})
    state = c.ask("2", params={"relay1": "ON"})
    assert state["data"] == {"relay1": "ON", "led_brightness": 80}
    for value, seen in (0, 0), (100, 100), (80.0, 80), (1e1, 10):
        assert c.ask("3", params={"led_brightness": value})["data"]["led_brightness"] == seen
    c.raw(line(order("4")).replace(b'"relay1": "ON"', b'"rel\\u0061y1": "\\u004fFF"'))
    assert c.answer("4")["data"] == {"relay1": "OFF", "led_brightness": 10}
    for params in ({"relay1": "on"}, {"relay1": 1}, {"relay1": "ONE"}, {"relay1": None},
                   {"led_brightness": 101}, {"led_brightness": -1}, {"led_brightness": 0.5},
                   {"led_brightness": 1e300}, {"led_brightness": "5"}, {"led_brightness": []},
                   {"relay2": "ON"}, {"relay1": "ON", "led_brightness": 101}):
        answer = c.ask("5", params=params)
        assert answer["result"] == "failed", params
        assert answer["data"] == {"relay1": "OFF", "led_brightness": 10}, params
    for change in ({"command": "novaprobe_unknown"}, {"command": "set_actuator "}, {"command": 1},
                   {"params": []}, {"params": "x"}, {"device_id": "DEV-000043"}, {"device_id": 7}):
        c.send({**order("6"), **change})
        assert c.answer("6")["result"] == "failed", change
    for missing, result in ("params", "failed"), ("command", "failed"), ("device_id", "success"), \
            ("timestamp", "success"):
        message = order("7")
        del message[missing]
        c.send(message)
        assert c.answer("7")["result"] == result, missing
    s.end()


def frames(device):
    s = Server(device)
    c = s.online()
    for byte in line(order("slow \u4f60\U0001f600"), ensure_ascii=False):
        c.raw(bytes([byte]))
    c.answer("slow \u4f60\U0001f600")
    whole = line(order("halves \u4f60"), ensure_ascii=False)
    c.raw(whole[:50])
    time.sleep(0.3)
    c.raw(whole[50:])
    c.answer("halves \u4f60")
    c.raw(line(order("a")) + line(order("b")))
    c.answer("a"), c.answer("b")
    for i in range(5):
        c.send(order(f"row {i}"))
    for i in range(5):
        c.answer(f"row {i}")
    c.raw(line(order("cr"))[:-1] + b"\r\n")
    c.answer("cr")
    for size in LIMIT - 1, LIMIT:
        c.raw(pad(order(f"{size}"), size))
        c.answer(f"{size}")
    bad = [b"", b" ", b"\r", b"{", b"}", b"nonsense", b"[]", b"[1,2]", b"null", b'"x"', b"\xff",
           b"\x00", b"\xef\xbb\xbf{}", b"{}", b'{"type":1}', b'{"type":"new"}',
           b'{"type":"ping"}', b'{"type":"auth","device_id":1}', b'{"type":"command"}',
           b'{"type":"command","command_id":5}', b'{"type":"pong"}', b"[" * 1000 + b"]" * 1000,
           b'{"a":' * 1000 + b"1" + b"}" * 1000, b"[" * 100000,
           b'{"type":"command","type":"command"}',
           pad(order("long"), LIMIT + 1)[:-1], pad(order("longer"), 3 * LIMIT)[:-1],
           line({**order("bad"), "x": 0})[:-2] + b"\xff}",
           line({"type": "auth_result", "result": "success", "message": "", "timestamp": 0})[:-1]]
    for i, one in enumerate(bad):
        c.raw(one + b"\n")
        c.ask(f"after {i}", more={"a": [1, {}]})
    c.raw(b"\n" * 1000 + b"\n".join(bad) + b"\n")
    c.ask("after all")
    s.end()


def pressure(device):
    """The server does not read for a while: answers wait, in order, and none is
    lost; the device takes no more memory for it."""
    s = Server(device, small=True, spans={"idle-timeout": 20})
    c = s.online()
    n = 12000
    c.pongs = False  # they would wait behind the commands

    def write():
        for i in range(0, n, 50):
            c.raw(b"".join(line(order(f"{i + k:<2000}")) for k in range(50)))
    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    time.sleep(1.0)
    before = s.busy()
    time.sleep(1.0)
    assert s.busy() - before < 0.3, "it does not wait, it spins"
    assert writer.is_alive(), "the device reads on without limit"
    size = int(open(f"/proc/{s.process.pid}/statm").read().split()[1]) * 4096
    for i in range(n):
        c.answer(f"{i:<2000}", 20)
    writer.join()
    # Answers that are nearly as long as a message may be, so that parts of them
    # lie anywhere in the output.
    long = [f"{i:<{90000 + 7919 * i % 40000}}" for i in range(150)]
    writer = threading.Thread(target=lambda: [c.send(order(i)) for i in long], daemon=True)
    writer.start()
    for i in long:
        time.sleep(0.005)
        c.answer(i, 20)
    writer.join()
    c.ask("last")
    print(f"pressure: {n} commands, {size >> 10} KB resident")
    s.end()


def broken_pipe(device):
    """The server goes away while answers wait."""
    s = Server(device, small=True, spans={"idle-timeout": 20})
    c = s.online()
    c.sock.setblocking(False)
    try:
        while True:
            c.sock.send(line(order("x" * 90)))
    except BlockingIOError:
        pass
    time.sleep(0.2)
    c.close(reset=True)
    s.online().ask("back")
    s.end()


def names(device):
    s = Server(device, environment=True)
    s.online().ask("environment")
    s.end()
    s = Server(device, name="localhost")
    s.online().ask("name")
    s.end()
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM).bind(("::1", 0))
    except OSError:
        return
    s = Server(device, socket.AF_INET6, "::1")
    s.online().ask("six")
    s.end()


def ends(device):
    # While it waits for auth_result, and for a server that is not there.
    s = Server(device)
    s.connection().next()
    s.end()
    s = Server(device)
    s.connection().close()
    s.sock.close()
    time.sleep(2.5)
    assert "not reached" in s.end()


def usage(device):
    good = ["--host", "h", "--port", "1", "--id", "DEV-1", "--key", "secret"]
    env = {"PATH": os.environ["PATH"]}
    for args in ([], good[:-2], good[:-1], good + ["--heartbeat", "0"], good + ["--heartbeat", "nan"],
                 good + ["--heartbeat", "1s"], good + ["--heartbeat", "1e99"],
                 good + ["--frequency", "1"], good + ["--id", ""], good + ["--id", "x" * 9000],
                 good + ["--id", b"\xff"]):
        done = subprocess.run([device] + args, env=env, capture_output=True, timeout=5)
        assert done.returncode == 2 and done.stderr and not done.stdout, (args, done)
        assert b"secret" not in done.stderr, done
    done = subprocess.run([device, "--help"], env=env, capture_output=True, timeout=5)
    assert done.returncode == 0 and b"--heartbeat" in done.stdout and not done.stderr, done


def judge(device):
    cases = [authentication, no_answer, refused, rhythm, silence, loss, commands, frames, pressure,
             broken_pipe, names, ends, usage, ("hammer", lambda d: hammer(d, False)),
             ("hammer after auth", lambda d: hammer(d, True))]
    wrong = []

    def run(name, case):
        try:
            case(device)
        except Exception as error:
            places, at = [], error.__traceback__
            while at:
                places.append(str(at.tb_lineno))
                at = at.tb_next
            wrong.append(f"{name}: lines {' > '.join(places)}: {type(error).__name__} {str(error)[:400]}")
    threads = []
    for case in cases:
        name, call = case if isinstance(case, tuple) else (case.__name__, case)
        threads.append(threading.Thread(target=run, args=(name, call), daemon=True))
        threads[-1].start()
    for thread in threads:
        thread.join(60)
        if thread.is_alive():
            wrong.append("a case hangs")
    print("\n".join(wrong) or f"{len(cases)} cases passed")
    sys.exit(bool(wrong))


def watch(port, seconds):
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    listener.settimeout(10)
    device = listener.accept()[0]
    server = socket.create_connection(("127.0.0.1", port))
    pairs = {device: (server, ">", [b""]), server: (device, "<", [b""])}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for sock in select.select(list(pairs), [], [], 0.05)[0]:
            other, mark, rest = pairs[sock]
            piece = sock.recv(65536)
            if not piece:
                print(mark, "closed", flush=True)
                return
            other.sendall(piece)
            *lines, rest[0] = (rest[0] + piece).split(b"\n")
            for one in lines:
                print(mark, one.decode(), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "judge":
        judge(sys.argv[2])
    else:
        watch(int(sys.argv[2]), float(sys.argv[3]))
