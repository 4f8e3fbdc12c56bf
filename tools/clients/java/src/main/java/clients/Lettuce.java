package clients;

import io.lettuce.core.KeyValue;
import io.lettuce.core.LettuceVersion;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SslOptions;
import io.lettuce.core.SslVerifyMode;
import io.lettuce.core.cluster.ClusterClientOptions;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.api.StatefulRedisClusterConnection;
import io.lettuce.core.cluster.api.async.RedisAdvancedClusterAsyncCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.resource.EpollProvider;
import java.io.File;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Lettuce's asynchronous commands (https://redis.github.io/lettuce/user-guide/async-api) on one connection that all
 * callers share, as it is meant to be used. Epoll and OpenSSL come from native libraries; pom.xml has them.
 *
 * <p>A pipeline is written when all of it is there, on a connection that nobody shares meanwhile, since flushing by hand is
 * not for shared ones: https://redis.github.io/lettuce/advanced-usage/pipelining. Pipelines on the shared connection, which
 * flushes every command by itself, took more processor time here, with 1 caller and with 64.
 */
final class Lettuce implements Reader {
    private final RedisAdvancedClusterAsyncCommands<byte[], byte[]> commands;
    /** Connections for pipelines, one for each that may be under way. */
    private final Queue<StatefulRedisClusterConnection<byte[], byte[]>> free = new ConcurrentLinkedQueue<>();

    Lettuce(Options options) {
        if (!EpollProvider.isAvailable()) {
            throw new IllegalStateException("there is no native epoll for this machine");
        }
        RedisURI.Builder seed = RedisURI.builder().withHost(options.host()).withPort(options.port());
        ClusterClientOptions.Builder settings = ClusterClientOptions.builder();
        if (options.ca() != null) {
            seed.withSsl(true).withVerifyPeer(SslVerifyMode.FULL);
            settings.sslOptions(SslOptions.builder().openSslProvider().trustManager(new File(options.ca())).build());
        }
        RedisClusterClient client = RedisClusterClient.create(seed.build());
        client.setOptions(settings.build());
        commands = client.connect(ByteArrayCodec.INSTANCE).async();
        if (options.workload().equals("pipeline100")) {
            for (int number = 0; number < options.callers(); number++) {
                free.add(forPipelines(client));
            }
        }
    }

    private static StatefulRedisClusterConnection<byte[], byte[]> forPipelines(RedisClusterClient client) {
        StatefulRedisClusterConnection<byte[], byte[]> connection = client.connect(ByteArrayCodec.INSTANCE);
        // It is connected to every node from here on: what waits for one would miss the flush.
        for (byte[][] batch : Keys.batches()) {
            connection.sync().get(batch[0]);
        }
        connection.setAutoFlushCommands(false);
        return connection;
    }

    @Override
    public CompletionStage<Integer> get(byte[] key) {
        return commands.get(key).thenApply(value -> value.length);
    }

    @Override
    public CompletionStage<Integer> getMany(byte[][] keys) {
        return commands.mget(keys).thenApply(pairs -> {
            int length = 0;
            for (KeyValue<byte[], byte[]> pair : pairs) {
                length += pair.getValue().length;
            }
            return length;
        });
    }

    @Override
    public CompletionStage<Integer> pipeline(byte[][] keys) {
        StatefulRedisClusterConnection<byte[], byte[]> connection = free.remove();
        List<CompletableFuture<byte[]>> replies = new ArrayList<>(keys.length);
        for (byte[] key : keys) {
            replies.add(connection.async().get(key).toCompletableFuture());
        }
        connection.flushCommands();
        return CompletableFuture.allOf(replies.toArray(CompletableFuture[]::new)).handle((all, failure) -> {
            free.add(connection);
            int length = 0;
            for (CompletableFuture<byte[]> reply : replies) {
                length += reply.join().length;
            }
            return length;
        });
    }

    @Override
    public String version() {
        // What follows the slash names a commit.
        return LettuceVersion.getVersion().split("/")[0];
    }
}
