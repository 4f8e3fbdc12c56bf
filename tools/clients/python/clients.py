"""The clients, each with a method per workload, which returns the length of what was read.

`connections` is how many a client's pools have, and None where it does not say.
"""

import os
from importlib.metadata import version

import glide
import redis
import redis.asyncio


def total(values):
    """The length of all values; a missing one makes this fail, as it should."""
    return sum(map(len, values))


def redis_options(options):
    """hiredis parses replies, as redis-py recommends for speed; it is used wherever it is installed:
    https://github.com/redis/redis-py#installation

    A node may get as many connections as there are callers: a call for which there is none fails. Every connection has
    a TLS context of its own, for which Python reads all authorities that the system trusts; there are fewer here, so
    that connecting is over sooner.
    """
    if options.ca:
        os.environ["SSL_CERT_FILE"] = options.ca
    tls = {"ssl": True, "ssl_ca_certs": options.ca} if options.ca else {}
    return {"host": options.host, "port": options.port, "max_connections": options.callers + 8, **tls}


class RedisPyAsync:
    """redis-py with asyncio. Each call under way has a connection of its own."""

    is_async = True
    version = version("redis")

    def __init__(self, options):
        self.options = options

    async def connect(self):
        self.client = redis.asyncio.RedisCluster(**redis_options(self.options))
        await self.client.initialize()

    def connections(self):
        return sum(len(node._connections) for node in self.client.get_nodes())

    async def get64(self, key):
        return len(await self.client.get(key))

    async def mget100(self, keys):
        return total(await self.client.mget(keys))

    async def pipeline100(self, keys):
        pipeline = self.client.pipeline()
        for key in keys:
            pipeline.get(key)
        return total(await pipeline.execute())


class RedisPySync:
    """redis-py with a thread for each caller. Each call under way has a connection of its own."""

    is_async = False
    version = version("redis")

    def __init__(self, options):
        self.client = redis.RedisCluster(**redis_options(options))

    def connections(self):
        nodes = (node.redis_connection for node in self.client.get_nodes())
        return sum(node.connection_pool._created_connections for node in nodes if node)

    def get64(self, key):
        return len(self.client.get(key))

    def mget100(self, keys):
        return total(self.client.mget(keys))

    def pipeline100(self, keys):
        pipeline = self.client.pipeline()
        for key in keys:
            pipeline.get(key)
        return total(pipeline.execute())


class Glide:
    """glide refuses calls beyond 1,000 under way unless told otherwise, and gives up on each after 250 ms; both limits
    are raised, so that 1,024 callers fit. One client is shared by all, as its documentation says:
    https://valkey.io/valkey-glide-docs/concepts/architecture/multiplexing
    """

    is_async = True
    version = version("valkey-glide")

    def __init__(self, options):
        self.options = options

    async def connect(self):
        options = self.options
        tls = None
        if options.ca:
            with open(options.ca, "rb") as file:
                tls = glide.TlsAdvancedConfiguration(root_pem_cacerts=file.read())
        configuration = glide.GlideClusterClientConfiguration(
            [glide.NodeAddress(options.host, options.port)],
            use_tls=tls is not None,
            request_timeout=5000,
            inflight_requests_limit=max(1000, 2 * options.callers),
            advanced_config=glide.AdvancedGlideClusterClientConfiguration(
                connection_timeout=5000, tls_config=tls
            ),
        )
        self.client = await glide.GlideClusterClient.create(configuration)

    def connections(self):
        return None

    async def get64(self, key):
        return len(await self.client.get(key))

    async def mget100(self, keys):
        return total(await self.client.mget(keys))

    async def pipeline100(self, keys):
        batch = glide.ClusterBatch(is_atomic=False)
        for key in keys:
            batch.get(key)
        return total(await self.client.exec(batch, raise_on_error=True))


BY_NAME = {"redis-py": RedisPyAsync, "redis-py-threads": RedisPySync, "glide-python": Glide}
