// The clients, each with the calls that ../README.md names. They return the length of what was read.

import { readFileSync } from "node:fs";

import { ClusterBatch, GlideClusterClient } from "@valkey/valkey-glide";
import { Cluster } from "ioredis";
import { createCluster } from "redis";

/** The version of an installed package. */
function version(name) {
  return JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;
}

/** The length of all values; `undefined` where one is missing, which is no length that anybody expects. */
function total(values) {
  let length = 0;
  for (const value of values) length += value?.length;
  return length;
}

/**
 * One pipeline per node and turn of the event loop is ioredis's own recommendation for throughput, and off by
 * default, so both are here: https://github.com/redis/ioredis#autopipelining
 */
async function ioredis({ host, port, ca }, enableAutoPipelining) {
  const cluster = new Cluster([{ host, port }], {
    enableAutoPipelining,
    redisOptions: ca ? { tls: { ca } } : {},
  });
  await new Promise((resolve, reject) => cluster.once("ready", resolve).once("error", reject));
  return {
    version: version("ioredis"),
    get: async (key) => (await cluster.get(key))?.length,
    getMany: async (keys) => total(await cluster.mget(keys)),
    pipeline: async (keys) => {
      const pipeline = cluster.pipeline();
      for (const key of keys) pipeline.get(key);
      let length = 0;
      for (const [error, value] of await pipeline.exec()) {
        if (error) throw error;
        length += value?.length;
      }
      return length;
    },
  };
}

/**
 * node-redis pipelines what is called within one turn of the event loop by itself:
 * https://github.com/redis/node-redis#auto-pipelining
 */
async function nodeRedis({ host, port, ca }) {
  const socket = ca ? { tls: true, ca } : {};
  const cluster = createCluster({
    rootNodes: [{ socket: { ...socket, host, port } }],
    defaults: { socket },
  });
  cluster.on("error", console.error);
  await cluster.connect();
  return {
    version: version("redis"),
    get: async (key) => (await cluster.get(key))?.length,
    getMany: async (keys) => total(await cluster.mGet(keys)),
    pipeline: async (keys) => {
      const multi = cluster.multi();
      for (const key of keys) multi.get(key);
      return total(await multi.execAsPipeline());
    },
  };
}

/**
 * glide refuses calls beyond 1,000 under way unless told otherwise, and gives up on each after 250 ms; both limits are
 * raised, so that 1,024 callers fit. One client is shared by all, as its documentation says:
 * https://valkey.io/valkey-glide-docs/concepts/architecture/multiplexing
 */
async function glide({ host, port, ca, callers }) {
  const client = await GlideClusterClient.createClient({
    addresses: [{ host, port }],
    useTLS: Boolean(ca),
    requestTimeout: 5000,
    inflightRequestsLimit: Math.max(1000, 2 * callers),
    advancedConfiguration: {
      connectionTimeout: 5000,
      ...(ca ? { tlsAdvancedConfiguration: { rootCertificates: ca } } : {}),
    },
  });
  return {
    version: version("@valkey/valkey-glide"),
    get: async (key) => (await client.get(key))?.length,
    getMany: async (keys) => total(await client.mget(keys)),
    pipeline: async (keys) => {
      const batch = new ClusterBatch(false);
      for (const key of keys) batch.get(key);
      return total(await client.exec(batch, true));
    },
  };
}

export const clients = {
  ioredis: (options) => ioredis(options, false),
  "ioredis-auto": (options) => ioredis(options, true),
  "node-redis": nodeRedis,
  "glide-node": glide,
};
