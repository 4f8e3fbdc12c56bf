package clients;

import io.lettuce.core.KeyValue;
import io.lettuce.core.LettuceVersion;
import io.lettuce.core.RedisFuture;
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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * Lettuce's asynchronous commands (https://redis.github.io/lettuce/user-guide/async-api) on one connection that all
 * callers share, as it is meant to be used. Epoll and OpenSSL come from native libraries; pom.xml has them.
 */
final class Lettuce implements Reader {
    private final StatefulRedisClusterConnection<byte[], byte[]> connection;
    private final RedisAdvancedClusterAsyncCommands<byte[], byte[]> commands;

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
        connection = client.connect(ByteArrayCodec.INSTANCE);
        commands = connection.async();
        if (options.workload().equals("pipeline100")) {
            // Commands of a pipeline are written when all are there:
            // https://redis.github.io/lettuce/advanced-usage/pipelining
            // Every node has a connection before that: what waits for one would miss the flush.
            for (byte[] key : Keys.single()) {
                connection.sync().get(key);
            }
            connection.setAutoFlushCommands(false);
        }
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
        List<CompletableFuture<byte[]>> replies = new ArrayList<>(keys.length);
        for (byte[] key : keys) {
            RedisFuture<byte[]> reply = commands.get(key);
            replies.add(reply.toCompletableFuture());
        }
        connection.flushCommands();
        return CompletableFuture.allOf(replies.toArray(CompletableFuture[]::new)).thenApply(all -> {
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
