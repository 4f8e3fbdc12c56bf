#!/usr/bin/env python3
"""Write the client's command table from what servers say about their own commands.

Asks each server for COMMAND (flags, key specs, tips, subcommands) and COMMAND DOCS (group, since), merges the
answers and writes crates/client/src/command/table.rs. README.md beside this file has the how and the why.
Needs Python 3.9 and nothing else.
"""

import argparse
import contextlib
import difflib
import pathlib
import shlex
import socket
import subprocess
import sys
import tempfile
import time

TABLE = pathlib.Path(__file__).resolve().parents[2] / "crates/client/src/command/table.rs"

# The server's flags that the client acts on, with their one-letter names in the table.
FLAGS = {"readonly": "R", "write": "W", "blocking": "B", "pubsub": "P", "admin": "A"}

# Key rules that no key spec can express (the server calls them unknown, incomplete or of variable flags) and that
# have a rule of their own in spec.rs. Another command of that kind stops the generator: it needs a decision.
BY_HAND = {
    "GEORADIUS": "Several(&[First, GeoStore])",
    "GEORADIUSBYMEMBER": "Several(&[First, GeoStore])",
    "MIGRATE": "Migrate",
    "SORT": "Several(&[First, SortStore])",
    "SORT_RO": "First",  # what BY and GET read cannot be known by a client: it depends on the elements
}


class Connection:
    """A RESP2 connection that sends one command and waits for its reply."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=10)
        self.reader = self.socket.makefile("rb")

    def call(self, *words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            parts.append(b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()))
        self.socket.sendall(b"".join(parts))
        return self.reply()

    def reply(self):
        line = self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if int(rest) < 0 else self.reader.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return None if int(rest) < 0 else [self.reply() for _ in range(int(rest))]
        raise ValueError(f"the server answered {line!r}")

    def close(self):
        self.reader.close()
        self.socket.close()


@contextlib.contextmanager
def started(command):
    """Run a server on a free loopback port, in a directory of its own, for the length of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", directory, "--save", ""]
        process = subprocess.Popen(shlex.split(command) + options, stdout=subprocess.DEVNULL)
        try:
            yield opened("127.0.0.1", port, process)
        finally:
            process.terminate()
            process.wait()


def opened(host, port, process):
    deadline = time.monotonic() + 10
    while True:
        try:
            return Connection(host, port)
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{process.args[0]} does not listen on {host}:{port}") from None
            time.sleep(0.05)


def fields(flat):
    """A RESP2 map: [key, value, key, value, ...]."""
    return dict(zip(flat[::2], flat[1::2]))


class Server:
    """One server's name, version and commands."""

    def __init__(self, connection):
        about = dict(
            line.split(":", 1) for line in connection.call("INFO", "server").splitlines() if ":" in line
        )
        brand = about.get("server_name", "redis")
        self.version = about.get(f"{brand}_version") or about["redis_version"]
        self.name = f"{brand.capitalize()} {self.version}"
        if self.order() < (7,):
            raise SystemExit(f"{self.name} has no key specs; use version 7.0 or newer")
        docs = dict(documented(connection.call("COMMAND", "DOCS")))
        self.commands = {}
        for entry in flattened(connection.call("COMMAND")):
            name = entry[0].upper().replace("|", " ")
            self.commands[name] = row(name, entry, docs.get(name, {}))

    def order(self):
        return tuple(int(part) for part in self.version.split(".") if part.isdigit())


def flattened(entries):
    for entry in entries:
        yield entry
        yield from flattened(entry[9])


def documented(flat):
    for name, document in fields(flat).items():
        document = fields(document)
        yield name.upper().replace("|", " "), document
        yield from documented(document.get("subcommands", []))


def row(name, entry, document):
    """The table row of a command, as Rust: expression and comment."""
    flags = [letter for flag, letter in FLAGS.items() if flag in entry[2]] + (["C"] if entry[9] else [])
    expression = f'row("{name}", {" | ".join(flags) or "0"}, {key_rule(name, entry[8])})'
    tips = dict(tip.split(":", 1) for tip in entry[7] if ":" in tip)
    request, response = tips.get("request_policy"), tips.get("response_policy")
    if request or response:
        expression += f".fan({camel(request or 'single')}, Reply::{camel(response or 'default')})"
    return expression, ", ".join(document[key] for key in ("group", "since") if key in document)


def camel(policy):
    return "".join(word.capitalize() for word in policy.split("_"))


def key_rule(name, specs):
    if name in BY_HAND:
        return BY_HAND[name]
    ranges, others = [], []
    for spec in map(fields, specs):
        begin, find = fields(spec["begin_search"]), fields(spec["find_keys"])
        begin_spec, find_spec = fields(begin["spec"]), fields(find["spec"])
        shape = (begin["type"], find["type"])
        if "incomplete" in spec["flags"]:
            raise SystemExit(f"{name}: an incomplete key spec needs a rule in BY_HAND")
        if shape == ("index", "range") and not find_spec["limit"]:
            first, last = begin_spec["index"], find_spec["lastkey"]
            ranges.append((first, last if last < 0 else first + last, find_spec["keystep"]))
        elif shape == ("index", "keynum"):
            at = begin_spec["index"] + find_spec["keynumidx"]
            first = begin_spec["index"] + find_spec["firstkey"]
            others.append(f"numkeys({at}, {first}, {find_spec['keystep']})")
        elif shape == ("keyword", "range") and (find_spec["lastkey"], find_spec["keystep"]) == (-1, 1):
            if begin_spec["startfrom"] < 1:
                raise SystemExit(f"{name}: a search from the end needs a rule in BY_HAND")
            share = max(find_spec["limit"], 1)
            others.append(f'keyword("{begin_spec["keyword"]}", {begin_spec["startfrom"]}, {share})')
        else:
            raise SystemExit(f"{name}: the key spec {shape} needs a rule in BY_HAND")
    rules = [rust_range(*one) for one in joined(ranges)] + others
    if len(rules) > 1:
        return f"Several(&[{', '.join(rules)}])"
    return rules[0] if rules else "KeyRule::None"


def joined(ranges):
    """Neighbouring ranges as one: a destination at 1 and sources from 2 on are the keys from 1 on."""
    result = []
    for first, last, step in ranges:
        if result and step == 1 and result[-1][1:] == (first - 1, 1):
            result[-1] = (result[-1][0], last, 1)
        else:
            result.append((first, last, step))
    return result


def rust_range(first, last, step):
    return "First" if (first, last) == (1, 1) else f"range({first}, {last}, {step})"


def table(servers):
    """The text of table.rs. The newest server that knows a command describes it."""
    servers = sorted(servers, key=Server.order)
    merged = {}
    for server in servers:
        merged.update(server.commands)
    rows = sorted(merged.items())
    width = max(len(expression) for _, (expression, _) in rows if len(expression) < 72)
    lines = [
        f"//! The commands of {' and '.join(server.name for server in servers)}: {len(rows)}, sorted by name.",
        "//!",
        "//! Generated by tools/command-table/generate.py from the servers' own `COMMAND` and `COMMAND DOCS`: do not",
        "//! edit. What servers do not say (repeatable, affinity, timeouts) is added in `spec/`.",
        "",
        "use super::spec::KeyRule::{self, First, GeoStore, Migrate, Several, SortStore};",
        "use super::spec::RequestPolicy::{AllNodes, AllShards, MultiShard, Special};",
        "use super::spec::{Flags, ResponsePolicy as Reply, Spec, keyword, numkeys, range, row};",
        "",
        "const R: u16 = Flags::READONLY.bits();",
        "const W: u16 = Flags::WRITE.bits();",
        "const B: u16 = Flags::BLOCKING.bits();",
        "const P: u16 = Flags::PUBSUB.bits();",
        "const A: u16 = Flags::ADMIN.bits();",
        "const C: u16 = Flags::CONTAINER.bits();",
        "",
        "/// Each command's row, followed by its group and the version that it came with.",
        "#[rustfmt::skip]",
        "pub(super) const COMMANDS: &[Spec] = &[",
    ]
    for _, (expression, comment) in rows:
        lines.append(f"    {expression + ',':<{width + 1}} // {comment}".rstrip(" /"))
    return "\n".join(lines + ["];", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", action="append", default=[], metavar="COMMAND", help="a server to start (repeatable)")
    parser.add_argument("--host", default="127.0.0.1", help="address of a running server")
    parser.add_argument("--port", type=int, action="append", default=[], help="port of a running server (repeatable)")
    parser.add_argument("--check", action="store_true", help="only compare with the file; fails when it differs")
    parser.add_argument("--output", type=pathlib.Path, default=TABLE)
    options = parser.parse_args()
    servers = []
    for command in options.server:
        with started(command) as connection, contextlib.closing(connection):
            servers.append(Server(connection))
    for port in options.port:
        with contextlib.closing(Connection(options.host, port)) as connection:
            servers.append(Server(connection))
    if not servers:
        parser.error("name at least one --server or --port")
    text = table(servers)
    if not options.check:
        options.output.write_text(text)
        return
    present = options.output.read_text() if options.output.exists() else ""
    if text != present:
        sys.stderr.writelines(
            difflib.unified_diff(present.splitlines(True), text.splitlines(True), "table.rs", "servers", n=0)
        )
        raise SystemExit(f"{options.output} differs from what the servers say")


if __name__ == "__main__":
    main()
