"""One client of this language under load, as ../README.md says: its arguments, and the line that it prints.

- main.py: arguments; tasks or threads that call, and the window
- clients.py: the clients, each set up as its documentation recommends for throughput
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import threading
import time
from typing import NamedTuple

import clients

KEYS = 1024
BATCH = 100
BATCHES = 12
# The number of the first batch: twelve from here on spread evenly over three shards.
FIRST_BATCH = 18
VALUE_LENGTH = 64
# How long calls under way at the end may take.
PATIENCE = 30


class Look(NamedTuple):
    """Calls so far, seconds on the clock, seconds of this process on a processor, user and system."""

    calls: int
    clock: float
    processor: float


class Board:
    """What callers tell, and are told."""

    def __init__(self, client):
        self.client = client
        self.done = False
        self.measuring = False
        self.callers = []

    def calls(self):
        return sum(caller.calls for caller in self.callers)

    def look(self):
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return Look(self.calls(), time.perf_counter(), usage.ru_utime + usage.ru_stime)

    def begin(self):
        """Opens the window."""
        self.connections = self.client.connections()
        self.measuring = True
        self.before = self.look()

    def end(self):
        """Closes the window and tells the callers to end."""
        self.after = self.look()
        self.measuring = False
        self.done = True
        if self.connections is not None:
            self.connections = max(self.client.connections() - self.connections, 0)

    def line(self, size):
        """The line that is printed; `size` is the commands of a call."""
        before, after = self.before, self.after
        latencies = sorted(latency for caller in self.callers for latency in caller.latencies) or [0]
        failures = [caller.first_failure for caller in self.callers if caller.first_failure]
        return {
            "version": self.client.version,
            "runtime": f"python {platform.python_version()}",
            "commands": (after.calls - before.calls) * size,
            "seconds": after.clock - before.clock,
            "cpu_us": (after.processor - before.processor) * 1e6,
            "p50_us": latencies[len(latencies) // 2] * 1e6,
            "p99_us": latencies[len(latencies) * 99 // 100] * 1e6,
            # A list takes any number of latencies.
            "missed": 0,
            "connections_opened": self.connections,
            "failed": sum(caller.failed for caller in self.callers),
            "first_failure": failures[0] if failures else None,
        }


class Caller:
    """One caller. Strides visit all keys in an order without a pattern."""

    def __init__(self, board, reads, size, number):
        self.board = board
        self.reads = reads
        self.wanted = VALUE_LENGTH * size
        self.next = number * 7 % len(reads)
        self.calls = 0
        self.failed = 0
        self.first_failure = None
        self.latencies = []

    def target(self):
        self.next = (self.next + 617) % len(self.reads)
        return self.reads[self.next]

    def note(self, length, began):
        """A call came back; when the next one begins."""
        ended = time.perf_counter()
        if length != self.wanted:
            return self.fail(f"{length} bytes in place of {self.wanted}")
        self.calls += 1
        if self.board.measuring:
            self.latencies.append(ended - began)
        return ended

    def fail(self, error):
        """A call failed; when the next one begins."""
        self.failed += 1
        self.first_failure = self.first_failure or repr(error)
        return time.perf_counter()

    async def work(self, read, first):
        began = time.perf_counter()
        while not self.board.done:
            try:
                began = self.note(await read(self.target()), began)
            except Exception as error:
                # A client that fails at once must not keep the event loop from everything else.
                await asyncio.sleep(0)
                began = self.fail(error)
            if first is not None:
                first.set()
                first = None

    def work_in_thread(self, read, first):
        began = time.perf_counter()
        while not self.board.done:
            try:
                began = self.note(read(self.target()), began)
            except Exception as error:
                began = self.fail(error)
            first.set()


def keys_of(workload):
    """The keys, and how many of them one call reads."""
    if workload == "get64":
        return [f"key:{n:012}" for n in range(KEYS)], 1
    tags = [f"{{{number:06}}}" for number in range(FIRST_BATCH, FIRST_BATCH + BATCHES)]
    return [[f"{tag}:{at * BATCH + n:07}" for n in range(BATCH)] for at, tag in enumerate(tags)], BATCH


async def with_tasks(client, options, board):
    await client.connect()
    read = getattr(client, options.workload)
    firsts = [asyncio.Event() for _ in board.callers]
    tasks = [asyncio.create_task(caller.work(read, first)) for caller, first in zip(board.callers, firsts)]
    for first in firsts:
        await first.wait()
    await asyncio.sleep(options.warm_up)
    board.begin()
    await asyncio.sleep(options.window)
    board.end()
    _, stuck = await asyncio.wait(tasks, timeout=PATIENCE)
    if stuck:
        raise TimeoutError("a call did not end")


def with_threads(client, options, board):
    read = getattr(client, options.workload)
    firsts = [threading.Event() for _ in board.callers]
    threads = [
        threading.Thread(target=caller.work_in_thread, args=(read, first), daemon=True)
        for caller, first in zip(board.callers, firsts)
    ]
    for thread in threads:
        thread.start()
    for first in firsts:
        first.wait()
    time.sleep(options.warm_up)
    board.begin()
    time.sleep(options.window)
    board.end()
    for thread in threads:
        thread.join(PATIENCE)
        if thread.is_alive():
            raise TimeoutError("a call did not end")


def end_with_parent():
    """The parent holds the other end of standard input; it is gone when this ends."""
    while os.read(0, 4096):
        pass
    os._exit(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--client", choices=clients.BY_NAME, required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca")
    parser.add_argument("--workload", choices=["get64", "mget100", "pipeline100"], required=True)
    parser.add_argument("--callers", type=int, required=True)
    parser.add_argument("--warm-up", type=float, required=True)
    parser.add_argument("--window", type=float, required=True)
    options = parser.parse_args()
    threading.Thread(target=end_with_parent, daemon=True).start()

    client = clients.BY_NAME[options.client](options)
    board = Board(client)
    reads, size = keys_of(options.workload)
    board.callers = [Caller(board, reads, size, number) for number in range(options.callers)]
    if client.is_async:
        asyncio.run(with_tasks(client, options, board))
    else:
        with_threads(client, options, board)
    print(json.dumps(board.line(size)), flush=True)
    # Threads of a client that still run are nobody's concern any more.
    os._exit(0)


if __name__ == "__main__":
    main()
