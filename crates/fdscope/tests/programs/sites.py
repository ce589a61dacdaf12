# Leaks in as many ways as Python code can be on the stack, and says itself on which line.
# Reads commands: "step" leaks once in every way, "burst N" opens and closes N files, "truth" prints the ledger.
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading

keep = []
truth = {}
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(1024)


def born(kind, handle):
    frame = sys._getframe(1)
    name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)
    entry = truth.setdefault(name, {"kind": kind, "line": frame.f_lineno, "live": 0})
    entry["live"] += 1
    keep.append(handle)


def by_builtin():
    born("file", open("/etc/passwd"))


def by_system_call():
    born("file", os.open("/etc/passwd", os.O_RDONLY))


class Client:
    def connect(self):
        born("socket", socket.create_connection(listener.getsockname()))


def through_tempfile():
    born("file", tempfile.TemporaryFile())


def through_subprocess():
    born("pipe", subprocess.Popen(["true"], stdout=subprocess.PIPE))


def in_generator():
    while True:
        yield born("file", open("/etc/passwd"))


async def in_coroutine():
    await asyncio.sleep(0)
    born("file", open("/etc/passwd"))


def in_thread():
    born("file", open("/etc/passwd"))


def called_from_c(element):
    born("file", open("/etc/passwd"))
    return element


def healthy():
    with open("/etc/passwd"):
        pass


generator = in_generator()


def step():
    by_builtin()
    by_system_call()
    Client().connect()
    through_tempfile()
    through_subprocess()
    next(generator)
    asyncio.run(in_coroutine())
    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    sorted([1], key=called_from_c)


for line in sys.stdin:
    words = line.split()
    if words[0] == "step":
        step()
    elif words[0] == "burst":
        for _ in range(int(words[1])):
            healthy()
    print(json.dumps(truth))
    sys.stdout.flush()
