package clients;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;

/** What callers tell, and are told. */
final class Board {
    /** How many latencies all callers together keep. */
    private static final int LATENCIES = 4_000_000;

    private final LongAdder calls = new LongAdder();
    private final LongAdder failed = new LongAdder();
    private final AtomicReference<String> firstFailure = new AtomicReference<>();
    /** In steps of 0.1 µs. */
    private final int[] latency = new int[LATENCIES];
    private final AtomicInteger latencyCount = new AtomicInteger();
    private volatile boolean measuring;
    private volatile boolean over;

    /** Calls so far, nanoseconds on the clock, nanoseconds of this process on a processor, user and system. */
    record Look(long calls, long clock, long processor) {}

    boolean isOver() {
        return over;
    }

    void succeed(long nanoseconds) {
        calls.increment();
        if (measuring) {
            int at = latencyCount.getAndIncrement();
            if (at < LATENCIES) {
                latency[at] = (int) Math.min(nanoseconds / 100, Integer.MAX_VALUE);
            }
        }
    }

    void fail(String text) {
        failed.increment();
        firstFailure.compareAndSet(null, text);
    }

    /** Opens the window. */
    Look begin() {
        measuring = true;
        return look();
    }

    /** Closes the window and tells the callers to end. */
    Look end() {
        Look look = look();
        measuring = false;
        over = true;
        return look;
    }

    private Look look() {
        OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        return new Look(calls.sum(), System.nanoTime(), system.getProcessCpuTime());
    }

    /** The line, when all callers have ended; {@code size} is the commands of a call. */
    String line(String version, Look before, Look after, int size) {
        int count = Math.min(latencyCount.get(), LATENCIES);
        int[] sorted = Arrays.copyOf(latency, Math.max(count, 1));
        Arrays.sort(sorted);
        String failure = firstFailure.get();
        return String.format(
                java.util.Locale.ROOT,
                "{\"version\":\"%s\",\"runtime\":\"java %s\",\"commands\":%d,\"seconds\":%.9f,\"cpu_us\":%.3f,"
                        + "\"p50_us\":%.1f,\"p99_us\":%.1f,\"missed\":%d,\"connections_opened\":null,"
                        + "\"failed\":%d,\"first_failure\":%s}",
                version,
                System.getProperty("java.version"),
                (after.calls() - before.calls()) * size,
                (after.clock() - before.clock()) / 1e9,
                (after.processor() - before.processor()) / 1e3,
                sorted[sorted.length / 2] / 10.0,
                sorted[(int) (sorted.length * 0.99)] / 10.0,
                latencyCount.get() - count,
                failed.sum(),
                failure == null ? "null" : quoted(failure));
    }

    private static String quoted(String text) {
        return '"' + text.replaceAll("[^ -~]", " ").replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }
}
