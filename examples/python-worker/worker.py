#!/usr/bin/env python3
"""A worker for Astra in one file, with nothing but Python's standard library.

    ASTRA_KEY_FILE=~/.astra/admin.key python3 worker.py http://127.0.0.1:7777

It offers the agent `python`, whose goals have steps of three kinds:

    upper   gives its input in capitals
    sleep   sleeps as many seconds as its input says
    charge  acts on the outside world: appends a line to the file named in its input, at most once

docs/worker-protocol.md describes every frame.
"""

import argparse
import base64
import hashlib
import json
import os
import queue
import secrets
import socket
import struct
import sys
import threading
import time
from urllib.parse import urlsplit

AGENT = "python"


class WebSocket:
    """As much of RFC 6455 as a client needs: text frames, pings, fragments, a close."""

    GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    CONTINUATION, TEXT, CLOSE, PING, PONG = 0x0, 0x1, 0x8, 0x9, 0xA

    def __init__(self, address, path, key):
        parts = urlsplit(address)
        self.socket = socket.create_connection((parts.hostname, parts.port or 80), timeout=15)
        if parts.scheme == "https":
            import ssl
            self.socket = ssl.create_default_context().wrap_socket(self.socket, server_hostname=parts.hostname)
        self.sending = threading.Lock()
        self.file = self.socket.makefile("rb")
        nonce = base64.b64encode(secrets.token_bytes(16))
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {nonce.decode()}\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        status = self.file.readline().decode().strip()
        headers = {}
        while (line := self.file.readline().decode().strip()):
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if " 101 " not in status + " ":
            raise ConnectionError(f"the server answered {status}")
        expected = base64.b64encode(hashlib.sha1(nonce + self.GUID).digest()).decode()
        if headers.get("sec-websocket-accept") != expected:
            raise ConnectionError("the server is no WebSocket server")
        self.socket.settimeout(None)

    def send(self, opcode, payload):
        # A client masks what it sends, so that nobody in between takes it for something else.
        length = len(payload)
        head = bytes([0x80 | opcode])
        if length < 126:
            head += bytes([0x80 | length])
        elif length < 65536:
            head += struct.pack("!BH", 0x80 | 126, length)
        else:
            head += struct.pack("!BQ", 0x80 | 127, length)
        mask = secrets.token_bytes(4)
        body = bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))
        with self.sending:
            self.socket.sendall(head + mask + body)

    def send_json(self, frame):
        self.send(self.TEXT, json.dumps(frame).encode())

    def receive_json(self):
        """The next text, or None when the connection is over."""
        text = b""
        while True:
            head = self._read(2)
            if head is None:
                return None
            opcode, length = head[0] & 0x0F, head[1] & 0x7F
            if length == 126:
                length, = struct.unpack("!H", self._read(2))
            elif length == 127:
                length, = struct.unpack("!Q", self._read(8))
            payload = self._read(length) if length else b""
            if opcode == self.PING:
                self.send(self.PONG, payload)
            elif opcode == self.CLOSE:
                self.send(self.CLOSE, payload[:2])
                return None
            elif opcode in (self.TEXT, self.CONTINUATION):
                text += payload
                if head[0] & 0x80:
                    return json.loads(text)

    def _read(self, count):
        try:
            data = self.file.read(count)
        except OSError:
            return None
        return data if data is not None and len(data) == count else None


class TransientFailure(Exception):
    """Another attempt may do better."""


class Worker:
    def __init__(self, address, key, slots):
        self.web = WebSocket(address, "/api/v1/workers/connect", key)
        self.slots = slots
        self.held = {}                  # (task, attempt) -> lease in seconds
        self.effects = {}               # (task, attempt) -> where the answer to an effect frame goes
        self.lock = threading.Lock()
        self.stir = threading.Event()   # a heartbeat is due before its time

    def run(self):
        self.web.send_json({"type": "hello", "name": f"python-{os.getpid()}", "slots": self.slots,
                            "agents": [{"name": AGENT, "description": "Written in Python, with nothing but its standard library."}]})
        while (frame := self.web.receive_json()) is not None:
            getattr(self, "on_" + frame["type"], self.on_other)(frame)

    # ---- what the server says ----

    def on_welcome(self, frame):
        say(f"welcome {frame['workerId']}")
        threading.Thread(target=self.beat, args=(frame["heartbeatSeconds"],), daemon=True).start()

    def on_task(self, frame):
        task = frame["task"]
        with self.lock:
            self.held[task["taskId"], task["attempt"]] = task["leaseSeconds"]
        self.stir.set()
        say(f"task {task['name']} attempt {task['attempt']}")
        threading.Thread(target=self.work, args=(task,), daemon=True).start()

    def on_accepted(self, frame):
        self.forget(frame)
        say(f"accepted attempt {frame['attempt']}")

    def on_late(self, frame):
        self.forget(frame)
        say(f"late attempt {frame['attempt']}: {frame['reason']}")

    def on_revoke(self, frame):
        self.forget(frame)
        self.stir.set()                 # perhaps the server has not heard of us, and gives us nothing until it does
        say(f"revoked attempt {frame['attempt']}: {frame['reason']}")

    def on_refused(self, frame):
        # The task is still ours; the report was bad, and the same report would be bad again.
        say(f"refused: {frame['reason']}")
        self.report(frame, type="fail", kind="permanent", reason=frame["reason"])

    def on_effect_recorded(self, frame):
        self.answer(frame, None)

    def on_effect_refused(self, frame):
        self.answer(frame, frame["reason"])

    def on_error(self, frame):
        say(f"error: {frame['reason']}")

    def on_other(self, frame):
        pass

    # ---- what the worker says ----

    def beat(self, period):
        """One frame for all tasks, at a third of the shortest lease, and also when there are none."""
        while True:
            with self.lock:
                held = list(self.held)
                pause = min([period] + [lease / 3 for lease in self.held.values()])
            self.web.send_json({"type": "heartbeat", "tasks": [{"taskId": task, "attempt": attempt} for task, attempt in held]})
            self.stir.wait(pause)
            self.stir.clear()

    def work(self, task):
        try:
            output, edits = self.execute(task)
            self.report(task, type="complete", output=output, edits=edits)
        except TransientFailure as failure:
            self.report(task, type="fail", kind="transient", reason=str(failure))
        except Exception as failure:                                    # noqa: BLE001: whatever went wrong is a report
            self.report(task, type="fail", kind="permanent", reason=f"{type(failure).__name__}: {failure}")

    def report(self, attempt, **frame):
        self.web.send_json({**frame, "taskId": attempt["taskId"], "attempt": attempt["attempt"]})

    def forget(self, frame):
        with self.lock:
            self.held.pop((frame["taskId"], frame["attempt"]), None)

    # ---- the agent ----

    def execute(self, task):
        kind, given = task["kind"], task.get("input")
        if kind == "$plan":
            return None, self.plan(task)
        if kind == "$reflect":
            return [step["output"] for step in task["dependencies"] if step["name"] != "plan"], None
        if kind == "upper":
            return str(given).upper(), None
        if kind == "sleep":
            time.sleep(float(given))
            return given, None
        if kind == "charge":
            return self.charge(task, given), None
        raise ValueError(f"there is no kind {kind}")

    @staticmethod
    def plan(task):
        """The goal's input is a list of steps: [{"name": "a", "kind": "upper", "input": "x"}, ...]."""
        steps = [{"op": "add", "executor": task["executor"], **step} for step in task["goalInput"]]
        after = [{"step": step["name"], "onlyCompleted": False} for step in steps] + [{"step": "plan", "onlyCompleted": True}]
        return steps + [{"op": "add", "name": "reflect", "executor": task["executor"], "kind": "$reflect", "after": after}]

    def charge(self, task, given):
        """Says so before, does it, says so after. Whoever dies in between leaves the step to a person."""
        effect = task["effect"]
        if effect.get("state") == "sent":
            return effect.get("output")                                 # an attempt before this one did it
        self.record(task, type="effect_intent", what=f"appends a line to {given['file']}")
        if given.get("dieWhile"):
            os._exit(1)
        with open(given["file"], "a", encoding="utf-8") as ledger:
            ledger.write(effect["key"] + "\n")
        self.record(task, type="effect_outcome", outcome="sent", output={"key": effect["key"]})
        if given.get("dieAfterFirst") and task["attempt"] == 1:
            os._exit(1)
        return {"key": effect["key"]}

    def record(self, task, **frame):
        """An effect frame, and its answer."""
        answer = self.effects[task["taskId"], task["attempt"]] = queue.Queue()
        self.report(task, **frame)
        if (refusal := answer.get(timeout=30)) is not None:
            raise RuntimeError(refusal)

    def answer(self, frame, refusal):
        if (waiting := self.effects.pop((frame["taskId"], frame["attempt"]), None)) is not None:
            waiting.put(refusal)


def say(line):
    print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description="A worker for Astra with nothing but Python's standard library.")
    parser.add_argument("address", help="where the server answers, for instance http://127.0.0.1:7777")
    parser.add_argument("--slots", type=int, default=4, help="how many tasks at once (default: 4)")
    given = parser.parse_args()
    path = os.environ.get("ASTRA_KEY_FILE", os.path.expanduser("~/.astra/admin.key"))
    try:
        with open(path, encoding="utf-8") as file:
            key = file.read().strip()
        Worker(given.address, key, given.slots).run()
    except (OSError, ConnectionError) as trouble:
        sys.exit(f"worker.py: {trouble}")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit("worker.py: the server has closed the connection")


if __name__ == "__main__":
    main()
