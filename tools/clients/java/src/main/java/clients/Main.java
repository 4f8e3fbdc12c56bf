package clients;

import java.io.IOException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;

/** One client of this language under load, as ../README.md says: which client, and the window. */
public final class Main {
    private static final int VALUE_LENGTH = 64;
    /** How long calls under way at the end may take, in seconds. */
    private static final int PATIENCE = 30;

    private Main() {}

    public static void main(String[] arguments) {
        endWithParent();
        try {
            System.out.println(measure(Options.of(arguments)));
            System.out.flush();
        } catch (Exception failure) {
            failure.printStackTrace();
            Runtime.getRuntime().halt(1);
        }
        Runtime.getRuntime().halt(0);
    }

    private static String measure(Options options) throws InterruptedException {
        if (!"lettuce".equals(options.client())) {
            throw new IllegalArgumentException("there is no client " + options.client());
        }
        boolean single = options.workload().equals("get64");
        byte[][] keys = Keys.single();
        byte[][][] batches = Keys.batches();
        Reader reader = new Lettuce(options);
        IntFunction<CompletionStage<Integer>> read = switch (options.workload()) {
            case "get64" -> n -> reader.get(keys[n]);
            case "mget100" -> n -> reader.getMany(batches[n]);
            case "pipeline100" -> n -> reader.pipeline(batches[n]);
            default -> throw new IllegalArgumentException("there is no workload " + options.workload());
        };
        int size = single ? 1 : Keys.BATCH;
        int targets = single ? keys.length : batches.length;
        Board board = new Board();
        CountDownLatch first = new CountDownLatch(options.callers());
        CountDownLatch ended = new CountDownLatch(options.callers());
        for (int number = 0; number < options.callers(); number++) {
            new Caller(board, read, targets, VALUE_LENGTH * size, number, first, ended).call();
        }
        first.await();
        sleep(options.warmUp());
        Board.Look before = board.begin();
        sleep(options.window());
        Board.Look after = board.end();
        if (!ended.await(PATIENCE, TimeUnit.SECONDS)) {
            throw new IllegalStateException("a call did not end");
        }
        return board.line(reader.version(), before, after, size);
    }

    private static void sleep(double seconds) throws InterruptedException {
        Thread.sleep((long) (seconds * 1000));
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
