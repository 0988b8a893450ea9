#!/usr/bin/env python3
"""A program in Python that does what it is told; see writer.mjs.

It keeps to PIPE_FORMAT.md with nothing of statvent: it says who it is, shows
that it lives, sends gauges, windows and histograms, keeps a checkpoint, and
leaves its last values when it ends in an orderly way.

    writer.py SLOT HANDLER
"""

import json
import os
import signal
import sys
import threading
import time
import uuid
import zlib

slot, handler = sys.argv[1], sys.argv[2]
directory = os.environ["STATVENT_PIPE_DIR"]
start = time.time()
# Who this process is: set by `begin`.
identity = base = path = spare = ""
sign = -1
number = 0

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


def snapshot(final=False, is_file=False):
    """Returns the number of the snapshot, and its bytes."""
    global number
    with lock:
        number += 1
        text = f"chaos.all: {counted}\nchaos.own.{slot}: {counted}\n"
        more = ',"final":true' if final else ""
        notes = (f'# process {{"id":"{identity}","start":{start:.3f},'
                 f'"name":"writer.py"{more}}}: 0\n')
        if gauge is not None:
            text += f"chaos.gauge.{slot}: {gauge}\n"
            notes += f'# gauge ["chaos.gauge.{slot}"]: 1\n'
        if recorded:
            for name in "chaos.took.%s", f"chaos.took.{slot}.%s":
                shown, more = recorded_lines(name)
                text += shown
                notes += more
        text += f"{notes}# seq: {number}\n"
        if is_file:
            sum_ = zlib.crc32(text.encode())
            text += f'# crc32 ["{sum_:08x}"]: {len(text)}\n'
        return number, f"{text}# EOF: {len(text)}\n".encode()


def remove(name):
    try:
        os.unlink(name)
    except FileNotFoundError:
        pass


def lives(name):
    try:
        os.close(os.open(name, os.O_WRONLY | os.O_NONBLOCK))
        return True
    except OSError:
        return False


def begin():
    """Takes an identity and a base, and shows that this process lives."""
    global identity, base, path, spare, sign
    identity = os.urandom(16).hex()
    base = str(os.getpid())
    new = f"{directory}/.{base}.{identity}.{os.urandom(8).hex()}.new"
    os.mkfifo(new, 0o644)
    sign = os.open(new, os.O_RDWR | os.O_NONBLOCK)
    alive = f"{directory}/.{base}.{identity}.alive"
    os.rename(new, alive)
    for name in os.listdir(directory):
        other = f"{directory}/{name}"
        if (name.startswith(f".{base}.") and name.endswith(".alive")
                and other != alive and lives(other)):
            base += f"-{identity[:8]}"
            os.rename(alive, f"{directory}/.{base}.{identity}.alive")
            break
    path = f"{directory}/{base}.stats"
    spare = f"{directory}/.{base}.{identity}.{os.urandom(8).hex()}.fifo"
    renew()


def keep():
    """Writes a checkpoint once a second."""
    file = os.open(f"{directory}/.{base}.{identity}.checkpoint",
                   os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    room = 16384
    os.pwrite(file, f"statvent checkpoint 1 {room}\n".encode(), 0)
    slot_ = 0
    while True:
        with renewing:
            if ended:
                return
            seq, data = snapshot()
            head = f"{seq} {len(data)} {zlib.crc32(data):08x}".ljust(63) + "\n"
            os.pwrite(file, head.encode() + data, 4096 + slot_ * room)
        slot_ = 1 - slot_
        time.sleep(1)


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
            os.write(fd, snapshot()[1])
        except BrokenPipeError:
            pass
        finally:
            os.close(fd)


def leave():
    """Leaves the last values, and no pipe."""
    global ended
    with renewing:
        ended = True
        new = f"{directory}/.ended.{identity}.{uuid.uuid4()}.new"
        seq, data = snapshot(final=True, is_file=True)
        with open(new, "wb") as file:
            file.write(data)
        os.rename(new, f"{directory}/.ended.{identity}.{seq}")
        remove(path)
        remove(spare)
        remove(f"{directory}/.{base}.{identity}.checkpoint")
        remove(f"{directory}/.{base}.{identity}.alive")


def end(*_):
    leave()
    os._exit(0)


def offer():
    """Begins to be read, and to keep what it counts."""
    begin()
    for target in serve, keep:
        threading.Thread(target=target, daemon=True).start()


def main():
    global counted, gauge, last
    os.makedirs(directory, exist_ok=True)
    offer()
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
                sys.executable, __file__, args[0], handler])
        elif command == "end":
            break
        print(f"ok {number}", flush=True)
    end()


if __name__ == "__main__":
    main()
