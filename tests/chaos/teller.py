#!/usr/bin/env python3
"""A program in Python that counts by itself, and keeps a log; see teller.mjs.

    teller.py SLOT LISTENER LOG

It understands `fork SLOT LOG`, too: the child counts on, as another process.
"""

import os
import random
import select
import signal
import sys
import threading
import time

import writer

log = -1
total = 0


def say(text):
    os.write(log, f"{text}\n".encode())


def tell(slot, path):
    """Begins to count for a slot."""
    global log, total
    writer.slot, writer.counted, total = slot, 0, 0
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    writer.start = time.time()
    writer.offer()
    say(f"r {os.getpid()} {writer.path}")


def count():
    global total
    amount = random.randint(1, 9)
    total += amount
    say(f"b {total} {int(time.time() * 1000)}")
    with writer.lock:
        writer.counted += amount
    say(f"a {total} {int(time.time() * 1000)}")


def fork(slot, path):
    """Returns whether this is the child."""
    if os.fork() > 0:
        return False
    # The sign of life, and pipes that the threads of the parent had open.
    os.closerange(3, 256)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    writer.number = 0
    writer.lock, writer.renewing = threading.RLock(), threading.Lock()
    tell(slot, path)
    return True


def main():
    os.makedirs(writer.directory, exist_ok=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if sys.argv[2] == "own":
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
            signal.signal(number, writer.end)
    tell(sys.argv[1], sys.argv[3])
    inputs, text = [0], b""
    while True:
        ready = select.select(inputs, [], [], 0.02)[0]
        count()
        if not ready:
            continue
        data = os.read(0, 4096)
        # A child reads nothing.
        if not data:
            inputs = []
        text += data
        while b"\n" in text:
            line, text = text.split(b"\n", 1)
            command, *args = line.decode().split()
            if command == "hang":
                limit = time.monotonic() + int(args[0]) / 1000
                while time.monotonic() < limit:
                    pass
            elif command == "fork":
                # What the parent was told besides is no matter of the child.
                if fork(*args):
                    text = b""
            elif command == "end":
                writer.end()


main()
