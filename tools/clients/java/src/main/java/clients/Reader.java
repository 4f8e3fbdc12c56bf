package clients;

import java.util.concurrent.CompletionStage;

/** A client's ways of reading. */
interface Reader {
    /** GET: the length of the value. */
    CompletionStage<Integer> get(byte[] key);

    /** MGET of keys of one slot: the length of all values. */
    CompletionStage<Integer> getMany(byte[][] keys);

    /** GET of each of these keys of one slot by the client's pipeline: the length of all values. */
    CompletionStage<Integer> pipeline(byte[][] keys);

    /** The version of the client. */
    String version();
}
