// One client of this language under load, as ../README.md says: its arguments, and the line that it prints.
//
// - main.js: arguments, the callers and the window
// - clients.js: the clients, each set up as its documentation recommends for throughput

import { readdirSync, readFileSync, rmSync } from "node:fs";
import { parseArgs } from "node:util";

import { clients } from "./clients.js";

const KEYS = 1024;
const BATCH = 100;
const BATCHES = 12;
/** The number of the first batch: twelve from here on spread evenly over three shards. */
const FIRST_BATCH = 18;
const VALUE_LENGTH = 64;
/** How many latencies all callers together keep. */
const LATENCIES = 4_000_000;
/** How long calls under way at the end may take, in milliseconds. */
const PATIENCE = 30_000;

/** What the callers tell, and are told. */
const board = { done: false, measuring: false, calls: 0, failed: 0, firstFailure: null };
/** In steps of 0.1 µs. */
const latencies = new Uint32Array(LATENCIES);
let latencyCount = 0;
let missed = 0;

function keep(latency) {
  if (latencyCount < LATENCIES) latencies[latencyCount++] = latency * 10_000;
  else missed += 1;
}

/** What the calls read, and how many keys each. */
function readsOf(workload) {
  const digits = (number, count) => String(number).padStart(count, "0");
  if (workload === "get64") return [Array.from({ length: KEYS }, (_, n) => `key:${digits(n, 12)}`), 1];
  const key = (batch, n) => `{${digits(FIRST_BATCH + batch, 6)}}:${digits(batch * BATCH + n, 7)}`;
  const keys = (_, batch) => Array.from({ length: BATCH }, (_, n) => key(batch, n));
  return [Array.from({ length: BATCHES }, keys), BATCH];
}

/** One caller. Strides visit all keys in an order without a pattern. */
async function work(read, reads, size, number, report) {
  let next = (number * 7) % reads.length;
  let began = performance.now();
  while (!board.done) {
    try {
      const length = await read(reads[next]);
      if (length !== VALUE_LENGTH * size) throw new Error(`${length} bytes in place of ${VALUE_LENGTH * size}`);
      board.calls += 1;
      const ended = performance.now();
      if (board.measuring) keep(ended - began);
      began = ended;
    } catch (error) {
      board.failed += 1;
      board.firstFailure ??= String(error);
      // A client that fails at once must not keep the event loop from everything else.
      await new Promise(setImmediate);
      began = performance.now();
    }
    next = (next + 617) % reads.length;
    report?.();
    report = undefined;
  }
}

const sleep = (seconds) => new Promise((wake) => setTimeout(wake, seconds * 1000));

/** Calls so far, microseconds on the clock, microseconds of this process on a processor, user and system. */
function look() {
  const { user, system } = process.cpuUsage();
  return { calls: board.calls, clock: performance.now() * 1000, cpu: user + system };
}

/** glide leaves the socket behind that its two halves talk over. */
function removeSockets() {
  const isOurs = (name) => name.startsWith(`glide-socket-${process.pid}-`);
  for (const name of readdirSync("/tmp").filter(isOurs)) rmSync(`/tmp/${name}`, { force: true, recursive: true });
}

async function main() {
  process.on("exit", removeSockets);
  const { values: options } = parseArgs({
    options: Object.fromEntries(
      ["client", "host", "port", "ca", "workload", "callers", "warm-up", "window"].map((name) => [name, { type: "string" }]),
    ),
  });
  // The parent holds the other end of standard input; it is gone when this ends.
  process.stdin.on("end", () => process.exit(1)).resume();
  const connect = clients[options.client];
  if (!connect) throw new Error(`there is no client ${options.client}`);
  const ca = options.ca ? readFileSync(options.ca) : undefined;
  const callers = Number(options.callers);
  const client = await connect({ host: options.host, port: Number(options.port), ca, callers });
  const [reads, size] = readsOf(options.workload);
  const read = { get64: client.get, mget100: client.getMany, pipeline100: client.pipeline }[options.workload];
  if (!read) throw new Error(`there is no workload ${options.workload}`);

  const all = [];
  const first = [];
  for (let number = 0; number < callers; number++) {
    first.push(new Promise((report) => all.push(work(read, reads, size, number, report))));
  }
  await Promise.all(first);
  await sleep(Number(options["warm-up"]));
  board.measuring = true;
  const before = look();
  await sleep(Number(options.window));
  const after = look();
  board.measuring = false;
  board.done = true;
  const stuck = setTimeout(() => {
    console.error("a call did not end");
    process.exit(1);
  }, PATIENCE);
  await Promise.all(all);
  clearTimeout(stuck);

  const sorted = latencies.subarray(0, latencyCount).sort();
  const at = (share) => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0) / 10;
  const line = JSON.stringify({
    version: client.version,
    runtime: `node ${process.versions.node}`,
    commands: (after.calls - before.calls) * size,
    seconds: (after.clock - before.clock) / 1e6,
    cpu_us: after.cpu - before.cpu,
    p50_us: at(0.5),
    p99_us: at(0.99),
    missed,
    connections_opened: null,
    failed: board.failed,
    first_failure: board.firstFailure,
  });
  process.stdout.write(`${line}\n`, () => process.exit(0));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
