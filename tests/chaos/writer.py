#!/usr/bin/env python3
"""A program in Python that does what it is told; see writer.mjs.

It keeps to PIPE_FORMAT.md with nothing of statvent: it says who it is, sends
gauges, windows and histograms, and leaves its last values when it ends in an
orderly way.

    writer.py SLOT HANDLER [OLD_START]
"""

import json
import os
import secrets
import signal
import sys
import threading
import time
import uuid
import zlib

slot, handler = sys.argv[1], sys.argv[2]
directory = os.environ["STATVENT_PIPE_DIR"]
path = f"{directory}/{os.getpid()}.stats"
spare = f"{directory}/.{os.getpid()}.next"
# In milliseconds. Another one than that of the program whose place this takes.
start = max(int(time.time() * 1000), int((sys.argv + ["0"])[3]) + 1)

identity = secrets.token_hex(16)
seq = 0

# A signal is handled in the thread that may hold it.
lock = threading.RLock()
renewing = threading.Lock()
ended = False
counted = 0
gauge = None
# How often each value was recorded. All are powers of two.
recorded = {}
last = 0


def recorded_lines(name):
    shown = "".join(f"{name % label}: {last}\n" for label in ("median", "mean"))
    window = {
        "name": name % "{0}",
        "percentiles": [[50, name % "median"]],
        "mean": name % "mean",
        "values": [last],
    }
    histogram = {
        "name": name % "{0}",
        "scale": 4,
        "sum": sum(value * count for value, count in recorded.items()),
        "min": min(recorded),
        "max": max(recorded),
        "zeros": 0,
        "positive": [[16 * (value.bit_length() - 1) - 1, recorded[value]]
                     for value in sorted(recorded)],
        "negative": [],
    }
    window, histogram = (
        json.dumps(text, separators=(",", ":")) for text in (window, histogram))
    count = sum(recorded.values())
    return shown, f"# window {window}: 1\n# histogram {histogram}: {count}\n"


def snapshot(final=False):
    global seq
    with lock:
        seq += 1
        text = f"chaos.all: {counted}\nchaos.own.{slot}: {counted}\n"
        process = {"id": identity, "start": start / 1000, "name": "writer.py"}
        if final:
            process["final"] = True
        notes = f"# process {json.dumps(process)}: 0\n"
        if gauge is not None:
            text += f"chaos.gauge.{slot}: {gauge}\n"
            notes += f'# gauge ["chaos.gauge.{slot}"]: 1\n'
        if recorded:
            for name in "chaos.took.%s", f"chaos.took.{slot}.%s":
                shown, more = recorded_lines(name)
                text += shown
                notes += more
        text += f"{notes}# seq: {seq}\n"
        if final:
            checksum = zlib.crc32(text.encode())
            text += f'# crc32 ["{checksum:08x}"]: {len(text)}\n'
    return f"{text}# EOF: {len(text)}\n".encode()


def remove(name):
    try:
        os.unlink(name)
    except FileNotFoundError:
        pass


def renew():
    with renewing:
        if not ended:
            os.mkfifo(spare, 0o644)
            os.rename(spare, path)


def serve():
    while not ended:
        try:
            fd = os.open(path, os.O_WRONLY)
        except FileNotFoundError:
            return
        try:
            renew()
            # So short that it is written at once.
            os.write(fd, snapshot())
        except BrokenPipeError:
            pass
        finally:
            os.close(fd)


def leave():
    """Leaves the last values, and no pipe."""
    global ended
    with renewing:
        ended = True
        last_values = snapshot(final=True)
        new = f"{directory}/.ended.{identity}.{uuid.uuid4()}.new"
        with open(new, "wb") as file:
            file.write(last_values)
        os.rename(new, f"{directory}/.ended.{identity}.{seq}")
        remove(path)
        remove(spare)


def end(*_):
    leave()
    os._exit(0)


def main():
    global counted, gauge, last
    os.makedirs(directory, exist_ok=True)
    remove(spare)
    renew()
    threading.Thread(target=serve, daemon=True).start()
    if handler == "term":
        signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    while line := sys.stdin.readline():
        number, command, *args = line.split()
        if command == "count":
            with lock:
                counted += int(args[0])
        elif command == "record":
            for _ in range(int(args[0])):
                with lock:
                    last = int(args[1])
                    recorded[last] = recorded.get(last, 0) + 1
        elif command == "set":
            with lock:
                gauge = int(args[0])
        elif command == "hang":
            limit = time.monotonic() + int(args[0]) / 1000
            while time.monotonic() < limit:
                pass
        elif command == "exec":
            if args[1] == "left":
                leave()
            os.execv(sys.executable, [
                sys.executable, __file__, args[0], handler, str(start)])
        elif command == "end":
            break
        print(f"ok {number}", flush=True)
    end()


main()
