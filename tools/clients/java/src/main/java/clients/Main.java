package clients;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntFunction;

/** One client of this language under load, as ../README.md says: the callers, the window, and the line that it prints. */
public final class Main {
    private static final int VALUE_LENGTH = 64;
    /** How many latencies all callers together keep. */
    private static final int LATENCIES = 4_000_000;
    /** How long calls under way at the end may take, in seconds. */
    private static final int PATIENCE = 30;

    private static final LongAdder CALLS = new LongAdder();
    private static final LongAdder FAILED = new LongAdder();
    private static final AtomicReference<String> FIRST_FAILURE = new AtomicReference<>();
    /** In steps of 0.1 µs. */
    private static final int[] LATENCY = new int[LATENCIES];
    private static final AtomicInteger LATENCY_COUNT = new AtomicInteger();
    private static volatile boolean measuring;
    private static volatile boolean done;

    private Main() {}

    /** One caller: the end of a call begins the next. Strides visit all keys in an order without a pattern. */
    private static final class Caller {
        private final IntFunction<CompletionStage<Integer>> read;
        private final int targets;
        private final int wanted;
        private final CountDownLatch first;
        private final CountDownLatch ended;
        private int next;
        private boolean reported;
        private long began;

        Caller(IntFunction<CompletionStage<Integer>> read, int targets, int wanted, int number, CountDownLatch first,
                CountDownLatch ended) {
            this.read = read;
            this.targets = targets;
            this.wanted = wanted;
            this.next = number * 7 % targets;
            this.first = first;
            this.ended = ended;
        }

        void call() {
            if (done) {
                ended.countDown();
                return;
            }
            next = (next + 617) % targets;
            began = System.nanoTime();
            read.apply(next).whenComplete(this::note);
        }

        private void note(Integer length, Throwable failure) {
            long took = System.nanoTime() - began;
            if (failure != null || length != wanted) {
                FAILED.increment();
                String text = failure == null ? length + " bytes in place of " + wanted : failure.toString();
                FIRST_FAILURE.compareAndSet(null, text);
            } else {
                CALLS.increment();
                if (measuring) {
                    int at = LATENCY_COUNT.getAndIncrement();
                    if (at < LATENCIES) {
                        LATENCY[at] = (int) Math.min(took / 100, Integer.MAX_VALUE);
                    }
                }
            }
            if (!reported) {
                reported = true;
                first.countDown();
            }
            call();
        }
    }

    /** Calls so far, nanoseconds on the clock, nanoseconds of this process on a processor, user and system. */
    private record Look(long calls, long clock, long processor) {
        static Look now() {
            OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
            return new Look(CALLS.sum(), System.nanoTime(), system.getProcessCpuTime());
        }
    }

    public static void main(String[] arguments) throws InterruptedException {
        Options options = Options.of(arguments);
        endWithParent();
        if (!"lettuce".equals(options.client())) {
            fail("there is no client " + options.client());
        }
        Reader reader = new Lettuce(options);
        boolean single = options.workload().equals("get64");
        byte[][] keys = Keys.single();
        byte[][][] batches = Keys.batches();
        IntFunction<CompletionStage<Integer>> read = switch (options.workload()) {
            case "get64" -> n -> reader.get(keys[n]);
            case "mget100" -> n -> reader.getMany(batches[n]);
            case "pipeline100" -> n -> reader.pipeline(batches[n]);
            default -> throw new IllegalArgumentException("there is no workload " + options.workload());
        };
        int size = single ? 1 : Keys.BATCH;
        int targets = single ? keys.length : batches.length;
        CountDownLatch first = new CountDownLatch(options.callers());
        CountDownLatch ended = new CountDownLatch(options.callers());
        for (int number = 0; number < options.callers(); number++) {
            new Caller(read, targets, VALUE_LENGTH * size, number, first, ended).call();
        }
        first.await();
        sleep(options.warmUp());
        measuring = true;
        Look before = Look.now();
        sleep(options.window());
        Look after = Look.now();
        measuring = false;
        done = true;
        if (!ended.await(PATIENCE, TimeUnit.SECONDS)) {
            fail("a call did not end");
        }
        print(reader.version(), before, after, size);
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static void print(String version, Look before, Look after, int size) {
        int count = Math.min(LATENCY_COUNT.get(), LATENCIES);
        int[] sorted = Arrays.copyOf(LATENCY, Math.max(count, 1));
        Arrays.sort(sorted);
        String failure = FIRST_FAILURE.get();
        System.out.printf(
                java.util.Locale.ROOT,
                "{\"version\":\"%s\",\"commands\":%d,\"seconds\":%.9f,\"cpu_us\":%.3f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
                        + "\"failed\":%d,\"first_failure\":%s}%n",
                version,
                (after.calls() - before.calls()) * size,
                (after.clock() - before.clock()) / 1e9,
                (after.processor() - before.processor()) / 1e3,
                sorted[sorted.length / 2] / 10.0,
                sorted[(int) (sorted.length * 0.99)] / 10.0,
                FAILED.sum(),
                failure == null ? "null" : quoted(failure));
    }

    private static String quoted(String text) {
        return '"' + text.replaceAll("[^ -~]", " ").replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    private static void sleep(double seconds) throws InterruptedException {
        Thread.sleep((long) (seconds * 1000));
    }

    private static void fail(String text) {
        System.err.println(text);
        Runtime.getRuntime().halt(1);
    }

    /** The parent holds the other end of standard input; it is gone when this ends. */
    private static void endWithParent() {
        Thread watcher = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {
                    // Nothing is said, and nothing is wanted.
                }
            } catch (IOException gone) {
                // It is gone as well.
            }
            Runtime.getRuntime().halt(1);
        });
        watcher.setDaemon(true);
        watcher.start();
    }
}
