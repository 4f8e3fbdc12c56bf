package clients;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ForkJoinPool;
import java.util.function.IntFunction;

/**
 * One caller: the end of a call begins the next. Strides visit all targets in an order without a pattern. Whatever a call
 * ends with, the caller goes on until {@link Board#end}.
 */
final class Caller {
    private final Board board;
    private final IntFunction<CompletionStage<Integer>> read;
    private final int targets;
    private final int wanted;
    private final CountDownLatch first;
    private final CountDownLatch ended;
    private int next;
    private boolean reported;
    private long began;

    Caller(Board board, IntFunction<CompletionStage<Integer>> read, int targets, int wanted, int number,
            CountDownLatch first, CountDownLatch ended) {
        this.board = board;
        this.read = read;
        this.targets = targets;
        this.wanted = wanted;
        this.next = number * 7 % targets;
        this.first = first;
        this.ended = ended;
    }

    void call() {
        if (board.isOver()) {
            ended.countDown();
            return;
        }
        next = (next + 617) % targets;
        began = System.nanoTime();
        started().whenComplete(this::goOn);
    }

    private CompletionStage<Integer> started() {
        try {
            return read.apply(next);
        } catch (RuntimeException refused) {
            return CompletableFuture.failedFuture(refused);
        }
    }

    private void goOn(Integer length, Throwable failure) {
        boolean succeeded = false;
        try {
            succeeded = note(length, failure);
        } catch (RuntimeException unexpected) {
            board.fail(unexpected.toString());
        }
        if (!reported) {
            reported = true;
            first.countDown();
        }
        if (succeeded) {
            call();
        } else {
            // A client that fails at once would fill the stack.
            ForkJoinPool.commonPool().execute(this::call);
        }
    }

    /** Whether the call was a success. */
    private boolean note(Integer length, Throwable failure) {
        long took = System.nanoTime() - began;
        if (failure != null) {
            board.fail(failure.toString());
            return false;
        }
        if (length != wanted) {
            board.fail(length + " bytes in place of " + wanted);
            return false;
        }
        board.succeed(took);
        return true;
    }
}
