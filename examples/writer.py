#!/usr/bin/env python3
"""Counts the lines and bytes of its standard input and offers both on a named
pipe while it runs, in the format of PIPE_FORMAT.md.

    tail -f some.log | python3 examples/writer.py
    cat /tmp/stats-pipe/*.stats             # in another terminal

STATVENT_PIPE_DIR names another directory. As a module: call start() once, and
incr() whenever there is something to count. A forked child counts for itself:
it calls start() again, or shows nothing.
"""

import atexit
import math
import os
import re
import secrets
import select
import signal
import sys
import threading
import time

# The longest time that a reader may take, in seconds.
PATIENCE = 1.0

# Matches invalid names: those with a line break or the start of an annotation.
_BAD_NAME = re.compile("[\n\v\f\r\x85\u2028\u2029]|^# ")

_counting = threading.Lock()
_stats = {}

_creating = threading.Lock()
_ended = False

# 128 random bits that tell this process from all others, and the open file that
# shows that it lives.
_id = ""
_started = 0.0
_sign = None
_seq = 0


def incr(name, value=1):
    """Adds to a stat. A stat that was ever given a float stays a float."""
    if _BAD_NAME.search(name):
        raise ValueError(f"Cannot name a stat: {name!r}")
    name.encode()  # Raises an error for half a surrogate pair.
    with _counting:
        total = _stats.get(name, 0) + value
        if not math.isfinite(total):
            raise ValueError(f"Cannot add to {name!r}: {value!r}")
        _stats[name] = total


def snapshot():
    """Returns all stats as the bytes that a reader gets."""
    global _seq
    with _counting:
        lines = [f"{name}: {value!r}\n" for name, value in _stats.items()]
        _seq += 1
        process = f'{{"id":"{_id}","start":{_started:.3f}}}'
        # Nobody measures whether the main thread responds: -1.
        lines += f"# process {process}: -1\n", f"# seq: {_seq}\n"
    text = "".join(lines).encode()
    # The last line tells a reader that the snapshot is whole and nobody else's.
    # Without these lines that begin with # the format is that of statvent 1.0.
    end = f"# EOF: {len(text)}\n"
    return text + end.encode()


def start(directory=None):
    """Serves the stats of this process, in a thread, until it ends."""
    global _id, _started, _ended
    _id, _started, _ended = secrets.token_hex(16), time.time(), False
    directory = (directory or os.environ.get("STATVENT_PIPE_DIR") or
                 "/tmp/stats-pipe")
    os.makedirs(directory, exist_ok=True)
    # Readers ignore names that begin with a dot.
    base = _show_life(directory)
    own = os.path.join(directory, f".{base}.{_id}.")
    path = os.path.join(directory, f"{base}.stats")
    spare = own + "next.fifo"
    atexit.register(_end, os.getpid(), path, spare, own + "alive")
    _renew(path, spare)
    threading.Thread(target=_serve, args=(path, spare), daemon=True).start()


def _show_life(directory):
    """Opens a pipe that the kernel closes when this process dies, and returns
    the name of the process's pipe without `.stats`."""
    global _sign
    pid = str(os.getpid())
    name = os.environ.get("STATVENT_INSTANCE")
    base = f"{pid}-{name}" if name else pid
    if _is_taken(directory, base):
        base = f"{pid}-{_id[:8]}"
    new = os.path.join(directory, f".{base}.{_id}.sign.new")
    os.mkfifo(new, 0o644)
    _sign = os.open(new, os.O_RDWR | os.O_NONBLOCK)  # Closed by exec, too.
    os.rename(new, os.path.join(directory, f".{base}.{_id}.alive"))
    return base


def _is_taken(directory, base):
    """Whether a process that lives, in another container, has the name."""
    for name in os.listdir(directory):
        if not re.fullmatch(rf"\.{re.escape(base)}\.[0-9a-f]{{32}}\.alive", name):
            continue
        try:
            os.close(os.open(os.path.join(directory, name),
                             os.O_WRONLY | os.O_NONBLOCK))
            return True
        except OSError:
            pass  # Nobody holds it open any more.
    return False


def _forget():
    """Makes a forked child another process, which has counted nothing yet."""
    global _sign, _counting, _creating, _seq
    if _sign is not None:
        os.close(_sign)
    # Another thread of the parent may have held the locks.
    _sign, _counting, _creating = None, threading.Lock(), threading.Lock()
    _stats.clear()
    _seq = 0


os.register_at_fork(after_in_child=_forget)


def _serve(path, spare):
    while True:
        # Opening blocks until a reader comes. Other threads go on meanwhile.
        try:
            fd = os.open(path, os.O_WRONLY)
        except FileNotFoundError:
            return  # The program ends, or somebody has removed the pipe.
        try:
            # The next reader gets a pipe of its own.
            _renew(path, spare)
            _write(fd, snapshot())
        except BrokenPipeError:
            pass  # The reader has left early, which is its right.
        finally:
            os.close(fd)


def _renew(path, spare):
    """Replaces the old pipe by a new one, atomically."""
    with _creating:
        if not _ended:
            os.mkfifo(spare, 0o644)
            os.rename(spare, path)


def _write(fd, data):
    """Writes all bytes, unless the reader takes too long."""
    data = memoryview(data)
    os.set_blocking(fd, False)
    room = select.poll()
    room.register(fd, select.POLLOUT)
    deadline = time.monotonic() + PATIENCE
    while data:
        left = deadline - time.monotonic()
        if left < 0 or not room.poll(left * 1000):
            return
        data = data[os.write(fd, data):]


def _end(pid, path, spare, alive):
    global _ended
    if pid != os.getpid():
        return  # The files are those of the parent.
    with _creating:
        _ended = True
        _remove(path)
        _remove(spare)
        _remove(alive)


def _remove(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def main():
    signals = signal.SIGHUP, signal.SIGINT, signal.SIGTERM
    for number in signals:
        # A process that a signal kills runs no atexit and would leave its pipe.
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    for name in "input.lines", "input.bytes":
        incr(name, 0)
    incr("input.kibibytes", 0.0)
    start()
    for line in sys.stdin.buffer:
        incr("input.lines")
        incr("input.bytes", len(line))
        incr("input.kibibytes", len(line) / 1024)
    for number in signals:
        signal.signal(number, signal.SIG_IGN)  # It ends anyway.


if __name__ == "__main__":
    main()
