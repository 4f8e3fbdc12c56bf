package clients;

import java.util.HashMap;
import java.util.Map;

/** What the program was asked for. {@code ca} is null without TLS. */
record Options(
        String client, String host, int port, String ca, String workload, int callers, double warmUp, double window) {

    static Options of(String[] arguments) {
        Map<String, String> given = new HashMap<>();
        for (int at = 0; at + 1 < arguments.length; at += 2) {
            given.put(arguments[at], arguments[at + 1]);
        }
        return new Options(
                given.get("--client"),
                given.get("--host"),
                Integer.parseInt(given.get("--port")),
                given.get("--ca"),
                given.get("--workload"),
                Integer.parseInt(given.get("--callers")),
                Double.parseDouble(given.get("--warm-up")),
                Double.parseDouble(given.get("--window")));
    }
}
