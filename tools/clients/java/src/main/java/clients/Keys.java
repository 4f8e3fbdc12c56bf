package clients;

import java.nio.charset.StandardCharsets;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/** The keys that ../README.md names. */
final class Keys {
    static final int BATCH = 100;
    private static final int KEYS = 1024;
    /** From the first number on, these spread evenly over three shards. */
    private static final int FIRST_BATCH = 18;
    private static final int BATCHES = 12;

    private Keys() {}

    /** Keys to be read one by one. */
    static byte[][] single() {
        return many(KEYS, n -> String.format("key:%012d", n));
    }

    /** Keys to be read together: each batch is of one slot. */
    static byte[][][] batches() {
        return IntStream.range(0, BATCHES)
                .mapToObj(batch ->
                        many(BATCH, n -> String.format("{%06d}:%07d", FIRST_BATCH + batch, batch * BATCH + n)))
                .toArray(byte[][][]::new);
    }

    private static byte[][] many(int count, IntFunction<String> name) {
        return IntStream.range(0, count)
                .mapToObj(n -> name.apply(n).getBytes(StandardCharsets.US_ASCII))
                .toArray(byte[][]::new);
    }
}
