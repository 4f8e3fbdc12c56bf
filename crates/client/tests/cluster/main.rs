//! Every test that needs a cluster and says nothing about its own process, as one program: each further one would link the
//! whole client and the lab anew. `cargo test -p truename --test cluster promises_tls::` runs one module.
//!
//! | module | what it shows |
//! |---|---|
//! | `batches` | batches and raw replies: every outcome in its place |
//! | `command_keys` | our idea of a command's keys is the server's |
//! | `connections` | how connections are used, kept and given up |
//! | `dedicated` | connections for one caller |
//! | `examples` | the longer examples, each as a process, while their cluster is in trouble |
//! | `lazy` | a client that connects when it is first used |
//! | `locks` | the lock that the manual shows |
//! | `monitors` | a node's own account of what it executes |
//! | `probe_sessions` | looking at nodes without a client: questions on verified connections; how many these are |
//! | `profiles` | every profile of the lab, fully verified, with next to no option |
//! | `promises_atomic` | atomic batches: all of it or nothing |
//! | `promises_batches` | batches in trouble: what one command has to wait for |
//! | `promises_blocking` | commands that wait on the server: their connections, and a slot that is lost meanwhile |
//! | `promises_clusters` | which cluster is meant, when addresses lead to several |
//! | `promises_dialling` | which attempts wait for which, how many run at a time, what an error says about them |
//! | `promises_enterprise` | Redis Enterprise's fewer commands are enough |
//! | `promises_errors` | what an error says: who refused, which rule is broken, which call is the right one |
//! | `promises_fan` | one call that goes to several nodes: one reply of theirs, or who failed |
//! | `promises_hosted` | a client with a thread of its own, at work |
//! | `promises_identity` | what counts as the announced node |
//! | `promises_orphans` | what was popped for a caller that is gone; ending in good order |
//! | `promises_panics` | a panic of the user's code is a failed attempt |
//! | `promises_plaintext` | TLS unless the user says otherwise, and who is sent no credentials without it |
//! | `promises_redirects` | which errors are redirects, and where they lead |
//! | `promises_retries` | what is sent again, what is sent at all, what an error says about it |
//! | `promises_runtimes` | calls from another runtime, from none, and while nobody drives the client's |
//! | `promises_silence` | silent servers: paused, frozen, slow |
//! | `promises_synchronous` | the client without `async`: on which threads, and what happens between calls |
//! | `promises_tls` | pins, revocation lists, versions of TLS, warnings |
//! | `promises_tls_sessions` | resumed sessions and live connections are judged again |
//! | `promises_topology` | what a change of the topology may not do |
//! | `promises_views` | whose view counts, and who is a single server |
//! | `promises_wait` | batches that end with `WAIT` |
//! | `read_from` | reads from replicas |
//! | `read_modes` | whether a connection asks to read from a replica, and who is served on it |
//! | `recovery` | killed, frozen and replaced nodes under load |
//! | `redirects` | `MOVED` and `ASK` of slots on their way |
//! | `regressions` | one test for each defect that was found elsewhere |
//! | `scans` | scans of the whole cluster and of single keys |
//! | `scans_in_trouble` | scans with lagging replicas, several processes at one address, stuck slots, too few rights |
//! | `scripts` | scripts by digest, and as a whole where a server does not have them |
//! | `support` | what they share, with each other and with the programs beside this directory |
//! | `transactions` | all or nothing, and again after a race |
//! | `watching` | keys that are watched by hand |
//!
//! What must stay true: tests of different modules run at the same time, so none may measure or change what they have in
//! common: processor time, memory, descriptors, environment, panic hook, recorders of metrics or traces. A test that does
//! has a program of its own (`../measure`).

mod batches;
mod command_keys;
mod connections;
mod dedicated;
mod examples;
mod lazy;
mod locks;
mod monitors;
mod probe_sessions;
mod profiles;
mod promises_atomic;
mod promises_batches;
mod promises_blocking;
mod promises_clusters;
mod promises_dialling;
mod promises_enterprise;
mod promises_errors;
mod promises_fan;
mod promises_hosted;
mod promises_identity;
mod promises_orphans;
mod promises_panics;
mod promises_plaintext;
mod promises_redirects;
mod promises_retries;
mod promises_runtimes;
mod promises_silence;
mod promises_synchronous;
mod promises_tls;
mod promises_tls_sessions;
mod promises_topology;
mod promises_views;
mod promises_wait;
mod read_from;
mod read_modes;
mod recovery;
mod redirects;
mod regressions;
mod scans;
mod scans_in_trouble;
mod scripts;
#[path = "../support/mod.rs"]
mod support;
mod transactions;
mod watching;
