"""Processes that count with prometheus_client in its multiprocess mode.

multiprocess_peer.py PROCESSES STATS DIRECTORY prints a line when all have
counted, and answers each line of its input when it has read them all.
"""

import os
import signal
import sys

processes, stats, directory = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory

from prometheus_client import CollectorRegistry, Counter, generate_latest  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector  # noqa: E402

children = []
for _ in range(processes):
    done, tell = os.pipe()
    child = os.fork()
    if child == 0:
        for i in range(stats):
            Counter("http_requests_%d" % i, "Requests").inc(i)
        os.write(tell, b".")
        signal.pause()
    children.append(child)
    os.read(done, 1)
    os.close(done)
    os.close(tell)
print("counted", flush=True)

for _ in sys.stdin:
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    print(len(generate_latest(registry)), flush=True)

for child in children:
    os.kill(child, signal.SIGKILL)
