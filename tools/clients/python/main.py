"""One client of this language under load, as ../README.md says: its arguments, and the line that it prints.

- main.py: arguments; tasks or threads that call, and the window
- clients.py: the clients, each set up as its documentation recommends for throughput
"""

import argparse
import asyncio
import json
import os
import resource
import sys
import threading
import time

import clients

KEYS = 1024
BATCH = 100
VALUE_LENGTH = 64
# How long calls under way at the end may take.
PATIENCE = 30


class Board:
    """What callers tell, and are told."""

    def __init__(self):
        self.done = False
        self.measuring = False
        self.callers = []

    def calls(self):
        return sum(caller.calls for caller in self.callers)

    def look(self):
        """Calls so far, seconds on the clock, seconds of this process on a processor, user and system."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return self.calls(), time.perf_counter(), usage.ru_utime + usage.ru_stime


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
            self.fail(f"{length} bytes in place of {self.wanted}")
            return ended
        self.calls += 1
        if self.board.measuring:
            self.latencies.append(ended - began)
        return ended

    def fail(self, error):
        self.failed += 1
        self.first_failure = self.first_failure or repr(error)

    async def work(self, read, first):
        began = time.perf_counter()
        while not self.board.done:
            try:
                began = self.note(await read(self.target()), began)
            except Exception as error:
                self.fail(error)
                # A client that fails at once must not keep the event loop from everything else.
                await asyncio.sleep(0)
            if first is not None:
                first.set()
                first = None

    def work_in_thread(self, read, first):
        began = time.perf_counter()
        while not self.board.done:
            try:
                began = self.note(read(self.target()), began)
            except Exception as error:
                self.fail(error)
            first.set()


def keys_of(workload):
    """The keys, and how many of them one call reads."""
    if workload == "get64":
        return [f"key:{n:012}" for n in range(KEYS)], 1
    count = KEYS // BATCH * BATCH
    keys = [f"{{{n // BATCH:06}}}:{n:07}" for n in range(count)]
    return [keys[at : at + BATCH] for at in range(0, count, BATCH)], BATCH


async def with_tasks(client, options, board):
    await client.connect()
    read = getattr(client, options.workload)
    firsts = [asyncio.Event() for _ in board.callers]
    tasks = [asyncio.create_task(caller.work(read, first)) for caller, first in zip(board.callers, firsts)]
    for first in firsts:
        await first.wait()
    await asyncio.sleep(options.warm_up)
    board.measuring = True
    before = board.look()
    await asyncio.sleep(options.window)
    after = board.look()
    board.measuring = False
    board.done = True
    await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)
    return before, after


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
    board.measuring = True
    before = board.look()
    time.sleep(options.window)
    after = board.look()
    board.measuring = False
    board.done = True
    for thread in threads:
        thread.join(PATIENCE)
        if thread.is_alive():
            raise TimeoutError("a call did not end")
    return before, after


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

    board = Board()
    reads, size = keys_of(options.workload)
    board.callers = [Caller(board, reads, size, number) for number in range(options.callers)]
    client = clients.BY_NAME[options.client](options)
    if client.is_async:
        before, after = asyncio.run(with_tasks(client, options, board))
    else:
        before, after = with_threads(client, options, board)

    latencies = sorted(latency for caller in board.callers for latency in caller.latencies) or [0]
    failures = [caller.first_failure for caller in board.callers if caller.first_failure]
    line = {
        "version": client.version,
        "commands": (after[0] - before[0]) * size,
        "seconds": after[1] - before[1],
        "cpu_us": (after[2] - before[2]) * 1e6,
        "p50_us": latencies[len(latencies) // 2] * 1e6,
        "p99_us": latencies[len(latencies) * 99 // 100] * 1e6,
        "failed": sum(caller.failed for caller in board.callers),
        "first_failure": failures[0] if failures else None,
    }
    print(json.dumps(line), flush=True)
    # Threads of a client that still run are nobody's concern any more.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
