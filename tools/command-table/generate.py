#!/usr/bin/env python3
"""Write the client's command table from what servers and documents say about commands.

Asks each server for COMMAND (flags, key specs, tips, subcommands) and COMMAND DOCS (group, since), reads documents.json
for what no server at hand has, merges all of it and writes crates/client/src/command/table.rs. If two of them disagree
about a command, it stops until somebody has decided. README.md beside this file has the how and the why.
Needs Python 3.9 and nothing else.
"""

import argparse
import contextlib
import datetime
import difflib
import json
import pathlib
import shlex
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE.parents[1] / "crates/client/src/command/table.rs"
DOCUMENTS = HERE / "documents.json"

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
    # Redis 8.0.2 calls these incomplete, as an option's operand may be STREAMS; no option takes such an operand.
    "XREAD": 'keyword("STREAMS", 1, 2)',
    "XREADGROUP": 'keyword("STREAMS", 4, 2)',
}

# Commands that are described differently, and whose description counts. Any other difference stops the generator.
DECIDED = {
    # Redis 7.0 has no request policy for these. They concern every node there too.
    "ACL DELUSER": "redis 8.0",
    "ACL SAVE": "redis 8.0",
    "ACL SETUSER": "redis 8.0",
    "CLIENT SETNAME": "redis 8.0",
    "CONFIG RESETSTAT": "redis 8.0",
    "CONFIG REWRITE": "redis 8.0",
    # Its reply is a count, which 7.0 forgot to sum.
    "LATENCY RESET": "redis 8.0",
    # 7.0 splits it over shards. Then some keys could be set although others exist.
    "MSETNX": "redis 8.0",
    # 7.0 leaves open how replies become one. Joined as they are, they would be no reply to the command.
    "RANDOMKEY": "redis 8.0",
    "SCAN": "redis 8.0",
    # It blocks in 7.0 too, without the flag.
    "WAIT": "redis 8.0",
    # Each node has its own hot keys, which Valkey does not mention.
    "HOTKEYS GET": "redis 8.6",
    "HOTKEYS RESET": "redis 8.6",
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


def order(version):
    return tuple(int(part) for part in version.split(".") if part.isdigit())


class Source:
    """A server or a document: whose commands it describes, in which version, and how.

    A command's facts are those of documents.json: group, since, arity, flags, keys, request, response.
    """

    def __init__(self, brand, version, commands, origin=None):
        self.brand, self.version, self.commands = brand, version, commands
        self.origin = origin  # of a document: where it is from, and when it was read
        self.name = f"{brand} {version}"
        containers = {name.rpartition(" ")[0] for name in commands}
        self.rows = {name: row(name, facts, name in containers) for name, facts in commands.items()}


def documents(path):
    for one in json.loads(path.read_text())["documents"]:
        yield Source(one["server"], one["version"], one["commands"], f"{one['source']}, {one['date']}")


def asked(connection):
    """The source that a running server is."""
    about = dict(line.split(":", 1) for line in connection.call("INFO", "server").splitlines() if ":" in line)
    brand = about.get("server_name", "redis")
    version = about.get(f"{brand}_version") or about["redis_version"]
    if order(version) < (7,):
        raise SystemExit(f"{brand} {version} has no key specs; use version 7.0 or newer")
    docs = dict(documented(connection.call("COMMAND", "DOCS")))
    commands = {}
    for entry in flattened(connection.call("COMMAND")):
        name = entry[0].upper().replace("|", " ")
        commands[name] = stated(entry, docs.get(name, {}))
    return Source(brand, version, commands)


def flattened(entries):
    for entry in entries:
        yield entry
        yield from flattened(entry[9])


def documented(flat):
    for name, document in fields(flat).items():
        document = fields(document)
        yield name.upper().replace("|", " "), document
        yield from documented(document.get("subcommands", []))


def stated(entry, document):
    """The facts in a command's entries of COMMAND and COMMAND DOCS."""
    tips = dict(tip.split(":", 1) for tip in entry[7] if ":" in tip)
    facts = {
        "group": document.get("module") or document.get("group"),
        "since": document.get("since"),
        "arity": entry[1],
        "flags": [flag for flag in FLAGS if flag in entry[2]],
        "keys": [stated_keys(fields(spec)) for spec in entry[8]],
        "request": tips.get("request_policy"),
        "response": tips.get("response_policy"),
    }
    return {name: fact for name, fact in facts.items() if fact}


def stated_keys(spec):
    """A key specification in short: where the search begins and how keys are found from there."""
    begin, find = fields(spec["begin_search"]), fields(spec["find_keys"])
    start, found = list(fields(begin["spec"]).values()), list(fields(find["spec"]).values())
    keys = {begin["type"]: start[0] if len(start) == 1 else start}
    if (find["type"], found) != ("range", [0, 1, 0]):
        keys[find["type"]] = found
    return {**keys, "incomplete": True} if "incomplete" in spec["flags"] else keys


def row(name, facts, is_container):
    """The table row of a command, as Rust."""
    flags = [letter for flag, letter in FLAGS.items() if flag in facts.get("flags", [])] + ["C"] * is_container
    expression = f'row("{name}", {" | ".join(flags) or "0"}, {key_rule(name, facts.get("keys", []))})'
    request, response = facts.get("request"), facts.get("response")
    if request or response:
        expression += f".fan({camel(request or 'single')}, Reply::{camel(response or 'default')})"
    return expression


def camel(policy):
    return "".join(word.capitalize() for word in policy.split("_"))


def key_rule(name, specs):
    if name in BY_HAND:
        return BY_HAND[name]
    ranges, others = [], []
    for spec in specs:
        if "incomplete" in spec:
            raise SystemExit(f"{name}: an incomplete key spec needs a rule in BY_HAND")
        last, step, limit = spec.get("range", [0, 1, 0])
        if "index" in spec and "keynum" in spec:
            at, first, step = spec["keynum"]
            others.append(f"numkeys({spec['index'] + at}, {spec['index'] + first}, {step})")
        elif "index" in spec and not limit:
            ranges.append((spec["index"], last if last < 0 else spec["index"] + last, step))
        elif "keyword" in spec and (last, step) == (-1, 1):
            word, start = spec["keyword"]
            if start < 1:
                raise SystemExit(f"{name}: a search from the end needs a rule in BY_HAND")
            others.append(f'keyword("{word}", {start}, {max(limit, 1)})')
        else:
            raise SystemExit(f"{name}: the key spec {spec} needs a rule in BY_HAND")
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


def merged(sources):
    """Name, row and comment of every command. Stops at descriptions that differ, unless it is decided which counts."""
    disputed = []
    for name in sorted(set().union(*(source.rows for source in sources))):
        knowing = [source for source in sources if name in source.rows]
        chosen = knowing[-1]
        if len({source.rows[name] for source in knowing}) > 1:
            decision = DECIDED.get(name, "nothing")
            chosen = next((source for source in knowing if source.name.startswith(f"{decision}.")), None)
            if not chosen:
                sides = (f"\n    {source.name}: {source.rows[name]}" for source in knowing)
                disputed.append(f"{name}: decided is {decision}, and they say{''.join(sides)}")
                continue
        yield name, chosen.rows[name], comment(name, knowing)
    if disputed:
        raise SystemExit("\n".join(disputed + ["Write into DECIDED whose description counts, and why."]))


def comment(name, knowing):
    """The group, and the version that brought the command: one if Redis and Valkey agree, else each one's own."""
    brought = {}
    for brand in ("redis", "valkey"):
        own = [source for source in knowing if source.brand == brand]
        stated = [source.commands[name]["since"] for source in own if "since" in source.commands[name]]
        if own:
            # A module's own claim may be later than a server that has it.
            since = min(stated[-1:] + [source.version for source in own], key=order)
            brought[brand + (" docs" if all(source.origin for source in own) else "")] = since
    versions = set(brought.values())
    if len(brought) == 2 and len(versions) == 1:
        return f"{knowing[-1].commands[name]['group']}, {versions.pop()}"
    return ", ".join([knowing[-1].commands[name]["group"]] + [" ".join(one) for one in brought.items()])


def table(sources):
    """The text of table.rs."""
    sources = sorted(sources, key=lambda source: order(source.version))
    rows = list(merged(sources))
    width = max(len(expression) for _, expression, _ in rows if len(expression) < 72)
    servers = [source.name.capitalize() for source in sources if not source.origin]
    lines = [
        f"//! {len(rows)} commands, sorted by name: those of {', '.join(servers)},",
        "//! and of documents about servers that are not at hand:",
        *(f"//! - {source.name.capitalize()}: {source.origin}" for source in sources if source.origin),
        "//!",
        "//! Generated by tools/command-table/generate.py from the servers' own `COMMAND` and `COMMAND DOCS` and from",
        "//! documents.json beside it: do not edit. What none of them says (repeatable, affinity, timeouts) is added in",
        "//! `spec/`.",
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
        "/// Each command's row, followed by its group and the version that it came with, for each server if Redis and Valkey",
        "/// differ in that. `docs`: only documents describe it.",
        "#[rustfmt::skip]",
        "pub(super) const COMMANDS: &[Spec] = &[",
    ]
    for _, expression, remark in rows:
        lines.append(f"    {expression + ',':<{width + 1}} // {remark}")
    return "\n".join(lines + ["];", ""])


def record(server, others):
    """This server's part of documents.json: the commands that no other source of its kind describes completely."""
    known = [source.commands for source in others if source.brand == server.brand]
    lines = [
        f"      {json.dumps(name)}: {json.dumps(facts)}"
        for name, facts in sorted(server.commands.items())
        if not any("since" in commands.get(name, {}) for commands in known)
    ]
    about = {"server": server.brand, "version": server.version, "source": "...", "date": str(datetime.date.today())}
    head = ",\n".join(f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in about.items())
    return "  {\n" + head + ',\n    "commands": {\n' + ",\n".join(lines) + "\n    }\n  }"


def started_source(command):
    with started(command) as connection, contextlib.closing(connection):
        return asked(connection)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", action="append", default=[], metavar="COMMAND", help="a server to start (repeatable)")
    parser.add_argument("--host", default="127.0.0.1", help="address of a running server")
    parser.add_argument("--port", type=int, action="append", default=[], help="port of a running server (repeatable)")
    parser.add_argument("--documents", type=pathlib.Path, default=DOCUMENTS)
    parser.add_argument("--record", metavar="COMMAND", help="a server to start; prints what it adds, for documents.json")
    parser.add_argument("--check", action="store_true", help="only compare with the file; fails when it differs")
    parser.add_argument("--output", type=pathlib.Path, default=TABLE)
    options = parser.parse_args()
    sources = [started_source(command) for command in options.server]
    for port in options.port:
        with contextlib.closing(Connection(options.host, port)) as connection:
            sources.append(asked(connection))
    if not sources:
        parser.error("name at least one --server or --port")
    if options.record:
        print(record(started_source(options.record), sources))
        return
    text = table([*sources, *documents(options.documents)])
    if not options.check:
        options.output.write_text(text)
        return
    present = options.output.read_text() if options.output.exists() else ""
    if text != present:
        sys.stderr.writelines(
            difflib.unified_diff(present.splitlines(True), text.splitlines(True), "table.rs", "servers", n=0)
        )
        raise SystemExit(f"{options.output} differs from what the servers and documents say")


if __name__ == "__main__":
    main()
